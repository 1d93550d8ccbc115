//! The intended load of a sender: how fast, how spaced, how long (RFC 2285 §3.5.1).
//!
//! These are wishes. What really left is the offered load, and it is measured.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Span;
use crate::units::{BitRate, Bytes, Frequency, UnitError};

/// How fast messages are meant to leave one sender (all its streams together).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Load {
    /// As fast as the host can.
    #[default]
    Unlimited,
    /// Payload bits per second.
    BitRate(BitRate),
    /// Messages per second.
    MessageRate(Frequency),
    /// Time from the start of one message to the start of the next.
    Gap(Span),
}

/// The mean time between two departures as an exact fraction: `picoseconds / messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Picoseconds in which `messages` messages leave.
    pub picoseconds: u128,
    /// Messages that leave in `picoseconds`; never zero.
    pub messages: u128,
}

impl Load {
    /// Texts that `from_str` reads, for error messages and help.
    pub const EXAMPLES: &'static str = "unlimited, 1Gbit/s, 100kHz (messages per second), 12us (gap)";

    /// Mean time between departures of messages of `message_bytes`; `None` when unlimited.
    #[must_use]
    pub fn interval(self, message_bytes: u32) -> Option<Interval> {
        match self {
            Self::Unlimited => None,
            Self::BitRate(rate) => Some(Interval {
                picoseconds: u128::from(message_bytes) * 8 * 1_000_000_000_000,
                messages: u128::from(rate.0),
            }),
            Self::MessageRate(rate) => {
                Some(Interval { picoseconds: 1_000_000_000_000_000, messages: u128::from(rate.millihertz) })
            }
            Self::Gap(gap) => Some(Interval { picoseconds: u128::from(gap.0), messages: 1 }),
        }
    }

    /// Payload bits per second that this load asks of messages of `message_bytes`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for printing")]
    pub fn bits_per_s(self, message_bytes: u32) -> Option<f64> {
        let interval = self.interval(message_bytes)?;
        Some(f64::from(message_bytes) * 8.0 * interval.messages as f64 / (interval.picoseconds as f64 / 1e12))
    }
}

impl FromStr for Load {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let trimmed = text.trim();
        if trimmed == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let zero = |what| UnitError::new(text, what, Self::EXAMPLES);
        let load = if let Ok(rate) = trimmed.parse::<BitRate>() {
            Self::BitRate(rate)
        } else if let Ok(rate) = trimmed.parse::<Frequency>() {
            Self::MessageRate(rate)
        } else if let Ok(gap) = trimmed.parse::<Span>() {
            Self::Gap(gap)
        } else {
            return Err(zero("is not a load"));
        };
        match load {
            Self::BitRate(BitRate(0))
            | Self::MessageRate(Frequency { millihertz: 0 })
            | Self::Gap(Span(0)) => Err(zero("is zero")),
            load => Ok(load),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => out.write_str("unlimited"),
            Self::BitRate(rate) => rate.fmt(out),
            Self::MessageRate(rate) => rate.fmt(out),
            Self::Gap(gap) => gap.fmt(out),
        }
    }
}

/// How departures are spread around their mean interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// Equal gaps.
    #[default]
    Fixed,
    /// Exponential gaps: a Poisson process of the same mean rate.
    Poisson,
    /// This many messages back to back, then a gap that keeps the mean rate.
    Burst(u32),
}

impl Spacing {
    /// Texts that `from_str` reads.
    pub const EXAMPLES: &'static str = "fixed, poisson, burst:16";
    /// The longest burst accepted, in messages.
    pub const BURST_MESSAGES_MAX: u32 = 1_000_000;
}

impl FromStr for Spacing {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = |what| UnitError::new(text, what, Self::EXAMPLES);
        match text.trim() {
            "fixed" => Ok(Self::Fixed),
            "poisson" => Ok(Self::Poisson),
            other => {
                let count = other.strip_prefix("burst:").ok_or_else(|| bad("is not a spacing"))?;
                match count.parse::<u32>() {
                    Ok(count) if (1..=Self::BURST_MESSAGES_MAX).contains(&count) => Ok(Self::Burst(count)),
                    _ => Err(bad("is not a burst of 1 to 1000000 messages")),
                }
            }
        }
    }
}

impl fmt::Display for Spacing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed => out.write_str("fixed"),
            Self::Poisson => out.write_str("poisson"),
            Self::Burst(count) => write!(out, "burst:{count}"),
        }
    }
}

/// When a sender has sent enough; the first bound that is reached ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// Time after the start.
    pub after: Option<Span>,
    /// Messages over all streams.
    pub messages: Option<u64>,
}

impl Stop {
    /// Stops after `span`.
    #[must_use]
    pub const fn after(span: Span) -> Self {
        Self { after: Some(span), messages: None }
    }

    /// Stops after `bytes`, rounded up to whole messages.
    #[must_use]
    pub fn bytes(bytes: Bytes, message_bytes: u32) -> Self {
        Self { after: None, messages: Some(bytes.0.div_ceil(u64::from(message_bytes.max(1)))) }
    }
}

/// Which way the messages travel, seen from the side that opened the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the client to the server.
    #[default]
    Forward,
    /// From the server to the client.
    Reverse,
    /// Both at once.
    Both,
}

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A byte stream; messages are cut at their fixed size.
    Tcp,
    /// One message per datagram.
    Udp,
    /// One message per IP packet of a protocol of our own.
    Ip,
    /// One message per Ethernet frame, through packet(7) sockets.
    Ethernet,
    /// The same frames, through AF_XDP.
    Xdp,
}

impl Transport {
    /// Every transport.
    pub const ALL: [Self; 5] = [Self::Tcp, Self::Udp, Self::Ip, Self::Ethernet, Self::Xdp];

    /// The largest message accepted, in bytes: the payload of a UDP datagram, of an IPv4 packet, of a
    /// frame of the largest MTU, of a frame that fits a page behind AF_XDP's headroom; 16 MiB over TCP.
    #[must_use]
    pub const fn message_bytes_max(self) -> u32 {
        match self {
            Self::Tcp => 16 << 20,
            Self::Udp => 65_507,
            Self::Ip => 65_515,
            Self::Ethernet => 65_535,
            // A chunk of 4096 B less `XDP_PACKET_HEADROOM` (256 B) and a header with a VLAN tag (18 B).
            Self::Xdp => 3_822,
        }
    }

    /// Whether it goes below UDP: it needs root, and is greeted before it starts.
    #[must_use]
    pub const fn is_raw(self) -> bool {
        matches!(self, Self::Ip | Self::Ethernet | Self::Xdp)
    }

    /// Whether its messages are Ethernet frames of our own: they cross no router and are never cut.
    #[must_use]
    pub const fn is_frames(self) -> bool {
        matches!(self, Self::Ethernet | Self::Xdp)
    }

    /// The transport of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.name() == name)
    }

    /// Lower-case name, as in scenario files and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Ip => "ip",
            Self::Ethernet => "ethernet",
            Self::Xdp => "xdp",
        }
    }
}

/// Serde by the same texts that people write: one syntax on the command line, in the scenario
/// file and in the control messages.
macro_rules! serde_as_text {
    ($($kind:ty),*) => { $(
        impl Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )* };
}
serde_as_text!(Load, Spacing, Span, Bytes);

impl Serialize for Stop {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (self.after, self.messages).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Stop {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (after, messages) = Deserialize::deserialize(from)?;
        Ok(Self { after, messages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_may_be_a_rate_a_frequency_or_a_gap() {
        let load = |text: &str| text.parse::<Load>().unwrap();
        assert_eq!(load("unlimited"), Load::Unlimited);
        // 1000 B at 8 Mbit/s, 1 kHz and 1 ms are the same thing.
        for text in ["8Mbit/s", "1kHz", "1ms"] {
            let interval = load(text).interval(1000).unwrap();
            assert_eq!(interval.picoseconds / interval.messages, 1_000_000_000, "{text}");
            assert_eq!(load(text).to_string(), text);
        }
        for bad in ["0Hz", "0s", "0bit/s", "fast", "10"] {
            assert!(bad.parse::<Load>().is_err(), "{bad}");
        }
    }

    #[test]
    fn spacing_reads_and_writes() {
        for text in ["fixed", "poisson", "burst:16"] {
            assert_eq!(text.parse::<Spacing>().unwrap().to_string(), text);
        }
        for bad in ["burst", "burst:0", "burst:x", "even"] {
            assert!(bad.parse::<Spacing>().is_err(), "{bad}");
        }
    }
}
