//! Reports on simulated records on a terminal.

use incast_core::record::{
    Answer, ByteBook, DelayPart, DropPlace, Estimate, Host, Ledger, LossStage, ModelUsed, Network,
    NetworkCable, NetworkHost, NetworkSwitch, QueueHistory, Record, ReplicaFigure, Simulation,
    TimeDistribution,
};
use incast_view::terminal::agreements;
use incast_view::text::width;

use super::records::small;
use super::{check, plain};

fn distribution(us: f64) -> TimeDistribution {
    TimeDistribution {
        count: 2_000,
        us_p50: Some(us),
        us_p99: Some(us * 1.5),
        us_p999: Some(us * 2.0),
        us_max: Some(us * 2.0),
        ..TimeDistribution::default()
    }
}

/// A figure of twenty replicas.
fn figure(name: &str, least: f64, most: f64) -> ReplicaFigure {
    ReplicaFigure {
        name: name.into(),
        replicas: 20,
        mean: 0.5,
        half_width: Some(0.012_34),
        least,
        most,
        values: Vec::new(),
    }
}

/// So many queues, one of which dropped, and one of everything else.
fn simulated(queues: usize) -> Record {
    let queue = |index: usize| QueueHistory {
        place: format!("port of main to sink-{index}"),
        packets: 4_000,
        dropped_packets: if index == 1 { 600 } else { 0 },
        capacity_bytes: (index != 2).then_some(131_072),
        bytes_max: 130_800,
        packets_max: 120,
        bytes_mean: 65_432.1,
        busy: Some(0.889),
        wait_us: Some(distribution(5_000.0)),
        wait_us_mean: Some(5_225.171),
        bytes_over_time: Vec::new(),
        interval_s: 0.25,
    };
    let delay = |part: &str, us| DelayPart { of: "udp".into(), part: part.into(), us: distribution(us) };
    let mut record = Record { world: "sim".into(), host: Host::default(), ..small() };
    (record.caveats, record.expectations) = (Vec::new(), Vec::new());
    record.totals.cpu = None;
    record.totals.cpu_seconds_per_gigabyte = None;
    record.ledger = Some(Ledger {
        stages: vec![LossStage { stage: "switch_port".into(), packets: 600, ..LossStage::default() }],
        unexplained_packets: Some(0),
        ..Ledger::default()
    });
    record.answers =
        vec![Answer { question: "Who pays?".into(), answer: vec!["a simulator does not".into()] }];
    record.simulation = Some(Simulation {
        virtual_s: 4.508_758,
        packet_hops: 275_589,
        ties: 1,
        digest: "b655a99967573553".into(),
        bytes: ByteBook {
            offered: 4_000_000,
            forwarded: 3_400_000,
            dropped: 600_000,
            queued: 0,
            residual: 0,
        },
        queues: (1..=queues).map(queue).collect(),
        drops: vec![DropPlace {
            stage: "switch_port".into(),
            place: "port of main to sink-1".into(),
            cause: "until_empty".into(),
            packets: 600,
            bytes: 600_000,
            first_s: 0.005_275,
            last_s: 4.0,
        }],
        delays: vec![delay("whole", 5_100.0), delay("sending", 87.2), delay("queueing", 5_012.8)],
        models: ["stated", "assumed"]
            .map(|origin| ModelUsed {
                of: "sinks".into(),
                name: "disk_commit".into(),
                value: "1ms".into(),
                origin: origin.into(),
            })
            .into(),
        estimates: vec![Estimate {
            name: "mean wait".into(),
            source: "M/D/1".into(),
            estimated: 5.0,
            simulated: Some(6.0),
            disagreement: Some(0.2),
        }],
        replicas: vec![figure("fairness_jain", 0.25, 0.75), figure("sent", 7.0, 7.0)],
    });
    record
}

#[test]
fn a_simulation_at_100_columns() {
    check(&simulated(9), 100, include_str!("simulation-100.txt"));
}

#[test]
fn what_is_left_over_of_the_bytes_is_never_out_of_sight() {
    for columns in [40, 80, 120] {
        let mut record = simulated(1);
        record.simulation.as_mut().unwrap().bytes.residual = -77;
        let shown = plain(&record, columns);
        assert!(shown.contains("residual -77"), "{columns}:\n{shown}");
        assert!(shown.lines().all(|line| width(line) <= columns), "{shown}");
    }
}

#[test]
fn nothing_of_a_kernel_is_said_of_a_simulation_and_nothing_of_it_of_a_kernel() {
    let shown = plain(&simulated(1), 120);
    for words in ["kernel's", "\npackets", "\nhost", "CPU seconds per GB"] {
        assert!(!shown.contains(words), "{words}:\n{shown}");
    }
    let mut measured = simulated(1);
    measured.simulation = None;
    measured.world = "lab".into();
    let shown = plain(&measured, 120);
    for words in ["as the simulator saw it", "the simulation", "the fullest queues", "digest"] {
        assert!(!shown.contains(words), "{words}:\n{shown}");
    }
    assert!(shown.contains("by the kernel's counters") && shown.contains("CPU seconds per GB"), "{shown}");
}

#[test]
fn a_hostile_simulation_neither_escapes_nor_overflows() {
    let text = "\u{1b}[31m\u{202e}東\n".repeat(500);
    let mut record = simulated(300);
    let simulation = record.simulation.as_mut().unwrap();
    simulation.digest = text.clone();
    simulation.queues.iter_mut().for_each(|queue| queue.place = text.clone());
    simulation.drops.iter_mut().for_each(|drop| (drop.place, drop.cause) = (text.clone(), text.clone()));
    simulation.delays.iter_mut().for_each(|delay| (delay.of, delay.part) = (text.clone(), text.clone()));
    for model in &mut simulation.models {
        (model.of, model.name, model.value, model.origin) =
            (text.clone(), text.clone(), text.clone(), text.clone());
    }
    simulation.estimates.iter_mut().for_each(|one| (one.name, one.source) = (text.clone(), text.clone()));
    simulation.replicas.iter_mut().for_each(|figure| figure.name = text.clone());
    simulation.estimates[0].estimated = f64::NAN;
    simulation.queues[0].bytes_mean = f64::INFINITY;
    (simulation.queues[1].dropped_packets, simulation.drops[0].packets) = (u64::MAX, u64::MAX);
    for columns in [0, 40, 57, 80, 120, usize::MAX] {
        let shown = plain(&record, columns);
        for line in shown.lines() {
            assert!(width(line) <= columns.max(40), "{columns}: {line}");
            assert!(!line.contains(char::is_control) && !line.contains('\u{202e}'), "{line:?}");
        }
        assert!(shown.lines().count() < 300, "a report that nobody can read");
        assert!(!shown.contains("NaN") && !shown.contains("inf "), "{shown}");
    }
}

#[test]
fn of_a_large_network_what_is_alike_is_one_line() {
    let switch = |name: String| NetworkSwitch { network: "rn".into(), name, ..NetworkSwitch::default() };
    let cable = |from: String, to: &str| NetworkCable { from, to: to.into(), ..NetworkCable::default() };
    let mut network = Network { switches: vec![switch("rn".into())], ..Network::default() };
    for mux in 1..=63 {
        network.switches.push(switch(format!("mux-{mux}")));
        network.cables.push(cable(format!("mux-{mux}"), "rn"));
        for link in [mux, mux + 63] {
            network
                .hosts
                .push(NetworkHost { name: format!("l1-{link}"), addresses: vec!["10.0.0.1".into()] });
            network.cables.push(cable(format!("l1-{link}"), &format!("mux-{mux}")));
        }
    }
    let shown = plain(&Record { network: Some(network), ..simulated(1) }, 120);
    for line in [
        "  └── switch mux-1 ... mux-63 (63 switches)  out unlimited",
        "switch mux-1 ... mux-63 (63 switches, ",
        "  └── l1-1 ... l1-126 (126 hosts, 2 at each)  out unlimited",
    ] {
        assert!(shown.contains(line), "{line}:\n{shown}");
    }
    assert_eq!(shown.matches("l1-").count(), 2, "{shown}");
    assert!(!shown.contains("all of it is in the record"), "{shown}");
}

#[test]
fn the_agreement_of_two_worlds_is_one_line() {
    let mut measured = simulated(1);
    (measured.world, measured.simulation) = ("lab".into(), None);
    let mut other = simulated(1);
    other.simulation.as_mut().unwrap().replicas.clear();
    for flow in &mut other.flows {
        flow.goodput_bits_per_s = flow.goodput_bits_per_s.map(|goodput| goodput * 0.98);
    }
    let lines = agreements(&[&measured, &other]);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with("three-to-one: measured and simulated differ by at most 2.00 % in goodput"),
        "{lines:?}"
    );
    assert_eq!(agreements(&[&measured]), [""; 0]);
}
