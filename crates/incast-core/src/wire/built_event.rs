//! An event as a builder gives it to a node or a sink: the data of every source, and which are missing.
//!
//! ```text
//!  0       8     12       14      15        16      17  18      20    24
//!  | event | run | events | level | attempt | cause | 0 | parts |  0  | table | data of all parts
//!  |  u64  | u32 |  u16   |  u8   |   u8    |  u8   |   |  u16  |     |       |
//!
//!  of each part in the table:   0        2       4       8
//!                               | source | state | bytes |
//!                               |  u16   |  u16  |  u32  |
//! ```
//! All little endian; what is 0 has to be. It is in the body of a [message](super::readout). `events` is of
//! how many consecutive events it is. Level: 0 first, 1 second. `attempt` is which node has it, from 1 on; 0
//! for a sink. Parts are in ascending order of their sources, which are all that should have data for it. State:
//! 0 there, 1 missing (without bytes). Cause: 0 when none is missing, or why it was not waited for any longer:
//! 1 time-out, 2 no room, 3 the end of the run. When it was opened and closed is not told: clocks differ.

use std::ops::Range;

use super::little_endian::{bounded, length, put, u16_at, u32_at, u64_at};
use super::refusal::Refusal;
use crate::readout::{Cause, Level};

/// Bytes in front of the table.
pub const HEAD_BYTES: usize = 24;
/// Bytes of the table for each part.
pub const ENTRY_BYTES: usize = 8;
/// Largest event, with head and table.
pub const EVENT_BYTES_MAX: u32 = 256 << 20;

const RUN: usize = 8;
const EVENTS: usize = 12;
const LEVEL: usize = 14;
const ATTEMPT: usize = 15;
const CAUSE: usize = 16;
const ZERO: usize = 17;
const PARTS: usize = 18;
const ZEROS: usize = 20;
const STATE: usize = 2;
const BYTES: usize = 4;

const THERE: u16 = 0;
const MISSING: u16 = 1;

/// What an event is, besides its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventHead {
    /// Its number; of several, the first.
    pub event: u64,
    /// Run number.
    pub run: u32,
    /// Of how many consecutive events it is, at least 1.
    pub events: u16,
    /// Which fragments of it.
    pub level: Level,
    /// The how manieth node has it, from 1 on; 0 for a sink.
    pub attempt: u8,
    /// Why the missing parts were not waited for any longer; `None` if and only if none is missing.
    pub cause: Option<Cause>,
}

/// The data of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPart<'a> {
    /// Which source.
    pub source: u16,
    /// The data; `None` if they are missing.
    pub data: Option<&'a [u8]>,
}

/// An event that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltEvent<'a> {
    head: EventHead,
    bytes: &'a [u8],
    parts: u16,
}

impl<'a> BuiltEvent<'a> {
    /// Reads an event, which fills `bytes`.
    ///
    /// # Errors
    /// When it is not a whole event.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.len() < HEAD_BYTES {
            return Err(Refusal::Truncated);
        }
        bounded(bytes.len(), EVENT_BYTES_MAX).ok_or(Refusal::Limit)?;
        if bytes[ZERO] != 0 || u32_at(bytes, ZEROS) != 0 {
            return Err(Refusal::Value);
        }
        let head = EventHead {
            event: u64_at(bytes, 0),
            run: u32_at(bytes, RUN),
            events: u16_at(bytes, EVENTS),
            level: level_of(bytes[LEVEL])?,
            attempt: bytes[ATTEMPT],
            cause: cause_of(bytes[CAUSE])?,
        };
        if head.events == 0 {
            return Err(Refusal::Packing);
        }
        let event = Self { head, bytes, parts: u16_at(bytes, PARTS) };
        event.check_table()?;
        Ok(event)
    }

    /// That the parts fill the bytes, that their sources ascend, and that the cause fits what is missing.
    fn check_table(&self) -> Result<(), Refusal> {
        let table_end = HEAD_BYTES + usize::from(self.parts) * ENTRY_BYTES;
        let table = self.bytes.get(HEAD_BYTES..table_end).ok_or(Refusal::Truncated)?;
        let (mut before, mut end, mut is_complete) = (None, table_end, true);
        for entry in table.chunks_exact(ENTRY_BYTES) {
            let (source, bytes) = (u16_at(entry, 0), u32_at(entry, BYTES));
            if before.is_some_and(|before| before >= source) {
                return Err(Refusal::Source);
            }
            match (u16_at(entry, STATE), bytes) {
                (THERE, _) => {}
                (MISSING, 0) => is_complete = false,
                _ => return Err(Refusal::Value),
            }
            // At most 65535 numbers of 32 bits: no overflow in 64, and bounded before it is used.
            end = end.checked_add(length(bytes)).ok_or(Refusal::Length)?;
            before = Some(source);
        }
        if is_complete != self.head.cause.is_none() {
            return Err(Refusal::Value);
        }
        match self.bytes.len().cmp(&end) {
            std::cmp::Ordering::Less => Err(Refusal::Truncated),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(Refusal::Excess),
        }
    }

    /// What it is, besides its parts.
    #[must_use]
    pub const fn head(&self) -> &EventHead {
        &self.head
    }

    /// All of its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its parts, by source.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = EventPart<'a>> + Clone + use<'a> {
        let bytes = self.bytes;
        // The table was checked, so the data are there.
        self.places().map(move |(source, place)| EventPart { source, data: place.map(|place| &bytes[place]) })
    }

    /// Each source, and where in [`bytes`](Self::bytes) its data are; `None` if they are missing.
    pub fn places(&self) -> impl ExactSizeIterator<Item = (u16, Option<Range<usize>>)> + Clone + use<'a> {
        let table_end = HEAD_BYTES + usize::from(self.parts) * ENTRY_BYTES;
        let mut end = table_end;
        self.bytes[HEAD_BYTES..table_end].chunks_exact(ENTRY_BYTES).map(move |entry| {
            let start = end;
            end += length(u32_at(entry, BYTES));
            (u16_at(entry, 0), (u16_at(entry, STATE) == THERE).then_some(start..end))
        })
    }

    /// Whether every source's data are there.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.head.cause.is_none()
    }
}

/// A level, where it is one byte.
pub(super) const fn level_of(byte: u8) -> Result<Level, Refusal> {
    match byte {
        0 => Ok(Level::First),
        1 => Ok(Level::Second),
        _ => Err(Refusal::Value),
    }
}

/// The byte of a level.
pub(super) const fn level_byte(level: Level) -> u8 {
    match level {
        Level::First => 0,
        Level::Second => 1,
    }
}

const fn cause_of(byte: u8) -> Result<Option<Cause>, Refusal> {
    Ok(match byte {
        0 => None,
        1 => Some(Cause::TimedOut),
        2 => Some(Cause::Crowded),
        3 => Some(Cause::Ended),
        _ => return Err(Refusal::Value),
    })
}

const fn cause_byte(cause: Option<Cause>) -> u8 {
    match cause {
        None => 0,
        Some(Cause::TimedOut) => 1,
        Some(Cause::Crowded) => 2,
        Some(Cause::Ended) => 3,
    }
}

/// Writes head and table of an event behind `out`: the data have to follow, in their order. `parts` are its
/// sources, with how many bytes each has, or `None` for one that is missing. Gives how many bytes the whole
/// event has.
///
/// # Errors
/// When the event is larger than [`EVENT_BYTES_MAX`], has more parts than can be said, is of no event,
/// when its sources do not ascend, or when its cause does not fit what is missing; nothing is written then.
pub fn emit_table(
    head: &EventHead,
    parts: impl Iterator<Item = (u16, Option<u32>)>,
    out: &mut Vec<u8>,
) -> Result<u32, Refusal> {
    let start = out.len();
    let bytes = emit_all(head, parts, out);
    if bytes.is_err() {
        out.truncate(start);
    }
    bytes
}

fn emit_all(
    head: &EventHead,
    parts: impl Iterator<Item = (u16, Option<u32>)>,
    out: &mut Vec<u8>,
) -> Result<u32, Refusal> {
    if head.events == 0 {
        return Err(Refusal::Packing);
    }
    let start = out.len();
    let mut bytes = [0; HEAD_BYTES];
    put(&mut bytes, 0, head.event.to_le_bytes());
    put(&mut bytes, RUN, head.run.to_le_bytes());
    put(&mut bytes, EVENTS, head.events.to_le_bytes());
    bytes[LEVEL] = level_byte(head.level);
    bytes[ATTEMPT] = head.attempt;
    bytes[CAUSE] = cause_byte(head.cause);
    out.extend_from_slice(&bytes);

    let (mut before, mut count, mut data, mut is_complete) = (None, 0_u16, 0_u64, true);
    for (source, part_bytes) in parts {
        if before.is_some_and(|before| before >= source) {
            return Err(Refusal::Source);
        }
        before = Some(source);
        count = count.checked_add(1).ok_or(Refusal::Limit)?;
        data += u64::from(part_bytes.unwrap_or(0));
        is_complete &= part_bytes.is_some();
        out.extend_from_slice(&source.to_le_bytes());
        out.extend_from_slice(&if part_bytes.is_some() { THERE } else { MISSING }.to_le_bytes());
        out.extend_from_slice(&part_bytes.unwrap_or(0).to_le_bytes());
    }
    if is_complete != head.cause.is_none() {
        return Err(Refusal::Value);
    }
    put(&mut out[start..], PARTS, count.to_le_bytes());
    let whole = usize::try_from(data).map_err(|_| Refusal::Limit)?.saturating_add(out.len() - start);
    bounded(whole, EVENT_BYTES_MAX).ok_or(Refusal::Limit)
}

/// Writes an event with its data behind `out`.
///
/// # Errors
/// As [`emit_table`].
pub fn emit(head: &EventHead, parts: &[EventPart<'_>], out: &mut Vec<u8>) -> Result<u32, Refusal> {
    // Data beyond 32 bits are beyond the bound as well.
    let data_bytes = |data: &[u8]| u32::try_from(data.len()).unwrap_or(u32::MAX);
    let table = parts.iter().map(|part| (part.source, part.data.map(data_bytes)));
    let bytes = emit_table(head, table, out)?;
    parts.iter().filter_map(|part| part.data).for_each(|data| out.extend_from_slice(data));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: EventHead = EventHead {
        event: 0x0102_0304_0506_0708,
        run: 0x0a0b_0c0d,
        events: 0x0e0f,
        level: Level::Second,
        attempt: 5,
        cause: Some(Cause::Crowded),
    };

    const PARTS_OF_IT: [EventPart<'_>; 3] = [
        EventPart { source: 3, data: Some(&[1, 2, 3]) },
        EventPart { source: 0x0104, data: None },
        EventPart { source: 0x0105, data: Some(&[4]) },
    ];

    /// Written out by hand from the table above.
    const GOLDEN: [u8; 52] = [
        8, 7, 6, 5, 4, 3, 2, 1, 0x0d, 0x0c, 0x0b, 0x0a, // event, run
        0x0f, 0x0e, 1, 5, 2, 0, 3, 0, 0, 0, 0, 0, // events, level, attempt, cause, parts
        3, 0, 0, 0, 3, 0, 0, 0, // there, 3 bytes
        4, 1, 1, 0, 0, 0, 0, 0, // missing
        5, 1, 0, 0, 1, 0, 0, 0, // there, 1 byte
        1, 2, 3, 4,
    ];

    #[test]
    fn an_event_is_where_the_table_says() {
        let mut out = vec![7];
        assert_eq!(emit(&HEAD, &PARTS_OF_IT, &mut out), Ok(52));
        assert_eq!(out[1..], GOLDEN);
        let event = BuiltEvent::parse(&GOLDEN).unwrap();
        assert_eq!((event.head(), event.parts().len(), event.is_complete()), (&HEAD, 3, false));
        assert_eq!(event.parts().collect::<Vec<_>>(), PARTS_OF_IT);
        let places: Vec<_> = event.places().collect();
        assert_eq!(places, [(3, Some(48..51)), (0x0104, None), (0x0105, Some(51..52))]);
    }

    #[test]
    fn each_rule_has_its_refusal() {
        for length in 0..GOLDEN.len() {
            assert_eq!(BuiltEvent::parse(&GOLDEN[..length]), Err(Refusal::Truncated), "{length}");
        }
        assert_eq!(BuiltEvent::parse(&[&GOLDEN[..], &[0]].concat()), Err(Refusal::Excess));
        let with = |at: usize, value: u8| {
            let mut bytes = GOLDEN;
            bytes[at] = value;
            BuiltEvent::parse(&bytes).err()
        };
        assert_eq!((with(ZERO, 1), with(23, 1)), (Some(Refusal::Value), Some(Refusal::Value)));
        assert_eq!((with(LEVEL, 2), with(CAUSE, 4)), (Some(Refusal::Value), Some(Refusal::Value)));
        assert_eq!(with(PARTS + 1, 1), Some(Refusal::Truncated));
        // No cause, though a part is missing; a part that is there after all, though there is a cause.
        assert_eq!((with(CAUSE, 0), with(34, 0)), (Some(Refusal::Value), Some(Refusal::Value)));
        // The state of the first part, and bytes of one that is missing.
        assert_eq!((with(26, 2), with(36, 1)), (Some(Refusal::Value), Some(Refusal::Value)));
        assert_eq!(with(28, 2), Some(Refusal::Excess));
        assert_eq!(with(31, 0xff), Some(Refusal::Truncated));
        // The second source is still above the first, or not below the third.
        assert_eq!((with(33, 0), with(32, 5)), (None, Some(Refusal::Source)));
        let mut none = GOLDEN;
        none[EVENTS..LEVEL].fill(0);
        assert_eq!(BuiltEvent::parse(&none), Err(Refusal::Packing));
    }

    #[test]
    fn what_cannot_be_said_is_not_written() {
        let mut out = vec![7];
        let complete = EventHead { cause: None, ..HEAD };
        assert_eq!(emit(&complete, &[PARTS_OF_IT[0], PARTS_OF_IT[0]], &mut out), Err(Refusal::Source));
        assert_eq!(emit(&complete, &PARTS_OF_IT, &mut out), Err(Refusal::Value));
        assert_eq!(emit(&HEAD, &PARTS_OF_IT[..1], &mut out), Err(Refusal::Value));
        assert_eq!(emit(&EventHead { events: 0, ..HEAD }, &PARTS_OF_IT, &mut out), Err(Refusal::Packing));
        let large = [(1, Some(EVENT_BYTES_MAX))];
        assert_eq!(emit_table(&complete, large.into_iter(), &mut out), Err(Refusal::Limit));
        assert_eq!(out, [7]);
    }
}
