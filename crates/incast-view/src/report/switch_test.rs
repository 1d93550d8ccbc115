//! A switch test: what it found, the loss at every load as a plot, and all of its trials.

mod plot;

use incast_core::record::{RoundTrip, SwitchTest, SwitchTrial};

use super::sheet::{Cell, Sheet};
use super::totals::fact;
use crate::html::Html;
use crate::table::Side;
use crate::units::{UNKNOWN, count, percent, rate, seconds};

/// The section; nothing where no switch was tested.
pub(super) fn show(html: &mut Html, test: Option<&SwitchTest>, level: usize) {
    let Some(test) = test else { return };
    html.heading(level, "Switch test");
    html.tag("dl").class("facts").holds(|html| {
        found(html, test);
        round_trips(html, test);
    });
    plot::show(html, test);
    if !test.trials.is_empty() {
        let sheet = trials(test);
        if test.trials.len() > ROWS_MAX {
            sheet.fold(html, &format!("All {} trials", test.trials.len()));
        } else {
            sheet.show(html, "trials");
        }
        html.note(
            "What follows is of one trial: the one with round trips, or else the last that passed the search.",
        );
    }
}

/// The throughput, and how it was searched for.
fn found(html: &mut Html, test: &SwitchTest) {
    let throughput = match test.throughput_fraction {
        Some(fraction) => vec![
            format!("{} of the full load", percent(Some(fraction))),
            format!("{} of payload", rate(test.throughput_bits_per_s)),
        ],
        None if test.trials.is_empty() => vec![UNKNOWN.to_owned()],
        None => vec!["none: no load passed".to_owned()],
    };
    fact(html, "throughput (RFC 2544)", &throughput);
    let resolution = percent(Some(test.resolution));
    fact(html, "resolution", &[format!("{resolution} of the full load")]);
    let tolerance = percent(Some(test.loss_tolerance));
    fact(html, "loss that passes", &[format!("up to {tolerance} of the messages")]);
    let trial = seconds(Some(test.trial_s));
    fact(html, "a trial", &[format!("sends for {trial}"), "RFC 2544 asks for 60 s".to_owned()]);
}

fn round_trips(html: &mut Html, test: &SwitchTest) {
    for (trial, trip) in test.trials.iter().filter_map(|trial| Some((trial, trial.round_trip.as_ref()?))) {
        let [half, most, largest] = times(trip);
        let what = [
            format!("at {} of the full load half by at most {half}", percent(Some(trial.load_fraction))),
            format!("99 % by at most {most}"),
            format!("largest {largest}"),
            format!("{} of {} answered", count(Some(trip.answered)), count(Some(trip.sent))),
        ];
        fact(html, "round trips", &what);
    }
}

/// Half of them by at most, 99 %, and the largest.
pub(super) fn times(trip: &RoundTrip) -> [String; 3] {
    [trip.us_p50, trip.us_p99, trip.us_max].map(|us| seconds(us.map(|us| us / 1e6)))
}

fn trials(test: &SwitchTest) -> Sheet {
    let mut sheet = Sheet::new(&[
        ("", Side::Left),
        ("trial", Side::Left),
        ("load", Side::Right),
        ("offered load", Side::Right),
        ("sent", Side::Right),
        ("lost", Side::Right),
        ("loss", Side::Right),
        ("passed", Side::Left),
    ]);
    for (index, trial) in test.trials.iter().enumerate() {
        let (passed, class) = outcome(test, trial);
        sheet.push(vec![
            Cell::plain((index + 1).to_string()),
            Cell::plain(purpose(trial)),
            Cell::plain(percent(Some(trial.load_fraction))),
            Cell::plain(rate(trial.offered_load_bits_per_s)),
            Cell::plain(count(Some(trial.sent))),
            Cell::flagged(count(Some(trial.lost)), trial.lost > 0),
            Cell::flagged(percent(trial.lost_fraction), trial.lost_fraction > Some(0.0)),
            Cell::marked(passed, class),
        ]);
    }
    sheet
}

/// `loss_rate` as words.
fn purpose(trial: &SwitchTrial) -> String {
    trial.purpose.replace('_', " ")
}

/// Whether it passed, and why not when that is not its loss; with the class of the word.
fn outcome(test: &SwitchTest, trial: &SwitchTrial) -> (&'static str, &'static str) {
    match trial.lost_fraction {
        _ if trial.passed => ("yes", "good"),
        _ if is_short(test, trial) => ("no: the load was not offered", "doubtful"),
        None => ("no: nothing was sent", "doubtful"),
        Some(_) => ("no", "bad"),
    }
}

/// Whether less was sent than the load: it lost no more than passes, and still did not pass.
fn is_short(test: &SwitchTest, trial: &SwitchTrial) -> bool {
    !trial.passed && trial.lost_fraction.is_some_and(|lost| lost <= test.loss_tolerance)
}

/// Most rows of a table that is not folded; a test has about twenty.
const ROWS_MAX: usize = 40;
