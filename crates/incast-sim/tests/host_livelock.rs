//! Receive livelock and its cure, against Mogul and Ramakrishnan's formulas and the table of NAPI_HOWTO.
//!
//! Interrupt-driven, with a cost c of the interrupt and p of protocol input: nothing is lost up to 1/(c + p)
//! (MLFRR); above it (1 - λc)/p arrives, and nothing at all from 1/c on. Polled, min(λ, 1/p) arrives.

use incast_core::scenario::{HostModel, ReceivePath};
use incast_core::time::{Span, Time};
use incast_sim::host::HostStage;

#[path = "support/host_wire.rs"]
mod wire;
use wire::{SECOND, Wire, free};

const INTERRUPT: Span = Span::from_us(20);
const INPUT: Span = Span::from_us(40);

fn host(receive: ReceivePath) -> HostModel {
    HostModel { interrupt_cost: INTERRUPT, packet_cost: INPUT, backlog_packets: 50, ..free(receive) }
}

/// Packets per second that arrive of `offered`, when queues are as full as they become.
#[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
fn goodput(model: &HostModel, offered: u64) -> (f64, Wire) {
    let mut wire = Wire::new(model);
    wire.send_evenly(offered / 10, offered);
    let (before, from) = (wire.arrived, wire.now);
    wire.send_evenly(offered, offered);
    let seconds = wire.now.since(from).0 as f64 / SECOND as f64;
    let _ = wire.counts();
    ((wire.arrived - before) as f64 / seconds, wire)
}

#[test]
fn an_interrupt_driven_host_loses_nothing_up_to_its_mlfrr() {
    // 1 / 60 us = 16667 per second.
    let (arrived, wire) = goodput(&host(ReceivePath::Interrupt), 16_500);
    assert_eq!(wire.dropped, []);
    assert!((arrived / 16_500.0 - 1.0).abs() < 0.01, "{arrived}");
    let (_, wire) = goodput(&host(ReceivePath::Interrupt), 16_834);
    assert!(!wire.dropped.is_empty(), "1 % above its MLFRR it loses");
}

#[test]
fn above_its_mlfrr_an_interrupt_driven_host_delivers_less_and_less() {
    for offered in [18_000_u32, 25_000, 30_000, 40_000, 45_000] {
        let theory = (1.0 - f64::from(offered) * 20e-6) / 40e-6;
        let (arrived, wire) = goodput(&host(ReceivePath::Interrupt), u64::from(offered));
        assert!((arrived / theory - 1.0).abs() < 0.01, "{offered}: {arrived}, by theory {theory}");
        assert!(
            wire.dropped.iter().all(|(_, stage, _)| *stage == HostStage::Backlog),
            "lost after all the work"
        );
    }
}

#[test]
fn where_interrupts_take_all_of_the_cpu_nothing_arrives() {
    // 1 / 20 us = 50000 per second: 1 % below it the formula still gives 250.
    let (arrived, _) = goodput(&host(ReceivePath::Interrupt), 49_500);
    assert!((arrived / 250.0 - 1.0).abs() < 0.2, "{arrived}");
    let (arrived, wire) = goodput(&host(ReceivePath::Interrupt), 50_500);
    assert!(arrived < 1.0, "{arrived}");
    assert!(wire.dropped.iter().any(|(_, stage, _)| *stage == HostStage::Ring), "the ring overflows at last");
}

#[test]
fn a_softnet_host_livelocks_too() {
    // Its driver spends its time on packets, not on interrupts: the same formula with c of the packet.
    let model = HostModel {
        interrupt_cost: Span::ZERO,
        interrupt_packet_cost: INTERRUPT,
        when_backlog_full: incast_core::scenario::WhenBacklogFull::DropTail,
        ..host(ReceivePath::Softnet)
    };
    for offered in [25_000_u32, 40_000] {
        let theory = (1.0 - f64::from(offered) * 20e-6) / 40e-6;
        let (arrived, _) = goodput(&model, u64::from(offered));
        assert!((arrived / theory - 1.0).abs() < 0.01, "{offered}: {arrived}, by theory {theory}");
    }
}

#[test]
fn a_polled_host_delivers_its_capacity_up_to_three_times_overload() {
    for offered in [10_000_u32, 24_000, 26_000, 50_000, 75_000] {
        let theory = f64::from(offered).min(25_000.0);
        let (arrived, wire) = goodput(&host(ReceivePath::Napi), u64::from(offered));
        assert!((arrived / theory - 1.0).abs() < 0.01, "{offered}: {arrived}, by theory {theory}");
        assert!(wire.dropped.iter().all(|(_, stage, _)| *stage == HostStage::Ring), "lost before any work");
    }
}

/// Documentation/networking/NAPI_HOWTO.txt, appendix 2 (R. Olsson's measurements with e1000): packets per second
/// in, delivered of a million, and interrupts of the receiver.
const NAPI_HOWTO: [(u64, f64, u64); 6] = [
    (890_000, 409_362.0, 17),
    (758_000, 464_364.0, 21),
    (446_000, 774_646.0, 42),
    (233_000, 994_445.0, 241_292),
    (119_000, 1_000_003.0, 872_519),
    (85_000, 1_000_002.0, 946_576),
];

#[test]
#[expect(clippy::cast_precision_loss, reason = "a million packets")]
fn the_table_of_napi_howto_follows_from_one_fitted_capacity() {
    let capacity = 355_000;
    let model = HostModel {
        interrupt_cost: Span::from_us(2),
        packet_cost: Span(SECOND / capacity),
        ..free(ReceivePath::Napi)
    };
    for (offered, delivered, interrupts) in NAPI_HOWTO {
        let mut wire = Wire::new(&model);
        wire.send_evenly(1_000_000, offered);
        wire.run_dry();
        let (arrived, counts) = (wire.arrived as f64, wire.counts());
        assert!((arrived / delivered - 1.0).abs() < 0.03, "{offered}/s: {arrived}, measured {delivered}");
        // Overloaded it stays with polling; at the lowest load there is an interrupt for almost every packet.
        // In between the two depends on how evenly packets came, which the table does not say.
        if interrupts <= 50 {
            assert!(counts.interrupts <= 50, "{offered}/s: {} interrupts", counts.interrupts);
        } else if offered == 85_000 {
            assert!(counts.interrupts > 800_000, "{} interrupts, measured {interrupts}", counts.interrupts);
        } else {
            assert!(counts.interrupts > 50, "{offered}/s: {} interrupts", counts.interrupts);
        }
    }
}

#[test]
fn what_a_full_ring_drops_costs_nothing() {
    let cpu = |offered| {
        let mut wire = Wire::new(&host(ReceivePath::Napi));
        wire.send_evenly(offered, offered);
        wire.run_to(Time(SECOND));
        wire.counts().cpu
    };
    let (twice, thrice) = (cpu(50_000), cpu(75_000));
    // A second of polling, but for the first packet's way and its one interrupt.
    assert!(twice.softirq.as_s_f64() > 0.9999, "{twice:?}");
    assert_eq!(twice.interrupt, INTERRUPT);
    assert!(thrice.softirq.as_s_f64() > 0.9999, "{thrice:?}");
}
