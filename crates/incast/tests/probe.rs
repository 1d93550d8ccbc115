//! Probes over loopback and in labs: what is timed has a known answer, and what is counted closes.
//!
//! The tests of labs and of time namespaces need root. In CI they fail without; elsewhere they say so and pass.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/program.rs"]
mod program;
#[path = "support/lab.rs"]
mod support;

use std::process::Command;

use incast_core::caveat::CaveatKind;
use incast_core::record::{Probe, ProbePoint, Record};

use account::{assert_all_explained, has_caveat};
use program::Program;
use support::*;

/// Two sizes with two gaps, each point some hundred milliseconds.
const SWEEP: [&str; 8] =
    ["--message", "64B,1024B", "--gap", "200us,500us", "--messages", "300", "--warm-up", "50"];

fn probe(record: &Record) -> &Probe {
    record.probe.as_ref().expect("a probe was made")
}

/// Asserts what holds of any point, however busy the machine.
fn assert_point_closes(point: &ProbePoint) {
    assert_eq!(point.sent, Some(point.unique + point.lost), "every message but the warm-up: {point:?}");
    let count = |of: &Option<incast_core::record::NanosecondDistribution>| {
        of.as_ref().map_or(0, |distribution| {
            let buckets: u64 = distribution.buckets.iter().map(|bucket| bucket.count).sum();
            assert_eq!(buckets, distribution.count);
            assert!(distribution.ns_min <= distribution.ns_p50 && distribution.ns_p50 <= distribution.ns_max);
            distribution.count
        })
    };
    assert_eq!(count(&point.delay), point.unique, "every message received has a delay");
    assert_eq!(count(&point.delay_above_min), point.unique);
    assert_eq!(count(&point.inter_arrival), point.unique.saturating_sub(1));
    assert!(count(&point.delay_variation) <= point.unique);
    assert_eq!(point.delay_above_min.as_ref().map(|pdv| (pdv.ns_min, pdv.negative)), Some((0, 0)));
    let stamps = &point.stamped;
    assert_eq!(stamps.nic + stamps.kernel + stamps.reader, point.unique);
    assert!(point.departure_error.is_some(), "our own pacing is part of the result");
}

#[test]
fn every_point_of_a_sweep_is_timed_and_its_account_closes() {
    let (server, address) = Program::serve(&[]);
    let words =
        ["probe", &address.to_string(), "--json", "--seed", "7", "--repetitions", "2"].map(str::to_owned);
    let record = Program::incast(words.iter().map(String::as_str).chain(SWEEP)).record();
    server.interrupt();
    let served = server.finish().record_of_any_end();
    assert_eq!(record.world, "probe");
    assert_all_explained(&record);
    let probe = probe(&record);
    assert_eq!(probe.points.len(), 8, "two sizes, two gaps, twice");
    assert_eq!(served.flows.len(), 8, "a session for each point");
    for point in &probe.points {
        assert_point_closes(point);
        assert_eq!(point.sent, Some(300), "the warm-up of 50 is not counted");
        let delay = point.delay.as_ref().expect("both ends read one clock");
        assert!(delay.ns_min > 0 && delay.negative == 0, "nothing arrives before it left: {delay:?}");
        assert_eq!(point.delay_error_ns, Some(0));
        // The slowest gap bounds the time from the first to the last from below, on any machine.
        let gap = point.gap_ns.expect("every point has a gap");
        assert!(point.received_messages_per_s.expect("some came") < 1e9 / gap * 1.5, "{point:?}");
        assert!(point.receiver.receive_softirqs_per_message.is_some(), "of /proc/stat");
    }
    assert_eq!(probe.clocks.relation, "shared");
    assert!(probe.clocks.answers > 0, "two-way messages were answered: {:?}", probe.clocks);
    let offset = probe.clocks.offset_ns.expect("they were compared all the same").unsigned_abs();
    assert!(
        offset <= probe.clocks.error_ns.expect("as the offset"),
        "one clock agrees with itself: {:?}",
        probe.clocks
    );
    assert_eq!(probe.stamps.as_deref(), Some("kernel"), "Linux stamps what it receives");
    assert!(
        !has_caveat(&record, CaveatKind::ClockUncertain) && !has_caveat(&record, CaveatKind::PeerNonsense)
    );
    // The order is the seed's.
    let order: Vec<_> = probe.points.iter().map(|point| (point.message_bytes, point.repetition)).collect();
    assert!(!order.is_sorted(), "{order:?}");
}

#[test]
fn a_clock_of_another_time_namespace_is_found_within_its_error_bar() {
    let Some(_one) = may_make_labs() else { return };
    const AHEAD_S: i64 = 4_321;
    let (server, address) = Program::serve(&[]);
    let mut command = Command::new("unshare");
    command.args(["--time", "--fork", "--kill-child", "--monotonic", &AHEAD_S.to_string()]);
    command.arg(env!("CARGO_BIN_EXE_incast")).args(["probe", &address.to_string(), "--json"]).args(SWEEP);
    let record = Program::start(command).record();
    server.interrupt();
    drop(server.finish());
    let probe = probe(&record);
    let clocks = &probe.clocks;
    assert_eq!(clocks.relation, "estimated", "{clocks:?}");
    let (offset, error) = (clocks.offset_ns.expect("estimated"), clocks.error_ns.expect("estimated"));
    assert!((offset + AHEAD_S * 1_000_000_000).unsigned_abs() <= error, "{clocks:?}");
    assert!(error < 1_000_000_000, "the error bar says something: {clocks:?}");
    let drift = clocks.drift_ppb.expect("estimated").unsigned_abs();
    assert!(drift <= clocks.drift_error_ppb.expect("estimated"), "it is the same oscillator: {clocks:?}");
    assert_eq!(probe.points.len(), 4, "the first point was played again, and counts once");
    for point in &probe.points {
        assert_point_closes(point);
        // The true delay is above zero, so what is found is above zero less the error bar.
        let delay = point.delay.as_ref().expect("the clocks were compared");
        let error = i64::try_from(point.delay_error_ns.expect("as the delay")).expect("small");
        assert!(delay.ns_min > -error, "{delay:?} +- {error}");
    }
}

#[test]
fn what_cannot_be_probed_is_refused_in_a_sentence() {
    let cases: &[(&[&str], &str)] = &[
        (&["--transport", "tcp"], "a probe times datagrams"),
        (&["--message", "16B"], "at least 24 B"),
        (&["--message", "70000B"], "out of range"),
        (&["--message", "64"], "has no unit"),
        (&["--gap", "10us..5us"], "ends before it begins"),
        (&["--gap", "0..9us*2"], "begin above 0"),
        (&["--message", "64B..1000B+1B"], "more than 256 values"),
        (&["--repetitions", "1000"], "are more than 4096"),
        (&["--gap", "20h", "--messages", "5"], "takes longer"),
    ];
    for (words, said) in cases {
        let refused = Program::incast(["probe", "127.0.0.1:9"].iter().chain(*words)).finish();
        refused.expect_code(2);
        assert!(refused.stderr.contains(said), "{words:?}: {}", refused.stderr);
    }
}

/// A probe of the flow from y to x.
const PROBE: &str = "[probe]\nmessage = \"64B,512B\"\ngap = \"1ms\"\nmessages = 400\nwarm_up = 20\n";

#[test]
fn a_path_of_known_delay_and_jitter_is_found_in_a_lab() {
    let Some(_one) = may_make_labs() else { return };
    let cable = ", delay = \"20ms\", jitter = \"3ms\"";
    let record = Sheet { name: "lab-probe-delay", cable, flows: &[UDP_Y], more: PROBE, ..SHEET }.run();
    let probe = probe(&record);
    assert_eq!((probe.points.len(), probe.clocks.relation.as_str()), (2, "shared"), "{:?}", probe.clocks);
    for point in &probe.points {
        assert_point_closes(point);
        let (delay, pdv) =
            (point.delay.as_ref().expect("known"), point.delay_above_min.as_ref().expect("known"));
        // Both cables hold every packet: 20 ms each, and up to 3 ms more.
        assert!(delay.ns_min >= 40_000_000, "no message is faster than its links: {delay:?}");
        assert!(pdv.ns_p90 >= 1_000_000, "jitter is seen: {pdv:?}");
        assert_eq!((point.lost, point.reordered), (0, 0), "jitter keeps the order");
    }
    let trip = probe.clocks.round_trip_ns_min.expect("two-way messages came back");
    assert!(trip >= 80_000_000, "there and back: {trip}");
}

#[test]
fn a_path_that_loses_and_reorders_does_so_in_every_point() {
    let Some(_one) = may_make_labs() else { return };
    let cable = ", delay = \"5ms\", loss = 0.05, reorder = 0.05";
    let record = Sheet { name: "lab-probe-loss", cable, flows: &[UDP_Y], more: PROBE, ..SHEET }.run();
    for point in &probe(&record).points {
        assert_point_closes(point);
        // Two links lose one in twenty each: of 400 messages 39 are expected, six standard deviations are 36.
        assert!((3..=120).contains(&point.lost), "{point:?}");
        assert!(point.loss_runs.runs > 0 && point.loss_runs.longest <= point.lost);
        assert!(point.reordered > 0 && point.reordering.extent_max > 0, "{point:?}");
        let variation = point.delay_variation.as_ref().expect("pairs were received");
        assert!(
            variation.negative > 0 && variation.negative < variation.count,
            "it goes both ways: {variation:?}"
        );
    }
}
