//! What an asker and its answerer agree on before the first request, and the check of everything in it.
//!
//! Sizes are agreed here and never again: no length travels with a request. An answerer works for
//! whoever has its key, so each of these has a bound that it checks itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::load::Transport;
use crate::time::Span;
use crate::wire::exchange::HEAD_BYTES;

/// Largest request and largest response over TCP, in bytes: some thirty events of 2 MB.
pub const BYTES_MAX: u32 = 64 << 20;
/// Largest response over UDP, in bytes: 16 MiB are 11 400 datagrams, and as much as a receive buffer of ours holds.
pub const UDP_RESPONSE_BYTES_MAX: u32 = 16 << 20;
/// Largest datagram: UDP's own bound over IPv4.
pub const DATAGRAM_BYTES_MAX: u32 = 65_507;
/// Datagrams of a response when nobody says: a full packet on Ethernet, without fragments.
pub const DATAGRAM_BYTES_DEFAULT: u32 = 1_472;
/// Smallest request and response: the head.
pub const BYTES_MIN: u32 = 16;
const _: () = assert!(HEAD_BYTES == 16, "the head is all of the smallest request");
/// Longest service time: longer than any event filter thinks, short enough that its owner is not taken for gone.
pub const SERVICE_MAX: Span = Span::from_s(60);
/// Most states of a connection that are kept of it: with them a record grows by half a megabyte.
pub const SAMPLES_MAX: u32 = 512;

/// The agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// TCP or UDP.
    pub transport: Transport,
    /// Size of every request, head included.
    pub request_bytes: u32,
    /// Size of every response, heads included.
    pub response_bytes: u32,
    /// UDP: largest datagram of a response, head included.
    pub datagram_bytes: u32,
    /// How long the answerer works on a request before it answers.
    pub service: Span,
    /// Whether the answerer polls without sleeping.
    pub spin: bool,
    /// TCP: the congestion control of the answerer, which sends most.
    pub congestion: Option<String>,
    /// How often the state of a connection is taken, at most.
    pub sample_every: Span,
    /// Most states of a connection that are kept.
    pub samples_max: u32,
}

/// Why terms cannot be agreed to; `Display` is the sentence for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsError {
    /// Neither TCP nor UDP.
    Transport(Transport),
    /// The request's size is out of range.
    Request(u32, u32),
    /// The response's size is out of range.
    Response(u32, u32),
    /// The datagram's size is out of range.
    Datagram(u32),
    /// The service time is too long.
    Service(Span),
    /// Too many samples, or too often.
    Samples,
    /// The congestion control is no name of one.
    Congestion,
}

impl fmt::Display for TermsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |out: &mut fmt::Formatter<'_>, what, bytes: u32, most: u32| {
            write!(out, "a {what} of {bytes} B is out of range: {BYTES_MIN} to {most} B")
        };
        match self {
            Self::Transport(transport) => {
                write!(out, "exchanges go over tcp or udp, not over {}", transport.name())
            }
            Self::Request(bytes, most) => range(out, "request", *bytes, *most),
            Self::Response(bytes, most) => range(out, "response", *bytes, *most),
            Self::Datagram(bytes) => range(out, "datagram", *bytes, DATAGRAM_BYTES_MAX),
            Self::Service(span) => write!(out, "a service time of {span} is too long: at most {SERVICE_MAX}"),
            Self::Samples => {
                write!(out, "a connection is looked at 1 to {SAMPLES_MAX} times, every 1 ms at most")
            }
            Self::Congestion => out.write_str("that is no name of a congestion control"),
        }
    }
}

impl std::error::Error for TermsError {}

impl Terms {
    /// Terms with what nobody cares for left at its default.
    #[must_use]
    pub fn new(transport: Transport, request_bytes: u32, response_bytes: u32) -> Self {
        Self {
            transport,
            request_bytes,
            response_bytes,
            datagram_bytes: DATAGRAM_BYTES_DEFAULT,
            service: Span::ZERO,
            spin: false,
            congestion: None,
            sample_every: SAMPLE_EVERY_DEFAULT,
            samples_max: SAMPLES_MAX,
        }
    }

    /// Holds them against the bounds.
    ///
    /// # Errors
    /// The first bound that is passed.
    pub fn check(&self) -> Result<(), TermsError> {
        let is_udp = self.transport == Transport::Udp;
        if !is_udp && self.transport != Transport::Tcp {
            return Err(TermsError::Transport(self.transport));
        }
        let request_max = if is_udp { DATAGRAM_BYTES_MAX } else { BYTES_MAX };
        let response_max = if is_udp { UDP_RESPONSE_BYTES_MAX } else { BYTES_MAX };
        if !(BYTES_MIN..=request_max).contains(&self.request_bytes) {
            return Err(TermsError::Request(self.request_bytes, request_max));
        }
        if !(BYTES_MIN..=response_max).contains(&self.response_bytes) {
            return Err(TermsError::Response(self.response_bytes, response_max));
        }
        // A response of many tiny datagrams would cost the answerer a system call for each.
        if !(BYTES_MIN..=DATAGRAM_BYTES_MAX).contains(&self.datagram_bytes)
            || (is_udp && self.datagrams() > DATAGRAMS_MAX)
        {
            return Err(TermsError::Datagram(self.datagram_bytes));
        }
        if self.service > SERVICE_MAX {
            return Err(TermsError::Service(self.service));
        }
        if self.sample_every < SAMPLE_EVERY_MIN || !(1..=SAMPLES_MAX).contains(&self.samples_max) {
            return Err(TermsError::Samples);
        }
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if self.congestion.as_ref().is_some_and(|name| name.len() > 15 || !name.chars().all(fits)) {
            return Err(TermsError::Congestion);
        }
        Ok(())
    }

    /// States to keep of each connection when there are so many answerers: fewer of each, so that a record of many
    /// can be read.
    #[must_use]
    pub fn samples_of_each(peers: usize) -> u32 {
        SAMPLES_MAX / u32::try_from(peers).unwrap_or(u32::MAX).clamp(1, 16)
    }

    /// Datagrams of one response over UDP; 1 over TCP.
    #[must_use]
    pub fn datagrams(&self) -> u32 {
        if self.transport == Transport::Tcp {
            return 1;
        }
        self.response_bytes.div_ceil(self.datagram_bytes.max(1)).max(1)
    }

    /// Bytes of the datagram `index` of a response: the last one is shorter, but has its head.
    #[must_use]
    pub fn datagram_bytes_of(&self, index: u32) -> u32 {
        let before = u64::from(index) * u64::from(self.datagram_bytes);
        let left = u64::from(self.response_bytes).saturating_sub(before);
        u32::try_from(left).unwrap_or(u32::MAX).clamp(BYTES_MIN, self.datagram_bytes)
    }
}

/// How often a connection is looked at when nobody says.
pub const SAMPLE_EVERY_DEFAULT: Span = Span::from_ms(100);
/// More often, and the looking would be part of what is measured.
const SAMPLE_EVERY_MIN: Span = Span::from_ms(1);
/// Most datagrams of a response: 16 MiB in datagrams of 256 B.
const DATAGRAMS_MAX: u32 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_checked_and_said() {
        let tcp = Terms::new(Transport::Tcp, 64, 2_000_000);
        let udp = Terms::new(Transport::Udp, 64, 2_000_000);
        assert_eq!((tcp.check(), udp.check()), (Ok(()), Ok(())));
        let wrong = [
            (Terms { request_bytes: 15, ..tcp.clone() }, "request of 15 B"),
            (Terms { request_bytes: BYTES_MAX + 1, ..tcp.clone() }, "16 to 67108864 B"),
            (Terms { request_bytes: 65_508, ..udp.clone() }, "16 to 65507 B"),
            (Terms { response_bytes: UDP_RESPONSE_BYTES_MAX + 1, ..udp.clone() }, "16 to 16777216 B"),
            (Terms { datagram_bytes: 16, ..udp.clone() }, "datagram of 16 B"),
            (Terms { service: Span::from_s(61), ..tcp.clone() }, "at most 60s"),
            (Terms { samples_max: SAMPLES_MAX + 1, ..tcp.clone() }, "512"),
            (Terms { sample_every: Span::from_us(999), ..tcp.clone() }, "1 ms"),
            (Terms { congestion: Some("no such!".into()), ..tcp }, "congestion"),
        ];
        for (terms, says) in wrong {
            let error = terms.check().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_response_is_cut_into_datagrams_that_all_have_a_head() {
        let terms = |response_bytes| Terms::new(Transport::Udp, 64, response_bytes);
        assert_eq!(terms(2_000_000).datagrams(), 1_359);
        for response in [16, 1_471, 1_472, 1_473, 2_944, 2_950, 2_000_000] {
            let terms = terms(response);
            let sum: u32 = (0..terms.datagrams()).map(|index| terms.datagram_bytes_of(index)).sum();
            assert!((response..response + BYTES_MIN).contains(&sum), "{response}: {sum}");
        }
    }
}
