//! Forces: how to make messages die at one stage of the path, and no other.
//!
//! A force is words of a scenario, rules of a packet filter in the receiver's namespace, or something
//! done to a host while messages are under way. What a force does ends with the lab's namespaces.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output};
use std::sync::MutexGuard;

use incast_core::record::Record;

use crate::coordinator::{Started, read_record};
use crate::support::{Inventory, lab, may_make_labs};

/// One way of losing messages.
pub(crate) struct Force {
    /// Where they die.
    pub(crate) stage: &'static str,
    /// Words for the sender's cable, the receiver's, and the flow; later ones replace earlier ones.
    sender_cable: &'static str,
    receiver_cable: &'static str,
    flow: &'static str,
    /// Rules of the receiver's packet filter, at the hook that they begin with.
    rules: &'static [&'static str],
    during: During,
}

/// What is done to a host while messages are under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum During {
    Nothing,
    /// The receiver does not say where it is for some hundred messages.
    NeighbourSilent,
    /// The core that should empty the ring of the receiver's pair has hardly any time for it.
    RingStarved,
    /// The other core than the sender's takes in what comes to the receiver, through a long packet filter.
    BacklogStarved,
    /// The receiver's process does nothing for some thousand messages.
    ReceiverStopped,
}

const QUIET: Force =
    Force { stage: "", sender_cable: "", receiver_cable: "", flow: "", rules: &[], during: During::Nothing };

pub(crate) const FORCES: [Force; 13] = [
    Force {
        stage: "host_queue",
        sender_cable: r#"queue = "32KiB""#,
        flow: r#"load = "unlimited", messages = 3000, send_buffer = "4MiB""#,
        ..QUIET
    },
    Force { stage: "neighbour", flow: "messages = 2000", during: During::NeighbourSilent, ..QUIET },
    Force { stage: "link", sender_cable: r#"loss = 0.05"#, ..QUIET },
    Force { stage: "switch_port", receiver_cable: r#"rate = "12Mbit/s", port_queue = "16KiB""#, ..QUIET },
    Force {
        stage: "receiver_ring",
        receiver_cable: r#"rate = "unlimited""#,
        sender_cable: r#"rate = "unlimited""#,
        flow: r#"load = "unlimited", messages = 100000, message = "64B", sender_core = 0"#,
        during: During::RingStarved,
        ..QUIET
    },
    Force {
        stage: "receiver_backlog",
        receiver_cable: r#"rate = "unlimited""#,
        sender_cable: r#"rate = "unlimited""#,
        flow: r#"load = "unlimited", messages = 100000, message = "64B", sender_core = 0, receive_buffer = "16MiB""#,
        during: During::BacklogStarved,
        ..QUIET
    },
    Force { stage: "firewall", rules: &["input numgen inc mod 10 3 counter drop"], ..QUIET },
    Force {
        stage: "reassembly",
        sender_cable: r#"loss = 0.02"#,
        flow: r#"message = "8192B", load = "200Hz", messages = 200"#,
        ..QUIET
    },
    Force {
        stage: "checksum",
        sender_cable: r#"delay = "1ms""#,
        rules: &["input numgen inc mod 10 5 udp checksum set 0xbeef"],
        ..QUIET
    },
    Force { stage: "no_listener", rules: &["prerouting numgen inc mod 10 7 udp dport set 9"], ..QUIET },
    Force {
        stage: "socket_buffer",
        flow: r#"load = "2kHz", spacing = "burst:64", receive_buffer = "2KiB""#,
        ..QUIET
    },
    Force {
        stage: "packet_ring",
        flow: r#"transport = "ethernet", messages = 4000, receive_buffer = "64KiB""#,
        during: During::ReceiverStopped,
        ..QUIET
    },
    // Its stream is none of the receiver's: it is read, and ignored.
    Force { stage: "application", rules: &["input numgen inc mod 10 1 @th,128,32 set 0xdeadbeef"], ..QUIET },
];

/// Stages that are forced together.
pub(crate) const PAIRS: [(&str, &str); 10] = [
    ("switch_port", "firewall"),
    ("host_queue", "no_listener"),
    ("link", "firewall"),
    ("link", "checksum"),
    ("link", "no_listener"),
    ("neighbour", "firewall"),
    ("switch_port", "application"),
    ("reassembly", "firewall"),
    ("host_queue", "switch_port"),
    ("socket_buffer", "no_listener"),
];

/// The forces of a pair.
pub(crate) fn pair((one, other): (&str, &str)) -> Vec<&'static Force> {
    FORCES.iter().filter(|force| force.stage == one || force.stage == other).collect()
}

/// The right to make a lab and to have a packet filter in it; `None`, and said, without.
pub(crate) fn may_force() -> Option<MutexGuard<'static, ()>> {
    let lab = may_make_labs()?;
    if Command::new("nft").arg("--version").output().is_ok() {
        return Some(lab);
    }
    assert!(std::env::var_os("CI").is_none(), "tests of forced losses need nft (package nftables)");
    say("NOT RUN: a test of forced losses needs nft (package nftables)");
    None
}

pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Plays a scenario with these forces; its record.
pub(crate) fn run(forces: &[&Force]) -> Record {
    let name = format!(
        "loss-{}",
        forces.iter().map(|force| force.stage.replace('_', "-")).collect::<Vec<_>>().join("-")
    );
    let inventory = Inventory::take(&name);
    let mut started = lab(&text(&name, forces));
    started.line("the lab to stand", |line| line.contains("the lab stands").then_some(()));
    let of = |host: &str| format!("incast-{name}-{}-{host}", started.id());
    let (x, y) = (of("x"), of("y"));
    for rule in forces.iter().flat_map(|force| force.rules) {
        filter(&x, rule);
    }
    for during in forces.iter().map(|force| force.during) {
        match during {
            During::Nothing => {}
            During::NeighbourSilent => silence(&started, &x, &y),
            During::RingStarved => starve(&started, &x, &y),
            During::BacklogStarved => slow_down(&x),
            During::ReceiverStopped => stop(&started, &x, &y),
        }
    }
    let ended = started.wait();
    assert!(matches!(ended.status.code(), Some(0 | 1)), "{}: {}", ended.status, ended.stderr);
    inventory.assert_nothing_left(&started);
    read_record(&ended.stdout)
}

/// Plays a scenario of this name as it stands; its record.
pub(crate) fn as_it_stands(name: &str, scenario: &str) -> Record {
    let inventory = Inventory::take(name);
    let mut started = lab(scenario);
    let ended = started.wait();
    assert!(matches!(ended.status.code(), Some(0 | 1)), "{}: {}", ended.status, ended.stderr);
    inventory.assert_nothing_left(&started);
    read_record(&ended.stdout)
}

/// A steady flow of 16 Mbit/s over cables of 20 Mbit/s, from which nothing is lost, and what the forces change.
fn text(name: &str, forces: &[&Force]) -> String {
    let mut sender = vec![r#"from = "y", to = "main", rate = "20Mbit/s""#];
    let mut receiver = vec![r#"from = "x", to = "main", rate = "20Mbit/s", port_queue = "64KiB""#];
    let mut flow = vec![
        r#"name = "f", from = "y", to = "x", transport = "udp", message = "1024B", load = "2kHz", messages = 1000"#,
    ];
    for force in forces {
        sender.push(force.sender_cable);
        receiver.push(force.receiver_cable);
        flow.push(force.flow);
    }
    let table = |words: &[&str]| {
        let words: Vec<&str> = words.iter().copied().filter(|words| !words.is_empty()).collect();
        let table = crate::support::replaced(&format!("{{{}}}", words.join(", ")));
        // No rate, and no load, is said by leaving it out.
        let kept =
            table.trim_matches(['{', '}']).split(", ").filter(|pair| !pair.ends_with(r#""unlimited""#));
        kept.collect::<Vec<_>>().join(", ")
    };
    let mut receiver = table(&receiver);
    if !receiver.contains("rate") {
        receiver = receiver.replace(r#", port_queue = "64KiB""#, "");
    }
    let mut text = format!("incast = 1\nname = \"{name}\"\ninterval = \"250ms\"\nduration = \"20s\"\n");
    let _ = write!(
        text,
        "host = [{{name = \"x\"}}, {{name = \"y\"}}]\nswitch = [{{name = \"main\", when_full = \"drop\"}}]\n\
         cable = [{{{receiver}}}, {{{}}}]\nflow = [{{{}}}]\n",
        table(&sender),
        table(&flow)
    );
    text
}

/// Adds a rule to the packet filter of a host, for datagrams that come over its cable.
fn filter(namespace: &str, rule: &str) {
    let (hook, rule) = rule.split_once(' ').expect("a hook and a rule");
    let script = format!(
        "add table ip incast\nadd chain ip incast {hook} {{ type filter hook {hook} priority 0; }}\n\
         add rule ip incast {hook} iifname e0 meta l4proto udp {rule}\n"
    );
    inside(namespace, &["nft", &script]);
}

/// Takes from y what it knows of x, and from x its answers, until some hundred messages are out.
fn silence(started: &Started, x: &str, y: &str) {
    let known = || words("ip", &["-n", y, "neigh", "show", "10.77.0.1", "dev", "e0"]);
    let address =
        known().split_ascii_whitespace().skip_while(|word| *word != "lladdr").nth(1).map(str::to_owned);
    let address = address.expect("the neighbour is written down");
    until_sent(started, y, 200);
    words("ip", &["-n", x, "link", "set", "dev", "e0", "arp", "off"]);
    words("ip", &["-n", y, "neigh", "del", "10.77.0.1", "dev", "e0"]);
    until_sent(started, y, 1200);
    words(
        "ip",
        &["-n", y, "neigh", "replace", "10.77.0.1", "lladdr", &address, "dev", "e0", "nud", "permanent"],
    );
}

/// Waits until a host has sent so many datagrams.
fn until_sent(started: &Started, namespace: &str, datagrams: u64) {
    started.until("datagrams to leave", crate::coordinator::PATIENCE, || {
        let text = inside(namespace, &["cat", "/proc/net/snmp"]);
        let values = text.lines().filter(|line| line.starts_with("Udp:")).nth(1)?;
        let sent: u64 = values.split_ascii_whitespace().nth(4)?.parse().ok()?;
        (sent >= datagrams).then_some(())
    });
}

/// Makes x take in its packets by a thread of the kernel that has hardly any time, on the sender's core,
/// until all are sent; what is in the ring then is taken in.
fn starve(started: &Started, x: &str, y: &str) {
    inside(x, &["ethtool", "-K", "e0", "gro", "on"]);
    inside(x, &["sh", "-c", "echo 1 > /sys/class/net/e0/threaded"]);
    let threads = words("ps", &["-e", "-o", "pid=,comm="]);
    let napi: Vec<&str> = threads
        .lines()
        .filter(|line| line.contains("napi/e0-"))
        .filter_map(|line| line.split_ascii_whitespace().next())
        .collect();
    assert!(!napi.is_empty(), "no thread takes in what comes to e0: {threads}");
    for pid in &napi {
        words("taskset", &["-p", "-c", "0", pid]);
        words("chrt", &["-i", "-p", "0", pid]);
    }
    until_sent(started, y, 100_000);
    for pid in &napi {
        words("chrt", &["-o", "-p", "0", pid]);
    }
}

/// Makes every packet that comes to x cost a walk through rules that fit none, on the second core.
fn slow_down(x: &str) {
    inside(x, &["sh", "-c", "echo 2 > /sys/class/net/e0/queues/rx-0/rps_cpus"]);
    let mut script =
        "add table ip incast\nadd chain ip incast input { type filter hook input priority 0; }\n".to_owned();
    for port in 1..=1000 {
        let _ = writeln!(script, "add rule ip incast input meta l4proto udp udp sport {port} drop");
    }
    inside(x, &["nft", &script]);
}

/// Stops the processes of x until more frames are out than its ring has room for.
fn stop(started: &Started, x: &str, y: &str) {
    let out = |more: u64| {
        started.until("frames to leave", crate::coordinator::PATIENCE, || {
            let text = inside(y, &["cat", "/sys/class/net/e0/statistics/tx_packets"]);
            let sent: u64 = text.trim().parse().ok()?;
            (sent >= more).then_some(())
        });
    };
    out(500);
    let processes = words("ip", &["netns", "pids", x]);
    let all = |signal: &str| {
        for pid in processes.split_ascii_whitespace() {
            words("kill", &[signal, pid]);
        }
    };
    all("-STOP");
    out(3000);
    all("-CONT");
}

fn inside(namespace: &str, command: &[&str]) -> String {
    let mut all = vec!["netns", "exec", namespace];
    all.extend(command);
    words("ip", &all)
}

/// What a program says; it must succeed.
fn words(program: &str, words: &[&str]) -> String {
    let output: Output =
        Command::new(program).args(words).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
