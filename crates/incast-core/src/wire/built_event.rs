//! An event as a builder gives it to a node: the data of every source, and which are missing.
//!
//! ```text
//!  0         8       16    20       22         23  24      26         32
//!  | request | event | run | events | delivery | 0 | parts |    0     | table | data of all parts
//!  |   u64   |  u64  | u32 |  u16   |    u8    |   |  u16  |          |       |
//!
//!  of each part in the table:   0        2       4       8
//!                               | source | state | bytes |
//!                               |  u16   |  u16  |  u32  |
//! ```
//! All little endian; what is 0 has to be. It is the body of a [message](super::readout). `request` is
//! the one that it answers, `events` of how many consecutive events it is, `delivery` how many nodes had it
//! before and died. Parts are in ascending order of their sources, which are all that should have data for it.
//! State: 0 good, 1 missing (without bytes), 2 damaged, as its source or the builder says.

use super::little_endian::{bounded, length, put, u16_at, u32_at, u64_at};
use super::refusal::Refusal;

/// Bytes in front of the table.
pub const HEAD_BYTES: usize = 32;
/// Bytes of the table for each part.
pub const ENTRY_BYTES: usize = 8;
/// Largest event, with head and table.
pub const EVENT_BYTES_MAX: u32 = 256 << 20;

const EVENT: usize = 8;
const RUN: usize = 16;
const EVENTS: usize = 20;
const DELIVERY: usize = 22;
const ZERO: usize = 23;
const PARTS: usize = 24;
const ZEROS: usize = 26;
const STATE: usize = 2;
const BYTES: usize = 4;

/// What an event is, besides its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventHead {
    /// The request that it answers.
    pub request: u64,
    /// Its number; of several, the first.
    pub event: u64,
    /// Run number.
    pub run: u32,
    /// Of how many consecutive events it is, at least 1.
    pub events: u16,
    /// How many nodes had it before and died.
    pub delivery: u8,
}

/// What is known of the data of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartState {
    /// As they were sent.
    Good,
    /// They did not come.
    Missing,
    /// They came, and are not to be trusted.
    Damaged,
}

/// The data of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPart<'a> {
    /// Which source.
    pub source: u16,
    /// What is known of them.
    pub state: PartState,
    /// The data; none if they are missing.
    pub data: &'a [u8],
}

/// An event that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltEvent<'a> {
    head: EventHead,
    bytes: &'a [u8],
    parts: u16,
}

impl<'a> BuiltEvent<'a> {
    /// Reads the body of a message.
    ///
    /// # Errors
    /// When it is not a whole event.
    pub fn parse(body: &'a [u8]) -> Result<Self, Refusal> {
        if body.len() < HEAD_BYTES {
            return Err(Refusal::Truncated);
        }
        bounded(body.len(), EVENT_BYTES_MAX).ok_or(Refusal::Limit)?;
        if body[ZERO] != 0 || body[ZEROS..HEAD_BYTES].iter().any(|byte| *byte != 0) {
            return Err(Refusal::Value);
        }
        let head = EventHead {
            request: u64_at(body, 0),
            event: u64_at(body, EVENT),
            run: u32_at(body, RUN),
            events: u16_at(body, EVENTS),
            delivery: body[DELIVERY],
        };
        if head.events == 0 {
            return Err(Refusal::Packing);
        }
        let event = Self { head, bytes: body, parts: u16_at(body, PARTS) };
        event.check_table()?;
        Ok(event)
    }

    /// That the parts fill the body, and that their sources ascend.
    fn check_table(&self) -> Result<(), Refusal> {
        let table_end = HEAD_BYTES + usize::from(self.parts) * ENTRY_BYTES;
        let table = self.bytes.get(HEAD_BYTES..table_end).ok_or(Refusal::Truncated)?;
        let (mut before, mut end) = (None, table_end);
        for entry in table.chunks_exact(ENTRY_BYTES) {
            let (source, bytes) = (u16_at(entry, 0), u32_at(entry, BYTES));
            if before.is_some_and(|before| before >= source) {
                return Err(Refusal::Source);
            }
            match state_of(entry).ok_or(Refusal::Value)? {
                PartState::Missing if bytes != 0 => return Err(Refusal::Value),
                _ => {}
            }
            // At most 65535 numbers of 32 bits: no overflow in 64, and bounded before it is used.
            end = end.checked_add(length(bytes)).ok_or(Refusal::Length)?;
            before = Some(source);
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

    /// The whole body.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its parts, by source.
    #[must_use]
    pub fn parts(&self) -> EventParts<'a> {
        let (table, data) = self.bytes[HEAD_BYTES..].split_at(usize::from(self.parts) * ENTRY_BYTES);
        EventParts { table, data }
    }

    /// Whether every source's data are there, and good.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.parts().all(|part| part.state == PartState::Good)
    }
}

/// The parts of an event.
#[derive(Clone, Debug)]
pub struct EventParts<'a> {
    table: &'a [u8],
    data: &'a [u8],
}

impl<'a> Iterator for EventParts<'a> {
    type Item = EventPart<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (entry, table) = self.table.split_at_checked(ENTRY_BYTES)?;
        // The table was checked, so the data are there.
        let (data, rest) = self.data.split_at_checked(length(u32_at(entry, BYTES)))?;
        (self.table, self.data) = (table, rest);
        Some(EventPart { source: u16_at(entry, 0), state: state_of(entry)?, data })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let parts = self.table.len() / ENTRY_BYTES;
        (parts, Some(parts))
    }
}

impl ExactSizeIterator for EventParts<'_> {}

fn state_of(entry: &[u8]) -> Option<PartState> {
    Some(match u16_at(entry, STATE) {
        0 => PartState::Good,
        1 => PartState::Missing,
        2 => PartState::Damaged,
        _ => return None,
    })
}

/// Writes head and table of an event behind `out`: the data of `parts` have to follow, in their order.
/// Gives how many bytes the whole body has.
///
/// # Errors
/// When the event is larger than [`EVENT_BYTES_MAX`], has more parts than can be said, is of no event,
/// when its sources do not ascend, or when a missing part has data; nothing is written then.
pub fn emit_table(head: &EventHead, parts: &[EventPart<'_>], out: &mut Vec<u8>) -> Result<u32, Refusal> {
    if head.events == 0 {
        return Err(Refusal::Packing);
    }
    let count = u16::try_from(parts.len()).map_err(|_| Refusal::Limit)?;
    if !parts.is_sorted_by(|earlier, later| earlier.source < later.source) {
        return Err(Refusal::Source);
    }
    if parts.iter().any(|part| part.state == PartState::Missing && !part.data.is_empty()) {
        return Err(Refusal::Value);
    }
    let data: usize = parts.iter().map(|part| part.data.len()).sum();
    let body = HEAD_BYTES + parts.len() * ENTRY_BYTES + data;
    let body = bounded(body, EVENT_BYTES_MAX).ok_or(Refusal::Limit)?;

    let mut bytes = [0; HEAD_BYTES];
    put(&mut bytes, 0, head.request.to_le_bytes());
    put(&mut bytes, EVENT, head.event.to_le_bytes());
    put(&mut bytes, RUN, head.run.to_le_bytes());
    put(&mut bytes, EVENTS, head.events.to_le_bytes());
    bytes[DELIVERY] = head.delivery;
    put(&mut bytes, PARTS, count.to_le_bytes());
    out.extend_from_slice(&bytes);
    for part in parts {
        let state: u16 = match part.state {
            PartState::Good => 0,
            PartState::Missing => 1,
            PartState::Damaged => 2,
        };
        out.extend_from_slice(&part.source.to_le_bytes());
        out.extend_from_slice(&state.to_le_bytes());
        // All of them together are within the bound.
        out.extend_from_slice(&bounded(part.data.len(), EVENT_BYTES_MAX).unwrap_or_default().to_le_bytes());
    }
    Ok(body)
}

/// Writes an event with its data behind `out`.
///
/// # Errors
/// As [`emit_table`].
pub fn emit(head: &EventHead, parts: &[EventPart<'_>], out: &mut Vec<u8>) -> Result<u32, Refusal> {
    let bytes = emit_table(head, parts, out)?;
    parts.iter().for_each(|part| out.extend_from_slice(part.data));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: EventHead =
        EventHead { request: 0x0102_0304_0506_0708, event: 9, run: 0x0a0b_0c0d, events: 0x0e0f, delivery: 1 };

    const PARTS_OF_IT: [EventPart<'_>; 3] = [
        EventPart { source: 3, state: PartState::Good, data: &[1, 2, 3] },
        EventPart { source: 0x0104, state: PartState::Missing, data: &[] },
        EventPart { source: 0x0105, state: PartState::Damaged, data: &[4] },
    ];

    /// Written out by hand from the table above.
    const GOLDEN: [u8; 60] = [
        8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 0, 0, 0, 0, // request, event
        0x0d, 0x0c, 0x0b, 0x0a, 0x0f, 0x0e, 1, 0, 3, 0, 0, 0, 0, 0, 0,
        0, // run, events, delivery, parts
        3, 0, 0, 0, 3, 0, 0, 0, // good, 3 bytes
        4, 1, 1, 0, 0, 0, 0, 0, // missing
        5, 1, 2, 0, 1, 0, 0, 0, // damaged, 1 byte
        1, 2, 3, 4,
    ];

    #[test]
    fn an_event_is_where_the_table_says() {
        let mut out = vec![7];
        assert_eq!(emit(&HEAD, &PARTS_OF_IT, &mut out), Ok(60));
        assert_eq!(out[1..], GOLDEN);
        let event = BuiltEvent::parse(&GOLDEN).unwrap();
        assert_eq!((event.head(), event.parts().len(), event.is_complete()), (&HEAD, 3, false));
        assert_eq!(event.parts().collect::<Vec<_>>(), PARTS_OF_IT);
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
        assert_eq!(with(ZERO, 1), Some(Refusal::Value));
        assert_eq!(with(31, 1), Some(Refusal::Value));
        assert_eq!(with(PARTS + 1, 1), Some(Refusal::Truncated));
        // The state of the first part, and bytes of one that is missing.
        assert_eq!(with(34, 3), Some(Refusal::Value));
        assert_eq!(with(44, 1), Some(Refusal::Value));
        assert_eq!(with(36, 2), Some(Refusal::Excess));
        assert_eq!(with(39, 0xff), Some(Refusal::Truncated));
        // The second source is not above the first, or not below the third.
        assert_eq!(with(41, 0), None);
        assert_eq!(with(40, 5), Some(Refusal::Source));
        let mut none = GOLDEN;
        none[EVENTS..DELIVERY].fill(0);
        assert_eq!(BuiltEvent::parse(&none), Err(Refusal::Packing));
    }

    #[test]
    fn what_cannot_be_said_is_not_written() {
        let mut out = Vec::new();
        let twice = [PARTS_OF_IT[0], PARTS_OF_IT[0]];
        assert_eq!(emit(&HEAD, &twice, &mut out), Err(Refusal::Source));
        let contradiction = [EventPart { state: PartState::Missing, ..PARTS_OF_IT[0] }];
        assert_eq!(emit(&HEAD, &contradiction, &mut out), Err(Refusal::Value));
        let none = EventHead { events: 0, ..HEAD };
        assert_eq!(emit(&none, &PARTS_OF_IT, &mut out), Err(Refusal::Packing));
        assert!(out.is_empty());
    }
}
