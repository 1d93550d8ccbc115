//! Real hosts: what their counters say, and what the ledger makes of it.

use super::*;
use crate::ledger::reading::{Device, Traced};
use crate::record::{Batching, Messages};

fn flow(sent: u64, unique: u64) -> Flow {
    Flow {
        transport: Some(Transport::Udp),
        messages: Messages { sent: Some(sent), unique: Some(unique), ..Messages::default() },
        ..Flow::default()
    }
}

fn book(host: &str, counters: &[(&str, u64)]) -> HostBook {
    HostBook {
        host: host.into(),
        identity: host.into(),
        counters: counters.iter().map(|(name, value)| ((*name).into(), *value)).collect(),
        ..HostBook::default()
    }
}

fn device(name: &str, driver: &str) -> Device {
    Device { name: name.into(), driver: driver.into(), ..Device::default() }
}

fn died(ledger: &Ledger) -> Vec<(&str, u64)> {
    ledger.stages.iter().map(|entry| (entry.stage.as_str(), entry.messages)).collect()
}

#[test]
fn losses_at_both_ends_are_told_apart_and_what_is_left_is_on_the_way() {
    let mut sender = book("y", &[]);
    sender.devices = vec![Device { queue_dropped: Some(30), ..device("eth0", "igb") }];
    let mut receiver = book("x", &[("Udp.RcvbufErrors", 50), ("Udp.InErrors", 50)]);
    receiver.devices = vec![Device { in_missed: 15, ..device("eth0", "igb") }];
    let (ledger, caveats) = close_hosts(&[flow(1000, 900)], vec![sender, receiver], &[], 0);
    assert_eq!(died(&ledger), [("host_queue", 30), ("receiver_ring", 15), ("socket_buffer", 50)]);
    assert_eq!(ledger.unexplained, Some(5));
    assert_eq!(caveats[0].kind, CaveatKind::StageUncertain);
    assert!(caveats[0].text.starts_with("5 of 100 lost messages"), "{caveats:?}");
    assert!(ledger.sources.iter().any(|source| source.name == "switches" && !source.read));
}

#[test]
fn a_host_that_plays_several_roles_is_counted_once_and_one_that_tells_nothing_is_named() {
    let long = HostBook { duration_ns: 9, ..book("x", &[("Udp.RcvbufErrors", 10), ("Udp.InErrors", 10)]) };
    let short = HostBook { duration_ns: 5, ..book("x", &[("Udp.RcvbufErrors", 7), ("Udp.InErrors", 7)]) };
    let (ledger, _) = close_hosts(&[flow(20, 10)], vec![short, long], &["y".into()], 0);
    assert_eq!((died(&ledger), ledger.unexplained), (vec![("socket_buffer", 10)], Some(0)));
    let absent = ledger.sources.iter().find(|source| source.host == "y").unwrap();
    assert!(!absent.read && absent.uncertain.contains(&"host_queue".to_owned()));
}

#[test]
fn a_drop_that_three_counters_saw_is_counted_once() {
    // Both ends of a virtual pair, and the core whose backlog was full.
    let mut sender = book("y", &[]);
    sender.devices = vec![Device { out_dropped: 40, index: 2, peer: 7, ..device("e0", "veth") }];
    let mut receiver = HostBook { softnet_dropped: Some(25), ..book("x", &[]) };
    receiver.devices = vec![Device { in_dropped: 25, index: 7, peer: 2, ..device("e0", "veth") }];
    let (ledger, caveats) = close_hosts(&[flow(100, 60)], vec![sender, receiver], &[], 0);
    assert_eq!(died(&ledger), [("receiver_ring", 15), ("receiver_backlog", 25)]);
    assert_eq!((ledger.unexplained, caveats), (Some(0), vec![]));
}

#[test]
fn messages_in_trains_die_by_the_train_and_one_place_has_them_all() {
    let train = |sent, unique| Flow {
        batching: Batching { segments_max: Some(40), ..Batching::default() },
        ..flow(sent, unique)
    };
    let counters = [("Udp.RcvbufErrors", 3), ("Udp.InErrors", 3)];
    let (ledger, caveats) = close_hosts(&[train(1000, 900)], vec![book("x", &counters)], &[], 0);
    assert_eq!((ledger.stages[0].packets, ledger.stages[0].messages, ledger.unexplained), (3, 100, Some(0)));
    assert_eq!(caveats, []);
    let both = [("Udp.RcvbufErrors", 3), ("Udp.InErrors", 3), ("Udp.NoPorts", 1)];
    let (ledger, caveats) = close_hosts(&[train(1000, 900)], vec![book("x", &both)], &[], 0);
    assert_eq!(
        (died(&ledger), ledger.unexplained),
        (vec![("no_listener", 25), ("socket_buffer", 75)], Some(0))
    );
    assert_eq!(caveats[0].kind, CaveatKind::StageUncertain);
}

#[test]
fn what_others_lost_is_not_taken_for_ours() {
    let counters = [("Udp.RcvbufErrors", 500), ("Udp.InErrors", 500), ("Udp.NoPorts", 500)];
    let (ledger, caveats) = close_hosts(&[flow(100, 100)], vec![book("x", &counters)], &[], 0);
    assert_eq!(
        (died(&ledger), ledger.unexplained),
        (vec![("no_listener", 0), ("socket_buffer", 0)], Some(0))
    );
    assert_eq!(caveats, []);
    let (ledger, caveats) = close_hosts(&[flow(100, 90)], vec![book("x", &counters)], &[], 0);
    assert_eq!(
        (died(&ledger), ledger.unexplained),
        (vec![("no_listener", 5), ("socket_buffer", 5)], Some(0))
    );
    assert_eq!(caveats.len(), 1);
}

#[test]
fn a_datagram_in_pieces_dies_where_it_should_be_put_together() {
    let mut sender = book("y", &[("Ip.FragCreates", 600)]);
    sender.devices = vec![Device { queue_dropped: Some(5), ..device("eth0", "igb") }];
    let long = Flow { message_bytes: 8192, ..flow(100, 97) };
    let (ledger, caveats) = close_hosts(&[long], vec![sender.clone()], &[], 0);
    assert_eq!((died(&ledger), ledger.unexplained), (vec![("host_queue", 0), ("reassembly", 3)], Some(0)));
    assert_eq!(caveats, []);
    // More datagrams than pieces that were seen to die: the rest died elsewhere.
    let long = Flow { message_bytes: 8192, ..flow(100, 90) };
    let (ledger, caveats) = close_hosts(&[long], vec![sender.clone()], &[], 0);
    assert_eq!((died(&ledger), ledger.unexplained), (vec![("host_queue", 0), ("reassembly", 5)], Some(5)));
    assert_eq!(caveats[0].kind, CaveatKind::StageUncertain);
    // Somebody else's pieces change nothing.
    let short = Flow { message_bytes: 1000, ..flow(100, 90) };
    let (ledger, _) = close_hosts(&[short], vec![sender], &[], 0);
    assert_eq!((died(&ledger), ledger.unexplained), (vec![("host_queue", 5)], Some(5)));
}

#[test]
fn our_sockets_say_what_they_dropped_and_the_rest_is_of_others() {
    let counters = [("Udp.RcvbufErrors", 497), ("Udp.InErrors", 497), ("Udp.InDatagrams", 1000)];
    let ours = |dropped| Flow {
        receiver_drops: Some(dropped),
        messages: Messages { received: Some(1000), ..flow(2000, 1000).messages },
        ..flow(2000, 1000)
    };
    let (ledger, caveats) = close_hosts(&[ours(0)], vec![book("x", &counters)], &["y".into()], 0);
    assert_eq!((died(&ledger), ledger.unexplained), (vec![("socket_buffer", 0)], Some(1000)));
    assert_eq!(caveats.len(), 1, "what died where nobody looked: {caveats:?}");
    let (ledger, _) = close_hosts(&[ours(97)], vec![book("x", &counters)], &["y".into()], 0);
    assert_eq!((died(&ledger), ledger.unexplained), (vec![("socket_buffer", 97)], Some(903)));
}

#[test]
fn where_strangers_come_too_a_place_may_have_dropped_theirs() {
    let played = |received| Flow {
        complete: true,
        receiver_drops: Some(0),
        messages: Messages { received: Some(received), ..flow(1000, received).messages },
        ..flow(1000, received)
    };
    let doubted = |book: HostBook, beside| {
        let caveats = close_hosts(&[played(900)], vec![book], &[], beside).1;
        caveats.iter().any(|caveat| caveat.text.contains("other programs"))
    };
    // Our socket stood all the time: who sent to a closed port?
    assert!(doubted(book("x", &[("Udp.NoPorts", 100), ("Udp.InDatagrams", 900)]), 0));
    let ring = |read| HostBook {
        devices: vec![Device { in_missed: 100, ..device("eth0", "igb") }],
        ..book("x", &[("Udp.InDatagrams", read)])
    };
    assert!(doubted(ring(1100), 0));
    assert!(!doubted(ring(1100), 150) && !doubted(ring(990), 0), "answers of our own, and a host's noise");
}

#[test]
fn drops_of_another_pair_are_not_taken_off() {
    // Both hosts are on a bridge: the other ends of their pairs are nobody's that was asked.
    let mut sender = book("y", &[]);
    sender.devices = vec![Device { out_dropped: 5, index: 2, peer: 9, ..device("e0", "veth") }];
    let mut receiver = book("x", &[]);
    receiver.devices = vec![Device { in_dropped: 3, index: 2, peer: 8, ..device("e0", "veth") }];
    let (ledger, _) = close_hosts(&[flow(100, 92)], vec![sender, receiver], &[], 0);
    assert_eq!(died(&ledger), [("receiver_ring", 5), ("receiver_backlog", 3)]);
    assert_eq!(ledger.unexplained, Some(0));
}

#[test]
fn the_trace_fills_the_stage_that_has_no_counter() {
    let traced = Traced { reason: "NEIGH_FAILED".into(), protocol: 17, packets: 12, ..Traced::default() };
    let book = HostBook { traced: Some(vec![traced]), ..book("y", &[]) };
    let (ledger, caveats) = close_hosts(&[flow(12, 0)], vec![book], &[], 0);
    assert_eq!((died(&ledger), ledger.unexplained, caveats), (vec![("neighbour", 12)], Some(0), vec![]));
}

#[test]
fn a_full_queue_for_a_neighbour_is_known_without_a_trace_and_counted_once_with_one() {
    let counted = |identity: &str, discarded| HostBook {
        identity: identity.into(),
        neighbours_discarded: Some(discarded),
        ..book("y", &[])
    };
    let (ledger, caveats) = close_hosts(&[flow(12, 0)], vec![counted("boot 1", 12)], &[], 0);
    assert_eq!((died(&ledger), ledger.unexplained, caveats), (vec![("neighbour", 12)], Some(0), vec![]));
    // The trace of the same namespace sees those, and what waited to the end; that of another one of this machine
    // sees packets that are in the machine's count.
    let traced =
        |reason: &str, packets| Traced { reason: reason.into(), protocol: 17, packets, ..Traced::default() };
    let both = vec![traced("NEIGH_QUEUEFULL", 9), traced("NEIGH_FAILED", 3)];
    let seen =
        |identity: &str, discarded| HostBook { traced: Some(both.clone()), ..counted(identity, discarded) };
    let (ledger, _) = close_hosts(&[flow(12, 0)], vec![seen("boot 1", 9)], &[], 0);
    assert_eq!((died(&ledger), ledger.unexplained), (vec![("neighbour", 12)], Some(0)));
    let (ledger, _) = close_hosts(&[flow(16, 0)], vec![counted("boot 1", 13), seen("boot 2", 13)], &[], 0);
    let packets: Vec<u64> = ledger.stages.iter().map(|entry| entry.packets).collect();
    assert_eq!((packets, ledger.unexplained), (vec![4, 12], Some(0)), "{:?}", ledger.stages);
    let (ledger, _) = close_hosts(&[flow(25, 0)], vec![counted("other 1", 13), seen("boot 2", 13)], &[], 0);
    assert_eq!((died(&ledger), ledger.unexplained), (vec![("neighbour", 13), ("neighbour", 12)], Some(0)));
}

#[test]
fn without_datagrams_and_without_books_there_is_nothing_to_explain() {
    let (ledger, caveats) = close_hosts(&[], vec![], &[], 0);
    assert_eq!((ledger.sent, ledger.unexplained, caveats), (None, None, vec![]));
    let unknown = Flow { transport: Some(Transport::Udp), ..Flow::default() };
    assert_eq!(close_hosts(&[unknown], vec![], &[], 0).0.unexplained, None);
}

#[test]
fn a_peer_that_tells_what_cannot_be_is_one_that_told_nothing() {
    let counters = [("Udp.RcvbufErrors", u64::MAX), ("Udp.InErrors", u64::MAX), ("Udp6.InErrors", u64::MAX)];
    let (ledger, _) = close_hosts(&[flow(20, 10)], vec![book("x", &counters)], &[], 0);
    assert_eq!((died(&ledger), ledger.unexplained), (vec![], Some(10)));
    assert!(ledger.sources.iter().any(|source| source.host == "x" && !source.read));
}
