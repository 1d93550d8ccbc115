//! Our own frame for fragments: one segment of one source's data, over UDP, TCP or files.
//!
//! ```text
//!  0        4     5      6        8      12       14     16      24       28      32      36    40
//!  | "ICFR" | ver | flag | events | run  | source |  0   | event | offset | bytes | total | crc | payload
//!  |        |  1  |  u8  |  u16   | u32  |  u16   |      |  u64  |  u32   |  u32  |  u32  | u32 |
//! ```
//! All little endian. A fragment has `total` bytes and is cut into segments as its carrier needs; this
//! one has the `bytes` from `offset` on. `event` is the number of its event, and `events` of how many
//! consecutive ones it is: 1, or more if they are [packed](super::packed). `crc` is the CRC-32C of the 36
//! bytes in front of it and of the payload, so that no damage moves data to another event. Frames follow one
//! another without anything in between, on a stream as well as in a datagram.
//!
//! Flags: 1, the payload is [`Content`](super::content::Content); 2, the source says that its data are
//! damaged; 4, it is of the second level. Others are refused.

use super::crc32c::crc32c_of;
use super::little_endian::{length, put, u16_at, u32_at, u64_at};
use super::refusal::Refusal;
use crate::readout::Level;

/// Bytes in front of the payload.
pub const HEADER_BYTES: usize = 40;
/// What every frame begins with.
pub const MAGIC: [u8; 4] = *b"ICFR";
/// Version of the layout.
pub const VERSION: u8 = 1;
/// Most payload of a segment: what a receiver has to hold at once. No datagram has more.
pub const SEGMENT_BYTES_MAX: u32 = 1 << 20;
/// Largest fragment: a thousand times what sources of today have for one event.
pub const FRAGMENT_BYTES_MAX: u32 = 64 << 20;
/// Most payload of a segment in a UDP datagram over IPv4: 65507 less the header.
pub const UDP_SEGMENT_BYTES_MAX: u32 = 65_507 - 40;

const AT_VERSION: usize = 4;
const FLAGS: usize = 5;
const EVENTS: usize = 6;
const RUN: usize = 8;
const SOURCE: usize = 12;
const RESERVED: usize = 14;
const EVENT: usize = 16;
const OFFSET: usize = 24;
const BYTES: usize = 28;
const TOTAL: usize = 32;
const CRC: usize = 36;

const FLAG_GENERATED: u8 = 1;
const FLAG_DAMAGED: u8 = 2;
const FLAG_SECOND: u8 = 4;

/// What all segments of a fragment have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentHead {
    /// Run number.
    pub run: u32,
    /// Which source.
    pub source: u16,
    /// Number of the event; of several, of the first.
    pub event: u64,
    /// Of how many consecutive events, at least 1.
    pub events: u16,
    /// Bytes of the whole fragment.
    pub total_bytes: u32,
    /// Every byte follows from run, source and event.
    pub is_generated: bool,
    /// The source says that its data are damaged.
    pub is_damaged: bool,
    /// Which fragments of the event.
    pub level: Level,
}

impl FragmentHead {
    fn flags(&self) -> u8 {
        FLAG_GENERATED * u8::from(self.is_generated)
            + FLAG_DAMAGED * u8::from(self.is_damaged)
            + FLAG_SECOND * u8::from(self.level == Level::Second)
    }
}

/// A segment that was checked, or one to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Which fragment it is of.
    pub head: FragmentHead,
    /// Where its payload belongs in the fragment.
    pub offset_bytes: u32,
    /// Its bytes of the fragment.
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads a datagram, which is one frame and nothing else.
    ///
    /// # Errors
    /// When it is not one whole frame.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Refusal> {
        let (segment, rest) = Self::parse_prefix(datagram)?;
        if rest.is_empty() { Ok(segment) } else { Err(Refusal::Excess) }
    }

    /// Reads the frame at the beginning of `bytes`, and gives what follows it.
    ///
    /// # Errors
    /// When no whole frame begins there.
    pub fn parse_prefix(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Refusal> {
        let frame_bytes = Self::length_of(bytes)?;
        let (frame, rest) = bytes.split_at_checked(frame_bytes).ok_or(Refusal::Truncated)?;
        let (header, payload) = frame.split_at(HEADER_BYTES);
        let head = parse_head(header)?;
        let segment = Self { head, offset_bytes: u32_at(header, OFFSET), payload };
        segment.check_place()?;
        if u32_at(header, CRC) != crc32c_of(&[&header[..CRC], payload]) {
            return Err(Refusal::Checksum);
        }
        Ok((segment, rest))
    }

    /// The length of the frame that `bytes` begin with, from its header alone; at most
    /// [`HEADER_BYTES`] and [`SEGMENT_BYTES_MAX`]. On a stream it says how much to wait for.
    ///
    /// # Errors
    /// When there is no whole header, or none of ours.
    pub fn length_of(bytes: &[u8]) -> Result<usize, Refusal> {
        let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(Refusal::Truncated)?;
        if header[..MAGIC.len()] != MAGIC {
            return Err(Refusal::Magic);
        }
        if header[AT_VERSION] != VERSION {
            return Err(Refusal::Version);
        }
        let payload_bytes = u32_at(header, BYTES);
        if payload_bytes > SEGMENT_BYTES_MAX {
            return Err(Refusal::Limit);
        }
        Ok(HEADER_BYTES + length(payload_bytes))
    }

    /// That the payload lies within the fragment, and that every segment brings something.
    fn check_place(&self) -> Result<(), Refusal> {
        if self.head.total_bytes > FRAGMENT_BYTES_MAX {
            return Err(Refusal::Limit);
        }
        let (offset, total) = (length(self.offset_bytes), length(self.head.total_bytes));
        if total.checked_sub(offset).is_none_or(|room| self.payload.len() > room) {
            return Err(Refusal::Offset);
        }
        if self.payload.is_empty() && total != 0 { Err(Refusal::Length) } else { Ok(()) }
    }

    /// Where its payload ends in the fragment.
    #[must_use]
    pub fn end_bytes(&self) -> usize {
        length(self.offset_bytes) + self.payload.len()
    }

    /// Whether it is a whole fragment.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.payload.len() == length(self.head.total_bytes)
    }

    /// The header, for a carrier that sends header and payload from two places.
    ///
    /// # Panics
    /// When the payload is larger than [`SEGMENT_BYTES_MAX`] or does not lie within its fragment, or
    /// when it is of no event: [`segments`] makes none such.
    #[must_use]
    pub fn emit_header(&self) -> [u8; HEADER_BYTES] {
        assert_eq!(self.check_place(), Ok(()), "a segment lies within its fragment");
        assert!(self.head.events > 0, "a fragment is of an event");
        let payload_bytes = super::little_endian::bounded(self.payload.len(), SEGMENT_BYTES_MAX);
        let mut header = [0; HEADER_BYTES];
        put(&mut header, 0, MAGIC);
        header[AT_VERSION] = VERSION;
        header[FLAGS] = self.head.flags();
        put(&mut header, EVENTS, self.head.events.to_le_bytes());
        put(&mut header, RUN, self.head.run.to_le_bytes());
        put(&mut header, SOURCE, self.head.source.to_le_bytes());
        put(&mut header, EVENT, self.head.event.to_le_bytes());
        put(&mut header, OFFSET, self.offset_bytes.to_le_bytes());
        put(&mut header, BYTES, payload_bytes.expect("a segment is not too large").to_le_bytes());
        put(&mut header, TOTAL, self.head.total_bytes.to_le_bytes());
        let crc = crc32c_of(&[&header[..CRC], self.payload]);
        put(&mut header, CRC, crc.to_le_bytes());
        header
    }

    /// Writes the frame behind what `out` holds.
    ///
    /// # Panics
    /// As [`emit_header`](Self::emit_header).
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.emit_header());
        out.extend_from_slice(self.payload);
    }
}

fn parse_head(header: &[u8]) -> Result<FragmentHead, Refusal> {
    let (flags, events) = (header[FLAGS], u16_at(header, EVENTS));
    if flags & !(FLAG_GENERATED | FLAG_DAMAGED | FLAG_SECOND) != 0 || u16_at(header, RESERVED) != 0 {
        return Err(Refusal::Value);
    }
    if events == 0 {
        return Err(Refusal::Packing);
    }
    Ok(FragmentHead {
        run: u32_at(header, RUN),
        source: u16_at(header, SOURCE),
        event: u64_at(header, EVENT),
        events,
        total_bytes: u32_at(header, TOTAL),
        is_generated: flags & FLAG_GENERATED != 0,
        is_damaged: flags & FLAG_DAMAGED != 0,
        level: if flags & FLAG_SECOND == 0 { Level::First } else { Level::Second },
    })
}

/// Cuts `fragment` into segments of at most `segment_bytes_max`; an empty one is one segment.
/// The length in `head` is taken from `fragment`.
///
/// # Errors
/// When the fragment is larger than [`FRAGMENT_BYTES_MAX`], or of no event.
///
/// # Panics
/// When segments should have no bytes.
pub fn segments(
    head: FragmentHead,
    fragment: &[u8],
    segment_bytes_max: u32,
) -> Result<impl ExactSizeIterator<Item = Segment<'_>> + Clone, Refusal> {
    assert!(segment_bytes_max > 0, "a segment has at least a byte");
    let total_bytes =
        super::little_endian::bounded(fragment.len(), FRAGMENT_BYTES_MAX).ok_or(Refusal::Limit)?;
    if head.events == 0 {
        return Err(Refusal::Packing);
    }
    let head = FragmentHead { total_bytes, ..head };
    let step = segment_bytes_max.min(SEGMENT_BYTES_MAX);
    let count = total_bytes.div_ceil(step).max(1);
    Ok((0..count).map(move |index| {
        let offset_bytes = index * step;
        let end = length(offset_bytes.saturating_add(step).min(total_bytes));
        Segment { head, offset_bytes, payload: &fragment[length(offset_bytes)..end] }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: FragmentHead = FragmentHead {
        run: 0x0102_0304,
        source: 0x0506,
        event: 0x0708_090a_0b0c_0d0e,
        events: 0x0f10,
        total_bytes: 10,
        is_generated: true,
        is_damaged: false,
        level: Level::First,
    };

    fn frame() -> Vec<u8> {
        let mut out = Vec::new();
        Segment { head: HEAD, offset_bytes: 7, payload: &[0xaa, 0xbb] }.emit(&mut out);
        out
    }

    /// The frame with another byte, and a CRC that fits again.
    fn forged(at: usize, value: u8) -> Option<Refusal> {
        let mut bytes = frame();
        bytes[at] = value;
        let crc = crc32c_of(&[&bytes[..CRC], &bytes[HEADER_BYTES..]]);
        put(&mut bytes, CRC, crc.to_le_bytes());
        Segment::parse(&bytes).err()
    }

    #[test]
    fn a_frame_is_where_the_table_says() {
        // Written out by hand from the table above, but for the CRC.
        let golden = [
            b'I', b'C', b'F', b'R', 1, 1, 0x10, 0x0f, // magic, version, flags, events
            4, 3, 2, 1, 6, 5, 0, 0, // run, source, nothing
            0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 9, 8, 7, // event
            7, 0, 0, 0, 2, 0, 0, 0, 10, 0, 0, 0, // offset, bytes, total
        ];
        let bytes = frame();
        assert_eq!(bytes[..CRC], golden);
        assert_eq!(u32_at(&bytes, CRC), crc32c_of(&[&golden, &[0xaa, 0xbb]]));
        assert_eq!(bytes[HEADER_BYTES..], [0xaa, 0xbb]);
        let segment = Segment::parse(&bytes).unwrap();
        assert_eq!((segment.head, segment.offset_bytes, segment.payload), (HEAD, 7, &[0xaa, 0xbb][..]));
        assert_eq!((segment.end_bytes(), segment.is_whole()), (9, false));
    }

    #[test]
    fn every_damaged_bit_is_refused() {
        let good = frame();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Segment::parse(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_and_every_byte_too_many_is_refused() {
        let good = frame();
        for length in 0..good.len() {
            assert_eq!(Segment::parse(&good[..length]), Err(Refusal::Truncated), "{length}");
        }
        let longer = [&good[..], &good[..]].concat();
        assert_eq!(Segment::parse(&longer), Err(Refusal::Excess));
        assert_eq!(Segment::parse_prefix(&longer).unwrap().1, good);
    }

    #[test]
    fn each_rule_has_its_refusal_even_with_a_crc_that_fits() {
        assert_eq!(forged(0, b'X'), Some(Refusal::Magic));
        assert_eq!(forged(AT_VERSION, 2), Some(Refusal::Version));
        assert_eq!(forged(FLAGS, 8), Some(Refusal::Value));
        assert_eq!(forged(RESERVED, 1), Some(Refusal::Value));
        assert_eq!(forged(OFFSET, 9), Some(Refusal::Offset));
        assert_eq!(forged(OFFSET + 3, 0xff), Some(Refusal::Offset));
        assert_eq!(forged(TOTAL, 8), Some(Refusal::Offset));
        assert_eq!(forged(TOTAL + 3, 0xff), Some(Refusal::Limit));
        assert_eq!(forged(BYTES + 2, 0x11), Some(Refusal::Limit));
        assert_eq!(forged(BYTES, 1), Some(Refusal::Checksum));
        assert_eq!(forged(EVENTS, 0), None);
        assert_eq!((forged(FLAGS, 2), forged(FLAGS, 4), forged(FLAGS, 7)), (None, None, None));
        // A segment that brings nothing.
        let mut bytes = frame();
        bytes.truncate(HEADER_BYTES);
        bytes[BYTES] = 0;
        let crc = crc32c_of(&[&bytes[..CRC]]);
        put(&mut bytes, CRC, crc.to_le_bytes());
        assert_eq!(Segment::parse(&bytes), Err(Refusal::Length));
        let mut bytes = frame();
        bytes[EVENTS..RUN].fill(0);
        assert_eq!(Segment::parse(&bytes), Err(Refusal::Packing));
        let mut bytes = frame();
        bytes[HEADER_BYTES] ^= 1;
        assert_eq!(Segment::parse(&bytes), Err(Refusal::Checksum));
    }

    #[test]
    fn segments_cover_their_fragment_once() {
        let fragment: Vec<u8> = (0..=255).collect();
        for (bytes, step) in [(0, 1), (1, 1), (255, 16), (256, 16), (256, 255), (256, 256), (256, u32::MAX)] {
            let cut = segments(HEAD, &fragment[..bytes], step).unwrap();
            assert_eq!(cut.len(), bytes.div_ceil(step as usize).max(1));
            let mut end = 0;
            for segment in cut {
                assert_eq!((length(segment.offset_bytes), segment.head.total_bytes as usize), (end, bytes));
                assert_eq!(segment.payload, &fragment[end..segment.end_bytes()]);
                let mut frame = Vec::new();
                segment.emit(&mut frame);
                assert_eq!(Segment::parse(&frame), Ok(segment));
                end = segment.end_bytes();
            }
            assert_eq!(end, bytes);
        }
        let none = FragmentHead { events: 0, ..HEAD };
        assert_eq!(segments(none, &[], 1).err(), Some(Refusal::Packing));
    }
}
