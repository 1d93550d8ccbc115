//! The intervals of readouts as one flat table: one row per record and interval.
//!
//! Times are after the start of the run, as in the record. A record without a readout has no row.

use incast_core::record::{Readout, ReadoutInterval};

use super::{Column, Value, columnar, count, number, text};
use crate::RecordAt;

/// The intervals of all readouts of `records` as CSV.
#[must_use]
pub fn csv(records: &[RecordAt<'_>]) -> String {
    super::csv::write(&columns(), &rows(records))
}

/// The intervals of all readouts of `records` as a Parquet file.
///
/// # Errors
/// Fails when the writer does; it writes into memory.
pub fn parquet(records: &[RecordAt<'_>]) -> Result<Vec<u8>, std::io::Error> {
    columnar::write(&columns(), &rows(records)).map_err(std::io::Error::other)
}

/// One row.
struct Row<'r> {
    at: &'r RecordAt<'r>,
    readout: &'r Readout,
    interval: &'r ReadoutInterval,
}

/// Every row, in the order of the records and their intervals.
fn rows<'r>(records: &'r [RecordAt<'r>]) -> Vec<Row<'r>> {
    let readouts = records.iter().filter_map(|at| Some((at, at.record.readout.as_ref()?)));
    let of_readout = |(at, readout): (&'r RecordAt<'r>, &'r Readout)| {
        readout.intervals.iter().map(move |interval| Row { at, readout, interval })
    };
    readouts.flat_map(of_readout).collect()
}

/// The columns; `docs/report.md` explains them.
const fn columns<'r>() -> [Column<Row<'r>>; 23] {
    [
        text("record", |row| Some(row.at.place.to_owned())),
        text("scenario", |row| Some(row.at.record.scenario.name.clone())),
        text("variant", |row| row.at.record.scenario.variant.clone()),
        text("verdict", |row| Some(crate::said::verdict(row.at.record).0.to_owned())),
        count("run", |row| Some(u64::from(row.readout.run))),
        text("protocol", |row| Some(row.readout.protocol.clone())),
        text("carrier", |row| Some(row.readout.carrier.clone())),
        count("packing_events", |row| Some(u64::from(row.readout.packing_events))),
        text("builder_policy", |row| Some(row.readout.builder_policy.clone())),
        text("node_policy", |row| Some(row.readout.node_policy.clone())),
        number("start_s", |row| Some(row.interval.start_s)),
        number("end_s", |row| Some(row.interval.end_s)),
        count("triggered", |row| Some(row.interval.triggered)),
        count("built", |row| Some(row.interval.built)),
        count("decided", |row| Some(row.interval.decided)),
        count("stored", |row| Some(row.interval.stored)),
        number("built_bytes_per_s", |row| Some(row.interval.built_bytes_per_s)),
        count("in_flight", |row| Some(row.interval.in_flight)),
        count("held", |row| Some(row.interval.held)),
        count("held_bytes", |row| Some(row.interval.held_bytes)),
        count("credits", |row| Some(row.interval.credits)),
        Column { name: "dead", value: Value::Flag(|row| row.interval.dead) },
        text("incast_version", |row| Some(row.at.record.incast.version.clone())),
    ]
}
