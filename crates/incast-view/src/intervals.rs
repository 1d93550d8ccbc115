//! Intervals as one flat table, for programs that analyse: CSV and Parquet.
//!
//! Of flows here, one row per record, flow and interval; of readouts in [`readout`], one row per record
//! and interval; the points of probes in [`probe`]. What is known of the record and of the flow is repeated in each. Columns are called as
//! in the record, with their units. What is unknown is null in Parquet and an empty field in CSV, never 0.
//! Times of flows are given twice: after the start of the flow, as in the record, and after the start of
//! the run, where flows can be laid over each other.

mod columnar;
mod csv;
pub mod probe;
pub mod readout;

use incast_core::load::Transport;
use incast_core::record::{Flow, Interval};

use crate::RecordAt;

/// The intervals of all flows of `records` as CSV.
#[must_use]
pub fn csv(records: &[RecordAt<'_>]) -> String {
    csv::write(&columns(), &rows(records))
}

/// The intervals of all flows of `records` as a Parquet file.
///
/// # Errors
/// Fails when the writer does; it writes into memory.
pub fn parquet(records: &[RecordAt<'_>]) -> Result<Vec<u8>, std::io::Error> {
    columnar::write(&columns(), &rows(records)).map_err(std::io::Error::other)
}

/// A column: its name, and what a row has in it.
struct Column<R> {
    name: &'static str,
    value: Value<R>,
}

/// What a column holds; `None` is unknown.
enum Value<R> {
    Text(fn(&R) -> Option<String>),
    Count(fn(&R) -> Option<u64>),
    Difference(fn(&R) -> Option<i64>),
    Number(fn(&R) -> Option<f64>),
    Flag(fn(&R) -> bool),
}

const fn text<R>(name: &'static str, value: fn(&R) -> Option<String>) -> Column<R> {
    Column { name, value: Value::Text(value) }
}

const fn count<R>(name: &'static str, value: fn(&R) -> Option<u64>) -> Column<R> {
    Column { name, value: Value::Count(value) }
}

const fn number<R>(name: &'static str, value: fn(&R) -> Option<f64>) -> Column<R> {
    Column { name, value: Value::Number(value) }
}

/// One row of the table of flows.
struct Row<'r> {
    at: &'r RecordAt<'r>,
    flow: &'r Flow,
    interval: &'r Interval,
}

/// Every row, in the order of the records, their flows and their intervals.
fn rows<'r>(records: &'r [RecordAt<'r>]) -> Vec<Row<'r>> {
    let of_record = |at: &'r RecordAt<'r>| {
        let flows = at.record.flows.iter();
        flows.flat_map(move |flow| flow.intervals.iter().map(move |interval| Row { at, flow, interval }))
    };
    records.iter().flat_map(of_record).collect()
}

/// A time of the flow as a time of the run; unknown when the start of the flow is.
fn in_run(row: &Row<'_>, time_s: f64) -> Option<f64> {
    row.flow.start_s.map(|start_s| start_s + time_s)
}

/// The columns; `docs/report.md` explains them.
const fn columns<'r>() -> [Column<Row<'r>>; 23] {
    [
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
    ]
}
