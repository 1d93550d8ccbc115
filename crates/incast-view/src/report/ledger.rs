//! Where the messages went: a bar that sums to what was sent, stage by stage.
//!
//! A loss of 0.01 % is invisible on a bar of all messages, so a second bar shows the losses alone,
//! and the numbers stand in a table. Each part has a letter, which the bars and the table share:
//! colour alone tells nothing to some readers and to most printers.

use incast_core::record::{Ledger, Messages, Record};

use super::parts::{Part, bar};
use super::sheet::{Cell, Sheet};
use crate::html::Html;
use crate::plot::{COLOURS, letter};
use crate::table::Side;
use crate::units::{UNKNOWN, count, difference};

/// The bars and the table; from the account of all flows where the kernel's counters were not read.
///
/// The ledger is of messages over UDP: over TCP nothing dies for good. So where nothing was sent over
/// UDP, the bar is that of the flows, and the ledger's table says where packets died.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    html.heading(level, "Where the messages went");
    let account = &record.totals.messages;
    let ledger = record.ledger.as_ref();
    match ledger.filter(|ledger| ledger.sent.is_none_or(|sent| sent > 0)) {
        Some(ledger) => {
            bars(html, "sent over UDP", ledger.sent, &of_ledger(ledger));
            table(ledger.sent, &of_ledger(ledger)).show(html, "where the messages over UDP went");
        }
        None => {
            bars(html, "sent", account.sent, &of_account(account));
            table(account.sent, &of_account(account)).show(html, "where the messages went");
            let why = if ledger.is_some() { NO_UDP } else { NO_COUNTERS };
            html.note(why);
        }
    }
    if let Some(ledger) = ledger {
        if ledger.sent == Some(0) {
            stages(ledger).show(html, "packets that were dropped");
        }
        packets(html, ledger);
        sources(html, ledger);
    }
}

/// Which counters were read, and what is uncertain where they were not.
fn sources(html: &mut Html, ledger: &Ledger) {
    if ledger.sources.is_empty() {
        return;
    }
    let columns = ["counters", "of", "read", "why not", "uncertain then"].map(|name| (name, Side::Left));
    let mut sheet = Sheet::new(&columns);
    for source in ledger.sources.iter().take(SOURCES_MAX) {
        let stages: Vec<String> = source.uncertain.iter().map(|stage| stage.replace('_', " ")).collect();
        sheet.push(vec![
            Cell::plain(&source.name),
            Cell::plain(&source.host),
            Cell::flagged(if source.read { "yes" } else { "no" }, !source.uncertain.is_empty()),
            Cell::plain(source.why.clone().unwrap_or_default()),
            Cell::marked(stages.join(", "), "faint"),
        ]);
    }
    sheet.fold(html, "Which counters were read");
    if ledger.sources.len() > SOURCES_MAX {
        html.note("... all of them are in the record.");
    }
}

/// The stages of a run without UDP: only packets died.
fn stages(ledger: &Ledger) -> Sheet {
    let columns = [("stage", Side::Left), ("where", Side::Left), ("dropped packets", Side::Right)];
    let mut sheet = Sheet::new(&columns);
    for stage in &ledger.stages {
        sheet.push(vec![
            Cell::plain(stage.stage.replace('_', " ")),
            Cell::marked(&stage.place, "faint"),
            Cell::flagged(count(Some(stage.packets)), stage.packets > 0),
        ]);
    }
    sheet
}

/// The bar of all, and that of the losses alone.
fn bars(html: &mut Html, which: &str, sent: Option<u64>, parts: &[Part]) {
    let all: Vec<&Part> = parts.iter().collect();
    let lost = all.get(1..).unwrap_or_default();
    html.tag("figure").holds(|html| {
        bar(html, &format!("all {} messages {which}", count(sent)), &all, sent);
        let losses = lost.iter().filter_map(|part| part.count).fold(0_i64, i64::saturating_add);
        if lost.iter().any(|part| part.count.is_some_and(|messages| messages > 0)) {
            let what = format!("the losses alone, {} messages", difference(Some(losses)));
            bar(html, &what, lost, None);
        }
    });
}

/// The kernel's counters: delivered, each stage, and what is left.
fn of_ledger(ledger: &Ledger) -> Vec<Part> {
    let mut parts = vec![delivered(ledger.delivered)];
    for (index, stage) in ledger.stages.iter().enumerate() {
        parts.push(Part {
            letter: letter(index + 1),
            name: stage.stage.replace('_', " "),
            place: stage.place.clone(),
            packets: Some(stage.packets),
            count: i64::try_from(stage.messages).ok(),
            class: format!("fill c{}", index % COLOURS),
        });
    }
    parts.push(unexplained(parts.len(), ledger.unexplained));
    parts
}

/// The flows' own account (law 1).
fn of_account(messages: &Messages) -> Vec<Part> {
    let lost = Part {
        letter: letter(1),
        name: "lost".to_owned(),
        place: "somewhere on the path".to_owned(),
        packets: None,
        count: messages.lost.and_then(|lost| i64::try_from(lost).ok()),
        class: "fill c1".to_owned(),
    };
    vec![delivered(messages.unique), lost, unexplained(2, messages.unexplained)]
}

fn delivered(messages: Option<u64>) -> Part {
    Part {
        letter: letter(0),
        name: "delivered".to_owned(),
        place: "received for the first time".to_owned(),
        packets: None,
        count: messages.and_then(|messages| i64::try_from(messages).ok()),
        class: "fill delivered".to_owned(),
    }
}

fn unexplained(index: usize, messages: Option<i64>) -> Part {
    Part {
        letter: letter(index),
        name: "unexplained".to_owned(),
        place: "what is left of the account".to_owned(),
        packets: None,
        count: messages,
        class: "fill unexplained".to_owned(),
    }
}

fn table(sent: Option<u64>, parts: &[Part]) -> Sheet {
    let mut sheet = Sheet::new(&[
        ("", Side::Left),
        ("stage", Side::Left),
        ("where", Side::Left),
        ("messages", Side::Right),
        ("of those sent", Side::Right),
        ("packets", Side::Right),
    ]);
    for part in parts {
        let packets = part.packets.map_or_else(String::new, |packets| count(Some(packets)));
        sheet.push(part.row(sent, part.is_open()).into_iter().chain([Cell::plain(packets)]).collect());
    }
    sheet.push(vec![
        Cell::marked("", "sum"),
        Cell::marked("sent", "sum"),
        Cell::marked("the sum", "sum faint"),
        Cell::marked(count(sent), "sum"),
        Cell::marked(if sent > Some(0) { "100 %" } else { UNKNOWN }, "sum"),
        Cell::marked("", "sum"),
    ]);
    sheet
}

/// The same account in packets.
fn packets(html: &mut Html, ledger: &Ledger) {
    if !ledger.packets.is_empty() {
        let mut sheet = Sheet::new(&[
            ("packets", Side::Left),
            ("sent by hosts", Side::Right),
            ("received by hosts", Side::Right),
        ]);
        for account in &ledger.packets {
            let numbers = [account.sent, account.received].map(|packets| Cell::plain(count(Some(packets))));
            sheet.push(std::iter::once(Cell::plain(&account.kind)).chain(numbers).collect());
        }
        sheet.fold(html, "The same in packets");
    }
    html.note("Messages are those over UDP; TCP sends again what is lost. Packets are of every kind.");
    if !ledger.packets.is_empty() {
        let open = difference(ledger.unexplained_packets);
        html.note(&format!(
            "Packets that queues and links dropped, less those that the accounts miss: {open}."
        ));
    }
}

/// Most sources with a line.
const SOURCES_MAX: usize = 60;

const NO_UDP: &str = "This is the account of the flows themselves. Nothing was sent over UDP, and over TCP no message \
                      dies for good: what was dropped on the path, and sent again, is counted in packets.";
const NO_COUNTERS: &str = "This is the account of the flows themselves. In this world the kernel's counters along the \
                           path were not read, so it is not known at which stage messages died.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::parts::widths;
    use crate::units::f64_of;
    use incast_core::record::LossStage;

    fn ledger(delivered: u64, stages: &[u64], unexplained: i64) -> Ledger {
        let stage =
            |messages: &u64| LossStage { messages: *messages, packets: *messages, ..LossStage::default() };
        Ledger {
            delivered: Some(delivered),
            stages: stages.iter().map(stage).collect(),
            unexplained: Some(unexplained),
            ..Ledger::default()
        }
    }

    fn sum(parts: &[Part], whole: f64) -> f64 {
        widths(&parts.iter().collect::<Vec<_>>(), whole).iter().sum()
    }

    #[test]
    fn the_bar_sums_to_what_was_sent() {
        let parts = of_ledger(&ledger(900, &[0, 60, 30], 10));
        assert_eq!(parts.iter().map(|part| part.letter.as_str()).collect::<String>(), "abcde");
        assert!((sum(&parts, 1_000.0) - 1.0).abs() < 1e-12);
        assert!((sum(&parts[1..], 0.0) - 1.0).abs() < 1e-12, "the losses alone fill their bar");
    }

    #[test]
    fn a_bar_is_never_longer_than_it_is() {
        // An account that does not close, as a broken record may have it.
        assert!((sum(&of_ledger(&ledger(900, &[600], -500)), 1_000.0) - 1.0).abs() < 1e-12);
        assert!(
            (sum(&of_ledger(&ledger(400, &[100], 0)), 1_000.0) - 0.5).abs() < 1e-12,
            "what is missing is a gap"
        );
        assert!(sum(&of_account(&Messages::default()), 0.0) <= 0.0);
        let huge = Messages { unique: Some(u64::MAX), ..Messages::default() };
        assert!(sum(&of_account(&huge), f64_of(u64::MAX)) <= 1.0);
    }
}
