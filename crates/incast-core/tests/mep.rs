//! Packets of LHCb from outside: any fragments come back, and any damage is refused or harmless.

use incast_core::wire::mep::{Mep, MepWriter, PACKET_BYTES_MAX};
use incast_core::wire::refusal::Refusals;
use proptest::collection::vec;
use proptest::prelude::*;

fn packet(first: u32, partition: u32, fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = MepWriter::begin(&mut out, first, partition, PACKET_BYTES_MAX);
    for fragment in fragments {
        writer.push(fragment).expect("it fits");
    }
    writer.finish().expect("there is a fragment");
    out
}

#[test]
fn the_largest_packing_factor_goes_through() {
    let bytes = packet(1, 2, &vec![Vec::new(); (PACKET_BYTES_MAX - 12) / 4]);
    let packet = Mep::parse(&bytes).unwrap();
    assert_eq!(packet.fragments().count(), usize::from(packet.packing()));
}

#[test]
fn refusals_are_counted_by_kind() {
    let good = packet(7, 1, &[vec![1, 2, 3], vec![4]]);
    let mut refusals = Refusals::default();
    for length in 0..good.len() {
        refusals.record(Mep::parse(&good[..length]).unwrap_err());
    }
    assert_eq!(refusals.named().collect::<Vec<_>>(), [("truncated", good.len() as u64)]);
}

proptest! {
    #[test]
    fn any_fragments_come_back(
        first in any::<u32>(), partition in any::<u32>(), fragments in vec(vec(any::<u8>(), 0..200), 1..40),
    ) {
        let bytes = packet(first, partition, &fragments);
        let packet = Mep::parse(&bytes).unwrap();
        prop_assert_eq!((packet.first_event(), packet.partition()), (first, partition));
        prop_assert_eq!(usize::from(packet.packing()), fragments.len());
        for (index, (fragment, data)) in packet.fragments().zip(&fragments).enumerate() {
            prop_assert_eq!(fragment.event, first.wrapping_add(u32::try_from(index).unwrap()));
            prop_assert_eq!(fragment.data, &data[..]);
        }
    }

    /// Whatever is taken is a packet: written again from what was read, it is the same.
    #[test]
    fn damage_is_refused_or_is_another_packet(
        first in any::<u32>(), fragments in vec(vec(any::<u8>(), 0..20), 1..8),
        at in any::<prop::sample::Index>(), value in any::<u8>(),
    ) {
        let mut bytes = packet(first, 1, &fragments);
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(read) = Mep::parse(&bytes) {
            let fragments: Vec<_> = read.fragments().map(|fragment| fragment.data.to_vec()).collect();
            prop_assert_eq!(packet(read.first_event(), read.partition(), &fragments), bytes);
        }
    }
}
