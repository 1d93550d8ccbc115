//! CRC-32C (Castagnoli), as iSCSI has it: RFC 3720 §12.1, test values in its appendix B.4.
//!
//! By the crate `crc-fast`, which uses the CPU's own instructions where there are some. It is pure
//! Rust, and the same numbers come out everywhere. Tables of our own (8 or 16 bytes at a time) took more
//! than ten times as long for 1 KiB and more, and a receiver of fragments spends its time here.

use crc_fast::{CrcAlgorithm, Digest};

/// The CRC of `bytes`.
#[inline]
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    short(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes))
}

/// The CRC of `parts` laid end to end.
#[must_use]
pub fn crc32c_of(parts: &[&[u8]]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    parts.iter().for_each(|part| digest.update(part));
    short(digest.finalize())
}

/// The CRC of two pieces laid end to end, of which the CRCs are known, and of the second its bytes.
#[must_use]
pub fn crc32c_joined(first: u32, second: u32, second_bytes: u64) -> u32 {
    let (first, second) = (u64::from(first), u64::from(second));
    short(crc_fast::checksum_combine(CrcAlgorithm::Crc32Iscsi, first, second, second_bytes))
}

/// The crate says every CRC in 64 bits; this one has 32.
fn short(crc: u64) -> u32 {
    let [a, b, c, d, ..] = crc.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_those_of_the_rfc() {
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&rising), 0x46dd_794e);
        assert_eq!(crc32c(&falling), 0x113f_db5c);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    /// Bit by bit, the polynomial reflected.
    fn literal(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1)))
        })
    }

    #[test]
    fn every_length_has_the_crc_of_the_definition_however_it_is_cut() {
        let bytes: Vec<u8> = (0..2000_u32).map(|index| (index * 7919 % 251).to_le_bytes()[0]).collect();
        for length in (0..300).chain([511, 512, 513, 1023, 1500, 2000]) {
            let (bytes, cut) = (&bytes[..length], length * 2 / 3);
            assert_eq!(crc32c(bytes), literal(bytes), "{length}");
            let joined = crc32c_joined(crc32c(&bytes[..cut]), crc32c(&bytes[cut..]), (length - cut) as u64);
            assert_eq!(joined, literal(bytes), "{length}");
            assert_eq!(crc32c_of(&[&bytes[..cut], &[], &bytes[cut..]]), literal(bytes), "{length}");
        }
    }
}
