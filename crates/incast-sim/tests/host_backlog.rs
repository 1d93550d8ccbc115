//! What an overflow of the softnet backlog costs: `(max + 1) λ / μ'` packets where Linux 2.4 drops until the
//! queue is empty, everything and the one that came where a full queue is thrown away, the excess where the tail
//! drops. λ: arrivals; μ': how fast the queue is worked off meanwhile, `(1 - λ c) / p`.

use incast_core::scenario::{HostModel, ReceivePath, WhenBacklogFull};
use incast_core::time::Span;
use incast_sim::host::{DropCause, HostStage};

#[path = "support/host_wire.rs"]
mod wire;
use wire::{SECOND, Wire, free};

fn host(when_backlog_full: WhenBacklogFull, handler_ns: u64, input_ns: u64) -> HostModel {
    HostModel {
        when_backlog_full,
        interrupt_packet_cost: Span::from_ns(handler_ns),
        packet_cost: Span::from_ns(input_ns),
        ..free(ReceivePath::Softnet)
    }
}

/// Fills the backlog far faster than it drains, until one packet is lost; then sends at `per_second` until the
/// loss is over. What was lost of it.
fn one_overflow(model: &HostModel, per_second: u64) -> u64 {
    let mut wire = Wire::new(model);
    let handler = model.interrupt_packet_cost.0.max(1_000);
    while wire.dropped.is_empty() {
        // As fast as the handler takes them, so that the softirq does nothing meanwhile.
        wire.send(wire.now + Span(handler), wire.sent, 1_538);
        wire.run_to(wire.now + Span(handler));
        assert!(wire.sent < 1_000, "it does overflow");
    }
    wire.send_evenly(2_000, per_second);
    wire.run_dry();
    let counts = wire.counts();
    assert_eq!(counts.overflows, 1);
    assert_eq!(counts.backlog.packets_max, 301, "one more than netdev_max_backlog");
    assert!(wire.dropped.iter().all(|(_, stage, _)| *stage == HostStage::Backlog));
    wire.dropped.len() as u64
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "some hundred packets")]
fn an_overflow_of_linux_2_4_costs_what_arrives_until_the_backlog_is_empty() {
    // λ, c, p, and μ' = (1 - λ c) / p.
    let cases = [(87_700, 0, 847), (87_700, 0, 11_030), (100_000, 2_000, 3_000)];
    for (per_second, handler_ns, input_ns) in cases {
        let model = host(WhenBacklogFull::DropUntilEmpty, handler_ns, input_ns);
        let lambda = per_second as f64;
        let drain = (1.0 - lambda * handler_ns as f64 * 1e-9) / (input_ns as f64 * 1e-9);
        let theory = 301.0 * lambda / drain;
        let lost = one_overflow(&model, per_second) as f64;
        assert!(
            (lost - theory).abs() <= 1.0,
            "λ {lambda}, μ' {drain:.0}: {lost} lost, by theory {theory:.1}"
        );
    }
}

#[test]
fn a_purge_costs_the_whole_backlog_and_the_packet_that_came() {
    for (per_second, input_ns) in [(87_700, 847), (87_700, 11_030), (100_000, 4_000)] {
        let lost = one_overflow(&host(WhenBacklogFull::Purge, 0, input_ns), per_second);
        // One of the 301 may have been with the CPU already.
        assert!((301..=302).contains(&lost), "{per_second}/s: {lost} lost");
    }
}

#[test]
fn a_tail_that_drops_loses_the_excess_alone() {
    let mut wire = Wire::new(&host(WhenBacklogFull::DropTail, 0, 20_000));
    // 100 ms at twice what it can: 10000 packets, of which half and those that wait are not lost.
    wire.send_evenly(10_000, 100_000);
    let counts = wire.counts();
    assert_eq!(counts.backlog.packets_max, 301);
    assert!(wire.dropped.len().abs_diff(10_000 / 2 - 301) <= 2, "{}", wire.dropped.len());
    assert!(wire.dropped.iter().all(|(_, _, why)| *why == DropCause::Full));
}

#[test]
fn a_stall_costs_what_arrived_in_it_beyond_the_backlog_and_then_until_it_is_empty() {
    // λ T - 301 + 301 λ / μ': 877 - 301 + 22.4 for 10 ms without softirqs.
    let model = HostModel {
        stall_every: Span::from_s(1),
        stall_time: Span::from_ms(10),
        ..host(WhenBacklogFull::DropUntilEmpty, 0, 847)
    };
    let mut wire = Wire::new(&model);
    while wire.counts().stalls < 20 {
        wire.send_evenly(87_700 / 10, 87_700);
    }
    let end = wire.now + Span(SECOND / 50);
    wire.run_to(end);
    let counts = wire.counts();
    assert_eq!(counts.overflows, counts.stalls);
    let each = wire.dropped.len() as f64 / f64::from(u32::try_from(counts.overflows).unwrap());
    assert!((each - 598.4).abs() < 1.0, "{each} packets for each of {} stalls", counts.stalls);
}

#[test]
fn a_stall_of_interrupts_fills_the_ring_instead() {
    let model = HostModel {
        stall_every: Span::from_s(1),
        stall_time: Span::from_ms(10),
        stall_holds: incast_core::scenario::StallHolds::Interrupts,
        ..host(WhenBacklogFull::DropUntilEmpty, 0, 847)
    };
    let mut wire = Wire::new(&model);
    while wire.counts().stalls < 5 {
        wire.send_evenly(8_770, 87_700);
    }
    wire.run_to(wire.now + Span::from_ms(20));
    let counts = wire.counts();
    assert_eq!((counts.overflows, counts.ring.packets_max), (0, 256));
    // λ T - 256, and the one whose interrupt is held off with it has left the ring's queue at most.
    let each = wire.dropped.len() as f64 / f64::from(u32::try_from(counts.stalls).unwrap());
    assert!((each - (877.0 - 256.0)).abs() <= 2.0, "{each}");
    assert!(wire.dropped.iter().all(|(_, stage, _)| *stage == HostStage::Ring));
}
