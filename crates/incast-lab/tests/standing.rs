//! Labs as they stand: who reaches whom, how fast they are built, and that nothing is left behind.
//!
//! Needs root and iproute2's `ip`. In CI it fails without them; elsewhere it says so and passes.

use std::net::{IpAddr, UdpSocket};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use incast_core::scenario::Scenario;
use incast_lab::{Lab, namespace};

/// Labs are called by their process: those of one test program stand one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn may_make_namespaces() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "tests of labs need root, and CI must run them");
    eprintln!("NOT RUN: a test of labs needs root (sudo -E cargo test -p incast-lab)");
    false
}

fn scenario(text: &str) -> Scenario {
    Scenario::parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What this machine has: namespaces, interfaces and queues outside of them, entries of labs.
fn inventory() -> Vec<String> {
    let mut names = namespace::names();
    names.sort();
    for args in [&["link", "show"][..], &["netns", "list"]] {
        let output = Command::new("ip").args(args).output().expect("ip, of Debian's iproute2");
        names.push(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let qdiscs = Command::new("tc").args(["qdisc", "show"]).output().expect("tc, of Debian's iproute2");
    names.push(String::from_utf8_lossy(&qdiscs.stdout).into_owned());
    names
}

/// Whether a datagram from one host reaches the other, at its address on its first network.
fn reaches(lab: &Lab, from: usize, to: usize) -> bool {
    let address = lab.hosts()[to].addresses[0].1;
    let bind = |host: usize, address: IpAddr| {
        lab.host_namespace(host)
            .run(|| UdpSocket::bind((address, 0)))
            .and_then(|bound| bound)
            .expect("bind on a host")
    };
    let receiver = bind(to, address.into());
    receiver.set_read_timeout(Some(Duration::from_secs(2))).expect("set a timeout");
    let sender = bind(from, lab.hosts()[from].addresses[0].1.into());
    sender.send_to(b"here", receiver.local_addr().expect("it is bound")).expect("send");
    let mut buffer = [0; 16];
    receiver
        .recv_from(&mut buffer)
        .is_ok_and(|(bytes, peer)| bytes == 4 && peer == sender.local_addr().expect("it is bound"))
}

const THIRTY_TWO: &str = r#"
incast = 1
name = "thirty-two"
[[host]]
name = "x"
[[host]]
name = "y"
count = 31
[[switch]]
name = "main"
when_full = "drop"
rate = "1Gbit/s"
[[cable]]
from = ["x", "y"]
to = "main"
[[flow]]
name = "f"
from = "y"
to = "x"
transport = "udp"
"#;

#[test]
fn thirty_two_hosts_stand_reach_each_other_and_are_gone() {
    if !may_make_namespaces() {
        return;
    }
    let _one = ONE_AT_A_TIME.lock();
    let before = inventory();
    let scenario = scenario(THIRTY_TWO);
    let mut lab = Lab::build(&scenario.name, &scenario.hosts, scenario.network.as_ref().unwrap()).unwrap();
    eprintln!("built in {:.3} s", lab.built_in_s());
    assert_eq!(lab.hosts().len(), 32);
    for (from, to) in [(0, 31), (31, 0), (7, 8)] {
        assert!(reaches(&lab, from, to), "{from} to {to}");
    }
    let (counters, control_dropped) = lab.counters().unwrap();
    assert_eq!(counters[31].near.packets, 1, "one datagram left the last host, and nothing else");
    assert_eq!((counters[31].far.packets, control_dropped), (1, 0));
    eprintln!("taken down in {:.3} s", lab.take_down());
    assert_eq!(inventory(), before);
}

#[test]
fn routed_switches_in_a_tree_pass_on_what_is_for_others() {
    if !may_make_namespaces() {
        return;
    }
    let _one = ONE_AT_A_TIME.lock();
    let before = inventory();
    for forwarding in ["routed", "bridge"] {
        let text = format!(
            r#"
incast = 1
name = "tree"
host = [{{name = "a"}}, {{name = "b"}}, {{name = "c"}}]
switch = [
  {{name = "one", when_full = "drop", forwarding = "{forwarding}", subnet = "192.168.7.0/24"}},
  {{name = "two", when_full = "drop", forwarding = "{forwarding}"}},
  {{name = "three", when_full = "drop", forwarding = "{forwarding}"}},
]
cable = [
  {{from = "a", to = "one", address = "192.168.7.99"}}, {{from = "b", to = "two"}}, {{from = "c", to = "three"}},
  {{from = "one", to = "two"}}, {{from = "three", to = "two"}},
]
flow = [{{name = "f", from = ["a", "b"], to = "c", transport = "udp"}}]
"#
        );
        let scenario = scenario(&text);
        let lab = Lab::build(&scenario.name, &scenario.hosts, scenario.network.as_ref().unwrap()).unwrap();
        assert_eq!(lab.hosts()[0].addresses[0].1.to_string(), "192.168.7.99");
        for (from, to) in [(0, 1), (0, 2), (1, 2), (2, 0), (2, 1)] {
            assert!(reaches(&lab, from, to), "{forwarding}: {from} to {to}");
        }
        let _ = lab.take_down();
    }
    let started = Instant::now();
    // The kernel takes namespaces apart in the background; their names are gone at once.
    assert_eq!(inventory(), before, "after {:?}", started.elapsed());
}
