//! Both ends of UDP on 127.0.0.1: what is sent arrives, and what the kernel did not take has no counter.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use incast_core::caveat::CaveatKind;
use incast_core::control::SendPlan;
use incast_core::flood::sender::StreamPlan;
use incast_core::flood::{FloodReceiver, FloodSender, Train};
use incast_core::load::{Spacing, Stop, Transport};
use incast_core::time::{Span, Time};
use incast_core::units::Bytes;
use incast_core::wire::probe;

use super::{Control, UdpInlet, UdpOutlet, flood_udp};
use crate::clock::Clock;
use crate::socket::{socket_drops, udp_bind, udp_connect};
use crate::sys::option::{self, Settable};
use crate::test_plan;
use crate::wait::Wait;

const STREAM: u64 = 0xfeed;

fn plan(message_bytes: u32, segments_max: Option<u32>) -> SendPlan {
    SendPlan { segments_max, ..test_plan::plan(Transport::Udp, message_bytes) }
}

fn stream_plan(load: &str, stop: Stop) -> StreamPlan {
    StreamPlan {
        load: load.parse().unwrap(),
        spacing: Spacing::Fixed,
        message_bytes: 64,
        streams: 1,
        index: 0,
        stop,
        interval: Span::from_ms(100),
        seed: 1,
    }
}

/// An inlet with a buffer of `buffer` and an outlet to it.
fn pair(
    to: &str,
    message_bytes: u32,
    segments_max: Option<u32>,
    buffer: Option<Bytes>,
) -> (UdpOutlet, UdpInlet) {
    let (socket, _) = udp_bind(to.parse().unwrap(), buffer).unwrap();
    let peer = socket.local_addr().unwrap();
    let inlet = UdpInlet::open(socket).unwrap();
    let (socket, _) = udp_connect(peer, &plan(message_bytes, segments_max)).unwrap();
    (UdpOutlet::open(socket, message_bytes, Some(STREAM), segments_max).unwrap(), inlet)
}

/// Sends all of `messages` in trains as long as fit, and takes each train before the next is sent.
/// Returns the counters that came.
fn exchange(outlet: &mut UdpOutlet, inlet: &mut UdpInlet, message_bytes: usize, messages: u64) -> Vec<u64> {
    let from = outlet.socket().local_addr().unwrap();
    let mut counters = Vec::new();
    let mut next = 1;
    while next <= messages {
        let room = u64::from(outlet.room()).min(messages + 1 - next);
        next += u64::from(outlet.send(Train { first: next, messages: room.try_into().unwrap() }).unwrap());
        let expected = usize::try_from(next - 1).unwrap();
        while counters.len() < expected {
            let came = inlet.receive(Wait::Block, |arrival| {
                assert_eq!((arrival.from.decode(), arrival.truncated), (Some(from), false));
                for message in arrival.datagrams() {
                    assert_eq!((message.len(), probe::stream_id(message)), (message_bytes, Some(STREAM)));
                    counters.push(probe::counter(message).unwrap());
                }
            });
            assert!(came.unwrap() > 0, "{} of {expected} messages came", counters.len());
        }
    }
    counters
}

fn check(to: &str, message_bytes: u32, segments_max: Option<u32>) -> UdpOutlet {
    let (mut outlet, mut inlet) = pair(to, message_bytes, segments_max, None);
    let messages = u64::from(outlet.room()) * 2 + 1;
    let counters = exchange(&mut outlet, &mut inlet, message_bytes.try_into().unwrap(), messages);
    assert!(
        counters.iter().copied().eq(1..=messages),
        "{message_bytes} B: in order, none missing, none twice"
    );
    assert_eq!(socket_drops(inlet.as_fd()), Some(0));
    assert_eq!((outlet.caveats(), inlet.caveats()), (&[][..], &[][..]), "{message_bytes} B");
    assert!(outlet.send_calls() >= 3 && inlet.receive_calls() >= 3);
    outlet
}

const SIZES: [u32; 6] = [16, 64, 1_024, 1_472, 8_192, 65_507];

#[test]
fn every_message_arrives_with_its_counter_by_segmentation_offload() {
    let segments = SIZES.map(|bytes| check("127.0.0.1:0", bytes, None).segments_used());
    assert_eq!(segments, [128, 128, 63, 44, 7, 1]);
}

#[test]
fn every_message_arrives_with_its_counter_one_datagram_each() {
    for bytes in SIZES {
        assert_eq!(check("127.0.0.1:0", bytes, Some(1)).segments_used(), 1);
    }
}

#[test]
fn a_flood_that_is_held_to_single_messages_makes_a_call_for_each_and_so_does_its_receiver() {
    const MESSAGES: u64 = 40;
    for (batch, segments_max, calls) in
        [(1, Some(1), MESSAGES), (1, None, MESSAGES), (8, Some(1), MESSAGES / 8)]
    {
        let (mut outlet, mut inlet) = pair("127.0.0.1:0", 64, segments_max, None);
        inlet.set_batch(1);
        let mut sender = FloodSender::new(
            &stream_plan("unlimited", Stop { after: None, messages: Some(MESSAGES) }),
            Time::ZERO,
        );
        let control = Control::default().with_batch(Some(batch));
        flood_udp(&mut sender, &mut outlet, &Clock::start(), &control, None).unwrap();
        assert_eq!((sender.messages(), outlet.send_calls()), (MESSAGES, calls), "{batch}");
        let mut counters = Vec::new();
        while counters.len() < 40 {
            let came = inlet.receive(Wait::Block, |arrival| {
                counters.extend(arrival.datagrams().filter_map(probe::counter));
            });
            assert_eq!(came.unwrap(), 1, "{counters:?}");
        }
        assert!(counters.iter().copied().eq(1..=MESSAGES), "{counters:?}");
        assert_eq!(inlet.receive_calls(), MESSAGES, "{batch}");
    }
}

#[test]
fn ipv6_is_no_different() {
    if UdpSocket::bind("[::1]:0").is_err() {
        return; // A host without IPv6.
    }
    assert_eq!(check("[::1]:0", 1_024, None).segments_used(), 63);
    assert_eq!(check("[::1]:0", 1_024, Some(5)).segments_used(), 5);
}

#[test]
fn the_plain_protocol_has_nothing_but_the_counter() {
    let (socket, _) = udp_bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let (from, _) = udp_connect(socket.local_addr().unwrap(), &plan(24, None)).unwrap();
    let mut outlet = UdpOutlet::open(from, 24, None, None).unwrap();
    assert_eq!(outlet.send(Train { first: 258, messages: 1 }).unwrap(), 1);
    let mut inlet = UdpInlet::open(socket).unwrap();
    let mut expected = [0; 24];
    expected[..2].copy_from_slice(&[2, 1]);
    assert_eq!(inlet.receive(Wait::Block, |arrival| assert_eq!(arrival.bytes, expected)).unwrap(), 1);
}

/// Linux refuses to cut datagrams of a socket that leaves out the checksum: a real refusal.
#[test]
fn a_train_is_wholly_counted_when_segmentation_is_refused() {
    let (mut outlet, mut inlet) = pair("127.0.0.1:0", 1_024, None, None);
    option::set(outlet.socket().as_fd(), Settable::NoChecksum, 1).unwrap();
    let counters = exchange(&mut outlet, &mut inlet, 1_024, 500);
    assert!(counters.iter().copied().eq(1..=500));
    assert_eq!(outlet.segments_used(), 1);
    let kinds: Vec<_> = outlet.caveats().iter().map(|caveat| caveat.kind).collect();
    assert_eq!(kinds, [CaveatKind::GsoRefused]);
    let text = &outlet.caveats()[0].text;
    assert!(text.contains("127.0.0.1:") && text.ends_with("one datagram per message was sent"), "{text}");
}

#[test]
fn a_closed_port_takes_nothing_from_the_count() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for segments_max in [None, Some(1)] {
        let (socket, _) = udp_connect(closed, &plan(64, segments_max)).unwrap();
        let mut outlet = UdpOutlet::open(socket, 64, Some(STREAM), segments_max).unwrap();
        let mut sender = FloodSender::new(&stream_plan("unlimited", messages(10_000)), Time::ZERO);
        flood_udp(&mut sender, &mut outlet, &Clock::start(), &Control::default(), None).unwrap();
        assert_eq!(sender.messages(), 10_000);
        assert!(outlet.refused_replies() > 0, "{segments_max:?}");
        assert!(outlet.caveats().is_empty());
    }
}

/// Law: sent = received + dropped, when one datagram is one packet and nothing else loses any.
#[test]
fn what_overflows_the_receive_buffer_is_counted_by_the_kernel() {
    let (mut outlet, mut inlet) = pair("127.0.0.1:0", 1_024, Some(1), Some(Bytes(8_192)));
    let (mut sent, mut received) = (0, 0);
    while sent < 1_000 {
        sent += u64::from(outlet.send(Train { first: sent + 1, messages: 50 }).unwrap());
    }
    while inlet.receive(Wait::Poll, |arrival| received += arrival.datagrams().count()).unwrap() > 0 {}
    let drops = socket_drops(inlet.as_fd()).unwrap();
    assert!(drops > 0 && received > 0, "{drops} dropped, {received} received");
    assert_eq!(u64::try_from(received).unwrap() + drops, sent);
}

#[test]
fn a_datagram_without_payload_is_an_arrival_all_the_same() {
    let (outlet, mut inlet) = pair("127.0.0.1:0", 64, None, None);
    assert_eq!(inlet.receive(Wait::Poll, |_| ()).unwrap(), 0, "nothing is there yet");
    outlet.socket().send(&[]).unwrap();
    let mut seen = Vec::new();
    inlet.receive(Wait::Block, |arrival| seen.push((arrival.bytes.len(), arrival.segment_bytes))).unwrap();
    assert_eq!(seen, [(0, 1)]);
}

fn messages(count: u64) -> Stop {
    Stop { after: None, messages: Some(count) }
}

#[test]
fn a_paced_flood_is_received_whole() {
    let (mut outlet, mut inlet) = pair("127.0.0.1:0", 64, None, None);
    let clock = Clock::start();
    let control = Control::default();
    let mut receiver = FloodReceiver::new(Time::ZERO, Span::from_ms(10));
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut sender =
                FloodSender::new(&stream_plan("100kHz", messages(2_000)), Time::ZERO + Span::from_ms(1));
            flood_udp(&mut sender, &mut outlet, &clock, &control, None).unwrap();
            sender
        });
        while receiver.counts().unique < 2_000 {
            receiver.handle_batch(clock.now());
            let take = |arrival: super::Arrival<'_>| {
                for message in arrival.datagrams() {
                    receiver.handle_message(probe::counter(message).unwrap());
                }
            };
            inlet.receive(Wait::Block, take).unwrap();
            assert!(clock.now() < Time::ZERO + Span::from_s(20), "{:?}", receiver.counts());
        }
        let sender = sending.join().unwrap();
        assert_eq!((sender.messages(), control.messages()), (2_000, 2_000));
        assert!(sender.duration() >= Span::from_ms(19), "2000 messages at 100 kHz: {}", sender.duration());
    });
    assert_eq!((receiver.counts().unique, receiver.counts().lost), (2_000, 0));
}

#[test]
fn a_flood_ends_when_it_is_stopped_and_at_its_deadline() {
    let (mut outlet, _inlet) = pair("127.0.0.1:0", 64, None, None);
    let (clock, control) = (Clock::start(), Control::default());
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut sender =
                FloodSender::new(&stream_plan("unlimited", Stop::after(Span::from_s(3_600))), Time::ZERO);
            flood_udp(&mut sender, &mut outlet, &clock, &control, None).unwrap();
            (sender.messages(), sender.is_finished())
        });
        while control.messages() == 0 {
            std::thread::yield_now();
        }
        control.stop();
        assert_eq!(sending.join().unwrap(), (control.messages(), true));
    });
    let stop = Stop::after(Span::from_ms(5));
    let start = clock.now();
    let mut sender = FloodSender::new(&stream_plan("10kHz", stop), start);
    flood_udp(&mut sender, &mut outlet, &clock, &Control::default(), Some(start + Span::from_ms(5))).unwrap();
    assert_eq!(sender.duration(), Span::from_ms(5));
}

#[test]
fn a_socket_may_answer_whom_it_received_from() {
    let (mut outlet, mut inlet) = pair("127.0.0.1:0", 64, None, None);
    outlet.send(Train { first: 1, messages: 1 }).unwrap();
    let mut from: Option<SocketAddr> = None;
    inlet.receive(Wait::Block, |arrival| from = arrival.from.decode()).unwrap();
    inlet.socket().send_to(b"hello", from.unwrap()).unwrap();
    let mut answer = [0; 8];
    assert_eq!(outlet.socket().recv(&mut answer).unwrap(), 5);
}
