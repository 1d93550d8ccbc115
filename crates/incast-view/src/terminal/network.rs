//! The network of a run and the second book of its losses; and the answers to its questions.

use incast_core::record::{Answer, Ledger, Network, Record};

use crate::page::{BAD, DOUBTFUL, GOOD, Label, PLAIN, Page};
use crate::table::{Cell, Side, Table};
use crate::text::clean;
use crate::units::{count, difference, percent};

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
    for line in crate::topology::text(network).lines().take(TOPOLOGY_MAX) {
        page.line(&crate::text::cut(line, page.width()));
    }
    if network.cables.len() > TOPOLOGY_MAX {
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

/// Where messages died, as the kernel's counters have it, or the simulator's.
pub(super) fn ledger(page: &mut Page, record: &Record) {
    let Some(ledger) = &record.ledger else { return };
    let who =
        if record.simulation.is_some() { "as the simulator saw it" } else { "by the kernel's counters" };
    page.section(&format!("where packets died, {who}"));
    let mut table = Table::new(vec![
        ("  stage", Side::Left),
        ("packets", Side::Right),
        ("messages", Side::Right),
        ("place", Side::Left),
    ]);
    for stage in ledger.stages.iter().take(STAGES_MAX) {
        let style = if stage.packets + stage.messages > 0 { DOUBTFUL } else { PLAIN };
        let place = crate::text::cut(&clean(&stage.place), page.width().saturating_sub(48).max(16));
        table.push(vec![
            Cell::styled(format!("  {}", clean(&stage.stage).replace('_', " ")), style),
            Cell::styled(count(Some(stage.packets)), style),
            Cell::styled(count(Some(stage.messages)), style),
            Cell::plain(place),
        ]);
    }
    for line in table.lines(&[true; 4], crate::page::HEADING) {
        page.line(&line);
    }
    if ledger.stages.len() > STAGES_MAX {
        page.line("  ... all of them are in the record");
    }
    books(page, ledger);
}

/// Both books: they close, or what is left is said.
fn books(page: &mut Page, ledger: &Ledger) {
    let closes = |left: Option<i64>| match left {
        Some(0) => GOOD,
        Some(_) => BAD,
        None => PLAIN,
    };
    if let (Some(sent), Some(delivered)) = (ledger.sent, ledger.delivered)
        && let Some(left) = ledger.unexplained
    {
        let at_stages: u64 = ledger.stages.iter().map(|stage| stage.messages).sum();
        let text = format!(
            "of datagrams: sent {} = delivered {} + died at the stages {} + unexplained {}",
            count(Some(sent)),
            count(Some(delivered)),
            count(Some(at_stages)),
            difference(Some(left))
        );
        page.words(&Label::new("books").body(closes(Some(left))), &text);
    }
    let packets: Vec<String> = ledger
        .packets
        .iter()
        .map(|account| {
            format!(
                "{} sent {} received {}",
                clean(&account.kind),
                count(Some(account.sent)),
                count(Some(account.received))
            )
        })
        .collect();
    let left = ledger.unexplained_packets;
    if packets.is_empty() && left.unwrap_or(0) == 0 {
        return;
    }
    let said = left.map_or_else(
        || "not closed: packets travelled in trains".into(),
        |left| format!("unexplained {}", difference(Some(left))),
    );
    page.words(&Label::new("packets").body(closes(left)), &format!("{}; {said}", packets.join(", ")));
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
/// Most stages with a line.
const STAGES_MAX: usize = 40;
