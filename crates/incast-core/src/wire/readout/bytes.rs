//! How long a message will be, without writing it: for whoever has payloads of which only the size exists.

use super::{
    ANSWER_HEAD_BYTES, END_HEAD_BYTES, HEAD_BYTES, Kind, RESULT_HEAD_BYTES, VERDICT_BYTES, ends_that_fit,
};
use crate::readout::{Built, End, Ended, Message, Verdict};
use crate::wire::built_event::{self, ENTRY_BYTES};
use crate::wire::little_endian::length;

/// Bytes that [`emit_head`](super::emit_head) writes for a message, with the payloads that follow; 0 for a
/// fragment, which is laid out elsewhere. Ends that need several messages count with all of their heads.
#[must_use]
pub fn message_bytes<P>(message: &Message<P>) -> u64 {
    let Some(kind) = Kind::of(message) else { return 0 };
    let body = match message {
        Message::Answer { verdicts, .. } => u64::from(ANSWER_HEAD_BYTES) + verdict_bytes(verdicts),
        Message::Event { built, .. } => built_bytes(built),
        Message::Result { verdicts, built, .. } => {
            u64::from(RESULT_HEAD_BYTES) + verdict_bytes(verdicts) + built_bytes(built)
        }
        Message::Ends(ends) => ends_bytes(ends),
        // All others have one length.
        _ => u64::from(kind.body_bytes().0),
    };
    HEAD_BYTES as u64 + body
}

fn verdict_bytes(verdicts: &[Verdict]) -> u64 {
    (verdicts.len() * VERDICT_BYTES) as u64
}

fn built_bytes<P>(built: &Built<P>) -> u64 {
    let event = built.event();
    (built_event::HEAD_BYTES + event.places().len() * ENTRY_BYTES) as u64 + event.bytes
}

/// Of the bodies, and of every head but the first.
fn ends_bytes(ends: &[End]) -> u64 {
    let sources = |end: &End| match &end.how {
        Ended::Incomplete(missing) => 2 * length(missing.len()),
        _ => 0,
    };
    let bodies: usize = ends.iter().map(|end| END_HEAD_BYTES + sources(end)).sum();
    let (mut heads, mut rest) = (0, ends);
    while let (_, later @ [_, ..]) = rest.split_at(ends_that_fit(rest)) {
        heads += HEAD_BYTES;
        rest = later;
    }
    (bodies + heads) as u64
}
