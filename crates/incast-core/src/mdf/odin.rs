//! The bank of the timing system, which numbers the events.
//!
//! ```text
//!  version 6 (Run 1 and 2), words of 32 bits:
//!  0      4           8       12          16         20      24      28       32           36    40
//!  | run  | type,step | orbit | event hi  | event lo | gps hi| gps lo| status | bunch, ... | tck |
//!
//!  version 7 (Run 3):
//!  0      4      6      8               16    20          24           28      32              40
//!  | run  | type | step | gps time, us  | tck | partition | bunch, ... | orbit | event         |
//! ```
//! All little endian; of the word with the bunch, only its low 12 bits are used here. Versions before
//! 6 have the words of version 6, and some of them no `tck`.
//!
//! Sources: LHCb `Event/DAQEvent` ODIN, EDMS 704084 (version 6); EDMS 2100937 (version 7).

use super::bank::{self, Bank, BankId};
use crate::wire::little_endian::{put, u16_at, u32_at, u64_at};

/// Bytes of the data of a bank of version 6 or 7.
pub const ODIN_BYTES: usize = 40;
/// Version of the layout of Run 1 and 2.
pub const VERSION_6: u8 = 6;
/// Version of the layout of Run 3.
pub const VERSION_7: u8 = 7;

/// The bunch crossing is in the low 12 bits of its word.
const BUNCH_MASK: u32 = 0x0fff;

/// What is used of the bank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Odin {
    /// Run number.
    pub run: u32,
    /// What kind of event it is, as bits.
    pub event_type: u16,
    /// Step of a calibration.
    pub step: u16,
    /// Orbit counter.
    pub orbit: u32,
    /// Number of the event within its run.
    pub event: u64,
    /// Time in microseconds as GPS counts it.
    pub gps_us: u64,
    /// Bunch crossing within the orbit, below 4096.
    pub bunch: u16,
}

impl Odin {
    /// Reads a bank; `None` if it is not of the timing system, or of a version that is not known.
    #[must_use]
    pub fn parse(bank: &Bank<'_>) -> Option<Self> {
        let (id, data) = (bank.id(), bank.data());
        match id {
            BankId { kind: bank::ODIN, version: VERSION_7, .. } if data.len() >= ODIN_BYTES => {
                Some(Self::parse_version_7(data))
            }
            BankId { kind: bank::ODIN, version: ..=VERSION_6, .. } if data.len() >= 36 => {
                Some(Self::parse_version_6(data))
            }
            _ => None,
        }
    }

    fn parse_version_6(data: &[u8]) -> Self {
        let two = |high: usize| (u64::from(u32_at(data, high)) << 32) | u64::from(u32_at(data, high + 4));
        Self {
            run: u32_at(data, 0),
            event_type: u16_at(data, 4),
            step: u16_at(data, 6),
            orbit: u32_at(data, 8),
            event: two(12),
            gps_us: two(20),
            bunch: bunch(u32_at(data, 32)),
        }
    }

    fn parse_version_7(data: &[u8]) -> Self {
        Self {
            run: u32_at(data, 0),
            event_type: u16_at(data, 4),
            step: u16_at(data, 6),
            gps_us: u64_at(data, 8),
            bunch: bunch(u32_at(data, 24)),
            orbit: u32_at(data, 28),
            event: u64_at(data, 32),
        }
    }

    /// The data of a bank of version 7; what is not here is 0.
    #[must_use]
    pub fn emit_version_7(&self) -> [u8; ODIN_BYTES] {
        let mut data = [0; ODIN_BYTES];
        put(&mut data, 0, self.run.to_le_bytes());
        put(&mut data, 4, self.event_type.to_le_bytes());
        put(&mut data, 6, self.step.to_le_bytes());
        put(&mut data, 8, self.gps_us.to_le_bytes());
        put(&mut data, 24, (u32::from(self.bunch) & BUNCH_MASK).to_le_bytes());
        put(&mut data, 28, self.orbit.to_le_bytes());
        put(&mut data, 32, self.event.to_le_bytes());
        data
    }

    /// Which bank [`emit_version_7`](Self::emit_version_7) makes.
    #[must_use]
    pub const fn id_version_7() -> BankId {
        BankId { kind: bank::ODIN, version: VERSION_7, source: 0 }
    }
}

fn bunch(word: u32) -> u16 {
    let [low, high, ..] = (word & BUNCH_MASK).to_le_bytes();
    u16::from_le_bytes([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Odin = Odin {
        run: 131_883,
        event_type: 0x0102,
        step: 3,
        orbit: 2600,
        event: 0x0000_0002_0000_4858,
        gps_us: 0x0005_0000_0000_0007,
        bunch: 164,
    };

    #[test]
    fn version_7_is_where_the_table_says() {
        let data = EVENT.emit_version_7();
        // Written out by hand from the table above.
        let golden = [
            0x2b, 0x03, 0x02, 0, 0x02, 0x01, 3, 0, // run, type, step
            7, 0, 0, 0, 0, 0, 5, 0, // GPS time
            0, 0, 0, 0, 0, 0, 0, 0, // tck, partition
            0xa4, 0, 0, 0, 0x28, 0x0a, 0, 0, // bunch, orbit
            0x58, 0x48, 0, 0, 2, 0, 0, 0, // event
        ];
        assert_eq!(data, golden);
        let mut bytes = Vec::new();
        bank::emit(Odin::id_version_7(), &data, &mut bytes).unwrap();
        assert_eq!(Odin::parse(&Bank::parse(&bytes).unwrap().0), Some(EVENT));
    }

    #[test]
    fn version_6_is_where_the_table_says() {
        let data = [
            0x2b, 0x03, 0x02, 0, 0x02, 0x01, 3, 0, // run, type, step
            0x28, 0x0a, 0, 0, // orbit
            2, 0, 0, 0, 0x58, 0x48, 0, 0, // event, high word first
            0, 0, 5, 0, 7, 0, 0, 0, // GPS time, high word first
            0, 0, 0, 0, 0xa4, 0x00, 0xc0, 0, // status, bunch and more
            1, 2, 3, 4, // tck
        ];
        for (version, length) in [(6, 40), (5, 36)] {
            let mut bytes = Vec::new();
            bank::emit(BankId { kind: 16, version, source: 16 }, &data[..length], &mut bytes).unwrap();
            assert_eq!(Odin::parse(&Bank::parse(&bytes).unwrap().0), Some(EVENT));
        }
    }

    #[test]
    fn what_is_no_bank_of_the_timing_system_has_no_number() {
        for (kind, version, length) in [(15, 7, 40), (16, 8, 40), (16, 7, 39), (16, 6, 35)] {
            let mut bytes = Vec::new();
            bank::emit(BankId { kind, version, source: 0 }, &vec![0; length], &mut bytes).unwrap();
            assert_eq!(Odin::parse(&Bank::parse(&bytes).unwrap().0), None, "{kind} {version} {length}");
        }
    }
}
