//! The rungs of a ladder: what each delivered and cost, and what it changed.
//!
//! Two tables, of rates and of costs, since one line of 80 columns does not hold both.

use anstyle::Style;
use incast_core::record::{Ladder, LadderFigure, LadderRung};

use crate::page::{BAD, FAINT, GOOD, Label, PLAIN, Page};
use crate::said::ladder as said;
use crate::table::{Cell, KEPT, Side, Table};
use crate::text::{clean, cut};
use crate::units::{percent, rate};

/// The tables, then what could not be measured or was not as asked.
pub(super) fn show(page: &mut Page, ladder: Option<&Ladder>) {
    let Some(ladder) = ladder else { return };
    let rungs = || ladder.rungs.iter().take(RUNGS_MAX);
    page.section("ladder");
    page.table(&rates(rungs()), &[KEPT, 1, KEPT, KEPT, KEPT]);
    page.section("what the rungs cost");
    page.table(&costs(rungs()), &[KEPT, 6, 4, 7, 3, 5, 1, 2]);
    for rung in rungs() {
        let name = clean(&rung.name);
        if let Some(why) = said::lacking(rung) {
            page.words(&Label::new("not had"), &format!("{name}: {why}"));
        }
        if let Some(refused) = said::refused(rung) {
            page.words(&Label::new("not so"), &format!("{name}: {refused}"));
        }
    }
    if let Some(more) = ladder.rungs.len().checked_sub(RUNGS_MAX).filter(|more| *more > 0) {
        page.words(&Label::new("not here"), &format!("{more} more rungs, which are in the record"));
    }
    page.words(&Label::new("method").body(FAINT), &said::method(ladder));
    if let Some(rest) = said::rest(ladder) {
        page.words(&Label::none().body(FAINT), &rest);
    }
}

fn rates<'r>(rungs: impl Iterator<Item = &'r LadderRung>) -> Table {
    let mut table = Table::new(vec![
        ("  rung", Side::Left),
        ("against", Side::Left),
        ("goodput", Side::Right),
        ("gain", Side::Right),
        ("loss", Side::Right),
    ]);
    for rung in rungs.filter(|rung| rung.lacking.is_none()) {
        let against = rung.against.as_deref().map_or_else(String::new, |name| cut(&clean(name), NAME_CELLS));
        table.push(vec![
            name(rung),
            Cell::plain(against),
            Cell::plain(rate(rung.goodput_bits_per_s.median)),
            changed(&rung.goodput_bits_per_s, 1.0),
            Cell::plain(percent(rung.lost_fraction.median)),
        ]);
    }
    table
}

fn costs<'r>(rungs: impl Iterator<Item = &'r LadderRung>) -> Table {
    let mut table = Table::new(vec![
        ("  rung", Side::Left),
        ("CPU ns/B", Side::Right),
        ("change", Side::Right),
        ("CPU ns/msg", Side::Right),
        ("change", Side::Right),
        ("irq/msg", Side::Right),
        ("change", Side::Right),
        ("softirq/msg", Side::Right),
    ]);
    for rung in rungs.filter(|rung| rung.lacking.is_none()) {
        table.push(vec![
            name(rung),
            Cell::plain(said::figure(&rung.cpu_ns_per_byte)),
            changed(&rung.cpu_ns_per_byte, -1.0),
            Cell::plain(said::figure(&rung.cpu_ns_per_message)),
            changed(&rung.cpu_ns_per_message, -1.0),
            Cell::plain(said::figure(&rung.interrupts_per_message)),
            changed(&rung.interrupts_per_message, -1.0),
            Cell::plain(said::figure(&rung.softirqs_per_message)),
        ]);
    }
    table
}

/// A rung that is not what it says has a mark, which a line below explains.
fn name(rung: &LadderRung) -> Cell {
    let mark = if rung.refused.is_empty() { "" } else { " !" };
    Cell::plain(format!("  {}{mark}", cut(&clean(&rung.name), NAME_CELLS)))
}

/// A change in colour when it is one; `good` is 1 where more is better, -1 where less is.
fn changed(figure: &LadderFigure, good: f64) -> Cell {
    let style: Style = match (figure.is_apart, figure.change) {
        (Some(true), Some(change)) if change * good > 0.0 => GOOD,
        (Some(true), Some(_)) => BAD,
        _ => PLAIN,
    };
    Cell::styled(said::change(figure), style)
}

/// Longest name that keeps the tables narrow.
const NAME_CELLS: usize = 26;
/// Most rungs of a page: a scenario has at most 64 variants.
const RUNGS_MAX: usize = 65;
