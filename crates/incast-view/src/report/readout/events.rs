//! Where the events went: a bar that sums to what was triggered, the same for those that did not end
//! well, and the numbers; then what was lost by cause, and what was missing by source.

use incast_core::record::{EventBook, NamedCount};

use crate::html::Html;
use crate::plot::letter;
use crate::report::parts::{Part, bar};
use crate::report::sharing;
use crate::report::sheet::{Cell, Sheet};
use crate::said::readout as said;
use crate::table::Side;
use crate::units::{UNKNOWN, count, difference, f64_of};

/// The bars and the tables.
pub(super) fn show(html: &mut Html, events: &EventBook) {
    let parts = parts(events);
    let all: Vec<&Part> = parts.iter().collect();
    let bad = all.get(ENDED_WELL..).unwrap_or_default();
    html.tag("figure").holds(|html| {
        let triggered = Some(events.triggered);
        bar(html, &format!("all {} events triggered", count(triggered)), &all, triggered);
        if bad.iter().any(|part| part.count.is_some_and(|events| events > 0)) {
            let sum = bad.iter().filter_map(|part| part.count).fold(0_i64, i64::saturating_add);
            let what = format!("those neither stored nor rejected alone, {}", difference(Some(sum)));
            bar(html, &what, bad, None);
        }
    });
    table(events, &parts).show(html, "where the events went");
    named(html, "Events lost, by cause", &events.lost_by, said::words);
    named(html, "Incomplete events, by missing source", &events.missing, said::shown);
    if events.missing.len() > 1 {
        html.note("An event counts for every source that it misses.");
    }
    let odd = said::oddities(events);
    if !odd.is_empty() {
        html.note(&format!("Ignored or put right in the account: {}.", odd.join(", ")));
    }
}

/// Every place where an event can be, those that ended well first.
fn parts(events: &EventBook) -> Vec<Part> {
    let places = [
        ("stored", "complete, accepted, and on disk", events.stored, "fill delivered"),
        ("rejected", "complete, and a node decided against it", events.rejected, "fill c5"),
        ("incomplete", "shipped without the fragments of some sources", events.incomplete, "fill c4"),
        ("lost", "gone", events.lost, "fill c1"),
        ("in flight", "none of these when the account was closed", events.in_flight, "fill c3"),
    ];
    let part = |(index, (name, place, count, class)): (usize, (&str, &str, u64, &str))| Part {
        letter: letter(index),
        name: name.to_owned(),
        place: place.to_owned(),
        packets: None,
        count: i64::try_from(count).ok(),
        class: class.to_owned(),
    };
    let residual = Part {
        letter: letter(places.len()),
        name: "residual".to_owned(),
        place: "what is left of the account".to_owned(),
        packets: None,
        count: Some(events.residual),
        class: "fill unexplained".to_owned(),
    };
    places.into_iter().enumerate().map(part).chain([residual]).collect()
}

fn table(events: &EventBook, parts: &[Part]) -> Sheet {
    let mut sheet = Sheet::new(&[
        ("", Side::Left),
        ("place", Side::Left),
        ("what that is", Side::Left),
        ("events", Side::Right),
        ("of those triggered", Side::Right),
    ]);
    let triggered = Some(events.triggered);
    for (index, part) in parts.iter().enumerate() {
        let alarming = index >= ENDED_WELL && part.count != Some(0);
        sheet.push(part.row(triggered, alarming));
    }
    sheet.push(vec![
        Cell::marked("", "sum"),
        Cell::marked("triggered", "sum"),
        Cell::marked("the sum", "sum faint"),
        Cell::marked(count(triggered), "sum"),
        Cell::marked(if events.triggered > 0 { "100 %" } else { UNKNOWN }, "sum"),
    ]);
    sheet
}

/// Counts by name with a bar for each, most first; nothing when there is none.
fn named(html: &mut Html, what: &str, counts: &[NamedCount], tell: fn(&str) -> String) {
    let mut seen: Vec<&NamedCount> = counts.iter().filter(|named| named.count > 0).collect();
    seen.sort_by_key(|named| std::cmp::Reverse(named.count));
    let Some(most) = seen.first().map(|named| f64_of(named.count)) else { return };
    html.tag("p").class("plot-title").text(what);
    let mut sheet = Sheet::new(&[("", Side::Left), ("events", Side::Right), ("", Side::Left)]);
    for named in seen.iter().take(NAMES_MAX) {
        sheet.push(vec![
            Cell::plain(tell(&named.name)),
            Cell::plain(count(Some(named.count))),
            Cell::drawn("bar-cell", |html| sharing::bar(html, f64_of(named.count) / most, None, "fill c1")),
        ]);
    }
    sheet.show(html, what);
    if let Some(more) = seen.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        html.note(&format!("{more} more with fewer events are in the record."));
    }
}

/// So many places are of events that ended as they should.
const ENDED_WELL: usize = 2;
/// Most causes, and most sources, with a row.
const NAMES_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::parts::widths;

    #[test]
    fn the_bar_sums_to_what_was_triggered() {
        let events = EventBook {
            triggered: 100,
            stored: 40,
            rejected: 30,
            incomplete: 15,
            lost: 10,
            in_flight: 3,
            residual: 2,
            ..EventBook::default()
        };
        let parts = parts(&events);
        let all: Vec<&Part> = parts.iter().collect();
        assert_eq!(all.iter().map(|part| part.letter.as_str()).collect::<String>(), "abcdef");
        assert!((widths(&all, 100.0).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((widths(&all[ENDED_WELL..], 0.0).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((widths(&all, 100.0)[0] - 0.4).abs() < 1e-12);
    }
}
