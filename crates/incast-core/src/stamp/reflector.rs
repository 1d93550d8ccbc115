//! The session-reflector: answers every test with a reply of the same size.
//!
//! It keeps a count for each session (stateful), so that a sender can tell on which way a packet was lost, or none (stateless).
//! A session is an address with its port and an id (RFC 8972 §3); one that is silent for [`SILENCE`] is forgotten.
//! A reply is never longer than its test, nothing that a packet says about its own length is believed, and there is a
//! bound on replies in a second, so that a reflector is of no use to whoever forges addresses. What another reflector
//! sends is not answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::time::{Span, Time};
use crate::wire::stamp::mac::MacKey;
use crate::wire::stamp::time::{ErrorEstimate, Stamp};
use crate::wire::stamp::tlv::{self, Counters};
use crate::wire::stamp::{Mode, PORT, Reply, Test};

/// Sessions at a time: 64 bytes each.
pub const SESSIONS_MAX: usize = 4_096;
/// A session without a test for so long is over: REFWAIT of RFC 5357 §4.2.
pub const SILENCE: Span = Span::from_s(900);
/// Replies in a second when nobody says otherwise: what one thread can answer.
pub const RATE_MAX: u32 = 100_000;
/// Replies that may leave at once, as a part of those of a second: 10 ms.
const BURST_PARTS: u32 = 100;

/// How a reflector answers.
#[derive(Clone, Debug)]
pub struct ReflectorPlan {
    /// Key of authenticated mode; none for open mode.
    pub key: Option<MacKey>,
    /// Whether it counts for each session.
    pub stateful: bool,
    /// How far its clock is from UTC at most, in nanoseconds, if somebody knows.
    pub synchronised_ns: Option<u64>,
    /// Replies in a second at most.
    pub rate_max: u32,
    /// The port that it listens on: no sender's.
    pub port: u16,
}

/// What a reflector did, and what it left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReflectorCounts {
    /// Tests that came: the sum of all that follow up to `no_room`.
    pub received: u64,
    /// Answered.
    pub answered: u64,
    /// Of other reflectors: from our own port or that of the protocol, or with the times of a reply. Two that answer each
    /// other would do so for ever.
    pub of_reflectors: u64,
    /// Too short to be a test.
    pub too_short: u64,
    /// With the wrong proof, or none.
    pub not_authentic: u64,
    /// Beyond the rate.
    pub over_rate: u64,
    /// Of new sessions when there was room for no more.
    pub no_room: u64,
    /// Sessions that began.
    pub sessions: u64,
    /// Of these, forgotten after a silence.
    pub expired: u64,
    /// Extensions of a type that is not known here.
    pub unknown_extensions: u64,
    /// Extensions whose length cannot be, or whose proof is wrong.
    pub bad_extensions: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Session {
    received: u32,
    last: Time,
}

/// A reply that lacks its moment of departure.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    reply: Reply,
    /// Where the HMAC extension is, if there is one to be renewed.
    extension_mac_at: Option<usize>,
}

/// Answers tests.
#[derive(Clone, Debug)]
pub struct Reflector {
    plan: ReflectorPlan,
    mode: Mode,
    sessions: BTreeMap<(SocketAddr, u16), Session>,
    counts: ReflectorCounts,
    /// Replies that may leave now, in picoseconds of their rate.
    credit: Span,
    credited: Time,
    swept: Time,
}

impl Reflector {
    /// A reflector without sessions.
    #[must_use]
    pub fn new(plan: ReflectorPlan) -> Self {
        let mode = if plan.key.is_some() { Mode::Authenticated } else { Mode::Open };
        let burst = burst(plan.rate_max);
        Self {
            plan,
            mode,
            sessions: BTreeMap::new(),
            counts: ReflectorCounts::default(),
            credit: burst,
            credited: Time::ZERO,
            swept: Time::ZERO,
        }
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> ReflectorCounts {
        self.counts
    }

    /// Sessions that are known now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// When to call [`Reflector::handle_timeout`] next.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        (!self.sessions.is_empty()).then(|| self.swept + SWEEP)
    }

    /// Forgets sessions that are silent for too long.
    pub fn handle_timeout(&mut self, now: Time) {
        let before = self.sessions.len();
        self.sessions.retain(|_, session| now.since(session.last) < SILENCE);
        self.counts.expired += u64::try_from(before - self.sessions.len()).unwrap_or(0);
        self.swept = now;
    }

    /// Takes a test of `from` that came at `received_ns` (since 1970, by this host's clock) and turns `packet` into
    /// its reply, but for the moment of departure: see [`Reflector::seal`]. `None` if there is none.
    pub fn handle_test(
        &mut self,
        now: Time,
        from: SocketAddr,
        ttl: u8,
        received_ns: i64,
        packet: &mut [u8],
    ) -> Option<Answer> {
        self.counts.received += 1;
        if from.port() == self.plan.port || from.port() == PORT || is_reply(self.mode, packet) {
            self.counts.of_reflectors += 1;
            return None;
        }
        let Ok(test) = Test::parse(self.mode, packet) else {
            self.counts.too_short += 1;
            return None;
        };
        if self.plan.key.as_ref().is_some_and(|key| !key.is_authentic(packet)) {
            self.counts.not_authentic += 1;
            return None;
        }
        if !self.afford(now) {
            self.counts.over_rate += 1;
            return None;
        }
        let Some(received) = self.count(now, (from, test.ssid)) else {
            self.counts.no_room += 1;
            return None;
        };
        let format = test.error.format();
        let reply = Reply {
            sequence: if self.plan.stateful { received.wrapping_sub(1) } else { test.sequence },
            sent: Stamp::default(),
            error: ErrorEstimate::new(format, self.plan.synchronised_ns),
            ssid: test.ssid,
            received: Stamp::from_unix_ns(received_ns, format),
            sender_sequence: test.sequence,
            sender_sent: test.sent,
            sender_error: test.error,
            ttl,
        };
        let extension_mac_at = self.extend(test.sequence, received, packet);
        self.counts.answered += 1;
        Some(Answer { reply, extension_mac_at })
    }

    /// Completes a reply that leaves now: at `sent_ns`, since 1970 by this host's clock.
    pub fn seal(&self, answer: Answer, sent_ns: i64, packet: &mut [u8]) {
        let sent = Stamp::from_unix_ns(sent_ns, answer.reply.error.format());
        Reply { sent, ..answer.reply }.emit(self.mode, packet);
        let Some(key) = &self.plan.key else { return };
        key.seal(packet);
        let base = self.mode.base_bytes();
        if let Some(at) = answer.extension_mac_at {
            let proof = key.proof(&[&packet[..4], &packet[base..base + at]]);
            packet[base + at + tlv::HEAD_BYTES..base + at + tlv::HMAC_BYTES].copy_from_slice(&proof);
        }
    }

    /// Whether one more reply may leave.
    fn afford(&mut self, now: Time) -> bool {
        let price = Span(PS_PER_S / u64::from(self.plan.rate_max.max(1)));
        let earned = self.credit + now.since(self.credited);
        self.credit = earned.min(burst(self.plan.rate_max));
        self.credited = self.credited.max(now);
        let affords = self.credit >= price;
        if affords {
            self.credit = Span(self.credit.0 - price.0);
        }
        affords
    }

    /// Counts a test of a session; tells how many it has had, this one included. `None` if there is no room.
    fn count(&mut self, now: Time, id: (SocketAddr, u16)) -> Option<u32> {
        // A stateless one keeps nothing that anybody could fill.
        if !self.plan.stateful {
            return Some(0);
        }
        if !self.sessions.contains_key(&id) {
            if self.sessions.len() >= SESSIONS_MAX {
                // Looking through all of them is dear: once a second at most, whoever knocks.
                if now.since(self.swept) < Span::from_s(1) {
                    return None;
                }
                self.handle_timeout(now);
                if self.sessions.len() >= SESSIONS_MAX {
                    return None;
                }
            }
            self.counts.sessions += 1;
        }
        let session = self.sessions.entry(id).or_default();
        session.received = session.received.wrapping_add(1);
        session.last = now;
        Some(session.received)
    }

    /// Goes through the extensions: fills in what is known, flags the rest; tells where an HMAC has to be renewed.
    fn extend(&mut self, sequence: u32, received: u32, packet: &mut [u8]) -> Option<usize> {
        let extensions = packet.get_mut(self.mode.base_bytes()..)?;
        if !tlv::are_extensions(extensions) {
            return None;
        }
        let mac_at =
            tlv::walk(extensions).find(|part| part.kind == tlv::HMAC && !part.is_cut).map(|part| part.at);
        let is_authentic = self.plan.key.as_ref().is_none_or(|key| {
            let proof =
                mac_at.and_then(|at| Some((at, extensions.get(at + tlv::HEAD_BYTES..at + tlv::HMAC_BYTES)?)));
            let proves = |(at, proof)| key.proves(&[&sequence.to_be_bytes(), &extensions[..at]], proof);
            // Padding alone needs no proof (RFC 8972 §4.8).
            proof.map_or_else(|| is_padding(extensions), proves)
        });
        let mut next = 0;
        while let Some(part) = extensions.get(next..).and_then(|rest| tlv::walk(rest).next()) {
            let at = next;
            next = if part.is_cut { extensions.len() } else { at + tlv::HEAD_BYTES + part.value_bytes };
            let value = at + tlv::HEAD_BYTES;
            let counters = extensions.get(value..value + part.value_bytes).and_then(Counters::parse);
            let flags = match (part.kind, counters) {
                _ if !is_authentic => tlv::NOT_AUTHENTIC,
                _ if part.is_cut => tlv::MALFORMED,
                (tlv::EXTRA_PADDING, _) => 0,
                (tlv::HMAC, _) if self.plan.key.is_some() => 0,
                (tlv::DIRECT_MEASUREMENT, _) if !self.plan.stateful => tlv::UNKNOWN,
                (tlv::DIRECT_MEASUREMENT, None) => tlv::MALFORMED,
                (tlv::DIRECT_MEASUREMENT, Some(counters)) => {
                    // Every test that was counted is answered, so both counts are one.
                    Counters { received, replied: received, ..counters }
                        .emit(&mut extensions[value..value + tlv::COUNTERS_BYTES]);
                    0
                }
                _ => tlv::UNKNOWN,
            };
            extensions[at] = flags;
            self.counts.unknown_extensions += u64::from(flags == tlv::UNKNOWN);
            self.counts.bad_extensions += u64::from(flags & (tlv::MALFORMED | tlv::NOT_AUTHENTIC) != 0);
        }
        mac_at.filter(|at| is_authentic && extensions.len() >= at + tlv::HMAC_BYTES)
    }
}

/// Whether a packet says that it came somewhere and left soon after: a test has zeros there, or padding, which looks so
/// once in four thousand million packets.
fn is_reply(mode: Mode, packet: &[u8]) -> bool {
    let Ok(reply) = Reply::parse(mode, packet) else { return false };
    let format = reply.error.format();
    let times = reply.received.unix_ns(format).zip(reply.sent.unix_ns(format));
    times.is_some_and(|(came, left)| (1..HELD_MAX_NS).contains(&left.saturating_sub(came)))
}

fn is_padding(extensions: &[u8]) -> bool {
    tlv::walk(extensions).all(|part| part.kind == tlv::EXTRA_PADDING)
}

fn burst(rate_max: u32) -> Span {
    let price = PS_PER_S / u64::from(rate_max.max(1));
    Span((PS_PER_S / u64::from(BURST_PARTS)).max(price))
}

const PS_PER_S: u64 = 1_000_000_000_000;
/// A reflector that is no wreck answers sooner.
const HELD_MAX_NS: i64 = 1_000_000_000;
/// How often silent sessions are looked for.
const SWEEP: Span = Span::from_s(60);
