//! What one buffer from the kernel holds: datagrams of one peer, one after the other.
//!
//! ```text
//!  | datagram, segment_bytes | datagram, segment_bytes | ... | the last may be shorter |
//! ```
//! Without receive offload a buffer holds one datagram. The stride is the kernel's word
//! (`UDP_GRO` control message, Linux `net/ipv4/udp.c` `udp_cmsg_recv`), never what was configured:
//! a peer that sends another size must not shift the counters of its messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use incast_core::raw::MacAddress;

use super::reply::Reply;
use crate::sys::datagram::{ADDRESS_BYTES, Received};

/// One or more datagrams of one peer.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Who sent them.
    pub from: PeerAddress,
    /// Their payloads, without anything in between. Empty for one datagram without payload.
    pub bytes: &'a [u8],
    /// Bytes of each datagram but the last, which may be shorter; at least 1.
    pub segment_bytes: usize,
    /// The kernel had more than the buffer could hold: the last datagram is cut off.
    pub truncated: bool,
    /// What the kernel told beside the bytes.
    control: &'a [u8],
}

impl<'a> Arrival<'a> {
    /// One message of a raw transport.
    pub(crate) fn single(from: PeerAddress, bytes: &'a [u8], truncated: bool) -> Self {
        Self { from, bytes, segment_bytes: bytes.len().max(1), truncated, control: &[] }
    }

    pub(crate) fn new(received: &'a Received, buffer: &'a [u8]) -> Self {
        let bytes = &buffer[..received.bytes.min(buffer.len())];
        let stride = stride(received.control()).unwrap_or(bytes.len());
        Self {
            from: PeerAddress { bytes: received.address, length: received.address_bytes },
            bytes,
            segment_bytes: stride.max(1),
            truncated: received.truncated,
            control: received.control(),
        }
    }

    /// How to answer it.
    pub(crate) fn reply(&self) -> Reply {
        Reply::new(self.from, self.control)
    }

    /// When the first of them came, as far as the kernel was asked to tell.
    pub(crate) fn stamps(&self) -> Stamps {
        stamps(self.control)
    }

    /// The datagrams, in the order in which the kernel got them.
    #[inline]
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks(self.segment_bytes)
    }
}

/// The address of a peer as the kernel wrote it: cheap to compare, decoded only when wanted.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress {
    bytes: [u8; ADDRESS_BYTES],
    length: usize,
}

impl PartialEq for PeerAddress {
    fn eq(&self, other: &Self) -> bool {
        self.written() == other.written()
    }
}

impl Eq for PeerAddress {}

/// Where something came from, so that an answer can go there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An address of IP; its port is 0 where there are none.
    Address(SocketAddr),
    /// A card on the same Ethernet.
    Card(MacAddress),
}

impl PeerAddress {
    /// The address of a card, as a `sockaddr` would have it: family, then the six bytes.
    pub(crate) fn of_card(card: MacAddress) -> Self {
        let mut bytes = [0; ADDRESS_BYTES];
        bytes[..2].copy_from_slice(&CARD_FAMILY.to_ne_bytes());
        bytes[2..CARD_BYTES].copy_from_slice(&card.0);
        Self { bytes, length: CARD_BYTES }
    }

    /// Where it came from, over whatever; `None` if that cannot be told.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        let bytes = self.written();
        if bytes.len() == CARD_BYTES && u16::from_ne_bytes(*bytes.first_chunk()?) == CARD_FAMILY {
            return Some(Origin::Card(MacAddress(*bytes.get(2..)?.first_chunk()?)));
        }
        self.decode().map(Origin::Address)
    }

    /// The address; `None` if it is neither IPv4 nor IPv6.
    #[must_use]
    pub fn decode(&self) -> Option<SocketAddr> {
        // ```text
        //  sockaddr_in    family u16 | port BE u16 | address 4
        //  sockaddr_in6   family u16 | port BE u16 | flow 4 | address 16 | scope u32
        // ```
        let bytes = self.written();
        let family = u16::from_ne_bytes(*bytes.first_chunk()?);
        let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
        match libc::c_int::from(family) {
            libc::AF_INET => {
                let address = Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?);
                Some(SocketAddr::new(IpAddr::V4(address), port))
            }
            libc::AF_INET6 => {
                let flow = u32::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
                let address = Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?);
                let scope = u32::from_ne_bytes(*bytes.get(24..)?.first_chunk()?);
                Some(SocketAddr::V6(SocketAddrV6::new(address, port, flow, scope)))
            }
            _ => None,
        }
    }

    /// As the kernel wrote it.
    pub(super) fn written(&self) -> &[u8] {
        &self.bytes[..self.length.min(ADDRESS_BYTES)]
    }
}

/// The value of the `UDP_GRO` control message, if there is one and it makes sense.
fn stride(control: &[u8]) -> Option<usize> {
    let data = find(control, libc::SOL_UDP, libc::UDP_GRO)?;
    // `int` since Linux 5.0; a u16 in the first kernels that had it.
    let bytes = match data.first_chunk() {
        Some(bytes) => i32::from_ne_bytes(*bytes),
        None => i32::from(u16::from_ne_bytes(*data.first_chunk()?)),
    };
    usize::try_from(bytes).ok().filter(|bytes| *bytes > 0)
}

/// When a packet came, nanoseconds since 1970: by the kernel's wall clock, and by that of the network card, which
/// need not agree with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamps {
    pub(crate) kernel_ns: Option<i64>,
    pub(crate) nic_ns: Option<i64>,
}

/// The stamps in the `SCM_TIMESTAMPING` control message (Linux `Documentation/networking/timestamping.rst`).
///
/// ```text
///  kernel: seconds | nanoseconds    unused: 2 words    card: seconds | nanoseconds
/// ```
/// A word is a `long`. Zero is no stamp.
pub(crate) fn stamps(control: &[u8]) -> Stamps {
    let Some(data) = find(control, libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) else {
        return Stamps::default();
    };
    #[expect(clippy::useless_conversion, reason = "a `long` has 32 bits on some machines")]
    let word = |index: usize| {
        let bytes = data.get(index * WORD_BYTES..)?.first_chunk()?;
        Some(i64::from(libc::c_long::from_ne_bytes(*bytes)))
    };
    let stamp = |index: usize| {
        let ns = word(index)?.checked_mul(1_000_000_000)?.checked_add(word(index + 1)?)?;
        (ns != 0).then_some(ns)
    };
    Stamps { kernel_ns: stamp(0), nic_ns: stamp(4) }
}

/// The data of the first control message of this level and kind.
///
/// ```text
///  cmsghdr, native order:  length usize | level int | kind int | data, padded to a multiple of 8
/// ```
/// `length` counts from the start of the header. A length that leads nowhere ends the search.
pub(super) fn find(mut control: &[u8], level: i32, kind: i32) -> Option<&[u8]> {
    loop {
        let length = usize::from_ne_bytes(*control.first_chunk()?);
        let its_level = i32::from_ne_bytes(*control.get(LEVEL_AT..)?.first_chunk()?);
        let its_kind = i32::from_ne_bytes(*control.get(LEVEL_AT + 4..)?.first_chunk()?);
        let data = control.get(CMSG_HEADER_BYTES..length)?;
        if (its_level, its_kind) == (level, kind) {
            return Some(data);
        }
        control = control.get(length.checked_next_multiple_of(size_of::<usize>())?..)?;
    }
}

/// `AF_PACKET`.
const CARD_FAMILY: u16 = 17;
const CARD_BYTES: usize = 8;
const LEVEL_AT: usize = size_of::<usize>();
pub(super) const CMSG_HEADER_BYTES: usize = size_of::<usize>() + 8;
const WORD_BYTES: usize = size_of::<libc::c_long>();

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut out = (CMSG_HEADER_BYTES + data.len()).to_ne_bytes().to_vec();
        out.extend(level.to_ne_bytes());
        out.extend(kind.to_ne_bytes());
        out.extend(data);
        out.resize(out.len().next_multiple_of(size_of::<usize>()), 0);
        out
    }

    #[test]
    fn the_stride_is_found_among_other_control_messages() {
        let gro = message(libc::SOL_UDP, libc::UDP_GRO, &1_472_i32.to_ne_bytes());
        let other = message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &7_u32.to_ne_bytes());
        assert_eq!(stride(&gro), Some(1_472));
        assert_eq!(stride(&[other.clone(), gro.clone()].concat()), Some(1_472));
        assert_eq!(stride(&message(libc::SOL_UDP, libc::UDP_GRO, &1_472_u16.to_ne_bytes())), Some(1_472));
        assert_eq!((stride(&other), stride(&[])), (None, None));
    }

    #[test]
    fn stamps_are_found_and_zero_is_none() {
        let words = |words: [libc::c_long; 6]| words.map(libc::c_long::to_ne_bytes).concat();
        let stamped = |six| message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPING, &words(six));
        let gro = message(libc::SOL_UDP, libc::UDP_GRO, &1_472_i32.to_ne_bytes());
        let both = [gro.clone(), stamped([7, 5, 0, 0, 8, 6])].concat();
        assert_eq!(stamps(&both), Stamps { kernel_ns: Some(7_000_000_005), nic_ns: Some(8_000_000_006) });
        assert_eq!(stride(&both), Some(1_472));
        assert_eq!(
            stamps(&stamped([7, 5, 0, 0, 0, 0])),
            Stamps { kernel_ns: Some(7_000_000_005), nic_ns: None }
        );
        assert_eq!(stamps(&stamped([0; 6])), Stamps::default());
        assert_eq!(stamps(&stamped([libc::c_long::MAX; 6])), Stamps::default(), "beyond all time");
        let short = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPING, &[1; 20]);
        assert_eq!(
            (stamps(&gro), stamps(&[]), stamps(&short).nic_ns),
            (Stamps::default(), Stamps::default(), None)
        );
    }

    #[test]
    fn broken_control_messages_end_the_search() {
        let gro = message(libc::SOL_UDP, libc::UDP_GRO, &1_472_i32.to_ne_bytes());
        for cut in 0..CMSG_HEADER_BYTES + 4 {
            assert_eq!(stride(&gro[..cut]), None, "cut at {cut}");
        }
        for length in [0, 1, CMSG_HEADER_BYTES - 1, CMSG_HEADER_BYTES, 1_000, usize::MAX - 3, usize::MAX] {
            let mut lying = gro.clone();
            lying[..size_of::<usize>()].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(stride(&lying), None, "length {length}");
        }
        for nonsense in [0_i32, -1, i32::MIN] {
            assert_eq!(stride(&message(libc::SOL_UDP, libc::UDP_GRO, &nonsense.to_ne_bytes())), None);
        }
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let address = |start: &[u8], length| {
            let mut bytes = [0; ADDRESS_BYTES];
            bytes[..start.len()].copy_from_slice(start);
            PeerAddress { bytes, length }
        };
        let mut v4 = u16::try_from(libc::AF_INET).unwrap().to_ne_bytes().to_vec();
        v4.extend([0x1b, 0x58, 10, 0, 0, 1]);
        assert_eq!(address(&v4, 16).decode(), Some("10.0.0.1:7000".parse().unwrap()));
        let mut v6 = u16::try_from(libc::AF_INET6).unwrap().to_ne_bytes().to_vec();
        v6.extend([0x1b, 0x58, 0, 0, 0, 0]);
        v6.extend(Ipv6Addr::LOCALHOST.octets());
        assert_eq!(address(&v6, 28).decode(), Some("[::1]:7000".parse().unwrap()));
        // Too short, or another family.
        assert_eq!((address(&v4, 7).decode(), address(&v6, 20).decode()), (None, None));
        assert_eq!(address(&[1, 0, 1, 2, 3, 4, 5, 6], 16).decode(), None);
        let card = MacAddress([2, 0, 0, 0, 0, 7]);
        assert_eq!(PeerAddress::of_card(card).origin(), Some(Origin::Card(card)));
        let peer = "10.0.0.1:7000".parse().map(Origin::Address);
        assert_eq!(address(&v4, 16).origin(), peer.ok());
        // What lies behind the written part does not count.
        v4.extend([0; 8]);
        let mut tail = v4.clone();
        tail.push(9);
        assert_eq!(address(&v4, 16), address(&tail, 16));
        assert_ne!(address(&v4, 16), address(&v6, 28));
    }
}
