//! The end of slow start by delay: `HyStart++`, RFC 9406, for unpaced senders.
//!
//! Linux's own `HyStart` also ends it when acknowledgements come in trains as long as half of the round trip; and it has no
//! gentle rounds. This is the RFC's.

use incast_core::time::Span;

/// What is known of the rounds of slow start. A round is what was under way as it began.
#[derive(Clone, Debug, Default)]
pub(super) struct Hystart {
    round_end: u64,
    samples: u32,
    now: Option<Span>,
    before: Option<Span>,
    gentle: Option<Gentle>,
}

/// Conservative slow start (RFC 9406 section 4.2): round trips got longer, perhaps by chance.
#[derive(Clone, Copy, Debug)]
struct Gentle {
    baseline: Span,
    rounds: u32,
}

/// How fast slow start may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// By all that is acknowledged.
    Double,
    /// By a part of it: [`GENTLE`].
    Gentle,
}

impl Hystart {
    /// An acknowledgement in slow start; `None`: it is over.
    pub(super) fn handle_ack(&mut self, una: u64, next: u64, sample: Option<Span>) -> Option<Pace> {
        if una >= self.round_end {
            self.round_end = next;
            self.before = self.now.take();
            self.samples = 0;
            if let Some(gentle) = &mut self.gentle {
                gentle.rounds += 1;
                if gentle.rounds >= GENTLE_ROUNDS {
                    return None;
                }
            }
        }
        if let Some(sample) = sample {
            self.now = Some(self.now.map_or(sample, |now| now.min(sample)));
            self.samples += 1;
        }
        let now = self.now.filter(|_| self.samples >= SAMPLES);
        match (self.gentle, now, self.before) {
            (Some(gentle), Some(now), _) if now < gentle.baseline => self.gentle = None,
            (None, Some(now), Some(before)) => {
                let patience = Span(before.0 / 8).clamp(PATIENCE_MIN, PATIENCE_MAX);
                if now >= before + patience {
                    self.gentle = Some(Gentle { baseline: now, rounds: 0 });
                }
            }
            _ => {}
        }
        Some(if self.gentle.is_some() { Pace::Gentle } else { Pace::Double })
    }
}

/// What gentle growth divides by (`CSS_GROWTH_DIVISOR`).
pub(super) const GENTLE: u64 = 4;
/// `CSS_ROUNDS`.
const GENTLE_ROUNDS: u32 = 5;
/// `N_RTT_SAMPLE`.
const SAMPLES: u32 = 8;
/// `MIN_RTT_THRESH`.
const PATIENCE_MIN: Span = Span::from_ms(4);
/// `MAX_RTT_THRESH`.
const PATIENCE_MAX: Span = Span::from_ms(16);

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of ten acknowledgements with the round trips given; says after which slow start was over.
    fn rounds(round_trips_ms: &[u64]) -> Option<usize> {
        let mut hystart = Hystart::default();
        for (round, sample) in round_trips_ms.iter().enumerate() {
            for ack in 1..=10 {
                let una = round as u64 * 10 + ack;
                if hystart.handle_ack(una, una + 10, Some(Span::from_ms(*sample))).is_none() {
                    return Some(round);
                }
            }
        }
        None
    }

    #[test]
    fn slow_start_ends_five_rounds_after_round_trips_got_longer() {
        assert_eq!(rounds(&[40; 20]), None);
        // 40 / 8 = 5 ms more is the limit.
        assert_eq!(rounds(&[40, 40, 44, 44, 44, 44, 44, 44, 44]), None);
        let ended = rounds(&[40, 40, 45, 45, 45, 45, 45, 45, 45, 45]);
        assert!(ended.is_some_and(|round| (6..=7).contains(&round)), "{ended:?}");
    }

    #[test]
    fn slow_start_goes_on_when_it_was_chance() {
        assert_eq!(rounds(&[40, 40, 45, 40, 40, 40, 40, 40, 40, 40, 40, 40]), None);
    }
}
