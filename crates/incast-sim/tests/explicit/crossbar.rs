//! Input-queued switches: by hand, and against theory.
//!
//! Saturation of FIFO inputs under uniform traffic: Karol, Hluchyj and Morgan, "Input versus output queueing on a
//! space-division packet switch", IEEE Transactions on Communications 35, 1987, table I; 2 - sqrt 2 for many ports.

use incast_core::random::Random;
use incast_core::scenario::{Matching, Queueing, SwitchModel};
use incast_core::time::{Span, Time};
use incast_sim::fabric::{ByteTime, Fabric, Why};

use crate::net::{Run, Star, port};

/// 1000 B at 10^9 bits per second.
const SLOT: Span = Span::from_us(8);

const LONGEST: Queueing = Queueing::InputVirtual { matching: Matching::LongestFirst };
const ISLIP: Queueing = Queueing::InputVirtual { matching: Matching::Islip };

fn star(hosts: u32, queueing: Queueing) -> Star {
    Star { model: SwitchModel { queueing, ..SwitchModel::default() }, ..Star::new(hosts) }
}

/// So many packets come to each input in every slot. Packets out per port and slot, from slot `from` on, and the longest
/// queue of a port; `to` says where the packet of an input goes in a slot.
fn saturate(
    queueing: Queueing,
    hosts: u32,
    packets: u64,
    (from, slots): (u64, u64),
    mut to: impl FnMut(u32, u64) -> u32,
) -> (f64, u64) {
    let mut plan = star(hosts, queueing).plan();
    if packets > 1 {
        // More than the ports' rate, and still in step.
        plan.links.iter_mut().step_by(2).for_each(|card| card.byte_time = ByteTime::of(None));
    }
    let mut run = Run::new(&plan);
    let moment = |slot: u64| Time(slot * SLOT.0);
    let out = |run: &mut Run, slot: u64| -> u64 {
        run.advance(moment(slot));
        run.news.clear();
        let counts = run.fabric.counts(moment(slot));
        counts.iter().skip(1).step_by(2).map(|counts| counts.forwarded_packets).sum()
    };
    let mut before = 0;
    for slot in 0..slots {
        if slot == from {
            before = out(&mut run, slot);
        }
        for host in (0..hosts).flat_map(|host| (0..packets).map(move |_| host)) {
            run.send(moment(slot), host, to(host, slot), 1_000, 0);
        }
        run.news.clear();
    }
    let passed = out(&mut run, slots) - before;
    let counts = run.fabric.counts(moment(slots));
    let longest = counts.iter().skip(1).step_by(2).map(|counts| counts.packets_max);
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let share = passed as f64 / ((slots - from) * u64::from(hosts)) as f64;
    (share, longest.max().unwrap_or(0))
}

/// Anywhere with the same probability, the own port too.
fn uniform(hosts: u32) -> impl FnMut(u32, u64) -> u32 {
    let mut random = Random::named(u64::from(hosts), "to");
    move |_, _| u32::try_from(random.next_u64() % u64::from(hosts)).expect("below hosts")
}

#[test]
fn the_head_of_the_line_blocks_what_has_a_free_way() {
    // At the switch: 0 at 8 us, for 2, until 16; 1 at 9, for 2 too; 2 behind it at 13, for 3.
    let send = |queueing: Queueing, port_bytes: u64| {
        let mut run = Run::new(&Star { port_bytes, ..star(4, queueing) }.plan());
        run.send(Time::ZERO, 1, 2, 1_000, 0);
        run.send(Time::from_ns(1_000), 0, 2, 1_000, 1);
        run.send(Time::from_ns(1_000), 0, 3, 500, 2);
        run.finish();
        run
    };
    let at = |us: u64, cargo: u64| (Time::from_ns(us * 1_000), cargo);
    // 1 waits for the output until 16, and 2 for 1 until 24.
    let fifo = send(Queueing::InputFifo, 1_500);
    assert_eq!(fifo.deliveries(), [at(16, 0), at(24, 1), at(28, 2)]);
    assert_eq!(fifo.counts(Time::from_ns(30_000), port(3)).wait_sum_ps, 11_000_000);
    // 2 passes at once; then its input is busy until 17.
    for matching in [LONGEST, ISLIP] {
        assert_eq!(send(matching, 1_500).deliveries(), [at(16, 0), at(17, 2), at(25, 1)]);
    }
    // The memory of the port by which both came in holds only one.
    for queueing in [Queueing::InputFifo, LONGEST, ISLIP] {
        assert_eq!(send(queueing, 1_000).deaths(), [(2, port(3), Why::Full)]);
    }
}

#[test]
fn fifo_inputs_saturate_as_the_table_says() {
    for (hosts, slots, expected) in
        [(2, 200_000, 0.7500), (3, 130_000, 0.6825), (4, 100_000, 0.6553), (8, 50_000, 0.6184)]
    {
        let (share, _) = saturate(Queueing::InputFifo, hosts, 1, (100, slots), uniform(hosts));
        assert!((share - expected).abs() < 0.002, "{hosts} ports: {share}, {expected} expected");
    }
    let (share, _) = saturate(Queueing::InputFifo, 256, 1, (200, 1_700), uniform(256));
    // 2 - sqrt 2 and what finite switches have more.
    assert!((share - 0.5865).abs() < 0.002, "256 ports: {share}, 0.5865 expected");
}

#[test]
fn a_linear_shift_fills_the_crossbar_and_nothing_waits_longer_than_a_slot() {
    let hosts = 16;
    let shift = move |host: u32, slot: u64| {
        u32::try_from((u64::from(host) + slot) % u64::from(hosts)).expect("below hosts")
    };
    let (share, longest) = saturate(Queueing::InputFifo, hosts, 1, (1, 2_000), shift);
    assert!(share >= 0.999, "{share}");
    assert!(longest <= 1, "{longest}");
    let (share, _) = saturate(Queueing::InputFifo, hosts, 1, (100, 20_000), uniform(hosts));
    assert!((share - 0.602).abs() < 0.003, "unscheduled: {share}");
}

#[test]
fn virtual_output_queues_fill_the_crossbar_whatever_comes() {
    for matching in [LONGEST, ISLIP] {
        // Twice of what the ports can carry: every queue has something, as with FIFO inputs above.
        let (share, _) = saturate(matching, 16, 2, (500, 3_000), uniform(16));
        assert!(share >= 0.99, "{matching:?}: {share}");
    }
}

#[test]
fn packets_of_all_sizes_pass_virtual_output_queues_without_rest() {
    // Nobody is served twice at a time: all that came in comes out, and no link sends more than its rate.
    for queueing in [Queueing::InputFifo, LONGEST, ISLIP] {
        let mut run = Run::new(&star(5, queueing).plan());
        let mut random = Random::named(3, "sizes");
        let mut sent = 0;
        for round in 0..2_000_u64 {
            for host in 0..5 {
                let size = 84 + u32::try_from(random.next_u64() % 1_455).expect("small");
                let to = u32::try_from(random.next_u64() % 5).expect("small");
                run.send(Time::from_ns(round * 15_000), host, to, size, sent);
                sent += 1;
            }
        }
        let end = run.finish();
        let mut delivered: Vec<_> = run.deliveries().into_iter().map(|(_, cargo)| cargo).collect();
        delivered.sort_unstable();
        assert!(delivered.into_iter().eq(0..sent), "{queueing:?}");
        for counts in run.fabric.counts(end) {
            assert_eq!(counts.busy_ps, counts.forwarded_bytes * 8_000);
        }
    }
}
