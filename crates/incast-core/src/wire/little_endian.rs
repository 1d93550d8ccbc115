//! Numbers of a layout at their offsets, little endian.
//!
//! For layouts whose length has been checked: an offset beyond the bytes is our own mistake, and
//! panics. Conversions to `usize` are exact, because the program runs where a pointer has at least
//! 32 bits.

const _: () = assert!(usize::BITS >= 32, "lengths on the wire are up to 32 bits");

/// The `u16` at offset `at`.
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

/// The `u32` at offset `at`.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

/// The `u64` at offset `at`.
#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// The `N` bytes at offset `at`.
#[inline]
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

/// Writes `field` at offset `at`.
#[inline]
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, field: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&field);
}

/// A length on the wire as a length in memory.
#[inline]
pub(crate) const fn length(on_wire: u32) -> usize {
    on_wire as usize
}

/// A length in memory as one on the wire, if it is within `max`.
#[inline]
pub(crate) fn bounded(length: usize, max: u32) -> Option<u32> {
    u32::try_from(length).ok().filter(|length| *length <= max)
}
