//! How far the numbers can be trusted, first of all; and whether they are what was expected.

use incast_core::caveat::Caveat;
use incast_core::record::{Record, Verdict};

use super::sheet::{Cell, Sheet};
use crate::html::Html;
use crate::said;
use crate::table::Side;
use crate::text::counted;
use crate::units::{UNKNOWN, count};

/// The verdict and every doubt with its advice, then what peers did that they may not.
pub(super) fn show(html: &mut Html, record: &Record) {
    let (word, said) = said::verdict(record);
    html.tag("div").set("class", &format!("verdict {}", class(record.verdict))).holds(|html| {
        html.tag("p").holds(|html| {
            html.tag("strong").text(word);
            html.text(&format!(": {said}"));
        });
        if !record.caveats.is_empty() {
            html.tag("ul").class("doubts").holds(|html| doubts(html, &record.caveats));
        }
    });
    let seen = record.faults.named().into_iter().filter(|(_, times)| *times > 0);
    let faults: Vec<String> = seen.map(|(name, times)| format!("{name} {}", count(Some(times)))).collect();
    if !faults.is_empty() {
        html.note(&format!("Faults of peers, counted and ignored: {}.", faults.join(", ")));
    }
}

/// Doubts in the order of the record, the gravest first; advice that is the same for several stands
/// once, under the last of them.
pub(super) fn doubts(html: &mut Html, caveats: &[Caveat]) {
    for (index, caveat) in caveats.iter().take(DOUBTS_MAX).enumerate() {
        let repeated = caveats.get(index + 1).is_some_and(|next| next.advice == caveat.advice);
        html.tag("li").holds(|html| {
            html.tag("b").text("doubt: ");
            html.text(&caveat.text);
            if !repeated && !caveat.advice.is_empty() {
                html.tag("span").class("advice").text(&format!("advice: {}", caveat.advice));
            }
        });
    }
    if let Some(more) = caveats.len().checked_sub(DOUBTS_MAX).filter(|more| *more > 0) {
        html.tag("li").text(&format!("{} in the record", counted(more, "more doubt", "more doubts")));
    }
}

/// Class of a verdict: its colour; the word says it as well.
pub(super) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Missed | Verdict::Incomplete => "bad",
        Verdict::Tainted | Verdict::Interrupted => "doubtful",
    }
}

/// Every expectation: what was measured beside what was expected, and who says so.
pub(super) fn expectations(html: &mut Html, record: &Record, level: usize) {
    if record.expectations.is_empty() {
        return;
    }
    html.heading(level, "What was expected");
    let mut sheet = Sheet::new(&[
        ("expectation", Side::Left),
        ("met", Side::Left),
        ("measured", Side::Right),
        ("expected", Side::Left),
        ("source", Side::Left),
    ]);
    for expectation in &record.expectations {
        let (mark, class) = match expectation.met {
            Some(true) => ("met", "good"),
            Some(false) => ("missed", "alarm"),
            None => ("unknown", "doubtful"),
        };
        sheet.push(vec![
            Cell::marked(&expectation.name, "wide"),
            Cell::marked(mark, class),
            Cell::plain(said::measured(expectation)),
            Cell::marked(&expectation.expected, "wide"),
            Cell::marked(expectation.source.as_deref().unwrap_or(UNKNOWN), "wide faint"),
        ]);
    }
    sheet.show(html, "expectations");
}

/// Most doubts of a report: a screen full. They are in the order of their gravity.
const DOUBTS_MAX: usize = 24;
