//! The CPU of a host: who goes first, who shares, and that no time is lost. And whatever happens, every packet
//! and every picosecond is in one place.

use incast_core::random::Random;
use incast_core::scenario::{HostModel, ReceivePath, StallHolds, WhenBacklogFull};
use incast_core::time::{Span, Time};
use incast_sim::host::Host;

#[path = "support/host_wire.rs"]
mod wire;
use wire::{Wire, free};

#[test]
fn an_ideal_host_has_its_packets_at_once() {
    let mut wire = Wire::new(&HostModel::default());
    for index in 0..1_000 {
        wire.send(Time::from_ns(index / 10), index, 1_538);
        assert_eq!(wire.host.next_timeout(), Some(Time::from_ns(index / 10)));
    }
    wire.run_dry();
    assert_eq!((wire.arrived, wire.counts().cpu.idle), (1_000, wire.now.since(Time::ZERO)));
}

#[test]
fn a_single_packet_takes_its_interrupt_and_its_input() {
    let model = HostModel {
        interrupt_cost: Span::from_us(2),
        packet_cost: Span::from_us(3),
        byte_cost_ps: 1_000,
        ..free(ReceivePath::Napi)
    };
    let mut wire = Wire::new(&model);
    wire.send(Time::from_ns(1_000), 0, 1_538);
    wire.run_to(Time::from_ns(7_499));
    assert_eq!(wire.arrived, 0);
    // 1 us + 2 us + 3 us + 1500 B of 1 ns.
    wire.run_to(Time::from_ns(7_500));
    assert_eq!(wire.arrived, 1);
    let counts = wire.counts();
    assert_eq!((counts.interrupts, counts.softirqs), (1, 1));
    assert_eq!(counts.ring.wait_sum_ps, 2_000_000, "it waited for its interrupt");
}

#[test]
fn coalescence_waits_for_packets_or_time_whichever_is_first() {
    let model =
        HostModel { coalesce_time: Span::from_us(100), coalesce_packets: 4, ..free(ReceivePath::Napi) };
    let mut wire = Wire::new(&model);
    for us in [10, 20, 30] {
        wire.send(Time::from_ns(us * 1_000), us, 1_538);
    }
    assert_eq!(wire.host.next_timeout(), Some(Time::from_ns(110_000)), "100 us after the first");
    wire.run_to(Time::from_ns(110_000));
    assert_eq!((wire.arrived, wire.counts().interrupts), (3, 1));
    for us in [210, 220, 230, 240] {
        wire.send(Time::from_ns(us * 1_000), us, 1_538);
    }
    wire.run_to(Time::from_ns(240_000));
    assert_eq!((wire.arrived, wire.counts().interrupts), (7, 2), "the fourth packet does not wait");
    wire.run_dry();
    assert_eq!(wire.counts().interrupts, 2, "and the time of the first is forgotten");
}

#[test]
fn interrupts_and_softirqs_go_before_processes() {
    let model = HostModel {
        interrupt_cost: Span::from_us(2),
        packet_cost: Span::from_us(3),
        ..free(ReceivePath::Napi)
    };
    let mut wire = Wire::new(&model);
    wire.host.handle_job(Time::ZERO, 7, Span::from_us(10));
    wire.host.handle_job(Time::ZERO, 8, Span::from_us(1));
    wire.send(Time::from_ns(4_000), 0, 1_538);
    wire.run_dry();
    assert_eq!(wire.done, [(7, Time::from_ns(15_000)), (8, Time::from_ns(16_000))]);
    let cpu = wire.counts().cpu;
    assert_eq!(
        (cpu.interrupt, cpu.softirq, cpu.process),
        (Span::from_us(2), Span::from_us(3), Span::from_us(11))
    );
}

#[test]
fn a_softirq_beyond_its_budget_leaves_a_process_its_share() {
    // Three times overloaded, with a process that never has enough.
    let share = |softirq_share_milli| {
        let model =
            HostModel { packet_cost: Span::from_us(30), softirq_share_milli, ..free(ReceivePath::Napi) };
        let mut wire = Wire::new(&model);
        wire.host.handle_job(Time::ZERO, 0, Span::from_s(10));
        wire.send_evenly(100_000, 100_000);
        let counts = wire.counts();
        assert!(counts.time_squeeze > 10, "{counts:?}");
        counts.cpu.process.as_s_f64()
    };
    assert!(share(1_000) < 1e-3, "all of the CPU is the softirq's");
    // But for the first softirq, of 300 packets: 9 ms.
    assert!((share(700) - 0.3).abs() < 0.005, "{}", share(700));
    assert!((share(500) - 0.5).abs() < 0.006, "{}", share(500));
}

#[test]
fn an_application_reads_when_it_is_scheduled() {
    let model =
        HostModel { read_every: Span::from_ms(10), read_cost: Span::from_us(5), ..free(ReceivePath::Napi) };
    let mut wire = Wire::new(&model);
    for (us, job) in [(1_000, 1), (9_000, 2)] {
        wire.run_to(Time::from_ns(us * 1_000));
        wire.host.handle_read(wire.now, job);
    }
    wire.run_to(Time::from_ns(10_007_000));
    wire.host.handle_read(wire.now, 3);
    wire.run_dry();
    let us = |us: u64| Time::from_ns(us * 1_000);
    assert_eq!(wire.done, [(1, us(10_005)), (2, us(10_010)), (3, us(20_005))]);
}

/// Any model at all, of those that a scenario can say.
fn any_model(random: &mut Random) -> HostModel {
    let mut pick = |of: u64| random.next_u64() % of;
    let receive = [ReceivePath::Interrupt, ReceivePath::Softnet, ReceivePath::Napi, ReceivePath::Ideal];
    let full = [WhenBacklogFull::DropUntilEmpty, WhenBacklogFull::DropTail, WhenBacklogFull::Purge];
    let index = |drawn: u64| usize::try_from(drawn).expect("a choice");
    let small = |drawn: u64| u32::try_from(drawn).expect("small");
    HostModel {
        receive: receive[index(pick(9).min(3))],
        ring_packets: 8 + small(pick(60)),
        coalesce_time: Span::from_ns(pick(3) * 7_001),
        coalesce_packets: 1 + small(pick(5)),
        backlog_packets: small(pick(40)),
        when_backlog_full: full[index(pick(3))],
        budget_packets: 1 + small(pick(50)),
        weight_packets: 1 + small(pick(20)),
        interrupt_cost: Span(pick(3) * 777_777),
        interrupt_packet_cost: Span(pick(3) * 333_333),
        packet_cost: Span(pick(3) * 1_111_111),
        byte_cost_ps: pick(2) * 301,
        softirq_share_milli: 1 + small(pick(1_000)),
        stall_every: Span::from_us(pick(2) * 137),
        stall_time: Span::from_us(pick(90)),
        stall_speed_milli: small(pick(1_001)) * u32::from(pick(3) > 0),
        stall_holds: if pick(2) == 0 { StallHolds::Softirqs } else { StallHolds::Interrupts },
        read_cost: Span::from_ns(pick(2) * 913),
        read_every: Span::from_us(pick(2) * 33),
        ..HostModel::default()
    }
}

/// Half a millisecond of packets and jobs; `peeks`: whether somebody asks more often than is needed.
fn any_life(seed: u64, peeks: bool) -> Wire {
    let mut random = Random::named(seed, "life");
    let model = any_model(&mut random);
    let mut wire = Wire::seeded(&model, seed);
    let mut jobs = 0;
    for index in 0..400 {
        let drawn = random.next_u64();
        let at = wire.now + Span(if drawn.is_multiple_of(5) { 0 } else { drawn % 2_500_000 });
        if peeks {
            wire.run_to(Time((wire.now.0 + at.0) / 2));
            assert_eq!(wire.host.poll(wire.now), None, "nothing is due");
        }
        match drawn >> 32 & 7 {
            0 => {
                wire.run_to(at);
                wire.host.handle_read(at, index);
                jobs += 1;
            }
            1 => {
                wire.run_to(at);
                wire.host.handle_job(at, index, Span(drawn % 4_000_000));
                jobs += 1;
            }
            _ => wire.send(at, index, 84 + u32::try_from(drawn >> 40 & 1_023).expect("ten bits")),
        }
        if index % 16 == 0 {
            let _ = wire.counts();
        }
    }
    let _ = wire.counts();
    wire.run_dry();
    assert_eq!((wire.done.len(), wire.host.jobs_waiting()), (jobs, 0), "seed {seed}: {model:?}");
    let held = wire.counts();
    assert_eq!((held.ring.held_packets, held.backlog.held_packets), (0, 0), "seed {seed}: {model:?}");
    wire
}

#[test]
fn no_packet_and_no_picosecond_is_lost_whatever_the_model() {
    for seed in 0..3_000 {
        let _ = any_life(seed, false);
    }
}

#[test]
fn a_host_does_the_same_whoever_looks_on() {
    for seed in 0..300 {
        let (mut one, mut other) = (any_life(seed, false), any_life(seed, true));
        assert_eq!(
            (one.arrived, &one.dropped, &one.done),
            (other.arrived, &other.dropped, &other.done),
            "seed {seed}"
        );
        assert_eq!(one.counts(), other.counts(), "seed {seed}");
    }
}

#[test]
fn stalls_follow_from_the_seed_and_the_name_of_the_host() {
    let model = HostModel {
        stall_every: Span::from_us(50),
        stall_time: Span::from_us(50),
        packet_cost: Span::from_us(1),
        ..free(ReceivePath::Napi)
    };
    let counts = |seed, name| {
        let mut wire = Wire { host: Host::new(&model, seed, name), ..Wire::new(&model) };
        wire.send_evenly(10_000, 100_000);
        wire.counts().cpu
    };
    assert_eq!(counts(1, "x"), counts(1, "x"));
    assert_ne!(counts(1, "x"), counts(2, "x"));
    assert_ne!(counts(1, "x"), counts(1, "y"));
    // As long stalled as not: half of 100 ms, within five standard deviations of a thousand renewals.
    let stalled = counts(1, "x").stalled.as_s_f64();
    assert!((stalled - 0.05).abs() < 0.004, "{stalled}");
}
