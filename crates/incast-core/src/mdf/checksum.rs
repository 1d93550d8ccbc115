//! Check sums of records.
//!
//! The usual one (type 1) is Jenkins' one-at-a-time hash of 32 bits, with every byte sign-extended
//! before it is added, because the program that set the format counts in `char`. Files of before 2009
//! carry a CRC-32 of their own making instead (type 22), and 0 says that a record has no check sum.
//! The header does not say which of the two it is: a reader tries both.
//!
//! Source: LHCb `DAQ/MDF/src/RawEventHelpers.cpp`; Jenkins' hash: Dr. Dobb's Journal, September 1997.

/// How a record's check sum is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumKind {
    /// None: 0.
    None,
    /// Type 1: Jenkins' one-at-a-time hash of sign-extended bytes.
    Hash,
}

/// What a record's check sum says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It has none.
    None,
    /// It matches, by type 1.
    Matches,
    /// It matches, by the CRC-32 of old files (type 22).
    MatchesLegacy,
    /// It matches by neither.
    Wrong,
}

impl Checksum {
    /// Compares `stored` with what is made of the bytes that it covers.
    #[must_use]
    pub fn verify(stored: u32, covered: &[u8]) -> Self {
        match stored {
            0 => Self::None,
            _ if hash(covered) == stored => Self::Matches,
            _ if legacy_crc(covered) == Some(stored) => Self::MatchesLegacy,
            _ => Self::Wrong,
        }
    }
}

/// Type 1.
#[must_use]
pub fn hash(bytes: &[u8]) -> u32 {
    let mixed = bytes.iter().fold(0_u32, |hash, byte| {
        let hash = hash.wrapping_add_signed(i32::from(byte.cast_signed()));
        let hash = hash.wrapping_add(hash << 10);
        hash ^ (hash >> 6)
    });
    let mixed = mixed.wrapping_add(mixed << 3);
    let mixed = mixed ^ (mixed >> 11);
    mixed.wrapping_add(mixed << 15)
}

/// Type 22, of whole words only; `None` if there is no word or a part of one.
///
/// The bits of the CRC go from the highest to the lowest, over the bytes as they come, beginning from
/// all ones. The last word is added and not shifted through, and everything is inverted.
#[must_use]
pub fn legacy_crc(bytes: &[u8]) -> Option<u32> {
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let (shifted, last) = bytes.split_last_chunk::<4>()?;
    let register = shifted.iter().fold(u32::MAX, |register, byte| {
        let [high, ..] = register.to_be_bytes();
        (register << 8) ^ CRC_TABLE[usize::from(high ^ byte)]
    });
    // The original keeps its register with the bytes swapped, and adds words of a little-endian host.
    Some(!(register.swap_bytes() ^ u32::from_le_bytes(*last)))
}

/// The polynomial of Ethernet, highest bit first.
const POLYNOMIAL: u32 = 0x04c1_1db7;

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    let mut high = 0_u32;
    while index < table.len() {
        let mut register = high;
        let mut bit = 0;
        while bit < 8 {
            let carry = register >> 31;
            register = (register << 1) ^ (POLYNOMIAL * carry);
            bit += 1;
        }
        table[index] = register;
        index += 1;
        high = high.wrapping_add(1 << 24);
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_jenkins_one_at_a_time_where_no_byte_is_negative() {
        // Published values of the unsigned hash; ASCII has no negative byte.
        assert_eq!(hash(b"a"), 0xca2e_9442);
        assert_eq!(hash(b"The quick brown fox jumps over the lazy dog"), 0x519e_91f5);
        assert_eq!(hash(b""), 0);
    }

    #[test]
    fn bytes_above_127_count_as_negative() {
        // One step by hand: -1, shifted and mixed as u32.
        let step = u32::MAX.wrapping_add(u32::MAX << 10);
        let step = step ^ (step >> 6);
        let step = step.wrapping_add(step << 3);
        let step = step ^ (step >> 11);
        assert_eq!(hash(&[0xff]), step.wrapping_add(step << 15));
    }

    /// The definition, bit by bit and without a table.
    fn literal(bytes: &[u8]) -> u32 {
        let (shifted, last) = bytes.split_last_chunk().unwrap();
        let register = shifted.iter().fold(u32::MAX, |register, byte| {
            (0..8).fold(register ^ (u32::from(*byte) << 24), |register, _| {
                (register << 1) ^ (POLYNOMIAL * (register >> 31))
            })
        });
        !(register.swap_bytes() ^ u32::from_le_bytes(*last))
    }

    #[test]
    fn the_old_crc_is_that_of_its_definition() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1024).map(|byte: u8| byte.wrapping_mul(37)).collect();
        for length in (4..=bytes.len()).step_by(4) {
            assert_eq!(legacy_crc(&bytes[..length]), Some(literal(&bytes[..length])), "{length}");
        }
        assert_eq!((legacy_crc(&[]), legacy_crc(&[1, 2, 3, 4, 5])), (None, None));
    }

    #[test]
    fn the_old_crc_has_the_values_of_its_first_writer() {
        // Calculated elsewhere, as it was first written: words of 32 bits, and a table with its bytes swapped.
        let rising: Vec<u8> = (0..16).collect();
        let spread: Vec<u8> = (0..=255).cycle().take(1024).map(|byte: u8| byte.wrapping_mul(37)).collect();
        assert_eq!((legacy_crc(&rising), legacy_crc(&spread)), (Some(0xab65_7a5e), Some(0x1209_e4c3)));
    }

    #[test]
    fn either_sum_is_found_and_another_is_wrong() {
        let covered = [1, 2, 3, 0xff, 5, 6, 7, 8];
        assert_eq!(Checksum::verify(0, &covered), Checksum::None);
        assert_eq!(Checksum::verify(hash(&covered), &covered), Checksum::Matches);
        assert_eq!(Checksum::verify(literal(&covered), &covered), Checksum::MatchesLegacy);
        assert_eq!(Checksum::verify(hash(&covered) ^ 1, &covered), Checksum::Wrong);
    }
}
