//! A remote clock against ours, from two-way stamps: offset, drift, and how wrong both can be.
//!
//! ```text
//!  our clock      t1 ─────────────────────── t4
//!                   \                       /
//!  remote clock      t2 ───────────────── t3
//! ```
//! Nothing arrives before it was sent. So at t1 the remote clock was ahead of ours by at most t2 - t1, and at
//! t4 by at least t3 - t4, whatever the two delays were. If both clocks run evenly, the offset is a straight
//! line that stays below all bounds of the first kind and above all of the second (A. Duda, G. Harrus,
//! Y. Haddad, G. Bernard: "Estimating global time in distributed systems", ICDCS 1987; with one bound only, the
//! lower envelope of S. Moon, P. Skelly, D. Towsley: "Estimation and removal of clock skew from network delay
//! measurements", INFOCOM 1999; by convex hulls, L. Zhang, Z. Liu, C. Xia: "Clock synchronization algorithms for
//! network measurements", INFOCOM 2002). All such lines together give the interval of the offset and that of
//! the drift.
//!
//! The estimate is the middle of the interval. Its error bar does not rest on the line: it also covers the
//! bounds of the best of the last eight exchanges, as the clock filter of NTP keeps them (RFC 5905 §10). In the
//! end it is about half of the smallest round trip: no asymmetry of the path can get beyond it, and
//! no arithmetic below it.
//!
//! When no line is left, a clock was stepped (or its rate was changed) and everything begins anew. A step that is
//! smaller than the round trip cannot be told from an asymmetric path; the error bar covers it eight exchanges later.
//!
//! It reads no clock, and never decides which of the two is right. Memory is bounded: see the constants.

mod hull;
mod lines;

use std::collections::VecDeque;

use hull::{Hull, Side};
use lines::Lines;

/// The four stamps of one exchange, in nanoseconds; each clock has an epoch of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoWay {
    /// We sent, by our clock; not later than the packet really left.
    pub t1: i64,
    /// The remote end received, by its clock; not earlier than the packet really came.
    pub t2: i64,
    /// The remote end sent, by its clock.
    pub t3: i64,
    /// We received, by our clock.
    pub t4: i64,
}

impl TwoWay {
    /// The round trip without the time at the remote end, in nanoseconds: (t4 - t1) - (t3 - t2).
    ///
    /// `None` if no honest clocks can have given the stamps: one end answers before it was asked, or takes
    /// longer than both ways together, or a stamp is beyond [`STAMP_MAX`].
    #[must_use]
    pub fn round_trip_ns(&self) -> Option<u64> {
        let sane = |stamp: i64| stamp.unsigned_abs() <= STAMP_MAX.unsigned_abs();
        if ![self.t1, self.t2, self.t3, self.t4].into_iter().all(sane) {
            return None;
        }
        let (away, there) = (self.t4 - self.t1, self.t3 - self.t2);
        (away >= 0 && there >= 0).then(|| u64::try_from(away - there).ok())?
    }
}

/// Stamps beyond it are nonsense: 2^62 ns are 146 years, and differences of two still fit.
pub const STAMP_MAX: i64 = i64::MAX / 2;
/// Neither clock is worse than this, in parts of 10^9: NTP tolerates 500 ppm of each (RFC 5905 §7.2 and §11.3).
pub const DRIFT_MAX_PPB: i64 = 1_000_000;
/// How far the drift may wander while a line is believed: the rate of computer clocks stays within 0.1 ppm over
/// all time scales (D. Veitch, J. Ridoux, S. Korada: "Robust synchronization of absolute and difference
/// clocks over networks", IEEE/ACM ToN 17(2), 2009, §II).
pub const WANDER_PPB: i64 = 100;
/// What an exchange of the filter may have drifted off the line since: PHI of RFC 5905, 15 ppm.
pub const DISPERSION_PPB: i64 = 15_000;
/// Exchanges of the filter: NSTAGE of RFC 5905.
pub const FILTER_MAX: usize = 8;
/// Bounds that are older are forgotten, in nanoseconds: 1000 s, the scale up to which a clock's rate is constant
/// to 0.1 ppm or better (Veitch 2009).
pub const HORIZON_NS: i64 = 1_000_000_000_000;
/// Corners of each of the two hulls. Jitter leaves some twenty; one that is dropped only loosens the bounds.
pub const CORNERS_MAX: usize = 64;

/// What is known of the remote clock at one moment of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockEstimate {
    /// Remote clock minus ours at the moment [`ClockEstimate::at`], in nanoseconds.
    pub offset_ns: i64,
    /// The moment, by our clock: the latest t4.
    pub at: i64,
    /// How much faster the remote clock runs than ours, in parts of 10^9.
    pub drift_ppb: i64,
    /// The offset is within so many nanoseconds of [`ClockEstimate::offset_ns`]; about half a round trip.
    pub error_ns: u64,
    /// The drift is within so many parts of 10^9 of [`ClockEstimate::drift_ppb`], if both clocks ran evenly.
    pub drift_error_ppb: u64,
    /// Smallest round trip since the last step, in nanoseconds, without the time at the remote end.
    pub round_trip_min_ns: u64,
    /// Exchanges that this rests on: since the last step.
    pub samples: u64,
    /// How often no straight line was left: a clock was stepped, or its rate was changed.
    pub steps: u64,
    /// Exchanges that no honest clocks can have stamped.
    pub refused: u64,
}

impl ClockEstimate {
    /// Remote clock minus ours at another moment of our clock, in nanoseconds.
    #[must_use]
    pub fn offset_ns_at(&self, our: i64) -> i64 {
        let drifted = parts(i128::from(our) - i128::from(self.at), self.drift_ppb);
        clamp(i128::from(self.offset_ns) + drifted)
    }

    /// The error bar at another moment of our clock: what the drift may be off is added.
    #[must_use]
    pub fn error_ns_at(&self, our: i64) -> u64 {
        let age = (i128::from(our) - i128::from(self.at)).abs();
        let more = parts(age, clamp(i128::from(self.drift_error_ppb) + i128::from(WANDER_PPB)));
        self.error_ns.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
    }
}

/// `length` times so many parts of 10^9.
fn parts(length: i128, ppb: i64) -> i128 {
    length * i128::from(ppb) / 1_000_000_000
}

fn clamp(wide: i128) -> i64 {
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
}

/// An exchange that the filter keeps: its two bounds.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// When each holds, by our clock, nanoseconds after the origin.
    upper_at: f64,
    lower_at: f64,
    upper: f64,
    lower: f64,
}

/// Offset and drift of a remote clock, from its exchanges with us.
///
/// ```
/// use incast_core::clock_fit::{ClockFit, TwoWay};
/// let mut fit = ClockFit::default();
/// // 50 us there, 10 us in the remote host, 50 us back; its clock is 1 ms ahead.
/// fit.record(TwoWay { t1: 0, t2: 1_050_000, t3: 1_060_000, t4: 110_000 });
/// let estimate = fit.estimate().unwrap();
/// assert!(estimate.offset_ns.abs_diff(1_000_000) <= estimate.error_ns);
/// assert!(estimate.error_ns < 51_000);
/// ```
#[derive(Clone, Debug)]
pub struct ClockFit {
    granularity_ns: f64,
    /// Our moment and the remote offset that all numbers are counted from, so that they stay small.
    origin: (i64, i64),
    /// Latest t4 after the origin.
    at: f64,
    upper: Hull,
    lower: Hull,
    filter: VecDeque<Bounds>,
    /// A line that all bounds have room for.
    line: Option<(f64, f64)>,
    round_trip_min_ns: u64,
    samples: u64,
    steps: u64,
    refused: u64,
}

impl Default for ClockFit {
    fn default() -> Self {
        Self::with_granularity(1)
    }
}

impl ClockFit {
    /// For stamps that are rounded to so many nanoseconds; by default to 1.
    #[must_use]
    pub fn with_granularity(nanoseconds: u32) -> Self {
        Self {
            granularity_ns: f64::from(nanoseconds),
            origin: (0, 0),
            at: 0.0,
            upper: Hull::new(Side::Above),
            lower: Hull::new(Side::Below),
            filter: VecDeque::with_capacity(FILTER_MAX),
            line: None,
            round_trip_min_ns: u64::MAX,
            samples: 0,
            steps: 0,
            refused: 0,
        }
    }

    /// Takes one exchange in; false if it was refused as nonsense.
    pub fn record(&mut self, stamps: TwoWay) -> bool {
        let Some(round_trip_ns) = stamps.round_trip_ns() else {
            self.refused += 1;
            return false;
        };
        if self.samples == 0 || !self.admit(stamps) {
            if self.samples > 0 {
                self.steps += 1;
            }
            self.begin(stamps);
        }
        self.samples += 1;
        self.round_trip_min_ns = self.round_trip_min_ns.min(round_trip_ns);
        true
    }

    /// Forgets all bounds and starts with this exchange alone.
    fn begin(&mut self, stamps: TwoWay) {
        self.origin = (stamps.t4, stamps.t3 - stamps.t4);
        self.at = 0.0;
        (self.upper, self.lower) = (Hull::new(Side::Above), Hull::new(Side::Below));
        self.filter.clear();
        self.line = None;
        (self.samples, self.round_trip_min_ns) = (0, u64::MAX);
        let bounds = self.bounds(stamps);
        self.insert(bounds);
    }

    /// Adds the bounds of an exchange; false if no line has room for them.
    fn admit(&mut self, stamps: TwoWay) -> bool {
        let bounds = self.bounds(stamps);
        if bounds.lower_at < self.at - HORIZON {
            // Our own clock went back by so much: nothing that is known has to do with it.
            return false;
        }
        let fits = self.line.is_some_and(|(offset, drift)| {
            offset + drift * bounds.upper_at <= bounds.upper
                && offset + drift * bounds.lower_at >= bounds.lower
        });
        self.insert(bounds);
        if fits {
            return true;
        }
        self.line = self.lines().any(self.at);
        self.line.is_some()
    }

    fn insert(&mut self, bounds: Bounds) {
        self.at = self.at.max(bounds.lower_at);
        // First: the last corner stays, so that a step is seen after any silence.
        self.upper.forget(self.at - HORIZON);
        self.lower.forget(self.at - HORIZON);
        self.upper.insert(bounds.upper_at, bounds.upper);
        self.lower.insert(bounds.lower_at, bounds.lower);
        if self.filter.len() == FILTER_MAX {
            self.filter.pop_front();
        }
        self.filter.push_back(bounds);
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 ns are a hundred days: beyond, nothing is exact anyway"
    )]
    fn bounds(&self, stamps: TwoWay) -> Bounds {
        let (moment, offset) = (i128::from(self.origin.0), i128::from(self.origin.1));
        let after = |stamp: i64| (i128::from(stamp) - moment) as f64;
        let over = |remote: i64, our: i64| (i128::from(remote) - i128::from(our) - offset) as f64;
        Bounds {
            upper_at: after(stamps.t1),
            lower_at: after(stamps.t4),
            upper: over(stamps.t2, stamps.t1) + self.granularity_ns,
            lower: over(stamps.t3, stamps.t4) - self.granularity_ns,
        }
    }

    fn lines(&self) -> Lines<'_> {
        Lines::new(self.upper.corners(), self.lower.corners(), self.at)
    }

    /// What is known now; `None` before the first exchange.
    #[must_use]
    pub fn estimate(&self) -> Option<ClockEstimate> {
        if self.samples == 0 {
            return None;
        }
        let range = self.lines().range()?;
        let (drift_min, drift_max) = range.drift;
        let middle = f64::midpoint(range.offset.0, range.offset.1);
        // What the best of the last exchanges allows, beyond the line: however the rates were changed since.
        let dispersion = ppb(DISPERSION_PPB);
        let of_filter = |bounds: &Bounds| {
            let (since_upper, since_lower) = (self.at - bounds.upper_at, self.at - bounds.lower_at);
            let upper = bounds.upper + (drift_max + dispersion) * since_upper;
            let lower = bounds.lower + (drift_min - dispersion) * since_lower;
            (lower, upper)
        };
        let width = |(lower, upper): &(f64, f64)| upper - lower;
        let (lower, upper) =
            self.filter.iter().map(of_filter).min_by(|one, other| width(one).total_cmp(&width(other)))?;
        let error = (upper - middle).max(middle - lower).max((range.offset.1 - range.offset.0) / 2.0);
        Some(ClockEstimate {
            offset_ns: self.origin.1.saturating_add(whole(middle)),
            at: self.origin.0.saturating_add(whole(self.at)),
            drift_ppb: whole(f64::midpoint(drift_min, drift_max) * 1e9),
            // One more for the rounding of the middle.
            error_ns: whole(error.ceil()).unsigned_abs() + 1,
            drift_error_ppb: whole(((drift_max - drift_min) / 2.0 * 1e9).ceil()).unsigned_abs() + 1,
            round_trip_min_ns: self.round_trip_min_ns,
            samples: self.samples,
            steps: self.steps,
            refused: self.refused,
        })
    }

    /// Exchanges that were refused as nonsense.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How often a clock was stepped.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

/// [`HORIZON_NS`] to calculate with.
#[expect(clippy::cast_precision_loss, reason = "10^12 is exact")]
const HORIZON: f64 = HORIZON_NS as f64;

/// Parts of 10^9 as a fraction.
#[expect(clippy::cast_precision_loss, reason = "all are below 2^53")]
fn ppb(parts: i64) -> f64 {
    parts as f64 / 1e9
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and all are far below 2^63")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}
