//! Whatever a network does to a connection, the stream arrives whole, once, and it ends.

#[path = "support/tcp_pipe.rs"]
mod tcp_pipe;

use incast_core::random::Random;
use incast_core::time::Span;
use incast_sim::tcp::{Congestion, TcpPlan};
use tcp_pipe::{Fate, Pipe};

const ALL: [Congestion; 4] = [Congestion::Reno, Congestion::NewReno, Congestion::Cubic, Congestion::Bbr];

fn plans() -> impl Iterator<Item = TcpPlan> {
    let ways = [(false, false), (true, false), (true, true)];
    ALL.into_iter().flat_map(move |congestion| {
        ways.into_iter().map(move |(has_sack, has_rack)| TcpPlan {
            congestion,
            has_sack,
            has_rack,
            mss_bytes: 1_000,
            segment_bytes_max: 1_000,
            ..TcpPlan::default()
        })
    })
}

fn delivered_once(pipe: &Pipe, bytes: u64) {
    assert_eq!(pipe.read, bytes, "{:?}: {:?}", pipe.plan, pipe.sender.counts());
    assert_eq!(
        (pipe.sender.acked_bytes(), pipe.sender.unacked_bytes(), pipe.sender.unsent_bytes()),
        (bytes, 0, 0)
    );
    assert_eq!(pipe.receiver.out_of_order_bytes(), 0);
}

#[test]
fn every_pattern_of_ten_losses_in_six_segments_is_repaired() {
    for plan in plans() {
        for initial_window_segments in [1, 3, 10] {
            for pattern in 0_u32..1 << 10 {
                let plan = TcpPlan { initial_window_segments, ..plan };
                let mut pipe = Pipe::new(plan, Span::from_us(50), 6_000);
                let lost = |index: u64| {
                    if index < 10 && pattern >> index & 1 == 1 { Fate::Lost } else { Fate::Arrives }
                };
                pipe.run(|index, _| lost(index), |_| Fate::Arrives);
                delivered_once(&pipe, 6_000);
                if pattern == 0 {
                    assert_eq!(pipe.sender.counts().retransmits, 0);
                }
            }
        }
    }
}

#[test]
fn every_pattern_of_lost_data_and_acknowledgements_is_repaired() {
    for plan in plans() {
        for pattern in 0_u32..1 << 12 {
            let mut pipe = Pipe::new(plan, Span::from_us(50), 6_000);
            let lost =
                |bit: u64| if bit < 12 && pattern >> bit & 1 == 1 { Fate::Lost } else { Fate::Arrives };
            pipe.run(|index, _| lost(if index < 6 { index } else { 99 }), |index| lost(index + 6));
            delivered_once(&pipe, 6_000);
        }
    }
}

#[test]
fn any_network_that_lets_two_thirds_through_delivers_the_stream() {
    for (number, plan) in plans().enumerate() {
        for seed in 0..60 {
            let mut random = Random::numbered(seed, "network", number as u64);
            let mut draw = |below: u64| random.next_u64() % below;
            let segment_bytes_max = 1_000 * [1, 2, 4, 7][usize::try_from(draw(4)).unwrap()];
            let delayed_ack = (draw(2) == 0).then_some(Span::from_ms(40));
            let receive_buffer_bytes = 3_000 + draw(60_000);
            let plan = TcpPlan { segment_bytes_max, delayed_ack, receive_buffer_bytes, ..plan };
            let bytes = 1 + draw(200_000);
            let mut pipe = Pipe::new(plan, Span::from_us(1 + draw(2_000)), bytes);
            pipe.byte_ps = draw(20_000);
            let rates = [draw(300), draw(100), draw(100), draw(300)];
            let mut data = Random::numbered(seed, "data", number as u64);
            let mut acks = Random::numbered(seed, "acks", number as u64);
            let fate = |random: &mut Random, lost: u64| match random.next_u64() % 1_000 {
                roll if roll < lost => Fate::Lost,
                roll if roll < lost + rates[1] => Fate::Late(Span::from_us(random.next_u64() % 5_000)),
                roll if roll < lost + rates[1] + rates[2] => Fate::Twice,
                _ => Fate::Arrives,
            };
            pipe.run(|_, _| fate(&mut data, rates[0]), |_| fate(&mut acks, rates[3]));
            assert_eq!(pipe.read, bytes, "seed {seed}, {plan:?}");
            delivered_once(&pipe, bytes);
        }
    }
}
