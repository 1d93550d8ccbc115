//! `incast sim` many times over: replicas under other seeds, sweeps over values, and going on after a kill.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/sim.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use coordinator::{Started, directory, incast, read_record};
use incast_core::record::{Record, ReplicaFigure};
use rustix::process::Signal;
use serde_json::Value;
use support::*;

/// Starts `incast sim` over `dir/scenario.toml`; records go to `dir/out`, so that another start finds them.
fn sim_at(dir: &Path, words: &[&str]) -> Started {
    let (file, out) =
        (dir.join("scenario.toml").display().to_string(), dir.join("out").display().to_string());
    incast(["sim", &file, "--json", "--out", &out].iter().chain(words))
}

fn record_of(started: &mut Started) -> Record {
    read_record(&finished(started).stdout)
}

fn figures(record: &Record) -> &[ReplicaFigure] {
    &record.simulation.as_ref().expect("it was simulated").replicas
}

fn figure<'r>(record: &'r Record, name: &str) -> &'r ReplicaFigure {
    let found = figures(record).iter().find(|figure| figure.name == name);
    let names = || figures(record).iter().map(|figure| &figure.name).collect::<Vec<_>>();
    found.unwrap_or_else(|| panic!("{name} is not among {:?}", names()))
}

/// The file of replicas below `out`, once there is one.
fn replicas_file(out: &Path) -> Option<PathBuf> {
    let runs = fs::read_dir(out).ok()?.flatten();
    runs.map(|run| run.path().join("replicas.jsonl")).find(|file| file.is_file())
}

/// The seeds in the whole lines of a file of replicas, in its order; the first line says of what.
fn seeds(file: &Path) -> Vec<u64> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.split_inclusive('\n').skip(1).filter(|line| line.ends_with('\n'));
    let seed = |line: &str| serde_json::from_str::<Value>(line).ok()?["seed"].as_u64();
    lines.filter_map(seed).collect()
}

#[test]
fn replicas_give_a_mean_and_its_interval_however_many_run_at_once() {
    let (one, record) = simulated(SMALL, ["--replicas", "5", "--jobs", "1"]);
    let (two, _) = simulated(SMALL, ["--replicas", "5", "--jobs", "2"]);
    assert!(one == two, "jobs change nothing of a record");
    let lost = figure(&record, "lost_fraction");
    assert_eq!((lost.replicas, lost.values.len()), (5, 5));
    // The record itself is of the first seed.
    assert_eq!((record.scenario.seed, Some(lost.values[0])), (7, record.totals.lost_fraction));
    // Mean and interval by hand: t of 4 degrees of freedom at 95 % is 2.776 (any table of Student's t).
    let mean = lost.values.iter().sum::<f64>() / 5.0;
    let variance = lost.values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 4.0;
    let half_width = 2.776 * (variance / 5.0).sqrt();
    assert!((lost.mean - mean).abs() < 1e-12, "{lost:?}");
    let stated = lost.half_width.expect("five replicas have an interval");
    assert!(stated > 0.0 && (stated / half_width - 1.0).abs() < 1e-3, "{stated} and by hand {half_width}");
    let by_size = |by: fn(f64, f64) -> f64| lost.values.iter().copied().reduce(by).expect("five");
    assert_eq!((lost.least, lost.most), (by_size(f64::min), by_size(f64::max)));
    // What is expected is judged by the mean of all.
    let expected = figure(&record, "expected: half of it is lost");
    assert_eq!(record.expectations[0].measured, Some(expected.mean));
}

#[test]
fn a_replica_is_the_run_of_its_seed() {
    let (_, all) = simulated(SMALL, ["--replicas", "3"]);
    let (_, third) = simulated(SMALL, ["--seed", "9"]);
    assert_eq!(Some(figure(&all, "lost_fraction").values[2]), third.totals.lost_fraction);
}

#[test]
fn replicas_that_were_killed_go_on_where_they_were() {
    const REPLICAS: &str = "8";
    // Long enough that the kill comes in the middle of them.
    let text = SMALL.replace("40ms", "400ms");
    let never_killed = directory(&[("scenario.toml", &text)]);
    let expected = finished(&mut sim_at(never_killed.path(), &["--replicas", REPLICAS])).stdout;

    let dir = directory(&[("scenario.toml", &text)]);
    let out = dir.path().join("out");
    let started = sim_at(dir.path(), &["--replicas", REPLICAS, "--jobs", "1"]);
    let file = started
        .until("three replicas", SIM_PATIENCE, || replicas_file(&out).filter(|file| seeds(file).len() >= 3));
    started.signal(Signal::KILL);
    let mut started = started;
    assert!(started.wait_within(SIM_PATIENCE).was_killed());
    let known: BTreeSet<u64> = seeds(&file).into_iter().collect();
    assert!(known.len() < 8, "killed too late to show anything: {known:?}");
    // The crash cut a line off.
    let mut cut = fs::read(&file).expect("the file of replicas");
    cut.extend(br#"{"seed":14,"figures":{"lost_fra"#);
    fs::write(&file, cut).expect("write it");

    let resumed = finished(&mut sim_at(dir.path(), &["--replicas", REPLICAS, "--resume"]));
    assert!(resumed.stdout == expected, "the record is the one of a run that was never killed");
    assert_eq!(replicas_file(&out), Some(file.clone()), "in the place of the killed one");
    let after = seeds(&file);
    assert_eq!(after.iter().copied().collect::<BTreeSet<_>>(), (7..15).collect(), "no replica is lost");
    assert_eq!(after.len(), 8, "and none is there twice: {after:?}");
}

#[test]
fn a_replica_that_is_known_is_not_simulated_again() {
    let dir = directory(&[("scenario.toml", SMALL)]);
    let out = dir.path().join("out");
    finished(&mut sim_at(dir.path(), &["--replicas", "3"]));
    // A figure that no simulation gives, so that it is seen where it came from.
    let file = replicas_file(&out).expect("replicas were written");
    let text = fs::read_to_string(&file).expect("read it");
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let known = lines.iter_mut().find(|line| line["seed"] == 8 && line["figures"].is_object());
    known.expect("the replica of seed 8")["figures"]["lost_fraction"] = 0.123.into();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&file, text).expect("write it");
    // More replicas than were asked for then: the file is of an unfinished run.
    let more = record_of(&mut sim_at(dir.path(), &["--replicas", "4", "--resume"]));
    let lost = figure(&more, "lost_fraction");
    assert_eq!((lost.replicas, lost.values[1]), (4, 0.123));
    // Without the word nothing of it is used.
    let anew = record_of(&mut sim_at(dir.path(), &["--replicas", "4"]));
    assert!((figure(&anew, "lost_fraction").values[1] - 0.123).abs() > 1e-6);
}

#[test]
fn another_scenario_or_seed_does_not_go_on_with_the_replicas_of_this() {
    let dir = directory(&[("scenario.toml", SMALL)]);
    finished(&mut sim_at(dir.path(), &["--replicas", "2"]));
    let mut other = sim_at(dir.path(), &["--replicas", "2", "--resume", "--seed", "70"]);
    let seed_70 = record_of(&mut other);
    assert_eq!(seed_70.scenario.seed, 70);
    let (_, anew) = simulated(SMALL, ["--replicas", "2", "--seed", "70"]);
    assert_eq!(seed_70, anew);
    fs::write(dir.path().join("scenario.toml"), SMALL.replace("90Mbit/s", "91Mbit/s")).expect("write");
    let changed = finished(&mut sim_at(dir.path(), &["--replicas", "2", "--resume"]));
    assert!(!changed.stderr.contains("taken from"), "{}", changed.stderr);
}

#[test]
fn a_sweep_goes_on_with_the_values_that_were_not_simulated() {
    let text = scenario_text("readout.toml").replace("duration = \"5s\"", "duration = \"40ms\"");
    let dir = directory(&[("scenario.toml", &text)]);
    let out = dir.path().join("out");
    let sweep = ["--set", "trigger.load=1kHz,2kHz", "--set", "duration=40ms", "--resume"];
    let first = finished(&mut sim_at(dir.path(), &sweep));
    assert!(!first.stderr.contains("taken from"), "{}", first.stderr);
    let events = |wanted: &str| {
        let runs = fs::read_dir(&out).expect("the records").flatten();
        let texts = runs.filter_map(|run| fs::read_to_string(run.path().join("record.json")).ok());
        let records: Vec<Record> = texts.map(|text| read_record(&text)).collect();
        let is_one =
            |record: &&Record| record.scenario.variant.as_deref().is_some_and(|name| name.contains(wanted));
        let found: Vec<&Record> = records.iter().filter(is_one).collect();
        assert_eq!(found.len(), 1, "records of {wanted}");
        found[0].readout.as_ref().expect("a readout").events.triggered
    };
    let (slow, fast) = (events("1kHz"), events("2kHz"));
    assert!(slow > 0 && fast > slow, "{slow} events at 1 kHz, {fast} at 2 kHz");
    // Whoever killed it did so before the second was written.
    let runs: Vec<PathBuf> =
        fs::read_dir(&out).expect("the records").flatten().map(|run| run.path()).collect();
    let second = runs.iter().find(|run| run.to_string_lossy().contains("2kHz")).expect("the second run");
    fs::remove_dir_all(second).expect("remove it");
    let again = finished(&mut sim_at(dir.path(), &sweep));
    let taken = again.stderr.matches("taken from").count();
    assert_eq!(taken, 1, "one was there, one was not:\n{}", again.stderr);
    assert_eq!((events("1kHz"), events("2kHz")), (slow, fast));
    let last = finished(&mut sim_at(dir.path(), &sweep));
    assert_eq!(last.stderr.matches("taken from").count(), 2, "{}", last.stderr);
}
