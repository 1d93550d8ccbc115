//! The command line: help, wrong words, ports and peers that are not as they should be, places that
//! cannot be written, and Ctrl-C at a server.
//!
//! That nothing is coloured without a terminal is asserted of every program that these tests start.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;

use std::fs::File;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};

use incast_core::caveat::CaveatKind;
use incast_core::record::{Record, Verdict};
use rustix::process::Signal;

use account::{assert_all_explained, assert_law_1, only_flow};
use coordinator::{
    Ended, PATIENCE, RUN, Started, caveats, directory, incast, read_record, scenario, start, start_into,
};

/// The commands that `incast --help` lists.
fn commands() -> Vec<String> {
    let help = incast(["--help"]).ends_with(0).stdout;
    let list =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description may go on in the next line, further in.
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn every_command_explains_itself_by_example() {
    let commands = commands();
    for known in ["serve", "flood", "run", "agent", "key", "schema", "completions", "man"] {
        assert!(commands.iter().any(|command| command == known), "{known} is not among {commands:?}");
    }
    assert!(!commands.iter().any(|command| command == "role"), "people do not start roles");
    for words in
        commands.iter().map(|command| vec![command.as_str(), "--help"]).chain([vec!["--help"], vec!["-h"]])
    {
        let help = incast(&words).ends_with(0).stdout;
        let examples = help.split_once("Example").map_or("", |(_, examples)| examples);
        assert!(examples.contains("\n  incast "), "{words:?} has no example:\n{help}");
    }
    let version = incast(["--version"]).ends_with(0).stdout;
    assert_eq!(version, format!("incast {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_is_allowed() {
    let cases: [(&[&str], &[&str]); 20] = [
        (&[], &["Usage: incast"]),
        (&["surve"], &["surve", "serve"]),
        (&["serve", "--prot", "1"], &["--prot", "--port"]),
        (&["serve", "--port", "70000"], &["70000", "--port"]),
        (&["serve", "--barrier", "0"], &["--barrier", "1..=4096"]),
        (&["serve", "--bind", "nosuch.invalid"], &["nosuch.invalid"]),
        (&["serve", "--plain", "--message", "7B"], &["--message", "8 B"]),
        (&["flood"], &["<SERVER>"]),
        (&["flood", "127.0.0.1", "--transport", "sctp"], &["sctp", "tcp, udp, ip, ethernet or xdp"]),
        (&["flood", "127.0.0.1", "--load", "fast"], &["fast", "1Gbit/s"]),
        (&["flood", "127.0.0.1", "--message", "4B"], &["--message", "16 B"]),
        (&["flood", "127.0.0.1", "--transport", "udp", "--message", "1MB"], &["--message", "out of range"]),
        (&["flood", "127.0.0.1", "--streams", "0"], &["--streams", "1..=128"]),
        (&["flood", "127.0.0.1", "--dscp", "64"], &["--dscp", "0..=63"]),
        (&["flood", "127.0.0.1", "--reverse", "--both"], &["--reverse", "--both"]),
        (&["flood", "127.0.0.1", "--messages", "0"], &["--messages 0", "sends nothing"]),
        (&["flood", "127.0.0.1", "--transport", "udp", "--congestion", "cubic"], &["--congestion", "TCP"]),
        (&["run"], &["<FILE>"]),
        (&["completions", "tcsh"], &["tcsh", "bash"]),
        (&["role"], &["no assignment", "`incast run` starts roles"]),
    ];
    for (words, said) in cases {
        let ended = incast(words).ends_with(2);
        ended.says(said);
        assert_eq!(ended.stdout, "", "{words:?}");
    }
}

#[test]
fn a_port_in_use_is_named_with_the_reason() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp, udp) =
        (tcp.local_addr().map(|address| (tcp, address)), udp.local_addr().map(|address| (udp, address)));
    let ((_tcp, tcp), (_udp, udp)) = (tcp.unwrap(), udp.unwrap());
    let cases: [(SocketAddr, &[&str]); 4] = [
        (tcp, &[]),
        (tcp, &["--plain", "--transport", "tcp"]),
        (udp, &["--plain", "--transport", "udp"]),
        // Our own protocol needs both.
        (udp, &[]),
    ];
    for (address, more) in cases {
        let port = address.port().to_string();
        let ended = incast([&["serve", "--port", port.as_str(), "--json"], more].concat()).ends_with(2);
        ended.says(&[&format!("bind {address}: address already in use"), "another port"]);
        assert_eq!(ended.stdout, "", "{more:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named_with_what_to_do() {
    let closed =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().to_string();
    for more in [&[][..], &["--plain"], &["--transport", "udp"]] {
        let ended =
            incast([&["flood", closed.as_str(), "--messages", "10", "--json"], more].concat()).ends_with(2);
        ended.says(&[
            &format!("connect to {closed}"),
            "connection refused; is incast started there, and on this port?",
        ]);
        assert_eq!(ended.stdout, "", "{more:?}");
    }
}

/// A server on a port that the kernel chooses, and its address.
fn serve(more: &[&str]) -> (Started, String) {
    let started = incast([&["serve", "--port", "0", "--json"], more].concat());
    let address = started.word_after("listening on ");
    (started, address)
}

fn flood(address: &str, more: &[&str]) -> Started {
    incast([&["flood", address, "--json"], more].concat())
}

/// The record of a server that is told to end; its exit code is the one of its verdict.
fn interrupted(server: &mut Started) -> Record {
    server.signal(Signal::INT);
    record_of(server)
}

fn record_of(program: &mut Started) -> Record {
    let Ended { status, stdout, stderr } = program.wait();
    assert!(stderr.contains("account"), "the table is for people, on standard error:\n{stderr}");
    let record = read_record(&stdout);
    let code = i32::from(record.verdict != Verdict::Good);
    assert_eq!(status.code(), Some(code), "{:?}; it said:\n{stderr}", record.verdict);
    program.assert_nothing_left();
    record
}

#[test]
fn ctrl_c_at_an_idle_server_prints_a_record() {
    for more in [&[][..], &["--plain"], &["--plain", "--transport", "udp"], &["--once", "--barrier", "2"]] {
        let (mut server, _) = serve(more);
        let record = interrupted(&mut server);
        assert_eq!((record.world.as_str(), record.flows.len()), ("serve", 0), "{more:?}");
        assert_eq!(
            (record.totals.messages.received, record.faults.total()),
            (None, 0),
            "unknown is null: {more:?}"
        );
    }
}

#[test]
fn ctrl_c_at_a_server_ends_its_senders_in_good_order() {
    for transport in ["tcp", "udp"] {
        let (mut server, address) = serve(&[]);
        let mut sender =
            flood(&address, &["--transport", transport, "--load", "2Mbit/s", "--duration", "50s"]);
        // It has this thread when the session is under way.
        sender.until_thread("send");
        let (at_server, at_sender) = (interrupted(&mut server), record_of(&mut sender));
        for record in [&at_server, &at_sender] {
            assert_all_explained(record);
            assert!(
                only_flow(record).duration_s.is_none_or(|duration| duration < 49.0),
                "{transport}: it was ended early"
            );
        }
        assert_eq!(
            only_flow(&at_server).messages,
            only_flow(&at_sender).messages,
            "{transport}: both know the same"
        );
    }
}

/// The lab sheet's messages number `from` to `to`, of 1024 bytes each.
fn messages(from: u64, to: u64) -> Vec<Vec<u8>> {
    let message = |number: u64| [&number.to_le_bytes()[..], &[0; 1016]].concat();
    (from..=to).map(message).collect()
}

/// Waits until the program at `server` has read everything that the kernel holds for it from `peer`.
fn until_read(table: &str, server: SocketAddr, peer: Option<SocketAddr>) {
    let hex =
        |address: SocketAddr| format!("{:08X}:{:04X}", u32::from_le_bytes([127, 0, 0, 1]), address.port());
    let empty = || {
        let text = std::fs::read_to_string(format!("/proc/net/{table}")).ok()?;
        let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let ours = |row: &Vec<&str>| {
            row.get(1) == Some(&&*hex(server)) && peer.is_none_or(|peer| row.get(2) == Some(&&*hex(peer)))
        };
        let rows: Vec<Vec<&str>> = rows.filter(ours).collect();
        // The fifth column is tx_queue:rx_queue, proc(5).
        (!rows.is_empty() && rows.iter().all(|row| row[4].ends_with(":00000000"))).then_some(())
    };
    coordinator::until(PATIENCE, empty)
        .unwrap_or_else(|| panic!("{server} does not read what came over {table}"));
}

#[test]
fn ctrl_c_at_a_plain_server_counts_what_a_running_sender_has_sent() {
    let (mut server, address) = serve(&["--plain"]);
    let address: SocketAddr = address.parse().unwrap();
    let mut sender = TcpStream::connect(address).unwrap();
    sender.write_all(&messages(1, 500).concat()).unwrap();
    until_read("tcp", address, Some(sender.local_addr().unwrap()));
    let record = interrupted(&mut server);
    assert_law_1(&record);
    assert_eq!((only_flow(&record).messages.unique, only_flow(&record).messages.lost), (Some(500), Some(0)));
    assert_eq!(only_flow(&record).messages.sent, None, "a plain sender tells no total");

    let (mut server, address) = serve(&["--plain", "--transport", "udp"]);
    let address: SocketAddr = address.parse().unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Number 7 is left out: a gap that the counters show.
    for message in messages(1, 6).iter().chain(&messages(8, 20)) {
        sender.send_to(message, address).unwrap();
    }
    until_read("udp", address, None);
    let record = interrupted(&mut server);
    assert_law_1(&record);
    assert_eq!((only_flow(&record).messages.unique, only_flow(&record).messages.lost), (Some(19), Some(1)));
}

#[test]
fn ctrl_c_at_a_sender_closes_its_account() {
    for transport in ["tcp", "udp"] {
        let (mut server, address) = serve(&["--once"]);
        let mut sender =
            flood(&address, &["--transport", transport, "--load", "2Mbit/s", "--duration", "50s"]);
        sender.until_thread("send");
        sender.signal(Signal::INT);
        let (at_sender, at_server) = (record_of(&mut sender), record_of(&mut server));
        assert_eq!(at_sender.verdict, Verdict::Interrupted);
        assert_all_explained(&at_sender);
        assert_all_explained(&at_server);
    }
}

#[test]
fn plain_messages_at_a_native_server_are_turned_away_and_both_sides_say_so() {
    let (mut server, address) = serve(&[]);
    let sent = record_of(&mut flood(&address, &["--plain", "--load", "2Mbit/s", "--duration", "50s"]));
    assert_eq!(sent.verdict, Verdict::Incomplete);
    let doubts = caveats(&sent, CaveatKind::PeerVanished);
    assert!(
        doubts.iter().any(|doubt| doubt.text.contains("reset") || doubt.text.contains("pipe")),
        "{doubts:?}"
    );
    // Nobody answers a datagram: only the server knows.
    let sent = record_of(&mut flood(&address, &["--plain", "--transport", "udp", "--messages", "10"]));
    assert_eq!((sent.totals.messages.sent, sent.totals.messages.lost), (Some(10), None));
    until_read("udp", address.parse().unwrap(), None);
    let record = interrupted(&mut server);
    assert_eq!((record.flows.len(), record.faults.rubbish_connections, record.faults.strangers), (0, 1, 10));
    assert!(!caveats(&record, CaveatKind::PeerNonsense).is_empty());
}

#[test]
fn a_native_sender_at_a_plain_server_gives_up_and_says_why() {
    let (mut server, address) = serve(&["--plain"]);
    let ended = flood(&address, &["--messages", "10"]).ends_with(2);
    ended.says(&[&format!("greet {address}: the peer said nothing for 5 s"), "without --plain"]);
    assert_eq!(ended.stderr.matches("said nothing").count(), 1, "once is enough:\n{}", ended.stderr);
    let record = interrupted(&mut server);
    assert_eq!(record.flows.len(), 1, "it cannot tell a greeting from a message");

    let (mut server, address) = serve(&["--plain", "--transport", "udp"]);
    flood(&address, &["--transport", "udp", "--messages", "10"]).ends_with(2).says(&["connection refused"]);
    assert_eq!(interrupted(&mut server).flows.len(), 0);
}

/// A test that needs what this machine does not give: a failure where everything must run.
fn not_run(name: &str, why: &str) {
    // Not by a macro: the harness would keep it to itself.
    let _ = writeln!(std::io::stderr(), "NOT RUN: {name}: {why}");
    let in_ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    assert!(!in_ci, "{name} must run in CI: {why}");
}

/// Mounts a small disk with room for a tenth of a record, runs the program, and lists what it left.
const ON_A_FULL_DISK: &str = "mkdir out && mount -t tmpfs -o size=64k none out || exit 99
head -c 61440 /dev/zero > out/filler
\"$@\"
code=$?
find out -mindepth 1 ! -name filler > left
exit $code";

#[test]
fn a_full_disk_costs_the_file_and_not_the_result() {
    let own_mounts = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
    if !own_mounts.is_ok_and(|status| status.success()) {
        return not_run(
            "a_full_disk_costs_the_file_and_not_the_result",
            "`unshare -m` is refused: it needs root",
        );
    }
    // The longer run has tried to write what it knew so far before it ends.
    for seconds in [1, 3] {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", ON_A_FULL_DISK, "sh", env!("CARGO_BIN_EXE_incast")]).args(RUN);
        let text = scenario(seconds, &[("source", "tcp")], "");
        let mut started = start(directory(&[("scenario.toml", &text)]), command);
        let ended = started.ends_with(2);
        ended.says(&["write the record out/", "record.json", "No space left on device", "--out"]);
        let record = read_record(&ended.stdout);
        assert_eq!(record.verdict, Verdict::Good);
        assert_all_explained(&record);
        assert_eq!(started.text("left"), "", "half a record is no record");
        started.assert_nothing_left();
    }
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("open /dev/full").into()
}

#[test]
fn an_output_that_takes_nothing_costs_that_output_only() {
    let text = scenario(1, &[("source", "tcp")], "");
    let run = |more: &[&str], stdout: Stdio, stderr: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_incast"));
        command.args(["run", "scenario.toml", "--out", "out"]).args(more);
        start_into(directory(&[("scenario.toml", &text)]), command, stdout, stderr)
    };
    let on_disk = |started: &Started| {
        let records = started.records();
        assert_eq!(records.len(), 1);
        assert_eq!(read_record(&records[0]).verdict, Verdict::Good);
    };
    for more in [&["--json"][..], &[]] {
        let dir = tempfile::tempdir().unwrap();
        let said = dir.path().join("said");
        let mut started = run(more, full(), File::create(&said).unwrap().into());
        started.ends_with(2);
        let said = std::fs::read_to_string(said).unwrap();
        assert!(
            said.contains("write the record to standard output: No space left on device"),
            "{more:?}: {said}"
        );
        assert!(!said.contains("panicked"), "{more:?}: {said}");
        on_disk(&started);
        // Nobody reads what is said on standard error: the run is as good.
        let mut started = run(more, Stdio::null(), full());
        started.ends_with(0);
        on_disk(&started);
    }
    for word in ["key", "schema"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_incast"));
        command.arg(word);
        start_into(directory(&[]), command, full(), Stdio::null()).ends_with(2);
    }
}

#[test]
fn keys_are_random_and_can_be_used() {
    let keys = [incast(["key"]).ends_with(0).stdout, incast(["key"]).ends_with(0).stdout];
    assert_ne!(keys[0], keys[1]);
    assert!(keys.iter().all(|key| key.lines().count() == 1 && key.trim().len() >= 43), "{keys:?}");
    let dir = directory(&[("run.key", &keys[0])]);
    let mut server = coordinator::incast_in(dir, ["serve", "--port", "0", "--key-file", "run.key", "--json"]);
    let address = server.word_after("listening on ");
    let with = |key: &str| {
        let words = ["flood", &address, "--key-file", "run.key", "--messages", "10", "--json"];
        coordinator::incast_in(directory(&[("run.key", key)]), words)
    };
    assert_all_explained(&record_of(&mut with(&keys[0])));
    with(&keys[1]).ends_with(2).says(&[&address, "--key-file"]);
    flood(&address, &["--messages", "10"]).ends_with(2).says(&[&address, "--key-file"]);
    let record = interrupted(&mut server);
    assert_eq!((record.flows.len(), record.faults.wrong_keys), (1, 2));
}

#[test]
fn shells_and_manuals_know_every_command() {
    let commands = commands();
    for shell in ["bash", "zsh", "fish"] {
        let script = incast(["completions", shell]).ends_with(0).stdout;
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell}: {command} is missing");
        }
        // Where the shell is installed, it must also understand the script.
        let mut check = Command::new(shell);
        check.args(["-n", "script"]).stdout(Stdio::null());
        if let Ok(status) = check.current_dir(directory(&[("script", &script)]).path()).status() {
            assert!(status.success(), "{shell} does not understand its script");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("share/man1");
    incast([std::ffi::OsStr::new("man"), pages.as_os_str()]).ends_with(0);
    let page = |name: &str| {
        std::fs::read_to_string(pages.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    assert!(page("incast.1").contains(".TH incast 1"));
    for command in &commands {
        let page = page(&format!("incast-{command}.1"));
        assert!(page.contains(".SH DESCRIPTION") && page.contains("xample"), "{command}:\n{page}");
    }
    assert!(!pages.join("incast-role.1").exists());
    let blocked = directory(&[("file", "")]);
    coordinator::incast_in(blocked, ["man", "file"]).ends_with(2).says(&["file"]);
}

#[test]
fn colour_can_be_forced_so_its_absence_means_something() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_incast"));
    let output = command
        .args(["flood", "nosuch.invalid"])
        .env("CLICOLOR_FORCE", "1")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    assert!(output.stderr.contains(&0x1b), "{}", String::from_utf8_lossy(&output.stderr));
    incast(["flood", "nosuch.invalid"]).ends_with(2).says(&["error: look up nosuch.invalid"]);
}
