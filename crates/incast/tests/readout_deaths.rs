//! Roles of a readout that are killed, hang or never return: the run goes on or ends with a verdict, every
//! event is in one place of the account, and what was acknowledged is on disk, once.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/readout.rs"]
mod support;

use std::fmt::Write as _;
use std::time::Duration;

use coordinator::{Started, caveats, read_record};
use incast_core::caveat::CaveatKind;
use incast_core::record::{Record, Verdict};
use rustix::process::Signal;
use support::{Disk, System, assert_account, count, processes, readout, role, run_dir, until_state};

/// Waits for the end of a run with this exit code; its accounts close.
fn ends(started: &mut Started, code: i32) -> (Record, Disk) {
    let record = started.record(code);
    let disk = assert_account(&record, &run_dir(started));
    (record, disk)
}

fn lost_by(record: &Record, cause: &str) -> u64 {
    let causes = readout(record).events.lost_by.iter().filter(|lost| lost.name.contains(cause));
    causes.map(|lost| lost.count).sum()
}

/// Asserts that the role died so often, and that the record tells of each.
fn assert_died(record: &Record, name: &str, deaths: usize) {
    let role = role(record, name);
    assert_eq!(role.deaths.len(), deaths, "{name}: {:?}", role.deaths);
    let told = caveats(record, CaveatKind::RoleDied);
    assert!(told.iter().filter(|death| death.text.starts_with(name)).count() >= deaths.min(1), "{told:?}");
}

#[test]
fn events_of_a_killed_node_are_each_decided_once_by_another() {
    for protocol in ["push", "pull"] {
        let settings = format!("protocol = \"{protocol}\"");
        let system = System {
            readout: &settings,
            trigger: "load = \"500Hz\"",
            node: "count = 3\ntime = \"4ms\"\nslots = 6",
            more: "[[fault]]\nrole = \"node-1\"\nwhat = \"kill\"\nat = \"400ms\"\nfor = \"100ms\"",
            ..System::default()
        };
        let (record, disk) = ends(&mut system.start(), 0);
        assert_died(&record, "node-1", 1);
        assert_eq!(role(&record, "node-1").lives, 2);
        let events = &readout(&record).events;
        assert_eq!((events.stored, events.lost, events.incomplete), (events.triggered, 0, 0), "{protocol}");
        assert_eq!(disk.events.len() as u64, events.triggered);
        assert_eq!(
            count(role(&record, "builder-1"), "left behind by nodes"),
            readout(&record).roles.iter().map(|role| count(role, "left behind by nodes")).sum::<u64>()
        );
    }
}

#[test]
fn events_of_a_killed_builder_are_lost_by_name_and_those_of_others_are_not() {
    let system = System {
        builder: "count = 2\npolicy = \"tokens\"",
        node: "count = 4\ntime = \"2ms\"",
        more: "[[fault]]\nrole = \"builder-1\"\nwhat = \"kill\"\nat = \"400ms\"\nfor = \"100ms\"",
        ..System::default()
    };
    let (record, disk) = ends(&mut system.start(), 1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    assert_died(&record, "builder-1", 1);
    let events = &readout(&record).events;
    assert!(events.lost > 0 && events.lost < events.triggered / 4, "{events:?}");
    assert_eq!(lost_by(&record, "builder died"), events.lost, "{:?}", events.lost_by);
    assert!(disk.events.len() as u64 > events.triggered / 2);
}

#[test]
fn events_without_a_killed_source_are_flagged_with_its_name() {
    let system = System {
        readout: "event_timeout = \"100ms\"",
        node: "count = 2",
        more: "[[fault]]\nrole = \"source-2\"\nwhat = \"kill\"\nat = \"400ms\"\nfor = \"100ms\"",
        ..System::default()
    };
    let (record, disk) = ends(&mut system.start(), 0);
    assert_died(&record, "source-2", 1);
    let events = &readout(&record).events;
    assert_eq!(events.lost, 0, "{events:?}");
    assert!(events.incomplete > 0 && events.incomplete < events.triggered / 2, "{events:?}");
    assert_eq!(disk.incomplete(), events.incomplete, "all are accepted");
    let missing: Vec<_> = events.missing.iter().map(|one| (one.name.as_str(), one.count)).collect();
    assert_eq!(missing, [("source 1", events.incomplete)]);
}

#[test]
fn what_a_killed_sink_had_not_stored_is_stored_by_its_next_life() {
    for protocol in ["push", "pull"] {
        let settings = format!("protocol = \"{protocol}\"\nstreams = [\"a\", \"b\"]\npacking = 4");
        let system = System {
            readout: &settings,
            node: "count = 2\nstreams = [\"a:1\"]\ncopies = [\"b:0.5\"]",
            sink: "count = 2\nroll = \"100KiB\"",
            duration: "1500ms",
            more: "[[fault]]\nrole = \"sink\"\nwhat = \"kill\"\nat = \"300ms\"\nfor = \"50ms\"\n\
                   [[fault]]\nrole = \"sink-1\"\nwhat = \"kill\"\nat = \"700ms\"\nfor = \"50ms\"\n\
                   [[fault]]\nrole = \"sink-2\"\nwhat = \"kill\"\nat = \"1100ms\"\nfor = \"50ms\"",
            ..System::default()
        };
        let (record, _) = ends(&mut system.start(), 0);
        for sink in ["sink-1", "sink-2"] {
            assert_died(&record, sink, 2);
            assert!(count(role(&record, sink), "found on disk at the start") > 0, "{protocol} {sink}");
        }
        let events = &readout(&record).events;
        assert_eq!((events.stored, events.lost, events.incomplete), (events.triggered, 0, 0), "{protocol}");
    }
}

#[test]
fn all_but_the_trigger_killed_at_once_return_and_the_account_closes() {
    let system = System {
        readout: "event_timeout = \"200ms\"",
        sink: "count = 2",
        builder: "count = 2",
        // More than they can do: builders always have events.
        node: "count = 2\ntime = \"4ms\"",
        duration: "2s",
        more: "[[fault]]\nrole = [\"source\", \"builder\", \"node\", \"sink\"]\nwhat = \"kill\"\nat = \"500ms\"\nfor = \"100ms\"",
        ..System::default()
    };
    let (record, _) = ends(&mut system.start(), 1);
    let readout = readout(&record);
    assert_eq!(record.verdict, Verdict::Incomplete);
    assert!(readout.roles.iter().filter(|role| role.kind != "trigger").all(|role| role.lives == 2));
    let late: u64 =
        readout.intervals.iter().filter(|slice| slice.start_s > 1.5).map(|slice| slice.stored).sum();
    assert!(late > 0, "events are stored again: {:?}", readout.intervals);
}

#[test]
fn a_node_that_hangs_for_five_seconds_delays_its_events_only() {
    let system = System {
        trigger: "load = \"500Hz\"",
        node: "count = 3",
        duration: "7s",
        more: "[[fault]]\nrole = \"node-2\"\nwhat = \"hang\"\nat = \"300ms\"\nfor = \"5s\"",
        ..System::default()
    };
    let mut started = system.start();
    let (record, _) = ends(&mut started, 0);
    let events = &readout(&record).events;
    assert_eq!((events.stored, events.lost, events.incomplete), (events.triggered, 0, 0));
    assert_eq!(role(&record, "node-2").lives, 1, "it returns as it was");
    assert!(started.stderr().contains("node-2 has said nothing for 2 s"), "{}", started.stderr());
    // A third of 500 Hz: 50 before, and some 250 after. What it was ready for before is forgotten at once.
    let answered = count(role(&record, "node-2"), "decided");
    assert!(answered > 120, "it works again when it is back: {answered}");
}

#[test]
fn a_builder_that_hangs_for_three_seconds_works_again_when_it_is_back() {
    for policy in ["tokens", "round-robin"] {
        let builder = format!("count = 2\npolicy = \"{policy}\"");
        let trigger = format!("load = \"500Hz\"\npolicy = \"{policy}\"");
        let system = System {
            trigger: &trigger,
            builder: &builder,
            duration: "5s",
            more: "[[fault]]\nrole = \"builder-2\"\nwhat = \"hang\"\nat = \"300ms\"\nfor = \"3s\"",
            ..System::default()
        };
        let mut started = system.start();
        let ended = started.wait();
        let (record, _) = ends(&mut started, ended.status.code().expect("it ended by itself"));
        assert_eq!(role(&record, "builder-2").lives, 1);
        // Half of 500 Hz for 1.7 s, and what it had in 0.3 s before.
        let built = count(role(&record, "builder-2"), "decided");
        assert!(built > 200, "{policy}: {built}");
        assert_eq!(lost_by(&record, "builder died"), readout(&record).events.lost);
    }
}

#[test]
fn roles_that_never_return_end_the_run_with_a_verdict() {
    // A node and a source: the run goes on without them.
    let system = System {
        readout: "restarts = 0\nevent_timeout = \"100ms\"\ndrain = \"2s\"",
        node: "count = 2",
        more: "[[fault]]\nrole = [\"node-1\", \"source-1\"]\nwhat = \"kill\"\nat = \"300ms\"",
        ..System::default()
    };
    let (record, _) = ends(&mut system.start(), 0);
    let events = &readout(&record).events;
    assert_eq!(events.lost, 0, "{events:?}");
    assert!(events.incomplete > 0 && events.stored > 0, "{events:?}");
    // The only sink: nothing more can be stored.
    let system = System {
        readout: "drain = \"1s\"",
        node: "count = 2",
        more: "[[fault]]\nrole = \"sink-1\"\nwhat = \"kill\"\nat = \"500ms\"",
        ..System::default()
    };
    let (record, disk) = ends(&mut system.start(), 1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    let events = &readout(&record).events;
    assert!(events.stored > 0 && events.lost > 0, "{events:?}");
    assert_eq!(lost_by(&record, "sink died"), events.lost, "{:?}", events.lost_by);
    assert!(disk.complete() >= events.stored);
}

#[test]
fn a_run_whose_trigger_died_is_incomplete_and_what_was_stored_can_be_read() {
    let system = System { duration: "20s", ..System::default() };
    let mut started = system.start();
    let cast = processes(&started, [3, 1, 2, 1]);
    until_state(&started, "running");
    started.until("events on disk", coordinator::PATIENCE, || {
        let files = support::files_under(&run_dir(&started));
        files.iter().any(|file| file.extension().is_some_and(|end| end == "mdf")).then_some(())
    });
    cast.trigger.signal(Signal::KILL);
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    let deaths = caveats(&record, CaveatKind::RoleDied);
    assert!(deaths.iter().any(|death| death.text.contains("the trigger died")), "{deaths:?}");
    let readout = readout(&record);
    assert_eq!(readout.states.last().map(|state| state.state.as_str()), Some("error"));
    let disk = Disk::read(&run_dir(&started), readout.run);
    assert!(!disk.events.is_empty());
    assert!(readout.files.iter().all(|file| file.records > 0), "{:?}", readout.files);
}

#[test]
fn a_killed_conductor_leaves_a_record_that_can_be_read_files_that_can_be_recovered_and_no_process() {
    let system = System { duration: "20s", node: "count = 2", ..System::default() };
    let mut started = system.start();
    let cast = processes(&started, [3, 1, 2, 1]);
    let dir = until_state(&started, "running");
    started.until("a record with stored events", coordinator::PATIENCE, || {
        let record = read_record(started.records().first()?);
        (record.readout?.events.stored > 100).then_some(())
    });
    started.signal(Signal::KILL);
    let ended = started.wait();
    assert!(ended.was_killed(), "{ended:?}");
    started.until("its roles are gone", Duration::from_secs(3), || (!cast.trigger.is_alive()).then_some(()));
    started.assert_nothing_left();
    let record = read_record(&started.records()[0]);
    assert_eq!(record.verdict, Verdict::Interrupted);
    let readout = readout(&record);
    assert_eq!(readout.events.residual, 0, "{:?}", readout.events);
    let plan = incast_store::StorePlan::new(
        incast_core::readout::RunNumber(readout.run),
        incast_core::readout::SinkId(0),
    );
    let (store, recovered) =
        incast_store::SinkStore::open(&dir.join("data").join("sink-1"), plan).expect("recover the files");
    assert!(recovered.events >= readout.events.stored, "{recovered:?}, {:?}", readout.events);
    drop(store);
    assert_eq!(Disk::read(&dir, readout.run).events.len() as u64, recovered.events);
}

#[test]
fn what_misses_a_source_is_incomplete_also_for_a_sink_that_found_it_on_disk() {
    let mut faults = "[[fault]]\nrole = \"source-1\"\nwhat = \"kill\"\nat = \"200ms\"\n".to_owned();
    for at in [500, 700, 900, 1_100] {
        let _ =
            write!(faults, "[[fault]]\nrole = \"sink\"\nwhat = \"kill\"\nat = \"{at}ms\"\nfor = \"20ms\"\n");
    }
    let system = System {
        readout: "event_timeout = \"20ms\"",
        node: "count = 2",
        sink: "count = 1\nname = \"sink\"",
        duration: "1500ms",
        more: &faults,
        ..System::default()
    };
    let (record, disk) = ends(&mut system.start(), 0);
    let events = &readout(&record).events;
    assert_eq!((events.lost, events.stored), (0, disk.complete()), "{events:?}");
    assert_eq!(events.incomplete, disk.incomplete(), "{events:?}");
    let missing: Vec<_> = events.missing.iter().map(|one| (one.name.as_str(), one.count)).collect();
    assert_eq!(missing, [("source 0", events.incomplete)]);
    assert!(events.incomplete > events.stored, "{events:?}");
}

#[test]
fn what_missed_a_source_at_the_first_of_two_levels_is_decided_and_holds_nobody_up() {
    for packing in [1, 4] {
        let settings = format!("levels = 2\nevent_timeout = \"100ms\"\npacking = {packing}");
        let system = System {
            readout: &settings,
            builder: "count = 1\npolicy = \"tokens\"\nordered = true",
            node: "count = 3\naccept = 0.8",
            more: "[[fault]]\nrole = \"source-1\"\nwhat = \"kill\"\nat = \"300ms\"\nfor = \"250ms\"",
            ..System::default()
        };
        let (record, disk) = ends(&mut system.start(), 0);
        let events = &readout(&record).events;
        assert_eq!(events.lost, 0, "{events:?}");
        assert!(events.incomplete > 0 && disk.complete() > events.triggered / 3, "{events:?}");
        assert_eq!(count(role(&record, "trigger"), "messages about what nobody knows of"), 0);
    }
}
