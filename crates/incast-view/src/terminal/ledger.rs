//! The second book of the losses on a terminal: stage by stage, as a bar, both accounts, and what was read.

use incast_core::record::{Ledger, LedgerSource, LossStage, Record};

use crate::page::{BAD, DOUBTFUL, GOOD, Label, PLAIN, Page};
use crate::table::{Cell, Side, Table};
use crate::text::clean;
use crate::units::{count, difference};

/// Where messages died, as the kernel's counters have it, or the simulator's.
pub(super) fn ledger(page: &mut Page, record: &Record) {
    let Some(ledger) = &record.ledger else { return };
    let who =
        if record.simulation.is_some() { "as the simulator saw it" } else { "by the kernel's counters" };
    page.section(&format!("where packets died, {who}"));
    stages(page, ledger);
    bar(page, ledger);
    books(page, ledger);
    sources(page, ledger);
}

/// A line for each stage that was read, where anything died at one of them.
fn stages(page: &mut Page, ledger: &Ledger) {
    let is_deadly = |stage: &LossStage| stage.packets > 0 || stage.messages > 0;
    if !ledger.stages.iter().any(is_deadly) {
        return page.words(&Label::below("", 0), "nothing died at any stage that was read");
    }
    // Of a stage with several counters those that rest say nothing; of one where all rest one is enough.
    let is_news = |(index, stage): &(usize, &LossStage)| {
        let is_same = |other: &&LossStage| other.stage == stage.stage;
        let is_first = !ledger.stages[..*index].iter().any(|other| is_same(&other));
        is_deadly(stage) || (is_first && !ledger.stages.iter().filter(is_same).any(is_deadly))
    };
    let shown = || ledger.stages.iter().enumerate().filter(is_news).map(|(_, stage)| stage);
    let mut table = Table::new(vec![
        ("  stage", Side::Left),
        ("packets", Side::Right),
        ("messages", Side::Right),
        ("place", Side::Left),
    ]);
    for stage in shown().take(STAGES_MAX) {
        let style = if is_deadly(stage) { DOUBTFUL } else { PLAIN };
        let place = crate::text::cut(&clean(&stage.place), page.width().saturating_sub(48).max(16));
        table.push(vec![
            Cell::styled(format!("  {}", clean(&stage.stage).replace('_', " ")), style),
            Cell::styled(count(Some(stage.packets)), style),
            Cell::styled(count(Some(stage.messages)), style),
            Cell::plain(place),
        ]);
    }
    table.lines(&[true; 4], crate::page::HEADING).iter().for_each(|line| page.line(line));
    if shown().count() > STAGES_MAX {
        page.line("  ... all of them are in the record");
    }
}

/// The lost messages as a bar: a letter for each stage that has some, as long as its share.
fn bar(page: &mut Page, ledger: &Ledger) {
    let mut parts: Vec<(String, u64)> = Vec::new();
    for entry in ledger.stages.iter().filter(|entry| entry.messages > 0) {
        let name = clean(&entry.stage).replace('_', " ");
        match parts.iter_mut().find(|(other, _)| *other == name) {
            Some((_, messages)) => *messages = messages.saturating_add(entry.messages),
            None => parts.push((name, entry.messages)),
        }
    }
    if let Some(left) = ledger.unexplained.and_then(|left| u64::try_from(left).ok()).filter(|left| *left > 0)
    {
        parts.push(("unexplained".to_owned(), left));
    }
    // One stage alone needs no bar.
    if parts.len() < 2 {
        return;
    }
    let all = parts.iter().fold(0, |sum: u64, (_, messages)| sum.saturating_add(*messages));
    let letters = ('a'..='z').cycle();
    let (mut drawn, mut legend) = (String::new(), Vec::new());
    for (letter, (name, messages)) in letters.zip(&parts) {
        let cells = u128::from(*messages) * u128::from(BAR_CELLS) / u128::from(all.max(1));
        // A stage that has any is seen.
        drawn.extend(std::iter::repeat_n(letter, usize::try_from(cells).unwrap_or(0).max(1)));
        legend.push(format!("{letter} {name} {}", count(Some(*messages))));
    }
    page.words(&Label::new("lost").body(DOUBTFUL), &format!("[{drawn}]"));
    page.words(&Label::below("", 0), &legend.join(", "));
}

/// Which counters were read, and what is uncertain where they were not.
fn sources(page: &mut Page, ledger: &Ledger) {
    if ledger.sources.is_empty() {
        return;
    }
    let called = |source: &LedgerSource| {
        let host =
            if source.host.is_empty() { String::new() } else { format!(" of {}", clean(&source.host)) };
        format!("{}{host}", clean(&source.name))
    };
    let all = |read: bool| ledger.sources.iter().filter(move |source| source.read == read);
    let read: Vec<String> = all(true).map(called).take(SOURCES_MAX).collect();
    if !read.is_empty() {
        page.words(&Label::new("read"), &read.join(", "));
    }
    for source in all(false).take(SOURCES_MAX) {
        let why = source.why.as_deref().map(|why| format!(": {}", clean(why))).unwrap_or_default();
        let stages: Vec<String> =
            source.uncertain.iter().map(|stage| clean(stage).replace('_', " ")).collect();
        let uncertain = match stages.len() {
            0 => String::new(),
            few if few <= UNCERTAIN_MAX => format!("; uncertain: {}", stages.join(", ")),
            _ => "; uncertain: every stage there".to_owned(),
        };
        page.words(&Label::new("not read"), &format!("{}{why}{uncertain}", called(source)));
    }
}

/// Both books: they close, or what is left is said.
fn books(page: &mut Page, ledger: &Ledger) {
    let closes = |left: Option<i64>| match left {
        Some(0) => GOOD,
        Some(_) => BAD,
        None => PLAIN,
    };
    if let (Some(sent), Some(delivered)) = (ledger.sent, ledger.delivered)
        && let Some(left) = ledger.unexplained
    {
        let at_stages: u64 = ledger.stages.iter().map(|stage| stage.messages).sum();
        let text = format!(
            "of datagrams: sent {} = delivered {} + died at the stages {} + unexplained {}",
            count(Some(sent)),
            count(Some(delivered)),
            count(Some(at_stages)),
            difference(Some(left))
        );
        page.words(&Label::new("books").body(closes(Some(left))), &text);
    }
    let packets: Vec<String> = ledger
        .packets
        .iter()
        .map(|account| {
            format!(
                "{} sent {} received {}",
                clean(&account.kind),
                count(Some(account.sent)),
                count(Some(account.received))
            )
        })
        .collect();
    let left = ledger.unexplained_packets;
    if packets.is_empty() && left.unwrap_or(0) == 0 {
        return;
    }
    let said = left.map_or_else(
        || "not closed: packets travelled in trains".into(),
        |left| format!("unexplained {}", difference(Some(left))),
    );
    page.words(&Label::new("packets").body(closes(left)), &format!("{}; {said}", packets.join(", ")));
}

/// Most stages with a line.
const STAGES_MAX: usize = 40;
/// Most sources that are named.
const SOURCES_MAX: usize = 12;
/// More uncertain stages than these are most of them.
const UNCERTAIN_MAX: usize = 6;
/// Characters of the bar of all losses.
const BAR_CELLS: u64 = 60;
