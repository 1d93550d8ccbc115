//! The meter by hand.

use super::*;

const SLICE: Span = Span(100);

#[test]
fn occupancy_is_integrated_between_steps_and_sliced() {
    let mut meter = Meter::new(SLICE);
    meter.record_pass(Time(10), 40);
    // Two wait from 20 and 30 on; the first of them until 50, the second until 350.
    meter.record_enter(Time(20), 30);
    meter.record_enter(Time(30), 20);
    meter.record_drop(Time(40), 99, Why::Full);
    meter.record_leave(Time(50), 40);
    meter.record_start(Time(50), 30, Span(30));
    meter.record_leave(Time(350), 30);
    meter.record_start(Time(350), 20, Span(320));
    let counts = meter.counts(Time(420));
    assert_eq!(counts.byte_ps, 30 * 30 + 20 * 320);
    assert_eq!(counts.bytes_over_time, [50, 20, 20, 20, 0]);
    assert_eq!((counts.bytes_max, counts.packets_max), (50, 2));
    assert_eq!((counts.wait_sum_ps, counts.wait_ns.count()), (350, 3));
    assert_eq!(counts.busy_ps, 40 + 300 + 70);
    assert_eq!((counts.offered_packets, counts.forwarded_packets, counts.queued_packets), (4, 2, 1));
    assert_eq!((counts.offered_bytes, counts.forwarded_bytes, counts.queued_bytes), (189, 70, 20));
    let died = Died { packets: 1, bytes: 99, first: Time(40), last: Time(40) };
    assert_eq!(counts.dropped, [(Why::Full, died)]);
}

#[test]
fn what_leaves_at_the_end_of_a_slice_is_not_in_the_next() {
    let mut meter = Meter::new(SLICE);
    meter.record_pass(Time(0), 1);
    meter.record_enter(Time(10), 7);
    meter.record_leave(Time(100), 1);
    meter.record_start(Time(100), 7, Span(90));
    assert_eq!(meter.counts(Time(100)).bytes_over_time, [7, 0]);
    // What comes at the end of a slice is in the next.
    meter.record_enter(Time(200), 5);
    assert_eq!(meter.counts(Time(200)).bytes_over_time, [7, 0, 5]);
    assert_eq!(meter.counts(Time(250)).byte_ps, 90 * 7 + 50 * 5);
}

#[test]
fn slices_have_a_bound_and_the_last_takes_the_rest() {
    let mut meter = Meter::new(Span(1));
    meter.record_pass(Time(0), 1);
    meter.record_enter(Time(1), 3);
    meter.record_enter(Time(1_000_000), 4);
    let slices = meter.counts(Time(2_000_000)).bytes_over_time;
    assert_eq!((slices.len(), slices[0], slices[1], slices.last()), (SLICES_MAX, 0, 3, Some(&7)));
}
