//! Programs that do wrong: each costs the event at which it did, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use incast_algorithm::{OpenError, Runner};
use incast_core::readout::algorithm::{AlgorithmKind, AlgorithmPlan, ProgramPlan};
use incast_core::readout::{EventNumber, Failure, Verdict};
use incast_core::time::Span;
use support::{UNJUDGED_STREAMS, file, judge, judge_packet, program, wait_until};

const ACCEPTED: Verdict = Verdict::Accept { streams: 2 };
/// The event at which they do wrong.
const WRONG: u64 = 3;

fn misbehaving(what: &str) -> AlgorithmPlan {
    program(&["python3", &file("tests/programs/misbehave.py"), what, &WRONG.to_string()])
}

/// State and process group of each process, as the kernel shows them.
fn processes() -> impl Iterator<Item = (u32, char, u32)> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries.filter_map(|entry| {
        let id = entry.file_name().to_string_lossy().parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // Behind the name, which is in parentheses and may hold anything: state, parent, group.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        Some((id, fields.next()?.chars().next()?, fields.nth(1)?.parse().ok()?))
    })
}

/// Waits until no process of the group of `leader` runs.
fn assert_group_ends(leader: u32) {
    wait_until("a process group ends", || {
        processes().all(|(_, state, group)| group != leader || matches!(state, 'Z' | 'X'))
    });
}

/// Whether a process is there, reaped or not.
fn is_there(id: u32) -> bool {
    processes().any(|(process, ..)| process == id)
}

/// Plays five events of which the third goes wrong, with data of so many bytes.
fn check(what: &str, time_out: Span, bytes: usize, failure: Failure, words: &str) {
    let mut plan = misbehaving(what);
    plan.limits.time_out = time_out;
    let mut runner = Runner::open(&plan, 0).unwrap();
    let first = runner.process_id().unwrap();
    let data = vec![1; bytes];
    for number in 1..=5 {
        let expected = match number {
            WRONG => Verdict::Unjudged { streams: UNJUDGED_STREAMS, failure },
            _ => ACCEPTED,
        };
        let verdict = judge(&mut runner, number, &data);
        assert_eq!(verdict, expected, "{what}, event {number}: {:?}", runner.counts().last_failure);
    }
    let counts = runner.counts();
    assert_eq!((counts.accepted, counts.rejected, counts.unjudged), (4, 0, 1), "{what}");
    assert_eq!((counts.restarts, counts.failures.total(), counts.held_back), (1, 1, 0), "{what}");
    let last = counts.last_failure.clone().unwrap();
    assert_eq!((last.failure, last.event), (failure, Some(EventNumber(WRONG))), "{what}");
    assert!(last.text.contains(words), "{what}: {}", last.text);
    let second = runner.process_id().unwrap();
    assert_ne!(first, second, "{what}");
    drop(runner);
    for leader in [first, second] {
        assert_group_ends(leader);
        assert!(!is_there(leader), "{what}: {leader} was not reaped");
    }
}

const LONG: Span = Span::from_s(60);
/// Long for a healthy program, and short for a test.
const SHORT: Span = Span::from_s(2);

#[test]
fn a_program_that_ends_costs_the_event_that_it_had() {
    check("exit", LONG, 10, Failure::Crash, "it ended, exit status: 3");
    check("raise", LONG, 10, Failure::Crash, "at last \"ValueError: no track found\"");
    check("signal", LONG, 10, Failure::Crash, "signal: 11");
    // It reads no further, so most of the event is never written.
    check("exit", LONG, 4 << 20, Failure::Crash, "it ended, exit status: 3");
}

#[test]
fn a_program_that_hangs_costs_the_event_that_it_had() {
    check("hang", SHORT, 10, Failure::Timeout, "it did not say an answer within 2s");
    check("part of an answer", SHORT, 10, Failure::Timeout, "within 2s");
    check("hang with children", SHORT, 10, Failure::Timeout, "within 2s");
}

#[test]
fn a_program_that_does_not_read_cannot_stop_us() {
    check("stop reading", SHORT, 4 << 20, Failure::Timeout, "within 2s");
    check("answer and stop reading", SHORT, 4 << 20, Failure::Timeout, "within 2s");
}

#[test]
fn a_program_that_wants_too_much_memory_costs_the_event_that_it_had() {
    check("memory", LONG, 10, Failure::Memory, "MemoryError");
    check("no memory status", LONG, 10, Failure::Memory, "exit status: 12");
}

#[test]
fn a_program_that_answers_nonsense_costs_the_event_that_it_had() {
    check("print", LONG, 10, Failure::Nonsense, "but \"event 3\": lengths inside contradict the whole");
    check("old answer", LONG, 10, Failure::Nonsense, "event numbers");
    check("no streams", LONG, 10, Failure::Nonsense, "a value without meaning");
    check("unknown verdict", LONG, 10, Failure::Nonsense, "a value without meaning");
    check("too many verdicts", LONG, 10, Failure::Nonsense, "lengths inside");
    check("two answers", LONG, 10, Failure::Nonsense, "more bytes than its lengths say");
    check("endless answer", LONG, 10, Failure::Nonsense, "lengths inside");
    check("close", LONG, 10, Failure::Crash, "it closed its input or output");
}

#[test]
fn a_flood_of_words_hinders_nobody_and_costs_an_event_only_without_an_answer() {
    check("endless stderr", SHORT, 10, Failure::Timeout, "it said \"xxx");
    let mut runner = Runner::open(&misbehaving("stderr flood"), 0).unwrap();
    assert!((1..=5).all(|number| judge(&mut runner, number, b"data") == ACCEPTED));
    assert_eq!((runner.counts().failures.total(), runner.counts().restarts), (0, 0));
}

#[test]
fn a_program_that_ends_between_events_costs_none() {
    let mut runner = Runner::open(&misbehaving("answer and exit"), 0).unwrap();
    for number in 1..=5 {
        assert_eq!(judge(&mut runner, number, b"data"), ACCEPTED);
        if number == WRONG {
            let id = runner.process_id().unwrap();
            wait_until("it ends", || processes().any(|(process, state, _)| (process, state) == (id, 'Z')));
        }
    }
    let counts = runner.counts();
    assert_eq!((counts.accepted, counts.failures.crash, counts.restarts), (5, 1, 1));
    let last = counts.last_failure.clone().unwrap();
    assert_eq!((last.event, last.text.as_str()), (None, "it ended, exit status: 0"));
}

#[test]
fn what_is_said_without_being_asked_costs_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let said = directory.path().join("said");
    let mut plan = misbehaving("unasked");
    let AlgorithmKind::Program(program) = &mut plan.kind else { unreachable!("it is a program") };
    program.environment.push(("SAID".into(), said.to_string_lossy().into_owned()));
    let mut runner = Runner::open(&plan, 0).unwrap();
    for number in 1..=5 {
        assert_eq!(judge(&mut runner, number, b"data"), ACCEPTED);
        if number == WRONG {
            wait_until("it says more", || said.exists());
        }
    }
    let counts = runner.counts();
    assert_eq!((counts.accepted, counts.failures.nonsense, counts.restarts), (5, 1, 1));
    assert_eq!(counts.last_failure.as_ref().unwrap().event, None);
}

#[test]
fn a_program_that_always_ends_is_started_less_and_less_often() {
    let mut plan = misbehaving("always exit");
    // It is short for the waits between starts; each process has the same time to end.
    plan.limits.time_out = Span::from_ms(50);
    let mut runner = Runner::open(&plan, 0).unwrap();
    for number in 0..500 {
        let verdict = judge(&mut runner, number, b"data");
        assert!(matches!(verdict, Verdict::Unjudged { streams: UNJUDGED_STREAMS, .. }), "{verdict:?}");
    }
    let counts = runner.counts();
    assert_eq!((counts.unjudged, counts.events()), (500, 500));
    // Each event either met a failure or came while nothing was to be started.
    assert_eq!(counts.failures.total() + counts.held_back, 500);
    assert!(counts.held_back > 0 && counts.restarts <= counts.failures.total());
}

#[test]
fn a_packet_at_which_it_fails_is_unjudged_as_a_whole() {
    let mut runner = Runner::open(&misbehaving("exit"), 0).unwrap();
    let unjudged = Verdict::Unjudged { streams: UNJUDGED_STREAMS, failure: Failure::Crash };
    assert_eq!(judge_packet(&mut runner, WRONG, 4, &[]), [unjudged; 4]);
    assert_eq!((runner.counts().unjudged, runner.counts().failures.crash), (4, 1));
}

#[test]
fn the_start_of_a_program_is_not_the_time_of_an_event() {
    let mut plan = misbehaving("slow start");
    // Shorter than its start.
    plan.limits.time_out = Span::from_s(1);
    let mut runner = Runner::open(&plan, 0).unwrap();
    assert_eq!(judge(&mut runner, 1, b"data"), ACCEPTED);
}

#[test]
fn a_program_that_cannot_be_used_is_an_error_before_any_event() {
    let open = |plan: &AlgorithmPlan| Runner::open(plan, 0).unwrap_err();
    let missing = open(&program(&["no-such-program"]));
    assert!(matches!(missing, OpenError::Start { .. }), "{missing}");
    assert!(missing.to_string().starts_with("start algorithm no-such-program: No such file"), "{missing}");

    let ended = open(&misbehaving("exit at start")).to_string();
    assert_eq!(ended, "start algorithm python3: it ended, exit status: 2; it said \"no geometry\"");

    let shouting = open(&misbehaving("shout")).to_string();
    assert!(shouting.contains("it did not say ready but \"hello"), "{shouting}");

    let mut silent = misbehaving("silent");
    silent.limits.start_time_out = Span::from_ms(300);
    let silent = open(&silent).to_string();
    assert_eq!(silent, "start algorithm python3: it did not say ready within 300ms");

    let unnamed = AlgorithmKind::Program(ProgramPlan::default());
    let unnamed = open(&AlgorithmPlan { kind: unnamed, ..AlgorithmPlan::default() });
    assert!(matches!(unnamed, OpenError::Plan(_)), "{unnamed}");
}

#[test]
fn a_program_gets_only_what_it_is_given() {
    let script = "echo \"$HOME,$GIVEN,$(ulimit -c),$(ulimit -n),$(ulimit -v)\" >&2; exit 1";
    let mut plan = program(&["sh", "-c", script]);
    let AlgorithmKind::Program(program) = &mut plan.kind else { unreachable!("it is a program") };
    program.environment.push(("GIVEN".into(), "this".into()));
    let error = Runner::open(&plan, 0).unwrap_err().to_string();
    // 512 MiB, in KiB.
    assert!(error.ends_with("it said \",this,0,256,524288\""), "{error}");
}

#[test]
fn a_program_ends_with_the_thread_that_started_it() {
    let open = || {
        let runner = Runner::open(&misbehaving("none"), 0).unwrap();
        let id = runner.process_id().unwrap();
        // As if the node were killed: nothing of ours is done any more.
        std::mem::forget(runner);
        id
    };
    let id = std::thread::spawn(open).join().unwrap();
    assert_group_ends(id);
}
