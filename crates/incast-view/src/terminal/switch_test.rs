//! The trials of a switch test, and what they show.

use incast_core::record::SwitchTest;

use crate::page::{BAD, GOOD, HEADING, Label, PLAIN, Page};
use crate::table::{Cell, Side, Table};
use crate::units::{about, count, percent, rate};

/// The throughput, then every trial.
pub(super) fn show(page: &mut Page, test: Option<&SwitchTest>) {
    let Some(test) = test else { return };
    page.section("switch test (RFC 2544)");
    let found = match test.throughput_fraction {
        Some(fraction) => format!(
            "{} of the full load, {} of payload, known to {}; up to {} lost is tolerated; trials of {} s, RFC 2544 asks for 60",
            percent(Some(fraction)),
            rate(test.throughput_bits_per_s),
            percent(Some(test.resolution)),
            percent(Some(test.loss_tolerance)),
            test.trial_s
        ),
        None => "none: no load passed".to_owned(),
    };
    page.words(&Label::new("throughput"), &found);
    let mut table = Table::new(vec![
        ("  trial", Side::Left),
        ("load", Side::Right),
        ("offered", Side::Right),
        ("sent", Side::Right),
        ("lost", Side::Right),
        ("loss", Side::Right),
        ("passed", Side::Left),
        ("round trip: half", Side::Right),
        ("99 %", Side::Right),
    ]);
    for trial in &test.trials {
        let trip = trial.round_trip.as_ref();
        let us = |us: Option<f64>| us.map_or_else(String::new, |us| format!("{} us", about(Some(us))));
        let (word, style) = if trial.passed { ("yes", GOOD) } else { ("no", BAD) };
        table.push(vec![
            Cell::plain(format!("  {}", crate::text::clean(&trial.purpose).replace('_', " "))),
            Cell::plain(percent(Some(trial.load_fraction))),
            Cell::plain(rate(trial.offered_load_bits_per_s)),
            Cell::plain(count(Some(trial.sent))),
            Cell::plain(count(Some(trial.lost))),
            Cell::plain(percent(trial.lost_fraction)),
            Cell::styled(word, style),
            Cell::styled(us(trip.and_then(|trip| trip.us_p50)), PLAIN),
            Cell::styled(us(trip.and_then(|trip| trip.us_p99)), PLAIN),
        ]);
    }
    for line in table.lines(&[true; 9], HEADING) {
        page.line(&line);
    }
}
