//! Probes on a page and on a terminal: what they show, and that nothing of a record can break them.

use incast_core::record::{
    DepartureError, NanosecondBucket, NanosecondDistribution, Probe, ProbeClocks, ProbePoint, Record,
};

use super::{assert_balanced, shown};

fn distribution(from_ns: i64) -> NanosecondDistribution {
    let bucket = |nth: i64| NanosecondBucket {
        from_ns: from_ns + nth * 100,
        to_ns: from_ns + nth * 100 + 99,
        count: 10 + nth.unsigned_abs(),
    };
    NanosecondDistribution {
        count: 46,
        ns_min: from_ns,
        ns_p50: from_ns + 200,
        ns_p99: from_ns + 380,
        ns_max: from_ns + 399,
        buckets: (0..4).map(bucket).collect(),
        ..NanosecondDistribution::default()
    }
}

fn point(message_bytes: u32, gap_us: f64, lost: u64) -> ProbePoint {
    ProbePoint {
        message_bytes,
        gap_ns: (gap_us > 0.0).then_some(gap_us * 1e3),
        repetition: 1,
        offered_load_bits_per_s: Some(f64::from(message_bytes) * 8e6 / gap_us.max(1.0)),
        received_bits_per_s: Some(f64::from(message_bytes) * 7e6 / gap_us.max(1.0)),
        sent: Some(100),
        unique: 100 - lost,
        lost,
        lost_fraction: Some(crate::units::f64_of(lost) / 100.0),
        delay: Some(distribution(1_500)),
        delay_error_ns: Some(0),
        delay_above_min: Some(distribution(1)),
        inter_arrival: Some(distribution(10_000)),
        departure_error: Some(DepartureError { ns_p50: 67, ..DepartureError::default() }),
        ..ProbePoint::default()
    }
}

fn record(points: Vec<ProbePoint>) -> Record {
    let clocks = ProbeClocks { relation: "shared".into(), answers: 9, requests: 9, ..ProbeClocks::default() };
    let probe = Probe { flow: "y".into(), stamps: Some("kernel".into()), clocks, points, ..Probe::default() };
    Record { probe: Some(probe), ..Record::default() }
}

#[test]
fn a_probe_has_its_clocks_its_curves_and_its_histograms() {
    let points = vec![point(64, 10.0, 0), point(64, 50.0, 3), point(1472, 10.0, 0), point(1472, 0.0, 0)];
    let record = record(points);
    let page = shown(&record);
    assert_balanced(&page);
    for words in [
        "both ends read the same clock",
        "stamped by the kernel",
        "lost part of the messages sent, %",
        "one-way delay, median",
        "our own pacing",
        "between arrivals: part of the times",
        "delay above the smallest (PDV)",
        "All 4 points",
        "1 472 B",
    ] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
    assert!(!page.contains("reordered part of the messages"), "nothing was reordered: no figure");
    let terminal = crate::terminal::show(&record, 100);
    for words in ["delay: smallest", "late: half", "67.00 ns", "10.00 us", "none"] {
        assert!(terminal.contains(words), "{words} is missing in\n{terminal}");
    }
}

#[test]
fn the_tables_of_a_probe_keep_to_the_page_and_name_what_they_leave_out() {
    let record = record(vec![point(64, 10.0, 0), point(8_972, 1_000.0, 3)]);
    for width in [60, 80, 100] {
        // Colours take no room: from an escape to its `m`.
        let coloured = crate::terminal::show(&record, width);
        let bare = |part: &str| part.split_once('m').map_or(String::new(), |(_, rest)| rest.to_owned());
        let mut parts = coloured.split('\u{1b}');
        let first = parts.next().map(str::to_owned);
        let terminal: String = first.into_iter().chain(parts.map(bare)).collect();
        let longest = terminal.lines().map(crate::text::width).max();
        assert!(longest <= Some(width), "{longest:?} of {width}\n{terminal}");
        let named = terminal.matches("too wide for this page").count();
        assert!(named >= 1 && terminal.contains("loss"), "{named} at {width}\n{terminal}");
    }
    assert!(!crate::terminal::show(&record, 140).contains("too wide"));
}

#[test]
fn nonsense_in_a_probe_breaks_nothing() {
    let hostile = NanosecondDistribution {
        count: u64::MAX,
        negative: 1,
        ns_min: i64::MIN,
        ns_max: i64::MAX,
        buckets: vec![
            NanosecondBucket { from_ns: i64::MIN, to_ns: i64::MAX, count: u64::MAX },
            NanosecondBucket { from_ns: 1, to_ns: i64::MAX, count: u64::MAX },
            NanosecondBucket { from_ns: 5, to_ns: 1, count: 0 },
        ],
        ..NanosecondDistribution::default()
    };
    let bad = ProbePoint {
        gap_ns: Some(f64::NAN),
        offered_load_bits_per_s: Some(f64::INFINITY),
        lost_fraction: Some(-1.0),
        delay: Some(hostile.clone()),
        delay_above_min: Some(hostile.clone()),
        inter_arrival: Some(hostile),
        ..ProbePoint::default()
    };
    let mut record = record(vec![bad.clone(), bad, ProbePoint::default()]);
    let probe = record.probe.as_mut().unwrap();
    probe.shown_point = Some(u32::MAX);
    probe.clocks.relation = "<script>".into();
    let page = shown(&record);
    assert_balanced(&page);
    assert!(!page.contains("<script>"));
    assert!(crate::terminal::show(&record, 40).contains("probe"));
    assert_balanced(&shown(&self::record(Vec::new())));
}
