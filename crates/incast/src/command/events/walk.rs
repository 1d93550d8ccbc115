//! Goes along an event file and its index together.

use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use incast_core::mdf::{Fault, IndexEntry, Record};
use incast_store::{EventFile, IndexEntries, Stretch, index_path};
use serde::Serialize;

/// A file that is gone along.
#[derive(Debug)]
pub(super) struct Walk<'p> {
    path: &'p Path,
    file: EventFile,
    index: Option<IndexEntries>,
    /// The next entry that was not met.
    next: Option<IndexEntry>,
    records: u64,
    /// Where the last good record begins.
    met: Option<u64>,
    /// Entries within damage.
    passed_over: u64,
}

/// What was met.
#[derive(Debug)]
pub(super) enum Met<'a> {
    /// A good record.
    Record {
        /// It.
        record: Record<'a>,
        /// Its entry: that of the index, or else what would be in one.
        entry: IndexEntry,
        /// Whether the index has it.
        is_indexed: bool,
    },
    Damage(Damage),
}

/// Bytes that hold no good record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Damage {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) fault: Fault,
}

impl<'p> Walk<'p> {
    /// Opens a file, and its index if there is one.
    pub(super) fn open(path: &'p Path) -> anyhow::Result<Self> {
        let file = EventFile::open(path).with_context(|| format!("open the events {}", path.display()))?;
        let mut index = IndexEntries::open(&index_path(path))?.filter(|_| index_path(path) != path);
        let next = index.as_mut().map_or(Ok(None), IndexEntries::next_entry)?;
        Ok(Self { path, file, index, next, records: 0, met: None, passed_over: 0 })
    }

    /// Whether there is an index.
    pub(super) const fn has_index(&self) -> bool {
        self.index.is_some()
    }

    /// Records that were met.
    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// Bytes of the file.
    pub(super) const fn bytes(&self) -> u64 {
        self.file.bytes()
    }

    /// Entries of which no good record was met, when the end was.
    pub(super) fn entries_left(&mut self) -> anyhow::Result<u64> {
        let mut left = self.passed_over;
        while self.next.take().is_some() {
            left += 1;
            self.next = self.index.as_mut().map_or(Ok(None), IndexEntries::next_entry)?;
        }
        Ok(left)
    }

    /// What comes next; `None` at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Met<'_>>> {
        let at = self.file.at();
        // Entries of what is damaged are passed over with it.
        while self.next.is_some_and(|entry| entry.offset < at) {
            // Of the record that was met last there was an entry as well.
            self.passed_over += u64::from(self.met != self.next.map(|entry| entry.offset));
            self.next = self.index.as_mut().map_or(Ok(None), IndexEntries::next_entry)?;
        }
        let stretch =
            self.file.next_stretch().with_context(|| format!("read the events {}", self.path.display()))?;
        Ok(stretch.map(|stretch| match stretch {
            Stretch::Damaged { offset, bytes, fault } => Met::Damage(Damage { offset, bytes, fault }),
            Stretch::Whole { offset, record } => {
                let own = IndexEntry::of(&record, offset, self.records);
                self.records += 1;
                self.met = Some(offset);
                let found = self.next.filter(|entry| entry.offset == offset);
                Met::Record { record, entry: found.unwrap_or(own), is_indexed: found.is_some() }
            }
        }))
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, bytes, fault } = self;
        write!(out, "at offset {offset}, {bytes} bytes are no good record: {fault}")
    }
}

impl Serialize for Damage {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut object = to.serialize_struct("Damage", 3)?;
        object.serialize_field("offset", &self.offset)?;
        object.serialize_field("bytes", &self.bytes)?;
        object.serialize_field("fault", self.fault.name())?;
        object.end()
    }
}
