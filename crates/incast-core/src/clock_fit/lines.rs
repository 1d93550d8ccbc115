//! All straight lines between two hulls: the least and the greatest offset and drift among them.
//!
//! A line is `offset + drift x (moment - at)`. With a given drift the offset is at most the least of the upper bounds,
//! each carried to `at`, which is a concave function of the drift, and at least the greatest of the lower ones,
//! a convex function. So everything is found by halving intervals, sixty times: far below the
//! nanosecond. Each bound is loosened by the wander of the drift since.

use std::collections::VecDeque;

use super::{DRIFT_MAX_PPB, WANDER_PPB, ppb};

/// Intervals of the offset in nanoseconds, and of the drift as a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) offset: (f64, f64),
    pub(super) drift: (f64, f64),
}

/// The lines below `upper` and above `lower`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines<'a> {
    upper: &'a VecDeque<(f64, f64)>,
    lower: &'a VecDeque<(f64, f64)>,
    at: f64,
}

/// What bounds the offset at one drift, and how it changes with the drift.
#[derive(Clone, Copy, Debug)]
struct Bound {
    offset: f64,
    slope: f64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(upper: &'a VecDeque<(f64, f64)>, lower: &'a VecDeque<(f64, f64)>, at: f64) -> Self {
        Self { upper, lower, at }
    }

    /// One of the lines, as its offset at the origin and its drift; `None` if there is none.
    pub(super) fn any(&self, at: f64) -> Option<(f64, f64)> {
        let drift = self.roomiest();
        let (top, bottom) = (self.top(drift).offset, self.bottom(drift).offset);
        (top >= bottom).then(|| (f64::midpoint(top, bottom) - drift * at, drift))
    }

    /// What the lines span; `None` if there is none.
    pub(super) fn range(&self) -> Option<Range> {
        let middle = self.roomiest();
        // A line was found when the last bound came: what lacks now is rounding.
        if self.room(middle) < -1.0 {
            return None;
        }
        let drift = (self.edge(middle, -DRIFT_MAX), self.edge(middle, DRIFT_MAX));
        // Concave and convex: the extremes are where the slope changes its sign, or at an edge.
        let highest = halve(drift, |at| self.top(at).slope > 0.0);
        let lowest = halve(drift, |at| self.bottom(at).slope < 0.0);
        Some(Range { offset: (self.bottom(lowest).offset, self.top(highest).offset), drift })
    }

    /// Least upper bound of the offset.
    fn top(&self, drift: f64) -> Bound {
        let carried = self.upper.iter().map(|(at, bound)| {
            let age = self.at - at;
            Bound { offset: bound + (drift + ppb(WANDER_PPB)) * age, slope: age }
        });
        carried.fold(Bound { offset: f64::INFINITY, slope: 0.0 }, |least, next| {
            if next.offset < least.offset { next } else { least }
        })
    }

    /// Greatest lower bound of the offset.
    fn bottom(&self, drift: f64) -> Bound {
        let carried = self.lower.iter().map(|(at, bound)| {
            let age = self.at - at;
            Bound { offset: bound + (drift - ppb(WANDER_PPB)) * age, slope: age }
        });
        carried.fold(Bound { offset: f64::NEG_INFINITY, slope: 0.0 }, |greatest, next| {
            if next.offset > greatest.offset { next } else { greatest }
        })
    }

    fn room(&self, drift: f64) -> f64 {
        self.top(drift).offset - self.bottom(drift).offset
    }

    /// The drift with the widest interval of offsets.
    fn roomiest(&self) -> f64 {
        halve((-DRIFT_MAX, DRIFT_MAX), |drift| self.top(drift).slope > self.bottom(drift).slope)
    }

    /// The last drift with room, from `inside` towards `outside`.
    fn edge(&self, inside: f64, outside: f64) -> f64 {
        if self.room(outside) >= 0.0 {
            return outside;
        }
        let (mut inside, mut outside) = (inside, outside);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(inside, outside);
            if self.room(middle) >= 0.0 { inside = middle } else { outside = middle }
        }
        inside
    }
}

/// Where `is_left` turns false in an interval.
fn halve((mut left, mut right): (f64, f64), is_left: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(left, right);
        if is_left(middle) { left = middle } else { right = middle }
    }
    f64::midpoint(left, right)
}

/// 2 x 10^-3 / 2^60, times a horizon of 10^12 ns: 2 x 10^-9 ns.
const HALVINGS: u32 = 60;
#[expect(clippy::cast_precision_loss, reason = "10^6 is exact")]
const DRIFT_MAX: f64 = DRIFT_MAX_PPB as f64 / 1e9;
