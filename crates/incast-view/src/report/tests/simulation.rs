//! Pages of simulated records, alone and beside measured ones.

use incast_core::record::{
    ByteBook, DelayPart, DropPlace, Estimate, ModelUsed, Network, NetworkHost, QueueHistory, Record,
    ReplicaFigure, Simulation, TimeDistribution,
};

use super::{assert_balanced, cable, shown, star, switch};
use crate::RecordAt;
use crate::report::html;

fn distribution(us_p50: f64) -> TimeDistribution {
    TimeDistribution {
        count: 1_000,
        us_p50: Some(us_p50),
        us_p99: Some(us_p50 * 2.0),
        us_p999: Some(us_p50 * 3.0),
        us_max: Some(us_p50 * 4.0),
        ..TimeDistribution::default()
    }
}

fn queue(place: &str, capacity_bytes: Option<u64>) -> QueueHistory {
    QueueHistory {
        place: place.into(),
        packets: 1_600,
        dropped_packets: 600,
        capacity_bytes,
        bytes_max: 130_800,
        packets_max: 120,
        bytes_mean: 116_141.85,
        busy: Some(0.889),
        wait_us: Some(distribution(5_232.0)),
        wait_us_mean: Some(5_225.0),
        bytes_over_time: vec![0, 130_800, 130_800, 65_000],
        interval_s: 0.25,
    }
}

fn replicas(name: &str, values: Vec<f64>) -> ReplicaFigure {
    ReplicaFigure {
        name: name.into(),
        replicas: u32::try_from(values.len()).unwrap(),
        mean: 0.5,
        half_width: Some(0.012_3),
        least: values.iter().copied().fold(f64::INFINITY, f64::min),
        most: values.iter().copied().fold(0.0, f64::max),
        values,
    }
}

/// A simulated record with something of everything.
fn simulated() -> Record {
    let delay =
        |part: &str, us| DelayPart { of: "udp/source-1".into(), part: part.into(), us: distribution(us) };
    let mut record = Record { world: "sim".into(), ..star(2) };
    record.simulation = Some(Simulation {
        virtual_s: 4.509,
        packet_hops: 275_589,
        ties: 91_823,
        digest: "b655a99967573553".into(),
        bytes: ByteBook { offered: 4_000, forwarded: 3_000, dropped: 1_000, queued: 0, residual: 0 },
        queues: vec![queue("port of main to sink", Some(131_072)), queue("nic of source-1", Some(4 << 20))],
        drops: vec![DropPlace {
            stage: "receiver_backlog".into(),
            place: "backlog of sink".into(),
            cause: "until_empty".into(),
            packets: 291,
            bytes: 291_000,
            first_s: 0.5,
            last_s: 2.5,
        }],
        delays: vec![delay("whole", 8_389.0), delay("sending", 87.2), delay("queueing", 8_300.0)],
        models: vec![ModelUsed {
            of: "sinks".into(),
            name: "disk_commit".into(),
            value: "1ms".into(),
            origin: "assumed".into(),
        }],
        estimates: vec![Estimate {
            name: "mean wait".into(),
            source: "M/D/1".into(),
            estimated: 5.0,
            simulated: Some(6.0),
            disagreement: Some(0.2),
        }],
        replicas: vec![replicas("fairness_jain", vec![0.25, 0.75]), replicas("sent", vec![7.0, 7.0])],
    });
    record
}

#[test]
fn everything_that_a_simulator_saw_is_there() {
    let page = shown(&simulated());
    assert_balanced(&page);
    for words in [
        "The simulation",
        "4.509 s",
        "275 589",
        "b655a99967573553",
        "offered 4 000",
        "residual 0",
        "port of main to sink: most bytes held, kB of 131.1 kB",
        "nic of source-1: most bytes held, kB; it holds 4.194 MB, far above",
        "116.1 kB",
        "5.225 ms",
        "backlog of sink",
        "until empty",
        "291 packets died in it",
        "host dropping",
        "half of them at most 8.389 ms",
        "part that took longer",
        "1.00 % took longer than 16.78 ms",
        "fairness_jain: a mark for each replica",
        "± 0.0123",
        "1 figure is the same in all replicas",
        "+20.0 %",
        "M/D/1",
        "disk commit",
        "assumed",
    ] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
}

#[test]
fn a_record_that_was_not_simulated_has_nothing_of_it() {
    let page = shown(&star(2));
    for words in
        ["The simulation", "Replicas", "How full the queues were", "Where packets died", "Measured, sim"]
    {
        assert!(!page.contains(words), "{words}");
    }
}

#[test]
fn a_simulation_of_nothing_has_no_figures() {
    let page = shown(&Record { simulation: Some(Simulation::default()), ..Record::default() });
    assert_balanced(&page);
    assert!(page.contains("No packet died anywhere.") && !page.contains("class=\"area\""), "{page}");
    for words in ["NaN", "inf ", "Replicas", "How full", "Delays and"] {
        assert!(!page.contains(words), "{words}");
    }
}

#[test]
fn nonsense_of_a_simulation_is_drawn_as_nothing() {
    let mut record = simulated();
    let simulation = record.simulation.as_mut().unwrap();
    for nonsense in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300] {
        let mut queue = queue("q", Some(0));
        (queue.interval_s, queue.bytes_mean, queue.busy) = (nonsense, nonsense, Some(nonsense));
        (queue.bytes_max, queue.capacity_bytes) = (u64::MAX, Some(u64::MAX));
        simulation.queues.push(queue);
        let us = distribution(nonsense);
        simulation.delays.push(DelayPart { of: "d".into(), part: "whole".into(), us });
        simulation.replicas.push(ReplicaFigure {
            mean: nonsense,
            half_width: Some(nonsense),
            ..replicas("lost_fraction", vec![nonsense, 0.0, nonsense])
        });
        simulation.estimates.push(Estimate {
            estimated: nonsense,
            disagreement: Some(nonsense),
            ..Estimate::default()
        });
    }
    (simulation.virtual_s, simulation.bytes.offered) = (f64::NAN, u64::MAX);
    record.totals.messages.sent = Some(u64::MAX);
    let page = shown(&record);
    assert_balanced(&page);
    assert!(!page.contains("NaN") && !page.contains("\"inf"), "{page}");
}

#[test]
fn nothing_that_a_simulator_wrote_becomes_markup() {
    let hostile = "\"></svg><script>alert(1)</script>\u{202e}\u{0}";
    let text = serde_free_text(simulated(), hostile);
    let mut measured = text.clone();
    (measured.world, measured.simulation) = ("lab".into(), None);
    let pair = [&measured, &text].map(|record| RecordAt { place: hostile, record });
    let page = html(&pair);
    assert_balanced(&page);
    let body = page.split_once("</style>").unwrap().1;
    assert!(body.contains("Measured, simulated, expected") && body.contains("&lt;script&gt;alert(1)"));
    for markup in ["<script", "\u{202e}", "\u{0}"] {
        assert!(!body.contains(markup), "{markup}");
    }
}

/// The record with `text` wherever the simulator, and whoever named its hosts, may have written one.
fn serde_free_text(mut record: Record, text: &str) -> Record {
    let t = || text.to_owned();
    (record.scenario.name, record.scenario.variant) = (t(), Some(t()));
    record.flows.truncate(1);
    record.flows[0].name = t();
    let simulation = record.simulation.as_mut().unwrap();
    simulation.digest = t();
    simulation.queues.iter_mut().for_each(|queue| queue.place = t());
    simulation.drops.iter_mut().for_each(|drop| (drop.stage, drop.place, drop.cause) = (t(), t(), t()));
    simulation.delays.iter_mut().for_each(|delay| (delay.of, delay.us.name) = (t(), t()));
    simulation.delays.iter_mut().skip(1).for_each(|delay| delay.part = t());
    for model in &mut simulation.models {
        (model.of, model.name, model.value, model.origin) = (t(), t(), t(), t());
    }
    simulation.estimates.iter_mut().for_each(|estimate| (estimate.name, estimate.source) = (t(), t()));
    simulation.replicas.iter_mut().for_each(|figure| figure.name = t());
    record
}

#[test]
fn peaks_of_many_replicas_are_named_by_one_in_so_many() {
    // Two narrow peaks, at 1/1000 and at 1/500, of runs of a million messages.
    let values = (0..400).map(|index| {
        let near = f64::from(index % 20 - 10) * 2e-7;
        if index % 2 == 0 { 0.001 + near } else { 0.002 + near }
    });
    let mut record = simulated();
    record.totals.messages.sent = Some(1_000_000);
    let simulation = record.simulation.as_mut().unwrap();
    simulation.replicas = vec![replicas("lost_fraction", values.collect())];
    let page = shown(&record);
    assert_balanced(&page);
    assert!(
        page.contains("replicas with such a value")
            && page.contains("its peaks: 1/1 000 (200 replicas), 1/500"),
        "{page}"
    );
}

#[test]
fn measured_and_simulated_stand_in_one_table_with_their_agreement() {
    let mut measured = star(2);
    measured.totals.goodput_bits_per_s = Some(3e6);
    let mut other = simulated();
    other.totals.goodput_bits_per_s = Some(3.03e6);
    other.flows[1].goodput_bits_per_s = Some(1.9e6);
    let page = html(&[&measured, &other].map(|record| RecordAt { place: "a", record }));
    assert_balanced(&page);
    let part = page.split_once("Measured, simulated, expected").unwrap().1;
    for words in [
        "measured and simulated differ by at most 5.00 % in goodput (of udp/source-2: -5.00 %, the largest of 3 such figures)",
        "measured (lab)",
        "3.00000 Mbit/s",
        "3.03000 Mbit/s",
        "+1.00 %",
    ] {
        assert!(part.contains(words), "{words} is missing in\n{part}");
    }
    // The same scenario twice in one world is not a measurement and a simulation.
    let page = html(&[&measured, &measured].map(|record| RecordAt { place: "a", record }));
    assert!(!page.contains("Measured, simulated"));
}

#[test]
fn a_large_network_is_drawn_with_what_is_alike_as_one() {
    let mut record = star(1);
    let mut network = Network { switches: vec![switch("rn")], ..Network::default() };
    for mux in 1..=63 {
        let name = format!("mux-{mux}");
        for link in [mux, mux + 63] {
            let host = format!("l1-{link}");
            network.cables.push(cable(&host, &name));
            network.hosts.push(NetworkHost { name: host, addresses: Vec::new() });
        }
        network.cables.push(cable(&name, "rn"));
        network.switches.push(switch(&name));
    }
    record.network = Some(network);
    let page = shown(&record);
    assert_balanced(&page);
    let drawing = page.split_once("class=\"topology\"").unwrap().1.split_once("</svg>").unwrap().0;
    for words in ["mux-1 ... mux-63", "l1-1 ... l1-126", "126 hosts, 2 at each", "63 switches"] {
        assert!(drawing.contains(words), "{words} is missing in\n{drawing}");
    }
    assert_eq!(drawing.matches("<rect").count(), 3, "{drawing}");
}
