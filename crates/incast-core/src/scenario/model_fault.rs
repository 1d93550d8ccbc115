//! What is done to roles and cables on purpose, once it has been understood: plain data that cannot be wrong,
//! and the times that follow from it and the seed.

use crate::random::Random;
use crate::readout::Peer;
use crate::time::Span;

/// Something that is done to roles on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// To whom.
    pub roles: Vec<Peer>,
    /// What.
    pub what: FaultKind,
    /// When, after the start; of one that repeats, from when on.
    pub at: Span,
    /// For how long; `None` is for good.
    pub lasts: Option<Span>,
    /// It repeats at random: mean time from the end of one to the next. Then `lasts` is there.
    pub every: Option<Span>,
}

/// What is done to a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is killed (SIGKILL), and started again when the time is over.
    Kill,
    /// It is stopped (SIGSTOP), and goes on when the time is over.
    Hang,
    /// A node's algorithm takes so many times longer. Only in the simulator.
    Slow {
        /// How many times longer, thousandths; from 1000.
        factor_milli: u32,
    },
}

/// Something that is done to cables on purpose. Only in the simulator.
#[derive(Clone, Debug, PartialEq)]
pub struct CableFaultPlan {
    /// To which ways of which cables.
    pub ways: Vec<CableWay>,
    /// What.
    pub what: CableFaultKind,
    /// When, after the start; of one that repeats, from when on.
    pub at: Span,
    /// For how long; `None` is for good.
    pub lasts: Option<Span>,
    /// It repeats at random: mean time from the end of one to the next. Then `lasts` is there.
    pub every: Option<Span>,
}

/// One way of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CableWay {
    /// Index of the cable in the network.
    pub cable: usize,
    /// From the near end to its switch, and not back.
    pub is_outward: bool,
}

/// What is done to a cable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CableFaultKind {
    /// Nothing passes.
    Down,
    /// Each packet is lost with this probability.
    Drop(f64),
    /// Each packet is delivered twice with this probability.
    Duplicate(f64),
    /// Each packet arrives damaged with this probability.
    Corrupt(f64),
    /// Each packet travels so much longer.
    Delay(Span),
    /// Each packet overtakes those before it with this probability, by so much.
    Reorder(f64, Span),
}

impl FaultKind {
    /// Its name in scenario files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Hang => "hang",
            Self::Slow { .. } => "slow",
        }
    }
}

impl CableFaultKind {
    /// Its name in scenario files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Drop(_) => "drop",
            Self::Duplicate(_) => "duplicate",
            Self::Corrupt(_) => "corrupt",
            Self::Delay(_) => "delay",
            Self::Reorder(..) => "reorder",
        }
    }
}

impl FaultPlan {
    /// When it is done to the role called `role`, in a run with this seed.
    #[must_use]
    pub fn times(&self, seed: u64, role: &str) -> FaultTimes {
        FaultTimes::new((self.at, self.lasts, self.every), seed, &format!("{} of {role}", self.what.name()))
    }
}

impl CableFaultPlan {
    /// When it is done to the way called `way` (`y -> main`), in a run with this seed.
    #[must_use]
    pub fn times(&self, seed: u64, way: &str) -> FaultTimes {
        FaultTimes::new((self.at, self.lasts, self.every), seed, &format!("{} of {way}", self.what.name()))
    }
}

/// When a fault begins and when it is over: once, or again and again without an end, so take what begins while
/// the run lasts. Each role and way has times of its own, which follow from the seed and its name alone.
#[derive(Clone, Debug)]
pub struct FaultTimes {
    next: Option<Span>,
    lasts: Option<Span>,
    again: Option<(Span, Random)>,
}

impl FaultTimes {
    fn new((at, lasts, every): (Span, Option<Span>, Option<Span>), seed: u64, whom: &str) -> Self {
        let mut again = every.map(|every| (every, Random::named(seed, &format!("fault: {whom} from {at}"))));
        let first = again.as_mut().map_or(Span::ZERO, |(every, random)| exponential(*every, random));
        Self { next: Some(at + first), lasts, again }
    }
}

impl Iterator for FaultTimes {
    /// When it begins, and when it is over, after the start; `None`: never.
    type Item = (Span, Option<Span>);

    fn next(&mut self) -> Option<Self::Item> {
        let begins = self.next.take()?;
        let ends = self.lasts.map(|lasts| Span(begins.0.saturating_add(lasts.0)));
        if let (Some((every, random)), Some(ends)) = (&mut self.again, ends) {
            self.next = ends.0.checked_add(exponential(*every, random).0).map(Span);
        }
        Some((begins, ends))
    }
}

/// Exponential with this mean; never zero, so that times come to an end.
fn exponential(mean: Span, random: &mut Random) -> Span {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "not negative, and `as` saturates; a draw needs no more than 53 bits"
    )]
    let span = (mean.0 as f64 * random.exponential()) as u64;
    Span(span.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(every: Option<Span>) -> FaultPlan {
        let (at, lasts) = (Span::from_s(1), Some(Span::from_ms(100)));
        FaultPlan { roles: vec![Peer::Trigger], what: FaultKind::Kill, at, lasts, every }
    }

    #[test]
    fn without_every_a_fault_happens_once() {
        let times: Vec<_> = plan(None).times(1, "trigger").collect();
        assert_eq!(times, [(Span::from_s(1), Some(Span::from_ms(1_100)))]);
    }

    #[test]
    fn gaps_of_repeated_faults_have_the_stated_mean_and_each_role_its_own() {
        let every = Span::from_ms(500);
        let times: Vec<_> = plan(Some(every)).times(7, "ru-1").take(10_000).collect();
        assert!(times.windows(2).all(|pair| pair[0].1 < Some(pair[1].0)), "one after the other");
        // Each takes its 100 ms and a gap; the standard error of the mean of the gaps is 1 % of it.
        let mean = times[9_999].0.as_s_f64() / 10_000.0;
        assert!((mean - 0.6).abs() < 0.02, "mean {mean} s");
        assert_eq!(plan(Some(every)).times(7, "ru-1").nth(9), times.get(9).copied(), "the seed decides");
        assert_ne!(plan(Some(every)).times(7, "ru-2").next(), times.first().copied());
        assert_ne!(plan(Some(every)).times(8, "ru-1").next(), times.first().copied());
    }
}
