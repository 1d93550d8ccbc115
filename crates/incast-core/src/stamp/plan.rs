//! What a session-sender does, checked, and the packets that this makes: tests with their extensions.

use crate::time::Span;
use crate::wire::stamp::mac::MacKey;
use crate::wire::stamp::time::{ErrorEstimate, Format, Stamp};
use crate::wire::stamp::tlv::{self, Counters};
use crate::wire::stamp::{Mode, Test};

use super::outstanding::TESTS_KEPT;

/// What a sender does.
#[derive(Clone, Debug)]
pub struct SenderPlan {
    /// Tests to send; `None` until it is told to stop.
    pub tests: Option<u64>,
    /// From one to the next.
    pub gap: Span,
    /// A reply that comes later than this is late, and its test was lost until then.
    pub timeout: Span,
    /// Length of a window.
    pub window: Span,
    /// Bytes of a test, and of its reply, without UDP and IP.
    pub packet_bytes: usize,
    /// Session id; zero for none.
    pub ssid: u16,
    /// Format of timestamps.
    pub format: Format,
    /// Key of authenticated mode; none for open mode.
    pub key: Option<MacKey>,
    /// Whether to ask the reflector for its counts, by an extension of RFC 8972.
    pub counters: bool,
    /// Both clocks agree within so many nanoseconds: delays are differences, and nothing is estimated.
    pub synchronised_ns: Option<u64>,
}

/// Smallest gap: as many tests as are remembered, within a second and some.
pub const GAP_MIN: Span = Span::from_us(10);
/// Largest test: what a UDP datagram over IPv4 holds.
pub const PACKET_BYTES_MAX: usize = 65_507;

impl SenderPlan {
    /// Whether it can be done.
    ///
    /// # Errors
    /// What cannot, and what would.
    pub fn check(&self) -> Result<(), String> {
        let least = self.packet_bytes_min();
        let padded = least + tlv::HEAD_BYTES;
        if self.packet_bytes != least && !(padded..=PACKET_BYTES_MAX).contains(&self.packet_bytes) {
            return Err(format!(
                "a test of {} B: these have {least} B, or {padded} to {PACKET_BYTES_MAX} B",
                self.packet_bytes
            ));
        }
        if self.gap < GAP_MIN {
            return Err(format!("a gap of {}: at least {GAP_MIN}", self.gap));
        }
        let waiting = self.timeout.0 / self.gap.0.max(1);
        if self.timeout == Span::ZERO || waiting > TESTS_KEPT as u64 / 2 {
            return Err(format!(
                "a time-out of {} with a gap of {}: at least one gap and at most {} of them",
                self.timeout,
                self.gap,
                TESTS_KEPT / 2
            ));
        }
        if self.window < self.gap {
            return Err(format!("windows of {} with a gap of {}: at least one gap", self.window, self.gap));
        }
        Ok(())
    }

    /// Bytes of the smallest test.
    #[must_use]
    pub fn packet_bytes_min(&self) -> usize {
        let counters = if self.counters { tlv::DIRECT_MEASUREMENT_BYTES } else { 0 };
        let proof = if self.counters && self.key.is_some() { tlv::HMAC_BYTES } else { 0 };
        self.mode().base_bytes() + counters + proof
    }

    /// The counters of a reply, if the reflector has filled them in, and proves it where there is a key.
    pub(super) fn filled_in(&self, sequence: u32, extensions: &[u8]) -> Option<Counters> {
        let mut parts = tlv::walk(extensions).filter(|part| self.counters && part.flags == 0);
        let filled = parts.find(|part| part.kind == tlv::DIRECT_MEASUREMENT)?;
        if let Some(key) = &self.key {
            let proof = parts.find(|part| part.kind == tlv::HMAC)?;
            let covered = [&sequence.to_be_bytes()[..], &extensions[..proof.at]];
            if !key.proves(&covered, proof.value(extensions)) {
                return None;
            }
        }
        Counters::parse(filled.value(extensions))
    }

    pub(super) fn mode(&self) -> Mode {
        if self.key.is_some() { Mode::Authenticated } else { Mode::Open }
    }

    /// Writes a test with its extensions.
    pub(super) fn write(&self, sequence: u64, sent: Stamp, packet: &mut [u8]) {
        let [.., a, b, c, d] = sequence.to_be_bytes();
        let number = u32::from_be_bytes([a, b, c, d]);
        let error = ErrorEstimate::new(self.format, self.synchronised_ns);
        Test { sequence: number, sent, error, ssid: self.ssid }.emit(self.mode(), packet);
        let (base, extensions) = packet.split_at_mut(self.mode().base_bytes());
        let mut at = 0;
        if self.counters {
            tlv::emit_head(extensions, tlv::DIRECT_MEASUREMENT, 12);
            let counters = Counters { sent: number.wrapping_add(1), ..Counters::default() };
            counters.emit(&mut extensions[tlv::HEAD_BYTES..]);
            at = tlv::DIRECT_MEASUREMENT_BYTES;
        }
        if let Some(key) = self.key.as_ref().filter(|_| self.counters) {
            tlv::emit_head(&mut extensions[at..], tlv::HMAC, 16);
            let proof = key.proof(&[&base[..4], &extensions[..at]]);
            extensions[at + tlv::HEAD_BYTES..at + tlv::HMAC_BYTES].copy_from_slice(&proof);
            at += tlv::HMAC_BYTES;
        }
        pad(&mut extensions[at..], self.counters);
        if let Some(key) = &self.key {
            key.seal(packet);
        }
    }
}

/// Fills the rest: with an extension, or as TWAMP senders do if there are no others.
fn pad(rest: &mut [u8], is_extension: bool) {
    rest.fill(0);
    let value = rest.len().checked_sub(tlv::HEAD_BYTES).and_then(|bytes| u16::try_from(bytes).ok());
    if let Some(value) = value.filter(|_| is_extension) {
        tlv::emit_head(rest, tlv::EXTRA_PADDING, value);
    }
}
