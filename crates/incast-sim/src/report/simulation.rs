//! What only a simulator sees: queues over time, drops, the account of bytes, the models that were used.

use std::collections::BTreeMap;

use incast_core::record::{ByteBook, DropPlace, QueueHistory, Simulation, TimeDistribution};
use incast_core::scenario::is_meant;
use incast_core::stats::LogHistogram;
use incast_core::time::{Span, Time};

use crate::fabric::{Died, FabricPlan, QueueCounts};
use crate::stack::grave::Grave;

/// What there is to report of a run.
pub struct Seen<'a> {
    /// The network.
    pub plan: &'a FabricPlan,
    /// What every queue did, by link.
    pub queues: &'a [QueueCounts],
    /// Every packet that died, by its grave.
    pub deaths: &'a BTreeMap<Grave, Died>,
    /// Names of the hosts.
    pub hosts: &'a [String],
    /// Virtual time that passed.
    pub now: Time,
    /// Packets sent over links, each link counted.
    pub packet_hops: u64,
    /// Arrivals whose order was drawn.
    pub ties: u64,
    /// Of everything that happened.
    pub digest: u64,
    /// Queues shown, the fullest first.
    pub queues_shown: u32,
    /// Queues of which something is expected: shown in any case.
    pub queues_expected: Vec<&'a str>,
}

/// The parts of the record that follow from the network.
#[must_use]
pub fn simulation(seen: &Seen<'_>) -> Simulation {
    let mut queues: Vec<QueueHistory> = seen
        .plan
        .links
        .iter()
        .zip(seen.queues)
        .filter(|(_, counts)| counts.offered_packets > 0)
        .map(|(link, counts)| {
            history(&link.place, (!link.byte_time.is_zero()).then_some(link.queue_bytes), counts, seen)
        })
        .collect();
    queues.sort_by(|one, other| {
        (other.bytes_max, other.packets).cmp(&(one.bytes_max, one.packets)).then(one.place.cmp(&other.place))
    });
    let mut shown = 0;
    queues.retain(|queue| {
        shown += 1;
        shown <= seen.queues_shown || seen.queues_expected.iter().any(|name| is_meant(&queue.place, name))
    });
    let mut drops: Vec<DropPlace> = seen
        .deaths
        .iter()
        .filter(|(_, died)| died.packets > 0)
        .map(|(grave, died)| DropPlace {
            stage: grave.stage(seen.plan).into(),
            place: grave.place(seen.plan, seen.hosts),
            cause: grave.why().into(),
            packets: died.packets,
            bytes: died.bytes,
            first_s: died.first.since(Time::ZERO).as_s_f64(),
            last_s: died.last.since(Time::ZERO).as_s_f64(),
        })
        .collect();
    drops.sort_by(|one, other| other.packets.cmp(&one.packets).then(one.place.cmp(&other.place)));
    Simulation {
        virtual_s: seen.now.since(Time::ZERO).as_s_f64(),
        packet_hops: seen.packet_hops,
        ties: seen.ties,
        digest: format!("{:016x}", seen.digest),
        bytes: byte_book(seen.queues),
        queues,
        drops,
        ..Simulation::default()
    }
}

/// Law 4, over all queues.
fn byte_book(queues: &[QueueCounts]) -> ByteBook {
    let mut book = ByteBook::default();
    for counts in queues {
        book.offered += counts.offered_bytes;
        book.forwarded += counts.forwarded_bytes;
        book.dropped += counts.dropped.iter().map(|(_, died)| died.bytes).sum::<u64>();
        book.queued += counts.queued_bytes;
    }
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    book.residual =
        signed(book.offered) - signed(book.forwarded) - signed(book.dropped) - signed(book.queued);
    book
}

#[expect(clippy::cast_precision_loss, reason = "for people: 53 bits are enough")]
fn history(place: &str, capacity_bytes: Option<u64>, counts: &QueueCounts, seen: &Seen<'_>) -> QueueHistory {
    let elapsed_ps = seen.now.since(Time::ZERO).0.max(1) as f64;
    QueueHistory {
        place: place.into(),
        packets: counts.offered_packets,
        dropped_packets: counts.dropped.iter().map(|(_, died)| died.packets).sum(),
        capacity_bytes,
        bytes_max: counts.bytes_max,
        packets_max: counts.packets_max,
        bytes_mean: counts.byte_ps as f64 / elapsed_ps,
        busy: capacity_bytes.map(|_| counts.busy_ps as f64 / elapsed_ps),
        wait_us: distribution("wait", &counts.wait_ns),
        wait_us_mean: (counts.wait_ns.count() > 0)
            .then(|| counts.wait_sum_ps as f64 / counts.wait_ns.count() as f64 / 1e6),
        bytes_over_time: counts.bytes_over_time.clone(),
        interval_s: seen.plan.interval.as_s_f64(),
    }
}

/// A histogram of nanoseconds as the record has it; nothing of an empty one.
#[must_use]
pub fn distribution(name: &str, histogram: &LogHistogram) -> Option<TimeDistribution> {
    let us = |q| histogram.quantile(q).map(|ns| Span::from_ns(ns).as_s_f64() * 1e6);
    (histogram.count() > 0).then(|| TimeDistribution {
        name: name.into(),
        count: histogram.count(),
        us_p50: us(0.5),
        us_p99: us(0.99),
        us_p999: us(0.999),
        us_max: histogram.max().map(|ns| Span::from_ns(ns).as_s_f64() * 1e6),
    })
}
