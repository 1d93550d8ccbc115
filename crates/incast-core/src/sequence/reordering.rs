//! Reordering after RFC 4737: how far a late message came behind its place.
//!
//! Two answers for each reordered message, both over first arrivals only (duplicates and stale
//! messages have no place in the order). The *extent* (§4.2) is the number of arrivals since the
//! earliest one with a larger counter: what a receiver has to buffer to restore the order. The
//! *degree of n-reordering* (§5.3) is the number of arrivals immediately before it that all had
//! larger counters: with n of 3 or more, TCP takes it for a loss.
//!
//! In-order messages cost nothing here: they come in runs, and only the end of a run is noted. The
//! time and byte offsets of §4.3 and §4.4 are not kept.

use crate::record;
use crate::stats::ratio;

/// How many messages were reordered, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReorderingReport {
    /// First arrivals with a counter below the next expected one (§3.3).
    pub reordered: u64,
    /// Largest extent, in messages (§4.2).
    pub extent_max: u64,
    /// Sum of all known extents, in messages.
    pub extent_sum: u64,
    /// Reordered messages whose gap was forgotten, because too many had opened since.
    pub extent_unknown: u64,
    /// Entry `n` counts the messages that are `n`-reordered but not `n + 1`-reordered.
    degrees: [u64; Self::DEGREE_MAX + 1],
}

impl Default for ReorderingReport {
    fn default() -> Self {
        let degrees = [0; Self::DEGREE_MAX + 1];
        Self { reordered: 0, extent_max: 0, extent_sum: 0, extent_unknown: 0, degrees }
    }
}

impl ReorderingReport {
    /// `n` of n-reordering is counted up to this; a message that is more is counted here.
    /// TCP asks for 3, and 128 shows the shape of anything less than a broken path.
    pub const DEGREE_MAX: usize = 128;

    /// How many messages are at least `n`-reordered, `n` from 1 to `DEGREE_MAX` (§5.3).
    #[must_use]
    pub fn n_reordered(&self, n: usize) -> u64 {
        self.degrees.iter().skip(n).sum()
    }

    /// Adds the reordering of another stream.
    pub fn add(&mut self, other: &Self) {
        self.reordered += other.reordered;
        self.extent_max = self.extent_max.max(other.extent_max);
        self.extent_sum = self.extent_sum.saturating_add(other.extent_sum);
        self.extent_unknown += other.extent_unknown;
        for (sum, more) in self.degrees.iter_mut().zip(&other.degrees) {
            *sum += more;
        }
    }

    /// The same as plain data; `unique` is the number of first arrivals.
    #[must_use]
    pub fn to_record(&self, unique: u64) -> record::Reordering {
        let known = self.reordered - self.extent_unknown;
        let largest = self.degrees.iter().rposition(|messages| *messages > 0).unwrap_or(0);
        record::Reordering {
            ratio: ratio(self.reordered, unique).unwrap_or(0.0),
            extent_max: self.extent_max,
            extent_mean: ratio(self.extent_sum, known),
            extent_unknown: self.extent_unknown,
            n_reordering: (1..=largest).map(|n| self.n_reordered(n)).collect(),
        }
    }

    fn record(&mut self, extent: Option<u64>, degree: usize) {
        self.reordered += 1;
        match extent {
            Some(extent) => {
                self.extent_max = self.extent_max.max(extent);
                self.extent_sum = self.extent_sum.saturating_add(extent);
            }
            None => self.extent_unknown += 1,
        }
        self.degrees[degree] += 1;
    }
}

/// The order in which first arrivals came, as far as later questions need it.
#[derive(Clone, Debug)]
pub(super) struct ArrivalOrder {
    /// First counter of each gap, with the arrival that opened it by coming ahead.
    gaps: Marks,
    /// Runs of arrivals that are not above any later one: first counter of each, with its last arrival.
    /// Both rise from mark to mark, so that the last mark below a counter is its nearest smaller arrival.
    ascents: Marks,
    report: ReorderingReport,
}

/// Gaps that are remembered at most: 16 KiB for each stream. A full one is the sign of heavy loss.
const GAPS_MAX: usize = 1_024;

impl ArrivalOrder {
    /// A window of counters has room for at most one gap for every other one.
    pub(super) fn new(window_messages: u64) -> Self {
        let gaps_max = usize::try_from(window_messages / 2).map_or(GAPS_MAX, |gaps| gaps.min(GAPS_MAX));
        Self {
            gaps: Marks::new(gaps_max),
            // After so many newer runs, a forgotten one is DEGREE_MAX arrivals away or more.
            ascents: Marks::new(ReorderingReport::DEGREE_MAX),
            report: ReorderingReport::default(),
        }
    }

    pub(super) fn report(&self) -> &ReorderingReport {
        &self.report
    }

    /// The arrival number `opener` (from 0) left a gap that begins at the counter `first`.
    pub(super) fn record_gap(&mut self, first: u64, opener: u64) {
        self.gaps.push(Mark { counter: first, arrival: opener });
    }

    /// Arrivals up to number `last` came in order, above all before them; `first` is the first counter.
    pub(super) fn record_run(&mut self, first: u64, last: u64) {
        self.ascents.push(Mark { counter: first, arrival: last });
    }

    /// The arrival number `arrival` is the first of `counter`, which was missing.
    pub(super) fn record_late(&mut self, counter: u64, arrival: u64) {
        // What opened the gap was the first arrival above it, so above `counter`. Gaps are forgotten
        // oldest first: the newest that begins at or below `counter` is the one that holds it.
        let opener = self.gaps.newest_at_or_below(counter);
        let extent = opener.map(|gap| arrival - gap.arrival);
        while self.ascents.newest().is_some_and(|run| run.counter > counter) {
            self.ascents.pop();
        }
        // When the nearest smaller arrival was forgotten, or there is none, DEGREE_MAX caps the number.
        let above = self.ascents.newest().map_or(arrival, |run| arrival - run.arrival - 1);
        let degree = usize::try_from(above).unwrap_or(usize::MAX);
        self.report.record(extent, degree.min(ReorderingReport::DEGREE_MAX));
        self.ascents.push(Mark { counter, arrival });
    }
}

/// A counter and the number of an arrival.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    counter: u64,
    arrival: u64,
}

/// A bounded stack of marks with rising counters; the oldest is forgotten when it is full.
#[derive(Clone, Debug)]
struct Marks {
    ring: Box<[Mark]>,
    /// Where the next one goes, modulo the length of the ring.
    top: usize,
    len: usize,
}

impl Marks {
    /// `capacity` is a power of two.
    fn new(capacity: usize) -> Self {
        debug_assert!(capacity.is_power_of_two());
        Self { ring: vec![Mark::default(); capacity].into(), top: 0, len: 0 }
    }

    fn push(&mut self, mark: Mark) {
        debug_assert!(self.newest().is_none_or(|newest| newest.counter < mark.counter));
        let slot = self.slot(self.top);
        self.ring[slot] = mark;
        self.top = self.top.wrapping_add(1);
        self.len = (self.len + 1).min(self.ring.len());
    }

    fn pop(&mut self) {
        self.top = self.top.wrapping_sub(1);
        self.len -= 1;
    }

    fn newest(&self) -> Option<Mark> {
        (self.len > 0).then(|| self.ring[self.slot(self.top.wrapping_sub(1))])
    }

    fn newest_at_or_below(&self, counter: u64) -> Option<Mark> {
        let oldest = self.top.wrapping_sub(self.len);
        let at = |age: usize| self.ring[self.slot(oldest.wrapping_add(age))];
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = usize::midpoint(low, high);
            if at(middle).counter <= counter { low = middle + 1 } else { high = middle }
        }
        low.checked_sub(1).map(at)
    }

    fn slot(&self, position: usize) -> usize {
        position & (self.ring.len() - 1)
    }
}
