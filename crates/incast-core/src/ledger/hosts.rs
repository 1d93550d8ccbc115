//! The second book of a run between real hosts: what their own kernels counted, and what no counter
//! of theirs can have seen.
//!
//! Unlike a lab, a host counts everybody's packets, nobody reads the switches between, and one end
//! may be missing. So the flows' own count says how many messages were lost, the counters say where
//! hosts dropped packets meanwhile, and what is left died between the hosts or is not known. Where
//! others' packets may be among those dropped, or several places share a loss that no counter
//! divides, that is a caveat. Unit rules: `docs/method.md`.

use super::raw::RawBook;
use super::reading::{self, Device, HostBook};
use super::{Drops, stage};
use crate::caveat::{Caveat, CaveatKind};
use crate::load::Transport;
use crate::record::{Flow, Ledger, LedgerSource, LossStage};

/// Closes the flows' account against the counters of the hosts that were read.
///
/// `absent` are hosts of the flows whose counters nobody could tell; `beside` are datagrams that were read and are
/// no messages: answers, two-way messages.
#[must_use]
pub fn close_hosts(
    flows: &[Flow],
    books: Vec<HostBook>,
    absent: &[String],
    beside: u64,
) -> (Ledger, Vec<Caveat>) {
    let (books, nonsense): (Vec<_>, Vec<_>) = books.into_iter().partition(HostBook::is_plausible);
    let mut books = once_each(books);
    count_pairs_once(&mut books);
    count_discards_once(&mut books);
    let absent: Vec<String> =
        absent.iter().cloned().chain(nonsense.into_iter().map(|book| book.host)).collect();
    let datagrams: Vec<&Flow> = super::datagrams(flows).collect();
    let sum = |of: fn(&Flow) -> Option<u64>| {
        datagrams.iter().map(|flow| super::told(of(flow))).sum::<Option<u64>>()
    };
    let (sent, delivered) = (sum(|flow| flow.messages.sent), sum(|flow| flow.messages.unique));
    let lost = sent.zip(delivered).map(|(sent, delivered)| sent.saturating_sub(delivered));
    let trains = datagrams
        .iter()
        .any(|flow| flow.transport == Some(Transport::Udp) && flow.batching.segments_max > Some(1));

    let mut drops: Vec<Drops> = books.iter().flat_map(places).collect();
    spare_sockets(&mut drops, &datagrams);
    RawBook::of(flows, Transport::is_frames).spare_refused(&mut drops);
    drops.extend(of_rings(flows));
    drops.sort_by_key(|drops| stage::order(drops.stage));
    // Somebody's datagrams went in pieces; ours only if they are too long for a packet.
    let long = datagrams.iter().any(|flow| flow.message_bytes > WHOLE_BYTES_MAX && may_have_pieces(flow));
    let pieces =
        long && books.iter().any(|book| of(book, "Ip", "FragCreates") + of(book, "Ip", "ReasmReqds") > 0);
    let mut shared = share(&drops, lost.unwrap_or(0), Units { trains, pieces });
    shared.guess =
        shared.guess.or_else(|| of_strangers(&drops, &shared.messages, &datagrams, &books, beside));
    let mut stages: Vec<LossStage> = drops
        .iter()
        .zip(&shared.messages)
        .map(|(drops, messages)| LossStage {
            stage: drops.stage.into(),
            place: drops.place.clone(),
            packets: drops.packets,
            messages: *messages,
        })
        .collect();
    let mut left = lost.unwrap_or(0) - shared.messages.iter().sum::<u64>();
    // A datagram misses a piece at least: more are not missing for want of the pieces that were seen to die.
    let seen: u64 = drops.iter().filter(|drops| in_network(drops)).map(|drops| drops.packets).sum();
    let incomplete = if pieces { left.min(seen) } else { 0 };
    if incomplete > 0 {
        let place = "datagrams of which a piece was lost before".to_owned();
        stages.push(LossStage { stage: stage::REASSEMBLY.into(), place, packets: 0, messages: incomplete });
        stages.sort_by_key(|entry| stage::order(&entry.stage));
        left -= incomplete;
    }
    let mut sources: Vec<LedgerSource> = books.iter().flat_map(|book| book.sources.clone()).collect();
    sources.extend(absent.iter().map(|host| not_told(host)));
    // Within one host there is nothing between.
    if books.len() != 1 || !absent.is_empty() {
        sources.push(between());
    }
    let ledger = Ledger {
        sent: sent.filter(|_| !datagrams.is_empty()),
        delivered: delivered.filter(|_| !datagrams.is_empty()),
        stages,
        unexplained: lost.filter(|_| !datagrams.is_empty()).and_then(|_| i64::try_from(left).ok()),
        packets: Vec::new(),
        unexplained_packets: None,
        sources,
    };
    let mut caveats: Vec<Caveat> =
        books.iter().flat_map(|book| &book.doubts).map(|text| broken(text)).collect();
    caveats.extend(doubts(left, &absent, &shared, lost.unwrap_or(0)));
    (ledger, caveats)
}

/// What the receivers of flows below UDP say that they had no room for.
fn of_rings(flows: &[Flow]) -> Vec<Drops> {
    let ip = RawBook::of(flows, |transport| transport == Transport::Ip).dropped;
    let frames = RawBook::of(flows, Transport::is_frames).dropped;
    let found = [
        (stage::SOCKET_BUFFER, "raw sockets, by their own counters", ip),
        (stage::PACKET_RING, "rings of the receivers, by their own counters", frames),
    ];
    let found = found.into_iter().filter(|(_, _, packets)| *packets > 0);
    found
        .map(|(stage, place, packets)| Drops { stage, place: place.into(), packets, datagrams: None })
        .collect()
}

/// A caveat of a counter that cannot be trusted.
pub(super) fn broken(text: &str) -> Caveat {
    Caveat::new(
        CaveatKind::CounterBroken,
        format!("{text}: what it counted is not known, and not in the ledger"),
        "leave devices and queues alone while a run lasts, and repeat it",
    )
}

/// The same namespace, read by several roles, counted the same packets: the longest reading has them all.
fn once_each(books: Vec<HostBook>) -> Vec<HostBook> {
    let mut kept: Vec<HostBook> = Vec::new();
    for book in books {
        match kept.iter_mut().find(|other| other.identity == book.identity) {
            Some(other) if other.duration_ns < book.duration_ns => *other = book,
            Some(_) => {}
            None => kept.push(book),
        }
    }
    kept
}

fn of(book: &HostBook, protocol: &str, name: &str) -> u64 {
    book.counters.get(&format!("{protocol}.{name}")).copied().unwrap_or(0)
}

/// Where a host dropped packets; each drop at one place, whoever else counted it too.
fn places(book: &HostBook) -> Vec<Drops> {
    let host = &book.host;
    let mut found: Vec<Drops> = Vec::new();
    let mut add = |stage, place: String, packets: u64| {
        if packets > 0 {
            found.push(Drops { stage, place, packets, datagrams: None });
        }
    };
    let backlog_of_cores = book.softnet_dropped.unwrap_or(u64::MAX);
    for device in &book.devices {
        let name = &device.name;
        let pair = device.driver == "veth";
        add(
            stage::HOST_QUEUE,
            format!("queue of {name} of {host}"),
            device.queue_dropped.unwrap_or(0).into(),
        );
        add(stage::SENDER_NIC, format!("{name} of {host} could not send"), device.out_errors);
        let behind = if pair { stage::RECEIVER_RING } else { stage::SENDER_NIC };
        add(behind, format!("behind {name} of {host}"), device.out_dropped);
        let ring = device.in_missed.max(device.driver_losses());
        add(stage::RECEIVER_RING, format!("ring of {name} of {host}"), ring);
        add(stage::LINK, format!("came damaged to {name} of {host}"), device.in_damaged);
        // Some drivers put their own losses there as well, and packets that nobody understands are
        // there too: the cores' own count of full backlogs bounds what is the backlog's.
        let backlog = device.in_dropped.saturating_sub(device.driver_losses()).min(backlog_of_cores);
        add(stage::RECEIVER_BACKLOG, format!("on the way in from {name} of {host}"), backlog);
    }
    if let Some(traced) = &book.traced {
        let (datagrams, all) = reading::neighbour_drops(traced);
        add(stage::NEIGHBOUR, format!("neighbours of {host}"), if datagrams > 0 { datagrams } else { all });
    } else {
        let discarded = book.neighbours_discarded.unwrap_or(0);
        add(stage::NEIGHBOUR, format!("full queues for neighbours of {host}, all its namespaces"), discarded);
    }
    let filtered = reading::firewall_drops(|protocol, name| of(book, protocol, name));
    add(stage::FIREWALL, format!("packet filter of {host}"), filtered);
    let both = |name: &str| of(book, "Udp", name) + of(book, "Udp6", name);
    let (full, memory, damaged) = (both("RcvbufErrors"), both("MemErrors"), both("InCsumErrors"));
    add(stage::CHECKSUM, format!("Udp.InCsumErrors of {host}"), damaged);
    add(stage::NO_LISTENER, format!("Udp.NoPorts of {host}"), both("NoPorts"));
    add(stage::SOCKET_BUFFER, format!("Udp.RcvbufErrors of {host}"), full);
    add(stage::SOCKET_BUFFER, format!("Udp.MemErrors of {host}"), memory);
    let other = both("InErrors").saturating_sub(full + memory + damaged);
    add(stage::SOCKET, format!("Udp.InErrors of no other name of {host}"), other);
    found
}

/// The kernel counts what full queues for neighbours threw away for all namespaces of a machine together: what the
/// trace of another namespace of it names is taken off.
fn count_discards_once(books: &mut [HostBook]) {
    let machine = |book: &HostBook| book.identity.split(' ').next().unwrap_or_default().to_owned();
    let named = |book: &HostBook| Some((machine(book), reading::neighbour_discards(book.traced.as_ref()?)));
    let named: Vec<(String, u64)> = books.iter().filter_map(named).collect();
    for book in books.iter_mut() {
        let machine = machine(book);
        let here = named.iter().filter(|(other, _)| *other == machine).map(|(_, packets)| *packets);
        let elsewhere = here.fold(0, u64::saturating_add);
        book.neighbours_discarded = book.neighbours_discarded.map(|all| all.saturating_sub(elsewhere));
    }
}

/// A packet that died between the two ends of a virtual pair, in the backlog of the receiving end's core,
/// is counted as dropped at both ends (drivers/net/veth.c, `veth_xmit`): what the receiving end counted is
/// taken off what the sending end did, if that was read as well. The rest died in the ring between them.
fn count_pairs_once(books: &mut [HostBook]) {
    let pairs =
        |book: &HostBook| book.devices.iter().filter(|device| device.driver == "veth").cloned().collect();
    let ends: Vec<Vec<Device>> = books.iter().map(pairs).collect();
    for receiving in ends.iter().flatten().filter(|end| end.in_dropped > 0 && end.peer != 0) {
        let is_peer = |end: &&mut Device| {
            end.driver == "veth" && (end.index, end.peer) == (receiving.peer, receiving.index)
        };
        if let Some(sending) = books.iter_mut().flat_map(|book| &mut book.devices).find(is_peer) {
            sending.out_dropped = sending.out_dropped.saturating_sub(receiving.in_dropped);
        }
    }
}

/// Sockets of others drop as well: no more messages died at full ones than our own say.
fn spare_sockets(drops: &mut [Drops], datagrams: &[&Flow]) {
    let mut sockets = std::collections::BTreeMap::<&str, u64>::new();
    for flow in datagrams.iter().filter(|flow| flow.transport == Some(Transport::Udp)) {
        let Some(dropped) = super::told(flow.receiver_drops) else { return };
        // Flows to one host share a socket, and each tells of all that it dropped.
        let socket = sockets.entry(&flow.to).or_default();
        *socket = dropped.max(*socket);
    }
    let mut left: u64 = sockets.values().sum();
    for place in drops.iter_mut().filter(|place| place.stage == stage::SOCKET_BUFFER) {
        let ours = left.min(place.packets);
        place.datagrams = Some(ours);
        left -= ours;
    }
}

fn may_have_pieces(flow: &Flow) -> bool {
    matches!(flow.transport, Some(Transport::Udp | Transport::Ip))
}

/// What fits a packet of 1500 B whatever the transport; no link of today takes less.
const WHOLE_BYTES_MAX: u32 = 1500 - 20 - 8;

/// Whether packets of other programs may be among those that were taken for ours: their datagrams came here, or some
/// came to a port where nobody listens, though our sockets stood.
fn of_strangers(
    drops: &[Drops],
    messages: &[u64],
    datagrams: &[&Flow],
    books: &[HostBook],
    beside: u64,
) -> Option<&'static str> {
    let at = |is_meant: fn(&Drops) -> bool| -> u64 {
        drops.iter().zip(messages).filter(|(drops, _)| is_meant(drops)).map(|(_, messages)| messages).sum()
    };
    let over_udp = || datagrams.iter().filter(|flow| flow.transport == Some(Transport::Udp));
    if over_udp().all(|flow| flow.complete) && at(|drops| drops.stage == stage::NO_LISTENER) > 0 {
        return Some(STRANGERS);
    }
    let ours: u64 = over_udp().map(|flow| super::told(flow.messages.received)).sum::<Option<u64>>()?;
    let both = |book| of(book, "Udp", "InDatagrams").saturating_add(of(book, "Udp6", "InDatagrams"));
    let read = books.iter().map(both).fold(0, u64::saturating_add);
    let strange = read.saturating_sub(ours).saturating_sub(beside);
    // Our own sockets say what they dropped; everywhere else a counter does not know whose packet it was.
    let shared = at(|drops| drops.datagrams.is_none() && drops.stage != stage::PACKET_RING);
    (shared > 0 && strange > STRANGE_MIN && strange > ours / 100).then_some(STRANGERS)
}

/// Fewer datagrams of others are the noise of any host: name service, time.
const STRANGE_MIN: u64 = 100;

/// How packets and messages differ.
#[derive(Clone, Copy)]
struct Units {
    /// Several messages may travel as one packet.
    trains: bool,
    /// One message may travel as several packets.
    pieces: bool,
}

/// Messages lost at each place.
struct Shared {
    messages: Vec<u64>,
    /// Why that is a guess, if it is.
    guess: Option<&'static str>,
}

/// Before packets come to the receiving host's IP layer.
fn in_network(drops: &Drops) -> bool {
    stage::order(drops.stage) < stage::order(stage::FIREWALL)
}

/// Divides the lost messages among the places that dropped packets.
fn share(drops: &[Drops], lost: u64, units: Units) -> Shared {
    // A piece that died in the network is missing where pieces are put together.
    let counted = |drops: &Drops| match units.pieces && in_network(drops) {
        true => 0,
        false => drops.datagrams.unwrap_or(drops.packets),
    };
    let counted: Vec<u64> = drops.iter().map(counted).collect();
    let sum = counted.iter().fold(0, |sum: u64, packets| sum.saturating_add(*packets));
    let places = counted.iter().filter(|packets| **packets > 0).count();
    if lost == 0 {
        // Nothing of ours died, whatever others lost.
        return Shared { messages: vec![0; drops.len()], guess: None };
    }
    if places == 1 && (units.trains || sum > lost) {
        // One place dropped, and it alone: what was lost, was lost there.
        let messages = counted.iter().map(|packets| if *packets > 0 { lost } else { 0 }).collect();
        let guess = (!units.trains).then_some(OTHERS);
        return Shared { messages, guess };
    }
    if sum <= lost && !units.trains {
        return Shared { messages: counted, guess: None };
    }
    // In the proportion of the packets; the last place has what the division leaves.
    let mut left = lost;
    let mut weight = sum;
    let messages = counted
        .iter()
        .map(|packets| {
            let here = u128::from(left) * u128::from(*packets) / u128::from(weight.max(1));
            let here = u64::try_from(here).unwrap_or(left);
            left -= here;
            weight -= packets;
            here
        })
        .collect();
    let guess = (places > 0).then_some(if units.trains { TRAINS } else { OTHERS });
    Shared { messages, guess }
}

const OTHERS: &str =
    "more packets were dropped than messages lost: others' are among them, TCP's or other programs'";
const STRANGERS: &str =
    "other programs' datagrams came to these hosts meanwhile, and theirs may be among the dropped";
const TRAINS: &str =
    "messages travelled in trains, which a counter counts as one, and several places dropped some";

fn doubts(left: u64, absent: &[String], shared: &Shared, lost: u64) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    if left > 0 {
        let end = if absent.is_empty() {
            "on the way between them, or unseen".to_owned()
        } else {
            format!("on the way, or in {}, whose counters were not told", absent.join(", "))
        };
        caveats.push(Caveat::new(
            CaveatKind::StageUncertain,
            format!("{left} of {lost} lost messages died where no counter was read: {end}"),
            "look at the counters of the switches between the hosts",
        ));
    }
    if let Some(why) = shared.guess {
        caveats.push(Caveat::new(
            CaveatKind::StageUncertain,
            format!(
                "{why}: how many of the {lost} lost messages each place dropped is a guess, their sum is not"
            ),
            "keep other traffic off the hosts, send without offloads (--segments-max 1), and repeat",
        ));
    }
    caveats
}

fn not_told(host: &str) -> LedgerSource {
    LedgerSource {
        name: "counters".into(),
        host: host.into(),
        read: false,
        why: Some("this end did not tell its own".into()),
        uncertain: stage::ALL.iter().map(|stage| (*stage).to_owned()).collect(),
    }
}

fn between() -> LedgerSource {
    LedgerSource {
        name: "switches".into(),
        host: String::new(),
        read: false,
        why: Some("nobody asks the switches between real hosts".into()),
        uncertain: vec![stage::LINK.into(), stage::SWITCH_PORT.into()],
    }
}

#[cfg(test)]
mod tests;
