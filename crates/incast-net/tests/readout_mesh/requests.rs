//! Tokens of builders to the trigger as LHCb's requests: over UDP, raw IP, and of builders that connected only.

use std::net::{SocketAddr, UdpSocket};

use incast_core::readout::{Destination, Incarnation, Message, Peer, Token};
use incast_core::wire::mep_request::MepRequest;
use incast_net::key::Key;
use incast_net::readout::{Data, DatagramPlan, FragmentCarrier, FragmentLayout, MeshEvent, MeshPlan};

use crate::datagrams::{may_open_raw_sockets, raw};
use crate::roles::{BUILDER, LIFE, OTHER_BUILDER, RUN, Role, TRIGGER, plan, until};

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const TCP: FragmentCarrier = FragmentCarrier::MepTcp { requests: LOCAL };
const UDP: FragmentCarrier =
    FragmentCarrier::Udp(DatagramPlan { bind: LOCAL, layout: FragmentLayout::Mep, datagram_bytes_max: 8192 });

fn token(builder: u16, life: Incarnation, number: u64, void_below: u64) -> Message<Data> {
    Message::Token(Token { from: Destination(builder), incarnation: life, number, void_below })
}

fn trigger(carrier: FragmentCarrier, key: &Key) -> Role {
    Role::open(MeshPlan { fragments: carrier, ..plan(TRIGGER, key) })
}

/// A builder that is connected to the trigger.
fn builder(me: Peer, life: Incarnation, carrier: FragmentCarrier, key: &Key, trigger: &mut Role) -> Role {
    let mut builder = Role::open(MeshPlan { life, fragments: carrier, ..plan(me, key) });
    builder.dial(TRIGGER, trigger);
    until([&mut builder, trigger], |[builder, trigger]| {
        builder.mesh.is_up(TRIGGER) && trigger.has_told(&MeshEvent::Up(me, life))
    });
    builder
}

/// Tokens of two builders cross, each as its own and in the life of its builder.
fn cross(carriers: [FragmentCarrier; 3]) {
    let key = Key::random().unwrap();
    let mut trigger = trigger(carriers[0], &key);
    let lives = [Incarnation(5), Incarnation(u64::MAX - 6)];
    let mut one = builder(BUILDER, lives[0], carriers[1], &key, &mut trigger);
    let mut two = builder(OTHER_BUILDER, lives[1], carriers[2], &key, &mut trigger);
    let mut expected = Vec::new();
    for (number, void_below) in [(1, 1), (2, 1), (3, 3)] {
        for (id, from) in [(0_u16, &mut one), (1, &mut two)] {
            let message = token(id, lives[usize::from(id)], number, void_below);
            from.mesh.send(TRIGGER, message.clone()).unwrap();
            expected.push(message);
            until([from, &mut trigger], |[_, trigger]| trigger.messages().count() == expected.len());
        }
    }
    assert!(trigger.messages().eq(&expected));
    let counts = trigger.mesh.counts();
    assert_eq!((counts.mep_requests.requests, counts.mep_requests.clears), (6, 4));
    assert_eq!(
        (counts.datagrams.received, counts.stranger_datagrams, counts.stream_bytes.received),
        (10, 0, 0)
    );
    for from in [&one, &two] {
        let counts = from.mesh.counts();
        assert_eq!((counts.mep_requests.requests, counts.mep_requests.clears), (3, 2));
        assert_eq!((counts.datagrams.sent, counts.datagrams_unsent, counts.sent["token"]), (5, 0, 3));
    }
}

#[test]
fn tokens_travel_as_requests_over_udp() {
    cross([TCP; 3]);
    cross([UDP; 3]);
}

#[test]
fn tokens_travel_as_requests_in_ip_datagrams_even_from_one_address() {
    if may_open_raw_sockets() {
        let carrier = |host| raw(host, FragmentLayout::Mep);
        cross([carrier(20), carrier(21), carrier(22)]);
        cross([carrier(23), carrier(24), carrier(24)]);
    }
}

#[test]
fn requests_of_strangers_and_rubbish_are_counted_and_grant_nothing() {
    let key = Key::random().unwrap();
    let mut trigger = trigger(TCP, &key);
    let address = trigger.mesh.fragment_address();
    assert_eq!(address, None, "it takes no fragments");
    // It knows everything but a builder's address.
    let forger = UdpSocket::bind(LOCAL).unwrap();
    let mut from = Role::open(MeshPlan { fragments: TCP, ..plan(BUILDER, &key) });
    from.dial(TRIGGER, &trigger);
    until([&mut from, &mut trigger], |[from, trigger]| {
        from.mesh.is_up(TRIGGER) && trigger.mesh.is_up(BUILDER)
    });
    let to = trigger.mesh.request_address().unwrap();
    let good = MepRequest { incarnation: LIFE.0, ..MepRequest::new(1, 1, RUN.0).unwrap() }.emit();
    for datagram in [&good[..], b"", b"rubbish"] {
        forger.send_to(datagram, to).unwrap();
    }
    until([&mut trigger], |[trigger]| trigger.mesh.counts().stranger_datagrams == 3);
    assert_eq!(trigger.mesh.counts().stranger_example, Some(forger.local_addr().unwrap()));
    // Those of the builder itself, wrong in every way.
    drop(from);
    until([&mut trigger], |[trigger]| !trigger.mesh.is_up(BUILDER));
    let mut from = builder(BUILDER, LIFE, TCP, &key, &mut trigger);
    from.mesh.send(TRIGGER, token(0, Incarnation(9), 1, 1)).unwrap();
    until([&mut from, &mut trigger], |[_, trigger]| trigger.mesh.counts().mep_requests.of_another_life == 2);
    assert_eq!(trigger.messages().count(), 0);
    from.mesh.send(TRIGGER, token(0, LIFE, 1, 1)).unwrap();
    until([&mut from, &mut trigger], |[_, trigger]| trigger.messages().count() == 1);
    // A trigger that takes no requests gets none, and that is counted.
    let mut other = Role::open(plan(TRIGGER, &key));
    let mut from = builder(BUILDER, LIFE, TCP, &key, &mut other);
    from.mesh.send(TRIGGER, token(0, LIFE, 1, 1)).unwrap();
    assert_eq!((from.mesh.counts().datagrams_unsent, other.messages().count()), (1, 0));
}
