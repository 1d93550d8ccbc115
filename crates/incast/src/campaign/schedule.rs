//! Which run comes next, and when it is enough: variants take turns, so that what drifts on this machine hits all of
//! them alike.
//!
//! Whether runs are enough is asked of the runs from 0 on without a hole, once for each of certain lengths, so that the
//! answer does not depend on which of several simulations ends first, or on where a campaign was killed. To answer
//! takes all runs, so that the more there are, the less often it is asked.

use std::collections::{BTreeMap, BTreeSet};

use incast_core::campaign::{RunOutcome, is_precise};
use incast_core::record::CampaignAsked;

use super::End;

/// One run of one variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Task {
    pub(super) number: u64,
    pub(super) variant: usize,
}

/// All runs of a campaign.
#[derive(Debug)]
pub(super) struct Schedule {
    asked: CampaignAsked,
    variants: Vec<Runs>,
    under_way: BTreeSet<Task>,
    failed: u64,
}

/// The runs of one variant.
#[derive(Debug, Default)]
struct Runs {
    /// From 0 on without a hole.
    whole: Vec<RunOutcome>,
    /// Beyond a hole.
    ahead: BTreeMap<u64, RunOutcome>,
    is_enough: bool,
    /// Messages lost and sent in all of them.
    losses: (u64, u64),
}

impl Schedule {
    /// With what is known from before.
    pub(super) fn new(asked: CampaignAsked, known: Vec<Vec<RunOutcome>>, failed: u64) -> Self {
        let mut schedule = Self { asked, variants: Vec::new(), under_way: BTreeSet::new(), failed };
        for known in known {
            let mut runs = Runs::default();
            known.into_iter().for_each(|run| runs.take(run));
            runs.grow(&schedule.asked);
            schedule.variants.push(runs);
        }
        schedule
    }

    pub(super) const fn asked(&self) -> &CampaignAsked {
        &self.asked
    }

    pub(super) const fn variants(&self) -> usize {
        self.variants.len()
    }

    /// The next run that nobody plays; or how it ended, when there is none and none is under way.
    pub(super) fn next(&mut self) -> Result<Task, End> {
        self.next_free().ok_or_else(|| match () {
            () if self.failed > self.asked.failures_max => End::Failures,
            () if self.variants.iter().any(|runs| runs.is_enough) => End::Precise,
            () => End::All,
        })
    }

    /// The next run that nobody plays.
    pub(super) fn next_free(&mut self) -> Option<Task> {
        if self.failed > self.asked.failures_max {
            return None;
        }
        let open = |(variant, runs): (usize, &Runs)| {
            let is_open = |number: &u64| {
                !runs.ahead.contains_key(number)
                    && !self.under_way.contains(&Task { number: *number, variant })
            };
            let first = (runs.whole.len() as u64..self.asked.runs).find(is_open)?;
            (!runs.is_enough).then_some(Task { number: first, variant })
        };
        let task = self.variants.iter().enumerate().filter_map(open).min()?;
        self.under_way.insert(task);
        Some(task)
    }

    /// A run came to its end.
    pub(super) fn finished(&mut self, task: Task, outcome: RunOutcome) {
        self.under_way.remove(&task);
        let runs = &mut self.variants[task.variant];
        runs.take(outcome);
        runs.grow(&self.asked);
    }

    /// A run failed, and is to be tried again.
    pub(super) fn failed(&mut self, task: Task) {
        self.failed += 1;
        self.under_way.remove(&task);
    }

    /// A run was ended by somebody.
    pub(super) fn failed_not(&mut self, task: Task) {
        self.under_way.remove(&task);
    }

    /// Runs that are finished, and runs that were asked for, over all variants; those that need not be played count
    /// as neither.
    pub(super) fn progress(&self) -> (u64, u64) {
        let of = |runs: &Runs| {
            let finished = (runs.whole.len() + runs.ahead.len()) as u64;
            (finished, if runs.is_enough { finished } else { self.asked.runs.max(finished) })
        };
        self.variants
            .iter()
            .map(of)
            .fold((0, 0), |(done, all), (more_done, more)| (done + more_done, all + more))
    }

    /// Messages lost and sent of a variant so far.
    pub(super) fn losses(&self, variant: usize) -> (u64, u64) {
        self.variants[variant].losses
    }
}

impl Runs {
    fn take(&mut self, run: RunOutcome) {
        let (lost, sent) = self.losses;
        self.losses = (lost.saturating_add(run.lost), sent.saturating_add(run.sent));
        self.ahead.insert(run.number, run);
    }

    /// Takes up what follows without a hole, and asks now and then whether it is enough.
    fn grow(&mut self, asked: &CampaignAsked) {
        while !self.is_enough
            && let Some(next) = self.ahead.remove(&(self.whole.len() as u64))
        {
            self.whole.push(next);
            self.is_enough = is_asked_at(self.whole.len()) && is_precise(&self.whole, asked);
        }
    }
}

/// Whether so many runs are asked whether they are enough: each of the first 128, then one of 2, of 4 and so on, so
/// that at most a 64th more than needed is played, and the work for n runs grows with n and not with its square.
const fn is_asked_at(runs: usize) -> bool {
    match (runs / 64).checked_ilog2() {
        Some(octave) => runs.is_multiple_of(1 << octave),
        None => true,
    }
}

/// The runs that count: up to the first at which it was enough, else all.
pub(super) fn counted(asked: &CampaignAsked, known: Vec<RunOutcome>) -> Vec<RunOutcome> {
    let mut runs = Runs::default();
    known.into_iter().for_each(|run| runs.take(run));
    runs.grow(asked);
    if !runs.is_enough {
        runs.whole.extend(runs.ahead.into_values());
    }
    runs.whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(runs: u64) -> CampaignAsked {
        CampaignAsked { runs, precision: None, confidence: 0.95, runs_min: 2, failures_max: 1 }
    }

    fn run(number: u64, lost: u64) -> RunOutcome {
        RunOutcome { number, lost, sent: 1_000, ..RunOutcome::default() }
    }

    fn played(schedule: &mut Schedule) -> Vec<(u64, usize)> {
        let mut order = Vec::new();
        while let Ok(task) = schedule.next() {
            order.push((task.number, task.variant));
            schedule.finished(task, run(task.number, 100));
        }
        order
    }

    #[test]
    fn variants_take_turns_and_nothing_is_played_twice() {
        let mut schedule = Schedule::new(asked(3), vec![Vec::new(), vec![run(1, 0)]], 0);
        assert_eq!(played(&mut schedule), [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]);
        assert_eq!((schedule.next(), schedule.progress()), (Err(End::All), (6, 6)));
    }

    #[test]
    fn a_run_under_way_is_given_to_nobody_else_until_it_fails() {
        let mut schedule = Schedule::new(asked(2), vec![Vec::new()], 0);
        let (first, second) = (schedule.next_free().unwrap(), schedule.next_free().unwrap());
        assert_eq!((first.number, second.number, schedule.next_free()), (0, 1, None));
        schedule.failed(first);
        assert_eq!(schedule.next_free(), Some(first));
        schedule.failed(first);
        assert_eq!(schedule.next(), Err(End::Failures), "two are more than one");
    }

    #[test]
    fn the_more_runs_there_are_the_less_often_they_are_asked() {
        assert!((0..128).all(is_asked_at));
        let asked_at: Vec<usize> = (128..1_000_001).filter(|runs| is_asked_at(*runs)).collect();
        assert!(asked_at.windows(2).all(|pair| pair[1] - pair[0] <= pair[0] / 64), "a 64th more");
        // All runs are looked at each time: 64 times in each octave, and not once for each run.
        let work: usize = asked_at.iter().sum();
        assert!(work < 150 * 1_000_000, "{work}");
    }

    #[test]
    fn what_was_lost_is_that_of_all_runs_also_beyond_a_hole() {
        let mut schedule = Schedule::new(asked(5), vec![vec![run(0, 2), run(3, 40)]], 0);
        assert_eq!(schedule.losses(0), (42, 2_000));
        let task = schedule.next_free().unwrap();
        schedule.finished(task, run(task.number, 100));
        assert_eq!((task.number, schedule.losses(0)), (1, (142, 3_000)));
    }

    #[test]
    fn when_it_is_enough_does_not_depend_on_the_order_in_which_runs_end() {
        let asked = CampaignAsked { precision: Some(0.2), ..asked(1_000) };
        let mut schedule = Schedule::new(asked.clone(), vec![Vec::new()], 0);
        let in_turn = played(&mut schedule).len();
        assert_eq!(schedule.next(), Err(End::Precise));
        assert!((2..1_000).contains(&in_turn));
        // Two at a time, of which the second always ends first.
        let mut schedule = Schedule::new(asked.clone(), vec![Vec::new()], 0);
        let mut all = Vec::new();
        while let Some(first) = schedule.next_free() {
            for task in [schedule.next_free(), Some(first)].into_iter().flatten() {
                schedule.finished(task, run(task.number, 100));
                all.push(run(task.number, 100));
            }
        }
        all.sort_by_key(|run| run.number);
        assert!(all.len() >= in_turn);
        assert_eq!(counted(&asked, all).len(), in_turn);
    }
}
