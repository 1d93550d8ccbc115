//! Generated fragments as banks that verify themselves, and the check of them in a record.
//!
//! ```text
//!  fragment:  | bank: content from 0 on | bank: content from 65 524 on | ...
//! ```
//! The banks are of the type of a test detector, of version 1 for the first level and 2 for the second.
//! Their data, joined, are the [`Content`] of run, source and event from its beginning. A record that
//! this readout made has a bank of the timing system in front which says run and event, so nothing else is
//! needed to verify it. A bank that is missing at the end is not noticed here: the check sums say that.

use super::bank::{self, BANK_DATA_BYTES_MAX, BankId};
use super::{Record, keep};
use crate::readout::{Level, SourceId};
use crate::wire::content::Content;

/// Most content of one bank: full banks need no padding, so that the next begins right behind.
pub const CONTENT_BYTES_MAX: usize = BANK_DATA_BYTES_MAX - BANK_DATA_BYTES_MAX % 4;

/// Writes `bytes` of `content`, in as many banks as they need, behind `out`. No bytes make one empty bank.
///
/// [`verify_generated`] expects `Content::new(run, source, event)`.
pub fn generated_banks(content: Content, source: SourceId, level: Level, bytes: usize, out: &mut Vec<u8>) {
    let id = BankId { kind: bank::TEST_DETECTOR, version: version_of(level), source: source.0 };
    let mut offset = 0;
    loop {
        let piece = (bytes - offset).min(CONTENT_BYTES_MAX);
        bank::emit_with(id, piece, |data| content.fill(offset, data), out);
        offset += piece;
        if offset == bytes {
            return;
        }
    }
}

/// Bytes of what [`generated_banks`] writes.
#[must_use]
pub const fn generated_banks_bytes(bytes: usize) -> usize {
    let full = if bytes == 0 { 0 } else { (bytes - 1) / CONTENT_BYTES_MAX };
    full * bank::bank_bytes(CONTENT_BYTES_MAX) + bank::bank_bytes(bytes - full * CONTENT_BYTES_MAX)
}

/// What is found of generated banks in a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GeneratedCheck {
    /// Banks that were looked at.
    pub banks: u64,
    /// Bytes of content that are as they should be, or were looked at before the first wrong one.
    pub bytes: u64,
    /// The first byte that is not.
    pub wrong: Option<WrongContent>,
}

/// Where content is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongContent {
    /// Whose.
    pub source: SourceId,
    /// Where in the content of its fragment, all its banks joined.
    pub offset: usize,
}

/// Compares the generated banks of a record with what they should be. A record that this readout did not
/// make, or that has no such banks, has nothing to verify, and so nothing wrong.
#[must_use]
pub fn verify_generated(record: &Record<'_>) -> GeneratedCheck {
    let mut check = GeneratedCheck::default();
    let Some(made) = keep::made_here(record) else { return check };
    let mut current: Option<(BankId, usize)> = None;
    for bank in record.banks().map_while(Result::ok) {
        let (id, data) = (bank.id(), bank.data());
        if id.kind != bank::TEST_DETECTOR {
            current = None;
            continue;
        }
        let offset = current.filter(|(of, _)| *of == id).map_or(0, |(_, offset)| offset);
        let content = Content::new(made.run, id.source, made.event);
        check.banks += 1;
        if let Some(at) = content.first_wrong(offset, data) {
            check.bytes += at as u64;
            check.wrong = Some(WrongContent { source: SourceId(id.source), offset: offset + at });
            return check;
        }
        check.bytes += data.len() as u64;
        current = Some((id, offset + data.len()));
    }
    check
}

const fn version_of(level: Level) -> u8 {
    match level {
        Level::First => 1,
        Level::Second => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Banks;
    use super::*;

    #[test]
    fn content_of_any_length_is_banks_that_join_to_it() {
        let content = Content::new(1, 2, 3);
        for bytes in [0, 1, 7, 65_523, 65_524, 65_525, 131_048, 200_001] {
            let mut out = vec![0xee];
            generated_banks(content, SourceId(2), Level::Second, bytes, &mut out);
            assert_eq!(out.len(), 1 + generated_banks_bytes(bytes), "{bytes}");
            let banks: Vec<_> = Banks::new(&out[1..]).map(Result::unwrap).collect();
            let id = BankId { kind: bank::TEST_DETECTOR, version: 2, source: 2 };
            assert!(banks.iter().all(|bank| bank.id() == id));
            let joined: Vec<u8> = banks.iter().flat_map(|bank| bank.data().to_vec()).collect();
            assert_eq!((joined.len(), content.first_wrong(0, &joined)), (bytes, None));
        }
    }
}
