//! `incast events` and `incast runs` from outside: files of the store, cut, damaged and foreign ones, and a
//! real one if the environment variable `INCAST_MDF` names it.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "../../incast-store/tests/support/packets.rs"]
mod packets;

use std::fs;
use std::path::{Path, PathBuf};

use incast_core::mdf::{ChecksumKind, Reader};
use incast_core::readout::{EventNumber, RunNumber, SinkId, Verdict};
use incast_store::{Catalogue, RunVerdict, SinkStore, StorePlan};
use serde_json::Value;
use tempfile::TempDir;

use coordinator::{Ended, incast};
use packets::{RUN, accept, generated, incomplete, replayed};

/// A directory with a file of five events: two whole, one incomplete, one unjudged, one replayed.
fn stored() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("it works");
    let streams = vec!["physics".to_owned(), "calib".to_owned()];
    let plan = StorePlan { streams, ..StorePlan::new(RUN, SinkId(0)) };
    let (mut store, _) = SinkStore::open(dir.path(), plan).expect("it works");
    store.append(&[accept(1)], &generated(10, 3, 100));
    store.append(&[accept(3)], &generated(11, 3, 70_000));
    store.append(&[accept(1)], &incomplete(12, 3, 100));
    let failure = incast_core::readout::Failure::Timeout;
    store.append(&[Verdict::Unjudged { streams: 1, failure }], &generated(13, 3, 100));
    let mut record = Vec::new();
    let keep = |_| {};
    incast_core::mdf::keep(&generated(5, 2, 50), &[accept(1)], ChecksumKind::Hash, &mut record, keep);
    store.append(&[accept(1)], &replayed(14, &record, 3));
    store.commit().expect("it works");
    let path = dir.path().join("physics-0-000001.mdf");
    (dir, path)
}

fn events<const N: usize>(words: [&str; N], code: i32) -> Ended {
    incast(std::iter::once("events").chain(words)).ends_with(code)
}

fn lines(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).expect("it works")).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("it works")
}

#[test]
fn events_are_listed_with_what_is_wrong_with_them() {
    let (_dir, path) = stored();
    let listed = events([text(&path)], 0);
    for said in ["incomplete: run ended, without sources 2", "unjudged: time-out", "replayed", "5 records"] {
        assert!(listed.stdout.contains(said), "{said}:\n{}", listed.stdout);
    }
    let rows = lines(&events(["list", text(&path), "--json"], 0));
    let numbers: Vec<_> = rows.iter().map(|row| row["event"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [10, 11, 12, 13, 14]);
    assert_eq!((&rows[1]["streams"], &rows[1]["run"]), (&serde_json::json!([0, 1]), &serde_json::json!(7)));
    assert_eq!(
        (&rows[1]["banks"], &rows[4]["numbered"]),
        (&serde_json::json!(7), &serde_json::json!("index"))
    );
}

#[test]
fn a_good_file_is_good_and_every_damage_is_named_with_its_place() {
    let (dir, path) = stored();
    let good = events(["check", text(&path)], 0);
    assert!(good.stdout.contains("good: 5 records"), "{}", good.stdout);
    assert!(good.stdout.contains("5 by check sum, 5 by index"), "{}", good.stdout);
    let bytes = fs::read(&path).unwrap();
    let ends: Vec<_> = Reader::new(&bytes).records().map(|(at, record)| at + record.bytes().len()).collect();
    // A byte of content; the end cut off; a byte of the index.
    let mut damaged = bytes.clone();
    damaged[ends[0] + 300] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let said = events(["check", text(&path)], 1);
    said.says(&[&format!("at offset {}", ends[0]), "check sum"]);
    fs::write(&path, &bytes[..ends[4] - 1]).unwrap();
    let said = events(["check", text(&path)], 1);
    said.says(&[&format!("at offset {}", ends[3]), "the index has 1 entries"]);
    let listed = events([text(&path)], 1);
    assert!(listed.stdout.contains("4 records"), "all that is whole is shown: {}", listed.stdout);
    listed.says(&[&format!("at offset {}", ends[3])]);
    fs::write(&path, &bytes).unwrap();
    let index = dir.path().join("physics-0-000001.idx");
    let mut entries = fs::read(&index).unwrap();
    entries[16 + 36 + 20] ^= 1;
    fs::write(&index, entries).unwrap();
    events(["check", text(&path)], 1).says(&["event 11", "the index does not have it"]);
}

#[test]
fn wrong_content_is_found_even_if_every_check_sum_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let mut record = Vec::new();
    let mut built = generated(10, 3, 100);
    if let incast_core::readout::Built::Complete(_) = &built {
        let wrong = [Some(packets::fragment(10, 0, 100)), Some(packets::fragment(11, 1, 100))];
        built = packets::build(10, 1, wrong.to_vec());
    }
    incast_core::mdf::keep(&built, &[accept(1)], ChecksumKind::Hash, &mut record, |_| {});
    let path = dir.path().join("a.mdf");
    fs::write(&path, record).unwrap();
    let said = events(["check", text(&path)], 1);
    said.says(&["event 10 at offset 0: the content of source 1 is wrong from byte 0 on"]);
}

#[test]
fn a_dump_shows_banks_by_name_and_in_hex() {
    let (_dir, path) = stored();
    let dump = events(["dump", text(&path), "--event", "12"], 0).stdout;
    for said in
        ["event 12, run 7", "(ODIN), version 7", "(DAQ (flaw))", "(TestDet), version 1, source 1: 100 bytes"]
    {
        assert!(dump.contains(said), "{said}:\n{dump}");
    }
    assert!(dump.contains("    000000  07 00 00 00 "), "{dump}");
    assert!(!dump.contains("event 13"));
    events(["dump", text(&path), "--event", "99"], 1).says(&["event 99 is in none of the files"]);
}

#[test]
fn a_filter_copies_what_fulfils_all_conditions_byte_for_byte() {
    let (dir, path) = stored();
    let out = dir.path().join("some.mdf");
    let numbers = |words: &[&str]| -> Vec<u64> {
        let words = [&["events", "filter", text(&path), "--out", text(&out)], words].concat();
        incast(words).ends_with(0);
        events(["check", text(&out)], 0);
        lines(&events(["list", text(&out), "--json"], 0))
            .iter()
            .map(|row| row["event"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(numbers(&[]), [10, 11, 12, 13, 14]);
    assert_eq!(fs::read(&out).unwrap(), fs::read(&path).unwrap());
    assert_eq!(numbers(&["--events", "11-12", "--events", "14"]), [11, 12, 14]);
    assert_eq!(numbers(&["--stream", "1"]), [11]);
    assert_eq!(numbers(&["--bank", "daq"]), [12, 13]);
    assert_eq!(numbers(&["--source", "2", "--events", "0-12"]), [10, 11]);
    assert_eq!(numbers(&["--bank", "66"]), [0; 0]);
    let before = fs::read(&path).unwrap();
    events(["filter", text(&path), "--out", text(&path)], 2).says(&["it would replace"]);
    events(["filter", text(&path), "--bank", "nonsense", "--out", text(&out)], 2)
        .says(&["ODIN", "say its number"]);
    assert_eq!(fs::read(&path).unwrap(), before);
    let left = fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".new"));
    assert_eq!(left.count(), 0);
}

#[test]
fn json_lines_are_the_same_file_again() {
    let (dir, path) = stored();
    let [json, again] = ["a.jsonl", "again.mdf"].map(|name| dir.path().join(name));
    events(["convert", text(&path), "--to", "jsonl", "--out", text(&json)], 0);
    events(["convert", text(&json), "--to", "mdf", "--out", text(&again)], 0);
    assert_eq!(fs::read(&again).unwrap(), fs::read(&path).unwrap());
    let rows = lines(&events(["list", text(&again), "--json"], 0));
    assert_eq!(rows[4]["event"], 14, "the number of what was replayed is kept");
    let lines = lines(&events(["convert", text(&path), "--to", "jsonl"], 0));
    assert_eq!((&lines[0]["banks"][0]["name"], lines.len()), (&serde_json::json!("ODIN"), 5));
    // A line that is none costs itself.
    let mut text_of = fs::read_to_string(&json).unwrap();
    text_of.insert_str(0, "{\"event\": 1}\n");
    fs::write(&json, text_of).unwrap();
    events(["convert", text(&json), "--to", "mdf", "--out", text(&again)], 1)
        .says(&["a.jsonl, line 1: no record"]);
    assert_eq!(fs::read(&again).unwrap(), fs::read(&path).unwrap());
}

#[test]
fn what_is_foreign_is_said_and_what_is_not_there_is_an_error() {
    let (dir, path) = stored();
    let foreign = dir.path().join("foreign.mdf");
    fs::write(&foreign, "text and nothing else, longer than the header of any record").unwrap();
    events([text(&foreign)], 1)
        .says(&["at offset 0, 59 bytes are no good record", "sizes of a record differ"]);
    // A record of compressed banks, as LHCb may write them.
    let mut record = fs::read(&path).unwrap();
    let first = Reader::new(&record.clone()).records().next().unwrap().1.bytes().len();
    record.truncate(first);
    record[16] = 0x11;
    record[12..16].fill(0);
    fs::write(&foreign, &record).unwrap();
    assert!(events([text(&foreign)], 0).stdout.contains("compressed"));
    assert!(events(["check", text(&foreign)], 0).stderr.contains("compressed: its banks are not looked at"));
    let json = dir.path().join("c.jsonl");
    events(["convert", text(&foreign), "--to", "jsonl", "--out", text(&json)], 0);
    events(["convert", text(&json), "--to", "mdf", "--out", text(&dir.path().join("c.mdf"))], 0);
    assert_eq!(fs::read(dir.path().join("c.mdf")).unwrap(), record);
    events(["none.mdf"], 2).says(&["open the events none.mdf", "No such file"]);
    events([text(dir.path())], 2).says(&["it is no file"]);
}

#[test]
fn the_catalogue_is_listed_with_verdicts_and_files() {
    let dir = tempfile::tempdir().unwrap();
    let (files, _) = stored();
    let catalogue = Catalogue::open(dir.path()).unwrap();
    let run = catalogue.begin_run(RunNumber(7), "first", 1_000_000_000).unwrap();
    let streams = vec!["physics".to_owned(), "calib".to_owned()];
    let plan = StorePlan { streams, ..StorePlan::new(RUN, SinkId(0)) };
    let (store, _) = SinkStore::open(files.path(), plan).unwrap();
    for file in store.close() {
        catalogue.file(run, SinkId(0), &file).unwrap();
    }
    catalogue.end_run(run, 2_000_000_000, RunVerdict::Incomplete, &["1 event".into()], &Value::Null).unwrap();
    catalogue.begin_run(RunNumber(8), "killed", 3_000_000_000).unwrap();
    let runs = incast(["runs", text(dir.path()), "--files"]).ends_with(0).stdout;
    for said in ["1970-01-01T00:00:01Z", "INCOMPLETE", "1 event", "INTERRUPTED", "events 10 to 14", "killed"]
    {
        assert!(runs.contains(said), "{said}:\n{runs}");
    }
    let runs = lines(&incast(["runs", text(dir.path()), "--json", "--files"]).ends_with(0));
    assert_eq!(
        (&runs[0]["records"], &runs[0]["files_of_run"][1]["records"]),
        (&serde_json::json!(6), &serde_json::json!(5))
    );
    incast(["runs", "nowhere"]).ends_with(2).says(&["nowhere/catalogue.sqlite: there is none"]);
}

/// A file of LHCb: read, dealt out, stored and read again, it is the same.
#[test]
fn a_real_file_goes_through_the_store_and_comes_out_identical() {
    let Some(real) = std::env::var_os("INCAST_MDF").map(PathBuf::from) else {
        use std::io::Write as _;
        let said = "NOT RUN: no real MDF file was read; name one with the environment variable INCAST_MDF";
        writeln!(std::io::stderr(), "{said}").unwrap();
        return;
    };
    let bytes = fs::read(&real).unwrap();
    let real = fs::canonicalize(real).unwrap();
    let checked = events(["check", text(&real)], 0);
    assert!(checked.stdout.contains(": good: "), "{}", checked.stdout);
    assert!(events([text(&real)], 0).stdout.contains("records in"));
    for sources in [1, 5, 8] {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = SinkStore::open(dir.path(), StorePlan::new(RUN, SinkId(0))).unwrap();
        for ((_, record), event) in Reader::new(&bytes).records().zip(100..) {
            store.append(&[accept(1)], &replayed(event, record.bytes(), sources));
            store.commit().unwrap();
        }
        assert!(store.known().contains(EventNumber(100)));
        let path = dir.path().join("events-0-000001.mdf");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{sources} sources");
        let rows = lines(&events(["list", text(&path), "--json"], 0));
        assert_eq!(
            (&rows[0]["event"], &rows[1]["event"]),
            (&serde_json::json!(100), &serde_json::json!(101))
        );
        events(["check", text(&path)], 0);
        let [json, again] = ["a.jsonl", "again.mdf"].map(|name| dir.path().join(name));
        events(["convert", text(&path), "--to", "jsonl", "--out", text(&json)], 0);
        events(["convert", text(&json), "--to", "mdf", "--out", text(&again)], 0);
        assert_eq!(fs::read(&again).unwrap(), bytes);
    }
}
