//! Where packets died, and why: a bar for each place. The drawing of the network marks the same places.

use incast_core::record::DropPlace;

use crate::html::Html;
use crate::report::sharing;
use crate::report::sheet::{Cell, Sheet};
use crate::said::simulation::words;
use crate::table::Side;
use crate::units::{bytes, count, f64_of, seconds};

/// The table, most first; a word for it when nothing died.
pub(super) fn show(html: &mut Html, drops: &[DropPlace], level: usize) {
    html.heading(level, "Where packets died");
    let Some(most) = drops.iter().map(|drop| drop.packets).max().filter(|most| *most > 0) else {
        html.note("No packet died anywhere.");
        return;
    };
    let (shown, rest) = drops.split_at(drops.len().min(ROWS_MAX));
    table(shown, most).show(html, "where packets died, and why");
    if !rest.is_empty() {
        table(rest, most).fold(html, &format!("{} more places", rest.len()));
    }
}

fn table(drops: &[DropPlace], most: u64) -> Sheet {
    let mut sheet = Sheet::new(&[
        ("place", Side::Left),
        ("stage", Side::Left),
        ("cause", Side::Left),
        ("packets", Side::Right),
        ("", Side::Left),
        ("bytes", Side::Right),
        ("the first at", Side::Right),
        ("the last at", Side::Right),
    ]);
    for drop in drops {
        let part = f64_of(drop.packets) / f64_of(most);
        sheet.push(vec![
            Cell::plain(&drop.place),
            Cell::plain(words(&drop.stage)),
            Cell::plain(words(&drop.cause)),
            Cell::flagged(count(Some(drop.packets)), drop.packets > 0),
            Cell::drawn("bar-cell", |html| sharing::bar(html, part, None, "fill c1")),
            Cell::plain(bytes(Some(drop.bytes))),
            Cell::plain(seconds(Some(drop.first_s))),
            Cell::plain(seconds(Some(drop.last_s))),
        ]);
    }
    sheet
}

/// Places with a row outside the fold: a screen.
const ROWS_MAX: usize = 24;
