//! The bank that says what is wrong with an event that was stored although something is.
//!
//! ```text
//!  0        4     8       16      17        18      19  20        22        24
//!  | "ICFL" | run | event | cause | failure | fault | 0 | missing | damaged | missing  | damaged  |
//!  |        | u32 |  u64  |  u8   |   u8    |  u8   |   |  u16    |  u16    | sources  | sources  |
//! ```
//! A bank of type DAQ and version [`FLAW`], behind the bank of the timing system, in records that this
//! readout made itself. `missing` and `damaged` are the bytes of the two sets of sources: source `s` is
//! bit `s % 8` of byte `s / 8`, and the last byte of a set is not 0. What is not known or not so is 0.
//!
//! Cause: why sources were not waited for. Failure: how the algorithm failed to decide. Fault: the first
//! thing that was wrong with the data of a damaged source.

use super::bank::{self, BankId};
use super::{Bank, Fault};
use crate::readout::{Cause, EventNumber, Failure, RunNumber, SourceId, SourceSet};
use crate::wire::little_endian::{put, u16_at, u32_at, u64_at};

/// Version of a bank of type DAQ that holds a [`Flaw`].
pub const FLAW: u8 = 0x1c;
/// Bytes of the data in front of the two sets.
pub const FLAW_HEAD_BYTES: usize = 24;
/// Most bytes of the data: every source missing, and every source damaged.
pub const FLAW_BYTES_MAX: usize = FLAW_HEAD_BYTES + 2 * SET_BYTES_MAX;

/// Bytes of a set of all sources.
const SET_BYTES_MAX: usize = 65_536 / 8;
const MAGIC: [u8; 4] = *b"ICFL";
const RUN: usize = 4;
const EVENT: usize = 8;
const CAUSE: usize = 16;
const FAILURE: usize = 17;
const FAULT: usize = 18;
const ZERO: usize = 19;
const MISSING: usize = 20;
const DAMAGED: usize = 22;

/// What is wrong with a stored event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flaw {
    /// The run.
    pub run: RunNumber,
    /// The event.
    pub event: EventNumber,
    /// Why the missing sources were not waited for; `None` if none is missing.
    pub cause: Option<Cause>,
    /// How the algorithm failed; `None` if it decided.
    pub failure: Option<Failure>,
    /// The first thing that was wrong with the data of a damaged source, or with all of them together.
    pub fault: Option<Fault>,
    /// Sources of which nothing came.
    pub missing: SourceSet,
    /// Sources whose data were no banks, or did not fit into the record.
    pub damaged: SourceSet,
}

impl Flaw {
    /// The bank that holds it.
    pub const BANK: BankId = BankId { kind: bank::DAQ, version: FLAW, source: 0 };

    /// Whether there is anything to say.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.marks() == Marks::default()
    }

    /// It in short, as an index has it.
    #[must_use]
    pub fn marks(&self) -> Marks {
        Marks {
            cause: self.cause,
            failure: self.failure,
            is_damaged: self.fault.is_some() || !self.damaged.is_empty(),
            is_replayed: false,
        }
    }

    /// The data of the bank.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let (missing, damaged) = (set_bytes(&self.missing), set_bytes(&self.damaged));
        let mut data = vec![0; FLAW_HEAD_BYTES];
        put(&mut data, 0, MAGIC);
        put(&mut data, RUN, self.run.0.to_le_bytes());
        put(&mut data, EVENT, self.event.0.to_le_bytes());
        data[CAUSE] = cause_code(self.cause);
        data[FAILURE] = failure_code(self.failure);
        data[FAULT] = self.fault.map_or(0, fault_code);
        // A set has at most 8192 bytes.
        put(&mut data, MISSING, u16::try_from(missing.len()).unwrap_or(u16::MAX).to_le_bytes());
        put(&mut data, DAMAGED, u16::try_from(damaged.len()).unwrap_or(u16::MAX).to_le_bytes());
        data.extend_from_slice(&missing);
        data.extend_from_slice(&damaged);
        data
    }

    /// Reads a bank; `None` if it is not this one, or not as it would be written.
    #[must_use]
    pub fn parse(bank: &Bank<'_>) -> Option<Self> {
        let data = bank.data();
        if bank.id() != Self::BANK || data.len() < FLAW_HEAD_BYTES || data[..4] != MAGIC || data[ZERO] != 0 {
            return None;
        }
        let (head, sets) = data.split_at(FLAW_HEAD_BYTES);
        let (missing, damaged) = sets.split_at_checked(u16_at(head, MISSING).into())?;
        if damaged.len() != usize::from(u16_at(head, DAMAGED)) {
            return None;
        }
        Some(Self {
            run: RunNumber(u32_at(head, RUN)),
            event: EventNumber(u64_at(head, EVENT)),
            cause: cause_of(head[CAUSE])?,
            failure: failure_of(head[FAILURE])?,
            fault: match head[FAULT] {
                0 => None,
                code => Some(*Fault::ALL.get(usize::from(code) - 1)?),
            },
            missing: set_of(missing)?,
            damaged: set_of(damaged)?,
        })
    }
}

/// A flaw in short, and whether the record is as it once was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Sources are missing, and were not waited for because of this.
    pub cause: Option<Cause>,
    /// The algorithm failed like this.
    pub failure: Option<Failure>,
    /// Data of a source were no banks, or did not fit.
    pub is_damaged: bool,
    /// It is a record that was dealt out and joined, byte for byte.
    pub is_replayed: bool,
}

const IS_DAMAGED: u8 = 1;
const IS_REPLAYED: u8 = 2;

impl Marks {
    /// Three bytes: bits, cause, failure.
    #[must_use]
    pub fn emit(self) -> [u8; 3] {
        let damaged = if self.is_damaged { IS_DAMAGED } else { 0 };
        let replayed = if self.is_replayed { IS_REPLAYED } else { 0 };
        [damaged | replayed, cause_code(self.cause), failure_code(self.failure)]
    }

    /// Reads what `emit` has written; `None` if it cannot have.
    #[must_use]
    pub fn parse([bits, cause, failure]: [u8; 3]) -> Option<Self> {
        (bits & !(IS_DAMAGED | IS_REPLAYED) == 0).then_some(())?;
        Some(Self {
            cause: cause_of(cause)?,
            failure: failure_of(failure)?,
            is_damaged: bits & IS_DAMAGED != 0,
            is_replayed: bits & IS_REPLAYED != 0,
        })
    }
}

const CAUSES: [Cause; 3] = [Cause::TimedOut, Cause::Crowded, Cause::Ended];

fn cause_code(cause: Option<Cause>) -> u8 {
    match cause {
        None => 0,
        Some(Cause::TimedOut) => 1,
        Some(Cause::Crowded) => 2,
        Some(Cause::Ended) => 3,
    }
}

fn cause_of(code: u8) -> Option<Option<Cause>> {
    let Some(place) = code.checked_sub(1) else { return Some(None) };
    CAUSES.get(usize::from(place)).map(|cause| Some(*cause))
}

fn failure_code(failure: Option<Failure>) -> u8 {
    failure.map_or(0, |failure| failure as u8)
}

fn failure_of(code: u8) -> Option<Option<Failure>> {
    let found = || Failure::ALL.into_iter().find(|failure| *failure as u8 == code);
    if code == 0 { Some(None) } else { found().map(Some) }
}

fn fault_code(fault: Fault) -> u8 {
    fault as u8 + 1
}

fn set_bytes(set: &SourceSet) -> Vec<u8> {
    let mut bytes = Vec::new();
    for SourceId(source) in set.iter() {
        let place = usize::from(source / 8);
        // Sources rise, so this is the last byte or one behind it.
        bytes.resize(place + 1, 0);
        bytes[place] |= 1 << (source % 8);
    }
    bytes
}

fn set_of(bytes: &[u8]) -> Option<SourceSet> {
    if bytes.len() > SET_BYTES_MAX || bytes.last() == Some(&0) {
        return None;
    }
    let bits = (0..=u16::MAX).take(bytes.len() * 8);
    let is_in = |source: &u16| bytes[usize::from(source / 8)] >> (source % 8) & 1 == 1;
    Some(bits.filter(is_in).map(SourceId).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw() -> Flaw {
        Flaw {
            run: RunNumber(0x0102_0304),
            event: EventNumber(9),
            cause: Some(Cause::Crowded),
            failure: Some(Failure::Memory),
            fault: Some(Fault::BankMagic),
            missing: [0, 9].map(SourceId).into_iter().collect(),
            damaged: [7].map(SourceId).into_iter().collect(),
        }
    }

    fn parsed(data: &[u8]) -> Option<Flaw> {
        let mut bytes = Vec::new();
        bank::emit(Flaw::BANK, data, &mut bytes).unwrap();
        Flaw::parse(&Bank::parse(&bytes).unwrap().0)
    }

    #[test]
    fn a_flaw_is_where_the_table_says() {
        // Written out by hand from the table above.
        let golden = [
            b'I', b'C', b'F', b'L', 4, 3, 2, 1, 9, 0, 0, 0, 0, 0, 0, 0, 2, 3, 7, 0, 2, 0, 1, 0, 0b1, 0b10,
            0x80,
        ];
        assert_eq!(flaw().emit(), golden);
        assert_eq!(parsed(&golden), Some(flaw()));
        // Not these marks, not these values, not these lengths.
        for (at, value) in [(0, 0), (16, 4), (17, 5), (18, 16), (19, 1), (20, 3), (22, 0), (25, 0), (26, 0)] {
            let mut other = golden;
            other[at] = value;
            assert_eq!(parsed(&other), None, "byte {at}");
        }
        for length in 0..golden.len() {
            assert_eq!(parsed(&golden[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn every_source_can_be_missing_and_damaged_at_once() {
        let all: SourceSet = (0..=u16::MAX).map(SourceId).collect();
        let flaw = Flaw { missing: all.clone(), damaged: all, ..flaw() };
        let data = flaw.emit();
        assert_eq!(data.len(), FLAW_BYTES_MAX);
        assert_eq!(parsed(&data), Some(flaw));
    }

    #[test]
    fn marks_come_back_and_others_are_refused() {
        for cause in [None].into_iter().chain(CAUSES.map(Some)) {
            for failure in [None].into_iter().chain(Failure::ALL.map(Some)) {
                for bits in 0..4 {
                    let (is_damaged, is_replayed) = (bits & 1 != 0, bits & 2 != 0);
                    let marks = Marks { cause, failure, is_damaged, is_replayed };
                    assert_eq!(Marks::parse(marks.emit()), Some(marks));
                }
            }
        }
        for refused in [[4, 0, 0], [0, 4, 0], [0, 0, 5]] {
            assert_eq!(Marks::parse(refused), None);
        }
    }
}
