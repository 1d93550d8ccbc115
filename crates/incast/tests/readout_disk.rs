//! Disks that are full: the run waits without losing anything, goes on when there is room, and ends with
//! a verdict when there never is. The disk is a small file system in memory that the test mounts: as root.

#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/readout.rs"]
mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use coordinator::{PATIENCE, caveats};
use incast_core::caveat::CaveatKind;
use incast_core::record::Verdict;
use support::{System, assert_account, count, readout, role, until_state};
use tempfile::TempDir;

/// A file system of so many KiB; unmounted when dropped.
struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// `None`, and said, without root.
    fn mount(kib: u32) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "tests of full disks need root, and CI must run them");
            let _ =
                writeln!(std::io::stderr(), "NOT RUN: a test of full disks needs root (sudo -E cargo test)");
            return None;
        }
        let dir = tempfile::tempdir().expect("make a directory");
        let size = format!("size={kib}k");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).status();
        assert!(mount.expect("start mount").success(), "mount a tmpfs on {}", dir.path().display());
        Some(Self { dir })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Takes all room but so many KiB.
    fn fill_but(&self, kib: u64) -> PathBuf {
        let ballast = self.path().join("ballast");
        let space = rustix::fs::statvfs(self.path()).expect("ask for its room");
        let bytes = (space.f_bavail * space.f_frsize).saturating_sub(kib << 10);
        std::fs::write(&ballast, vec![1; usize::try_from(bytes).expect("it is small")])
            .expect("fill the disk");
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that a process that is still ending does not keep it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_pauses_the_run_and_nothing_is_lost_when_there_is_room_again() {
    for protocol in ["push", "pull"] {
        let Some(disk) = SmallDisk::mount(64 << 10) else { return };
        let ballast = disk.fill_but(600);
        let settings = format!("protocol = \"{protocol}\"\nstreams = [\"a\", \"b\"]");
        let sink = format!("count = 2\nbuffer = \"100KiB\"\ndirectory = \"{}\"", disk.path().display());
        let system = System {
            readout: &settings,
            // 2 KiB each; some hundred fit, and as many wait in buffers.
            builder: "count = 1\npolicy = \"tokens\"\nheld_events = 64\nopen_events = 64",
            node: "count = 2\nstreams = [\"a:1\", \"b:1\"]",
            sink: &sink,
            duration: "60s",
            ..System::default()
        };
        let mut started = system.start();
        let dir = until_state(&started, "running");
        started.line("nothing can be stored", |line| line.contains("nothing can be stored").then_some(()));
        // Back-pressure reaches the trigger, and the trigger stays stopped.
        let triggered = || {
            let record = coordinator::read_record(started.records().first()?);
            record.readout.map(|readout| readout.events.triggered)
        };
        let at_rest = started.until("the trigger to stop", PATIENCE, || {
            let before = triggered()?;
            coordinator::until(std::time::Duration::from_millis(1_300), || None::<()>);
            (triggered()? == before && before > 0).then_some(before)
        });
        std::fs::remove_file(ballast).expect("make room");
        started
            .until("events to be triggered again", PATIENCE, || (triggered()? > at_rest + 200).then_some(()));
        support::said_by_control(&dir, "stop").expect("stop the run");
        let record = started.record(0);
        assert_account(&record, disk.path());
        let readout = readout(&record);
        let events = &readout.events;
        assert_eq!((events.stored, events.lost, events.incomplete), (events.triggered, 0, 0), "{protocol}");
        assert!(readout.dead_time.throttle_s + readout.dead_time.nobody_s > 1.0, "{:?}", readout.dead_time);
        let stalls = caveats(&record, CaveatKind::StorageStalled);
        assert!(stalls.iter().any(|stall| stall.text.starts_with("sink-")), "{:?}", record.caveats);
        let spells: u64 = ["sink-1", "sink-2"]
            .iter()
            .map(|sink| count(role(&record, sink), "times the disk was full"))
            .sum();
        assert!(spells > 0);
    }
}

#[test]
fn a_disk_that_stays_full_ends_the_run_with_a_verdict_and_a_closed_account() {
    let Some(disk) = SmallDisk::mount(32 << 10) else { return };
    disk.fill_but(400);
    let sink = format!("count = 1\nbuffer = \"100KiB\"\ndirectory = \"{}\"", disk.path().display());
    let system = System {
        readout: "drain = \"1s\"",
        node: "count = 2",
        sink: &sink,
        duration: "2s",
        ..System::default()
    };
    let mut started = system.start();
    let record = started.record(1);
    assert_eq!(record.verdict, Verdict::Incomplete);
    assert_account(&record, disk.path());
    let events = &readout(&record).events;
    assert!(events.stored > 0 && events.lost > 0, "{events:?}");
    assert!(!caveats(&record, CaveatKind::StorageStalled).is_empty());
}

#[test]
fn runs_of_the_same_second_and_directory_store_apart() {
    let data = coordinator::directory(&[]);
    let sink = format!("count = 1\ndirectory = \"{}\"", data.path().display());
    let system = System { duration: "100ms", sink: &sink, node: "count = 1", ..System::default() };
    let mut started: Vec<_> = (0..3).map(|_| system.start()).collect();
    let mut runs = std::collections::BTreeSet::new();
    for started in &mut started {
        let record = started.record(0);
        let readout = readout(&record);
        assert!(runs.insert(readout.run), "each has its number");
        assert_account(&record, &data.path().join(format!("run-{}", readout.run)));
    }
}
