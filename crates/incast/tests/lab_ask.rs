//! Exchanges in a lab: over a long path, through a shallow port, and over one that loses datagrams.
//!
//! Needs root. In CI it fails without; elsewhere it says so and passes.

#[path = "support/account.rs"]
mod account;
#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/lab.rs"]
mod support;

use incast_core::record::{Exchange, Record};

use coordinator::{directory, incast_in, read_record};
use support::{Inventory, may_make_labs};

/// Runs a scenario of exchanges, and takes away what it made.
fn play(name: &str, text: &str) -> Record {
    let inventory = Inventory::take(name);
    let mut started = incast_in(directory(&[("scenario.toml", text)]), ["lab", "scenario.toml", "--json"]);
    let ended = started.wait();
    inventory.assert_nothing_left(&started);
    let record = read_record(&ended.stdout);
    let exchange = only(&record);
    assert_eq!(exchange.residual, Some(0), "{exchange:?}");
    record
}

fn only(record: &Record) -> &Exchange {
    let [exchange] = &record.exchanges[..] else { panic!("one exchange: {:?}", record.caveats) };
    exchange
}

#[test]
fn a_long_path_takes_its_round_trip_and_the_first_answer_several() {
    let Some(_one) = may_make_labs() else { return };
    let record = play(
        "ask-path",
        r#"
incast = 1
name = "ask-path"
host = [{name = "near"}, {name = "far"}]
switch = [{name = "main", when_full = "drop", rate = "100Mbit/s", queue = "2MB", port_queue = "2MB"}]
cable = [{from = "near", to = "main"}, {from = "far", to = "main", delay = "30ms"}]
exchange = [{name = "e", from = "far", to = "near", response = "200kB", count = 12, congestion = "cubic"}]
"#,
    );
    let exchange = only(&record);
    assert_eq!(exchange.answered, Some(12), "{exchange:?}");
    let times = exchange.response.as_ref().expect("steady answers");
    // 60 ms of path and 17 ms of wire; what is above is this machine's.
    assert!(times.us_min >= Some(60_000.0), "{times:?}");
    // Ten segments, doubled each round trip (RFC 6928, RFC 5681): 139 segments need four of 60 ms.
    assert!(exchange.first_us >= Some(180_000.0) && exchange.first_us > times.us_min, "{exchange:?}");
    let peer = &exchange.peers[0];
    let packets = peer.packets_per_response.expect("told");
    assert!((138.0..200.0).contains(&packets), "200 kB are 139 segments of 1448 B: {packets}");
    let window = |history: &incast_core::record::TcpHistory| {
        history.samples.iter().filter_map(|sample| sample.congestion_window_segments).max()
    };
    assert!(peer.at_answerer.as_ref().and_then(window) >= Some(100), "the window has grown");
}

#[test]
fn many_answers_at_one_shallow_port_lose_segments_and_hold_up_their_round() {
    let Some(_one) = may_make_labs() else { return };
    let record = play(
        "ask-incast",
        r#"
incast = 1
name = "ask-incast"
duration = "2s"
host = [{name = "a"}, {name = "s", count = 6}]
switch = [{name = "main", when_full = "drop", rate = "50Mbit/s", port_queue = "16kB"}]
cable = [{from = "a", to = "main"}, {from = "s", to = "main"}]
exchange = [{name = "e", from = "a", to = "s", response = "32kB", timeout = "20s"}]
"#,
    );
    let exchange = only(&record);
    assert_eq!(exchange.peers.len(), 6);
    assert!(exchange.rounds_answered > Some(1), "{exchange:?}");
    let again: u64 = exchange.peers.iter().filter_map(|peer| peer.retransmits).sum();
    assert!(again > 0, "six times ten segments do not fit a port of ten");
    let (round, response) = (exchange.round.as_ref(), exchange.response.as_ref());
    assert!(round.and_then(|times| times.us_p50) > response.and_then(|times| times.us_p50));
    let ledger = record.ledger.as_ref().expect("a lab has the kernel's book");
    assert!(
        ledger.stages.iter().any(|stage| stage.stage == "switch_port" && stage.packets > 0),
        "{ledger:?}"
    );
}

#[test]
fn what_a_path_loses_of_datagrams_is_counted_and_its_requests_time_out() {
    let Some(_one) = may_make_labs() else { return };
    let record = play(
        "ask-lossy",
        r#"
incast = 1
name = "ask-lossy"
host = [{name = "near"}, {name = "far"}]
switch = [{name = "main", when_full = "drop", rate = "100Mbit/s"}]
cable = [{from = "near", to = "main"}, {from = "far", to = "main", delay = "1ms", loss = 0.05}]
exchange = [{name = "e", from = "far", to = "near", transport = "udp", response = "7kB", count = 200, outstanding = 4, timeout = "50ms"}]
"#,
    );
    let exchange = only(&record);
    let (answered, timed_out) = (exchange.answered.expect("counted"), exchange.timed_out.expect("counted"));
    assert_eq!(answered + timed_out, 200);
    // A request and five datagrams: 0.95^6 of them arrive whole, 147 of 200 (standard deviation 6.2).
    assert!((110..185).contains(&answered), "{answered}");
    let peer = &exchange.peers[0];
    assert!(peer.datagrams_lost > Some(0) && peer.requests_received < Some(200), "{peer:?}");
    let lost = |name: &str| {
        let links = record.network.iter().flat_map(|network| &network.cables).flat_map(|cable| &cable.links);
        links.filter(|link| link.way == name).map(|link| link.lost_packets).sum::<u64>()
    };
    let datagrams = i64::try_from(lost("main -> far")).expect("few");
    // TCP of the control connection goes another way; ARP is static.
    // A busy machine may drop one more behind the link.
    assert!(peer.datagrams_lost >= Some(datagrams) && datagrams > 0, "the link's own count: {datagrams}");
    assert!(peer.requests_received.map(|came| 200 - came) >= Some(lost("far -> main")));
}
