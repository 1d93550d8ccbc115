//! Simulations in tests: `incast sim` started over a scenario's text, its records as bytes, and their books.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use incast_core::record::{Record, Verdict};

use crate::coordinator::{Ended, Started, directory, incast_in, read_record};

/// How long a simulation in a test may take on a machine that has other work.
pub(crate) const SIM_PATIENCE: Duration = Duration::from_secs(300);

/// Starts `incast sim` over this scenario with these words beside; its record is on standard output, too.
pub(crate) fn sim<S: AsRef<OsStr>>(scenario: &str, words: impl IntoIterator<Item = S>) -> Started {
    sim_in(directory(&[("scenario.toml", scenario)]), words)
}

/// The same in a directory that has a `scenario.toml`.
pub(crate) fn sim_in<S: AsRef<OsStr>>(dir: tempfile::TempDir, words: impl IntoIterator<Item = S>) -> Started {
    let words: Vec<std::ffi::OsString> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    let first = ["sim", "scenario.toml", "--json", "--out", "out"].map(std::ffi::OsString::from);
    incast_in(dir, first.into_iter().chain(words))
}

/// Simulates to the end; the bytes of the only record, which has a verdict.
pub(crate) fn simulated<S: AsRef<OsStr>>(
    scenario: &str,
    words: impl IntoIterator<Item = S>,
) -> (String, Record) {
    let mut started = sim(scenario, words);
    let ended = finished(&mut started);
    let on_disk = started.records();
    assert_eq!(
        on_disk,
        std::slice::from_ref(&ended.stdout),
        "on disk is what was shown; it said:\n{}",
        ended.stderr
    );
    let record = read_record(&ended.stdout);
    assert_eq!(record.world, "sim");
    (ended.stdout, record)
}

/// Waits for the end, with what was expected or not.
pub(crate) fn finished(started: &mut Started) -> Ended {
    let ended = started.wait_within(SIM_PATIENCE);
    assert!(matches!(ended.status.code(), Some(0 | 1)), "{}; it said:\n{}", ended.status, ended.stderr);
    ended
}

/// Every record below `out`, with the name of its variant, in the order of these.
pub(crate) fn records(started: &Started) -> Vec<Record> {
    let mut records: Vec<Record> = started.records().iter().map(|text| read_record(text)).collect();
    records.sort_by(|one, other| one.scenario.variant.cmp(&other.scenario.variant));
    records
}

/// Asserts that every account of a simulation closes: of messages, packets, bytes, events and credits.
pub(crate) fn assert_books_close(name: &str, record: &Record) {
    assert_ne!(record.verdict, Verdict::Interrupted, "{name}: {:?}", record.caveats);
    let simulation = record.simulation.as_ref().unwrap_or_else(|| panic!("{name}: nothing was simulated"));
    // Roles that are all on one host need no packets.
    let has_packets = simulation.packet_hops > 0 || record.network.is_none();
    assert!(simulation.virtual_s > 0.0 && has_packets, "{name}: {simulation:?}");
    let bytes = &simulation.bytes;
    assert_eq!(bytes.residual, 0, "{name}: law 4: {bytes:?}");
    assert_eq!(
        bytes.offered,
        bytes.forwarded + bytes.dropped + bytes.queued,
        "{name}: law 4, added up here: {bytes:?}"
    );
    let ledger = record.ledger.as_ref().unwrap_or_else(|| panic!("{name}: no ledger"));
    assert_eq!(ledger.unexplained.unwrap_or(0), 0, "{name}: messages: {ledger:?}");
    assert_eq!(ledger.unexplained_packets, Some(0), "{name}: packets: {ledger:?}");
    for flow in &record.flows {
        assert_eq!(flow.messages.unexplained, Some(0), "{name}: {}: law 1", flow.name);
    }
    // Each place of a death is in the ledger and in the map of drops, with the same number.
    let in_drops: u64 = simulation.drops.iter().map(|place| place.packets).sum();
    let in_stages: u64 = ledger.stages.iter().map(|stage| stage.packets).sum();
    assert_eq!(in_drops, in_stages, "{name}: {:?} {:?}", simulation.drops, ledger.stages);
    if let Some(readout) = &record.readout {
        assert!(readout.events.triggered > 0, "{name}: {:?}", readout.events);
        assert_eq!(readout.events.residual, 0, "{name}: law 2: {:?}", readout.events);
        let credits = readout.credits.as_ref().unwrap_or_else(|| panic!("{name}: no account of credits"));
        assert_eq!(credits.residual, 0, "{name}: law 3: {credits:?}");
    }
}

/// A record without what may differ between two files that mean the same: the text itself.
pub(crate) fn without_text(record: &Record) -> Record {
    let mut record = record.clone();
    record.scenario.text = None;
    record
}

/// Where the scenarios are that come with the program.
pub(crate) fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// The text of one of them.
pub(crate) fn scenario_text(name: &str) -> String {
    let path = scenarios().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// Two datagram senders into one port that takes half of what they send, and a connection beside them.
pub(crate) const SMALL: &str = r#"
incast = 1
name = "small"
title = "Two datagram senders and a connection share a port"
seed = 7
interval = "10ms"
duration = "40ms"

[[host]]
name = "x"

[[host]]
name = "y"
count = 2

[[host]]
name = "z"

[[switch]]
name = "main"
when_full = "drop"
rate = "100Mbit/s"
port_queue = "32KiB"

[[cable]]
from = ["x", "y", "z"]
to = "main"

[[flow]]
name = "y"
from = "y"
to = "x"
receiver = "6000"
transport = "udp"
load = "90Mbit/s"
spacing = "poisson"

[[flow]]
name = "z"
from = "z"
to = "x"
receiver = "6001"
transport = "tcp"

[[expect]]
name = "half of it is lost"
what = "lost_fraction"
at_least = 0.3
at_most = 0.6
source = "180 Mbit/s into 94 Mbit/s"
"#;
