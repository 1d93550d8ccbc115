//! The second book of the losses: what the kernel's counters say, held against the flows' own count.
//!
//! Pure: counters in, ledger out. Stages of the network count packets of every kind. What TCP lost
//! there is known from the hosts' own counters (segments sent less segments received) and is taken
//! off; the rest are datagrams of the flows. A large datagram travels in fragments and is lost with
//! the first of them: its packets are accounted as fragments, its messages where they should have
//! been put together. Which counter is which: `docs/method.md`.

use crate::caveat::{Caveat, CaveatKind};
use crate::load::Transport;
use crate::record::{Flow, Ledger, LedgerSource, LossStage, PacketAccount};

use raw::RawBook;

mod hosts;
mod raw;
pub mod reading;
pub mod stage;

pub use hosts::close_hosts;

/// What the counters said, over the time of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Packets dropped in the network, place by place, along the path.
    pub drops: Vec<Drops>,
    /// What the hosts' network layers counted, all hosts together.
    pub hosts: HostCounters,
    /// Copies that links made on purpose.
    pub copies: u64,
    /// Packets that died on the way between the roles, on no cable of the scenario: TCP's, all of them.
    pub control_drops: u64,
    /// Datagrams of tagged messages and their answers: sent, and read by those who should.
    pub tags: (u64, u64),
    /// Whether packets travelled in trains, which queues count as one and hosts as many.
    pub trains: bool,
    /// What was read, and what could not be.
    pub sources: Vec<LedgerSource>,
    /// Counters that went back, devices that went away: a sentence each.
    pub doubts: Vec<String>,
}

/// Packets dropped at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drops {
    /// Which stage it is, by its name in [`stage`].
    pub stage: &'static str,
    /// Where, in words.
    pub place: String,
    /// How many.
    pub packets: u64,
    /// How many of them were datagrams, when something told them apart.
    pub datagrams: Option<u64>,
}

/// What the network layers of all hosts counted, names as in `/proc/net/snmp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's own names")]
pub struct HostCounters {
    pub udp_out_datagrams: u64,
    pub udp_sndbuf_errors: u64,
    pub udp_in_datagrams: u64,
    pub udp_in_errors: u64,
    pub udp_rcvbuf_errors: u64,
    pub udp_in_csum_errors: u64,
    pub udp_mem_errors: u64,
    pub udp_no_ports: u64,
    pub ip_frag_oks: u64,
    pub ip_frag_creates: u64,
    pub ip_reasm_reqds: u64,
    pub ip_reasm_oks: u64,
    pub tcp_out_segs: u64,
    pub tcp_retrans_segs: u64,
    pub tcp_in_segs: u64,
    /// SYN-ACKs sent again: `TcpExt.TCPSynRetrans` of hosts that opened no connection.
    pub tcp_syn_acks_resent: u64,
    /// SYNs and SYN-ACKs sent again by hosts that opened and accepted connections: which, nobody counts.
    pub tcp_syns_resent: u64,
    pub icmp_out_msgs: u64,
    pub icmp_in_msgs: u64,
}

impl Evidence {
    /// Datagrams that were given to the hosts' own queues, whatever became of them there.
    ///
    /// The kernel counts in `SndbufErrors` what such a queue dropped, and what it refused to send for
    /// want of room in the socket (net/ipv4/udp.c, `udp_sendmsg`), which the sender knows and does not
    /// count as sent. Only the first is among the drops of the queues.
    fn udp_sent(&self) -> u64 {
        let dropped = self.drops.iter().filter(|drops| drops.stage == stage::HOST_QUEUE);
        let dropped = dropped.map(|drops| drops.packets).sum();
        self.hosts.udp_out_datagrams + self.hosts.udp_sndbuf_errors.min(dropped)
    }
}

/// Closes the two books against each other; doubts are caveats.
#[must_use]
pub fn close(flows: &[Flow], evidence: &Evidence) -> (Ledger, Vec<Caveat>) {
    let datagrams: Vec<&Flow> = datagrams(flows).collect();
    let ip = RawBook::of(flows, |transport| transport == Transport::Ip);
    let frames = RawBook::of(flows, Transport::is_frames);
    let sum = |of: fn(&Flow) -> Option<u64>| datagrams.iter().map(|flow| told(of(flow))).sum::<Option<u64>>();
    let (sent, delivered) = (sum(|flow| flow.messages.sent), sum(|flow| flow.messages.unique));
    // Those of raw transports do not come through UDP's sockets, and its counters do not have them.
    let over_udp = datagrams.iter().filter(|flow| flow.transport == Some(Transport::Udp));
    let received = over_udp.map(|flow| told(flow.messages.received)).sum::<Option<u64>>();
    // A host that joins datagrams on the way in (GRO) counts those that it joined as one; each was a message,
    // and the flows know how many.
    let read = received.map(|received| received + evidence.tags.1);
    let joined = read.is_some_and(|read| read > evidence.hosts.udp_in_datagrams);
    let mut evidence = evidence.clone();
    evidence.hosts.udp_in_datagrams = evidence.hosts.udp_in_datagrams.max(read.unwrap_or(0));
    frames.spare_refused(&mut evidence.drops);
    let (evidence, hosts) = (&evidence, &evidence.hosts);
    // Without flows the books are of packets alone: a readout's own account says what became of its events.
    let has_flows = !flows.is_empty();
    let (sent, delivered) = (sent.filter(|_| has_flows), delivered.filter(|_| has_flows));

    let (packets, missing) = packets(evidence, [ip, frames]);
    let dropped: u64 = evidence.drops.iter().map(|drops| drops.packets).sum();
    // What found the receiving end full is on its way no more.
    let dropped = dropped + evidence.control_drops + ip.dropped + frames.dropped;
    let open = missing + signed(evidence.copies) - signed(dropped);
    let guessed = open.clamp(0, signed(hosts.tcp_syns_resent));
    let unexplained_packets = open - guessed;
    // What they joined and dropped then is one packet for many, and nobody knows how many.
    let trains = evidence.trains || (joined && unexplained_packets != 0);

    let fragmented = hosts.ip_frag_oks > 0 || hosts.ip_reasm_reqds > 0;
    // Datagrams that are no messages, and pieces, of which none is a message either.
    let beside = evidence.tags.0.saturating_sub(evidence.tags.1) + ip.greetings_lost;
    let pieces = hosts.ip_frag_creates.saturating_sub(hosts.ip_reasm_reqds);
    let of_others = others(&packets).saturating_sub(evidence.control_drops)
        + beside
        + frames.greetings_lost
        + if fragmented { pieces } else { 0 };
    let (mut stages, shared) = network_stages(&told_of(evidence, [ip, frames]), of_others, fragmented);
    let filtered = if fragmented { filtered_whole(evidence, ip) } else { 0 };
    // What died whole on the way is not missing a piece; frames never have pieces.
    let whole: u64 = stages.iter().map(|entry| entry.messages).sum();
    let whole = whole.saturating_sub(frames.sent.saturating_sub(frames.arrived())) + beside;
    share_filtered(&mut stages, filtered);
    stages.extend(host_stages(evidence, fragmented.then_some(filtered + whole), read, ip));
    stages.extend(ring_stage(frames));
    stages.retain(|entry| has_flows || entry.stage != stage::APPLICATION);
    stages.sort_by_key(|entry| stage::order(&entry.stage));
    let at_stages: u64 = stages.iter().map(|stage| stage.messages).sum();
    let unexplained =
        sent.zip(delivered).map(|(sent, delivered)| signed(sent) - signed(delivered) - signed(at_stages));
    let ledger = Ledger {
        sent,
        delivered,
        stages,
        unexplained: unexplained.filter(|_| !datagrams.is_empty()),
        packets,
        unexplained_packets: (!trains).then_some(unexplained_packets),
        sources: evidence.sources.clone(),
    };
    let mut caveats = doubts(&ledger, evidence, trains, shared && has_flows);
    caveats.extend((guessed > 0).then(|| counted_twice(guessed)));
    (ledger, caveats)
}

/// The accounts of packets, one for each kind that travelled; and how many are missing, all kinds together.
fn packets(evidence: &Evidence, [ip, frames]: [RawBook; 2]) -> (Vec<PacketAccount>, i64) {
    let hosts = &evidence.hosts;
    let udp_sent = evidence.udp_sent();
    let udp_received = hosts.udp_in_datagrams + hosts.udp_in_errors + hosts.udp_no_ports;
    // What was put together and never read, since its socket was closed, has come all the same: only what a
    // packet filter took of it has died.
    let filtered = evidence.drops.iter().filter(|drops| drops.stage == stage::FIREWALL);
    let filtered: u64 = filtered.map(|drops| drops.packets).sum();
    let unread = hosts.ip_reasm_oks.saturating_sub(udp_received + filtered + ip.arrived());
    let udp_received = udp_received + unread;
    // What went in fragments is accounted as fragments. A queue that drops one makes the kernel
    // count the datagram as neither sent whole nor in pieces, but the pieces were made.
    let kinds = [
        ("udp", (udp_sent, hosts.ip_frag_oks), (udp_received, hosts.ip_reasm_oks)),
        ("udp fragments", (hosts.ip_frag_creates, 0), (hosts.ip_reasm_reqds, 0)),
        // What is sent again is not among `OutSegs` (net/ipv4/tcp_output.c, `__tcp_transmit_skb`), but for
        // SYN-ACKs, which are counted in both (`tcp_make_synack`, `tcp_rtx_synack`).
        (
            "tcp",
            (hosts.tcp_out_segs + hosts.tcp_retrans_segs, hosts.tcp_syn_acks_resent),
            (hosts.tcp_in_segs, 0),
        ),
        ("icmp", (hosts.icmp_out_msgs, 0), (hosts.icmp_in_msgs, 0)),
        // Of raw IP in pieces the pieces are among the fragments above, and the whole among what they are of.
        ("raw ip", (ip.sent, 0), (ip.received, 0)),
        ("frames", (frames.sent, 0), (frames.received, 0)),
    ];
    // A datagram that was put together and died before it was counted leaves more whole ones in pieces
    // than came: what is missing is a difference, though no count is below 0.
    let difference = |(all, in_pieces): (u64, u64)| signed(all) - signed(in_pieces);
    let missing = kinds.iter().map(|(_, sent, received)| difference(*sent) - difference(*received)).sum();
    let accounts = kinds
        .into_iter()
        .map(|(kind, sent, received)| {
            (kind, sent.0.saturating_sub(sent.1), received.0.saturating_sub(received.1))
        })
        .filter(|(_, sent, received)| sent + received > 0)
        .map(|(kind, sent, received)| PacketAccount { kind: kind.into(), sent, received })
        .collect();
    (accounts, missing)
}

/// A count that a flow's end told, so that it can be added to others': a peer may tell anything, and 10^15 messages
/// are 30 years of 1 MHz.
fn told(count: Option<u64>) -> Option<u64> {
    count.map(|count| count.min(1_000_000_000_000_000))
}

/// The flows whose messages can be lost: all but TCP's.
fn datagrams(flows: &[Flow]) -> impl Iterator<Item = &Flow> {
    flows.iter().filter(|flow| flow.transport.is_some_and(|transport| transport != Transport::Tcp))
}

/// Packets lost that were not the flows' datagrams.
fn others(packets: &[PacketAccount]) -> u64 {
    let others = packets.iter().filter(|account| matches!(account.kind.as_str(), "tcp" | "icmp"));
    others.map(|account| account.sent.saturating_sub(account.received)).sum()
}

/// The stages of the network, packets turned into messages; whether that took a guess.
///
/// `of_others` are packets that are no messages: TCP's, and pieces of datagrams.
fn network_stages(drops: &[Drops], of_others: u64, fragmented: bool) -> (Vec<LossStage>, bool) {
    // Where something told datagrams from others, nothing is left to guess.
    let told: u64 =
        drops.iter().filter_map(|drops| Some(drops.packets.saturating_sub(drops.datagrams?))).sum();
    let mut others_left = of_others.saturating_sub(told);
    // Where there are pieces, what packet filters took is known from elsewhere.
    let is_shared = |drops: &Drops| {
        drops.packets > 0 && drops.datagrams.is_none() && !(fragmented && drops.stage == stage::FIREWALL)
    };
    let mut order: Vec<usize> = (0..drops.len()).filter(|index| is_shared(&drops[*index])).collect();
    order.sort_by_key(|index| std::cmp::Reverse(drops[*index].packets));
    let mut messages: Vec<u64> = drops.iter().map(|drops| drops.datagrams.unwrap_or(0)).collect();
    let sum: u64 = order.iter().map(|index| drops[*index].packets).sum();
    let is_guess = order.len() > 1 && (1..sum).contains(&others_left);
    for index in order {
        // The others' losses are taken off the place that dropped most: with one such place that is exact.
        let others = others_left.min(drops[index].packets);
        others_left -= others;
        messages[index] = drops[index].packets - others;
    }
    let stages = drops
        .iter()
        .zip(messages)
        .map(|(drops, messages)| LossStage {
            stage: drops.stage.into(),
            place: drops.place.clone(),
            packets: drops.packets,
            messages,
        })
        .collect();
    (stages, is_guess)
}

/// Datagrams that were put together and that a packet filter took then. Where some travelled whole it is
/// not known which of them it took, and they count as missing pieces.
fn filtered_whole(evidence: &Evidence, ip: RawBook) -> u64 {
    let hosts = &evidence.hosts;
    if evidence.udp_sent() + ip.sent > hosts.ip_frag_oks {
        return 0;
    }
    let arrived = hosts.udp_in_datagrams + hosts.udp_in_errors + hosts.udp_no_ports + ip.arrived();
    hosts.ip_reasm_oks.saturating_sub(arrived)
}

/// Gives so many messages to the packet filters, as far as they dropped packets.
fn share_filtered(stages: &mut [LossStage], mut messages: u64) {
    for entry in stages.iter_mut().filter(|entry| entry.stage == stage::FIREWALL) {
        let here = messages.min(entry.packets);
        entry.messages += here;
        messages -= here;
    }
}

/// The stages inside the hosts.
///
/// `whole` is known when datagrams travelled in pieces: those that died in one piece, on the way or in a packet
/// filter.
fn host_stages(
    evidence: &Evidence,
    whole: Option<u64>,
    received: Option<u64>,
    ip: RawBook,
) -> Vec<LossStage> {
    let hosts = &evidence.hosts;
    let entry = |stage: &str, place: &str, packets: u64| LossStage {
        stage: stage.into(),
        place: place.into(),
        packets,
        messages: packets,
    };
    let mut stages = Vec::new();
    if let Some(whole) = whole {
        let sent = evidence.udp_sent() + ip.sent;
        let arrived = hosts.udp_in_datagrams + hosts.udp_in_errors + hosts.udp_no_ports + ip.arrived();
        let missing = sent.saturating_sub(arrived + whole);
        let fragments = hosts.ip_frag_creates.saturating_sub(hosts.ip_reasm_reqds);
        let place = format!("datagrams of which a piece was lost ({fragments} fragments in all)");
        stages.push(LossStage { packets: 0, ..entry(stage::REASSEMBLY, &place, missing) });
    }
    // The kernel counts both kinds among its errors; what is left of them has another cause.
    let known = hosts.udp_rcvbuf_errors + hosts.udp_in_csum_errors + hosts.udp_mem_errors;
    let other_errors = hosts.udp_in_errors.saturating_sub(known);
    stages.push(entry(stage::CHECKSUM, "Udp.InCsumErrors", hosts.udp_in_csum_errors));
    stages.push(entry(stage::NO_LISTENER, "Udp.NoPorts", hosts.udp_no_ports));
    stages.push(entry(stage::SOCKET_BUFFER, "Udp.RcvbufErrors", hosts.udp_rcvbuf_errors));
    if ip.dropped > 0 {
        stages.push(entry(stage::SOCKET_BUFFER, "raw sockets, by their own counters", ip.dropped));
    }
    if hosts.udp_mem_errors > 0 {
        stages.push(entry(stage::SOCKET_BUFFER, "Udp.MemErrors", hosts.udp_mem_errors));
    }
    if other_errors > 0 {
        stages.push(entry(stage::SOCKET, "Udp.InErrors of no other name", other_errors));
    }
    let read = received.map(|received| hosts.udp_in_datagrams.saturating_sub(received));
    stages.push(entry(stage::APPLICATION, "read there and never counted", read.unwrap_or(0)));
    stages
}

/// The rings of packet sockets and of AF_XDP, if frames came to any.
fn ring_stage(frames: RawBook) -> Option<LossStage> {
    (frames.sent + frames.received > 0).then(|| LossStage {
        stage: stage::PACKET_RING.into(),
        place: "rings of the receivers, by their own counters".into(),
        packets: frames.dropped,
        messages: frames.dropped,
    })
}

/// The drops of the network. What tells datagrams from others knows those of UDP only.
fn told_of(evidence: &Evidence, raw: [RawBook; 2]) -> Vec<Drops> {
    let mut drops = evidence.drops.clone();
    if raw.iter().any(|book| book.sent > 0) {
        drops.iter_mut().for_each(|drops| drops.datagrams = None);
    }
    drops
}

fn counted_twice(packets: i64) -> Caveat {
    Caveat::new(
        CaveatKind::StageUncertain,
        format!(
            "{packets} packets more were counted as sent than came or died: of the SYNs and SYN-ACKs that were \
             sent again so many must be SYN-ACKs, which the kernel counts twice"
        ),
        "nothing is lost by it; lose nothing while connections are opened, and every packet is known",
    )
}

fn doubts(ledger: &Ledger, evidence: &Evidence, trains: bool, shared: bool) -> Vec<Caveat> {
    let mut caveats: Vec<Caveat> = evidence.doubts.iter().map(|text| hosts::broken(text)).collect();
    if let Some(left) = ledger.unexplained_packets.filter(|left| *left != 0) {
        caveats.push(Caveat::new(
            CaveatKind::LedgerOpen,
            format!("the counters of the queues and those of the hosts differ by {left} packets"),
            "look at the queues in the record; other traffic on the lab's hosts counts as well",
        ));
    }
    // A copy may arrive where the original was lost: then messages and packets count differently.
    if let Some(left) = ledger.unexplained.filter(|left| *left != 0) {
        let (kind, text) = if evidence.copies > 0 || trains {
            (
                CaveatKind::StageUncertain,
                "packets were copied or travelled in trains, so that a message lost is not a packet lost",
            )
        } else {
            (CaveatKind::LedgerOpen, "the flows' count of lost messages and the kernel's differ")
        };
        caveats.push(Caveat::new(
            kind,
            format!("{text}: {left} messages"),
            "look at the accounts of packets in the record",
        ));
    }
    if shared {
        caveats.push(Caveat::new(
            CaveatKind::StageUncertain,
            "several places dropped packets, and TCP's are among them: how many messages each dropped is a guess, their sum is not",
            "run TCP and UDP apart to know each place's share",
        ));
    }
    caveats
}

#[expect(clippy::cast_possible_wrap, reason = "counts of packets stay far below 2^63")]
const fn signed(count: u64) -> i64 {
    count as i64
}

#[cfg(test)]
mod tests;
