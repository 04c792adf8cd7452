//! The body of an upstream's response, and with it the connection that it comes on.
//!
//! 1. Read to its end, it gives the connection back to the pool, if that can take another request;
//!    dropped before, it closes it.
//! 2. A body that ends before its framing says so is an error; trailers are dropped.
//! 3. What is left of the request is sent beside the body, however slowly that is read, and behind
//!    its end: the upstream may have answered before it has read everything.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use http::Response;
use http_body::{Body, Frame, SizeHint};

use super::{Connection, ExchangeError, head::Head};
use crate::{
    forward::pool::Pool,
    http1::{
        body::{BodyDecoder, Framing, Malformed},
        incoming::{Demand, Feed, Incoming},
    },
};

/// A response's body, as the upstream sends it.
#[derive(Debug)]
pub struct UpstreamBody(Source);

#[derive(Debug)]
enum Source {
    /// Read by whoever asks for it.
    Direct(Reading),
    /// It came before its request was sent: both go on beside its reader.
    Beside(Incoming),
    /// Nothing more is wanted.
    Closed,
}

/// A body on its connection.
pub(super) struct Reading {
    /// `None` when nothing more comes.
    connection: Option<Box<Connection>>,
    pool: Arc<Pool>,
    decoder: BodyDecoder,
    framing: Framing,
    may_stay: bool,
    /// So many of the bytes received are content that was found before it was asked for.
    found: usize,
    /// What is known of what comes next.
    outlook: Outlook,
    /// Whether content was handed out.
    has_begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outlook {
    Open,
    /// Framing that is none.
    Malformed,
    /// Nothing: its end was seen.
    Over,
}

impl UpstreamBody {
    /// The response whose head this is.
    pub(in crate::forward) fn response(
        head: Head,
        connection: Box<Connection>,
        pool: &Arc<Pool>,
    ) -> Response<Self> {
        let is_sending = connection.is_sending();
        let mut reading = Reading {
            connection: Some(connection),
            pool: Arc::clone(pool),
            decoder: BodyDecoder::lenient(head.framing),
            framing: head.framing,
            may_stay: head.may_stay,
            found: 0,
            outlook: Outlook::Open,
            has_begun: false,
        };
        reading.settle();
        let is_over = reading.outlook == Outlook::Over;
        let source = if is_sending && is_over {
            // Perhaps nobody asks for a body that has nothing to say.
            reading.let_go();
            Source::Direct(reading)
        } else if is_sending {
            let (body, feed) = Incoming::partial(Bytes::new(), reading.size_hint().exact());
            pool.go_on(beside(reading, feed));
            Source::Beside(body)
        } else {
            Source::Direct(reading)
        };
        let mut response = Response::new(Self(source));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }

    /// Closes its connection, unless it has come to its end.
    pub(in crate::forward) fn close(&mut self) {
        match &mut self.0 {
            Source::Direct(reading) => reading.connection = None,
            Source::Beside(_) => self.0 = Source::Closed,
            Source::Closed => {}
        }
    }
}

/// Sends the rest of a request, and brings its response to whoever reads that.
///
/// The upstream may wait for either, and the client too: neither waits for the other here.
async fn beside(mut reading: Reading, feed: Feed) {
    poll_fn(|cx| {
        loop {
            match feed.demand(cx) {
                Demand::Never => return Poll::Ready(()),
                Demand::Later => {
                    let sent = reading.connection.as_mut().map(|it| it.send_on(cx));
                    return if let Some(Err(_)) = sent { Poll::Ready(()) } else { Poll::Pending };
                }
                Demand::Now => match ready!(reading.poll_data(cx)) {
                    Some(Ok(data)) => feed.give(data, cx),
                    Some(Err(_)) => return Poll::Ready(()),
                    None => {
                        feed.end(cx);
                        return Poll::Ready(());
                    }
                },
            }
        }
    })
    .await;
}

impl Reading {
    /// Passes over what frames the content in what was received.
    fn settle(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let received = &mut connection.received;
        while self.found == 0 && !self.decoder.is_done() && !received.is_empty() {
            let Ok(piece) = self.decoder.next(received) else {
                self.outlook = Outlook::Malformed;
                return;
            };
            received.advance(piece.framing);
            self.found = piece.content;
        }
        if self.found == 0 && self.decoder.is_done() {
            self.outlook = Outlook::Over;
        }
    }

    /// Leaves the connection to the next request, or to what is left of this one.
    fn let_go(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if connection.is_sending() {
            self.pool.finish(connection, self.may_stay);
        } else if self.may_stay && connection.rest() {
            self.pool.give_back(connection);
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ExchangeError>>> {
        if let Some(Err(error)) = self.connection.as_mut().map(|it| it.send_on(cx)) {
            return self.fail(error);
        }
        loop {
            let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
            if self.found > 0 {
                let data = connection.received.split_to(self.found).freeze();
                self.found = 0;
                self.has_begun = true;
                self.settle();
                if self.outlook == Outlook::Over {
                    self.let_go();
                }
                return Poll::Ready(Some(Ok(data)));
            }
            match self.outlook {
                Outlook::Open => {}
                Outlook::Malformed => return self.fail(Malformed.into()),
                Outlook::Over => {
                    self.let_go();
                    return Poll::Ready(None);
                }
            }
            match ready!(connection.poll_read(cx)) {
                Ok(0) if self.framing == Framing::UntilClose => {
                    self.connection = None;
                    return Poll::Ready(None);
                }
                Ok(0) => return self.fail(ExchangeError::CutBody),
                Ok(_) => self.settle(),
                Err(error) => return self.fail(error.into()),
            }
        }
    }

    fn fail(&mut self, error: ExchangeError) -> Poll<Option<Result<Bytes, ExchangeError>>> {
        self.connection = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl Reading {
    /// Known beforehand for a length; of chunks, when the last one came together with content.
    fn is_end_stream(&self) -> bool {
        let is_known = self.has_begun || self.framing != Framing::Chunked;
        is_known && self.outlook == Outlook::Over
    }

    /// Exact for a length; chunks are passed on as what they are, however much of them is here.
    fn size_hint(&self) -> SizeHint {
        match (self.framing, self.decoder.left()) {
            (Framing::Length(_), Some(left)) => SizeHint::with_exact(left + self.found as u64),
            _ => SizeHint::new(),
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = ExchangeError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ExchangeError>>> {
        match &mut self.get_mut().0 {
            Source::Direct(reading) => {
                reading.poll_data(cx).map(|data| data.map(|data| data.map(Frame::data)))
            }
            Source::Beside(body) => {
                let frame = Pin::new(body).poll_frame(cx);
                frame.map(|frame| frame.map(|frame| frame.map_err(ExchangeError::from)))
            }
            Source::Closed => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Direct(reading) => reading.is_end_stream(),
            Source::Beside(body) => body.is_end_stream(),
            Source::Closed => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Direct(reading) => reading.size_hint(),
            Source::Beside(body) => body.size_hint(),
            Source::Closed => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("framing", &self.framing).finish_non_exhaustive()
    }
}
