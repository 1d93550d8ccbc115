//! The network of a scenario: every fault with its place, the addresses that are given out, and
//! values replaced from outside.

use incast_core::scenario::{Forwarding, Scenario, Setting, WhenFull};
use incast_core::units::{BitRate, Bytes};

/// `text` gives exactly these lines.
fn check(text: &str, expected: &[&str]) {
    let found = Scenario::parse(text).expect_err(text).lines("s").to_string();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{text}");
}

fn parse(text: &str) -> Scenario {
    Scenario::parse(text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// Three lines that every file begins with.
const HEAD: &str = "incast = 1\nname = \"t\"\nhost = [{name = \"x\"}, {name = \"y\"}]\n";
/// The last line of every file.
const FLOW: &str = "flow = [{name = \"f\", from = \"x\", to = \"y\", transport = \"udp\"}]\n";
const SWITCH: &str = "switch = [{name = \"s\", when_full = \"drop\"}]\n";
const CABLE: &str = "cable = [{from = [\"x\", \"y\"], to = \"s\"}]\n";

/// The switches are in line 4, the cables in line 5.
fn with(switches: &str, cables: &str) -> String {
    format!("{HEAD}switch = [{switches}]\ncable = [{cables}]\n{FLOW}")
}

/// A switch `s` that says this as well, which is one fault.
fn check_switch(cases: &[(&str, &str)]) {
    for (more, expected) in cases {
        check(
            &format!("{HEAD}switch = [{{name = \"s\", when_full = \"drop\", {more}}}]\n{CABLE}{FLOW}"),
            &[expected],
        );
    }
}

/// A cable from x that says this as well, which is one fault; y has its own.
fn check_cable(cases: &[(&str, &str)]) {
    for (more, expected) in cases {
        let cables =
            format!("cable = [{{from = \"y\", to = \"s\"}}, {{from = \"x\", to = \"s\", {more}}}]\n");
        check(&format!("{HEAD}{SWITCH}{cables}{FLOW}"), &[expected]);
    }
}

#[test]
fn keys_of_a_switch() {
    check_switch(&[
        ("rate = \"1bit/s\"", "s:4:51: `rate` is 1bit/s; allowed: 8kbit/s to 10Tbit/s"),
        ("rate = \"0bit/s\"", "s:4:51: `rate` is 0bit/s; allowed: 8kbit/s to 10Tbit/s"),
        ("port_rate = \"11Tbit/s\"", "s:4:56: `port_rate` is 11Tbit/s; allowed: 8kbit/s to 10Tbit/s"),
        ("mtu = \"500B\"", "s:4:50: `mtu` is 500B; allowed: 576B to 65535B"),
        ("mtu = \"64KiB\"", "s:4:50: `mtu` is 64KiB; allowed: 576B to 65535B"),
        ("offloads = 1", "s:4:55: `offloads` must be true or false, found the number 1"),
        (
            "forwarding = \"router\"",
            "s:4:57: unknown forwarding `router`; did you mean `routed`? allowed: bridge, routed",
        ),
        (
            "subnet = \"10.0.0.0\"",
            "s:4:53: `subnet`: `10.0.0.0` is no IPv4 subnet; write for example 192.168.1.0/24",
        ),
        (
            "subnet = \"10.0.0.0/31\"",
            "s:4:53: `subnet`: `10.0.0.0/31` has a prefix outside 8 to 29; write for example 192.168.1.0/24",
        ),
        (
            "subnet = \"10.0.0.1/24\"",
            "s:4:53: `subnet`: `10.0.0.1/24` has a host part: the bits behind the prefix must be 0",
        ),
        (
            "subnet = \"127.0.0.0/8\"",
            "s:4:53: `subnet`: `127.0.0.0/8` is not for hosts; write for example 192.168.1.0/24",
        ),
        (
            "rate = \"1Gbit/s\", port_queue = \"4KiB\", mtu = \"9000B\"",
            "s:5:10: `port_queue` of 4KiB does not hold one packet: with an MTU of 9000B it takes 9038B on the wire",
        ),
        (
            "subnet = \"10.0.0.0/8\"",
            "s:4:19: the subnet 10.0.0.0/8 meets 10.76.0.0/16, which labs keep for themselves",
        ),
    ]);
    check(
        &format!("{HEAD}switch = [{{name = \"s\"}}]\n{CABLE}{FLOW}"),
        &[
            "s:4:11: `when_full` is missing in [[switch]]; say what a full port does: \"drop\" as Ethernet does, or \"pause\" (the senders wait)",
        ],
    );
    check(
        &format!("{HEAD}switch = [{{when_full = \"drop\"}}]\n{CABLE}{FLOW}"),
        &["s:4:11: `name` is missing in [[switch]]; cables refer to a switch by it"],
    );
    check(
        &format!(
            "{HEAD}switch = [{{name = \"s\", when_full = \"block\", forwarding = \"routed\"}}]\n{CABLE}{FLOW}"
        ),
        &["s:4:36: unknown answer `block`; allowed: drop, pause"],
    );
    check(
        &format!(
            "{HEAD}switch = [{{name = \"s\", when_full = \"pause\", forwarding = \"routed\"}}]\n{CABLE}{FLOW}"
        ),
        &["s:4:36: a routed switch always drops; only a bridge can pause its senders"],
    );
}

#[test]
fn names_of_switches() {
    let twice = with(
        "{name = \"s\", when_full = \"drop\"}, {name = \"s\", when_full = \"drop\"}",
        "{from = [\"x\", \"y\"], to = \"s\"}",
    );
    check(&twice, &["s:4:53: there is already a switch or a host `s`; names are unique"]);
    let of_host = with(
        "{name = \"s\", when_full = \"drop\"}, {name = \"x\", when_full = \"drop\"}",
        "{from = [\"x\", \"y\"], to = \"s\"}",
    );
    check(&of_host, &["s:4:53: there is already a switch or a host `x`; names are unique"]);
    let group = "{name = \"s\", count = 2, when_full = \"drop\"}";
    let taken = with(
        &format!("{{name = \"s-2\", when_full = \"drop\"}}, {group}"),
        "{from = [\"x\", \"y\"], to = \"s-2\"}",
    );
    check(&taken, &["s:4:55: there is already a switch or a host `s-2`; names are unique"]);
    let many = with(
        "{name = \"s\", count = 1024, when_full = \"drop\"}, {name = \"t\", when_full = \"drop\"}",
        "{from = [\"x\", \"y\"], to = \"s-1\"}, {from = \"s\", to = \"t\"}",
    );
    let found = Scenario::parse(&many).expect_err("too many").lines("s").to_string();
    assert!(found.starts_with("s:4:67: more than 1024 switches\n"), "{found}");
}

#[test]
fn keys_of_a_cable() {
    check_cable(&[
        ("queue = \"9KiB\"", "s:5:65: a cable without a `rate` never queues: say how fast it is"),
        ("port_queue = \"9KiB\"", "s:5:70: a port without a rate never queues: say `rate` or `port_rate`"),
        ("burst = \"9KiB\"", "s:5:65: a cable without a rate sends all it has: say `rate` or `port_rate`"),
        (
            "rate = \"1Gbit/s\", queue = \"1537B\"",
            "s:5:83: `queue` of 1537B does not hold one packet: with an MTU of 1500B it takes 1538B on the wire",
        ),
        (
            "rate = \"1Gbit/s\", burst = \"1500B\"",
            "s:5:83: `burst` of 1500B does not hold one packet: with an MTU of 1500B it takes 1538B on the wire",
        ),
        ("loss = 2", "s:5:64: `loss` is 2; allowed: 0 to 1, a probability"),
        ("duplicate = -0.1", "s:5:69: `duplicate` is -0.1; allowed: 0 to 1, a probability"),
        ("reorder = 0.1", "s:5:67: a packet overtakes those that are held: `reorder` needs a `delay`"),
        ("delay = \"61s\"", "s:5:65: `delay` is 61s; allowed: 0s to 60s"),
        (
            "loss = \"1%\"",
            "s:5:64: `loss` must be a number from 0 to 1, for example 0.01, found the text `1%`",
        ),
        (
            "delay = \"1ms\", offloads = true",
            "s:5:83: a cable with delay, jitter, loss, duplicate or reorder carries single packets: leave `offloads` out",
        ),
        ("address = \"here\"", "s:5:67: `here` is no IPv4 address; write for example 10.77.0.1"),
        (
            "address = \"10.78.0.1\"",
            "s:5:34: `address` 10.78.0.1 is not one of a host in the subnet 10.77.0.0/16",
        ),
        (
            "address = \"10.77.255.254\"",
            "s:5:34: `address` 10.77.255.254 is not one of a host in the subnet 10.77.0.0/16",
        ),
    ]);
}

#[test]
fn ends_of_a_cable() {
    let switch = "{name = \"s\", when_full = \"drop\"}";
    let both = "{from = [\"x\", \"y\"], to = \"s\"}";
    let cases: &[(&str, &[&str])] = &[
        (
            "{to = \"s\"}",
            &["s:5:10: `from` is missing in [[cable]]; write a host's name, a list of them, or a switch"],
        ),
        ("{from = \"x\"}", &["s:5:10: `to` is missing in [[cable]]; write a switch's name"]),
        (
            "{from = [\"x\", \"w\"], to = \"s\"}",
            &["s:5:24: unknown host `w`; allowed: x, y", "s:4:19: no [[cable]] leads from host `y`"],
        ),
        ("{from = [\"x\", \"y\"], to = \"t\"}", &["s:5:35: unknown switch `t`; allowed: s"]),
        (
            "{from = \"s\", to = \"s\"}, {from = [\"x\", \"y\"], to = \"s\"}",
            &["s:5:28: the cable begins and ends at the same switch"],
        ),
        ("{from = \"x\", to = \"s\"}", &["s:4:19: no [[cable]] leads from host `y`"]),
        (
            "{from = [\"x\", \"y\"], to = \"s\"}, {from = \"x\", to = \"s\"}",
            &["s:5:41: host `x` has a cable to network `s` already"],
        ),
        (
            "{from = [\"x\", \"y\"], to = \"s\", address = \"10.77.0.5\"}",
            &["s:5:50: `address` is of one host, and this table makes several cables"],
        ),
        (
            "{from = \"x\", to = \"s\", address = \"10.77.0.5\"}, {from = \"y\", to = \"s\", address = \"10.77.0.5\"}",
            &["s:5:57: two hosts have the address 10.77.0.5"],
        ),
    ];
    for (cables, expected) in cases {
        let found = Scenario::parse(&with(switch, cables)).expect_err(cables).lines("s").to_string();
        let mut expected = expected.to_vec();
        // In the order of the file.
        expected.sort_by_key(|line| line.split(':').nth(1).and_then(|line| line.parse::<u32>().ok()));
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{cables}");
    }
    check(
        &format!("{HEAD}cable = [{both}]\n{FLOW}"),
        &["s:4:35: unknown switch `s`; allowed: none, there is no [[switch]]"],
    );
    check(
        &format!("{HEAD}{SWITCH}{FLOW}"),
        &["s:4:19: no cable leads to switch `s`", "s:4:19: no [[cable]] leads from host `x`"],
    );
}

#[test]
fn several_switches() {
    let two = |more: &str| {
        format!("{{name = \"a\", when_full = \"drop\"}}, {{name = \"b\", when_full = \"drop\"{more}}}")
    };
    let (hosts, trunk) = ("{from = [\"x\", \"y\"], to = \"a\"}", "{from = \"a\", to = \"b\"}");
    check(
        &with(&two(""), &format!("{hosts}, {trunk}, {{from = \"b\", to = \"a\"}}")),
        &["s:5:65: switches `b` and `a` are joined already: a second way between them is a loop"],
    );
    check(
        &with(&two(", forwarding = \"routed\""), &format!("{hosts}, {trunk}")),
        &["s:4:53: `a` and `b` are one network, and one of them is a bridge and the other routed"],
    );
    check(
        &with(&two(", subnet = \"192.168.1.0/24\""), &format!("{hosts}, {trunk}")),
        &["s:4:53: the subnet of a network is said by its first switch, `a`"],
    );
    check(
        &with(&two(""), &format!("{hosts}, {{from = \"a\", to = \"b\", mtu = \"9000B\"}}")),
        &[
            "s:5:41: an MTU of 9000B and one of 1500B in network `a`: bridges drop what is too large, uncounted; give all its cables one `mtu`, or make the switch forwarding = \"routed\"",
        ],
    );
    check(&with(&two(""), hosts), &["s:4:53: no cable leads to switch `b`"]);
    check(
        &with(&two(""), &format!("{hosts}, {{from = \"a\", to = \"b\", address = \"10.77.0.9\"}}")),
        &["s:5:74: `address` is of a host, and this cable joins two switches"],
    );
    check(
        &with(
            &two(", subnet = \"10.77.4.0/24\""),
            &format!("{hosts}, {{from = [\"x\", \"y\"], to = \"b\"}}"),
        ),
        &["s:4:53: the subnet 10.77.4.0/24 meets that of network `a`, 10.77.0.0/16"],
    );
}

#[test]
fn networks_of_flows() {
    let two = "{name = \"a\", when_full = \"drop\"}, {name = \"b\", when_full = \"drop\"}";
    let cables = "{from = [\"x\", \"y\"], to = \"a\"}, {from = [\"x\"], to = \"b\"}";
    let flow = |more: &str| with(two, cables).replace("transport", &format!("{more}, transport"));
    check(&flow("network = \"c\""), &["s:6:54: unknown network `c`; allowed: a, b"]);
    check(&flow("network = \"b\""), &["s:6:29: no cables lead from `x` to `y` on network `b`"]);
    let apart = "{from = \"x\", to = \"a\"}, {from = \"y\", to = \"b\"}";
    check(&with(two, apart), &["s:6:29: no cables lead from `x` to `y` on any network"]);
    let none = format!("{HEAD}{}", FLOW.replace("transport", "network = \"s\", transport"));
    check(&none, &["s:4:54: the scenario describes no network: there is no [[switch]]"]);
}

#[test]
fn a_subnet_can_be_too_small() {
    let text = "incast = 1\nname = \"t\"\nhost = [{name = \"x\"}, {name = \"y\", count = 6}]\n\
                switch = [{name = \"s\", when_full = \"drop\", subnet = \"192.168.1.0/29\"}]\n\
                cable = [{from = [\"x\", \"y\"], to = \"s\"}]\n\
                flow = [{name = \"f\", from = \"y\", to = \"x\", transport = \"udp\"}]\n";
    check(text, &["s:5:10: the subnet 192.168.1.0/29 has no address left"]);
    // Eight addresses: its own, the switch's and the broadcast address are not for hosts.
    assert_eq!(parse(&text.replace("count = 6", "count = 4")).hosts.len(), 5);
}

/// Every host's addresses, in the order of its cables.
fn addresses(scenario: &Scenario) -> Vec<Vec<String>> {
    let network = scenario.describe_network().expect("a network");
    network.hosts.into_iter().map(|host| host.addresses).collect()
}

#[test]
fn addresses_are_given_in_the_order_of_the_file_around_those_that_are_stated() {
    let text = "incast = 1\nname = \"t\"\nhost = [{name = \"x\"}, {name = \"y\", count = 3}]\n\
                switch = [{name = \"main\", when_full = \"drop\"}, {name = \"data\", when_full = \"drop\", subnet = \"192.168.7.0/24\"}]\n\
                cable = [{from = \"y-2\", to = \"main\", address = \"10.77.0.1\"}, {from = [\"x\", \"y-1\", \"y-3\"], to = \"main\"}, {from = [\"y\", \"x\"], to = \"data\"}]\n\
                flow = [{name = \"f\", from = \"y\", to = \"x\", transport = \"udp\"}, {name = \"g\", from = \"y-1\", to = \"x\", transport = \"udp\", network = \"data\"}]\n";
    let scenario = parse(text);
    let expected = [
        ["10.77.0.2", "192.168.7.4"],
        ["10.77.0.3", "192.168.7.1"],
        ["10.77.0.1", "192.168.7.2"],
        ["10.77.0.4", "192.168.7.3"],
    ];
    assert_eq!(addresses(&scenario), expected);
    // The first network that both ends have, unless the flow says which.
    let networks: Vec<_> = scenario.flows.iter().map(|flow| flow.network).collect();
    assert_eq!(networks, [Some(0), Some(0), Some(0), Some(1)]);
}

#[test]
fn a_switch_says_for_its_cables_what_they_do_not_say_themselves() {
    let text = with(
        "{name = \"s\", when_full = \"pause\", rate = \"1Gbit/s\", port_queue = \"256KiB\", mtu = \"9000B\", offloads = true}",
        "{from = \"x\", to = \"s\"}, {from = \"y\", to = \"s\", rate = \"2Gbit/s\", port_rate = \"3Gbit/s\", port_queue = \"64KiB\", offloads = false}",
    );
    let network = parse(&text).network.expect("a network");
    assert_eq!(
        (network.switches[0].when_full, network.switches[0].forwarding),
        (WhenFull::Pause, Forwarding::Bridge)
    );
    let said: Vec<_> = network
        .cables
        .iter()
        .map(|cable| (cable.rate, cable.port_rate, cable.port_queue, cable.mtu_bytes, cable.offloads))
        .collect();
    let gigabits = |number: u64| Some(BitRate(number * 1_000_000_000));
    let queue = Bytes(256 << 10);
    assert_eq!(
        said,
        [
            (gigabits(1), gigabits(1), queue, 9000, true),
            (gigabits(2), gigabits(3), Bytes(64 << 10), 9000, false)
        ]
    );
}

/// The file with these values replaced.
fn vary(text: &str, settings: &[&str]) -> Result<Scenario, String> {
    let settings: Vec<Setting> =
        settings.iter().map(|setting| setting.parse().unwrap_or_else(|error| panic!("{error}"))).collect();
    Scenario::parse_with(text, &settings).map_err(|errors| errors.lines("s").to_string())
}

#[test]
fn values_are_replaced_by_name_and_by_kind() {
    // The host y and the flow y are called alike, as in the scenarios of the lab sheet.
    let text = format!(
        "{HEAD}{SWITCH}{CABLE}{}",
        FLOW.replace("name = \"f\", from = \"x\", to = \"y\"", "name = \"y\", from = \"y\", to = \"x\"")
    );
    let one = vary(&text, &["y.transport=tcp", "y.congestion=cubic"])
        .expect("the flow is meant: hosts have no such key");
    assert_eq!(one.flows[0].sockets.congestion.as_deref(), Some("cubic"));
    let rate = |scenario: &Scenario| scenario.network.as_ref().expect("a network").cables[1].rate;
    for setting in
        ["s.rate=5Mbit/s", "switch.rate=5Mbit/s", "cable.rate = \"5Mbit/s\"", " cable.rate=5Mbit/s"]
    {
        assert_eq!(rate(&vary(&text, &[setting]).expect(setting)), Some(BitRate(5_000_000)), "{setting}");
    }
    assert_eq!(vary(&text, &["seed=7"]).expect("a key of the scenario").seed, 7);
    assert_eq!(
        vary(&text, &["cable.loss=0.5"]).expect("a number").network.expect("a network").cables[0]
            .path
            .expect("a path")
            .loss,
        0.5
    );
    let group = vary(&text.replace("{name = \"y\"}", "{name = \"y\", count = 1}"), &["host.count=3"]);
    assert!(group.is_err(), "both hosts are meant, and `x` is no group for `to`");
    // The last word counts.
    assert_eq!(vary(&text, &["seed=1", "seed=2"]).expect("good").seed, 2);
}

#[test]
fn a_setting_that_replaces_nothing_or_cannot_be_is_a_fault() {
    let text = format!("{HEAD}{SWITCH}{CABLE}{FLOW}");
    let nothing = vary(&text, &["nobody.rate=1Mbit/s"]).expect_err("no such table");
    assert_eq!(
        nothing.trim_end(),
        "s:1:1: --set nobody.rate=1Mbit/s: there is no table of that name or kind (host, flow, exchange, switch, cable, readout, trigger, source, builder, node, sink, model, sim, machine, ...)"
    );
    let key = vary(&text, &["s.wrong=1"]).expect_err("no such key");
    assert!(key.contains("unknown key `wrong` in [[switch]]"), "{key}");
    let value = vary(&text, &["s.rate=fast"]).expect_err("no rate");
    assert!(value.contains("`rate`"), "{value}");
    for (wrong, words) in [
        ("rate", "`rate` has no `=`"),
        ("=5", "names no key"),
        (".rate=5", "names no key"),
        ("s.=5", "names no key"),
        ("s.rate=5\n6", "is too long or does not print"),
    ] {
        let error = wrong.parse::<Setting>().expect_err(wrong).to_string();
        assert!(error.contains(words) && error.contains("TABLE.KEY=VALUE"), "{error}");
    }
}

#[test]
fn asks_and_variants() {
    let good = format!("{HEAD}{SWITCH}{CABLE}{FLOW}");
    // They stand in line 7 and after.
    let cases: &[(&str, &[&str])] = &[
        (
            "[[ask]]\nquestion = \"q\"",
            &[
                "s:7:1: `answer` is missing in [[ask]]; say which numbers answer it: shares, loss, where, cpu or cpu-at-200",
            ],
        ),
        (
            "[[ask]]\nanswer = \"loss\"",
            &["s:7:1: `question` is missing in [[ask]]; write what somebody wants to know"],
        ),
        (
            "[[ask]]\nquestion = \"q\"\nanswer = \"los\"",
            &[
                "s:9:10: unknown answer `los`; did you mean `loss`? allowed: shares, loss, where, cpu, cpu-at-200",
            ],
        ),
        (
            "[[variant]]\nname = \"v\"",
            &[
                "s:7:1: `set` is missing in [[variant]]; say what it changes, for example set = \"flow.congestion=cubic\"",
            ],
        ),
        (
            "[[variant]]\nset = \"seed=1\"",
            &["s:7:1: `name` is missing in [[variant]]; its record is called by it"],
        ),
        (
            "[[variant]]\nname = \"v\"\nset = \"seed\"",
            &["s:9:7: `seed` has no `=`; write TABLE.KEY=VALUE, for example flow.congestion=cubic"],
        ),
        (
            "[[variant]]\nname = \"v\"\nset = \"seed=1\"\n[[variant]]\nname = \"v\"\nset = \"seed=2\"",
            &["s:11:8: there is already a variant `v`; names are unique"],
        ),
    ];
    for (more, expected) in cases {
        check(&format!("{good}{more}\n"), expected);
    }
    let scenario =
        parse(&format!("{good}[[variant]]\nname = \"v\"\nset = [\"seed=7\", \"s.rate=1Mbit/s\"]\n"));
    assert_eq!(vary(&scenario.text, &["seed=7"]).expect("good").seed, 7);
    assert_eq!(scenario.variants[0].settings.len(), 2);
}
