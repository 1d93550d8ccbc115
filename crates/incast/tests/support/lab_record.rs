//! A record of the lab as it would be written: senders, a switch whose port is too small, a receiver.

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::load::Transport;
use incast_core::record::{
    Answer, Build, Calibration, CoreInterval, CoreLoad, Flow, Host, Interval, Ledger, LossRuns, LossStage,
    Messages, Network, NetworkCable, NetworkHost, NetworkSwitch, QueueReport, Record, RunLength, SCHEMA,
    Verdict,
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
