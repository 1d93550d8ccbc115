//! The `[[expect]]` tables: a metric, what it is held against, and where that comes from.
//!
//! An expectation without a source is refused: nobody could tell whether it is the network that is
//! wrong, or the expectation.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::findings::Findings;
use super::flows::Flows;
use super::metric::{Metric, Unit};
use super::model::{ExpectationPlan, Limits, Scope};
use super::queues::Queues;
use super::reader::Reader;
use crate::time::Span;
use crate::units::{BIT_RATE_EXAMPLES, BYTES_EXAMPLES, BitRate, Bytes, SPAN_EXAMPLES, UnitError};

/// Reads one `[[expect]]`; `None` when something was wrong and has been noted.
pub(super) fn read<'t>(
    table: &DeTable<'t>,
    header: Range<usize>,
    (flows, queues): (&Flows<'_>, &Queues<'_>),
    findings: &mut Findings<'t>,
) -> Option<ExpectationPlan> {
    let mut reader = Reader::open(table, "[[expect]]", header, KEYS, findings);
    reader.require("name", "say in words what is expected");
    reader.require("what", "name the number that is looked at, for example lost_fraction");
    reader.require("source", "say where the expected value comes from: a law, a paper, a data sheet");
    let name = reader.sentence("name");
    let source = reader.sentence("source");
    let metric = reader.word("what", "metric", &Metric::ALL.map(|metric| (metric.name(), metric)));
    let scope = scope(&mut reader, metric, (flows, queues));
    let limits = metric.and_then(|metric| limits(&mut reader, metric));
    let (metric, scope) = (metric?, scope?);
    let expected = expected(table, metric, &scope);
    Some(ExpectationPlan { name: name?, metric, scope, limits: limits?, expected, source: source? })
}

fn scope(
    reader: &mut Reader<'_, '_>,
    metric: Option<Metric>,
    (flows, queues): (&Flows<'_>, &Queues<'_>),
) -> Option<Scope> {
    if reader.has("queue") {
        if let Some(metric) = metric.filter(|metric| !metric.is_of_queue()) {
            let metric = metric.name();
            reader.fault("queue", format!("`{metric}` is of no queue: leave `queue` out"));
            return None;
        }
        let name = reader.text("queue")?;
        return queues
            .check(&name, reader.findings)
            .then(|| Scope::Queues { name: (*name.get_ref()).to_owned() });
    }
    if !reader.has("flow") {
        return Some(Scope::Totals);
    }
    let name = reader.text("flow")?;
    if let Some(metric) = metric.filter(|metric| metric.totals_only()) {
        let is_of_simulation = metric.is_of_simulation() || metric.is_of_exchange();
        let metric = metric.name();
        if is_of_simulation {
            reader.fault("flow", format!("`{metric}` is of no flow: leave `flow` out"));
            return None;
        }
        reader.fault(
            "flow",
            format!("`{metric}` compares all flows: it has no value for one; leave `flow` out"),
        );
        return None;
    }
    let count = flows.count_of(name.get_ref(), &name.span(), reader.findings)?;
    Some(Scope::Flows { name: (*name.get_ref()).to_owned(), count })
}

fn limits(reader: &mut Reader<'_, '_>, metric: Metric) -> Option<Limits> {
    let faults_before = reader.findings.count();
    let [equals, at_least, at_most] = ["equals", "at_least", "at_most"].map(|key| value(reader, key, metric));
    let within = reader.number("within", "a number, for example 0.05", |_| None);
    let has_range = reader.has("at_least") || reader.has("at_most");
    if reader.has("equals") && has_range {
        reader.fault("equals", "`equals` stands alone: leave it out, or `at_least` and `at_most`");
    } else if !reader.has("equals") && !has_range {
        let header = reader.header.clone();
        reader.findings.add(&header, "nothing is expected; write `equals`, `at_least` or `at_most`");
    }
    if reader.has("within") && !reader.has("equals") {
        reader.fault("within", "`within` goes with `equals`");
    }
    if let Some(within) = within.filter(|within| !(0.0..=1.0).contains(within)) {
        reader.fault(
            "within",
            format!("`within` is {within}; allowed: 0 to 1, a fraction of the expected value"),
        );
    } else if within.is_some() && equals.is_some_and(|value| value.abs() <= 0.0) {
        reader.fault(
            "within",
            "`within` is a fraction of the expected value, and that is 0; write `at_most` instead",
        );
    }
    if let (Some(least), Some(most)) = (at_least, at_most)
        && least > most
    {
        reader.fault("at_least", "`at_least` is more than `at_most`: no value meets both");
    }
    if reader.findings.count() > faults_before {
        return None;
    }
    Some(match equals {
        Some(value) => Limits::Near { value, tolerance: within.unwrap_or(0.0) * value.abs() },
        None => Limits::Between {
            at_least: at_least.unwrap_or(f64::NEG_INFINITY),
            at_most: at_most.unwrap_or(f64::INFINITY),
        },
    })
}

/// A number, or a quantity's text, in the metric's base unit.
fn value(reader: &mut Reader<'_, '_>, key: &str, metric: Metric) -> Option<f64> {
    let unit = metric.unit();
    let value = reader.number(key, &wanted(unit), |text| read_quantity(unit, text))?;
    let (least, most) = unit.range();
    if (least..=most).contains(&value) {
        return Some(value);
    }
    let metric = metric.name();
    let allowed = if most.is_finite() { format!("{least} to {most}") } else { format!("{least} and more") };
    reader.fault(key, format!("`{key}` is {value}, which `{metric}` can never be; allowed: {allowed}"));
    None
}

fn wanted(unit: Unit) -> String {
    match unit {
        Unit::BitRate => format!("a number of bits per second, or a text such as {BIT_RATE_EXAMPLES}"),
        Unit::Seconds => format!("a number of seconds, or a text such as {SPAN_EXAMPLES}"),
        Unit::Fraction => "a number from 0 to 1".to_owned(),
        Unit::Bytes => format!("a number of bytes, or a text such as {BYTES_EXAMPLES}"),
        Unit::Count | Unit::Difference | Unit::Number | Unit::Signed => "a number".to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for judging: rates beyond 2^53 bit/s are not reached")]
fn read_quantity(unit: Unit, text: &str) -> Option<Result<f64, UnitError>> {
    match unit {
        Unit::BitRate => Some(text.parse().map(|rate: BitRate| rate.0 as f64)),
        Unit::Seconds => Some(text.parse().map(Span::as_s_f64)),
        Unit::Bytes => Some(text.parse().map(|bytes: Bytes| bytes.0 as f64)),
        Unit::Fraction | Unit::Count | Unit::Difference | Unit::Number | Unit::Signed => None,
    }
}

/// The expectation as the record shows it, its numbers as the file writes them.
fn expected(table: &DeTable<'_>, metric: Metric, scope: &Scope) -> String {
    let whose = match scope {
        Scope::Totals if metric.is_of_queue() => "all queues",
        Scope::Totals if metric.is_of_exchange() => "all exchanges",
        Scope::Totals => "all flows",
        Scope::Flows { name, .. } | Scope::Queues { name } => name,
    };
    let mut parts = Vec::new();
    for (key, words, after) in EXPECTED_WORDS {
        let written = match table.get(*key).map(toml::Spanned::get_ref) {
            Some(DeValue::String(text)) => text.split_whitespace().collect(),
            Some(DeValue::Integer(integer)) => integer.as_str().to_owned(),
            Some(DeValue::Float(float)) => float.as_str().to_owned(),
            _ => continue,
        };
        parts.push(format!("{words}{written}{after}"));
    }
    format!("{} of {whose} {}", metric.name(), parts.join(", "))
}

/// How the limits read in the record, one after the other: `= 1Gbit/s, give or take 0.05 of it`.
const EXPECTED_WORDS: &[(&str, &str, &str)] = &[
    ("equals", "= ", ""),
    ("within", "give or take ", " of it"),
    ("at_least", ">= ", ""),
    ("at_most", "<= ", ""),
];
/// Most expectations of a scenario; more than anyone reads.
pub(super) const EXPECTATIONS_MAX: usize = 256;

pub(super) const KEYS: &[&str] =
    &["at_least", "at_most", "equals", "flow", "name", "queue", "source", "what", "within"];
