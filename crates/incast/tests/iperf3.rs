//! Stock iperf3 against ours, TCP and UDP, both ways round; several clients at once; peers that misbehave.

#[path = "support/account.rs"]
mod account;
#[path = "support/program.rs"]
mod program;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use account::{assert_law_1, only_flow};
use incast_core::record::Verdict;
use program::{Program, say_not_run};

/// Whether there is an iperf3; CI must have one.
fn is_there() -> bool {
    let found = Command::new("iperf3").arg("--version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "tests against iperf3 need it, and CI must run them");
    if !found {
        say_not_run("a test against iperf3 needs it (Debian's iperf3)");
    }
    found
}

/// A stock client of the server at `address`.
fn stock_client(address: SocketAddr, args: &[&str]) -> Program {
    let mut command = Command::new("iperf3");
    command.args(["-c", "127.0.0.1", "-p", &address.port().to_string()]).args(args);
    Program::start(command)
}

#[test]
fn a_stock_client_is_counted_exactly() {
    if !is_there() {
        return;
    }
    for args in [
        &["-t", "1", "-P", "4"][..],
        &["-n", "10M"],
        &["-u", "-b", "20M", "-t", "1", "-P", "4"],
        &["-u", "-b", "20M", "-t", "1", "--udp-counters-64bit"],
    ] {
        let (server, address) = Program::serve(&["--iperf3", "--once"]);
        stock_client(address, args).finish().expect_code(0);
        let record = server.record();
        assert_law_1(&record);
        let messages = &only_flow(&record).messages;
        assert!(messages.sent.is_some_and(|sent| sent > 0), "{args:?}: {messages:?}");
        assert_eq!(messages.unexplained, Some(0), "{args:?}");
        assert_eq!((messages.unique, messages.lost), (messages.sent, Some(0)), "{args:?}");
        assert_eq!((record.verdict, record.faults.total()), (Verdict::Good, 0), "{args:?}");
    }
}

#[test]
fn a_stock_client_receives_in_reverse() {
    if !is_there() {
        return;
    }
    for args in [&["-t", "1", "-R"][..], &["-u", "-b", "20M", "-t", "1", "-R"]] {
        let (server, address) = Program::serve(&["--iperf3", "--once"]);
        stock_client(address, args).finish().expect_code(0);
        let record = server.record();
        assert_law_1(&record);
        let messages = &only_flow(&record).messages;
        assert!(messages.sent.is_some() && messages.received.is_some_and(|count| count > 0), "{messages:?}");
        assert_eq!((messages.unique, messages.lost), (None, None), "iperf3 does not tell: {messages:?}");
    }
}

#[test]
fn two_stock_clients_are_served_at_once_and_rubbish_disturbs_neither() {
    if !is_there() {
        return;
    }
    let (server, address) = Program::serve(&["--iperf3"]);
    let clients = ["-u", "-u"].map(|kind| stock_client(address, &[kind, "-b", "5M", "-t", "2", "-P", "2"]));
    let refused = stock_client(address, &["--bidir", "-t", "1"]).finish();
    assert_ne!(refused.status.code(), Some(0));
    let killed = stock_client(address, &["-t", "30", "-b", "1M"]);
    // No cookie; a cookie, and then a length that no parameters have.
    for bytes in [[b'#'; 41], *b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0\xff\xff\xff\xff"] {
        let mut rubbish = TcpStream::connect(address).expect("connect");
        rubbish.set_read_timeout(Some(Duration::from_secs(20))).expect("set a timeout");
        rubbish.write_all(&bytes).expect("write");
        let mut said = Vec::new();
        // What matters is that it ends: a reset is an end too.
        let _ = rubbish.read_to_end(&mut said);
    }
    for client in clients {
        client.finish().expect_code(0);
    }
    killed.kill();
    std::thread::sleep(Duration::from_millis(500));
    server.interrupt();
    let record = server.finish().record_of_any_end();
    assert_law_1(&record);
    let whole: Vec<_> = record.flows.iter().filter(|flow| flow.complete && flow.streams == 2).collect();
    assert_eq!(whole.len(), 2, "{:?}", record.flows);
    assert!(whole.iter().all(|flow| flow.messages.unexplained == Some(0)));
    assert_eq!(record.flows.len(), 3, "the killed one is there, and incomplete");
    assert_eq!((record.faults.rubbish_connections, record.faults.bad_lengths), (1, 1), "{:?}", record.faults);
}

#[test]
fn our_client_floods_a_stock_server() {
    if !is_there() {
        return;
    }
    for args in [
        &["--message", "128KiB", "--streams", "4"][..],
        &["--message", "128KiB", "--reverse"],
        &["--transport", "udp", "--load", "20Mbit/s", "--streams", "2"],
        &["--transport", "udp", "--load", "20Mbit/s", "--reverse"],
    ] {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let mut command = Command::new("iperf3");
        command.args(["-s", "-1", "--forceflush", "-p", &port.to_string()]);
        let mut server = Program::start(command);
        server.wait_for_line(|line| line.contains("listening").then_some(()));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let args = [&["--iperf3", "--duration", "1s"], args].concat();
        let record = Program::flood(address, "incast", &args).record();
        assert_law_1(&record);
        let messages = &only_flow(&record).messages;
        let (sent, received) = (messages.sent.unwrap_or(0), messages.received.unwrap_or(0));
        assert!(sent > 0 && received > 0, "{args:?}: {messages:?}");
        server.finish().expect_code(0);
    }
}
