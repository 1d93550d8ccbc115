//! The data connection: its greeting, the head of a message, and messages cut out of a stream.
//!
//! However the bytes come in pieces, the counters are those of the messages laid end to end.
//! Input: message size, number of cuts, the length of each piece but the last, then the stream.

#![no_main]

use incast_core::wire::preface::{MAGIC_BYTES, Preface};
use incast_core::wire::stream::Deframer;
use incast_core::wire::{probe, two_way};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    greet(data);
    head(data);
    if let [size, cuts, rest @ ..] = data
        && let Some((pieces, stream)) = rest.split_at_checked(usize::from(*cuts))
    {
        deframe(8 + u32::from(*size), pieces, stream);
    }
});

fn greet(data: &[u8]) {
    let Some(magic) = data.first_chunk::<MAGIC_BYTES>() else { return };
    let stream = probe::stream_id(data).unwrap_or_default();
    let greeting = Preface::emit_data(stream);
    assert_eq!(greeting.first_chunk().and_then(Preface::parse), Some(Preface::Data));
    assert_eq!(probe::stream_id(&greeting), Some(stream));
    let known = [(&b"INCASTC1", Preface::Control), (&b"INCASTD1", Preface::Data)];
    assert_eq!(
        Preface::parse(magic),
        known.into_iter().find(|(bytes, _)| **bytes == magic).map(|(_, kind)| kind)
    );
}

fn head(data: &[u8]) {
    let (counter, stream) = (probe::counter(data), probe::stream_id(data));
    assert_eq!((counter.is_some(), stream.is_some()), (data.len() >= 8, data.len() >= 16));
    let (Some(counter), Some(stream)) = (counter, stream) else { return };
    let mut written = data.to_vec();
    written[..probe::HEAD_BYTES].fill(0);
    probe::emit_counter(&mut written, counter);
    probe::emit_stream_id(&mut written, stream);
    assert_eq!(written, data);
    if let Some(times) = two_way::parse(data) {
        assert_eq!(two_way::emit(stream, times)[..], *data);
    }
}

fn deframe(message_bytes: u32, pieces: &[u8], stream: &[u8]) {
    let size = message_bytes as usize;
    let expected: Vec<u64> = stream.chunks_exact(size).filter_map(probe::counter).collect();
    let (mut deframer, mut counters, mut rest) = (Deframer::new(message_bytes), Vec::new(), stream);
    for piece in pieces.iter().map(|length| usize::from(*length)).chain([usize::MAX]) {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        deframer.handle_bytes(now, |counter| counters.push(counter));
        rest = later;
    }
    assert_eq!(counters, expected);
    assert_eq!(deframer.partial_bytes(), stream.len() % size);
}
