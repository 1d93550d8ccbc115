//! Holds a record against what was expected of it. Pure: no plan, no record is changed.
//!
//! What could not be measured is not judged: it is neither met nor missed.

use super::metric::Metric;
use super::model::{ExpectationPlan, Scope};
use crate::record::{Expectation, Record};

/// The verdict on one expectation.
///
/// Over several flows the one that keeps the smallest margin counts. An unknown value leaves the
/// verdict open, unless a known one already misses.
#[must_use]
pub fn judge(plan: &ExpectationPlan, record: &Record) -> Expectation {
    let (worst, all_known) = match &plan.scope {
        Scope::Totals => {
            let value = plan.metric.of_record(record);
            (value, value.is_some())
        }
        Scope::Queues { name } => {
            let value = plan.metric.of_simulation(record, Some(name));
            (value, value.is_some())
        }
        Scope::Flows { name, count } => worst_flow(plan, name, *count, record),
    };
    let met = worst.map(|value| plan.limits.margin(value) >= 0.0);
    let decided = all_known || met == Some(false);
    Expectation {
        name: plan.name.clone(),
        expected: plan.expected.clone(),
        measured: worst.filter(|_| decided),
        met: met.filter(|_| decided),
        source: Some(plan.source.clone()),
    }
}

/// The known value with the smallest margin, and whether every flow's value is known.
fn worst_flow(plan: &ExpectationPlan, name: &str, count: usize, record: &Record) -> (Option<f64>, bool) {
    let is_meant = |flow_name: &str| {
        flow_name == name || flow_name.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
    };
    let mut known = 0;
    let mut worst: Option<f64> = None;
    for flow in record.flows.iter().filter(|flow| is_meant(&flow.name)) {
        let value = match plan.metric.is_of_simulation() {
            true => Metric::of_delay(plan.metric, record, &flow.name),
            false => Metric::of_flow(plan.metric, flow),
        };
        let Some(value) = value else { continue };
        known += 1;
        let margin = |value| plan.limits.margin(value);
        if worst.is_none_or(|worst| margin(value) < margin(worst)) {
            worst = Some(value);
        }
    }
    (worst, known >= count)
}
