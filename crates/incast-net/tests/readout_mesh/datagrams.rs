//! Fragments in datagrams, UDP and raw IP, our own frames and LHCb's packets.

use std::net::{SocketAddr, UdpSocket};

use incast_core::readout::{Level, Message};
use incast_core::wire::fragment::{FragmentHead, Segment};
use incast_core::wire::mep::{IP_PROTOCOL, MepWriter};
use incast_core::wire::packed;
use incast_net::key::Key;
use incast_net::readout::{Data, DatagramPlan, FragmentCarrier, FragmentLayout, MeshPlan, PeerKind, Unsent};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::roles::{BUILDER, Role, bytes, fragment, pair, plan, source, until};

fn at(ip: [u8; 4], layout: FragmentLayout, datagram_bytes_max: u32) -> DatagramPlan {
    DatagramPlan { bind: SocketAddr::from((ip, 0)), layout, datagram_bytes_max }
}

/// Fragments of all sizes, one after the other so that no buffer overflows, and what the builder got of them.
fn cross(carrier: FragmentCarrier, builders: FragmentCarrier, sizes: &[usize]) -> (Role, Role) {
    let (mut from, mut builder) = pair(carrier, builders);
    for (event, size) in (0_u16..).zip(sizes) {
        let message = fragment(1, event.into(), &bytes(event.into(), *size));
        from.mesh.send(BUILDER, message.clone()).unwrap();
        let all = usize::from(event) + 1;
        until([&mut from, &mut builder], |[_, builder]| builder.messages().count() == all);
        assert_eq!(builder.messages().last(), Some(&message));
    }
    let (sent, received) = (from.mesh.counts(), builder.mesh.counts());
    assert_eq!((sent.datagrams.sent, sent.datagrams_unsent), (received.datagrams.received, 0));
    assert_eq!(sent.datagram_bytes.sent, received.datagram_bytes.received);
    assert_eq!((received.stranger_datagrams, received.socket_drops, received.refused.len()), (0, 0, 0));
    assert_eq!(received.stream_bytes.received, 0);
    (from, builder)
}

#[test]
fn fragments_cross_in_udp_datagrams_and_are_cut_to_fit() {
    for (datagram_bytes_max, datagrams) in [(100, 1 + 1 + 1 + 2 + 17 + 134 + 334), (8192, 9), (65_507, 7)] {
        let plan = FragmentCarrier::Udp(at([127, 0, 0, 1], FragmentLayout::Frames, datagram_bytes_max));
        let (_, builder) = cross(plan, plan, &[0, 1, 60, 61, 1000, 8000, 20_000]);
        assert_eq!(builder.mesh.counts().datagrams.received, datagrams, "{datagram_bytes_max}");
    }
}

#[test]
fn the_second_level_and_packed_events_are_told_in_datagrams_too() {
    let udp = FragmentCarrier::Udp(at([127, 0, 0, 1], FragmentLayout::Frames, 1000));
    let (mut from, mut builder) = pair(udp, udp);
    let mut message = fragment(1, 1 << 50, &bytes(3, 5000));
    if let Message::Fragment { level, fragment } = &mut message {
        (*level, fragment.events) = (Level::Second, 300);
    }
    from.mesh.send(BUILDER, message.clone()).unwrap();
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() == 1);
    assert!(builder.messages().eq([&message]));
}

/// A packet of `events`, as our own layout has them together.
pub(crate) fn packed_fragment(id: u16, event: u64, events: u16) -> Message<Data> {
    let mut payload = Vec::new();
    for index in 0..events {
        packed::push(&bytes(index.into(), usize::from(index) * 7), &mut payload).unwrap();
    }
    let mut message = fragment(id, event, &payload);
    if let Message::Fragment { fragment, .. } = &mut message {
        fragment.events = events;
    }
    message
}

#[test]
fn packets_of_lhcb_cross_over_udp() {
    let udp = FragmentCarrier::Udp(at([127, 0, 0, 1], FragmentLayout::Mep, 65_507));
    cross(udp, udp, &[0, 1, 1000, 60_000]);
    let (mut from, mut builder) = pair(udp, udp);
    // Numbers go on where 32 bits end.
    let start = u64::from(u32::MAX) - 19;
    let all: Vec<_> = (0..4).map(|index| packed_fragment(1, start + index * 10, 10)).collect();
    for message in &all {
        from.mesh.send(BUILDER, message.clone()).unwrap();
    }
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() == all.len());
    assert!(builder.messages().eq(&all));
}

#[test]
fn what_a_packet_of_lhcb_cannot_say_is_not_sent() {
    let udp = FragmentCarrier::Udp(at([127, 0, 0, 1], FragmentLayout::Mep, 1000));
    let (mut from, builder) = pair(udp, udp);
    let mut second = fragment(1, 1, &[1]);
    if let Message::Fragment { level, .. } = &mut second {
        *level = Level::Second;
    }
    let mut unpacked = fragment(1, 1, &[1, 2, 3]);
    if let Message::Fragment { fragment, .. } = &mut unpacked {
        fragment.events = 2;
    }
    for message in [fragment(1, 1, &[0; 985]), second, unpacked] {
        assert!(matches!(from.mesh.send(BUILDER, message), Err(Unsent::Unsendable(..))));
    }
    let counts = from.mesh.counts();
    assert_eq!(
        (counts.unsendable["limit"], counts.unsendable["value"], counts.unsendable["packing"]),
        (1, 1, 1)
    );
    assert_eq!((counts.datagrams.sent, builder.told.len()), (0, 1));
}

#[test]
fn datagrams_of_strangers_are_counted_and_not_looked_into() {
    let udp = FragmentCarrier::Udp(at([127, 0, 0, 1], FragmentLayout::Frames, 8192));
    let (mut from, mut builder) = pair(udp, udp);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = builder.mesh.fragment_address().unwrap();
    let mut forged = Vec::new();
    let head = FragmentHead {
        run: 7,
        source: 1,
        event: 1,
        events: 1,
        total_bytes: 3,
        is_generated: false,
        is_damaged: false,
        level: Level::First,
    };
    Segment { head, offset_bytes: 0, payload: &[1, 2, 3] }.emit(&mut forged);
    for datagram in [&forged[..], b"", b"rubbish", &[0xff; 5000]] {
        stranger.send_to(datagram, to).unwrap();
    }
    from.mesh.send(BUILDER, fragment(1, 9, &[7])).unwrap();
    until([&mut from, &mut builder], |[_, builder]| {
        builder.messages().count() == 1 && builder.mesh.counts().stranger_datagrams == 4
    });
    assert!(builder.messages().eq([&fragment(1, 9, &[7])]));
    let counts = builder.mesh.counts();
    assert_eq!(counts.stranger_example, Some(stranger.local_addr().unwrap()));
    assert_eq!((counts.datagrams.received, counts.refused.len()), (1, 0));
    // A source that is gone is a stranger.
    let gone = from.mesh.fragment_address().unwrap();
    drop(from);
    until([&mut builder], |[builder]| !builder.mesh.is_up(source(1)));
    UdpSocket::bind(gone).unwrap().send_to(&forged, to).unwrap();
    until([&mut builder], |[builder]| builder.mesh.counts().stranger_datagrams == 5);
}

#[test]
fn bad_datagrams_of_a_source_are_counted_by_kind_and_harm_no_other() {
    let frames = FragmentCarrier::Udp(at([127, 0, 0, 1], FragmentLayout::Frames, 8192));
    let (mut from, mut builder) = pair(frames, frames);
    from.mesh.send(BUILDER, fragment(2, 1, &[1])).unwrap();
    from.mesh.send(BUILDER, fragment(1, 2, &[2])).unwrap();
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() == 1);
    assert!(builder.messages().eq([&fragment(1, 2, &[2])]));
    assert_eq!(builder.mesh.counts().refused["source"], 1);
    // A source that was told another layout than its builder.
    let packets = FragmentCarrier::Udp(at([127, 0, 0, 1], FragmentLayout::Mep, 8192));
    let (mut from, mut builder) = pair(packets, frames);
    from.mesh.send(BUILDER, fragment(1, 2, &[2; 100])).unwrap();
    from.mesh.send(BUILDER, fragment(1, 2, &[])).unwrap();
    until([&mut from, &mut builder], |[_, builder]| builder.mesh.counts().datagrams.received == 2);
    let counts = builder.mesh.counts();
    assert_eq!((counts.refused["magic"], counts.refused["truncated"], builder.messages().count()), (1, 1, 0));
    // A source that sends nothing in datagrams at all is heard on its connection.
    let (mut from, mut builder) = pair(FragmentCarrier::Tcp, frames);
    from.mesh.send(BUILDER, fragment(1, 2, &[2])).unwrap();
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() == 1);
    // One that does, to a builder that takes none, sends nothing, and counts it.
    let (mut from, builder) = pair(frames, FragmentCarrier::Tcp);
    from.mesh.send(BUILDER, fragment(1, 2, &[2])).unwrap();
    assert_eq!((from.mesh.counts().datagrams_unsent, builder.messages().count()), (1, 0));
}

#[test]
fn a_source_that_is_not_read_loses_datagrams_and_the_loss_is_counted() {
    let udp = FragmentCarrier::Udp(at([127, 0, 0, 1], FragmentLayout::Frames, 65_507));
    let (mut from, mut builder) = pair(udp, udp);
    builder.mesh.pause_reading(PeerKind::Source, true);
    let mut sent = 0;
    while builder.mesh.counts().socket_drops == 0 {
        from.mesh.send(BUILDER, fragment(1, sent, &[0; 60_000])).unwrap();
        sent += 1;
        until([&mut from, &mut builder], |_| true);
        assert!(sent < 10_000, "the kernel never dropped one");
    }
    builder.mesh.pause_reading(PeerKind::Source, false);
    until([&mut from, &mut builder], |[_, builder]| {
        let counts = builder.mesh.counts();
        counts.datagrams.received + counts.socket_drops == sent
    });
}

/// Raw sockets need root. Where the tests run without it this says so; it must not be so where it counts.
pub(crate) fn may_open_raw_sockets() -> bool {
    let protocol = Protocol::from(i32::from(IP_PROTOCOL));
    if Socket::new(Domain::IPV4, Type::RAW, Some(protocol)).is_ok() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "tests of raw IP need CAP_NET_RAW, and have to run in CI");
    eprintln!("NOT TESTED: raw IP needs CAP_NET_RAW");
    false
}

/// Each test has addresses of its own, in each process: all sockets of one get what is sent to it.
pub(crate) fn address(host: u8) -> [u8; 4] {
    let [low, high, ..] = std::process::id().to_le_bytes();
    [127, 128 | high, low, host]
}

pub(crate) fn raw(host: u8, layout: FragmentLayout) -> FragmentCarrier {
    FragmentCarrier::Ip(at(address(host), layout, 8192))
}

#[test]
fn fragments_cross_in_ip_datagrams_of_their_own() {
    if may_open_raw_sockets() {
        cross(raw(1, FragmentLayout::Frames), raw(2, FragmentLayout::Frames), &[0, 1, 1000, 8152, 100_000]);
        cross(raw(3, FragmentLayout::Mep), raw(4, FragmentLayout::Mep), &[0, 1, 1000, 8000]);
    }
}

#[test]
fn sources_that_share_an_address_are_told_by_their_partition() {
    if !may_open_raw_sockets() {
        return;
    }
    let key = Key::random().unwrap();
    let carrier = raw(6, FragmentLayout::Mep);
    let mut builder = Role::open(MeshPlan { fragments: carrier, ..plan(BUILDER, &key) });
    let mut open = |id| {
        let carrier = raw(5, FragmentLayout::Mep);
        let mut from = Role::open(MeshPlan { listen: None, fragments: carrier, ..plan(source(id), &key) });
        from.dial(BUILDER, &builder);
        until([&mut from, &mut builder], |[from, builder]| {
            from.mesh.is_up(BUILDER) && builder.mesh.is_up(source(id))
        });
        from
    };
    let (mut one, mut two) = (open(1), open(2));
    for (id, from) in [(1, &mut one), (2, &mut two)] {
        from.mesh.send(BUILDER, packed_fragment(id, u64::from(id) * 100, 3)).unwrap();
        until([&mut *from, &mut builder], |[_, builder]| builder.messages().count() == usize::from(id));
    }
    assert!(builder.messages().eq([&packed_fragment(1, 100, 3), &packed_fragment(2, 200, 3)]));
    // From the same address, but of a partition that is no source.
    let mut packet = Vec::new();
    let mut writer = MepWriter::begin(&mut packet, 5, 77, 1000);
    writer.push(&[1]).unwrap();
    writer.finish().unwrap();
    let protocol = Protocol::from(i32::from(IP_PROTOCOL));
    let by_hand = Socket::new(Domain::IPV4, Type::RAW, Some(protocol)).unwrap();
    let send = |from: [u8; 4], packet: &[u8]| {
        by_hand.bind(&SockAddr::from(SocketAddr::from((from, 0)))).unwrap();
        by_hand.send_to(packet, &SockAddr::from(SocketAddr::from((address(6), 0)))).unwrap();
    };
    send(address(5), &packet);
    send(address(5), &packet[..15]);
    send(address(9), &packet);
    until([&mut builder], |[builder]| builder.mesh.counts().stranger_datagrams == 1);
    let counts = builder.mesh.counts();
    assert_eq!((counts.refused["source"], counts.refused["truncated"]), (1, 1));
    assert_eq!(builder.messages().count(), 2);
}

#[test]
fn a_size_that_no_datagram_has_is_not_opened() {
    let key = Key::random().unwrap();
    for bytes in [0, 99, 65_508] {
        let udp = FragmentCarrier::Udp(at([127, 0, 0, 1], FragmentLayout::Frames, bytes));
        let refused = incast_net::readout::Mesh::open(MeshPlan { fragments: udp, ..plan(BUILDER, &key) });
        assert!(refused.is_err_and(|error| error.to_string().contains("100 to 65507")));
    }
}
