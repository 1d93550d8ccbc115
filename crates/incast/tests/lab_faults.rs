//! What happens to labs, and what they leave: bad scenarios, deaths, signals, full disks, two at once, and
//! programs of others on their hosts. However it ends, what was made is gone afterwards.
//!
//! Needs root. In CI it fails without; elsewhere it says so and passes.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/lab.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use incast_core::caveat::CaveatKind;
use incast_core::record::{Flow, Verdict};
use rustix::process::Signal;

use account::{assert_all_explained, assert_law_1};
use coordinator::{PATIENCE, Started, directory, incast_in, read_record, until};
use support::*;

/// What is wrong with a scenario, and the words that say so.
const BAD: &[(&str, &str, &[&str])] = &[
    (r#"to = "x""#, r#"to = "w""#, &["unknown host `w`; allowed: x, y"]),
    (r#"rate = "20Mbit/s""#, r#"rate = "0bit/s""#, &["`rate` is 0bit/s", "allowed"]),
    (r#"port_queue = "32KiB""#, r#"port_queue = "1KiB""#, &["`port_queue` of 1KiB does not hold one packet"]),
    (r#"to = "main"}"#, r#"to = "main", burst = "1KiB"}"#, &["`burst` of 1KiB does not hold one packet"]),
    (r#"to = "main"}"#, r#"to = "main", loss = 2}"#, &["`loss` is 2; allowed: 0 to 1, a probability"]),
    (r#"to = "main"}"#, r#"to = "main", address = "10.77.0.9"}"#, &["`address` is of one host"]),
    (
        r#"cable = [{from = ["x", "y"], to = "main"}]"#,
        r#"cable = [{from = "x", to = "main", address = "10.77.0.9"}, {from = "y", to = "main", address = "10.77.0.9"}]"#,
        &["two hosts have the address 10.77.0.9"],
    ),
    (
        r#"cable = [{from = ["x", "y"], to = "main"}]"#,
        r#"cable = [{from = "x", to = "main"}]"#,
        &["no [[cable]] leads from host `y`"],
    ),
    (
        r#"cable = ["#,
        r#"cable = [{from = "two", to = "main"}, {from = "main", to = "two"}, "#,
        &["a second way between them is a loop"],
    ),
    ("switch = ", "# switch = ", &["unknown switch `main`", "there is no [[switch]]"]),
    (r#"{name = "y"}"#, r#"{name = "y", agent = "10.0.0.2:7700"}"#, &["host y is played by an agent"]),
    (r#"{name = "y"}"#, r#"{name = "y"}, {name = "s", count = 300}"#, &["host `s` takes part in no flow"]),
    (r#"when_full = "drop", "#, "", &["`when_full` is missing in [[switch]]"]),
    ("cable = ", "# cable = ", &["no cable leads to switch `main`"]),
    ("transport = \"udp\"", "transport = \"udp\", network = \"min\"", &["unknown network `min`", "`main`"]),
];

#[test]
fn what_cannot_be_built_is_refused_in_a_sentence_and_leaves_nothing() {
    let Some(_one) = may_make_labs() else { return };
    let good = Sheet { name: "lab-bad", flows: &[UDP_Y], ..SHEET }.text();
    let mut cases: Vec<(String, &[&str])> = BAD
        .iter()
        .map(|(from, to, words)| {
            assert!(good.contains(from), "{from} is not in {good}");
            let text = good.replace(from, to);
            let second = r#"{name = "two", when_full = "drop"}]"#;
            let loop_of = |text: String| text.replace("\"32KiB\"}]", &format!("\"32KiB\"}}, {second}"));
            (if to.contains("\"two\"") { loop_of(text) } else { text }, *words)
        })
        .collect();
    let setting = good.replace(r#"{name = "y"}"#, r#"{name = "y", sysctl = {"net.ipv4.nonsense" = "1"}}"#);
    cases.push((
        setting,
        &["set net.ipv4.nonsense = 1 in incast-lab-bad-", "-y: No such file or directory (os error 2)\n"],
    ));
    let no_network = good.replace("switch = ", "# switch = ").replace("cable = ", "# cable = ");
    cases.push((no_network, &["describes no network", "[[switch]]", "incast run"]));
    let many = good
        .replace(r#"{name = "y"}"#, r#"{name = "y", count = 300}"#)
        .replace("name = \"y\", from", "name = \"f\", from");
    cases.push((many, &["301 hosts are too many for a lab", "256 is the most"]));
    let variant = format!("{good}[[variant]]\nname = \"v\"\nset = \"nobody.rate=1Mbit/s\"\n");
    cases
        .push((variant, &["variant v", "--set nobody.rate=1Mbit/s: there is no table of that name or kind"]));
    for (text, words) in cases {
        let inventory = Inventory::take("lab-bad");
        let mut started = lab(&text);
        let ended = started.ends_with(2);
        ended.says(words);
        assert!(ended.stdout.is_empty(), "{}", ended.stdout);
        assert!(started.records().is_empty());
        inventory.assert_nothing_left(&started);
    }
}

/// A namespace of the test's own, in nobody's lab.
struct Foreign(String);

impl Foreign {
    fn make(name: String) -> Self {
        let made = output("ip", &["netns", "add", &name]);
        assert!(made.status.success(), "{made:?}");
        Self(name)
    }

    fn is_there(&self) -> bool {
        entries("/run/netns").contains(&self.0)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = output("ip", &["netns", "delete", &self.0]);
    }
}

#[test]
fn a_namespace_in_the_way_is_named_and_left_alone() {
    let Some(_one) = may_make_labs() else { return };
    let text = Sheet { name: "lab-stale", flows: &[UDP_Y], ..SHEET }.text();
    // The shell's process becomes the lab's, so that the name is known before.
    let mut command = Command::new("sh");
    let script = r#"ip netns add "incast-lab-stale-$$-y" && exec "$0" lab scenario.toml --out out"#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_incast")]);
    let mut started = coordinator::start(directory(&[("scenario.toml", &text)]), command);
    let stale = Foreign(format!("incast-lab-stale-{}-y", started.id()));
    let ended = started.ends_with(2);
    ended.says(&["there is a network namespace", &stale.0, "already", "incast lab clean", "ip netns delete"]);
    assert!(stale.is_there(), "it is not ours to remove");
    let left: Vec<_> = entries("/run/netns").into_iter().filter(|name| name.contains("lab-stale-")).collect();
    assert_eq!(left, std::slice::from_ref(&stale.0));
    assert!(entries("/run/incast").iter().all(|name| !name.contains("lab-stale-")));
}

#[test]
fn a_role_that_dies_costs_its_flow_and_leaves_a_record_and_nothing_else() {
    let Some(_one) = may_make_labs() else { return };
    let inventory = Inventory::take("lab-death");
    let text = Sheet { name: "lab-death", flows: &[UDP_Y, UDP_Z], seconds: 4, ..SHEET }.text();
    let mut started = lab(&text);
    started.until_data_flows();
    started.senders()[0].signal(Signal::KILL);
    let record = started.record(1);
    inventory.assert_nothing_left(&started);
    assert_eq!(record.verdict, Verdict::Incomplete);
    assert_law_1(&record);
    let deaths = coordinator::caveats(&record, CaveatKind::RoleDied);
    assert!(deaths.len() == 1 && deaths[0].text.contains("was killed by signal 9"), "{deaths:?}");
    let complete: Vec<&Flow> = record.flows.iter().filter(|flow| flow.complete).collect();
    assert_eq!(complete.len(), 1);
    // The counters of the network were read all the same.
    assert!(died(&record, "switch_port").1 > 0);
}

#[test]
fn a_link_that_dies_makes_the_run_incomplete() {
    let Some(_one) = may_make_labs() else { return };
    let inventory = Inventory::take("lab-link-death");
    let cable = r#", delay = "1ms""#;
    let text = Sheet { name: "lab-link-death", cable, flows: &[UDP_Y], seconds: 4, ..SHEET }.text();
    let mut started = lab(&text);
    started.until_data_flows();
    // Links are started before receivers and senders: they are the first roles.
    started.roles()[0].signal(Signal::KILL);
    let record = started.record(1);
    inventory.assert_nothing_left(&started);
    assert_eq!(record.verdict, Verdict::Incomplete, "{:?}", record.caveats);
    let deaths = coordinator::caveats(&record, CaveatKind::RoleDied);
    assert!(deaths.iter().any(|death| death.text.contains("the link")), "{deaths:?}");
}

#[test]
fn clean_removes_what_a_killed_lab_left_and_nothing_else() {
    let Some(_one) = may_make_labs() else { return };
    let inventory = Inventory::take("lab-killed");
    let foreign = Foreign::make(format!("incast-foreign-{}", std::process::id()));
    let standing = Sheet { name: "lab-standing", flows: &[UDP_Y], ..SHEET }.text();
    let mut standing = incast_in(directory(&[("s.toml", &standing)]), ["lab", "stand", "s.toml"]);
    standing.line("it stands", |line| line.contains("stands; Ctrl-C").then_some(()));

    let text = Sheet { name: "lab-killed", flows: &[UDP_Y, UDP_Z], seconds: 50, ..SHEET }.text();
    let mut started = lab(&text);
    started.until_data_flows();
    started.signal(Signal::KILL);
    assert!(started.wait().was_killed());
    started.assert_nothing_left();
    let id = format!("lab-killed-{}", started.id());
    let left = inventory.of_lab();
    assert!(left.contains(&format!("{id}.json")) && left.contains(&format!("incast-{id}-x")), "{left:?}");
    // The last record that it wrote on its way is whole, and says that it is not the last word.
    let record = read_record(&started.records()[0]);
    assert_eq!(record.verdict, Verdict::Interrupted);

    let mut cleaned = coordinator::incast(["lab", "clean"]);
    cleaned.ends_with(0).says(&[&format!("removed the lab {id} with 5 namespaces")]);
    assert_eq!(inventory.of_lab(), Vec::<String>::new());
    assert!(foreign.is_there(), "a namespace of nobody's lab is left alone");
    assert!(standing.is_running(), "a lab that stands is left alone");
    let of_standing = |name: &String| name.contains(&format!("lab-standing-{}", standing.id()));
    assert_eq!(entries("/run/netns").iter().filter(|name| of_standing(name)).count(), 4);
    standing.signal(Signal::INT);
    standing.ends_with(0).says(&["the lab is gone"]);
    let left: Vec<_> =
        entries("/run/netns").into_iter().filter(|name| name.contains("lab-standing-")).collect();
    assert_eq!(left, Vec::<String>::new());
}

/// A file system in memory, of this many bytes.
struct Tiny(tempfile::TempDir);

impl Tiny {
    fn mount(bytes: u32) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().to_str().expect("a path of ours");
        let mounted = output("mount", &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tiny", path]);
        assert!(mounted.status.success(), "{mounted:?}");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = output("umount", &[self.path().to_str().unwrap_or_default()]);
    }
}

#[test]
fn a_full_disk_costs_the_record_and_leaves_nothing() {
    let Some(_one) = may_make_labs() else { return };
    let inventory = Inventory::take("lab-full");
    let tiny = Tiny::mount(4096);
    let text = Sheet { name: "lab-full", flows: &[UDP_Y], seconds: 2, ..SHEET }.text();
    let out = tiny.path().to_str().expect("a path of ours");
    let mut started =
        incast_in(directory(&[("scenario.toml", &text)]), ["lab", "scenario.toml", "--json", "--out", out]);
    let ended = started.ends_with(2);
    ended.says(&["write the record", "choose another place with --out"]);
    // What was measured is shown all the same.
    assert_all_explained(&read_record(&ended.stdout));
    inventory.assert_nothing_left(&started);
    assert_eq!(fs::read_dir(tiny.path()).expect("read it").count(), 0, "not even half a record");
}

#[test]
fn control_c_once_keeps_the_record_and_twice_ends_at_once() {
    let Some(_one) = may_make_labs() else { return };
    for times in [1, 2] {
        let inventory = Inventory::take("lab-stop");
        let text = Sheet { name: "lab-stop", flows: &[UDP_Y, TCP_Z], seconds: 50, ..SHEET }.text();
        let mut started = lab(&text);
        started.until_data_flows();
        started.signal(Signal::INT);
        if times == 2 {
            // Signals of one kind that wait are one.
            std::thread::sleep(Duration::from_millis(20));
            started.signal(Signal::TERM);
        }
        let record = started.record(1);
        inventory.assert_nothing_left(&started);
        assert_eq!(record.verdict, Verdict::Interrupted);
        assert_law_1(&record);
        if times == 1 {
            assert_all_explained(&record);
            assert_books_close(&record);
        }
    }
}

#[test]
fn two_labs_stand_side_by_side_and_do_not_disturb_each_other() {
    let Some(_one) = may_make_labs() else { return };
    let inventory = Inventory::take("lab-twin");
    // The same names, the same addresses: each lab is a world of its own.
    let text = Sheet { name: "lab-twin", flows: &[UDP_Y, UDP_Z], seconds: 2, ..SHEET }.text();
    let mut twins = [lab(&text), lab(&text)];
    for twin in &twins {
        twin.line("the lab stands", |line| line.contains("the lab stands").then_some(()));
    }
    for twin in &mut twins {
        let record = read_record(&twin.wait().stdout);
        assert_all_explained(&record);
        assert_books_close(&record);
        assert!(died(&record, "switch_port").0 > 0);
        twin.assert_nothing_left();
    }
    assert_eq!(inventory.of_lab(), Vec::<String>::new());
}

/// This program where anybody may run it, and a way to run it as nobody.
fn as_nobody(dir: &Path, words: &[&str]) -> Output {
    use std::os::unix::fs::PermissionsExt as _;
    let program = dir.join("incast");
    fs::copy(env!("CARGO_BIN_EXE_incast"), &program).expect("copy the program");
    for path in [dir, &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("let anybody read it");
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program).args(words);
    command.current_dir(dir).output().expect("setpriv, of Debian's util-linux")
}

#[test]
fn without_root_the_network_is_drawn_and_not_built() {
    let Some(_one) = may_make_labs() else { return };
    let text = Sheet { name: "lab-nobody", flows: &[UDP_Y], ..SHEET }.text();
    let dir = directory(&[("scenario.toml", &text)]);
    let drawn = as_nobody(dir.path(), &["lab", "plan", "scenario.toml"]);
    assert_eq!(drawn.status.code(), Some(0), "{drawn:?}");
    let shown = String::from_utf8_lossy(&drawn.stdout);
    for words in ["switch main (bridge, drops when full)", "x  10.77.0.1", "y  10.77.0.2", "20.00 Mbit/s"] {
        assert!(shown.contains(words), "{words} is missing in {shown}");
    }
    let set = as_nobody(dir.path(), &["lab", "plan", "scenario.toml", "--set", "main.rate=30Mbit/s"]);
    assert!(String::from_utf8_lossy(&set.stdout).contains("30.00 Mbit/s"), "{set:?}");
    for words in [&["lab", "scenario.toml"][..], &["lab", "stand", "scenario.toml"]] {
        let refused = as_nobody(dir.path(), words);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        let complaints: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
        assert_eq!(
            complaints,
            ["error: a lab needs root, to make network namespaces: run the command with sudo"]
        );
    }
    assert!(!dir.path().join("runs").exists(), "not even an empty directory");
}

/// Runs a command on a host of a standing lab, to its end.
fn on(lab: &Started, host: &str, words: &[&str]) -> Output {
    let id = format!("lab-shell-{}", lab.id());
    let args = [&["lab", "shell", &id, host, "--"][..], words].concat();
    output(env!("CARGO_BIN_EXE_incast"), &args)
}

#[test]
fn on_the_hosts_of_a_standing_lab_anything_can_be_run() {
    let Some(_one) = may_make_labs() else { return };
    let inventory = Inventory::take("lab-shell");
    let text = Sheet { name: "lab-shell", flows: &[UDP_Y], ..SHEET }.text();
    let mut standing = incast_in(directory(&[("s.toml", &text)]), ["lab", "stand", "s.toml"]);
    standing.line("it stands", |line| line.contains("stands; Ctrl-C").then_some(()));

    let hosts =
        on(&standing, "y", &["sh", "-c", "getent hosts x y && ls /sys/class/net && echo $INCAST_HOST"]);
    let said = String::from_utf8_lossy(&hosts.stdout).into_owned();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words, ["10.77.0.1", "x", "10.77.0.2", "y", "c0", "e0", "lo", "y"], "{hosts:?}");
    let failed = on(&standing, "y", &["sh", "-c", "exit 7"]);
    assert_eq!(failed.status.code(), Some(7), "the command's exit code is ours");
    let unknown = on(&standing, "w", &["true"]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("has no host w; it has x, y, main"), "{said}");

    if Path::new("/usr/bin/ping").exists() {
        let ping = on(&standing, "y", &["ping", "-c1", "-W5", "x"]);
        assert!(ping.status.success(), "{ping:?}");
    }
    for (script, messages) in [("tcp_flood.py", "2000"), ("udp_flood.py", "60")] {
        flood_with_the_sheets_program(&standing, script, messages);
    }
    if Path::new("/usr/bin/iperf3").exists() {
        iperf(&standing);
    }
    standing.signal(Signal::INT);
    standing.ends_with(0).says(&["the lab is gone"]);
    inventory.assert_nothing_left(&standing);
    let gone = on(&standing, "y", &["true"]);
    assert!(String::from_utf8_lossy(&gone.stderr).contains("incast lab stand FILE"), "{gone:?}");
}

/// A server on host x of the lab.
fn server(lab: &Started, words: &[&str]) -> Started {
    let id = format!("lab-shell-{}", lab.id());
    incast_in(directory(&[]), [&["lab", "shell", &id, "x", "--"][..], words].concat())
}

fn flood_with_the_sheets_program(lab: &Started, script: &str, messages: &str) {
    let path = format!("{}/tests/lab_sheet/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut server = server(lab, &["python3", "-u", &path, "server", "0", "--once"]);
    let port = until(PATIENCE, || {
        let said = server.stdout();
        said.lines().find_map(|line| line.strip_prefix("listening ").map(str::to_owned))
    });
    let port = port.unwrap_or_else(|| panic!("no port: {}", server.stderr()));
    let sent = on(lab, "y", &["python3", "-u", &path, "client", "x", &port, messages]);
    assert!(sent.status.success(), "{sent:?}");
    let said = server.ends_with(0).stdout;
    // The UDP messages are fewer than a receiving socket holds by default.
    assert!(said.ends_with(&format!("received {messages} missing 0\n")), "{said}");
}

fn iperf(lab: &Started) {
    let mut server = server(lab, &["iperf3", "-s", "-1", "--forceflush"]);
    let listens = until(PATIENCE, || server.stdout().contains("listening").then_some(()));
    assert!(listens.is_some(), "{}", server.stderr());
    let sent = on(lab, "y", &["iperf3", "-c", "x", "-n", "200K", "-J"]);
    assert!(sent.status.success(), "{sent:?}");
    server.ends_with(0);
}
