//! Request for multi-event packets: what a node of LHCb in Run 1 and 2 sends to the timing system, and
//! what a credit is there.
//!
//! ```text
//!  0       1   4          8     12        20            28          44
//!  | packets|  | sequence | run | seconds | nanoseconds | reserved  |     of which 8 B: incarnation
//!  |   u8   |  |   u32    | u32 |   i64   |     i64     | 16 B      |
//! ```
//! All little endian. 0xFF packets take back every request of this node. The time is when it was sent, as
//! the clock of the node has it: a `timespec` of a host of 64 bits, which one of 32 bits would write in
//! half of the space. It is shown and never relied upon. What LHCb reserves begins with the incarnation of
//! the node, u64, when we send it: 64 random bits that a stranger who uses the node's address does not know.
//!
//! It is the payload of an IP datagram of protocol 0xFD: the least that Ethernet carries. Where raw
//! sockets are not allowed it goes to UDP port 45199.
//!
//! Source: LHCb `Online/GaudiOnline/MEPHdr.h`.

use std::num::NonZeroU8;

use super::little_endian::{array_at, put, u32_at, u64_at};
use super::refusal::Refusal;

/// Protocol number in the IP header.
pub const IP_PROTOCOL: u8 = 0xfd;
/// UDP port where raw sockets are not allowed.
pub const UDP_PORT: u16 = 45_199;
/// Bytes of a request.
pub const REQUEST_BYTES: usize = 44;
/// Number of packets that takes back every request.
const CLEAR: u8 = 0xff;

const PACKETS: usize = 0;
const SEQUENCE: usize = 4;
const RUN: usize = 8;
const SECONDS: usize = 12;
const NANOSECONDS: usize = 20;
const INCARNATION: usize = 28;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// So many packets more, 1 to 254.
    Packets(NonZeroU8),
    /// Nothing any more: earlier requests are taken back.
    Clear,
}

impl Wish {
    /// One packet more.
    pub const ONE: Self = Self::Packets(NonZeroU8::MIN);
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MepRequest {
    /// What is asked for.
    pub wish: Wish,
    /// Counts the requests of this node.
    pub sequence: u32,
    /// The run that the node knows of.
    pub run: u32,
    /// When it was sent, in seconds of the node's clock.
    pub sent_s: i64,
    /// Nanoseconds beyond that.
    pub sent_ns: i64,
    /// Which life of the node asks; 0 if it does not say.
    pub incarnation: u64,
}

impl MepRequest {
    /// A request for `packets`; `None` if the layout cannot say so many, or for none.
    #[must_use]
    pub fn new(packets: u8, sequence: u32, run: u32) -> Option<Self> {
        let packets = NonZeroU8::new(packets).filter(|packets| packets.get() != CLEAR)?;
        Some(Self { wish: Wish::Packets(packets), sequence, run, sent_s: 0, sent_ns: 0, incarnation: 0 })
    }

    /// Reads a datagram, which is one request and nothing else. Padding and the rest of what is
    /// reserved may hold anything.
    ///
    /// # Errors
    /// When it has another length, or asks for nothing.
    pub fn parse(datagram: &[u8]) -> Result<Self, Refusal> {
        let request: &[u8; REQUEST_BYTES] = datagram
            .try_into()
            .map_err(|_| if datagram.len() < REQUEST_BYTES { Refusal::Truncated } else { Refusal::Excess })?;
        let wish = match request[PACKETS] {
            CLEAR => Wish::Clear,
            packets => Wish::Packets(NonZeroU8::new(packets).ok_or(Refusal::Packing)?),
        };
        Ok(Self {
            wish,
            sequence: u32_at(request, SEQUENCE),
            run: u32_at(request, RUN),
            sent_s: i64::from_le_bytes(array_at(request, SECONDS)),
            sent_ns: i64::from_le_bytes(array_at(request, NANOSECONDS)),
            incarnation: u64_at(request, INCARNATION),
        })
    }

    /// The request as bytes.
    ///
    /// # Panics
    /// When it wishes for 255 packets: [`MepRequest::new`] makes none such.
    #[must_use]
    pub fn emit(&self) -> [u8; REQUEST_BYTES] {
        let mut request = [0; REQUEST_BYTES];
        request[PACKETS] = match self.wish {
            Wish::Clear => CLEAR,
            Wish::Packets(packets) => {
                assert!(packets.get() != CLEAR, "255 packets would take back every request");
                packets.get()
            }
        };
        put(&mut request, SEQUENCE, self.sequence.to_le_bytes());
        put(&mut request, RUN, self.run.to_le_bytes());
        put(&mut request, SECONDS, self.sent_s.to_le_bytes());
        put(&mut request, NANOSECONDS, self.sent_ns.to_le_bytes());
        put(&mut request, INCARNATION, self.incarnation.to_le_bytes());
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_where_the_table_says() {
        let request = MepRequest {
            sent_s: 0x0102,
            sent_ns: -1,
            incarnation: 0x0908,
            ..MepRequest::new(3, 0x0405, 0x0607).unwrap()
        };
        let mut golden = [0; REQUEST_BYTES];
        golden[0] = 3;
        golden[4..12].copy_from_slice(&[5, 4, 0, 0, 7, 6, 0, 0]);
        golden[12..14].copy_from_slice(&[2, 1]);
        golden[20..28].fill(0xff);
        golden[28..30].copy_from_slice(&[8, 9]);
        assert_eq!(request.emit(), golden);
        assert_eq!(MepRequest::parse(&golden), Ok(request));
        // What has no meaning here may hold anything.
        golden[1..4].fill(7);
        golden[36..].fill(7);
        assert_eq!(MepRequest::parse(&golden), Ok(request));
    }

    #[test]
    fn all_bits_of_the_number_take_back_every_request() {
        let clear = MepRequest { wish: Wish::Clear, ..MepRequest::new(1, 2, 3).unwrap() };
        assert_eq!(clear.emit()[0], 0xff);
        assert_eq!(MepRequest::parse(&clear.emit()), Ok(clear));
        assert_eq!((MepRequest::new(0, 0, 0), MepRequest::new(255, 0, 0)), (None, None));
    }

    #[test]
    fn another_length_and_a_wish_for_nothing_are_refused() {
        let bytes = MepRequest::new(1, 2, 3).unwrap().emit();
        for length in 0..REQUEST_BYTES {
            assert_eq!(MepRequest::parse(&bytes[..length]), Err(Refusal::Truncated));
        }
        assert_eq!(MepRequest::parse(&[&bytes[..], &[0]].concat()), Err(Refusal::Excess));
        assert_eq!(MepRequest::parse(&[0; REQUEST_BYTES]), Err(Refusal::Packing));
    }
}
