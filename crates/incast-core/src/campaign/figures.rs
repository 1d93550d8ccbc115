//! The figures of a record that runs are compared by, and what they come to over all of them.

use std::collections::BTreeMap;

use super::VALUES_MAX;
use crate::record::{Record, ReplicaFigure};
use crate::scenario::Metric;
use crate::stats::summary::Summary;

/// Every figure that the record has, by name: the metrics of its totals, and what its expectations looked at.
#[must_use]
pub fn figures(record: &Record) -> BTreeMap<String, f64> {
    let metrics = Metric::ALL.into_iter().filter_map(|metric| {
        let value = metric.of_record(record)?;
        Some((metric.name().to_owned(), value))
    });
    let expected = record
        .expectations
        .iter()
        .filter_map(|expectation| Some((format!("{EXPECTED}{}", expectation.name), expectation.measured?)));
    metrics.chain(expected).filter(|(_, value)| value.is_finite()).collect()
}

/// What stands before the name of an expectation.
pub const EXPECTED: &str = "expected: ";

/// Each figure over all runs, in the order of their names.
#[must_use]
pub fn summed<'a>(runs: impl IntoIterator<Item = &'a BTreeMap<String, f64>>) -> Vec<ReplicaFigure> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for figures in runs {
        for (name, value) in figures {
            values.entry(name).or_default().push(*value);
        }
    }
    let figure = |(name, values): (&str, Vec<f64>)| {
        let summary = Summary::of(&values)?;
        // What is the same in all says nothing more by being said again.
        let varies = summary.least < summary.most;
        Some(ReplicaFigure {
            name: name.into(),
            replicas: u32::try_from(values.len()).unwrap_or(u32::MAX),
            mean: summary.mean,
            half_width: summary.half_width_95,
            least: summary.least,
            most: summary.most,
            values: if varies { values.into_iter().take(VALUES_MAX).collect() } else { Vec::new() },
        })
    };
    values.into_iter().filter_map(figure).collect()
}
