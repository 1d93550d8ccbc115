//! Multi-event packets with their IP headers in front: as a raw socket gives them, and as files and
//! shared memory keep the packets of all sources together.
//!
//! ```text
//!  collection:  0       4
//!               | bytes | IP header | packet | IP header | packet | ...
//!               |  u32  |   20 B    |        |   20 B    |        |
//!
//!  IP header:   0        2        4     8     9          10     12       16            20
//!               | 0x45.. | length | ... | ttl | protocol | check| source | destination |
//! ```
//! `bytes` is little endian and counts what follows it. The IP header is big endian (RFC 791 §3.1), and
//! its length counts itself and the packet. In files its other fields need not make sense; only the address
//! of the source is used. From a socket it has to be right.
//!
//! Source: LHCb `DAQ/MDF/MDF/MEPEvent.h`, `MEPMultiFragment.h`.

use std::net::Ipv4Addr;

use super::little_endian::{array_at, length, put, u32_at};
use super::mep::{IP_PROTOCOL, Mep};
use super::refusal::Refusal;

/// Bytes of an IP header without options.
pub const IP_HEADER_BYTES: usize = 20;
/// Bytes in front of the packets of a collection.
pub const COLLECTION_HEADER_BYTES: usize = 4;
/// Most bytes of packets in one collection: 4096 sources with 64 KiB each.
pub const COLLECTION_BYTES_MAX: u32 = 256 << 20;

const TOTAL: usize = 2;
const TTL: usize = 8;
const PROTOCOL: usize = 9;
const CHECKSUM: usize = 10;
const SOURCE: usize = 12;
const DESTINATION: usize = 16;

/// Version 4, and five words of header.
const VERSION_AND_WORDS: u8 = 0x45;
/// What Linux sends by default.
const HOPS: u8 = 64;

/// A packet, and who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromSource<'a> {
    /// Address of the source.
    pub source: Ipv4Addr,
    /// Its packet.
    pub packet: Mep<'a>,
}

/// Reads an IP datagram as a raw socket gives it: the header in front, with or without options.
///
/// # Errors
/// When it is no IP datagram of this protocol, or its packet is refused.
pub fn parse_datagram(datagram: &[u8]) -> Result<FromSource<'_>, Refusal> {
    if datagram.len() < IP_HEADER_BYTES {
        return Err(Refusal::Truncated);
    }
    let (version, words) = (datagram[0] >> 4, usize::from(datagram[0] & 0x0f));
    if version != 4 {
        return Err(Refusal::Version);
    }
    if datagram[PROTOCOL] != IP_PROTOCOL {
        return Err(Refusal::Kind);
    }
    let total = usize::from(u16::from_be_bytes(array_at(datagram, TOTAL)));
    if words * 4 < IP_HEADER_BYTES || total < words * 4 {
        return Err(Refusal::Length);
    }
    let datagram = datagram.get(..total).ok_or(Refusal::Truncated)?;
    Ok(FromSource { source: source_of(datagram), packet: Mep::parse(&datagram[words * 4..])? })
}

/// Reads a collection, and gives what follows it.
///
/// # Errors
/// When it is not all there, or larger than [`COLLECTION_BYTES_MAX`].
pub fn parse_collection(bytes: &[u8]) -> Result<(Collection<'_>, &[u8]), Refusal> {
    if bytes.len() < COLLECTION_HEADER_BYTES {
        return Err(Refusal::Truncated);
    }
    let (header, rest) = bytes.split_at(COLLECTION_HEADER_BYTES);
    let size = u32_at(header, 0);
    if size > COLLECTION_BYTES_MAX {
        return Err(Refusal::Limit);
    }
    let (packets, rest) = rest.split_at_checked(length(size)).ok_or(Refusal::Truncated)?;
    Ok((Collection { rest: packets }, rest))
}

/// The packets of a collection; ends at the first that is refused, after its refusal.
#[derive(Clone, Debug)]
pub struct Collection<'a> {
    rest: &'a [u8],
}

impl<'a> Collection<'a> {
    fn parse_next(&self) -> Result<(FromSource<'a>, &'a [u8]), Refusal> {
        let (header, rest) = self.rest.split_at_checked(IP_HEADER_BYTES).ok_or(Refusal::Truncated)?;
        let (packet, rest) = Mep::parse_prefix(rest)?;
        Ok((FromSource { source: source_of(header), packet }, rest))
    }
}

impl<'a> Iterator for Collection<'a> {
    type Item = Result<FromSource<'a>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let parsed = self.parse_next();
        self.rest = parsed.map_or(&[], |(_, rest)| rest);
        Some(parsed.map(|(from, _)| from))
    }
}

/// Writes a collection of `packets` behind `out`, with the IP headers that a raw socket would give.
///
/// # Errors
/// When a packet is too large for an IP datagram, or the collection for its bound; nothing is written
/// then.
pub fn emit_collection(
    packets: &[FromSource<'_>],
    destination: Ipv4Addr,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let sizes = packets.iter().map(|from| IP_HEADER_BYTES + from.packet.bytes().len());
    if sizes.clone().any(|size| size > usize::from(u16::MAX)) {
        return Err(Refusal::Limit);
    }
    let size = u32::try_from(sizes.sum::<usize>()).ok().filter(|size| *size <= COLLECTION_BYTES_MAX);
    out.extend_from_slice(&size.ok_or(Refusal::Limit)?.to_le_bytes());
    for from in packets {
        out.extend_from_slice(&emit_ip_header(from, destination)?);
        out.extend_from_slice(from.packet.bytes());
    }
    Ok(())
}

/// The IP header of a packet.
///
/// # Errors
/// When the packet is too large for an IP datagram.
pub fn emit_ip_header(
    from: &FromSource<'_>,
    destination: Ipv4Addr,
) -> Result<[u8; IP_HEADER_BYTES], Refusal> {
    let total = u16::try_from(IP_HEADER_BYTES + from.packet.bytes().len()).map_err(|_| Refusal::Limit)?;
    let mut header = [0; IP_HEADER_BYTES];
    header[0] = VERSION_AND_WORDS;
    put(&mut header, TOTAL, total.to_be_bytes());
    header[TTL] = HOPS;
    header[PROTOCOL] = IP_PROTOCOL;
    put(&mut header, SOURCE, from.source.octets());
    put(&mut header, DESTINATION, destination.octets());
    let sum = internet_checksum(&header);
    put(&mut header, CHECKSUM, sum.to_be_bytes());
    Ok(header)
}

/// RFC 791 §3.1: the ones' complement of the ones' complement sum of all words; of a header that holds
/// its own sum, 0.
fn internet_checksum(header: &[u8; IP_HEADER_BYTES]) -> u16 {
    let sum = header.as_chunks().0.iter().fold(0_u16, |sum, word| {
        let (sum, carried) = sum.overflowing_add(u16::from_be_bytes(*word));
        sum + u16::from(carried)
    });
    !sum
}

fn source_of(ip_header: &[u8]) -> Ipv4Addr {
    Ipv4Addr::from(array_at::<4>(ip_header, SOURCE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mep::{IP_PACKET_BYTES_MAX, MepWriter, PACKET_BYTES_MAX};

    fn packet(first: u32, data: &[u8], bytes_max: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = MepWriter::begin(&mut out, first, 1, bytes_max);
        writer.push(data).unwrap();
        writer.finish().unwrap();
        out
    }

    fn from(last: u8, packet: &[u8]) -> FromSource<'_> {
        FromSource { source: Ipv4Addr::new(192, 168, 0, last), packet: Mep::parse(packet).unwrap() }
    }

    const NODE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 199);

    #[test]
    fn the_ip_header_is_that_of_the_rfc() {
        let packet = packet(5, &[0xaa; 79], IP_PACKET_BYTES_MAX);
        let header = emit_ip_header(&from(1, &packet), NODE).unwrap();
        // 20 and 95 bytes: 115. Written out by hand; the check sum is what is left of
        // 0x4500 + 0x0073 + 0x40f2 + 0xc0a8 + 0x0001 + 0xc0a8 + 0x00c7 = 0x2087d, so !(0x087d + 2).
        assert_eq!(header[..10], [0x45, 0, 0, 0x73, 0, 0, 0, 0, 64, 0xf2]);
        assert_eq!(header[10..], [0xf7, 0x80, 192, 168, 0, 1, 192, 168, 0, 199]);
        assert_eq!(internet_checksum(&header), 0);
    }

    #[test]
    fn a_datagram_with_its_header_is_the_packet_and_its_source() {
        let packet = packet(5, &[1, 2, 3], IP_PACKET_BYTES_MAX);
        let from = from(7, &packet);
        let mut bytes = emit_ip_header(&from, NODE).unwrap().to_vec();
        bytes.extend_from_slice(&packet);
        assert_eq!(parse_datagram(&bytes), Ok(from));
        for length in 0..bytes.len() {
            assert_eq!(parse_datagram(&bytes[..length]), Err(Refusal::Truncated), "{length}");
        }
        let with = |at: usize, value: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            parse_datagram(&bytes).err()
        };
        assert_eq!(with(0, 0x65), Some(Refusal::Version));
        assert_eq!(with(0, 0x44), Some(Refusal::Length));
        assert_eq!(with(PROTOCOL, 17), Some(Refusal::Kind));
        assert_eq!(with(TOTAL + 1, 19), Some(Refusal::Length));
    }

    #[test]
    fn options_of_ip_are_passed_over() {
        let packet = packet(5, &[1, 2, 3], IP_PACKET_BYTES_MAX);
        let from = from(7, &packet);
        let mut bytes = emit_ip_header(&from, NODE).unwrap().to_vec();
        bytes[0] = 0x46;
        bytes[TOTAL + 1] += 4;
        bytes.extend_from_slice(&[1, 1, 1, 1]);
        bytes.extend_from_slice(&packet);
        assert_eq!(parse_datagram(&bytes), Ok(from));
    }

    #[test]
    fn a_collection_comes_back_and_ends_at_its_fault() {
        let packets = [packet(5, &[1], 100), packet(5, &[2, 3], 100)];
        let all = [from(1, &packets[0]), from(2, &packets[1])];
        let mut bytes = Vec::new();
        emit_collection(&all, NODE, &mut bytes).unwrap();
        assert_eq!(bytes[..4], [75, 0, 0, 0]);
        bytes.push(9);
        let (collection, rest) = parse_collection(&bytes).unwrap();
        assert_eq!(rest, [9]);
        assert_eq!(collection.collect::<Vec<_>>(), all.map(Ok));
        for length in 0..bytes.len() - 1 {
            assert_eq!(parse_collection(&bytes[..length]).err(), Some(Refusal::Truncated));
        }
        bytes[0] = 74;
        let ends: Vec<_> = parse_collection(&bytes).unwrap().0.map(|packet| packet.err()).collect();
        assert_eq!(ends, [None, Some(Refusal::Truncated)]);
        bytes[3] = 0x11;
        assert_eq!(parse_collection(&bytes).err(), Some(Refusal::Limit));
    }

    #[test]
    fn a_packet_that_no_datagram_holds_is_not_written() {
        let packet = packet(0, &vec![0; PACKET_BYTES_MAX - 16], PACKET_BYTES_MAX);
        let mut out = Vec::new();
        assert_eq!(emit_collection(&[from(1, &packet)], NODE, &mut out), Err(Refusal::Limit));
        assert!(out.is_empty());
    }
}
