//! `incast sim` over every scenario that comes with the program: each is simulated to a verdict and closes its
//! books; and the same again gives the same, byte for byte.
//!
//! Whether the expectations hold is not asked here: the runs are cut short.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/sim.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use coordinator::directory;
use incast_core::record::Verdict;
use incast_core::scenario::Scenario;
use support::*;

/// How long the runs of this file last in virtual time: enough that every queue that can fill does.
const CUT: &str = "200ms";
/// And how many messages a flow has at most.
const CUT_MESSAGES: &str = "20000";
/// Of the scenarios that are too large for that, and of one in which a message takes half a second.
const OTHER_CUTS: [(&str, &str); 3] =
    [("lhcb-2003/", "3ms"), ("rhul/sub-farms", "10ms"), ("main-and-data", "1s")];

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the scenarios").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
}

/// The text with shorter runs.
fn cut(path: &Path, text: &str) -> String {
    let other = OTHER_CUTS.iter().find(|(name, _)| path.to_string_lossy().contains(name));
    let duration = other.map_or(CUT, |(_, duration)| duration);
    let line = |line: &str| match line.split_once(" = ") {
        Some(("duration", _)) => format!("duration = \"{duration}\"\n"),
        Some(("messages", many)) if many.len() > CUT_MESSAGES.len() => format!("messages = {CUT_MESSAGES}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// The variants that can be simulated, `base` among them, and those that cannot.
fn variants(name: &str, text: &str) -> [Vec<String>; 2] {
    let read = |settings: &[_]| {
        Scenario::parse_with(text, settings).unwrap_or_else(|errors| panic!("{}", errors.explained(name)))
    };
    let base = read(&[]);
    let mut all = vec![("base".to_owned(), base.not_simulable())];
    for variant in &base.variants {
        all.push((variant.name.clone(), read(&variant.settings).not_simulable()));
    }
    let (can, cannot): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, why)| why.is_empty());
    [can, cannot].map(|part| part.into_iter().map(|(name, _)| name).collect())
}

#[test]
fn every_scenario_that_can_be_simulated_comes_to_a_verdict_and_closes_its_books() {
    let mut found = Vec::new();
    files(&scenarios(), &mut found);
    found.sort();
    let (mut simulated, mut refused) = (0, 0);
    for path in found {
        let name = path.strip_prefix(scenarios()).expect("it is below").display().to_string();
        let text = cut(&path, &fs::read_to_string(&path).expect(&name));
        let [can, cannot] = variants(&name, &text);
        refused += cannot.len();
        if can.is_empty() {
            continue;
        }
        let words = can.iter().flat_map(|variant| ["--variant", variant]);
        let mut started = sim_in(directory(&[("scenario.toml", &text)]), words);
        let ended = finished(&mut started);
        let records = records(&started);
        assert_eq!(records.len(), can.len(), "{name}: a record for each; it said:\n{}", ended.stderr);
        for record in &records {
            let name = format!("{name} {}", record.scenario.variant.as_deref().unwrap_or("base"));
            assert_books_close(&name, record);
        }
        simulated += records.len();
    }
    assert!(simulated > 60 && refused < simulated / 2, "{simulated} simulated, {refused} refused");
}

#[test]
fn the_same_twice_is_the_same_to_the_byte() {
    for text in [SMALL.to_owned(), cut(Path::new(""), &scenario_text("readout.toml"))] {
        let (one, record) = simulated(&text, ["--variant", "base"]);
        let (other, _) = simulated(&text, ["--variant", "base"]);
        assert!(one == other, "{}: two runs differ", record.scenario.name);
        assert_books_close(&record.scenario.name, &record);
        // Nothing of this machine or this moment is in it.
        assert_eq!((record.started_at, record.host.processor), (None, Default::default()));
    }
}

#[test]
fn another_seed_is_another_run_and_the_same_seed_the_same() {
    let (_, own) = simulated(SMALL, [""; 0]);
    let (_, stated) = simulated(SMALL, ["--seed", "7"]);
    let (_, other) = simulated(SMALL, ["--seed", "8"]);
    assert_eq!(own, stated, "the scenario says seed 7");
    assert_eq!((own.scenario.seed, other.scenario.seed), (7, 8));
    let digest = |record: &incast_core::record::Record| {
        record.simulation.as_ref().expect("it was simulated").digest.clone()
    };
    assert_ne!(digest(&own), digest(&other));
    assert_books_close("seed 8", &other);
}

/// The tables `[[kind]]` of a text in the opposite order, each where one was.
fn reversed(text: &str, kind: &str) -> String {
    let head = format!("[[{kind}]]");
    let mut parts: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.lines() {
        if line.starts_with('[') {
            parts.push(Vec::new());
        }
        parts.last_mut().expect("there is one").push(line);
    }
    let is_one = |part: &[&str]| part.first().is_some_and(|line| *line == head);
    let mut ours: Vec<Vec<&str>> = parts.iter().filter(|part| is_one(part)).cloned().collect();
    assert!(ours.len() > 1, "there is one {head} alone: its order is no question");
    let parts =
        parts.into_iter().map(|part| if is_one(&part) { ours.pop().expect("one left") } else { part });
    parts.flatten().map(|line| format!("{line}\n")).collect()
}

/// A readout whose roles are told one by one, so that they can be told in another order.
const ROLES: &str = r#"
incast = 1
name = "roles"
seed = 3
interval = "10ms"
duration = "40ms"

[[host]]
name = "t"
[[host]]
name = "a"
[[host]]
name = "b"
[[host]]
name = "c"
[[host]]
name = "d"
[[host]]
name = "e"

[[switch]]
name = "main"
when_full = "drop"
rate = "1Gbit/s"
port_queue = "64KiB"

[[cable]]
from = ["t", "a", "b"]
to = "main"
[[cable]]
from = ["c", "d", "e"]
to = "main"

[readout]
fragments_over = "udp"
event_timeout = "20ms"

[trigger]
host = "t"
load = "4kHz"
spacing = "poisson"

[[source]]
name = "left"
host = "a"
fragment = "1KiB..7KiB"
[[source]]
name = "right"
host = "b"
fragment = "2KiB..10KiB"

[[builder]]
name = "first"
host = "c"
policy = "tokens"
[[builder]]
name = "second"
host = "d"
policy = "tokens"

[[node]]
name = "quick"
host = "c"
time = "200us"
accept = 0.5
[[node]]
name = "slow"
host = "d"
time = "700us"
spread_of_time = "exponential"
accept = 0.1

[[sink]]
host = "e"
"#;

#[test]
fn the_order_in_which_a_file_declares_things_changes_nothing() {
    let (_, flows) = simulated(SMALL, [""; 0]);
    let (_, readout) = simulated(ROLES, [""; 0]);
    assert_books_close("roles", &readout);
    let cases = [
        (SMALL, &flows, &["flow", "host"][..]),
        (ROLES, &readout, &["source", "builder", "node", "host", "cable"]),
    ];
    for (text, first, kinds) in cases {
        for kind in kinds {
            let (_, other) = simulated(&reversed(text, kind), [""; 0]);
            let (first, other) = (sorted(first), sorted(&other));
            let digests = [&first, &other].map(|record| &record.simulation.as_ref().expect("sim").digest);
            assert_eq!(digests[0], digests[1], "[[{kind}]] in another order");
            assert_eq!(first, other, "[[{kind}]] in another order");
        }
    }
}

/// A record without its text, and with its lists in one order: they stand as the file has them.
fn sorted(record: &incast_core::record::Record) -> incast_core::record::Record {
    let mut record = without_text(record);
    record.flows.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(network) = &mut record.network {
        network.hosts.sort_by(|one, other| one.name.cmp(&other.name));
        network.cables.sort_by(|one, other| one.from.cmp(&other.from));
        // Which address a host has follows from its place in the file.
        network.hosts.iter_mut().for_each(|host| host.addresses.clear());
    }
    if let Some(readout) = &mut record.readout {
        readout.roles.sort_by(|one, other| (&one.kind, &one.name).cmp(&(&other.kind, &other.name)));
        readout.events.missing.sort_by(|one, other| one.name.cmp(&other.name));
    }
    record
}

#[test]
fn ctrl_c_keeps_what_was_simulated() {
    // Far more than can be simulated before the signal comes.
    let text = SMALL.replace("duration = \"40ms\"", "duration = \"3600s\"");
    let mut started = sim(&text, ["--variant", "base"]);
    started.line("it has begun", |line| line.contains("small").then_some(()));
    started.signal(rustix::process::Signal::INT);
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Interrupted);
    let simulation = record.simulation.as_ref().expect("what was simulated until then");
    assert!(simulation.virtual_s > 0.0 && simulation.virtual_s < 3_600.0, "{}", simulation.virtual_s);
    assert_eq!(simulation.bytes.residual, 0);
    assert!(record.caveats.iter().any(|caveat| caveat.text.contains("ended early")), "{:?}", record.caveats);
}
