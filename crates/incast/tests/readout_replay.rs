//! Files that are replayed: their banks are dealt out to sources, built again and stored byte for byte.
//! And a real file, if the environment variable `INCAST_MDF` names one.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/readout.rs"]
mod support;

use std::io::Write as _;
use std::path::Path;

use coordinator::{Started, directory, incast_in};
use incast_core::mdf::{BankId, ChecksumKind, Header, Reader, RecordWriter};
use support::{System, assert_account, readout, runs_well};

/// A file of `events` events with banks of many kinds and lengths, none the same.
fn made_file(events: u32) -> Vec<u8> {
    let mut file = Vec::new();
    for event in 0..events {
        let header =
            Header { trigger_mask: [event, !event, 7, 0], ..Header::of_banks(99, event, event % 3_564) };
        let mut record = RecordWriter::begin(&mut file, header);
        for bank in 0..(event % 13 + 1) {
            let id = BankId {
                kind: u8::try_from(bank).expect("it fits"),
                version: 3,
                source: u16::try_from(event).expect("it fits"),
            };
            let length = usize::try_from((event * 37 + bank * 101) % 900).expect("it fits");
            let byte = u8::try_from((event + bank) % 256).expect("it fits");
            record.push(id, &vec![byte; length]).expect("it fits");
        }
        let kind = if event % 5 == 0 { ChecksumKind::None } else { ChecksumKind::Hash };
        record.finish(kind);
    }
    file
}

fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    Reader::new(bytes).records().map(|(_, record)| record.bytes().to_vec()).collect()
}

/// Runs `system` with the file; every stored event is the one of the file with its number.
fn replayed(system: System<'_>, file: &Path, events: usize) {
    let input = records(&std::fs::read(file).expect("read the file"));
    assert!(!input.is_empty());
    let readout_table = format!("replay = \"{}\"\n{}", file.display(), system.readout);
    let trigger = format!("load = \"1kHz\"\nevents = {events}");
    let system =
        System { readout: &readout_table, trigger: &trigger, duration: "20s", node: "count = 2", ..system };
    let (record, disk) = system.runs_well();
    let readout = readout(&record);
    assert_eq!((readout.events.triggered, readout.events.stored), (events as u64, events as u64));
    assert_eq!(readout.replay.as_deref(), Some(file.display().to_string().as_str()));
    for (event, stored) in &disk.events {
        let place = usize::try_from(*event).expect("it fits") % input.len();
        assert!(stored.record == input[place], "event {event}: not as it was in the file");
    }
}

#[test]
fn a_made_file_comes_out_as_it_went_in() {
    let dir = directory(&[]);
    let file = dir.path().join("made.mdf");
    std::fs::write(&file, made_file(150)).expect("write a file");
    for (settings, source, builder) in [
        ("protocol = \"push\"", "count = 3", "count = 1\npolicy = \"tokens\""),
        ("protocol = \"pull\"\npacking = 8", "count = 5", "count = 1"),
        ("protocol = \"push\"\npacking = 32", "count = 1", "count = 2\npolicy = \"tokens\""),
    ] {
        // More events than the file has: it begins again.
        replayed(System { readout: settings, source, builder, ..System::default() }, &file, 400);
    }
}

/// A file of LHCb that the environment names.
#[test]
fn a_real_file_comes_out_as_it_went_in() {
    let Some(path) = std::env::var_os("INCAST_MDF") else {
        let said =
            "NOT RUN: no real MDF file was replayed; name one with the environment variable INCAST_MDF";
        let _ = writeln!(std::io::stderr(), "{said}");
        return;
    };
    let file = std::path::absolute(path).expect("a path");
    let events = records(&std::fs::read(&file).expect("read the file")).len();
    for settings in ["protocol = \"push\"", "protocol = \"pull\"\npacking = 4"] {
        replayed(System { readout: settings, source: "count = 8", ..System::default() }, &file, events);
    }
}

/// A run that cannot begin: exit 2, these words, and nothing left.
fn refused(mut started: Started, words: &[&str]) {
    let ended = started.ends_with(2);
    ended.says(words);
    assert_eq!(ended.stdout, "");
    let left = support::files_under(&started.out());
    assert!(left.is_empty(), "{left:?}");
    let runs = std::fs::read_dir(started.out()).map_or(0, Iterator::count);
    assert_eq!(runs, 0, "a run that could not begin leaves no directory");
    started.assert_nothing_left();
}

#[test]
fn a_file_that_is_missing_or_no_mdf_is_named() {
    let missing = System { readout: "replay = \"nowhere.mdf\"", ..System::default() };
    refused(missing.start(), &["nowhere.mdf", "No such file"]);
    let text = System { readout: "replay = \"letter.txt\"", ..System::default() };
    refused(text.start_with(&[("letter.txt", "Dear reader, this is no MDF file.")]), &["letter.txt", "MDF"]);
    let empty = System { readout: "replay = \"empty.mdf\"", ..System::default() };
    refused(empty.start_with(&[("empty.mdf", "")]), &["empty.mdf", "no event"]);
}

#[test]
fn an_event_of_a_replay_whose_source_died_is_flagged_and_the_rest_as_it_was() {
    let dir = directory(&[]);
    let file = dir.path().join("made.mdf");
    std::fs::write(&file, made_file(50)).expect("write a file");
    let input = records(&std::fs::read(&file).expect("read the file"));
    let settings = format!("replay = \"{}\"\nevent_timeout = \"100ms\"", file.display());
    let system = System {
        readout: &settings,
        node: "count = 2",
        duration: "2s",
        more: "[[fault]]\nrole = \"source-2\"\nwhat = \"kill\"\nat = \"500ms\"\nfor = \"200ms\"",
        ..System::default()
    };
    let mut started = system.start();
    let record = started.record(0);
    let disk = assert_account(&record, &support::run_dir(&started));
    let whole = disk.events.iter().filter(|(_, stored)| !stored.is_incomplete);
    let mut checked = 0;
    for (event, stored) in whole {
        assert!(stored.record == input[usize::try_from(*event).unwrap() % input.len()], "event {event}");
        checked += 1;
    }
    assert!(checked > 500 && disk.incomplete() > 0, "{checked} whole, {} not", disk.incomplete());
}

#[test]
fn a_file_is_replayed_from_where_the_program_is() {
    let system = System {
        readout: "replay = \"made.mdf\"",
        trigger: "load = \"1kHz\"\nevents = 20",
        node: "count = 2",
        ..System::default()
    };
    let dir = directory(&[("scenario.toml", &system.text())]);
    std::fs::write(dir.path().join("made.mdf"), made_file(20)).expect("write a file");
    let (record, _) = runs_well(&mut incast_in(dir, coordinator::RUN));
    assert_eq!(readout(&record).events.stored, 20);
}
