//! One process writes into a directory of a sink. The lock is the kernel's, and ends with the process.

use std::fs::{File, OpenOptions};
use std::path::Path;

use incast_core::readout::SinkId;
use rustix::fs::{FlockOperation, flock};

use crate::plan::StoreError;

/// The lock of a directory, held as long as this is.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock of a sink in `dir`, without waiting.
    pub(crate) fn take(dir: &Path, sink: SinkId) -> Result<Self, StoreError> {
        let path = dir.join(format!(".sink-{sink}.lock", sink = sink.0));
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(StoreError::failed("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Locked(dir.to_owned())),
            Err(error) => Err(StoreError::failed("lock", &path)(error.into())),
        }
    }
}
