//! Sizes of packets: how a datagram or a segment is cut, and what a packet takes on the wire.

/// IPv4 header without options (RFC 791).
pub const IP_HEADER_BYTES: u32 = 20;
/// TCP header with time stamps, as Linux sends (RFC 9293, RFC 7323).
pub const TCP_HEADER_BYTES: u32 = 32;
/// UDP header (RFC 768).
pub const UDP_HEADER_BYTES: u32 = 8;
/// What a packet takes on Ethernet beyond itself: 14 B header, 4 B check, 8 B preamble, 12 B gap (IEEE 802.3).
const FRAME_BYTES: u32 = 38;
/// Smallest payload of an Ethernet frame; shorter ones are padded (IEEE 802.3).
const FRAME_PAYLOAD_MIN: u32 = 46;

/// Bytes on the wire of an IP packet of so many bytes.
#[must_use]
pub const fn wire_bytes(ip_bytes: u32) -> u32 {
    let payload = if ip_bytes < FRAME_PAYLOAD_MIN { FRAME_PAYLOAD_MIN } else { ip_bytes };
    payload + FRAME_BYTES
}

/// Bytes of the IP packet that takes so many on the wire (of a padded one: of its frame).
#[must_use]
pub const fn ip_bytes(wire_bytes: u32) -> u32 {
    wire_bytes.saturating_sub(FRAME_BYTES)
}

/// The IP packets of a datagram, in bytes with their headers. `payload_bytes` is what IP carries: the
/// message with the transport's header. Fragments carry multiples of 8 bytes (RFC 791 section 3.2).
pub fn fragments(payload_bytes: u32, mtu_bytes: u32) -> impl Iterator<Item = u32> {
    let whole = mtu_bytes.saturating_sub(IP_HEADER_BYTES).max(8);
    let step = if payload_bytes <= whole { whole } else { whole / 8 * 8 };
    let count = payload_bytes.div_ceil(step).max(1);
    (0..count)
        .map(move |index| (payload_bytes - (index * step).min(payload_bytes)).min(step) + IP_HEADER_BYTES)
}

/// How many packets that are.
#[must_use]
pub fn fragments_count(payload_bytes: u32, mtu_bytes: u32) -> u32 {
    let whole = mtu_bytes.saturating_sub(IP_HEADER_BYTES).max(8);
    if payload_bytes <= whole { 1 } else { payload_bytes.div_ceil(whole / 8 * 8) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_cut_as_rfc_791_says() {
        let cut = |bytes, mtu| fragments(bytes + UDP_HEADER_BYTES, mtu).collect::<Vec<_>>();
        assert_eq!(cut(1024, 1500), [1052]);
        assert_eq!(cut(1472, 1500), [1500]);
        assert_eq!(cut(1473, 1500), [1500, 21]);
        // Bologna: datagrams of 4096 B travel in three frames, 4278 B on the wire (simulation.md 4.7).
        assert_eq!(cut(4096, 1500), [1500, 1500, 1164]);
        assert_eq!(fragments(4104, 1500).map(wire_bytes).sum::<u32>(), 4278);
        assert_eq!(cut(0, 1500), [28]);
        for bytes in [0, 1, 1480, 1481, 2960, 2961, 65_515] {
            assert_eq!(fragments(bytes, 1500).count(), fragments_count(bytes, 1500) as usize, "{bytes}");
            let carried: u32 = fragments(bytes, 1500).map(|packet| packet - IP_HEADER_BYTES).sum();
            assert_eq!(carried, bytes);
        }
    }

    #[test]
    fn small_frames_are_padded() {
        assert_eq!((wire_bytes(40), wire_bytes(46), wire_bytes(1500)), (84, 84, 1538));
        assert_eq!(ip_bytes(wire_bytes(1500)), 1500);
    }
}
