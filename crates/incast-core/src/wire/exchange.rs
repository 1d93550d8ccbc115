//! The head of every request and of every response, over TCP and UDP alike.
//!
//! ```text
//!  0          8        12       16
//!  | ticket   | number | index  | zeros, never looked at ...
//! ```
//! Little endian. The ticket is random and told over the control connection only: it lets a datagram
//! in. The number is the round's, and an answer repeats it. The index is that of a datagram
//! within its response; it is 0 in a request, and over TCP.
//!
//! There is no length: both sizes are agreed before, over the control connection, and checked there. So nothing
//! on this wire can make anyone allocate, wait or answer more than was agreed.

use super::little_endian::{put, u32_at, u64_at};

/// Bytes of the head: the smallest request and the smallest response.
pub const HEAD_BYTES: usize = 16;

/// What stands before a request, a response, or a datagram of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which conversation it belongs to.
    pub ticket: u64,
    /// Which round, from 0.
    pub number: u32,
    /// Which datagram of the response, from 0.
    pub index: u32,
}

impl Head {
    /// Reads a head; `None` if there are too few bytes for one.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEAD_BYTES] = bytes.first_chunk()?;
        Some(Self { ticket: u64_at(head, 0), number: u32_at(head, 8), index: u32_at(head, 12) })
    }

    /// Writes it at the beginning of `bytes`, which must hold at least 16.
    #[inline]
    pub fn emit(self, bytes: &mut [u8]) {
        put(bytes, 0, self.ticket.to_le_bytes());
        put(bytes, 8, self.number.to_le_bytes());
        put(bytes, 12, self.index.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_these_bytes_and_comes_back() {
        let head = Head { ticket: 0x0102_0304_0506_0708, number: 9, index: 0x0a0b };
        let mut bytes = [0xff; HEAD_BYTES + 1];
        head.emit(&mut bytes);
        assert_eq!(bytes, [8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 0x0b, 0x0a, 0, 0, 0xff]);
        assert_eq!((Head::parse(&bytes), Head::parse(&bytes[..HEAD_BYTES - 1])), (Some(head), None));
    }
}
