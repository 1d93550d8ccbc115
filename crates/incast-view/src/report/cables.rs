//! The network in numbers: cables, what their queues dropped, how late their links were, and what
//! this machine can carry beside what was asked of it.

use incast_core::record::{Calibration, Impairment, LinkReport, Network, NetworkCable, QueueReport, Record};

use super::sheet::{Cell, Sheet};
use crate::html::Html;
use crate::said::listed;
use crate::table::Side;
use crate::text::counted;
use crate::units::{UNKNOWN, about, bytes, count, number, percent, rate, seconds};

/// The tables of a network that was built; nothing where the run used one that was there.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    let Some(network) = &record.network else { return };
    html.heading(level, "Queues, links and cables");
    queues(html, network);
    links(html, network);
    cables(html, network);
    if let Some(calibration) = &network.calibration {
        calibrated(html, calibration);
    }
    if network.build_s.is_some() {
        html.note(&format!("The network was built in {}.", seconds(network.build_s)));
    }
}

/// Every queue, or of many those that dropped something and the rest folded.
fn queues(html: &mut Html, network: &Network) {
    let all: Vec<&QueueReport> = network.cables.iter().flat_map(|cable| &cable.queues).collect();
    let dropped = |queue: &&QueueReport| queue.dropped_packets > 0 || queue.backlog_dropped_packets > 0;
    let bad: Vec<&QueueReport> = all.iter().copied().filter(dropped).collect();
    if all.len() <= ROWS_MAX {
        if !all.is_empty() {
            queue_table(&all).show(html, "queues");
        }
        return;
    }
    let some = counted(bad.len(), "queue", "queues");
    html.tag("p").text(&format!("{some} of {} dropped packets.", all.len()));
    if !bad.is_empty() {
        queue_table(&bad[..bad.len().min(ROWS_SHOWN_MAX)]).show(html, "queues that dropped packets");
    }
    queue_table(&all).fold(html, &format!("All {} queues", all.len()));
}

fn queue_table(queues: &[&QueueReport]) -> Sheet {
    let mut sheet = Sheet::new(&[
        ("queue", Side::Left),
        ("dropped packets", Side::Right),
        ("packets that left", Side::Right),
        ("bytes that left", Side::Right),
        ("still in it", Side::Right),
        ("dropped behind it", Side::Right),
    ]);
    for queue in queues {
        sheet.push(vec![
            Cell::plain(&queue.place),
            Cell::flagged(count(Some(queue.dropped_packets)), queue.dropped_packets > 0),
            Cell::plain(count(Some(queue.packets))),
            Cell::plain(bytes(Some(queue.bytes))),
            Cell::plain(count(Some(queue.backlog_packets))),
            Cell::flagged(count(Some(queue.backlog_dropped_packets)), queue.backlog_dropped_packets > 0),
        ]);
    }
    sheet
}

fn links(html: &mut Html, network: &Network) {
    let all: Vec<&LinkReport> = network.cables.iter().flat_map(|cable| &cable.links).collect();
    if all.is_empty() {
        return;
    }
    let mut sheet = Sheet::new(&[
        ("link", Side::Left),
        ("packets in", Side::Right),
        ("sent on", Side::Right),
        ("lost on purpose", Side::Right),
        ("copied", Side::Right),
        ("overtaken", Side::Right),
        ("dropped for want of room", Side::Right),
        ("most held", Side::Right),
        ("late: half by at most", Side::Right),
        ("99 %", Side::Right),
        ("largest", Side::Right),
    ]);
    for link in &all {
        let late = |us: Option<f64>| Cell::plain(seconds(us.map(|us| us / 1e6)));
        let held = format!("{} ({})", count(Some(link.held_packets_max)), bytes(Some(link.held_bytes_max)));
        sheet.push(vec![
            Cell::plain(&link.way),
            Cell::plain(count(Some(link.packets))),
            Cell::plain(count(Some(link.forwarded_packets))),
            Cell::plain(count(Some(link.lost_packets))),
            Cell::plain(count(Some(link.duplicated_packets))),
            Cell::plain(count(Some(link.reordered_packets))),
            Cell::flagged(count(Some(link.dropped_packets)), link.dropped_packets > 0),
            Cell::plain(held),
            late(link.late_us_p50),
            late(link.late_us_p99),
            late(link.late_us_max),
        ]);
    }
    if all.len() <= ROWS_MAX {
        sheet.show(html, "links");
    } else {
        sheet.fold(html, &format!("All {} links", all.len()));
    }
}

fn cables(html: &mut Html, network: &Network) {
    let mut sheet = Sheet::new(&[
        ("cable", Side::Left),
        ("rate", Side::Right),
        ("queue", Side::Right),
        ("port rate", Side::Right),
        ("port queue", Side::Right),
        ("largest packet", Side::Right),
        ("offloads", Side::Left),
        ("on the way, each way", Side::Left),
    ]);
    for cable in &network.cables {
        let offloads = if cable.offloads { "yes" } else { "no" };
        sheet.push(vec![
            Cell::plain(format!("{} – {}", cable.from, cable.to)),
            Cell::plain(limit(cable.rate_bits_per_s)),
            Cell::plain(bytes(cable.queue_bytes)),
            Cell::plain(limit(cable.port_rate_bits_per_s)),
            Cell::plain(bytes(cable.port_queue_bytes)),
            Cell::plain(bytes(Some(u64::from(cable.mtu_bytes)))),
            Cell::plain(offloads),
            Cell::plain(impaired(cable)),
        ]);
    }
    if !sheet.is_empty() {
        sheet.fold(html, &counted(network.cables.len(), "cable", "cables"));
    }
}

/// A rate on the wire; without one there is no limit.
pub(super) fn limit(bits_per_s: Option<f64>) -> String {
    bits_per_s.map_or_else(|| "unlimited".to_owned(), |rate_of| rate(Some(rate_of)))
}

/// What a cable does to packets, as short as it can be said; nothing for a plain one.
pub(super) fn impaired(cable: &NetworkCable) -> String {
    let Some(impairment) = &cable.impairment else { return UNKNOWN.to_owned() };
    listed(impairments(impairment))
}

/// `delay 2.000 ms`, `loss 0.100 %`: what is not 0.
pub(super) fn impairments(impairment: &Impairment) -> Vec<String> {
    let times = [("delay", impairment.delay_ms), ("jitter", impairment.jitter_ms)];
    let chances =
        [("loss", impairment.loss), ("duplicate", impairment.duplicate), ("reorder", impairment.reorder)];
    let times = times
        .into_iter()
        .filter(|(_, ms)| *ms > 0.0)
        .map(|(name, ms)| format!("{name} {} ms", number(Some(ms))));
    let chances = chances.into_iter().filter(|(_, part)| *part > 0.0);
    times.chain(chances.map(|(name, part)| format!("{name} {}", percent(Some(part))))).collect()
}

fn calibrated(html: &mut Html, calibration: &Calibration) {
    let alarming = calibration.load > 1.0;
    let class = if alarming { "note alarm" } else { "note" };
    html.tag("p").class(class).text(&format!(
        "Calibration: this machine carried {} packets per second across an unshaped switch just before the run; the \
         scenario needs {}. That is a load of {}{}.",
        about_count(calibration.packets_per_s),
        about_count(calibration.needed_packets_per_s),
        percent(Some(calibration.load)),
        if alarming { ": the machine, not the network, sets the result" } else { "" }
    ));
}

fn about_count(value: f64) -> String {
    if value >= 1000.0 { number(Some(value.round())) } else { about(Some(value)) }
}

/// Most rows of a table that is not folded: a screen.
const ROWS_MAX: usize = 16;
/// Most queues that are shown because they dropped something.
const ROWS_SHOWN_MAX: usize = 40;
