//! A readout in a lab: roles on hosts of their own, fragments over a network that loses some.
//!
//! Needs root. In CI it fails without; elsewhere it says so and passes.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/lab.rs"]
mod support;

use incast_core::caveat::CaveatKind;
use incast_core::record::{Readout, Record};

use coordinator::{directory, incast_in, read_record};
use support::{Inventory, may_make_labs};

const EVENT_BUILDING: &str = include_str!("../../../scenarios/bologna/event-building.toml");

/// Two sources, a builder, a node and a sink on four hosts, for a second; rates are asked of nobody.
fn small() -> String {
    let edits = [
        ("duration = \"3s\"", "duration = \"1s\""),
        ("load = \"1kHz\"", "load = \"200Hz\""),
        ("at_least = 4.9e6", "at_least = 0"),
        ("missing.at_least=20", "missing.at_least=0"),
    ];
    edits.iter().fold(EVENT_BUILDING.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "the scenario has no {old} any more");
        text.replace(old, new)
    })
}

/// Runs it with what is said beside the file, and takes away what it made.
fn play(text: &str, words: &[&str]) -> Record {
    let inventory = Inventory::take("event-building");
    let all = ["lab", "scenario.toml", "--json"].into_iter().chain(words.iter().copied());
    let mut started = incast_in(directory(&[("scenario.toml", text)]), all);
    let ended = started.wait();
    inventory.assert_nothing_left(&started);
    read_record(&ended.stdout)
}

fn readout(record: &Record) -> &Readout {
    let Some(readout) = &record.readout else { panic!("the record has no readout") };
    readout
}

/// Every event has its end, and both books are closed.
fn assert_closed(record: &Record) {
    assert_events_closed(record);
    let ledger = record.ledger.as_ref().expect("a lab has the kernel's book");
    assert_eq!(ledger.unexplained_packets, Some(0), "{ledger:?}");
    assert!(record.caveats.iter().all(|doubt| doubt.kind != CaveatKind::LedgerOpen), "{:?}", record.caveats);
}

/// Every event has its end, and every credit.
fn assert_events_closed(record: &Record) {
    let readout = readout(record);
    let events = &readout.events;
    assert!(events.triggered > 0, "{events:?}");
    assert_eq!((events.residual, events.in_flight, events.lost), (0, 0, 0), "{events:?}");
    assert_eq!(readout.credits.as_ref().map_or(0, |credits| credits.residual), 0);
}

#[test]
fn two_streams_are_joined_over_the_network_of_a_lab() {
    let Some(_one) = may_make_labs() else { return };
    let record = play(&small(), &["--variant", "base"]);
    assert_closed(&record);
    assert_eq!(readout(&record).events.incomplete, 0, "TCP delivers");
    let network = record.network.as_ref().expect("a lab has a network");
    assert!(network.cables.iter().all(|cable| cable.queues.iter().any(|queue| queue.packets > 0)));
}

#[test]
fn what_a_cable_loses_of_datagrams_is_missing_in_events_and_its_source_is_named() {
    let Some(_one) = may_make_labs() else { return };
    let record = play(&small(), &["--set", "readout.fragments_over=udp", "--set", "bad.loss=0.1"]);
    assert_closed(&record);
    let events = &readout(&record).events;
    assert!(events.incomplete > 0, "a tenth of its packets were lost: {events:?}");
    let of_the_bad = events.missing.iter().filter(|missing| missing.name == "source 1");
    assert!(of_the_bad.map(|missing| missing.count).sum::<u64>() > 0, "{:?}", events.missing);
}

#[test]
fn what_a_cable_doubles_and_reorders_is_built_once() {
    let Some(_one) = may_make_labs() else { return };
    let set = ["readout.fragments_over=udp", "bad.duplicate=0.2", "bad.reorder=0.2"];
    let record = play(&small(), &["--set", set[0], "--set", set[1], "--set", set[2]]);
    assert_closed(&record);
    let events = &readout(&record).events;
    assert_eq!(events.stored + events.rejected + events.incomplete, events.triggered, "{events:?}");
}

#[test]
fn a_role_on_no_host_is_named() {
    let Some(_one) = may_make_labs() else { return };
    let text = small().replace("[[node]]\nhost = \"cpu\"", "[[node]]");
    let mut started = incast_in(directory(&[("scenario.toml", &text)]), ["lab", "scenario.toml"]);
    started.ends_with(2).says(&["role node is on no host", "host = \"NAME\""]);
}
