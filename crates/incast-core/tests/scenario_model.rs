//! A right scenario file becomes the plan it describes.

use incast_core::load::{Load, Spacing, Stop, Transport};
use incast_core::raw::RawPlan;
use incast_core::scenario::{FlowPlan, Limits, Metric, Scenario, Scope, SocketPlan, Start};
use incast_core::time::Span;
use incast_core::units::{BitRate, Bytes};

const FIRST_LIGHT: &str = include_str!("../../../scenarios/first-light.toml");

fn parse(text: &str) -> Scenario {
    Scenario::parse(text).unwrap_or_else(|errors| panic!("{}", errors.explained("test.toml")))
}

#[test]
fn first_light_is_four_tcp_and_four_udp_flows_into_one_host() {
    let scenario = parse(FIRST_LIGHT);
    assert_eq!(scenario.name, "first-light");
    assert_eq!(scenario.start, Start::Together);
    assert_eq!(scenario.interval, Span::from_ms(500));
    assert_eq!(scenario.text, FIRST_LIGHT);
    assert_eq!(scenario.hosts.len(), 9);
    assert_eq!(scenario.flows.len(), 8);
    assert!(scenario.flows.iter().all(|flow| flow.to == "sink" && flow.stop == Stop::after(Span::from_s(3))));
    let names: Vec<_> = scenario.flows.iter().map(|flow| flow.name.as_str()).collect();
    assert_eq!(names[..2], ["tcp/tcp-source-1", "tcp/tcp-source-2"]);
    assert_eq!(names[7], "udp/udp-source-4");
    assert_eq!(scenario.expectations.len(), 7);
    assert_eq!(
        scenario.expectations[4].expected,
        "goodput_bits_per_s of tcp = 100Mbit/s, give or take 0.05 of it"
    );
    assert_eq!(scenario.expectations[6].expected, "overlap_fraction of all flows >= 0.9");
}

#[test]
fn what_first_light_leaves_out_is_right_too() {
    // A newcomer takes the `#` away: the examples have to be good ones.
    let uncommented: String = FIRST_LIGHT
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") && rest.split(' ').nth(1) == Some("=") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let scenario = parse(&uncommented);
    assert_eq!(scenario.hosts[0].agent.as_deref(), Some("10.0.0.2:7700"));
    assert_eq!(scenario.flows[0].sockets.congestion.as_deref(), Some("cubic"));
    assert_eq!(scenario.flows[7].sockets.segments_max, Some(64));
}

#[test]
fn a_short_file_gets_every_default() {
    let scenario = parse(
        "incast = 1\nname = \"a\"\nhost = [{name = \"x\"}, {name = \"y\"}]\n\
         flow = [{name = \"f\", from = \"x\", to = \"y\", transport = \"udp\"}]",
    );
    let plan = FlowPlan {
        name: "f".into(),
        group: "f".into(),
        from: "x".into(),
        to: "y".into(),
        transport: Transport::Udp,
        message_bytes: 1024,
        streams: 1,
        load: Load::Unlimited,
        spacing: Spacing::Fixed,
        stop: Stop::after(Span::from_s(10)),
        start_after: Span::ZERO,
        sockets: SocketPlan::default(),
        raw: RawPlan::default(),
        sender_core: None,
        receiver_core: None,
        spin: false,
        receiver: None,
        network: None,
        probe: None,
    };
    assert_eq!(scenario.flows, [plan]);
    assert_eq!((scenario.seed, scenario.interval, scenario.title), (1, Span::from_s(1), None));
    assert_eq!(scenario.hosts[0].reached_at(), "127.0.0.1");
}

const FULL: &str = r#"
incast = 1
name = "full"
start = "as-they-come"
seed = 18446744073709551615
[[host]]
name = "sink"
agent = "[2001:db8::2]:7700"
[[host]]
name = "near"
agent = "lab-2:7700"
address = "fe80::1"
[[host]]
name = "source"
count = 3
[[host]]
name = "one"
count = 1
[[flow]]
name = "many"
from = ["source-3", "near", "one"]
to = "sink"
transport = "tcp"
message = "8KiB"
load = "1.5Gbit/s"
spacing = "burst:16"
streams = 4
duration = "2s"
messages = 1_000
bytes = "80kB"
start_after = "250ms"
send_buffer = "4MiB"
receive_buffer = "1MB"
congestion = "bbr"
no_delay = true
dscp = 46
send_batch = 1
receive_batch = 2
sender_core = 0
receiver_core = 0x3
spin = true
[[flow]]
name = "back"
from = "source-1"
to = "one"
transport = "udp"
messages = 7
segments_max = 1
[[flow]]
name = "rest"
from = "source-2"
to = "one-1"
transport = "udp"
[[expect]]
name = "range"
what = "duration_s"
flow = "many/source-3"
at_least = "1500ms"
at_most = 2.5
source = "us"
"#;

#[test]
fn every_key_reaches_the_plan() {
    let scenario = parse(FULL);
    let flow = &scenario.flows[0];
    assert_eq!(
        (flow.name.as_str(), flow.group.as_str(), flow.from.as_str()),
        ("many/source-3", "many", "source-3")
    );
    assert_eq!(scenario.flows[2].from, "one-1");
    assert_eq!((flow.message_bytes, flow.streams, flow.spin), (8192, 4, true));
    assert_eq!(flow.load, Load::BitRate(BitRate(1_500_000_000)));
    assert_eq!(flow.spacing, Spacing::Burst(16));
    // 80 kB are 9.8 messages: the last one is sent whole.
    assert_eq!(flow.stop, Stop { after: Some(Span::from_s(2)), messages: Some(10) });
    assert_eq!(flow.start_after, Span::from_ms(250));
    assert_eq!((flow.sender_core, flow.receiver_core), (Some(0), Some(3)));
    let sockets = SocketPlan {
        send_buffer: Some(Bytes(4 << 20)),
        receive_buffer: Some(Bytes(1_000_000)),
        congestion: Some("bbr".into()),
        no_delay: Some(true),
        dscp: Some(46),
        segments_max: None,
        send_batch: Some(1),
        receive_batch: Some(2),
    };
    assert_eq!(flow.sockets, sockets);
    let back = &scenario.flows[3];
    assert_eq!((back.name.as_str(), back.to.as_str()), ("back", "one-1"));
    assert_eq!(back.stop, Stop { after: None, messages: Some(7) });
    assert_eq!((scenario.start, scenario.seed), (Start::AsTheyCome, u64::MAX));
    let reached: Vec<_> = scenario.hosts.iter().take(3).map(|host| host.reached_at()).collect();
    assert_eq!(reached, ["2001:db8::2", "fe80::1", "127.0.0.1"]);
    let expectation = &scenario.expectations[0];
    assert_eq!(expectation.metric, Metric::Duration);
    assert_eq!(expectation.scope, Scope::Flows { name: "many/source-3".into(), count: 1 });
    assert_eq!(expectation.limits, Limits::Between { at_least: 1.5, at_most: 2.5 });
    assert_eq!(expectation.expected, "duration_s of many/source-3 >= 1500ms, <= 2.5");
}

#[test]
fn a_flow_plan_travels_as_json() {
    for flow in parse(FULL).flows {
        let json = serde_json::to_string(&flow).unwrap();
        assert_eq!(serde_json::from_str::<FlowPlan>(&json).unwrap(), flow, "{json}");
    }
}

#[test]
fn flows_of_one_scenario_share_no_departures() {
    let text = "incast = 1\nname = \"seeds\"\n[[host]]\nname = \"x\"\n[[host]]\nname = \"y\"\ncount = 3\n\
        [[flow]]\nname = \"f\"\nfrom = \"y\"\nto = \"x\"\ntransport = \"udp\"\nspacing = \"poisson\"\n\
        load = \"1kHz\"\n";
    let scenario = Scenario::parse(text).unwrap();
    let seeds = |of: u64| scenario.flows.iter().map(|flow| flow.seed(of)).collect::<Vec<_>>();
    let mut all = [seeds(1), seeds(2)].concat();
    assert_eq!(seeds(1), seeds(1));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 6, "each flow has its own, and other ones under another seed");
}

#[test]
fn a_congestion_control_that_the_simulator_lacks_is_refused_by_it() {
    let text = |congestion: &str| {
        format!(
            "incast = 1\nname = \"c\"\n[[host]]\nname = \"x\"\n[[host]]\nname = \"y\"\n[[flow]]\nname = \"f\"\n\
             from = \"y\"\nto = \"x\"\ntransport = \"tcp\"\ncongestion = \"{congestion}\"\n"
        )
    };
    for known in ["reno", "cubic", "bbr"] {
        assert_eq!(Scenario::parse(&text(known)).unwrap().not_simulable(), [""; 0], "{known}");
    }
    let of_host = text("cubic").replace("congestion = \"cubic\"\n", "").replace(
        "name = \"y\"\n",
        "name = \"y\"\nsysctl = { \"net.ipv4.tcp_congestion_control\" = \"reno\" }\n",
    );
    let scenario = Scenario::parse(&of_host).unwrap();
    assert_eq!(scenario.congestion_of(&scenario.flows[0]), Some("reno"), "as its host says");
    let why = Scenario::parse(&text("vegas")).unwrap().not_simulable();
    assert!(why.len() == 1 && why[0].contains("`vegas`") && why[0].contains("incast lab"), "{why:?}");
}
