//! The body of a request on its way from the connection to whoever reads it.
//!
//! 1. What has come together with the head is there from the beginning; most bodies are whole.
//! 2. Of the rest the connection reads no more than is asked for, one piece at a time.
//! 3. A body that breaks off ends in an error, never as if it were complete.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A request's body.
#[derive(Debug, Default)]
pub struct Incoming {
    first: Option<Bytes>,
    /// How many bytes come behind the first ones, where that is known.
    left: Option<u64>,
    rest: Option<Arc<Mutex<Passage>>>,
}

/// The connection's end of a body that is not all there.
#[derive(Debug)]
pub struct Feed(Arc<Mutex<Passage>>);

/// Where the two ends meet.
#[derive(Debug, Default)]
struct Passage {
    piece: Option<Bytes>,
    has_ended: bool,
    /// Whether nobody brings anything more.
    is_abandoned: bool,
    demand: Demand,
    reader: Option<Waker>,
    connection: Option<Waker>,
}

/// What a reader does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// Something else, for now.
    #[default]
    Later,
    /// It waits for the next piece.
    Now,
    /// It is gone: nobody will read what comes.
    Never,
}

/// The body's framing is wrong, or its sender has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body broke off")]
pub struct BrokenOff;

impl Incoming {
    /// A body that is all there.
    ///
    /// `is_chunked`: that it has ended is seen by reading it alone, even when it is empty.
    pub fn whole(bytes: Bytes, is_chunked: bool) -> Self {
        let first = (is_chunked || !bytes.is_empty()).then_some(bytes);
        Self { first, left: (!is_chunked).then_some(0), rest: None }
    }

    /// A body of which more is to come: `left` bytes, where that is known.
    pub fn partial(first: Bytes, left: Option<u64>) -> (Self, Feed) {
        let passage = Arc::new(Mutex::new(Passage::default()));
        let first = (!first.is_empty()).then_some(first);
        let rest = Some(Arc::clone(&passage));
        (Self { first, left, rest }, Feed(passage))
    }

    /// All of the body, when all of it is here and it is no longer than `most` bytes.
    pub fn take_whole(&mut self, most: usize) -> Option<Bytes> {
        if self.rest.is_some() || self.first.as_ref().is_some_and(|first| first.len() > most) {
            return None;
        }
        self.left = Some(0);
        Some(self.first.take().unwrap_or_default())
    }

    /// A body that is broken from its beginning.
    pub fn broken() -> Self {
        let passage = Passage { is_abandoned: true, ..Passage::default() };
        Self { first: None, left: None, rest: Some(Arc::new(Mutex::new(passage))) }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some(rest) = &self.rest else { return Poll::Ready(None) };
        // A poisoned lock means a panic in this connection: nothing more of it is believed.
        let Ok(mut passage) = rest.lock() else { return Poll::Ready(Some(Err(BrokenOff))) };
        match passage.piece.take() {
            Some(piece) => {
                drop(passage);
                self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            None if passage.has_ended => {
                drop(passage);
                self.rest = None;
                Poll::Ready(None)
            }
            None if passage.is_abandoned => Poll::Ready(Some(Err(BrokenOff))),
            None => {
                passage.demand = Demand::Now;
                passage.reader = Some(cx.waker().clone());
                wake_other(passage.connection.take(), Some(cx));
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && (self.rest.is_none() || self.left == Some(0))
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, Bytes::len) as u64;
        self.left
            .map_or_else(SizeHint::new, |left| SizeHint::with_exact(first.saturating_add(left)))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(Ok(mut passage)) = self.rest.as_ref().map(|rest| rest.lock()) {
            passage.demand = Demand::Never;
            wake_other(passage.connection.take(), None);
        }
    }
}

impl Feed {
    /// What the reader does; this task is woken when it wants the next piece, or none any more.
    pub fn demand(&self, cx: &Context<'_>) -> Demand {
        let Ok(mut passage) = self.0.lock() else { return Demand::Never };
        let is_known = |known: &Waker| known.will_wake(cx.waker());
        if passage.demand != Demand::Never && !passage.connection.as_ref().is_some_and(is_known) {
            passage.connection = Some(cx.waker().clone());
        }
        passage.demand
    }

    /// Whether anybody may still want what comes.
    pub fn has_reader(&self) -> bool {
        self.0.lock().is_ok_and(|passage| passage.demand != Demand::Never)
    }

    /// Brings a piece that was waited for.
    pub fn give(&self, piece: Bytes, cx: &Context<'_>) {
        self.settle(|passage| passage.piece = Some(piece), Some(cx));
    }

    /// There is nothing behind what was given.
    pub fn end(&self, cx: &Context<'_>) {
        self.settle(|passage| passage.has_ended = true, Some(cx));
    }

    fn settle(&self, change: impl FnOnce(&mut Passage), cx: Option<&Context<'_>>) {
        let Ok(mut passage) = self.0.lock() else { return };
        change(&mut passage);
        if passage.demand == Demand::Now {
            passage.demand = Demand::Later;
        }
        wake_other(passage.reader.take(), cx);
    }
}

impl Drop for Feed {
    /// What has not come by now never will.
    fn drop(&mut self) {
        self.settle(|passage| passage.is_abandoned = true, None);
    }
}

/// Wakes a task, unless it is the one that runs: that goes on by itself.
fn wake_other(waker: Option<Waker>, running: Option<&Context<'_>>) {
    let Some(waker) = waker else { return };
    if running.is_none_or(|cx| !waker.will_wake(cx.waker())) {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
