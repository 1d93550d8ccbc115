//! One process writes into a directory of a sink, and one plays a campaign. The lock is the kernel's, and ends with
//! the process; its file stays, but where nothing was ever stored.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use incast_core::readout::SinkId;
use rustix::fs::{FlockOperation, flock};

use crate::plan::StoreError;

/// The lock of a file, held as long as this is.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock of the file at `path`, which is made if need be, without waiting; `None` when somebody has it.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The lock of a sink's directory, held as long as this is.
#[derive(Debug)]
pub(crate) struct DirLock {
    _lock: FileLock,
}

impl DirLock {
    /// Takes the lock of a sink in `dir`, without waiting.
    pub(crate) fn take(dir: &Path, sink: SinkId) -> Result<Self, StoreError> {
        let path = lock_path(dir, sink);
        let lock = FileLock::take(&path).map_err(StoreError::failed("lock", &path))?;
        lock.map(|lock| Self { _lock: lock }).ok_or_else(|| StoreError::Locked(dir.to_owned()))
    }
}

fn lock_path(dir: &Path, sink: SinkId) -> PathBuf {
    dir.join(format!(".sink-{sink}.lock", sink = sink.0))
}

/// Removes the directory of a sink of a run that never began, if nobody writes there and nothing is stored
/// in it; says whether it is gone.
#[must_use]
pub fn remove_unused(dir: &Path, sink: SinkId) -> bool {
    let lock = lock_path(dir, sink);
    let is_unused = || {
        let others = std::fs::read_dir(dir).ok()?.flatten().filter(|entry| entry.path() != lock);
        (others.count() == 0).then_some(())
    };
    // Nothing is made by looking: without a lock's file there was no sink.
    if lock.exists()
        && is_unused().is_some()
        && let Ok(held) = DirLock::take(dir, sink)
    {
        let _ = std::fs::remove_file(&lock);
        drop(held);
    }
    // Fails if anything is in it.
    std::fs::remove_dir(dir).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_goes_only_when_nobody_is_there_and_nothing_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("sink");
        assert!(!remove_unused(&dir, SinkId(0)), "there is none");
        std::fs::create_dir(&dir).unwrap();
        let held = DirLock::take(&dir, SinkId(0)).unwrap();
        assert!(!remove_unused(&dir, SinkId(0)), "somebody is there");
        drop(held);
        std::fs::write(dir.join("a.mdf"), b"").unwrap();
        assert!(!remove_unused(&dir, SinkId(0)), "something is in it");
        std::fs::remove_file(dir.join("a.mdf")).unwrap();
        assert!(remove_unused(&dir, SinkId(0)) && !dir.exists());
    }
}
