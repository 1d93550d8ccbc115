//! The report at the end of a run, for a terminal.
//!
//! The verdict comes first, then what happened to the messages, then what it cost, then how far to
//! trust it. Every number is one of the record: nothing is summed, divided or judged here. What a
//! page has no room for is named, so that nobody takes an extract for the whole.

mod account;
mod cores;
mod details;
mod flows;
mod judgement;

use incast_core::record::{Build, Host, Record, Verdict};

use crate::page::{BAD, DOUBTFUL, FAINT, GOOD, Label, Page};
use crate::text::counted;
use crate::units::{UNKNOWN, bytes};

/// The report on `record` in lines of at most `width` cells (40 at least), with colours.
///
/// It shows any record, however little is known in it and whatever a peer called itself.
#[must_use]
pub fn show(record: &Record, width: usize) -> String {
    let mut page = Page::new(width);
    verdict(&mut page, record);
    flows::show(&mut page, &record.flows);
    account::show(&mut page, &record.totals);
    details::show(&mut page, &record.flows);
    cores::show(&mut page, &record.host, &record.agents);
    judgement::expectations(&mut page, &record.expectations);
    judgement::doubts(&mut page, &record.caveats);
    judgement::faults(&mut page, &record.faults);
    provenance(&mut page, record);
    page.into_text()
}

/// How it ended, in one line.
fn verdict(page: &mut Page, record: &Record) {
    let expectations = &record.expectations;
    let in_state = |met| expectations.iter().filter(|expectation| expectation.met == met).count();
    let (missed, unknown) = (in_state(Some(false)), in_state(None));
    let (word, style, said) = match record.verdict {
        Verdict::Good if expectations.is_empty() => {
            ("good", GOOD, "it ran to its end; nothing was expected".into())
        }
        Verdict::Good if unknown > 0 => {
            ("good", GOOD, format!("no expectation was missed, {unknown} could not be measured"))
        }
        Verdict::Good => ("good", GOOD, "every expectation was met".to_owned()),
        Verdict::Missed if missed == 0 => ("missed", BAD, "an expectation was missed".to_owned()),
        Verdict::Missed => (
            "missed",
            BAD,
            format!("{missed} of {}", counted(expectations.len(), "expectation", "expectations")),
        ),
        Verdict::Tainted => {
            ("tainted", DOUBTFUL, "it ran to its end, but a doubt below voids its numbers".to_owned())
        }
        Verdict::Incomplete => ("incomplete", BAD, "a process died or a peer vanished on the way".to_owned()),
        Verdict::Interrupted => ("interrupted", DOUBTFUL, "it was ended early".to_owned()),
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
        build(&record.incast),
        record.world.clone(),
        format!("seed {}", scenario.seed),
        record.started_at.as_ref().map(|at| format!("began {at}")).unwrap_or_default(),
    ];
    page.words(&label(""), &listed(parts));
    page.words(&label("host"), &host(&record.host));
    for agent in record.agents.iter().take(HOSTS_MAX) {
        page.words(&label("agent"), &host(agent));
    }
    if let Some(more) = record.agents.len().checked_sub(HOSTS_MAX).filter(|more| *more > 0) {
        page.words(&label(""), &format!("and {} in the record", counted(more, "more agent", "more agents")));
    }
}

fn build(build: &Build) -> String {
    let version = if build.version.is_empty() { UNKNOWN } else { &build.version };
    let commit = build.commit.as_ref().map(|commit| format!(" ({commit})")).unwrap_or_default();
    format!("incast {version}{commit}")
}

fn host(host: &Host) -> String {
    let cores = host.cores_usable.map(|cores| format!("{cores} usable cores"));
    let memory = host.memory_bytes.map(|memory| format!("{} of memory", bytes(Some(memory))));
    let known = [Some(host.name.clone()), host.kernel.clone(), host.processor.clone(), cores, memory];
    let text = listed(known.into_iter().flatten());
    if text.is_empty() { UNKNOWN.to_owned() } else { text }
}

/// The parts that say something, with commas.
fn listed(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Most agents, and most hosts with cores, of a report; the record has all.
const HOSTS_MAX: usize = 8;
