//! Readouts side by side: a row for each, how late their events were, and who decided them.
//!
//! The last two say why one policy loses to another: a node that is slow and gets as much as the others
//! makes all of them wait, and one that gets less does not.

use incast_core::record::{Readout, Record};

use super::nodes::decided;
use crate::RecordAt;
use crate::html::Html;
use crate::plot::axis::Axis;
use crate::plot::{Pen, legend_of_areas};
use crate::report::compare::{link, short};
use crate::report::judgement;
use crate::report::sheet::{Cell, Sheet};
use crate::report::stacked::{self, Piece, Row};
use crate::said::{self, readout::latency};
use crate::table::Side;
use crate::units::{about, count, difference, f64_of, frequency, microseconds, percent};

/// A record that has a readout, and its number on the page less one.
type Built<'r> = (usize, &'r Record, &'r Readout);

/// The table, the times and the shares; nothing when no record has a readout.
pub(in crate::report) fn compare(html: &mut Html, records: &[RecordAt<'_>]) {
    let with_readout = records.iter().enumerate();
    let built: Vec<Built<'_>> = with_readout
        .filter_map(|(index, at)| Some((index, at.record, at.record.readout.as_ref()?)))
        .collect();
    if built.is_empty() {
        return;
    }
    table(&built).show(html, "readouts side by side");
    html.note("Times are from the trigger to the end of an event; Jain's index is of the events that nodes decided.");
    times(html, &built);
    shares(html, &built);
}

fn table(built: &[Built<'_>]) -> Sheet {
    let words = ["", "record", "verdict", "nodes by"].map(|name| (name, Side::Left));
    let numbers =
        ["events/s", "p50", "p99", "p99.9", "dead time", "lost", "incomplete", "stored", "Jain's index"]
            .map(|name| (name, Side::Right));
    let residuals = ["residual of events", "of credits"].map(|name| (name, Side::Right));
    let rest = [("builders by", Side::Left), ("doubts", Side::Right), ("seed", Side::Right)];
    let mut sheet = Sheet::new(&[&words[..], &numbers, &residuals, &rest].concat());
    for (index, record, readout) in built {
        let (time, events) = (latency(readout), &readout.events);
        let credits = readout.credits.as_ref().map(|credits| credits.residual);
        let us = |us: Option<f64>| Cell::plain(microseconds(us));
        let flagged = |events: u64| Cell::flagged(count(Some(events)), events > 0);
        sheet.push(vec![
            Cell::plain((index + 1).to_string()),
            Cell::drawn("wide", |html| link(html, *index, record)),
            Cell::marked(said::verdict(record).0, judgement::class(record.verdict)),
            Cell::plain(said::readout::shown(&readout.node_policy)),
            Cell::plain(frequency(readout.event_rate_per_s)),
            us(time.and_then(|time| time.us_p50)),
            us(time.and_then(|time| time.us_p99)),
            us(time.and_then(|time| time.us_p999)),
            Cell::flagged(percent(readout.dead_time.fraction), readout.dead_time.fraction > Some(0.0)),
            flagged(events.lost),
            flagged(events.incomplete),
            Cell::plain(count(Some(events.stored))),
            Cell::plain(about(readout.fairness_jain)),
            Cell::flagged(difference(Some(events.residual)), events.residual != 0),
            Cell::flagged(difference(credits), credits.is_some_and(|left| left != 0)),
            Cell::plain(said::readout::shown(&readout.builder_policy)),
            Cell::plain(record.caveats.len().to_string()),
            Cell::plain(count(Some(record.scenario.seed))),
        ]);
    }
    sheet
}

/// Three bars for each record on one logarithmic axis: half, 99 % and 99.9 % took at most so long.
fn times(html: &mut Html, built: &[Built<'_>]) {
    let known = |us: Option<f64>| us.filter(|us| us.is_finite() && *us > 0.0).map(|us| us / 1e3);
    let quantiles = |readout: &Readout| {
        let time = latency(readout);
        [
            time.and_then(|time| time.us_p50),
            time.and_then(|time| time.us_p99),
            time.and_then(|time| time.us_p999),
        ]
        .map(known)
    };
    let all = || built.iter().flat_map(|(_, _, readout)| quantiles(readout)).flatten();
    let ends = |(least, most): (f64, f64), ms: f64| (least.min(ms), most.max(ms));
    let (least, most) = all().fold((f64::INFINITY, 0.0_f64), ends);
    if most <= 0.0 {
        return;
    }
    // The shortest bar has a length too.
    let axis = Axis::log(least / 2.0, most);
    html.heading(2, "How late the events were");
    html.tag("figure").class("bars").holds(|html| {
        let names = QUANTILES.iter().enumerate().map(|(index, name)| (Pen(index), (*name).to_owned()));
        legend_of_areas(html, &names.collect::<Vec<_>>());
        for (index, record, readout) in built {
            let title = format!("{}. {}", index + 1, short(record));
            html.tag("p").class("bar-title").holds(|html| html.tag("b").text(&title));
            bars(html, &axis, quantiles(readout));
        }
        scale(html, &axis);
    });
}

/// The bars of one record, each with its time.
fn bars(html: &mut Html, axis: &Axis, quantiles: [Option<f64>; 3]) {
    let height = BAR * 3.0;
    let svg = html.tag("svg").class("late").set("width", "100%").at("height", height).set("role", "img");
    svg.set("aria-label", "time from trigger to end").holds(|html| {
        html.tag("g").class("grid").holds(|html| {
            for tick in &axis.ticks {
                let line = html.tag("line").part("x1", tick.place).part("x2", tick.place);
                line.at("y1", 0.0).at("y2", height).empty();
            }
        });
        for (index, ms) in quantiles.into_iter().enumerate() {
            let place = ms.map_or(0.0, |ms| axis.place(ms));
            let y = f64_of(index as u64) * BAR;
            let shape = html.tag("rect").set("class", &Pen(index).fill()).at("y", y + 1.0);
            shape.at("height", BAR - 2.0).part("width", place).empty();
            // The number stands behind the bar, or on its end where there is no room behind it.
            let (class, gap) = if place > 0.7 { ("end on-fill", -4.0) } else { ("start", 4.0) };
            let text = html.tag("text").class(class).part("x", place).at("dx", gap).at("y", y + BAR - 4.0);
            text.text(&microseconds(ms.map(|ms| ms * 1e3)));
        }
    });
}

/// The axis below all bars.
fn scale(html: &mut Html, axis: &Axis) {
    let svg =
        html.tag("svg").class("axis").set("width", "100%").at("height", 34.0).set("aria-hidden", "true");
    svg.holds(|html| {
        for tick in &axis.ticks {
            let anchor = match tick.place {
                ..0.03 => "start",
                0.97.. => "end",
                _ => "middle",
            };
            html.tag("text").class(anchor).part("x", tick.place).at("y", 13.0).text(&tick.label);
        }
        let title = "time from trigger to end, ms; the axis is logarithmic";
        html.tag("text").class("middle title").part("x", 0.5).at("y", 29.0).text(title);
    });
}

/// A bar for each record as long as its rate of decisions, cut into what each node decided.
fn shares(html: &mut Html, built: &[Built<'_>]) {
    let rows: Vec<Row<'_>> = built.iter().filter_map(share).collect();
    if rows.iter().all(|row| row.pieces.len() < 2 || row.length() <= 0.0) {
        return;
    }
    html.heading(2, "What the nodes decided, node by node");
    let each = stacked::show(html, "events decided per second, node by node", &rows);
    if !each {
        html.note("Each piece of a bar is a node; nodes are in the order of their record.");
    }
    html.note(
        "Pieces of equal length are equal shares. Where one node is slow, equal shares make the others wait for it: \
         all pieces are as short as that of the slow one, and the times above are long. A policy that gives the slow \
         node less has one short piece and a longer bar.",
    );
}

/// What each node of a record decided per second; nothing when it is not known how long it ran.
fn share<'r>((index, record, readout): &Built<'r>) -> Option<Row<'r>> {
    let running_s =
        readout.running_s.filter(|running_s| running_s.is_finite() && *running_s > RUNNING_S_MIN)?;
    let rate = |decided: u64| f64_of(decided) / running_s;
    let pieces: Vec<Piece<'_>> = decided(readout)
        .map(|(node, decided)| Piece {
            name: &node.name,
            amount: rate(decided),
            said: format!("{} events/s", frequency(Some(rate(decided)))),
        })
        .collect();
    let said = format!("{} events/s", frequency(Some(pieces.iter().map(|piece| piece.amount).sum())));
    Some(Row { label: format!("{}. {}", index + 1, short(record)), said, pieces })
}

const QUANTILES: [&str; 3] = ["p50: half took at most", "p99", "p99.9"];
/// A shorter run has no rate: what would be drawn is a division by nothing.
const RUNNING_S_MIN: f64 = 1e-6;
/// Height of a bar with its number, in units of the screen.
const BAR: f64 = 16.0;
