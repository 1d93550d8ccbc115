//! Writes a record of banks, of version 3, into a buffer of the caller.

use super::bank::{self, BANK_DATA_BYTES_MAX, BankId, bank_bytes};
use super::header::{self, COVERED_FROM, RECORD_BYTES_MAX};
use super::{ChecksumKind, Fault, Header, checksum};
use crate::wire::little_endian::{bounded, length};

/// A record that is being written; it counts only when it is finished.
#[derive(Debug)]
#[must_use = "a record is not whole before `finish`"]
pub struct RecordWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> RecordWriter<'a> {
    /// Begins a record behind what `out` holds. Size and check sum of `header` are written at the end.
    pub fn begin(out: &'a mut Vec<u8>, header: Header) -> Self {
        let start = out.len();
        out.extend_from_slice(&header.emit());
        Self { out, start }
    }

    /// Adds a bank.
    ///
    /// # Errors
    /// When the bank or the record becomes larger than it can be; the record is then as it was.
    pub fn push(&mut self, id: BankId, data: &[u8]) -> Result<(), Fault> {
        self.check_room(bank_bytes(data.len()))?;
        bank::emit(id, data, self.out)
    }

    /// Adds as many banks as `data` of any length need; only the last one is not full. Empty data make
    /// one empty bank.
    ///
    /// # Errors
    /// When the record becomes larger than it can be; it is then as it was.
    pub fn push_split(&mut self, id: BankId, data: &[u8]) -> Result<(), Fault> {
        // Full banks need no padding, so that the data can be joined again as they are.
        const PIECE: usize = BANK_DATA_BYTES_MAX - BANK_DATA_BYTES_MAX % 4;
        let pieces = data.len().div_ceil(PIECE).max(1);
        self.check_room((pieces - 1) * bank_bytes(PIECE) + bank_bytes(data.len() - (pieces - 1) * PIECE))?;
        (0..pieces).try_for_each(|piece| {
            let end = data.len().min((piece + 1) * PIECE);
            bank::emit(id, &data[piece * PIECE..end], self.out)
        })
    }

    /// Adds banks that are laid out already, as they are.
    ///
    /// # Errors
    /// When they are not whole banks, or the record becomes larger than it can be.
    pub fn push_banks(&mut self, banks: &[u8]) -> Result<(), Fault> {
        super::Banks::new(banks).try_for_each(|bank| bank.map(|_| ()))?;
        self.check_room(banks.len())?;
        self.out.extend_from_slice(banks);
        Ok(())
    }

    /// Settles size and check sum; gives the bytes of the record.
    pub fn finish(self, kind: ChecksumKind) -> u32 {
        let record = &mut self.out[self.start..];
        // `check_room` has kept it within the bound.
        let record_bytes = bounded(record.len(), RECORD_BYTES_MAX).unwrap_or_default();
        let sum = match kind {
            ChecksumKind::None => 0,
            ChecksumKind::Hash => checksum::hash(&record[COVERED_FROM..]),
        };
        header::settle(record, record_bytes, sum);
        record_bytes
    }

    /// Takes back what was written; `out` is as it was before.
    pub fn abandon(self) {
        self.out.truncate(self.start);
    }

    fn check_room(&self, more: usize) -> Result<(), Fault> {
        let written = self.out.len() - self.start;
        let fits = more <= length(RECORD_BYTES_MAX) - written;
        if fits { Ok(()) } else { Err(Fault::TooLarge) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdf::{Checksum, Record};

    const ID: BankId = BankId { kind: bank::TEST_DETECTOR, version: 1, source: 7 };

    #[test]
    fn data_of_any_length_are_split_into_banks_and_are_the_same_again() {
        for size in [0, 1, 65_523, 65_524, 65_525, 200_001] {
            let data: Vec<u8> = (0..size).map(|index| u8::try_from(index % 251).unwrap()).collect();
            let mut out = vec![0xee; 5];
            let mut writer = RecordWriter::begin(&mut out, Header::of_banks(1, 2, 3));
            writer.push_split(ID, &data).unwrap();
            let bytes = writer.finish(ChecksumKind::Hash);
            assert_eq!(out.len(), 5 + bytes as usize);
            let record = Record::parse(&out[5..]).unwrap();
            assert_eq!(record.checksum(), Checksum::Matches);
            let banks: Vec<_> = record.banks().map(Result::unwrap).collect();
            assert!(banks.iter().all(|bank| bank.id() == ID));
            let (_, full) = banks.split_last().unwrap();
            assert!(full.iter().all(|bank| bank.bytes().ends_with(bank.data())), "padded: {size}");
            assert_eq!(
                banks.iter().flat_map(|bank| bank.data().to_vec()).collect::<Vec<_>>(),
                data,
                "{size}"
            );
        }
    }

    #[test]
    fn what_is_abandoned_leaves_no_trace() {
        let mut out = vec![1, 2];
        let mut writer = RecordWriter::begin(&mut out, Header::of_banks(1, 2, 3));
        writer.push(ID, &[1]).unwrap();
        assert_eq!(writer.push(ID, &vec![0; 65_535]), Err(Fault::BankLength));
        assert_eq!(writer.push_banks(&[0xcb, 0xcb, 8]), Err(Fault::BankCut));
        writer.abandon();
        assert_eq!(out, [1, 2]);
    }
}
