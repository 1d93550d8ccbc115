//! Three namespaces in a row: host a, the link, host b. Dropping them takes them away.
//!
//! ```text
//!   a: e0 10.78.0.1 --- veth --- near [link] far --- veth --- e0 10.78.0.2 :b
//! ```
//! Offloads are off, neighbours are static and IPv6 is silent: what passes is what is sent.

use std::fs::File;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use incast_core::link::PathPlan;
use incast_core::record::LinkReport;
use incast_lab::link::{self, LinkPlan, LinkWatch, OpenLink};
use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_send_buffer_size_force};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub(crate) const A: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
pub(crate) const B: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);

/// Names of the three namespaces.
pub(crate) struct Three {
    pub(crate) a: String,
    pub(crate) link: String,
    pub(crate) b: String,
}

impl Three {
    pub(crate) fn new(mtu: u32) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("incast-test-{}-{}", std::process::id(), MADE.fetch_add(1, Relaxed));
        let three = Self { a: format!("{name}-a"), link: format!("{name}-link"), b: format!("{name}-b") };
        for space in three.names() {
            run(&format!("ip netns add {space}"));
            let silence = "f=/proc/sys/net/ipv6/conf/default/disable_ipv6; ! test -e $f || echo 1 > $f";
            let status = Command::new("ip").args(["netns", "exec", space, "sh", "-c", silence]).status();
            assert!(status.is_ok_and(|status| status.success()), "silence IPv6 in {space}");
        }
        for (host, end) in [(&three.a, "near"), (&three.b, "far")] {
            let link = &three.link;
            run(&format!(
                "ip link add e0 mtu {mtu} netns {host} type veth peer name {end} mtu {mtu} netns {link}"
            ));
            for (space, interface) in [(host, "e0"), (link, end)] {
                run(&format!(
                    "ip netns exec {space} ethtool -K {interface} tx off rx off sg off tso off gso off gro off"
                ));
                run(&format!("ip -n {space} link set {interface} up"));
            }
        }
        for (host, other, [own, peer]) in [(&three.a, &three.b, [A, B]), (&three.b, &three.a, [B, A])] {
            run(&format!("ip -n {host} address add {own}/24 dev e0"));
            let link = run(&format!("ip -n {other} -o link show e0"));
            let mac = link.split_whitespace().skip_while(|word| *word != "link/ether").nth(1);
            let mac = mac.unwrap_or_else(|| panic!("no address in {link}"));
            run(&format!("ip -n {host} neighbour replace {peer} lladdr {mac} dev e0 nud permanent"));
        }
        three
    }

    fn names(&self) -> [&String; 3] {
        [&self.a, &self.link, &self.b]
    }

    /// The link of `plan`, listening.
    pub(crate) fn open_link(&self, plan: &LinkPlan) -> OpenLink {
        inside(&self.link, || link::open(plan)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Carries frames while `traffic` lasts. What the link tells of itself, and what the traffic does.
    pub(crate) fn carry<T>(
        &self,
        plan: &LinkPlan,
        traffic: impl FnOnce(&LinkWatch) -> T,
    ) -> (Vec<LinkReport>, T) {
        let link = self.open_link(plan);
        let (watch, stop) = (link.watch(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let linked = scope.spawn(|| link.run(&stop));
            let done = {
                // Whatever happens to the traffic, the link ends.
                let _stop = SetOnDrop(&stop);
                traffic(&watch)
            };
            let reports = linked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (reports.unwrap_or_else(|error| panic!("{error}")), done)
        })
    }

    /// A UDP socket on host a, connected to one on host b, both with room for everything.
    pub(crate) fn udp_pair(&self) -> (UdpSocket, UdpSocket) {
        let bind = |space: &str, address: Ipv4Addr| {
            let socket = inside(space, || UdpSocket::bind((address, 0))).expect("bind a UDP socket");
            set_socket_recv_buffer_size_force(&socket, 256 << 20).expect("room for what is received");
            set_socket_send_buffer_size_force(&socket, 16 << 20).expect("room for what is sent");
            socket
        };
        let (a, b) = (bind(&self.a, A), bind(&self.b, B));
        let [to_b, to_a] = [&b, &a].map(|socket| socket.local_addr().expect("a bound socket has an address"));
        a.connect(to_b).and_then(|()| b.connect(to_a)).expect("connect a UDP socket");
        (a, b)
    }
}

impl Drop for Three {
    fn drop(&mut self) {
        for space in self.names() {
            let _ = Command::new("ip").args(["netns", "delete", space]).output();
        }
    }
}

/// A flag that is set at the end of a scope.
pub(crate) struct SetOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// The link between the two hosts.
pub(crate) fn plan(path: PathPlan, mtu: u32) -> LinkPlan {
    LinkPlan {
        near: "near".into(),
        far: "far".into(),
        ways: ["a -> b".into(), "b -> a".into()],
        path,
        mtu,
        seed: 1,
        name: "a b".into(),
    }
}

/// Does `work` in a thread inside the namespace.
pub(crate) fn inside<T: Send>(space: &str, work: impl FnOnce() -> T + Send) -> T {
    let enter = || {
        let file = File::open(format!("/run/netns/{space}")).expect("the namespace is there");
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("enter the namespace");
        work()
    };
    std::thread::scope(|scope| scope.spawn(enter).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Runs a command to its end, which must be a good one; what it said.
pub(crate) fn run(words: &str) -> String {
    let mut parts = words.split(' ');
    let output =
        Command::new(parts.next().unwrap_or_default()).args(parts).output().unwrap_or_else(|error| {
            panic!("{words}: {error} (needs Debian's iproute2, ethtool and iputils-ping)")
        });
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {}: {complaint}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
