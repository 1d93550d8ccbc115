//! A probe played point by point: each point is a run of its own, and the record is that of the heaviest one with
//! all points in it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::probe::{self, Played, ProbeSweep, SweepPoint};
use incast_core::record::{ProbePoint, Record, Verdict};
use incast_core::scenario::{ExpectationPlan, ProbePlan, Scenario};
use incast_core::time::Span;

use incast_view::RecordAt;

use crate::measured::{Measured, judge_again};
use crate::output::{note, worst};
use crate::signals::Stops;

/// The table of points in the directory of a record.
pub(crate) const POINTS: &str = "points.csv";

/// Plays every point of a scenario's probe; `play` plays a scenario once.
pub(crate) fn points(
    scenario: &Scenario,
    plan: &ProbePlan,
    stops: &Stops,
    mut play: impl FnMut(&Scenario) -> anyhow::Result<Measured>,
) -> anyhow::Result<Record> {
    sweep(&plan.sweep, &plan.flow, &scenario.expectations, stops, |point, drift_ppb| {
        play(&scenario.at_point(plan, point, drift_ppb))
    })
}

/// Plays every point of `sweep`; `play` plays one, with what is known of the drift of the clocks by then.
pub(crate) fn sweep(
    sweep: &ProbeSweep,
    flow: &str,
    expectations: &[ExpectationPlan],
    stops: &Stops,
    mut play: impl FnMut(&SweepPoint, i64) -> anyhow::Result<Measured>,
) -> anyhow::Result<Record> {
    let points = sweep.points();
    let mut playing = Playing {
        flow,
        played: Played::default(),
        kept: None,
        doubts: BTreeMap::new(),
        verdicts: Vec::new(),
    };
    for (index, point) in points.iter().enumerate() {
        playing.handle(point, play(point, playing.played.drift_ppb())?)?;
        // What was learned of the clocks by the first point makes that point itself exact.
        if playing.played.is_drift_new() && stops.count() == 0 {
            playing.forget_last();
            playing.handle(point, play(point, playing.played.drift_ppb())?)?;
        }
        note(&format!(
            "point {} of {}: {}",
            index + 1,
            points.len(),
            described(playing.played.points().last())
        ));
        if stops.count() > 0 {
            break;
        }
    }
    playing.finish(sweep, expectations, stops.count() > 0)
}

/// A probe under way.
struct Playing<'a> {
    flow: &'a str,
    played: Played,
    /// The record of the heaviest point so far.
    kept: Option<Record>,
    /// Doubts of all points by their kind: in how many, and the first of each.
    doubts: BTreeMap<CaveatKind, (usize, Caveat)>,
    verdicts: Vec<Verdict>,
}

impl Playing<'_> {
    fn handle(&mut self, point: &SweepPoint, measured: Measured) -> anyhow::Result<()> {
        let outcome = measured.outcomes.iter().find(|outcome| outcome.identity.name == self.flow);
        let outcome = outcome.with_context(|| format!("flow {} took no part", self.flow))?;
        let (sent, seen) = (outcome.sent.clone(), outcome.measured.clone());
        if seen.as_ref().is_some_and(|seen| seen.probe.is_none()) {
            anyhow::bail!(
                "the receiver of {} does not know probes: use the same incast on both ends",
                self.flow
            );
        }
        let mut record = measured.record();
        self.verdicts.push(record.verdict);
        // Points are short by their nature, and have numbers of their own that say so.
        let doubts = std::mem::take(&mut record.caveats).into_iter();
        for doubt in doubts.filter(|doubt| doubt.kind != CaveatKind::RunTooShort) {
            self.doubts.entry(doubt.kind).or_insert((0, doubt)).0 += 1;
        }
        let flow = record.flows.iter().find(|flow| flow.name == self.flow);
        let flow = flow.with_context(|| format!("flow {} is not in its record", self.flow))?;
        if self.played.handle_point(point, flow, sent.as_ref(), seen.as_ref()) {
            self.kept = Some(record);
        }
        Ok(())
    }

    fn forget_last(&mut self) {
        self.played.forget_last();
        self.kept = None;
        self.doubts.clear();
        self.verdicts.clear();
    }

    fn finish(
        self,
        sweep: &ProbeSweep,
        expectations: &[ExpectationPlan],
        interrupted: bool,
    ) -> anyhow::Result<Record> {
        let count = self.played.points().len();
        let (probe, doubts) = probe::record(self.played, sweep, self.flow);
        let mut record = self.kept.context("no point was played")?;
        record.caveats =
            self.doubts.into_values().map(|(times, doubt)| in_points(times, count, doubt)).collect();
        record.caveats.extend(doubts);
        record.caveats.sort();
        record.probe = Some(probe);
        record.verdict = worst(&self.verdicts);
        judge_again(&mut record, expectations, interrupted);
        Ok(record)
    }
}

/// A doubt of some points, told once.
fn in_points(times: usize, points: usize, doubt: Caveat) -> Caveat {
    let text = match times {
        1 if points == 1 => doubt.text,
        1 => format!("in one point: {}", doubt.text),
        _ => format!("in {times} of {points} points, first: {}", doubt.text),
    };
    Caveat { text, ..doubt }
}

/// A point in a line, for the person who waits.
fn described(point: Option<&ProbePoint>) -> String {
    let Some(point) = point else { return String::new() };
    let gap = point.gap_ns.map_or_else(|| "no gap".into(), |ns| format!("gap {} us", ns / 1e3));
    let delay = point.delay.as_ref().map(|delay| format!(", half delayed by at most {} ns", delay.ns_p50));
    format!(
        "{} B, {gap}: received {} of {}, reordered {}{}",
        point.message_bytes,
        point.unique,
        point.sent.unwrap_or(point.unique),
        point.reordered,
        delay.unwrap_or_default()
    )
}

/// What is to be played, before it is.
pub(crate) fn describe(sweep: &ProbeSweep) -> String {
    let list = |texts: Vec<String>| match texts.len() {
        0..=8 => texts.join(", "),
        many => format!("{} ... {} ({many})", texts[..2].join(", "), texts[many - 1]),
    };
    let sizes = list(sweep.message_bytes.iter().map(|bytes| format!("{bytes} B")).collect());
    let gap = |gap: &Span| if *gap == Span::ZERO { "none".to_owned() } else { gap.to_string() };
    let gaps = list(sweep.gaps.iter().map(gap).collect());
    let end = match (sweep.duration, sweep.messages) {
        (Some(time), Some(messages)) => format!("{time} or {messages} messages"),
        (Some(time), None) => time.to_string(),
        (None, Some(messages)) => format!("{messages} messages"),
        (None, None) => "no end".into(),
    };
    format!(
        "{} points in an order drawn from seed {}: messages of {sizes}; gaps {gaps}; {end} each after {} messages of \
         warm-up",
        sweep.count(),
        sweep.seed,
        sweep.warm_up_messages
    )
}

/// Writes the points as a table beside the record.
pub(crate) fn write_points(record: &Record, path: &Path) -> anyhow::Result<()> {
    if record.probe.is_none() {
        return Ok(());
    }
    let at = RecordAt { place: &record.scenario.name, record };
    std::fs::write(path, incast_view::intervals::probe::csv(&[at]))
        .with_context(|| format!("write {}", path.display()))
}
