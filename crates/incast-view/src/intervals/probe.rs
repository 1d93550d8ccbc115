//! The points of probes as one flat table: one row per record and point, without the histograms.

use incast_core::record::{NanosecondDistribution, Probe, ProbePoint};

use super::{Column, Value, count, number, text};
use crate::RecordAt;

/// The points of all probes of `records` as CSV.
#[must_use]
pub fn csv(records: &[RecordAt<'_>]) -> String {
    super::csv::write(&columns(), &rows(records))
}

/// One row.
struct Row<'r> {
    at: &'r RecordAt<'r>,
    probe: &'r Probe,
    point: &'r ProbePoint,
}

/// Every row, in the order of the records and their points.
fn rows<'r>(records: &'r [RecordAt<'r>]) -> Vec<Row<'r>> {
    let probes = records.iter().filter_map(|at| Some((at, at.record.probe.as_ref()?)));
    let of_probe = |(at, probe): (&'r RecordAt<'r>, &'r Probe)| {
        probe.points.iter().map(move |point| Row { at, probe, point })
    };
    probes.flat_map(of_probe).collect()
}

/// One number of a distribution, if there is one.
fn of(
    distribution: Option<&NanosecondDistribution>,
    value: fn(&NanosecondDistribution) -> i64,
) -> Option<i64> {
    distribution.map(value)
}

const fn signed<R>(name: &'static str, value: fn(&R) -> Option<i64>) -> Column<R> {
    Column { name, value: Value::Difference(value) }
}

/// The columns; `docs/report.md` explains them.
const fn columns<'r>() -> [Column<Row<'r>>; 51] {
    [
        text("record", |row| Some(row.at.place.to_owned())),
        text("scenario", |row| Some(row.at.record.scenario.name.clone())),
        text("variant", |row| row.at.record.scenario.variant.clone()),
        text("verdict", |row| Some(crate::said::verdict(row.at.record).0.to_owned())),
        text("flow", |row| Some(row.probe.flow.clone())),
        count("message_bytes", |row| Some(u64::from(row.point.message_bytes))),
        number("gap_ns", |row| row.point.gap_ns),
        count("repetition", |row| Some(u64::from(row.point.repetition))),
        number("intended_load_bits_per_s", |row| row.point.intended_load_bits_per_s),
        number("offered_load_bits_per_s", |row| row.point.offered_load_bits_per_s),
        number("received_bits_per_s", |row| row.point.received_bits_per_s),
        number("received_messages_per_s", |row| row.point.received_messages_per_s),
        count("sent", |row| row.point.sent),
        count("unique", |row| Some(row.point.unique)),
        count("duplicate", |row| Some(row.point.duplicate)),
        count("reordered", |row| Some(row.point.reordered)),
        count("lost", |row| Some(row.point.lost)),
        number("lost_fraction", |row| row.point.lost_fraction),
        count("loss_runs", |row| Some(row.point.loss_runs.runs)),
        count("longest_loss_run", |row| Some(row.point.loss_runs.longest)),
        number("reordered_ratio", |row| Some(row.point.reordering.ratio)),
        count("reordering_extent_max", |row| Some(row.point.reordering.extent_max)),
        count("departure_error_ns_p50", |row| row.point.departure_error.as_ref().map(|error| error.ns_p50)),
        count("departure_error_ns_p99", |row| row.point.departure_error.as_ref().map(|error| error.ns_p99)),
        count("departure_error_ns_max", |row| row.point.departure_error.as_ref().map(|error| error.ns_max)),
        signed("delay_ns_min", |row| of(row.point.delay.as_ref(), |delay| delay.ns_min)),
        signed("delay_ns_p50", |row| of(row.point.delay.as_ref(), |delay| delay.ns_p50)),
        signed("delay_ns_p99", |row| of(row.point.delay.as_ref(), |delay| delay.ns_p99)),
        signed("delay_ns_p999", |row| of(row.point.delay.as_ref(), |delay| delay.ns_p999)),
        signed("delay_ns_max", |row| of(row.point.delay.as_ref(), |delay| delay.ns_max)),
        count("delay_error_ns", |row| row.point.delay_error_ns),
        signed("pdv_ns_p50", |row| of(row.point.delay_above_min.as_ref(), |delay| delay.ns_p50)),
        signed("pdv_ns_p99", |row| of(row.point.delay_above_min.as_ref(), |delay| delay.ns_p99)),
        signed("pdv_ns_p999", |row| of(row.point.delay_above_min.as_ref(), |delay| delay.ns_p999)),
        signed("ipdv_ns_min", |row| of(row.point.delay_variation.as_ref(), |delay| delay.ns_min)),
        signed("ipdv_ns_p50", |row| of(row.point.delay_variation.as_ref(), |delay| delay.ns_p50)),
        signed("ipdv_ns_p99", |row| of(row.point.delay_variation.as_ref(), |delay| delay.ns_p99)),
        signed("ipdv_ns_max", |row| of(row.point.delay_variation.as_ref(), |delay| delay.ns_max)),
        signed("inter_arrival_ns_min", |row| of(row.point.inter_arrival.as_ref(), |gap| gap.ns_min)),
        signed("inter_arrival_ns_p50", |row| of(row.point.inter_arrival.as_ref(), |gap| gap.ns_p50)),
        signed("inter_arrival_ns_p99", |row| of(row.point.inter_arrival.as_ref(), |gap| gap.ns_p99)),
        signed("inter_arrival_ns_max", |row| of(row.point.inter_arrival.as_ref(), |gap| gap.ns_max)),
        number("sender_cpu_ns_per_message", |row| row.point.sender.cpu_ns_per_message),
        number("sender_interrupts_per_message", |row| row.point.sender.interrupts_per_message),
        number("sender_softirq_ns_per_message", |row| row.point.sender.softirq_ns_per_message),
        number("receiver_cpu_ns_per_message", |row| row.point.receiver.cpu_ns_per_message),
        number("receiver_interrupts_per_message", |row| row.point.receiver.interrupts_per_message),
        number("receiver_receive_softirqs_per_message", |row| {
            row.point.receiver.receive_softirqs_per_message
        }),
        number("receiver_softirq_ns_per_message", |row| row.point.receiver.softirq_ns_per_message),
        number("receiver_busy_cores", |row| row.point.receiver.busy_cores),
        text("incast_version", |row| Some(row.at.record.incast.version.clone())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use incast_core::record::Record;

    #[test]
    fn a_row_for_each_point_and_what_is_unknown_is_empty() {
        let delay = NanosecondDistribution { ns_min: -5, ns_p50: 7, ..NanosecondDistribution::default() };
        let point = ProbePoint { message_bytes: 64, unique: 9, delay: Some(delay), ..ProbePoint::default() };
        let probe =
            Probe { flow: "y".into(), points: vec![point, ProbePoint::default()], ..Probe::default() };
        let records = [Record { probe: Some(probe), ..Record::default() }, Record::default()];
        let csv = csv(&records.each_ref().map(|record| RecordAt { place: "r", record }));
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 3, "a record without a probe has no row");
        let at = |line: &str, name: &str| {
            let column = lines[0].split(',').position(|column| column == name).unwrap();
            line.split(',').nth(column).unwrap().to_owned()
        };
        assert_eq!((at(lines[1], "delay_ns_min"), at(lines[1], "unique")), ("-5".into(), "9".into()));
        assert_eq!((at(lines[2], "delay_ns_min"), at(lines[2], "gap_ns")), (String::new(), String::new()));
    }
}
