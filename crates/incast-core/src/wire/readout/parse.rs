//! Reading a message: every length is compared with what is there, before anything is made of it.

use std::ops::Range;

use super::{
    ANSWER_HEAD_BYTES, END_HEAD_BYTES, ENDS_MAX, HEAD_BYTES, Head, Kind, RESULT_HEAD_BYTES, VERDICT_BYTES,
};
use crate::readout::{
    Assigned, BuilderId, Built, Destination, End, Ended, Event, EventNumber, Failure, Incarnation, Message,
    Payload, RunNumber, SourceId, SourceSet, Token, Verdict,
};
use crate::time::{Span, Time};
use crate::wire::built_event::{BuiltEvent, level_of};
use crate::wire::little_endian::{length, u16_at, u32_at, u64_at};
use crate::wire::refusal::Refusal;

/// Reads the message at the beginning of `bytes`, and gives what follows it. Payloads are copied.
///
/// # Errors
/// [`Refusal::Truncated`] when more bytes have to come, or when the message itself is cut: on a stream, ask
/// [`Head::parse`] first. Anything else when it is refused; the stream should then end.
pub fn parse_prefix(bytes: &[u8]) -> Result<(Message<Vec<u8>>, &[u8]), Refusal> {
    let head = Head::parse(bytes)?;
    let (message, rest) = bytes.split_at_checked(head.message_bytes()).ok_or(Refusal::Truncated)?;
    let body = &message[HEAD_BYTES..];
    Ok((parse_body(head.kind, body, |place| body[place].to_vec())?, rest))
}

/// Reads the body of a message; `take` makes a payload of a part of the body, which it may refer to.
///
/// # Errors
/// When it is not a body of that kind.
pub fn parse_body<P: Payload>(
    kind: Kind,
    body: &[u8],
    take: impl FnMut(Range<usize>) -> P,
) -> Result<Message<P>, Refusal> {
    let (least, most) = kind.body_bytes();
    if body.len() < length(least) || body.len() > length(most) {
        return Err(Refusal::Length);
    }
    match kind {
        Kind::Event => parse_event(body, take),
        Kind::Result => parse_result(body, take),
        Kind::Ends => parse_ends(body),
        Kind::Assigned => parse_assigned(body),
        Kind::Answer => parse_answer(body),
        _ => parse_short(kind, body),
    }
}

/// A body of a few numbers: the caller has checked that they are there.
fn parse_short<P>(kind: Kind, body: &[u8]) -> Result<Message<P>, Refusal> {
    let first = u64_at(body, 0);
    let event = EventNumber(first);
    Ok(match kind {
        Kind::Welcome => {
            zero(&body[9..16])?;
            Message::Welcome { level: level_of(body[8])?, next: event }
        }
        Kind::Last => Message::Last { next: event },
        Kind::Kept => Message::Kept { event },
        Kind::Confirm if body[10] <= 1 => {
            zero(&body[11..16])?;
            let (level, attempt, is_taken) = (level_of(body[8])?, body[9], body[10] == 1);
            Message::Confirm { level, event, attempt, is_taken }
        }
        Kind::Throttle if first <= 1 => Message::Throttle { is_throttling: first == 1 },
        Kind::Token => {
            zero(&body[26..32])?;
            Message::Token(Token {
                from: Destination(u16_at(body, 24)),
                incarnation: Incarnation(first),
                number: u64_at(body, 8),
                void_below: u64_at(body, 16),
            })
        }
        Kind::Ask => {
            Message::Ask { ask: first, event: EventNumber(u64_at(body, 8)), bytes: u64_at(body, 16) }
        }
        Kind::Granted => {
            Message::Granted { ask: first, lease: u64_at(body, 8), lifetime: Span(u64_at(body, 16)) }
        }
        Kind::Stored => Message::Stored { ask: first, event: EventNumber(u64_at(body, 8)) },
        _ => return Err(Refusal::Value),
    })
}

fn parse_assigned<P>(body: &[u8]) -> Result<Message<P>, Refusal> {
    zero(&body[25..32])?;
    let assigned = Assigned {
        run: RunNumber(u32_at(body, 16)),
        event: EventNumber(u64_at(body, 0)),
        events: u16_at(body, 20),
        destination: BuilderId(u16_at(body, 22)),
        triggered: Time(u64_at(body, 8)),
    };
    if assigned.events == 0 {
        return Err(Refusal::Packing);
    }
    Ok(Message::Assigned { level: level_of(body[24])?, assigned })
}

fn parse_event<P: Payload>(body: &[u8], take: impl FnMut(Range<usize>) -> P) -> Result<Message<P>, Refusal> {
    let event = BuiltEvent::parse(body)?;
    let head = event.head();
    Ok(Message::Event { level: head.level, attempt: head.attempt, built: built(&event, take)? })
}

fn parse_answer<P>(body: &[u8]) -> Result<Message<P>, Refusal> {
    zero(&body[20..24])?;
    let (verdicts, rest) = parse_verdicts(u16_at(body, 18), &body[length(ANSWER_HEAD_BYTES)..])?;
    if !rest.is_empty() {
        return Err(Refusal::Length);
    }
    Ok(Message::Answer {
        level: level_of(body[16])?,
        event: EventNumber(u64_at(body, 0)),
        attempt: body[17],
        busy: Span(u64_at(body, 8)),
        verdicts,
    })
}

fn parse_result<P: Payload>(
    body: &[u8],
    mut take: impl FnMut(Range<usize>) -> P,
) -> Result<Message<P>, Refusal> {
    zero(&body[18..24])?;
    let (verdicts, rest) = parse_verdicts(u16_at(body, 16), &body[length(RESULT_HEAD_BYTES)..])?;
    let event = BuiltEvent::parse(rest)?;
    if (event.head().level, event.head().attempt) != <_>::default() {
        return Err(Refusal::Value);
    }
    let start = body.len() - rest.len();
    let built = built(&event, |place| take(place.start + start..place.end + start))?;
    Ok(Message::Result { ask: u64_at(body, 0), lease: u64_at(body, 8), verdicts, built })
}

/// The event as the core has it.
fn built<P: Payload>(
    event: &BuiltEvent<'_>,
    mut take: impl FnMut(Range<usize>) -> P,
) -> Result<Built<P>, Refusal> {
    let head = event.head();
    let missing = event.places().filter(|(_, place)| place.is_none());
    let missing: SourceSet = missing.map(|(source, _)| SourceId(source)).collect();
    let parts = event.places().map(|(source, place)| (SourceId(source), place.map(&mut take))).collect();
    let (run, number) = (RunNumber(head.run), EventNumber(head.event));
    let event = Event::received(run, number, head.events, Time::ZERO, Time::ZERO, parts);
    let event = event.ok_or(Refusal::Source)?;
    Ok(match head.cause {
        None => Built::Complete(event),
        Some(cause) => Built::Incomplete { event, missing, cause },
    })
}

/// So many verdicts, and what follows them.
fn parse_verdicts(count: u16, bytes: &[u8]) -> Result<(Vec<Verdict>, &[u8]), Refusal> {
    let end = usize::from(count) * VERDICT_BYTES;
    let (bytes, rest) = bytes.split_at_checked(end).ok_or(Refusal::Truncated)?;
    let verdicts = bytes.chunks_exact(VERDICT_BYTES).map(parse_verdict).collect::<Result<_, _>>()?;
    Ok((verdicts, rest))
}

fn parse_verdict(entry: &[u8]) -> Result<Verdict, Refusal> {
    zero(&entry[6..8])?;
    match (entry[4], entry[5], u32_at(entry, 0)) {
        (0, 0, 0) => Ok(Verdict::Reject),
        (1, 0, streams @ 1..) => Ok(Verdict::Accept { streams }),
        (2, failure, streams) => {
            let failure = Failure::ALL.into_iter().find(|known| *known as u8 == failure);
            Ok(Verdict::Unjudged { streams, failure: failure.ok_or(Refusal::Value)? })
        }
        _ => Err(Refusal::Value),
    }
}

fn parse_ends<P>(mut bytes: &[u8]) -> Result<Message<P>, Refusal> {
    let mut ends = Vec::new();
    while !bytes.is_empty() {
        if ends.len() == ENDS_MAX {
            return Err(Refusal::Limit);
        }
        let (end, rest) = parse_end(bytes)?;
        ends.push(end);
        bytes = rest;
    }
    Ok(Message::Ends(ends))
}

fn parse_end(bytes: &[u8]) -> Result<(End, &[u8]), Refusal> {
    let (head, rest) = bytes.split_at_checked(END_HEAD_BYTES).ok_or(Refusal::Length)?;
    let sources = usize::from(u16_at(head, 14));
    let (sources, rest) = rest.split_at_checked(2 * sources).ok_or(Refusal::Length)?;
    zero(&head[13..14])?;
    let how = match (head[12], sources.is_empty()) {
        (0, true) => Ended::Stored,
        (1, false) => Ended::Incomplete(parse_sources(sources)?),
        (2, true) => Ended::Rejected,
        (3, true) => Ended::Accepted,
        (4, true) => Ended::NoRoom,
        _ => return Err(Refusal::Value),
    };
    let events = u32_at(head, 8);
    if events == 0 {
        return Err(Refusal::Packing);
    }
    Ok((End { first: EventNumber(u64_at(head, 0)), events, how }, rest))
}

fn parse_sources(bytes: &[u8]) -> Result<SourceSet, Refusal> {
    let sources = || bytes.chunks_exact(2).map(|source| u16_at(source, 0));
    if !sources().is_sorted_by(|earlier, later| earlier < later) {
        return Err(Refusal::Source);
    }
    Ok(sources().map(SourceId).collect())
}

fn zero(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(Refusal::Value) }
}
