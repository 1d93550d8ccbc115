//! What is asked of a host: a rate, in messages of a size, and how long it may be busy with something else.

use serde::{Deserialize, Serialize};

use crate::time::Span;
use crate::units::BitRate;

/// What a host is to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Payload bits per second; without one nothing can be wrong.
    pub rate: Option<BitRate>,
    /// Size of a message in bytes.
    pub message_bytes: u32,
    /// The longest time for which nobody reads: a scheduling gap.
    pub gap: Span,
    /// Round trip of the path, for TCP.
    pub round_trip: Span,
}

/// The same in numbers, for who reads the check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AskedFor {
    /// Payload bits per second; null when none was stated.
    pub rate_bits_per_s: Option<u64>,
    /// Size of a message in bytes.
    pub message_bytes: u32,
    /// The longest time for which nobody reads, ns.
    pub gap_ns: u64,
    /// Round trip of the path, ns.
    pub round_trip_ns: u64,
}

impl Asked {
    /// Bytes that come in `span`, rounded up; `None` without a rate.
    #[must_use]
    pub fn bytes_in(&self, span: Span) -> Option<u64> {
        let bits = u128::from(self.rate?.0) * u128::from(span.as_ns());
        u64::try_from(bits.div_ceil(8 * NS_PER_S)).ok()
    }

    /// Packets that come in a second through an MTU of `mtu_bytes`, rounded up.
    #[must_use]
    pub fn packets_per_s(&self, mtu_bytes: u32) -> Option<u64> {
        let payload = mtu_bytes.saturating_sub(HEADER_BYTES).max(1);
        let pieces = u64::from(self.message_bytes.div_ceil(payload));
        let messages = self.rate?.0.div_ceil(8 * u64::from(self.message_bytes.max(1)));
        Some(messages.saturating_mul(pieces))
    }

    /// Packets that come in `span`, rounded up.
    #[must_use]
    pub fn packets_in(&self, span: Span, mtu_bytes: u32) -> Option<u64> {
        let packets = u128::from(self.packets_per_s(mtu_bytes)?) * u128::from(span.as_ns());
        u64::try_from(packets.div_ceil(NS_PER_S)).ok()
    }

    /// The same in numbers.
    #[must_use]
    pub fn numbers(&self) -> AskedFor {
        AskedFor {
            rate_bits_per_s: self.rate.map(|rate| rate.0),
            message_bytes: self.message_bytes,
            gap_ns: self.gap.as_ns(),
            round_trip_ns: self.round_trip.as_ns(),
        }
    }
}

impl From<&AskedFor> for Asked {
    fn from(numbers: &AskedFor) -> Self {
        Self {
            rate: numbers.rate_bits_per_s.map(BitRate),
            message_bytes: numbers.message_bytes,
            gap: Span::from_ns(numbers.gap_ns),
            round_trip: Span::from_ns(numbers.round_trip_ns),
        }
    }
}

const NS_PER_S: u128 = 1_000_000_000;
/// IPv4 and UDP.
const HEADER_BYTES: u32 = 28;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_becomes_bytes_and_packets() {
        let asked = Asked {
            rate: Some(BitRate(10_000_000_000)),
            message_bytes: 1472,
            gap: Span::from_ms(10),
            round_trip: Span::from_ms(1),
        };
        assert_eq!(asked.bytes_in(asked.gap), Some(12_500_000));
        assert_eq!(asked.packets_per_s(1500), Some(849_185));
        assert_eq!(asked.packets_in(Span::from_ms(2), 1500), Some(1_699));
        // Six packets for a message of 8 KiB.
        assert_eq!(Asked { message_bytes: 8192, ..asked }.packets_per_s(1500), Some(152_588 * 6));
        assert_eq!(Asked { rate: None, ..asked }.packets_in(asked.gap, 1500), None);
    }
}
