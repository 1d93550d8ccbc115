//! Reads record after record, names what is damaged, and finds the next good record behind it.
//!
//! ```text
//!  | record | record | damaged ...                | record | record cut |
//!                      ^ fault    looks for three   ^ whose content is good
//!                                 equal sizes
//! ```
//! The parts lie end to end and cover every byte. A record whose check sum is wrong may have lost
//! bytes, and then the next one begins within it; so that is where it is looked for first. What
//! this costs is bounded by [`CHECKS_PER_BYTE`].

use super::header::has_sync_mark;
use super::{Fault, Header, Record};
use crate::wire::little_endian::length;

/// How many times the length of the input may be spent on checking what looks like a record within
/// damage. Bytes that were made to look like records everywhere could cost their square otherwise; when
/// it is spent, damage is passed over without looking inside.
pub const CHECKS_PER_BYTE: usize = 4;

/// A stretch of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A record whose content is good.
    Record {
        /// Where it begins.
        offset: usize,
        /// The record.
        record: Record<'a>,
    },
    /// Bytes that hold no good record.
    Damaged {
        /// Where they begin.
        offset: usize,
        /// How many they are.
        bytes: usize,
        /// What is wrong with the record that should begin there.
        fault: Fault,
    },
}

impl<'a> Part<'a> {
    /// The record, if it is one.
    #[must_use]
    pub const fn record(&self) -> Option<&Record<'a>> {
        match self {
            Self::Record { record, .. } => Some(record),
            Self::Damaged { .. } => None,
        }
    }
}

/// Gives the parts of some bytes in their order.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes that may still be checked within damage.
    checks_left: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which begin with a record if nothing is wrong.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, checks_left: bytes.len().saturating_mul(CHECKS_PER_BYTE) }
    }

    /// Only the good records, with their offsets.
    pub fn records(self) -> impl Iterator<Item = (usize, Record<'a>)> {
        self.filter_map(|part| match part {
            Part::Record { offset, record } => Some((offset, record)),
            Part::Damaged { .. } => None,
        })
    }

    /// Where the damage that begins at the current offset ends: at a good record, at the mark of one, or
    /// at the end.
    fn end_of_damage(&mut self) -> usize {
        let (start, end) = (self.at, self.bytes.len());
        // If its own size can be believed, the record is passed over as a whole.
        let Ok(record) = Record::parse(&self.bytes[start..]) else { return self.find(start + 1, end) };
        let claimed = start + record.bytes().len();
        if claimed == end || self.may_begin(claimed) {
            return self.find(start + 1, claimed);
        }
        self.find(start + 1, end)
    }

    /// The first good record that begins in `from..to`, or else `to`.
    fn find(&mut self, from: usize, to: usize) -> usize {
        let mut at = from;
        while at < to {
            if self.may_begin(at) && self.is_good(at) {
                return at;
            }
            at += 1;
        }
        to
    }

    /// Whether a header that makes sense begins at `at`.
    fn may_begin(&self, at: usize) -> bool {
        let rest = &self.bytes[at..];
        has_sync_mark(rest) && Header::parse(rest).is_ok()
    }

    /// Whether a good record begins at `at`, as long as asking that may cost something.
    fn is_good(&mut self, at: usize) -> bool {
        let Ok(record) = Record::parse(&self.bytes[at..]) else { return false };
        let Some(left) = self.checks_left.checked_sub(record.bytes().len()) else { return false };
        self.checks_left = left;
        record.check().is_ok()
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.at;
        if offset == self.bytes.len() {
            return None;
        }
        match checked(&self.bytes[offset..]) {
            Ok(record) => {
                self.at += length(record.header().record_bytes);
                Some(Part::Record { offset, record })
            }
            Err(fault) => {
                self.at = self.end_of_damage();
                Some(Part::Damaged { offset, bytes: self.at - offset, fault })
            }
        }
    }
}

/// The record at the beginning of `bytes`, its content checked.
///
/// # Errors
/// When no good record begins there.
pub fn checked(bytes: &[u8]) -> Result<Record<'_>, Fault> {
    let record = Record::parse(bytes)?;
    record.check()?;
    Ok(record)
}
