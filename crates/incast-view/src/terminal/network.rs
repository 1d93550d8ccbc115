//! The network of a run, and the answers to its questions.

use incast_core::record::{Answer, Network, Record};

use crate::page::{BAD, Label, PLAIN, Page};
use crate::table::{Cell, Side, Table};
use crate::text::clean;
use crate::units::{count, percent};

/// The questions of the scenario with their answers.
pub(super) fn answers(page: &mut Page, answers: &[Answer]) {
    for answer in answers {
        page.section(&clean(&answer.question));
        for line in &answer.answer {
            page.words(&Label::below("", 0), line);
        }
    }
}

/// The network: what it could carry, and what its queues dropped.
pub(super) fn network(page: &mut Page, network: Option<&Network>) {
    let Some(network) = network else { return };
    page.section("the network");
    let drawn = crate::topology::text(network);
    for line in drawn.lines().take(TOPOLOGY_MAX) {
        page.line(&crate::text::cut(line, page.width()));
    }
    if drawn.lines().nth(TOPOLOGY_MAX).is_some() {
        page.line("  ... all of it is in the record");
    }
    if let Some(calibration) = &network.calibration {
        let style = if calibration.load > 1.0 { BAD } else { PLAIN };
        let text = format!(
            "this machine carried {:.0} packets per ms just before; the scenario asks for {:.0} ({:.0} %)",
            calibration.packets_per_s / 1e3,
            calibration.needed_packets_per_s / 1e3,
            calibration.load * 100.0
        );
        page.words(&Label::new("machine").body(style), &text);
    }
    let links = network.cables.iter().flat_map(|cable| &cable.links);
    for link in links.take(LINKS_MAX) {
        let late = match (link.late_us_p50, link.late_us_p99, link.late_us_max) {
            (Some(half), Some(most), Some(all)) => {
                format!(", late by {half:.0} us (half), {most:.0} us (99 %), {all:.0} us (most)")
            }
            _ => String::new(),
        };
        let text = format!(
            "{}: {} packets in, {} out, lost {}, copied {}, overtaking {}, dropped against its will {}, held at most {}{late}",
            link.way,
            count(Some(link.packets)),
            count(Some(link.forwarded_packets)),
            count(Some(link.lost_packets)),
            count(Some(link.duplicated_packets)),
            count(Some(link.reordered_packets)),
            count(Some(link.dropped_packets)),
            count(Some(link.held_packets_max)),
        );
        page.words(&Label::new("link"), &text);
    }
}

/// A table of several runs: one line each.
pub(super) fn compare(page: &mut Page, records: &[&Record]) {
    page.section("side by side");
    let mut table = Table::new(vec![
        ("run", Side::Left),
        ("verdict", Side::Left),
        ("flows", Side::Right),
        ("goodput", Side::Right),
        ("least", Side::Right),
        ("most", Side::Right),
        ("Jain", Side::Right),
        ("loss", Side::Right),
        ("CPU s/GB", Side::Right),
    ]);
    for record in records {
        let rates: Vec<f64> = record.flows.iter().filter_map(|flow| flow.goodput_bits_per_s).collect();
        let least = rates.iter().copied().reduce(f64::min);
        let most = rates.iter().copied().reduce(f64::max);
        let name = record.scenario.variant.clone().unwrap_or_else(|| "base".into());
        table.push(vec![
            Cell::plain(page.name(&name)),
            Cell::plain(crate::said::verdict(record).0),
            Cell::plain(count(Some(record.flows.len() as u64))),
            Cell::plain(crate::units::rate(record.totals.goodput_bits_per_s)),
            Cell::plain(crate::units::rate(least)),
            Cell::plain(crate::units::rate(most)),
            Cell::plain(crate::units::about(record.totals.fairness_jain)),
            Cell::plain(percent(record.totals.lost_fraction)),
            Cell::plain(crate::units::about(record.totals.cpu_seconds_per_gigabyte)),
        ]);
    }
    for line in table.lines(&[true; 9], crate::page::HEADING) {
        page.line(&line);
    }
}

/// Most lines of a network on a terminal.
const TOPOLOGY_MAX: usize = 40;
/// Most links with a line.
const LINKS_MAX: usize = 8;
