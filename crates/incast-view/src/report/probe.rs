//! A probe: rate, loss and cost against the gap, delay and order against the load, how delays and arrivals are
//! distributed, and every point in a table.

mod curves;
mod histograms;

use incast_core::record::{NanosecondDistribution, Probe, ProbePoint};

use super::sheet::{Cell, Sheet};
use super::totals::fact;
use crate::html::Html;
use crate::said;
use crate::table::Side;
use crate::units::{UNKNOWN, about, count, nanoseconds, percent, rate, seconds, signed_nanoseconds};

/// The section; nothing where nothing was probed.
pub(super) fn show(html: &mut Html, probe: Option<&Probe>, level: usize) {
    let Some(probe) = probe else { return };
    html.heading(level, "Probe");
    html.tag("dl").class("facts").holds(|html| {
        fact(html, "points", &[said::probe::extent(probe)]);
        fact(html, "clocks", &said::probe::clocks(probe));
    });
    curves::show(html, probe);
    histograms::show(html, probe);
    let points = said::probe::sorted(probe);
    if !points.is_empty() {
        let what = format!("All {} points", points.len());
        arrived(&points).fold(html, &format!("{what}: what arrived"));
        timed(&points).fold(html, &format!("{what}: when"));
        cost(&points).fold(html, &format!("{what}: what a message costs"));
    }
    if let Some(point) = said::probe::shown_point(probe) {
        html.note(&format!(
            "What follows is of one point: {}, which offered most.",
            said::probe::point(point)
        ));
    }
}

/// A table that begins with the size and the gap of a point, and has these columns of numbers after them.
fn sheet(numbers: &[&'static str]) -> Sheet {
    let columns = ["message", "gap"].iter().chain(numbers).map(|name| (*name, Side::Right));
    Sheet::new(&columns.collect::<Vec<_>>())
}

fn begin(point: &ProbePoint) -> Vec<Cell> {
    let bytes = format!("{} B", count(Some(u64::from(point.message_bytes))));
    vec![Cell::plain(bytes), Cell::plain(said::probe::gap(point))]
}

fn arrived(points: &[&ProbePoint]) -> Sheet {
    let mut sheet = sheet(&[
        "intended",
        "offered",
        "received",
        "messages/s",
        "sent",
        "lost",
        "loss",
        "runs",
        "longest",
        "reordered",
        "extent",
        "duplicate",
    ]);
    for point in points {
        let mut row = begin(point);
        row.extend([
            Cell::plain(rate(point.intended_load_bits_per_s)),
            Cell::plain(rate(point.offered_load_bits_per_s)),
            Cell::plain(rate(point.received_bits_per_s)),
            Cell::plain(crate::units::frequency(point.received_messages_per_s)),
            Cell::plain(count(point.sent)),
            Cell::flagged(count(Some(point.lost)), point.lost > 0),
            Cell::plain(percent(point.lost_fraction)),
            Cell::plain(count(Some(point.loss_runs.runs))),
            Cell::plain(count(Some(point.loss_runs.longest))),
            Cell::flagged(count(Some(point.reordered)), point.reordered > 0),
            Cell::plain(count(Some(point.reordering.extent_max))),
            Cell::flagged(count(Some(point.duplicate)), point.duplicate > 0),
        ]);
        sheet.push(row);
    }
    sheet
}

fn timed(points: &[&ProbePoint]) -> Sheet {
    let mut sheet = sheet(&[
        "delay: smallest",
        "half",
        "99 %",
        "largest",
        "error bar",
        "PDV: half",
        "99 %",
        "99.9 %",
        "IPDV: 99 %",
        "between arrivals: half",
        "99 %",
        "late departures: half",
        "99 %",
        "largest",
    ]);
    let of = |distribution: &Option<NanosecondDistribution>, value: fn(&NanosecondDistribution) -> i64| {
        let known = distribution.as_ref().map(value);
        Cell::plain(known.map_or_else(|| UNKNOWN.to_owned(), signed_nanoseconds))
    };
    let said_late = |ns: Option<u64>| ns.map_or_else(|| UNKNOWN.to_owned(), nanoseconds);
    let late = |ns: Option<u64>| Cell::plain(said_late(ns));
    for point in points {
        let error = point.departure_error.as_ref();
        let mut row = begin(point);
        row.extend([
            of(&point.delay, |delay| delay.ns_min),
            of(&point.delay, |delay| delay.ns_p50),
            of(&point.delay, |delay| delay.ns_p99),
            of(&point.delay, |delay| delay.ns_max),
            late(point.delay_error_ns),
            of(&point.delay_above_min, |delay| delay.ns_p50),
            of(&point.delay_above_min, |delay| delay.ns_p99),
            of(&point.delay_above_min, |delay| delay.ns_p999),
            of(&point.delay_variation, |delay| delay.ns_p99),
            of(&point.inter_arrival, |gap| gap.ns_p50),
            of(&point.inter_arrival, |gap| gap.ns_p99),
            Cell::flagged(said_late(error.map(|error| error.ns_p50)), point.is_late()),
            late(error.map(|error| error.ns_p99)),
            late(error.map(|error| error.ns_max)),
        ]);
        sheet.push(row);
    }
    sheet
}

fn cost(points: &[&ProbePoint]) -> Sheet {
    let mut sheet = sheet(&[
        "sender: CPU",
        "interrupts",
        "NET_RX",
        "soft interrupts",
        "busy cores",
        "receiver: CPU",
        "interrupts",
        "NET_RX",
        "soft interrupts",
        "busy cores",
    ]);
    let time = |ns: Option<f64>| Cell::plain(seconds(ns.map(|ns| ns / 1e9)));
    for point in points {
        let mut row = begin(point);
        for end in [&point.sender, &point.receiver] {
            row.extend([
                time(end.cpu_ns_per_message),
                Cell::plain(about(end.interrupts_per_message)),
                Cell::plain(about(end.receive_softirqs_per_message)),
                time(end.softirq_ns_per_message),
                Cell::plain(about(end.busy_cores)),
            ]);
        }
        sheet.push(row);
    }
    sheet
}
