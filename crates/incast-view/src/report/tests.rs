//! Reports on records that are hard to show: empty, hostile, contradictory, large; and those of a lab.

mod probe;
mod readout;
mod simulation;

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::load::Transport;
use incast_core::record::{
    Answer, Calibration, CoreInterval, CoreLoad, Expectation, Flow, Host, Impairment, Interval, Ladder,
    LadderFigure, LadderRung, Ledger, LinkReport, LossRuns, LossStage, Messages, Network, NetworkCable,
    NetworkHost, NetworkSwitch, PacketAccount, QueueReport, Record, RoundTrip, RunLength, SwitchTest,
    SwitchTrial, Verdict,
};

use super::html;
use crate::RecordAt;

fn shown(record: &Record) -> String {
    html(&[RecordAt { place: "runs/a", record }])
}

fn host(name: &str) -> NetworkHost {
    NetworkHost { name: name.into(), addresses: vec!["10.0.0.1".into()] }
}

fn switch(name: &str) -> NetworkSwitch {
    NetworkSwitch {
        name: name.into(),
        network: "net".into(),
        forwarding: "bridge".into(),
        when_full: "drop".into(),
    }
}

fn cable(from: &str, to: &str) -> NetworkCable {
    NetworkCable {
        from: from.into(),
        to: to.into(),
        mtu_bytes: 1500,
        rate_bits_per_s: Some(1e9),
        port_rate_bits_per_s: Some(1e8),
        queue_bytes: Some(4 << 20),
        port_queue_bytes: Some(128 << 10),
        ..NetworkCable::default()
    }
}

/// A flow over three seconds, of which every eighth message is lost.
fn flow(name: &str, from: &str, rate: f64) -> Flow {
    let interval = |start_s: f64| Interval {
        start_s,
        end_s: start_s + 1.0,
        sent: Some(800),
        received: Some(700),
        unique: Some(700),
        lost: Some(100),
        goodput_bits_per_s: Some(rate),
        ..Interval::default()
    };
    Flow {
        name: name.into(),
        from: from.into(),
        to: "sink".into(),
        transport: Some(Transport::Udp),
        message_bytes: 1024,
        goodput_bits_per_s: Some(rate),
        start_s: Some(0.1),
        lost_fraction: Some(0.125),
        loss_runs: Some(LossRuns {
            runs: 200,
            longest: 64,
            lengths: vec![RunLength { from: 1, to: 1, runs: 199 }, RunLength { from: 64, to: 127, runs: 1 }],
        }),
        intervals: [0.0, 1.0, 2.0].map(interval).into(),
        complete: true,
        ..Flow::default()
    }
}

/// A record of the lab: so many senders, one switch, one receiver.
pub(super) fn star(senders: u32) -> Record {
    let names: Vec<String> = (1..=senders).map(|index| format!("source-{index}")).collect();
    let mut record = Record { world: "lab".into(), verdict: Verdict::Good, ..Record::default() };
    record.scenario.name = "star".into();
    record.flows = names
        .iter()
        .zip(1..)
        .map(|(name, index)| flow(&format!("udp/{name}"), name, 1e6 * f64::from(index)))
        .collect();
    let hosts = names.iter().map(String::as_str).chain(["sink"]);
    record.network = Some(Network {
        hosts: hosts.clone().map(host).collect(),
        switches: vec![switch("main")],
        cables: hosts.map(|name| cable(name, "main")).collect(),
        calibration: Some(Calibration { packets_per_s: 1e5, needed_packets_per_s: 2e5, load: 2.0 }),
        build_s: Some(0.3),
    });
    record
}

/// Two leaves and a root.
pub(super) fn tree() -> Record {
    let mut record = star(4);
    record.network = Some(Network {
        hosts: ["source-1", "source-2", "source-3", "source-4", "sink"].map(host).into(),
        switches: ["leaf-1", "leaf-2", "root"].map(switch).into(),
        cables: vec![
            cable("source-1", "leaf-1"),
            cable("source-2", "leaf-1"),
            cable("source-3", "leaf-2"),
            cable("source-4", "leaf-2"),
            cable("leaf-1", "root"),
            cable("leaf-2", "root"),
            cable("sink", "root"),
        ],
        ..Network::default()
    });
    record
}

fn round_trip() -> RoundTrip {
    RoundTrip { sent: 214, answered: 214, us_p50: Some(86.5), us_p99: None, us_max: Some(4_311.0) }
}

fn trial(purpose: &str, load_fraction: f64, lost: u64, passed: bool) -> SwitchTrial {
    SwitchTrial {
        purpose: purpose.into(),
        load_fraction,
        offered_load_bits_per_s: Some(1e6 * load_fraction),
        sent: 10_000,
        lost,
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        lost_fraction: Some(lost as f64 / 10_000.0),
        passed,
        round_trip: (purpose == "latency").then(round_trip),
    }
}

/// A test that found 60 %; at 40 % the sender did not keep up.
fn switch_test() -> SwitchTest {
    SwitchTest {
        throughput_fraction: Some(0.6),
        throughput_bits_per_s: Some(6e5),
        loss_tolerance: 0.0,
        resolution: 0.01,
        trial_s: 2.0,
        trials: vec![
            trial("throughput", 1.0, 4_000, false),
            trial("throughput", 0.6, 0, true),
            trial("throughput", 0.61, 1, false),
            trial("latency", 0.59, 0, true),
            trial("loss_rate", 1.0, 4_001, false),
            trial("loss_rate", 0.5, 0, true),
            trial("loss_rate", 0.4, 0, false),
        ],
    }
}

/// A record with everything in it that a record can have.
fn full() -> Record {
    let mut record = star(2);
    let network = record.network.as_mut().unwrap();
    let sink = network.cables.last_mut().unwrap();
    sink.queues = vec![QueueReport {
        place: "port of main to sink".into(),
        dropped_packets: 600,
        ..QueueReport::default()
    }];
    sink.links =
        vec![LinkReport { way: "main -> sink".into(), late_us_p99: Some(12.5), ..LinkReport::default() }];
    sink.impairment = Some(Impairment { delay_ms: 2.0, loss: 0.001, ..Impairment::default() });
    let stage = |stage: &str, messages| LossStage {
        stage: stage.into(),
        place: "port of main to sink".into(),
        packets: messages,
        messages,
    };
    record.ledger = Some(Ledger {
        sent: Some(4_800),
        delivered: Some(4_200),
        stages: vec![stage("host_queue", 0), stage("switch_port", 599), stage("socket_buffer", 0)],
        unexplained: Some(1),
        packets: vec![PacketAccount { kind: "udp".into(), sent: 4_800, received: 4_201 }],
        unexplained_packets: Some(0),
        sources: Vec::new(),
    });
    record.totals.messages =
        Messages { sent: Some(4_800), unique: Some(4_200), lost: Some(600), ..Messages::default() };
    record.answers =
        vec![Answer { question: "Who wins?".into(), answer: vec!["nobody".into(), "at all".into()] }];
    record.caveats = vec![Caveat::new(CaveatKind::HostBusy, "other work took a core", "stop it")];
    record.expectations = vec![Expectation {
        name: "it is fast".into(),
        expected: "lost = 0".into(),
        met: Some(false),
        ..Expectation::default()
    }];
    record.flows[0].round_trip = Some(RoundTrip { sent: 214, answered: 213, ..round_trip() });
    let test = switch_test();
    record.totals.throughput_fraction = test.throughput_fraction;
    record.totals.throughput_bits_per_s = test.throughput_bits_per_s;
    record.switch_test = Some(test);
    record.ladder = Some(ladder());
    record.host = Host {
        name: "x".into(),
        cores: vec![CoreLoad { core: 3, ..CoreLoad::default() }],
        core_intervals: vec![CoreInterval { start_s: 0.0, end_s: 3.0, busy: vec![0.5] }],
        ..Host::default()
    };
    record
}

/// Every element that is begun is closed, in order: the builder cannot do otherwise, and raw markup must not.
fn assert_balanced(page: &str) {
    let body = page.split_once("</style>").expect("a style sheet").1;
    let mut open = Vec::new();
    for tag in body.split('<').skip(1).filter_map(|rest| rest.split(['>', ' ']).next()) {
        match tag.strip_prefix('/') {
            // They were begun before the style sheet.
            Some("head" | "html") => {}
            Some(name) => assert_eq!(open.pop(), Some(name), "closed in order"),
            None => open.push(tag),
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn no_record_and_an_empty_record_have_a_report() {
    assert!(html(&[]).contains("No records"));
    let page = shown(&Record::default());
    assert_balanced(&page);
    for words in ["interrupted", "there are no flows", "Where the messages went", "Where it was made"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf "), "{page}");
}

#[test]
fn a_flow_of_which_nothing_is_known_is_shown_without_numbers() {
    let record = Record { flows: vec![Flow::default(), Flow::default()], ..Record::default() };
    let page = shown(&record);
    assert_balanced(&page);
    assert!(!page.contains("NaN") && !page.contains("How the flows shared") && !page.contains("Over time"));
}

#[test]
fn numbers_that_are_none_draw_nothing_wrong() {
    let mut record = full();
    for flow in &mut record.flows {
        flow.goodput_bits_per_s = Some(f64::NAN);
        flow.start_s = Some(f64::INFINITY);
        flow.intervals.push(Interval {
            start_s: f64::NAN,
            end_s: -1.0,
            lost: Some(i64::MIN),
            ..Interval::default()
        });
    }
    record.host.core_intervals[0].busy = vec![f64::NAN, -1.0, f64::INFINITY];
    let ledger = record.ledger.as_mut().unwrap();
    (ledger.sent, ledger.delivered, ledger.unexplained) = (Some(0), Some(u64::MAX), Some(i64::MIN));
    let test = record.switch_test.as_mut().unwrap();
    test.loss_tolerance = f64::INFINITY;
    test.throughput_fraction = Some(f64::NAN);
    for (trial, nonsense) in test.trials.iter_mut().zip([f64::NAN, -1.0, f64::INFINITY, 1e300]) {
        (trial.load_fraction, trial.lost_fraction) = (nonsense, Some(nonsense));
    }
    let page = shown(&record);
    assert_balanced(&page);
    assert!(!page.contains("NaN") && !page.contains("\"inf"));
}

#[test]
fn everything_of_a_record_of_the_lab_is_there() {
    let page = shown(&full());
    assert_balanced(&page);
    for words in [
        "doubt: </b>other work took a core",
        "advice: stop it",
        "Who wins?",
        "at all",
        "class=\"topology\"",
        "600 packets dropped",
        "goodput of each flow, Mbit/s",
        "messages lost by each flow, per second",
        "how busy each core of x was, %",
        "core 3",
        "switch port",
        "the losses alone, 600 messages",
        "12.5 %",
        "Runs of lost messages",
        "The upright line is the fair share, 50.0 %",
        "the machine, not the network, sets the result",
        "12.50 us",
        "it is fast",
    ] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
}

#[test]
fn without_udp_the_bar_is_that_of_the_flows() {
    let mut record = full();
    let ledger = record.ledger.as_mut().unwrap();
    (ledger.sent, ledger.delivered, ledger.unexplained) = (Some(0), Some(0), Some(0));
    ledger.stages.iter_mut().for_each(|stage| stage.messages = 0);
    let page = shown(&record);
    assert!(page.contains("all 4 800 messages sent<") && page.contains("the losses alone, 600 messages"));
    assert!(page.contains("switch port") && page.contains("599"), "packets died all the same");
}

#[test]
fn many_flows_are_drawn_as_a_group_and_not_in_as_many_colours() {
    let page = shown(&star(31));
    assert_balanced(&page);
    assert!(page.contains("udp: median of 31 flows"), "{page}");
    assert_eq!(
        page.matches("hair").count() - page.matches(".hair").count(),
        31 * 4 + 1,
        "a hair for each in every plot"
    );
    assert!(shown(&star(12)).contains("c5 d3"));
}

#[test]
fn nothing_in_a_record_becomes_markup() {
    let hostile =
        "\"><script>alert(1)</script><img src=http://127.0.0.1:1/x onerror=alert(1)>'&\u{202e}\u{0}";
    let mut text = serde_free_text(&full(), hostile);
    text.scenario.text = Some(format!("</pre>{hostile}\nnext line"));
    let page = html(&[RecordAt { place: hostile, record: &text }, RecordAt { place: "b", record: &text }]);
    assert_balanced(&page);
    let body = page.split_once("</style>").unwrap().1;
    for markup in ["<script", "<img", "onerror=alert(1)>", "\u{202e}", "\u{0}", "</pre>&lt;"] {
        assert!(!body.contains(markup), "{markup}");
    }
    assert!(body.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && body.contains("\nnext line"));
}

/// The record with `text` wherever a text may stand.
fn serde_free_text(record: &Record, text: &str) -> Record {
    let mut record = record.clone();
    let t = || text.to_owned();
    (record.world, record.schema, record.started_at) = (t(), t(), Some(t()));
    record.incast.version = t();
    record.incast.commit = Some(t());
    record.scenario.name = t();
    (record.scenario.title, record.scenario.variant, record.scenario.command) =
        (Some(t()), Some(t()), Some(t()));
    record.host.name = t();
    (record.host.kernel, record.host.processor) = (Some(t()), Some(t()));
    record.host.settings.insert(t(), t());
    for flow in &mut record.flows {
        (flow.name, flow.from, flow.to) = (t(), t(), t());
        flow.tcp = Some(incast_core::record::TcpSummary { congestion: t(), ..Default::default() });
    }
    let network = record.network.as_mut().unwrap();
    network.hosts.iter_mut().for_each(|host| (host.name, host.addresses) = (t(), vec![t()]));
    network.switches.iter_mut().for_each(|switch| {
        (switch.name, switch.network, switch.forwarding, switch.when_full) = (t(), t(), t(), t());
    });
    for cable in &mut network.cables {
        (cable.from, cable.to) = (t(), t());
        cable.queues.iter_mut().for_each(|queue| queue.place = t());
        cable.links.iter_mut().for_each(|link| link.way = t());
    }
    let ledger = record.ledger.as_mut().unwrap();
    ledger.stages.iter_mut().for_each(|stage| (stage.stage, stage.place) = (t(), t()));
    ledger.packets.iter_mut().for_each(|account| account.kind = t());
    record.answers = vec![Answer { question: t(), answer: vec![t()] }];
    record.caveats = vec![Caveat::new(CaveatKind::HostBusy, text, text)];
    for rung in &mut record.ladder.as_mut().unwrap().rungs {
        (rung.name, rung.against, rung.settings) = (t(), Some(t()), vec![t()]);
        rung.lacking = rung.lacking.as_ref().map(|_| t());
        rung.refused.iter_mut().for_each(|refused| *refused = t());
    }
    let trials = &mut record.switch_test.as_mut().unwrap().trials;
    trials.iter_mut().for_each(|trial| trial.purpose = t());
    record.expectations =
        vec![Expectation { name: t(), expected: t(), source: Some(t()), ..Expectation::default() }];
    record.agents = vec![record.host.clone()];
    record
}

/// A base, a rung that is better, one that is noise, one that this machine does not have.
fn ladder() -> Ladder {
    let figure = |median: f64, change: Option<f64>, is_apart: Option<bool>| LadderFigure {
        median: Some(median),
        least: Some(median * 0.9),
        most: Some(median * 1.1),
        change,
        is_apart,
        values: vec![Some(median); 5],
    };
    let rung = |name: &str, goodput: f64, change: Option<f64>, is_apart| LadderRung {
        name: name.into(),
        against: change.map(|_| "base".into()),
        settings: vec![format!("flow.x={name}")],
        trials: 5,
        goodput_bits_per_s: figure(goodput, change, is_apart),
        lost_fraction: figure(0.25, None, None),
        cpu_ns_per_byte: figure(3.5, change.map(|change| -change), is_apart),
        ..LadderRung::default()
    };
    let lacking = Some("the interface of x: e0 rx ring: not supported".into());
    let rungs = vec![
        rung("base", 1e9, None, None),
        rung("spinning", 1.5e9, Some(0.5), Some(true)),
        rung("noise", 1.01e9, Some(0.01), Some(false)),
        LadderRung { name: "ring".into(), lacking, ..LadderRung::default() },
        LadderRung { refused: vec!["core 77 refused".into()], ..rung("pinned", 1e9, Some(0.0), Some(false)) },
    ];
    Ladder {
        rounds: 5,
        apart_by_chance: Some(2.0 / 252.0),
        changes_judged: 30,
        apart_by_chance_expected: Some(60.0 / 252.0),
        rungs,
    }
}

#[test]
fn a_ladder_is_shown_with_what_is_noise_and_what_is_not_here() {
    let page = shown(&Record { ladder: Some(ladder()), ..Record::default() });
    assert_balanced(&page);
    for words in [
        "Ladder of optimisations",
        "class=\"number good\">+50.0 %",
        "class=\"number good\">-50.0 %",
        ">~+1.00 %",
        "none here",
        "e0 rx ring: not supported",
        "! 5. pinned is not so: core 77 refused",
        "doubtful\">! 1.000 Gbit/s",
        "irq/msg",
        "2. spinning: 1.500 Gbit/s (1.350 Gbit/s to 1.650 Gbit/s)",
        "probability of 0.794 %",
        "goodput of every rung, Gbit/s",
    ] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
    // A range is a line and its median a point; what may be noise is hollow.
    let figure = page.split_once("class=\"area\"").unwrap().1.split_once("</svg>").unwrap().0;
    assert_eq!((figure.matches("<title>").count(), figure.matches("hollow").count()), (4, 2), "{figure}");
    let empty = shown(&Record { ladder: Some(Ladder::default()), ..Record::default() });
    assert!(empty.contains("Ladder of optimisations"), "{empty}");
}

#[test]
fn a_switch_test_is_shown_with_every_trial() {
    let page = shown(&full());
    assert_balanced(&page);
    for words in [
        "Switch test",
        "60.0 % of the full load",
        "600.0 kbit/s of payload",
        "up to 0 % of the messages",
        "sends for 2.000 s,",
        "RFC 2544 asks for 60 s",
        "at 59.0 % of the full load half by at most 86.50 us,",
        "99 % by at most -,",
        "largest 4.311 ms",
        "213</td>",
        "no: the load was not offered",
        "latency at 59.0 %: lost 0 of 10 000; passed: yes",
        "upright line: throughput, 60.0 %",
        "search for the throughput",
        "loss at each load",
        "with round trips",
        "hollow: less was sent than the load",
        "<dt>throughput</dt>",
        "Round trips of tagged messages (RFC 2681)",
    ] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
    assert!(!page.contains("level line") && !page.contains("other trials"), "{page}");
    // Seven points, one of them hollow; a small loss stands well above none.
    let page = page.split_once(">Switch test<").unwrap().1;
    let figure = page.split_once("class=\"area\"").unwrap().1.split_once("</svg>").unwrap().0;
    assert_eq!((figure.matches("<title>").count(), figure.matches("hollow").count()), (8, 1), "{figure}");
    assert!(figure.contains("M610 ") && figure.contains("M600 238v0"), "{figure}");
    let one = figure.split_once("M610 ").unwrap().1.split_once('v').unwrap().0;
    assert!(one.parse::<f64>().unwrap() < 200.0, "{one}");
}

#[test]
fn a_switch_test_that_found_nothing_says_so() {
    let with = |test: SwitchTest| shown(&Record { switch_test: Some(test), ..Record::default() });
    let page = with(SwitchTest::default());
    assert_balanced(&page);
    assert!(page.contains("Switch test") && !page.contains("class=\"points\""), "{page}");
    assert!(!page.contains("no load passed"), "there was no trial");
    // All that could be sent passed: nothing is lost, nothing to draw.
    let trials = vec![trial("throughput", 1.0, 0, true)];
    let page = with(SwitchTest { throughput_fraction: Some(1.0), trials, ..switch_test() });
    assert!(page.contains("No trial lost a message.") && !page.contains("class=\"points\""), "{page}");
    let nobody = SwitchTrial { sent: 0, lost_fraction: None, ..trial("throughput", 0.5, 0, false) };
    let trials = vec![trial("throughput", 1.0, 9_999, false), nobody, trial("moon", 0.7, 20, false)];
    let page = with(SwitchTest { throughput_fraction: None, loss_tolerance: 0.001, trials, ..switch_test() });
    assert_balanced(&page);
    for words in [
        "none: no load passed",
        "no: nothing was sent",
        "other trials",
        "level line: loss that passes, 0.100 %",
        "moon at 70.0 %",
    ] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
    assert!(!page.contains("upright line"), "{page}");
    let many = vec![trial("throughput", 0.5, 0, true); 41];
    assert!(with(SwitchTest { trials: many, ..switch_test() }).contains("<summary>All 41 trials"));
}

#[test]
fn the_throughput_stands_beside_others_when_one_was_searched_for() {
    let (tested, other) = (full(), star(2));
    let both = |one, other| html(&[one, other].map(|record| RecordAt { place: "a", record }));
    let page = both(&tested, &other);
    assert_balanced(&page);
    let overview = page.split_once("<table>").unwrap().1.split_once("</table>").unwrap().0;
    assert!(overview.contains(">throughput</th>") && overview.contains(">of full load</th>"), "{overview}");
    assert!(overview.contains(">600.0 kbit/s</td>") && overview.contains(">60.0 %</td>"), "{overview}");
    assert!(!both(&other, &other).contains(">throughput</"));
}

#[test]
fn a_doubt_of_a_newer_incast_is_shown_with_its_words() {
    let mut record = star(1);
    record.verdict = Verdict::Tainted;
    record.caveats = vec![Caveat::new(CaveatKind::Other, "the moon was too bright", "wait for the sun")];
    let page = shown(&record);
    for words in ["tainted", "doubt: </b>the moon was too bright", "advice: wait for the sun"] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
}

#[test]
fn several_records_are_compared_flow_by_flow() {
    let (one, other) = (star(2), star(3));
    let page = html(&[RecordAt { place: "a", record: &one }, RecordAt { place: "b", record: &other }]);
    assert_balanced(&page);
    for words in
        ["2 records side by side", "Flows in common", "goodput 2", "href=\"#record-2\"", "id=\"record-2\""]
    {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn the_page_loads_nothing_and_runs_nothing() {
    let page = shown(&full());
    assert!(page.contains("default-src &#39;none&#39;"), "{page}");
    for word in ["http://", "https://", "url(", "@import", "<script", "<link", "src="] {
        assert!(!page.contains(word), "{word}");
    }
}
