//! Messages of the control connection between the two ends of a flood.
//!
//! They travel as JSON inside encrypted frames (`wire::frame`). Text keeps them readable in a
//! capture of one's own and open to other programs; they are few, and never on the packet path.
//! `docs/protocol.md` is their description for people.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::clock_fit::DRIFT_MAX_PPB;
use crate::flood::report::{Measured, Sent};
use crate::load::{Direction, Load, Spacing, Stop, Transport};
use crate::probe::ProbeStream;
use crate::probe::sweep::WARM_UP_MESSAGES_MAX;
use crate::raw::{RawEnd, RawPlan};
use crate::time::Span;
use crate::units::Bytes;
use crate::wire::probe;

/// Version of the control protocol; peers of another version are refused with both numbers.
pub const VERSION: u32 = 1;
/// Most streams of one flow and direction.
pub const STREAMS_MAX: u32 = 128;
/// Longest session: a day.
pub const DURATION_MAX: Span = Span::from_s(86_400);
/// Most messages in one segmentation-offload datagram (`UDP_MAX_SEGMENTS`, Linux 6.9 and newer).
pub const SEGMENTS_MAX: u32 = 128;
/// Most messages that a sender may be asked to give to one system call: those of 16 B in a write of 128 KiB, more than
/// any carrier takes.
pub const SEND_BATCH_MAX: u32 = 8_192;
/// Longest name of a peer or flow, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// What is sent, and how: chosen by the client, carried out by whichever side sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendPlan {
    /// Carrier.
    pub transport: Transport,
    /// Message size in bytes, head included.
    pub message_bytes: u32,
    /// Sockets that share the load.
    pub streams: u32,
    /// Intended load of all streams together.
    pub load: Load,
    /// Spacing of departures.
    pub spacing: Spacing,
    /// When it ends.
    pub stop: Stop,
    /// Wait after the common start.
    pub start_after: Span,
    /// Length of a reported interval.
    pub interval: Span,
    /// Seed of the spacing.
    pub seed: u64,
    /// Whether the sender spins until each moment instead of sleeping: exact, and costs a core.
    pub spin: bool,
    /// Send buffer to ask for.
    pub send_buffer: Option<Bytes>,
    /// TCP congestion control to ask for.
    pub congestion: Option<String>,
    /// TCP: send small messages at once.
    pub no_delay: bool,
    /// Differentiated services code point, 0 to 63.
    pub dscp: Option<u8>,
    /// UDP: most messages per segmentation-offload datagram; 1 is one datagram per packet.
    pub segments_max: Option<u32>,
    /// Most messages of one send call, 1 to [`SEND_BATCH_MAX`]; as many as the carrier takes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_batch: Option<u32>,
    /// Raw transports: what is below UDP.
    #[serde(default)]
    pub raw: RawPlan,
    /// Messages carry their departures, and the receiver times them.
    #[serde(default)]
    pub probe: Option<ProbeStream>,
}

/// The client's first message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u32,
    /// Name of the client's host.
    pub host: String,
    /// Name of the flow.
    pub flow: String,
    /// Which way the messages travel.
    pub direction: Direction,
    /// What is sent.
    pub plan: SendPlan,
    /// Raw transports: the server's address to which the data goes; its interface is that of this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<IpAddr>,
}

/// One message of the control connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// Client: what it wants.
    Hello(Box<Hello>),
    /// Server: granted; the stream ids of each direction.
    Accept {
        /// Name of the server's host.
        host: String,
        /// Ids of the streams from client to server.
        forward: Vec<u64>,
        /// Ids of the streams from server to client.
        reverse: Vec<u64>,
        /// Raw transports: the server's interface.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<RawEnd>,
    },
    /// Server: not granted, and why.
    Refuse {
        /// A sentence for the user.
        reason: String,
    },
    /// Client: its sockets are open and it may start.
    Ready,
    /// Server: start now.
    Go,
    /// Either: still there.
    Alive,
    /// The sender of a direction: what it sent.
    Sent(Box<Sent>),
    /// The receiver of a direction: what came.
    Measured(Box<Measured>),
    /// Either: stop sending now, and let the accounts follow.
    Stop,
    /// Either: the session ends early, and why.
    Abort {
        /// A sentence for the user.
        reason: String,
    },
}

/// Why a hello cannot be granted; `Display` is the sentence for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelloError {
    /// Another protocol version.
    Version(u32),
    /// Message size out of range.
    MessageBytes(u32, Transport),
    /// Number of streams out of range.
    Streams(u32),
    /// No end, an end beyond [`DURATION_MAX`], or intervals out of range.
    Duration,
    /// A name too long or with control characters.
    Name,
    /// Messages that leave as fast as they can are not spaced.
    SpacingWithoutLoad,
    /// What cannot be a probe.
    Probe,
    /// A setting out of its range.
    Setting(&'static str),
}

impl fmt::Display for HelloError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(theirs) => write!(
                out,
                "protocol version {theirs} is not spoken here (this is version {VERSION}): use the same incast on both ends"
            ),
            Self::MessageBytes(bytes, transport) => write!(
                out,
                "message size {bytes} B is out of range: {} to {} B over {}",
                probe::MESSAGE_BYTES_MIN,
                transport.message_bytes_max(),
                transport.name()
            ),
            Self::Streams(streams) => write!(out, "{streams} streams are out of range: 1 to {STREAMS_MAX}"),
            Self::Duration => write!(
                out,
                "the session has no end within {DURATION_MAX}, or its intervals are not between 1ms and 1h"
            ),
            Self::Name => {
                write!(out, "a name is empty, longer than {NAME_BYTES_MAX} bytes, or has control characters")
            }
            Self::SpacingWithoutLoad => {
                out.write_str("spacing means nothing without a load: say how fast, for example 10kHz")
            }
            Self::Probe => write!(
                out,
                "a probe is one stream of datagrams over udp, of at least {} B, from client to server",
                probe::PROBE_MESSAGE_BYTES_MIN
            ),
            Self::Setting(name) => write!(out, "{name} is out of range"),
        }
    }
}

impl std::error::Error for HelloError {}

impl Hello {
    /// Checks everything that a peer could have made up.
    ///
    /// # Errors
    /// Names the first field that cannot be granted.
    pub fn check(&self) -> Result<(), HelloError> {
        if self.version != VERSION {
            return Err(HelloError::Version(self.version));
        }
        let named = |name: &str| {
            !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
        };
        if !named(&self.host) || !named(&self.flow) {
            return Err(HelloError::Name);
        }
        if self.plan.probe.is_some() && self.direction != Direction::Forward {
            return Err(HelloError::Probe);
        }
        self.plan.check()
    }
}

impl SendPlan {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// Names the first field that is out of range.
    pub fn check(&self) -> Result<(), HelloError> {
        if !(probe::MESSAGE_BYTES_MIN..=self.transport.message_bytes_max()).contains(&self.message_bytes) {
            return Err(HelloError::MessageBytes(self.message_bytes, self.transport));
        }
        if !(1..=STREAMS_MAX).contains(&self.streams) {
            return Err(HelloError::Streams(self.streams));
        }
        let bounded = self.stop.messages.is_some() || self.stop.after.is_some();
        let short =
            self.stop.after.is_none_or(|after| after <= DURATION_MAX) && self.start_after <= DURATION_MAX;
        let interval = (Span::from_ms(1)..=Span::from_s(3_600)).contains(&self.interval);
        if !bounded || !short || !interval {
            return Err(HelloError::Duration);
        }
        // From one message a day to one a nanosecond; a rational schedule stays within u128.
        let period = self
            .load
            .interval(self.message_bytes)
            .map(|interval| interval.picoseconds / interval.messages.max(1));
        if period.is_some_and(|ps| ps > u128::from(DURATION_MAX.0)) {
            return Err(HelloError::Setting("the load"));
        }
        if self.dscp.is_some_and(|dscp| dscp > 63) {
            return Err(HelloError::Setting("dscp (0 to 63)"));
        }
        if self.congestion.as_ref().is_some_and(|name| {
            name.is_empty() || name.len() > 15 || !name.chars().all(|c| c.is_ascii_graphic())
        }) {
            return Err(HelloError::Setting("the name of the congestion control"));
        }
        if self.segments_max.is_some_and(|segments| !(1..=SEGMENTS_MAX).contains(&segments)) {
            return Err(HelloError::Setting("segments_max (1 to 128)"));
        }
        if self.send_batch.is_some_and(|messages| !(1..=SEND_BATCH_MAX).contains(&messages)) {
            return Err(HelloError::Setting("send_batch (1 to 8192)"));
        }
        if let (true, Err(setting)) = (self.transport.is_raw(), self.raw.check()) {
            return Err(HelloError::Setting(setting));
        }
        if self.probe.is_some_and(|probe| !self.is_probe(probe)) {
            return Err(HelloError::Probe);
        }
        if self.spacing != Spacing::Fixed && self.load == Load::Unlimited {
            return Err(HelloError::SpacingWithoutLoad);
        }
        Ok(())
    }

    /// Whether this plan can carry `probe`.
    fn is_probe(&self, stream: ProbeStream) -> bool {
        self.transport == Transport::Udp
            && self.streams == 1
            && self.message_bytes >= probe::PROBE_MESSAGE_BYTES_MIN
            && stream.warm_up_messages <= WARM_UP_MESSAGES_MAX
            && stream.drift_ppb.unsigned_abs() <= DRIFT_MAX_PPB.unsigned_abs()
    }
}
