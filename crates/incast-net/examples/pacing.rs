//! How late paced messages leave: ours beside a plain busy wait on the clock, as udpmon paces.
//!
//! `pacing GAP_US MESSAGES ROUNDS` takes turns between the two, over one UDP socket on 127.0.0.1 that nobody reads
//! quickly, and prints one line of JSON: median, 99th percentile and largest lateness of each round, nanoseconds.
//! udpmon itself is not here: R. Hughes-Jones' program spins on the time stamp counter until the next multiple of the gap
//! and sends then; so does this loop, on the clock that ours uses as well.
#![expect(clippy::print_stdout, reason = "a scratch program")]

use std::net::{SocketAddr, UdpSocket};

use incast_core::control::SendPlan;
use incast_core::flood::FloodSender;
use incast_core::flood::sender::StreamPlan;
use incast_core::load::{Load, Spacing, Stop, Transport};
use incast_core::raw::RawPlan;
use incast_core::stats::LogHistogram;
use incast_core::time::Span;
use incast_net::clock::Clock;
use incast_net::socket;
use incast_net::udp::{Control, UdpOutlet, flood_udp};
use incast_net::wait::Wait;

const MESSAGE_BYTES: u32 = 64;
const STREAM: u64 = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().collect();
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    let gap = Span::from_us(word(1).parse()?);
    let (messages, rounds): (u64, u32) = (word(2).parse()?, word(3).parse()?);
    // The kernel drops what does not fit: nobody has to read.
    let sink = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(paced(gap, messages, &sink)?);
        plain.push(busy_wait(gap, messages, &sink)?);
    }
    println!("{{\"ours\": [{}], \"plain\": [{}]}}", ours.join(", "), plain.join(", "));
    Ok(())
}

fn told(late: &LogHistogram) -> String {
    let [half, most] = [0.5, 0.99].map(|q| late.quantile(q).unwrap_or(0));
    format!("[{half}, {most}, {}]", late.max().unwrap_or(0))
}

/// Ours: the pacer and the loop of every sending thread, spinning.
fn paced(gap: Span, messages: u64, sink: &UdpSocket) -> Result<String, Box<dyn std::error::Error>> {
    let plan = SendPlan {
        transport: Transport::Udp,
        message_bytes: MESSAGE_BYTES,
        streams: 1,
        load: Load::Gap(gap),
        spacing: Spacing::Fixed,
        stop: Stop { messages: Some(messages), after: None },
        start_after: Span::ZERO,
        interval: Span::from_s(1),
        seed: 1,
        spin: true,
        send_buffer: None,
        congestion: None,
        no_delay: false,
        dscp: None,
        segments_max: Some(1),
        send_batch: None,
        probe: None,
        raw: RawPlan::default(),
    };
    let (socket, _) = socket::udp_connect(sink.local_addr()?, &plan)?;
    let mut outlet = UdpOutlet::open_probe(socket, MESSAGE_BYTES, STREAM)?;
    let clock = Clock::start();
    let stream = StreamPlan {
        load: plan.load,
        spacing: plan.spacing,
        message_bytes: MESSAGE_BYTES,
        streams: 1,
        index: 0,
        stop: plan.stop,
        interval: plan.interval,
        seed: 1,
    };
    let mut sender = FloodSender::new(&stream, clock.now() + Span::from_ms(1));
    flood_udp(&mut sender, &mut outlet, &clock, &Control::new(Wait::Poll), None)?;
    Ok(told(sender.departure_error()))
}

/// The plain technique: spin until the next multiple of the gap, send, and never look back.
fn busy_wait(gap: Span, messages: u64, sink: &UdpSocket) -> Result<String, Box<dyn std::error::Error>> {
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.connect(sink.local_addr()?)?;
    let message = vec![0; usize::try_from(MESSAGE_BYTES)?];
    let clock = Clock::start();
    let mut late = LogHistogram::new();
    let mut next = clock.now() + Span::from_ms(1);
    for _ in 0..messages {
        let mut now = clock.now();
        while now < next {
            std::hint::spin_loop();
            now = clock.now();
        }
        late.record(now.since(next).as_ns());
        socket.send(&message)?;
        next += gap;
    }
    Ok(told(&late))
}
