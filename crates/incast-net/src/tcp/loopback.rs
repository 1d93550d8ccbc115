//! Both ends of TCP on 127.0.0.1: messages of odd sizes arrive whole, and none is counted that was not
//! written whole.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Duration;

use incast_core::control::SendPlan;
use incast_core::flood::FloodSender;
use incast_core::flood::sender::StreamPlan;
use incast_core::load::{Load, Spacing, Stop, Transport};
use incast_core::time::{Span, Time};
use incast_core::units::Bytes;
use incast_core::wire::stream::Deframer;

use super::{TcpInlet, TcpOutlet, flood_tcp};
use crate::clock::Clock;
use crate::socket::{tcp_connect, tcp_listen};
use crate::test_plan;
use crate::udp::Control;
use crate::wait::{Wait, wait_until};

const STREAM: u64 = 0xfeed;

fn plan(message_bytes: u32, send_buffer: Option<Bytes>) -> SendPlan {
    SendPlan { send_buffer, ..test_plan::plan(Transport::Tcp, message_bytes) }
}

fn sender(message_bytes: u32, stop: Stop) -> FloodSender {
    let plan = StreamPlan {
        load: Load::Unlimited,
        spacing: Spacing::Fixed,
        message_bytes,
        streams: 1,
        index: 0,
        stop,
        interval: Span::from_ms(100),
        seed: 1,
    };
    FloodSender::new(&plan, Time::ZERO)
}

/// An outlet, and the connection at the other end; small buffers if `buffer` is given.
fn pair(message_bytes: u32, buffer: Option<Bytes>) -> (TcpOutlet, TcpStream) {
    let (listener, _) = tcp_listen("127.0.0.1:0".parse().unwrap(), buffer, 1).unwrap();
    let plan = plan(message_bytes, buffer);
    let (stream, granted) =
        tcp_connect(listener.local_addr().unwrap(), &plan, Duration::from_secs(5)).unwrap();
    assert_eq!(granted.caveats, []);
    (TcpOutlet::open(stream, message_bytes, Some(STREAM)).unwrap(), listener.accept().unwrap().0)
}

/// Everything until the end of the stream: the counters of whole messages, and the bytes of one cut off.
fn drain(stream: TcpStream, message_bytes: u32) -> (Vec<u64>, usize) {
    let mut inlet = TcpInlet::open(stream).unwrap();
    let mut deframer = Deframer::new(message_bytes);
    let mut counters = Vec::new();
    while inlet
        .receive(Wait::Block, |bytes| deframer.handle_bytes(bytes, |counter| counters.push(counter)))
        .unwrap()
        .is_some()
    {}
    (counters, deframer.partial_bytes())
}

fn messages(count: u64) -> Stop {
    Stop { after: None, messages: Some(count) }
}

#[test]
fn messages_of_any_size_arrive_whole_and_in_order() {
    // Around the size of a write, too.
    for (bytes, count) in
        [(16, 100_000), (1_000, 20_001), (131_071, 50), (131_073, 50), ((1 << 20) + 3, 20), (16 << 20, 3)]
    {
        let (mut outlet, stream) = pair(bytes, None);
        let receiving = std::thread::spawn(move || drain(stream, bytes));
        let mut sender = sender(bytes, messages(count));
        let control = Control::default();
        flood_tcp(&mut sender, &mut outlet, &Clock::start(), &control, None).unwrap();
        assert_eq!((sender.messages(), control.messages(), outlet.partial_bytes()), (count, count, 0));
        drop(outlet);
        let (counters, partial) = receiving.join().unwrap();
        assert!(counters.iter().copied().eq(1..=count), "{bytes} B: {} of {count}", counters.len());
        assert_eq!(partial, 0, "{bytes} B");
    }
}

#[test]
fn a_flood_that_is_held_to_single_messages_writes_and_reads_each_by_itself() {
    let count = 500;
    let (mut outlet, stream) = pair(1_000, None);
    let receiving = std::thread::spawn(move || {
        let mut inlet = TcpInlet::open(stream).unwrap();
        inlet.set_batch(1_000);
        let mut most = 0;
        while let Some(bytes) = inlet.receive(Wait::Block, |_| {}).unwrap() {
            most = most.max(bytes);
        }
        (inlet.receive_calls(), most)
    });
    let control = Control::default().with_batch(Some(1));
    let mut sender = sender(1_000, messages(count));
    flood_tcp(&mut sender, &mut outlet, &Clock::start(), &control, None).unwrap();
    assert!(outlet.send_calls() >= count, "{} calls", outlet.send_calls());
    drop(outlet);
    let (calls, most) = receiving.join().unwrap();
    assert!(calls >= count && most <= 1_000, "{calls} calls, up to {most} B");
}

#[test]
fn the_head_of_each_message_names_its_stream() {
    for bytes in [16_u32, 131_073] {
        let (mut outlet, mut stream) = pair(bytes, None);
        let receiving = std::thread::spawn(move || {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            all
        });
        flood_tcp(&mut sender(bytes, messages(3)), &mut outlet, &Clock::start(), &Control::default(), None)
            .unwrap();
        drop(outlet);
        let all = receiving.join().unwrap();
        let size = usize::try_from(bytes).unwrap();
        assert_eq!(all.len(), 3 * size);
        for (message, counter) in all.chunks(size).zip(1_u64..) {
            assert_eq!(message[..16], [counter.to_le_bytes(), STREAM.to_le_bytes()].concat());
            assert!(message[16..].iter().all(|byte| *byte == 0));
        }
    }
}

const SMALL: Option<Bytes> = Some(Bytes(32_768));

#[test]
fn at_the_deadline_the_message_in_progress_is_finished_and_no_other_begun() {
    for bytes in [1_000_u32, (1 << 20) + 3] {
        let (mut outlet, stream) = pair(bytes, SMALL);
        let clock = Clock::start();
        let deadline = Time::ZERO + Span::from_ms(30);
        let receiving = std::thread::spawn(move || {
            // The peer takes nothing until the deadline has passed: the sender is stuck in a train.
            wait_until(&clock, deadline + Span::from_ms(10), Wait::Block);
            drain(stream, bytes)
        });
        let mut sender = sender(bytes, Stop::after(deadline.since(Time::ZERO)));
        flood_tcp(&mut sender, &mut outlet, &clock, &Control::default(), Some(deadline)).unwrap();
        assert_eq!((sender.duration(), outlet.partial_bytes()), (Span::from_ms(30), 0));
        drop(outlet);
        let (counters, partial) = receiving.join().unwrap();
        assert!(counters.iter().copied().eq(1..=sender.messages()), "{bytes} B");
        assert_eq!(partial, 0);
    }
}

#[test]
fn a_peer_that_takes_nothing_leaves_an_exact_account() {
    for bytes in [20_000_u32, 1 << 20] {
        let (mut outlet, stream) = pair(bytes, SMALL);
        let mut sender = sender(bytes, messages(1_000_000));
        let control = Control::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                stream.peek(&mut [0]).unwrap();
                control.stop();
            });
            flood_tcp(&mut sender, &mut outlet, &Clock::start(), &control, None).unwrap();
        });
        let partial = outlet.partial_bytes();
        drop(outlet);
        let (counters, cut_off) = drain(stream, bytes);
        assert!(counters.iter().copied().eq(1..=sender.messages()), "{bytes} B: whole messages and no other");
        assert_eq!(cut_off, partial, "{bytes} B");
        assert!(
            bytes < 1 << 20 || (partial > 0 && sender.messages() == 0),
            "the buffers hold no message so large"
        );
    }
}

#[test]
fn a_receiver_that_goes_away_ends_the_flood_without_phantom_messages() {
    for bytes in [1_000_u32, (1 << 20) + 3] {
        let (mut outlet, mut stream) = pair(bytes, SMALL);
        let size = usize::try_from(bytes).unwrap();
        let receiving = std::thread::spawn(move || {
            let mut three = vec![0; 3 * size];
            stream.read_exact(&mut three).unwrap();
        });
        let mut sender = sender(bytes, messages(1_000_000));
        let error =
            flood_tcp(&mut sender, &mut outlet, &Clock::start(), &Control::default(), None).unwrap_err();
        receiving.join().unwrap();
        assert!(
            matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
            "{error}"
        );
        assert!(sender.is_finished());
        // Three were read; what the two buffers held besides was written whole, and no more than that.
        let held = 4 * 2 * 32_768 / u64::from(bytes) + 1;
        assert!((3..=3 + held).contains(&sender.messages()), "{bytes} B: {}", sender.messages());
    }
}

#[test]
fn a_reset_is_not_the_end_of_the_stream() {
    for reset in [false, true] {
        let (outlet, stream) = pair(1_000, None);
        let mut inlet = TcpInlet::open(stream).unwrap();
        assert_eq!(inlet.receive(Wait::Poll, |_| ()).unwrap(), Some(0), "nothing is there yet");
        assert_eq!(inlet.receive(Wait::Block, |_| ()).unwrap(), Some(0), "nor after a wait");
        if reset {
            socket2::SockRef::from(outlet.stream()).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(outlet);
        match inlet.receive(Wait::Block, |_| ()) {
            Ok(None) => assert!(!reset),
            Err(error) => assert!(reset && error.kind() == io::ErrorKind::ConnectionReset, "{error}"),
            Ok(Some(bytes)) => panic!("{bytes} bytes came"),
        }
        assert_eq!(inlet.receive_calls(), 0);
    }
}
