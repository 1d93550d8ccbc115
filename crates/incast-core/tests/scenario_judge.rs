//! Expectations are judged as a reader would: the worst flow counts, the unknown is not judged.

use incast_core::record::{Flow, Record};
use incast_core::scenario::{Limits, Scenario, judge};

const HEAD: &str = r#"
incast = 1
name = "judge"
host = [{name = "sink"}, {name = "source", count = 3}, {name = "other"}]
flow = [
  {name = "tcp", from = "source", to = "sink", transport = "tcp"},
  {name = "tcpx", from = "other", to = "sink", transport = "tcp"},
]
[[expect]]
name = "claim"
source = "test"
"#;

/// Judges one expectation of a record whose flows have these goodputs.
fn check(expect: &str, goodputs: &[(&str, Option<f64>)], measured: Option<f64>, met: Option<bool>) {
    let scenario = Scenario::parse(&format!("{HEAD}{expect}")).unwrap_or_else(|errors| panic!("{errors}"));
    let mut record = Record::default();
    for (name, goodput) in goodputs {
        let flow = Flow { name: (*name).into(), goodput_bits_per_s: *goodput, ..Flow::default() };
        record.flows.push(flow);
    }
    record.totals.goodput_bits_per_s = Some(100.0);
    record.totals.messages.unexplained = Some(-1);
    record.totals.fairness_jain = Some(f64::NAN);
    let judged = judge(&scenario.expectations[0], &record);
    assert_eq!((judged.measured, judged.met), (measured, met), "{expect} over {goodputs:?}");
    assert_eq!((judged.name.as_str(), judged.source.as_deref()), ("claim", Some("test")));
    assert_eq!(judged.expected, scenario.expectations[0].expected);
}

#[test]
fn totals_are_judged_without_a_flow() {
    check("what = 'goodput_bits_per_s'\nequals = 100", &[], Some(100.0), Some(true));
    check("what = 'goodput_bits_per_s'\nequals = 101", &[], Some(100.0), Some(false));
    check("what = 'goodput_bits_per_s'\nequals = 102\nwithin = 0.02", &[], Some(100.0), Some(true));
    check("what = 'goodput_bits_per_s'\nequals = 103\nwithin = 0.02", &[], Some(100.0), Some(false));
    check("what = 'goodput_bits_per_s'\nat_least = '100bit/s'", &[], Some(100.0), Some(true));
    check("what = 'goodput_bits_per_s'\nat_most = 99", &[], Some(100.0), Some(false));
    check("what = 'unexplained'\nequals = 0", &[], Some(-1.0), Some(false));
    check("what = 'unexplained'\nat_least = -1", &[], Some(-1.0), Some(true));
}

#[test]
fn unknown_is_neither_met_nor_missed() {
    check("what = 'lost'\nequals = 0", &[], None, None);
    check("what = 'fairness_jain'\nat_least = 0.5", &[], None, None);
    check("what = 'lost'\nflow = 'tcp'\nequals = 0", &[("tcp/source-1", None)], None, None);
}

const ALL: [(&str, Option<f64>); 4] = [
    ("tcp/source-1", Some(10.0)),
    ("tcp/source-2", Some(12.0)),
    ("tcp/source-3", Some(7.0)),
    // Of another group, in spite of its name.
    ("tcpx", Some(1000.0)),
];

#[test]
fn the_worst_flow_of_a_group_counts() {
    let of_tcp = |limits: &str| format!("what = 'goodput_bits_per_s'\nflow = 'tcp'\n{limits}");
    check(&of_tcp("at_least = 7"), &ALL, Some(7.0), Some(true));
    check(&of_tcp("at_least = 8"), &ALL, Some(7.0), Some(false));
    check(&of_tcp("at_most = 12"), &ALL, Some(12.0), Some(true));
    check(&of_tcp("at_least = 1\nat_most = 12.5"), &ALL, Some(12.0), Some(true));
    check(&of_tcp("equals = 10\nwithin = 0.25"), &ALL, Some(7.0), Some(false));
    check(&of_tcp("equals = 10\nwithin = 0.3"), &ALL, Some(7.0), Some(true));
    check("what = 'goodput_bits_per_s'\nflow = 'tcp/source-2'\nequals = 12", &ALL, Some(12.0), Some(true));
    check("what = 'goodput_bits_per_s'\nflow = 'tcpx'\nequals = 1000", &ALL, Some(1000.0), Some(true));
}

#[test]
fn an_unknown_flow_leaves_the_verdict_open_unless_another_misses() {
    let part = [ALL[0], ("tcp/source-2", None), ALL[2]];
    let of_tcp = |limits: &str| format!("what = 'goodput_bits_per_s'\nflow = 'tcp'\n{limits}");
    check(&of_tcp("at_least = 5"), &part, None, None);
    check(&of_tcp("at_least = 8"), &part, Some(7.0), Some(false));
    // A flow that the record does not show at all is as unknown as one without the number.
    check(&of_tcp("at_least = 5"), &ALL[1..], None, None);
}

#[test]
fn a_margin_is_negative_outside_the_limits() {
    assert!(Limits::Near { value: 1.0, tolerance: 0.0 }.margin(1.0) >= 0.0);
    assert!(Limits::Near { value: 1.0, tolerance: 0.1 }.margin(1.2) < 0.0);
    assert!(Limits::Between { at_least: 1.0, at_most: f64::INFINITY }.margin(f64::MAX) > 0.0);
    assert!(Limits::Between { at_least: 1.0, at_most: f64::INFINITY }.margin(0.9) < 0.0);
}
