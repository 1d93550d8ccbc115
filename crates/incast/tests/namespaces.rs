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

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use account::{assert_all_explained, flow, only_flow};
use incast_core::record::{Faults, Record};
use program::{Program, write_key};
use serde_json::Value;

const X: &str = "10.77.0.1";
const Y: &str = "10.77.0.2";

/// Two namespaces and the link between them. Dropping it takes them away.
struct TwoHosts {
    x: String,
    y: String,
}

/// Whether this process may make namespaces; if not, it says so.
fn may_make_namespaces() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "tests in namespaces need root, and CI must run them");
    program::say_not_run("a test in network namespaces needs root (sudo -E cargo test --test namespaces)");
    false
}

/// Runs a command to its end; it must succeed.
fn run(words: &str) -> String {
    let (program, args) = words.split_once(' ').expect("a command with arguments");
    let output = Command::new(program)
        .args(args.split(' '))
        .output()
        .unwrap_or_else(|error| panic!("{words}: {error} (needs Debian's iproute2 and ethtool)"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {}: {complaint}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl TwoHosts {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("incast-test-{}-{}", std::process::id(), MADE.fetch_add(1, Relaxed));
        let hosts = Self { x: format!("{name}-x"), y: format!("{name}-y") };
        let (x, y) = (&hosts.x, &hosts.y);
        for host in [x, y] {
            run(&format!("ip netns add {host}"));
            let quiet = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
            Command::new("ip")
                .args(["netns", "exec", host, "sh", "-c", &format!("! test -e {quiet} || echo 1 > {quiet}")])
                .status()
                .expect("run a shell");
        }
        run(&format!("ip link add e0 netns {x} type veth peer name e0 netns {y}"));
        for (host, address) in [(x, X), (y, Y)] {
            run(&format!("ip -n {host} address add {address}/24 dev e0"));
            run(&format!("ip netns exec {host} ethtool -K e0 gso off tso off gro off"));
            run(&format!("ip -n {host} link set lo up"));
            run(&format!("ip -n {host} link set e0 up"));
        }
        for (host, other, address) in [(x, y, Y), (y, x, X)] {
            let link: Value = parse(&run(&format!("ip -n {other} -j link show e0")));
            let mac = link[0]["address"].as_str().expect("a veth has an address");
            run(&format!("ip -n {host} neighbour replace {address} lladdr {mac} dev e0 nud permanent"));
        }
        hosts
    }

    /// Shapes what y sends over UDP.
    fn shape(&self) {
        let tc = |words: &str| run(&format!("tc -n {} {words}", self.y));
        tc("qdisc add dev e0 root handle 1: htb default 20");
        tc("class add dev e0 parent 1: classid 1:10 htb rate 50mbit burst 16kb cburst 16kb quantum 1514");
        tc("class add dev e0 parent 1: classid 1:20 htb rate 10gbit burst 256kb cburst 256kb quantum 60000");
        tc("qdisc add dev e0 parent 1:10 handle 10: bfifo limit 131072");
        tc("qdisc add dev e0 parent 1:20 handle 20: pfifo limit 1000");
        tc("filter add dev e0 parent 1: protocol ip u32 match ip protocol 17 0xff flowid 1:10");
    }

    /// What the queue of the messages has let through and dropped so far, in packets.
    fn queue(&self) -> (u64, u64) {
        let queues: Value = parse(&run(&format!("tc -n {} -s -j qdisc show dev e0", self.y)));
        let queues = queues.as_array().expect("a list of queues");
        let queue = queues.iter().find(|queue| queue["handle"] == "10:").expect("the queue of the messages");
        assert_eq!(queue["backlog"], 0, "nothing is on its way any more: {queue}");
        (queue["packets"].as_u64().expect("a count"), queue["drops"].as_u64().expect("a count"))
    }

    /// Packets that x's link dropped on their way in: the host was too busy to take them.
    fn dropped_on_the_way_in(&self) -> u64 {
        let link: Value = parse(&run(&format!("ip -n {} -s -j link show e0", self.x)));
        link[0]["stats64"]["rx"]["dropped"].as_u64().expect("a count")
    }

    fn incast(host: &str, args: &[&str]) -> Program {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", host, env!("CARGO_BIN_EXE_incast")]).args(args);
        Program::start(command)
    }

    /// A server on x, on all its addresses; the port.
    fn serve(&self, args: &[&str]) -> (Program, u16) {
        let all = [&["serve", "--bind", "0.0.0.0", "--port", "0", "--json"][..], args].concat();
        let mut server = Self::incast(&self.x, &all);
        let port = server.address().port();
        (server, port)
    }

    /// A sender on y, to x.
    fn flood(&self, port: u16, name: &str, args: &[&str]) -> Program {
        let server = format!("{X}:{port}");
        Self::incast(&self.y, &[&["flood", &server, "--json", "--name", name][..], args].concat())
    }
}

impl Drop for TwoHosts {
    fn drop(&mut self) {
        for host in [&self.x, &self.y] {
            // The link goes with its ends. One that was never made cannot be taken away.
            let _ = Command::new("ip").args(["netns", "delete", host]).output();
        }
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

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
