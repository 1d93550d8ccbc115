//! Nodes that run somebody's algorithm: the examples, and programs that do wrong. What a program does
//! costs the decision of that event, and nothing else.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/readout.rs"]
mod support;

use incast_core::record::Record;
use support::{Disk, System, assert_account, count, readout, run_dir, runs_well};

/// An example, as a path from anywhere.
fn example(name: &str) -> String {
    format!("{}/../../examples/algorithms/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A count over all nodes.
fn of_nodes(record: &Record, name: &str) -> u64 {
    readout(record).roles.iter().filter(|role| role.kind == "node").map(|role| count(role, name)).sum()
}

#[test]
fn the_example_in_python_decides_by_size_in_every_packing() {
    for packing in [1, 4] {
        let settings = format!("packing = {packing}");
        let node = format!(
            "count = 2\nprogram = [\"python3\", \"{}\", \"3000\"]\ntime_out = \"20s\"",
            example("size_cut.py")
        );
        let system = System {
            readout: &settings,
            source: "count = 3\nfragment = \"0B..2000B\"",
            trigger: "load = \"500Hz\"",
            node: &node,
            ..System::default()
        };
        let (record, disk) = system.runs_well();
        let events = &readout(&record).events;
        assert!(events.stored > 0 && events.rejected > 0, "{events:?}");
        // The record has a header, and a bank of the timing system beside the data.
        assert!(disk.events.values().all(|event| event.record.len() >= 3_000));
        assert_eq!(of_nodes(&record, "unjudged"), 0);
    }
}

#[test]
fn a_module_of_the_examples_decides_by_number() {
    let node = format!("count = 2\nmodule = \"{}\"", example("accept_even.wat"));
    let (record, disk) = System { node: &node, ..System::default() }.runs_well();
    assert!(disk.events.keys().all(|event| event % 2 == 0));
    assert_eq!(disk.events.len() as u64, readout(&record).events.triggered.div_ceil(2));
}

/// Runs nodes with this program, in Python, which answers as the example does but for every tenth event.
fn with_program(at_every_tenth: &str, more: &str) -> (Record, Disk) {
    let program = format!(
        "import os, struct, sys, time\n\
         source, output = sys.stdin.buffer, sys.stdout.buffer\n\
         def answer(question, accept):\n\
         \x20   verdicts = [] if accept is None else [struct.pack('<IBBH', accept, accept, 0, 0)]\n\
         \x20   output.write(struct.pack('<IBBHQ', 8 + 8 * len(verdicts), 1, 0, 0, question) + b''.join(verdicts))\n\
         \x20   output.flush()\n\
         answer(0, None)\n\
         while head := source.read(8):\n\
         \x20   body = source.read(struct.unpack('<IBBH', head)[0])\n\
         \x20   question, event = struct.unpack_from('<QQ', body)\n\
         \x20   if event % 10 == 3:\n\
         \x20       {at_every_tenth}\n\
         \x20   answer(question, 0)\n"
    );
    let node = format!("count = 2\nprogram = [\"python3\", \"wrong.py\"]\n{more}");
    let system = System {
        node: &node,
        trigger: "load = \"100Hz\"",
        // The programs that are restarted take their time.
        readout: "drain = \"30s\"",
        ..System::default()
    };
    let mut started = system.start_with(&[("wrong.py", &program)]);
    let record = started.record(0);
    let disk = assert_account(&record, &run_dir(&started));
    let events = &readout(&record).events;
    assert_eq!((events.lost, events.incomplete), (0, 0), "{events:?}");
    assert!(readout(&record).roles.iter().all(|role| role.lives == 1), "the node lives on");
    (record, disk)
}

/// Asserts that the events that the program failed on, and no others, are stored and flagged.
fn assert_tenths_are_flagged(record: &Record, disk: &Disk, kind: &str) {
    let triggered = readout(record).events.triggered;
    let tenths = (0..triggered).filter(|event| event % 10 == 3).collect::<Vec<_>>();
    assert_eq!(disk.events.keys().copied().collect::<Vec<_>>(), tenths, "all others are rejected");
    assert!(disk.events.values().all(|event| event.is_unjudged), "they are flagged");
    assert_eq!(of_nodes(record, kind), tenths.len() as u64);
}

#[test]
fn events_on_which_a_program_crashes_are_kept_and_flagged() {
    let (record, disk) = with_program("os.abort()", "");
    assert_tenths_are_flagged(&record, &disk, "algorithm crashed");
}

#[test]
fn events_on_which_a_program_hangs_are_kept_and_flagged() {
    let (record, disk) = with_program("time.sleep(1000)", "time_out = \"300ms\"");
    // A machine that is busy may take another event's time as well.
    let tenths = (0..readout(&record).events.triggered).filter(|event| event % 10 == 3);
    for event in tenths {
        assert!(disk.events.get(&event).is_some_and(|event| event.is_unjudged), "event {event}");
    }
    assert_eq!(disk.events.len() as u64, of_nodes(&record, "algorithm timed out"));
}

#[test]
fn events_on_which_a_program_answers_nonsense_are_kept_and_flagged() {
    let (record, disk) = with_program("output.write(b'nonsense' * 9); output.flush()", "");
    assert_tenths_are_flagged(&record, &disk, "algorithm answered nonsense");
}

#[test]
fn what_no_algorithm_decided_is_rejected_where_that_is_asked_for() {
    let (record, disk) = with_program("os.abort()", "on_failure = \"reject\"");
    assert!(disk.events.is_empty() && readout(&record).events.rejected == readout(&record).events.triggered);
    assert!(of_nodes(&record, "algorithm crashed") > 5);
}

/// Programs that run this script.
fn programs_of(script: &std::path::Path) -> usize {
    let wanted = script.to_string_lossy().into_owned();
    let numbers = std::fs::read_dir("/proc").expect("read /proc").flatten();
    let words = numbers.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    words.filter(|words| words.split(|byte| *byte == 0).any(|word| word == wanted.as_bytes())).count()
}

#[test]
fn a_program_ends_with_the_node_that_was_killed_over_it() {
    let dir = coordinator::directory(&[]);
    let script = dir.path().join("size_cut.py");
    std::fs::copy(example("size_cut.py"), &script).expect("copy the example");
    let node =
        format!("count = 2\nprogram = [\"python3\", \"{}\", \"0\"]\ntime_out = \"20s\"", script.display());
    let system = System {
        node: &node,
        duration: "2s",
        more: "[[fault]]\nrole = \"node-1\"\nwhat = \"kill\"\nat = \"300ms\"\nfor = \"100ms\"",
        ..System::default()
    };
    let mut started = system.start();
    started.until("both programs", coordinator::PATIENCE, || (programs_of(&script) == 2).then_some(()));
    let record = started.record(0);
    assert_account(&record, &run_dir(&started));
    assert_eq!((readout(&record).events.lost, support::role(&record, "node-1").lives), (0, 2));
    started.until("no program is left", coordinator::PATIENCE, || (programs_of(&script) == 0).then_some(()));
}

#[test]
fn a_program_is_found_from_where_the_run_is_started() {
    let program = std::fs::read_to_string(example("size_cut.py")).expect("read the example");
    let system = System {
        node: "count = 1\nprogram = [\"python3\", \"own.py\", \"0\"]\ntime_out = \"20s\"",
        trigger: "load = \"200Hz\"",
        ..System::default()
    };
    let (record, _) = runs_well(&mut system.start_with(&[("own.py", &program)]));
    assert_eq!(readout(&record).events.rejected, 0);
}
