//! LHCb's packets on the connection from source to builder.

use std::net::SocketAddr;

use incast_core::readout::{Level, Message};
use incast_net::readout::{FragmentCarrier, Unsent};

use crate::datagrams::packed_fragment;
use crate::roles::{BUILDER, bytes, fragment, pair, until};

const CARRIER: FragmentCarrier = FragmentCarrier::MepTcp {
    requests: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0),
};

#[test]
fn packets_of_lhcb_cross_on_the_connection_with_all_bits_of_their_numbers() {
    let (mut from, mut builder) = pair(CARRIER, CARRIER);
    let sizes = [0, 1, 1000, 65_519];
    let start = u64::from(u32::MAX) - 1;
    let mut all: Vec<_> =
        (start..).zip(sizes).map(|(event, size)| fragment(1, event, &bytes(3, size))).collect();
    all.extend((1..40).map(|index| packed_fragment(1, start + 10 * index, 10)));
    for message in &all {
        from.mesh.send(BUILDER, message.clone()).unwrap();
    }
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() == all.len());
    assert!(builder.messages().eq(&all));
    let (sent, received) = (from.mesh.counts(), builder.mesh.counts());
    assert_eq!((sent.sent["fragment"], received.received["fragment"]), (43, 43));
    assert_eq!((sent.datagrams.sent, received.refused.len()), (0, 0));
}

#[test]
fn what_a_packet_cannot_say_is_not_sent_on_the_connection_either() {
    let (mut from, mut builder) = pair(CARRIER, CARRIER);
    let mut second = fragment(1, 1, &[1]);
    if let Message::Fragment { level, .. } = &mut second {
        *level = Level::Second;
    }
    for message in [fragment(1, 1, &[0; 65_520]), second] {
        assert!(matches!(from.mesh.send(BUILDER, message), Err(Unsent::Unsendable(..))));
    }
    let counts = from.mesh.counts();
    assert_eq!((counts.unsendable["limit"], counts.unsendable["value"]), (1, 1));
    // Nothing of them is on the stream.
    from.mesh.send(BUILDER, fragment(1, 5, &[7])).unwrap();
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() == 1);
    assert!(builder.messages().eq([&fragment(1, 5, &[7])]));
}
