//! The writer: what it reports is on disk; and a disk that is full pauses it and loses nothing.
//!
//! The disk that is full is a small tmpfs, for which one has to be root.

#[path = "support/packets.rs"]
mod packets;

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use incast_core::readout::Verdict;
use incast_store::{Report, SinkStore, StoreError, Trouble, Write, Writer, WriterPlan};
use packets::*;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn start(store: SinkStore, plan: WriterPlan) -> (Writer<Vec<u8>>, Receiver<Report>) {
    let (told, reports) = unbounded();
    let report = move |report| told.send(report).expect("the test listens");
    (Writer::start(store, plan, report).expect("a thread"), reports)
}

fn write(event: u64, bytes: usize) -> Write<Vec<u8>> {
    Write { job: 100 + event, verdicts: vec![accept(1)], built: generated(event, 2, bytes) }
}

/// The jobs of the next reports, until there are so many.
fn stored(reports: &Receiver<Report>, jobs: usize) -> Vec<u64> {
    let mut stored = Vec::new();
    while stored.len() < jobs {
        match reports.recv_timeout(PATIENCE).expect("a report") {
            Report::Stored { jobs, .. } => stored.extend(jobs.iter().map(|written| written.job)),
            Report::Resumed => {}
            other => panic!("{other:?}"),
        }
    }
    stored
}

#[test]
fn every_job_is_told_once_and_what_is_told_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = SinkStore::open(dir.path(), plan(&["a"])).unwrap();
    let (writer, reports) = start(store, WriterPlan { group_jobs_max: 7, ..WriterPlan::default() });
    for event in 0..50 {
        writer.offer(write(event, 100)).expect("there is room");
    }
    assert_eq!(stored(&reports, 50), (100..150).collect::<Vec<_>>());
    // A job that is known already, and one of which nothing is kept, are told as well.
    writer.offer(write(3, 100)).expect("there is room");
    let rejected = Write { job: 7, verdicts: vec![Verdict::Reject], built: generated(60, 2, 10) };
    writer.offer(rejected).expect("there is room");
    assert_eq!(stored(&reports, 2), [103, 7]);
    let end = writer.finish().expect("no panic");
    assert_eq!((end.abandoned.len(), end.store.counts().records, end.store.counts().repeats), (0, 50, 1));
    drop(end);
    let (store, _) = SinkStore::open(dir.path(), plan(&["a"])).unwrap();
    assert_eq!(numbers(store.known()), (0..50).collect::<Vec<_>>());
}

#[test]
fn a_group_waits_for_more_when_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = SinkStore::open(dir.path(), plan(&["a"])).unwrap();
    let plan = WriterPlan { group_wait: PATIENCE, group_jobs_max: 3, ..WriterPlan::default() };
    let (writer, reports) = start(store, plan);
    for event in 0..6 {
        writer.offer(write(event, 10)).expect("there is room");
    }
    for group in [[100, 101, 102], [103, 104, 105]] {
        let Report::Stored { jobs, committed } = reports.recv_timeout(PATIENCE).unwrap() else { panic!() };
        assert_eq!(
            (jobs.iter().map(|job| job.job).collect::<Vec<_>>(), committed.events),
            (group.to_vec(), 3)
        );
    }
    assert_eq!(writer.finish().expect("no panic").store.counts().commits, 2);
}

/// A file system of so many bytes, which goes when this does.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None`, loudly, for whoever may not mount.
    fn new(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().expect("it works");
        let options = std::ffi::CString::new(format!("size={bytes}")).expect("it works");
        let flags = rustix::mount::MountFlags::empty();
        if rustix::process::geteuid().is_root() {
            rustix::mount::mount("incast-test", dir.path(), "tmpfs", flags, options.as_c_str())
                .expect("mount a tmpfs");
            return Some(Self(dir));
        }
        let said = "NOT RUN: a test of a full disk needs root, to mount one";
        writeln!(std::io::stderr(), "{said}").expect("standard error is open");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0.path(), rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_undoes_the_batch_and_it_is_stored_when_there_is_room_again() {
    let Some(disk) = SmallDisk::new(1 << 20) else { return };
    let (mut store, _) = SinkStore::open(disk.path(), plan(&["a", "b"])).unwrap();
    store.append(&[accept(3)], &generated(1, 2, 1_000));
    store.commit().unwrap();
    let before = files(disk.path());
    let ballast = disk.path().join(".ballast");
    std::fs::write(&ballast, vec![0; 700 << 10]).unwrap();
    store.append(&[accept(3)], &generated(2, 2, 50_000));
    store.append(&[accept(2)], &generated(3, 2, 100_000));
    for _ in 0..3 {
        let error = store.commit().unwrap_err();
        assert!(
            matches!(error, StoreError::Failed { trouble: Trouble::NoSpace, .. }) && error.is_full(),
            "{error}"
        );
        assert_eq!(files(disk.path()), before, "as before the batch");
        assert_eq!(numbers(store.known()), [1]);
    }
    std::fs::remove_file(&ballast).unwrap();
    let committed = store.commit().unwrap();
    assert_eq!((committed.events, committed.records), (2, 3));
    assert_eq!((numbers(store.known()), store.counts().undone), (vec![1, 2, 3], 3));
    drop(store);
    let (store, recovered) = SinkStore::open(disk.path(), plan(&["a", "b"])).unwrap();
    assert_eq!((numbers(store.known()), recovered.torn_bytes, recovered.doubled), (vec![1, 2, 3], 0, 0));
}

#[test]
fn a_writer_on_a_full_disk_pauses_says_so_once_and_resumes() {
    let Some(disk) = SmallDisk::new(1 << 20) else { return };
    let (store, _) = SinkStore::open(disk.path(), plan(&["a"])).unwrap();
    let retry = Duration::from_millis(5);
    let plan = WriterPlan { retry, queue_jobs_max: 2, group_jobs_max: 1, ..WriterPlan::default() };
    let (writer, reports) = start(store, plan);
    let ballast = disk.path().join(".ballast");
    std::fs::write(&ballast, vec![0; 900 << 10]).unwrap();
    writer.offer(write(1, 100_000)).expect("there is room");
    assert!(matches!(reports.recv_timeout(PATIENCE), Ok(Report::Full(error)) if error.is_full()));
    // The queue fills, and then gives jobs back: the one who offers has to wait.
    writer.offer(write(2, 10)).expect("there is room");
    writer.offer(write(3, 10)).expect("there is room");
    let refused = writer.offer(write(4, 10)).expect_err("there is none");
    assert_eq!(refused.job, 104);
    std::fs::remove_file(&ballast).unwrap();
    assert!(matches!(reports.recv_timeout(PATIENCE), Ok(Report::Resumed)));
    assert_eq!(stored(&reports, 3), [101, 102, 103]);
    assert_eq!(writer.finish().expect("no panic").abandoned, [0; 0]);
}

#[test]
fn a_writer_that_ends_while_the_disk_is_full_names_what_is_not_stored() {
    let Some(disk) = SmallDisk::new(1 << 20) else { return };
    let (mut store, _) = SinkStore::open(disk.path(), plan(&["a"])).unwrap();
    store.append(&[accept(1)], &generated(9, 2, 10));
    store.commit().unwrap();
    std::fs::write(disk.path().join(".ballast"), vec![0; 900 << 10]).unwrap();
    let (writer, reports) = start(store, WriterPlan { retry: PATIENCE, ..WriterPlan::default() });
    writer.offer(write(1, 100_000)).expect("there is room");
    assert!(matches!(reports.recv_timeout(PATIENCE), Ok(Report::Full(_))));
    writer.offer(write(2, 10)).expect("there is room");
    let end = writer.finish().expect("no panic");
    assert_eq!((end.abandoned, numbers(end.store.known())), (vec![101, 102], vec![9]));
}
