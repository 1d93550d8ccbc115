//! Programs written from the lab sheet (sections 3 to 12) against ours, TCP and UDP, both ways round.
//!
//! Over TCP, and over UDP on loopback with counts that fit into the receiver's buffer, every message
//! arrives, so what the one end says it sent is exactly what the other says it received.

#[path = "support/account.rs"]
mod account;
#[path = "support/program.rs"]
mod program;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use account::{assert_law_1, has_caveat, only_flow};
use incast_core::caveat::CaveatKind;
use incast_core::load::Transport;
use incast_core::record::{Record, Verdict};
use program::{Finished, Program};

/// The flags that programs may rely on, as the lab sheet's users will type them; the port is free.
fn plain_server(transport: &str) -> (Program, SocketAddr) {
    Program::serve(&["--plain", "--transport", transport, "--message", "1024B", "--once"])
}

/// Lets `tcp_flood.py` or `udp_flood.py` send `messages` to our server; what the client says it sent,
/// and our record.
fn count_a_student(transport: &str, messages: u64, more: &[&str]) -> (u64, Finished) {
    let (server, address) = plain_server(transport);
    let (host, port, messages) = (address.ip().to_string(), address.port().to_string(), messages.to_string());
    let args = [&["client", &host, &port, &messages][..], more].concat();
    let client = Program::lab_sheet(&format!("{transport}_flood.py"), &args).finish();
    client.expect_code(0);
    let sent = last_numbers(&client.stdout)[0];
    (sent, server.finish())
}

/// The numbers in the last line of what a program of the lab sheet said.
fn last_numbers(stdout: &str) -> Vec<u64> {
    let line = stdout.lines().last().unwrap_or_default();
    line.split(' ').filter_map(|word| word.parse().ok()).collect()
}

/// A record of a plain server that received everything from one client.
fn assert_counted(record: &Record, transport: Transport, sent: u64) {
    assert_law_1(record);
    let flow = only_flow(record);
    let messages = &flow.messages;
    assert_eq!((flow.transport, flow.message_bytes), (Some(transport), 1024));
    assert_eq!((messages.received, messages.unique, messages.lost), (Some(sent), Some(sent), Some(0)));
    assert_eq!((messages.duplicate, messages.stale, messages.reordered), (Some(0), Some(0), Some(0)));
    // A plain client tells nothing: what it sent is unknown, and so is the rest of the account.
    assert_eq!((messages.sent, messages.unexplained), (None, None));
    assert_eq!((record.verdict, record.faults.total()), (Verdict::Good, 0));
}

#[test]
fn a_students_tcp_client_is_counted_exactly() {
    for messages in [1, 30_011] {
        let (sent, server) = count_a_student("tcp", messages, &[]);
        assert_eq!(sent, messages);
        assert_counted(&server.record(0), Transport::Tcp, sent);
    }
}

#[test]
fn a_students_udp_client_is_counted_exactly() {
    let (sent, server) = count_a_student("udp", 3_011, &[]);
    assert_eq!(sent, 3_011);
    assert_counted(&server.record(0), Transport::Udp, sent);
}

#[test]
fn unknown_is_null_in_the_json_that_programs_read() {
    let (_, server) = count_a_student("tcp", 10, &[]);
    let json = server.json();
    assert_eq!(json["schema"], "incast.record/1");
    let messages = &json["flows"][0]["messages"];
    assert_eq!(messages["received"], 10);
    for unknown in ["sent", "unexplained"] {
        assert!(
            messages.as_object().is_some_and(|object| object.contains_key(unknown)),
            "{unknown}: {messages}"
        );
        assert!(messages[unknown].is_null(), "{unknown}: {messages}");
    }
}

#[test]
fn messages_without_a_counter_are_counted_and_their_loss_is_unknown() {
    for transport in ["tcp", "udp"] {
        let (sent, server) = count_a_student(transport, 2_000, &["--no-counter"]);
        let record = server.record(0);
        assert_law_1(&record);
        let messages = &only_flow(&record).messages;
        assert_eq!((messages.received, sent), (Some(sent), 2_000), "{transport}");
        assert_eq!((messages.unique, messages.lost, messages.duplicate), (None, None, None), "{transport}");
        assert_eq!((only_flow(&record).lost_fraction, &only_flow(&record).loss_runs), (None, &None));
        assert!(has_caveat(&record, CaveatKind::NoCounter), "{transport}: {:?}", record.caveats);
    }
}

#[test]
fn our_client_is_counted_exactly_by_a_students_server() {
    for (transport, messages) in [("tcp", 30_011), ("udp", 60)] {
        let mut server = Program::lab_sheet(&format!("{transport}_flood.py"), &["server", "0", "--once"]);
        let address = server.lab_sheet_address();
        let count = messages.to_string();
        // The student's UDP server has the kernel's default buffer: 60 messages fit into it.
        let args = ["--plain", "--transport", transport, "--messages", &count];
        let client = Program::flood(address, "incast", &args).finish();
        let record = client.record(0);
        assert_law_1(&record);
        let counts = &only_flow(&record).messages;
        assert_eq!((counts.sent, counts.received, counts.lost), (Some(messages), None, None), "{transport}");
        assert!(client.json()["flows"][0]["messages"]["received"].is_null());
        let server = server.finish();
        server.expect_code(0);
        assert_eq!(last_numbers(&server.stdout), [messages, 0], "{transport}: received, missing");
    }
}

#[test]
fn our_plain_client_and_our_plain_server_agree_over_several_streams() {
    // Each stream counts from 1: to a plain UDP server they are senders of their own.
    let (server, address) = plain_server("udp");
    let args = ["--plain", "--transport", "udp", "--streams", "3", "--messages", "301", "--load", "10kHz"];
    let client = Program::flood(address, "incast", &args).record();
    assert_law_1(&client);
    assert_eq!(only_flow(&client).messages.sent, Some(301));
    let record = server.record();
    assert_law_1(&record);
    let mut received: Vec<_> = record.flows.iter().map(|flow| flow.messages.unique).collect();
    received.sort();
    assert_eq!(received, [Some(100), Some(100), Some(101)]);
    assert_eq!((record.totals.messages.lost, record.totals.messages.unique), (Some(0), Some(301)));
}

#[test]
fn a_plain_udp_message_of_another_size_is_a_fault_and_says_what_to_do() {
    let (server, address) = Program::serve(&["--plain", "--transport", "udp", "--message", "512B", "--once"]);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Program::lab_sheet("udp_flood.py", &["client", &host, &port, "100"]).finish().expect_code(0);
    let record = server.record();
    assert_law_1(&record);
    assert_eq!((record.faults.wrong_sizes, record.faults.total()), (100, 100));
    assert_eq!(record.totals.messages.unique.unwrap_or(0), 0);
    assert!(has_caveat(&record, CaveatKind::PeerNonsense));
    assert!(record.caveats.iter().any(|caveat| caveat.advice.contains("--message")), "{:?}", record.caveats);
}

#[test]
fn a_udp_sender_that_is_quiet_for_less_than_two_seconds_is_still_there() {
    // The whole lasts longer than the silence that ends a plain server; no pause does.
    let messages: [(&str, Vec<u8>); 3] = [
        ("with a counter", vec![0; 1024]),
        ("without one", vec![b' '; 1024]),
        ("of a wrong size", vec![0; 100]),
    ];
    let running = messages.map(|(name, message)| {
        let (server, address) = plain_server("udp");
        (name, server, std::thread::spawn(move || send_slowly(address, message)))
    });
    for (name, server, sending) in running {
        sending.join().expect("the sender does not panic");
        let record = server.record();
        assert_law_1(&record);
        // What came after a pause belongs to the same flow.
        let messages = &only_flow(&record).messages;
        let expected = match name {
            "with a counter" => (Some(6), Some(6), 0),
            "without one" => (Some(6), None, 0),
            _ => (Some(0), Some(0), 6),
        };
        assert_eq!((messages.received, messages.unique, record.faults.wrong_sizes), expected, "{name}");
    }
}

/// Six messages in two and a half seconds (the silence of the real program is real), numbered from 1 if their head is zero.
fn send_slowly(server: SocketAddr, mut message: Vec<u8>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
    for counter in 1..=6_u64 {
        if message[0] != b' ' {
            message[..8].copy_from_slice(&counter.to_le_bytes());
        }
        socket.send_to(&message, server).expect("send");
        if counter < 6 {
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}
