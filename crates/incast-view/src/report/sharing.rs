//! How the flows shared what was delivered: the share of each beside the fair one.
//!
//! A bar is a part of the sum of the goodputs, and the fair share is one part of as many as there
//! are flows: this is what Jain's index measures. It is equal shares, whatever the flows asked for.

use incast_core::record::{Flow, Record};

use super::sheet::{Cell, Sheet};
use crate::html::Html;
use crate::table::Side;
use crate::text::counted;
use crate::units::{about, f64_of, percent, rate};

/// A bar for each flow; of many the slowest and the fastest.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    let known: Vec<(&Flow, f64)> =
        record.flows.iter().filter_map(|flow| Some((flow, known_goodput(flow)?))).collect();
    let sum: f64 = known.iter().map(|(_, goodput)| goodput).sum();
    if known.len() < 2 || sum <= 0.0 {
        return;
    }
    html.heading(level, "How the flows shared");
    let fair = 1.0 / f64_of(known.len() as u64);
    let most = known.iter().fold(fair, |most, (_, goodput)| most.max(goodput / sum));
    let jain = about(record.totals.fairness_jain);
    let fair_share = percent(Some(fair));
    html.tag("p").text(&format!(
        "Jain's index is {jain}; 1 is equal shares. The upright line is the fair share, {fair_share} of the goodput."
    ));
    let (shown, left_out) = choose(known);
    let columns = [("flow", Side::Left), ("goodput", Side::Right), ("share", Side::Right), ("", Side::Left)];
    let mut sheet = Sheet::new(&columns);
    for (flow, goodput) in shown {
        let share = goodput / sum;
        sheet.push(vec![
            Cell::plain(&flow.name),
            Cell::plain(rate(Some(goodput))),
            Cell::plain(percent(Some(share))),
            Cell::drawn("bar-cell", |html| bar(html, share / most, Some(fair / most), "fill c0")),
        ]);
    }
    sheet.show(html, "shares of the flows");
    if left_out > 0 {
        html.note(&format!(
            "{left_out} flows between the {ENDS} slowest and the {ENDS} fastest are left out."
        ));
    }
    let unknown = record.flows.iter().filter(|flow| known_goodput(flow).is_none()).count();
    if unknown > 0 {
        html.note(&format!(
            "The goodput of {} is not known: the shares are those of the others.",
            counted(unknown, "flow", "flows")
        ));
    }
}

/// A bar of a part of its cell, and a line at another part.
pub(super) fn bar(html: &mut Html, part: f64, line: Option<f64>, class: &str) {
    let svg = html.tag("svg").class("bar").set("width", "100%").at("height", 16.0).set("aria-hidden", "true");
    svg.holds(|html| {
        // The line at the very end stays inside.
        let room = 0.98;
        let shape = html.tag("rect").set("class", class).at("y", 3.0).at("height", 10.0);
        shape.part("width", part.clamp(0.0, 1.0) * room).empty();
        if let Some(line) = line {
            let at = line.clamp(0.0, 1.0) * room;
            html.tag("line").class("fair").part("x1", at).part("x2", at).at("y1", 0.0).at("y2", 16.0).empty();
        }
    });
}

fn known_goodput(flow: &Flow) -> Option<f64> {
    flow.goodput_bits_per_s.filter(|goodput| goodput.is_finite() && *goodput >= 0.0)
}

/// All in their order, or of too many the slowest and then the fastest; and how many are left out.
fn choose(mut flows: Vec<(&Flow, f64)>) -> (Vec<(&Flow, f64)>, usize) {
    let all = flows.len();
    if all > FLOWS_MAX {
        flows.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        flows.drain(ENDS..all - ENDS);
    }
    let left_out = all - flows.len();
    (flows, left_out)
}

/// Most flows of which all are shown: more than a screen is not looked at.
const FLOWS_MAX: usize = 40;
/// How many of the slowest, and of the fastest, are shown of more.
const ENDS: usize = 10;
