//! The store from outside: streams, files that are full, repeats, and what is flagged.

#[path = "support/packets.rs"]
mod packets;

use incast_core::mdf::{Checksum, ChecksumKind, Index, Marks, Numbered, Reader, keep, verify_generated};
use incast_core::readout::{Cause, EventNumber, Failure, SourceId, Verdict};
use incast_core::wire::crc32c::crc32c;
use incast_store::{Committed, SinkStore, StoreError, StorePlan};
use packets::*;

#[test]
fn events_are_in_every_stream_of_their_verdict_and_verify_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let plan = StorePlan { checksum: ChecksumKind::Hash, ..plan(&["physics", "calib"]) };
    let (mut store, _) = SinkStore::open(dir.path(), plan).unwrap();
    let verdicts = [accept(1), Verdict::Reject, accept(3), accept(2)];
    store.append(&verdicts, &packet(100, 4, 3, 500));
    assert_eq!(store.known().len(), 0, "nothing is known before the commit");
    let committed = store.commit().unwrap();
    assert_eq!((committed.events, committed.records), (3, 4));
    assert_eq!(numbers(store.known()), [100, 102, 103]);
    for (name, events) in [("physics-3-000001", [100, 102]), ("calib-3-000001", [102, 103])] {
        let bytes = std::fs::read(dir.path().join(format!("{name}.mdf"))).unwrap();
        let index = std::fs::read(dir.path().join(format!("{name}.idx"))).unwrap();
        let (index, good) = Index::parse(&index).unwrap();
        assert_eq!((index.run, good), (7, 16 + 2 * 36));
        for ((event, entry), (offset, record)) in
            events.into_iter().zip(index.entries).zip(Reader::new(&bytes).records())
        {
            assert_eq!(keep::number_of(&record, RUN), Some(EventNumber(event)));
            assert_eq!(
                (entry.event, entry.offset, entry.numbered),
                (event, offset as u64, Numbered::ByTiming)
            );
            assert!(entry.matches(record.bytes()) && record.checksum() == Checksum::Matches);
            assert_eq!((entry.marks, entry.streams), (Marks::default(), record.header().trigger_mask[0]));
            let check = verify_generated(&record);
            assert_eq!((check.banks, check.bytes, check.wrong), (3, 1500, None));
        }
        let summary =
            store.files().into_iter().find(|file| file.path.ends_with(format!("{name}.mdf"))).unwrap();
        assert_eq!((summary.holds.records, summary.holds.crc), (2, crc32c(&bytes)));
        assert_eq!(
            (summary.holds.first, summary.holds.last),
            (Some(EventNumber(events[0])), Some(EventNumber(events[1])))
        );
    }
}

#[test]
fn what_is_wrong_with_an_event_is_stored_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = SinkStore::open(dir.path(), plan(&["a"])).unwrap();
    let failure = Failure::Timeout;
    store.append(&[accept(1)], &incomplete(1, 3, 50));
    store.append(&[Verdict::Unjudged { streams: 1, failure }], &generated(2, 3, 50));
    let nonsense = vec![Some(fragment(3, 0, 50)), Some(b"no banks".to_vec()), Some(vec![0; 70_000])];
    store.append(&[accept(1)], &build(3, 1, nonsense));
    store.commit().unwrap();
    let bytes = std::fs::read(dir.path().join("a-3-000001.mdf")).unwrap();
    let records: Vec<_> = Reader::new(&bytes).records().map(|(_, record)| record).collect();
    assert_eq!(records.len(), 3);
    let flaws: Vec<_> = records.iter().map(|record| keep::flaw(record).unwrap()).collect();
    assert_eq!(flaws[0].missing, [SourceId(2)].into_iter().collect());
    assert_eq!((flaws[0].cause, flaws[0].failure), (Some(Cause::Ended), None));
    assert_eq!((flaws[1].cause, flaws[1].failure), (None, Some(failure)));
    assert_eq!(flaws[2].damaged, [1, 2].map(SourceId).into_iter().collect());
    let counts = store.counts();
    assert_eq!((counts.incomplete, counts.unjudged, counts.damaged, counts.events), (1, 1, 1, 3));
    // Not a byte of what came is lost.
    let kept: Vec<u8> = records[2]
        .banks()
        .map(Result::unwrap)
        .filter(|bank| bank.id().version == 0x1d && bank.id().source == 1)
        .flat_map(|bank| bank.data().to_vec())
        .collect();
    assert_eq!(kept, b"no banks");
    let kept: usize = records[2]
        .banks()
        .map(Result::unwrap)
        .filter(|bank| bank.id().version == 0x1d && bank.id().source == 2)
        .map(|bank| bank.data().len())
        .sum();
    assert_eq!(kept, 70_000);
}

#[test]
fn a_replayed_record_is_stored_byte_for_byte_and_found_by_the_number_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = SinkStore::open(dir.path(), plan(&["a"])).unwrap();
    store.append(&[accept(1)], &generated(41, 5, 300));
    store.commit().unwrap();
    let record = std::fs::read(dir.path().join("a-3-000001.mdf")).unwrap();
    for event in [1000, 1001] {
        store.append(&[accept(1)], &replayed(event, &record, 4));
    }
    store.commit().unwrap();
    let bytes = std::fs::read(dir.path().join("a-3-000001.mdf")).unwrap();
    assert_eq!(bytes, record.repeat(3));
    drop(store);
    let (store, recovered) = SinkStore::open(dir.path(), plan(&["a"])).unwrap();
    assert_eq!(numbers(store.known()), [41, 1000, 1001]);
    assert_eq!((recovered.torn_bytes, recovered.indexed, recovered.files.len()), (0, 0, 1));
}

#[test]
fn a_full_file_is_followed_by_another_and_so_is_an_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) =
        SinkStore::open(dir.path(), StorePlan { file_bytes_max: 2_000, ..plan(&["a"]) }).unwrap();
    for event in 0..10 {
        // Larger than a file may be: it has one of its own.
        store.append(&[accept(1)], &generated(event, 2, if event == 5 { 5_000 } else { 200 }));
    }
    store.commit().unwrap();
    let sizes: Vec<_> = store.files().iter().map(|file| file.holds.records).collect();
    assert_eq!(sizes, [3, 2, 1, 3, 1]);
    drop(store);
    let plan = StorePlan { file_age_max: Some(std::time::Duration::ZERO), ..plan(&["a"]) };
    let (mut store, recovered) = SinkStore::open(dir.path(), plan).unwrap();
    assert_eq!(recovered.files.len(), 5);
    for event in 10..13 {
        store.append(&[accept(1)], &generated(event, 2, 10));
        store.commit().unwrap();
    }
    let files = store.close();
    assert_eq!(files.iter().map(|file| file.holds.records).collect::<Vec<_>>(), [3, 2, 1, 3, 1, 1, 1, 1]);
}

#[test]
fn an_event_that_is_stored_is_not_stored_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = SinkStore::open(dir.path(), plan(&["a"])).unwrap();
    for _ in 0..2 {
        store.append(&[accept(1)], &generated(1, 2, 10));
        store.append(&[accept(1)], &generated(1, 2, 10));
        store.commit().unwrap();
    }
    assert_eq!(store.commit().unwrap(), Committed::default());
    assert_eq!((store.counts().records, store.counts().repeats), (1, 3));
}

#[test]
fn a_stream_without_a_name_loses_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = SinkStore::open(dir.path(), plan(&["a", "b"])).unwrap();
    store.append(&[accept(0b1_0000)], &generated(1, 2, 10));
    store.append(&[accept(0b1_0010)], &generated(2, 2, 10));
    assert_eq!(store.commit().unwrap().records, 2);
    assert_eq!(store.counts().unnamed_streams, 2);
    assert_eq!(
        files(dir.path()).into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
        ["a-3-000001.idx", "a-3-000001.mdf", "b-3-000001.idx", "b-3-000001.mdf"]
    );
}

#[test]
fn a_directory_has_one_writer_and_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = SinkStore::open(dir.path(), plan(&["a"])).unwrap();
    assert!(matches!(SinkStore::open(dir.path(), plan(&["a"])), Err(StoreError::Locked(_))));
    store.append(&[accept(1)], &generated(1, 2, 10));
    store.commit().unwrap();
    drop(store);
    let other = StorePlan { run: incast_core::readout::RunNumber(8), ..plan(&["a"]) };
    assert!(matches!(SinkStore::open(dir.path(), other), Err(StoreError::OtherRun { found: 7, .. })));
    for streams in [&[][..], &["a-b"], &["a", "a"]] {
        assert!(matches!(SinkStore::open(dir.path(), plan(streams)), Err(StoreError::Plan(_))));
    }
}

#[test]
fn who_opens_the_files_again_is_told_what_misses_sources_and_which() {
    let dir = tempfile::tempdir().unwrap();
    let plan = || plan(&["a", "b"]);
    let (mut store, _) = SinkStore::open(dir.path(), plan()).unwrap();
    store.append(&[accept(1)], &generated(1, 3, 50));
    store.append(&[accept(3)], &incomplete(2, 3, 50));
    store.append(&[accept(2)], &incomplete(5, 3, 50));
    store.commit().unwrap();
    drop(store);
    let (store, _) = SinkStore::open(dir.path(), plan()).unwrap();
    let mut told = Vec::new();
    store.incomplete(|event, missing| told.push((event.0, missing.iter().count()))).unwrap();
    assert_eq!(told, [(2, 1), (2, 1), (5, 1)], "in every stream");
}
