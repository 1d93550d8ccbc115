//! STAMP, the Simple Two-Way Active Measurement Protocol (RFC 8762), and what TWAMP Light (RFC 5357, appendix I)
//! has in common with it: the layouts of the two packets.
//!
//! ```text
//!  open                                  | test                 | reply
//!   0  4 sequence number                 | of the sender        | of the reflector, or the sender's again
//!   4  8 timestamp                       | T1                   | T3
//!  12  2 error estimate                  | S Z scale multiplier | of the reflector
//!  14  2 SSID (RFC 8972; else zero)      |                      | copied
//!  16  8 zero                            |                      | T2
//!  24  4 zero                            |                      | sequence number of the sender
//!  28  8 zero                            |                      | T1
//!  36  2 zero, 38 2 zero                 |                      | error estimate of the sender
//!  40  1 zero, 41 3 zero                 |                      | TTL of the test as it came
//!  44  extensions (`tlv`), to the end of the datagram
//! ```
//! An authenticated packet has 112 bytes: the same fields further apart (`Mode::places`), and in the last 16
//! the HMAC-SHA-256 of the first 96, cut to 128 bits (RFC 8762 §4.2.2, §4.3.2, §4.4). All is in network byte order.
//! A TWAMP Light sender pads its 14 bytes to at least 41, so that its reply is no longer than its test.
//!
//! Bytes that must be zero are sent as zero and never looked at (RFC 8762 §4.2.1).

pub mod mac;
mod packet;
pub mod time;
pub mod tlv;

pub use packet::{Reply, Test};

/// The well-known port of a reflector (RFC 8762 §4.1).
pub const PORT: u16 = 862;
/// Bytes of an open packet without extensions.
pub const OPEN_BYTES: usize = 44;
/// Bytes of an authenticated packet without extensions.
pub const AUTHENTICATED_BYTES: usize = 112;
/// Shortest test that is answered: a TWAMP reply ends with the TTL, and no reply is longer than its test.
pub const TWAMP_REPLY_BYTES: usize = 41;
/// Bytes that the HMAC of an authenticated packet covers; behind them it stands.
pub const COVERED_BYTES: usize = 96;

/// Whether packets carry a proof of who sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// None: RFC 8762 calls it unauthenticated.
    Open,
    /// An HMAC.
    Authenticated,
}

impl Mode {
    /// Bytes of a packet without extensions, either way.
    #[must_use]
    pub const fn base_bytes(self) -> usize {
        match self {
            Self::Open => OPEN_BYTES,
            Self::Authenticated => AUTHENTICATED_BYTES,
        }
    }

    /// Where the fields are.
    pub(crate) const fn places(self) -> Places {
        match self {
            Self::Open => Places {
                time: 4,
                error: 12,
                ssid: 14,
                received: 16,
                sender_sequence: 24,
                sender_time: 28,
                sender_error: 36,
                ttl: 40,
            },
            Self::Authenticated => Places {
                time: 16,
                error: 24,
                ssid: 26,
                received: 32,
                sender_sequence: 48,
                sender_time: 64,
                sender_error: 72,
                ttl: 80,
            },
        }
    }
}

/// Offsets of the fields behind the sequence number; those from `received` on are of replies alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) time: usize,
    pub(crate) error: usize,
    pub(crate) ssid: usize,
    pub(crate) received: usize,
    pub(crate) sender_sequence: usize,
    pub(crate) sender_time: usize,
    pub(crate) sender_error: usize,
    pub(crate) ttl: usize,
}
