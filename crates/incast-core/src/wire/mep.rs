//! Multi-event packet of LHCb in Run 1 and 2: one source's fragments of consecutive events.
//!
//! ```text
//!  0             4         6         8           12
//!  | first event | packing | length  | partition | fragment | fragment | ...
//!  |     u32     |   u16   |   u16   |    u32    |
//!
//!  fragment:   0              2        4
//!              | event (low)  | length | data ...
//!              |     u16      |  u16   |
//! ```
//! All little endian and packed. The length of the packet counts everything in it, these 12 bytes as well;
//! that of a fragment counts its data only. A fragment has the low 16 bits of its event's number, which
//! follow one another and begin again at 0.
//!
//! It is the payload of an IP datagram of protocol 0xF2, or of UDP port 45198 where raw sockets are not
//! allowed. The address that it comes from says which source it is. On a stream, which LHCb did not use,
//! [`STREAM_MARK`] stands in front of each, so that it can be told from what else is there; no packet is
//! larger there either.
//!
//! Sources: LHCb `Online/GaudiOnline/MEPHdr.h`, `DAQ/MDF/MDF/MEPMultiFragment.h`, `MEPFragment.h`.

use super::little_endian::{put, u16_at, u32_at};
use super::refusal::Refusal;

/// Protocol number in the IP header.
pub const IP_PROTOCOL: u8 = 0xf2;
/// UDP port where raw sockets are not allowed.
pub const UDP_PORT: u16 = 45_198;
/// What stands in front of a packet on a stream. Read as a length it is beyond every message, and it is not the
/// mark of our own fragments.
pub const STREAM_MARK: [u8; 4] = *b"ICML";
/// Bytes in front of the fragments.
pub const HEADER_BYTES: usize = 12;
/// Bytes in front of the data of each fragment.
pub const FRAGMENT_HEADER_BYTES: usize = 4;
/// Largest packet: its length is a `u16`.
pub const PACKET_BYTES_MAX: usize = u16::MAX as usize;
/// Largest packet in a UDP datagram over IPv4: 65535 less 20 and 8.
pub const UDP_PACKET_BYTES_MAX: usize = 65_507;
/// Largest packet in an IP datagram of its own: 65535 less 20.
pub const IP_PACKET_BYTES_MAX: usize = 65_515;

const FIRST_EVENT: usize = 0;
const PACKING: usize = 4;
const LENGTH: usize = 6;
const PARTITION: usize = 8;
const FRAGMENT_LENGTH: usize = 2;

/// A packet that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mep<'a> {
    bytes: &'a [u8],
}

/// One fragment of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MepFragment<'a> {
    /// Number of its event, all 32 bits.
    pub event: u32,
    /// Its data.
    pub data: &'a [u8],
}

impl<'a> Mep<'a> {
    /// Reads a datagram, which is one packet and nothing else.
    ///
    /// # Errors
    /// When it is not a whole packet.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Refusal> {
        let (packet, rest) = Self::parse_prefix(datagram)?;
        if rest.is_empty() { Ok(packet) } else { Err(Refusal::Excess) }
    }

    /// Reads the packet at the beginning of `bytes`, and gives what follows it.
    ///
    /// # Errors
    /// When no whole packet begins there.
    pub fn parse_prefix(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Refusal> {
        let length = Self::length_of(bytes)?;
        let (bytes, rest) = bytes.split_at_checked(length).ok_or(Refusal::Truncated)?;
        let packet = Self { bytes };
        packet.check()?;
        Ok((packet, rest))
    }

    /// The length of the packet that `bytes` begin with, from its header alone; at most
    /// [`PACKET_BYTES_MAX`]. On a stream it says how much to wait for.
    ///
    /// # Errors
    /// When there is no whole header, or the length has no room for one.
    pub fn length_of(bytes: &[u8]) -> Result<usize, Refusal> {
        if bytes.len() < HEADER_BYTES {
            return Err(Refusal::Truncated);
        }
        let length = usize::from(u16_at(bytes, LENGTH));
        if length < HEADER_BYTES { Err(Refusal::Length) } else { Ok(length) }
    }

    /// That the fragments fill the packet, and that their numbers follow one another.
    fn check(&self) -> Result<(), Refusal> {
        if self.packing() == 0 {
            return Err(Refusal::Packing);
        }
        let (mut rest, mut event) = (&self.bytes[HEADER_BYTES..], self.first_event());
        for _ in 0..self.packing() {
            if rest.len() < FRAGMENT_HEADER_BYTES {
                return Err(Refusal::Length);
            }
            if u16_at(rest, 0) != low(event) {
                return Err(Refusal::EventNumber);
            }
            let end = FRAGMENT_HEADER_BYTES + usize::from(u16_at(rest, FRAGMENT_LENGTH));
            rest = rest.get(end..).ok_or(Refusal::Length)?;
            event = event.wrapping_add(1);
        }
        if rest.is_empty() { Ok(()) } else { Err(Refusal::Length) }
    }

    /// Number of the first event.
    #[must_use]
    pub fn first_event(&self) -> u32 {
        u32_at(self.bytes, FIRST_EVENT)
    }

    /// Packing factor: how many events, at least one.
    #[must_use]
    pub fn packing(&self) -> u16 {
        u16_at(self.bytes, PACKING)
    }

    /// Which part of the detector runs.
    #[must_use]
    pub fn partition(&self) -> u32 {
        u32_at(self.bytes, PARTITION)
    }

    /// The whole packet.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its fragments, in the order of events.
    #[must_use]
    pub fn fragments(&self) -> MepFragments<'a> {
        MepFragments { rest: &self.bytes[HEADER_BYTES..], event: self.first_event() }
    }
}

/// The fragments of a packet.
#[derive(Clone, Debug)]
pub struct MepFragments<'a> {
    rest: &'a [u8],
    event: u32,
}

impl<'a> Iterator for MepFragments<'a> {
    type Item = MepFragment<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (header, rest) = self.rest.split_at_checked(FRAGMENT_HEADER_BYTES)?;
        // The packet was checked, so the length is within it.
        let (data, rest) = rest.split_at_checked(usize::from(u16_at(header, FRAGMENT_LENGTH)))?;
        let event = self.event;
        (self.rest, self.event) = (rest, event.wrapping_add(1));
        Some(MepFragment { event, data })
    }
}

/// A packet that is being written; it counts only when it is finished.
#[derive(Debug)]
#[must_use = "a packet is not whole before `finish`"]
pub struct MepWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    bytes_max: usize,
    first_event: u32,
    packing: u16,
}

impl<'a> MepWriter<'a> {
    /// Begins a packet behind what `out` holds. It never becomes larger than `bytes_max`, which the
    /// carrier says: [`UDP_PACKET_BYTES_MAX`], [`IP_PACKET_BYTES_MAX`], [`PACKET_BYTES_MAX`].
    pub fn begin(out: &'a mut Vec<u8>, first_event: u32, partition: u32, bytes_max: usize) -> Self {
        let start = out.len();
        let mut header = [0; HEADER_BYTES];
        put(&mut header, FIRST_EVENT, first_event.to_le_bytes());
        put(&mut header, PARTITION, partition.to_le_bytes());
        out.extend_from_slice(&header);
        Self { out, start, bytes_max: bytes_max.min(PACKET_BYTES_MAX), first_event, packing: 0 }
    }

    /// Bytes of data that the next fragment can have.
    #[must_use]
    pub fn room_bytes(&self) -> usize {
        let used = self.out.len() - self.start + FRAGMENT_HEADER_BYTES;
        if self.packing == u16::MAX { 0 } else { self.bytes_max.saturating_sub(used) }
    }

    /// Adds the fragment of the next event.
    ///
    /// # Errors
    /// When there is no room for it; the packet is then as it was.
    pub fn push(&mut self, data: &[u8]) -> Result<(), Refusal> {
        self.push_with(data.len(), |space| space.copy_from_slice(data))
    }

    /// Adds the fragment of the next event, whose data are written in place by `write`.
    ///
    /// # Errors
    /// When there is no room for it; the packet is then as it was.
    pub fn push_with(&mut self, data_bytes: usize, write: impl FnOnce(&mut [u8])) -> Result<(), Refusal> {
        let used = self.out.len() - self.start;
        let length = u16::try_from(data_bytes).map_err(|_| Refusal::Limit)?;
        if self.packing == u16::MAX || used + FRAGMENT_HEADER_BYTES + data_bytes > self.bytes_max {
            return Err(Refusal::Limit);
        }
        let event = self.first_event.wrapping_add(u32::from(self.packing));
        self.out.extend_from_slice(&low(event).to_le_bytes());
        self.out.extend_from_slice(&length.to_le_bytes());
        let from = self.out.len();
        self.out.resize(from + data_bytes, 0);
        write(&mut self.out[from..]);
        self.packing += 1;
        Ok(())
    }

    /// Settles packing factor and length; gives the length.
    ///
    /// # Errors
    /// When there is no fragment in it; nothing is written then.
    pub fn finish(self) -> Result<usize, Refusal> {
        if self.packing == 0 {
            self.out.truncate(self.start);
            return Err(Refusal::Packing);
        }
        let packet = &mut self.out[self.start..];
        let bytes = packet.len();
        // `push` has kept it within the bound.
        let length = u16::try_from(bytes).map_err(|_| Refusal::Limit)?;
        put(packet, PACKING, self.packing.to_le_bytes());
        put(packet, LENGTH, length.to_le_bytes());
        Ok(bytes)
    }
}

/// All 64 bits of a number of which a packet or a request tells 32, and `before`, one that came not long ago: the
/// nearest to that. A run begins below 2^32.
#[must_use]
pub fn extend(before: u64, number: u32) -> u64 {
    let [a, b, c, d] = number.wrapping_sub(low_half(before)).to_le_bytes();
    let step = i32::from_le_bytes([a, b, c, d]);
    before.checked_add_signed(step.into()).unwrap_or_else(|| number.into())
}

/// The low 32 bits of a number.
fn low_half(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// What a fragment has of its event's number.
fn low(event: u32) -> u16 {
    let [low, high, ..] = event.to_le_bytes();
    u16::from_le_bytes([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out by hand from the table above: events 0x1ffff and 0x20000.
    const GOLDEN: [u8; 23] = [
        0xff, 0xff, 1, 0, 2, 0, 23, 0, 0x0d, 0x0c, 0x0b, 0x0a, // header
        0xff, 0xff, 3, 0, 1, 2, 3, // first fragment
        0, 0, 0, 0, // second fragment, without data
    ];

    #[test]
    fn a_packet_is_where_the_table_says() {
        let mut out = vec![7];
        let mut writer = MepWriter::begin(&mut out, 0x1_ffff, 0x0a0b_0c0d, UDP_PACKET_BYTES_MAX);
        writer.push(&[1, 2, 3]).unwrap();
        writer.push(&[]).unwrap();
        assert_eq!(writer.finish(), Ok(GOLDEN.len()));
        assert_eq!(out[1..], GOLDEN);

        let packet = Mep::parse(&GOLDEN).unwrap();
        assert_eq!((packet.first_event(), packet.packing(), packet.partition()), (0x1_ffff, 2, 0x0a0b_0c0d));
        let fragments: Vec<_> = packet.fragments().map(|fragment| (fragment.event, fragment.data)).collect();
        assert_eq!(fragments, [(0x1_ffff, &[1, 2, 3][..]), (0x2_0000, &[])]);
    }

    #[test]
    fn every_cut_and_every_byte_too_many_is_refused() {
        for length in 0..GOLDEN.len() {
            assert_eq!(Mep::parse(&GOLDEN[..length]), Err(Refusal::Truncated), "{length}");
        }
        let longer = [&GOLDEN[..], &[0]].concat();
        assert_eq!(Mep::parse(&longer), Err(Refusal::Excess));
        assert_eq!(Mep::parse_prefix(&longer).unwrap().1, [0]);
    }

    #[test]
    fn each_rule_has_its_refusal() {
        let with = |at: usize, value: u8| {
            let mut bytes = GOLDEN;
            bytes[at] = value;
            Mep::parse(&bytes).err()
        };
        assert_eq!(with(PACKING, 0), Some(Refusal::Packing));
        // One fragment less than there are bytes for, and one more.
        assert_eq!(with(PACKING, 1), Some(Refusal::Length));
        assert_eq!(with(PACKING, 3), Some(Refusal::Length));
        assert_eq!(with(LENGTH, 11), Some(Refusal::Length));
        assert_eq!(with(LENGTH, 22), Some(Refusal::Length));
        assert_eq!(with(LENGTH, 24), Some(Refusal::Truncated));
        // A fragment that ends too early, within the next one, and beyond the packet.
        assert_eq!(with(14, 0), Some(Refusal::EventNumber));
        assert_eq!(with(14, 4), Some(Refusal::Length));
        assert_eq!(with(14, 8), Some(Refusal::Length));
        assert_eq!(with(21, 1), Some(Refusal::Length));
        assert_eq!(with(12, 0xfe), Some(Refusal::EventNumber));
        assert_eq!(with(19, 1), Some(Refusal::EventNumber));
    }

    #[test]
    fn numbers_go_on_after_the_last_one_of_32_bits() {
        let mut out = Vec::new();
        let mut writer = MepWriter::begin(&mut out, u32::MAX, 0, PACKET_BYTES_MAX);
        (0..3).for_each(|_| writer.push(&[]).unwrap());
        writer.finish().unwrap();
        let events: Vec<_> = Mep::parse(&out).unwrap().fragments().map(|fragment| fragment.event).collect();
        assert_eq!(events, [u32::MAX, 0, 1]);
    }

    #[test]
    fn a_packet_never_outgrows_its_carrier() {
        let mut out = Vec::new();
        for bytes_max in [16, 100, UDP_PACKET_BYTES_MAX, PACKET_BYTES_MAX, usize::MAX] {
            out.clear();
            let mut writer = MepWriter::begin(&mut out, 0, 0, bytes_max);
            let room = writer.room_bytes();
            assert_eq!(writer.push(&vec![1; room + 1]), Err(Refusal::Limit));
            writer.push(&vec![1; room]).unwrap();
            assert_eq!((writer.room_bytes(), writer.push(&[])), (0, Err(Refusal::Limit)));
            assert_eq!(writer.finish(), Ok(bytes_max.min(PACKET_BYTES_MAX)));
            assert!(Mep::parse(&out).is_ok());
        }
    }

    #[test]
    fn a_packet_without_fragments_is_not_written() {
        let mut out = vec![5];
        assert_eq!(MepWriter::begin(&mut out, 0, 0, 100).finish(), Err(Refusal::Packing));
        assert_eq!(out, [5]);
    }

    #[test]
    fn event_numbers_go_on_beyond_32_bits() {
        let cases: [(u64, u32, u64); 7] = [
            (0, 5, 5),
            (0, u32::MAX, u32::MAX.into()),
            (u32::MAX.into(), 0, 1 << 32),
            (1 << 32, u32::MAX, u32::MAX.into()),
            ((1 << 32) + 7, 3, (1 << 32) + 3),
            (u64::MAX, u32::MAX, u64::MAX),
            (u64::MAX - 1, 3, 3),
        ];
        for (before, event, expected) in cases {
            assert_eq!(extend(before, event), expected, "{before} {event}");
        }
    }
}
