//! Peers that say nothing, talk rubbish, lie, or die: the others go on, and the fault is counted and
//! named. Nobody has to trust anybody.
//!
//! Well-behaved senders run all the while, begun after the first of the hostile ones: one that only
//! connects must not hold up those behind it (it does in a well-known tool).

#[path = "support/account.rs"]
mod account;
#[path = "support/crafted.rs"]
mod crafted;
#[path = "support/program.rs"]
mod program;
#[path = "support/relay.rs"]
mod relay;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};

use account::{assert_all_explained, assert_closed, assert_law_1, flow, has_caveat, only_flow};
use crafted::{Crafted, hello};
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::control::Message;
use incast_core::flood::report::{Measured, Sent};
use incast_core::load::{Direction, Transport};
use incast_core::record::{Faults, Record, Verdict};
use incast_core::sequence::Counts;
use program::{Finished, PATIENCE, Program, write_key};
use relay::{Fate, Relay};

/// Senders that do everything right, for as long as the hostile ones are at work.
struct GoodSenders([Program; 2]);

impl GoodSenders {
    fn start(server: SocketAddr, messages: u64) -> Self {
        let messages = messages.to_string();
        Self(["udp", "tcp"].map(|transport| {
            let args = ["--transport", transport, "--load", "500Hz", "--messages", &messages];
            Program::flood(server, transport, &args)
        }))
    }

    /// Waits for their ends, ends the server, and gives its record: both accounts in it are closed.
    fn finish(self, server: Program) -> Record {
        self.end(server).record_of_any_end()
    }

    /// The same; gives all that the server left.
    fn end(self, server: Program) -> Finished {
        for sender in self.0 {
            assert_all_explained(&sender.record());
        }
        server.interrupt();
        let finished = server.finish();
        let record = finished.record_of_any_end();
        for name in ["udp", "tcp"] {
            let flow = flow(&record, name);
            assert_closed(name, &flow.messages);
            assert_eq!((flow.messages.unexplained, flow.messages.lost), (Some(0), Some(0)), "{name}");
            assert!(flow.complete);
        }
        finished
    }
}

/// Connects, says `words`, and leaves if it is to.
fn connect_and_say(server: SocketAddr, words: &[u8], leave: bool) -> TcpStream {
    let mut connection = TcpStream::connect(server).expect("connect");
    connection.write_all(words).expect("write");
    if leave {
        connection.shutdown(Shutdown::Write).expect("shut down");
    }
    connection
}

/// Returns when the server has ended the connection, in whatever way.
fn wait_for_the_end(mut connection: &TcpStream) {
    connection.set_read_timeout(Some(PATIENCE)).expect("set a timeout");
    let ended = match connection.read(&mut [0; 1024]) {
        Ok(0) => true,
        Ok(_) => panic!("the server answered a stranger"),
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    assert!(ended, "the server kept the connection");
}

#[test]
fn silence_rubbish_and_junk_disturb_nobody_and_are_counted_by_name() {
    let (server, address) = Program::serve(&[]);
    // They are there before anybody else, and stay for as long as they are let.
    let silent: Vec<TcpStream> = [&b""[..], b"", b"", b"INCA", b"INCASTC1", b"INCASTC1\x00\x30", b"INCASTD1"]
        .map(|words| connect_and_say(address, words, false))
        .into();
    let good = GoodSenders::start(address, 3_000);

    let unknown_stream = [&b"INCASTD1"[..], &[7; 8], &[0; 4096]].concat();
    let wrong_greeting = [&b"INCASTC1\x00\x30"[..], &[7; 48]].concat();
    let talkers: Vec<TcpStream> = [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], false),
        (&b"INCASTC2........"[..], false),
        (&[0xff; 64], true),
        (b"INCA", true),
        (b"", true),
        (b"INCASTC1\x00\x30half", true),
        (b"INCASTD1half", true),
        (b"INCASTC1\xff\xff", false),
        (b"INCASTC1\x00\x00", false),
        (&wrong_greeting, false),
        (&unknown_stream, true),
    ]
    .map(|(words, leave)| connect_and_say(address, words, leave))
    .into();

    let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let junk = [0xa5_u8; 1_472];
    for length in 0..3_000 {
        socket.send_to(&junk[..length % junk.len()], address).expect("send");
    }
    talkers.iter().chain(&silent).for_each(wait_for_the_end);
    socket.set_nonblocking(true).expect("make it not wait");
    assert!(socket.recv(&mut [0; 64]).is_err(), "nothing answers an unauthenticated datagram");

    let record = good.finish(server);
    let expected = Faults {
        silent_connections: 7,
        rubbish_connections: 3,
        truncated_connections: 4,
        bad_lengths: 2,
        wrong_keys: 1,
        strangers: 3_001,
        ..Faults::default()
    };
    assert_eq!(record.faults, expected);
    assert_eq!((record.flows.len(), record.totals.receiver_socket_drops), (2, Some(0)));
    assert!(has_caveat(&record, CaveatKind::PeerNonsense));
    let told = record.caveats.iter().find(|caveat| caveat.kind == CaveatKind::PeerNonsense);
    assert!(told.is_some_and(|caveat| caveat.text.contains("7 silent connections")), "{told:?}");
}

#[test]
fn a_key_lets_in_whoever_has_it_and_nobody_else() {
    let keys = tempfile::tempdir().expect("a directory");
    let (ours, other) = (write_key(keys.path(), "ours"), write_key(keys.path(), "other"));
    let (server, address) = Program::serve(&["--key-file", &ours]);
    for args in [&["--key-file", &other][..], &[]] {
        let refused = Program::flood(address, "stranger", args).finish();
        refused.expect_code(2);
        assert!(refused.stderr.contains("--key-file"), "{}", refused.stderr);
        assert_eq!(refused.stdout, "", "there is nothing to record");
    }
    Program::flood(address, "friend", &["--key-file", &ours, "--messages", "10"]).record();
    server.interrupt();
    let record = server.record();
    assert_all_explained(&record);
    assert_eq!(record.faults, Faults { wrong_keys: 2, ..Faults::default() });
    assert!(record.caveats.iter().any(|caveat| caveat.advice.contains("--key-file")), "{:?}", record.caveats);
}

#[test]
fn a_peer_that_was_let_in_and_breaks_the_rules_is_counted() {
    let (server, address) = Program::serve(&[]);
    let good = GoodSenders::start(address, 500);
    // What no message can be: another program's JSON, a message too early, one that does not decrypt,
    // and a frame shorter than its own tag.
    let mut other_program = Crafted::dial(address);
    other_program.say_anything(&serde_json::json!({ "method": "initialize", "id": 1 }));
    let mut too_early = Crafted::dial(address);
    too_early.say(&Message::Ready);
    let mut forger = Crafted::dial(address);
    forger.write(&[&[0, 20][..], &[7; 20]].concat());
    let mut too_short = Crafted::dial(address);
    too_short.write(&[0, 15]);
    let mut twice = Crafted::dial(address);
    twice.say(&hello("twice", Transport::Tcp, Direction::Forward, 1));
    assert!(matches!(twice.hear(), Some(Message::Accept { .. })));
    twice.say(&hello("twice", Transport::Tcp, Direction::Forward, 1));
    for peer in [other_program, too_early, forger, too_short, twice] {
        peer.wait_for_the_end();
    }
    // These break no rule; they leave, or are refused and told why.
    let mut leaver = Crafted::dial(address);
    leaver.say(&hello("leaver", Transport::Udp, Direction::Forward, 3));
    assert!(matches!(leaver.hear(), Some(Message::Accept { .. })));
    drop(leaver);
    let mut greedy = Crafted::dial(address);
    greedy.say(&hello("greedy", Transport::Udp, Direction::Forward, 100_000));
    let Some(Message::Refuse { reason }) = greedy.hear() else { panic!("it should be refused") };
    assert!(reason.contains("100000 streams"), "{reason}");

    let record = good.finish(server);
    assert_eq!(record.faults, Faults { bad_messages: 4, bad_lengths: 1, ..Faults::default() });
    assert_eq!(record.flows.len(), 2, "nobody else came as far as a flow");
}

#[test]
fn a_data_connection_cut_in_a_message_is_counted_and_its_whole_messages_are_too() {
    let (server, address) = Program::serve(&[]);
    let good = GoodSenders::start(address, 500);
    let mut peer = Crafted::dial(address);
    let mut data = peer.start_tcp("cut", Direction::Forward, address);
    for counter in 1..=3_u64 {
        data.write_all(&counter.to_le_bytes()).expect("write");
        data.write_all(&[0; 1016]).expect("write");
    }
    // The fourth, in part; its counter alone is there.
    data.write_all(&4_u64.to_le_bytes()).expect("write");
    drop(data);
    peer.say(&Message::Sent(Box::new(sent(5))));
    let Some(Message::Measured(measured)) = peer.hear() else { panic!("the server tells what it measured") };
    assert_eq!((measured.counts.received, measured.counts.lost, measured.partial_bytes), (3, 2, 8));
    drop(peer);

    let record = good.finish(server);
    assert_law_1(&record);
    let messages = &flow(&record, "cut").messages;
    assert_eq!((messages.sent, messages.unique, messages.lost), (Some(5), Some(3), Some(2)));
    assert_eq!(record.faults, Faults { truncated_connections: 1, ..Faults::default() });
}

#[test]
fn a_sender_that_lies_about_itself_harms_its_own_account_only() {
    let (server, address) = Program::serve(&[]);
    let good = GoodSenders::start(address, 500);
    let brings_seven = |name: &str| {
        let mut peer = Crafted::dial(address);
        let mut data = peer.start_tcp(name, Direction::Forward, address);
        // Seven that may be, and two whose counters no sender reaches.
        for counter in (1..=7).chain([0, u64::MAX]) {
            let message = [&counter.to_le_bytes()[..], &[0; 1016]].concat();
            data.write_all(&message).expect("write");
        }
        peer
    };
    for (name, total) in [("too-few", 5), ("none", 0), ("all-there-are", u64::MAX)] {
        let mut peer = brings_seven(name);
        peer.say(&Message::Sent(Box::new(sent(total))));
        assert!(matches!(peer.hear(), Some(Message::Measured(_))), "{name}");
    }
    // Accounts that cannot be: intervals that shrink, and streams that were never granted.
    let shrinking = Sent { intervals: vec![3, 2], ..sent(7) };
    let one_too_many = Sent { stream_messages: vec![7, 7], ..sent(7) };
    for (name, lie) in [("shrinking", shrinking), ("one-too-many", one_too_many)] {
        let mut peer = brings_seven(name);
        peer.say(&Message::Sent(Box::new(lie)));
        peer.wait_for_the_end();
    }
    let record = good.finish(server);
    assert_eq!(record.faults, Faults { implausible_counters: 10, bad_messages: 2, ..Faults::default() });
    let account = |name: &str| {
        let messages = &flow(&record, name).messages;
        (messages.unique, messages.sent, messages.unexplained)
    };
    assert_eq!(account("too-few"), (Some(7), Some(5), Some(-2)));
    assert_eq!(account("none"), (Some(7), Some(0), Some(-7)));
    assert_eq!(account("all-there-are").0, Some(7));
    for name in ["shrinking", "one-too-many"] {
        assert_eq!(account(name), (Some(7), None, None));
        assert!(!flow(&record, name).complete);
    }
    assert!(has_caveat(&record, CaveatKind::AccountOpen));
    assert_eq!(record.verdict, Verdict::Incomplete);
}

/// Lets receivers ask for three messages each and claim to have measured this; what the server
/// left, in which well-behaved flows are closed.
fn hear_lies(lies: impl IntoIterator<Item = (&'static str, Measured)>) -> Finished {
    let (server, address) = Program::serve(&[]);
    let good = GoodSenders::start(address, 500);
    for (name, lie) in lies {
        let mut peer = Crafted::dial(address);
        // It takes what the server sends and reads none of it.
        let data = peer.start_tcp(name, Direction::Reverse, address);
        let Some(Message::Sent(sent)) = peer.hear() else { panic!("{name}: the server tells its total") };
        assert_eq!(sent.stream_messages, [3], "{name}");
        peer.say(&Message::Measured(Box::new(lie)));
        peer.wait_for_the_end();
        drop(data);
    }
    good.end(server)
}

fn measured(unique: u64) -> Measured {
    let counts = Counts { received: unique, unique, lost: u64::MAX, ..Counts::default() };
    Measured { counts, first_ns: Some(0), last_ns: Some(u64::MAX), ..Measured::default() }
}

#[test]
fn a_receiver_that_lies_without_measure_harms_its_own_account_only() {
    let mut late = measured(u64::MAX);
    (late.first_ns, late.last_ns, late.start_unix_ns) = (Some(u64::MAX), Some(u64::MAX), Some(u64::MAX));
    (late.uncounted, late.partial_bytes, late.socket_drops) = (u64::MAX, u64::MAX, Some(u64::MAX));
    // A word for the terminal, in more than one sense.
    late.caveats = vec![Caveat::new(CaveatKind::GsoRefused, "\u{1b}[2J\u{7}gone", "\u{202e}enog")];
    let finished = hear_lies([("one", measured(u64::MAX)), ("another", late)]);
    assert!(!finished.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", finished.stderr);
    let record = finished.record_of_any_end();
    assert_eq!((record.faults.total(), record.flows.len()), (0, 4));
    for name in ["one", "another"] {
        assert!(flow(&record, name).messages.unexplained.is_some_and(|open| open < 0), "{name}");
    }
    assert!(has_caveat(&record, CaveatKind::AccountOpen));
}

#[test]
fn an_account_that_cannot_be_is_not_taken() {
    let with = |change: fn(&mut Measured)| {
        let mut lie = measured(7);
        change(&mut lie);
        lie
    };
    let lies = [
        ("against-law-1", with(|lie| lie.counts.duplicate = 1)),
        ("overflowing", with(|lie| (lie.counts.unique, lie.counts.duplicate) = (u64::MAX, 8))),
        ("shrinking", with(|lie| lie.intervals = vec![measured(8).counts])),
        ("over-before-it-began", with(|lie| (lie.first_ns, lie.last_ns) = (Some(2), Some(1)))),
    ];
    let names = lies.each_ref().map(|(name, _)| *name);
    let record = hear_lies(lies).record_of_any_end();
    assert_eq!(record.faults, Faults { bad_messages: 4, ..Faults::default() });
    for name in names {
        let messages = &flow(&record, name).messages;
        assert_eq!((messages.sent, messages.received, messages.unexplained), (Some(3), None, None), "{name}");
    }
}

/// What a sender of one stream tells of itself.
fn sent(messages: u64) -> Sent {
    Sent { stream_messages: vec![messages], duration_ns: 1_000_000, complete: true, ..Sent::default() }
}

#[test]
fn a_connection_cut_in_a_plain_message_is_counted_too() {
    let args = ["--plain", "--transport", "tcp", "--message", "1024B", "--once"];
    let (server, address) = Program::serve(&args);
    let mut connection = TcpStream::connect(address).expect("connect");
    for counter in 1..=2_u64 {
        connection.write_all(&[&counter.to_le_bytes()[..], &[0; 1016]].concat()).expect("write");
    }
    connection.write_all(b"half").expect("write");
    drop(connection);
    let record = server.record();
    assert_law_1(&record);
    assert_eq!(only_flow(&record).messages.unique, Some(2));
    assert_eq!(record.faults, Faults { truncated_connections: 1, ..Faults::default() });
}

/// A relay to `server` that disturbs nothing and tells when a sender has begun.
fn watched(server: SocketAddr) -> (Relay, Receiver<()>) {
    let (begun, wait) = channel();
    let mut begun = Some(begun);
    let relay = Relay::start(server, move |datagram| {
        // A second message is on its way: the first is long there.
        if datagram.index == 100 {
            begun.take().map(|begun| begun.send(()));
        }
        Fate::Pass
    });
    (relay, wait)
}

#[test]
fn a_sender_that_is_killed_leaves_what_it_brought_and_the_others_go_on() {
    let (server, address) = Program::serve(&[]);
    let good = GoodSenders::start(address, 1_500);
    let (relay, begun) = watched(address);
    let args = ["--transport", "udp", "--load", "1kHz", "--duration", "60s"];
    let doomed = Program::flood(relay.addr(), "doomed", &args);
    begun.recv_timeout(PATIENCE).expect("it begins");
    doomed.kill();
    let record = good.finish(server);
    drop(relay);
    assert_law_1(&record);
    let flow = flow(&record, "doomed");
    assert!(flow.messages.received.is_some_and(|received| received > 0), "{:?}", flow.messages);
    // It told nobody what it had sent: unknown, and not 0.
    assert_eq!((flow.messages.sent, flow.messages.unexplained, flow.complete), (None, None, false));
    assert!(has_caveat(&record, CaveatKind::PeerVanished));
    assert_eq!(record.verdict, Verdict::Incomplete);
}

#[test]
fn a_server_that_is_killed_leaves_the_sender_a_record_of_what_it_sent() {
    let (server, address) = Program::serve(&[]);
    let (relay, begun) = watched(address);
    let args = ["--transport", "udp", "--load", "1kHz", "--duration", "60s"];
    let sender = Program::flood(relay.addr(), "y", &args);
    begun.recv_timeout(PATIENCE).expect("it begins");
    server.kill();
    drop(relay);
    let record = sender.finish().record(1);
    assert_law_1(&record);
    let messages = &only_flow(&record).messages;
    assert!(messages.sent.is_some_and(|sent| sent >= 100), "{messages:?}");
    assert_eq!((messages.received, messages.lost, messages.unexplained), (None, None, None));
    assert!(has_caveat(&record, CaveatKind::PeerVanished));
    assert_eq!(record.verdict, Verdict::Incomplete);
}

#[test]
fn an_interrupted_end_stops_both_and_the_account_is_whole() {
    for interrupt_the_server in [false, true] {
        let (server, address) = Program::serve(&["--once"]);
        let (relay, begun) = watched(address);
        let args = ["--transport", "udp", "--load", "1kHz", "--duration", "60s", "--interval", "10ms"];
        let sender = Program::flood(relay.addr(), "y", &args);
        begun.recv_timeout(PATIENCE).expect("it begins");
        if interrupt_the_server {
            server.interrupt()
        } else {
            sender.interrupt()
        }
        let ends = [sender.finish(), server.finish()];
        assert_eq!(relay.stop().kernel_drops, 0);
        for record in ends.iter().map(Finished::record_of_any_end) {
            assert_all_explained(&record);
            let messages = &only_flow(&record).messages;
            assert!(messages.sent.is_some_and(|sent| (100..60_000).contains(&sent)), "{messages:?}");
            assert_eq!(messages.lost, Some(0));
        }
        if !interrupt_the_server {
            let record = ends[0].record(1);
            assert_eq!(record.verdict, Verdict::Interrupted);
            assert!(has_caveat(&record, CaveatKind::Interrupted));
        }
    }
}
