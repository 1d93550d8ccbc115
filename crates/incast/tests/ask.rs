//! `incast ask` and `incast answer` over loopback: what is asked is answered, counted and timed, and peers that
//! die, lie or have no key harm nobody else.

#[path = "support/program.rs"]
mod program;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};

use incast_core::caveat::CaveatKind;
use incast_core::record::{Exchange, Record, Verdict};
use program::{Program, write_key};

fn answerer(args: &[&str]) -> (Program, SocketAddr) {
    let mut answerer = Program::incast(["answer", "--port", "0", "--json"].iter().chain(args));
    let address = answerer.address();
    (answerer, address)
}

fn asker(to: &[SocketAddr], args: &[&str]) -> Program {
    let to: Vec<String> = to.iter().map(ToString::to_string).collect();
    let to = to.iter().map(String::as_str);
    Program::incast(["ask", "--json"].into_iter().chain(to).chain(args.iter().copied()))
}

fn only(record: &Record) -> &Exchange {
    let [exchange] = &record.exchanges[..] else { panic!("one exchange: {:?}", record.exchanges) };
    assert_eq!(exchange.residual.unwrap_or(0), 0, "the account closes: {exchange:?}");
    exchange
}

/// Asserts that every request was answered, and gives the exchange.
fn all_answered(record: &Record, asked: u64) -> &Exchange {
    let exchange = only(record);
    assert_eq!((exchange.asked, exchange.answered), (Some(asked), Some(asked)), "{exchange:?}");
    assert!(exchange.complete, "{:?}", record.caveats);
    exchange
}

#[test]
fn every_request_is_answered_over_tcp_and_both_ends_agree() {
    let (answerer, address) = answerer(&["--once"]);
    let record = asker(&[address], &["--response", "100kB", "--count", "50", "--outstanding", "4"]).record();
    let exchange = all_answered(&record, 50);
    assert_eq!((exchange.rounds, exchange.rounds_answered), (Some(50), Some(50)));
    let times = exchange.response.as_ref().expect("steady answers");
    assert_eq!(times.count, 46, "the first four stand apart");
    assert_eq!(times.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 46);
    assert!(exchange.first_us.is_some_and(|us| us > 0.0));
    let peer = &exchange.peers[0];
    assert_eq!((peer.requests_received, peer.responses_sent), (Some(50), Some(50)));
    let sent = peer.at_answerer.as_ref().and_then(|history| history.samples.last()).expect("a last look");
    assert!(sent.acknowledged_bytes >= Some(50 * 100_000), "{sent:?}");
    assert!(sent.congestion_window_segments > Some(0) && sent.round_trip_us.is_some());
    assert!(peer.packets_per_response > Some(0.9), "{peer:?}");
    let told = answerer.record();
    assert_eq!((only(&told).peers[0].responses_sent, told.verdict), (Some(50), Verdict::Good));
}

#[test]
fn a_response_over_udp_comes_in_datagrams_that_are_all_accounted_for() {
    let (_answerer, address) = answerer(&["--once"]);
    let args = ["--transport", "udp", "--response", "20kB", "--count", "40", "--outstanding", "2"];
    let record = asker(&[address], &args).record();
    let exchange = only(&record);
    let peer = &exchange.peers[0];
    // 20 kB are 14 datagrams of 1472 B. A busy host may lose one: then its request has timed out.
    let (sent, came) = (peer.datagrams_sent.expect("told"), peer.datagrams_received.expect("counted"));
    assert_eq!(Some(sent), peer.responses_sent.map(|responses| responses * 14));
    assert_eq!(
        peer.datagrams_lost,
        i64::try_from(sent).ok().zip(i64::try_from(came).ok()).map(|(s, c)| s - c)
    );
    assert!(exchange.answered >= Some(30), "loopback loses next to nothing: {exchange:?}");
}

#[test]
fn an_answerer_on_all_addresses_answers_from_the_one_that_is_asked() {
    let (_answerer, mut address) = answerer(&["--once", "--bind", "0.0.0.0"]);
    // The route back to 127.0.0.1 leaves from 127.0.0.1; who asked 127.0.0.2 would not hear it.
    address.set_ip([127, 0, 0, 2].into());
    let args = ["--transport", "udp", "--count", "20", "--timeout", "5s"];
    all_answered(&asker(&[address], &args).record(), 20);
}

#[test]
fn a_round_asks_every_answerer_and_is_over_with_the_last() {
    let answerers: Vec<(Program, SocketAddr)> =
        ["a", "b", "c"].iter().map(|name| answerer(&["--once", "--name", name])).collect();
    let to: Vec<SocketAddr> = answerers.iter().map(|(_, address)| *address).collect();
    let record = asker(&to, &["--response", "10kB", "--count", "60", "--service", "1ms"]).record();
    let exchange = all_answered(&record, 180);
    let names: Vec<&str> = exchange.peers.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!((names, exchange.rounds), (vec!["a", "b", "c"], Some(60)));
    let (round, response) =
        (exchange.round.as_ref().expect("rounds"), exchange.response.as_ref().expect("answers"));
    assert_eq!((round.count, response.count), (59, 177));
    assert!(round.us_min >= Some(1_000.0), "each worked on it for a ms: {round:?}");
    assert!(round.us_p50 >= response.us_p50);
    let last: f64 = exchange.peers.iter().filter_map(|peer| peer.last_fraction).sum();
    assert!((last - 1.0).abs() < 1e-9, "one is the last of each round: {last}");
}

#[test]
fn many_askers_of_one_answerer_are_each_answered() {
    let (answerer, address) = answerer(&["--once", "3"]);
    let askers: Vec<Program> = ["p", "q", "r"]
        .iter()
        .map(|name| asker(&[address], &["--response", "50kB", "--count", "30", "--name", name]))
        .collect();
    for asker in askers {
        all_answered(&asker.record(), 30);
    }
    let mut names: Vec<String> =
        answerer.record().exchanges.into_iter().map(|exchange| exchange.from).collect();
    names.sort();
    assert_eq!(names, ["p", "q", "r"]);
}

#[test]
fn an_open_loop_counts_from_the_moment_when_a_request_was_meant_to_leave() {
    let (_answerer, address) = answerer(&["--once"]);
    // Every answer takes 20 ms and one may be open: of a request each 5 ms most leave late.
    let args = ["--load", "200Hz", "--service", "20ms", "--duration", "500ms"];
    let record = asker(&[address], &args).finish().record_of_any_end();
    let exchange = only(&record);
    let (left, meant) =
        (exchange.response.as_ref().expect("some"), exchange.intended.as_ref().expect("some"));
    assert!(meant.us_max > left.us_p50.map(|us| us * 3.0), "{meant:?} {left:?}");
    assert!(exchange.rounds_overdue > Some(0));
    assert!(record.caveats.iter().any(|doubt| doubt.kind == CaveatKind::SenderBelowIntendedLoad));
}

#[test]
fn nothing_answered_is_no_result() {
    let (_answerer, address) = answerer(&["--once"]);
    // The answers are worked on for longer than anyone waits.
    let args = ["--transport", "udp", "--count", "3", "--service", "300ms", "--timeout", "20ms"];
    let record = asker(&[address], &args).finish().record(1);
    let exchange = only(&record);
    assert_eq!((exchange.asked, exchange.answered, exchange.timed_out), (Some(3), Some(0), Some(3)));
    assert_eq!((record.verdict, exchange.timeout_us), (Verdict::Incomplete, Some(20_000.0)));
    assert!(record.caveats.iter().any(|doubt| doubt.kind == CaveatKind::NobodyListens), "{record:?}");
}

#[test]
fn a_connection_for_every_request_is_one() {
    let (_answerer, address) = answerer(&["--once"]);
    let args = ["--new-connections", "--response", "5kB", "--count", "25", "--outstanding", "2"];
    let record = asker(&[address], &args).record();
    let exchange = all_answered(&record, 25);
    assert!(exchange.new_connections);
    assert_eq!(exchange.peers[0].connections, Some(25));
}

#[test]
fn spinning_ends_answer_as_well() {
    for transport in ["tcp", "udp"] {
        let (_answerer, address) = answerer(&["--once"]);
        let args = ["--spin", "--transport", transport, "--count", "300", "--timeout", "10s"];
        all_answered(&asker(&[address], &args).record(), 300);
    }
}

#[test]
fn an_answerer_that_dies_costs_its_own_requests_only() {
    let (dying, first) = answerer(&[]);
    let (_living, second) = answerer(&["--once"]);
    let mut asker = asker(&[first, second], &["--count", "2000", "--service", "1ms"]);
    asker.wait_for_line(|line| line.starts_with("ask ").then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    dying.kill();
    let record = asker.finish().record(1);
    let exchange = only(&record);
    assert_eq!(record.verdict, Verdict::Incomplete);
    assert_eq!(exchange.peers[1].answered, Some(2_000), "the other one goes on");
    let dead = &exchange.peers[0];
    assert!(dead.failed > Some(0) && dead.responses_sent.is_none(), "{dead:?}");
    assert!(record.caveats.iter().any(|doubt| doubt.kind == CaveatKind::PeerVanished));
}

#[test]
fn an_asker_that_dies_leaves_the_answerer_to_others() {
    let (answerer, address) = answerer(&["--once", "2"]);
    let mut dying = asker(&[address], &["--response", "1MB", "--duration", "60s", "--name", "dying"]);
    dying.wait_for_line(|line| line.starts_with("ask ").then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    dying.kill();
    all_answered(&asker(&[address], &["--count", "20", "--name", "living"]).record(), 20);
    let record = answerer.finish().record_of_any_end();
    let names: Vec<&str> = record.exchanges.iter().map(|exchange| exchange.from.as_str()).collect();
    assert!(names.contains(&"dying") && names.contains(&"living"), "{names:?}");
}

#[test]
fn nonsense_is_turned_away_and_nobody_is_held_up() {
    let (answerer, address) = answerer(&["--once"]);
    let mut rubbish = TcpStream::connect(address).expect("connect");
    rubbish.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("write");
    let mut stranger = TcpStream::connect(address).expect("connect");
    stranger.write_all(b"INCASTD1\x01\x02\x03\x04\x05\x06\x07\x08").expect("write");
    let mut rest = Vec::new();
    assert_eq!(stranger.read_to_end(&mut rest).unwrap_or(0), 0, "no answer without a ticket");
    let silent = TcpStream::connect(address).expect("connect");
    // Nobody answers datagrams on the answerer's own port.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
    socket.send_to(&[0; 64], address).expect("send");
    all_answered(&asker(&[address], &["--count", "20"]).record(), 20);
    drop(silent);
    let faults = answerer.finish().record_of_any_end().faults;
    assert_eq!((faults.rubbish_connections, faults.strangers), (1, 1), "{faults:?}");
}

#[test]
fn without_its_key_nobody_is_answered() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (write_key(dir.path(), "one.key"), write_key(dir.path(), "other.key"));
    let (answerer, address) = answerer(&["--once", "--key-file", &one]);
    for args in [&["--key-file", &other][..], &[]] {
        let refused = asker(&[address], args).finish();
        refused.expect_code(2);
        assert!(refused.stderr.contains("--key-file"), "{}", refused.stderr);
    }
    all_answered(&asker(&[address], &["--count", "5", "--key-file", &one]).record(), 5);
    assert_eq!(answerer.finish().record_of_any_end().faults.wrong_keys, 2);
}

#[test]
fn what_cannot_be_asked_is_refused_in_words() {
    for (args, says) in [
        (&["--response", "65MiB"][..], "16 to 67108864 B"),
        (&["--request", "8B"], "16 to"),
        (&["--transport", "udp", "--response", "32MiB"], "16777216"),
        (&["--transport", "udp", "--new-connections"], "settings of TCP"),
        (&["--spacing", "poisson"], "--load"),
        (&["--load", "1kHz", "--think", "1s"], "closed loop"),
        (&["--outstanding", "0"], "1..=1024"),
    ] {
        let refused = asker(&["127.0.0.1:1".parse().expect("an address")], args).finish();
        refused.expect_code(2);
        assert!(refused.stderr.contains(says), "{args:?}: {}", refused.stderr);
    }
    let nobody = asker(&["127.0.0.1:1".parse().expect("an address")], &["--count", "1"]).finish();
    nobody.expect_code(2);
    assert!(nobody.stderr.contains("connection refused"), "{}", nobody.stderr);
}

#[test]
fn ctrl_c_ends_it_and_keeps_what_was_measured() {
    let (_answerer, address) = answerer(&["--once"]);
    let mut asker = asker(&[address], &["--duration", "60s", "--think", "1ms"]);
    asker.wait_for_line(|line| line.starts_with("ask ").then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(400));
    asker.interrupt();
    let record = asker.finish().record(1);
    assert_eq!(record.verdict, Verdict::Interrupted);
    assert!(only(&record).answered > Some(10), "{:?}", only(&record));
}
