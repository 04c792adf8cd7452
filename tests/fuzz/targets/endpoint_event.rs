//! An event stream, cut where the first byte says.
//!
//! Holds: wherever the stream is cut, the same bytes come out; without an `endpoint` event they are
//! those that went in.
#![no_main]

use gatehouse::forward::{endpoint_event::EndpointRewriter, event_stream::EventError};
use libfuzzer_sys::fuzz_target;

fn rewrite(pieces: &[&[u8]], rewritten: &mut usize) -> Result<(Vec<u8>, bool), EventError> {
    let mut rewriter = EndpointRewriter::default();
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&rewriter.push(piece, |url| {
            *rewritten += 1;
            url.starts_with('/').then(|| "/reference".to_owned())
        })?);
    }
    Ok((out, rewriter.is_between_events()))
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, stream)) = data.split_first() else { return };
    let size = usize::from(*cut).max(1);
    let pieces: Vec<_> = stream.chunks(size).collect();
    let (mut in_one, mut in_pieces) = (0, 0);
    let whole = rewrite(&[stream], &mut in_one);
    let cut = rewrite(&pieces, &mut in_pieces);
    if let (Ok((whole, is_between)), Ok((cut, is_cut_between))) = (&whole, &cut) {
        assert_eq!((in_one, is_between), (in_pieces, is_cut_between));
        assert!(whole.starts_with(cut) || cut.starts_with(whole));
        if in_one == 0 {
            assert!(stream.starts_with(whole));
        }
    } else {
        assert_eq!(whole.err(), cut.err());
    }
});
