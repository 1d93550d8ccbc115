//! The tables of a simulation, each with the few rows that matter most; the record has all.

use incast_core::record::{DelayPart, DropPlace, Estimate, QueueHistory, ReplicaFigure};

use crate::page::{DOUBTFUL, FAINT, Label, PLAIN, Page};
use crate::said::simulation as said;
use crate::table::{Cell, KEPT, Side, Table};
use crate::terminal::readout::put;
use crate::text::{clean, counted, cut};
use crate::units::{bytes, count, microseconds, number, percent, seconds};

/// The fullest queues.
pub(super) fn queues(page: &mut Page, queues: &[QueueHistory]) {
    const COLUMNS: [(&str, Side, u8); 9] = [
        ("  place", Side::Left, KEPT),
        ("most", Side::Right, 7),
        ("mean", Side::Right, 3),
        ("of", Side::Right, 5),
        ("wait, mean", Side::Right, 4),
        ("wait, p99", Side::Right, 2),
        ("busy", Side::Right, 1),
        ("packets", Side::Right, 0),
        ("dropped", Side::Right, KEPT),
    ];
    let row = |queue: &QueueHistory| {
        let style = if queue.dropped_packets > 0 { DOUBTFUL } else { PLAIN };
        let wait = queue.wait_us.as_ref();
        let capacity = queue.capacity_bytes.map_or_else(|| "no bound".to_owned(), |bound| bytes(Some(bound)));
        vec![
            name(&queue.place),
            Cell::plain(bytes(Some(queue.bytes_max))),
            Cell::plain(said::mean_bytes(queue.bytes_mean)),
            Cell::plain(capacity),
            Cell::plain(microseconds(queue.wait_us_mean)),
            Cell::plain(microseconds(wait.and_then(|wait| wait.us_p99))),
            Cell::plain(percent(queue.busy)),
            Cell::plain(count(Some(queue.packets))),
            Cell::styled(count(Some(queue.dropped_packets)), style),
        ]
    };
    show(page, "the fullest queues", &COLUMNS, queues.iter().map(row), ("queue", "queues"));
}

/// Where packets died, and why.
pub(super) fn drops(page: &mut Page, drops: &[DropPlace]) {
    const COLUMNS: [(&str, Side, u8); 6] = [
        ("  place", Side::Left, KEPT),
        ("cause", Side::Left, 3),
        ("packets", Side::Right, KEPT),
        ("bytes", Side::Right, 2),
        ("first", Side::Right, 1),
        ("last", Side::Right, 0),
    ];
    let row = |drop: &DropPlace| {
        vec![
            name(&drop.place),
            Cell::plain(cut(&said::words(&drop.cause), CAUSE_CELLS)),
            Cell::styled(count(Some(drop.packets)), DOUBTFUL),
            Cell::plain(bytes(Some(drop.bytes))),
            Cell::plain(seconds(Some(drop.first_s))),
            Cell::plain(seconds(Some(drop.last_s))),
        ]
    };
    show(page, "where packets died, and why", &COLUMNS, drops.iter().map(row), ("place", "places"));
}

/// Delays, whole and in parts.
pub(super) fn delays(page: &mut Page, delays: &[DelayPart]) {
    const COLUMNS: [(&str, Side, u8); 7] = [
        ("  delay of", Side::Left, KEPT),
        ("part", Side::Left, KEPT),
        ("count", Side::Right, 0),
        ("p50", Side::Right, 2),
        ("p99", Side::Right, 4),
        ("p99.9", Side::Right, 3),
        ("largest", Side::Right, 1),
    ];
    let mut before = "";
    let row = |delay: &DelayPart| {
        let owner = if said::is_whole(delay) { clean(&delay.of) } else { String::new() };
        let quantiles = [delay.us.us_p50, delay.us.us_p99, delay.us.us_p999, delay.us.us_max];
        let cells = [
            Cell::plain(format!("  {}", cut(&owner, NAME_CELLS))),
            Cell::plain(cut(&clean(&delay.part), CAUSE_CELLS)),
            Cell::plain(count(Some(delay.us.count))),
        ];
        cells.into_iter().chain(quantiles.map(|us| Cell::plain(microseconds(us)))).collect()
    };
    // So many owners that all of their parts are shown.
    let mut owners = 0;
    let shown = delays.iter().take_while(|delay| {
        if said::is_whole(delay) || delay.of != before {
            owners += 1;
        }
        before = &delay.of;
        owners <= OWNERS_MAX
    });
    let shown: Vec<&DelayPart> = shown.collect();
    let mut table = Table::new(COLUMNS.map(|(header, side, _)| (header, side)).to_vec());
    shown.iter().for_each(|delay| table.push(row(delay)));
    if shown.is_empty() {
        return;
    }
    put(page, "delay and its parts", &table, &COLUMNS.map(|(.., rank)| rank));
    left_out(page, delays.len() - shown.len(), ("part", "parts"));
}

/// Figures that differ between replicas; of the others there is nothing to say but that.
pub(super) fn replicas(page: &mut Page, replicas: &[ReplicaFigure]) {
    const COLUMNS: [(&str, Side, u8); 6] = [
        ("  figure", Side::Left, KEPT),
        ("mean", Side::Right, KEPT),
        ("95 % interval", Side::Right, 4),
        ("least", Side::Right, 2),
        ("most", Side::Right, 2),
        ("replicas", Side::Right, 1),
    ];
    let (varying, same): (Vec<&ReplicaFigure>, Vec<&ReplicaFigure>) =
        replicas.iter().partition(|figure| said::varies(figure));
    let row = |figure: &&ReplicaFigure| {
        vec![
            Cell::plain(format!("  {}", cut(&clean(&figure.name), FIGURE_CELLS))),
            Cell::plain(number(Some(figure.mean))),
            Cell::plain(said::half_width(figure)),
            Cell::plain(number(Some(figure.least))),
            Cell::plain(number(Some(figure.most))),
            Cell::plain(count(Some(u64::from(figure.replicas)))),
        ]
    };
    let title = "the same under other seeds";
    let mut table = Table::new(COLUMNS.map(|(header, side, _)| (header, side)).to_vec());
    varying.iter().take(FIGURES_MAX).for_each(|figure| table.push(row(figure)));
    if !varying.is_empty() {
        put(page, title, &table, &COLUMNS.map(|(.., rank)| rank));
        left_out(page, varying.len().saturating_sub(FIGURES_MAX), ("figure", "figures"));
    } else if !same.is_empty() {
        page.section(title);
    }
    if let Some(first) = same.first() {
        let what = counted(same.len(), "figure is", "figures are");
        let text = format!("{what} the same in all {} replicas", first.replicas);
        page.words(&Label::none().body(FAINT), &text);
    }
}

/// What formulas say beside what was simulated.
pub(super) fn estimates(page: &mut Page, estimates: &[Estimate]) {
    const COLUMNS: [(&str, Side, u8); 5] = [
        ("  estimate", Side::Left, KEPT),
        ("by formula", Side::Right, KEPT),
        ("simulated", Side::Right, KEPT),
        ("disagreement", Side::Right, 1),
        ("source", Side::Left, 0),
    ];
    let row = |estimate: &Estimate| {
        let far = estimate.disagreement.is_some_and(|part| part.abs() > said::DISAGREEMENT_FAR);
        let style = if far { DOUBTFUL } else { PLAIN };
        vec![
            Cell::plain(format!("  {}", cut(&clean(&estimate.name), FIGURE_CELLS))),
            Cell::plain(number(Some(estimate.estimated))),
            Cell::plain(number(estimate.simulated)),
            Cell::styled(said::signed_percent(estimate.disagreement), style),
            Cell::plain(cut(&clean(&estimate.source), SOURCE_CELLS)),
        ]
    };
    let title = "formulas beside the simulation";
    show(page, title, &COLUMNS, estimates.iter().map(row), ("estimate", "estimates"));
}

/// A table of the first rows, and how many there are more.
fn show(
    page: &mut Page,
    title: &str,
    columns: &[(&'static str, Side, u8)],
    rows: impl ExactSizeIterator<Item = Vec<Cell>>,
    nouns: (&str, &str),
) {
    let all = rows.len();
    let mut table = Table::new(columns.iter().map(|(header, side, _)| (*header, *side)).collect());
    rows.take(ROWS_MAX).for_each(|row| table.push(row));
    if all > 0 {
        put(page, title, &table, &columns.iter().map(|(.., rank)| *rank).collect::<Vec<_>>());
        left_out(page, all.saturating_sub(ROWS_MAX), nouns);
    }
}

fn left_out(page: &mut Page, more: usize, (one, several): (&str, &str)) {
    if more > 0 {
        let one = format!("more {one}");
        let text = format!("{} in the record", counted(more, &one, &format!("more {several}")));
        page.words(&Label::none().body(FAINT), &text);
    }
}

fn name(place: &str) -> Cell {
    Cell::plain(format!("  {}", cut(&clean(place), NAME_CELLS)))
}

/// Rows of queues, of places and of estimates.
const ROWS_MAX: usize = 8;
/// Owners of delays; each has five rows.
const OWNERS_MAX: usize = 4;
/// Figures of replicas: a scenario's metrics and expectations, without those that are the same in all.
const FIGURES_MAX: usize = 20;
/// `port of muxh-32 to rn` fits, and at 40 columns a number beside it.
const NAME_CELLS: usize = 22;
const CAUSE_CELLS: usize = 12;
const FIGURE_CELLS: usize = 24;
const SOURCE_CELLS: usize = 40;
