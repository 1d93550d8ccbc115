//! What a scenario says for the simulator: every key and its range, groups of switches and their cables, faults
//! of cables, which levels a source has; and what other worlds say of it.

use incast_core::readout::{Level, Peer, SourceId};
use incast_core::record::{
    ByteBook, DelayPart, DropPlace, Flow, QueueHistory, Record, Simulation, TimeDistribution,
};
use incast_core::scenario::{
    CableEnd, CableFaultKind, CableWay, Connections, FaultKind, HostModel, Matching, Queueing, ReceivePath,
    Scenario, Setting, SimPlan, StallHolds, SwitchModel, WhenBacklogFull, is_meant, judge,
};
use incast_core::time::Span;
use incast_core::units::Bytes;

/// `text` gives exactly these lines.
fn check(text: &str, expected: &[&str]) {
    let found = Scenario::parse(text).expect_err(text).lines("s").to_string();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{text}");
}

fn parse(text: &str) -> Scenario {
    Scenario::parse(text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// Two hosts at a switch, a flow between them, and this in lines 6 and on.
fn with(more: &str) -> String {
    format!(
        "incast = 1\nname = \"t\"\nhost = [{{name = \"x\"}}, {{name = \"y\", count = 2}}]\n\
         cable = [{{name = \"c\", from = [\"x\", \"y\"], to = \"s\"}}]\n\
         flow = [{{name = \"f\", from = \"y\", to = \"x\", transport = \"udp\"}}]\n{more}\n"
    )
}

const SWITCH: &str = "switch = [{name = \"s\", when_full = \"drop\"}]\n";

#[test]
fn the_table_of_the_simulator() {
    assert_eq!(parse(&with(SWITCH)).sim, SimPlan::default());
    let said =
        "[sim]\nconnections = \"plain\"\ndirect_delay = \"3us\"\ntiming_delay = \"0s\"\nqueues_shown = 0";
    let plan = SimPlan {
        connections: Connections::Plain,
        direct_delay: Span::from_us(3),
        timing_delay: Some(Span::ZERO),
        queues_shown: 0,
    };
    assert_eq!(parse(&with(&format!("{SWITCH}{said}"))).sim, plan);
    let wrong = [
        ("direct_delay = \"2s\"", "s:8:16: `direct_delay` is 2s; allowed: 0s to 1s"),
        ("queues_shown = 4097", "s:8:16: `queues_shown` is 4097; allowed: 0 to 4096"),
        ("connections = \"udp\"", "s:8:15: unknown kind of connection `udp`; allowed: tcp, plain"),
    ];
    for (key, expected) in wrong {
        check(&with(&format!("{SWITCH}[sim]\n{key}")), &[expected]);
    }
}

#[test]
fn later_models_take_the_place_of_earlier_ones_key_by_key() {
    let scenario = parse(&with(&format!(
        "{SWITCH}[[model]]\nreceive = \"napi\"\nring = 512\n[[model]]\nhosts = \"y\"\nring = 64\n\
         packet_cost = \"800ns\"\n[[model]]\nhosts = [\"y-2\", \"x\"]\nreceive = \"softnet\""
    )));
    let napi = HostModel { receive: ReceivePath::Napi, ring_packets: 512, ..HostModel::default() };
    let cheap = HostModel { ring_packets: 64, packet_cost: Span::from_ns(800), ..napi };
    let expected = [
        HostModel { receive: ReceivePath::Softnet, ..napi },
        cheap,
        HostModel { receive: ReceivePath::Softnet, ..cheap },
    ];
    assert_eq!(scenario.host_models, expected.map(Some));
    let stated: Vec<_> = scenario
        .stated_models
        .iter()
        .map(|stated| format!("{}: {} = {}", stated.of, stated.name, stated.value))
        .collect();
    assert_eq!(
        stated,
        [
            "all: receive = napi",
            "all: ring = 512",
            "y: packet_cost = 800ns",
            "y: ring = 64",
            "y-2, x: receive = softnet"
        ]
    );
    assert_eq!(parse(&with(SWITCH)).host_models, [None, None, None], "nothing is stated");
}

#[test]
fn every_key_of_a_model_has_its_place() {
    let keys = "receive = \"interrupt\"\nring = 8\ncoalesce = \"10ms\"\ncoalesce_packets = 2\nbacklog = 3\n\
         when_backlog_full = \"purge\"\nbudget = 4\nweight = 5\ninterrupt_cost = \"6us\"\npacket_cost = \"7us\"\n\
         byte_cost = \"250ps\"\nsoftirq_share = 0.5\nread_cost = \"8us\"\nread_every = \"9us\"\n\
         send_cost = \"10us\"\nsocket_buffer = \"208KiB\"\nclock_offset = \"-11us\"\nclock_drift_ppm = -3.5\n\
         interrupt_packet_cost = \"12us\"\nstall_every = \"13s\"\nstall_time = \"14ms\"\nstall_speed = 0.015\n\
         stall_holds = \"interrupts\"";
    let model = HostModel {
        receive: ReceivePath::Interrupt,
        ring_packets: 8,
        coalesce_time: Span::from_ms(10),
        coalesce_packets: 2,
        backlog_packets: 3,
        when_backlog_full: WhenBacklogFull::Purge,
        budget_packets: 4,
        weight_packets: 5,
        interrupt_cost: Span::from_us(6),
        packet_cost: Span::from_us(7),
        byte_cost_ps: 250,
        softirq_share_milli: 500,
        read_cost: Span::from_us(8),
        read_every: Span::from_us(9),
        send_cost: Span::from_us(10),
        socket_buffer: Bytes(208 << 10),
        clock_offset_ns: -11_000,
        clock_drift_ppb: -3_500,
        interrupt_packet_cost: Span::from_us(12),
        stall_every: Span::from_s(13),
        stall_time: Span::from_ms(14),
        stall_speed_milli: 15,
        stall_holds: StallHolds::Interrupts,
    };
    let scenario = parse(&with(&format!("{SWITCH}[[model]]\nhosts = \"x\"\n{keys}")));
    assert_eq!(scenario.host_models, [Some(model), None, None]);
}

#[test]
fn a_model_out_of_its_range_is_refused_with_the_range() {
    let wrong = [
        ("ring = 7", "s:8:8: `ring` is 7; allowed: 8 to 65536"),
        ("coalesce = \"11ms\"", "s:8:12: `coalesce` is 11ms; allowed: 0s to 10ms"),
        ("coalesce_packets = 0", "s:8:20: `coalesce_packets` is 0; allowed: 1 to 65536"),
        ("interrupt_cost = \"2ms\"", "s:8:18: `interrupt_cost` is 2ms; allowed: 0s to 1ms"),
        ("byte_cost = \"2us\"", "s:8:13: `byte_cost` is 2us; allowed: 0s to 1us"),
        ("softirq_share = 0", "s:8:17: `softirq_share` is 0; allowed: 0.01 to 1, a fraction"),
        ("socket_buffer = \"1kB\"", "s:8:17: `socket_buffer` is 1kB; allowed: 2304B to 1GiB"),
        ("clock_drift_ppm = 1001", "s:8:19: `clock_drift_ppm` is 1001; allowed: -1000 to 1000"),
        ("clock_offset = \"-2000min\"", "s:8:16: `clock_offset` is `-2000min`; allowed: -86400s to 86400s"),
        ("receive = \"xdp\"", "s:8:11: unknown receive path `xdp`; allowed: ideal, interrupt, softnet, napi"),
        ("hosts = \"z\"", "s:8:9: unknown host `z`; allowed: x, y"),
    ];
    for (key, expected) in wrong {
        check(&with(&format!("{SWITCH}[[model]]\n{key}")), &[expected]);
    }
}

#[test]
fn how_a_switch_works_inside() {
    let model = |more: &str| {
        let switch = format!("switch = [{{name = \"s\", when_full = \"drop\", {more}}}]");
        parse(&with(&switch)).network.expect("a network").switches[0].model
    };
    let plain = SwitchModel::default();
    let cases = [
        ("queueing = \"output\"", plain),
        (
            "queueing = \"shared-memory\", memory = \"1MiB\"",
            SwitchModel { queueing: Queueing::SharedMemory { bytes: Bytes(1 << 20) }, ..plain },
        ),
        ("queueing = \"input-fifo\"", SwitchModel { queueing: Queueing::InputFifo, ..plain }),
        (
            "queueing = \"input-virtual\"",
            SwitchModel { queueing: Queueing::InputVirtual { matching: Matching::LongestFirst }, ..plain },
        ),
        (
            "queueing = \"input-virtual\", matching = \"islip\"",
            SwitchModel { queueing: Queueing::InputVirtual { matching: Matching::Islip }, ..plain },
        ),
        (
            "latency = \"5us\", cut_through = true",
            SwitchModel { latency: Span::from_us(5), is_cut_through: true, ..plain },
        ),
    ];
    for (more, expected) in cases {
        assert_eq!(model(more), expected, "{more}");
    }
    let wrong = [
        (
            "queueing = \"shared-memory\"",
            "s:6:11: `memory` goes with queueing = \"shared-memory\": the bytes that all its ports share",
        ),
        (
            "memory = \"1MiB\"",
            "s:6:53: `memory` goes with queueing = \"shared-memory\": the bytes that all its ports share",
        ),
        ("matching = \"islip\"", "s:6:55: `matching` goes with queueing = \"input-virtual\""),
        ("latency = \"1s\"", "s:6:54: `latency` is 1s; allowed: 0s to 100ms"),
        ("count = 0", "s:6:52: `count` is 0; allowed: 1 to 1024"),
    ];
    for (more, expected) in wrong {
        let text = with(&format!("switch = [{{name = \"s\", when_full = \"drop\", {more}}}]"));
        let found = Scenario::parse(&text).expect_err(more).lines("s").to_string();
        assert_eq!(found.lines().next(), Some(expected), "{more}");
    }
}

#[test]
fn hosts_are_dealt_out_to_a_group_of_switches_in_turn() {
    let scenario = parse(
        "incast = 1\nname = \"t\"\nhost = [{name = \"a\", count = 5}, {name = \"b\"}]\n\
         switch = [{name = \"top\", when_full = \"drop\"}, {name = \"mux\", count = 2, when_full = \"drop\"}]\n\
         cable = [{from = [\"b\", \"a\"], to = \"mux\", travel = \"1us\", bit_errors = 1e-9}, \
         {from = \"mux\", to = \"top\"}]\n\
         flow = [{name = \"f\", from = \"a\", to = \"b\", transport = \"udp\"}]",
    );
    let network = scenario.network.as_ref().expect("a network");
    let names: Vec<_> = network.switches.iter().map(|switch| switch.name.as_str()).collect();
    assert_eq!(names, ["top", "mux-1", "mux-2"]);
    assert!(network.switches.iter().all(|switch| switch.network == 0), "one network, called by its first");
    let cables: Vec<_> =
        network.cables.iter().map(|cable| (scenario.end_name(cable.from), cable.to)).collect();
    let expected =
        [("b", 1), ("a-1", 2), ("a-2", 1), ("a-3", 2), ("a-4", 1), ("a-5", 2), ("mux-1", 0), ("mux-2", 0)];
    assert_eq!(cables, expected);
    assert_eq!((network.cables[0].travel, network.cables[0].bit_errors), (Span::from_us(1), 1e-9));
    assert_eq!((network.cables[6].travel, network.cables[6].bit_errors), (Span::ZERO, 0.0));
}

#[test]
fn a_fault_of_cables_means_a_table_of_them_or_one_way() {
    let fault = |keys: &str| parse(&with(&format!("{SWITCH}[[fault]]\n{keys}"))).cable_faults.remove(0);
    let all = fault("cable = \"c\"\nwhat = \"down\"\nat = \"1s\"\nfor = \"10ms\"\nevery = \"1s\"");
    assert_eq!(all.ways.len(), 6, "three cables, both ways");
    assert_eq!((all.what, all.every), (CableFaultKind::Down, Some(Span::from_s(1))));
    let cases = [
        ("drop", "probability = 0.5", CableFaultKind::Drop(0.5)),
        ("duplicate", "probability = 1", CableFaultKind::Duplicate(1.0)),
        ("corrupt", "probability = 1e-3", CableFaultKind::Corrupt(1e-3)),
        ("delay", "by = \"5us\"", CableFaultKind::Delay(Span::from_us(5))),
        ("reorder", "probability = 0.1\nby = \"5us\"", CableFaultKind::Reorder(0.1, Span::from_us(5))),
    ];
    for (word, more, what) in cases {
        let one = fault(&format!("cable = \"s -> y-2\"\nat = \"0s\"\nwhat = \"{word}\"\n{more}"));
        assert_eq!(one.ways, [CableWay { cable: 2, is_outward: false }]);
        assert_eq!((one.what, one.lasts), (what, None));
    }
    let group = parse(&with(&format!(
        "{SWITCH}[[fault]]\ncable = [\"y->s\", \"y-1 -> s\"]\nwhat = \"down\"\nat = \"0s\""
    )));
    let names: Vec<_> = group.cable_faults[0].ways.iter().map(|way| group.way_name(*way)).collect();
    assert_eq!(names, ["y-1 -> s", "y-2 -> s"], "each once");
    assert!(group.readout.is_none(), "a fault of cables makes no readout");
}

#[test]
fn what_is_wrong_with_a_fault_of_cables() {
    let wrong = [
        (
            "cable = \"d\"\nwhat = \"down\"",
            "s:8:9: unknown cable `d`; allowed: c, or a way, such as `y -> main`",
        ),
        ("cable = \"x -> y\"\nwhat = \"down\"", "s:8:9: no cable leads along `x -> y`"),
        (
            "cable = \"c\"\nwhat = \"kill\"",
            "s:9:8: unknown fault `kill`; allowed: down, drop, duplicate, corrupt, delay, reorder",
        ),
        (
            "cable = \"c\"\nwhat = \"drop\"",
            "s:7:1: `probability` is of \"drop\", \"duplicate\", \"corrupt\" and \"reorder\": of each packet",
        ),
        (
            "cable = \"c\"\nwhat = \"down\"\nby = \"1us\"",
            "s:10:6: `by` is of \"delay\" and \"reorder\": how much later, or earlier",
        ),
        (
            "cable = \"c\"\nwhat = \"down\"\nevery = \"1s\"",
            "s:10:9: what lasts for good happens once: `every` needs `for`",
        ),
        ("cable = \"c\"\nwhat = \"drop\"\nprobability = 2", "s:10:15: `probability` is 2; allowed: 0 to 1"),
    ];
    for (keys, expected) in wrong {
        check(&with(&format!("{SWITCH}[[fault]]\n{keys}\nat = \"0s\"")), &[expected]);
    }
}

#[test]
fn the_network_of_2003_can_be_said() {
    let scenario = parse(include_str!("support/network_2003.toml"));
    let network = scenario.network.as_ref().expect("a network");
    let readout = scenario.readout.as_ref().expect("a readout");
    assert_eq!(network.switches.len(), 345);
    assert_eq!(network.networks().count(), 176, "the large one, and each farm's");
    // Each sub-farm has its controller and ten nodes, which are those that the controller serves.
    for (index, builder) in readout.builders.iter().enumerate() {
        let farm = format!("farm-{}", index + 1);
        let switch = network.switches.iter().position(|switch| switch.name == farm).expect("its switch");
        let there: Vec<&str> = network
            .cables
            .iter()
            .filter(|cable| cable.to == switch)
            .map(|cable| scenario.end_name(cable.from))
            .collect();
        let nodes = readout.nodes.iter().filter(|node| node.plan.role.builder == builder.plan.builder);
        let expected: Vec<&str> =
            builder.host.iter().chain(nodes.flat_map(|node| &node.host)).map(String::as_str).collect();
        assert_eq!(there, expected);
        assert_eq!(there.len(), 11);
    }
    let mut addresses: Vec<_> = network.cables.iter().filter_map(|cable| cable.address).collect();
    let hosts_cables = network.cables.iter().filter(|cable| matches!(cable.from, CableEnd::Host(_))).count();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), hosts_cables, "every address is there once");
    for level in [Level::First, Level::Second] {
        let sources: Vec<SourceId> = readout.run.sources_of(level).collect();
        let (first, count) = if level == Level::First { (0, 224) } else { (224, 323) };
        assert_eq!(sources, (first..first + count).map(SourceId).collect::<Vec<_>>());
    }
    assert!(matches!(readout.faults[0].what, FaultKind::Slow { factor_milli: 3_000 }));
    assert_eq!(readout.faults[0].roles.len(), 1_750);
    assert_eq!(scenario.cable_faults[0].ways.len(), 2 * 169);
}

#[test]
fn levels_of_sources_need_two_levels_and_a_source_of_each() {
    let readout = |levels: u32, of: &str| {
        format!(
            "incast = 1\nname = \"t\"\nreadout = {{levels = {levels}}}\n\
             trigger = {{load = \"1kHz\"}}\nsource = [{{name = \"s\", {of}}}]\nbuilder = [{{}}]\nnode = [{{}}]\nsink = [{{}}]"
        )
    };
    let wrong = [
        (1, "levels = \"both\"", "s:5:33: `levels` of a source goes with levels = 2 in [readout]"),
        (2, "levels = \"second\"", "s:1:1: no source has fragments of the first level: see its `levels`"),
        (2, "levels = \"first\"", "s:1:1: no source has fragments of the second level: see its `levels`"),
        (
            2,
            "levels = \"both\"}, {name = \"r\", levels = \"second\", fragment = \"1KiB\"",
            "s:5:85: `fragment` is of the first level, and these sources have none of it",
        ),
    ];
    for (levels, of, expected) in wrong {
        check(&readout(levels, of), &[expected]);
    }
}

#[test]
fn what_is_slow_is_a_node() {
    let text = |role: &str, more: &str| {
        format!(
            "incast = 1\nname = \"t\"\ntrigger = {{load = \"1kHz\"}}\nsource = [{{}}]\nbuilder = [{{}}]\n\
             node = [{{}}]\nsink = [{{}}]\nfault = [{{role = \"{role}\", what = \"slow\", at = \"1s\", {more}}}]"
        )
    };
    let scenario = parse(&text("node", "factor = 2.5"));
    let fault = &scenario.readout.as_ref().expect("a readout").faults[0];
    assert!(matches!(fault.roles[..], [Peer::Node(_)]));
    assert_eq!(fault.what, FaultKind::Slow { factor_milli: 2_500 });
    assert_eq!(scenario.only_simulable(), ["a [[fault]] makes a node slow: that is for `incast sim`"]);
    check(
        &text("sink", "factor = 2"),
        &["s:8:18: `sink` is no node: what becomes slow is the algorithm of a node"],
    );
    check(
        &text("node", "for = \"1s\""),
        &["s:8:10: `factor` goes with what = \"slow\": how many times longer an event takes"],
    );
    check(&text("node", "factor = 0.5"), &["s:8:61: `factor` is 0.5; allowed: 1 to 1000"]);
}

#[test]
fn other_worlds_say_what_they_cannot_do() {
    let crossbar =
        "switch = [{name = \"s\", when_full = \"drop\", queueing = \"input-fifo\", latency = \"5us\"}]";
    let scenario = parse(&with(crossbar));
    assert_eq!(scenario.only_simulable(), [""; 0], "without a network nobody asks for a crossbar");
    assert_eq!(
        scenario.not_buildable(),
        [
            "switch s has queueing = \"input-fifo\", and a bridge of the kernel stores whole packets, each port \
             with a queue of its own: use `incast sim`"
        ]
    );
    assert_eq!(scenario.left_out_by_lab(), ["latency"]);
    let large = parse(include_str!("support/network_2003.toml"));
    let why = large.not_buildable();
    assert!(why.iter().any(|why| why.contains("345 switches are too many")), "{why:?}");
    assert!(why.iter().any(|why| why.contains("2474 hosts are too many")), "{why:?}");
    assert_eq!(large.not_simulable(), [""; 0]);
}

#[test]
fn the_simulator_says_what_it_cannot_do() {
    let why = |text: &str| parse(text).not_simulable();
    let agent = "incast = 1\nname = \"t\"\nhost = [{name = \"x\", agent = \"h:1\"}, {name = \"y\"}]\n\
         flow = [{name = \"f\", from = \"x\", to = \"y\", transport = \"udp\"}]";
    assert_eq!(
        why(agent),
        ["host x is a real one, played by an agent: use `incast run`, or leave `agent` out"]
    );
    let readout = "incast = 1\nname = \"t\"\nreadout = {replay = \"a.mdf\"}\ntrigger = {load = \"1kHz\"}\n\
         source = [{}]\nbuilder = [{}]\nnode = [{count = 2, program = [\"python3\", \"a.py\"]}]\nsink = [{}]";
    let found = why(readout);
    assert!(found[0].starts_with("the sources send what is in a.mdf"), "{found:?}");
    assert!(found[1].starts_with("node node-1 (and 1 more) runs the program python3"), "{found:?}");
}

#[test]
fn models_can_be_set_from_outside_where_the_file_has_none() {
    let settings: Vec<Setting> = ["sim.connections=plain", "model.ring=512", "s.queueing=input-fifo"]
        .map(|text| text.parse().expect(text))
        .to_vec();
    let text = with(SWITCH);
    let scenario = Scenario::parse_with(&text, &settings).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(scenario.sim.connections, Connections::Plain);
    assert!(scenario.host_models.iter().all(|model| model.is_some_and(|model| model.ring_packets == 512)));
    assert_eq!(scenario.network.expect("a network").switches[0].model.queueing, Queueing::InputFifo);
}

/// The expectation of a scenario of lines 6 and on, judged by a record with these queues and deaths.
fn judged(expect: &str) -> (Option<f64>, Option<bool>) {
    let scenario = parse(&with(&format!("{SWITCH}[[expect]]\nname = \"e\"\nsource = \"s\"\n{expect}")));
    let time = |count: u64, p99: f64| TimeDistribution {
        count,
        us_p50: Some(p99 / 2.0),
        us_p99: Some(p99),
        ..TimeDistribution::default()
    };
    let queue = |place: &str, bytes_max, bytes_mean, (count, mean, p99)| QueueHistory {
        place: place.into(),
        bytes_max,
        bytes_mean,
        dropped_packets: bytes_max / 100,
        busy: Some(bytes_mean / 1e3),
        wait_us: Some(time(count, p99)),
        wait_us_mean: Some(mean),
        ..QueueHistory::default()
    };
    let drop = |stage: &str, packets| DropPlace { stage: stage.into(), packets, ..DropPlace::default() };
    let delay = |of: &str, part: &str, p99| DelayPart { of: of.into(), part: part.into(), us: time(5, p99) };
    let simulation = Simulation {
        bytes: ByteBook { residual: -3, ..ByteBook::default() },
        queues: vec![
            queue("port of s to y-1", 300, 100.0, (10, 4.0, 50.0)),
            queue("port of s to y-2", 500, 20.0, (30, 8.0, 40.0)),
            queue("port of s to x", 900, 500.0, (40, 1.0, 9.0)),
        ],
        drops: vec![drop("switch_port", 40), drop("host_queue", 2), drop("socket_buffer", 100)],
        delays: vec![
            delay("all", "queueing", 1.0),
            delay("all", "whole", 70.0),
            delay("f/y-1", "whole", 60.0),
        ],
        ..Simulation::default()
    };
    let flows = ["f/y-1", "f/y-2"].map(|name| Flow { name: name.into(), ..Flow::default() });
    let record = Record { flows: flows.to_vec(), simulation: Some(simulation), ..Record::default() };
    let judged = judge(&scenario.expectations[0], &record);
    (judged.measured, judged.met)
}

#[test]
fn what_only_a_simulator_sees_can_be_expected() {
    let value = |what: &str, more: &str| judged(&format!("what = \"{what}\"\nat_least = 0\n{more}")).0;
    let group = "queue = \"port of s to y\"";
    let cases = [
        ("queue_bytes_max", "", 900.0),
        ("queue_bytes_max", group, 500.0),
        ("queue_bytes_mean", "queue = \"port of s to y-1\"", 100.0),
        ("queue_bytes_mean", group, 120.0),
        // (10 x 4 + 30 x 8) / 40.
        ("queue_wait_us_mean", group, 7.0),
        ("queue_wait_us_p99", group, 50.0),
        ("queue_busy", group, 0.1),
        ("queue_dropped_packets", group, 8.0),
        ("queue_dropped_packets", "", 42.0),
        ("packets_dropped", "", 142.0),
        ("delay_us_p99", "", 70.0),
        ("delay_us_p50", "flow = \"f/y-1\"", 30.0),
    ];
    for (what, more, expected) in cases {
        assert_eq!(value(what, more), Some(expected), "{what} {more}");
    }
    assert_eq!(judged("what = \"byte_residual\"\nequals = 0"), (Some(-3.0), Some(false)));
    assert_eq!(value("queue_busy", "queue = \"nic of x\""), None, "the record does not show it");
    assert_eq!(judged("what = \"queue_bytes_max\"\nat_most = \"1KiB\""), (Some(900.0), Some(true)));
    // Of one of its flows the delay is not known.
    assert_eq!(value("delay_us_p99", "flow = \"f\""), None);
}

#[test]
fn the_queue_of_an_expectation_is_one_that_there_is() {
    let expect =
        |keys: &str| with(&format!("{SWITCH}[[expect]]\nname = \"e\"\nsource = \"s\"\nequals = 0\n{keys}"));
    check(
        &expect("what = \"queue_bytes_max\"\nqueue = \"port of s to z\""),
        &[
            "s:12:9: there is no queue `port of s to z`; write for example `port of main to x` or `nic of x`, with \
           the names of a switch and a host of this file",
        ],
    );
    check(
        &expect("what = \"sent\"\nqueue = \"nic of x\""),
        &["s:12:9: `sent` is of no queue: leave `queue` out"],
    );
    check(
        &expect("what = \"queue_busy\"\nflow = \"f\""),
        &["s:12:8: `queue_busy` is of no flow: leave `flow` out"],
    );
    let scenario = parse(&expect("what = \"queue_bytes_max\"\nqueue = \"port of s to y\""));
    assert_eq!(scenario.expected_queues().collect::<Vec<_>>(), ["port of s to y"]);
    assert!(
        is_meant("port of s to y-12", "port of s to y") && !is_meant("port of s to yy", "port of s to y")
    );
}
