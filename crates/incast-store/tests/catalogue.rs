//! The catalogue: what is written is read, by several at once, and after a writer was killed.

use std::path::Path;

use incast_core::readout::{EventNumber, RunNumber, SinkId};
use incast_store::{CATALOGUE, Catalogue, CatalogueError, FileSummary, Holds, RunVerdict};

fn file(dir: &Path, name: &str, records: u64) -> FileSummary {
    let (first, last) = (Some(EventNumber(0)), Some(EventNumber(u64::MAX)));
    let holds = Holds { records, bytes: 10 * records, first, last, crc: 0xffff_fffe };
    FileSummary { stream: "physics".into(), path: dir.join(name), holds }
}

#[test]
fn runs_and_their_files_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::open(dir.path()).unwrap();
    let first = catalogue.begin_run(RunNumber(u32::MAX), "one", u64::MAX).unwrap();
    let second = catalogue.begin_run(RunNumber(2), "two", 5).unwrap();
    catalogue.file(first, SinkId(3), &file(dir.path(), "sink-3/a.mdf", 4)).unwrap();
    // What it holds by now replaces what it held.
    catalogue.file(first, SinkId(3), &file(dir.path(), "sink-3/a.mdf", 7)).unwrap();
    catalogue.file(first, SinkId(3), &file(Path::new("/elsewhere"), "b.mdf", 1)).unwrap();
    let reasons = ["2 events \"incomplete\"".to_owned()];
    let account = serde_json::json!({ "triggered": 8 });
    catalogue.end_run(first, 9, RunVerdict::Incomplete, &reasons, &account).unwrap();
    drop(catalogue);
    let catalogue = Catalogue::read(dir.path()).unwrap();
    let runs = catalogue.runs().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[0].run, &*runs[0].name, runs[0].started_unix_ns), (u32::MAX, "one", u64::MAX));
    assert_eq!(
        (runs[0].verdict, &runs[0].reasons[..], &runs[0].account),
        (RunVerdict::Incomplete, &reasons[..], &account)
    );
    assert_eq!((runs[0].files, runs[0].records, runs[0].bytes, runs[0].ended_unix_ns), (2, 8, 80, Some(9)));
    // Begun, and nobody said that it ended.
    assert_eq!(
        (runs[1].verdict, runs[1].ended_unix_ns, runs[1].reasons.len()),
        (RunVerdict::Interrupted, None, 1)
    );
    let files = catalogue.files(first).unwrap();
    let paths: Vec<_> = files.iter().map(|file| &*file.path).collect();
    assert_eq!(paths, ["/elsewhere/b.mdf", "sink-3/a.mdf"]);
    assert_eq!(
        (files[1].first_event, files[1].last_event, files[1].crc32c),
        (Some(0), Some(u64::MAX), 0xffff_fffe)
    );
    assert!(catalogue.files(second).unwrap().is_empty());
}

#[test]
fn several_may_open_make_and_write_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let dir = dir.path();
            scope.spawn(move || {
                let catalogue = Catalogue::open(dir).unwrap();
                for run in 0..10 {
                    let run = catalogue.begin_run(RunNumber(run), &format!("by {writer}"), 1).unwrap();
                    catalogue.file(run, SinkId(0), &file(dir, "a.mdf", 1)).unwrap();
                    catalogue.end_run(run, 2, RunVerdict::Good, &[], &serde_json::Value::Null).unwrap();
                }
            });
        }
    });
    let runs = Catalogue::read(dir.path()).unwrap().runs().unwrap();
    assert_eq!(runs.len(), 40);
    assert!(runs.iter().all(|run| run.verdict == RunVerdict::Good && run.files == 1));
}

/// As a kill leaves it: the file and its journal, copied while a transaction is under way.
#[test]
fn a_transaction_that_was_cut_off_is_taken_back() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let catalogue = Catalogue::open(dir.path()).unwrap();
    catalogue.begin_run(RunNumber(1), "before", 1).unwrap();
    let path = dir.path().join(CATALOGUE);
    let other = rusqlite::Connection::open(&path).unwrap();
    // So small a cache that changes reach the file before the transaction ends.
    other.pragma_update(None, "cache_size", 1).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for run in 0..2_000 {
        let name = "x".repeat(200);
        other
            .execute("INSERT INTO runs (number, name, started_unix_ns) VALUES (?1, ?2, 1)", (run, name))
            .unwrap();
    }
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(size(&copy.path().join(CATALOGUE)) > 100_000, "changes had reached the file");
    assert!(copy.path().join(format!("{CATALOGUE}-journal")).exists());
    let runs = Catalogue::read(copy.path()).unwrap().runs().unwrap();
    assert_eq!(runs.iter().map(|run| &*run.name).collect::<Vec<_>>(), ["before"]);
    other.execute_batch("ROLLBACK").unwrap();
}

#[test]
fn what_is_no_catalogue_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Catalogue::read(dir.path()), Err(CatalogueError::Sqlite { .. })));
    let path = dir.path().join(CATALOGUE);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE a (b)").unwrap();
    for open in [Catalogue::open, Catalogue::read] {
        let said = open(dir.path()).unwrap_err().to_string();
        assert!(said.contains("another program"), "{said}");
    }
    std::fs::write(&path, "text, and no database at all, but long enough to be looked at".repeat(20))
        .unwrap();
    assert!(Catalogue::open(dir.path()).unwrap_err().to_string().contains("not a database"));
}
