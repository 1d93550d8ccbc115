//! Makes the points of the record from what the two ends of each learned.

use super::clocks::{Clocks, PointClock};
use super::report::{HostWork, ProbeSeen, ProbeSent};
use super::sweep::{ProbeSweep, SweepPoint};
use crate::caveat::{Caveat, CaveatKind};
use crate::flood::report::{Measured, Sent};
use crate::record::{
    Flow, NanosecondBucket, NanosecondDistribution, Probe, ProbeEnd, ProbePoint, ProbeStamps,
};
use crate::stats::ratio;
use crate::stats::signed::SignedHistogram;
use crate::time::Span;

/// A probe as it is played, point by point.
#[derive(Clone, Debug, Default)]
pub struct Played {
    clocks: Clocks,
    points: Vec<ProbePoint>,
    /// The point with the highest offered load, and that load.
    heaviest: Option<(usize, f64)>,
}

impl Played {
    /// Drift to be taken out of the next point.
    #[must_use]
    pub fn drift_ppb(&self) -> i64 {
        self.clocks.drift_ppb()
    }

    /// Whether the next point can be played better than the last: its clocks are compared now, and were not before.
    #[must_use]
    pub fn is_drift_new(&self) -> bool {
        self.points.len() == 1 && !self.clocks.are_shared() && self.clocks.drift_ppb() != 0
    }

    /// Takes the last point back, to play it again; what was learned of the clocks stays.
    pub fn forget_last(&mut self) {
        self.points.pop();
        self.heaviest = None;
    }

    /// A point is over: what its flow came to, and what the two ends told; says whether it is the heaviest so far.
    pub fn handle_point(
        &mut self,
        point: &SweepPoint,
        flow: &Flow,
        sent: Option<&Sent>,
        measured: Option<&Measured>,
    ) -> bool {
        let (ours, theirs) = (
            sent.and_then(|sent| sent.probe.as_deref()),
            measured.and_then(|measured| measured.probe.as_deref()),
        );
        let clock = ours.zip(theirs).and_then(|(ours, theirs)| self.clocks.handle_point(ours, theirs));
        self.points.push(point_of(point, flow, (ours, theirs), clock));
        let load = flow.offered_load_bits_per_s.unwrap_or(0.0);
        let is_heaviest = self.heaviest.is_none_or(|(_, most)| load > most);
        if is_heaviest {
            self.heaviest = Some((self.points.len() - 1, load));
        }
        is_heaviest
    }

    /// Points so far.
    #[must_use]
    pub fn points(&self) -> &[ProbePoint] {
        &self.points
    }
}

/// The probe of the record, and what is to be doubted of it.
#[must_use]
pub fn record(played: Played, sweep: &ProbeSweep, flow: &str) -> (Probe, Vec<Caveat>) {
    let mut caveats = played.clocks.caveats(&played.points);
    let stamps = stamps_of(&played.points);
    if matches!(stamps, Some("reader" | "mixed")) {
        let (all, reader) = played.points.iter().fold((0, 0), |(all, reader), point| {
            let ProbeStamps { nic, kernel, reader: own } = point.stamped;
            (all + nic + kernel + own, reader + own)
        });
        // The first messages after stamping was asked for may carry none: that is no doubt.
        if ratio(reader, all).is_some_and(|part| part > READER_MAX) {
            caveats.push(Caveat::new(
                CaveatKind::StampsByReader,
                format!("{reader} of {all} arrivals were told by the reader's clock: those of one batch share a time"),
                "use a kernel that stamps datagrams (SO_TIMESTAMPING), or read only rates and loss",
            ));
        }
    }
    caveats.extend(late(&played.points));
    let probe = Probe {
        flow: flow.to_owned(),
        warm_up_messages: sweep.warm_up_messages,
        repetitions: sweep.repetitions,
        stamps: stamps.map(Into::into),
        clocks: played.clocks.to_record(),
        shown_point: played.heaviest.and_then(|(index, _)| u32::try_from(index).ok()),
        points: played.points,
    };
    (probe, caveats)
}

/// The doubt about gaps that the sender did not keep.
fn late(points: &[ProbePoint]) -> Option<Caveat> {
    let late: Vec<&ProbePoint> = points.iter().filter(|point| point.is_late()).collect();
    let by = |point: &ProbePoint| point.departure_error.as_ref().map_or(0, |error| error.ns_p50);
    let worst = late.iter().max_by_key(|point| by(point))?;
    let text = format!(
        "at {} of {} points half of the messages left later than their moment by more than the gap (by {} us where the gap \
         is {} us): they left in bursts, and the path was shown bursts",
        late.len(),
        points.len(),
        by(worst) / 1_000,
        worst.gap_ns.unwrap_or(0.0) / 1e3
    );
    let advice = "give the sender a core of its own (--spin, --core), or ask for longer gaps";
    Some(Caveat::new(CaveatKind::DeparturesLate, text, advice))
}

/// More arrivals than this part, told by the reader's clock, are a doubt.
const READER_MAX: f64 = 0.01;

/// What told the time of most arrivals; `mixed` when more than a hundredth is told by something else.
fn stamps_of(points: &[ProbePoint]) -> Option<&'static str> {
    let sum = |of: fn(&ProbeStamps) -> u64| points.iter().map(|point| of(&point.stamped)).sum::<u64>();
    let by = [("nic", sum(|by| by.nic)), ("kernel", sum(|by| by.kernel)), ("reader", sum(|by| by.reader))];
    let all: u64 = by.iter().map(|(_, count)| count).sum();
    let (name, most) = by.into_iter().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0)?;
    Some(if ratio(all - most, all).is_some_and(|part| part > READER_MAX) { "mixed" } else { name })
}

fn point_of(
    point: &SweepPoint,
    flow: &Flow,
    (ours, theirs): (Option<&ProbeSent>, Option<&ProbeSeen>),
    clock: Option<PointClock>,
) -> ProbePoint {
    let all_sent = flow.messages.sent;
    let mut of = ProbePoint {
        message_bytes: point.message_bytes,
        gap_ns: (point.gap > Span::ZERO).then(|| f64_of(point.gap.0) / 1e3),
        repetition: point.repetition,
        intended_load_bits_per_s: point.load().bits_per_s(point.message_bytes),
        offered_load_bits_per_s: flow.offered_load_bits_per_s,
        departure_error: flow.departure_error.clone(),
        sender: end(ours.and_then(|side| side.host), flow.cpu.sender.as_ref(), all_sent),
        ..ProbePoint::default()
    };
    let Some(seen) = theirs else { return of };
    let counts = seen.counts;
    let elapsed_s = f64_of(seen.last_ns.saturating_sub(seen.first_ns).max(0).unsigned_abs()) / 1e9;
    // Of n arrivals the n - 1 after the first fill the time between the first and the last.
    let per_s = (elapsed_s > 0.0).then(|| f64_of(counts.unique.saturating_sub(1)) / elapsed_s);
    of.received_messages_per_s = per_s;
    of.received_bits_per_s = per_s.map(|rate| rate * f64::from(point.message_bytes) * 8.0);
    of.sent = all_sent.map(|sent| sent.saturating_sub(seen.warm_up_messages));
    (of.unique, of.duplicate) = (counts.unique, counts.duplicate);
    (of.reordered, of.lost) = (counts.reordered, counts.lost);
    of.lost_fraction = ratio(counts.lost, counts.unique.saturating_add(counts.lost));
    of.loss_runs = seen.loss_runs.clone();
    of.reordering = seen.reordering.clone();
    of.delay =
        clock.and_then(|clock| distribution(&seen.delay, seen.base_delay_ns.saturating_sub(clock.offset_ns)));
    of.delay_error_ns = clock.filter(|_| of.delay.is_some()).map(|clock| clock.error_ns);
    let least = seen.delay.min().unwrap_or(0);
    of.delay_above_min = distribution(&seen.delay, least.saturating_neg());
    of.delay_variation = distribution(&seen.delay_variation, 0);
    of.inter_arrival = distribution(&seen.inter_arrival, 0);
    of.stamped = ProbeStamps { nic: seen.nic_stamps, kernel: seen.kernel_stamps, reader: seen.reader_stamps };
    of.receiver = end(seen.host, flow.cpu.receiver.as_ref(), flow.messages.received);
    of
}

/// What an end cost for each of its messages.
fn end(host: Option<HostWork>, cpu: Option<&crate::record::Cpu>, messages: Option<u64>) -> ProbeEnd {
    let Some(messages) = messages.filter(|messages| *messages > 0).map(f64_of) else {
        return ProbeEnd::default();
    };
    ProbeEnd {
        cpu_ns_per_message: cpu.map(|cpu| cpu.total_s() * 1e9 / messages),
        interrupts_per_message: host.and_then(|host| host.interrupts).map(|count| f64_of(count) / messages),
        receive_softirqs_per_message: host
            .and_then(|host| host.receive_softirqs)
            .map(|count| f64_of(count) / messages),
        softirq_ns_per_message: host.map(|host| host.softirq_s * 1e9 / messages),
        busy_cores: host.filter(|host| host.elapsed_s > 0.0).map(|host| host.busy_s / host.elapsed_s),
    }
}

/// A histogram as plain data, every value moved by `shift`; none when it is empty.
fn distribution(histogram: &SignedHistogram, shift: i64) -> Option<NanosecondDistribution> {
    let moved = |value: i64| value.saturating_add(shift);
    let at = |q: f64| histogram.quantile(q).map(moved);
    let (least, most) = (moved(histogram.min()?), moved(histogram.max()?));
    // The upper edge of a bucket may lie beyond the largest value, and below the smallest on the other side.
    let within = |value: Option<i64>| value.unwrap_or(least).clamp(least.min(most), most.max(least));
    let buckets: Vec<NanosecondBucket> = histogram
        .filled()
        .map(|(from, to, count)| NanosecondBucket {
            from_ns: moved(from).max(least),
            to_ns: moved(to).min(most),
            count,
        })
        .collect();
    let negative = if shift == 0 {
        histogram.negative()
    } else {
        buckets.iter().filter(|bucket| bucket.to_ns < 0).map(|bucket| bucket.count).sum()
    };
    Some(NanosecondDistribution {
        count: histogram.count(),
        negative,
        ns_min: least,
        ns_p50: within(at(0.5)),
        ns_p90: within(at(0.9)),
        ns_p99: within(at(0.99)),
        ns_p999: within(at(0.999)),
        ns_max: most,
        buckets,
    })
}

#[expect(clippy::cast_precision_loss, reason = "for rates and costs: 53 bits are enough")]
fn f64_of(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::DepartureError;

    fn point(gap_ns: Option<f64>, late_ns: u64) -> ProbePoint {
        let departure_error = Some(DepartureError { ns_p50: late_ns, ..DepartureError::default() });
        ProbePoint { gap_ns, departure_error, ..ProbePoint::default() }
    }

    #[test]
    fn a_gap_that_was_not_kept_is_a_doubt() {
        let kept = [point(Some(10_000.0), 10_000), point(None, 500_000), ProbePoint::default()];
        assert_eq!(late(&kept), None);
        let mut points = kept.to_vec();
        points.extend([point(Some(10_000.0), 188_000), point(Some(20_000.0), 20_001)]);
        let doubt = late(&points).unwrap();
        assert_eq!(doubt.kind, CaveatKind::DeparturesLate);
        assert!(doubt.text.starts_with("at 2 of 5 points ") && doubt.text.contains("by 188 us"), "{doubt:?}");
    }
}
