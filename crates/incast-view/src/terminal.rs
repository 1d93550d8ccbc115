//! The report at the end of a run, for a terminal.
//!
//! The verdict comes first, then what happened to the events and to the messages, then what it cost, then how far to
//! trust it. Every number is one of the record: nothing is summed, divided or judged here. What a
//! page has no room for is named, so that nobody takes an extract for the whole.

mod account;
mod campaign;
mod cores;
mod details;
mod exchanges;
mod flows;
mod host_check;
mod judgement;
mod ladder;
mod ledger;
mod network;
mod probe;
mod readout;
mod simulation;
mod stamp;
mod switch_test;

pub use stamp::{stamp_heading, stamp_line};

use incast_core::agreement::Agreement;
use incast_core::record::{Campaign, Record, Verdict};

pub use host_check::show as host_check;

use crate::page::{BAD, DOUBTFUL, FAINT, GOOD, Label, Page};
use crate::said;
use crate::text::{clean, counted};
use crate::units::UNKNOWN;

/// The report on `record` in lines of at most `width` cells (40 at least), with colours.
///
/// It shows any record, however little is known in it and whatever a peer called itself.
#[must_use]
pub fn show(record: &Record, width: usize) -> String {
    let mut page = Page::new(width);
    verdict(&mut page, record);
    ladder::show(&mut page, record.ladder.as_ref());
    readout::show(&mut page, record.readout.as_ref());
    probe::show(&mut page, record.probe.as_ref());
    // A readout, a path or askers without flows measured no messages: there is nothing to sum and nothing to
    // share, and what became of events and requests is a part of its own.
    let others = record.readout.is_some() || record.stamp.is_some() || !record.exchanges.is_empty();
    if !others || !record.flows.is_empty() {
        flows::show(&mut page, &record.flows);
        account::show(&mut page, record);
        details::show(&mut page, &record.flows);
    }
    exchanges::show(&mut page, &record.exchanges);
    stamp::show(&mut page, record.stamp.as_ref());
    network::network(&mut page, record.network.as_ref());
    simulation::show(&mut page, record.simulation.as_ref());
    ledger::ledger(&mut page, record);
    switch_test::show(&mut page, record.switch_test.as_ref());
    network::answers(&mut page, &record.answers);
    cores::show(&mut page, &record.host, &record.agents);
    judgement::expectations(&mut page, &record.expectations);
    judgement::doubts(&mut page, &record.caveats);
    judgement::faults(&mut page, &record.faults);
    provenance(&mut page, record);
    page.into_text()
}

/// What many runs of one scenario came to, in lines of at most `width` cells (40 at least), with colours.
#[must_use]
pub fn campaign(campaign: &Campaign, width: usize) -> String {
    campaign::show(campaign, width)
}

/// Several runs of one scenario side by side, a line each: what was sent, and what was built.
#[must_use]
pub fn compare(records: &[&Record]) -> String {
    let mut page = Page::new(COMPARE_CELLS);
    let (built, sent): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.readout.is_some() && record.flows.is_empty());
    if built.is_empty() || !sent.is_empty() {
        network::compare(&mut page, &sent);
    }
    readout::compare(&mut page, records);
    page.into_text()
}

/// How far measured records agree with simulated ones of the same scenario and variant, a line for each pair.
#[must_use]
pub fn agreements(records: &[&Record]) -> Vec<String> {
    let found = incast_core::agreement::agreements(records);
    let line = |agreement: &Agreement| {
        let scenario = &records[agreement.measured].scenario;
        let variant = scenario.variant.as_deref().map(|variant| format!(", {}", clean(variant)));
        let name = format!("{}{}", clean(&scenario.name), variant.unwrap_or_default());
        Some(format!("{name}: {}", said::agreement::largest(agreement.largest.as_ref()?)))
    };
    found.iter().filter_map(line).take(PAIRS_MAX).collect()
}

/// How it ended, in one line.
fn verdict(page: &mut Page, record: &Record) {
    let (word, said) = said::verdict(record);
    let style = match record.verdict {
        Verdict::Good => GOOD,
        Verdict::Missed | Verdict::Incomplete => BAD,
        Verdict::Tainted | Verdict::Interrupted => DOUBTFUL,
    };
    let doubts = match record.caveats.len() {
        0 => String::new(),
        count => format!(" ({} below)", counted(count, "doubt", "doubts")),
    };
    page.heading(&format!("{word}: {said}{doubts}"), style);
}

/// What run it was and where, so that it can be done again.
fn provenance(page: &mut Page, record: &Record) {
    page.line("");
    let scenario = &record.scenario;
    let title = scenario.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
    let label = |text| Label::new(text).style(FAINT).body(FAINT);
    let run = format!("{}{title}", scenario.name);
    page.words(&label("run"), if run.is_empty() { UNKNOWN } else { &run });
    let parts = [
        said::build(&record.incast),
        record.world.clone(),
        format!("seed {}", scenario.seed),
        record.started_at.as_ref().map(|at| format!("began {at}")).unwrap_or_default(),
    ];
    page.words(&label(""), &said::listed(parts));
    if said::has_host(record) {
        page.words(&label("host"), &said::host(&record.host));
    }
    for agent in record.agents.iter().take(HOSTS_MAX) {
        page.words(&label("agent"), &said::host(agent));
    }
    if let Some(more) = record.agents.len().checked_sub(HOSTS_MAX).filter(|more| *more > 0) {
        page.words(&label(""), &format!("and {} in the record", counted(more, "more agent", "more agents")));
    }
}

/// Most pairs of records with a line: the page has a table for each of as many.
const PAIRS_MAX: usize = 24;
/// Width of a comparison: it has fixed columns.
const COMPARE_CELLS: usize = 120;
/// Most agents, and most hosts with cores, of a report; the record has all.
const HOSTS_MAX: usize = 8;
