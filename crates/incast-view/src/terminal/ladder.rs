//! The rungs of a ladder: what each delivered and cost, and what it changed.

use incast_core::record::Ladder;

use crate::page::{BAD, FAINT, GOOD, HEADING, Label, PLAIN, Page};
use crate::said::ladder as said;
use crate::table::{Cell, KEPT, Side, Table};
use crate::text::{clean, cut};
use crate::units::{UNKNOWN, percent, rate};

/// The table, then what could not be measured.
pub(super) fn show(page: &mut Page, ladder: Option<&Ladder>) {
    let Some(ladder) = ladder else { return };
    page.section("ladder");
    let mut table = Table::new(vec![
        ("  rung", Side::Left),
        ("against", Side::Left),
        ("goodput", Side::Right),
        ("gain", Side::Right),
        ("loss", Side::Right),
        ("CPU ns/B", Side::Right),
        ("change", Side::Right),
        ("CPU ns/msg", Side::Right),
        ("irq/msg", Side::Right),
        ("softirq/msg", Side::Right),
    ]);
    for rung in ladder.rungs.iter().filter(|rung| rung.lacking.is_none()).take(RUNGS_MAX) {
        let gain = &rung.goodput_bits_per_s;
        let style = match (gain.is_apart, gain.change) {
            (Some(true), Some(change)) if change > 0.0 => GOOD,
            (Some(true), Some(_)) => BAD,
            _ => PLAIN,
        };
        table.push(vec![
            Cell::plain(format!("  {}", cut(&clean(&rung.name), NAME_CELLS))),
            Cell::plain(
                rung.against.as_deref().map_or_else(String::new, |name| cut(&clean(name), NAME_CELLS)),
            ),
            Cell::plain(rate(gain.median)),
            Cell::styled(said::change(gain), style),
            Cell::plain(percent(rung.lost_fraction.median)),
            Cell::plain(said::figure(&rung.cpu_ns_per_byte)),
            Cell::plain(said::change(&rung.cpu_ns_per_byte)),
            Cell::plain(said::figure(&rung.cpu_ns_per_message)),
            Cell::plain(said::figure(&rung.interrupts_per_message)),
            Cell::plain(said::figure(&rung.softirqs_per_message)),
        ]);
    }
    let shown = table.fit(&[KEPT, 6, KEPT, KEPT, 7, 5, 1, 4, 3, 2], page.width());
    for line in table.lines(&shown, HEADING) {
        page.line(&line);
    }
    let hidden = table.hidden(&shown);
    if !hidden.is_empty() {
        page.words(&Label::new("not here"), &format!("too wide for this page: {}", hidden.join(", ")));
    }
    for rung in ladder.rungs.iter().filter(|rung| rung.lacking.is_some()).take(RUNGS_MAX) {
        let why = said::lacking(rung).unwrap_or_else(|| UNKNOWN.to_owned());
        page.words(&Label::new("not had"), &format!("{}: this machine has none: {why}", clean(&rung.name)));
    }
    if let Some(more) = ladder.rungs.len().checked_sub(RUNGS_MAX).filter(|more| *more > 0) {
        page.words(&Label::new("not here"), &format!("{more} more rungs, which are in the record"));
    }
    page.words(&Label::new("method").body(FAINT), &said::method(ladder));
    if let Some(rest) = said::rest(ladder) {
        page.words(&Label::none().body(FAINT), &rest);
    }
}

/// Longest name that keeps the table narrow.
const NAME_CELLS: usize = 26;
/// Most rungs of a page: a scenario has at most 64 variants.
const RUNGS_MAX: usize = 65;
