//! How long fragments are on their way, by carrier: as `incast-net` lays them out, without laying them out.

use incast_core::mdf::generated::generated_banks_bytes;
use incast_core::scenario::FragmentCarrier;
use incast_core::wire::fragment::{HEADER_BYTES, SEGMENT_BYTES_MAX};
use incast_core::wire::{mep, packed};

/// Largest datagram with a segment of a fragment (`incast-net`, `DatagramPlan::DATAGRAM_BYTES`).
const DATAGRAM_BYTES: u32 = 8_192;
/// Header of UDP; bare IP has none behind its own.
const UDP_HEADER_BYTES: u32 = 8;
const FRAME_BYTES: u32 = as_u32(HEADER_BYTES);
const MARK_BYTES: u32 = as_u32(mep::STREAM_MARK.len());

/// How a fragment is cut, and how it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Bytes of each piece but the last.
    pub(super) piece_bytes: u32,
    /// Pieces; at least one.
    pub(super) pieces: u32,
    /// Bytes of the last piece.
    pub(super) last_bytes: u32,
}

impl Cut {
    const fn whole(bytes: u32) -> Self {
        Self { piece_bytes: 0, pieces: 1, last_bytes: bytes }
    }

    /// In segments of at most `room` payload bytes, a header in front of each.
    const fn frames(payload: u32, room: u32) -> Self {
        let full = payload.saturating_sub(1) / room;
        Self {
            piece_bytes: room + FRAME_BYTES,
            pieces: full + 1,
            last_bytes: payload - full * room + FRAME_BYTES,
        }
    }
}

/// Header bytes of the datagrams of fragments and of LHCb's requests; `None`: fragments are on connections.
pub(super) const fn datagram_header(carrier: FragmentCarrier) -> Option<u32> {
    match carrier {
        FragmentCarrier::Tcp | FragmentCarrier::MepTcp => None,
        FragmentCarrier::Udp | FragmentCarrier::MepUdp => Some(UDP_HEADER_BYTES),
        FragmentCarrier::Ip | FragmentCarrier::MepIp => Some(0),
    }
}

/// How a fragment of `payload` bytes of `events` events is cut; `None` when the layout cannot say it.
pub(super) fn cut(carrier: FragmentCarrier, payload: u32, events: u16) -> Option<Cut> {
    // A packet has a header for each event; so has our payload, if it is of several.
    let heads = as_u32(mep::HEADER_BYTES) + if events == 1 { as_u32(mep::FRAGMENT_HEADER_BYTES) } else { 0 };
    let packet = |most: usize| payload.checked_add(heads).filter(|bytes| *bytes <= as_u32(most));
    match carrier {
        // On a connection its segments follow one another: together they are one message.
        FragmentCarrier::Tcp => {
            let Cut { piece_bytes, pieces, last_bytes } = Cut::frames(payload, SEGMENT_BYTES_MAX);
            Some(Cut::whole((pieces - 1) * piece_bytes + last_bytes))
        }
        FragmentCarrier::Udp | FragmentCarrier::Ip => {
            Some(Cut::frames(payload, DATAGRAM_BYTES - FRAME_BYTES))
        }
        FragmentCarrier::MepTcp => Some(Cut::whole(packet(mep::PACKET_BYTES_MAX)? + MARK_BYTES)),
        FragmentCarrier::MepUdp | FragmentCarrier::MepIp => {
            Some(Cut::whole(packet(mep::UDP_PACKET_BYTES_MAX)?))
        }
    }
}

/// Bytes that a source makes of `bytes` of content of one event, in a packet of `events`.
pub(super) fn content_bytes(bytes: u32, events: u16) -> u32 {
    let piece = if events == 1 { 0 } else { packed::PIECE_HEADER_BYTES };
    let made = generated_banks_bytes(usize::try_from(bytes).unwrap_or(usize::MAX)).saturating_add(piece);
    u32::try_from(made).unwrap_or(u32::MAX)
}

/// Of constants and lengths far below 2^32.
#[expect(clippy::cast_possible_truncation, reason = "constants of layouts, and lengths that were cut")]
const fn as_u32(bytes: usize) -> u32 {
    bytes as u32
}

#[cfg(test)]
mod tests {
    use incast_core::readout::Level;
    use incast_core::wire::fragment::{FragmentHead, segments};
    use incast_core::wire::mep::MepWriter;

    use super::*;

    fn pieces(cut: Cut) -> Vec<u32> {
        let mut pieces = vec![cut.piece_bytes; cut.pieces as usize];
        pieces[cut.pieces as usize - 1] = cut.last_bytes;
        pieces
    }

    /// Against what is really written.
    #[test]
    fn frames_are_as_long_as_they_are_written() {
        let head = FragmentHead {
            run: 1,
            source: 2,
            event: 3,
            events: 1,
            total_bytes: 0,
            is_generated: false,
            is_damaged: false,
            level: Level::First,
        };
        for bytes in [0, 1, 900, 8_151, 8_152, 8_153, 16_304, 16_305, 1 << 20, (1 << 20) + 1] {
            let payload = vec![0; bytes];
            let written = |room| {
                let segments = segments(head, &payload, room).unwrap();
                segments.map(|one| as_u32(one.emit_header().len() + one.payload.len())).collect::<Vec<_>>()
            };
            let datagrams = cut(FragmentCarrier::Udp, as_u32(bytes), 1).unwrap();
            assert_eq!(pieces(datagrams), written(DATAGRAM_BYTES - FRAME_BYTES), "{bytes}");
            let stream = cut(FragmentCarrier::Tcp, as_u32(bytes), 1).unwrap();
            assert_eq!(pieces(stream), [written(SEGMENT_BYTES_MAX).iter().sum::<u32>()], "{bytes}");
        }
    }

    #[test]
    fn packets_of_lhcb_are_as_long_as_they_are_written() {
        for events in [1_u16, 2, 25] {
            let (mut out, mut payload) = (Vec::new(), Vec::new());
            let mut writer = MepWriter::begin(&mut out, 0, 0, mep::UDP_PACKET_BYTES_MAX);
            for event in 0..events {
                let data = vec![0; 10 + usize::from(event)];
                writer.push(&data).unwrap();
                if events == 1 {
                    payload.extend_from_slice(&data);
                } else {
                    packed::push(&data, &mut payload).unwrap();
                }
            }
            writer.finish().unwrap();
            let told = cut(FragmentCarrier::MepUdp, as_u32(payload.len()), events).unwrap();
            assert_eq!(pieces(told), [as_u32(out.len())], "{events}");
        }
        assert_eq!(cut(FragmentCarrier::MepUdp, 65_507 - 12, 2).map(|cut| cut.last_bytes), Some(65_507));
        assert_eq!(cut(FragmentCarrier::MepUdp, 65_507 - 11, 2), None);
    }
}
