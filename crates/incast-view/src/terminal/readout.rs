//! What a readout did: where its events ended, what became of its credits, how long things took, who did it.
//!
//! Laws 2 and 3 are always printed, above all when nothing is left over: that is the proof that nothing
//! was forgotten. A record of a run that died early has zeros there, and its verdict says so.

mod compare;
mod files;
mod roles;
mod times;

use incast_core::record::{CreditBook, DeadTimes, EventBook, Readout};

use crate::page::{BAD, DOUBTFUL, FAINT, HEADING, Label, PLAIN, Page};
use crate::said::readout as said;
use crate::table::Table;
use crate::text::{clean, counted, cut};
use crate::units::{about, byte_rate, bytes, count, frequency, percent, seconds};

pub(super) use compare::compare;

/// The section; nothing where no events were built.
pub(super) fn show(page: &mut Page, readout: Option<&Readout>) {
    let Some(readout) = readout else { return };
    page.line("");
    let parts: Vec<String> = said::ran(readout).iter().map(|part| cut(part, PART_CELLS_MAX)).collect();
    page.items(&Label::new("readout"), &parts);
    states(page, readout);
    events(page, &readout.events);
    credits(page, readout.credits.as_ref());
    rates(page, readout);
    dead_time(page, &readout.dead_time);
    times::show(page, &readout.times);
    roles::show(page, &readout.roles);
    files::show(page, &readout.files);
}

/// When each state of run control was entered.
fn states(page: &mut Page, readout: &Readout) {
    let known = readout.states.iter().take(STATES_MAX);
    let mut items: Vec<String> = known
        .map(|entered| {
            let state = cut(&said::shown(&entered.state), PART_CELLS_MAX);
            format!("{state} at {}", seconds(Some(entered.at_s)))
        })
        .collect();
    if let Some(more) = readout.states.len().checked_sub(STATES_MAX).filter(|more| *more > 0) {
        items.push(format!("{} in the record", counted(more, "more state", "more states")));
    }
    if !items.is_empty() {
        page.items(&Label::new("").body(FAINT), &items);
    }
}

/// Law 2; below it what is lost by cause, what is missing by source, and what contradicts itself.
fn events(page: &mut Page, events: &EventBook) {
    let style = if events.residual == 0 { PLAIN } else { BAD };
    page.tokens(&Label::new("events").body(style), &said::events(events));
    let name = |name: &str| cut(&clean(name), PART_CELLS_MAX);
    let cause = |name: &str| cut(&said::words(name), PART_CELLS_MAX);
    for (what, named) in [
        ("lost:", said::counts(&events.lost_by, cause, NAMES_MAX)),
        ("incomplete for want of:", said::counts(&events.missing, name, NAMES_MAX)),
        ("ignored or put right:", said::oddities(events)),
    ] {
        if !named.is_empty() {
            list(page, &Label::new("").body(DOUBTFUL), what, &named);
        }
    }
}

/// A word for what follows, then items with commas between them.
fn list(page: &mut Page, label: &Label<'_>, what: &str, items: &[String]) {
    let comma = |(index, item): (usize, &String)| {
        if index + 1 < items.len() { format!("{item},") } else { item.clone() }
    };
    let items = items.iter().enumerate().map(comma);
    page.tokens(label, &std::iter::once(what.to_owned()).chain(items).collect::<Vec<_>>());
}

/// Law 3.
fn credits(page: &mut Page, credits: Option<&CreditBook>) {
    match credits {
        Some(credits) => {
            let style = if credits.residual == 0 { PLAIN } else { BAD };
            page.tokens(&Label::new("credits").body(style), &said::credits(credits));
        }
        None => page.words(&Label::new("credits"), "none: no policy of this run gives any"),
    }
}

fn rates(page: &mut Page, readout: &Readout) {
    let mut items = vec![
        format!("{} events/s", frequency(readout.event_rate_per_s)),
        format!("built {}", byte_rate(readout.built_bytes_per_s)),
        format!("stored {}", bytes(readout.stored_bytes)),
        format!("running for {}", seconds(readout.running_s)),
    ];
    if let Some(index) = readout.fairness_jain {
        items.push(format!("Jain's index of the nodes {} (1 is equal shares)", about(Some(index))));
    }
    page.items(&Label::new("rates"), &items);
}

fn dead_time(page: &mut Page, dead: &DeadTimes) {
    let items = [
        format!("{} of the running time", percent(dead.fraction)),
        format!("throttled {}", seconds(Some(dead.throttle_s))),
        format!("nobody free {}", seconds(Some(dead.nobody_s))),
        format!("triggers refused {}", count(dead.refused_triggers)),
        format!("and paused {}", seconds(Some(dead.pause_s))),
    ];
    page.items(&Label::new("dead time"), &items);
}

/// A table below a title, with the columns that there is room for; those that are left out are named.
pub(super) fn put(page: &mut Page, title: &str, table: &Table, ranks: &[u8]) {
    page.section(title);
    let shown = table.fit(ranks, page.width());
    table.lines(&shown, HEADING).iter().for_each(|line| page.line(line));
    let hidden = table.hidden(&shown);
    if !hidden.is_empty() {
        let what = format!("in the record, but too wide for {} columns: {}", page.width(), hidden.join(", "));
        page.words(&Label::none().body(FAINT), &what);
    }
}

/// Most cells of a word that somebody chose, where it does not stand in a table.
const PART_CELLS_MAX: usize = 48;
/// Most states: a run that was never paused has seven.
const STATES_MAX: usize = 12;
/// Most causes of loss, and most missing sources.
const NAMES_MAX: usize = 8;
