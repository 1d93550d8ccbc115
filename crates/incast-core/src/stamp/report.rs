//! What a watched path is measured against, and its part of the record.

use crate::caveat::{Caveat, CaveatKind};
use crate::record::{Expectation, StampClock, StampFault, StampReport, StampSpread, StampWindow};
use crate::stats::{LogHistogram, ratio};
use crate::time::Span;
use crate::wire::stamp::time::Format;

use super::delays::{Delays, Spread, WindowFigures};
use super::sender::{Counting, Sender};

/// What a path has to keep, in each window and in all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Lost over sent, 0 to 1.
    pub loss: Option<f64>,
    /// 99th percentile of round trips.
    pub round_trip: Option<Span>,
    /// 99th percentile of delays to the reflector.
    pub forward: Option<Span>,
    /// 99th percentile of delays back.
    pub backward: Option<Span>,
    /// Variation (PDV, RFC 5481) of either way: 99th percentile less the smallest.
    pub variation: Option<Span>,
}

/// One limit beside what was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Its name.
    pub name: &'static str,
    /// What is measured is at most this: a fraction, or seconds.
    pub at_most: f64,
    /// What was measured; `None` when it could not be.
    pub measured: Option<f64>,
}

impl Judged {
    /// Whether it is kept; what could not be measured is not.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.measured.is_some_and(|measured| measured <= self.at_most)
    }
}

/// What limits look at.
struct Seen {
    loss: Option<f64>,
    round_trip: Option<Spread>,
    forward: Option<Spread>,
    backward: Option<Spread>,
}

impl Limits {
    /// A window beside the limits that there are.
    #[must_use]
    pub fn judge(&self, window: &WindowFigures) -> Vec<Judged> {
        self.beside(&Seen {
            loss: ratio(window.lost, window.sent),
            round_trip: window.round_trip,
            forward: window.forward,
            backward: window.backward,
        })
    }

    fn beside(&self, seen: &Seen) -> Vec<Judged> {
        let p99 = |spread: Option<Spread>| spread.map(|spread| seconds(spread.p99));
        let variation = |spread: Option<Spread>| spread.map(|spread| seconds(spread.variation_p99()));
        let worse =
            variation(seen.forward).zip(variation(seen.backward)).map(|(there, back)| there.max(back));
        let most = |limit: Option<Span>| limit.map(Span::as_s_f64);
        let all = [
            ("loss", self.loss, seen.loss),
            ("round trip", most(self.round_trip), p99(seen.round_trip)),
            ("delay there", most(self.forward), p99(seen.forward)),
            ("delay back", most(self.backward), p99(seen.backward)),
            ("delay variation", most(self.variation), worse),
        ];
        let stated = all.into_iter().filter_map(|(name, at_most, measured)| Some((name, at_most?, measured)));
        stated.map(|(name, at_most, measured)| Judged { name, at_most, measured }).collect()
    }
}

/// A window for the record.
#[must_use]
pub fn window(figures: &WindowFigures, missed: &[Judged]) -> StampWindow {
    let spread = |spread: Option<Spread>| spread.map(|spread| self::spread(&spread, None));
    StampWindow {
        start_s: figures.start.since(crate::time::Time::ZERO).as_s_f64(),
        end_s: figures.end.since(crate::time::Time::ZERO).as_s_f64(),
        sent: figures.sent,
        answered: figures.answered,
        lost: figures.lost,
        lost_fraction: ratio(figures.lost, figures.sent),
        round_trip: spread(figures.round_trip),
        forward: spread(figures.forward),
        backward: spread(figures.backward),
        offset_ns: figures.clock.map(|clock| clock.offset_ns),
        error_ns: figures.clock.map(|clock| clock.error_ns),
        missed: missed
            .iter()
            .filter(|judged| !judged.is_met())
            .map(|judged| judged.name.to_owned())
            .collect(),
    }
}

impl Sender {
    /// The session's part of the record; windows, the reflector's name and stamps of the kernel are the owner's.
    #[must_use]
    pub fn report(&self) -> StampReport {
        let (account, plan) = (self.account(), &self.plan);
        let counts = match self.counting {
            Counting::None => None,
            Counting::Sequence => Some("sequence".to_owned()),
            Counting::Counters => Some("counters".to_owned()),
        };
        let faults = self.faults.named().into_iter().filter(|(_, replies)| *replies > 0);
        let whole = |delays: &Delays, steps: Option<&LogHistogram>| {
            let ipdv = steps.and_then(|steps| steps.quantile(0.99));
            delays.spread().map(|values| spread(&values, ipdv))
        };
        StampReport {
            session_id: plan.ssid,
            authenticated: plan.key.is_some(),
            timestamps: if plan.format == Format::Ptp { "ptp" } else { "ntp" }.to_owned(),
            packet_bytes: plan.packet_bytes as u64,
            gap_ns: plan.gap.as_ns(),
            timeout_ns: plan.timeout.as_ns(),
            reflector_counts: counts,
            sent: account.sent,
            answered: account.answered,
            late: account.late,
            lost: account.lost,
            in_flight: account.in_flight,
            lost_fraction: ratio(account.lost, account.sent - account.in_flight),
            lost_forward: account.ways.map(|ways| ways.forward),
            lost_backward: account.ways.map(|ways| ways.backward),
            lost_way_unknown: account.ways.map(|ways| ways.unknown),
            duplicate: account.duplicate,
            reordered: account.reordered,
            skipped: self.skipped(),
            time_to_live: self.hops,
            round_trip: whole(&self.totals.round_trip, None),
            forward: whole(&self.totals.forward, Some(&self.totals.forward_ipdv)),
            backward: whole(&self.totals.backward, Some(&self.totals.backward_ipdv)),
            held: held(&self.totals.held),
            clock: self.clock_report(),
            faults: faults.map(|(what, replies)| StampFault { what: what.to_owned(), replies }).collect(),
            ..StampReport::default()
        }
    }

    fn clock_report(&self) -> StampClock {
        let (estimate, agreed) = (self.clock(), self.plan.synchronised_ns);
        StampClock {
            source: if agreed.is_some() { "agreed" } else { "estimated" }.to_owned(),
            offset_ns: estimate.map(|clock| clock.offset_ns),
            error_ns: agreed.or_else(|| estimate.map(|clock| clock.error_ns)),
            drift_ppb: estimate.map(|clock| clock.drift_ppb),
            drift_error_ppb: estimate.map(|clock| clock.drift_error_ppb),
            steps: estimate.map_or(0, |clock| clock.steps),
            reflector_synchronised: self.reflector_error.map(|error| error.is_synchronised()),
            reflector_error_ns: self
                .reflector_error
                .filter(|error| error.is_synchronised())
                .and_then(|error| error.error_ns()),
        }
    }

    /// The limits beside the whole session, as expectations of the record.
    #[must_use]
    pub fn expectations(&self, limits: &Limits) -> Vec<Expectation> {
        let account = self.account();
        let seen = Seen {
            loss: ratio(account.lost, account.sent - account.in_flight),
            round_trip: self.totals.round_trip.spread(),
            forward: self.totals.forward.spread(),
            backward: self.totals.backward.spread(),
        };
        let expectation = |judged: Judged| Expectation {
            name: format!("{} within its limit", judged.name),
            expected: format!("{} of the path <= {}", judged.name, said(&judged)),
            measured: judged.measured,
            met: judged.measured.map(|_| judged.is_met()),
            source: Some("stated on the command line".into()),
        };
        limits.beside(&seen).into_iter().map(expectation).collect()
    }

    /// What makes the figures doubtful.
    #[must_use]
    pub fn caveats(&self) -> Vec<Caveat> {
        let (account, mut caveats) = (self.account(), Vec::new());
        if self.faults.total() > 0 {
            let named = self.faults.named().into_iter().filter(|(_, count)| *count > 0);
            let named: Vec<String> = named.map(|(what, count)| format!("{count} {what}")).collect();
            caveats.push(Caveat::new(
                CaveatKind::PeerNonsense,
                format!(
                    "replies that no honest reflector sends were counted and left out: {}",
                    named.join(", ")
                ),
                "look at the reflector, and at who else can send to this host",
            ));
        }
        if account.answered + account.late == 0 && account.sent > 0 {
            caveats.push(Caveat::new(
                CaveatKind::NobodyListens,
                format!("none of {} tests had a reply", account.sent),
                "start a reflector there (`incast reflect`), with the same port and key, and look at firewalls",
            ));
        } else if account.ways.is_none() {
            caveats.push(Caveat::new(
                CaveatKind::StageUncertain,
                format!("{} tests were lost, and the reflector does not say on which way", account.lost),
                "use a reflector that counts: `incast reflect`, or one with RFC 8972's Direct Measurement",
            ));
        }
        if let Some(clock) = self.clock().filter(|clock| clock.steps > 0) {
            caveats.push(Caveat::new(
                CaveatKind::ClockStepped,
                format!("one of the two clocks was set {} times, or its rate was changed", clock.steps),
                "one-way delays around a step are wrong by it; keep clocks disciplined (chrony, ptp4l) and steady",
            ));
        }
        caveats.extend(self.unsynchronised());
        caveats
    }

    fn unsynchronised(&self) -> Option<Caveat> {
        let clock = self.clock()?;
        if self.plan.synchronised_ns.is_some() {
            return None;
        }
        let (error, unit) = match clock.error_ns {
            ns @ 10_000_000.. => (ns.div_ceil(1_000_000), "ms"),
            ns => (ns.div_ceil(1_000), "us"),
        };
        Some(Caveat::new(
            CaveatKind::ClockUncertain,
            format!(
                "the two clocks are not known to agree: one-way delays are known to {error} {unit}, half a round trip"
            ),
            "if they agree (PTP, one machine), say how closely with --synchronised; variations need no clock",
        ))
    }
}

/// A limit in its unit.
fn said(judged: &Judged) -> String {
    let unit = if judged.name == "loss" { "" } else { " s" };
    format!("{}{unit}", judged.at_most)
}

fn spread(values: &Spread, ipdv_ns_p99: Option<u64>) -> StampSpread {
    StampSpread {
        samples: values.samples,
        ns_min: values.least,
        ns_p50: values.p50,
        ns_p90: values.p90,
        ns_p99: values.p99,
        ns_max: values.most,
        pdv_ns_p99: values.variation_p99(),
        ipdv_ns_p99,
    }
}

fn held(histogram: &LogHistogram) -> Option<StampSpread> {
    let ns = |value: Option<u64>| value.and_then(|ns| i64::try_from(ns).ok());
    let quantile = |q: f64| ns(histogram.quantile(q));
    let values = Spread {
        samples: histogram.count(),
        least: ns(histogram.min())?,
        p50: quantile(0.5)?,
        p90: quantile(0.9)?,
        p99: quantile(0.99)?,
        most: ns(histogram.max())?,
    };
    Some(spread(&values, None))
}

#[expect(clippy::cast_precision_loss, reason = "for printing and comparing: 53 bits are enough")]
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}
