//! What one sending and one receiving thread reach over 127.0.0.1, everything counted.
//!
//! `ceiling udp|tcp MESSAGE_BYTES SECONDS poll|block SEGMENTS_MAX` prints one line of JSON. Sender on core 0,
//! receiver on core 1.
#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a scratch program")]

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use incast_core::control::SendPlan;
use incast_core::flood::sender::StreamPlan;
use incast_core::flood::{FloodReceiver, FloodSender};
use incast_core::load::{Load, Spacing, Stop, Transport};
use incast_core::raw::RawPlan;
use incast_core::time::{Span, Time};
use incast_core::wire::{probe, stream::Deframer};
use incast_net::clock::Clock;
use incast_net::socket;
use incast_net::tcp::{TcpInlet, TcpOutlet, flood_tcp};
use incast_net::udp::{Control, UdpInlet, UdpOutlet, flood_udp};
use incast_net::wait::Wait;

const STREAM: u64 = 0x1234_5678_9abc_def0;
/// The sender's total plus one; 0 while it is unknown.
static TOTAL: AtomicU64 = AtomicU64::new(0);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().collect();
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    let message_bytes: u32 = word(2).parse()?;
    let seconds: f64 = word(3).parse()?;
    let wait = if word(4) == "poll" { Wait::Poll } else { Wait::Block };
    let segments_max: Option<u32> = word(5).parse().ok();
    let transport = if word(1) == "tcp" { Transport::Tcp } else { Transport::Udp };
    let load: Load = if word(6).is_empty() { Load::Unlimited } else { word(6).parse()? };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a scratch program")]
    let after = Span::from_ns((seconds * 1e9) as u64);
    let plan = SendPlan {
        transport,
        message_bytes,
        streams: 1,
        load,
        spacing: Spacing::Fixed,
        stop: Stop::after(after),
        start_after: Span::ZERO,
        interval: Span::from_ms(100),
        seed: 1,
        spin: false,
        send_buffer: None,
        congestion: None,
        no_delay: false,
        dscp: None,
        segments_max,
        send_batch: None,
        raw: RawPlan::default(),
        probe: None,
    };
    let clock = Clock::start();
    let receiver = match transport {
        Transport::Tcp => tcp(&plan, clock, wait)?,
        _ => udp(&plan, clock, wait)?,
    };
    let counts = receiver.counts();
    let span =
        receiver.last().zip(receiver.first()).map_or(0.0, |(last, first)| last.as_s_f64() - first.as_s_f64());
    let total = TOTAL.load(Ordering::Relaxed) - 1;
    println!(
        "{{\"sent\": {total}, \"unique\": {}, \"lost\": {}, \"rate\": {:.0}, \"gbit\": {:.2}}}",
        counts.unique,
        counts.lost,
        counts.unique as f64 / span,
        counts.unique as f64 * f64::from(message_bytes) * 8.0 / span / 1e9
    );
    Ok(())
}

fn stream_plan(plan: &SendPlan) -> StreamPlan {
    StreamPlan {
        load: plan.load,
        spacing: plan.spacing,
        message_bytes: plan.message_bytes,
        streams: 1,
        index: 0,
        stop: plan.stop,
        interval: plan.interval,
        seed: 1,
    }
}

fn deadline(plan: &SendPlan) -> Option<Time> {
    plan.stop.after.map(|after| START + after)
}

const START: Time = Time::from_ns(50_000_000);

fn udp(plan: &SendPlan, clock: Clock, wait: Wait) -> Result<FloodReceiver, Box<dyn std::error::Error>> {
    let (socket, granted) = socket::udp_bind(SocketAddr::from(([127, 0, 0, 1], 0)), None)?;
    let peer = socket.local_addr()?;
    eprintln!("{granted:?}");
    let mut inlet = UdpInlet::open(socket)?;
    let (socket, _) = socket::udp_connect(peer, plan)?;
    let mut outlet = UdpOutlet::open(socket, plan.message_bytes, Some(STREAM), plan.segments_max)?;
    let (stream_plan, deadline) = (stream_plan(plan), deadline(plan));
    let sending = std::thread::spawn(move || {
        socket::pin_to_core(0);
        let mut sender = FloodSender::new(&stream_plan, START);
        flood_udp(&mut sender, &mut outlet, &clock, &Control::default(), deadline)?;
        TOTAL.store(sender.messages() + 1, Ordering::Relaxed);
        let error = sender.departure_error();
        eprintln!("calls {} segments {} {:?}", outlet.send_calls(), outlet.segments_used(), outlet.caveats());
        eprintln!("late p50 {:?} p99 {:?}", error.quantile(0.5), error.quantile(0.99));
        Ok::<_, std::io::Error>(())
    });
    socket::pin_to_core(1);
    let mut receiver = FloodReceiver::new(START, Span::from_ms(100));
    loop {
        let mut fresh = true;
        let came = inlet.receive(wait, |arrival| {
            if std::mem::take(&mut fresh) {
                receiver.handle_batch(clock.now());
            }
            for message in arrival.datagrams() {
                if let (Some(counter), Some(STREAM)) = (probe::counter(message), probe::stream_id(message)) {
                    receiver.handle_message(counter);
                }
            }
        })?;
        if came > 0 {
            receiver.handle_batch_end();
        } else if is_over(&mut receiver, &clock) {
            break;
        }
    }
    eprintln!(
        "receive calls {} drops {:?}",
        inlet.receive_calls(),
        socket::socket_drops(std::os::fd::AsFd::as_fd(&inlet))
    );
    let _ = sending.join();
    receiver.finish();
    Ok(receiver)
}

fn is_over(receiver: &mut FloodReceiver, clock: &Clock) -> bool {
    match TOTAL.load(Ordering::Relaxed) {
        0 => false,
        total => {
            receiver.handle_total(clock.now(), total - 1);
            receiver.is_drained(clock.now())
        }
    }
}

fn tcp(plan: &SendPlan, clock: Clock, wait: Wait) -> Result<FloodReceiver, Box<dyn std::error::Error>> {
    let (listener, _) = socket::tcp_listen(SocketAddr::from(([127, 0, 0, 1], 0)), None, 8)?;
    let (stream, _) = socket::tcp_connect(listener.local_addr()?, plan, Duration::from_secs(1))?;
    let (accepted, _): (TcpStream, _) = listener.accept()?;
    let mut outlet = TcpOutlet::open(stream, plan.message_bytes, Some(STREAM))?;
    let mut inlet = TcpInlet::open(accepted)?;
    let (stream_plan, deadline) = (stream_plan(plan), deadline(plan));
    let sending = std::thread::spawn(move || {
        socket::pin_to_core(0);
        let mut sender = FloodSender::new(&stream_plan, START);
        flood_tcp(&mut sender, &mut outlet, &clock, &Control::default(), deadline)?;
        TOTAL.store(sender.messages() + 1, Ordering::Relaxed);
        eprintln!(
            "calls {} {:?}",
            outlet.send_calls(),
            incast_net::tcp::tcp_summary(std::os::fd::AsFd::as_fd(outlet.stream()))
        );
        Ok::<_, std::io::Error>(())
    });
    socket::pin_to_core(1);
    let mut receiver = FloodReceiver::new(START, Span::from_ms(100));
    let mut deframer = Deframer::new(plan.message_bytes);
    while let Some(bytes) = inlet.receive(wait, |bytes| {
        receiver.handle_batch(clock.now());
        deframer.handle_bytes(bytes, |counter| {
            receiver.handle_message(counter);
        });
        receiver.handle_batch_end();
    })? {
        let _ = bytes;
    }
    let _ = sending.join();
    let total = TOTAL.load(Ordering::Relaxed).saturating_sub(1);
    receiver.handle_total(clock.now(), total);
    eprintln!("receive calls {}", inlet.receive_calls());
    receiver.finish();
    Ok(receiver)
}
