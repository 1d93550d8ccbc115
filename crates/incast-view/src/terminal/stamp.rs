//! A watched path: the account of its tests, delays, clocks; and a line for each window while it is watched.

use incast_core::record::{StampReport, StampSpread, StampWindow};

use crate::page::{BAD, HEADING, Label, Page};
use crate::said;
use crate::table::{Cell, Side, Table};
use crate::units::{count, percent};

/// The whole path.
pub(super) fn show(page: &mut Page, stamp: Option<&StampReport>) {
    let Some(stamp) = stamp else { return };
    page.section(&format!("path to {}", crate::text::clean(&stamp.reflector)));
    page.items(&Label::new("tests"), &said::stamp::tests(stamp));
    page.words(&Label::new("account"), &said::stamp::account(stamp));
    page.items(&Label::new("lost"), &said::stamp::ways(stamp));
    page.items(&Label::new("clock"), &said::stamp::clock(&stamp.clock));
    for fault in &stamp.faults {
        let label = Label::new("left out").style(BAD);
        page.words(&label, &said::stamp::left_out(fault));
    }
    delays(page, stamp);
}

fn delays(page: &mut Page, stamp: &StampReport) {
    let numbers = said::stamp::SPREAD.map(|name| (name, Side::Right));
    let mut table = Table::new([&[("  time", Side::Left)][..], &numbers].concat());
    for (name, numbers) in said::stamp::spreads(stamp) {
        table.push(std::iter::once(format!("  {name}")).chain(numbers).map(Cell::plain).collect());
    }
    page.line("");
    for line in table.lines(&[true; 9], HEADING) {
        page.line(&line);
    }
}

/// What stands above the lines of windows.
#[must_use]
pub fn stamp_heading() -> String {
    line(["ended at", "sent", "lost", "loss", "round trip 50 %", "99 %", "there 50 %", "back 50 %", "state"])
}

/// A window that has just been closed.
#[must_use]
pub fn stamp_line(at: &str, window: &StampWindow, state: &str) -> String {
    let time = |spread: &Option<StampSpread>, of: fn(&StampSpread) -> i64| {
        said::stamp::time(spread.as_ref().map(of))
    };
    let missed = if window.missed.is_empty() {
        state.to_owned()
    } else {
        format!("{state}: {}", window.missed.join(", "))
    };
    line([
        at,
        &count(Some(window.sent)),
        &count(Some(window.lost)),
        &percent(window.lost_fraction),
        &time(&window.round_trip, |spread| spread.ns_p50),
        &time(&window.round_trip, |spread| spread.ns_p99),
        &time(&window.forward, |spread| spread.ns_p50),
        &time(&window.backward, |spread| spread.ns_p50),
        &missed,
    ])
}

/// Columns of a table whose end nobody knows.
fn line(cells: [&str; 9]) -> String {
    let [at, sent, lost, loss, half, most, there, back, state] = cells;
    format!("{at:<20} {sent:>7} {lost:>6} {loss:>8} {half:>15} {most:>9} {there:>10} {back:>10}  {state}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_stands_under_its_heading_and_what_is_unknown_is_a_dash() {
        let spread = StampSpread { ns_p50: 80_000_000, ns_p99: 81_000_000, ..StampSpread::default() };
        let window = StampWindow {
            sent: 1_000,
            lost: 3,
            lost_fraction: Some(0.003),
            round_trip: Some(spread),
            missed: vec!["loss".into()],
            ..StampWindow::default()
        };
        let shown = stamp_line("2026-11-21T12:00:00Z", &window, "worse");
        assert_eq!(
            shown,
            "2026-11-21T12:00:00Z   1 000      3  0.300 %        80.00 ms  81.00 ms          -          -  worse: loss"
        );
        let heading = stamp_heading();
        for (name, end) in [("sent", 28), ("99 %", 70)] {
            assert_eq!(heading.find(name).map(|at| at + name.len()), Some(end), "{heading}");
        }
    }
}
