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
