//! The accounts of every queue are closed at any moment, and Little's law holds in it (acceptance test 17).

use incast_core::random::Random;
use incast_core::time::{Span, Time};
use incast_sim::fabric::computed::Computed;
use incast_sim::fabric::{ByteTime, Fabric, News, QueueCounts, Taken};
use incast_sim::packet::{NicId, Packet};

use super::net::{GBIT, Send, THE_QUEUE, carry_on, drive, one_queue, star};

fn dropped(queues: &[QueueCounts]) -> (u64, u64) {
    let died = queues.iter().flat_map(|queue| &queue.dropped);
    died.fold((0, 0), |(packets, bytes), (_, died)| (packets + died.packets, bytes + died.bytes))
}

/// Random sizes and times, most of them to few hosts.
fn crowd(seed: u64, packets: u64) -> Vec<Send> {
    let mut random = Random::named(seed, "crowd");
    let mut at = Time::ZERO;
    let mut send = |cargo| {
        at += Span(random.next_u64() % 3_000_000);
        let draw = random.next_u64();
        let of = |shift: u32, below: u64| u32::try_from((draw >> shift) % below).unwrap();
        Send { at, from: of(0, 8), to: of(8, 8).min(of(16, 8)).min(3), bytes: 64 + of(24, 1_500), cargo }
    };
    (0..packets).map(&mut send).collect()
}

#[test]
fn what_is_offered_is_forwarded_dropped_or_queued_at_any_moment() {
    for seed in 0..20 {
        let mut fabric = Computed::new(&star(8, GBIT, Span::from_us(2), 20_000));
        let mut delivered = (0, 0);
        let mut heard = |_, news| {
            if let News::Delivered { packet } = news {
                delivered = (delivered.0 + 1, delivered.1 + u64::from(packet.wire_bytes));
            }
        };
        let mut offered = (0, 0);
        for (index, send) in crowd(seed, 4_000).into_iter().enumerate() {
            carry_on(&mut fabric, send.at, &mut heard);
            let packet = Packet { to: NicId(send.to), wire_bytes: send.bytes, cargo: send.cargo };
            fabric.handle_packet(send.at, NicId(send.from), packet);
            offered = (offered.0 + 1, offered.1 + u64::from(send.bytes));
            if index % 100 == 0 {
                check_queues(&fabric, send.at);
            }
        }
        let end = Time(1_000_000_000_000);
        carry_on(&mut fabric, end, &mut heard);
        check_queues(&fabric, end);
        let counts = fabric.counts(end);
        let lost = dropped(&counts);
        assert!(lost.0 > 100, "seed {seed}: it was crowded");
        assert_eq!(offered, (delivered.0 + lost.0, delivered.1 + lost.1), "seed {seed}");
        assert!(counts.iter().all(|queue| queue.queued_packets == 0 && queue.queued_bytes == 0));
    }
}

fn check_queues(fabric: &Computed, now: Time) {
    let counts = fabric.counts(now);
    for queue in &counts {
        let (packets, bytes) = dropped(std::slice::from_ref(queue));
        assert_eq!(queue.offered_packets, queue.forwarded_packets + packets + queue.queued_packets);
        assert_eq!(queue.offered_bytes, queue.forwarded_bytes + bytes + queue.queued_bytes);
        assert_eq!(queue.bytes_over_time.iter().max(), Some(&queue.bytes_max));
        assert!(queue.busy_ps <= now.0 && queue.bytes_max <= 20_000 || queue.dropped.is_empty());
    }
    assert_eq!(fabric.packet_hops(), counts.iter().map(|queue| queue.forwarded_packets).sum::<u64>());
    for nic in 0..8 {
        assert_eq!(fabric.queued_bytes(now, NicId(nic)), counts[nic as usize].queued_bytes);
    }
}

#[test]
fn bytes_over_time_and_waits_are_the_same_integral() {
    // An interface alone: what `Taken` says is enough for a second calculation.
    let mut fabric = Computed::new(&one_queue(GBIT));
    let byte_time = ByteTime::of(GBIT);
    let (mut byte_ps, mut wait_ps, mut busy_ps) = (0_u128, 0_u128, 0);
    let mut random = Random::named(3, "sizes");
    let mut now = Time::ZERO;
    for cargo in 0..20_000 {
        now += Span(random.next_u64() % 20_000_000);
        carry_on(&mut fabric, now, &mut |_, _| ());
        let wire_bytes = 64 + u32::try_from(random.next_u64() % 1_500).unwrap();
        let Taken::Leaves(leaves) =
            fabric.handle_packet(now, NicId(0), Packet { to: NicId(1), wire_bytes, cargo })
        else {
            panic!("there is always room");
        };
        let sending = byte_time.span(u64::from(wire_bytes));
        let wait = leaves.since(now).0 - sending.0;
        byte_ps += u128::from(wire_bytes) * u128::from(wait);
        wait_ps += u128::from(wait);
        busy_ps += sending.0;
    }
    let end = now + Span::from_s(1);
    carry_on(&mut fabric, end, &mut |_, _| ());
    let queue = &fabric.counts(end)[THE_QUEUE];
    assert!(wait_ps > 0);
    assert_eq!((queue.byte_ps, queue.wait_sum_ps, queue.busy_ps), (byte_ps, wait_ps, busy_ps));
    assert_eq!(queue.wait_ns.count(), 20_000);
}

/// L = lambda W: the mean number that wait is the rate of arrivals times their mean wait.
#[test]
#[expect(clippy::cast_precision_loss, reason = "for comparing: 53 bits are enough")]
fn littles_law_holds_in_a_queue() {
    let mut fabric = Computed::new(&one_queue(GBIT));
    let mut random = Random::named(4, "little");
    let mut at = Time::ZERO;
    // Load 0.9 of packets of 10 us, from bursts that come at random.
    let sends: Vec<Send> = (0..100_000)
        .flat_map(|burst| {
            at += Span(random.next_u64() % 200_000_000);
            let packets = 1 + random.next_u64() % 17;
            (0..packets).map(move |_| Send { at, from: 0, to: 1, bytes: 1_250, cargo: burst })
        })
        .collect();
    drive(&mut fabric, sends.iter().copied(), at, |_, _| ());
    let queue = &fabric.counts(at)[THE_QUEUE];
    // While some still wait, their waits are not known: within a thousandth.
    let (length, wait) = (queue.byte_ps as f64 / 1_250.0, queue.wait_sum_ps as f64);
    eprintln!("{} packets: integral {length:.6e}, waits {wait:.6e}", queue.offered_packets);
    assert!((length / wait - 1.0).abs() < 1e-3, "{length} {wait}");
    let end = at + Span::from_s(10);
    carry_on(&mut fabric, end, &mut |_, _| ());
    let queue = &fabric.counts(end)[THE_QUEUE];
    assert_eq!(queue.byte_ps, 1_250 * queue.wait_sum_ps);
}
