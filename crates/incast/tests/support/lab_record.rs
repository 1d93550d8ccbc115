//! A record of the lab as it would be written: senders, a switch whose port is too small, a receiver.

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::load::Transport;
use incast_core::record::{
    Answer, Build, Calibration, CoreInterval, CoreLoad, Flow, Host, Interval, Ledger, LossRuns, LossStage,
    Messages, Network, NetworkCable, NetworkHost, NetworkSwitch, QueueReport, Record, RoundTrip, RunLength,
    SCHEMA, SwitchTest, SwitchTrial, Verdict,
};

/// A run of five seconds with so many senders; every fifth message dies at the port of the switch.
pub(crate) fn star(senders: u32) -> Record {
    let names: Vec<String> = (1..=senders).map(|index| format!("source-{index}")).collect();
    let hosts = || names.iter().map(String::as_str).chain(["sink"]);
    let mut record = Record {
        schema: SCHEMA.into(),
        incast: Build { version: "0.1.0".into(), commit: Some("0123456789abcdef".into()) },
        world: "lab".into(),
        started_at: Some("2026-11-21T04:36:38Z".into()),
        verdict: Verdict::Good,
        ..Record::default()
    };
    record.scenario.name = "udp-sharing".into();
    record.scenario.title = Some(format!("{senders} senders share a port"));
    record.scenario.variant = Some(format!("senders-{senders}"));
    record.scenario.text = Some("incast = 1\nname = \"udp-sharing\"\n".into());
    record.flows = names.iter().zip(1..).map(|(name, index)| flow(name, index)).collect();
    let all = u64::from(senders);
    record.totals.messages = messages(5_000 * all, 1_000 * all);
    record.totals.lost_fraction = Some(0.2);
    record.network = Some(Network {
        hosts: hosts()
            .map(|name| NetworkHost { name: name.into(), addresses: vec!["10.0.0.1".into()] })
            .collect(),
        switches: vec![NetworkSwitch {
            name: "main".into(),
            network: "main".into(),
            forwarding: "bridge".into(),
            when_full: "drop".into(),
        }],
        cables: hosts().map(|name| cable(name, if name == "sink" { 1_000 * all } else { 0 })).collect(),
        calibration: Some(Calibration { packets_per_s: 113e3, needed_packets_per_s: 30e3, load: 0.27 }),
        build_s: Some(0.3),
    });
    record.ledger = Some(ledger(all));
    record.answers =
        vec![Answer { question: "Where do messages die?".into(), answer: vec!["at the port".into()] }];
    record.caveats = vec![Caveat::new(CaveatKind::HostBusy, "other work took a core", "stop other programs")];
    record.host = host();
    record
}

/// The same after a switch test that found 60 % of the full load and tolerates a loss of 0.1 %.
pub(crate) fn switch_test(senders: u32) -> Record {
    let mut record = star(senders);
    record.scenario.name = "switch-throughput".into();
    record.scenario.variant = None;
    let trips = |sent| RoundTrip {
        sent,
        answered: sent - 1,
        us_p50: Some(86.015),
        us_p99: Some(3_538.943),
        us_max: Some(4_311.417),
    };
    let mut trials: Vec<SwitchTrial> = [
        ("throughput", 100, 400_000, false),
        ("throughput", 50, 0, true),
        ("throughput", 75, 200_000, false),
        ("throughput", 62, 32_000, false),
        ("throughput", 60, 3, true),
        ("throughput", 61, 2_000, false),
        ("latency", 59, 0, true),
        ("loss_rate", 100, 401_000, false),
        ("loss_rate", 80, 250_000, false),
        ("loss_rate", 60, 5, true),
        ("loss_rate", 40, 0, true),
        // The sender did not keep up.
        ("loss_rate", 20, 0, false),
    ]
    .map(|(purpose, percent, lost, passed)| trial(purpose, percent, lost, passed))
    .into();
    trials[6].round_trip = Some(trips(214));
    record.flows[0].round_trip = Some(trips(214));
    record.totals.throughput_fraction = Some(0.6);
    record.totals.throughput_bits_per_s = Some(56e6);
    record.switch_test = Some(SwitchTest {
        throughput_fraction: Some(0.6),
        throughput_bits_per_s: Some(56e6),
        loss_tolerance: 0.001,
        resolution: 0.01,
        trial_s: 1.0,
        trials,
    });
    record
}

/// A trial of a million messages.
fn trial(purpose: &str, percent: u32, lost: u32, passed: bool) -> SwitchTrial {
    SwitchTrial {
        purpose: purpose.into(),
        load_fraction: f64::from(percent) / 100.0,
        offered_load_bits_per_s: Some(f64::from(percent) * 0.93e6),
        sent: 1_000_000,
        lost: u64::from(lost),
        lost_fraction: Some(f64::from(lost) / 1e6),
        passed,
        round_trip: None,
    }
}

fn messages(sent: u64, lost: u64) -> Messages {
    let unique = Some(sent - lost);
    let none = Some(0);
    Messages {
        sent: Some(sent),
        received: unique,
        unique,
        duplicate: none,
        reordered: none,
        late: none,
        stale: none,
        lost: Some(lost),
        unexplained: Some(0),
    }
}

fn flow(from: &str, index: u32) -> Flow {
    let rate = 1e6 * f64::from(index);
    let interval = |second: u32| Interval {
        start_s: f64::from(second),
        end_s: f64::from(second + 1),
        sent: Some(1_000),
        received: Some(800),
        unique: Some(800),
        duplicate: Some(0),
        reordered: Some(0),
        late: Some(0),
        stale: None,
        lost: Some(200),
        goodput_bits_per_s: (second != 2).then_some(rate / 3.0),
    };
    Flow {
        name: format!("udp/{from}"),
        from: from.into(),
        to: "sink".into(),
        transport: Some(Transport::Udp),
        message_bytes: 1024,
        streams: 1,
        offered_load_bits_per_s: Some(rate * 1.25),
        goodput_bits_per_s: Some(rate),
        // The start of one flow is not known.
        start_s: (index != 2).then(|| 0.001 * f64::from(index)),
        duration_s: Some(5.0),
        messages: messages(5_000, 1_000),
        lost_fraction: Some(0.2),
        loss_runs: Some(LossRuns {
            runs: 500,
            longest: 100,
            lengths: vec![
                RunLength { from: 1, to: 1, runs: 450 },
                RunLength { from: 9, to: 9, runs: 50 },
                RunLength { from: 64, to: 127, runs: 1 },
            ],
        }),
        intervals: (0..5).map(interval).collect(),
        complete: true,
        ..Flow::default()
    }
}

fn cable(from: &str, dropped_packets: u64) -> NetworkCable {
    let place = format!("port of main to {from}");
    NetworkCable {
        from: from.into(),
        to: "main".into(),
        mtu_bytes: 1500,
        rate_bits_per_s: Some(1e9),
        port_rate_bits_per_s: Some(1e8),
        queue_bytes: Some(4 << 20),
        port_queue_bytes: Some(128 << 10),
        queues: vec![QueueReport { place, packets: 4_000, dropped_packets, ..QueueReport::default() }],
        ..NetworkCable::default()
    }
}

fn ledger(senders: u64) -> Ledger {
    let stage = |stage: &str, messages: u64| LossStage {
        stage: stage.into(),
        place: "port of main to sink".into(),
        packets: messages,
        messages,
    };
    Ledger {
        sent: Some(5_000 * senders),
        delivered: Some(4_000 * senders),
        stages: vec![
            stage("host_queue", 0),
            stage("switch_port", 1_000 * senders - 2),
            stage("socket_buffer", 2),
        ],
        unexplained: Some(0),
        ..Ledger::default()
    }
}

fn host() -> Host {
    let core = |core: u32| CoreLoad { core, user: 0.25, system: 0.25, idle: 0.5, ..CoreLoad::default() };
    let interval = |second: u32| CoreInterval {
        start_s: f64::from(second),
        end_s: f64::from(second + 1),
        busy: vec![0.5, 0.9],
    };
    Host {
        name: "lab-host".into(),
        kernel: Some("Linux 6.1".into()),
        cores: (0..2).map(core).collect(),
        core_intervals: (0..5).map(interval).collect(),
        ..Host::default()
    }
}
