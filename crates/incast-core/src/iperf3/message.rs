//! The two JSON documents: the client's parameters, and the results that both ends tell.
//!
//! Reading is lenient where iperf3 is (a value of a wrong type counts as absent) and strict where a
//! number decides about work: [`Parameters::check`] makes of them a [`TestPlan`], or a [`Refusal`] with
//! the code by which a stock client says why.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::STREAMS_MAX;
use super::datagram::{DATAGRAM_BYTES_MIN, Width};
use super::number::{count, flag, number, text, whole};
use crate::load::{Load, Transport};
use crate::time::Span;
use crate::units::{BitRate, Bytes};

/// What the client asks for. Absent is the default, and booleans are written only when true.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "iperf3's own names; what counts of them is in `TestPlan`")]
pub struct Parameters {
    #[serde(deserialize_with = "flag", skip_serializing_if = "is_false")]
    pub tcp: bool,
    #[serde(deserialize_with = "flag", skip_serializing_if = "is_false")]
    pub udp: bool,
    #[serde(deserialize_with = "flag", skip_serializing_if = "is_false")]
    pub sctp: bool,
    #[serde(deserialize_with = "flag", skip_serializing_if = "is_false")]
    pub mptcp: bool,
    #[serde(deserialize_with = "flag", skip_serializing_if = "is_false")]
    pub nodelay: bool,
    #[serde(deserialize_with = "flag", skip_serializing_if = "is_false")]
    pub reverse: bool,
    #[serde(deserialize_with = "flag", skip_serializing_if = "is_false")]
    pub bidirectional: bool,
    #[serde(deserialize_with = "whole")]
    pub omit: Option<u64>,
    #[serde(deserialize_with = "whole")]
    pub time: Option<u64>,
    #[serde(deserialize_with = "whole")]
    pub num: Option<u64>,
    #[serde(deserialize_with = "whole")]
    pub blockcount: Option<u64>,
    #[serde(deserialize_with = "whole")]
    pub parallel: Option<u64>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub len: Option<u64>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<u64>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    #[serde(rename = "TOS", deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub tos: Option<u64>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub congestion: Option<String>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub udp_counters_64bit: Option<u64>,
    #[serde(deserialize_with = "whole")]
    pub pacing_timer: Option<u64>,
    #[serde(deserialize_with = "text")]
    pub client_version: Option<String>,
}

/// A test that can be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct TestPlan {
    /// Carrier.
    pub transport: Transport,
    /// The server sends.
    pub reverse: bool,
    /// Bytes of a block or datagram.
    pub message_bytes: u32,
    /// Streams, 1 to 128.
    pub streams: u32,
    /// How long, if a time ends it.
    pub duration: Option<Span>,
    /// How many messages over all streams, if a number ends it.
    pub messages: Option<u64>,
    /// Over all streams; iperf3 gives it for each.
    pub load: Load,
    /// Socket buffers wished for.
    pub window: Option<Bytes>,
    /// Small segments leave at once.
    pub no_delay: bool,
    /// Congestion control wished for.
    pub congestion: Option<String>,
    /// Differentiated services code point.
    pub dscp: Option<u8>,
    /// Counters of datagrams.
    pub width: Width,
}

/// Why a test is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// iperf3's number for the reason: the client prints its own sentence for it.
    pub code: i32,
    /// Our sentence.
    pub reason: String,
}

/// Codes of `iperf_api.h` that a 3.12 client has a sentence for.
mod code {
    pub(super) const DURATION: i32 = 5;
    pub(super) const STREAMS: i32 = 6;
    pub(super) const BLOCK: i32 = 7;
    pub(super) const UNIMPLEMENTED: i32 = 13;
    pub(super) const SCTP: i32 = 18;
    pub(super) const UDP_BLOCK: i32 = 20;
    pub(super) const PARAMETERS: i32 = 114;
}

/// What a client gets whose parameters cannot be read.
pub const CODE_UNREADABLE: i32 = code::PARAMETERS;
/// What a client gets that does not end when it said.
pub const CODE_OVERDUE: i32 = 160;
/// Longest test, as iperf3's (`MAX_TIME`).
const TIME_S_MAX: u64 = 86_400;
/// Default block of TCP (`DEFAULT_TCP_BLKSIZE`).
const TCP_BLOCK_BYTES: u64 = 128 << 10;
/// Default datagram when the path's MTU is not known (`DEFAULT_UDP_BLKSIZE`).
const UDP_BLOCK_BYTES: u64 = 1_460;
/// Largest block (`MAX_BLOCKSIZE`).
const BLOCK_BYTES_MAX: u64 = 1 << 20;
/// Largest buffer (`MAX_TCP_BUFFER`).
const WINDOW_BYTES_MAX: u64 = 512 << 20;
/// Fastest load: what an exact schedule is sure to bear, far beyond any link.
const BITS_PER_S_MAX: u64 = 100_000_000_000_000;
/// Names of congestion controls fit into 16 bytes with a NUL (`TCP_CA_NAME_MAX`).
const CONGESTION_BYTES_MAX: usize = 15;
/// The head that our own sender writes into blocks of TCP.
const HEAD_BYTES: u64 = 8;

impl Parameters {
    /// The test that is asked for.
    ///
    /// # Errors
    /// With what cannot be done, in words and in iperf3's number.
    pub fn check(&self) -> Result<TestPlan, Refusal> {
        let refuse = |code, reason: String| Err(Refusal { code, reason });
        let transport = match (self.tcp, self.udp, self.sctp) {
            (true, false, false) => Transport::Tcp,
            (false, true, false) => Transport::Udp,
            (false, false, true) => return refuse(code::SCTP, "SCTP is not served".into()),
            _ => return refuse(code::PARAMETERS, "exactly one of TCP and UDP must be asked for".into()),
        };
        for (asked, what) in [
            (self.bidirectional, "both ways at once (--bidir): run one test each way"),
            (self.mptcp, "multipath TCP (-m)"),
            (self.omit.unwrap_or(0) > 0, "leaving out the start (-O): a start is part of the account"),
        ] {
            if asked {
                return refuse(code::UNIMPLEMENTED, format!("not served: {what}"));
            }
        }
        let streams = self.parallel.unwrap_or(1);
        if !(1..=u64::from(STREAMS_MAX)).contains(&streams) {
            return refuse(code::STREAMS, format!("{streams} streams; 1 to {STREAMS_MAX} are served"));
        }
        let seconds = self.time.unwrap_or(0);
        if seconds > TIME_S_MAX {
            return refuse(code::DURATION, format!("{seconds} s; at most {TIME_S_MAX} s are served"));
        }
        let message_bytes = self.message_bytes(transport)?;
        let bits_per_s = self.bandwidth.unwrap_or(0).saturating_mul(streams);
        if bits_per_s > BITS_PER_S_MAX {
            return refuse(code::PARAMETERS, "a load that no link can carry".into());
        }
        let blocks = self.num.unwrap_or(0).div_ceil(message_bytes).max(self.blockcount.unwrap_or(0));
        let congestion = self.congestion.clone().filter(|name| {
            name.len() <= CONGESTION_BYTES_MAX && name.bytes().all(|byte| byte.is_ascii_graphic())
        });
        Ok(TestPlan {
            transport,
            reverse: self.reverse,
            message_bytes: u32::try_from(message_bytes).unwrap_or(u32::MAX),
            streams: u32::try_from(streams).unwrap_or(STREAMS_MAX),
            duration: (seconds > 0).then(|| Span::from_s(seconds)),
            messages: (blocks > 0).then_some(blocks),
            load: if bits_per_s > 0 { Load::BitRate(BitRate(bits_per_s)) } else { Load::Unlimited },
            window: self.window.filter(|bytes| (1..=WINDOW_BYTES_MAX).contains(bytes)).map(Bytes),
            no_delay: self.nodelay,
            congestion,
            dscp: self
                .tos
                .and_then(|tos| u8::try_from(tos).ok())
                .map(|tos| tos >> 2)
                .filter(|dscp| *dscp > 0),
            width: if self.udp_counters_64bit.unwrap_or(0) > 0 { Width::Wide } else { Width::Narrow },
        })
    }

    fn message_bytes(&self, transport: Transport) -> Result<u64, Refusal> {
        let (default, least, most, code) = match transport {
            Transport::Tcp => {
                let least = if self.reverse { HEAD_BYTES } else { 1 };
                (TCP_BLOCK_BYTES, least, BLOCK_BYTES_MAX, code::BLOCK)
            }
            // A test of iperf3 is over one of the two.
            _ => {
                let most = Transport::Udp.message_bytes_max();
                (UDP_BLOCK_BYTES, DATAGRAM_BYTES_MIN.into(), most.into(), code::UDP_BLOCK)
            }
        };
        let length = self.len.filter(|length| *length > 0).unwrap_or(default);
        if (least..=most).contains(&length) {
            return Ok(length);
        }
        let reason =
            format!("blocks of {length} B; {least} to {most} B are served over {}", transport.name());
        Err(Refusal { code, reason })
    }
}

/// What one end tells after the test. Who sends counts what it sent, who receives what it received.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Results {
    /// Percent of a core, all kinds.
    #[serde(deserialize_with = "number")]
    pub cpu_util_total: Option<f64>,
    /// Of it, in user code.
    #[serde(deserialize_with = "number")]
    pub cpu_util_user: Option<f64>,
    /// Of it, in the kernel.
    #[serde(deserialize_with = "number")]
    pub cpu_util_system: Option<f64>,
    /// 1 or 0 at a sender, -1 at a receiver.
    #[serde(deserialize_with = "number")]
    pub sender_has_retransmits: Option<f64>,
    /// One entry for each stream, in their order.
    #[serde(deserialize_with = "streams")]
    pub streams: Vec<StreamResults>,
}

/// What one end tells of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamResults {
    /// 1, 3, 4, 5, ...
    #[serde(deserialize_with = "count")]
    pub id: Option<u64>,
    /// Payload sent or received.
    #[serde(deserialize_with = "count")]
    pub bytes: Option<u64>,
    /// Segments sent again; -1 is unknown.
    #[serde(deserialize_with = "number")]
    pub retransmits: Option<f64>,
    /// Seconds, smoothed.
    #[serde(deserialize_with = "number")]
    pub jitter: Option<f64>,
    /// At a receiver: gaps less late arrivals; a duplicate takes one off as well.
    #[serde(deserialize_with = "number")]
    pub errors: Option<f64>,
    /// Sent, or the highest counter received.
    #[serde(deserialize_with = "count")]
    pub packets: Option<u64>,
    /// Seconds.
    #[serde(deserialize_with = "number")]
    pub start_time: Option<f64>,
    /// Seconds.
    #[serde(deserialize_with = "number")]
    pub end_time: Option<f64>,
}

impl Results {
    /// The entries in the order of our streams; `None` if one is missing or told twice.
    #[must_use]
    pub fn in_order(&self, streams: u32) -> Option<Vec<&StreamResults>> {
        let of = |index| {
            let id = super::stream_id(u64::from(index));
            self.streams.iter().find(|stream| stream.id == Some(id))
        };
        let expected = usize::try_from(streams).ok()?;
        (self.streams.len() == expected).then(|| (0..streams).map(of).collect())?
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// At most as many streams as a test can have, both ways.
fn streams<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<StreamResults>, D::Error> {
    const MAX: usize = 256;
    struct Bounded;
    impl<'de> Visitor<'de> for Bounded {
        type Value = Vec<StreamResults>;
        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("the results of at most 256 streams")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut streams = Vec::new();
            while streams.len() < MAX {
                match items.next_element()? {
                    Some(stream) => streams.push(stream),
                    None => return Ok(streams),
                }
            }
            match items.next_element::<IgnoredAny>()? {
                None => Ok(streams),
                Some(_) => Err(serde::de::Error::invalid_length(MAX + 1, &self)),
            }
        }
    }
    from.deserialize_seq(Bounded)
}
