//! What is wrong with a scenario file is told with its place, what is allowed, and the right word.

use incast_core::scenario::{Scenario, ScenarioErrors};

fn errors(text: &str) -> ScenarioErrors {
    Scenario::parse(text).expect_err("a scenario with a fault")
}

/// `text` gives exactly these lines.
fn check(text: &str, expected: &[&str]) {
    let found = errors(text).lines("s").to_string();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{text}");
}

/// Three lines that every file below begins with.
const HEAD: &str = "incast = 1\nname = \"t\"\nhost = [{name = \"x\"}, {name = \"y\"}]\n";
/// A good flow, to be continued in line 9.
const FLOW: &str = "[[flow]]\nname = \"f\"\nfrom = \"x\"\nto = \"y\"\ntransport = \"tcp\"\n";

/// Each line, added to a good flow, is in line 9 and gives this one fault.
fn check_flow_lines(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        check(&format!("{HEAD}{FLOW}{line}"), &[expected]);
    }
}

/// Each line, added to an expectation that has its name and source, is in line 12.
fn check_expect_lines(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        check(&format!("{HEAD}{FLOW}[[expect]]\nname = \"e\"\nsource = \"us\"\n{line}"), &[expected]);
    }
}

#[test]
fn what_is_not_toml() {
    let cases: &[(&str, &[&str])] = &[
        (
            "incast = 1\nname = first\n[[flow]\n",
            &[
                "s:2:8: `first` needs quotes, if it is a text",
                "s:3:8: not TOML: unclosed array table, expected `]`",
            ],
        ),
        ("incast = 1\nname =\n", &["s:2:7: a value is missing after `=`"]),
        ("incast = 1\nname = \"a\"\nname = \"b\"\n", &["s:3:1: not TOML: duplicate key"]),
        ("a = = 1\n", &["s:1:5: not TOML: extra `=`, expected nothing"]),
        ("a = 'x\n", &["s:1:7: not TOML: invalid literal string, expected `'`"]),
    ];
    for (text, expected) in cases {
        check(text, expected);
    }
}

#[test]
fn the_head_of_the_file() {
    let rest = &HEAD["incast = 1\nname = \"t\"\n".len()..];
    let whole = |head: &str| format!("{head}\n{rest}{FLOW}");
    let cases: &[(&str, &[&str])] = &[
        (
            "",
            &[
                "s:1:1: `incast` is missing in the scenario; the file begins with the version of its format: incast = 1",
                "s:1:1: `name` is missing in the scenario; the directory of its records is called by it",
            ],
        ),
        ("incast = 2\nname = \"t\"", &["s:1:10: `incast` is 2; allowed: 1"]),
        (
            "incast = \"1\"\nname = \"../t\"",
            &[
                "s:1:10: `incast` must be a whole number, found the text `1`",
                "s:2:8: `name` holds `/`; allowed: letters a-z A-Z, digits, `-`, `_` and `.`",
            ],
        ),
        ("incast = 1\nname = \".t\"", &["s:2:8: `name` must begin with a letter or a digit, found `.t`"]),
        (
            "incast = 1\nname = \"t\"\ntitel = \"x\"",
            &[
                "s:3:1: unknown key `titel` in the scenario; did you mean `title`? allowed: ask, builder, cable, duration, exchange, expect, fault, flow, host, incast, interval, machine, model, name, node, probe, readout, search, seed, sim, sink, source, start, switch, title, trigger, variant",
            ],
        ),
        (
            "incast = 1\nname = \"t\"\nstart = \"togther\"",
            &["s:3:9: unknown start `togther`; did you mean `together`? allowed: together, as-they-come"],
        ),
        (
            "incast = 1\nname = \"t\"\ninterval = \"1ms\"\nduration = \"0s\"\nseed = -1",
            &[
                "s:3:12: `interval` is 1ms; allowed: 10ms to 3600s",
                "s:4:12: `duration` is 0s; allowed: 1ps to 86400s",
                "s:5:8: `seed` is -1; allowed: 0 to 18446744073709551615",
            ],
        ),
        (
            "incast = 1\nname = \"t\"\nduration = 3\ntitle = \"\"",
            &[
                "s:3:12: `duration` must be a text in quotes with its unit, for example 500ns, 12us, 100ms, 10s, 2min, found the number 3",
                "s:4:9: `title` is empty",
            ],
        ),
        (
            "incast = 1\nname = \"t\"\ntitle = \"a\\nb\"",
            &["s:3:9: `title` holds a line break or another character that does not print"],
        ),
        (
            "incast = 1\nname = \"t\"\nexpect = 5",
            &["s:3:10: `expect` must be a list of tables, each headed [[expect]], found the number 5"],
        ),
    ];
    for (head, expected) in cases {
        check(&whole(head), expected);
    }
    check(
        "incast = 1\nname = \"t\"\n",
        &["s:1:1: there is no [[flow]] and no [[exchange]]: nothing would be sent"],
    );
    check(
        &format!("incast = 1\nname = \"{}\"\n{rest}{FLOW}", "n".repeat(65)),
        &["s:2:8: `name` is longer than 64 characters"],
    );
}

#[test]
fn hosts() {
    let whole = |hosts: &str| format!("incast = 1\nname = \"t\"\n{hosts}\n{FLOW}");
    let two = "[[host]]\nname = \"x\"\n[[host]]\nname = \"y\"\n[[host]]\n";
    let cases: &[(&str, &[&str])] = &[
        ("name = \"x\"", &["s:8:8: there is already a host or a group `x`; names are unique"]),
        ("name = \"z\"", &["s:8:8: host `z` takes part in no flow"]),
        ("name = \"z\"\ncount = 3", &["s:8:8: host `z` takes part in no flow"]),
        ("name = \"x\"\ncount = 3", &["s:8:8: there is already a host or a group `x`; names are unique"]),
        ("name = \"z\"\ncount = 0", &["s:9:9: `count` is 0; allowed: 1 to 4096"]),
        (
            "nmae = \"z\"",
            &[
                "s:7:1: `name` is missing in [[host]]; flows refer to a host by it",
                "s:8:1: unknown key `nmae` in [[host]]; did you mean `name`? allowed: address, agent, count, cpu_quota, interface, name, sysctl",
            ],
        ),
        (
            "name = \"z\"\nagent = \"10.0.0.2\"",
            &[
                "s:8:8: host `z` takes part in no flow",
                "s:9:9: `agent`: `10.0.0.2` has no port; write for example 10.0.0.2:7700",
            ],
        ),
        (
            "name = \"z\"\nagent = \"10.0.0.2:http\"",
            &[
                "s:8:8: host `z` takes part in no flow",
                "s:9:9: `agent`: `10.0.0.2:http` does not end in a port; write for example 10.0.0.2:7700",
            ],
        ),
        (
            "name = \"z\"\nagent = \"::1:7700\"",
            &[
                "s:8:8: host `z` takes part in no flow",
                "s:9:9: `agent`: `::1:7700` does not name a host; write for example 10.0.0.2:7700",
            ],
        ),
        (
            "name = \"z\"\naddress = \"10.0.0.2:80\"",
            &[
                "s:8:8: host `z` takes part in no flow",
                "s:9:11: `address`: `10.0.0.2:80` is neither an IP address nor a host's name; write for example 10.0.0.2",
            ],
        ),
        ("name = \"z\"\ncount = 4096", &["s:8:8: more than 4096 hosts"]),
        (
            "name = \"z\"\naddress = \"\"",
            &[
                "s:8:8: host `z` takes part in no flow",
                "s:9:11: `address`: `` is neither an IP address nor a host's name; write for example 10.0.0.2",
            ],
        ),
    ];
    for (third, expected) in cases {
        check(&whole(&format!("{two}{third}")), expected);
    }
    check(
        &whole("[host]\nname = \"x\""),
        &["s:3:1: `host` must be a list of tables, each headed [[host]], found a single table"],
    );
    check(
        &whole("[[host]]\nname = \"x-1\"\n[[host]]\nname = \"x\"\ncount = 2\n[[host]]\nname = \"y\""),
        &["s:6:8: there is already a host or a group `x-1`; names are unique"],
    );
}

#[test]
fn names_and_ends_of_flows() {
    let cases: &[(&str, &[&str])] = &[
        ("", &["s:1:1: there is no [[flow]] and no [[exchange]]: nothing would be sent"]),
        (
            "[[flow]]",
            &[
                "s:4:1: `name` is missing in [[flow]]; the record and expectations refer to a flow by it",
                "s:4:1: `from` is missing in [[flow]]; write a host's name, or a list of them",
                "s:4:1: `to` is missing in [[flow]]; write a host's name",
                "s:4:1: `transport` is missing in [[flow]]; allowed: tcp, udp, ip, ethernet, xdp",
            ],
        ),
        (
            "[[flow]]\nname = \"a/b\"\nfrom = \"x\"\nto = \"y\"\ntransport = \"tpc\"",
            &[
                "s:5:8: `name` holds `/`; allowed: letters a-z A-Z, digits, `-`, `_` and `.`",
                "s:8:13: unknown transport `tpc`; did you mean `tcp`? allowed: tcp, udp, ip, ethernet, xdp",
            ],
        ),
        (
            "[[flow]]\nname = \"f\"\nfrom = [\"x\", \"xx\"]\nto = \"q\"\ntransport = \"tcp\"",
            &[
                "s:6:14: unknown host `xx`; did you mean `x`? allowed: x, y",
                "s:7:6: unknown host `q`; allowed: x, y",
            ],
        ),
        (
            "[[flow]]\nname = \"f\"\nfrom = [\"x\", \"x\"]\nto = \"y\"\ntransport = \"tcp\"",
            &["s:6:14: host `x` is in `from` twice"],
        ),
        (
            "[[flow]]\nname = \"f\"\nfrom = [\"x\", \"y\"]\nto = \"y\"\ntransport = \"tcp\"",
            &["s:7:6: `y` would send to itself: it is in `from` too"],
        ),
        (
            "[[flow]]\nname = \"f\"\nfrom = []\nto = \"y\"\ntransport = \"tcp\"",
            &["s:6:8: `from` is an empty list; write a host's name in quotes, or a list of them"],
        ),
        (
            "[[flow]]\nname = \"f\"\nfrom = [\"x\", 7]\nto = [\"y\"]\ntransport = \"tcp\"",
            &[
                "s:6:14: `from` must be a host's name in quotes, or a list of them, found the number 7 in the list",
                "s:7:6: `to` must be a text in quotes, found a list",
            ],
        ),
        (
            "[flow]\nname = \"f\"",
            &["s:4:1: `flow` must be a list of tables, each headed [[flow]], found a single table"],
        ),
    ];
    for (flow, expected) in cases {
        check(&format!("{HEAD}{flow}"), expected);
    }
    check(&format!("{HEAD}{FLOW}{FLOW}"), &["s:10:8: there is already a flow `f`; names are unique"]);
    let group = "incast = 1\nname = \"t\"\nhost = [{name = \"x\"}, {name = \"y\", count = 2}]\n";
    check(
        &format!("{group}{FLOW}"),
        &["s:7:6: `y` is a group of 2 hosts; `to` is one host, for example `y-1`"],
    );
    let too_many = FLOW.replace("\"x\"", "\"y\"").replace("to = \"y\"", "to = \"x\"");
    let second = too_many.replace("\"f\"", "\"g\"");
    let many = group.replace("count = 2", "count = 4000");
    check(&format!("{many}{too_many}{second}"), &["s:11:8: more than 4096 flows"]);
    check(
        &format!(
            "{group}{too_many}[[expect]]\nname = \"e\"\nsource = \"us\"\nwhat = \"lost\"\nequals = 0\nflow = \"f/x-1\""
        ),
        &["s:14:8: unknown flow `f/x-1`; did you mean `f/y-1`? allowed: f, f/y-1, ..."],
    );
    let from_one = FLOW.replace("\"x\"", "\"y-1\"").replace("to = \"y\"", "to = \"x\"");
    check(&format!("{group}{from_one}"), &["s:3:31: host `y-2` takes part in no flow"]);
}

const FLOW_LINES: &[(&str, &str)] = &[
    (
        "mesage = \"1024B\"",
        "s:9:1: unknown key `mesage` in [[flow]]; did you mean `message`? allowed: bytes, congestion, dscp, duration, ethertype, from, interface, load, message, messages, name, network, no_delay, protocol, qdisc_bypass, receive_batch, receive_buffer, receiver, receiver_core, segments_max, send_batch, send_buffer, sender_core, spacing, spin, start_after, streams, to, transport, vlan, vlan_priority, xdp",
    ),
    (
        "colour = \"red\"",
        "s:9:1: unknown key `colour` in [[flow]]; allowed: bytes, congestion, dscp, duration, ethertype, from, interface, load, message, messages, name, network, no_delay, protocol, qdisc_bypass, receive_batch, receive_buffer, receiver, receiver_core, segments_max, send_batch, send_buffer, sender_core, spacing, spin, start_after, streams, to, transport, vlan, vlan_priority, xdp",
    ),
    ("message = \"15B\"", "s:9:11: `message` is 15B; allowed: 16B to 16MiB"),
    ("message = \"17MiB\"", "s:9:11: `message` is 17MiB; allowed: 16B to 16MiB"),
    (
        "message = 1024",
        "s:9:11: `message` must be a text in quotes with its unit, for example 64B, 1024B, 8KiB, 1.5MB, found the number 1024",
    ),
    (
        "message = \"1024\"",
        "s:9:11: `message`: \"1024\" has no unit; write for example 64B, 1024B, 8KiB, 1.5MB",
    ),
    (
        "load = \"0Hz\"",
        "s:9:8: `load`: \"0Hz\" is zero; write for example unlimited, 1Gbit/s, 100kHz (messages per second), 12us (gap)",
    ),
    (
        "load = \"200Mbps\"",
        "s:9:8: `load`: \"200Mbps\" is not a load; write for example unlimited, 1Gbit/s, 100kHz (messages per second), 12us (gap)",
    ),
    (
        "load = \"99999999999999999999Gbit/s\"",
        "s:9:8: `load`: \"99999999999999999999Gbit/s\" is not a load; write for example unlimited, 1Gbit/s, 100kHz (messages per second), 12us (gap)",
    ),
    ("load = \"1mHz\"", "s:9:8: the flow sends no message: at `1mHz` one takes longer than the 10s it lasts"),
    ("load = \"11s\"", "s:9:8: the flow sends no message: at `11s` one takes longer than the 10s it lasts"),
    (
        "load = \"1bit/s\"",
        "s:9:8: the flow sends no message: at `1bit/s` one takes longer than the 10s it lasts",
    ),
    (
        "spacing = \"burst:0\"",
        "s:9:11: `spacing`: \"burst:0\" is not a burst of 1 to 1000000 messages; write for example fixed, poisson, burst:16",
    ),
    ("streams = 129", "s:9:11: `streams` is 129; allowed: 1 to 128"),
    ("streams = 0", "s:9:11: `streams` is 0; allowed: 1 to 128"),
    ("streams = \"4\"", "s:9:11: `streams` must be a whole number, found the text `4`"),
    ("streams = 2.5", "s:9:11: `streams` must be a whole number, found the number 2.5"),
    (
        "spacing = \"poisson\"",
        "s:9:11: `spacing` means nothing without a load: say how fast, for example load = \"10kHz\"",
    ),
    ("duration = \"0s\"", "s:9:12: `duration` is 0s; allowed: 1ps to 86400s"),
    ("duration = \"1000h\"", "s:9:12: `duration` is 3600000s; allowed: 1ps to 86400s"),
    ("messages = 0", "s:9:12: `messages` is 0; allowed: 1 to 1000000000000000000"),
    (
        "messages = 99999999999999999999999",
        "s:9:12: `messages` is 99999999999999999999999; allowed: 1 to 1000000000000000000",
    ),
    ("bytes = \"0B\"", "s:9:9: `bytes` is 0B; allowed: 1B to 1000000TB"),
    (
        "start_after = \"-1s\"",
        "s:9:15: `start_after`: \"-1s\" is negative; write for example 500ns, 12us, 100ms, 10s, 2min",
    ),
    ("send_buffer = \"2GB\"", "s:9:15: `send_buffer` is 2GB; allowed: 1B to 1GB"),
    ("congestion = \"BBR!\"", "s:9:14: `BBR!` is no congestion control; write for example cubic, reno, bbr"),
    (
        "segments_max = 64",
        "s:9:16: `segments_max` is for transport udp, and this flow is tcp: only UDP's datagrams are cut by the kernel",
    ),
    ("send_batch = 0", "s:9:14: `send_batch` is 0; allowed: 1 to 8192"),
    ("receive_batch = 33", "s:9:17: `receive_batch` is 33; allowed: 1 to 32"),
    ("no_delay = 1", "s:9:12: `no_delay` must be true or false, found the number 1"),
    ("dscp = 64", "s:9:8: `dscp` is 64; allowed: 0 to 63"),
    ("sender_core = 1024", "s:9:15: `sender_core` is 1024; allowed: 0 to 1023"),
    ("spin = 1979-05-27", "s:9:8: `spin` must be true or false, found a date"),
];

#[test]
fn settings_of_flows() {
    check_flow_lines(FLOW_LINES);
    let udp = FLOW.replace("tcp", "udp");
    check(
        &format!(
            "{HEAD}{udp}congestion = \"cubic\"\nno_delay = true\nsegments_max = 129\nmessage = \"64KiB\""
        ),
        &[
            "s:9:14: `congestion` is for transport tcp, and this flow is udp: only TCP has a congestion control",
            "s:10:12: `no_delay` is for transport tcp, and this flow is udp: only TCP waits to fill a packet",
            "s:11:16: `segments_max` is 129; allowed: 1 to 128",
            "s:12:11: `message` is 64KiB; allowed: 16B to 65507B",
        ],
    );
    let frames = FLOW.replace("tcp", "ethernet");
    check(
        &format!("{HEAD}{frames}send_batch = 1\nreceive_batch = 1"),
        &[
            "s:10:17: `receive_batch` is for transport tcp, udp and ip, and this flow is ethernet: its frames come \
             through a ring, without a call for each; leave it out",
        ],
    );
}

#[test]
fn expectations() {
    check_expect_lines(&[
        ("what = \"lost\"", "s:9:1: nothing is expected; write `equals`, `at_least` or `at_most`"),
        (
            "what = \"goodput\"\nequals = 0",
            "s:12:8: unknown metric `goodput`; did you mean `goodput_bits_per_s`? allowed: sent, received, unique, duplicate, reordered, late, stale, lost, unexplained, lost_fraction, goodput_bits_per_s, offered_load_bits_per_s, wire_rate_bits_per_s, duration_s, cpu_seconds_per_gigabyte, fairness_jain, overlap_fraction, throughput_bits_per_s, throughput_fraction, round_trip_us_p50, triggered, stored, rejected, incomplete, events_lost, events_in_flight, event_residual, credit_residual, event_rate_per_s, built_bytes_per_s, dead_time_fraction, latency_us_p50, latency_us_p99, latency_us_p999, request_us_p50, first_request_us_p50, node_fairness_jain, queue_bytes_max, queue_bytes_mean, queue_wait_us_mean, queue_wait_us_p99, queue_busy, queue_dropped_packets, packets_dropped, byte_residual, delay_us_p50, delay_us_p99, probe_delay_us_min, probe_delay_us_p50, probe_delay_error_us, probe_delay_above_min_us_p99, probe_lost, probe_reordered, probe_duplicate, probe_points, answered, not_answered, exchange_residual, rounds_per_s, first_round_us, response_us_p50, response_us_p99, intended_us_p99, round_us_p50, round_us_p99, straggler_fraction, packets_per_response, acknowledgements_per_response, response_retransmits",
        ),
        (
            "what = \"fairnes_jain\"\nequals = 1",
            "s:12:8: unknown metric `fairnes_jain`; did you mean `fairness_jain`? allowed: sent, received, unique, duplicate, reordered, late, stale, lost, unexplained, lost_fraction, goodput_bits_per_s, offered_load_bits_per_s, wire_rate_bits_per_s, duration_s, cpu_seconds_per_gigabyte, fairness_jain, overlap_fraction, throughput_bits_per_s, throughput_fraction, round_trip_us_p50, triggered, stored, rejected, incomplete, events_lost, events_in_flight, event_residual, credit_residual, event_rate_per_s, built_bytes_per_s, dead_time_fraction, latency_us_p50, latency_us_p99, latency_us_p999, request_us_p50, first_request_us_p50, node_fairness_jain, queue_bytes_max, queue_bytes_mean, queue_wait_us_mean, queue_wait_us_p99, queue_busy, queue_dropped_packets, packets_dropped, byte_residual, delay_us_p50, delay_us_p99, probe_delay_us_min, probe_delay_us_p50, probe_delay_error_us, probe_delay_above_min_us_p99, probe_lost, probe_reordered, probe_duplicate, probe_points, answered, not_answered, exchange_residual, rounds_per_s, first_round_us, response_us_p50, response_us_p99, intended_us_p99, round_us_p50, round_us_p99, straggler_fraction, packets_per_response, acknowledgements_per_response, response_retransmits",
        ),
        (
            "what = \"fairness_jain\"\nequals = 1\nflow = \"f\"",
            "s:14:8: `fairness_jain` compares all flows: it has no value for one; leave `flow` out",
        ),
        ("what = \"lost\"\nequals = 0\nflow = \"g\"", "s:14:8: unknown flow `g`; allowed: f"),
        (
            "what = \"lost\"\nequals = 0\nat_most = 1",
            "s:13:10: `equals` stands alone: leave it out, or `at_least` and `at_most`",
        ),
        (
            "what = \"lost\"\nat_most = 1\nat_least = 2",
            "s:14:12: `at_least` is more than `at_most`: no value meets both",
        ),
        ("what = \"lost\"\nat_most = 1\nwithin = 0.1", "s:14:10: `within` goes with `equals`"),
        (
            "what = \"lost\"\nequals = 0\nwithin = 0.1",
            "s:14:10: `within` is a fraction of the expected value, and that is 0; write `at_most` instead",
        ),
        (
            "what = \"lost\"\nequals = 1\nwithin = 5",
            "s:14:10: `within` is 5; allowed: 0 to 1, a fraction of the expected value",
        ),
        (
            "what = \"lost\"\nequals = -1",
            "s:13:10: `equals` is -1, which `lost` can never be; allowed: 0 and more",
        ),
        (
            "what = \"lost\"\nequals = \"1Gbit/s\"",
            "s:13:10: `equals` must be a number, found the text `1Gbit/s`",
        ),
        (
            "what = \"lost_fraction\"\nat_most = 5",
            "s:13:11: `at_most` is 5, which `lost_fraction` can never be; allowed: 0 to 1",
        ),
        (
            "what = \"wire_rate_bits_per_s\"\nat_most = \"3s\"",
            "s:13:11: `at_most`: \"3s\" has a unit that does not fit here; write for example 200Mbit/s, 1Gbit/s, 125MB/s",
        ),
        (
            "what = \"duration_s\"\nat_most = nan",
            "s:13:11: `at_most` must be a number of seconds, or a text such as 500ns, 12us, 100ms, 10s, 2min, found the number nan",
        ),
        (
            "what = \"duration_s\"\nat_most = true",
            "s:13:11: `at_most` must be a number of seconds, or a text such as 500ns, 12us, 100ms, 10s, 2min, found `true`",
        ),
    ]);
    check(
        &format!("{HEAD}{FLOW}[[expect]]\nequals = 0"),
        &[
            "s:9:1: `name` is missing in [[expect]]; say in words what is expected",
            "s:9:1: `what` is missing in [[expect]]; name the number that is looked at, for example lost_fraction",
            "s:9:1: `source` is missing in [[expect]]; say where the expected value comes from: a law, a paper, a data sheet",
        ],
    );
}

#[test]
fn a_terminal_is_shown_the_line_and_a_mark() {
    let explained = errors("incast = 1\n\tname = \"a b\"\nflow = []").explained("dir/x.toml").to_string();
    let expected = "\
error: there is no [[flow]] and no [[exchange]]: nothing would be sent
 --> dir/x.toml:1:1
  |
1 | incast = 1
  | ^

error: `name` holds ` `; allowed: letters a-z A-Z, digits, `-`, `_` and `.`
 --> dir/x.toml:2:9
  |
2 |  name = \"a b\"
  |         ^^^^^";
    assert_eq!(explained, expected);
}

#[test]
fn columns_count_characters_and_lines_end_as_they_like() {
    let place = |text: &str| {
        let errors = errors(text);
        let first = errors.errors().iter().find(|error| error.message.contains("`zzz`"));
        first.map(|error| (error.line, error.column))
    };
    assert_eq!(place("# ä\r\nhost = [{name = \"x\", title = \"äöü€\", zzz = 1}]"), Some((2, 38)));
    assert_eq!(place("\u{feff}zzz = 1"), Some((1, 1)));
}

#[test]
fn a_hostile_text_does_not_become_a_hostile_message() {
    let long = "y".repeat(5000);
    let text = format!("\"\\u001b[2J\\u202e{long}\" = 1 # \u{202e}");
    let errors = errors(&text);
    for shown in [errors.to_string(), errors.explained("s").to_string()] {
        assert!(shown.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{shown:?}");
        assert!(shown.len() < 1500, "{}", shown.len());
    }
    assert!(errors.to_string().contains("unknown key `\\u{1b}[2J\\u{202e}yyy"), "{errors}");
}

#[test]
fn the_first_twenty_faults_are_shown_and_the_others_counted() {
    let lines: String = (1..=100).map(|number| format!("k{number:03} = 1\n")).collect();
    let errors = errors(&lines);
    let places: Vec<_> = errors.errors().iter().map(|error| error.line).collect();
    // Line 1 has three faults more: no version, no name, no flow.
    assert_eq!(places, [[1, 1, 1, 1].as_slice(), &(2..=17).collect::<Vec<_>>()].concat());
    assert_eq!(errors.omitted(), 83);
    assert!(errors.lines("s").to_string().ends_with("\ns: and 83 more"));
}

#[test]
fn a_file_too_large_is_not_read() {
    let errors = errors(&" ".repeat(Scenario::TEXT_BYTES_MAX + 1));
    assert_eq!(errors.to_string(), "scenario:1:1: the file has 1048577 bytes; allowed: up to 1048576");
}
