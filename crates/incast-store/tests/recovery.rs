//! Stores that died at any byte, and what is found of them: never less than was committed, never more than
//! was written.

#[path = "support/packets.rs"]
mod packets;

use std::collections::BTreeMap;
use std::path::Path;

use incast_core::mdf::{Index, Reader, keep};
use incast_core::readout::EventSet;
use incast_store::{Recovered, SinkStore};
use packets::*;
use proptest::prelude::*;

/// Files by name.
type Dir = Vec<(String, Vec<u8>)>;

/// A directory in memory, where there is one: thousands of stores are opened, and each of them syncs.
fn scratch() -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// A directory with exactly these files.
fn place(dir: &Path, files: &Dir) {
    for (name, _) in packets::files(dir) {
        std::fs::remove_file(dir.join(name)).expect("it works");
    }
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).expect("it works");
    }
}

fn reopen(dir: &Path, streams: &[&str]) -> (SinkStore, Recovered) {
    SinkStore::open(dir, plan(streams)).expect("it works")
}

/// Every file of records holds what its index says, from the first to the last byte.
fn assert_whole(dir: &Path) -> BTreeMap<String, Vec<u64>> {
    let files: BTreeMap<_, _> = files(dir).into_iter().collect();
    let mut events = BTreeMap::new();
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".mdf")) {
        let (index, good) = Index::parse(&files[&name.replace(".mdf", ".idx")]).expect("it works");
        assert_eq!(good, files[&name.replace(".mdf", ".idx")].len(), "{name}");
        let mut end = 0;
        for entry in &index.entries {
            let from = usize::try_from(entry.offset).expect("it works");
            assert_eq!(from, end, "{name}");
            end = from + entry.bytes as usize;
            assert!(entry.matches(&bytes[from..end]), "{name}");
        }
        assert_eq!(end, bytes.len(), "{name}");
        events.insert(name.clone(), index.entries.iter().map(|entry| entry.event).collect());
    }
    events
}

/// Events 0 to 3 committed; then, as a process that dies within a commit leaves it, 4 and 5 written to files and
/// index and nothing acknowledged. Both, and the files after the first commit.
fn two_commits(make: impl Fn(u64) -> incast_core::readout::Built<Vec<u8>>) -> (Dir, Dir) {
    let dir = scratch();
    let (mut store, _) = reopen(dir.path(), &["a"]);
    (0..4).for_each(|event| store.append(&[accept(1)], &make(event)));
    store.commit().expect("it works");
    let before = files(dir.path());
    (4..6).for_each(|event| store.append(&[accept(1)], &make(event)));
    store.commit().expect("it works");
    (before, files(dir.path()))
}

/// Cuts data and index at every byte that a death within the second commit can leave, independently enough.
fn dies_at_every_byte(make: impl Fn(u64) -> incast_core::readout::Built<Vec<u8>>, says_its_number: bool) {
    let (before, after) = two_commits(&make);
    let [idx, mdf] = [0, 1].map(|file| (before[file].1.len(), after[file].1.len()));
    let index_cuts = [idx.0, idx.0 + 35, idx.0 + 36, idx.1];
    let dir = scratch();
    for mdf_end in mdf.0..=mdf.1 {
        for idx_end in index_cuts {
            let mut cut = after.clone();
            cut[0].1.truncate(idx_end);
            cut[1].1.truncate(mdf_end);
            place(dir.path(), &cut);
            let (store, recovered) = reopen(dir.path(), &["a"]);
            let whole =
                Reader::new(&after[1].1).records().map(|(offset, record)| offset + record.bytes().len());
            let whole = whole.filter(|end| *end <= mdf_end).count() as u64;
            let indexed = ((idx_end - 16) / 36) as u64;
            let expected = if says_its_number { whole } else { whole.min(indexed) };
            let what = format!("data cut at {mdf_end}, index at {idx_end}");
            assert_eq!(numbers(store.known()), (0..expected).collect::<Vec<_>>(), "{what}");
            drop(store);
            let events = assert_whole(dir.path());
            assert_eq!(events["a-3-000001.mdf"], (0..expected).collect::<Vec<_>>(), "{what}");
            // Not a byte is gone: what was cut is beside it.
            let torn: u64 =
                recovered.torn.iter().map(|path| std::fs::metadata(path).expect("it works").len()).sum();
            let bytes = |files: &Dir| files.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
            assert_eq!(torn, recovered.torn_bytes);
            assert_eq!(bytes(&files(dir.path())), bytes(&cut) + 36 * recovered.indexed, "{what}");
            // Once is enough.
            let (_, again) = reopen(dir.path(), &["a"]);
            assert_eq!((again.torn_bytes, again.indexed, again.files), (0, 0, recovered.files), "{what}");
        }
    }
}

#[test]
fn a_store_that_dies_at_any_byte_has_all_that_was_committed_and_nothing_that_is_not_whole() {
    dies_at_every_byte(|event| generated(event, 2, 60), true);
}

#[test]
fn incomplete_and_damaged_events_are_recovered_as_well() {
    dies_at_every_byte(|event| incomplete(event, 3, 40), true);
}

#[test]
fn a_replayed_record_counts_only_with_its_entry() {
    let dir = scratch();
    let (mut store, _) = reopen(dir.path(), &["b"]);
    store.append(&[accept(1)], &generated(77, 4, 30));
    store.commit().unwrap();
    let record = std::fs::read(dir.path().join("b-3-000001.mdf")).unwrap();
    dies_at_every_byte(|event| replayed(event, &record, 3), false);
}

#[test]
fn an_index_that_is_cut_anywhere_or_gone_is_made_again() {
    let (_, after) = two_commits(|event| generated(event, 2, 60));
    let dir = scratch();
    for end in 0..after[0].1.len() {
        let mut cut = after.clone();
        cut[0].1.truncate(end);
        if end == 0 {
            cut.remove(0);
        }
        place(dir.path(), &cut);
        let (store, recovered) = reopen(dir.path(), &["a"]);
        assert_eq!(numbers(store.known()), (0..6).collect::<Vec<_>>(), "cut at {end}");
        assert_eq!(recovered.indexed, 6 - (end.saturating_sub(16) / 36) as u64);
        drop(store);
        assert_eq!(assert_whole(dir.path())["a-3-000001.mdf"].len(), 6);
        let made = files(dir.path());
        let idx = made.iter().find(|(name, _)| name.ends_with(".idx")).unwrap();
        assert_eq!(idx, &after[0], "the same index");
    }
}

#[test]
fn zeros_and_other_remains_behind_the_last_record_are_moved_away() {
    let (_, after) = two_commits(|event| generated(event, 2, 60));
    for rest in
        [vec![0; 4096], vec![0xff; 7], b"not a record at all, but longer than any header of one".to_vec()]
    {
        let dir = scratch();
        let mut files = after.clone();
        files[1].1.extend_from_slice(&rest);
        files[0].1.extend_from_slice(&rest);
        place(dir.path(), &files);
        let (store, recovered) = reopen(dir.path(), &["a"]);
        assert_eq!((store.known().len(), recovered.torn_bytes), (6, 2 * rest.len() as u64));
        assert_eq!(std::fs::read(dir.path().join("a-3-000001.mdf.torn")).unwrap(), rest);
        drop(store);
        assert_whole(dir.path());
    }
}

#[test]
fn a_second_torn_end_does_not_replace_the_first() {
    let (_, after) = two_commits(|event| generated(event, 2, 60));
    let dir = scratch();
    for (time, rest) in [b"one", b"two"].into_iter().enumerate() {
        let mut files = after.clone();
        files[1].1.extend_from_slice(rest);
        for (name, bytes) in &files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        assert_eq!(reopen(dir.path(), &["a"]).1.torn.len(), 1, "time {time}");
    }
    let read = |name| std::fs::read(dir.path().join(name)).unwrap();
    assert_eq!([read("a-3-000001.mdf.torn"), read("a-3-000001.mdf.torn.2")], [b"one", b"two"]);
}

#[test]
fn a_damaged_record_in_front_of_good_ones_costs_itself_only() {
    let (_, after) = two_commits(|event| generated(event, 2, 60));
    let dir = scratch();
    let mut files = after.clone();
    files[1].1[100] ^= 1;
    place(dir.path(), &files);
    let (mut store, recovered) = reopen(dir.path(), &["a"]);
    assert_eq!((numbers(store.known()), recovered.damaged), (vec![1, 2, 3, 4, 5], 1));
    assert_eq!(recovered.torn_bytes, 0);
    // It is stored again, into the next file.
    store.append(&[accept(1)], &generated(0, 2, 60));
    assert_eq!(store.commit().unwrap().records, 1);
    assert_eq!(store.close().last().unwrap().path.file_name().unwrap(), "a-3-000002.mdf");
}

#[test]
fn an_event_in_one_of_its_two_streams_is_written_to_the_other_only() {
    let dir = scratch();
    let streams = ["a", "b"];
    let (mut store, _) = reopen(dir.path(), &streams);
    (0..4).for_each(|event| store.append(&[accept(3)], &generated(event, 2, 60)));
    store.commit().unwrap();
    drop(store);
    let whole = files(dir.path());
    // The second stream lost its last two records: it died between the files.
    let (b_idx, b_mdf) = (2, 3);
    for keep_records in 0..4_usize {
        let mut files = whole.clone();
        let record = files[b_mdf].1.len() / 4;
        files[b_idx].1.truncate(16 + 36 * keep_records);
        files[b_mdf].1.truncate(record * keep_records + 50);
        place(dir.path(), &files);
        let (mut store, recovered) = reopen(dir.path(), &streams);
        let kept = keep_records as u64;
        assert_eq!(numbers(store.known()), (0..kept).collect::<Vec<_>>());
        assert_eq!(recovered.partial_events, 4 - kept);
        // Repeated, and for another set of streams: what was wanted stays wanted.
        (0..4).for_each(|event| store.append(&[accept(1)], &generated(event, 2, 60)));
        let committed = store.commit().unwrap();
        assert_eq!((committed.events, committed.records), (4 - kept, 4 - kept));
        assert_eq!(store.known().len(), 4);
        drop(store);
        let (store, recovered) = reopen(dir.path(), &streams);
        assert_eq!((store.known().len(), recovered.partial_events, recovered.doubled), (4, 0, 0));
        let events = assert_whole(dir.path());
        let mut in_b: Vec<_> = events
            .iter()
            .filter(|(name, _)| name.starts_with('b'))
            .flat_map(|(_, events)| events.clone())
            .collect();
        in_b.sort_unstable();
        assert_eq!((events["a-3-000001.mdf"].len(), in_b), (4, vec![0, 1, 2, 3]));
    }
}

#[test]
fn every_record_of_earlier_files_counts_without_being_read() {
    let dir = scratch();
    for event in 0..3 {
        let (mut store, _) = reopen(dir.path(), &["a"]);
        store.append(&[accept(1)], &generated(event, 2, 60));
        store.commit().unwrap();
    }
    let (store, recovered) = reopen(dir.path(), &["a"]);
    assert_eq!((store.known().len(), recovered.files.len()), (3, 3));
    // And all of one when its index does not end where it does.
    drop(store);
    let mut bytes = std::fs::read(dir.path().join("a-3-000002.mdf")).unwrap();
    bytes.push(0);
    std::fs::write(dir.path().join("a-3-000002.mdf"), bytes).unwrap();
    let (_, recovered) = reopen(dir.path(), &["a"]);
    assert_eq!((recovered.torn_bytes, recovered.events), (1, 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Any commits into three streams, cut anywhere behind what was committed last but one.
    #[test]
    fn what_was_acknowledged_is_there_after_any_death(
        groups in prop::collection::vec(prop::collection::vec((1_u32..8, 0_usize..90), 1..5), 1..5),
        cut in any::<prop::sample::Index>(), index_cut in any::<prop::sample::Index>(), file in 0_usize..3,
    ) {
        let streams = ["a", "b", "c"];
        let dir = scratch();
        let (mut store, _) = reopen(dir.path(), &streams);
        let (mut event, mut acknowledged, mut before) = (0, EventSet::new(), Dir::new());
        for group in &groups {
            acknowledged = store.known().clone();
            before = files(dir.path());
            for (streams, bytes) in group {
                store.append(&[accept(*streams)], &generated(event, 2, *bytes));
                event += 1;
            }
            store.commit().unwrap();
        }
        drop(store);
        let mut files = files(dir.path());
        for (name, bytes) in &mut files {
            let old = before.iter().find(|(old, _)| old == name).map_or(0, |(_, bytes)| bytes.len());
            if name.starts_with(streams[file]) {
                let which = if name.ends_with(".mdf") { cut } else { index_cut };
                bytes.truncate(old + which.index(bytes.len() - old + 1));
            }
        }
        place(dir.path(), &files);
        let (mut store, _) = reopen(dir.path(), &streams);
        prop_assert!(acknowledged.iter().all(|event| store.known().contains(event)));
        prop_assert!(store.known().iter().all(|known| known.0 < event));
        // Everything that was sent is sent again, as a builder would: then all is there, once.
        let mut event = 0;
        for (streams, bytes) in groups.iter().flatten() {
            store.append(&[accept(*streams)], &generated(event, 2, *bytes));
            event += 1;
        }
        store.commit().unwrap();
        prop_assert_eq!(store.known().len(), event);
        drop(store);
        let (store, recovered) = reopen(dir.path(), &streams);
        prop_assert_eq!((store.known().len(), recovered.doubled, recovered.partial_events), (event, 0, 0));
        assert_whole(dir.path());
        for (name, bytes) in packets::files(dir.path()).iter().filter(|(name, _)| name.ends_with(".mdf")) {
            for (_, record) in Reader::new(bytes).records() {
                let number = usize::try_from(keep::number_of(&record, RUN).unwrap().0).unwrap();
                let wanted = groups.iter().flatten().nth(number).unwrap().0;
                let stream = streams.iter().position(|stream| name.starts_with(stream)).unwrap();
                prop_assert!(wanted >> stream & 1 == 1, "event {} is in {}", number, name);
            }
        }
    }
}
