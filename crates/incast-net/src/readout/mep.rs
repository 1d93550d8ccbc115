//! Fragments as LHCb's multi-event packets: what their layout does not say comes from elsewhere.
//!
//! A fragment of one event is the data of the one fragment in its packet. That of several events is packed in
//! our layout (`incast_core::wire::packed`) and in theirs, so that it is written anew.

use incast_core::readout::{Fragment, Level};
use incast_core::wire::mep::{Mep, MepWriter};
use incast_core::wire::packed::{self, Packed};
use incast_core::wire::refusal::Refusal;

use super::data::Data;

/// Writes the packet of a fragment, which is never larger than `bytes_max`. Its partition is the source.
pub(super) fn emit(level: Level, fragment: &Fragment<Data>, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    if level == Level::Second {
        return Err(Refusal::Value);
    }
    let mut out = Vec::with_capacity(fragment.payload.len() + 64);
    let first = low(fragment.event.0);
    let mut writer = MepWriter::begin(&mut out, first, fragment.source.0.into(), bytes_max);
    if fragment.events == 1 {
        writer.push(&fragment.payload)?;
    } else {
        for data in Packed::parse(&fragment.payload, fragment.events)? {
            writer.push(data)?;
        }
    }
    writer.finish()?;
    Ok(out)
}

/// The payload of a packet, behind what `out` holds.
pub(super) fn payload(packet: &Mep<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if packet.packing() == 1 {
        packet.fragments().for_each(|fragment| out.extend_from_slice(fragment.data));
        return Ok(());
    }
    packet.fragments().try_for_each(|fragment| packed::push(fragment.data, out))
}

/// The low 32 bits.
fn low(event: u64) -> u32 {
    let [a, b, c, d, ..] = event.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
