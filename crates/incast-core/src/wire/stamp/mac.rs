//! The proof of an authenticated STAMP packet: HMAC-SHA-256 (RFC 2104, RFC 6234), cut to 128 bits (RFC 8762 §4.4).
//!
//! It proves who sent a packet; nothing of it is hidden, and one that was recorded can be sent again.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::COVERED_BYTES;

/// Bytes of a proof.
pub const MAC_BYTES: usize = 16;

/// The key that sender and reflector share.
#[derive(Clone, PartialEq, Eq)]
pub struct MacKey([u8; 32]);

impl MacKey {
    /// The key of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn over(&self, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
        // An HMAC takes a key of any length: there is always one.
        let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&self.0).ok()?;
        parts.iter().for_each(|part| mac.update(part));
        Some(mac)
    }

    /// The proof of `parts` one after the other.
    #[must_use]
    pub fn proof(&self, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
        let whole = self.over(parts).map(|mac| mac.finalize().into_bytes());
        whole.and_then(|bytes| bytes.first_chunk().copied()).unwrap_or_default()
    }

    /// Whether `proof` is that of `parts`, in a time that does not tell where it differs.
    #[must_use]
    pub fn proves(&self, parts: &[&[u8]], proof: &[u8]) -> bool {
        proof.len() == MAC_BYTES
            && self.over(parts).is_some_and(|mac| mac.verify_truncated_left(proof).is_ok())
    }

    /// Writes the proof of an authenticated packet at its place.
    pub fn seal(&self, packet: &mut [u8]) {
        let (covered, rest) = packet.split_at_mut(COVERED_BYTES);
        rest[..MAC_BYTES].copy_from_slice(&self.proof(&[covered]));
    }

    /// Whether an authenticated packet is what its sender wrote.
    #[must_use]
    pub fn is_authentic(&self, packet: &[u8]) -> bool {
        let proof = packet.get(COVERED_BYTES..COVERED_BYTES + MAC_BYTES);
        proof.is_some_and(|proof| self.proves(&[&packet[..COVERED_BYTES]], proof))
    }
}

impl fmt::Debug for MacKey {
    /// Never shows the key itself.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_the_hmac_of_rfc_4231() {
        // Test case 1 has a key of 20 bytes; zeros behind it do not change an HMAC.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let proof = MacKey::new(key).proof(&[b"Hi ", b"There"]);
        let hex: String = proof.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "b0344c61d8db38535ca8afceaf0bf12b");
    }

    #[test]
    fn a_changed_packet_or_another_key_is_noticed() {
        let (key, other) = (MacKey::new([1; 32]), MacKey::new([2; 32]));
        let mut packet = [7; 120];
        key.seal(&mut packet);
        assert!(key.is_authentic(&packet) && !other.is_authentic(&packet));
        for at in [0, 95, 96, 111] {
            let mut changed = packet;
            changed[at] ^= 1;
            assert!(!key.is_authentic(&changed), "byte {at}");
        }
        packet[112] ^= 1;
        assert!(key.is_authentic(&packet), "extensions have a proof of their own");
        assert!(!key.is_authentic(&packet[..111]));
        assert_eq!(format!("{key:?}"), "MacKey");
    }
}
