//! Fragments of consecutive events, packed into one payload of our own frame.
//!
//! ```text
//!  | bytes u32 | data of the first event | bytes u32 | data of the next event | ...
//! ```
//! Little endian, without padding. How many there are is in the head of the frame, `events`.

use super::fragment::FRAGMENT_BYTES_MAX;
use super::little_endian::{bounded, length, u32_at};
use super::refusal::Refusal;

/// Bytes in front of the data of each event.
pub const PIECE_HEADER_BYTES: usize = 4;

/// A payload that was checked.
#[derive(Clone, Debug)]
pub struct Packed<'a> {
    rest: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Reads the fragments of `events` events, which fill `payload`.
    ///
    /// # Errors
    /// When they do not.
    pub fn parse(payload: &'a [u8], events: u16) -> Result<Self, Refusal> {
        let whole = Self { rest: payload };
        let mut pieces = whole.clone();
        let count = pieces.by_ref().take(usize::from(events)).count();
        if events == 0 || count != usize::from(events) {
            return Err(Refusal::Packing);
        }
        if pieces.rest.is_empty() { Ok(whole) } else { Err(Refusal::Length) }
    }
}

impl<'a> Iterator for Packed<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let (header, rest) = self.rest.split_at_checked(PIECE_HEADER_BYTES)?;
        let (piece, rest) = rest.split_at_checked(length(u32_at(header, 0)))?;
        self.rest = rest;
        Some(piece)
    }
}

/// Adds the data of the next event to the payload in `out`.
///
/// # Errors
/// When the payload becomes larger than a fragment can be; it is then as it was.
pub fn push(data: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let whole = out.len().saturating_add(PIECE_HEADER_BYTES).saturating_add(data.len());
    bounded(whole, FRAGMENT_BYTES_MAX).ok_or(Refusal::Limit)?;
    let bytes = bounded(data.len(), FRAGMENT_BYTES_MAX).ok_or(Refusal::Limit)?;
    out.extend_from_slice(&bytes.to_le_bytes());
    out.extend_from_slice(data);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_every_event_come_back() {
        let mut payload = Vec::new();
        for data in [&[1, 2, 3][..], &[], &[4]] {
            push(data, &mut payload).unwrap();
        }
        assert_eq!(payload, [3, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 1, 0, 0, 0, 4]);
        let pieces: Vec<_> = Packed::parse(&payload, 3).unwrap().collect();
        assert_eq!(pieces, [&[1, 2, 3][..], &[], &[4]]);
    }

    #[test]
    fn what_does_not_fill_the_payload_is_refused() {
        let mut payload = Vec::new();
        push(&[1, 2, 3], &mut payload).unwrap();
        push(&[4], &mut payload).unwrap();
        assert_eq!(Packed::parse(&payload, 1).err(), Some(Refusal::Length));
        assert_eq!(Packed::parse(&payload, 3).err(), Some(Refusal::Packing));
        assert_eq!(Packed::parse(&payload, 0).err(), Some(Refusal::Packing));
        for length in 0..payload.len() {
            assert!(Packed::parse(&payload[..length], 2).is_err(), "{length}");
        }
        payload[3] = 0xff;
        assert!(Packed::parse(&payload, 2).is_err());
    }
}
