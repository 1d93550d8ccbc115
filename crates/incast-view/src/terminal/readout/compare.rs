//! Readouts side by side, a line each: which policy, how fast, how late, and what was lost.

use incast_core::record::{Readout, Record};

use super::put;
use crate::page::{BAD, DOUBTFUL, PLAIN, Page, shown_name};
use crate::said::{self, readout::latency};
use crate::table::{Cell, KEPT, Side, Table};
use crate::units::{about, count, frequency, microseconds, percent};

/// The table of those records that have a readout; nothing when none has.
pub(in crate::terminal) fn compare(page: &mut Page, records: &[&Record]) {
    let built: Vec<(&Record, &Readout)> =
        records.iter().filter_map(|record| Some((*record, record.readout.as_ref()?))).collect();
    if built.is_empty() {
        return;
    }
    let mut table = Table::new(COLUMNS.map(|(header, side, _)| (header, side)).to_vec());
    for (record, readout) in built {
        table.push(row(page, record, readout));
    }
    put(
        page,
        "readouts side by side; times are from trigger to end",
        &table,
        &COLUMNS.map(|(.., rank)| rank),
    );
}

fn row(page: &Page, record: &Record, readout: &Readout) -> Vec<Cell> {
    let time = latency(readout);
    let policy = |name: &str| Cell::plain(shown_name(name, POLICY_CELLS));
    let flagged = |events: u64| Cell::styled(count(Some(events)), if events > 0 { DOUBTFUL } else { PLAIN });
    let closes =
        readout.events.residual == 0 && readout.credits.as_ref().is_none_or(|credits| credits.residual == 0);
    let name = record.scenario.variant.as_deref().unwrap_or("base");
    vec![
        Cell::plain(page.name(name)),
        Cell::styled(said::verdict(record).0, if closes { PLAIN } else { BAD }),
        policy(&readout.builder_policy),
        policy(&readout.node_policy),
        Cell::plain(frequency(readout.event_rate_per_s)),
        Cell::plain(percent(readout.dead_time.fraction)),
        Cell::plain(microseconds(time.and_then(|time| time.us_p50))),
        Cell::plain(microseconds(time.and_then(|time| time.us_p99))),
        Cell::plain(microseconds(time.and_then(|time| time.us_p999))),
        flagged(readout.events.lost),
        Cell::plain(about(readout.fairness_jain)),
    ]
}

const COLUMNS: [(&str, Side, u8); 11] = [
    ("run", Side::Left, KEPT),
    ("verdict", Side::Left, 1),
    ("builders by", Side::Left, 0),
    ("nodes by", Side::Left, 7),
    ("events/s", Side::Right, 9),
    ("dead time", Side::Right, 5),
    ("p50", Side::Right, 3),
    ("p99", Side::Right, 8),
    ("p99.9", Side::Right, 4),
    ("lost", Side::Right, 6),
    ("Jain", Side::Right, 2),
];
/// The longest policy is `least-loaded`.
const POLICY_CELLS: usize = 14;
