//! Two hosts in network namespaces: what the path dropped is known from the kernel, and must be what
//! incast says was lost, to the message.
//!
//! ```text
//!   namespace y                                                              namespace x
//!   incast flood -> e0 [htb: UDP at 50 Mbit/s, queue of 128 KiB] --- veth --- e0 -> incast serve
//! ```
//! The queue is the only place that can drop, and it counts: offloads are off and a message is a
//! packet (`--segments-max 1`), the neighbours are static, IPv6 is silent, the sender's socket buffer
//! is larger than the queue (else the sender waits and nothing is dropped), and the control
//! connection has a class of its own, so that no drop of TCP's is among those of the messages.
//!
//! Needs root, `iproute2`, `ethtool` and `nftables`. In CI it fails without them; elsewhere it says so and passes.

#[path = "support/account.rs"]
mod account;
#[path = "support/program.rs"]
mod program;
#[path = "support/two_hosts.rs"]
mod two_hosts;

use std::process::Command;
use std::time::Instant;

use account::{assert_all_explained, flow, only_flow};
use incast_core::record::{Faults, Record};
use program::write_key;
use serde_json::Value;
use two_hosts::{TwoHosts, X, Y, may_make_namespaces, run};

#[test]
fn what_is_lost_is_what_the_kernel_dropped_to_the_message() {
    if !may_make_namespaces() {
        return;
    }
    let hosts = TwoHosts::new();
    hosts.shape();
    let common = "--transport udp --segments-max 1 --message 1024B --send-buffer 8MiB --messages 10000";
    for (load, must_drop) in [("unlimited", true), ("100Mbit/s", false), ("20Mbit/s", false)] {
        let (passed_before, dropped_before) = hosts.queue();
        let busy_before = hosts.dropped_on_the_way_in();
        let (server, port) = hosts.serve(&["--once", "--open", "--name", "x"]);
        let args: Vec<&str> = common.split(' ').chain(["--load", load]).collect();
        let told = hosts.flood(port, "y", &args).record();
        let record = server.record();
        let (passed, dropped) = hosts.queue();
        let (passed, dropped) = (passed - passed_before, dropped - dropped_before);
        let busy = hosts.dropped_on_the_way_in() - busy_before;
        let full = record.totals.receiver_socket_drops.expect("this kernel tells");

        assert_all_explained(&record);
        let messages = &only_flow(&record).messages;
        assert_eq!(messages, &only_flow(&told).messages);
        assert_eq!((messages.sent, messages.duplicate), (Some(10_000), Some(0)), "{load}");
        // A host too busy to receive drops as well, and counts it elsewhere: normally none.
        let places = format!("{load}: queue {dropped}, way in {busy}, socket {full}");
        assert_eq!(messages.lost, Some(dropped + busy + full), "{places}");
        assert_eq!(messages.unique, Some(passed - busy - full), "{places}");
        assert!(dropped > 0 || !must_drop, "{places}: the test must be able to fail");
        for record in [&record, &told] {
            assert_eq!(died(record, "host_queue"), dropped, "{places}: {:?}", record.ledger);
            assert_all_attributed(record);
        }
    }
}

/// Messages that died at a stage, by the ledger.
fn died(record: &Record, stage: &str) -> u64 {
    let ledger = record.ledger.as_ref().expect("real hosts have a ledger");
    ledger.stages.iter().filter(|entry| entry.stage == stage).map(|entry| entry.messages).sum()
}

/// Every lost message has its stage, and both ends told what they counted.
fn assert_all_attributed(record: &Record) {
    let ledger = record.ledger.as_ref().expect("real hosts have a ledger");
    assert_eq!(ledger.unexplained, Some(0), "{ledger:?}");
    let read = |name: &str, host: &str| {
        ledger.sources.iter().any(|source| source.read && source.name == name && source.host == host)
    };
    for host in ["x", "y"] {
        assert!(read("snmp", host) && read("devices", host), "{host}: {:?}", ledger.sources);
    }
}

#[test]
fn losses_inside_the_other_host_are_in_the_records_of_both() {
    if !may_make_namespaces() {
        return;
    }
    let hosts = TwoHosts::new();
    run(&format!("ip netns exec {} nft add table ip t", hosts.x));
    let nft = |words: &str| {
        let done = Command::new("ip").args(["netns", "exec", &hosts.x, "nft", words]).status();
        assert!(done.expect("nft runs (Debian's nftables)").success(), "{words}");
    };
    nft("add chain ip t in { type filter hook input priority 0; }");
    nft("add rule ip t in iifname e0 meta l4proto udp numgen inc mod 10 3 counter drop");
    let (server, port) = hosts.serve(&["--once", "--open", "--name", "x"]);
    let words = "--transport udp --segments-max 1 --messages 2000 --load 5kHz --drop-trace off";
    let told = hosts.flood(port, "y", &words.split(' ').collect::<Vec<_>>()).record();
    for record in [&server.record(), &told] {
        assert_all_explained(record);
        assert_all_attributed(record);
        assert_eq!(died(record, "firewall"), 200, "{:?}", record.ledger);
    }
    let sources = &told.ledger.as_ref().expect("a ledger").sources;
    let trace = sources.iter().find(|source| source.name == "drop trace").expect("it says why not");
    assert_eq!((trace.read, trace.why.as_deref()), (false, Some("switched off")));
    assert_eq!(trace.uncertain, ["neighbour"]);
}

/// Whether a host's source was read, and why not.
fn source(record: &Record, name: &str, host: &str) -> Option<(bool, Option<String>)> {
    let sources = &record.ledger.as_ref().expect("a ledger").sources;
    let source = sources.iter().find(|source| source.name == name && source.host == host)?;
    Some((source.read, source.why.clone()))
}

#[test]
fn what_dies_at_an_agents_host_for_want_of_a_neighbour_is_traced_there() {
    if !may_make_namespaces() {
        return;
    }
    let hosts = TwoHosts::new();
    let mut agent = TwoHosts::incast(&hosts.y, &["agent", "--bind", &format!("{Y}:0"), "--open"]);
    let address = agent.wait_for_line(|line| {
        let told = line.strip_prefix("agent: waiting for coordinators on ")?;
        told.split(';').next().map(str::to_owned)
    });
    let dir = tempfile::tempdir().expect("a directory");
    let play = |trace: &str, during: &dyn Fn()| {
        let text = format!(
            "incast = 1\nname = \"agent-traced\"\n[[host]]\nname = \"x\"\naddress = \"{X}\"\n[[host]]\nname = \"y\"\n\
             agent = \"{address}\"\n[[flow]]\nname = \"f\"\nfrom = \"y\"\nto = \"x\"\ntransport = \"udp\"\n\
             load = \"4kHz\"\nmessages = 4000\nsegments_max = 1\n"
        );
        let (file, out) = (dir.path().join("scenario.toml"), dir.path().join("out"));
        std::fs::write(&file, text).expect("write a scenario");
        let path = |path: &std::path::Path| path.to_str().expect("a path of ours").to_owned();
        let args = ["run", &path(&file), "--json", "--out", &path(&out), "--drop-trace", trace];
        let run = TwoHosts::incast(&hosts.x, &args);
        during();
        run.record()
    };
    let record = play("on", &|| silence_x(&hosts));
    assert_all_explained(&record);
    let (lost, dead) = (only_flow(&record).messages.lost.expect("both told"), died(&record, "neighbour"));
    let ledger = record.ledger.as_ref().expect("a ledger");
    assert!(lost > 0 && dead == lost, "{dead} of {lost}: {ledger:?}");
    assert_eq!(ledger.unexplained, Some(0), "{ledger:?}");
    assert_eq!(source(&record, "drop trace", "y"), Some((true, None)), "{ledger:?}");
    let record = play("off", &|| {});
    assert_eq!(source(&record, "drop trace", "y"), Some((false, Some("switched off".into()))));
    // The kernel counts some of these, and does not tell it here.
    let (read, why) = source(&record, "arp_cache", "y").expect("it is named");
    assert!(!read && why.as_ref().is_some_and(|why| why.contains("first network namespace")), "{why:?}");
    agent.interrupt();
    agent.finish();
}

/// Makes x silent for its neighbour while y sends a thousand messages.
fn silence_x(hosts: &TwoHosts) {
    let sent = || {
        let text = run(&format!("ip netns exec {} cat /proc/net/snmp", hosts.y));
        let values = text.lines().filter(|line| line.starts_with("Udp:")).nth(1).expect("values");
        values.split_ascii_whitespace().nth(4).and_then(|count| count.parse::<u64>().ok()).expect("a count")
    };
    let until = |count: u64| {
        let deadline = Instant::now() + program::PATIENCE;
        while sent() < count {
            assert!(Instant::now() < deadline, "{count} datagrams have not left");
        }
    };
    let link: Value = two_hosts::parse(&run(&format!("ip -n {} -j link show e0", hosts.x)));
    let mac = link[0]["address"].as_str().expect("a veth has an address").to_owned();
    until(500);
    run(&format!("ip -n {} link set dev e0 arp off", hosts.x));
    run(&format!("ip -n {} neigh del {X} dev e0", hosts.y));
    until(1_500);
    run(&format!("ip -n {} neigh replace {X} lladdr {mac} dev e0 nud permanent", hosts.y));
    run(&format!("ip -n {} link set dev e0 arp on", hosts.x));
}

#[test]
fn another_host_is_served_only_with_a_key_or_when_told_to_be_open() {
    if !may_make_namespaces() {
        return;
    }
    let hosts = TwoHosts::new();
    let (server, port) = hosts.serve(&["--once"]);
    let refused = hosts.flood(port, "stranger", &["--messages", "10"]).finish();
    refused.expect_code(2);
    for word in ["refused", "--key-file", "--open"] {
        assert!(refused.stderr.contains(word), "{word}: {}", refused.stderr);
    }
    // One that was refused is not the one that the server waits for.
    let own = format!("127.0.0.1:{port}");
    let args = ["flood", &own, "--json", "--name", "own", "--messages", "10"];
    TwoHosts::incast(&hosts.x, &args).record();
    let record = server.record();
    assert_all_explained(&record);
    assert_eq!(only_flow(&record).name, "own");

    let (server, port) = hosts.serve(&["--once", "--open"]);
    hosts.flood(port, "guest", &["--messages", "10"]).record();
    assert_all_explained(&server.record());

    let keys = tempfile::tempdir().expect("a directory");
    let (ours, other) = (write_key(keys.path(), "ours"), write_key(keys.path(), "other"));
    let (server, port) = hosts.serve(&["--key-file", &ours]);
    hosts.flood(port, "stranger", &["--key-file", &other]).finish().expect_code(2);
    // Both carriers, both ways: datagrams to y go where its own socket is.
    for (name, args) in
        [("tcp", "--transport tcp --both"), ("udp", "--transport udp --both --streams 2 --load 1kHz")]
    {
        let args: Vec<&str> = args.split(' ').chain(["--messages", "100", "--key-file", &ours]).collect();
        assert_all_explained(&hosts.flood(port, name, &args).record());
    }
    server.interrupt();
    let record = server.record();
    assert_all_explained(&record);
    assert_eq!(record.faults, Faults { wrong_keys: 1, ..Faults::default() });
    for name in ["tcp", "tcp (reverse)", "udp", "udp (reverse)"] {
        assert_eq!(flow(&record, name).messages.unique, Some(100), "{name}");
    }
}
