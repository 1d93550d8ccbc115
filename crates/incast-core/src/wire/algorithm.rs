//! What a node and its algorithm say to each other: questions and answers, over a program's standard
//! input and output, or in the memory of a WebAssembly module.
//!
//! ```text
//!  question  0       4         5       6    8
//!            | bytes | version | level | 0  | an event, as in `built_event`: `bytes` bytes
//!            |  u32  | u8 = 1  | 1, 2  |    | (its `request` is the number of the question)
//!
//!  answer    0       4         5        8          16        20        21
//!            | bytes | version |   0    | question | streams | verdict |  0  | of the next event ...
//!            |  u32  | u8 = 1  |        |   u64    |   u32   |   u8    |     |
//! ```
//! All little endian; what is 0 has to be. The question has `events` events, and the answer that many
//! verdicts, 8 bytes each; `bytes` counts what is behind the first 8. Verdict: 0 reject, without
//! streams; 1 accept, for at least one: bit `i` is stream `i`. Questions are numbered from 1 on.
//! Before the first, a program says that it is ready: an answer to question 0, without a verdict.

use super::little_endian::{put, u32_at};
use super::refusal::Refusal;
use crate::readout::Verdict;

/// Bytes in front of the event of a question.
pub const QUESTION_HEAD_BYTES: usize = 16;
/// Bytes in front of the verdicts of an answer.
pub const ANSWER_HEAD_BYTES: usize = 16;
/// Bytes of the verdict of one event.
pub const VERDICT_BYTES: usize = 8;
/// Version of both layouts.
pub const VERSION: u8 = 1;
/// The number of the question to which a program answers when it is ready.
pub const READY: u64 = 0;

const REJECT: u8 = 0;
const ACCEPT: u8 = 1;

/// What stands in front of an event of `event_bytes` bytes, which are at most
/// [`EVENT_BYTES_MAX`](super::built_event::EVENT_BYTES_MAX).
#[must_use]
pub fn question_head(event_bytes: u32, question: u64) -> [u8; QUESTION_HEAD_BYTES] {
    let mut head = [0; QUESTION_HEAD_BYTES];
    // What is behind the first 8 bytes.
    put(&mut head, 0, event_bytes.saturating_add(8).to_le_bytes());
    head[4] = VERSION;
    put(&mut head, 8, question.to_le_bytes());
    head
}

/// Bytes of the answer to a question with `events` events.
#[must_use]
pub fn answer_bytes(events: u16) -> usize {
    ANSWER_HEAD_BYTES + usize::from(events) * VERDICT_BYTES
}

/// Reads what has come so far of the answer to `question`, and adds its verdicts to `verdicts` when it
/// is whole. Says whether it is: if not, more has to come.
///
/// # Errors
/// As soon as it cannot become the answer any more; nothing is added then.
pub fn parse_answer(
    bytes: &[u8],
    question: u64,
    events: u16,
    verdicts: &mut Vec<Verdict>,
) -> Result<bool, Refusal> {
    let expected = answer_head(question, events);
    let wrong = bytes.iter().zip(&expected).position(|(byte, expected)| byte != expected);
    match wrong {
        None => {}
        Some(0..4) => return Err(Refusal::Length),
        Some(4) => return Err(Refusal::Version),
        Some(5..8) => return Err(Refusal::Value),
        Some(_) => return Err(Refusal::EventNumber),
    }
    if bytes.len() > answer_bytes(events) {
        return Err(Refusal::Excess);
    }
    let start = verdicts.len();
    let entries = bytes.get(ANSWER_HEAD_BYTES..).unwrap_or_default();
    for entry in entries.chunks_exact(VERDICT_BYTES) {
        let Some(verdict) = parse_verdict(entry) else {
            verdicts.truncate(start);
            return Err(Refusal::Value);
        };
        verdicts.push(verdict);
    }
    let is_whole = bytes.len() == answer_bytes(events);
    if !is_whole {
        verdicts.truncate(start);
    }
    Ok(is_whole)
}

fn parse_verdict(entry: &[u8]) -> Option<Verdict> {
    match (entry[4], u32_at(entry, 0), &entry[5..]) {
        (REJECT, 0, [0, 0, 0]) => Some(Verdict::Reject),
        (ACCEPT, streams @ 1.., [0, 0, 0]) => Some(Verdict::Accept { streams }),
        _ => None,
    }
}

/// Writes the answer to `question` behind `out`, as a program does.
///
/// # Errors
/// When there are more verdicts than events can be in a question, or one that no algorithm can say;
/// nothing is written then.
pub fn emit_answer(question: u64, verdicts: &[Verdict], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let events = u16::try_from(verdicts.len()).map_err(|_| Refusal::Limit)?;
    let start = out.len();
    out.extend_from_slice(&answer_head(question, events));
    for verdict in verdicts {
        let (streams, code) = match *verdict {
            Verdict::Reject => (0, REJECT),
            Verdict::Accept { streams: streams @ 1.. } => (streams, ACCEPT),
            Verdict::Accept { streams: 0 } | Verdict::Unjudged { .. } => {
                out.truncate(start);
                return Err(Refusal::Value);
            }
        };
        out.extend_from_slice(&streams.to_le_bytes());
        out.extend_from_slice(&[code, 0, 0, 0]);
    }
    Ok(())
}

fn answer_head(question: u64, events: u16) -> [u8; ANSWER_HEAD_BYTES] {
    let mut head = [0; ANSWER_HEAD_BYTES];
    // Of 65535 verdicts, some 512 KiB.
    let bytes = 8 + 8 * u32::from(events);
    put(&mut head, 0, bytes.to_le_bytes());
    head[4] = VERSION;
    put(&mut head, 8, question.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERDICTS: [Verdict; 2] = [Verdict::Accept { streams: 0x0102_0304 }, Verdict::Reject];
    /// Written out by hand from the table above.
    const GOLDEN: [u8; 32] = [
        24, 0, 0, 0, 1, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, // bytes, version, question
        4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // accept, reject
    ];
    const QUESTION: u64 = 0x0102_0304_0506_0708;

    fn parse(bytes: &[u8]) -> Result<Option<Vec<Verdict>>, Refusal> {
        let mut verdicts = vec![Verdict::Reject];
        let is_whole = parse_answer(bytes, QUESTION, 2, &mut verdicts);
        assert!(is_whole == Ok(true) || verdicts.len() == 1, "nothing is added before it is whole");
        is_whole.map(|is_whole| is_whole.then(|| verdicts.split_off(1)))
    }

    #[test]
    fn an_answer_is_where_the_table_says() {
        let mut out = vec![9];
        emit_answer(QUESTION, &VERDICTS, &mut out).unwrap();
        assert_eq!(out[1..], GOLDEN);
        assert_eq!(parse(&GOLDEN), Ok(Some(VERDICTS.to_vec())));
        let head = [0x15, 12, 11, 10, 1, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1];
        assert_eq!(question_head(0x0a0b_0c0d, QUESTION), head);
    }

    #[test]
    fn every_cut_waits_for_more_and_every_change_is_seen() {
        for length in 0..GOLDEN.len() {
            assert_eq!(parse(&GOLDEN[..length]), Ok(None), "{length}");
        }
        assert_eq!(parse(&[&GOLDEN[..], &[0]].concat()), Err(Refusal::Excess));
        for at in 0..GOLDEN.len() {
            let mut changed = GOLDEN;
            changed[at] ^= 0x80;
            let expected = match at {
                0..4 => Err(Refusal::Length),
                4 => Err(Refusal::Version),
                8..16 => Err(Refusal::EventNumber),
                // Other streams of the event that it accepts.
                16..20 => Ok(()),
                _ => Err(Refusal::Value),
            };
            assert_eq!(parse(&changed).map(|_| ()), expected, "{at}");
            assert_eq!(parse(&changed[..=at]).is_err(), at < 16 || at == 23 || at == 31, "{at}");
        }
    }

    #[test]
    fn no_verdict_contradicts_itself() {
        let with = |streams: u8, code: u8| {
            let mut changed = GOLDEN;
            (changed[24], changed[28]) = (streams, code);
            parse(&changed).is_ok()
        };
        assert!(with(0, 0) && with(1, 1));
        assert!(!with(1, 0) && !with(0, 1) && !with(1, 2));
        let mut out = Vec::new();
        for verdict in [
            Verdict::Accept { streams: 0 },
            Verdict::Unjudged { streams: 1, failure: crate::readout::Failure::Crash },
        ] {
            assert_eq!(emit_answer(1, &[verdict], &mut out), Err(Refusal::Value));
        }
        assert!(out.is_empty());
    }

    #[test]
    fn ready_is_an_answer_without_a_verdict() {
        let mut ready = Vec::new();
        emit_answer(READY, &[], &mut ready).unwrap();
        assert_eq!(ready, [8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(parse_answer(&ready, READY, 0, &mut Vec::new()), Ok(true));
    }
}
