//! Multi-event packet of LHCb in Run 3: the multi-fragment packets of all sources for the same events.
//!
//! ```text
//!  0        2       4        8
//!  | 0xCEFA | count | words  | sources | offsets | packet | packet | ...
//!  |  u16   |  u16  |  u32   |
//!
//!  sources:  u16 of each packet, padded to an even number
//!  offsets:  u32 of each packet: where it begins, from the beginning of this header
//! ```
//! All little endian. `words` and offsets count words of 32 bits; everything is counted. Packets are in
//! ascending order of their sources, so that the timing system comes first. Each takes a multiple of the
//! alignment, 8 bytes if nothing else was agreed; the first begins right behind the offsets.
//!
//! Source: EDMS 2100937 section 4, as written by `ibverbs-rs`, crate `multi-event-packet`. A reader goes by
//! the offsets, and takes any that make sense.

use super::little_endian::{bounded, length, put, u16_at, u32_at};
use super::mfp::Mfp;
use super::refusal::Refusal;

/// What every packet begins with.
pub const MAGIC: u16 = 0xcefa;
/// Bytes in front of the sources.
pub const HEADER_BYTES: usize = 8;
/// Largest packet that is taken, in words: 1 GiB.
pub const WORDS_MAX: u32 = 256 << 20;
/// Each packet takes a multiple of so many bytes, if nothing else was agreed.
pub const ALIGN_BYTES: usize = 8;

const COUNT: usize = 2;
const WORDS: usize = 4;
const WORD: usize = 4;

/// A packet that was checked, with everything in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MfpEvent<'a> {
    bytes: &'a [u8],
}

impl<'a> MfpEvent<'a> {
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
    /// When no whole packet begins there, or a part of it is refused.
    pub fn parse_prefix(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Refusal> {
        let packet_bytes = Self::length_of(bytes)?;
        let (bytes, rest) = bytes.split_at_checked(packet_bytes).ok_or(Refusal::Truncated)?;
        let packet = Self { bytes };
        packet.check()?;
        Ok((packet, rest))
    }

    /// The length of the packet that `bytes` begin with, from its header alone; at most [`WORDS_MAX`]
    /// words. On a stream it says how much to wait for.
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
        match u32_at(bytes, WORDS) {
            words if length(words) * WORD < HEADER_BYTES => Err(Refusal::Length),
            words if words > WORDS_MAX => Err(Refusal::Limit),
            words => Ok(length(words) * WORD),
        }
    }

    /// That every part is a packet of the source that is said, for the same events, and on no other part.
    fn check(&self) -> Result<(), Refusal> {
        let count = self.count();
        if count == 0 {
            return Err(Refusal::Packing);
        }
        let mut end = header_bytes(usize::from(count));
        if end > self.bytes.len() {
            return Err(Refusal::Length);
        }
        let (mut first, mut before) = (None, None);
        for index in 0..usize::from(count) {
            let from = self.offset_bytes(index);
            if from < end || from > self.bytes.len() {
                return Err(Refusal::Offset);
            }
            let (part, rest) = Mfp::parse_prefix(&self.bytes[from..])?;
            end = self.bytes.len() - rest.len();
            if part.head().source != self.source(index)
                || before.is_some_and(|before| before >= part.head().source)
            {
                return Err(Refusal::Source);
            }
            before = Some(part.head().source);
            let events = (part.head().event, part.count());
            let (event, packing) = *first.get_or_insert(events);
            if events.1 != packing {
                return Err(Refusal::Packing);
            }
            if events.0 != event {
                return Err(Refusal::EventNumber);
            }
        }
        Ok(())
    }

    /// How many sources, at least one.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16_at(self.bytes, COUNT)
    }

    /// The whole packet.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The packets of its sources, in their order.
    pub fn packets(&self) -> impl ExactSizeIterator<Item = Mfp<'a>> + Clone {
        let packet = *self;
        (0..usize::from(packet.count())).map(move |index| {
            let from = packet.offset_bytes(index);
            Mfp::parse_prefix(&packet.bytes[from..]).expect("it was checked").0
        })
    }

    fn source(&self, index: usize) -> u16 {
        u16_at(self.bytes, HEADER_BYTES + 2 * index)
    }

    fn offset_bytes(&self, index: usize) -> usize {
        let at = offsets_at(usize::from(self.count())) + WORD * index;
        length(u32_at(self.bytes, at)).saturating_mul(WORD)
    }
}

/// Where the offsets begin.
const fn offsets_at(count: usize) -> usize {
    HEADER_BYTES + 2 * count.next_multiple_of(2)
}

/// Bytes in front of the first packet.
const fn header_bytes(count: usize) -> usize {
    offsets_at(count) + WORD * count
}

/// Writes the packets of all sources behind `out`, each padded with zeros to a multiple of
/// [`ALIGN_BYTES`]. Gives the length of the whole.
///
/// # Errors
/// When there is none, or more than can be said, when sources do not ascend, events differ, or the whole is
/// larger than [`WORDS_MAX`]; nothing is written then.
pub fn emit(packets: &[Mfp<'_>], out: &mut Vec<u8>) -> Result<usize, Refusal> {
    let count = u16::try_from(packets.len()).map_err(|_| Refusal::Limit)?;
    let first = packets.first().ok_or(Refusal::Packing)?;
    if !packets.is_sorted_by(|earlier, later| earlier.head().source < later.head().source) {
        return Err(Refusal::Source);
    }
    if packets.iter().any(|packet| packet.head().event != first.head().event) {
        return Err(Refusal::EventNumber);
    }
    if packets.iter().any(|packet| packet.count() != first.count()) {
        return Err(Refusal::Packing);
    }
    let (start, header) = (out.len(), header_bytes(packets.len()));
    let padded = |packet: &Mfp<'_>| packet.bytes().len().next_multiple_of(ALIGN_BYTES);
    let total = header + packets.iter().map(padded).sum::<usize>();
    let words = bounded(total / WORD, WORDS_MAX).ok_or(Refusal::Limit)?;

    out.resize(start + header, 0);
    put(out, start, MAGIC.to_le_bytes());
    put(out, start + COUNT, count.to_le_bytes());
    put(out, start + WORDS, words.to_le_bytes());
    for (index, packet) in packets.iter().enumerate() {
        put(out, start + HEADER_BYTES + 2 * index, packet.head().source.to_le_bytes());
        // The whole is within the bound, so this is.
        let offset = bounded((out.len() - start) / WORD, WORDS_MAX).unwrap_or_default();
        put(out, start + offsets_at(packets.len()) + WORD * index, offset.to_le_bytes());
        out.extend_from_slice(packet.bytes());
        out.resize(start + (out.len() - start - header).next_multiple_of(ALIGN_BYTES) + header, 0);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mfp::{self, MfpHead};

    fn part(source: u16, event: u64, fragments: &[(u8, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        mfp::emit(&MfpHead { event, source, align: 2, version: 1 }, fragments, &mut out).unwrap();
        out
    }

    /// Three sources, two events each; the parts have 32, 36 and 40 bytes.
    fn parts() -> [Vec<u8>; 3] {
        [
            part(1, 7, &[(16, &[]), (16, &[])]),
            part(0x0802, 7, &[(63, &[1]), (63, &[2])]),
            part(0x0803, 7, &[(63, &[1, 2, 3, 4]), (66, &[1, 2, 3, 4, 5])]),
        ]
    }

    fn packet(parts: &[Vec<u8>]) -> Result<Vec<u8>, Refusal> {
        let parts: Vec<_> = parts.iter().map(|part| Mfp::parse(part).unwrap()).collect();
        let mut out = Vec::new();
        emit(&parts, &mut out).map(|_| out)
    }

    #[test]
    fn a_packet_is_where_the_table_says() {
        let parts = parts();
        let bytes = packet(&parts).unwrap();
        assert_eq!(parts.each_ref().map(Vec::len), [28, 36, 40]);
        // Written out by hand from the table above: 28 bytes of header, then 32, 40 and 40.
        let golden = [
            0xfa, 0xce, 3, 0, 35, 0, 0, 0, // magic, count, 140 bytes
            1, 0, 2, 8, 3, 8, 0, 0, // sources
            7, 0, 0, 0, 15, 0, 0, 0, 25, 0, 0, 0, // offsets
        ];
        assert_eq!(bytes[..28], golden);
        assert_eq!(
            (&bytes[28..56], &bytes[60..96], &bytes[100..]),
            (&parts[0][..], &parts[1][..], &parts[2][..])
        );
        let read = MfpEvent::parse(&bytes).unwrap();
        assert!(read.packets().map(|packet| packet.bytes().to_vec()).eq(parts));
    }

    #[test]
    fn each_rule_has_its_refusal() {
        let good = packet(&parts()).unwrap();
        for length in 0..good.len() {
            assert_eq!(MfpEvent::parse(&good[..length]), Err(Refusal::Truncated), "{length}");
        }
        assert_eq!(MfpEvent::parse(&[&good[..], &[0]].concat()), Err(Refusal::Excess));
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            MfpEvent::parse(&bytes).err()
        };
        assert_eq!(with(0, 0), Some(Refusal::Magic));
        assert_eq!(with(COUNT, 0), Some(Refusal::Packing));
        assert_eq!(with(COUNT + 1, 1), Some(Refusal::Length));
        assert_eq!(with(WORDS, 1), Some(Refusal::Length));
        assert_eq!(with(WORDS + 3, 0xff), Some(Refusal::Limit));
        assert_eq!(with(HEADER_BYTES, 2), Some(Refusal::Source));
        // The second begins within the first, in the void, and where no packet begins.
        assert_eq!(with(20, 13), Some(Refusal::Offset));
        assert_eq!(with(23, 0xff), Some(Refusal::Offset));
        assert_eq!(with(20, 16), Some(Refusal::Magic));
        // Event and packing of the second part.
        assert_eq!(with(60 + 8, 8), Some(Refusal::EventNumber));
    }

    #[test]
    fn parts_that_do_not_belong_together_are_not_written() {
        let [first, second, third] = parts();
        assert_eq!(packet(&[]), Err(Refusal::Packing));
        assert_eq!(packet(&[second.clone(), first.clone()]), Err(Refusal::Source));
        assert_eq!(packet(&[first.clone(), first.clone()]), Err(Refusal::Source));
        assert_eq!(packet(&[first.clone(), part(9, 8, &[(1, &[]), (1, &[])])]), Err(Refusal::EventNumber));
        assert_eq!(packet(&[first, part(9, 7, &[(1, &[])])]), Err(Refusal::Packing));
        // Written all the same, they are refused by the reader.
        let mut other = part(0x0802, 7, &[(63, &[1, 2, 3, 4, 5, 6, 7, 8])]);
        assert_eq!(other.len(), 36);
        let mut bytes = packet(&[second.clone(), third]).unwrap();
        let from = bytes.windows(36).position(|window| window == second).unwrap();
        bytes[from..from + 36].swap_with_slice(&mut other);
        // The first one says how many there are.
        assert_eq!(MfpEvent::parse(&bytes), Err(Refusal::Packing));
    }
}
