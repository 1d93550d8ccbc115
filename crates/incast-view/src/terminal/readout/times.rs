//! How long things took, a line for each kind of time.

use incast_core::record::TimeDistribution;

use super::put;
use crate::page::Page;
use crate::said::readout as said;
use crate::table::{Cell, KEPT, Side, Table};
use crate::text::cut;
use crate::units::{count, microseconds};

/// The table; a kind that never happened is not in it.
pub(super) fn show(page: &mut Page, times: &[TimeDistribution]) {
    let mut table = Table::new(COLUMNS.map(|(header, side, _)| (header, side)).to_vec());
    let happened = times.iter().filter(|time| time.count > 0);
    for time in happened.clone().take(TIMES_MAX) {
        let quantiles = [time.us_p50, time.us_p99, time.us_p999, time.us_max];
        let name = cut(&said::time(&time.name), NAME_CELLS);
        let cells = [Cell::plain(format!("  {name}")), Cell::plain(count(Some(time.count)))];
        let quantiles = quantiles.map(|us| Cell::plain(microseconds(us)));
        table.push(cells.into_iter().chain(quantiles).collect());
    }
    if happened.count() > 0 {
        put(page, "times; p99: 99 % took at most that long", &table, &COLUMNS.map(|(.., rank)| rank));
    }
}

const COLUMNS: [(&str, Side, u8); 6] = [
    ("  what took it", Side::Left, KEPT),
    ("count", Side::Right, 0),
    ("p50", Side::Right, 2),
    ("p99", Side::Right, 4),
    ("p99.9", Side::Right, 3),
    ("largest", Side::Right, 1),
];
/// `first request of a node` fits, and at 40 columns a number beside it.
const NAME_CELLS: usize = 23;
/// There are seven kinds.
const TIMES_MAX: usize = 16;
