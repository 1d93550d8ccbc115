//! Output queues that drop: hand-reckoned. A byte takes 8 ns, a packet of 1000 B thus 8 us.

use incast_core::scenario::SwitchModel;
use incast_core::time::{Span, Time};
use incast_sim::fabric::{Fabric, Taken, Why};

use crate::net::{Run, Star, card, port};

const US: u64 = 1_000;

#[test]
fn packets_are_stored_forwarded_and_wait_for_those_before_them() {
    let latency = Span::from_us(2);
    let star = Star {
        travel: Span::from_us(1),
        model: SwitchModel { latency, ..SwitchModel::default() },
        ..Star::new(3)
    };
    let mut run = Run::new(&star.plan());
    assert_eq!(run.send(Time::ZERO, 0, 2, 1_000, 0), Taken::Leaves(Time::from_ns(8 * US)));
    assert_eq!(run.send(Time::ZERO, 0, 2, 1_000, 1), Taken::Leaves(Time::from_ns(16 * US)));
    assert_eq!(run.send(Time::from_ns(US), 1, 2, 500, 2), Taken::Leaves(Time::from_ns(5 * US)));
    run.finish();
    // At the port: 2 at 5 + 1 + 2 = 8 us, sent until 12; 0 at 11, until 20; 1 at 19, until 28; each a us more away.
    let expected = [(13, 2), (21, 0), (29, 1)].map(|(us, cargo)| (Time::from_ns(us * US), cargo));
    assert_eq!(run.deliveries(), expected);
    let counts = run.counts(Time::from_ns(30 * US), port(2));
    // 0 waits 1 us, 1 likewise.
    assert_eq!((counts.wait_sum_ps, counts.bytes_max, counts.packets_max), (2_000_000, 1_000, 1));
    assert_eq!((counts.byte_ps, counts.busy_ps), (2 * 1_000 * 1_000_000, 20_000_000));
    assert_eq!(run.fabric.packet_hops(), 6);
    assert_eq!(run.fabric.ties(), 0);
}

#[test]
fn what_would_wait_and_finds_no_room_is_dropped_and_the_one_that_is_sent_takes_none() {
    let star = Star { port_bytes: 1_500, nic_bytes: 1_000, ..Star::new(5) };
    let mut run = Run::new(&star.plan());
    // One after the other, 1 us apart, at the port from 8 us on: sent, waits, dropped, and 500 B fit.
    for (host, bytes) in [(0, 1_000), (1, 1_000), (2, 1_000)] {
        run.send(Time::from_ns(u64::from(host) * US), host, 4, bytes, host.into());
    }
    run.send(Time::from_ns(9 * US), 3, 4, 500, 3);
    run.finish();
    assert_eq!(run.deaths(), [(2, port(4), Why::Full)]);
    let delivered = [(16, 0), (24, 1), (28, 3)].map(|(us, cargo)| (Time::from_ns(us * US), cargo));
    assert_eq!(run.deliveries(), delivered);
    // A card: one is sent, one waits, the third is gone; as the first leaves there is room.
    let at = Time::from_ns(100 * US);
    assert_eq!(run.send(at, 0, 4, 1_000, 4), Taken::Leaves(at + Span::from_us(8)));
    assert_eq!(run.send(at, 0, 4, 1_000, 5), Taken::Leaves(at + Span::from_us(16)));
    assert_eq!(run.send(at, 0, 4, 1_000, 6), Taken::Dropped);
    assert_eq!(run.send(at + Span::from_us(8), 0, 4, 1_000, 7), Taken::Leaves(at + Span::from_us(24)));
    let dropped = run.counts(at + Span::from_us(8), card(0)).dropped;
    assert_eq!(dropped.iter().map(|(why, died)| (*why, died.packets)).collect::<Vec<_>>(), [(Why::Full, 1)]);
}

#[test]
fn a_packet_that_comes_as_the_last_one_leaves_does_not_wait() {
    let star = Star { port_bytes: 0, nic_bytes: 0, ..Star::new(3) };
    let mut run = Run::new(&star.plan());
    for (us, host) in [(0, 0), (8, 1), (16, 0)] {
        assert!(matches!(run.send(Time::from_ns(us * US), host, 2, 1_000, us), Taken::Leaves(_)));
    }
    run.finish();
    assert_eq!(run.deaths(), []);
    assert_eq!(run.deliveries().len(), 3);
}

#[test]
fn nothing_waits_where_a_byte_takes_no_time() {
    let star = Star { port_bytes: 0, nic_bytes: 0, rate: None, travel: Span::from_us(1), ..Star::new(3) };
    let mut run = Run::new(&star.plan());
    for cargo in 0..10 {
        assert_eq!(run.send(Time::ZERO, u32::from(cargo > 4), 2, 1_000, cargo), Taken::Leaves(Time::ZERO));
    }
    assert_eq!(run.finish(), Time::from_ns(2 * US));
    assert_eq!(run.deliveries().len(), 10);
    // Two links give five packets each at one moment: at one change of hands their order was drawn.
    assert_eq!(run.fabric.ties(), 1);
}

#[test]
fn ties_favour_nobody() {
    let star = Star { port_bytes: 1_000, ..Star::new(3) };
    let mut run = Run::new(&star.plan());
    let rounds = 1_000_u64;
    for round in 0..rounds {
        // Both at the port at one moment, again and again; one always waits.
        let at = Time::from_ns(round * 17 * US);
        run.send(at, 0, 2, 1_000, 0);
        run.send(at, 1, 2, 1_000, 1);
    }
    run.finish();
    assert_eq!(run.fabric.ties(), rounds);
    let first = run.deliveries().chunks(2).filter(|pair| pair[0].1 == 0).count();
    // Binomial, n = 1000, p = 1/2: standard deviation 15.8; five of them.
    assert!(first.abs_diff(500) < 79, "{first} of 1000");
}
