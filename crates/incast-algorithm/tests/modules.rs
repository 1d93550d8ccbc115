//! WebAssembly modules: those that do wrong cost the event at which they did, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use incast_algorithm::Runner;
use incast_core::readout::algorithm::{AlgorithmKind, AlgorithmPlan, ModulePlan};
use incast_core::readout::{Failure, Verdict};
use incast_core::time::Span;
use incast_core::wire::built_event::EventPart;
use support::{UNJUDGED_STREAMS, file, judge, judge_packet, with_failures_flagged};
use tempfile::TempDir;

/// The event at which they do wrong.
const WRONG: u64 = 3;
/// Accepts for as many streams as it judged events, and does `wrong` at the third one. `alloc` gives `room`.
const MODULE: &str = r#"(module
  (memory (export "memory") 2)
  (global $judged (mut i64) (i64.const 0))
  (func $recurse (call $recurse))
  (func (export "alloc") (param i32) (result i32) ROOM)
  (func (export "judge") (param $at i32) (param $bytes i32) (param $index i32) (result i64)
    (global.set $judged (i64.add (global.get $judged) (i64.const 1)))
    (if (i64.eq (i64.load offset=16 (local.get $at)) (i64.const 3)) (then WRONG))
    (i64.or (i64.const 0x1_0000_0000) (global.get $judged))))"#;

/// A file with a module, which goes with the directory.
fn plan_of(text: impl AsRef<[u8]>, fuel_max: Option<u64>) -> (TempDir, AlgorithmPlan) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("module.wat");
    fs::write(&path, text).unwrap();
    let plan = ModulePlan { module: path.to_string_lossy().into_owned(), fuel_max };
    (directory, with_failures_flagged(AlgorithmKind::Module(plan)))
}

fn module(room: &str, wrong: &str) -> String {
    MODULE.replace("ROOM", room).replace("WRONG", wrong)
}

/// Plays five events of which the third goes wrong. The module begins anew after it.
fn check_plan(plan: &AlgorithmPlan, failure: Failure, words: &str) {
    let mut runner = Runner::open(plan, 0).unwrap();
    let verdicts: Vec<_> = (1..=5).map(|number| judge(&mut runner, number, b"some data")).collect();
    let accept = |streams| Verdict::Accept { streams };
    let unjudged = Verdict::Unjudged { streams: UNJUDGED_STREAMS, failure };
    assert_eq!(verdicts, [accept(1), accept(2), unjudged, accept(1), accept(2)], "{words}");
    let counts = runner.counts();
    assert_eq!((counts.accepted, counts.unjudged, counts.restarts), (4, 1, 1), "{words}");
    assert_eq!(counts.failures.total(), 1, "{words}");
    let last = counts.last_failure.clone().unwrap();
    assert_eq!((last.failure, last.event.map(|event| event.0)), (failure, Some(WRONG)));
    assert!(last.text.contains(words), "{words}: {}", last.text);
}

fn check(wrong: &str, failure: Failure, words: &str) {
    let (_directory, plan) = plan_of(module("(i32.const 8)", wrong), None);
    check_plan(&plan, failure, words);
}

#[test]
fn a_module_that_traps_costs_the_event_that_it_had() {
    check("(unreachable)", Failure::Crash, "unreachable");
    check("(drop (i32.load (i32.const -4)))", Failure::Crash, "out of bounds");
    check("(drop (i32.div_u (i32.const 1) (i32.const 0)))", Failure::Crash, "divide by zero");
    check("(call $recurse)", Failure::Crash, "call stack exhausted");
}

#[test]
fn a_module_that_does_not_return_costs_the_event_that_it_had() {
    let endless = module("(i32.const 8)", "(loop $again (br $again))");
    let (_directory, mut plan) = plan_of(&endless, None);
    plan.limits.time_out = Span::from_ms(200);
    check_plan(&plan, Failure::Timeout, "it did not return in time");
    let (_directory, plan) = plan_of(&endless, Some(1_000_000));
    check_plan(&plan, Failure::Timeout, "it did not return with its fuel");
    let (_directory, plan) = plan_of(&endless, Some(1_000));
    check_plan(&plan, Failure::Timeout, "it did not return with its fuel");
}

#[test]
fn a_module_that_wants_too_much_memory_costs_the_event_that_it_had() {
    check("(loop $again (drop (memory.grow (i32.const 16))) (br $again))", Failure::Memory, "grow");
}

#[test]
fn a_module_that_returns_no_verdict_costs_the_event_that_it_had() {
    // Accepted for no stream; rejected for one; neither.
    check("(return (i64.const 0x1_0000_0000))", Failure::Nonsense, "judge returned 0x100000000");
    check("(return (i64.const 1))", Failure::Nonsense, "judge returned 0x1,");
    check("(return (i64.const 0x2_0000_0001))", Failure::Nonsense, "judge returned 0x200000001");
    check("(return (i64.const -1))", Failure::Nonsense, "judge returned 0xffffffffffffffff");
}

#[test]
fn room_outside_of_its_memory_is_nonsense() {
    for room in ["(i32.const 0)", "(i32.const 131071)", "(i32.const -1)"] {
        let (_directory, plan) = plan_of(module(room, "(unreachable)"), None);
        let mut runner = Runner::open(&plan, 0).unwrap();
        let unjudged = Verdict::Unjudged { streams: UNJUDGED_STREAMS, failure: Failure::Nonsense };
        assert_eq!(judge(&mut runner, 1, b"data"), unjudged, "{room}");
        assert!(runner.counts().last_failure.as_ref().unwrap().text.starts_with("alloc returned"));
    }
}

#[test]
fn an_event_beyond_its_memory_is_unjudged_and_the_module_stays() {
    let (_directory, mut plan) = plan_of(module("(i32.const 8)", "(nop)"), None);
    plan.limits.memory_bytes_max = 2 << 16;
    let mut runner = Runner::open(&plan, 0).unwrap();
    assert_eq!(judge(&mut runner, 1, b"data"), Verdict::Accept { streams: 1 });
    let unjudged = Verdict::Unjudged { streams: UNJUDGED_STREAMS, failure: Failure::Memory };
    assert_eq!(judge(&mut runner, 2, &vec![0; 2 << 16]), unjudged);
    assert_eq!(judge(&mut runner, 4, b"data"), Verdict::Accept { streams: 2 });
    assert_eq!((runner.counts().failures.memory, runner.counts().restarts), (1, 0));
}

#[test]
fn a_module_that_cannot_be_used_is_an_error_before_any_event() {
    let whole = module("(i32.const 8)", "(nop)");
    let endless_start =
        whole.replace("(func $recurse", "(start $f) (func $f (loop $l (br $l))) (func $recurse");
    for (text, words) in [
        ("not a module".to_owned(), "expected `(`"),
        (whole.replace("\"memory\"", "\"m\""), "it does not export a memory `memory`"),
        (whole.replace("\"alloc\"", "\"a\""), "it does not export alloc(i32) -> i32"),
        (whole.replace("\"judge\"", "\"j\""), "it does not export judge(i32, i32, i32) -> i64"),
        (whole.replace("\"alloc\") (param i32)", "\"alloc\") (param i64)"), "it does not export alloc"),
        (
            whole.replace("(module", "(module (import \"env\" \"clock\" (func))"),
            "it imports env.clock: an algorithm is given nothing but events",
        ),
        // 2^16 pages are 4 GiB.
        (whole.replace("\"memory\") 2", "\"memory\") 65536"), "memory"),
        (endless_start, "fuel"),
    ] {
        let (_directory, plan) = plan_of(&text, None);
        let error = Runner::open(&plan, 0).unwrap_err().to_string();
        assert!(error.starts_with("load algorithm ") && error.contains("module.wat: "), "{error}");
        assert!(error.contains(words), "{error}");
    }
    // Binary, and cut.
    let (_directory, plan) = plan_of(b"\0asm\x01\0\0\0\x01", None);
    assert!(Runner::open(&plan, 0).unwrap_err().to_string().starts_with("load algorithm"));
    let missing = ModulePlan { module: "no-such.wasm".into(), fuel_max: None };
    let missing = with_failures_flagged(AlgorithmKind::Module(missing));
    let error = Runner::open(&missing, 0).unwrap_err().to_string();
    assert!(error.starts_with("read algorithm no-such.wasm: No such file"), "{error}");
}

#[test]
fn the_example_accepts_even_events_of_any_size_and_in_packets() {
    let plan = ModulePlan { module: file("../../examples/algorithms/accept_even.wat"), fuel_max: None };
    let mut runner = Runner::open(&with_failures_flagged(AlgorithmKind::Module(plan)), 0).unwrap();
    let accept = Verdict::Accept { streams: 1 };
    for (number, bytes) in [(2, 0), (3, 10), (4, 100_000), (5, 5 << 20), (6, 10), (u64::MAX, 7 << 20)] {
        let expected = if number % 2 == 0 { accept } else { Verdict::Reject };
        assert_eq!(judge(&mut runner, number, &vec![0xff; bytes]), expected, "event {number}");
    }
    let parts = [EventPart { source: 1, data: None }];
    let verdicts = judge_packet(&mut runner, 7, 4, &parts);
    assert_eq!(verdicts, [Verdict::Reject, accept, Verdict::Reject, accept]);
    assert_eq!((runner.counts().failures.total(), runner.counts().events()), (0, 10));
}
