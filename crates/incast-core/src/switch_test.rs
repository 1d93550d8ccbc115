//! The switch test: the highest load without loss, the delay at it, and the loss at higher loads.
//!
//! Pure: says which trial comes next and is told what it came to. RFC 2544 §26.1 (throughput, by
//! binary search), §26.2 (latency at it), §26.3 (frame loss rate, from the full load downwards until
//! two trials in a row lose nothing); with several senders to one receiver the same is RFC 2889 §5.3.
//! The RFCs ask for trials of 60 s; how long these are is the scenario's to say, and in the record.

use crate::record::{RoundTrip, SwitchTest, SwitchTrial};
use crate::time::Span;
use crate::units::BitRate;

/// What is searched for, and how closely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchPlan {
    /// Largest lost fraction of a trial that passes, 0 to 1.
    pub loss_tolerance: f64,
    /// The search ends when it knows the throughput to this part of the full load.
    pub resolution: f64,
    /// How long a trial sends.
    pub trial: Span,
    /// Full load of a sender on the wire, where no cable says it.
    pub most: Option<BitRate>,
    /// Whether round trips are measured at the throughput.
    pub latency: bool,
    /// Whether loss is measured at loads above the throughput.
    pub loss_series: bool,
}

/// Why a trial is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A step of the search.
    Throughput,
    /// Round trips at the throughput.
    Latency,
    /// Loss at a load.
    LossRate,
}

impl Purpose {
    /// Its name in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
            Self::LossRate => "loss_rate",
        }
    }
}

/// The next trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// What for.
    pub purpose: Purpose,
    /// Load as a fraction of the full load, above 0 and at most 1.
    pub fraction: f64,
}

/// What a trial came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Messages sent and lost.
    pub sent: u64,
    /// Of these, lost.
    pub lost: u64,
    /// Payload bits per second that were asked for, and that left.
    pub intended_bits_per_s: Option<f64>,
    /// That really left.
    pub offered_bits_per_s: Option<f64>,
    /// Round trips, if they were measured.
    pub round_trip: Option<RoundTrip>,
}

/// A search under way.
#[derive(Clone, Debug)]
pub struct Search {
    plan: SearchPlan,
    phase: Phase,
    /// Highest load known to pass, and lowest known not to.
    passed: f64,
    failed: f64,
    trials: Vec<SwitchTrial>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Searching,
    Latency,
    /// The next load, in tenths, and how many trials in a row lost nothing.
    Series(u32, u32),
    Over,
}

impl Search {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(plan: SearchPlan) -> Self {
        Self { plan, phase: Phase::Searching, passed: 0.0, failed: f64::INFINITY, trials: Vec::new() }
    }

    /// The trial to make next; `None` when all is known.
    #[must_use]
    pub fn poll_trial(&self) -> Option<Trial> {
        match self.phase {
            Phase::Searching => {
                // The full load first: most switches pass it, and then that was all.
                let fraction =
                    if self.failed.is_infinite() { 1.0 } else { self.passed.midpoint(self.failed) };
                Some(Trial { purpose: Purpose::Throughput, fraction })
            }
            Phase::Latency => {
                // A step below, since tagged messages need their room as well.
                let below = (self.passed - self.plan.resolution).max(self.passed / 2.0);
                Some(Trial { purpose: Purpose::Latency, fraction: below })
            }
            Phase::Series(tenths, _) => {
                Some(Trial { purpose: Purpose::LossRate, fraction: f64::from(tenths) / 10.0 })
            }
            Phase::Over => None,
        }
    }

    /// Takes what the trial came to; says whether it passed.
    pub fn handle_outcome(&mut self, trial: Trial, outcome: Outcome) -> bool {
        let lost_fraction = crate::stats::ratio(outcome.lost, outcome.sent);
        // What was not offered was not carried either (RFC 2544 §26.1 counts frames "actually sent").
        let was_offered = match (outcome.intended_bits_per_s, outcome.offered_bits_per_s) {
            (Some(intended), Some(offered)) => offered >= intended * OFFERED_MIN,
            _ => true,
        };
        let passed = was_offered && lost_fraction.is_some_and(|lost| lost <= self.plan.loss_tolerance);
        self.trials.push(SwitchTrial {
            purpose: trial.purpose.name().into(),
            load_fraction: trial.fraction,
            offered_load_bits_per_s: outcome.offered_bits_per_s,
            sent: outcome.sent,
            lost: outcome.lost,
            lost_fraction,
            passed,
            round_trip: outcome.round_trip,
        });
        self.phase = match self.phase {
            Phase::Searching => self.search_on(trial.fraction, passed),
            Phase::Latency => self.after_latency(),
            Phase::Series(tenths, quiet) => {
                let quiet = if outcome.lost == 0 { quiet + 1 } else { 0 };
                if quiet == 2 || tenths == 1 { Phase::Over } else { Phase::Series(tenths - 1, quiet) }
            }
            Phase::Over => Phase::Over,
        };
        passed
    }

    fn search_on(&mut self, fraction: f64, passed: bool) -> Phase {
        if passed {
            self.passed = self.passed.max(fraction);
        } else {
            self.failed = self.failed.min(fraction);
        }
        if self.passed < 1.0 && self.failed - self.passed > self.plan.resolution {
            return Phase::Searching;
        }
        if self.passed > 0.0 && self.plan.latency { Phase::Latency } else { self.after_latency() }
    }

    const fn after_latency(&self) -> Phase {
        if self.plan.loss_series { Phase::Series(10, 0) } else { Phase::Over }
    }

    /// The highest load that passed, as a fraction of the full load; `None` when none did.
    #[must_use]
    pub fn throughput_fraction(&self) -> Option<f64> {
        (self.passed > 0.0).then_some(self.passed)
    }

    /// Everything that became known.
    #[must_use]
    pub fn report(self) -> SwitchTest {
        let throughput = self.throughput_fraction();
        let at = |trial: &&SwitchTrial| trial.passed && Some(trial.load_fraction) == throughput;
        let offered = self.trials.iter().find(at).and_then(|trial| trial.offered_load_bits_per_s);
        SwitchTest {
            throughput_fraction: throughput,
            throughput_bits_per_s: offered,
            loss_tolerance: self.plan.loss_tolerance,
            resolution: self.plan.resolution,
            trial_s: self.plan.trial.as_s_f64(),
            trials: self.trials,
        }
    }
}

/// A sender that leaves out more than this part of the load has not offered it.
const OFFERED_MIN: f64 = 0.98;

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> SearchPlan {
        SearchPlan {
            loss_tolerance: 0.0,
            resolution: 0.01,
            trial: Span::from_s(1),
            most: None,
            latency: true,
            loss_series: true,
        }
    }

    /// A switch that carries `capacity` of the full load and drops the rest.
    fn run(capacity: f64, plan: SearchPlan) -> SwitchTest {
        let mut search = Search::new(plan);
        let mut trials = 0;
        while let Some(trial) = search.poll_trial() {
            trials += 1;
            assert!(trials < 100, "a search ends");
            let sent = 1_000_000;
            let carried = (capacity / trial.fraction).min(1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let lost = (1e6 * (1.0 - carried)).round() as u64;
            search.handle_outcome(trial, Outcome { sent, lost, ..Outcome::default() });
        }
        search.report()
    }

    #[test]
    fn the_throughput_is_found_to_the_resolution() {
        for capacity in [0.02, 0.1, 0.5, 0.731, 0.999] {
            let found = run(capacity, plan()).throughput_fraction.unwrap();
            assert!(found <= capacity && capacity - found <= 0.01, "{capacity}: {found}");
        }
        assert_eq!(run(1.0, plan()).throughput_fraction, Some(1.0));
        assert_eq!(run(0.001, plan()).throughput_fraction, None);
    }

    #[test]
    fn a_switch_that_passes_the_full_load_needs_one_trial_for_it() {
        let test = run(1.0, plan());
        let purposes: Vec<&str> = test.trials.iter().map(|trial| trial.purpose.as_str()).collect();
        assert_eq!(purposes, ["throughput", "latency", "loss_rate", "loss_rate"]);
    }

    #[test]
    fn the_series_ends_after_two_trials_without_loss() {
        let test = run(0.75, plan());
        let series: Vec<f64> = test
            .trials
            .iter()
            .filter(|trial| trial.purpose == "loss_rate")
            .map(|trial| trial.load_fraction)
            .collect();
        assert_eq!(series, [1.0, 0.9, 0.8, 0.7, 0.6]);
    }

    #[test]
    fn a_load_that_was_not_offered_does_not_pass() {
        let mut search = Search::new(plan());
        let trial = search.poll_trial().unwrap();
        let outcome = Outcome {
            sent: 100,
            intended_bits_per_s: Some(100.0),
            offered_bits_per_s: Some(90.0),
            ..Outcome::default()
        };
        assert!(!search.handle_outcome(trial, outcome));
        let none = Search::new(plan()).handle_outcome(trial, Outcome::default());
        assert!(!none, "a trial in which nothing was sent shows nothing");
    }

    #[test]
    fn some_loss_may_be_tolerated() {
        let tolerant = SearchPlan { loss_tolerance: 0.1, ..plan() };
        let found = run(0.5, tolerant).throughput_fraction.unwrap();
        // Loss of a tenth: 0.5 of 0.5555.
        assert!((0.5455..=0.5556).contains(&found), "{found}");
    }
}
