//! Labs as users run them: networks built, scenarios run in them, both books closed, nothing left.
//!
//! What is asserted are laws and words, never how fast the machine is: each loss is in two books,
//! the flows' own and the kernel's, and they agree to the message; what was made is gone afterwards,
//! however the run ended. Rates are low, so that any machine plays them.
//!
//! Needs root. In CI it fails without; elsewhere it says so and passes.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use incast_core::caveat::CaveatKind;
use incast_core::record::{Flow, Ledger, Record, Verdict};
use rustix::process::Signal;

use account::{assert_all_explained, assert_law_1, flow, has_caveat, only_flow};
use coordinator::{PATIENCE, Started, directory, incast_in, read_record, until};

/// Two labs at once are enough for two cores, and one test makes them so.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The right to make a lab; `None`, and said, without root.
fn may_make_labs() -> Option<MutexGuard<'static, ()>> {
    if rustix::process::geteuid().is_root() {
        return Some(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
    }
    assert!(std::env::var_os("CI").is_none(), "tests of labs need root, and CI must run them");
    let _ = writeln!(std::io::stderr(), "NOT RUN: a test of labs needs root (sudo -E cargo test --test lab)");
    None
}

/// Names of a directory's entries.
fn entries(dir: &str) -> BTreeSet<String> {
    let all = fs::read_dir(dir).into_iter().flatten().flatten();
    all.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn output(program: &str, args: &[&str]) -> Output {
    Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program} {args:?}: {error}"))
}

/// What this machine has outside of namespaces, by the words of iproute2.
fn outside() -> [String; 3] {
    [&["ip", "-o", "link"][..], &["ip", "rule"], &["tc", "qdisc", "show"]].map(|words| {
        let output = output(words[0], &words[1..]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
}

/// What this machine had when a test began, against which its end is held.
struct Inventory {
    outside: [String; 3],
    name: String,
}

impl Inventory {
    /// Of the labs of the scenario called `name`.
    fn take(name: &str) -> Self {
        let inventory = Self { outside: outside(), name: name.into() };
        assert_eq!(inventory.of_lab(), Vec::<String>::new(), "there is something of that name already");
        inventory
    }

    /// Namespaces and entries of the scenario's labs. Labs of others come and go as they please.
    fn of_lab(&self) -> Vec<String> {
        let mine = format!("{}-", self.name);
        let all = entries("/run/netns").into_iter().chain(entries("/run/incast"));
        all.filter(|entry| entry.contains(&mine)).collect()
    }

    /// Asserts that nothing of the lab, of the calibration before it or of its processes is left.
    fn assert_nothing_left(&self, started: &Started) {
        started.assert_nothing_left();
        assert_eq!(self.of_lab(), Vec::<String>::new());
        assert_eq!(outside(), self.outside, "outside of namespaces nothing is touched");
        let pid = format!("calibration-{}", started.id());
        let left: Vec<_> = entries("/run/netns").into_iter().filter(|name| name.contains(&pid)).collect();
        assert_eq!(left, Vec::<String>::new());
    }
}

/// A scenario of the hosts x, y and z at one switch.
struct Sheet {
    name: &'static str,
    switch: &'static str,
    cable: &'static str,
    flows: &'static [&'static str],
    more: &'static str,
    seconds: u32,
}

const SHEET: Sheet = Sheet { name: "", switch: "", cable: "", flows: &[], more: "", seconds: 1 };

const UDP_Y: &str = r#"name = "y", from = "y", to = "x", transport = "udp""#;
const UDP_Z: &str = r#"name = "z", from = "z", to = "x", transport = "udp""#;
const TCP_Y: &str = r#"name = "y", from = "y", to = "x", transport = "tcp", congestion = "cubic""#;
const TCP_Z: &str = r#"name = "z", from = "z", to = "x", transport = "tcp", congestion = "cubic""#;

impl Sheet {
    fn text(&self) -> String {
        let Self { name, switch, cable, more, seconds, .. } = self;
        let head =
            format!("incast = 1\nname = \"{name}\"\ninterval = \"250ms\"\nduration = \"{seconds}s\"\n");
        let hosts: String = ["x", "y", "z"]
            .iter()
            .filter(|host| **host != "z" || self.flows.iter().any(|flow| flow.contains("from = \"z\"")))
            .map(|host| format!("{{name = \"{host}\"}}, "))
            .collect();
        let from = if hosts.contains('z') { r#"["x", "y", "z"]"# } else { r#"["x", "y"]"# };
        let switch = format!(
            r#"{{name = "main", when_full = "drop", rate = "20Mbit/s", port_queue = "32KiB"{switch}}}"#
        );
        // What a test says itself takes the place of the default.
        let switch = replaced(&switch);
        let flows: String = self.flows.iter().map(|flow| format!("{{{flow}}}, ")).collect();
        format!(
            "{head}host = [{hosts}]\nswitch = [{switch}]\ncable = [{{from = {from}, to = \"main\"{cable}}}]\n\
             flow = [{flows}]\n{more}\n"
        )
    }

    /// Runs it to its end, whatever the verdict; its record, after nothing was left behind.
    fn run(&self) -> Record {
        let inventory = Inventory::take(self.name);
        let mut started = lab(&self.text());
        let ended = started.wait();
        assert!(matches!(ended.status.code(), Some(0 | 1)), "{}: {}", ended.status, ended.stderr);
        inventory.assert_nothing_left(&started);
        assert_eq!(started.records(), std::slice::from_ref(&ended.stdout), "on disk is what was shown");
        let record = read_record(&ended.stdout);
        assert_eq!(record.world, "lab");
        assert_all_explained(&record);
        record
    }
}

/// An inline table in which the last of several values of a key stays.
fn replaced(table: &str) -> String {
    let inner = table.trim_matches(['{', '}']);
    let pairs: Vec<(&str, &str)> = inner.split(", ").filter_map(|pair| pair.split_once(" = ")).collect();
    let is_last = |index: usize| pairs[index + 1..].iter().all(|(key, _)| *key != pairs[index].0);
    let kept: Vec<String> = (0..pairs.len())
        .filter(|index| is_last(*index))
        .map(|index| format!("{} = {}", pairs[index].0, pairs[index].1))
        .collect();
    format!("{{{}}}", kept.join(", "))
}

/// Starts `incast lab` with this scenario.
fn lab(scenario: &str) -> Started {
    incast_in(directory(&[("scenario.toml", scenario)]), ["lab", "scenario.toml", "--json", "--out", "out"])
}

fn ledger(record: &Record) -> &Ledger {
    record.ledger.as_ref().expect("a lab has a second book")
}

/// Messages and packets that died at all places of a stage.
fn died(record: &Record, stage: &str) -> (u64, u64) {
    let places = ledger(record).stages.iter().filter(|place| place.stage == stage);
    places.fold((0, 0), |(messages, packets), place| (messages + place.messages, packets + place.packets))
}

/// Asserts that both books close, and that they say the same.
fn assert_books_close(record: &Record) {
    let ledger = ledger(record);
    assert_eq!(ledger.unexplained_packets, Some(0), "{ledger:?}");
    let lost: u64 = record.flows.iter().filter_map(|flow| flow.messages.lost).sum();
    if ledger.unexplained.is_some() {
        assert_eq!(ledger.unexplained, Some(0), "{ledger:?}");
        let died: u64 = ledger.stages.iter().map(|stage| stage.messages).sum();
        assert_eq!(died, lost, "{ledger:?}");
    }
    assert!(!has_caveat(record, CaveatKind::LedgerOpen), "{:?}", record.caveats);
}

/// Packets that left through the port of that name.
fn passed(record: &Record, place: &str) -> u64 {
    let network = record.network.as_ref().expect("a lab has a network");
    let mut queues = network.cables.iter().flat_map(|cable| &cable.queues);
    queues.find(|queue| queue.place == place).unwrap_or_else(|| panic!("no {place}: {network:?}")).packets
}

#[test]
fn udp_senders_lose_what_the_port_drops_to_the_message() {
    let Some(_one) = may_make_labs() else { return };
    let record = Sheet { name: "lab-udp", flows: &[UDP_Y, UDP_Z], ..SHEET }.run();
    assert_books_close(&record);
    let (messages, packets) = died(&record, "switch_port");
    assert!(messages > 0, "two senders are too much for the port: {:?}", ledger(&record));
    assert_eq!(messages, packets, "a message is a packet");
    let others = messages + died(&record, "receiver_backlog").0 + died(&record, "socket_buffer").0;
    assert_eq!(record.totals.messages.lost, Some(others + died(&record, "host_queue").0));
    let place = "port of main to x";
    assert!(ledger(&record).stages.iter().any(|stage| stage.place == place && stage.packets == packets));
    assert_eq!(passed(&record, place), record.totals.messages.sent.expect("known") - messages);
}

#[test]
fn tcp_senders_lose_segments_and_no_message() {
    let Some(_one) = may_make_labs() else { return };
    let record = Sheet { name: "lab-tcp", flows: &[TCP_Y, TCP_Z], seconds: 2, ..SHEET }.run();
    assert_books_close(&record);
    assert_eq!((record.totals.messages.lost, ledger(&record).unexplained), (Some(0), None));
    let (messages, packets) = died(&record, "switch_port");
    assert_eq!(messages, 0, "what died were segments of TCP");
    assert!(packets > 0, "two senders fill the port's queue: {:?}", ledger(&record));
}

#[test]
fn udp_takes_more_than_tcp_and_their_losses_are_told_apart() {
    let Some(_one) = may_make_labs() else { return };
    let record = Sheet { name: "lab-tcp-udp", flows: &[TCP_Y, UDP_Z], seconds: 2, ..SHEET }.run();
    assert_books_close(&record);
    assert_eq!(flow(&record, "y").messages.lost, Some(0));
    let bits = |name| flow(&record, name).goodput_bits_per_s.expect("both sent");
    assert!(bits("z") > bits("y"), "UDP {} TCP {}", bits("z"), bits("y"));
}

#[test]
fn a_message_is_lost_with_any_of_its_fragments() {
    let Some(_one) = may_make_labs() else { return };
    const LARGE_Y: &str = r#"name = "y", from = "y", to = "x", transport = "udp", message = "8192B""#;
    const LARGE_Z: &str = r#"name = "z", from = "z", to = "x", transport = "udp", message = "8192B""#;
    let record = Sheet { name: "lab-fragments", flows: &[LARGE_Y, LARGE_Z], ..SHEET }.run();
    assert_books_close(&record);
    let fragments = ledger(&record).packets.iter().find(|account| account.kind == "udp fragments");
    let fragments = fragments.expect("they travelled in fragments");
    let sent = record.totals.messages.sent.expect("known");
    assert_eq!(fragments.sent, sent * 6, "8200 B in pieces of 1480 B");
    assert!(died(&record, "switch_port").1 > 0);
    assert_eq!(died(&record, "switch_port").0, 0, "no message dies in one piece");
    assert!(died(&record, "reassembly").0 > 0);
}

#[test]
fn a_switch_that_pauses_its_senders_drops_nothing() {
    let Some(_one) = may_make_labs() else { return };
    let sheet =
        Sheet { name: "lab-pause", switch: r#", when_full = "pause""#, flows: &[UDP_Y, UDP_Z], ..SHEET };
    let record = sheet.run();
    assert_books_close(&record);
    assert_eq!((died(&record, "switch_port"), died(&record, "host_queue")), ((0, 0), (0, 0)));
    let network = record.network.as_ref().expect("a network");
    assert!(network.cables.iter().all(|cable| cable.port_queue_bytes.is_none()), "it has no bound");
}

#[test]
fn a_routed_switch_drops_as_a_bridge_does() {
    let Some(_one) = may_make_labs() else { return };
    let switch = r#", forwarding = "routed", subnet = "192.168.7.0/24""#;
    let record = Sheet { name: "lab-routed", switch, flows: &[UDP_Y, UDP_Z], ..SHEET }.run();
    assert_books_close(&record);
    assert!(died(&record, "switch_port").0 > 0);
    let hosts = &record.network.as_ref().expect("a network").hosts;
    assert!(hosts.iter().all(|host| host.addresses[0].starts_with("192.168.7.")), "{hosts:?}");
}

#[test]
fn a_trunk_between_switches_is_a_port_as_others() {
    let Some(_one) = may_make_labs() else { return };
    let inventory = Inventory::take("lab-trunk");
    let text = r#"
incast = 1
name = "lab-trunk"
duration = "1s"
host = [{name = "x"}, {name = "y"}, {name = "z"}]
switch = [{name = "near", when_full = "drop", rate = "20Mbit/s"}, {name = "far", when_full = "drop", rate = "20Mbit/s"}]
cable = [
    {from = "x", to = "far"}, {from = ["y", "z"], to = "near"},
    {from = "near", to = "far", rate = "10Mbit/s", queue = "16KiB"},
]
flow = [{name = "f", from = ["y", "z"], to = "x", transport = "udp"}]
"#;
    let mut started = lab(text);
    let record = read_record(&started.wait().stdout);
    inventory.assert_nothing_left(&started);
    assert_all_explained(&record);
    assert_books_close(&record);
    let stages = &ledger(&record).stages;
    let trunk = stages.iter().find(|stage| stage.place == "port of near to far").expect("the trunk");
    assert!(trunk.messages > 0, "{stages:?}");
    assert_eq!(passed(&record, "port of far to near"), 0, "nothing goes back: control has its own way");
}

#[test]
fn two_networks_carry_their_own_flows_and_no_others() {
    let Some(_one) = may_make_labs() else { return };
    let inventory = Inventory::take("lab-two");
    let text = r#"
incast = 1
name = "lab-two"
host = [{name = "x"}, {name = "y"}]
switch = [{name = "main", when_full = "drop", rate = "10Mbit/s"}, {name = "data", when_full = "drop", rate = "100Mbit/s"}]
cable = [{from = ["x", "y"], to = "main"}, {from = ["x", "y"], to = "data"}]
flow = [
    {name = "first", from = "y", to = "x", transport = "udp", load = "100Hz", messages = 50},
    {name = "second", from = "y", to = "x", transport = "udp", load = "100Hz", messages = 70, network = "data"},
]
"#;
    let mut started = lab(text);
    let record = read_record(&started.wait().stdout);
    inventory.assert_nothing_left(&started);
    assert_all_explained(&record);
    assert_books_close(&record);
    assert_eq!((passed(&record, "port of main to x"), passed(&record, "port of data to x")), (50, 70));
    let x = &record.network.as_ref().expect("a network").hosts[0];
    assert_eq!(x.addresses, ["10.77.0.1", "10.78.0.1"]);
}

#[test]
fn links_lose_on_purpose_and_say_how_many() {
    let Some(_one) = may_make_labs() else { return };
    const STEADY: &str =
        r#"name = "y", from = "y", to = "x", transport = "udp", load = "2kHz", messages = 2000"#;
    let cable = r#", loss = 0.1, delay = "5ms""#;
    let record = Sheet { name: "lab-links", cable, flows: &[STEADY], ..SHEET }.run();
    assert_books_close(&record);
    let (lost, _) = died(&record, "link");
    assert_eq!(only_flow(&record).messages.lost, Some(lost), "{:?}", ledger(&record));
    // 1 - 0.9 x 0.9 of 2000 is 380, with a deviation of 18: 8 of them either way.
    assert!((236..=524).contains(&lost), "{lost}");
}

#[test]
fn a_card_that_is_full_drops_and_a_socket_that_is_full_waits() {
    let Some(_one) = may_make_labs() else { return };
    const LARGE: &str =
        r#"name = "y", from = "y", to = "x", transport = "udp", messages = 5000, send_buffer = "4MiB""#;
    let switch = r#", queue = "32KiB""#;
    let record = Sheet { name: "lab-card", switch, flows: &[LARGE], ..SHEET }.run();
    assert_books_close(&record);
    let (messages, packets) = died(&record, "host_queue");
    assert!(messages > 0 && messages == packets, "{:?}", ledger(&record));
    assert_eq!(only_flow(&record).messages.lost, Some(messages), "the port is as fast as the card");

    // Here the socket holds less than the card's queue: what it refuses was never sent.
    const PATIENT: &str = r#"name = "y", from = "y", to = "x", transport = "udp", load = "4Mbit/s""#;
    let switch = r#", rate = "400kbit/s""#;
    let record = Sheet { name: "lab-patient", switch, flows: &[PATIENT], ..SHEET }.run();
    assert_books_close(&record);
    assert_eq!(died(&record, "host_queue"), (0, 0));
}

#[test]
fn a_receiver_that_is_too_slow_loses_in_its_own_socket() {
    let Some(_one) = may_make_labs() else { return };
    const SMALL: &str =
        r#"name = "y", from = "y", to = "x", transport = "udp", messages = 50000, receive_buffer = "2KiB""#;
    let inventory = Inventory::take("lab-socket");
    let text = Sheet { name: "lab-socket", flows: &[SMALL], ..SHEET }.text();
    let text = text.replace(r#", rate = "20Mbit/s", port_queue = "32KiB""#, "");
    let mut started = lab(&text);
    let record = read_record(&started.wait().stdout);
    inventory.assert_nothing_left(&started);
    assert_all_explained(&record);
    assert_books_close(&record);
    let (messages, _) = died(&record, "socket_buffer");
    assert!(messages > 0, "{:?}", ledger(&record));
    assert_eq!(record.totals.receiver_socket_drops, Some(messages));
    assert_eq!(died(&record, "switch_port"), (0, 0), "a port without a rate never drops");
    assert!(has_caveat(&record, CaveatKind::ReceiverSocketOverflow));
}

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
