//! What `incast sim` does not do is refused with exit code 2, before anything is written, and with what can be
//! done instead.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/sim.rs"]
mod support;

use std::fs;

use coordinator::{directory, incast};
use support::*;

/// Asserts that a scenario is refused with these words, and that no record is left.
fn refused(text: &str, words: &[&str], says: &[&str]) {
    let mut started = sim(text, words);
    started.ends_with(2).says(says);
    assert!(!started.out().exists(), "nothing was simulated, nothing is written");
}

#[test]
fn what_cannot_be_simulated_is_refused_with_the_world_that_can() {
    let readout = scenario_text("readout.toml");
    let with = |table: &str, line: &str| {
        let at = readout.find(table).unwrap_or_else(|| panic!("{table} in readout.toml")) + table.len();
        format!("{}\n{line}{}", &readout[..at], &readout[at..])
    };
    refused(
        &SMALL.replacen("name = \"x\"", "name = \"x\"\nagent = \"10.0.0.2:7700\"", 1),
        &[],
        &["cannot be simulated", "host x is a real one", "incast run"],
    );
    refused(
        &with("[readout]", "replay = \"events.mdf\""),
        &["--variant", "base"],
        &["cannot be simulated", "events.mdf", "incast run", "incast lab"],
    );
    let program = scenario_text("bologna/algorithms.toml");
    refused(&program, &["--variant", "base"], &["cannot be simulated", "the program", "incast run"]);
    refused(&scenario_text("switch/throughput.toml"), &["--variant", "base"], &["[search]", "incast lab"]);
}

#[test]
fn a_parameter_of_a_model_out_of_its_range_is_refused_with_the_range() {
    let model = |line: &str| format!("{SMALL}\n[[model]]\n{line}\n");
    for (line, says) in [
        ("ring = 4", ["ring", "8", "65536"]),
        ("coalesce = \"11ms\"", ["coalesce", "0", "10ms"]),
        ("softirq_share = 1.5", ["softirq_share", "0.01", "1"]),
        ("packet_cost = \"2ms\"", ["packet_cost", "0", "1ms"]),
        ("clock_drift_ppm = 1001", ["clock_drift_ppm", "-1000", "1000"]),
        ("receive = \"polling\"", ["receive", "softnet", "napi"]),
    ] {
        refused(&model(line), &[], &says);
    }
    refused(SMALL, &["--set", "sim.queues_shown=5000"], &["queues_shown", "4096"]);
}

#[test]
fn numbers_of_replicas_and_jobs_that_mean_nothing_are_refused() {
    refused(SMALL, &["--replicas", "0"], &["--replicas", "1..=1000000"]);
    refused(SMALL, &["--jobs", "0"], &["--jobs", "1..=1024"]);
    refused(SMALL, &["--seed", "minus one"], &["--seed"]);
    refused(SMALL, &["--set", "trigger.load=1kHz"], &["trigger"]);
    refused(SMALL, &["--variant", "none"], &["none", "base"]);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = directory(&[("scenario.toml", SMALL), ("taken", "a file, not a directory")]);
    let taken = dir.path().join("taken");
    let file = dir.path().join("scenario.toml");
    let words = ["sim".as_ref(), file.as_os_str(), "--out".as_ref(), taken.as_os_str()];
    incast(words).ends_with(2).says(&["taken", "directory of records"]);
    assert_eq!(fs::read_to_string(&taken).expect("it is still there"), "a file, not a directory");
    let mut nowhere = incast(["sim", "no-such-scenario.toml"]);
    nowhere.ends_with(2).says(&["no-such-scenario.toml"]);
}
