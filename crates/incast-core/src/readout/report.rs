//! What the roles of a readout counted, made into the record, and into figures to be looked at while it
//! runs. Pure: every world has the same.

use crate::readout::event_account::Loss;
use crate::readout::ids::Peer;
use crate::readout::role::RoleCounts;
use crate::record::{
    Cpu, CreditBook, DeadTimes, EventBook, NamedCount, Readout, ReadoutInterval, ReadoutRole,
    TimeDistribution,
};
use crate::stats::{LogHistogram, fairness_jain};

mod doubts;
mod role;
mod sums;

pub use doubts::doubts;
pub use sums::Sums;

/// A role over all its lives, as its world knows it.
#[derive(Clone, Debug)]
pub struct RoleReport<'a> {
    /// Its name.
    pub name: &'a str,
    /// Which role.
    pub peer: Peer,
    /// Its host.
    pub host: Option<&'a str>,
    /// Processes that played it.
    pub lives: u32,
    /// How each but the last ended.
    pub deaths: &'a [String],
    /// What its last life counted; `None` when it told nothing.
    pub counts: Option<&'a RoleCounts>,
    /// What its world counted beside, by name.
    pub more: &'a [NamedCount],
    /// Nonsense and doubts that its world counted, by name.
    pub faults: &'a [NamedCount],
    /// What it cost.
    pub cpu: Option<Cpu>,
}

/// Fills in everything of `readout` that follows from what its roles counted.
pub fn fill(readout: &mut Readout, roles: &[RoleReport<'_>]) {
    let mut times = Times::default();
    let mut decided_by_node = Vec::new();
    let mut built_bytes = 0;
    let mut credits: Option<CreditBook> = None;
    for role in roles {
        match role.counts {
            Some(RoleCounts::Trigger(counts)) => {
                readout.events = event_book(counts);
                readout.dead_time = dead_times(counts, readout.running_s);
                add_credits(&mut credits, &counts.credits);
                times.trigger_to_end.add(&counts.latency_ns);
            }
            Some(RoleCounts::Builder(counts)) => {
                for level in &counts.levels {
                    times.build.add(&level.builder.completion_ns);
                    times.decision.add(&level.dispatcher.decision_ns);
                    built_bytes += level.by_source.iter().map(|(_, source)| source.bytes).sum::<u64>();
                    add_credits(&mut credits, &level.credits);
                }
                times.ask.add(&counts.storing.granted_ns);
                times.store.add(&counts.storing.stored_ns);
            }
            Some(RoleCounts::Node(counts)) => {
                times.first_request.add(&counts.first_request_ns);
                times.request.add(&counts.request_ns);
                times.ask.add(&counts.storing.granted_ns);
                times.store.add(&counts.storing.stored_ns);
                decided_by_node.push(as_f64(counts.answered));
            }
            Some(RoleCounts::Source(_) | RoleCounts::Sink(_)) | None => {}
        }
        readout.roles.push(role::report(role));
    }
    let per_s = |count: u64| readout.running_s.filter(|s| *s > 0.0).map(|s| as_f64(count) / s);
    let events = &readout.events;
    readout.event_rate_per_s = per_s(events.triggered - events.in_flight.min(events.triggered));
    readout.built_bytes_per_s = per_s(built_bytes);
    readout.credits = credits;
    readout.fairness_jain = (decided_by_node.len() > 1).then(|| fairness_jain(&decided_by_node)).flatten();
    readout.times = times.distributions();
}

#[expect(clippy::cast_precision_loss, reason = "for rates")]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Law 2, as the trigger kept it.
fn event_book(counts: &crate::readout::role::TriggerRoleCounts) -> EventBook {
    let events = &counts.events;
    let named = |name: String, count: &u64| NamedCount { name, count: *count };
    EventBook {
        triggered: events.triggered,
        stored: events.stored,
        rejected: events.rejected,
        incomplete: events.incomplete,
        lost: events.lost_events(),
        in_flight: events.in_flight,
        residual: i64::try_from(events.residual()).unwrap_or(i64::MAX),
        lost_by: events.lost.iter().map(|(loss, count)| named(words(*loss).into(), count)).collect(),
        missing: events
            .missing
            .iter()
            .map(|(source, count)| named(format!("source {source}"), count))
            .collect(),
        revised: events.revised,
        ended_twice: events.ended_twice,
        never_triggered: events.never_triggered,
    }
}

/// A cause of loss in words.
const fn words(loss: Loss) -> &'static str {
    match loss {
        Loss::BuilderDied => "its builder died with it",
        Loss::SinkDied => "its sink died with it",
        Loss::Unheard => "nothing of it came, and its builder did not know of it",
        Loss::NoRoom => "a bound was reached",
        Loss::DecidedLate => "its decision came too late to be sorted",
        Loss::Forgotten => "it was in flight for too long",
        Loss::Ended => "the run ended before it",
    }
}

fn add_credits(sum: &mut Option<CreditBook>, more: &crate::readout::CreditTotals) {
    let sum = sum.get_or_insert_default();
    sum.granted += more.granted;
    sum.spent += more.spent;
    sum.held += more.held;
    sum.expired += more.expired;
    sum.residual += i64::try_from(more.residual()).unwrap_or(i64::MAX);
}

fn dead_times(counts: &crate::readout::role::TriggerRoleCounts, running_s: Option<f64>) -> DeadTimes {
    let [throttle_s, nobody_s, pause_s] =
        [&counts.throttle, &counts.nobody, &counts.pause].map(|dead| as_f64(dead.stopped_ns) / 1e9);
    let refused = counts.throttle.refused + counts.nobody.refused + counts.pause.refused;
    let fraction = running_s.filter(|s| *s > 0.0).map(|s| ((throttle_s + nobody_s) / s).min(1.0));
    DeadTimes { throttle_s, nobody_s, pause_s, refused_triggers: Some(refused), fraction }
}

/// Distributions over all roles.
#[derive(Default)]
struct Times {
    trigger_to_end: LogHistogram,
    build: LogHistogram,
    decision: LogHistogram,
    first_request: LogHistogram,
    request: LogHistogram,
    ask: LogHistogram,
    store: LogHistogram,
}

impl Times {
    fn distributions(&self) -> Vec<TimeDistribution> {
        let all = [
            ("trigger_to_end", &self.trigger_to_end),
            ("build", &self.build),
            ("decision", &self.decision),
            ("first_request", &self.first_request),
            ("request", &self.request),
            ("ask", &self.ask),
            ("store", &self.store),
        ];
        all.into_iter().filter(|(_, ns)| ns.count() > 0).map(|(name, ns)| distribution(name, ns)).collect()
    }
}

/// A histogram of nanoseconds in a few numbers.
#[must_use]
pub fn distribution(name: &str, ns: &LogHistogram) -> TimeDistribution {
    let us = |ns: Option<u64>| ns.map(|ns| as_f64(ns) / 1e3);
    TimeDistribution {
        name: name.into(),
        count: ns.count(),
        us_p50: us(ns.quantile(0.5)),
        us_p99: us(ns.quantile(0.99)),
        us_p999: us(ns.quantile(0.999)),
        us_max: us(ns.max()),
    }
}

/// Slices of a run, from sums that are taken now and then.
#[derive(Clone, Debug, Default)]
pub struct Slices {
    last: Option<(f64, Sums)>,
    slices: Vec<ReadoutInterval>,
}

/// Most slices; an hour in seconds. Then the last one grows.
const SLICES_MAX: usize = 3_600;

impl Slices {
    /// Takes in the sums at `at_s` seconds after the start.
    pub fn record(&mut self, at_s: f64, sums: Sums) {
        let (start_s, before) = self.last.replace((at_s, sums.clone())).unwrap_or_default();
        let slice = sums.since(&before, start_s, at_s);
        if self.slices.len() < SLICES_MAX {
            self.slices.push(slice);
        } else if let Some(last) = self.slices.last_mut() {
            sums::merge(last, &slice);
        }
    }

    /// The slices so far.
    #[must_use]
    pub fn slices(&self) -> &[ReadoutInterval] {
        &self.slices
    }
}

/// A role in the record, without what its world knows alone.
#[must_use]
pub fn role(report: &RoleReport<'_>) -> ReadoutRole {
    role::report(report)
}
