//! Writing a message: everything in front of its payloads, which can then be sent from where they are.

use super::{END_HEAD_BYTES, ENDS_BYTES_MAX, ENDS_MAX, HEAD_BYTES, Head, Kind};
use crate::readout::{Assigned, Built, End, Ended, Level, Message, Payload, SourceSet, Token, Verdict};
use crate::wire::built_event::{self, EventHead, level_byte};
use crate::wire::little_endian::{bounded, length, put};
use crate::wire::refusal::Refusal;

/// Writes the message behind what `out` holds, but for its payloads: those of the event that is given back
/// have to follow, by rising source.
///
/// # Errors
/// When it could not be read again: too large, of no event, accepted for no stream, or a fragment; nothing is
/// written then. More ends than fit can be told in several messages: [`ends_that_fit`].
pub fn emit_head<'a, P: Payload>(
    message: &'a Message<P>,
    out: &mut Vec<u8>,
) -> Result<Option<&'a Built<P>>, Refusal> {
    let kind = Kind::of(message).ok_or(Refusal::Kind)?;
    let start = out.len();
    let settled = emit_body(message, out, start).and_then(|(built, payload_bytes)| {
        let body = (out.len() - start - HEAD_BYTES).saturating_add(length(payload_bytes));
        let body_bytes = bounded(body, kind.body_bytes().1).ok_or(Refusal::Limit)?;
        put(&mut out[start..], 0, Head { kind, body_bytes }.emit());
        Ok(built)
    });
    if settled.is_err() {
        out.truncate(start);
    }
    settled
}

/// How many of `ends` one message can tell, from the first on; at least one, if there is one.
#[must_use]
pub fn ends_that_fit(ends: &[End]) -> usize {
    let mut bytes = 0;
    let fits = |end: &&End| {
        let sources = if let Ended::Incomplete(missing) = &end.how { missing.len() } else { 0 };
        bytes += END_HEAD_BYTES + 2 * length(sources);
        bytes <= length(ENDS_BYTES_MAX)
    };
    ends.iter().take(ENDS_MAX).take_while(fits).count()
}

/// Writes room for the head, and the body; gives the event whose payloads follow, and their bytes.
fn emit_body<'a, P: Payload>(
    message: &'a Message<P>,
    out: &mut Vec<u8>,
    start: usize,
) -> Result<(Option<&'a Built<P>>, u32), Refusal> {
    out.resize(start + HEAD_BYTES, 0);
    match message {
        Message::Fragment { .. } => return Err(Refusal::Kind),
        Message::Welcome { level, next } => fields(out, [next.0, u64::from(level_byte(*level))]),
        Message::Last { next } => fields(out, [next.0]),
        Message::Kept { event } => fields(out, [event.0]),
        Message::Confirm { level, event, attempt, is_taken } => {
            fields(out, [event.0]);
            out.extend_from_slice(&[level_byte(*level), *attempt, u8::from(*is_taken), 0, 0, 0, 0, 0]);
        }
        Message::Throttle { is_throttling } => fields(out, [u64::from(*is_throttling)]),
        Message::Assigned { level, assigned } => emit_assigned(*level, assigned, out)?,
        Message::Token(token) => emit_token(token, out),
        Message::Ask { ask, event, bytes } => fields(out, [*ask, event.0, *bytes]),
        Message::Granted { ask, lease, lifetime } => fields(out, [*ask, *lease, lifetime.0]),
        Message::Stored { ask, event } => fields(out, [*ask, event.0]),
        Message::Answer { level, event, attempt, busy, verdicts } => {
            let count = count_of(verdicts)?.to_le_bytes();
            fields(out, [event.0, busy.0]);
            out.extend_from_slice(&[level_byte(*level), *attempt, count[0], count[1], 0, 0, 0, 0]);
            emit_verdicts(verdicts, out)?;
        }
        Message::Ends(ends) => emit_ends(ends, out)?,
        Message::Event { level, attempt, built } => {
            let payload_bytes = emit_built(built, *level, *attempt, out)?;
            return Ok((Some(built), payload_bytes));
        }
        Message::Result { ask, lease, verdicts, built } => {
            let count = count_of(verdicts)?;
            fields(out, [*ask, *lease, u64::from(count)]);
            emit_verdicts(verdicts, out)?;
            let payload_bytes = emit_built(built, Level::First, 0, out)?;
            return Ok((Some(built), payload_bytes));
        }
    }
    Ok((None, 0))
}

fn emit_assigned(level: Level, assigned: &Assigned, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if assigned.events == 0 {
        return Err(Refusal::Packing);
    }
    fields(out, [assigned.event.0, assigned.triggered.0]);
    out.extend_from_slice(&assigned.run.0.to_le_bytes());
    out.extend_from_slice(&assigned.events.to_le_bytes());
    out.extend_from_slice(&assigned.destination.0.to_le_bytes());
    fields(out, [u64::from(level_byte(level))]);
    Ok(())
}

fn emit_token(token: &Token, out: &mut Vec<u8>) {
    let Token { from, incarnation, number, void_below } = token;
    fields(out, [incarnation.0, *number, *void_below, u64::from(from.0)]);
}

/// Head and table of an event; gives the bytes of its payloads.
fn emit_built<P: Payload>(
    built: &Built<P>,
    level: Level,
    attempt: u8,
    out: &mut Vec<u8>,
) -> Result<u32, Refusal> {
    let cause = match built {
        Built::Complete(_) => None,
        Built::Incomplete { cause, .. } => Some(*cause),
    };
    let event = built.event();
    let head =
        EventHead { event: event.number.0, run: event.run.0, events: event.events, level, attempt, cause };
    let start = out.len();
    let parts = event.places().map(|(source, part)| (source.0, part.map(Payload::len_bytes)));
    let whole = built_event::emit_table(&head, parts, out)?;
    // The table is a part of the whole.
    Ok(whole - bounded(out.len() - start, whole).unwrap_or(whole))
}

fn count_of(verdicts: &[Verdict]) -> Result<u16, Refusal> {
    u16::try_from(verdicts.len()).map_err(|_| Refusal::Limit)
}

fn emit_verdicts(verdicts: &[Verdict], out: &mut Vec<u8>) -> Result<(), Refusal> {
    for verdict in verdicts {
        let (code, failure) = match verdict {
            Verdict::Reject => (0, 0),
            Verdict::Accept { streams: 0 } => return Err(Refusal::Value),
            Verdict::Accept { .. } => (1, 0),
            Verdict::Unjudged { failure, .. } => (2, *failure as u8),
        };
        out.extend_from_slice(&verdict.streams().to_le_bytes());
        out.extend_from_slice(&[code, failure, 0, 0]);
    }
    Ok(())
}

fn emit_ends(ends: &[End], out: &mut Vec<u8>) -> Result<(), Refusal> {
    if ends.len() > ENDS_MAX {
        return Err(Refusal::Limit);
    }
    let none = SourceSet::new();
    for end in ends {
        let (how, missing) = match &end.how {
            Ended::Stored => (0, &none),
            Ended::Incomplete(missing) if missing.is_empty() => return Err(Refusal::Value),
            Ended::Incomplete(missing) => (1, missing),
            Ended::Rejected => (2, &none),
            Ended::Accepted => (3, &none),
            Ended::NoRoom => (4, &none),
        };
        if end.events == 0 {
            return Err(Refusal::Packing);
        }
        let sources = u16::try_from(missing.len()).map_err(|_| Refusal::Limit)?;
        fields(out, [end.first.0]);
        out.extend_from_slice(&end.events.to_le_bytes());
        out.extend_from_slice(&[how, 0]);
        out.extend_from_slice(&sources.to_le_bytes());
        missing.iter().for_each(|source| out.extend_from_slice(&source.0.to_le_bytes()));
    }
    Ok(())
}

fn fields<const N: usize>(out: &mut Vec<u8>, fields: [u64; N]) {
    fields.iter().for_each(|field| out.extend_from_slice(&field.to_le_bytes()));
}
