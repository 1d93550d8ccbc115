//! Messages between the roles of a readout, on reliable streams: what [`Message`] says, as bytes.
//!
//! ```text
//!  0       4      5         6   8
//!  | bytes | kind | version | 0 | body: as many bytes
//!  |  u32  |  u8  |   u8    |   |
//!
//!  kind          body
//!  1 welcome     next u64 | level u8 | 0 to 16
//!  2 assigned    event u64 | triggered ps u64 | run u32 | events u16 | builder u16 | level u8 | 0 to 32
//!  3 last        next u64
//!  4 throttle    is throttling u8 | 0 to 8
//!  5 token       incarnation u64 | number u64 | void below u64 | from u16 | 0 to 32
//!  6 event       see `built_event`
//!  7 answer      event u64 | busy ps u64 | level u8 | attempt u8 | verdicts u16 | 0 u32 | verdicts
//!  8 confirm     event u64 | level u8 | attempt u8 | is taken u8 | 0 to 16
//!  9 kept        event u64
//!  10 ask        ask u64 | event u64 | bytes u64
//!  11 granted    ask u64 | lease u64 | lifetime ps u64
//!  12 result     ask u64 | lease u64 | verdicts u16 | 0 to 24 | verdicts | see `built_event`
//!  13 stored     ask u64 | event u64
//!  14 ends       any number of ends
//!
//!  verdict       streams u32 | verdict u8 | failure u8 | 0 u16
//!  end           first u64 | events u32 | how u8 | 0 u8 | sources u16 | sources, u16 each
//! ```
//! All little endian; what is 0 has to be, "0 to 32" up to that offset of the body. Verdict: 0 reject, 1
//! accept, 2 unjudged. How: 0 stored, 1 incomplete, 2 rejected, 3 accepted, 4 no room; sources only with 1,
//! where they are the missing ones. Times are picoseconds of whoever tells them.
//!
//! A fragment is no message of this kind: it has a [frame of its own](super::fragment), or is in a [packet of
//! LHCb](super::mep). All can be on one stream, because what those begin with, read as a length, is beyond every
//! message.

use super::built_event::{self, EVENT_BYTES_MAX};
use super::little_endian::{length, put, u16_at, u32_at};
use super::refusal::Refusal;
use crate::readout::Message;

mod bytes;
mod emit;
mod parse;
#[cfg(test)]
mod tests;

pub use bytes::message_bytes;
pub use emit::{emit_head, ends_that_fit};
pub use parse::{parse_body, parse_prefix};

/// Bytes in front of the body.
pub const HEAD_BYTES: usize = 8;
/// Version of all layouts here.
pub const VERSION: u8 = 2;
/// Most ends in a message. Each can cost its reader 8 KiB, for the set of its sources.
pub const ENDS_MAX: usize = 1024;
/// Most bytes of a body with ends: some with every source there can be.
pub const ENDS_BYTES_MAX: u32 = 4 << 20;

const KIND: usize = 4;
const AT_VERSION: usize = 5;
const ZERO: usize = 6;
const ANSWER_HEAD_BYTES: u32 = 24;
const RESULT_HEAD_BYTES: u32 = 24;
const EVENT_HEAD_BYTES: u32 = 24;
const VERDICT_BYTES: usize = 8;
/// As many as a `u16` says.
const VERDICTS_BYTES_MAX: u32 = 0xffff * 8;
const END_HEAD_BYTES: usize = 16;

const _: () = assert!(length(EVENT_HEAD_BYTES) == built_event::HEAD_BYTES);
const _: () = assert!(
    u32::from_le_bytes(super::fragment::MAGIC) > Kind::Result.body_bytes().1,
    "a fragment can be told from a message"
);
const _: () = assert!(
    u32::from_le_bytes(super::mep::STREAM_MARK) > Kind::Result.body_bytes().1,
    "so can a packet of LHCb"
);

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// [`Message::Welcome`]
    Welcome = 1,
    /// [`Message::Assigned`]
    Assigned = 2,
    /// [`Message::Last`]
    Last = 3,
    /// [`Message::Throttle`]
    Throttle = 4,
    /// [`Message::Token`]
    Token = 5,
    /// [`Message::Event`]
    Event = 6,
    /// [`Message::Answer`]
    Answer = 7,
    /// [`Message::Confirm`]
    Confirm = 8,
    /// [`Message::Kept`]
    Kept = 9,
    /// [`Message::Ask`]
    Ask = 10,
    /// [`Message::Granted`]
    Granted = 11,
    /// [`Message::Result`]
    Result = 12,
    /// [`Message::Stored`]
    Stored = 13,
    /// [`Message::Ends`]
    Ends = 14,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Welcome,
        Self::Assigned,
        Self::Last,
        Self::Throttle,
        Self::Token,
        Self::Event,
        Self::Answer,
        Self::Confirm,
        Self::Kept,
        Self::Ask,
        Self::Granted,
        Self::Result,
        Self::Stored,
        Self::Ends,
    ];

    /// Least and most bytes of its body.
    #[must_use]
    pub const fn body_bytes(self) -> (u32, u32) {
        match self {
            Self::Last | Self::Throttle | Self::Kept => (8, 8),
            Self::Assigned | Self::Token => (32, 32),
            Self::Ask | Self::Granted => (24, 24),
            Self::Welcome | Self::Confirm | Self::Stored => (16, 16),
            Self::Event => (EVENT_HEAD_BYTES, EVENT_BYTES_MAX),
            Self::Answer => (ANSWER_HEAD_BYTES, ANSWER_HEAD_BYTES + VERDICTS_BYTES_MAX),
            Self::Result => (
                RESULT_HEAD_BYTES + EVENT_HEAD_BYTES,
                RESULT_HEAD_BYTES + VERDICTS_BYTES_MAX + EVENT_BYTES_MAX,
            ),
            Self::Ends => (0, ENDS_BYTES_MAX),
        }
    }

    /// The kind of `message`; `None` for a fragment, which is laid out elsewhere.
    #[must_use]
    pub const fn of<P>(message: &Message<P>) -> Option<Self> {
        Some(match message {
            Message::Fragment { .. } => return None,
            Message::Welcome { .. } => Self::Welcome,
            Message::Assigned { .. } => Self::Assigned,
            Message::Last { .. } => Self::Last,
            Message::Throttle { .. } => Self::Throttle,
            Message::Token(_) => Self::Token,
            Message::Event { .. } => Self::Event,
            Message::Answer { .. } => Self::Answer,
            Message::Confirm { .. } => Self::Confirm,
            Message::Kept { .. } => Self::Kept,
            Message::Ask { .. } => Self::Ask,
            Message::Granted { .. } => Self::Granted,
            Message::Result { .. } => Self::Result,
            Message::Stored { .. } => Self::Stored,
            Message::Ends(_) => Self::Ends,
        })
    }

    /// Its name in a record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Assigned => "assigned",
            Self::Last => "last",
            Self::Throttle => "throttle",
            Self::Token => "token",
            Self::Event => "event",
            Self::Answer => "answer",
            Self::Confirm => "confirm",
            Self::Kept => "kept",
            Self::Ask => "ask",
            Self::Granted => "granted",
            Self::Result => "result",
            Self::Stored => "stored",
            Self::Ends => "ends",
        }
    }
}

/// What every message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which message it is.
    pub kind: Kind,
    /// Bytes of its body, within [`Kind::body_bytes`].
    pub body_bytes: u32,
}

impl Head {
    /// Reads the head at the beginning of `bytes`. On a stream it says how much to wait for.
    ///
    /// # Errors
    /// When it is not all there, or of no message that is known.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let head = bytes.first_chunk::<HEAD_BYTES>().ok_or(Refusal::Truncated)?;
        if head[AT_VERSION] != VERSION {
            return Err(Refusal::Version);
        }
        if u16_at(head, ZERO) != 0 {
            return Err(Refusal::Value);
        }
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == head[KIND]).ok_or(Refusal::Kind)?;
        let body_bytes = u32_at(head, 0);
        let (least, most) = kind.body_bytes();
        match body_bytes {
            bytes if bytes < least => Err(Refusal::Length),
            bytes if bytes > most && least == most => Err(Refusal::Length),
            bytes if bytes > most => Err(Refusal::Limit),
            _ => Ok(Self { kind, body_bytes }),
        }
    }

    /// The head as bytes.
    #[must_use]
    pub fn emit(&self) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        put(&mut head, 0, self.body_bytes.to_le_bytes());
        head[KIND] = self.kind as u8;
        head[AT_VERSION] = VERSION;
        head
    }

    /// Bytes of the whole message.
    #[must_use]
    pub const fn message_bytes(&self) -> usize {
        HEAD_BYTES + length(self.body_bytes)
    }
}
