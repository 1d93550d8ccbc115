//! Labs in tests: the right to make them, a scenario of three hosts, and what must be left: nothing.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use incast_core::caveat::CaveatKind;
use incast_core::record::{Ledger, Record};

use crate::account::{assert_all_explained, has_caveat};
use crate::coordinator::{Started, directory, incast_in, read_record};

/// Two labs at once are enough for two cores, and one test makes them so.
pub(crate) static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The right to make a lab; `None`, and said, without root.
pub(crate) fn may_make_labs() -> Option<MutexGuard<'static, ()>> {
    if rustix::process::geteuid().is_root() {
        return Some(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
    }
    assert!(std::env::var_os("CI").is_none(), "tests of labs need root, and CI must run them");
    let _ = writeln!(std::io::stderr(), "NOT RUN: a test of labs needs root (sudo -E cargo test --test lab)");
    None
}

/// Names of a directory's entries.
pub(crate) fn entries(dir: &str) -> BTreeSet<String> {
    let all = fs::read_dir(dir).into_iter().flatten().flatten();
    all.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

pub(crate) fn output(program: &str, args: &[&str]) -> Output {
    Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program} {args:?}: {error}"))
}

/// What this machine has outside of namespaces, by the words of iproute2.
pub(crate) fn outside() -> [String; 3] {
    [&["ip", "-o", "link"][..], &["ip", "rule"], &["tc", "qdisc", "show"]].map(|words| {
        let output = output(words[0], &words[1..]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
}

/// What this machine had when a test began, against which its end is held.
pub(crate) struct Inventory {
    outside: [String; 3],
    name: String,
    /// What labs of the same name had left already: those of a killed run, which are not ours to judge.
    before: BTreeSet<String>,
}

impl Inventory {
    /// Of the labs of the scenario called `name`.
    pub(crate) fn take(name: &str) -> Self {
        let mut inventory = Self { outside: outside(), name: name.into(), before: BTreeSet::new() };
        inventory.before = inventory.of_lab().into_iter().collect();
        inventory
    }

    /// Namespaces and entries of the scenario's labs that were made since. Labs of other names come
    /// and go as they please.
    pub(crate) fn of_lab(&self) -> Vec<String> {
        let mine = format!("{}-", self.name);
        let all = entries("/run/netns").into_iter().chain(entries("/run/incast"));
        all.filter(|entry| entry.contains(&mine) && !self.before.contains(entry)).collect()
    }

    /// Asserts that nothing of the lab, of the calibration before it or of its processes is left.
    pub(crate) fn assert_nothing_left(&self, started: &Started) {
        started.assert_nothing_left();
        assert_eq!(self.of_lab(), Vec::<String>::new());
        assert_eq!(outside(), self.outside, "outside of namespaces nothing is touched");
        let pid = format!("calibration-{}", started.id());
        let left: Vec<_> = entries("/run/netns").into_iter().filter(|name| name.contains(&pid)).collect();
        assert_eq!(left, Vec::<String>::new());
    }
}

/// A scenario of the hosts x, y and z at one switch.
pub(crate) struct Sheet {
    pub(crate) name: &'static str,
    pub(crate) switch: &'static str,
    pub(crate) cable: &'static str,
    pub(crate) flows: &'static [&'static str],
    pub(crate) more: &'static str,
    pub(crate) seconds: u32,
}

pub(crate) const SHEET: Sheet = Sheet { name: "", switch: "", cable: "", flows: &[], more: "", seconds: 1 };

pub(crate) const UDP_Y: &str = r#"name = "y", from = "y", to = "x", transport = "udp""#;
pub(crate) const UDP_Z: &str = r#"name = "z", from = "z", to = "x", transport = "udp""#;
pub(crate) const TCP_Y: &str = r#"name = "y", from = "y", to = "x", transport = "tcp", congestion = "cubic""#;
pub(crate) const TCP_Z: &str = r#"name = "z", from = "z", to = "x", transport = "tcp", congestion = "cubic""#;

impl Sheet {
    pub(crate) fn text(&self) -> String {
        let Self { name, switch, cable, more, seconds, .. } = self;
        let head =
            format!("incast = 1\nname = \"{name}\"\ninterval = \"250ms\"\nduration = \"{seconds}s\"\n");
        let hosts: String = ["x", "y", "z"]
            .iter()
            .filter(|host| **host != "z" || self.flows.iter().any(|flow| flow.contains("from = \"z\"")))
            .map(|host| format!("{{name = \"{host}\"}}, "))
            .collect();
        let from = if hosts.contains('z') { r#"["x", "y", "z"]"# } else { r#"["x", "y"]"# };
        let switch = format!(
            r#"{{name = "main", when_full = "drop", rate = "20Mbit/s", port_queue = "32KiB"{switch}}}"#
        );
        // What a test says itself takes the place of the default.
        let switch = replaced(&switch);
        let flows: String = self.flows.iter().map(|flow| format!("{{{flow}}}, ")).collect();
        format!(
            "{head}host = [{hosts}]\nswitch = [{switch}]\ncable = [{{from = {from}, to = \"main\"{cable}}}]\n\
             flow = [{flows}]\n{more}\n"
        )
    }

    /// Runs it to its end, whatever the verdict; its record, after nothing was left behind.
    pub(crate) fn run(&self) -> Record {
        let inventory = Inventory::take(self.name);
        let mut started = lab(&self.text());
        let ended = started.wait();
        assert!(matches!(ended.status.code(), Some(0 | 1)), "{}: {}", ended.status, ended.stderr);
        inventory.assert_nothing_left(&started);
        assert_eq!(started.records(), std::slice::from_ref(&ended.stdout), "on disk is what was shown");
        let record = read_record(&ended.stdout);
        assert_eq!(record.world, "lab");
        assert_all_explained(&record);
        record
    }
}

/// An inline table in which the last of several values of a key stays.
pub(crate) fn replaced(table: &str) -> String {
    let inner = table.trim_matches(['{', '}']);
    let pairs: Vec<(&str, &str)> = inner.split(", ").filter_map(|pair| pair.split_once(" = ")).collect();
    let is_last = |index: usize| pairs[index + 1..].iter().all(|(key, _)| *key != pairs[index].0);
    let kept: Vec<String> = (0..pairs.len())
        .filter(|index| is_last(*index))
        .map(|index| format!("{} = {}", pairs[index].0, pairs[index].1))
        .collect();
    format!("{{{}}}", kept.join(", "))
}

/// Starts `incast lab` with this scenario.
pub(crate) fn lab(scenario: &str) -> Started {
    incast_in(directory(&[("scenario.toml", scenario)]), ["lab", "scenario.toml", "--json", "--out", "out"])
}

pub(crate) fn ledger(record: &Record) -> &Ledger {
    record.ledger.as_ref().expect("a lab has a second book")
}

/// Messages and packets that died at all places of a stage.
pub(crate) fn died(record: &Record, stage: &str) -> (u64, u64) {
    let places = ledger(record).stages.iter().filter(|place| place.stage == stage);
    places.fold((0, 0), |(messages, packets), place| (messages + place.messages, packets + place.packets))
}

/// Asserts that both books close, and that they say the same.
pub(crate) fn assert_books_close(record: &Record) {
    let ledger = ledger(record);
    assert_eq!(ledger.unexplained_packets, Some(0), "{ledger:?}");
    let lost: u64 = record.flows.iter().filter_map(|flow| flow.messages.lost).sum();
    if ledger.unexplained.is_some() {
        assert_eq!(ledger.unexplained, Some(0), "{ledger:?}");
        let died: u64 = ledger.stages.iter().map(|stage| stage.messages).sum();
        assert_eq!(died, lost, "{ledger:?}");
    }
    assert!(!has_caveat(record, CaveatKind::LedgerOpen), "{:?}", record.caveats);
}

/// Packets that left through the port of that name.
pub(crate) fn passed(record: &Record, place: &str) -> u64 {
    let network = record.network.as_ref().expect("a lab has a network");
    let mut queues = network.cables.iter().flat_map(|cable| &cable.queues);
    queues.find(|queue| queue.place == place).unwrap_or_else(|| panic!("no {place}: {network:?}")).packets
}
