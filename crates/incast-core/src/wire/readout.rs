//! Messages between the roles of a readout, on reliable streams: those that are sent for every event.
//!
//! ```text
//!  0       4      5         6   8
//!  | bytes | kind | version | 0 | body: as many bytes
//!  |  u32  |  u8  |   u8    |   |
//!
//!  kind            from, to         body
//!  1 request       node, builder    request u64 | events u16 | 0 u16
//!  2 event         builder, node    see `built_event`
//!  3 decision      node, builder    event u64 | busy ns u64 | streams u32 | verdict u8 | failure u8 | 0 u16
//!  4 ask           node, sink       ask u64 | event u64 | bytes u32 | 0 u32
//!  5 granted       sink, node       ask u64 | lease u64 | lifetime us u32 | 0 u32
//!  6 result        node, sink       ask u64 | lease u64 | event u64 | run u32 | streams u32 | record
//!  7 token         node, controller lease u64 | incarnation u64 | node u16 | credits u16 | lifetime us u32
//!  8 token back    node, controller lease u64 | incarnation u64 | node u16 | unspent u16 | 0 u32
//!  9 stored        sink, node       ask u64 | event u64 | offset u64 | file u32 | bytes u32
//! ```
//! All little endian; what is 0 has to be. A request, an ask and a lease are numbers of whoever sends them
//! first. A lease of a token or of buffer space ends after its lifetime, counted by whoever gave it, from then
//! on. A token names the life of its node, so that one of an earlier life is known as such.

use super::built_event::{BuiltEvent, EVENT_BYTES_MAX};
use super::little_endian::{bounded, length, put, u16_at, u32_at, u64_at};
use super::refusal::Refusal;
use crate::readout::{Failure, Verdict};

/// Bytes in front of the body.
pub const HEAD_BYTES: usize = 8;
/// Version of all layouts here.
pub const VERSION: u8 = 1;
/// Largest record in a result.
pub const RECORD_BYTES_MAX: u32 = crate::mdf::header::RECORD_BYTES_MAX;

const KIND: usize = 4;
const AT_VERSION: usize = 5;
const ZERO: usize = 6;
const RESULT_HEAD_BYTES: u32 = 32;
const EVENT_HEAD_BYTES: u32 = 32;
const _: () = assert!(length(EVENT_HEAD_BYTES) == super::built_event::HEAD_BYTES);

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A node wants events.
    Request = 1,
    /// One that it gets.
    Event = 2,
    /// What it decides.
    Decision = 3,
    /// It wants buffer space.
    Ask = 4,
    /// It has it.
    Granted = 5,
    /// What is to be stored.
    Result = 6,
    /// Leave to send events to a node.
    Token = 7,
    /// What is left of it is taken back.
    TokenBack = 8,
    /// It is on disk.
    Stored = 9,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Request,
        Self::Event,
        Self::Decision,
        Self::Ask,
        Self::Granted,
        Self::Result,
        Self::Token,
        Self::TokenBack,
        Self::Stored,
    ];

    /// Least and most bytes of its body.
    #[must_use]
    pub const fn body_bytes(self) -> (u32, u32) {
        match self {
            Self::Request => (12, 12),
            Self::Event => (EVENT_HEAD_BYTES, EVENT_BYTES_MAX),
            Self::Decision | Self::Ask | Self::Granted | Self::Token | Self::TokenBack => (24, 24),
            Self::Result => (RESULT_HEAD_BYTES, RESULT_HEAD_BYTES + RECORD_BYTES_MAX),
            Self::Stored => (32, 32),
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

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A node wants events.
    Request {
        /// Its number.
        request: u64,
        /// How many, at least one.
        events: u16,
    },
    /// An event.
    Event(BuiltEvent<'a>),
    /// What a node decides.
    Decision {
        /// Of which event.
        event: u64,
        /// How long the node was busy with it.
        busy_ns: u64,
        /// What.
        verdict: Verdict,
    },
    /// A node wants buffer space.
    Ask {
        /// Its number.
        ask: u64,
        /// For which event.
        event: u64,
        /// How many bytes its record has.
        bytes: u32,
    },
    /// The node has the space that it asked for.
    Granted {
        /// The number of the ask.
        ask: u64,
        /// The space.
        lease: u64,
        /// For how long.
        lifetime_us: u32,
    },
    /// What is to be stored.
    Result {
        /// The number of the ask.
        ask: u64,
        /// The space that was granted.
        lease: u64,
        /// Which event.
        event: u64,
        /// Run number.
        run: u32,
        /// For which output streams: one bit for each.
        streams: u32,
        /// The record, as it is stored.
        record: &'a [u8],
    },
    /// Leave to send events to a node.
    Token {
        /// Its number, drawn at random.
        lease: u64,
        /// Which life of the node.
        incarnation: u64,
        /// Which node.
        node: u16,
        /// How many events, at least one.
        credits: u16,
        /// For how long.
        lifetime_us: u32,
    },
    /// A token is taken back.
    TokenBack {
        /// Its number.
        lease: u64,
        /// Which life of the node.
        incarnation: u64,
        /// Which node.
        node: u16,
        /// How many events of it did not come, as the node counts.
        unspent: u16,
    },
    /// An event is on disk, and stays there.
    Stored {
        /// The number of the ask.
        ask: u64,
        /// Which event.
        event: u64,
        /// Where in its file.
        offset: u64,
        /// Which file of the sink.
        file: u32,
        /// Bytes of the record.
        bytes: u32,
    },
}

impl<'a> Message<'a> {
    /// Reads the message at the beginning of `bytes`, and gives what follows it.
    ///
    /// # Errors
    /// [`Refusal::Truncated`] when more bytes have to come, or when the message itself is cut: on a
    /// stream, ask [`Head::parse`] first. Anything else when it is refused; the stream should then end.
    pub fn parse_prefix(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Refusal> {
        let head = Head::parse(bytes)?;
        let (message, rest) = bytes.split_at_checked(head.message_bytes()).ok_or(Refusal::Truncated)?;
        Ok((Self::parse_body(head.kind, &message[HEAD_BYTES..])?, rest))
    }

    /// Reads the body of a message.
    ///
    /// # Errors
    /// When it is not a body of that kind.
    pub fn parse_body(kind: Kind, body: &'a [u8]) -> Result<Self, Refusal> {
        let (least, most) = kind.body_bytes();
        if body.len() < length(least) || body.len() > length(most) {
            return Err(Refusal::Length);
        }
        let first = u64_at(body, 0);
        Ok(match kind {
            Kind::Request => {
                zero(u16_at(body, 10))?;
                Self::Request { request: first, events: at_least_one(u16_at(body, 8))? }
            }
            Kind::Event => Self::Event(BuiltEvent::parse(body)?),
            Kind::Decision => {
                zero(u16_at(body, 22))?;
                let verdict = parse_verdict(u32_at(body, 16), body[20], body[21])?;
                Self::Decision { event: first, busy_ns: u64_at(body, 8), verdict }
            }
            Kind::Ask => {
                zero(u32_at(body, 20))?;
                Self::Ask { ask: first, event: u64_at(body, 8), bytes: u32_at(body, 16) }
            }
            Kind::Granted => {
                zero(u32_at(body, 20))?;
                Self::Granted { ask: first, lease: u64_at(body, 8), lifetime_us: u32_at(body, 16) }
            }
            Kind::Result => Self::Result {
                ask: first,
                lease: u64_at(body, 8),
                event: u64_at(body, 16),
                run: u32_at(body, 24),
                streams: u32_at(body, 28),
                record: &body[length(RESULT_HEAD_BYTES)..],
            },
            Kind::Token => Self::Token {
                lease: first,
                incarnation: u64_at(body, 8),
                node: u16_at(body, 16),
                credits: at_least_one(u16_at(body, 18))?,
                lifetime_us: u32_at(body, 20),
            },
            Kind::TokenBack => {
                zero(u32_at(body, 20))?;
                let (node, unspent) = (u16_at(body, 16), u16_at(body, 18));
                Self::TokenBack { lease: first, incarnation: u64_at(body, 8), node, unspent }
            }
            Kind::Stored => Self::Stored {
                ask: first,
                event: u64_at(body, 8),
                offset: u64_at(body, 16),
                file: u32_at(body, 24),
                bytes: u32_at(body, 28),
            },
        })
    }

    /// Which message it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Request { .. } => Kind::Request,
            Self::Event(_) => Kind::Event,
            Self::Decision { .. } => Kind::Decision,
            Self::Ask { .. } => Kind::Ask,
            Self::Granted { .. } => Kind::Granted,
            Self::Result { .. } => Kind::Result,
            Self::Token { .. } => Kind::Token,
            Self::TokenBack { .. } => Kind::TokenBack,
            Self::Stored { .. } => Kind::Stored,
        }
    }

    /// Writes the message behind what `out` holds. An event can be sent without a copy of its data:
    /// [`emit_event_head`].
    ///
    /// # Errors
    /// When it could not be read again: too large, of no event, or kept for no stream; nothing is
    /// written then.
    pub fn emit(&self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let start = out.len();
        out.extend_from_slice(&[0; HEAD_BYTES]);
        self.emit_body(out);
        let settled = self.settle(&mut out[start..]);
        if settled.is_err() {
            out.truncate(start);
        }
        settled
    }

    /// Writes the head in front of the body that is there, and checks both.
    fn settle(&self, message: &mut [u8]) -> Result<(), Refusal> {
        let (kind, body) = (self.kind(), message.len() - HEAD_BYTES);
        let body_bytes = bounded(body, kind.body_bytes().1).ok_or(Refusal::Limit)?;
        put(message, 0, Head { kind, body_bytes }.emit());
        // A view was checked when it was made; of the others only what their types allow too much.
        match kind {
            Kind::Event => Ok(()),
            _ => Message::parse_body(kind, &message[HEAD_BYTES..]).map(|_| ()),
        }
    }

    fn emit_body(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Request { request, events } => {
                fields(out, [&request.to_le_bytes()[..], &events.to_le_bytes(), &[0; 2]]);
            }
            Self::Event(event) => out.extend_from_slice(event.bytes()),
            Self::Decision { event, busy_ns, verdict } => {
                let (streams, code, failure) = emit_verdict(verdict);
                let tail = [code, failure, 0, 0];
                fields(
                    out,
                    [&event.to_le_bytes()[..], &busy_ns.to_le_bytes(), &streams.to_le_bytes(), &tail],
                );
            }
            Self::Ask { ask, event, bytes } => {
                fields(out, [&ask.to_le_bytes()[..], &event.to_le_bytes(), &bytes.to_le_bytes(), &[0; 4]]);
            }
            Self::Granted { ask, lease, lifetime_us } => {
                fields(
                    out,
                    [&ask.to_le_bytes()[..], &lease.to_le_bytes(), &lifetime_us.to_le_bytes(), &[0; 4]],
                );
            }
            Self::Result { ask, lease, event, run, streams, record } => {
                fields(out, [&ask.to_le_bytes()[..], &lease.to_le_bytes(), &event.to_le_bytes()]);
                fields(out, [&run.to_le_bytes()[..], &streams.to_le_bytes(), record]);
            }
            Self::Token { lease, incarnation, node, credits, lifetime_us } => {
                fields(out, [&lease.to_le_bytes()[..], &incarnation.to_le_bytes()]);
                fields(out, [&node.to_le_bytes()[..], &credits.to_le_bytes(), &lifetime_us.to_le_bytes()]);
            }
            Self::TokenBack { lease, incarnation, node, unspent } => {
                fields(out, [&lease.to_le_bytes()[..], &incarnation.to_le_bytes()]);
                fields(out, [&node.to_le_bytes()[..], &unspent.to_le_bytes(), &[0; 4]]);
            }
            Self::Stored { ask, event, offset, file, bytes } => {
                fields(out, [&ask.to_le_bytes()[..], &event.to_le_bytes(), &offset.to_le_bytes()]);
                fields(out, [&file.to_le_bytes()[..], &bytes.to_le_bytes()]);
            }
        }
    }
}

/// Writes the head of the message of an event, and the event's own head and table, behind `out`: the
/// data of `parts` have to follow, in their order.
///
/// # Errors
/// As [`built_event::emit_table`](super::built_event::emit_table).
pub fn emit_event_head(
    event: &super::built_event::EventHead,
    parts: &[super::built_event::EventPart<'_>],
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES]);
    match super::built_event::emit_table(event, parts, out) {
        Ok(body_bytes) => {
            put(out, start, Head { kind: Kind::Event, body_bytes }.emit());
            Ok(())
        }
        Err(refusal) => {
            out.truncate(start);
            Err(refusal)
        }
    }
}

fn fields<const N: usize>(out: &mut Vec<u8>, fields: [&[u8]; N]) {
    fields.iter().for_each(|field| out.extend_from_slice(field));
}

fn zero(field: impl Into<u32>) -> Result<(), Refusal> {
    if field.into() == 0 { Ok(()) } else { Err(Refusal::Value) }
}

const fn at_least_one(count: u16) -> Result<u16, Refusal> {
    if count == 0 { Err(Refusal::Value) } else { Ok(count) }
}

fn parse_verdict(streams: u32, code: u8, failure: u8) -> Result<Verdict, Refusal> {
    match (code, failure, streams) {
        (0, 0, 0) => Ok(Verdict::Reject),
        (1, 0, 1..) => Ok(Verdict::Accept { streams }),
        (2, _, _) => {
            let failure = Failure::ALL.into_iter().find(|known| *known as u8 == failure);
            Ok(Verdict::Unjudged { streams, failure: failure.ok_or(Refusal::Value)? })
        }
        _ => Err(Refusal::Value),
    }
}

const fn emit_verdict(verdict: Verdict) -> (u32, u8, u8) {
    match verdict {
        Verdict::Reject => (0, 0, 0),
        Verdict::Accept { streams } => (streams, 1, 0),
        Verdict::Unjudged { streams, failure } => (streams, 2, failure as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::built_event::{self, EventHead, EventPart, PartState};

    const A: u64 = 0x0102_0304_0506_0708;
    const B: u64 = 0x1112_1314_1516_1718;
    const C: u64 = 0x2122_2324_2526_2728;
    const A_BYTES: [u8; 8] = [8, 7, 6, 5, 4, 3, 2, 1];
    const B_BYTES: [u8; 8] = [0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11];
    const C_BYTES: [u8; 8] = [0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21];

    /// Every message with its body, written out by hand from the table above.
    fn golden() -> Vec<(Message<'static>, Vec<u8>)> {
        let body = |parts: &[&[u8]]| parts.concat();
        let streams = 0x3132_3334;
        let (streams_bytes, run_bytes) = ([0x34, 0x33, 0x32, 0x31], [0x44, 0x43, 0x42, 0x41]);
        let verdicts = [
            (Verdict::Reject, [0, 0, 0, 0, 0, 0, 0, 0]),
            (Verdict::Accept { streams }, [0x34, 0x33, 0x32, 0x31, 1, 0, 0, 0]),
            (Verdict::Unjudged { streams: 0, failure: Failure::Timeout }, [0, 0, 0, 0, 2, 2, 0, 0]),
        ];
        let decisions = verdicts.map(|(verdict, tail)| {
            (Message::Decision { event: A, busy_ns: B, verdict }, body(&[&A_BYTES, &B_BYTES, &tail]))
        });
        let mut all = vec![
            (Message::Request { request: A, events: 0x0201 }, body(&[&A_BYTES, &[1, 2, 0, 0]])),
            (
                Message::Ask { ask: A, event: B, bytes: streams },
                body(&[&A_BYTES, &B_BYTES, &streams_bytes, &[0; 4]]),
            ),
            (
                Message::Granted { ask: A, lease: B, lifetime_us: streams },
                body(&[&A_BYTES, &B_BYTES, &streams_bytes, &[0; 4]]),
            ),
            (
                Message::Result { ask: A, lease: B, event: C, run: 0x4142_4344, streams, record: &[9, 8, 7] },
                body(&[&A_BYTES, &B_BYTES, &C_BYTES, &run_bytes, &streams_bytes, &[9, 8, 7]]),
            ),
            (
                Message::Token {
                    lease: A,
                    incarnation: B,
                    node: 0x0201,
                    credits: 0x0403,
                    lifetime_us: streams,
                },
                body(&[&A_BYTES, &B_BYTES, &[1, 2, 3, 4], &streams_bytes]),
            ),
            (
                Message::TokenBack { lease: A, incarnation: B, node: 0x0201, unspent: 0 },
                body(&[&A_BYTES, &B_BYTES, &[1, 2, 0, 0], &[0; 4]]),
            ),
            (
                Message::Stored { ask: A, event: B, offset: C, file: 0x4142_4344, bytes: streams },
                body(&[&A_BYTES, &B_BYTES, &C_BYTES, &run_bytes, &streams_bytes]),
            ),
        ];
        all.extend(decisions);
        all
    }

    #[test]
    fn every_message_is_where_the_table_says() {
        for (message, body) in golden() {
            let mut out = vec![7];
            message.emit(&mut out).unwrap();
            let length = u8::try_from(body.len()).unwrap();
            assert_eq!(out[1..9], [length, 0, 0, 0, message.kind() as u8, 1, 0, 0]);
            assert_eq!(out[9..], body, "{message:?}");
            out.push(5);
            assert_eq!(Message::parse_prefix(&out[1..]), Ok((message, &[5][..])));
        }
    }

    #[test]
    fn every_cut_waits_for_more_and_every_other_length_is_refused() {
        for (message, body) in golden() {
            let mut out = Vec::new();
            message.emit(&mut out).unwrap();
            for length in 0..out.len() {
                assert_eq!(Message::parse_prefix(&out[..length]), Err(Refusal::Truncated), "{message:?}");
            }
            if message.kind() != Kind::Result {
                for wrong in [0, body.len() - 1, body.len() + 1] {
                    let body_bytes = u32::try_from(wrong).unwrap();
                    out[..4].copy_from_slice(&body_bytes.to_le_bytes());
                    assert_eq!(Head::parse(&out), Err(Refusal::Length), "{message:?}");
                }
            }
        }
    }

    #[test]
    fn a_head_is_never_trusted_with_more_than_its_kind_can_have() {
        let head = |kind: u8, version: u8, zero: u8, bytes: u32| {
            let mut head = [0; HEAD_BYTES];
            put(&mut head, 0, bytes.to_le_bytes());
            head[4..7].copy_from_slice(&[kind, version, zero]);
            Head::parse(&head).err()
        };
        for kind in Kind::ALL {
            let (least, most) = kind.body_bytes();
            assert_eq!((head(kind as u8, 1, 0, least), head(kind as u8, 1, 0, most)), (None, None));
            assert_eq!(head(kind as u8, 1, 0, least - 1), Some(Refusal::Length));
            assert!(head(kind as u8, 1, 0, most + 1).is_some() && head(kind as u8, 1, 0, u32::MAX).is_some());
        }
        assert_eq!(head(0, 1, 0, 24), Some(Refusal::Kind));
        assert_eq!(head(10, 1, 0, 24), Some(Refusal::Kind));
        assert_eq!(head(5, 2, 0, 24), Some(Refusal::Version));
        assert_eq!(head(5, 1, 1, 24), Some(Refusal::Value));
    }

    #[test]
    fn what_has_no_meaning_is_neither_written_nor_read() {
        let cases = [
            Message::Request { request: 1, events: 0 },
            Message::Token { lease: 1, incarnation: 1, node: 1, credits: 0, lifetime_us: 1 },
            Message::Decision { event: 1, busy_ns: 1, verdict: Verdict::Accept { streams: 0 } },
        ];
        for message in cases {
            let mut out = vec![7];
            assert_eq!(message.emit(&mut out), Err(Refusal::Value), "{message:?}");
            assert_eq!(out, [7]);
        }
        for tail in [
            [1, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 1, 0, 0],
            [0, 0, 0, 0, 2, 5, 0, 0],
            [0, 0, 0, 0, 3, 0, 0, 0],
        ] {
            let body = [&A_BYTES[..], &B_BYTES, &tail].concat();
            assert_eq!(Message::parse_body(Kind::Decision, &body), Err(Refusal::Value), "{tail:?}");
        }
        for kind in [Kind::Ask, Kind::Granted, Kind::TokenBack] {
            let mut body = [1; 24];
            assert_eq!(Message::parse_body(kind, &body), Err(Refusal::Value));
            body[20..].fill(0);
            assert!(Message::parse_body(kind, &body).is_ok());
        }
    }

    #[test]
    fn an_event_is_the_same_message_with_and_without_a_copy() {
        let head = EventHead { request: A, event: B, run: 1, events: 1, delivery: 0 };
        let parts = [
            EventPart { source: 1, state: PartState::Good, data: &[1, 2, 3] },
            EventPart { source: 2, state: PartState::Missing, data: &[] },
        ];
        let mut apart = Vec::new();
        emit_event_head(&head, &parts, &mut apart).unwrap();
        apart.extend_from_slice(&[1, 2, 3]);
        let (message, rest) = Message::parse_prefix(&apart).unwrap();
        let Message::Event(event) = message else { panic!("{message:?}") };
        assert_eq!((event.head(), event.parts().collect::<Vec<_>>(), rest), (&head, parts.to_vec(), &[][..]));
        let (mut body, mut whole) = (Vec::new(), Vec::new());
        built_event::emit(&head, &parts, &mut body).unwrap();
        Message::Event(BuiltEvent::parse(&body).unwrap()).emit(&mut whole).unwrap();
        assert_eq!(whole, apart);
        let mut nothing = vec![7];
        let twice = [parts[0], parts[0]];
        assert_eq!(emit_event_head(&head, &twice, &mut nothing), Err(Refusal::Source));
        assert_eq!(nothing, [7]);
    }
}
