//! Puts the streams of a flow together: counts, runs and intervals of all its sockets.

use super::report::{Measured, Sent};
use super::{FloodReceiver, FloodSender};
use crate::record::DepartureError;
use crate::sequence::{Counts, LossRuns, ReorderingReport};
use crate::stats::LogHistogram;

/// What the senders of one flow did, apart from what their carriers know.
#[must_use]
pub fn sent(senders: &[&FloodSender]) -> Sent {
    let mut late = LogHistogram::new();
    senders.iter().for_each(|sender| late.add(sender.departure_error()));
    let skipped = senders.iter().map(|sender| sender.skipped()).sum();
    let departure_error = late.quantile(0.5).map(|p50| DepartureError {
        ns_p50: p50,
        ns_p99: late.quantile(0.99).unwrap_or(p50),
        ns_max: late.max().unwrap_or(p50),
        skipped_messages: skipped,
    });
    let whole: Vec<u64> = senders.iter().map(|sender| sender.messages()).collect();
    let intervals: Vec<&[u64]> = senders.iter().map(|sender| sender.intervals()).collect();
    Sent {
        duration_ns: senders.iter().map(|sender| sender.duration().as_ns()).max().unwrap_or(0),
        intervals: sum(&intervals, &whole, |sum, next| *sum += next),
        stream_messages: whole,
        departure_error,
        ..Sent::default()
    }
}

/// What the receivers of one flow counted, apart from what their carriers know. All are finished.
#[must_use]
pub fn measured(receivers: &[&FloodReceiver]) -> Measured {
    let whole: Vec<Counts> = receivers.iter().map(|receiver| receiver.counts()).collect();
    let intervals: Vec<&[Counts]> = receivers.iter().map(|receiver| receiver.intervals()).collect();
    let (mut counts, mut runs, mut reordering) =
        (Counts::default(), LossRuns::default(), ReorderingReport::default());
    for receiver in receivers {
        counts.add(&receiver.counts());
        runs.add(receiver.tracker().loss_runs());
        reordering.add(&receiver.tracker().reordering());
    }
    Measured {
        first_ns: receivers.iter().filter_map(|receiver| receiver.first()).min().map(|first| first.as_ns()),
        last_ns: receivers.iter().filter_map(|receiver| receiver.last()).max().map(|last| last.as_ns()),
        intervals: sum(&intervals, &whole, |sum, next| sum.add(&next)),
        loss_runs: runs.to_record(),
        reordering: reordering.to_record(counts.unique),
        counts,
        ..Measured::default()
    }
}

/// Sums cumulative columns; a stream that ended early goes on at its final value.
fn sum<T: Copy + Default>(columns: &[&[T]], whole: &[T], add: impl Fn(&mut T, T)) -> Vec<T> {
    let rows = columns.iter().map(|column| column.len()).max().unwrap_or(0);
    (0..rows)
        .map(|row| {
            let mut total = T::default();
            for (column, last) in columns.iter().zip(whole) {
                add(&mut total, column.get(row).copied().unwrap_or(*last));
            }
            total
        })
        .collect()
}
