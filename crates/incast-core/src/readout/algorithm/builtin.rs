//! The built-in algorithm as a machine: from event, size and level follow verdict and processing time.
//!
//! What it draws for an event depends on the seed, the event and the level only. So another node that
//! gets the same event decides the same, and takes as long. It always draws in the same order: to
//! change one part of the plan does not change what the others draw.

use super::plan::{BuiltinPlan, StreamPlan, TimePlan};
use crate::random::Random;
use crate::readout::ids::{EventNumber, Level};
use crate::readout::verdict::Verdict;
use crate::time::Span;

/// The built-in algorithm.
#[derive(Clone, Debug)]
pub struct Builtin {
    plan: BuiltinPlan,
    seed: u64,
    weights: u64,
}

/// What an algorithm made of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What it decides.
    pub verdict: Verdict,
    /// How long it takes over it.
    pub busy: Span,
}

impl Builtin {
    /// An algorithm that follows a plan which was [checked](BuiltinPlan::check).
    #[must_use]
    pub fn new(plan: BuiltinPlan, seed: u64) -> Self {
        let weights = plan.streams.iter().map(|stream| u64::from(stream.weight)).sum();
        Self { plan, seed, weights }
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &BuiltinPlan {
        &self.plan
    }

    /// What it makes of an event, whose payloads have `bytes` together. The same whenever it is asked.
    #[must_use]
    pub fn judge(&self, event: EventNumber, bytes: u64, level: Level) -> Judged {
        let name = match level {
            Level::First => "algorithm of the first level",
            Level::Second => "algorithm of the second level",
        };
        let mut random = Random::numbered(self.seed, name, event.0);
        // A unit is above 0 and at most 1: a fraction of 0 accepts none, and one of 1 all.
        let is_drawn = random.unit() <= self.plan.accept.as_f64();
        let busy = time(self.plan.time, &mut random);
        let streams = self.streams(&mut random);
        let is_within = (self.plan.size.least..=self.plan.size.most).contains(&bytes);
        let verdict = if is_drawn && is_within { Verdict::Accept { streams } } else { Verdict::Reject };
        Judged { verdict, busy }
    }

    fn streams(&self, random: &mut Random) -> u32 {
        if self.weights == 0 {
            return 1;
        }
        // Far fewer weights than 2^64: the draw favours none that could be noticed.
        let drawn = random.next_u64() % self.weights;
        let mut before = 0;
        let mut one = |stream: &StreamPlan| {
            before += u64::from(stream.weight);
            drawn < before
        };
        let main = self.plan.streams.iter().position(&mut one);
        let streams = self.plan.streams.iter().enumerate().filter_map(|(place, stream)| {
            let also = random.unit() <= stream.also.as_f64();
            (also || main == Some(place)).then(|| bit(stream.stream))
        });
        streams.fold(0, |streams, bit| streams | bit)
    }
}

const fn bit(stream: u8) -> u32 {
    1_u32.wrapping_shl(stream as u32)
}

/// Always one draw, so that what is drawn next does not depend on the plan.
fn time(plan: TimePlan, random: &mut Random) -> Span {
    let unit = random.unit();
    match plan {
        TimePlan::Fixed { time } => time,
        TimePlan::Exponential { mean, most } => scaled(mean, -unit.ln()).min(most),
        TimePlan::Pareto { mean, shape_milli, most } => {
            // Inverse of the distribution function, from the smallest value on; its mean is `mean`.
            let shape = f64::from(shape_milli.max(1_001)) / 1e3;
            scaled(mean, (shape - 1.0) / shape * unit.powf(-1.0 / shape)).min(most)
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "positive, and a drawn time needs no 64 bits; `as` saturates"
)]
fn scaled(span: Span, factor: f64) -> Span {
    Span((span.0 as f64 * factor) as u64)
}

#[cfg(test)]
mod tests;
