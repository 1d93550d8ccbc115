//! A readout: where its events went, what became of its credits, how long things took, and who did it.
//!
//! What it did over time is drawn with everything else that is known over time.

mod compare;
mod events;
mod nodes;
mod over_time;
mod tables;

use incast_core::record::{DeadTimes, Readout};

use super::totals::{fact, large, pieces};
use crate::html::Html;
use crate::said::readout as said;
use crate::text::counted;
use crate::units::{about, byte_rate, bytes, count, frequency, microseconds, percent, seconds};

pub(super) use compare::compare;
pub(super) use over_time::panels;

/// The numbers that are looked at first, large.
pub(super) fn tiles(html: &mut Html, readout: Option<&Readout>) {
    let Some(readout) = readout else { return };
    let p99 = said::latency(readout).and_then(|time| time.us_p99);
    let numbers = [
        ("events per second", frequency(readout.event_rate_per_s)),
        ("built", byte_rate(readout.built_bytes_per_s)),
        ("trigger to end, p99", microseconds(p99)),
        ("dead time", percent(readout.dead_time.fraction)),
        ("events lost", count(Some(readout.events.lost))),
        ("Jain's index of the nodes", about(readout.fairness_jain)),
    ];
    large(html, numbers.into_iter());
}

/// The section; nothing where no events were built.
pub(super) fn show(html: &mut Html, readout: Option<&Readout>, level: usize) {
    let Some(readout) = readout else { return };
    html.heading(level, "The readout");
    html.tag("dl").class("facts").holds(|html| facts(html, readout));
    html.heading(level, "Where the events went");
    events::show(html, &readout.events);
    tables::times(html, &readout.times, level);
    nodes::show(html, readout, level);
    tables::roles(html, &readout.roles, level);
    tables::files(html, &readout.files, level);
}

/// What ran, the laws, the rates and the dead time.
fn facts(html: &mut Html, readout: &Readout) {
    fact(html, "what ran", &said::ran(readout));
    pieces(html, "events (law 2)", &said::events(&readout.events), "");
    match &readout.credits {
        Some(credits) => pieces(html, "credits (law 3)", &said::credits(credits), ""),
        None => fact(html, "credits (law 3)", &["none: no policy of this run gives any".to_owned()]),
    }
    let rates = [
        format!("{} events/s", frequency(readout.event_rate_per_s)),
        format!("built {}", byte_rate(readout.built_bytes_per_s)),
        format!("stored {}", bytes(readout.stored_bytes)),
        format!("running for {}", seconds(readout.running_s)),
    ];
    fact(html, "rates", &rates);
    fact(html, "dead time", &dead_time(&readout.dead_time));
    states(html, readout);
}

fn dead_time(dead: &DeadTimes) -> [String; 5] {
    [
        format!("{} of the running time", percent(dead.fraction)),
        format!("throttled {}", seconds(Some(dead.throttle_s))),
        format!("nobody free {}", seconds(Some(dead.nobody_s))),
        format!("triggers refused {}", count(dead.refused_triggers)),
        format!("and paused {}", seconds(Some(dead.pause_s))),
    ]
}

/// When each state of run control was entered.
fn states(html: &mut Html, readout: &Readout) {
    let known = readout.states.iter().take(STATES_MAX);
    let mut states: Vec<String> = known
        .map(|entered| format!("{} at {}", said::shown(&entered.state), seconds(Some(entered.at_s))))
        .collect();
    if let Some(more) = readout.states.len().checked_sub(STATES_MAX).filter(|more| *more > 0) {
        states.push(format!("{} in the record", counted(more, "more state", "more states")));
    }
    if !states.is_empty() {
        fact(html, "states", &states);
    }
}

/// Most states: a run that was never paused has six.
const STATES_MAX: usize = 24;
