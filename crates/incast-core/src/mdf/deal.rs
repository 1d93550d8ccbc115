//! Deals the banks of a record out to sources, and joins them again to the same record.
//!
//! ```text
//!  record:      header | bank 0 | bank 1 | bank 2 | bank 3 | bank 4
//!  fragment 0:  DAQ bank with the header | bank 0 | bank 3
//!  fragment 1:  bank 1 | bank 4
//!  fragment 2:  bank 2
//! ```
//! Every fragment is banks and nothing else, as in the real system. The header of the record travels in
//! a bank of type DAQ and version 16, as LHCb keeps it in memory. Banks are taken with their padding,
//! so that the joined record is the same byte for byte. As the banks are dealt out in turn, joining needs
//! only the order of the fragments, and notices most fragments that are missing or of another event.

use super::bank::{self, Bank, BankId};
use super::header::HEADER_BYTES;
use super::{Banks, Fault, Header, Record};
use crate::wire::little_endian::length;

/// The bank that holds the header of its record.
const HEADER_BANK: BankId = BankId { kind: bank::DAQ, version: bank::RECORD_HEADER, source: 0 };

/// Whether `first`, the fragment of the first source, is one that [`deal`] has made.
#[must_use]
pub fn is_dealt(first: &[u8]) -> bool {
    Bank::parse(first).is_ok_and(|(bank, _)| bank.id() == HEADER_BANK && bank.data().len() == HEADER_BYTES)
}

/// Deals the banks of `record` out to `fragments`, one for each source; what they held is cleared.
///
/// # Errors
/// When the record is not of banks as they are, when one of them is damaged, or when there are no
/// fragments; what `fragments` hold then has no meaning.
pub fn deal(record: &Record<'_>, fragments: &mut [Vec<u8>]) -> Result<(), Fault> {
    if !record.header().holds_banks() {
        return Err(Fault::NoBanks);
    }
    fragments.iter_mut().for_each(Vec::clear);
    let first = fragments.first_mut().ok_or(Fault::Uneven)?;
    bank::emit(HEADER_BANK, &record.header().emit(), first)?;
    let sources = fragments.len();
    for (turn, bank) in record.banks().enumerate() {
        fragments[turn % sources].extend_from_slice(bank?.bytes());
    }
    Ok(())
}

/// Writes the record that was dealt out to `fragments`, all of them and in their order, behind `out`;
/// gives its bytes. Its check sum is the one that it had: whether it matches is for the record to say.
///
/// # Errors
/// When they do not make the record that the header tells of; `out` is then as it was.
pub fn join<F: AsRef<[u8]>>(fragments: &[F], out: &mut Vec<u8>) -> Result<usize, Fault> {
    let start = out.len();
    let joined = join_behind(fragments, out, start);
    if joined.is_err() {
        out.truncate(start);
    }
    joined
}

fn join_behind<F: AsRef<[u8]>>(fragments: &[F], out: &mut Vec<u8>, start: usize) -> Result<usize, Fault> {
    let first = fragments.first().ok_or(Fault::NoHeader)?.as_ref();
    let (header_bank, first) = Bank::parse(first).map_err(|_| Fault::NoHeader)?;
    if header_bank.id() != HEADER_BANK || header_bank.data().len() != HEADER_BYTES {
        return Err(Fault::NoHeader);
    }
    let header = Header::parse(header_bank.data())?;
    let record_bytes = length(header.record_bytes);
    out.extend_from_slice(header_bank.data());

    let rest = fragments[1..].iter().map(|fragment| Banks::new(fragment.as_ref()));
    let mut dealt: Vec<Banks<'_>> = std::iter::once(Banks::new(first)).chain(rest).collect();
    let sources = dealt.len();
    for turn in 0.. {
        let Some(bank) = dealt[turn % sources].next() else { break };
        let bank = bank?.bytes();
        if out.len() - start + bank.len() > record_bytes {
            return Err(Fault::SizeOfParts);
        }
        out.extend_from_slice(bank);
    }
    // Whose turn it is has no more banks, so nobody has.
    if dealt.iter_mut().any(|banks| banks.next().is_some()) {
        return Err(Fault::Uneven);
    }
    let bytes = out.len() - start;
    if bytes == record_bytes { Ok(bytes) } else { Err(Fault::SizeOfParts) }
}
