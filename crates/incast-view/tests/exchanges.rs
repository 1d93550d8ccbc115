//! Exchanges on a terminal and on a page: what is known is shown, what is not is `-`, and a hostile name is harmless.

use incast_core::load::Transport;
use incast_core::record::{
    Exchange, ExchangePeer, ExchangePoint, ExchangeTimes, Record, TcpHistory, TcpSample, TimeBucket,
};
use incast_view::{RecordAt, report, terminal};

fn record(exchange: Exchange) -> Record {
    Record { exchanges: vec![exchange], ..Record::default() }
}

fn known() -> Exchange {
    let times = ExchangeTimes {
        count: 9,
        us_min: Some(140_100.0),
        us_p50: Some(156_700.0),
        us_max: Some(209_000.0),
        buckets: vec![TimeBucket { from_us: 140_000.0, to_us: 148_000.0, count: 9 }],
        ..ExchangeTimes::default()
    };
    let sample = |at_s, window| TcpSample {
        at_s,
        congestion_window_segments: Some(window),
        round_trip_us: Some(140_200),
        ..TcpSample::default()
    };
    let history =
        TcpHistory { congestion: Some("cubic".into()), samples: vec![sample(0.0, 10), sample(1.0, 1_385)] };
    let peer = ExchangePeer {
        name: "cern".into(),
        answered: Some(10),
        responses_sent: Some(10),
        packets_per_response: Some(691.0),
        at_answerer: Some(history),
        ..ExchangePeer::default()
    };
    Exchange {
        name: "events".into(),
        from: "krakow".into(),
        transport: Some(Transport::Tcp),
        request_bytes: 64,
        response_bytes: 1_000_000,
        asked: Some(10),
        answered: Some(10),
        timed_out: Some(0),
        failed: Some(0),
        unanswered: Some(0),
        residual: Some(0),
        first_us: Some(1_024_000.0),
        response: Some(times),
        points: (0..10).map(|number| ExchangePoint { number, at_s: 0.0, took_us: Some(150_000.0) }).collect(),
        peers: vec![peer],
        ..Exchange::default()
    }
}

fn page(record: &Record) -> String {
    report::html(&[RecordAt { record, place: "record.json" }])
}

#[test]
fn the_account_the_times_and_the_connection_are_shown() {
    let record = record(known());
    let shown = terminal::show(&record, 120);
    for says in
        ["exchange events", "krakow asks cern over tcp", "10 asked = 10 answered", "156.7 ms", "691", "1 385"]
    {
        assert!(shown.contains(says), "{says}\n{shown}");
    }
    assert!(!shown.contains("all flows"), "there were none");
    let page = page(&record);
    for says in ["Exchange events", "how long each round took", "congestion window", "1.024 s"] {
        assert!(page.contains(says), "{says}");
    }
}

#[test]
fn what_is_not_known_is_no_number_and_no_plot() {
    let record = record(Exchange { peers: vec![ExchangePeer::default()], ..Exchange::default() });
    for width in [1, 40, 120] {
        assert!(terminal::show(&record, width).contains('-'));
    }
    let page = page(&record);
    assert!(!page.contains("how long each round took") && !page.contains("congestion window"));
}

#[test]
fn a_hostile_name_is_harmless() {
    let name = "<script>\u{1b}[2J\n".to_owned();
    let peer = ExchangePeer { name: name.clone(), ..ExchangePeer::default() };
    let record = record(Exchange { name: name.clone(), from: name, peers: vec![peer], ..known() });
    let shown = terminal::show(&record, 100);
    assert!(!shown.contains("\u{1b}[2J"), "{shown:?}");
    assert!(!page(&record).contains("<script>"));
}

#[test]
fn a_quantile_of_requests_without_an_answer_says_what_is_known_of_it() {
    let times =
        ExchangeTimes { count: 6, without_answer: 4, us_p50: Some(442.0), ..ExchangeTimes::default() };
    let peers = vec![ExchangePeer { response: Some(times.clone()), ..ExchangePeer::default() }];
    let exchange = Exchange {
        timed_out: Some(4),
        timeout_us: Some(1_000.0),
        response: Some(times.clone()),
        peers,
        ..known()
    };
    let shown = terminal::show(&record(exchange.clone()), 120);
    assert!(shown.contains("442.0 us") && shown.matches("> 1.000 ms").count() >= 4, "{shown}");
    let timed_out = page(&record(exchange.clone()));
    assert!(timed_out.contains("&gt; 1.000 ms"), "and on the page");
    // A connection that broke may have taken any time.
    let failed = Exchange { timed_out: Some(3), failed: Some(1), ..exchange };
    let shown = terminal::show(&record(failed), 120);
    assert!(shown.contains("no answer") && !shown.contains("> 1.000 ms"), "{shown}");
}

#[test]
fn what_is_too_wide_is_named_and_a_column_that_means_nothing_is_not_there() {
    let tcp = terminal::show(&record(known()), 60);
    assert!(tcp.contains("count") && tcp.contains("too wide for this page: least"), "{tcp}");
    let udp = terminal::show(&record(Exchange { transport: Some(Transport::Udp), ..known() }), 120);
    assert!(!udp.contains("acks each") && !udp.contains("packets each"), "{udp}");
    assert!(terminal::show(&record(known()), 120).contains("acks each"));
}
