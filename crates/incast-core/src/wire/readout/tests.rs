//! Every message against bytes that were written out by hand, and every rule against bytes that break it.

use super::*;
use crate::readout::{
    Assigned, BuilderId, Built, Cause, Destination, End, Ended, Event, EventNumber, Failure, Incarnation,
    Level, RunNumber, SourceId, SourceSet, Token, Verdict,
};
use crate::time::{Span, Time};

const A: u64 = 0x0102_0304_0506_0708;
const B: u64 = 0x1112_1314_1516_1718;
const C: u64 = 0x2122_2324_2526_2728;
const A_BYTES: [u8; 8] = [8, 7, 6, 5, 4, 3, 2, 1];
const B_BYTES: [u8; 8] = [0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11];
const C_BYTES: [u8; 8] = [0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21];
const EVENT: EventNumber = EventNumber(A);
const VERDICTS: [Verdict; 3] = [
    Verdict::Reject,
    Verdict::Accept { streams: 0x3132_3334 },
    Verdict::Unjudged { streams: 0, failure: Failure::Timeout },
];
const VERDICTS_BYTES: [u8; 24] =
    [0, 0, 0, 0, 0, 0, 0, 0, 0x34, 0x33, 0x32, 0x31, 1, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0];

fn event(parts: &[(u16, Option<&[u8]>)]) -> Event<Vec<u8>> {
    let parts = parts.iter().map(|(source, data)| (SourceId(*source), data.map(<[u8]>::to_vec))).collect();
    Event::received(RunNumber(0x4142_4344), EVENT, 2, Time::ZERO, Time::ZERO, parts).unwrap()
}

fn complete() -> Built<Vec<u8>> {
    Built::Complete(event(&[(3, Some(&[1, 2]))]))
}

/// The body of [`complete`], for a node or a sink.
fn complete_bytes(level: u8, attempt: u8) -> Vec<u8> {
    let head = [0x44, 0x43, 0x42, 0x41, 2, 0, level, attempt, 0, 0, 1, 0, 0, 0, 0, 0];
    [&A_BYTES[..], &head, &[3, 0, 0, 0, 2, 0, 0, 0], &[1, 2]].concat()
}

/// The messages of a few numbers, with their bodies.
fn short() -> Vec<(Message<Vec<u8>>, Vec<u8>)> {
    let (level, event) = (Level::Second, EVENT);
    let assigned = Assigned {
        run: RunNumber(0x4142_4344),
        event,
        events: 0x0201,
        destination: BuilderId(0x0403),
        triggered: Time(B),
    };
    let token = Token { from: Destination(0x0201), incarnation: Incarnation(A), number: B, void_below: C };
    let where_to = [0x44, 0x43, 0x42, 0x41, 1, 2, 3, 4, 1, 0, 0, 0, 0, 0, 0, 0];
    vec![
        (Message::Welcome { level, next: event }, [&A_BYTES[..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat()),
        (Message::Assigned { level, assigned }, [&A_BYTES[..], &B_BYTES, &where_to].concat()),
        (Message::Last { next: event }, A_BYTES.to_vec()),
        (Message::Throttle { is_throttling: true }, vec![1, 0, 0, 0, 0, 0, 0, 0]),
        (Message::Throttle { is_throttling: false }, vec![0; 8]),
        (Message::Token(token), [&A_BYTES[..], &B_BYTES, &C_BYTES, &[1, 2, 0, 0, 0, 0, 0, 0]].concat()),
        (
            Message::Confirm { level, event, attempt: 9, is_taken: true },
            [&A_BYTES[..], &[1, 9, 1, 0, 0, 0, 0, 0]].concat(),
        ),
        (Message::Kept { event }, A_BYTES.to_vec()),
        (Message::Ask { ask: B, event, bytes: C }, [B_BYTES, A_BYTES, C_BYTES].concat()),
        (Message::Granted { ask: A, lease: B, lifetime: Span(C) }, [A_BYTES, B_BYTES, C_BYTES].concat()),
        (Message::Stored { ask: B, event }, [B_BYTES, A_BYTES].concat()),
    ]
}

/// The others.
fn long() -> Vec<(Message<Vec<u8>>, Vec<u8>)> {
    let verdicts = VERDICTS.to_vec();
    let answer = Message::Answer {
        level: Level::Second,
        event: EVENT,
        attempt: 9,
        busy: Span(B),
        verdicts: verdicts.clone(),
    };
    let end = |how| End { first: EVENT, events: 0x0403_0201, how };
    let end_bytes = |tail: &[u8]| [&A_BYTES[..], &[1, 2, 3, 4], tail].concat();
    let missing: SourceSet = [SourceId(5), SourceId(0x0102)].into_iter().collect();
    let ends = [Ended::Stored, Ended::Incomplete(missing), Ended::Rejected, Ended::Accepted, Ended::NoRoom];
    let ends_bytes = [
        end_bytes(&[0, 0, 0, 0]),
        end_bytes(&[1, 0, 2, 0, 5, 0, 2, 1]),
        end_bytes(&[2, 0, 0, 0]),
        end_bytes(&[3, 0, 0, 0]),
        end_bytes(&[4, 0, 0, 0]),
    ];
    let incomplete = Built::Incomplete {
        event: event(&[(3, None), (4, Some(&[7]))]),
        missing: [SourceId(3)].into_iter().collect(),
        cause: Cause::Ended,
    };
    let head = [0x44, 0x43, 0x42, 0x41, 2, 0, 0, 1, 3, 0, 2, 0, 0, 0, 0, 0];
    let incomplete_bytes =
        [&A_BYTES[..], &head, &[3, 0, 1, 0, 0, 0, 0, 0], &[4, 0, 0, 0, 1, 0, 0, 0], &[7]].concat();
    vec![
        (answer, [&A_BYTES[..], &B_BYTES, &[1, 9, 3, 0, 0, 0, 0, 0], &VERDICTS_BYTES].concat()),
        (Message::Ends(ends.map(end).to_vec()), ends_bytes.concat()),
        (Message::Ends(Vec::new()), Vec::new()),
        (Message::Event { level: Level::Second, attempt: 4, built: complete() }, complete_bytes(1, 4)),
        (Message::Event { level: Level::First, attempt: 1, built: incomplete }, incomplete_bytes),
        (
            Message::Result { ask: B, lease: C, verdicts, built: complete() },
            [&B_BYTES[..], &C_BYTES, &[3, 0, 0, 0, 0, 0, 0, 0], &VERDICTS_BYTES, &complete_bytes(0, 0)]
                .concat(),
        ),
    ]
}

fn golden() -> Vec<(Message<Vec<u8>>, Vec<u8>)> {
    short().into_iter().chain(long()).collect()
}

/// A message with its payloads.
fn emit(message: &Message<Vec<u8>>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let built = emit_head(message, out)?;
    let parts = built.into_iter().flat_map(|built| built.event().parts());
    parts.for_each(|(_, part)| out.extend_from_slice(part));
    Ok(())
}

#[test]
fn every_message_is_where_the_table_says() {
    for (message, body) in golden() {
        let mut out = vec![7];
        emit(&message, &mut out).unwrap();
        let (length, kind) = (u8::try_from(body.len()).unwrap(), Kind::of(&message).unwrap());
        assert_eq!(out[1..9], [length, 0, 0, 0, kind as u8, 2, 0, 0]);
        assert_eq!(out[9..], body, "{message:?}");
        out.push(5);
        assert_eq!(parse_prefix(&out[1..]), Ok((message, &[5][..])));
    }
    let kinds: std::collections::BTreeSet<_> =
        golden().iter().filter_map(|(message, _)| Kind::of(message)).collect();
    assert!(Kind::ALL.into_iter().eq(kinds), "all of them, in the order of their numbers");
}

#[test]
fn every_cut_waits_for_more_and_every_other_length_is_refused() {
    for (message, body) in golden() {
        let mut out = Vec::new();
        emit(&message, &mut out).unwrap();
        for length in 0..out.len() {
            assert_eq!(parse_prefix(&out[..length]), Err(Refusal::Truncated), "{message:?}");
        }
        let kind = Kind::of(&message).unwrap();
        let longer = [&body[..], &[0]].concat();
        assert!(parse_body(kind, &longer, |place| longer[place].to_vec()).is_err(), "{message:?}");
        if let Some((_, shorter)) = body.split_last()
            && kind != Kind::Ends
        {
            assert!(parse_body(kind, shorter, |place| shorter[place].to_vec()).is_err(), "{message:?}");
        }
    }
}

#[test]
fn a_head_is_never_trusted_with_more_than_its_kind_can_have() {
    let head = |kind: u8, version: u8, zero: u8, bytes: u32| {
        let mut head = [0; HEAD_BYTES];
        put(&mut head, 0, bytes.to_le_bytes());
        head[4..7].copy_from_slice(&[kind, version, zero]);
        Head::parse(&head).err()
    };
    for kind in Kind::ALL {
        let (least, most) = kind.body_bytes();
        assert_eq!((head(kind as u8, 2, 0, least), head(kind as u8, 2, 0, most)), (None, None));
        if let Some(less) = least.checked_sub(1) {
            assert_eq!(head(kind as u8, 2, 0, less), Some(Refusal::Length));
        }
        assert!(head(kind as u8, 2, 0, most + 1).is_some() && head(kind as u8, 2, 0, u32::MAX).is_some());
    }
    assert_eq!(head(0, 2, 0, 24), Some(Refusal::Kind));
    assert_eq!(head(15, 2, 0, 24), Some(Refusal::Kind));
    assert_eq!(head(5, 1, 0, 32), Some(Refusal::Version));
    assert_eq!(head(5, 2, 1, 32), Some(Refusal::Value));
}

/// What of a body is neither a number nor data: any other value of any of these bytes is refused.
#[test]
fn no_byte_without_meaning_can_be_anything_but_zero() {
    for (message, body) in golden() {
        let kind = Kind::of(&message).unwrap();
        for at in 0..body.len() {
            for value in [1, 0x80, 0xff] {
                let mut other = body.clone();
                other[at] ^= value;
                let Ok(read) = parse_body(kind, &other, |place| other[place].to_vec()) else { continue };
                // It was read: then it is another message, which is written like that.
                let mut out = Vec::new();
                emit(&read, &mut out).unwrap();
                assert_eq!(out[HEAD_BYTES..], other, "{message:?} at {at}");
                assert_ne!(read, message);
            }
        }
    }
}

#[test]
fn what_has_no_meaning_is_not_written() {
    let end = |how| Message::Ends(vec![End { first: EVENT, events: 1, how }]);
    let none = End { first: EVENT, events: 0, how: Ended::Stored };
    let assigned = Assigned {
        run: RunNumber(1),
        event: EVENT,
        events: 0,
        destination: BuilderId(1),
        triggered: Time::ZERO,
    };
    let answer = |verdicts| Message::Answer {
        level: Level::First,
        event: EVENT,
        attempt: 1,
        busy: Span::ZERO,
        verdicts,
    };
    // Whole, though a part is missing.
    let built = Built::Complete(event(&[(1, None)]));
    let cases: [(Message<Vec<u8>>, Refusal); 7] = [
        (answer(vec![Verdict::Accept { streams: 0 }]), Refusal::Value),
        (answer(vec![Verdict::Reject; 0x1_0000]), Refusal::Limit),
        (end(Ended::Incomplete(SourceSet::new())), Refusal::Value),
        (Message::Ends(vec![none]), Refusal::Packing),
        (Message::Ends(vec![End { first: EVENT, events: 1, how: Ended::Stored }; 1025]), Refusal::Limit),
        (Message::Assigned { level: Level::First, assigned }, Refusal::Packing),
        (Message::Event { level: Level::First, attempt: 1, built }, Refusal::Value),
    ];
    for (message, refusal) in cases {
        let mut out = vec![7];
        assert_eq!(emit(&message, &mut out), Err(refusal), "{message:?}");
        assert_eq!(out, [7]);
    }
}

#[test]
fn what_has_no_meaning_is_not_read() {
    let read = |kind, body: &[u8]| parse_body(kind, body, |place| body[place].to_vec()).err();
    let verdict = |tail: [u8; 8]| [&A_BYTES[..], &B_BYTES, &[0, 1, 1, 0, 0, 0, 0, 0], &tail].concat();
    for tail in [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 0],
        [1, 0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 2, 0, 0, 0],
        [0, 0, 0, 0, 2, 5, 0, 0],
        [0, 0, 0, 0, 3, 0, 0, 0],
    ] {
        assert_eq!(read(Kind::Answer, &verdict(tail)), Some(Refusal::Value), "{tail:?}");
    }
    let end = |events: u8, tail: &[u8]| [&A_BYTES[..], &[events, 0, 0, 0], tail].concat();
    assert_eq!(read(Kind::Ends, &end(1, &[0, 0, 1, 0, 0, 0])), Some(Refusal::Value));
    assert_eq!(read(Kind::Ends, &end(1, &[1, 0, 0, 0])), Some(Refusal::Value));
    assert_eq!(read(Kind::Ends, &end(1, &[1, 0, 1, 0])), Some(Refusal::Length));
    assert_eq!(read(Kind::Ends, &end(1, &[1, 0, 2, 0, 5, 0, 5, 0])), Some(Refusal::Source));
    assert_eq!(read(Kind::Ends, &end(0, &[0, 0, 0, 0])), Some(Refusal::Packing));
    assert_eq!(read(Kind::Ends, &end(1, &[0, 0, 0, 0]).repeat(1025)), Some(Refusal::Limit));
    assert_eq!(read(Kind::Throttle, &[2, 0, 0, 0, 0, 0, 0, 0]), Some(Refusal::Value));
    // An event for a sink has no level and no attempt.
    for (level, attempt) in [(1, 0), (0, 1)] {
        let body = [&[0; 24][..], &complete_bytes(level, attempt)].concat();
        assert_eq!(read(Kind::Result, &body), Some(Refusal::Value));
    }
}

#[test]
fn ends_are_told_in_as_few_messages_as_hold_them() {
    let end = |sources: u16| {
        let missing: SourceSet = (0..sources).map(SourceId).collect();
        let how = if sources == 0 { Ended::Stored } else { Ended::Incomplete(missing) };
        End { first: EVENT, events: 1, how }
    };
    assert_eq!(ends_that_fit(&[]), 0);
    assert_eq!(ends_that_fit(&vec![end(0); 1025]), ENDS_MAX);
    assert_eq!(ends_that_fit(&[end(65_535)]), 1);
    let large = vec![end(65_535); 40];
    let fit = ends_that_fit(&large);
    assert!(emit(&Message::Ends(large[..fit].to_vec()), &mut Vec::new()).is_ok());
    assert_eq!(emit(&Message::Ends(large[..=fit].to_vec()), &mut Vec::new()), Err(Refusal::Limit));
}

#[test]
fn a_fragment_is_no_message_of_this_kind() {
    let fragment = crate::readout::Fragment {
        run: RunNumber(1),
        event: EVENT,
        events: 1,
        source: SourceId(1),
        payload: vec![1],
    };
    let message = Message::Fragment { level: Level::First, fragment };
    assert_eq!((Kind::of(&message), emit(&message, &mut Vec::new())), (None, Err(Refusal::Kind)));
}

#[test]
fn the_length_of_every_kind_is_known_without_writing_it() {
    let mut kinds = std::collections::BTreeSet::new();
    for (message, _) in short().into_iter().chain(long()) {
        let mut head = Vec::new();
        let built = emit_head(&message, &mut head).unwrap();
        let payload_bytes = built.map_or(0, |built| built.event().bytes);
        assert_eq!(message_bytes(&message), head.len() as u64 + payload_bytes, "{message:?}");
        kinds.extend(Kind::of(&message));
    }
    assert_eq!(kinds.len(), Kind::ALL.len(), "{kinds:?}");
}

#[test]
fn ends_for_several_messages_count_with_every_head() {
    let end = |how: &Ended| End { first: EVENT, events: 1, how: how.clone() };
    let all: SourceSet = (0..60_000).map(SourceId).collect();
    for (how, count) in [(Ended::Rejected, 2 * ENDS_MAX + 1), (Ended::Incomplete(all), 80)] {
        let ends = vec![end(&how); count];
        let mut written = Vec::new();
        let mut rest = &ends[..];
        while !rest.is_empty() {
            let (told, later) = rest.split_at(ends_that_fit(rest));
            emit_head::<Vec<u8>>(&Message::Ends(told.to_vec()), &mut written).unwrap();
            rest = later;
        }
        assert_eq!(message_bytes::<Vec<u8>>(&Message::Ends(ends)), written.len() as u64);
    }
}
