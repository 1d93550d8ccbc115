//! The intervals of all flows as one flat table, for programs that analyse: CSV and Parquet.
//!
//! One row per record, flow and interval; what is known of the record and of the flow is repeated in
//! each. Columns are called as in the record, with their units. What is unknown is null in Parquet and
//! an empty field in CSV, never 0. Times are given twice: after the start of the flow, as in the
//! record, and after the start of the run, where flows can be laid over each other.

mod columnar;
mod csv;

use incast_core::load::Transport;
use incast_core::record::{Flow, Interval};

use crate::RecordAt;

pub use columnar::parquet;
pub use csv::csv;

/// One row.
struct Row<'r> {
    at: &'r RecordAt<'r>,
    flow: &'r Flow,
    interval: &'r Interval,
}

/// A column: its name, and what a row has in it.
struct Column {
    name: &'static str,
    value: Value,
}

/// What a column holds; `None` is unknown.
enum Value {
    Text(fn(&Row<'_>) -> Option<String>),
    Count(fn(&Row<'_>) -> Option<u64>),
    Difference(fn(&Row<'_>) -> Option<i64>),
    Number(fn(&Row<'_>) -> Option<f64>),
}

/// Every row, in the order of the records, their flows and their intervals.
fn rows<'r>(records: &'r [RecordAt<'r>]) -> impl Iterator<Item = Row<'r>> {
    records.iter().flat_map(|at| {
        let flows = at.record.flows.iter();
        flows.flat_map(move |flow| flow.intervals.iter().map(move |interval| Row { at, flow, interval }))
    })
}

/// A time of the flow as a time of the run; unknown when the start of the flow is.
fn in_run(row: &Row<'_>, time_s: f64) -> Option<f64> {
    row.flow.start_s.map(|start_s| start_s + time_s)
}

const fn text(name: &'static str, value: fn(&Row<'_>) -> Option<String>) -> Column {
    Column { name, value: Value::Text(value) }
}

const fn count(name: &'static str, value: fn(&Row<'_>) -> Option<u64>) -> Column {
    Column { name, value: Value::Count(value) }
}

const fn number(name: &'static str, value: fn(&Row<'_>) -> Option<f64>) -> Column {
    Column { name, value: Value::Number(value) }
}

/// The columns; `docs/report.md` explains them.
const COLUMNS: [Column; 23] = [
    text("record", |row| Some(row.at.place.to_owned())),
    text("scenario", |row| Some(row.at.record.scenario.name.clone())),
    text("variant", |row| row.at.record.scenario.variant.clone()),
    text("verdict", |row| Some(crate::said::verdict(row.at.record).0.to_owned())),
    text("flow", |row| Some(row.flow.name.clone())),
    text("from", |row| Some(row.flow.from.clone())),
    text("to", |row| Some(row.flow.to.clone())),
    text("transport", |row| row.flow.transport.map(Transport::name).map(str::to_owned)),
    count("message_bytes", |row| Some(u64::from(row.flow.message_bytes))),
    number("run_start_s", |row| in_run(row, row.interval.start_s)),
    number("run_end_s", |row| in_run(row, row.interval.end_s)),
    number("start_s", |row| Some(row.interval.start_s)),
    number("end_s", |row| Some(row.interval.end_s)),
    count("sent", |row| row.interval.sent),
    count("received", |row| row.interval.received),
    count("unique", |row| row.interval.unique),
    count("duplicate", |row| row.interval.duplicate),
    count("reordered", |row| row.interval.reordered),
    count("late", |row| row.interval.late),
    count("stale", |row| row.interval.stale),
    Column { name: "lost", value: Value::Difference(|row| row.interval.lost) },
    number("goodput_bits_per_s", |row| row.interval.goodput_bits_per_s),
    text("incast_version", |row| Some(row.at.record.incast.version.clone())),
];
