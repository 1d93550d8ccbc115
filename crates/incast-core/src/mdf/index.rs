//! Where each event is in a file, and a file of that: an entry of 36 bytes for each record.
//!
//! ```text
//!  head:   0           8     12      16
//!          | "INCASTX1" | run | crc  |
//!  entry:  0        8       16      20           24         25      26      27        28        32    36
//!          | offset | event | bytes | record crc | numbered | marks | cause | failure | streams | crc |
//!          |  u64   |  u64  |  u32  |    u32     |    u8    |  u8   |  u8   |   u8    |   u32   | u32 |
//! ```
//! All little endian; the layout is ours. `record crc` is the CRC-32C of the whole record, so that a
//! record without a check sum of its own can be verified as well. `numbered` says where the number of
//! the event is from: 0 the bank of the timing system, 1 the place in the file, counted from 0, 2 the
//! readout that stored it, where the bank has the number of another run. `marks` (1 damaged, 2 replayed),
//! `cause` and `failure` are those of [`Marks`]; `streams` has a bit for every output stream that the event
//! is kept in, of which this file is one. Each `crc` is the CRC-32C of what is in front of it in its head or entry: an index that was cut or damaged
//! is used up to its last good entry.

use super::{Fault, Marks, Record, keep};
use crate::wire::crc32c::crc32c;
use crate::wire::little_endian::{array_at, put, u32_at, u64_at};

/// Bytes in front of the entries.
pub const HEAD_BYTES: usize = 16;
/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 36;
/// What an index begins with.
pub const MAGIC: [u8; 8] = *b"INCASTX1";

const HEAD_RUN: usize = 8;
const HEAD_CRC: usize = 12;
const EVENT: usize = 8;
const BYTES: usize = 16;
const RECORD_CRC: usize = 20;
const NUMBERED: usize = 24;
const MARKS: usize = 25;
const STREAMS: usize = 28;
const ENTRY_CRC: usize = 32;

/// Where the number of an event is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbered {
    /// The bank of the timing system.
    ByTiming,
    /// Its place in the file, from 0: there is no such bank.
    ByPlace,
    /// The readout that stored it: the bank, if any, has the number of the run that was replayed.
    ByReadout,
}

impl Numbered {
    /// Every origin, by its code.
    const ALL: [Self; 3] = [Self::ByTiming, Self::ByPlace, Self::ByReadout];
}

/// Where one event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Where its record begins.
    pub offset: u64,
    /// Number of the event.
    pub event: u64,
    /// Bytes of its record.
    pub bytes: u32,
    /// CRC-32C of its record.
    pub record_crc: u32,
    /// Where the number is from.
    pub numbered: Numbered,
    /// What is wrong with the event, and whether it was replayed.
    pub marks: Marks,
    /// One bit for each output stream that it is kept in.
    pub streams: u32,
}

impl IndexEntry {
    /// The entry of `record`, which begins at `offset` and has `place` records in front of it.
    #[must_use]
    pub fn of(record: &Record<'_>, offset: u64, place: u64) -> Self {
        let odin = record.odin();
        Self {
            offset,
            event: odin.map_or(place, |odin| odin.event),
            bytes: record.header().record_bytes,
            record_crc: crc32c(record.bytes()),
            numbered: if odin.is_some() { Numbered::ByTiming } else { Numbered::ByPlace },
            marks: keep::flaw(record).map(|flaw| flaw.marks()).unwrap_or_default(),
            streams: record.header().trigger_mask[0],
        }
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn parse(entry: &[u8; ENTRY_BYTES]) -> Result<Self, Fault> {
        if u32_at(entry, ENTRY_CRC) != crc32c(&entry[..ENTRY_CRC]) {
            return Err(Fault::Entry);
        }
        let numbered = Numbered::ALL.get(usize::from(entry[NUMBERED])).ok_or(Fault::Entry)?;
        Ok(Self {
            offset: u64_at(entry, 0),
            event: u64_at(entry, EVENT),
            bytes: u32_at(entry, BYTES),
            record_crc: u32_at(entry, RECORD_CRC),
            numbered: *numbered,
            marks: Marks::parse(array_at(entry, MARKS)).ok_or(Fault::Entry)?,
            streams: u32_at(entry, STREAMS),
        })
    }

    /// The entry as bytes.
    #[must_use]
    pub fn emit(&self) -> [u8; ENTRY_BYTES] {
        let mut entry = [0; ENTRY_BYTES];
        put(&mut entry, 0, self.offset.to_le_bytes());
        put(&mut entry, EVENT, self.event.to_le_bytes());
        put(&mut entry, BYTES, self.bytes.to_le_bytes());
        put(&mut entry, RECORD_CRC, self.record_crc.to_le_bytes());
        entry[NUMBERED] = self.numbered as u8;
        put(&mut entry, MARKS, self.marks.emit());
        put(&mut entry, STREAMS, self.streams.to_le_bytes());
        let crc = crc32c(&entry[..ENTRY_CRC]);
        put(&mut entry, ENTRY_CRC, crc.to_le_bytes());
        entry
    }

    /// Whether `record` is the one that the entry was made of.
    #[must_use]
    pub fn matches(&self, record: &[u8]) -> bool {
        u64::try_from(record.len()) == Ok(u64::from(self.bytes)) && crc32c(record) == self.record_crc
    }
}

/// Where the events of a file are, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Run number, of the first record.
    pub run: u32,
    /// One for each good record.
    pub entries: Vec<IndexEntry>,
}

impl Index {
    /// The index of the good records in `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut index = Self::default();
        for ((offset, record), place) in super::Reader::new(bytes).records().zip(0_u64..) {
            if place == 0 {
                index.run = record.header().run;
            }
            index.entries.push(IndexEntry::of(&record, offset as u64, place));
        }
        index
    }

    /// The head of an index, to which entries are appended.
    #[must_use]
    pub fn emit_head(run: u32) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        put(&mut head, 0, MAGIC);
        put(&mut head, HEAD_RUN, run.to_le_bytes());
        let crc = crc32c(&head[..HEAD_CRC]);
        put(&mut head, HEAD_CRC, crc.to_le_bytes());
        head
    }

    /// The whole index as bytes, behind what `out` holds.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&Self::emit_head(self.run));
        self.entries.iter().for_each(|entry| out.extend_from_slice(&entry.emit()));
    }

    /// Reads an index up to its last good entry; gives the bytes that are good as well, where writing can
    /// go on. Entries that do not follow one another in the file are not good.
    ///
    /// # Errors
    /// When not even its head is good.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), Fault> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(Fault::Entry)?;
        if head[..MAGIC.len()] != MAGIC || u32_at(head, HEAD_CRC) != crc32c(&head[..HEAD_CRC]) {
            return Err(Fault::Entry);
        }
        let mut index = Self { run: u32_at(head, HEAD_RUN), entries: Vec::new() };
        let mut end = 0;
        for entry in rest.as_chunks().0 {
            let Ok(entry) = IndexEntry::parse(entry) else { break };
            let Some(next) = entry.offset.checked_add(u64::from(entry.bytes)) else { break };
            if entry.offset < end {
                break;
            }
            end = next;
            index.entries.push(entry);
        }
        let good = HEAD_BYTES + index.entries.len() * ENTRY_BYTES;
        Ok((index, good))
    }

    /// Where event `number` is: the first of that number.
    #[must_use]
    pub fn find(&self, number: u64) -> Option<&IndexEntry> {
        self.entries.iter().find(|entry| entry.event == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readout::Cause;

    const ENTRY: IndexEntry = IndexEntry {
        offset: 0x0102_0304_0506_0708,
        event: 9,
        bytes: 0x0a0b_0c0d,
        record_crc: 0x1122_3344,
        numbered: Numbered::ByPlace,
        marks: Marks { cause: Some(Cause::Ended), failure: None, is_damaged: true, is_replayed: true },
        streams: 0x0506_0708,
    };

    #[test]
    fn an_entry_is_where_the_table_says() {
        let bytes = ENTRY.emit();
        // Written out by hand from the table above, but for the CRC.
        let golden = [
            8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0x0c, 0x0b, 0x0a, 0x44, 0x33, 0x22, 0x11,
            1, 3, 3, 0, 8, 7, 6, 5,
        ];
        assert_eq!(bytes[..32], golden);
        assert_eq!(u32_at(&bytes, 32), crc32c(&golden));
        assert_eq!(IndexEntry::parse(&bytes), Ok(ENTRY));
        for at in 0..ENTRY_BYTES {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert_eq!(IndexEntry::parse(&damaged), Err(Fault::Entry));
        }
    }

    #[test]
    fn an_index_that_is_cut_is_good_up_to_its_last_entry() {
        let entries =
            (0..3).map(|place| IndexEntry { offset: place * 100, bytes: 100, event: place, ..ENTRY });
        let index = Index { run: 7, entries: entries.collect() };
        let mut bytes = Vec::new();
        index.emit(&mut bytes);
        for length in 0..=bytes.len() {
            match (Index::parse(&bytes[..length]), length.checked_sub(HEAD_BYTES)) {
                (Err(fault), None) => assert_eq!(fault, Fault::Entry),
                (Ok((read, good)), Some(entries)) => {
                    let whole = entries / ENTRY_BYTES;
                    assert_eq!((read.run, &read.entries[..]), (7, &index.entries[..whole]));
                    assert_eq!(good, HEAD_BYTES + whole * ENTRY_BYTES);
                }
                (parsed, _) => panic!("{length}: {parsed:?}"),
            }
        }
        assert_eq!(index.find(2), Some(&index.entries[2]));
        assert_eq!(index.find(3), None);
    }

    #[test]
    fn entries_that_overlap_are_not_believed() {
        let entries = vec![ENTRY, IndexEntry { offset: ENTRY.offset + 1, ..ENTRY }];
        let mut bytes = Vec::new();
        Index { run: 0, entries }.emit(&mut bytes);
        assert_eq!(Index::parse(&bytes).unwrap().0.entries, [ENTRY]);
    }
}
