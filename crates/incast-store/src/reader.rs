//! Reads a file of records from its beginning to its end, one record in memory at a time.
//!
//! ```text
//!  | record | record | damaged ...        | record | cut |
//!  Whole    Whole    Damaged, with fault  Whole    Damaged
//! ```
//! The stretches lie end to end and cover every byte, as those of `mdf::Reader` do for bytes in memory. A
//! record whose three sizes agree and that is followed by another one, or by the end, is passed over as a
//! whole even if its content is bad. Otherwise the next good record is looked for byte by byte, in windows
//! that overlap by a header. What that costs is bounded by [`CHECKS_PER_BYTE`].

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use incast_core::mdf::header::{HEADER_BYTES, has_sync_mark};
use incast_core::mdf::reader::{CHECKS_PER_BYTE, checked};
use incast_core::mdf::{Fault, Header, Record};

/// A file of records.
#[derive(Debug)]
pub struct EventFile {
    file: File,
    bytes: u64,
    at: u64,
    /// Bytes that may still be checked within damage.
    checks_left: u64,
    /// The last record that was read; no larger than the largest record of the file.
    record: Vec<u8>,
}

/// A stretch of the file.
#[derive(Clone, Copy, Debug)]
pub enum Stretch<'a> {
    /// A record whose content is good.
    Whole {
        /// Where it begins.
        offset: u64,
        /// The record.
        record: Record<'a>,
    },
    /// Bytes that hold no good record.
    Damaged {
        /// Where they begin.
        offset: u64,
        /// How many they are.
        bytes: u64,
        /// What is wrong with the record that should begin there.
        fault: Fault,
    },
}

/// Bytes that are looked through at once for the next record.
const WINDOW_BYTES: usize = 1 << 20;

impl EventFile {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be opened, or is no file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let bytes = metadata.len();
        let checks_left = bytes.saturating_mul(CHECKS_PER_BYTE as u64);
        Ok(Self { file, bytes, at: 0, checks_left, record: Vec::new() })
    }

    /// Bytes of the file when it was opened.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the next stretch begins.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// The next stretch; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_stretch(&mut self) -> io::Result<Option<Stretch<'_>>> {
        let offset = self.at;
        if offset >= self.bytes {
            return Ok(None);
        }
        self.read_record(offset)?;
        let Some(fault) = checked(&self.record).err() else {
            self.at = offset + self.record.len() as u64;
            // Checked just now: it is parsed again because of the borrow.
            let record = Record::parse(&self.record);
            return Ok(record.ok().map(|record| Stretch::Whole { offset, record }));
        };
        self.at = self.end_of_damage(offset)?;
        Ok(Some(Stretch::Damaged { offset, bytes: self.at - offset, fault }))
    }

    /// Reads what its header says that the record at `offset` has, as far as it is there.
    fn read_record(&mut self, offset: u64) -> io::Result<()> {
        self.read(offset, HEADER_BYTES as u64)?;
        if let Ok(header) = Header::parse(&self.record) {
            self.read(offset, header.record_bytes.into())?;
        }
        Ok(())
    }

    fn read(&mut self, offset: u64, bytes: u64) -> io::Result<()> {
        let bytes = bytes.min(self.bytes.saturating_sub(offset));
        self.record.resize(usize::try_from(bytes).map_err(io::Error::other)?, 0);
        self.file.read_exact_at(&mut self.record, offset)
    }

    /// Where the damage that begins at `start` ends: at a good record, at the mark of one, or at the end.
    fn end_of_damage(&mut self, start: u64) -> io::Result<u64> {
        // If its own size can be believed, the record is passed over as a whole.
        if let Ok(record) = Record::parse(&self.record) {
            let claimed = start + record.bytes().len() as u64;
            if claimed == self.bytes || self.may_begin(claimed)? {
                return self.find(start + 1, claimed);
            }
        }
        self.find(start + 1, self.bytes)
    }

    fn may_begin(&mut self, at: u64) -> io::Result<bool> {
        self.read(at, HEADER_BYTES as u64)?;
        Ok(begins(&self.record))
    }

    /// The first good record that begins in `from..to`, or else `to`.
    fn find(&mut self, from: u64, to: u64) -> io::Result<u64> {
        let mut window = vec![0; WINDOW_BYTES];
        let mut base = from;
        while base < to {
            let bytes = (self.bytes - base).min(WINDOW_BYTES as u64);
            let window = &mut window[..usize::try_from(bytes).map_err(io::Error::other)?];
            self.file.read_exact_at(window, base)?;
            // Up to where a header may begin within it; the last window is looked at to its end.
            let is_last = base + bytes == self.bytes;
            let places = if is_last { window.len() } else { window.len() - HEADER_BYTES };
            for (at, place) in (base..to).zip(0..places) {
                if begins(&window[place..]) && self.is_good(at)? {
                    return Ok(at);
                }
            }
            base += places as u64;
        }
        Ok(to)
    }

    /// Whether a good record begins at `at`, as long as asking that may cost something.
    fn is_good(&mut self, at: u64) -> io::Result<bool> {
        self.read_record(at)?;
        let Some(left) = self.checks_left.checked_sub(self.record.len() as u64) else { return Ok(false) };
        self.checks_left = left;
        Ok(checked(&self.record).is_ok())
    }
}

fn begins(bytes: &[u8]) -> bool {
    has_sync_mark(bytes) && Header::parse(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use incast_core::mdf::{BankId, ChecksumKind, Part, Reader, RecordWriter};
    use proptest::prelude::*;

    use super::*;

    fn record(source: u16, kind: ChecksumKind) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = RecordWriter::begin(&mut bytes, Header::of_banks(1, 2, 3));
        writer.push(BankId { kind: 51, version: 0, source }, &vec![0xa5; usize::from(source)]).unwrap();
        writer.finish(kind);
        bytes
    }

    /// What is read from a file is what is read from memory.
    fn assert_same(bytes: &[u8]) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut reader = EventFile::open(file.path()).unwrap();
        for part in Reader::new(bytes) {
            match (part, reader.next_stretch().unwrap().unwrap()) {
                (Part::Record { offset, record }, Stretch::Whole { offset: at, record: read }) => {
                    assert_eq!((offset as u64, record), (at, read));
                }
                (
                    Part::Damaged { offset, bytes, fault },
                    Stretch::Damaged { offset: at, bytes: read, fault: found },
                ) => assert_eq!((offset as u64, bytes as u64, fault), (at, read, found)),
                other => panic!("{other:?}"),
            }
        }
        assert!(reader.next_stretch().unwrap().is_none());
    }

    #[test]
    fn a_file_is_read_as_bytes_in_memory_are_wherever_it_is_cut_or_damaged() {
        let bytes = (0..4).flat_map(|source| record(source * 7, ChecksumKind::Hash)).collect::<Vec<_>>();
        for at in 0..=bytes.len() {
            assert_same(&bytes[..at]);
            let mut damaged = bytes.clone();
            if let Some(byte) = damaged.get_mut(at) {
                *byte ^= 0x41;
            }
            assert_same(&damaged);
        }
    }

    #[test]
    fn a_record_behind_several_windows_of_damage_is_found() {
        for padding in [WINDOW_BYTES - 60, WINDOW_BYTES - 20, WINDOW_BYTES, 2 * WINDOW_BYTES + 5] {
            assert_same(
                &[record(1, ChecksumKind::Hash), vec![0xee; padding], record(9, ChecksumKind::None)].concat(),
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_in_memory(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..300) {
            assert_same(&bytes);
            let (front, behind) = bytes.split_at(at.min(bytes.len()));
            assert_same(&[front, &record(5, ChecksumKind::None), behind].concat());
        }
    }
}
