//! All flows together: the few numbers that are looked at first, and the whole account.

use incast_core::record::{Messages, Record, Totals};

use crate::html::Html;
use crate::said;
use crate::units::{about, bytes, count, difference, percent, rate, seconds};

/// The numbers of flows that are looked at first.
pub(super) fn tiles(html: &mut Html, record: &Record) {
    let totals = &record.totals;
    let cost = ("CPU seconds per GB", about(totals.cpu_seconds_per_gigabyte));
    let cost = Some(cost).filter(|_| said::has_cost(record));
    let throughput = totals.throughput_bits_per_s.map(|found| ("throughput", rate(Some(found))));
    let tiles = [
        ("goodput", rate(totals.goodput_bits_per_s)),
        ("loss", percent(totals.lost_fraction)),
        ("Jain's fairness index", about(totals.fairness_jain)),
    ];
    let amounts = [("delivered", bytes(totals.delivered_bytes)), ("duration", seconds(totals.duration_s))];
    large(html, throughput.into_iter().chain(tiles).chain(cost).chain(amounts));
}

/// Numbers that are looked at first, large.
pub(super) fn large(html: &mut Html, numbers: impl Iterator<Item = (&'static str, String)>) {
    html.tag("dl").class("tiles").holds(|html| {
        for (name, value) in numbers {
            html.tag("div").holds(|html| {
                html.tag("dt").text(name);
                html.tag("dd").text(&value);
            });
        }
    });
}

/// Loads, the account and the cost.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    let totals = &record.totals;
    html.heading(level, "All flows together");
    html.tag("dl").class("facts").holds(|html| {
        loads(html, totals);
        account(html, &totals.messages);
        if said::has_cost(record) {
            cost(html, totals);
        }
        let drops = count(totals.receiver_socket_drops);
        fact(html, "full sockets", &[format!("{drops} datagrams dropped at receiving sockets")]);
    });
}

/// Values with commas between them.
pub(super) fn fact(html: &mut Html, name: &str, values: &[String]) {
    pieces(html, name, values, ",");
}

/// A sum or a list; its pieces stay whole where that is possible.
pub(super) fn pieces(html: &mut Html, name: &str, pieces: &[String], between: &str) {
    html.tag("dt").text(name);
    html.tag("dd").holds(|html| {
        for (index, piece) in pieces.iter().enumerate() {
            let comma = if index + 1 < pieces.len() { between } else { "" };
            html.tag("span").class("piece").text(&format!("{piece}{comma}"));
            html.text(" ");
        }
    });
}

fn loads(html: &mut Html, totals: &Totals) {
    let rates = [
        format!("intended {}", rate(totals.intended_load_bits_per_s)),
        format!("offered {}", rate(totals.offered_load_bits_per_s)),
    ];
    fact(html, "load", &rates);
    let delivered = [
        format!("goodput {}", rate(totals.goodput_bits_per_s)),
        format!("on the wire {}", rate(totals.wire_rate_bits_per_s)),
    ];
    fact(html, "delivered", &delivered);
    if totals.throughput_bits_per_s.is_some() || totals.throughput_fraction.is_some() {
        let throughput = [
            format!("{} of the full load", percent(totals.throughput_fraction)),
            format!("{} of payload", rate(totals.throughput_bits_per_s)),
        ];
        fact(html, "throughput", &throughput);
    }
    let shared = [
        format!("Jain's index {} (1 is equal shares)", about(totals.fairness_jain)),
        format!("all active for {} of the time", percent(totals.overlap_fraction)),
    ];
    fact(html, "fairness", &shared);
}

/// Law 1, at the whole and at the receiver, in messages.
fn account(html: &mut Html, messages: &Messages) {
    let whole = [
        format!("sent {}", count(messages.sent)),
        format!("= received once {}", count(messages.unique)),
        format!("+ lost {}", count(messages.lost)),
        format!("+ unexplained {}", difference(messages.unexplained)),
    ];
    pieces(html, "account", &whole, "");
    let receiver = [
        format!("received {}", count(messages.received)),
        format!("= once {}", count(messages.unique)),
        format!("+ duplicate {}", count(messages.duplicate)),
        format!("+ stale {};", count(messages.stale)),
        format!("reordered {}, late {}", count(messages.reordered), count(messages.late)),
    ];
    pieces(html, "receiver", &receiver, "");
}

fn cost(html: &mut Html, totals: &Totals) {
    let cores = format!("{} cores at 200 Gbit/s", about(totals.cores_at_200_gbit_per_s));
    let mut cost = vec![format!("{} CPU seconds per GB", about(totals.cpu_seconds_per_gigabyte)), cores];
    if let Some(cpu) = &totals.cpu {
        cost.push(format!("user {}", seconds(Some(cpu.user_s))));
        cost.push(format!("system {}", seconds(Some(cpu.system_s))));
    }
    fact(html, "cost", &cost);
}
