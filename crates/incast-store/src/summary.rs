//! What a file of records holds, in a few numbers: kept while it is written, and for the catalogue.

use std::path::PathBuf;

use incast_core::mdf::IndexEntry;
use incast_core::readout::EventNumber;
use incast_core::wire::crc32c::crc32c_joined;

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// Records.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Lowest event number.
    pub first: Option<EventNumber>,
    /// Highest event number.
    pub last: Option<EventNumber>,
    /// CRC-32C of the whole file.
    pub crc: u32,
}

impl Holds {
    /// Counts the record of `entry`, which follows the others.
    pub(crate) fn record(&mut self, entry: &IndexEntry) {
        let event = EventNumber(entry.event);
        self.records += 1;
        self.bytes += u64::from(entry.bytes);
        self.first = Some(self.first.map_or(event, |first| first.min(event)));
        self.last = self.last.max(Some(event));
        self.crc = crc32c_joined(self.crc, entry.record_crc, entry.bytes.into());
    }
}

/// A file that is whole, and on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSummary {
    /// Its output stream.
    pub stream: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub holds: Holds,
}
