//! Packets of LHCb in Run 3: of one source, and of all of them.

#![no_main]

use incast_core::wire::mfp::{self, Mfp};
use incast_core::wire::mfp_event::{self, MfpEvent};
use libfuzzer_sys::fuzz_target;

/// First inputs, of which the others are made: they must be good ones.
const GOOD: [&[u8]; 2] = [include_bytes!("../seeds/mfp/packet"), include_bytes!("../seeds/mfp/event")];

fuzz_target!(
    init: {
        assert!(Mfp::parse(GOOD[0]).is_ok());
        assert!(MfpEvent::parse(GOOD[1]).is_ok());
    },
    |data: &[u8]| {
        if let Ok((packet, rest)) = Mfp::parse_prefix(data) {
            assert_eq!(packet.bytes().len() + rest.len(), data.len());
            same_again(&packet);
        }
        if let Ok((event, _)) = MfpEvent::parse_prefix(data) {
            let packets: Vec<_> = event.packets().collect();
            packets.iter().for_each(same_again);
            let mut written = Vec::new();
            let bytes = mfp_event::emit(&packets, &mut written);
            assert_eq!(bytes, Ok(written.len()));
            assert!(MfpEvent::parse(&written).expect("it was written").packets().eq(packets));
        }
    }
);

/// The fragments are the same when they are written again; what their padding holds is ours then.
fn same_again(packet: &Mfp<'_>) {
    let fragments: Vec<_> = packet.fragments().map(|fragment| (fragment.kind, fragment.data)).collect();
    assert_eq!(fragments.len(), usize::from(packet.count()));
    let mut written = Vec::new();
    assert_eq!(mfp::emit(packet.head(), &fragments, &mut written), Ok(packet.bytes().len()));
    let again = Mfp::parse(&written).expect("it was written");
    assert_eq!(again.head(), packet.head());
    assert!(again.fragments().eq(packet.fragments()));
}
