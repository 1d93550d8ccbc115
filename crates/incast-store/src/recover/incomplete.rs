//! Which events on disk miss sources, and which: as their records say. Read again, not kept: there may be
//! many.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use incast_core::mdf::{Record, keep};
use incast_core::readout::{EventNumber, SourceSet};

use crate::entries::IndexEntries;
use crate::name::index_path;
use crate::plan::StoreError;

/// Tells the events without the data of all sources in a file of records.
pub(crate) fn of_file(data: &Path, mut tell: impl FnMut(EventNumber, &SourceSet)) -> Result<(), StoreError> {
    let Some(mut entries) = IndexEntries::open(&index_path(data))? else { return Ok(()) };
    let mut file = None;
    let mut record = Vec::new();
    while let Some(entry) = entries.next_entry()? {
        if entry.marks.cause.is_none() {
            continue;
        }
        let file = match &file {
            Some(file) => file,
            None => file.insert(File::open(data).map_err(StoreError::failed("open", data))?),
        };
        record.resize(usize::try_from(entry.bytes).unwrap_or(usize::MAX), 0);
        file.read_exact_at(&mut record, entry.offset).map_err(StoreError::failed("read", data))?;
        let flaw = Record::parse(&record).ok().and_then(|record| keep::flaw(&record));
        // Of a damaged one at least that it is not whole.
        tell(EventNumber(entry.event), &flaw.map(|flaw| flaw.missing).unwrap_or_default());
    }
    Ok(())
}
