//! The numbers of a probe that an expectation may look at: of all its points together.

use super::metric::Metric;
use crate::record::{Probe, ProbePoint};

impl Metric {
    /// Whether only a probe has it.
    #[must_use]
    pub const fn is_of_probe(self) -> bool {
        matches!(
            self,
            Self::ProbeDelayMin
                | Self::ProbeDelayP50
                | Self::ProbeDelayError
                | Self::ProbeVariationP99
                | Self::ProbeLost
                | Self::ProbeReordered
                | Self::ProbeDuplicate
                | Self::ProbePoints
        )
    }

    /// Its name, if it is one of these.
    pub(super) const fn probe_name(self) -> &'static str {
        match self {
            Self::ProbeDelayMin => "probe_delay_us_min",
            Self::ProbeDelayP50 => "probe_delay_us_p50",
            Self::ProbeDelayError => "probe_delay_error_us",
            Self::ProbeVariationP99 => "probe_delay_above_min_us_p99",
            Self::ProbeLost => "probe_lost",
            Self::ProbeReordered => "probe_reordered",
            Self::ProbeDuplicate => "probe_duplicate",
            Self::ProbePoints => "probe_points",
            _ => "",
        }
    }

    /// Its value for a probe; `None` when no point knows it.
    #[expect(clippy::cast_precision_loss, reason = "for judging: counts beyond 2^53 are not reached")]
    pub(super) fn of_probe(self, probe: &Probe) -> Option<f64> {
        let points = &probe.points;
        let sum = |of: fn(&ProbePoint) -> u64| Some(points.iter().map(of).sum::<u64>() as f64);
        let us = |ns: i64| ns as f64 / 1e3;
        let delays = || points.iter().filter_map(|point| point.delay.as_ref());
        match self {
            Self::ProbeDelayMin => delays().map(|delay| delay.ns_min).min().map(us),
            Self::ProbeDelayP50 => delays().map(|delay| delay.ns_p50).max().map(us),
            Self::ProbeDelayError => {
                points.iter().filter_map(|point| point.delay_error_ns).max().map(|ns| ns as f64 / 1e3)
            }
            Self::ProbeVariationP99 => {
                points.iter().filter_map(|point| Some(point.delay_above_min.as_ref()?.ns_p99)).max().map(us)
            }
            Self::ProbeLost => sum(|point| point.lost),
            Self::ProbeReordered => sum(|point| point.reordered),
            Self::ProbeDuplicate => sum(|point| point.duplicate),
            Self::ProbePoints => Some(points.len() as f64),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> =
            Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert!(names.len() == Metric::ALL.len() && !names.contains(""), "{names:?}");
    }
}
