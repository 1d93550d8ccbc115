//! BBR on one bottleneck: it fills the link, keeps the queue short, and does not mind random loss.

#[path = "support/tcp_pipe.rs"]
mod tcp_pipe;

use incast_core::random::Random;
use incast_core::time::{Span, Time};
use incast_sim::tcp::{Congestion, Segment, TcpPlan};
use tcp_pipe::{Fate, Pipe};

const MSS: u64 = 1_000;
/// 80 Mb/s: 10 000 segments in a second; in a round trip of 20 ms 200 of them.
const BYTE_PS: u64 = 100_000;
const PATH_BYTES: u64 = 200 * MSS;

fn pipe(congestion: Congestion) -> Pipe {
    let plan = TcpPlan {
        congestion,
        mss_bytes: 1_000,
        segment_bytes_max: 1_000,
        send_buffer_bytes: 1 << 30,
        receive_buffer_bytes: 1 << 30,
        ..TcpPlan::default()
    };
    let mut pipe = Pipe::new(plan, Span::from_ms(10), 1_000_000_000);
    pipe.byte_ps = BYTE_PS;
    pipe
}

fn second(number: u64) -> Time {
    Time::ZERO + Span::from_s(number)
}

fn fine(_: u64, _: &Segment) -> Fate {
    Fate::Arrives
}

#[test]
fn bbr_fills_the_link_and_empties_its_queue() {
    let mut pipe = pipe(Congestion::Bbr);
    pipe.run_until(second(1), fine, |_| Fate::Arrives);
    let before = pipe.read;
    let mut most = 0;
    for step in 1..=400 {
        pipe.run_until(second(1) + Span::from_ms(10 * step), fine, |_| Fate::Arrives);
        most = most.max(pipe.sender.unacked_bytes());
    }
    // 40 MB in four seconds; draft section 4.2.1 paces one per cent below.
    let read = pipe.read - before;
    assert!((39_000_000..=40_000_000).contains(&read), "{read}");
    // The cycle's 5/4 leaves a quarter of the path's bytes in the queue for one round trip, and 3/4 takes them out.
    assert!((PATH_BYTES..PATH_BYTES * 3 / 2).contains(&most), "{most}");
}

#[test]
fn startup_doubles_until_the_pipe_is_full_and_drains() {
    let mut pipe = pipe(Congestion::Bbr);
    pipe.run_until(Time::from_ns(400_000_000), fine, |_| Fate::Arrives);
    let counts = pipe.sender.counts();
    // Draft section 4.3.2: the queue of startup is at most about two more of the path's bytes.
    assert!((2 * PATH_BYTES..4 * PATH_BYTES).contains(&counts.cwnd_bytes.max), "{counts:?}");
    assert!(pipe.sender.unacked_bytes() < PATH_BYTES * 3 / 2, "{}", pipe.sender.unacked_bytes());
}

#[test]
fn every_ten_seconds_bbr_looks_at_the_empty_path() {
    let mut pipe = pipe(Congestion::Bbr);
    // A path in which the queue never empties by itself: after a second every round trip is longer.
    let slow =
        |index: u64, _: &Segment| if index > 10_000 { Fate::Late(Span::from_ms(5)) } else { Fate::Arrives };
    pipe.run_until(second(9), slow, |_| Fate::Arrives);
    assert!(pipe.sender.cwnd_bytes() > PATH_BYTES);
    let mut least = u64::MAX;
    for step in 0..400 {
        pipe.run_until(second(9) + Span::from_ms(10 * step), slow, |_| Fate::Arrives);
        least = least.min(pipe.sender.cwnd_bytes());
    }
    assert_eq!(least, 4 * MSS);
    assert!(pipe.sender.cwnd_bytes() > PATH_BYTES, "{}", pipe.sender.cwnd_bytes());
}

#[test]
fn one_loss_in_a_hundred_stops_reno_and_not_bbr() {
    let read = |congestion| {
        let mut pipe = pipe(congestion);
        let mut random = Random::named(9, "losses");
        let fate = |_: u64, _: &Segment| {
            if random.next_u64().is_multiple_of(100) { Fate::Lost } else { Fate::Arrives }
        };
        pipe.run_until(second(5), fate, |_| Fate::Arrives);
        pipe.read
    };
    let (bbr, reno) = (read(Congestion::Bbr), read(Congestion::NewReno));
    // Of 50 MB; Reno by the square root law has 12 segments in a round trip of 200.
    assert!(bbr > 40_000_000, "{bbr}");
    assert!(reno < 5_000_000, "{reno}");
}
