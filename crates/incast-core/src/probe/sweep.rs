//! Which points a probe plays: every message size with every gap, so many times, in a random order.
//!
//! The order is drawn from the seed, so that what changes over time (a warming processor, other traffic) does
//! not look like an effect of size or gap. What is measured at a point is not decided here.

use serde::{Deserialize, Serialize};

use crate::control::DURATION_MAX;
use crate::load::{Load, Stop};
use crate::random::Random;
use crate::time::Span;

/// Most points of one probe, repetitions included.
pub const POINTS_MAX: usize = 4_096;
/// Most messages of a warm-up.
pub const WARM_UP_MESSAGES_MAX: u64 = 1_000_000_000;
/// From the start of a point to its first message: so long the clocks are compared before it.
pub const LEAD: Span = Span::from_ms(50);

/// What is measured at which points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSweep {
    /// Message sizes in bytes.
    pub message_bytes: Vec<u32>,
    /// Times from the start of one message to the start of the next; zero is as fast as they can leave.
    pub gaps: Vec<Span>,
    /// How often each point is played.
    pub repetitions: u32,
    /// Messages at the start of each point that are not counted.
    pub warm_up_messages: u64,
    /// Messages of each point after its warm-up, if it ends by them.
    pub messages: Option<u64>,
    /// Time of each point after its warm-up, if it ends by it.
    pub duration: Option<Span>,
    /// Seed of the order.
    pub seed: u64,
}

/// One point to be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepPoint {
    /// Message size in bytes.
    pub message_bytes: u32,
    /// Gap; zero is none.
    pub gap: Span,
    /// Which repetition, from 1.
    pub repetition: u32,
}

/// What a stream of a point is told beside its plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeStream {
    /// Messages at the start that are not counted.
    pub warm_up_messages: u64,
    /// How much faster the receiver's clock runs than the sender's, as far as it is known, in parts of 10^9.
    pub drift_ppb: i64,
}

impl ProbeSweep {
    /// How many points there are.
    #[must_use]
    pub fn count(&self) -> usize {
        let repetitions = usize::try_from(self.repetitions).unwrap_or(usize::MAX);
        self.message_bytes.len().saturating_mul(self.gaps.len()).saturating_mul(repetitions)
    }

    /// Every point in the order in which they are played.
    #[must_use]
    pub fn points(&self) -> Vec<SweepPoint> {
        let mut points: Vec<SweepPoint> = Vec::with_capacity(self.count().min(POINTS_MAX));
        for repetition in 1..=self.repetitions {
            for message_bytes in &self.message_bytes {
                for gap in &self.gaps {
                    points.push(SweepPoint { message_bytes: *message_bytes, gap: *gap, repetition });
                }
            }
        }
        // Fisher and Yates. The remainder's bias is below 2^-50.
        let mut random = Random::named(self.seed, "order of a probe");
        for last in (1..points.len()).rev() {
            let choice = random.next_u64() % (last as u64 + 1);
            points.swap(last, usize::try_from(choice).unwrap_or(last));
        }
        points
    }

    /// When a point ends, counted from its first message.
    #[must_use]
    pub fn stop(&self, point: &SweepPoint) -> Stop {
        let warm_up = Span(point.gap.0.saturating_mul(self.warm_up_messages));
        Stop {
            messages: self.messages.map(|messages| messages.saturating_add(self.warm_up_messages)),
            after: self.duration.map(|duration| duration + warm_up),
        }
    }

    /// The longest time that a point can take, if its sender keeps up; `None` when only the number of its messages
    /// ends one that has no gap.
    #[must_use]
    pub fn longest(&self) -> Option<Span> {
        let gap = self.gaps.iter().max()?;
        let stop = self.stop(&SweepPoint { message_bytes: 0, gap: *gap, repetition: 1 });
        let counted = stop.messages.map(|messages| Span(gap.0.saturating_mul(messages)));
        let bounded = self.gaps.iter().all(|gap| *gap > Span::ZERO) || stop.after.is_some();
        let longest = stop.after.into_iter().chain(counted).min();
        longest.filter(|_| bounded)
    }

    /// What cannot be played, in a sentence; `None` if all can.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        if self.count() > POINTS_MAX {
            return Some(format!(
                "{} points ({} sizes, {} gaps, {} repetitions) are more than {POINTS_MAX}; leave some out",
                self.count(),
                self.message_bytes.len(),
                self.gaps.len(),
                self.repetitions
            ));
        }
        if self.messages.is_none() && self.duration.is_none() {
            return Some("a point ends by messages or by its duration: say one of them".into());
        }
        if self.longest().is_some_and(|longest| longest + LEAD > DURATION_MAX) {
            return Some(format!("a point takes longer than {DURATION_MAX}"));
        }
        None
    }
}

impl SweepPoint {
    /// The load of the point.
    #[must_use]
    pub fn load(&self) -> Load {
        if self.gap == Span::ZERO { Load::Unlimited } else { Load::Gap(self.gap) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(repetitions: u32, seed: u64) -> ProbeSweep {
        ProbeSweep {
            message_bytes: vec![64, 1472],
            gaps: vec![Span::ZERO, Span::from_us(10), Span::from_us(100)],
            repetitions,
            warm_up_messages: 100,
            messages: Some(1_000),
            duration: None,
            seed,
        }
    }

    #[test]
    fn every_point_is_played_once_per_repetition_in_an_order_that_the_seed_tells() {
        let points = sweep(3, 7).points();
        assert_eq!(points.len(), 18);
        let mut sorted = points.clone();
        sorted.sort_by_key(|point| (point.repetition, point.message_bytes, point.gap));
        sorted.dedup();
        assert_eq!(sorted.len(), 18);
        assert_eq!(points, sweep(3, 7).points());
        assert_ne!(points, sweep(3, 8).points());
        assert_ne!(points, sorted, "18 points are in order once in 10^15 times");
    }

    #[test]
    fn the_warm_up_is_sent_beside_what_is_asked_for() {
        let point = SweepPoint { message_bytes: 64, gap: Span::from_us(10), repetition: 1 };
        assert_eq!(sweep(1, 1).stop(&point).messages, Some(1_100));
        let timed = ProbeSweep { messages: None, duration: Some(Span::from_ms(100)), ..sweep(1, 1) };
        assert_eq!(timed.stop(&point), Stop { after: Some(Span::from_ms(101)), messages: None });
    }

    #[test]
    fn what_cannot_be_played_is_said() {
        assert_eq!(sweep(1, 1).fault(), None);
        assert!(sweep(1_000, 1).fault().unwrap().contains("6000 points"));
        let endless = ProbeSweep { messages: None, ..sweep(1, 1) };
        assert!(endless.fault().unwrap().contains("say one of them"));
        let long = ProbeSweep { gaps: vec![Span::from_s(3_600)], ..sweep(1, 1) };
        assert!(long.fault().unwrap().contains("takes longer"));
    }
}
