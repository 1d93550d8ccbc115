//! The intervals as CSV (RFC 4180), with a header and lines that end in a line feed.
//!
//! Numbers are written so that reading them gives the same number again.

use super::{Column, Value};

/// The rows below a header.
pub(super) fn write<R>(columns: &[Column<R>], rows: &[R]) -> String {
    let header: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let mut csv = header.join(",") + "\n";
    for row in rows {
        let fields: Vec<String> = columns.iter().map(|column| field(&column.value, row)).collect();
        csv += &fields.join(",");
        csv.push('\n');
    }
    csv
}

fn field<R>(value: &Value<R>, row: &R) -> String {
    let field = match value {
        Value::Text(text) => text(row).map(|text| quoted(&text)),
        Value::Count(count) => count(row).map(|count| count.to_string()),
        Value::Difference(difference) => difference(row).map(|difference| difference.to_string()),
        Value::Number(number) => {
            number(row).filter(|number| number.is_finite()).map(|number| number.to_string())
        }
        Value::Flag(flag) => Some(flag(row).to_string()),
    };
    field.unwrap_or_default()
}

/// A text in quotes where it needs them.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use crate::RecordAt;
    use crate::intervals::{csv, readout};
    use incast_core::record::{Flow, Interval, Readout, ReadoutInterval, Record};

    #[test]
    fn a_row_for_each_interval_with_times_of_run_and_flow() {
        let interval = |start_s: f64| Interval {
            start_s,
            end_s: start_s + 0.5,
            sent: Some(3),
            lost: Some(-1),
            goodput_bits_per_s: Some(0.1 + 0.2),
            ..Interval::default()
        };
        let mut record = Record::default();
        let flow = |name: &str, start_s| Flow {
            name: name.into(),
            start_s,
            intervals: vec![interval(0.0), interval(0.5)],
            ..Flow::default()
        };
        record.flows = vec![flow("a,\"b\"", Some(0.25)), flow("c", None)];
        let csv = csv(&[RecordAt { place: "r", record: &record }]);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines[0].starts_with(
            "record,scenario,variant,verdict,flow,from,to,transport,message_bytes,run_start_s,"
        ));
        assert_eq!(
            lines[2],
            "r,,,interrupted,\"a,\"\"b\"\"\",,,,0,0.75,1.25,0.5,1,3,,,,,,,-1,0.30000000000000004,"
        );
        assert!(lines[3].contains(",c,,,,0,,,0,0.5,3,"), "{}", lines[3]);
    }

    #[test]
    fn a_row_for_each_slice_of_a_readout() {
        let slice = |start_s: f64| ReadoutInterval {
            start_s,
            end_s: start_s + 0.25,
            triggered: 500,
            built_bytes_per_s: f64::NAN,
            dead: start_s > 0.0,
            ..ReadoutInterval::default()
        };
        let readout = Readout {
            run: 17,
            node_policy: "tokens".into(),
            intervals: vec![slice(0.0), slice(0.25)],
            ..Readout::default()
        };
        // A record without a readout has no row.
        let records = [Record { readout: Some(readout), ..Record::default() }, Record::default()];
        let csv = readout::csv(&records.each_ref().map(|record| RecordAt { place: "r", record }));
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[0],
            "record,scenario,variant,verdict,run,protocol,carrier,packing_events,builder_policy,node_policy,\
             start_s,end_s,triggered,built,decided,stored,built_bytes_per_s,in_flight,held,held_bytes,credits,\
             dead,incast_version"
        );
        assert_eq!(lines[2], "r,,,interrupted,17,,,0,,tokens,0.25,0.5,500,0,0,0,,0,0,0,0,true,");
    }

    #[test]
    fn no_interval_is_only_a_header() {
        assert_eq!(csv(&[]).lines().count(), 1);
        assert_eq!(readout::csv(&[]).lines().count(), 1);
    }
}
