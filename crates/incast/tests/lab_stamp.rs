//! A path of 70 ms each way that loses, watched in a standing lab: losses of each way must be those that the kernels of the
//! two hosts counted, to the packet, and delays those of the path.
//!
//! Needs root. In CI it fails without; elsewhere it says so and passes.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/lab.rs"]
mod support;

use coordinator::{PATIENCE, Started, directory, incast_in, read_record, until};
use incast_core::record::StampReport;
use rustix::process::Signal;
use support::{Inventory, may_make_labs, output};

/// Nothing flows in it: it stands, and the test sends what it likes.
const LAB: &str = r#"
incast = 1
name = "lab-stamp"
duration = "1s"
host = [{name = "x"}, {name = "y"}]
switch = [{name = "main", when_full = "drop", rate = "100Mbit/s"}]
cable = [{from = "x", to = "main"}, {from = "y", to = "main", delay = "70ms", loss = 0.05}]
flow = [{name = "y", from = "y", to = "x", transport = "udp"}]
"#;

/// A command on a host of the lab.
fn words<'a>(id: &'a str, host: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    [&["lab", "shell", id, host, "--"][..], command].concat()
}

/// UDP datagrams that a host has received and sent, by its own kernel.
fn datagrams(id: &str, host: &str) -> (u64, u64) {
    let said = output(env!("CARGO_BIN_EXE_incast"), &words(id, host, &["cat", "/proc/net/snmp"]));
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter_map(|line| line.strip_prefix("Udp: "))
        .map(|line| line.split(' ').collect())
        .collect();
    let count = |name: &str| {
        let column = rows[0].iter().position(|title| *title == name).expect("the kernel counts it");
        rows[1][column].parse().expect("a count")
    };
    (count("InDatagrams"), count("OutDatagrams"))
}

fn stamp(id: &str, more: &[&str]) -> StampReport {
    let incast = env!("CARGO_BIN_EXE_incast");
    let command = [incast, "stamp", "x", "--json", "--gap", "2ms", "--timeout", "5s"];
    let said = output(incast, &words(id, "y", &[&command[..], more].concat()));
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    read_record(&String::from_utf8_lossy(&said.stdout)).stamp.expect("a path was watched")
}

#[test]
fn losses_of_each_way_and_delays_are_those_of_the_path() {
    let Some(_one) = may_make_labs() else { return };
    let inventory = Inventory::take("lab-stamp");
    let mut standing = incast_in(directory(&[("s.toml", LAB)]), ["lab", "stand", "s.toml"]);
    standing.line("it stands", |line| line.contains("stands; Ctrl-C").then_some(()));
    let id = format!("lab-stamp-{}", standing.id());
    let incast = env!("CARGO_BIN_EXE_incast");
    let reflect = [incast, "reflect", "--bind", "0.0.0.0", "--open", "--json"];
    let mut reflector: Started = incast_in(directory(&[]), words(&id, "x", &reflect));
    let listens = until(PATIENCE, || reflector.stderr().contains("reflecting on").then_some(()));
    assert!(listens.is_some(), "{}", reflector.stderr());

    let (x, y) = (datagrams(&id, "x"), datagrams(&id, "y"));
    let report = stamp(&id, &["--count", "1500", "--synchronised", "1us"]);
    let (x, y) = (since(x, datagrams(&id, "x")), since(y, datagrams(&id, "y")));
    let sent_and_came = (y.1, x.0, x.1, y.0);
    assert_eq!(sent_and_came.0, report.sent, "the second book: {sent_and_came:?}");
    assert_eq!(report.lost_forward, Some(y.1 - x.0), "{sent_and_came:?} {report:?}");
    assert_eq!(report.lost_backward, Some(x.1 - y.0), "{sent_and_came:?} {report:?}");
    assert_eq!((report.lost_way_unknown, report.late, report.in_flight), (Some(0), 0, 0), "{report:?}");
    // Of 1500 with p = 0.05, 75 are lost each way, with a standard deviation of 8.4: six of them.
    assert!((25..125).contains(&(y.1 - x.0)) && (20..125).contains(&(x.1 - y.0)), "{sent_and_came:?}");
    assert_eq!(report.sent, report.answered + report.lost);
    // The path holds a packet for its delay and no less; a busy machine may hold it longer.
    let (there, back) = (report.forward.expect("known"), report.backward.expect("known"));
    assert!((70_000_000..90_000_000).contains(&there.ns_min), "{there:?}");
    assert!((70_000_000..90_000_000).contains(&back.ns_min), "{back:?}");

    // Without clocks that agree their offset is estimated: it is zero, and known to half a round trip.
    let report = stamp(&id, &["--count", "200"]);
    let (offset, error) = (report.clock.offset_ns.expect("known"), report.clock.error_ns.expect("known"));
    assert!(error >= 70_000_000 && offset.unsigned_abs() <= error, "{:?}", report.clock);
    assert!((report.forward.expect("known").ns_min - there.ns_min).unsigned_abs() <= error);

    reflector.signal(Signal::INT);
    reflector.ends_with(0);
    standing.signal(Signal::INT);
    standing.ends_with(0).says(&["the lab is gone"]);
    inventory.assert_nothing_left(&standing);
}

fn since(before: (u64, u64), after: (u64, u64)) -> (u64, u64) {
    (after.0 - before.0, after.1 - before.1)
}
