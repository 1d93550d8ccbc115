//! Cases worked out by hand: what is known to have happened, and what the ledger must say of it.

use super::*;
use crate::record::Messages;

fn flow(transport: Transport, sent: u64, unique: u64) -> Flow {
    Flow {
        transport: Some(transport),
        messages: Messages {
            sent: Some(sent),
            received: Some(unique),
            unique: Some(unique),
            lost: Some(sent - unique),
            ..Messages::default()
        },
        ..Flow::default()
    }
}

fn drops(stage: &'static str, packets: u64) -> Drops {
    Drops { stage, place: stage.into(), packets, datagrams: None }
}

fn at<'a>(ledger: &'a Ledger, stage: &str) -> &'a LossStage {
    ledger.stages.iter().find(|entry| entry.stage == stage).unwrap()
}

#[test]
fn a_port_and_a_socket_share_the_loss_of_datagrams() {
    // The overload that was measured by hand: 54976 = 19650 + 6775 + 28551.
    let hosts = HostCounters {
        udp_out_datagrams: 54_976,
        udp_in_datagrams: 28_551,
        udp_in_errors: 6_775,
        udp_rcvbuf_errors: 6_775,
        ..HostCounters::default()
    };
    let evidence = Evidence { drops: vec![drops("switch_port", 19_650)], hosts, ..Evidence::default() };
    let (ledger, caveats) = close(&[flow(Transport::Udp, 54_976, 28_551)], &evidence);
    assert_eq!((ledger.unexplained, ledger.unexplained_packets), (Some(0), Some(0)));
    assert_eq!((at(&ledger, "switch_port").messages, at(&ledger, "socket_buffer").messages), (19_650, 6_775));
    assert_eq!(caveats, []);
}

#[test]
fn what_tcp_lost_is_taken_off() {
    let hosts = HostCounters {
        udp_out_datagrams: 1000,
        udp_in_datagrams: 900,
        tcp_out_segs: 4950,
        tcp_retrans_segs: 50,
        tcp_in_segs: 4930,
        ..HostCounters::default()
    };
    let flows = [flow(Transport::Udp, 1000, 900), flow(Transport::Tcp, 4000, 4000)];
    let one = Evidence { drops: vec![drops("switch_port", 170)], hosts, ..Evidence::default() };
    let (ledger, caveats) = close(&flows, &one);
    assert_eq!((at(&ledger, "switch_port").messages, at(&ledger, "switch_port").packets), (100, 170));
    assert_eq!((ledger.unexplained, ledger.unexplained_packets, caveats.len()), (Some(0), Some(0), 0));
    // With two places the sum is exact and the parts are a guess, which is said.
    let two = Evidence {
        drops: vec![drops("host_queue", 20), drops("switch_port", 150)],
        hosts,
        ..Evidence::default()
    };
    let (ledger, caveats) = close(&flows, &two);
    assert_eq!(ledger.unexplained, Some(0));
    assert_eq!(caveats[0].kind, CaveatKind::StageUncertain);
}

#[test]
fn syn_acks_sent_again_are_counted_once() {
    // As counted by hand: 6 connections, 4 SYNs and 5 SYN-ACKs dropped, 8 SYN-ACKs sent again.
    let counted = |syn_acks, either| Evidence {
        drops: vec![drops("firewall", 9)],
        hosts: HostCounters {
            tcp_out_segs: 59,
            tcp_retrans_segs: 15,
            tcp_in_segs: 57,
            tcp_syn_acks_resent: syn_acks,
            tcp_syns_resent: either,
            ..HostCounters::default()
        },
        ..Evidence::default()
    };
    let of = |evidence| close(&[flow(Transport::Tcp, 6, 6)], &evidence);
    let (ledger, caveats) = of(counted(8, 0));
    assert_eq!((ledger.unexplained_packets, caveats), (Some(0), vec![]));
    assert_eq!(ledger.packets[0], PacketAccount { kind: "tcp".into(), sent: 66, received: 57 });
    // Where nobody tells which of them were SYN-ACKs, it is a guess, and said; it never explains more than there were.
    let (ledger, caveats) = of(counted(0, 15));
    assert_eq!((ledger.unexplained_packets, caveats[0].kind), (Some(0), CaveatKind::StageUncertain));
    assert_eq!(of(counted(0, 5)).0.unexplained_packets, Some(3));
}

#[test]
fn a_datagram_in_fragments_is_lost_with_one_of_them() {
    // 100 datagrams of 6 fragments; 5 fragments of 3 datagrams died at the port.
    let hosts = HostCounters {
        udp_out_datagrams: 100,
        ip_frag_oks: 100,
        ip_frag_creates: 600,
        ip_reasm_reqds: 595,
        ip_reasm_oks: 97,
        udp_in_datagrams: 97,
        ..HostCounters::default()
    };
    let evidence = Evidence { drops: vec![drops("switch_port", 5)], hosts, ..Evidence::default() };
    let (ledger, caveats) = close(&[flow(Transport::Udp, 100, 97)], &evidence);
    assert_eq!((at(&ledger, "switch_port").packets, at(&ledger, "switch_port").messages), (5, 0));
    assert_eq!(at(&ledger, "reassembly").messages, 3);
    assert_eq!((ledger.unexplained, ledger.unexplained_packets), (Some(0), Some(0)));
    assert_eq!(caveats, []);
}

#[test]
fn what_died_whole_beside_datagrams_in_pieces_died_where_it_was_dropped() {
    // 100 datagrams of 3 pieces, all of which came, beside 1000 small ones of which a port dropped 400.
    let hosts = HostCounters {
        udp_out_datagrams: 1100,
        ip_frag_oks: 100,
        ip_frag_creates: 300,
        ip_reasm_reqds: 300,
        ip_reasm_oks: 100,
        udp_in_datagrams: 700,
        ..HostCounters::default()
    };
    let flows = [flow(Transport::Udp, 100, 100), flow(Transport::Udp, 1000, 600)];
    let one = Evidence { drops: vec![drops("switch_port", 400)], hosts, ..Evidence::default() };
    let (ledger, caveats) = close(&flows, &one);
    assert_eq!((at(&ledger, "switch_port").messages, at(&ledger, "reassembly").messages), (400, 0));
    assert_eq!((ledger.unexplained, ledger.unexplained_packets, caveats), (Some(0), Some(0), vec![]));
    // Five pieces of four datagrams die as well: at one place that is exact, at two it is a guess.
    let hosts = HostCounters { ip_reasm_reqds: 295, ip_reasm_oks: 96, udp_in_datagrams: 696, ..hosts };
    let flows = [flow(Transport::Udp, 100, 96), flow(Transport::Udp, 1000, 600)];
    let one = Evidence { drops: vec![drops("switch_port", 405)], hosts, ..Evidence::default() };
    let (ledger, caveats) = close(&flows, &one);
    assert_eq!((at(&ledger, "switch_port").messages, at(&ledger, "reassembly").messages), (400, 4));
    assert_eq!((ledger.unexplained, ledger.unexplained_packets, caveats), (Some(0), Some(0), vec![]));
    let two = Evidence { drops: vec![drops("host_queue", 5), drops("switch_port", 400)], ..one };
    let (ledger, caveats) = close(&flows, &two);
    assert_eq!((ledger.unexplained, caveats[0].kind), (Some(0), CaveatKind::StageUncertain));
    // Something told pieces from whole datagrams.
    let known = |stage, packets, whole| Drops { datagrams: Some(whole), ..drops(stage, packets) };
    let told = Evidence { drops: vec![known("host_queue", 5, 0), known("switch_port", 400, 400)], ..two };
    let (ledger, caveats) = close(&flows, &told);
    assert_eq!((at(&ledger, "host_queue").messages, at(&ledger, "switch_port").messages), (0, 400));
    assert_eq!((at(&ledger, "reassembly").messages, ledger.unexplained, caveats), (4, Some(0), vec![]));
}

#[test]
fn what_no_counter_knows_is_left_and_said() {
    let hosts = HostCounters { udp_out_datagrams: 10, udp_in_datagrams: 7, ..HostCounters::default() };
    let evidence = Evidence { drops: vec![drops("switch_port", 1)], hosts, ..Evidence::default() };
    let (ledger, caveats) = close(&[flow(Transport::Udp, 10, 7)], &evidence);
    assert_eq!((ledger.unexplained, ledger.unexplained_packets), (Some(2), Some(2)));
    assert!(caveats.iter().all(|caveat| caveat.kind == CaveatKind::LedgerOpen) && caveats.len() == 2);
}

#[test]
fn what_a_full_socket_refuses_was_never_sent() {
    // Of seven errors two are the host's own queue's; the other five were told to the sender.
    let hosts = HostCounters {
        udp_out_datagrams: 10,
        udp_sndbuf_errors: 7,
        udp_in_datagrams: 10,
        ..HostCounters::default()
    };
    let flows = [flow(Transport::Udp, 12, 10)];
    let evidence = Evidence { drops: vec![drops("host_queue", 2)], hosts, ..Evidence::default() };
    let (ledger, caveats) = close(&flows, &evidence);
    assert_eq!((ledger.unexplained, ledger.unexplained_packets), (Some(0), Some(0)), "{ledger:?}");
    assert_eq!(caveats, []);
}

#[test]
fn what_the_roles_lost_between_them_is_nobody_elses_loss() {
    let hosts = HostCounters {
        udp_out_datagrams: 10,
        udp_in_datagrams: 8,
        tcp_out_segs: 40,
        tcp_in_segs: 39,
        ..HostCounters::default()
    };
    let flows = [flow(Transport::Udp, 10, 8)];
    let drops = vec![drops("switch_port", 2)];
    let (ledger, caveats) =
        close(&flows, &Evidence { drops, hosts, control_drops: 1, ..Evidence::default() });
    assert_eq!((ledger.unexplained, ledger.unexplained_packets), (Some(0), Some(0)), "{ledger:?}");
    assert_eq!((at(&ledger, "switch_port").messages, caveats), (2, vec![]));
}

#[test]
fn copies_are_part_of_the_packets() {
    // 100 sent, 4 copied, 10 lost by the link: 94 arrive, of which 3 are duplicates.
    let mut copied = flow(Transport::Udp, 100, 91);
    copied.messages.received = Some(94);
    copied.messages.duplicate = Some(3);
    let hosts = HostCounters { udp_out_datagrams: 100, udp_in_datagrams: 94, ..HostCounters::default() };
    let evidence = Evidence { drops: vec![drops("link", 10)], hosts, copies: 4, ..Evidence::default() };
    let (ledger, caveats) = close(&[copied], &evidence);
    assert_eq!(ledger.unexplained_packets, Some(0));
    assert_eq!((ledger.unexplained, caveats[0].kind), (Some(-1), CaveatKind::StageUncertain));
}

#[test]
fn without_datagrams_there_are_no_messages_to_explain() {
    let hosts = HostCounters { tcp_out_segs: 50, tcp_in_segs: 48, ..HostCounters::default() };
    let evidence = Evidence { drops: vec![drops("switch_port", 2)], hosts, ..Evidence::default() };
    let (ledger, caveats) = close(&[flow(Transport::Tcp, 40, 40)], &evidence);
    assert_eq!((ledger.unexplained, ledger.unexplained_packets), (None, Some(0)));
    assert_eq!(at(&ledger, "switch_port").messages, 0);
    assert_eq!(caveats, []);
}

#[test]
fn what_something_told_apart_is_no_guess() {
    let hosts = HostCounters {
        udp_out_datagrams: 1000,
        udp_in_datagrams: 900,
        tcp_out_segs: 5000,
        tcp_in_segs: 4930,
        ..HostCounters::default()
    };
    let flows = [flow(Transport::Udp, 1000, 900), flow(Transport::Tcp, 4000, 4000)];
    let told = |stage, packets, datagrams| Drops { datagrams: Some(datagrams), ..drops(stage, packets) };
    let drops = vec![told("host_queue", 20, 15), told("switch_port", 150, 85)];
    let (ledger, caveats) = close(&flows, &Evidence { drops, hosts, ..Evidence::default() });
    assert_eq!((ledger.unexplained, ledger.unexplained_packets), (Some(0), Some(0)), "{ledger:?}");
    assert_eq!((at(&ledger, "host_queue").messages, at(&ledger, "switch_port").messages), (15, 85));
    assert_eq!(caveats, []);
}

#[test]
fn a_whole_datagram_that_a_packet_filter_takes_closes_the_packets() {
    // 100 datagrams of 6 fragments arrive; 7 are put together and then dropped.
    let hosts = HostCounters {
        udp_out_datagrams: 100,
        ip_frag_oks: 100,
        ip_frag_creates: 600,
        ip_reasm_reqds: 600,
        ip_reasm_oks: 100,
        udp_in_datagrams: 93,
        ..HostCounters::default()
    };
    let evidence = Evidence { drops: vec![drops("firewall", 7)], hosts, ..Evidence::default() };
    let (ledger, _) = close(&[flow(Transport::Udp, 100, 93)], &evidence);
    assert_eq!((ledger.unexplained, ledger.unexplained_packets), (Some(0), Some(0)), "{ledger:?}");
    assert_eq!((at(&ledger, "firewall").messages, at(&ledger, "reassembly").messages), (7, 0));
}

#[test]
fn stages_stand_in_the_order_of_the_path_and_a_broken_counter_is_said() {
    let drops = vec![drops("firewall", 0), drops("switch_port", 0), drops("neighbour", 0)];
    let doubts = vec!["the device e0 of x went away".to_owned()];
    let (ledger, caveats) =
        close(&[flow(Transport::Udp, 0, 0)], &Evidence { drops, doubts, ..Evidence::default() });
    let order: Vec<&str> = ledger.stages.iter().map(|entry| entry.stage.as_str()).collect();
    assert_eq!(order[..3], ["neighbour", "switch_port", "firewall"]);
    assert!(order.is_sorted_by_key(|stage| stage::order(stage)), "{order:?}");
    assert_eq!(caveats[0].kind, CaveatKind::CounterBroken);
    assert!(caveats[0].text.starts_with("the device e0 of x went away"), "{caveats:?}");
}

#[test]
fn datagrams_that_a_host_joins_on_the_way_in_are_as_many_as_were_received() {
    let hosts = HostCounters { udp_out_datagrams: 1000, udp_in_datagrams: 9, ..HostCounters::default() };
    let flows = [flow(Transport::Udp, 1000, 400)];
    let evidence = Evidence { drops: vec![drops("receiver_ring", 600)], hosts, ..Evidence::default() };
    let (ledger, caveats) = close(&flows, &evidence);
    assert_eq!((ledger.unexplained, ledger.unexplained_packets), (Some(0), Some(0)), "{ledger:?}");
    assert_eq!(caveats, []);
    // Some were dropped joined: packets cannot be told then, and that is no open book.
    let hosts = HostCounters { udp_in_errors: 3, udp_rcvbuf_errors: 3, ..hosts };
    let (ledger, caveats) = close(&flows, &Evidence { hosts, drops: Vec::new(), ..evidence });
    assert_eq!(ledger.unexplained_packets, None);
    assert!(caveats.iter().all(|caveat| caveat.kind == CaveatKind::StageUncertain), "{caveats:?}");
}

#[test]
fn raw_frames_that_a_ring_had_no_room_for_died_there() {
    let mut raw = flow(Transport::Ethernet, 1000, 900);
    raw.receiver_drops = Some(70);
    let evidence = Evidence { drops: vec![drops("switch_port", 30)], ..Evidence::default() };
    let (ledger, caveats) = close(&[raw], &evidence);
    assert_eq!((ledger.unexplained, ledger.unexplained_packets), (Some(0), Some(0)), "{ledger:?}");
    assert_eq!((at(&ledger, "switch_port").messages, at(&ledger, "packet_ring").messages), (30, 70));
    assert_eq!(caveats, []);
}

#[test]
fn flows_of_one_kind_share_a_ring_and_others_have_their_own() {
    let raw = |protocol, dropped| Flow {
        to: "x".into(),
        raw: Some(crate::record::RawSummary { protocol: Some(protocol), ..Default::default() }),
        receiver_drops: Some(dropped),
        ..flow(Transport::Ip, 100, 90)
    };
    let dropped = |flows: &[Flow]| RawBook::of(flows, |transport| transport == Transport::Ip).dropped;
    assert_eq!(dropped(&[raw(242, 20), raw(242, 15)]), 20);
    assert_eq!(dropped(&[raw(242, 20), raw(243, 15)]), 35);
}

#[test]
fn a_frame_that_a_full_queue_refused_was_sent_again() {
    let sender = crate::record::RawSide { queue_full: 231, ..Default::default() };
    let raw = Flow {
        raw: Some(crate::record::RawSummary { sender: Some(sender), ..Default::default() }),
        ..flow(Transport::Ethernet, 20_000, 19_990)
    };
    // The queue counts what it refused, and ten frames that it dropped and said nothing of.
    let evidence = Evidence { drops: vec![drops("host_queue", 241)], ..Evidence::default() };
    let (ledger, caveats) = close(&[raw], &evidence);
    assert_eq!((at(&ledger, "host_queue").messages, at(&ledger, "host_queue").packets), (10, 10));
    assert_eq!((ledger.unexplained, ledger.unexplained_packets, caveats), (Some(0), Some(0), vec![]));
}

#[test]
fn what_was_put_together_and_never_read_has_come() {
    let hosts = HostCounters {
        udp_out_datagrams: 10,
        ip_frag_oks: 10,
        ip_frag_creates: 60,
        ip_reasm_reqds: 60,
        ip_reasm_oks: 10,
        udp_in_datagrams: 9,
        ..HostCounters::default()
    };
    let (ledger, _) = close(&[], &Evidence { hosts, ..Evidence::default() });
    assert_eq!(ledger.unexplained_packets, Some(0), "{ledger:?}");
}
