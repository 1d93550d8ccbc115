//! iperf3's JSON: what stock programs write is read, what hostile ones write is refused or ignored.

use incast_core::iperf3::datagram::Width;
use incast_core::iperf3::{Parameters, Results};
use incast_core::load::{Load, Transport};
use incast_core::time::Span;
use incast_core::units::BitRate;

fn read(text: &str) -> Parameters {
    serde_json::from_str(text).expect("it is JSON")
}

/// As a stock 3.12 client sends them for `-u -P 2 -b 1M -l 1000`.
const STOCK: &str = r#"{"udp":true,"omit":0,"time":10,"num":0,"blockcount":0,"parallel":2,"len":1000,
    "bandwidth":1000000,"pacing_timer":1000,"client_version":"3.12"}"#;

#[test]
fn a_stock_clients_parameters_become_a_plan() {
    let plan = read(STOCK).check().unwrap();
    assert_eq!((plan.transport, plan.streams, plan.message_bytes), (Transport::Udp, 2, 1000));
    assert_eq!(plan.load, Load::BitRate(BitRate(2_000_000)), "a stream's load times the streams");
    assert_eq!((plan.duration, plan.messages), (Some(Span::from_s(10)), None));
    assert_eq!((plan.width, plan.reverse), (Width::Narrow, false));
}

#[test]
fn what_is_of_a_wrong_type_counts_as_absent() {
    let text = r#"{"tcp":true,"time":"ten","parallel":null,"len":[1],"num":{"a":1},"congestion":7,"x":1}"#;
    let plan = read(text).check().unwrap();
    assert_eq!((plan.streams, plan.duration, plan.messages), (1, None, None));
    assert_eq!((plan.message_bytes, plan.congestion), (131_072, None));
}

#[test]
fn what_cannot_be_done_is_refused_with_a_number_that_clients_know() {
    for (text, code) in [
        (r"{}", 114),
        (r#"{"tcp":true,"udp":true}"#, 114),
        (r#"{"sctp":true}"#, 18),
        (r#"{"tcp":true,"bidirectional":true}"#, 13),
        (r#"{"tcp":true,"omit":1}"#, 13),
        (r#"{"tcp":true,"parallel":129}"#, 6),
        (r#"{"tcp":true,"parallel":-1}"#, 6),
        (r#"{"tcp":true,"parallel":1e300}"#, 6),
        (r#"{"tcp":true,"time":86401}"#, 5),
        (r#"{"tcp":true,"len":1048577}"#, 7),
        (r#"{"tcp":true,"len":7,"reverse":true}"#, 7),
        (r#"{"udp":true,"len":15}"#, 20),
        (r#"{"udp":true,"len":65508}"#, 20),
        (r#"{"udp":true,"bandwidth":1e18}"#, 114),
    ] {
        let refusal = read(text).check().unwrap_err();
        assert_eq!(refusal.code, code, "{text}: {refusal:?}");
        assert!(!refusal.reason.is_empty());
    }
}

#[test]
fn results_are_matched_by_their_ids() {
    let text = r#"{"cpu_util_total":1.5,"streams":[
        {"id":3,"bytes":7,"retransmits":18446744073709551615,"errors":-1,"packets":2},{"id":1,"bytes":5}]}"#;
    let results: Results = serde_json::from_str(text).unwrap();
    let bytes: Option<Vec<_>> =
        results.in_order(2).map(|streams| streams.iter().map(|stream| stream.bytes).collect());
    assert_eq!(bytes, Some(vec![Some(5), Some(7)]));
    assert_eq!((results.in_order(1), results.in_order(3)), (None, None));
    let twice: Results = serde_json::from_str(r#"{"streams":[{"id":1},{"id":1}]}"#).unwrap();
    assert_eq!(twice.in_order(2), None);
}

#[test]
fn more_streams_than_a_test_can_have_are_not_kept() {
    let text = |count| format!(r#"{{"streams":[{}]}}"#, vec!["{}"; count].join(","));
    assert!(serde_json::from_str::<Results>(&text(256)).is_ok());
    assert!(serde_json::from_str::<Results>(&text(257)).is_err());
}
