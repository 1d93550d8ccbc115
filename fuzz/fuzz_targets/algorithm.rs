//! Answers of algorithms, as they come out of a program piece by piece.
//!
//! Input: how many events the question has, its number, and the bytes of the answer.

#![no_main]

use incast_core::readout::Verdict;
use incast_core::wire::algorithm::{answer_bytes, emit_answer, parse_answer};
use incast_core::wire::refusal::Refusal;
use libfuzzer_sys::fuzz_target;

/// A first input, of which the others are made: it must be a good one.
const GOOD: &[u8] = include_bytes!("../seeds/algorithm/two_events");

fuzz_target!(init: assert_eq!(read(GOOD), Some(Ok(true))), |data: &[u8]| {
    read(data);
});

fn read(data: &[u8]) -> Option<Result<bool, Refusal>> {
    let [events, question, bytes @ ..] = data else { return None };
    let (events, question) = (u16::from(*events), u64::from(*question));
    let (mut verdicts, mut is_refused) = (Vec::new(), false);
    // Whatever has come of it: a refusal is never taken back, and nothing is taken before it is whole.
    for cut in 0..bytes.len() {
        let parsed = parse_answer(&bytes[..cut], question, events, &mut verdicts);
        assert!(!is_refused || parsed.is_err());
        assert_eq!(parsed == Ok(true), cut == answer_bytes(events) && parsed.is_ok());
        is_refused |= parsed.is_err();
        if parsed == Ok(true) {
            verdicts.clear();
        }
        assert_eq!(verdicts, []);
    }
    let parsed = parse_answer(bytes, question, events, &mut verdicts);
    if parsed == Ok(true) {
        assert_eq!(verdicts.len(), usize::from(events));
        assert!(verdicts.iter().all(|verdict| !matches!(verdict, Verdict::Unjudged { .. })));
        let mut written = Vec::new();
        emit_answer(question, &verdicts, &mut written).expect("it was read");
        assert_eq!(written, bytes);
    }
    Some(parsed)
}
