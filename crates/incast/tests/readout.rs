//! Whole readouts in which nothing goes wrong: the scenario that people try first, and every way to set
//! one up. Each ends with closed accounts, and with what they call stored on disk.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/readout.rs"]
mod support;

use std::fmt::Write as _;

use coordinator::run;
use incast_core::record::Record;
use support::{System, count, readout, runs_well};

/// The text of the scenario that the README begins with, for a shorter time.
fn main_scenario() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/readout.toml");
    let text = std::fs::read_to_string(file).expect("read the scenario");
    let short = text.replace("duration = \"5s\"", "duration = \"2s\"");
    assert_ne!(short, text, "the scenario lasts 5 s");
    short
}

#[test]
fn the_main_scenario_is_good_and_what_it_stored_is_on_disk() {
    let (record, disk) = runs_well(&mut run(&main_scenario()));
    assert!(!record.expectations.is_empty());
    assert!(record.expectations.iter().all(|expectation| expectation.met == Some(true)));
    let readout = readout(&record);
    // 2 kHz for 2 s, of which a quarter is accepted; random numbers are drawn.
    assert!((3_000..=5_000).contains(&readout.events.triggered), "{:?}", readout.events);
    assert!(readout.events.stored * 2 < readout.events.triggered && readout.events.stored > 0);
    assert_eq!(disk.verified_bytes, readout.events.stored * 8 * 1_024);
    assert_eq!(readout.roles.len(), 1 + 8 + 1 + 4 + 1);
    assert!(readout.roles.iter().all(|role| role.lives == 1 && role.deaths.is_empty()));
    let states: Vec<&str> = readout.states.iter().map(|state| state.state.as_str()).collect();
    assert_eq!(states, ["idle", "configured", "armed", "running", "draining", "stopped"]);
    let triggered: u64 = readout.intervals.iter().map(|slice| slice.triggered).sum();
    assert_eq!(triggered, readout.events.triggered, "the slices sum to the whole");
}

#[test]
fn who_asks_the_sink_and_how_events_are_packed_is_told_and_changes_nothing_else() {
    for (protocol, packing) in [("push", 1), ("push", 4), ("pull", 4), ("pull", 32)] {
        let settings = format!("protocol = \"{protocol}\"\npacking = {packing}\nstreams = [\"a\", \"b\"]");
        let system = System {
            readout: &settings,
            // Not a multiple of the packing: the last packet is not full.
            trigger: "load = \"1kHz\"\nevents = 501",
            node: "count = 2\naccept = 0.5\nstreams = [\"a:1\", \"b:1\"]",
            ..System::default()
        };
        let (record, disk) = system.runs_well();
        let readout = readout(&record);
        assert_eq!((readout.protocol.as_str(), readout.packing_events), (protocol, packing));
        assert_eq!(readout.events.triggered, 501, "{protocol} {packing}");
        assert!((100..400).contains(&readout.events.stored), "{:?}", readout.events);
        assert_eq!(disk.verified_bytes, 3 * 600 * readout.events.stored);
        let (a, b) = (disk.of_stream("a"), disk.of_stream("b"));
        assert!(a > 0 && b > 0 && (a + b) as u64 == readout.events.stored, "{a} + {b}: one stream each");
    }
}

#[test]
fn the_rest_is_built_of_events_that_the_first_level_accepts() {
    for packing in [1, 4] {
        let settings = format!("levels = 2\npacking = {packing}");
        let system = System {
            readout: &settings,
            source: "count = 3\nfragment = \"200B\"\nrest = \"2KiB\"",
            builder: "count = 2\npolicy = \"tokens\"",
            node: "count = 4\naccept = 0.5",
            ..System::default()
        };
        let (record, disk) = system.runs_well();
        let events = &readout(&record).events;
        let accepted = count(support::role(&record, "trigger"), "accepted by the first level");
        assert!(events.stored < accepted && accepted < events.triggered, "{accepted}, {events:?}");
        assert_eq!(disk.verified_bytes, 3 * 2_048 * events.stored, "what is stored is the rest");
    }
}

const POLICIES: [(&str, &str); 5] = [
    ("round-robin", ""),
    ("tokens", "lease = \"5s\""),
    ("least-loaded", "limit = 4"),
    ("calendar", ""),
    ("linear-shift", ""),
];

/// Two builders with four nodes each and two sinks, under these policies.
fn farm(of_trigger: (&str, &str), of_builder: (&str, &str)) -> Record {
    let trigger = format!("load = \"1kHz\"\npolicy = \"{}\"\n{}", of_trigger.0, of_trigger.1);
    let builder = format!("count = 2\nweight = 2\npolicy = \"{}\"\n{}", of_builder.0, of_builder.1);
    let system = System {
        trigger: &trigger,
        builder: &builder,
        node: "count = 8\naccept = 0.3\ntime = \"500us\"",
        sink: "count = 2",
        source: "count = 2\nfragment = \"100B\"",
        duration: "800ms",
        ..System::default()
    };
    let (record, disk) = system.runs_well();
    let readout = readout(&record);
    assert_eq!((readout.builder_policy.as_str(), readout.node_policy.as_str()), (of_trigger.0, of_builder.0));
    for node in readout.roles.iter().filter(|role| role.kind == "node") {
        assert!(count(node, "decided") > 0, "{}: {of_trigger:?} {of_builder:?}", node.name);
    }
    assert_eq!(disk.files.len(), 2, "each sink has a file");
    record
}

#[test]
fn builders_are_named_by_every_policy() {
    for policy in POLICIES {
        farm(policy, POLICIES[1]);
    }
}

#[test]
fn nodes_are_given_events_by_every_policy() {
    for policy in POLICIES {
        farm(POLICIES[0], policy);
    }
}

#[test]
fn fragments_of_any_size_come_out_as_they_went_in() {
    let sizes = [
        ("fragment = \"1B\"", 3, "500Hz"),
        ("fragment = \"0B..3KiB\"", 0, "500Hz"),
        ("fragment = \"1KiB\"\nspread = 0.8\nfragment_max = \"8KiB\"", 0, "500Hz"),
        // More than one bank each.
        ("fragment = \"150KiB\"", 3 * 150 * 1_024, "50Hz"),
        // 2 MB, as in ATLAS.
        ("fragment = \"700kB\"", 3 * 700_000, "20Hz"),
    ];
    for (size, event_bytes, load) in sizes {
        let mut source = "count = 3\n".to_owned();
        let _ = write!(source, "{size}");
        let trigger = format!("load = \"{load}\"");
        let (record, disk) = System { source: &source, trigger: &trigger, ..System::default() }.runs_well();
        let stored = readout(&record).events.stored;
        assert!(stored > 0, "{size}");
        if event_bytes > 0 {
            assert_eq!(disk.verified_bytes, event_bytes * stored, "{size}");
        } else {
            let lengths: std::collections::BTreeSet<usize> =
                disk.events.values().map(|event| event.record.len()).collect();
            assert!(lengths.len() > 20, "{size}: sizes vary: {lengths:?}");
        }
    }
}

#[test]
fn an_event_can_be_in_several_streams_and_files_roll() {
    let system = System {
        readout: "streams = [\"physics\", \"calibration\", \"express\"]",
        node: "count = 2\nstreams = [\"physics:9\", \"calibration:1\"]\ncopies = [\"express:0.2\"]",
        sink: "count = 2\nroll = \"200KiB\"",
        ..System::default()
    };
    let (record, disk) = system.runs_well();
    let events = &readout(&record).events;
    assert_eq!(events.stored, events.triggered, "all are accepted");
    let [physics, calibration, express] =
        ["physics", "calibration", "express"].map(|name| disk.of_stream(name) as u64);
    assert_eq!(physics + calibration, events.stored);
    assert!(physics > calibration && calibration > 0, "{physics} {calibration}");
    assert!(express > 0 && express < events.stored / 2, "{express}");
    assert!(disk.files.len() > 6, "files roll: {:?}", disk.files.keys());
    assert!(disk.files.values().all(|(records, bytes)| *bytes <= 200 << 10 && *records > 0));
}

#[test]
fn events_in_order_and_offset_sources_end_as_all_others() {
    let system = System {
        builder: "count = 2\npolicy = \"least-loaded\"\nordered = true",
        source: "count = 4\nfragment = \"300B\"\nsend_offset = \"300us\"",
        trigger: "load = \"1kHz\"\nspacing = \"burst:16\"",
        node: "count = 4",
        ..System::default()
    };
    let (record, disk) = system.runs_well();
    assert_eq!(disk.events.len() as u64, readout(&record).events.triggered);
}
