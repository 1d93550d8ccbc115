//! The clocks of the two ends of a probe, from the two-way exchanges of all its points.
//!
//! Ends that read the same clock need no comparison. For others the offset of each point is that at its first
//! departure, by the fit of everything until the point's end; the drift that is known by then is taken out of the next
//! point. What the error bar cannot hold is a doubt: no offset at all, an error larger than the delay itself, stamps
//! that cannot be, a clock that was stepped.

use super::receiver::drift_ns;
use super::report::{ProbeSeen, ProbeSent};
use crate::caveat::{Caveat, CaveatKind};
use crate::clock_fit::{ClockEstimate, ClockFit, TwoWay};
use crate::record::{ProbeClocks, ProbePoint};

/// What is known of the clocks while a probe goes on.
#[derive(Clone, Debug, Default)]
pub struct Clocks {
    fit: ClockFit,
    /// Whether both ends read one clock, as far as they told.
    shared: Option<bool>,
    requests: u64,
    answers: u64,
    /// Steps of the receiver's wall clock, in which its kernel stamps.
    wall_clock_steps: u64,
}

/// The clocks of one point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointClock {
    /// Receiver's clock minus sender's when the point's first message left.
    pub offset_ns: i64,
    /// How wrong that is at most, for any message of the point.
    pub error_ns: u64,
}

impl Clocks {
    /// Takes what both ends of a point told; `None` when nothing compares their clocks.
    pub fn handle_point(&mut self, sent: &ProbeSent, seen: &ProbeSeen) -> Option<PointClock> {
        self.requests = self.requests.saturating_add(sent.requests);
        self.wall_clock_steps = self.wall_clock_steps.saturating_add(seen.wall_clock_steps);
        let same = sent.clock.as_ref().zip(seen.clock.as_ref()).map(|(ours, theirs)| ours == theirs);
        for [t1, t2, t3, t4] in &sent.two_way {
            self.answers += 1;
            self.fit.record(TwoWay { t1: *t1, t2: *t2, t3: *t3, t4: *t4 });
        }
        let estimate = self.fit.estimate();
        // Virtual machines that were copied have one name for two clocks, and a peer may say anything.
        let agrees = |known: &ClockEstimate| known.offset_ns.unsigned_abs() <= known.error_ns;
        let is_shared = same == Some(true) && estimate.as_ref().is_none_or(agrees);
        self.shared = Some(is_shared && self.shared.unwrap_or(true));
        if is_shared {
            return Some(PointClock::default());
        }
        estimate.map(|estimate| point_clock(&estimate, seen))
    }

    /// Drift to be taken out of the next point, in parts of 10^9.
    #[must_use]
    pub fn drift_ppb(&self) -> i64 {
        if self.shared == Some(true) { 0 } else { self.fit.estimate().map_or(0, |known| known.drift_ppb) }
    }

    /// Whether both ends read the same clock, as far as is known.
    #[must_use]
    pub fn are_shared(&self) -> bool {
        self.shared == Some(true)
    }

    /// The same as plain data.
    #[must_use]
    pub fn to_record(&self) -> ProbeClocks {
        let estimate = self.fit.estimate();
        let relation = match (self.are_shared(), &estimate) {
            (true, _) => "shared",
            (false, Some(_)) => "estimated",
            (false, None) => "unknown",
        };
        let known = estimate.as_ref();
        ProbeClocks {
            relation: relation.into(),
            offset_ns: known.map(|known| known.offset_ns),
            error_ns: known.map(|known| known.error_ns),
            drift_ppb: known.map(|known| known.drift_ppb),
            drift_error_ppb: known.map(|known| known.drift_error_ppb),
            requests: self.requests,
            answers: self.answers,
            round_trip_ns_min: known.map(|known| known.round_trip_min_ns),
            steps: self.fit.steps() + self.wall_clock_steps,
            refused: self.fit.refused(),
        }
    }

    /// What is to be doubted of the delays of `points`.
    #[must_use]
    pub fn caveats(&self, points: &[ProbePoint]) -> Vec<Caveat> {
        let mut caveats = Vec::new();
        let refused = self.fit.refused();
        if refused > 0 {
            caveats.push(Caveat::new(
                CaveatKind::StampsImplausible,
                format!("{refused} of {} two-way answers carry stamps that no honest clock can have given", self.answers),
                "do not trust the delays of this peer; look at its clock, and use the same incast on both ends",
            ));
        }
        let steps = self.fit.steps() + self.wall_clock_steps;
        if steps > 0 {
            caveats.push(Caveat::new(
                CaveatKind::ClockStepped,
                format!("a clock was stepped {steps} times while delays were measured: those of that point are not to be trusted"),
                "let the time service slew the clocks instead of stepping them, and repeat",
            ));
        }
        caveats.extend(self.uncertain(points));
        caveats
    }

    fn uncertain(&self, points: &[ProbePoint]) -> Option<Caveat> {
        if points.iter().all(|point| point.delay_above_min.is_none()) {
            return None;
        }
        const ADVICE: &str =
            "compare delays above the smallest, or synchronise the hosts and probe a shorter path";
        if points.iter().any(|point| point.delay.is_none() && point.delay_above_min.is_some()) {
            let text = format!(
                "the clocks of the two ends could not be compared ({} of {} two-way messages were answered): \
                 delays are given above the smallest only",
                self.answers, self.requests
            );
            return Some(Caveat::new(CaveatKind::ClockUncertain, text, ADVICE));
        }
        // An error above half of the delay says no more than that there is one.
        let doubtful = |point: &&ProbePoint| {
            let half = point.delay.as_ref().zip(point.delay_error_ns);
            half.is_some_and(|(delay, error)| {
                i64::try_from(error).unwrap_or(i64::MAX) > delay.ns_p50.saturating_abs() / 2
            })
        };
        let below_zero = |point: &&ProbePoint| {
            let known = point.delay.as_ref().zip(point.delay_error_ns);
            known.is_some_and(|(delay, error)| delay.ns_min < 0_i64.saturating_sub_unsigned(error))
        };
        if let Some(point) = points.iter().find(below_zero) {
            let least = point.delay.as_ref().map_or(0, |delay| delay.ns_min);
            let text = format!(
                "a one-way delay of {least} ns is below zero by more than its error bar of {} ns: a clock or a peer tells wrong times",
                point.delay_error_ns.unwrap_or(0)
            );
            return Some(Caveat::new(
                CaveatKind::StampsImplausible,
                text,
                "look at the clocks of both hosts, and repeat",
            ));
        }
        let count = points.iter().filter(doubtful).count();
        let worst = points.iter().filter(doubtful).filter_map(|point| point.delay_error_ns).max()?;
        let text = format!(
            "the offset of the clocks is known to {worst} ns, which is more than half of the median delay in {count} of {} points",
            points.len()
        );
        Some(Caveat::new(CaveatKind::ClockUncertain, text, ADVICE))
    }
}

/// The offset at the first departure, and how wrong it can be until the last arrival.
fn point_clock(estimate: &ClockEstimate, seen: &ProbeSeen) -> PointClock {
    let first_departure = seen.first_ns.saturating_sub(seen.base_delay_ns);
    let elapsed = seen.last_ns.saturating_sub(seen.first_ns);
    // What of the drift was not taken out while the point was counted.
    let left = estimate.drift_ppb.saturating_sub(seen.drift_ppb);
    let blur = drift_ns(left, elapsed).unsigned_abs();
    let error = estimate
        .error_ns_at(first_departure)
        .max(estimate.error_ns_at(first_departure.saturating_add(elapsed)));
    PointClock { offset_ns: estimate.offset_ns_at(first_departure), error_ns: error.saturating_add(blur) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Exchanges over a path of `delay` each way, to a clock that is ahead by `offset` and drifts.
    fn exchanges(offset: i64, drift_ppb: i64, delay: i64) -> Vec<[i64; 4]> {
        let remote = |at: i64| at + offset + drift_ns(drift_ppb, at);
        (0..100)
            .map(|n| n * 10 * MS)
            .map(|t1| {
                let (there, answer) = (t1 + delay, t1 + delay + 1_000);
                [t1, remote(there), remote(answer), answer + delay]
            })
            .collect()
    }

    fn ends(two_way: Vec<[i64; 4]>, clocks: [&str; 2]) -> (ProbeSent, ProbeSeen) {
        let [ours, theirs] = clocks.map(|name| Some(name.to_owned()));
        let sent = ProbeSent { requests: 100, two_way, clock: ours, ..ProbeSent::default() };
        (sent, ProbeSeen { clock: theirs, ..ProbeSeen::default() })
    }

    #[test]
    fn one_clock_needs_no_comparison() {
        let mut clocks = Clocks::default();
        let (sent, seen) = ends(Vec::new(), ["a", "a"]);
        assert_eq!(clocks.handle_point(&sent, &seen), Some(PointClock::default()));
        assert_eq!((clocks.to_record().relation.as_str(), clocks.drift_ppb()), ("shared", 0));
    }

    #[test]
    fn a_peer_that_only_says_that_it_reads_our_clock_is_not_believed() {
        let mut clocks = Clocks::default();
        let (sent, seen) = ends(exchanges(3 * MS, 0, 50_000), ["a", "a"]);
        let point = clocks.handle_point(&sent, &seen).unwrap();
        assert!(point.offset_ns.abs_diff(3 * MS) <= point.error_ns && point.error_ns > 0, "{point:?}");
        assert_eq!(clocks.to_record().relation, "estimated");
    }

    #[test]
    fn an_offset_and_a_drift_are_found_within_their_error_bars() {
        for (offset, drift) in [(0, 0), (3_600_000 * MS, 20_000), (-7 * MS, -45_000)] {
            let mut clocks = Clocks::default();
            let delay = 50_000;
            let (sent, mut seen) = ends(exchanges(offset, drift, delay), ["a", "b"]);
            seen.first_ns = 500 * MS + offset + drift_ns(drift, 500 * MS);
            seen.base_delay_ns = seen.first_ns - 500 * MS;
            seen.last_ns = seen.first_ns + 400 * MS;
            seen.drift_ppb = drift;
            let point = clocks.handle_point(&sent, &seen).unwrap();
            let truth = offset + drift_ns(drift, 500 * MS);
            assert!(
                point.offset_ns.abs_diff(truth) <= point.error_ns,
                "{offset} {drift}: {point:?}, {truth}"
            );
            assert!(point.error_ns < 2 * delay.unsigned_abs(), "{offset} {drift}: {point:?}");
            let found = clocks.to_record();
            assert_eq!(found.relation, "estimated");
            let error = found.drift_error_ppb.unwrap();
            assert!(found.drift_ppb.unwrap().abs_diff(drift) <= error, "{found:?}");
            assert!(clocks.caveats(&[]).is_empty());
        }
    }

    #[test]
    fn a_drift_that_was_not_taken_out_is_in_the_error_bar() {
        let with = |drift_taken| {
            let (sent, mut seen) = ends(exchanges(0, 100_000, 10_000), ["a", "b"]);
            seen.last_ns = 900 * MS;
            seen.drift_ppb = drift_taken;
            Clocks::default().handle_point(&sent, &seen).unwrap().error_ns
        };
        // 100 ppm over 0.9 s are 90 us.
        assert!(with(0) > with(100_000) + 80_000, "{} {}", with(0), with(100_000));
    }

    #[test]
    fn lies_and_steps_are_doubts() {
        let mut lying = exchanges(0, 0, 50_000);
        // Answers before they were asked, or that took longer than both ways together.
        lying[3][2] = lying[3][1] - 1;
        lying[7][2] = lying[7][1] + 10 * MS;
        let mut clocks = Clocks::default();
        let (sent, seen) = ends(lying, ["a", "b"]);
        clocks.handle_point(&sent, &seen);
        let kinds: Vec<CaveatKind> = clocks.caveats(&[]).into_iter().map(|doubt| doubt.kind).collect();
        assert_eq!(kinds, [CaveatKind::StampsImplausible]);
        let mut stepping = exchanges(0, 0, 50_000);
        for exchange in &mut stepping[50..] {
            exchange[1] += 40 * MS;
            exchange[2] += 40 * MS;
        }
        let mut clocks = Clocks::default();
        let (sent, seen) = ends(stepping, ["a", "b"]);
        clocks.handle_point(&sent, &seen);
        let kinds: Vec<CaveatKind> = clocks.caveats(&[]).into_iter().map(|doubt| doubt.kind).collect();
        assert_eq!(kinds, [CaveatKind::ClockStepped]);
        assert_eq!(clocks.to_record().steps, 1);
    }
}
