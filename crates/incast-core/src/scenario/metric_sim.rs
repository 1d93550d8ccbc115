//! The numbers that only a simulator sees, as an expectation asks for them.
//!
//! Over several queues: the largest of what is a most, a fraction or a quantile; the sum of what is held or
//! dropped; and of waits the mean over all their packets. A record shows the fullest queues and those that are
//! expected something of ([`Scenario::expected_queues`]); of others nothing is known.

use super::metric::Metric;
use super::model::{Scenario, Scope};
use crate::record::{QueueHistory, Record, TimeDistribution};

impl Scenario {
    /// The queues of which something is expected, by what an expectation calls them: a record shows them, however
    /// little they held. Compare with [`is_meant`].
    pub fn expected_queues(&self) -> impl Iterator<Item = &str> {
        self.expectations.iter().filter_map(|expectation| match &expectation.scope {
            Scope::Queues { name } => Some(name.as_str()),
            Scope::Totals | Scope::Flows { .. } => None,
        })
    }
}

/// Whether the queue at `place` is one that `name` means: it, or each of a group, as `port of main to x` means that
/// to x-1 and to x-2.
#[must_use]
pub fn is_meant(place: &str, name: &str) -> bool {
    let number = place.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    place == name || number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Metric {
    /// Its value for the queues that `queue` means, or for all; `None` when the record does not know it.
    #[must_use]
    pub fn of_simulation(self, record: &Record, queue: Option<&str>) -> Option<f64> {
        let simulation = record.simulation.as_ref()?;
        #[expect(clippy::cast_precision_loss, reason = "for judging: counts beyond 2^53 are not reached")]
        let value = match self {
            Self::PacketsDropped => simulation.drops.iter().map(|place| place.packets).sum::<u64>() as f64,
            Self::ByteResidual => simulation.bytes.residual as f64,
            // Those that are not shown drop as well.
            Self::QueueDropped if queue.is_none() => {
                let of_queues = |stage: &str| matches!(stage, "host_queue" | "switch_port");
                let drops = simulation.drops.iter().filter(|place| of_queues(&place.stage));
                drops.map(|place| place.packets).sum::<u64>() as f64
            }
            Self::DelayP50 | Self::DelayP99 => self.of_delay(record, "all")?,
            _ => {
                let meant = |place: &str| queue.is_none_or(|name| is_meant(place, name));
                let queues = simulation.queues.iter().filter(|queue| meant(&queue.place));
                self.of_queues(&queues.collect::<Vec<_>>())?
            }
        };
        Some(value).filter(|value| value.is_finite())
    }

    /// A delay of the flow called `of`, or of `all`.
    pub(super) fn of_delay(self, record: &Record, of: &str) -> Option<f64> {
        let simulation = record.simulation.as_ref()?;
        let delay = simulation.delays.iter().find(|delay| delay.of == of && delay.part == "whole")?;
        match self {
            Self::DelayP50 => delay.us.us_p50,
            Self::DelayP99 => delay.us.us_p99,
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "for judging: counts beyond 2^53 are not reached")]
    fn of_queues(self, queues: &[&QueueHistory]) -> Option<f64> {
        if queues.is_empty() {
            return None;
        }
        let largest = |of: &dyn Fn(&QueueHistory) -> Option<f64>| {
            queues.iter().filter_map(|queue| of(queue)).reduce(f64::max)
        };
        let waits = |of: fn(&TimeDistribution) -> Option<f64>| {
            largest(&|queue: &QueueHistory| queue.wait_us.as_ref().and_then(of))
        };
        match self {
            Self::QueueBytesMax => largest(&|queue| Some(queue.bytes_max as f64)),
            Self::QueueBytesMean => Some(queues.iter().map(|queue| queue.bytes_mean).sum()),
            Self::QueueWaitMean => {
                let each = queues
                    .iter()
                    .filter_map(|queue| Some((queue.wait_us_mean?, queue.wait_us.as_ref()?.count as f64)));
                let (sum, count) =
                    each.fold((0.0, 0.0), |(sum, all), (mean, count)| (sum + mean * count, all + count));
                (count > 0.0).then(|| sum / count)
            }
            Self::QueueWaitP99 => waits(|wait| wait.us_p99),
            Self::QueueBusy => largest(&|queue| queue.busy),
            Self::QueueDropped => Some(queues.iter().map(|queue| queue.dropped_packets).sum::<u64>() as f64),
            _ => None,
        }
    }
}
