use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl std::task::Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
    let frame = Pin::new(body).poll_frame(cx);
    frame.map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap())))
}

#[test]
fn whole_body_is_there_at_once() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut body = Incoming::whole(Bytes::from("abc"), false);
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(3), false));
    assert_eq!(poll(&mut body, &mut cx), Poll::Ready(Some(Ok(Bytes::from("abc")))));
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
    assert_eq!(poll(&mut body, &mut cx), Poll::Ready(None));
    assert!(Incoming::whole(Bytes::new(), false).is_end_stream());
    let mut chunked = Incoming::whole(Bytes::new(), true);
    assert!(!chunked.is_end_stream(), "that is not known before it is read");
    assert_eq!(poll(&mut chunked, &mut cx), Poll::Ready(None));
}

#[test]
fn whole_body_is_taken_at_once_and_no_other() {
    for is_chunked in [false, true] {
        let mut body = Incoming::whole(Bytes::from("abc"), is_chunked);
        assert_eq!(body.take_whole(2), None);
        assert_eq!(body.take_whole(3), Some(Bytes::from("abc")));
        assert!(body.is_end_stream());
    }
    let (mut body, _feed) = Incoming::partial(Bytes::from("ab"), Some(1));
    assert_eq!((body.take_whole(9), body.size_hint().exact()), (None, Some(3)));
    assert_eq!(Incoming::broken().take_whole(9), None);
}

#[test]
fn nothing_is_asked_for_before_it_is_wanted() {
    let (reader, connection) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    let wakers = (Waker::from(Arc::clone(&reader)), Waker::from(Arc::clone(&connection)));
    let (mut reads, gives) = (Context::from_waker(&wakers.0), Context::from_waker(&wakers.1));
    let (mut body, feed) = Incoming::partial(Bytes::from("ab"), Some(3));
    assert_eq!(body.size_hint().exact(), Some(5));
    assert_eq!(poll(&mut body, &mut reads), Poll::Ready(Some(Ok(Bytes::from("ab")))));
    assert!(feed.demand(&gives) == Demand::Later, "what was there has only just been taken");
    assert_eq!(poll(&mut body, &mut reads), Poll::Pending);
    assert_eq!(connection.0.load(Ordering::Relaxed), 1);
    assert!(feed.demand(&gives) == Demand::Now);
    feed.give(Bytes::from("cde"), &gives);
    assert_eq!(reader.0.load(Ordering::Relaxed), 1);
    assert!(feed.demand(&gives) == Demand::Later && !body.is_end_stream());
    assert_eq!(poll(&mut body, &mut reads), Poll::Ready(Some(Ok(Bytes::from("cde")))));
    assert!(body.is_end_stream());
}

#[test]
fn connection_hears_that_nobody_reads_any_more() {
    let count = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&count));
    let cx = Context::from_waker(&waker);
    let (body, feed) = Incoming::partial(Bytes::new(), Some(2));
    assert_eq!(feed.demand(&cx), Demand::Later);
    drop(body);
    assert_eq!((feed.demand(&cx), count.0.load(Ordering::Relaxed)), (Demand::Never, 1));
    feed.give(Bytes::from("x"), &cx);
    assert_eq!(feed.demand(&cx), Demand::Never);
}

#[test]
fn own_task_is_not_woken() {
    let count = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let (mut body, feed) = Incoming::partial(Bytes::new(), None);
    assert!(feed.demand(&cx) == Demand::Later);
    assert_eq!(poll(&mut body, &mut cx), Poll::Pending);
    feed.end(&cx);
    assert_eq!(poll(&mut body, &mut cx), Poll::Ready(None));
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    assert!(body.is_end_stream());
}

#[test]
fn reader_hears_that_nothing_more_comes() {
    let count = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let (mut body, feed) = Incoming::partial(Bytes::new(), None);
    assert_eq!(poll(&mut body, &mut cx), Poll::Pending);
    feed.give(Bytes::from("last"), &cx);
    drop(feed);
    assert_eq!(poll(&mut body, &mut cx), Poll::Ready(Some(Ok(Bytes::from("last")))));
    assert_eq!(poll(&mut body, &mut cx), Poll::Ready(Some(Err(BrokenOff))));
    let (mut body, feed) = Incoming::partial(Bytes::new(), None);
    assert_eq!(poll(&mut body, &mut cx), Poll::Pending);
    drop(feed);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}

#[test]
fn broken_body_stays_broken() {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut body, feed) = Incoming::partial(Bytes::new(), Some(2));
    assert_eq!(poll(&mut body, &mut cx), Poll::Pending);
    drop(feed);
    for mut body in [body, Incoming::broken()] {
        assert!(!body.is_end_stream());
        for _ in 0..2 {
            assert_eq!(poll(&mut body, &mut cx), Poll::Ready(Some(Err(BrokenOff))));
        }
    }
}
