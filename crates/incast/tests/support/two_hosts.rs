//! Two hosts in network namespaces, with a link between them; and the right to make them.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use serde_json::Value;

use crate::program::{self, Program};

pub(crate) const X: &str = "10.77.0.1";
pub(crate) const Y: &str = "10.77.0.2";

/// Two namespaces and the link between them. Dropping it takes them away.
pub(crate) struct TwoHosts {
    pub(crate) x: String,
    pub(crate) y: String,
}

/// Whether this process may make namespaces; if not, it says so.
pub(crate) fn may_make_namespaces() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "tests in namespaces need root, and CI must run them");
    program::say_not_run("a test in network namespaces needs root (sudo -E cargo test --test namespaces)");
    false
}

/// Runs a command to its end; it must succeed.
pub(crate) fn run(words: &str) -> String {
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
    pub(crate) fn new() -> Self {
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
    pub(crate) fn shape(&self) {
        let tc = |words: &str| run(&format!("tc -n {} {words}", self.y));
        tc("qdisc add dev e0 root handle 1: htb default 20");
        tc("class add dev e0 parent 1: classid 1:10 htb rate 50mbit burst 16kb cburst 16kb quantum 1514");
        tc("class add dev e0 parent 1: classid 1:20 htb rate 10gbit burst 256kb cburst 256kb quantum 60000");
        tc("qdisc add dev e0 parent 1:10 handle 10: bfifo limit 131072");
        tc("qdisc add dev e0 parent 1:20 handle 20: pfifo limit 1000");
        tc("filter add dev e0 parent 1: protocol ip u32 match ip protocol 17 0xff flowid 1:10");
    }

    /// What the queue of the messages has let through and dropped so far, in packets.
    pub(crate) fn queue(&self) -> (u64, u64) {
        let queues: Value = parse(&run(&format!("tc -n {} -s -j qdisc show dev e0", self.y)));
        let queues = queues.as_array().expect("a list of queues");
        let queue = queues.iter().find(|queue| queue["handle"] == "10:").expect("the queue of the messages");
        assert_eq!(queue["backlog"], 0, "nothing is on its way any more: {queue}");
        (queue["packets"].as_u64().expect("a count"), queue["drops"].as_u64().expect("a count"))
    }

    /// Packets that x's link dropped on their way in: the host was too busy to take them.
    pub(crate) fn dropped_on_the_way_in(&self) -> u64 {
        let link: Value = parse(&run(&format!("ip -n {} -s -j link show e0", self.x)));
        link[0]["stats64"]["rx"]["dropped"].as_u64().expect("a count")
    }

    /// Packets that came to x's link so far.
    pub(crate) fn came(&self) -> u64 {
        let link: Value = parse(&run(&format!("ip -n {} -s -j link show e0", self.x)));
        link[0]["stats64"]["rx"]["packets"].as_u64().expect("a count")
    }

    /// Returns when so many packets have come to x's link.
    pub(crate) fn wait_for_packets(&self, packets: u64) {
        let deadline = Instant::now() + program::PATIENCE;
        while self.came() < packets {
            assert!(Instant::now() < deadline, "{packets} packets have not come, {} have", self.came());
        }
    }

    pub(crate) fn incast(host: &str, args: &[&str]) -> Program {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", host, env!("CARGO_BIN_EXE_incast")]).args(args);
        Program::start(command)
    }

    /// A server on x, on all its addresses; the port.
    pub(crate) fn serve(&self, args: &[&str]) -> (Program, u16) {
        let all = [&["serve", "--bind", "0.0.0.0", "--port", "0", "--json"][..], args].concat();
        let mut server = Self::incast(&self.x, &all);
        let port = server.address().port();
        (server, port)
    }

    /// A sender on y, to x.
    pub(crate) fn flood(&self, port: u16, name: &str, args: &[&str]) -> Program {
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

pub(crate) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
