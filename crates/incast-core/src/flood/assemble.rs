//! Makes the flow of a record from what its two sides learned.
//!
//! Either side may be unknown: a plain peer reports nothing, a killed one cannot. What is unknown
//! stays null. The intervals are differences of cumulative counts, so they sum to the whole.

use super::report::{Measured, Sent};
use crate::caveat::{Caveat, CaveatKind};
use crate::load::{Load, Transport};
use crate::raw::RawPlan;
use crate::record::{Batching, Flow, FlowCpu, Interval, Messages, RawSummary, SocketBuffers};
use crate::sequence::Counts;
use crate::stats::ratio;
use crate::time::Span;

/// Who sends what to whom: what is known of a flow before it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowIdentity {
    /// Name of the flow.
    pub name: String,
    /// Sending host.
    pub from: String,
    /// Receiving host.
    pub to: String,
    /// Carrier.
    pub transport: Transport,
    /// Message size in bytes.
    pub message_bytes: u32,
    /// What is below UDP, if the transport is.
    pub raw: RawPlan,
    /// Largest packet of the path in bytes, for the rate on the wire.
    pub mtu_bytes: u32,
    /// Sockets that share the load.
    pub streams: u32,
    /// Intended load; `None` when this side does not know it.
    pub load: Option<Load>,
    /// Length of a reported interval.
    pub interval: Span,
    /// Start of the run by the wall clock, nanoseconds since 1970: what `start_s` counts from.
    pub run_start_unix_ns: Option<u64>,
}

/// The least time over which a rate is given: below it one batch decides.
const RATE_SPAN_MIN_NS: u64 = 1_000_000;
/// A sender that keeps less than this part of its intended load gets a caveat.
const LOAD_KEPT_MIN: f64 = 0.98;
/// Shorter flows get a caveat: slow start, scheduling and interval edges still show in the rate.
const RUN_NS_MIN: u64 = 1_000_000_000;

/// The flow of the record.
#[must_use]
pub fn flow(identity: &FlowIdentity, sent: Option<&Sent>, measured: Option<&Measured>) -> Flow {
    let messages = messages(sent, measured);
    let bits = |count: u64| f64_of(count) * f64::from(identity.message_bytes) * 8.0;
    let rate = |count: u64, ns: u64| (ns >= RATE_SPAN_MIN_NS).then(|| bits(count) / (f64_of(ns) / 1e9));
    let receiver_ns = measured.and_then(|side| Some((side.first_ns?, side.last_ns?)));
    let duration_ns =
        receiver_ns.map_or_else(|| sent.map(|side| side.duration_ns), |(first, last)| Some(last - first));
    // TCP delivers every byte once; only over UDP is a counter needed to know that.
    let once = messages.unique.or_else(|| messages.received.filter(|_| identity.transport == Transport::Tcp));
    let goodput = once.zip(receiver_ns).and_then(|(once, (first, last))| rate(once, last - first));
    let start_ns = measured.and_then(|side| {
        let after =
            side.start_unix_ns.zip(identity.run_start_unix_ns).map(|(at, run)| at.saturating_sub(run));
        Some(after.unwrap_or(0).saturating_add(side.first_ns?))
    });
    Flow {
        name: identity.name.clone(),
        from: identity.from.clone(),
        to: identity.to.clone(),
        transport: Some(identity.transport),
        message_bytes: identity.message_bytes,
        streams: identity.streams,
        intended_load_bits_per_s: identity.load.and_then(|load| load.bits_per_s(identity.message_bytes)),
        offered_load_bits_per_s: sent.and_then(|side| rate(side.messages(), side.duration_ns)),
        goodput_bits_per_s: goodput,
        wire_rate_bits_per_s: goodput.map(|rate| rate * wire_factor(identity)),
        start_s: start_ns.map(seconds),
        duration_s: duration_ns.map(seconds),
        lost_fraction: messages.lost.and_then(|lost| {
            ratio(lost, messages.sent.or_else(|| Some(messages.unique?.saturating_add(lost)))?)
        }),
        loss_runs: measured.filter(|_| messages.lost.is_some()).map(|side| side.loss_runs.clone()),
        round_trip: None,
        reordering: measured.filter(|_| messages.unique.is_some()).map(|side| side.reordering.clone()),
        departure_error: sent.and_then(|side| side.departure_error.clone()),
        cpu: cpu(sent, measured, messages.unique.map(|unique| bits(unique) / 8.0)),
        socket_buffers: SocketBuffers {
            send: sent.and_then(|side| side.buffer.clone()),
            receive: measured.and_then(|side| side.buffer.clone()),
        },
        tcp: sent.and_then(|side| side.tcp.clone()),
        batching: Batching {
            send_calls: sent.and_then(|side| side.batching.send_calls),
            receive_calls: measured.and_then(|side| side.batching.receive_calls),
            segments_max: sent.and_then(|side| side.batching.segments_max),
        },
        receiver_drops: measured.and_then(|side| side.socket_drops),
        raw: RawSummary::of(identity, sent, measured),
        intervals: intervals(identity, sent, measured),
        complete: sent.is_none_or(|side| side.complete) && measured.is_none_or(|side| side.complete),
        messages,
    }
}

/// The account of messages (law 1). A stream without counters has only its received messages.
fn messages(sent: Option<&Sent>, measured: Option<&Measured>) -> Messages {
    let sent = sent.map(Sent::messages);
    let Some(side) = measured else { return Messages { sent, ..Messages::default() } };
    if side.foreign || side.uncounted > 0 && side.counts.received == 0 {
        return Messages { sent, received: Some(side.uncounted), ..Messages::default() };
    }
    let counts = side.counts;
    assert_eq!(counts.received, counts.unique + counts.duplicate + counts.stale, "law 1, at the receiver");
    let unexplained = sent
        .map(|sent| signed(sent).saturating_sub(signed(counts.unique)).saturating_sub(signed(counts.lost)));
    Messages {
        sent,
        received: Some(counts.received),
        unique: Some(counts.unique),
        duplicate: Some(counts.duplicate),
        reordered: Some(counts.reordered),
        late: Some(counts.late),
        stale: Some(counts.stale),
        lost: Some(counts.lost),
        unexplained,
    }
}

fn cpu(sent: Option<&Sent>, measured: Option<&Measured>, bytes: Option<f64>) -> FlowCpu {
    let sender = sent.and_then(|side| side.cpu.clone());
    let receiver = measured.and_then(|side| side.cpu.clone());
    let both = sender.as_ref().zip(receiver.as_ref()).map(|(one, other)| one.total_s() + other.total_s());
    let per_gigabyte =
        both.zip(bytes).filter(|(_, bytes)| *bytes > 0.0).map(|(cpu, bytes)| cpu / (bytes / 1e9));
    FlowCpu {
        sender,
        receiver,
        seconds_per_gigabyte: per_gigabyte,
        cores_at_200_gbit_per_s: per_gigabyte.map(cores_at_200_gbit),
    }
}

/// 200 Gbit/s are 25 gigabytes each second.
#[must_use]
pub fn cores_at_200_gbit(cpu_seconds_per_gigabyte: f64) -> f64 {
    cpu_seconds_per_gigabyte * 25.0
}

/// Bytes on the wire per byte of payload, on Ethernet of the flow's MTU.
#[must_use]
pub fn wire_factor(flow: &FlowIdentity) -> f64 {
    let (_, wire_bytes) = frames(flow.transport, &flow.raw, flow.message_bytes, flow.mtu_bytes);
    wire_bytes / f64::from(flow.message_bytes)
}

/// Packets that a message takes, and bytes on the wire: with 14 B of header, 4 B of check, 8 B of
/// preamble and 12 B of gap each (IEEE 802.3), over IPv4 where the transport is not Ethernet itself. A stream
/// of TCP fills its packets.
#[must_use]
pub fn frames(transport: Transport, raw: &RawPlan, message_bytes: u32, mtu_bytes: u32) -> (f64, f64) {
    let (message, mtu) = (f64::from(message_bytes), f64::from(mtu_bytes));
    let (udp_header, packets, per_packet) = match transport {
        Transport::Ip if message + 20.0 <= mtu => (0.0, 1.0, 20.0),
        Transport::Ip => (0.0, (message / f64::from((mtu_bytes.max(28) - 20) / 8 * 8)).ceil(), 20.0),
        // A frame holds at least 46 B, its VLAN tag of 4 B among them (IEEE 802.3 §3.2.7).
        Transport::Ethernet | Transport::Xdp => {
            let tag = if raw.vlan.is_some() { 4.0 } else { 0.0 };
            return (1.0, (message + tag).max(46.0) + FRAME_BYTES);
        }
        Transport::Udp if message + 28.0 <= mtu => (8.0, 1.0, 20.0),
        // Fragments carry multiples of eight bytes; the UDP header is in the first.
        Transport::Udp => (8.0, ((message + 8.0) / f64::from((mtu_bytes - 20) / 8 * 8)).ceil(), 20.0),
        // 20 B of IP, 20 B of TCP and 12 B of timestamps.
        Transport::Tcp => (0.0, message / (mtu - 52.0), 52.0),
    };
    (packets, message + udp_header + packets * (per_packet + FRAME_BYTES))
}

/// Header, check, preamble and gap of a frame.
const FRAME_BYTES: f64 = 38.0;
/// Largest packet of Ethernet, where nobody says otherwise (IEEE 802.3).
pub const ETHERNET_MTU: u32 = 1500;

/// Differences of the cumulative counts; the last interval ends with the flow and takes the rest.
fn intervals(identity: &FlowIdentity, sent: Option<&Sent>, measured: Option<&Measured>) -> Vec<Interval> {
    let end_ns =
        sent.map_or(0, |side| side.duration_ns).max(measured.and_then(|side| side.last_ns).unwrap_or(0));
    let step_ns = identity.interval.as_ns().max(1);
    let known =
        sent.map_or(0, |side| side.intervals.len()).max(measured.map_or(0, |side| side.intervals.len()));
    let full = usize::try_from(end_ns.saturating_sub(1) / step_ns).unwrap_or(usize::MAX).min(known);
    if sent.is_none() && measured.is_none() {
        return Vec::new();
    }
    let counted = measured.filter(|side| !side.foreign && (side.counts.received > 0 || side.uncounted == 0));
    // What a foreign sender sent when is not known, unless all of it falls into one interval.
    let sent = sent.filter(|side| !side.foreign || full == 0);
    let sent_by = |index: usize| {
        let side = sent?;
        let whole = side.messages();
        Some(if index < full {
            side.intervals.get(index).copied().unwrap_or(whole).min(whole)
        } else {
            whole
        })
    };
    let counts_by = |index: usize| {
        let side = counted?;
        Some(if index < full {
            side.intervals.get(index).copied().unwrap_or(side.counts)
        } else {
            side.counts
        })
    };
    let mut before = (sent.map(|_| 0), counted.map(|_| Counts::default()));
    (0..=full)
        .map(|index| {
            let after = (sent_by(index), counts_by(index));
            let from = u64::try_from(index).unwrap_or(u64::MAX).saturating_mul(step_ns);
            let to = if index < full { from + step_ns } else { end_ns };
            let slice = interval(identity, before, after, from, to);
            before = after;
            slice
        })
        .collect()
}

type Cumulative = (Option<u64>, Option<Counts>);

fn interval(
    identity: &FlowIdentity,
    before: Cumulative,
    after: Cumulative,
    from_ns: u64,
    to_ns: u64,
) -> Interval {
    let counts = before.1.zip(after.1);
    let grown =
        |column: fn(&Counts) -> u64| counts.map(|(old, new)| column(&new).saturating_sub(column(&old)));
    let unique = grown(|counts| counts.unique);
    let span_s = seconds(to_ns.saturating_sub(from_ns));
    Interval {
        start_s: seconds(from_ns),
        end_s: seconds(to_ns),
        sent: before.0.zip(after.0).map(|(old, new)| new.saturating_sub(old)),
        received: grown(|counts| counts.received),
        unique,
        duplicate: grown(|counts| counts.duplicate),
        reordered: grown(|counts| counts.reordered),
        late: grown(|counts| counts.late),
        stale: grown(|counts| counts.stale),
        lost: counts.map(|(old, new)| signed(new.lost) - signed(old.lost)),
        goodput_bits_per_s: unique
            .filter(|_| to_ns.saturating_sub(from_ns) >= RATE_SPAN_MIN_NS)
            .map(|unique| f64_of(unique) * f64::from(identity.message_bytes) * 8.0 / span_s),
    }
}

/// The doubts about one flow that follow from its numbers, and those its carriers told.
#[must_use]
pub fn caveats(flow: &Flow, sent: Option<&Sent>, measured: Option<&Measured>) -> Vec<Caveat> {
    let mut out = Vec::new();
    let name = &flow.name;
    let mut doubt = |kind, text: String, advice: &str| out.push(Caveat::new(kind, text, advice));
    if let (Some(intended), Some(offered)) = (flow.intended_load_bits_per_s, flow.offered_load_bits_per_s)
        && offered < intended * LOAD_KEPT_MIN
    {
        let kept = 100.0 * offered / intended;
        let text = format!(
            "{name}: the sender kept {kept:.1} % of the intended load; loss and goodput belong to the offered load"
        );
        doubt(
            CaveatKind::SenderBelowIntendedLoad,
            text,
            "ask for less, send larger messages, or give the sender a core of its own",
        );
    }
    if flow.duration_s.is_some_and(|duration| duration * 1e9 < f64_of(RUN_NS_MIN) * 0.95) {
        let text = format!("{name}: measured over {:.3} s only", flow.duration_s.unwrap_or_default());
        doubt(CaveatKind::RunTooShort, text, "run for at least a second; ten are better");
    }
    if let Some(stale) = flow.messages.stale.filter(|stale| *stale > 0) {
        let text = format!(
            "{name}: {stale} messages came too late to be told from duplicates; up to as many of the lost were not lost"
        );
        doubt(CaveatKind::WindowExceeded, text, "look for two paths of very different delay");
    }
    if let Some(side) = measured.filter(|side| side.uncounted > 0 && !side.foreign) {
        let text = format!(
            "{name}: {} messages carried no usable counter, so loss and order are unknown for them",
            side.uncounted
        );
        doubt(
            CaveatKind::NoCounter,
            text,
            "let the sender write a counter from 1 in the first 8 bytes, little endian (lab sheet section 8)",
        );
    }
    if flow.complete && sent.is_some_and(|side| side.stopped) {
        let text =
            format!("{name}: it was stopped before its time; its account covers what was sent until then");
        doubt(CaveatKind::Interrupted, text, "run it again, undisturbed");
    }
    if !flow.complete {
        let text =
            format!("{name}: a side went away before the end; the account covers what was told until then");
        doubt(CaveatKind::PeerVanished, text, "look at that host, and run again");
    }
    if let Some(open) = flow.messages.unexplained.filter(|open| *open != 0) {
        let text = format!("{name}: the account of messages does not close by {open}");
        doubt(
            CaveatKind::AccountOpen,
            text,
            "do not trust this flow; a stale message, a second sender or a fault of incast can do this",
        );
    }
    out.extend(sent.into_iter().flat_map(|side| side.caveats.iter().cloned()));
    out.extend(measured.into_iter().flat_map(|side| side.caveats.iter().cloned()));
    out
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "for rates and printing: 53 bits are enough")]
fn f64_of(count: u64) -> f64 {
    count as f64
}

fn seconds(ns: u64) -> f64 {
    f64_of(ns) / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::VlanTag;

    fn identity() -> FlowIdentity {
        FlowIdentity {
            mtu_bytes: ETHERNET_MTU,
            name: "f".into(),
            from: "y".into(),
            to: "x".into(),
            transport: Transport::Udp,
            message_bytes: 1000,
            streams: 1,
            load: Some("8Mbit/s".parse().unwrap()),
            interval: Span::from_s(1),
            raw: RawPlan::default(),
            run_start_unix_ns: None,
        }
    }

    fn counts(unique: u64, duplicate: u64, lost: u64) -> Counts {
        Counts { received: unique + duplicate, unique, duplicate, lost, ..Counts::default() }
    }

    fn sides() -> (Sent, Measured) {
        let sent = Sent {
            stream_messages: vec![2500],
            duration_ns: 2_500_000_000,
            intervals: vec![1000, 2000],
            complete: true,
            ..Sent::default()
        };
        // A loss of the first second is given back by a late message in the second.
        let intervals = vec![counts(990, 0, 10), counts(1995, 3, 5), counts(2490, 3, 5)];
        let measured = Measured {
            counts: counts(2490, 3, 10),
            first_ns: Some(0),
            last_ns: Some(2_490_000_000),
            intervals,
            complete: true,
            ..Measured::default()
        };
        (sent, measured)
    }

    #[test]
    fn intervals_sum_to_the_whole_exactly() {
        let (sent, measured) = sides();
        let flow = flow(&identity(), Some(&sent), Some(&measured));
        let sum =
            |column: fn(&Interval) -> Option<u64>| flow.intervals.iter().filter_map(column).sum::<u64>();
        assert_eq!(Some(sum(|slice| slice.sent)), flow.messages.sent);
        assert_eq!(Some(sum(|slice| slice.unique)), flow.messages.unique);
        assert_eq!(Some(sum(|slice| slice.duplicate)), flow.messages.duplicate);
        let lost: Vec<_> = flow.intervals.iter().map(|slice| slice.lost).collect();
        assert_eq!(lost, [Some(10), Some(-5), Some(5)], "the late ones come back, the tail is in the last");
        assert_eq!(flow.intervals.last().map(|slice| (slice.start_s, slice.end_s)), Some((2.0, 2.5)));
    }

    #[test]
    fn a_flow_that_came_in_one_moment_has_one_interval() {
        // One batch, at the time at which the flow was first heard of.
        let measured =
            Measured { counts: counts(5, 1, 1), first_ns: Some(0), last_ns: Some(0), ..Measured::default() };
        let flow = flow(&identity(), None, Some(&measured));
        let slices: Vec<_> = flow.intervals.iter().map(|slice| (slice.received, slice.lost)).collect();
        assert_eq!(slices, [(Some(6), Some(1))]);
        assert_eq!(flow.intervals[0].goodput_bits_per_s, None);
    }

    #[test]
    fn law_1_closes() {
        let (sent, measured) = sides();
        let flow = flow(&identity(), Some(&sent), Some(&measured));
        assert_eq!(flow.messages.unexplained, Some(0));
        assert_eq!(flow.lost_fraction, Some(10.0 / 2500.0));
        assert!(caveats(&flow, Some(&sent), Some(&measured)).is_empty());
    }

    #[test]
    fn unknown_is_null_never_zero() {
        let (sent, measured) = sides();
        let only_sent = flow(&identity(), Some(&sent), None);
        assert_eq!(
            (only_sent.messages.sent, only_sent.messages.lost, only_sent.goodput_bits_per_s),
            (Some(2500), None, None)
        );
        let only_measured = flow(&identity(), None, Some(&measured));
        assert_eq!((only_measured.messages.sent, only_measured.messages.unexplained), (None, None));
        assert_eq!(only_measured.lost_fraction, Some(10.0 / 2500.0), "the gaps alone tell a fraction");
        let no_counter = Measured { uncounted: 7, ..Measured::default() };
        let blind = flow(&identity(), None, Some(&no_counter));
        assert_eq!(
            (blind.messages.received, blind.messages.lost, blind.lost_fraction),
            (Some(7), None, None)
        );
        // A byte stream delivers once, counter or not: its bandwidth is known (lab sheet sections 3-7).
        let timed = Measured { first_ns: Some(0), last_ns: Some(1_000_000_000), ..no_counter };
        let tcp = FlowIdentity { transport: Transport::Tcp, ..identity() };
        assert_eq!(flow(&tcp, None, Some(&timed)).goodput_bits_per_s, Some(56_000.0));
        assert_eq!(flow(&identity(), None, Some(&timed)).goodput_bits_per_s, None);
    }

    #[test]
    fn one_udp_datagram_costs_66_bytes_on_the_wire() {
        let wire = |message_bytes| {
            let flow = FlowIdentity { message_bytes, ..identity() };
            wire_factor(&flow) * f64::from(message_bytes)
        };
        assert!((wire(1000) - 1066.0).abs() < 1e-9);
        // 4096 B: three fragments.
        assert!((wire(4096) - (4096.0 + 8.0 + 3.0 * 58.0)).abs() < 1e-9);
    }

    #[test]
    fn raw_transports_save_the_headers_that_they_do_not_have() {
        let wire = |transport, message_bytes, mtu_bytes| {
            frames(transport, &RawPlan::default(), message_bytes, mtu_bytes)
        };
        assert_eq!(wire(Transport::Ip, 1000, 1500), (1.0, 1058.0));
        assert_eq!(wire(Transport::Ip, 1480, 1500), (1.0, 1538.0));
        assert_eq!(wire(Transport::Ip, 1481, 1500), (2.0, 1481.0 + 2.0 * 58.0));
        for transport in [Transport::Ethernet, Transport::Xdp] {
            assert_eq!(wire(transport, 1000, 1500), (1.0, 1038.0));
            // The smallest frame there is: 84 B with preamble and gap.
            assert_eq!(wire(transport, 16, 1500), (1.0, 84.0));
            let tagged = RawPlan { vlan: Some(VlanTag { id: 7, priority: 0 }), ..RawPlan::default() };
            assert_eq!(frames(transport, &tagged, 1000, 1500), (1.0, 1042.0));
        }
    }

    #[test]
    fn a_doubt_is_named() {
        let (mut sent, measured) = sides();
        sent.stream_messages = vec![2000];
        let flow = flow(&identity(), Some(&sent), Some(&measured));
        let kinds: Vec<_> =
            caveats(&flow, Some(&sent), Some(&measured)).into_iter().map(|caveat| caveat.kind).collect();
        assert_eq!(kinds, [CaveatKind::SenderBelowIntendedLoad, CaveatKind::AccountOpen]);
    }
}
