//! One connection against what is known of TCP: growth, the square root law, CUBIC's cube, timers, delayed
//! acknowledgements, silence, closed windows, lost tails.

#[path = "support/tcp_pipe.rs"]
mod tcp_pipe;

use incast_core::random::Random;
use incast_core::time::{Span, Time};
use incast_sim::tcp::{Congestion, Segment, TcpPlan, TcpSender};
use tcp_pipe::{Fate, Pipe};

const MSS: u64 = 1_000;

fn plan(congestion: Congestion) -> TcpPlan {
    TcpPlan {
        congestion,
        mss_bytes: 1_000,
        segment_bytes_max: 1_000,
        delayed_ack: None,
        has_rack: false,
        send_buffer_bytes: 1 << 30,
        receive_buffer_bytes: 1 << 30,
        ..TcpPlan::default()
    }
}

fn fine(_: u64, _: &Segment) -> Fate {
    Fate::Arrives
}

#[test]
fn slow_start_doubles_in_a_round_trip() {
    for congestion in [Congestion::Reno, Congestion::NewReno, Congestion::Cubic] {
        for delayed_ack in [None, Some(Span::from_ms(40))] {
            let plan = TcpPlan { initial_window_segments: 2, delayed_ack, ..plan(congestion) };
            let mut pipe = Pipe::new(plan, Span::from_ms(50), 10_000_000);
            for round in 1..10 {
                pipe.run_until(Time::from_ns(round * 100_000_000), fine, |_| Fate::Arrives);
                // Bytes are counted, not acknowledgements: delayed ones make no difference (RFC 3465).
                assert_eq!(pipe.sender.cwnd_bytes(), (2 * MSS) << round, "{congestion:?}, round {round}");
            }
        }
    }
}

/// Segments delivered in a round trip, on average, when `is_lost` says which are lost.
#[expect(clippy::cast_precision_loss, reason = "for a comparison with a formula")]
fn segments_per_round_trip(plan: TcpPlan, bytes: u64, mut is_lost: impl FnMut(u64) -> bool) -> f64 {
    let mut pipe = Pipe::new(plan, Span::from_ms(50), bytes);
    pipe.run(|index, _| if is_lost(index) { Fate::Lost } else { Fate::Arrives }, |_| Fate::Arrives);
    assert_eq!(pipe.read, bytes);
    bytes as f64 / MSS as f64 / (pipe.now.since(Time::ZERO).as_s_f64() / 0.1)
}

#[test]
fn reno_follows_the_square_root_law() {
    // Mathis, Semke, Mahdavi, Ott 1997: sqrt(3/2) / sqrt(p) segments in a round trip, one loss in each 1/p segments.
    for (one_in, has_sack) in [(200_u32, false), (200, true), (1_000, false), (1_000, true)] {
        let expected = (1.5 * f64::from(one_in)).sqrt();
        let plan = TcpPlan { has_sack, ..plan(Congestion::NewReno) };
        let is_lost = |index: u64| index % u64::from(one_in) == u64::from(one_in) / 2;
        let found = segments_per_round_trip(plan, 100_000 * MSS, is_lost);
        assert!(
            (found / expected - 1.0).abs() < 0.15,
            "periodic, 1 in {one_in}, {has_sack}: {found} {expected}"
        );
        let mut random = Random::named(3, "losses");
        let is_lost = |_| random.next_u64().is_multiple_of(u64::from(one_in));
        let found = segments_per_round_trip(plan, 400_000 * MSS, is_lost);
        assert!(
            (found / expected - 1.0).abs() < 0.15,
            "random, 1 in {one_in}, {has_sack}: {found} {expected}"
        );
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "for a comparison with a formula")]
fn cubic_grows_as_a_cube_after_a_loss() {
    let plan = TcpPlan { initial_window_segments: 500, ..plan(Congestion::Cubic) };
    let mut pipe = Pipe::new(plan, Span::from_ms(50), 500_000_000);
    let lose_first = |index: u64, _: &Segment| if index == 0 { Fate::Lost } else { Fate::Arrives };
    // The loss is found after one round trip, and repaired after two: then the epoch begins.
    pipe.run_until(Time::from_ns(150_000_000), lose_first, |_| Fate::Arrives);
    let most = 500.0;
    assert_eq!(pipe.sender.cwnd_bytes(), 350 * MSS);
    let begin = Time::from_ns(200_000_000);
    let k = (most * 0.3_f64 / 0.4).cbrt();
    for round in 1..140 {
        pipe.run_until(begin + Span::from_ms(round * 100), fine, |_| Fate::Arrives);
        let at = pipe.now.since(begin).as_s_f64();
        let cube = |at: f64| 0.4 * (at - k).powi(3) + most;
        let cwnd = pipe.sender.cwnd_bytes() as f64 / MSS as f64;
        // RFC 9438 section 4.2 aims at where the cube will be a round trip later, and gets there within it.
        let (low, high) = (cube(at - 0.1) * 0.98, cube(at + 0.1) * 1.02);
        assert!((low..high).contains(&cwnd), "at {at}: {cwnd}, cube {}", cube(at));
    }
}

#[test]
fn the_timer_doubles_up_to_its_bound() {
    let plan = TcpPlan { rto_max: Span::from_s(20), ..plan(Congestion::NewReno) };
    let mut sender = TcpSender::new(plan, Time::ZERO);
    sender.handle_write(Time::ZERO, 5_000);
    let mut now = Time::ZERO;
    let mut waits = Vec::new();
    for _ in 0..8 {
        while sender.poll_transmit(now).is_some() {}
        let Some(at) = sender.next_timeout() else { panic!("no timer") };
        waits.push(at.since(now).as_ns() / 1_000_000_000);
        now = at;
        sender.handle_timeout(now);
        assert_eq!(sender.cwnd_bytes(), MSS);
    }
    // RFC 6298 sections 2.1, 5.5: 1 s before anything was measured, and twice as long each time.
    assert_eq!(waits, [1, 2, 4, 8, 16, 20, 20, 20]);
    // RFC 5681 section 3.1: half of the flight, once; not again for the same data.
    assert_eq!(sender.ssthresh_bytes(), Some(2_500));
}

#[test]
fn every_second_segment_is_acknowledged_and_the_last_after_the_wait() {
    let plan = TcpPlan { delayed_ack: Some(Span::from_ms(40)), ..plan(Congestion::NewReno) };
    let mut pipe = Pipe::new(plan, Span::from_ms(1), 1_001 * MSS);
    pipe.run(fine, |_| Fate::Arrives);
    let counts = pipe.receiver.counts();
    assert_eq!((counts.segments, counts.acks, counts.delayed_acks), (1_001, 501, 1));
}

#[test]
fn the_window_shrinks_while_nothing_is_sent() {
    for (slow_start_after_idle, timeouts) in [(true, 1), (true, 2), (true, 5), (true, 20), (false, 20)] {
        let plan = TcpPlan { slow_start_after_idle, ..plan(Congestion::NewReno) };
        let mut pipe = Pipe::new(plan, Span::from_ms(5), 2_000 * MSS);
        pipe.run(fine, |_| Fate::Arrives);
        let before = pipe.sender.cwnd_bytes();
        assert!(before > 1_000 * MSS);
        pipe.now += Span(pipe.sender.counts().rto.0 * timeouts);
        pipe.to_write = MSS;
        pipe.run(fine, |_| Fate::Arrives);
        // RFC 2861 section 3.2: half for each timeout of silence, down to the first window.
        let expected = if slow_start_after_idle { (before >> timeouts).max(10 * MSS) } else { before };
        assert_eq!(pipe.sender.cwnd_bytes(), expected, "{timeouts} timeouts");
        assert_eq!(pipe.sender.counts().idle_restarts, u64::from(slow_start_after_idle));
    }
}

#[test]
fn a_closed_window_is_probed_and_opens() {
    let plan = TcpPlan { receive_buffer_bytes: 10 * MSS, ..plan(Congestion::NewReno) };
    let mut pipe = Pipe::new(plan, Span::from_ms(1), 30 * MSS);
    pipe.reads = false;
    pipe.run_until(Time::from_ns(10_000_000_000), fine, |_| Fate::Arrives);
    assert_eq!(pipe.receiver.readable_bytes(), 10 * MSS);
    // Waits of 0.2, 0.4, 0.8, 1.6, 3.2 s and so on (RFC 9293 section 3.8.6.1).
    assert_eq!(pipe.sender.counts().window_probes, 5);
    assert_eq!(pipe.sender.counts().timeouts, 0);
    pipe.reads = true;
    let begin = pipe.now;
    pipe.run(fine, |_| Fate::Arrives);
    assert_eq!(pipe.read, 30 * MSS);
    // The window update opens it at once; no probe is waited for.
    assert!(pipe.now.since(begin) < Span::from_ms(10), "{}", pipe.now.since(begin));
}

#[test]
fn a_lost_tail_is_probed_with_rack_and_waits_for_the_timer_without() {
    for (has_rack, timeouts, least, most) in [(true, 0, 30, 60), (false, 1, 210, 240)] {
        let plan = TcpPlan { has_rack, ..plan(Congestion::Cubic) };
        let mut pipe = Pipe::new(plan, Span::from_ms(5), 5 * MSS);
        pipe.run(fine, |_| Fate::Arrives);
        let begin = pipe.now;
        pipe.to_write = 5 * MSS;
        pipe.run(
            |index, _| if index == 8 || index == 9 { Fate::Lost } else { Fate::Arrives },
            |_| Fate::Arrives,
        );
        let counts = pipe.sender.counts();
        assert_eq!((pipe.read, counts.timeouts, counts.retransmits), (10 * MSS, timeouts, 2), "{counts:?}");
        let took = pipe.now.since(begin).as_ns() / 1_000_000;
        assert!((least..most).contains(&took), "{took} ms");
    }
}
