//! Records to show: a small one, one with everything, and hostile ones.

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::load::Transport;
use incast_core::record::{
    Build, CoreLoad, Cpu, DepartureError, Expectation, Faults, Flow, Host, LossRuns, Messages, Record,
    Reordering, RunLength, ScenarioSummary, TcpSummary, Totals, Verdict,
};

/// A UDP flow that sent so many messages of 1024 bytes in ten seconds and lost some.
pub(crate) fn flow(name: &str, from: &str, sent: u64, lost: u64) -> Flow {
    let unique = sent - lost;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let (offered, goodput, fraction) =
        (sent as f64 * 819.2, unique as f64 * 819.2, if sent > 0 { lost as f64 / sent as f64 } else { 0.0 });
    Flow {
        name: name.into(),
        from: from.into(),
        to: "sink".into(),
        transport: Some(Transport::Udp),
        message_bytes: 1024,
        streams: 1,
        offered_load_bits_per_s: Some(offered),
        goodput_bits_per_s: Some(goodput),
        messages: Messages {
            sent: Some(sent),
            received: Some(unique),
            unique: Some(unique),
            duplicate: Some(0),
            reordered: Some(0),
            late: Some(0),
            stale: Some(0),
            lost: Some(lost),
            unexplained: Some(0),
        },
        lost_fraction: Some(fraction),
        complete: true,
        ..Flow::default()
    }
}

/// Three senders, one expectation missed, nothing unexplained.
pub(crate) fn small() -> Record {
    Record {
        incast: Build { version: "0.1.0".into(), commit: Some("abc1234".into()) },
        world: "run".into(),
        started_at: Some("2025-11-21T10:00:00Z".into()),
        scenario: ScenarioSummary {
            name: "three-to-one".into(),
            title: Some("Three UDP senders, one receiver".into()),
            seed: 7,
            ..ScenarioSummary::default()
        },
        host: host(),
        flows: flows(),
        totals: totals(),
        caveats: vec![Caveat::new(
            CaveatKind::ReceiverSocketOverflow,
            "the receiving host dropped 1204 datagrams at its own full socket buffer (one of them may carry many messages); this loss is not the network's",
            "ask for a larger receive buffer, or for less load",
        )],
        expectations: expectations(),
        verdict: Verdict::Missed,
        ..Record::default()
    }
}

fn flows() -> Vec<Flow> {
    let mut first = flow("udp/source-1", "source-1", 1_220_703, 1204);
    first.loss_runs = Some(LossRuns {
        runs: 100,
        longest: 70,
        lengths: vec![
            RunLength { from: 1, to: 1, runs: 90 },
            RunLength { from: 2, to: 2, runs: 9 },
            RunLength { from: 64, to: 127, runs: 1 },
        ],
    });
    let mut second = flow("udp/source-2", "source-2", 1_220_703, 0);
    second.messages.reordered = Some(3);
    second.reordering = Some(Reordering {
        ratio: 3.0 / 1_220_703.0,
        extent_max: 4,
        extent_mean: Some(2.0),
        extent_unknown: 0,
        n_reordering: vec![3, 2, 1],
    });
    let third = flow("udp/source-3", "source-3", 610_351, 0);
    vec![first, second, third]
}

fn host() -> Host {
    Host {
        name: "daq1".into(),
        kernel: Some("Linux 6.8.0".into()),
        cores_usable: Some(2),
        cores: vec![
            CoreLoad {
                core: 0,
                user: 0.12,
                system: 0.31,
                softirq: 0.405,
                idle: 0.165,
                ..CoreLoad::default()
            },
            CoreLoad { core: 1, user: 0.05, system: 0.9, softirq: 0.0, idle: 0.05, ..CoreLoad::default() },
        ],
        ..Host::default()
    }
}

fn totals() -> Totals {
    Totals {
        messages: Messages {
            sent: Some(3_051_757),
            received: Some(3_050_553),
            unique: Some(3_050_553),
            duplicate: Some(0),
            reordered: Some(3),
            late: Some(0),
            stale: Some(0),
            lost: Some(1204),
            unexplained: Some(0),
        },
        intended_load_bits_per_s: Some(2.5e9),
        offered_load_bits_per_s: Some(2.5e9),
        goodput_bits_per_s: Some(2.499_013e9),
        wire_rate_bits_per_s: Some(2.660_1e9),
        duration_s: Some(10.0),
        delivered_bytes: Some(3_123_766_272),
        lost_fraction: Some(1204.0 / 3_051_757.0),
        fairness_jain: Some(0.926),
        overlap_fraction: Some(0.9996),
        cpu: Some(Cpu { user_s: 1.7, system_s: 12.1, switches_voluntary: 81_234, switches_involuntary: 512 }),
        cpu_seconds_per_gigabyte: Some(4.418),
        cores_at_200_gbit_per_s: Some(110.4),
        throughput_bits_per_s: None,
        throughput_fraction: None,
        receiver_socket_drops: Some(1204),
    }
}

fn expectations() -> Vec<Expectation> {
    vec![
        Expectation {
            name: "UDP loses nothing".into(),
            expected: "lost of all flows = 0".into(),
            measured: Some(1204.0),
            met: Some(false),
            source: Some("loopback has no wire to lose a message on".into()),
        },
        Expectation {
            name: "all get their load through".into(),
            expected: "goodput_bits_per_s of all flows >= 2.4Gbit/s".into(),
            measured: Some(2.499_013e9),
            met: Some(true),
            source: Some("the load of the flows".into()),
        },
    ]
}

/// One of everything that a report can say.
pub(crate) fn everything() -> Record {
    let mut record = small();
    let flow = &mut record.flows[0];
    flow.departure_error =
        Some(DepartureError { ns_p50: 1200, ns_p99: 31_000, ns_max: 2_100_000, skipped_messages: 12 });
    flow.tcp = Some(TcpSummary {
        congestion: "cubic".into(),
        retransmits: Some(12),
        round_trip_us: Some(123),
        segment_bytes: Some(1448),
    });
    flow.messages.unexplained = Some(-3);
    record.totals.messages.unexplained = Some(-3);
    record.faults = Faults { wrong_keys: 3, strangers: 1234, ..Faults::default() };
    let vanished = |index| {
        let text = format!("udp/source-{index}: a side went away before the end");
        Caveat::new(CaveatKind::PeerVanished, text, "look at that host, and run again")
    };
    record.caveats.extend((1..=5).map(vanished));
    record.expectations[1].met = None;
    record.expectations[1].measured = None;
    record.agents.push(Host { name: "daq2".into(), ..Host::default() });
    record.verdict = Verdict::Incomplete;
    record
}

/// Every text is an attack, every number is at its end.
pub(crate) fn hostile() -> Vec<Record> {
    let values = hostile_values().into_iter();
    values.map(|(text, float, count)| hostile_record(text, float, count)).collect()
}

/// Texts that attack, and numbers at their ends, in many combinations.
pub(crate) fn hostile_values() -> Vec<(String, f64, u64)> {
    let texts = [
        "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31mx\r\n\n\ty".to_owned(),
        "\u{202e}\u{200b}\u{feff}\u{2028}".to_owned(),
        "東京".repeat(700),
        "a\u{301}".repeat(700),
        "no-space".repeat(700),
        "many words ".repeat(700),
        String::new(),
    ];
    let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, -0.0, 1e-300, 5e-324];
    let counts = [0, 1, u64::MAX, i64::MAX.cast_unsigned()];
    let pick = |index: usize| {
        (texts[index % texts.len()].clone(), floats[index % floats.len()], counts[index % counts.len()])
    };
    (0..56).map(|index| (pick(index).0, pick(index).1, pick(index / 8).2)).collect()
}

fn hostile_record(text: String, float: f64, count: u64) -> Record {
    let mut record = everything();
    for flow in &mut record.flows {
        make_hostile(flow, &text, float, count);
    }
    let cpu = Cpu { user_s: float, system_s: float, switches_voluntary: count, switches_involuntary: count };
    record.totals = Totals {
        messages: messages(count),
        intended_load_bits_per_s: Some(float),
        offered_load_bits_per_s: Some(float),
        goodput_bits_per_s: Some(float),
        wire_rate_bits_per_s: Some(float),
        duration_s: Some(float),
        delivered_bytes: Some(count),
        lost_fraction: Some(float),
        fairness_jain: Some(float),
        overlap_fraction: Some(float),
        cpu: Some(cpu),
        cpu_seconds_per_gigabyte: Some(float),
        cores_at_200_gbit_per_s: Some(float),
        throughput_bits_per_s: Some(float),
        throughput_fraction: Some(float),
        receiver_socket_drops: Some(count),
    };
    for caveat in &mut record.caveats {
        (caveat.text, caveat.advice) = (text.clone(), text.clone());
    }
    for expectation in &mut record.expectations {
        (expectation.name, expectation.expected) = (text.clone(), text.clone());
        (expectation.source, expectation.measured) = (Some(text.clone()), Some(float));
    }
    record.faults = Faults { wrong_keys: count, strangers: count, bad_lengths: count, ..Faults::default() };
    record.scenario =
        ScenarioSummary { name: text.clone(), title: Some(text.clone()), ..ScenarioSummary::default() };
    record.incast = Build { version: text.clone(), commit: Some(text.clone()) };
    (record.world, record.started_at) = (text.clone(), Some(text.clone()));
    let load = CoreLoad {
        core: u32::MAX,
        user: float,
        system: float,
        softirq: float,
        idle: float,
        ..CoreLoad::default()
    };
    record.host = Host {
        name: text.clone(),
        kernel: Some(text.clone()),
        processor: Some(text),
        memory_bytes: Some(count),
        cores: vec![load; 300],
        ..Host::default()
    };
    record.agents = vec![record.host.clone(); 20];
    record
}

fn make_hostile(flow: &mut Flow, text: &str, float: f64, count: u64) {
    (flow.name, flow.from, flow.to) = (text.to_owned(), text.to_owned(), text.to_owned());
    flow.message_bytes = u32::MAX;
    flow.offered_load_bits_per_s = Some(float);
    flow.goodput_bits_per_s = Some(float);
    flow.lost_fraction = Some(float);
    flow.messages = messages(count);
    flow.loss_runs = Some(LossRuns {
        runs: count,
        longest: count,
        lengths: vec![RunLength { from: count, to: count, runs: count }; 80],
    });
    flow.reordering = Some(Reordering {
        ratio: float,
        extent_max: count,
        extent_mean: Some(float),
        extent_unknown: count,
        n_reordering: vec![count; 3],
    });
    flow.departure_error =
        Some(DepartureError { ns_p50: count, ns_p99: count, ns_max: count, skipped_messages: count });
    flow.tcp = Some(TcpSummary {
        congestion: text.to_owned(),
        retransmits: Some(count),
        round_trip_us: Some(count),
        segment_bytes: Some(count),
    });
}

fn messages(count: u64) -> Messages {
    let known = Some(count);
    Messages {
        sent: known,
        received: known,
        unique: known,
        duplicate: known,
        reordered: known,
        late: known,
        stale: known,
        lost: known,
        unexplained: Some(i64::try_from(count).unwrap_or(i64::MIN)),
    }
}
