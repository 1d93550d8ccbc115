//! Raw IP, raw Ethernet and AF_XDP between two hosts in network namespaces: every message accounted for, what rings
//! drop known to the message, strangers counted, and what cannot be said in words.
//!
//! Needs root, `iproute2` and `ethtool`. In CI it fails without them; elsewhere it says so and passes.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/lab.rs"]
mod lab;
#[path = "support/program.rs"]
mod program;
#[path = "support/two_hosts.rs"]
mod two_hosts;

use std::process::Command;

use account::{assert_all_explained, flow, only_flow};
use incast_core::record::{Faults, Record};
use lab::{SHEET, Sheet, assert_books_close, died, may_make_labs};
use program::Program;
use rustix::process::Signal;
use two_hosts::{TwoHosts, X, may_make_namespaces, run};

/// Every way below UDP, as options, and what the receiver says that it used.
const WAYS: [(&str, &str); 6] = [
    ("--transport ip", "raw socket"),
    ("--transport ip --protocol 0xFD", "raw socket"),
    ("--transport ethernet", "packet ring"),
    ("--transport ethernet --vlan 100:5 --ethertype 0x88B6 --qdisc-bypass", "packet ring"),
    ("--transport xdp --xdp generic --vlan 7", "AF_XDP, generic, copy"),
    ("--transport xdp --xdp native", "AF_XDP, native, copy"),
];

fn words<'a>(text: &'a str, more: &'a str) -> Vec<&'a str> {
    text.split(' ').chain(more.split(' ')).collect()
}

fn carrier(record: &Record) -> &str {
    let raw = only_flow(record).raw.as_ref().expect("the flow is below UDP");
    &raw.receiver.as_ref().expect("the receiver tells").carrier
}

#[test]
fn every_way_below_udp_carries_its_messages_exactly_and_both_ways() {
    if !may_make_namespaces() {
        return;
    }
    let hosts = TwoHosts::new();
    for (way, expected) in WAYS {
        // A queue has one socket of AF_XDP: one stream, one way.
        let is_xdp = way.contains("xdp");
        let more = if is_xdp { "--message 1400B" } else { "--message 1400B --streams 3" };
        for more in ["--message 16B", more] {
            let more = &format!("--messages 300 --load 5kHz {more}");
            let (server, port) = hosts.serve(&["--once", "--open"]);
            let told = hosts.flood(port, "y", &words(way, more)).record();
            let record = server.record();
            assert_all_explained(&record);
            let messages = &only_flow(&record).messages;
            assert_eq!(
                (messages.sent, messages.unique),
                (Some(300), Some(300)),
                "{way} {more}: {messages:?}"
            );
            assert_eq!(messages, &only_flow(&told).messages);
            assert_eq!(only_flow(&record).receiver_drops, Some(0), "{way}");
            assert_eq!(carrier(&record), expected, "{way}");
            assert_eq!(record.faults, Faults::default(), "{way}: greetings are no faults");
            // Neither the greeting of a stream nor another of the same flow is company: the thread's CPU is the flow's.
            let cpu = &only_flow(&record).cpu;
            assert!(cpu.receiver.as_ref().is_some_and(|cpu| cpu.total_s() > 0.0), "{way} {more}: {cpu:?}");
        }
        if is_xdp {
            continue;
        }
        let (server, port) = hosts.serve(&["--once", "--open"]);
        let told =
            hosts.flood(port, "y", &words(way, "--both --messages 100 --load 1kHz --message 64B")).record();
        let record = server.record();
        for record in [&told, &record] {
            assert_all_explained(record);
            for name in ["y", "y (reverse)"] {
                assert_eq!(flow(record, name).messages.unique, Some(100), "{way} {name}");
            }
        }
    }
}

#[test]
fn what_the_ring_or_socket_dropped_is_what_is_lost_to_the_message() {
    if !may_make_namespaces() {
        return;
    }
    let hosts = TwoHosts::new();
    let all = 20_000;
    for (way, expected) in WAYS {
        let busy_before = hosts.dropped_on_the_way_in();
        let (server, port) = hosts.serve(&["--once", "--open", "--receive-buffer", "1MiB"]);
        let before = hosts.came();
        let sender = hosts.flood(port, "y", &words(way, "--messages 20000 --load 20kHz --message 1024B"));
        // The receiver stands still while thousands come, for which it has no room, and goes on before the end.
        hosts.wait_for_packets(before + 1_000);
        server.signal(Signal::STOP);
        hosts.wait_for_packets(before + 15_000);
        server.signal(Signal::CONT);
        sender.record();
        let record = server.record();
        let busy = hosts.dropped_on_the_way_in() - busy_before;

        assert_all_explained(&record);
        let flow = only_flow(&record);
        let (lost, drops) =
            (flow.messages.lost.expect("counted"), flow.receiver_drops.expect("this kernel tells"));
        assert_eq!(flow.messages.sent, Some(all), "{way}");
        assert!(drops > 1_000, "{way}: the test must be able to fail: {drops} dropped");
        // A host too busy to receive drops as well, and counts it elsewhere: normally none.
        assert!((drops..=drops + busy).contains(&lost), "{way}: lost {lost}, dropped {drops}, way in {busy}");
        assert_eq!(carrier(&record), expected);
    }
}

#[test]
fn jumbo_frames_and_pieces_come_whole() {
    if !may_make_namespaces() {
        return;
    }
    let hosts = TwoHosts::new();
    let check = |way: &str, bytes: u32| {
        let (server, port) = hosts.serve(&["--once", "--open"]);
        let size = format!("--messages 200 --load 2kHz --message {bytes}B");
        hosts.flood(port, "y", &words(way, &size)).record();
        let record = server.record();
        assert_all_explained(&record);
        assert_eq!(only_flow(&record).messages.unique, Some(200), "{way} {bytes}");
    };
    // In 45 pieces, which the kernel makes and puts together.
    check("--transport ip", 65_515);
    for host in [&hosts.x, &hosts.y] {
        run(&format!("ip -n {host} link set e0 mtu 9000"));
    }
    check("--transport ip", 8_980);
    check("--transport ethernet", 9_000);
    check("--transport ethernet --vlan 4094", 9_000);
    check("--transport xdp --xdp generic", 3_800);
}

#[test]
fn frames_of_strangers_are_counted_and_change_nothing() {
    if !may_make_namespaces() {
        return;
    }
    let hosts = TwoHosts::new();
    for way in ["--transport ethernet", "--transport xdp --xdp native", "--transport ip"] {
        let (server, port) = hosts.serve(&["--once", "--open"]);
        let before = hosts.came();
        let sender = hosts.flood(port, "y", &words(way, "--messages 4000 --load 2kHz --message 200B"));
        hosts.wait_for_packets(before + 200);
        let mut nonsense = Command::new("ip");
        nonsense.args(["netns", "exec", &hosts.y, "python3", "-c", NONSENSE, way]);
        Program::start(nonsense).finish().expect_code(0);
        sender.record();
        let record = server.record();
        assert_all_explained(&record);
        assert_eq!(only_flow(&record).messages.unique, Some(4_000), "{way}");
        assert_eq!(record.faults, Faults { strangers: 40, ..Faults::default() }, "{way}");
    }
}

/// Sends 40 frames or packets of our kind, whose content is nobody's.
const NONSENSE: &str = r#"
import socket, sys, os
if sys.argv[1].endswith("ip"):
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, 242)
    send = lambda body: out.sendto(body, ("10.77.0.1", 0))
else:
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.bind(("e0", 0))
    send = lambda body: out.send(b"\xff" * 6 + b"\x02" + b"\x00" * 5 + b"\x88\xb5" + body)
for index in range(40):
    send(bytes([255 - index]) * (10 + 20 * index))
"#;

#[test]
fn what_cannot_be_is_said_in_words() {
    if !may_make_namespaces() {
        return;
    }
    let hosts = TwoHosts::new();
    run(&format!("ip -n {} address add 10.99.0.1/32 dev lo", hosts.x));
    run(&format!("ip -n {} route add 10.99.0.1/32 dev e0", hosts.y));
    let (server, port) = hosts.serve(&["--open"]);
    let refused = |args: &str, wanted: &[&str]| {
        let told = hosts.flood(port, "y", &words(args, "--messages 10")).finish();
        told.expect_code(2);
        for wanted in wanted {
            assert!(told.stderr.contains(wanted), "{args}: {wanted}: {}", told.stderr);
        }
    };
    refused("--transport ethernet --message 1501B", &["MTU is 1500 B", "larger MTU"]);
    refused("--transport ethernet --interface nothing0", &["nothing0", "there are: e0, lo"]);
    refused("--transport ethernet --vlan 4095", &["VLAN", "4094"]);
    refused("--transport ip --protocol 17", &["protocol number"]);
    refused("--transport xdp --message 4000B", &["3822 B"]);
    refused("--transport xdp --both", &["one AF_XDP socket", "one stream"]);
    refused("--transport udp --vlan 5", &["--vlan", "ethernet and xdp"]);
    // The address is x's, but not on the link: frames to its interface come nowhere.
    let elsewhere = format!("10.99.0.1:{port}");
    let args = ["flood", &elsewhere, "--transport", "ethernet", "--messages", "10"];
    let told = TwoHosts::incast(&hosts.y, &args).finish();
    told.expect_code(2);
    assert!(told.stderr.contains("no frame of EtherType 0x88B5 came"), "{}", told.stderr);
    // Root without the capability.
    for transport in ["ip", "ethernet", "xdp"] {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &hosts.y, "setpriv", "--bounding-set=-all", "--inh-caps=-all"]);
        command.args([env!("CARGO_BIN_EXE_incast"), "flood", &format!("{X}:{port}")]);
        command.args(["--transport", transport, "--messages", "10"]);
        let told = Program::start(command).finish();
        told.expect_code(2);
        assert!(told.stderr.contains("CAP_NET_RAW"), "{transport}: {}", told.stderr);
    }
    // On loopback: frames do, AF_XDP does not.
    let own = format!("127.0.0.1:{port}");
    let on_x = |transport| {
        let args =
            ["flood", &own, "--json", "--name", transport, "--transport", transport, "--messages", "50"];
        TwoHosts::incast(&hosts.x, &args)
    };
    for transport in ["ip", "ethernet"] {
        assert_eq!(only_flow(&on_x(transport).record()).messages.unique, Some(50), "{transport}");
    }
    let told = on_x("xdp").finish();
    told.expect_code(2);
    assert!(told.stderr.contains("does not go over loopback"), "{}", told.stderr);
    server.interrupt();
    assert_all_explained(&server.record());
}

#[test]
fn the_program_at_the_interface_goes_with_a_killed_process() {
    if !may_make_namespaces() {
        return;
    }
    let hosts = TwoHosts::new();
    let is_there = || run(&format!("ip -n {} link show e0", hosts.x)).contains("xdp");
    for mode in ["native", "generic"] {
        let (server, port) = hosts.serve(&["--open"]);
        let before = hosts.came();
        let args = words("--transport xdp --load 2kHz --duration 60s --xdp", mode);
        let sender = hosts.flood(port, "y", &args);
        hosts.wait_for_packets(before + 500);
        assert!(is_there(), "{mode}: while it is used");
        server.kill();
        sender.finish();
        assert!(!is_there(), "{mode}: the kernel takes it away");
    }
}

#[test]
fn what_a_link_of_the_lab_loses_is_lost_and_in_the_ledger() {
    let Some(_right) = may_make_labs() else { return };
    for (name, flows) in LOSSY {
        let record = Sheet { name, cable: ", loss = 0.05", flows, seconds: 1, ..SHEET }.run();
        let flow = only_flow(&record);
        let (sent, lost) = (flow.messages.sent.expect("counted"), flow.messages.lost.expect("counted"));
        // Two links of a twentieth each.
        assert!(sent == 2_000 && (100..400).contains(&lost), "{name}: {lost} of {sent}");
        assert_books_close(&record);
        let (messages, _) = died(&record, "link");
        assert!(messages > 0 && messages <= lost, "{name}: {:?}", record.ledger);
    }
}

const LOSSY: [(&str, &[&str]); 5] = [
    (
        "raw-ip",
        &[
            r#"name = "f", from = "y", to = "x", transport = "ip", load = "4kHz", message = "512B", messages = 2000"#,
        ],
    ),
    (
        "raw-ethernet",
        &[
            r#"name = "f", from = "y", to = "x", transport = "ethernet", load = "4kHz", message = "512B", messages = 2000"#,
        ],
    ),
    (
        "raw-xdp",
        &[
            r#"name = "f", from = "y", to = "x", transport = "xdp", load = "4kHz", message = "512B", messages = 2000"#,
        ],
    ),
    // The kernel takes a tag out of a frame that a link reads, and the largest frame has just room for it again.
    (
        "raw-tagged",
        &[
            r#"name = "f", from = "y", to = "x", transport = "ethernet", vlan = 100, vlan_priority = 5, load = "4kHz", message = "1500B", messages = 2000"#,
        ],
    ),
    (
        "raw-tagged-xdp",
        &[
            r#"name = "f", from = "y", to = "x", transport = "xdp", vlan = 100, load = "4kHz", message = "512B", messages = 2000"#,
        ],
    ),
];
