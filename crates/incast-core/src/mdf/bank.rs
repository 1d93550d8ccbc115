//! Banks: the pieces of data of a record, or of a fragment.
//!
//! ```text
//!  0        2        4      5         6        8                 length      a multiple of 4
//!  | 0xCBCB | length | type | version | source | data             | padding  |
//! ```
//! All little endian. The length counts these 8 bytes and the data, but not the padding.
//!
//! Source: LHCb `Event/DAQEvent/Event/RawBank.h`, EDMS 565851.

use super::Fault;
use crate::wire::little_endian::{put, u16_at};

/// What every bank begins with.
pub const MAGIC: u16 = 0xcbcb;
/// Bytes in front of the data.
pub const BANK_HEADER_BYTES: usize = 8;
/// Most data of one bank: its length is a `u16`.
pub const BANK_DATA_BYTES_MAX: usize = u16::MAX as usize - BANK_HEADER_BYTES;

/// Type of the banks that the readout itself makes.
pub const DAQ: u8 = 15;
/// Type of the banks of the timing system.
pub const ODIN: u8 = 16;
/// Type of the banks of a test detector: what generated fragments are stored as.
pub const TEST_DETECTOR: u8 = 51;
/// Version of a bank of type [`DAQ`] that holds the header of its record.
pub const RECORD_HEADER: u8 = 16;
/// Version of a bank of type [`DAQ`] that holds data of its source which are no banks.
pub const NO_BANKS: u8 = 0x1d;

const LENGTH: usize = 2;
const KIND: usize = 4;
const VERSION: usize = 5;
const SOURCE: usize = 6;

/// Which bank it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BankId {
    /// Type: what kind of data.
    pub kind: u8,
    /// Version of the layout of the data.
    pub version: u8,
    /// The board, or the part of the detector.
    pub source: u16,
}

impl BankId {
    /// The name of its type, of those that are met in files; `None` for the others.
    #[must_use]
    pub const fn kind_name(self) -> Option<&'static str> {
        Some(match self.kind {
            DAQ if self.version == super::flaw::FLAW => "DAQ (flaw)",
            DAQ if self.version == NO_BANKS => "DAQ (no banks)",
            DAQ if self.version == RECORD_HEADER => "DAQ (record header)",
            DAQ => "DAQ",
            ODIN => "ODIN",
            17 => "HltDecReports",
            TEST_DETECTOR => "TestDet",
            53 => "HltRoutingBits",
            54 => "HltSelReports",
            55 => "HltVertexReports",
            56 => "HltLumiSummary",
            62 => "FileID",
            63 => "VP",
            66 => "UT",
            _ => return None,
        })
    }
}

/// One bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bank<'a> {
    /// With header and padding.
    bytes: &'a [u8],
    /// Without padding, but with header.
    length: usize,
}

impl<'a> Bank<'a> {
    /// Reads the bank at the beginning of `bytes`, and gives what follows it.
    ///
    /// # Errors
    /// When no whole bank with its padding begins here.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Fault> {
        if bytes.len() < BANK_HEADER_BYTES {
            return Err(Fault::BankCut);
        }
        if u16_at(bytes, 0) != MAGIC {
            return Err(Fault::BankMagic);
        }
        let length = usize::from(u16_at(bytes, LENGTH));
        if length < BANK_HEADER_BYTES {
            return Err(Fault::BankLength);
        }
        let (bytes, rest) = bytes.split_at_checked(length.next_multiple_of(4)).ok_or(Fault::BankCut)?;
        Ok((Self { bytes, length }, rest))
    }

    /// Which bank it is.
    #[must_use]
    pub fn id(&self) -> BankId {
        BankId { kind: self.bytes[KIND], version: self.bytes[VERSION], source: u16_at(self.bytes, SOURCE) }
    }

    /// Its data.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        &self.bytes[BANK_HEADER_BYTES..self.length]
    }

    /// The whole bank, with header and padding.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Writes a bank with its padding behind `out`.
///
/// # Errors
/// When the data are longer than [`BANK_DATA_BYTES_MAX`]; nothing is written then.
pub fn emit(id: BankId, data: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let length = u16::try_from(BANK_HEADER_BYTES + data.len()).map_err(|_| Fault::BankLength)?;
    emit_header(id, length, out);
    out.extend_from_slice(data);
    out.resize(out.len() + padding_bytes(data.len()), 0);
    Ok(())
}

/// Writes a bank whose `data_bytes` are filled in where they are to be, without a copy.
///
/// # Panics
///
/// When they are more than [`BANK_DATA_BYTES_MAX`].
pub(super) fn emit_with(id: BankId, data_bytes: usize, fill: impl FnOnce(&mut [u8]), out: &mut Vec<u8>) {
    assert!(data_bytes <= BANK_DATA_BYTES_MAX, "{data_bytes} bytes fit into a bank");
    emit_header(id, u16::try_from(BANK_HEADER_BYTES + data_bytes).unwrap_or(u16::MAX), out);
    let start = out.len();
    out.resize(start + data_bytes + padding_bytes(data_bytes), 0);
    fill(&mut out[start..start + data_bytes]);
}

fn emit_header(id: BankId, length: u16, out: &mut Vec<u8>) {
    let mut header = [0; BANK_HEADER_BYTES];
    put(&mut header, 0, MAGIC.to_le_bytes());
    put(&mut header, LENGTH, length.to_le_bytes());
    header[KIND] = id.kind;
    header[VERSION] = id.version;
    put(&mut header, SOURCE, id.source.to_le_bytes());
    out.extend_from_slice(&header);
}

/// Bytes of a bank of `data_bytes`, with header and padding.
#[must_use]
pub const fn bank_bytes(data_bytes: usize) -> usize {
    BANK_HEADER_BYTES + data_bytes + padding_bytes(data_bytes)
}

const fn padding_bytes(data_bytes: usize) -> usize {
    data_bytes.wrapping_neg() % 4
}

/// The banks of some bytes, one after the other; ends at the first that is damaged, after its fault.
#[derive(Clone, Debug)]
pub struct Banks<'a> {
    rest: &'a [u8],
}

impl<'a> Banks<'a> {
    /// The banks in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Banks<'a> {
    type Item = Result<Bank<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let parsed = Bank::parse(self.rest);
        self.rest = parsed.map_or(&[], |(_, rest)| rest);
        Some(parsed.map(|(bank, _)| bank))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: BankId = BankId { kind: 51, version: 2, source: 0x0102 };

    /// Written out by hand from the table above.
    const GOLDEN: [u8; 16] = [0xcb, 0xcb, 13, 0, 51, 2, 0x02, 0x01, 1, 2, 3, 4, 5, 0, 0, 0];

    #[test]
    fn a_bank_is_where_the_table_says() {
        let mut out = vec![7];
        emit(ID, &[1, 2, 3, 4, 5], &mut out).unwrap();
        assert_eq!(out[1..], GOLDEN);
        let behind = [&GOLDEN[..], &[9]].concat();
        let (bank, rest) = Bank::parse(&behind).unwrap();
        assert_eq!(
            (bank.id(), bank.data(), bank.bytes(), rest),
            (ID, &[1, 2, 3, 4, 5][..], &GOLDEN[..], &[9][..])
        );
    }

    #[test]
    fn every_length_is_padded_and_comes_back() {
        for length in 0..9 {
            let (mut out, data) = (Vec::new(), vec![0xff; length]);
            emit(ID, &data, &mut out).unwrap();
            assert_eq!(out.len(), bank_bytes(length));
            assert_eq!(out.len() % 4, 0);
            let (bank, rest) = Bank::parse(&out).unwrap();
            assert_eq!((bank.data(), rest), (&data[..], &[][..]));
        }
        let mut out = Vec::new();
        assert_eq!(emit(ID, &vec![0; BANK_DATA_BYTES_MAX], &mut out), Ok(()));
        assert_eq!(Bank::parse(&out).unwrap().0.data().len(), BANK_DATA_BYTES_MAX);
        out.clear();
        assert_eq!(emit(ID, &vec![0; BANK_DATA_BYTES_MAX + 1], &mut out), Err(Fault::BankLength));
        assert!(out.is_empty());
    }

    #[test]
    fn what_is_no_bank_is_named() {
        for length in 0..GOLDEN.len() {
            assert_eq!(Bank::parse(&GOLDEN[..length]), Err(Fault::BankCut), "{length}");
        }
        let with = |at: usize, byte: u8| {
            let mut bytes = GOLDEN;
            bytes[at] = byte;
            Bank::parse(&bytes).map(|_| ())
        };
        assert_eq!(with(0, 0), Err(Fault::BankMagic));
        assert_eq!(with(LENGTH, 7), Err(Fault::BankLength));
        assert_eq!(with(LENGTH, 17), Err(Fault::BankCut));
        assert_eq!(with(LENGTH, 16), Ok(()));
    }

    #[test]
    fn the_banks_end_at_the_first_fault() {
        let two = [GOLDEN, [0; 16], GOLDEN].concat();
        let kinds: Vec<_> = Banks::new(&two).map(|bank| bank.map(|bank| bank.id())).collect();
        assert_eq!(kinds, [Ok(ID), Err(Fault::BankMagic)]);
        assert_eq!(Banks::new(&[]).count(), 0);
    }
}
