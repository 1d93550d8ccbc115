//! What tests of algorithms share: events made of nothing, and a look at processes.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses some of it")]

use std::time::{Duration, Instant};

use incast_algorithm::{EventView, Runner};
use incast_core::readout::algorithm::{AlgorithmKind, AlgorithmPlan, Limits, OnFailure, ProgramPlan};
use incast_core::readout::{Cause, EventNumber, Level, RunNumber, Verdict};
use incast_core::time::Span;
use incast_core::wire::built_event::EventPart;

/// Streams of events at which an algorithm fails.
pub(crate) const UNJUDGED_STREAMS: u32 = 4;

/// A plan for a program that is called with these words.
pub(crate) fn program(words: &[&str]) -> AlgorithmPlan {
    let [program, arguments @ ..] = words else { panic!("a program has a name") };
    let plan = ProgramPlan {
        program: (*program).to_owned(),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        environment: Vec::new(),
    };
    with_failures_flagged(AlgorithmKind::Program(plan))
}

/// A plan whose time-outs no healthy algorithm meets, however busy the machine is.
pub(crate) fn with_failures_flagged(kind: AlgorithmKind) -> AlgorithmPlan {
    let limits =
        Limits { time_out: Span::from_s(60), start_time_out: Span::from_s(60), memory_bytes_max: 512 << 20 };
    AlgorithmPlan { kind, limits, on_failure: OnFailure::Accept { streams: UNJUDGED_STREAMS } }
}

/// The path of a file of this crate's tests or of the examples.
pub(crate) fn file(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// What becomes of event `number` with one source that has these data.
pub(crate) fn judge(runner: &mut Runner, number: u64, data: &[u8]) -> Verdict {
    let parts = [EventPart { source: 1, data: Some(data) }];
    let verdicts = judge_packet(runner, number, 1, &parts);
    verdicts[0]
}

/// What becomes of the events of a packet.
pub(crate) fn judge_packet(
    runner: &mut Runner,
    number: u64,
    events: u16,
    parts: &[EventPart<'_>],
) -> Vec<Verdict> {
    let view = EventView {
        run: RunNumber(7),
        event: EventNumber(number),
        events,
        level: Level::First,
        attempt: 1,
        cause: parts.iter().any(|part| part.data.is_none()).then_some(Cause::TimedOut),
        parts,
    };
    // What is in it before does not matter.
    let mut verdicts = vec![Verdict::Reject; 3];
    let _ = runner.judge(&view, &mut verdicts);
    assert_eq!(verdicts.len(), usize::from(events), "one verdict for each event");
    verdicts
}

/// Waits until something is so, which happens without us.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
