//! The head of an Ethernet frame (IEEE 802.3 §3.2), with or without a VLAN tag (IEEE 802.1Q §9.6).
//!
//! ```text
//!  0             6             12          14
//!  | destination | source      | EtherType | message, at least 46 bytes ...
//!  0             6             12     14    16          18
//!  | destination | source      | 8100 | TCI | EtherType | message, at least 42 bytes ...
//!                                       TCI: priority 3 bits | drop eligible 1 | VLAN id 12, big endian
//! ```
//! A shorter message is padded by the card: behind it come zeros that belong to nobody. The frame check
//! sequence is the card's as well, and never seen here.

use crate::raw::{MacAddress, VlanTag};

/// Bytes of a head without a tag.
pub const HEAD_BYTES: usize = 14;
/// Bytes of a VLAN tag.
pub const TAG_BYTES: usize = 4;
/// Bytes of the smallest payload: what is shorter is padded to that many, a tag among them.
pub const PAYLOAD_BYTES_MIN: usize = 46;
/// EtherType of a VLAN tag.
pub const VLAN_ETHERTYPE: u16 = 0x8100;

/// What stands before a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Who shall have it.
    pub destination: MacAddress,
    /// Who sends it.
    pub source: MacAddress,
    /// Tag, if it has one.
    pub vlan: Option<VlanTag>,
    /// What the payload is.
    pub ethertype: u16,
}

impl FrameHead {
    /// Bytes that [`Self::emit`] writes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        if self.vlan.is_some() { HEAD_BYTES + TAG_BYTES } else { HEAD_BYTES }
    }

    /// Writes the head at the start of `frame`, which must hold [`Self::bytes`].
    pub fn emit(&self, frame: &mut [u8]) {
        frame[..6].copy_from_slice(&self.destination.0);
        frame[6..12].copy_from_slice(&self.source.0);
        let mut at = 12;
        if let Some(tag) = self.vlan {
            frame[at..at + 2].copy_from_slice(&VLAN_ETHERTYPE.to_be_bytes());
            let control = u16::from(tag.priority & 7) << 13 | tag.id & 0x0FFF;
            frame[at + 2..at + 4].copy_from_slice(&control.to_be_bytes());
            at += TAG_BYTES;
        }
        frame[at..at + 2].copy_from_slice(&self.ethertype.to_be_bytes());
    }

    /// The head of `frame`, and what is behind it; `None` if it is cut off.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<(Self, &[u8])> {
        let destination = MacAddress(*frame.first_chunk()?);
        let source = MacAddress(*frame.get(6..)?.first_chunk()?);
        let field = |at: usize| Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
        let outer = field(12)?;
        let (vlan, ethertype, head_bytes) = if outer == VLAN_ETHERTYPE {
            (Some(tag_of(field(14)?)), field(16)?, HEAD_BYTES + TAG_BYTES)
        } else {
            (None, outer, HEAD_BYTES)
        };
        Some((Self { destination, source, vlan, ethertype }, frame.get(head_bytes..)?))
    }
}

/// The tag that a control field (TCI) says, as a card that takes tags off reports it.
#[must_use]
pub const fn tag_of(control: u16) -> VlanTag {
    // Three bits.
    let [priority, _] = (control >> 13 << 8).to_be_bytes();
    VlanTag { id: control & 0x0FFF, priority }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: FrameHead = FrameHead {
        destination: MacAddress([2, 0, 0, 0, 0, 1]),
        source: MacAddress([2, 0, 0, 0, 0, 2]),
        vlan: None,
        ethertype: 0x88B5,
    };

    #[test]
    fn the_head_has_these_bytes_and_is_read_again() {
        let tagged = FrameHead { vlan: Some(VlanTag { id: 0x123, priority: 5 }), ..HEAD };
        let golden: [(FrameHead, &[u8]); 2] = [
            (HEAD, &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5]),
            (tagged, &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0x00, 0xA1, 0x23, 0x88, 0xB5]),
        ];
        for (head, bytes) in golden {
            let mut frame = vec![0; head.bytes() + 3];
            head.emit(&mut frame);
            frame[head.bytes()..].copy_from_slice(b"abc");
            assert_eq!(&frame[..head.bytes()], bytes);
            assert_eq!(FrameHead::parse(&frame), Some((head, &b"abc"[..])));
            for cut in 0..head.bytes() {
                assert_eq!(FrameHead::parse(&frame[..cut]), None, "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_control_field_is_priority_and_id() {
        assert_eq!(tag_of(0xFFFF), VlanTag { id: 0x0FFF, priority: 7 });
        assert_eq!(tag_of(0x1064), VlanTag { id: 100, priority: 0 });
    }
}
