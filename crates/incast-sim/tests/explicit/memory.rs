//! Shared memory and cut-through, reckoned by hand. A byte takes 8 ns.

use incast_core::scenario::{Queueing, SwitchModel};
use incast_core::time::{Span, Time};
use incast_core::units::Bytes;
use incast_sim::fabric::{ByteTime, Why};

use crate::net::{Run, Star, card, port};

#[test]
fn ports_share_a_memory_each_within_its_own_limit() {
    let queueing = Queueing::SharedMemory { bytes: Bytes(2_500) };
    let model = SwitchModel { queueing, ..SwitchModel::default() };
    let mut run = Run::new(&Star { model, port_bytes: 2_000, ..Star::new(10) }.plan());
    // One after the other at the switch: 0 and 5 are sent, 1 and 2 fill their port, 3 is beyond it; 500 B are left
    // for the other port: not enough for 6, enough for 7.
    for (index, (to, bytes)) in
        (0_u32..).zip([(8, 1_000), (8, 1_000), (8, 1_000), (8, 1_000), (9, 1_000), (9, 1_000), (9, 500)])
    {
        // So that the last bits are in at 8, 8.1, 8.2 us and so on.
        let last = Span::from_ns(8_000 + 100 * u64::from(index));
        let begin = Time::ZERO + Span(last.0 - u64::from(bytes) * 8_000);
        run.send(begin, index, to, bytes, index.into());
    }
    run.finish();
    assert_eq!(run.deaths(), [(3, port(8), Why::Full), (5, port(9), Why::Memory)]);
    // When it is empty again there is room again.
    let at = Time::from_ns(1_000_000);
    for index in 0..3 {
        run.send(at + Span::from_ns(100 * u64::from(index)), index, 9, 1_000, 10);
    }
    run.finish();
    assert_eq!(run.deaths().len(), 2);
    assert_eq!(run.counts(Time::from_ns(2_000_000), port(9)).bytes_max, 2_000);
}

#[test]
fn a_packet_cuts_through_unless_the_next_link_is_faster() {
    let model =
        |is_cut_through| SwitchModel { latency: Span::from_us(2), is_cut_through, ..SwitchModel::default() };
    // Bits per second of the link out; ns of the last bit at the host, stored first and cut through.
    for (rate, stored, cut) in [
        // 8000 + 1000 + 2000 + 8000 + 1000; 72 B: 576 + 1000 + 2000 + 8000 + 1000.
        (1_000_000_000, 20_000, 12_576),
        // ... + 80000 + 1000
        (100_000_000, 92_000, 84_576),
        // ... + 800 + 1000
        (10_000_000_000, 12_800, 12_800),
    ] {
        for (is_cut_through, expected) in [(false, stored), (true, cut)] {
            let star = Star { travel: Span::from_us(1), model: model(is_cut_through), ..Star::new(2) };
            let mut plan = star.plan();
            plan.links[port(1).0 as usize].byte_time = ByteTime::of(Some(rate));
            let mut run = Run::new(&plan);
            run.send(Time::ZERO, 0, 1, 1_000, 0);
            run.finish();
            assert_eq!(run.deliveries(), [(Time::from_ns(expected), 0)], "{rate}, {is_cut_through}");
        }
    }
}

#[test]
fn a_packet_that_cuts_through_waits_for_the_one_before_it_and_is_counted_whole() {
    let model = SwitchModel { is_cut_through: true, ..SwitchModel::default() };
    let mut run = Run::new(&Star { model, port_bytes: 1_000, ..Star::new(4) }.plan());
    // Known at 576 ns, 1576 and 2576: sent until 8576, waits until then, and finds no room.
    for host in 0..3 {
        run.send(Time::from_ns(1_000 * u64::from(host)), host, 3, 1_000, host.into());
    }
    run.finish();
    assert_eq!(run.deliveries(), [(Time::from_ns(8_576), 0), (Time::from_ns(16_576), 1)]);
    assert_eq!(run.deaths(), [(2, port(3), Why::Full)]);
    assert_eq!(run.counts(Time::from_ns(20_000), port(3)).wait_sum_ps, 7_000_000);
    assert_eq!(run.counts(Time::from_ns(20_000), card(0)).busy_ps, 8_000_000);
}
