//! `incast stamp` and `incast reflect` as people use them: over loopback, and over a path between two namespaces with
//! delays and losses of its own on each way, which must be found as the kernel counted them.
//!
//! The path needs root and `iproute2`. In CI it fails without them; elsewhere it says so and passes.

#[path = "support/program.rs"]
mod program;

use std::net::UdpSocket;
use std::process::Command;

use incast_core::caveat::CaveatKind;
use incast_core::record::{Record, Verdict};
use program::{Program, write_key};
use serde_json::Value;

/// A reflector on a port that the kernel chooses.
fn reflect(args: &[&str]) -> (Program, String) {
    let mut reflector = Program::incast(["reflect", "--port", "0", "--json"].iter().chain(args));
    let address = address(&mut reflector);
    (reflector, address)
}

fn address(reflector: &mut Program) -> String {
    reflector.wait_for_line(|line| Some(line.strip_prefix("reflecting on ")?.split(' ').next()?.to_owned()))
}

fn stamp(address: &str, args: &[&str]) -> Record {
    let words = ["stamp", address, "--json", "--timeout", "10s"];
    Program::incast(words.iter().chain(args)).record()
}

/// Ends a reflector and gives what it says that it did.
fn counts(reflector: Program) -> Value {
    reflector.interrupt();
    let ended = reflector.finish();
    ended.expect_code(0);
    ended.json()
}

#[test]
fn every_test_over_loopback_is_answered_and_both_ends_agree() {
    let (reflector, address) = reflect(&[]);
    let record = stamp(&address, &["--count", "300", "--gap", "1ms", "--synchronised", "1us"]);
    let report = record.stamp.expect("a path was watched");
    assert_eq!((report.sent, report.answered, report.lost, report.duplicate), (300, 300, 0, 0));
    assert_eq!(
        (report.lost_forward, report.lost_backward, report.lost_way_unknown),
        (Some(0), Some(0), Some(0))
    );
    assert_eq!((report.kernel_stamps, report.time_to_live), (300, Some(64)));
    // One clock, stamped before departure and at arrival: no delay can be negative.
    let (there, back) = (report.forward.expect("known"), report.backward.expect("known"));
    assert!(there.ns_min > 0 && back.ns_min > 0, "{there:?} {back:?}");
    assert!(report.clock.offset_ns.expect("known").unsigned_abs() < 1_000_000_000);
    let windows: u64 = report.windows.iter().map(|window| window.sent).sum();
    assert_eq!(windows, 300, "windows sum to the whole");
    let counts = counts(reflector);
    assert_eq!(
        (&counts["received"], &counts["answered"], &counts["sessions"]),
        (&300.into(), &300.into(), &1.into())
    );
}

#[test]
fn a_key_lets_in_those_who_have_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (key, other) = (write_key(dir.path(), "key"), write_key(dir.path(), "other"));
    let (reflector, address) = reflect(&["--key-file", &key]);
    let report = stamp(&address, &["--count", "20", "--key-file", &key]).stamp.expect("a path was watched");
    assert!(report.authenticated && report.answered == 20, "{report:?}");
    for wrong in [&["--key-file", &other][..], &[]] {
        let words = ["stamp", &address, "--json", "--count", "3", "--timeout", "200ms"];
        let record = Program::incast(words.iter().chain(wrong)).finish().record(1);
        assert_eq!(record.verdict, Verdict::Incomplete);
        assert!(record.caveats.iter().any(|caveat| caveat.kind == CaveatKind::NobodyListens));
    }
    let counts = counts(reflector);
    assert_eq!(
        (&counts["answered"], &counts["not_authentic"], &counts["too_short"]),
        (&20.into(), &3.into(), &3.into())
    );
}

#[test]
fn a_limit_that_is_missed_is_said_in_each_line_and_by_the_exit_code() {
    let (_reflector, address) = reflect(&[]);
    let watched = |limit: &str, code: i32| {
        let words =
            ["stamp", &address, "--every", "200ms", "--duration", "600ms", "--json", "--limit", limit];
        let ended = Program::incast(words).finish();
        ended.expect_code(code);
        let lines: Vec<Value> =
            ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        assert!(lines.len() >= 2, "{lines:?}");
        assert_eq!(lines.iter().filter_map(|line| line["sent"].as_u64()).sum::<u64>(), 60);
        lines.iter().map(|line| line["state"].as_str().expect("a state").to_owned()).collect::<Vec<_>>()
    };
    assert!(watched("round-trip=10s", 0).iter().all(|state| state == "good"));
    let states = watched("round-trip=1ns", 1);
    assert_eq!(states[0], "worse");
    assert!(states[1..].iter().all(|state| state == "bad"), "{states:?}");
}

#[test]
fn rubbish_is_counted_and_answered_by_nothing_longer_than_itself() {
    let (reflector, address) = reflect(&[]);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(&address).expect("connect");
    socket.set_read_timeout(Some(program::PATIENCE)).expect("a timeout");
    let (mut answer, mut answered) = ([0; 2_000], 0);
    for bytes in [0, 1, 13, 40, 41, 44, 60, 61, 1_400] {
        socket.send(&vec![0xff; bytes]).expect("send");
        if bytes >= 41 {
            let came = socket.recv(&mut answer).expect("an answer");
            assert_eq!(came, bytes);
            answered += 1;
        }
    }
    let counts = counts(reflector);
    assert_eq!((&counts["answered"], &counts["too_short"]), (&answered.into(), &4.into()), "{counts}");
}

#[test]
fn what_cannot_be_asked_is_refused_with_advice() {
    for (words, said) in [
        (&["stamp", "127.0.0.1", "--gap", "1us"][..], "a gap of 1us"),
        (&["stamp", "127.0.0.1", "--size", "20B"], "a test of 20 B"),
        (&["stamp", "127.0.0.1", "--limit", "delay=1ms"], "allowed: loss, round-trip"),
        (&["stamp", "127.0.0.1", "--gap", "1ms", "--timeout", "1h"], "a time-out of"),
        (
            &["stamp", "127.0.0.1", "--gap", "1s", "--every", "10ms", "--count", "1", "--timeout", "0s"],
            "a time-out of 0s",
        ),
    ] {
        let ended = Program::incast(words).finish();
        ended.expect_code(2);
        assert!(ended.stderr.contains(said), "{words:?}: {}", ended.stderr);
    }
}

/// Two namespaces with a link; it goes with them.
struct Path {
    name: String,
}

impl Path {
    fn new() -> Self {
        let path = Self { name: format!("incast-stamp-{}", std::process::id()) };
        let (x, y) = (path.host("x"), path.host("y"));
        for host in [&x, &y] {
            run(&format!("ip netns add {host}"));
        }
        run(&format!("ip link add e0 netns {x} type veth peer name e0 netns {y}"));
        for (host, address) in [(&x, "10.78.0.1/24"), (&y, "10.78.0.2/24")] {
            run(&format!("ip -n {host} link set lo up"));
            run(&format!("ip -n {host} address add {address} dev e0"));
            run(&format!("ip -n {host} link set e0 up"));
        }
        for (host, other, address) in [(&x, &y, "10.78.0.2"), (&y, &x, "10.78.0.1")] {
            let link: Value =
                serde_json::from_str(&run(&format!("ip -n {other} -j link show e0"))).expect("JSON");
            let mac = link[0]["address"].as_str().expect("a veth has an address");
            run(&format!("ip -n {host} neighbour replace {address} lladdr {mac} dev e0 nud permanent"));
        }
        path
    }

    fn host(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    /// Delays what a host sends, and loses a part of its UDP datagrams: of these alone, so that all it drops are tests or replies.
    fn shape(&self, host: &str, delay: &str, loss: &str) {
        let host = self.host(host);
        run(&format!(
            "tc -n {host} qdisc add dev e0 root handle 1: prio bands 2 priomap 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"
        ));
        run(&format!(
            "tc -n {host} qdisc add dev e0 parent 1:1 handle 10: netem delay {delay} loss {loss} limit 100000"
        ));
        run(&format!(
            "tc -n {host} filter add dev e0 parent 1: protocol ip u32 match ip protocol 17 0xff flowid 1:1"
        ));
    }

    fn dropped(&self, host: &str) -> u64 {
        let said = run(&format!("tc -n {} -s -j qdisc show dev e0", self.host(host)));
        let queues: Value = serde_json::from_str(&said).expect("JSON");
        let queue = queues.as_array().and_then(|all| all.iter().find(|queue| queue["handle"] == "10:"));
        queue.and_then(|queue| queue["drops"].as_u64()).expect("its queue counts")
    }

    fn incast(&self, host: &str, args: &[&str]) -> Program {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host(host), env!("CARGO_BIN_EXE_incast")]).args(args);
        Program::start(command)
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        for host in ["x", "y"] {
            // One that was never made cannot be taken away.
            let _ = Command::new("ip").args(["netns", "delete", &self.host(host)]).output();
        }
    }
}

fn run(words: &str) -> String {
    let (program, args) = words.split_once(' ').expect("a command with arguments");
    let output = Command::new(program).args(args.split(' ')).output();
    let output = output.unwrap_or_else(|error| panic!("{words}: {error} (needs Debian's iproute2)"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {}: {complaint}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn losses_of_each_way_are_those_that_the_kernel_counted_and_delays_those_of_the_path() {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "tests in namespaces need root, and CI must run them");
        program::say_not_run("a test in network namespaces needs root (sudo -E cargo test --test stamp)");
        return;
    }
    let path = Path::new();
    path.shape("y", "70ms", "5%");
    path.shape("x", "30ms", "10%");
    let mut reflector =
        path.incast("x", &["reflect", "--bind", "10.78.0.1", "--port", "0", "--open", "--json"]);
    let address = address(&mut reflector);
    let words = ["stamp", &address, "--json", "--count", "1000", "--gap", "2ms", "--timeout", "2s"];
    let both = [&words[..], &["--synchronised", "1us"]].concat();
    let report = path.incast("y", &both).record().stamp.expect("a path was watched");
    let (forward, backward) = (report.lost_forward.expect("known"), report.lost_backward.expect("known"));
    assert_eq!((path.dropped("y"), path.dropped("x")), (forward, backward), "{report:?}");
    assert_eq!((report.lost_way_unknown, report.late, report.in_flight), (Some(0), 0, 0), "{report:?}");
    assert!(forward > 0 && backward > 0, "{report:?}");
    assert_eq!(report.sent, report.answered + report.lost);
    // A delay is never less than the path's; of a busy machine it may be more.
    let (there, back) = (report.forward.expect("known"), report.backward.expect("known"));
    assert!((70_000_000..100_000_000).contains(&there.ns_min), "{there:?}");
    assert!((30_000_000..60_000_000).contains(&back.ns_min), "{back:?}");
    // Without clocks that agree: 50 ms each way, and it is known that this may be off by as much.
    let report = path.incast("y", &words).record().stamp.expect("a path was watched");
    let error = i64::try_from(report.clock.error_ns.expect("known")).expect("it fits");
    let offset = report.clock.offset_ns.expect("known");
    assert!(error >= 50_000_000 && offset.abs() <= error, "{:?}", report.clock);
    assert!((report.forward.expect("known").ns_min - 70_000_000).abs() <= error);
}
