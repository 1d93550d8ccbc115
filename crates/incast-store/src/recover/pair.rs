//! One file of records and its index, made whole together.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use incast_core::mdf::header::HEADER_BYTES;
use incast_core::mdf::{Header, Index, IndexEntry, Record, keep};
use incast_core::readout::{EventNumber, EventSet, RunNumber};

use super::{Recovered, torn};
use crate::entries::IndexEntries;
use crate::name::FileName;
use crate::plan::StoreError;
use crate::summary::{FileSummary, Holds};

/// Recovers one pair; its events go into `present`.
pub(super) fn recover(
    dir: &Path,
    name: &FileName,
    run: RunNumber,
    is_last: bool,
    recovered: &mut Recovered,
    present: &mut EventSet,
) -> Result<(), StoreError> {
    let (data_path, index_path) = (name.data(dir), name.index(dir));
    let data = Data::open(&data_path)?;
    let mut found = Found::default();
    if let Some(mut entries) = IndexEntries::open(&index_path)? {
        if entries.run() != run.0 {
            return Err(StoreError::OtherRun { dir: dir.to_owned(), found: entries.run() });
        }
        // Both end together in every file but one that was written when the process died.
        let is_checked = is_last || !ends_together(&data, &index_path)?;
        found.read_index(&mut entries, data, is_checked)?;
    } else {
        found.data = Some(data);
    }
    found.read_beyond(run)?;
    found.events.iter().for_each(|event| recovered.doubled += u64::from(!present.insert(*event)));
    recovered.damaged += found.damaged;
    recovered.indexed += found.beyond.len() as u64;
    found.mend(&data_path, &index_path, run, recovered)?;
    if found.holds.records == 0 {
        for path in [&index_path, &data_path] {
            remove(path)?;
        }
        recovered.removed += 1;
    } else {
        let stream = name.stream.clone();
        recovered.files.push(FileSummary { stream, path: data_path, holds: found.holds });
    }
    Ok(())
}

/// What is good of a pair.
#[derive(Debug, Default)]
struct Found {
    data: Option<Data>,
    holds: Holds,
    /// Where the index is good to, with every record in it.
    index_bytes: u64,
    /// Entries of records that the index does not have.
    beyond: Vec<IndexEntry>,
    events: Vec<EventNumber>,
    /// Records here are of another run's making: their numbers are in the index only.
    has_replayed: bool,
    damaged: u64,
}

impl Found {
    /// Goes along the index as far as its records are there. What is damaged counts only when a good record
    /// follows.
    fn read_index(
        &mut self,
        entries: &mut IndexEntries,
        mut data: Data,
        is_checked: bool,
    ) -> Result<(), StoreError> {
        self.index_bytes = entries.good_bytes();
        let (mut holds, mut damaged) = (self.holds, 0);
        while let Some(entry) = entries.next_entry()? {
            if entry.offset.saturating_add(entry.bytes.into()) > data.bytes {
                break;
            }
            holds.record(&entry);
            self.has_replayed |= entry.marks.is_replayed;
            if is_checked
                && !data.record(entry.offset, entry.bytes)?.is_some_and(|bytes| entry.matches(bytes))
            {
                damaged += 1;
                continue;
            }
            self.events.push(EventNumber(entry.event));
            self.holds = holds;
            self.index_bytes = entries.good_bytes();
            self.damaged += std::mem::take(&mut damaged);
        }
        self.data = Some(data);
        Ok(())
    }

    /// Takes whole records behind the last entry that say their own number.
    fn read_beyond(&mut self, run: RunNumber) -> Result<(), StoreError> {
        let Some(data) = self.data.as_mut().filter(|_| !self.has_replayed) else { return Ok(()) };
        while let Some(bytes) = data.next_record(self.holds.bytes)? {
            let Ok(record) = Record::parse(bytes) else { break };
            let number = record.check().ok().and_then(|()| keep::number_of(&record, run));
            if number.is_none() {
                break;
            }
            let entry = IndexEntry::of(&record, self.holds.bytes, self.holds.records);
            self.holds.record(&entry);
            self.events.push(EventNumber(entry.event));
            self.beyond.push(entry);
        }
        Ok(())
    }

    /// Cuts both files where they are good, and writes the entries that the index lacks.
    fn mend(
        &self,
        data: &Path,
        index: &Path,
        run: RunNumber,
        recovered: &mut Recovered,
    ) -> Result<(), StoreError> {
        let cut_index = if index.exists() { torn::cut(index, self.index_bytes)? } else { None };
        let cut_data = torn::cut(data, self.holds.bytes)?;
        for (path, bytes) in [cut_data, cut_index].into_iter().flatten() {
            recovered.torn.push(path);
            recovered.torn_bytes += bytes;
        }
        if self.beyond.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        if self.index_bytes == 0 {
            bytes.extend_from_slice(&Index::emit_head(run.0));
        }
        self.beyond.iter().for_each(|entry| bytes.extend_from_slice(&entry.emit()));
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(index);
        let written = file.and_then(|mut file| {
            file.seek(SeekFrom::Start(self.index_bytes))?;
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.map_err(StoreError::failed("write", index))
    }
}

/// The records of a file.
#[derive(Debug)]
struct Data {
    path: std::path::PathBuf,
    file: File,
    bytes: u64,
    /// The last record that was read.
    record: Vec<u8>,
}

impl Data {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(StoreError::failed("open", path))?;
        let bytes = file.metadata().map_err(StoreError::failed("read", path))?.len();
        Ok(Self { path: path.to_owned(), file, bytes, record: Vec::new() })
    }

    /// Bytes of the file; `None` if it has not as many.
    fn record(&mut self, offset: u64, bytes: u32) -> Result<Option<&[u8]>, StoreError> {
        if offset.saturating_add(bytes.into()) > self.bytes {
            return Ok(None);
        }
        self.record.resize(usize::try_from(bytes).unwrap_or(usize::MAX), 0);
        self.file.read_exact_at(&mut self.record, offset).map_err(StoreError::failed("read", &self.path))?;
        Ok(Some(&self.record))
    }

    /// The record that begins at `offset`, if its header makes sense and it is whole.
    fn next_record(&mut self, offset: u64) -> Result<Option<&[u8]>, StoreError> {
        let head_bytes = u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX);
        let Some(head) = self.record(offset, head_bytes)? else { return Ok(None) };
        let Ok(header) = Header::parse(head) else { return Ok(None) };
        self.record(offset, header.record_bytes)
    }
}

/// Whether the last entry of the index is that of the last record.
fn ends_together(data: &Data, index: &Path) -> Result<bool, StoreError> {
    use incast_core::mdf::index::{ENTRY_BYTES, HEAD_BYTES};
    let failed = || StoreError::failed("read", index);
    let file = File::open(index).map_err(failed())?;
    let bytes = file.metadata().map_err(failed())?.len();
    let Some(at) = bytes.checked_sub(ENTRY_BYTES as u64) else { return Ok(false) };
    let mut entry = [0; ENTRY_BYTES];
    file.read_exact_at(&mut entry, at).map_err(failed())?;
    let entry = IndexEntry::parse(&entry).ok();
    let is_whole = (bytes - HEAD_BYTES as u64).is_multiple_of(ENTRY_BYTES as u64);
    Ok(is_whole
        && entry.is_some_and(|entry| entry.offset.checked_add(entry.bytes.into()) == Some(data.bytes)))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(StoreError::failed("remove", path)),
    }
}
