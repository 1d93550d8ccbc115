//! One record: a header and what it says of the bytes behind it.

use super::header::{COVERED_FROM, HEADER_BYTES};
use super::{Bank, Banks, Checksum, Fault, Header, Odin};
use crate::wire::little_endian::length;

/// A record whose size has been checked; [`Record::check`] says whether its content is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    header: Header,
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads the record at the beginning of `bytes`; what follows it is left alone.
    ///
    /// # Errors
    /// When no whole record begins here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let header = Header::parse(bytes)?;
        let bytes = bytes.get(..length(header.record_bytes)).ok_or(Fault::RecordCut)?;
        Ok(Self { header, bytes })
    }

    /// What its header says.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The whole record.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What is behind the header.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// Its banks; none if the header says that there are none, or that they are compressed.
    #[must_use]
    pub fn banks(&self) -> Banks<'a> {
        Banks::new(if self.header.holds_banks() { self.body() } else { &[] })
    }

    /// Whether the check sum matches.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        Checksum::verify(self.header.checksum, &self.bytes[COVERED_FROM..])
    }

    /// Whether the content is what was written: by its check sum, or by its banks if it has none.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Fault> {
        match self.checksum() {
            Checksum::Matches | Checksum::MatchesLegacy => Ok(()),
            Checksum::Wrong => Err(Fault::Checksum),
            Checksum::None => self.banks().try_for_each(|bank| bank.map(|_| ())),
        }
    }

    /// What the timing system says of the event: the first bank of its kind.
    #[must_use]
    pub fn odin(&self) -> Option<Odin> {
        self.banks().map_while(Result::ok).find_map(|bank: Bank<'_>| Odin::parse(&bank))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdf::{BankId, ChecksumKind, RecordWriter};

    fn record(kind: ChecksumKind) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = RecordWriter::begin(&mut bytes, Header::of_banks(1, 2, 3));
        let odin = Odin { run: 1, event: 99, ..Odin::default() };
        writer.push(Odin::id_version_7(), &odin.emit_version_7()).unwrap();
        writer.push(BankId { kind: 51, version: 0, source: 4 }, &[0xff; 9]).unwrap();
        writer.finish(kind);
        bytes
    }

    #[test]
    fn a_record_tells_its_banks_and_its_event() {
        let bytes = [record(ChecksumKind::Hash), vec![1, 2, 3]].concat();
        let record = Record::parse(&bytes).unwrap();
        assert_eq!(record.bytes().len(), bytes.len() - 3);
        assert_eq!(record.checksum(), Checksum::Matches);
        assert_eq!(record.banks().map(|bank| bank.unwrap().data().len()).collect::<Vec<_>>(), [40, 9]);
        assert_eq!(record.odin().map(|odin| odin.event), Some(99));
    }

    #[test]
    fn every_damaged_byte_behind_the_sizes_is_noticed() {
        let good = record(ChecksumKind::Hash);
        for at in 12..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            let fault = Record::parse(&bytes).and_then(|record| record.check()).unwrap_err();
            let expected = if at == 17 { Fault::HeaderUnknown } else { Fault::Checksum };
            assert_eq!(fault, expected, "byte {at}");
        }
    }

    #[test]
    fn without_a_check_sum_the_banks_have_to_make_sense() {
        let mut bytes = record(ChecksumKind::None);
        assert_eq!(Record::parse(&bytes).unwrap().check(), Ok(()));
        bytes[HEADER_BYTES] = 0;
        assert_eq!(Record::parse(&bytes).unwrap().check(), Err(Fault::BankMagic));
    }
}
