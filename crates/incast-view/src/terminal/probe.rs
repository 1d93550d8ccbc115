//! The points of a probe: rates, loss, order, delay and its variation, pacing, and what a message costs.

use incast_core::record::{NanosecondDistribution, Probe, ProbePoint};

use crate::page::{BAD, FAINT, Label, PLAIN, Page};
use crate::said;
use crate::table::{Cell, KEPT, Side, Table};
use crate::units::{UNKNOWN, about, count, nanoseconds, percent, rate, signed_nanoseconds};

/// The clocks, then tables with a row for each point: what arrived, when, how it was spaced, and what it cost.
pub(super) fn show(page: &mut Page, probe: Option<&Probe>) {
    let Some(probe) = probe else { return };
    page.section("probe");
    for (label, line) in ["clocks", "stamps"].into_iter().zip(said::probe::clocks(probe)) {
        page.words(&Label::new(label), &line);
    }
    let points = said::probe::sorted(probe);
    let shown = &points[..points.len().min(POINTS_MAX)];
    let tables = [
        (arrived(shown), &ARRIVED_RANKS[..]),
        (delayed(shown), &DELAYED_RANKS),
        (spaced(shown), &SPACED_RANKS),
        (cost(shown), &COST_RANKS),
    ];
    for (table, ranks) in tables {
        page.line("");
        page.table(&table, ranks);
    }
    if points.len() > POINTS_MAX {
        let more = points.len() - POINTS_MAX;
        page.words(&Label::none().body(FAINT), &format!("and {more} more points in the record"));
    }
    if let Some(point) = said::probe::shown_point(probe) {
        let text = format!(
            "flows, totals and what follows are of one point: {}, which offered most",
            said::probe::point(point)
        );
        page.words(&Label::none().body(FAINT), &text);
    }
}

fn begin(point: &ProbePoint) -> Vec<Cell> {
    vec![
        Cell::plain(format!("  {} B", count(Some(u64::from(point.message_bytes))))),
        Cell::plain(said::probe::gap(point)),
    ]
}

const BEGIN: [(&str, Side); 2] = [("  message", Side::Right), ("gap", Side::Right)];

fn arrived(points: &[&ProbePoint]) -> Table {
    let numbers = ["offered", "received", "sent", "lost", "loss", "longest run", "reordered", "duplicate"];
    let mut table = Table::new(BEGIN.into_iter().chain(numbers.map(|name| (name, Side::Right))).collect());
    for point in points {
        let mut row = begin(point);
        let flagged = |number: u64| Cell::styled(count(Some(number)), if number > 0 { BAD } else { PLAIN });
        row.extend([
            Cell::plain(rate(point.offered_load_bits_per_s)),
            Cell::plain(rate(point.received_bits_per_s)),
            Cell::plain(count(point.sent)),
            flagged(point.lost),
            Cell::plain(percent(point.lost_fraction)),
            Cell::plain(count(Some(point.loss_runs.longest))),
            flagged(point.reordered),
            flagged(point.duplicate),
        ]);
        table.push(row);
    }
    table
}

fn delayed(points: &[&ProbePoint]) -> Table {
    let numbers = ["delay: smallest", "half", "99 %", "error bar", "PDV: 99 %", "IPDV: 99 %"];
    let mut table = Table::new(BEGIN.into_iter().chain(numbers.map(|name| (name, Side::Right))).collect());
    for point in points {
        let mut row = begin(point);
        let below_zero = point.delay.as_ref().is_some_and(|delay| delay.negative > 0);
        row.extend([
            Cell::styled(of(&point.delay, |delay| delay.ns_min), if below_zero { BAD } else { PLAIN }),
            Cell::plain(of(&point.delay, |delay| delay.ns_p50)),
            Cell::plain(of(&point.delay, |delay| delay.ns_p99)),
            Cell::plain(time(point.delay_error_ns)),
            Cell::plain(of(&point.delay_above_min, |delay| delay.ns_p99)),
            Cell::plain(of(&point.delay_variation, |delay| delay.ns_p99)),
        ]);
        table.push(row);
    }
    table
}

/// Times between arrivals, and how late departures were: what was spaced, and how well.
fn spaced(points: &[&ProbePoint]) -> Table {
    let numbers = ["between arrivals: half", "between: 99 %", "late: half", "late: 99 %", "late: largest"];
    let mut table = Table::new(BEGIN.into_iter().chain(numbers.map(|name| (name, Side::Right))).collect());
    for point in points {
        let error = point.departure_error.as_ref();
        let is_late = if point.is_late() { BAD } else { PLAIN };
        let mut row = begin(point);
        row.extend([
            Cell::plain(of(&point.inter_arrival, |gap| gap.ns_p50)),
            Cell::plain(of(&point.inter_arrival, |gap| gap.ns_p99)),
            Cell::styled(time(error.map(|error| error.ns_p50)), is_late),
            Cell::plain(time(error.map(|error| error.ns_p99))),
            Cell::plain(time(error.map(|error| error.ns_max))),
        ]);
        table.push(row);
    }
    table
}

fn of(distribution: &Option<NanosecondDistribution>, value: fn(&NanosecondDistribution) -> i64) -> String {
    distribution.as_ref().map_or_else(|| UNKNOWN.to_owned(), |known| signed_nanoseconds(value(known)))
}

fn time(ns: Option<u64>) -> String {
    ns.map_or_else(|| UNKNOWN.to_owned(), nanoseconds)
}

/// Per message, at each end.
fn cost(points: &[&ProbePoint]) -> Table {
    let numbers =
        ["sender: CPU", "its interrupts", "its softirq", "receiver: CPU", "interrupts", "NET_RX", "softirq"];
    let mut table = Table::new(BEGIN.into_iter().chain(numbers.map(|name| (name, Side::Right))).collect());
    let time = |ns: Option<f64>| crate::units::seconds(ns.map(|ns| ns / 1e9));
    for point in points {
        let (sender, receiver) = (&point.sender, &point.receiver);
        let mut row = begin(point);
        row.extend(
            [
                time(sender.cpu_ns_per_message),
                about(sender.interrupts_per_message),
                time(sender.softirq_ns_per_message),
                time(receiver.cpu_ns_per_message),
                about(receiver.interrupts_per_message),
                about(receiver.receive_softirqs_per_message),
                time(receiver.softirq_ns_per_message),
            ]
            .map(Cell::plain),
        );
        table.push(row);
    }
    table
}

/// What goes first from a narrow page: for each table, behind message and gap.
const ARRIVED_RANKS: [u8; 10] = [KEPT, KEPT, 3, 6, 2, 5, 7, 1, 4, 0];
const DELAYED_RANKS: [u8; 8] = [KEPT, KEPT, 5, 6, 4, 3, 2, 1];
const SPACED_RANKS: [u8; 7] = [KEPT, KEPT, 4, 1, 5, 2, 0];
const COST_RANKS: [u8; 9] = [KEPT, KEPT, 6, 3, 1, 7, 4, 0, 2];
/// Most points of a table: three screens; the record has all.
const POINTS_MAX: usize = 60;
