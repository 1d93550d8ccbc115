//! Multi-fragment packet of LHCb in Run 3: one source's fragments of consecutive events.
//!
//! ```text
//!  0        2       4        8        16       18      19       20
//!  | 0x40CE | count | length | event  | source | align | version | types | sizes | fragments ...
//!  |  u16   |  u16  |  u32   |  u64   |  u16   |  u8   |   u8    |
//!
//!  types:      u8  of each fragment, padded to 4 bytes
//!  sizes:      u16 of each fragment, padded to 4 bytes: bytes of its data
//!  fragments:  one after the other, each padded to 2^align bytes
//! ```
//! All little endian and packed. `length` counts everything; `event` is the number of the first event, and
//! those of the others follow. The source has the sub-detector in its high 5 bits and the part of it in the
//! low 11. Types are those of banks; 89 to 101 say that the readout lost or cut the data.
//!
//! Source: EDMS 2100937 section 3, as written by `ibverbs-rs`, crate `multi-fragment-packet`. Padding is
//! counted from the end of the sizes, which need not be aligned itself.

use super::little_endian::{bounded, length, put, u16_at, u32_at, u64_at};
use super::refusal::Refusal;

/// What every packet begins with.
pub const MAGIC: u16 = 0x40ce;
/// Bytes in front of the types.
pub const HEADER_BYTES: usize = 20;
/// Largest packet that is taken.
pub const PACKET_BYTES_MAX: u32 = 256 << 20;
/// Largest alignment that is taken, as a power of two: no fragment is larger than 2^16.
pub const ALIGN_MAX: u8 = 16;

const COUNT: usize = 2;
const LENGTH: usize = 4;
const EVENT: usize = 8;
const SOURCE: usize = 16;
const ALIGN: usize = 18;
const VERSION: usize = 19;

/// What a packet is, besides its fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MfpHead {
    /// Number of the first event.
    pub event: u64,
    /// Which source: [`sub_detector`] and part.
    pub source: u16,
    /// Fragments are padded to 2 to the power of this, at most [`ALIGN_MAX`].
    pub align: u8,
    /// Version of the layout of the fragments' data.
    pub version: u8,
}

/// The sub-detector of a source, 0 to 31; 0 is the timing system.
#[must_use]
pub const fn sub_detector(source: u16) -> u16 {
    source >> 11
}

/// One fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MfpFragment<'a> {
    /// Number of its event.
    pub event: u64,
    /// Type of its bank.
    pub kind: u8,
    /// Its data.
    pub data: &'a [u8],
}

impl MfpFragment<'_> {
    /// Whether the readout says by the type that the data were lost or cut.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        matches!(self.kind, 89..=101)
    }
}

/// A packet that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mfp<'a> {
    head: MfpHead,
    bytes: &'a [u8],
    count: u16,
}

impl<'a> Mfp<'a> {
    /// Reads bytes that are one packet and nothing else.
    ///
    /// # Errors
    /// When they are not.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let (packet, rest) = Self::parse_prefix(bytes)?;
        if rest.is_empty() { Ok(packet) } else { Err(Refusal::Excess) }
    }

    /// Reads the packet at the beginning of `bytes`, and gives what follows it.
    ///
    /// # Errors
    /// When no whole packet begins there.
    pub fn parse_prefix(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Refusal> {
        let packet_bytes = Self::length_of(bytes)?;
        let (bytes, rest) = bytes.split_at_checked(packet_bytes).ok_or(Refusal::Truncated)?;
        let head = MfpHead {
            event: u64_at(bytes, EVENT),
            source: u16_at(bytes, SOURCE),
            align: bytes[ALIGN],
            version: bytes[VERSION],
        };
        let packet = Self { head, bytes, count: u16_at(bytes, COUNT) };
        packet.check()?;
        Ok((packet, rest))
    }

    /// The length of the packet that `bytes` begin with, from its header alone; at most
    /// [`PACKET_BYTES_MAX`]. On a stream it says how much to wait for.
    ///
    /// # Errors
    /// When there is no whole header, or none of a packet.
    pub fn length_of(bytes: &[u8]) -> Result<usize, Refusal> {
        if bytes.len() < HEADER_BYTES {
            return Err(Refusal::Truncated);
        }
        if u16_at(bytes, 0) != MAGIC {
            return Err(Refusal::Magic);
        }
        match u32_at(bytes, LENGTH) {
            bytes if length(bytes) < HEADER_BYTES => Err(Refusal::Length),
            bytes if bytes > PACKET_BYTES_MAX => Err(Refusal::Limit),
            bytes => Ok(length(bytes)),
        }
    }

    /// That the fragments fill the packet.
    fn check(&self) -> Result<(), Refusal> {
        if self.count == 0 {
            return Err(Refusal::Packing);
        }
        if self.head.align > ALIGN_MAX {
            return Err(Refusal::Alignment);
        }
        let lists = Lists::of(usize::from(self.count));
        let sizes = self.bytes.get(lists.sizes..lists.fragments).ok_or(Refusal::Length)?;
        // At most 2^16 fragments of 2^16 bytes: no overflow.
        let sizes = (0..usize::from(self.count)).map(|index| u64::from(u16_at(sizes, 2 * index)));
        let padded: u64 = sizes.map(|size| size.next_multiple_of(1 << self.head.align)).sum();
        let room = (self.bytes.len() - lists.fragments) as u64;
        if padded == room { Ok(()) } else { Err(Refusal::Length) }
    }

    /// What it is, besides its fragments.
    #[must_use]
    pub const fn head(&self) -> &MfpHead {
        &self.head
    }

    /// How many fragments, and events: at least one.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// The whole packet.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its fragments, in the order of events.
    #[must_use]
    pub fn fragments(&self) -> MfpFragments<'a> {
        let (count, lists) = (usize::from(self.count), Lists::of(usize::from(self.count)));
        MfpFragments {
            kinds: &self.bytes[HEADER_BYTES..HEADER_BYTES + count],
            sizes: &self.bytes[lists.sizes..lists.sizes + 2 * count],
            rest: &self.bytes[lists.fragments..],
            align: self.head.align,
            event: self.head.event,
        }
    }
}

/// The fragments of a packet.
#[derive(Clone, Debug)]
pub struct MfpFragments<'a> {
    kinds: &'a [u8],
    sizes: &'a [u8],
    rest: &'a [u8],
    align: u8,
    event: u64,
}

impl<'a> Iterator for MfpFragments<'a> {
    type Item = MfpFragment<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (kind, kinds) = self.kinds.split_first()?;
        let (size, sizes) = self.sizes.split_at_checked(2)?;
        let size = usize::from(u16_at(size, 0));
        // The packet was checked, so this is within it.
        let (padded, rest) = self.rest.split_at_checked(size.next_multiple_of(1 << self.align))?;
        let fragment = MfpFragment { event: self.event, kind: *kind, data: &padded[..size] };
        (self.kinds, self.sizes, self.rest) = (kinds, sizes, rest);
        self.event = self.event.wrapping_add(1);
        Some(fragment)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.kinds.len(), Some(self.kinds.len()))
    }
}

impl ExactSizeIterator for MfpFragments<'_> {}

/// Where the lists of a packet begin.
struct Lists {
    sizes: usize,
    fragments: usize,
}

impl Lists {
    const fn of(count: usize) -> Self {
        let sizes = HEADER_BYTES + count.next_multiple_of(4);
        Self { sizes, fragments: sizes + (2 * count).next_multiple_of(4) }
    }
}

/// Writes a packet behind `out`: type and data of each fragment, in the order of events. Padding is zero.
/// Gives its length.
///
/// # Errors
/// When there is no fragment, or more than can be said, when one is longer than 65535 bytes, the alignment
/// larger than [`ALIGN_MAX`], or the packet larger than [`PACKET_BYTES_MAX`]; nothing is written then.
pub fn emit(head: &MfpHead, fragments: &[(u8, &[u8])], out: &mut Vec<u8>) -> Result<usize, Refusal> {
    let count = u16::try_from(fragments.len()).map_err(|_| Refusal::Limit)?;
    if count == 0 {
        return Err(Refusal::Packing);
    }
    if head.align > ALIGN_MAX {
        return Err(Refusal::Alignment);
    }
    if fragments.iter().any(|(_, data)| u16::try_from(data.len()).is_err()) {
        return Err(Refusal::Limit);
    }
    let (start, lists) = (out.len(), Lists::of(fragments.len()));
    let padded: usize = fragments.iter().map(|(_, data)| data.len().next_multiple_of(1 << head.align)).sum();
    let packet_bytes = bounded(lists.fragments + padded, PACKET_BYTES_MAX).ok_or(Refusal::Limit)?;

    out.resize(start + lists.fragments, 0);
    let packet = &mut out[start..];
    put(packet, 0, MAGIC.to_le_bytes());
    put(packet, COUNT, count.to_le_bytes());
    put(packet, LENGTH, packet_bytes.to_le_bytes());
    put(packet, EVENT, head.event.to_le_bytes());
    put(packet, SOURCE, head.source.to_le_bytes());
    packet[ALIGN] = head.align;
    packet[VERSION] = head.version;
    for (index, (kind, data)) in fragments.iter().enumerate() {
        packet[HEADER_BYTES + index] = *kind;
        // That every one fits was checked above.
        let size = u16::try_from(data.len()).unwrap_or(u16::MAX);
        put(packet, lists.sizes + 2 * index, size.to_le_bytes());
    }
    for (_, data) in fragments {
        out.extend_from_slice(data);
        let padding = data.len().next_multiple_of(1 << head.align) - data.len();
        out.resize(out.len() + padding, 0);
    }
    Ok(out.len() - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: MfpHead = MfpHead { event: 0x0102_0304_0506_0708, source: 0x2803, align: 3, version: 9 };

    /// Written out by hand from the table above: 20 + 4 + 8 and two fragments in 8 bytes, one empty.
    const GOLDEN: [u8; 48] = [
        0xce, 0x40, 3, 0, 48, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0x03, 0x28, 3, 9, // header
        63, 66, 89, 0, // types
        3, 0, 8, 0, 0, 0, 0, 0, // sizes
        1, 2, 3, 0, 0, 0, 0, 0, // first fragment
        1, 2, 3, 4, 5, 6, 7, 8, // second fragment
    ];

    #[test]
    fn a_packet_is_where_the_table_says() {
        let fragments: [(u8, &[u8]); 3] = [(63, &[1, 2, 3]), (66, &[1, 2, 3, 4, 5, 6, 7, 8]), (89, &[])];
        let mut out = vec![7];
        assert_eq!(emit(&HEAD, &fragments, &mut out), Ok(48));
        assert_eq!(out[1..], GOLDEN);
        let packet = Mfp::parse(&GOLDEN).unwrap();
        assert_eq!((packet.head(), packet.count(), sub_detector(packet.head().source)), (&HEAD, 3, 5));
        for (index, (found, (kind, data))) in packet.fragments().zip(fragments).enumerate() {
            assert_eq!((found.event, found.kind, found.data), (HEAD.event + index as u64, kind, data));
            assert_eq!(found.is_error(), kind == 89);
        }
    }

    #[test]
    fn each_rule_has_its_refusal() {
        for length in 0..GOLDEN.len() {
            assert_eq!(Mfp::parse(&GOLDEN[..length]), Err(Refusal::Truncated), "{length}");
        }
        assert_eq!(Mfp::parse(&[&GOLDEN[..], &[0]].concat()), Err(Refusal::Excess));
        let with = |at: usize, value: u8| {
            let mut bytes = GOLDEN;
            bytes[at] = value;
            Mfp::parse(&bytes).err()
        };
        assert_eq!(with(0, 0), Some(Refusal::Magic));
        assert_eq!(with(COUNT, 0), Some(Refusal::Packing));
        assert_eq!(with(COUNT + 1, 0xff), Some(Refusal::Length));
        assert_eq!(with(LENGTH, 19), Some(Refusal::Length));
        assert_eq!(with(LENGTH, 47), Some(Refusal::Length));
        assert_eq!(with(LENGTH + 3, 0x11), Some(Refusal::Limit));
        assert_eq!(with(ALIGN, 17), Some(Refusal::Alignment));
        assert_eq!(with(ALIGN, 2), Some(Refusal::Length));
        // Sizes: still within the same padding, and beyond it.
        assert_eq!((with(24, 8), with(24, 9)), (None, Some(Refusal::Length)));
    }

    #[test]
    fn what_cannot_be_said_is_not_written() {
        let mut out = Vec::new();
        assert_eq!(emit(&HEAD, &[], &mut out), Err(Refusal::Packing));
        assert_eq!(emit(&HEAD, &[(1, &vec![0; 65_536])], &mut out), Err(Refusal::Limit));
        assert_eq!(emit(&HEAD, &vec![(1, &[][..]); 65_536], &mut out), Err(Refusal::Limit));
        assert_eq!(emit(&MfpHead { align: 17, ..HEAD }, &[(1, &[])], &mut out), Err(Refusal::Alignment));
        let large = vec![(1, &[0; 65_535][..]); 65_535];
        assert_eq!(emit(&HEAD, &large, &mut out), Err(Refusal::Limit));
        assert!(out.is_empty());
    }
}
