//! Many senders into one receiver, on one port: every message of every sender is accounted for.
//!
//! Both ends of a flow tell the same account, because both were told both halves of it. Nothing here
//! depends on speed: where a count must be exact, all that was sent fits into the receiver's buffer.

#[path = "support/account.rs"]
mod account;
#[path = "support/program.rs"]
mod program;

use account::{assert_all_explained, flow};
use incast_core::record::{Flow, Record, Verdict};
use program::Program;

/// Starts `senders` (name and arguments) against one server that waits for them all, and gives the
/// records: the server's, and each sender's.
fn measure(senders: &[(String, Vec<&str>)]) -> (Record, Vec<Record>) {
    let (server, address) = Program::serve(&["--once", "--barrier", &senders.len().to_string()]);
    let running: Vec<Program> =
        senders.iter().map(|(name, args)| Program::flood(address, name, args)).collect();
    let told: Vec<Record> = running.into_iter().map(Program::record).collect();
    let record = server.record();
    assert_eq!(record.verdict, Verdict::Good);
    assert_eq!(record.faults.total(), 0, "{:?}", record.faults);
    assert_all_explained(&record);
    for sender in &told {
        assert_all_explained(sender);
        sender.flows.iter().for_each(|theirs| assert_same_account(theirs, flow(&record, &theirs.name)));
    }
    (record, told)
}

/// What the two ends of a flow must agree on, to the message.
fn assert_same_account(one: &Flow, other: &Flow) {
    assert_eq!(one.messages, other.messages, "{}", one.name);
    assert_eq!(one.loss_runs, other.loss_runs, "{}", one.name);
    assert_eq!(one.intervals, other.intervals, "{}", one.name);
    assert_eq!(
        (one.transport, one.streams, one.message_bytes),
        (other.transport, other.streams, other.message_bytes)
    );
}

#[test]
fn ten_udp_senders_into_one_receiver_leave_nothing_unexplained() {
    // As fast as they can: whether something is lost is the host's affair, that it is accounted for is ours.
    let senders: Vec<_> = (0..10)
        .map(|index| (format!("y{index}"), vec!["--transport", "udp", "--messages", "20000"]))
        .collect();
    let (record, _) = measure(&senders);
    assert_eq!(record.flows.len(), 10);
    assert!(record.flows.iter().all(|flow| flow.messages.sent == Some(20_000)));
    assert_eq!(record.totals.messages.sent, Some(200_000));
}

#[test]
fn two_hundred_senders_at_once_are_all_accounted_for() {
    let senders: Vec<_> = (0..200)
        .map(|index| {
            let transport = if index % 2 == 0 { "udp" } else { "tcp" };
            let args =
                vec!["--transport", transport, "--load", "500Hz", "--messages", "50", "--message", "256B"];
            (format!("y{index}"), args)
        })
        .collect();
    let (record, _) = measure(&senders);
    assert_eq!(record.flows.len(), 200);
    // 10 000 messages of 256 B fit into the buffers together: none may be missing.
    assert_eq!((record.totals.messages.sent, record.totals.messages.unique), (Some(10_000), Some(10_000)));
    assert!(record.flows.iter().all(|flow| flow.messages.unique == Some(50)));
}

#[test]
fn every_way_to_send_sends_exactly_what_was_asked() {
    // Name, what is asked for, and how many messages that is; all of it at once, into one server.
    let cases: &[(&str, &str, u64)] = &[
        ("tcp", "--transport tcp --messages 3001", 3001),
        ("udp", "--transport udp --load 20Mbit/s --messages 3001", 3001),
        ("tcp-4", "--transport tcp --streams 4 --messages 3001", 3001),
        ("udp-4", "--transport udp --streams 4 --load 20Mbit/s --messages 3001", 3001),
        ("tcp-7-of-3", "--transport tcp --streams 7 --messages 3", 3),
        ("tcp-reverse", "--transport tcp --reverse --streams 2 --messages 501", 501),
        ("udp-reverse", "--transport udp --reverse --streams 2 --load 5kHz --messages 501", 501),
        ("udp-reverse-at-once", "--transport udp --reverse --messages 2000", 2000),
        ("tcp-both", "--transport tcp --both --messages 501", 501),
        ("udp-both", "--transport udp --both --streams 3 --load 5kHz --messages 501", 501),
        ("tcp-bytes", "--transport tcp --message 1000B --bytes 100001B", 101),
        ("udp-bytes", "--transport udp --message 1000B --bytes 100000B --load 5kHz", 100),
        ("udp-whichever", "--transport udp --message 1000B --bytes 5000B --messages 9 --load 1kHz", 5),
        ("udp-smallest", "--transport udp --message 16B --messages 1000 --load 10kHz", 1000),
        ("udp-largest", "--transport udp --message 65507B --messages 20 --load 100Hz", 20),
        ("tcp-large", "--transport tcp --message 1MiB --messages 5", 5),
        ("udp-poisson", "--transport udp --spacing poisson --load 2kHz --messages 500 --seed 7", 500),
        ("tcp-poisson", "--transport tcp --spacing poisson --load 2kHz --messages 500 --no-delay", 500),
        ("udp-burst", "--transport udp --spacing burst:64 --load 5kHz --messages 1000", 1000),
        ("udp-gap", "--transport udp --load 500us --messages 300 --segments-max 1 --dscp 46", 300),
        ("udp-intervals", "--transport udp --load 1kHz --messages 300 --interval 10ms", 300),
        ("tcp-intervals", "--transport tcp --load 1kHz --messages 300 --interval 7ms --streams 3", 300),
    ];
    let senders: Vec<_> =
        cases.iter().map(|(name, args, _)| ((*name).to_owned(), args.split(' ').collect())).collect();
    let (record, told) = measure(&senders);
    for ((name, args, messages), sender) in cases.iter().zip(&told) {
        let flows = if args.contains("--both") {
            vec![(*name).to_owned(), format!("{name} (reverse)")]
        } else {
            vec![(*name).to_owned()]
        };
        assert_eq!(sender.flows.len(), flows.len(), "{name}");
        for flow in flows.iter().map(|name| flow(&record, name)) {
            let expected = (Some(*messages), Some(*messages), Some(0), Some(0));
            let found =
                (flow.messages.sent, flow.messages.unique, flow.messages.duplicate, flow.messages.lost);
            assert_eq!(found, expected, "{}: {args}", flow.name);
        }
    }
    assert!(flow(&record, "udp-intervals").intervals.len() > 10);
    assert!(flow(&record, "tcp-intervals").intervals.len() > 10);
}

#[test]
fn a_flow_that_ends_by_time_is_counted_as_exactly_as_one_that_ends_by_number() {
    let senders: Vec<_> = [
        ("udp", "--transport udp --load 1kHz --duration 500ms --interval 100ms"),
        ("tcp", "--transport tcp --load 1kHz --duration 500ms --interval 100ms"),
        ("tcp-unlimited", "--transport tcp --duration 300ms --interval 50ms --streams 2"),
        ("udp-unlimited", "--transport udp --duration 300ms --interval 50ms --streams 2"),
        ("tcp-both", "--transport tcp --both --duration 300ms --message 100kB"),
    ]
    .map(|(name, args)| (name.to_owned(), args.split(' ').collect()))
    .to_vec();
    let (record, _) = measure(&senders);
    assert_eq!(record.flows.len(), 6);
    for name in ["udp", "tcp"] {
        // A turn that came while the host was busy elsewhere is not sent: never more than one per millisecond.
        let sent = flow(&record, name).messages.sent.expect("told");
        assert!((1..=500).contains(&sent), "{name}: {sent}");
    }
    for flow in record.flows.iter().filter(|flow| flow.name.starts_with("tcp")) {
        assert_eq!(flow.messages.lost, Some(0), "{}", flow.name);
    }
}

#[test]
fn without_a_barrier_senders_come_and_go_and_all_are_in_the_record() {
    let (server, address) = Program::serve(&[]);
    for round in 0..3 {
        let name = format!("y{round}");
        Program::flood(address, &name, &["--transport", "udp", "--messages", "100"]).record();
        Program::flood(address, &format!("{name}-tcp"), &["--messages", "100"]).record();
    }
    server.interrupt();
    let record = server.record();
    assert_all_explained(&record);
    assert_eq!((record.flows.len(), record.totals.messages.unique), (6, Some(600)));
}

#[test]
fn ipv6_is_served_like_ipv4() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        program::say_not_run("this host has no IPv6 on its loopback");
        return;
    }
    let (server, address) = Program::serve(&["--bind", "::1", "--once", "--barrier", "2"]);
    let senders = ["tcp", "udp"].map(|transport| {
        let args = ["--transport", transport, "--both", "--messages", "200", "--load", "2kHz"];
        Program::flood(address, transport, &args)
    });
    senders.into_iter().for_each(|sender| assert_all_explained(&sender.record()));
    let record = server.record();
    assert_all_explained(&record);
    assert_eq!((record.flows.len(), record.totals.messages.unique), (4, Some(800)));
}
