//! Whole readouts in tests: scenarios of a few lines, what is on disk, and the account held against it.
//!
//! `assert_account` is for every run that leaves a record, however badly it went: laws 2 and 3 close, and
//! what the account calls stored is on disk, once, as it was sent. It knows nothing of how a run should go.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use incast_core::caveat::CaveatKind;
use incast_core::mdf::keep::{flaw, made_here};
use incast_core::mdf::{Checksum, Index, Part, Reader, verify_generated};
use incast_core::record::{Readout, ReadoutRole, Record, Verdict};

use crate::coordinator::{Process, Started, directory, incast_in};

/// A scenario, table by table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System<'a> {
    pub(crate) duration: &'a str,
    pub(crate) readout: &'a str,
    pub(crate) trigger: &'a str,
    pub(crate) source: &'a str,
    pub(crate) builder: &'a str,
    pub(crate) node: &'a str,
    pub(crate) sink: &'a str,
    pub(crate) more: &'a str,
}

impl Default for System<'_> {
    /// Three sources, a builder, two nodes and a sink, for a second.
    fn default() -> Self {
        Self {
            duration: "1s",
            readout: "",
            trigger: "load = \"1kHz\"",
            source: "count = 3\nfragment = \"600B\"",
            builder: "count = 1\npolicy = \"tokens\"",
            node: "count = 2\naccept = 0.5",
            sink: "count = 1",
            more: "",
        }
    }
}

impl System<'_> {
    pub(crate) fn text(&self) -> String {
        let Self { duration, readout, trigger, source, builder, node, sink, more } = self;
        format!(
            "incast = 1\nname = \"trial\"\nseed = 7\ninterval = \"250ms\"\nduration = \"{duration}\"\n\
             [readout]\n{readout}\n[trigger]\n{trigger}\n[[source]]\n{source}\n[[builder]]\n{builder}\n\
             [[node]]\n{node}\n[[sink]]\n{sink}\n{more}\n"
        )
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Started {
        self.start_with(&[])
    }

    /// Starts it where these files are as well.
    pub(crate) fn start_with(&self, files: &[(&str, &str)]) -> Started {
        let text = self.text();
        let mut all = vec![("scenario.toml", text.as_str())];
        all.extend_from_slice(files);
        incast_in(directory(&all), crate::coordinator::RUN)
    }

    /// Runs it; nothing goes wrong. Gives its record and what is on disk.
    pub(crate) fn runs_well(&self) -> (Record, Disk) {
        runs_well(&mut self.start())
    }
}

/// Waits for the end of a run in which nothing goes wrong.
pub(crate) fn runs_well(started: &mut Started) -> (Record, Disk) {
    let record = started.record(0);
    assert_eq!(record.verdict, Verdict::Good);
    let disk = assert_account(&record, &run_dir(started));
    let events = &readout(&record).events;
    assert!(events.triggered > 0, "{events:?}");
    assert_eq!((events.lost, events.incomplete, events.ended_twice, events.never_triggered), (0, 0, 0, 0));
    for kind in [CaveatKind::RoleDied, CaveatKind::PeerNonsense, CaveatKind::StorageStalled] {
        let doubts: Vec<_> = record.caveats.iter().filter(|caveat| caveat.kind == kind).collect();
        assert!(doubts.is_empty(), "nothing went wrong: {doubts:?}; it said:\n{}", started.stderr());
    }
    (record, disk)
}

/// The readout of a record.
pub(crate) fn readout(record: &Record) -> &Readout {
    record.readout.as_ref().expect("the record of a readout")
}

/// The role of this name.
pub(crate) fn role<'a>(record: &'a Record, name: &str) -> &'a ReadoutRole {
    let roles = &readout(record).roles;
    roles.iter().find(|role| role.name == name).unwrap_or_else(|| panic!("no role {name}"))
}

/// A count of a role's last life; 0 when it is not told.
pub(crate) fn count(role: &ReadoutRole, name: &str) -> u64 {
    let all = role.counts.iter().chain(&role.faults);
    all.filter(|count| count.name == name).map(|count| count.count).sum()
}

/// The only directory of a run; panics while there is none.
pub(crate) fn run_dir(started: &Started) -> PathBuf {
    let mut dirs: Vec<PathBuf> = fs::read_dir(started.out())
        .map(|dirs| dirs.flatten().map(|dir| dir.path()).filter(|dir| dir.is_dir()).collect())
        .unwrap_or_default();
    assert_eq!(dirs.len(), 1, "one run has one directory; it said:\n{}", started.stderr());
    dirs.remove(0)
}

/// Waits until the run is in `state`; gives its directory.
pub(crate) fn until_state(started: &Started, state: &str) -> PathBuf {
    let dir = started.until("the directory of the run", crate::coordinator::PATIENCE, || {
        let mut dirs = fs::read_dir(started.out()).ok()?.flatten().map(|dir| dir.path());
        dirs.find(|dir| dir.join("control.json").exists())
    });
    started.until(&format!("state {state}"), crate::coordinator::PATIENCE, || {
        said_by_control(&dir, "status").filter(|said| said.starts_with(state)).map(drop)
    });
    dir
}

/// What `incast control` says; `None` when it fails.
pub(crate) fn said_by_control(dir: &Path, command: &str) -> Option<String> {
    let mut control = std::process::Command::new(env!("CARGO_BIN_EXE_incast"));
    let output = control.arg("control").arg(dir).arg(command).output().expect("start incast control");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The processes of the roles, by kind, before any has died: they are started in the order of the record.
pub(crate) fn processes(started: &Started, [sources, builders, nodes, sinks]: [usize; 4]) -> Cast {
    let all = 1 + sources + builders + nodes + sinks;
    let roles = started.until("every role's process", crate::coordinator::PATIENCE, || {
        let roles = started.roles();
        (roles.len() == all).then_some(roles)
    });
    let mut roles = roles.into_iter();
    let mut take = |count| roles.by_ref().take(count).collect::<Vec<_>>();
    Cast {
        trigger: take(1)[0],
        sources: take(sources),
        builders: take(builders),
        nodes: take(nodes),
        sinks: take(sinks),
    }
}

/// Processes of roles.
pub(crate) struct Cast {
    pub(crate) trigger: Process,
    pub(crate) sources: Vec<Process>,
    pub(crate) builders: Vec<Process>,
    pub(crate) nodes: Vec<Process>,
    pub(crate) sinks: Vec<Process>,
}

/// What sinks have on disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// By number.
    pub(crate) events: BTreeMap<u64, OnDisk>,
    /// Records and bytes of each file.
    pub(crate) files: BTreeMap<PathBuf, (u64, u64)>,
    /// Self-verifying bytes that were verified.
    pub(crate) verified_bytes: u64,
}

/// An event on disk.
#[derive(Debug, Default)]
pub(crate) struct OnDisk {
    pub(crate) streams: BTreeSet<String>,
    pub(crate) is_incomplete: bool,
    pub(crate) is_unjudged: bool,
    /// The record, the same in every stream.
    pub(crate) record: Vec<u8>,
}

impl Disk {
    /// Reads everything under `dir`; panics at the first thing that is wrong.
    pub(crate) fn read(dir: &Path, run: u32) -> Self {
        let mut disk = Self::default();
        for file in files_under(dir) {
            if file.extension().is_some_and(|extension| extension == "mdf") {
                disk.read_file(&file, run);
            }
        }
        disk
    }

    /// Events that are there without their sources all told.
    pub(crate) fn incomplete(&self) -> u64 {
        self.events.values().filter(|event| event.is_incomplete).count() as u64
    }

    /// Events with all their sources.
    pub(crate) fn complete(&self) -> u64 {
        self.events.len() as u64 - self.incomplete()
    }

    /// Events of a stream.
    pub(crate) fn of_stream(&self, stream: &str) -> usize {
        self.events.values().filter(|event| event.streams.contains(stream)).count()
    }

    fn read_file(&mut self, file: &Path, run: u32) {
        let shown = file.display();
        let bytes = fs::read(file).expect("read a file of events");
        let index = fs::read(file.with_extension("idx")).expect("every file has an index");
        let (index, _) = Index::parse(&index).unwrap_or_else(|fault| panic!("{shown}: index: {fault:?}"));
        assert_eq!(index.run, run, "{shown}: its index is of this run");
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let stream = name.rsplitn(3, '-').nth(2).expect("a stream in the name").to_owned();
        let mut entries = index.entries.iter();
        for part in Reader::new(&bytes) {
            let Part::Record { offset, record } = part else { panic!("{shown}: damaged: {part:?}") };
            let entry =
                entries.next().unwrap_or_else(|| panic!("{shown}: byte {offset} is not in the index"));
            assert_eq!(entry.offset, offset as u64, "{shown}: the index is in the order of the file");
            assert!(entry.matches(record.bytes()), "{shown}: byte {offset}: the index is of another record");
            assert!(
                matches!(record.checksum(), Checksum::Matches | Checksum::MatchesLegacy | Checksum::None),
                "{shown}: byte {offset}: {:?}",
                record.checksum()
            );
            if let Some(made) = made_here(&record) {
                assert_eq!((made.run, made.event), (run, entry.event), "{shown}: byte {offset}");
                assert_eq!(record.checksum(), Checksum::Matches, "{shown}: byte {offset}");
            }
            let check = verify_generated(&record);
            assert_eq!(check.wrong, None, "{shown}: event {}", entry.event);
            self.verified_bytes += check.bytes;
            let flaw = flaw(&record);
            let event = self.events.entry(entry.event).or_default();
            assert!(event.streams.insert(stream.clone()), "{shown}: event {} twice in {stream}", entry.event);
            event.is_incomplete = entry.marks.cause.is_some();
            assert_eq!(
                flaw.as_ref().is_some_and(|flaw| !flaw.missing.is_empty()),
                event.is_incomplete,
                "{flaw:?}"
            );
            event.is_unjudged = entry.marks.failure.is_some();
            if event.streams.len() == 1 {
                event.record = record.bytes().to_vec();
            }
            assert!(event.record == record.bytes(), "event {}: streams have different records", entry.event);
        }
        assert!(entries.next().is_none(), "{shown}: the index has more than the file");
        self.files.insert(file.to_owned(), (index.entries.len() as u64, bytes.len() as u64));
    }
}

/// All files under a directory.
pub(crate) fn files_under(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { dirs.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Asserts laws 2 and 3 of a record, and that what it calls stored is under `dir`, once, as it was sent.
pub(crate) fn assert_account(record: &Record, dir: &Path) -> Disk {
    let readout = readout(record);
    let events = &readout.events;
    let sum = events.stored + events.rejected + events.incomplete + events.lost;
    assert_eq!(events.triggered, sum, "law 2: {events:?}");
    assert_eq!((events.residual, events.in_flight), (0, 0), "law 2: {events:?}");
    assert_eq!(events.lost_by.iter().map(|cause| cause.count).sum::<u64>(), events.lost, "{events:?}");
    let credits = readout.credits.as_ref().expect("somebody told of credits");
    assert_eq!(credits.residual, 0, "law 3: {credits:?}");
    assert_eq!(credits.granted, credits.spent + credits.held + credits.expired, "law 3: {credits:?}");
    assert!(
        !record.caveats.iter().any(|caveat| caveat.kind == CaveatKind::AccountOpen),
        "{:?}",
        record.caveats
    );

    let disk = Disk::read(dir, readout.run);
    assert!(disk.events.keys().all(|event| *event < events.triggered), "what was never triggered is on disk");
    // Whoever died for good could not tell the last of what it did.
    let has_gone = |role: &ReadoutRole| role.deaths.len() >= role.lives as usize;
    let tellers = readout.roles.iter().filter(|role| matches!(role.kind.as_str(), "sink" | "trigger"));
    let is_all_told = !tellers.clone().any(has_gone);
    assert!(disk.complete() >= events.stored, "on disk {}, account {events:?}", disk.complete());
    if is_all_told {
        // What missed sources at the first of two levels is incomplete, though the rest of it may be whole.
        let has_two_levels = record.scenario.text.as_ref().is_some_and(|text| text.contains("levels = 2"));
        assert!(
            has_two_levels || disk.complete() == events.stored,
            "on disk {}, {events:?}",
            disk.complete()
        );
        let on_disk = disk.events.len() as u64;
        assert!(on_disk <= events.stored + events.incomplete, "on disk {on_disk}, {events:?}");
        let told: BTreeMap<PathBuf, (u64, u64)> =
            readout.files.iter().map(|file| (file.path.clone().into(), (file.records, file.bytes))).collect();
        let found: BTreeMap<PathBuf, (u64, u64)> = disk
            .files
            .iter()
            .map(|(path, holds)| (fs::canonicalize(path).expect("it is there"), *holds))
            .collect();
        let told: BTreeMap<PathBuf, (u64, u64)> = told
            .into_iter()
            .map(|(path, holds)| (fs::canonicalize(dir.join(path)).expect("it is there"), holds))
            .collect();
        assert_eq!(told, found, "the record's files are those on disk");
    }
    assert_eq!(readout.states.first().map(|state| state.state.as_str()), Some("idle"));
    assert!(
        readout.states.last().is_some_and(|state| ["stopped", "error"].contains(&state.state.as_str())),
        "{:?}",
        readout.states
    );
    disk
}
