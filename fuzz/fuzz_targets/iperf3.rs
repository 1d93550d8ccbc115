//! iperf3's control connection: parameters and results as a peer writes them, cut as it likes.

#![no_main]

use incast_core::iperf3::datagram::{self, Width};
use incast_core::iperf3::message::{Parameters, Results};
use incast_core::iperf3::reader::{Reader, emit_text};
use libfuzzer_sys::fuzz_target;

/// A first input, of which the others are made: it must be a good one.
const GOOD: &[u8] = include_bytes!("../seeds/iperf3/parameters");

fuzz_target!(init: assert!(plan(GOOD)), |data: &[u8]| {
    plan(data);
    if let Ok(results) = serde_json::from_slice::<Results>(data) {
        for streams in [1, 4, 128] {
            let ordered = results.in_order(streams);
            assert!(ordered.is_none_or(|ordered| ordered.len() == streams as usize));
        }
    }
    for width in [Width::Narrow, Width::Wide] {
        let _ = datagram::counter(data, width);
    }
    let _ = datagram::departure(data);
    text(data);
});

/// Whether these are parameters of a test that could be carried out.
fn plan(data: &[u8]) -> bool {
    serde_json::from_slice::<Parameters>(data).is_ok_and(|parameters| parameters.check().is_ok())
}

/// A text that was emitted is read again, in whatever pieces it comes; anything else is read or refused.
fn text(data: &[u8]) {
    let mut reader = Reader::default();
    for piece in data.chunks(3) {
        if reader.handle_bytes(piece).is_err() {
            return;
        }
    }
    if reader.poll_text(TEXT_BYTES_MAX).is_err() {
        return;
    }
    let Ok(written) = std::str::from_utf8(data) else { return };
    // An empty text is none: its length is refused.
    if written.is_empty() {
        return;
    }
    let mut reader = Reader::default();
    if written.len() <= TEXT_BYTES_MAX
        && emit_text(written).chunks(7).all(|piece| reader.handle_bytes(piece).is_ok())
    {
        assert_eq!(reader.poll_text(TEXT_BYTES_MAX).ok().flatten().as_deref(), Some(data));
    }
}

/// As the server allows for parameters.
const TEXT_BYTES_MAX: usize = 8 << 10;
