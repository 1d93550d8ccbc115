//! The tables of a readout: what they make, and what is refused in which words.

use incast_core::readout::role::{PolicyPlan, Protocol, SizePlan};
use incast_core::readout::{BuilderId, Peer};
use incast_core::scenario::{FaultKind, ReadoutPlan, Scenario};

const SMALL: &str = r#"
incast = 1
name = "small"
[readout]
protocol = "push"
streams = ["physics", "express"]
[trigger]
load = "1kHz"
policy = "tokens"
[[source]]
name = "ru"
count = 3
fragment = "512B..2KiB"
[[builder]]
count = 2
policy = "calendar"
[[node]]
name = "farm"
count = 3
weight = 2
accept = 0.5
streams = ["physics:9", "express:1"]
[[sink]]
[[fault]]
role = ["farm-2", "builder"]
what = "kill"
at = "1s"
for = "2s"
"#;

fn plan(text: &str) -> ReadoutPlan {
    match Scenario::parse(text) {
        Ok(scenario) => scenario.readout.expect("the text has the tables of a readout"),
        Err(errors) => panic!("{}", errors.explained("test")),
    }
}

fn refused(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from} is not in the text");
    let text = SMALL.replacen(from, to, 1);
    Scenario::parse(&text).expect_err(to).explained("test").to_string()
}

#[test]
fn every_role_knows_all_others() {
    let plan = plan(SMALL);
    let names: Vec<_> = plan.roles().map(|(_, name, _)| name.to_owned()).collect();
    let expected =
        ["trigger", "ru-1", "ru-2", "ru-3", "builder-1", "builder-2", "farm-1", "farm-2", "farm-3", "sink"];
    assert_eq!(names, expected);
    assert_eq!(plan.sources[0].plan.sizes[0], SizePlan::Uniform { least: 512, most: 2048 });
    let serves: Vec<_> = plan.run.nodes.iter().map(|(_, builder)| builder.0).collect();
    assert_eq!(serves, [0, 1, 0], "each builder has its own part of the farm");
    assert_eq!(plan.builders[0].plan.policy, PolicyPlan::Calendar { weights: vec![2, 2] });
    assert_eq!(plan.builders[1].plan.policy, PolicyPlan::Calendar { weights: vec![2] });
    assert!(plan.builders[0].plan.gives_tokens, "the trigger gives by tokens");
    assert!(!plan.nodes[0].plan.role.gives_tokens, "the builder does not");
    assert_eq!(plan.sinks[0].plan.role.run, plan.trigger.plan.run);
    let fault = &plan.faults[0];
    let hit = [
        Peer::Node(incast_core::readout::NodeId(1)),
        Peer::Builder(BuilderId(0)),
        Peer::Builder(BuilderId(1)),
    ];
    assert_eq!((fault.what, &fault.roles[..]), (FaultKind::Kill, &hit[..]));
}

#[test]
fn pulling_nodes_ask_for_events() {
    let text = SMALL.replace("\"push\"", "\"pull\"").replace("policy = \"calendar\"\n", "");
    let plan = plan(&text);
    assert_eq!(plan.run.protocol, Protocol::Pull);
    assert!(plan.nodes.iter().all(|node| node.plan.role.gives_tokens));
}

#[test]
fn what_is_wrong_is_named() {
    for (from, to, words) in [
        ("[[sink]]", "", "there is no [[sink]]"),
        ("\"calendar\"", "\"calender\"", "unknown policy `calender`; did you mean `calendar`?"),
        ("\"1kHz\"", "\"1Mbit/s\"", "a trigger has no bits"),
        ("load = \"1kHz\"\npolicy = \"tokens\"", "", "as fast as builders say that they are ready"),
        ("512B..2KiB", "2KiB..512B", "begins above its end"),
        ("\"physics:9\"", "\"physic:9\"", "unknown stream `physic`; did you mean `physics`?"),
        ("\"farm-2\"", "\"farm-9\"", "unknown role `farm-9`"),
        ("accept = 0.5", "accept = 1.5", "allowed: 0 to 1"),
        ("accept = 0.5", "accept = 0.5\nprogram = \"x\"", "is of the built-in algorithm"),
        ("name = \"ru\"", "name = \"builder\"", "there is already a role `builder`"),
        ("count = 3\nfragment", "count = 3\nhost = \"x\"\nfragment", "unknown host `x`"),
        ("what = \"kill\"", "what = \"burn\"", "unknown fault `burn`"),
        ("[readout]", "[readout]\nlevels = 3", "`levels` is 3; allowed: 1 to 2"),
        ("protocol = \"push\"", "protocol = \"pull\"", "nodes ask for events"),
    ] {
        let said = refused(from, to);
        assert!(said.contains(words), "{to}: {said}");
    }
}

#[test]
fn values_can_be_replaced_from_outside() {
    for (setting, packing, nodes) in
        [("readout.packing=4", 4, 3), ("farm.count=7", 1, 7), ("node.count=5", 1, 5)]
    {
        let settings = [setting.parse().expect(setting)];
        let scenario = Scenario::parse_with(SMALL, &settings).expect(setting);
        let plan = scenario.readout.expect("it has the tables of a readout");
        assert_eq!((plan.run.packing_events, plan.nodes.len()), (packing, nodes), "{setting}");
    }
}

#[test]
fn the_readme_s_first_scenario_is_as_it_says() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/readout.toml"));
    let plan = plan(&text.expect("scenarios/readout.toml"));
    let counts = [plan.sources.len(), plan.builders.len(), plan.nodes.len(), plan.sinks.len()];
    assert_eq!(counts, [8, 1, 4, 1]);
}

#[test]
fn packets_of_lhcb_go_with_one_level_only() {
    for carrier in ["mep-udp", "mep-ip", "mep-tcp"] {
        let over = format!("fragments_over = \"{carrier}\"\nstreams");
        let text = SMALL.replacen("streams", &over, 1);
        let read = plan(&text).carrier;
        assert_eq!((read.name(), read.is_mep()), (carrier, true));
        let said = refused("streams", &format!("levels = 2\n{over}"));
        assert!(said.contains("does not say which level"), "{said}");
    }
}
