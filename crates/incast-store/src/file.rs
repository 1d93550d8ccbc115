//! One file that is being written, with its index: what is committed in it, and what is not yet.
//!
//! ```text
//!  .mdf  | record | record | record | record |         .idx  | head | entry | entry | entry | entry |
//!                          ^ committed                                              ^ committed
//! ```
//! A commit writes and syncs both. An entry has the CRC of its record, so it does not matter which of them
//! reaches the disk first. What is behind the committed part can be taken back at any time.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use incast_core::mdf::index::{ENTRY_BYTES, HEAD_BYTES};
use incast_core::mdf::{Index, IndexEntry};
use incast_core::readout::RunNumber;

use crate::name::FileName;
use crate::plan::StoreError;
use crate::summary::{FileSummary, Holds};

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct OpenFile {
    name: FileName,
    summary: FileSummary,
    data: File,
    index: File,
    /// With what is written and not committed.
    staged: Holds,
    /// Entries that are not written yet.
    entries: Vec<u8>,
    began: Instant,
}

impl OpenFile {
    /// Begins a file that is not there yet. Nothing of it is sure to be on disk before `sync`.
    pub(crate) fn create(dir: &Path, name: FileName, run: RunNumber) -> Result<Self, StoreError> {
        let (data_path, index_path) = (name.data(dir), name.index(dir));
        let data = create(&data_path).map_err(StoreError::failed("create", &data_path))?;
        let index = create(&index_path).and_then(|index| {
            index.write_all_at(&Index::emit_head(run.0), 0)?;
            Ok(index)
        });
        let index = index.map_err(|error| {
            // Of a file that could not be begun, nothing stays.
            let _ = fs::remove_file(&data_path);
            let _ = fs::remove_file(&index_path);
            StoreError::failed("create", &index_path)(error)
        })?;
        let summary = FileSummary { stream: name.stream.clone(), path: data_path, holds: Holds::default() };
        let (staged, entries, began) = (Holds::default(), Vec::new(), Instant::now());
        Ok(Self { name, summary, data, index, staged, entries, began })
    }

    /// Where the next record will begin.
    pub(crate) const fn end(&self) -> u64 {
        self.staged.bytes
    }

    /// Whether it has to be followed by another before `bytes` more are written.
    pub(crate) fn is_due(&self, bytes: u32, bytes_max: u64, age_max: Option<std::time::Duration>) -> bool {
        let is_large = self.staged.bytes + u64::from(bytes) > bytes_max;
        let is_old = || age_max.is_some_and(|max| self.began.elapsed() >= max);
        self.staged.records > 0 && (is_large || is_old())
    }

    /// Counts a record whose bytes are to be written at its offset, which is the end.
    pub(crate) fn stage(&mut self, entry: &IndexEntry) {
        assert_eq!(entry.offset, self.end(), "records lie end to end");
        self.staged.record(entry);
        self.entries.extend_from_slice(&entry.emit());
    }

    /// Writes bytes of staged records.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.data.write_all_at(bytes, offset).map_err(StoreError::failed("write", &self.summary.path))
    }

    /// Writes the entries, and waits until all is on disk.
    pub(crate) fn sync(&mut self, dir: &Path) -> Result<(), StoreError> {
        let path = self.name.index(dir);
        self.index
            .write_all_at(&self.entries, index_bytes(&self.summary.holds))
            .map_err(StoreError::failed("write", &path))?;
        self.data.sync_data().map_err(StoreError::failed("sync", &self.summary.path))?;
        self.index.sync_data().map_err(StoreError::failed("sync", &path))
    }

    /// Its number.
    pub(crate) const fn number(&self) -> u32 {
        self.name.number
    }

    /// Whether something was staged.
    pub(crate) fn is_touched(&self) -> bool {
        self.staged != self.summary.holds
    }

    /// Whether nothing in it is committed.
    pub(crate) const fn is_new(&self) -> bool {
        self.summary.holds.records == 0
    }

    /// What is staged is committed: `sync` succeeded.
    pub(crate) fn commit(&mut self) {
        self.summary.holds = self.staged;
        self.entries.clear();
    }

    /// Takes back what is not committed.
    pub(crate) fn undo(&mut self, dir: &Path) -> Result<(), StoreError> {
        self.staged = self.summary.holds;
        self.entries.clear();
        let broken = |path: &Path| {
            let path = path.to_owned();
            move |error| StoreError::Broken { path, error }
        };
        self.data.set_len(self.staged.bytes).map_err(broken(&self.summary.path))?;
        self.index.set_len(index_bytes(&self.staged)).map_err(broken(&self.name.index(dir)))
    }

    /// Removes a file in which nothing is committed.
    pub(crate) fn remove(self, dir: &Path) -> Result<(), StoreError> {
        for path in [self.name.index(dir), self.name.data(dir)] {
            fs::remove_file(&path).map_err(|error| StoreError::Broken { path, error })?;
        }
        Ok(())
    }

    /// What is committed.
    pub(crate) const fn summary(&self) -> &FileSummary {
        &self.summary
    }

    /// Nothing more is written.
    pub(crate) fn close(self) -> FileSummary {
        self.summary
    }
}

/// Bytes of the index of a file.
fn index_bytes(holds: &Holds) -> u64 {
    HEAD_BYTES as u64 + holds.records * ENTRY_BYTES as u64
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}
