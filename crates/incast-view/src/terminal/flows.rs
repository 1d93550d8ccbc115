//! The table of flows: who sent what to whom, and what became of it.
//!
//! A page is narrower than all columns, so some are left out. What is the same for every flow goes
//! first and is said once below the table; then what matters least, by the rank of its column. Of
//! very many flows the slowest and the fastest are shown. Whatever is missing is named.

use anstyle::Style;
use incast_core::record::Flow;

use crate::page::{BAD, DOUBTFUL, FAINT, HEADING, Label, PLAIN, Page, shown_name};
use crate::said::transport::transport;
use crate::table::{Cell, GAP, Side, Table};
use crate::text::wrap;
use crate::units::{bytes, count, difference, percent, rate};

/// The table of flows, and what is left out of it.
pub(super) fn show(page: &mut Page, flows: &[Flow]) {
    page.line("");
    if flows.is_empty() {
        page.line("no flows");
        return;
    }
    let shown_flows = choose(flows);
    let mut table = Table::new(COLUMNS.iter().map(|column| (column.header, column.side)).collect());
    for index in &shown_flows {
        table.push(row(page, &flows[*index]));
    }
    let same = same_for_all(page, flows);
    let shown = fit(&table.widths(), &same, page.width());
    let mut lines = table.lines(&shown, HEADING);
    let left_out = flows.len() - shown_flows.len();
    if left_out > 0 {
        let what =
            format!("... {left_out} flows between the {ENDS} slowest and the {ENDS} fastest are left out");
        lines.splice(1 + ENDS..1 + ENDS, wrap(&[what], page.width()));
    }
    lines.iter().for_each(|line| page.line(line));
    notes(page, &shown, &same, flows.len());
}

/// Which flows are shown: all in their order, or of too many the slowest and then the fastest.
/// A flow of unknown goodput counts as slow: something is wrong with it.
fn choose(flows: &[Flow]) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..flows.len()).collect();
    if flows.len() > FLOWS_MAX {
        let goodput = |index: usize| flows[index].goodput_bits_per_s.filter(|rate| rate.is_finite());
        let speed = |index: usize| goodput(index).unwrap_or(f64::NEG_INFINITY);
        indices.sort_by(|one, other| speed(*one).total_cmp(&speed(*other)));
        indices.drain(ENDS..flows.len() - ENDS);
    }
    indices
}

fn row(page: &Page, flow: &Flow) -> Vec<Cell> {
    COLUMNS.iter().map(|column| (column.cell)(flow, page.name_cells())).collect()
}

/// For each column the text that all flows have in it, shown or not; `None` where they differ.
fn same_for_all(page: &Page, flows: &[Flow]) -> Vec<Option<String>> {
    let same = |column: &Column| {
        // Names that look the same when they are cut are not the same.
        let mut uncut = flows.iter().map(|flow| (column.cell)(flow, usize::MAX).text);
        let first = uncut.next()?;
        let shown = (column.cell)(flows.first()?, page.name_cells()).text;
        uncut.all(|text| text == first).then_some(shown)
    };
    COLUMNS.iter().map(same).collect()
}

/// Which columns are shown, so that the table is not wider than `room`.
fn fit(widths: &[usize], same: &[Option<String>], room: usize) -> Vec<bool> {
    let mut shown = vec![true; widths.len()];
    let needs = |shown: &[bool]| {
        let columns = widths.iter().zip(shown).filter(|(_, shown)| **shown);
        columns.fold(0, |sum, (cells, _)| sum + cells + GAP.len()).saturating_sub(GAP.len())
    };
    let said_once = |index: &usize| COLUMNS[*index].may_be_said_once && same[*index].is_some();
    let mut order: Vec<usize> = (0..widths.len()).filter(|index| COLUMNS[*index].rank < KEPT).collect();
    order.sort_by_key(|index| (!said_once(index), COLUMNS[*index].rank));
    for index in &order {
        if needs(&shown) > room {
            shown[*index] = false;
        }
    }
    // A wide column that had to go may have made room for a narrow one that went before it.
    for index in order.iter().rev() {
        if !shown[*index] {
            shown[*index] = true;
            shown[*index] = needs(&shown) <= room;
        }
    }
    shown
}

/// Below the table: what every flow has in common, and what was left out.
fn notes(page: &mut Page, shown: &[bool], same: &[Option<String>], flows: usize) {
    let hidden = COLUMNS.iter().zip(same).zip(shown).filter(|(_, shown)| !**shown).map(|(column, _)| column);
    let (said, unsaid): (Vec<_>, Vec<_>) = hidden.partition(|(_, same)| same.is_some());
    let said: Vec<String> = said
        .iter()
        .filter_map(|(column, same)| Some(format!("{} {}", column.header, same.as_ref()?)))
        .collect();
    let whose = if flows == 1 { "also" } else { "each" };
    if !said.is_empty() {
        page.items(&Label::new(whose).style(FAINT), &said);
    }
    if !unsaid.is_empty() {
        let names = unsaid.iter().map(|(column, _)| column.header).collect::<Vec<_>>().join(", ");
        let what = format!("in the record, but too wide for {} columns: {names}", page.width());
        page.words(&Label::new("not here").style(FAINT).body(FAINT), &what);
    }
}

/// One column of the table.
struct Column {
    header: &'static str,
    side: Side,
    /// Columns of a lower rank go first when there is no room; [`KEPT`] stays.
    rank: u8,
    /// Whether it goes before all others when every flow has the same: rates and counts that are
    /// looked at together do not.
    may_be_said_once: bool,
    /// The cell of a flow, with names of at most so many cells.
    cell: fn(&Flow, usize) -> Cell,
}

const fn words(header: &'static str, rank: u8, cell: fn(&Flow, usize) -> Cell) -> Column {
    Column { header, side: Side::Left, rank, may_be_said_once: true, cell }
}

const fn numbers(header: &'static str, rank: u8, cell: fn(&Flow, usize) -> Cell) -> Column {
    Column { header, side: Side::Right, rank, may_be_said_once: false, cell }
}

const fn mostly_same(header: &'static str, rank: u8, cell: fn(&Flow, usize) -> Cell) -> Column {
    Column { header, side: Side::Right, rank, may_be_said_once: true, cell }
}

const COLUMNS: [Column; 13] = [
    words("flow", KEPT, |flow, cells| Cell::plain(shown_name(&flow.name, cells))),
    words("from -> to", 2, |flow, cells| {
        Cell::plain(format!("{} -> {}", shown_name(&flow.from, cells), shown_name(&flow.to, cells)))
    }),
    words("transport", 0, |flow, _| Cell::plain(transport(flow))),
    mostly_same("message", 1, |flow, _| Cell::plain(bytes(Some(u64::from(flow.message_bytes))))),
    numbers("offered load", 4, |flow, _| Cell::plain(rate(flow.offered_load_bits_per_s))),
    numbers("goodput", KEPT, |flow, _| Cell::plain(rate(flow.goodput_bits_per_s))),
    numbers("sent", 7, |flow, _| Cell::plain(count(flow.messages.sent))),
    numbers("received", 3, |flow, _| Cell::plain(count(flow.messages.received))),
    numbers("lost", 9, |flow, _| flagged(flow.messages.lost, DOUBTFUL)),
    numbers("loss", 8, |flow, _| {
        Cell::styled(
            percent(flow.lost_fraction),
            if flow.lost_fraction > Some(0.0) { DOUBTFUL } else { PLAIN },
        )
    }),
    mostly_same("duplicate", 5, |flow, _| flagged(flow.messages.duplicate, DOUBTFUL)),
    mostly_same("reordered", 6, |flow, _| flagged(flow.messages.reordered, DOUBTFUL)),
    mostly_same("unexplained", 10, |flow, _| {
        let unexplained = flow.messages.unexplained;
        Cell::styled(
            difference(unexplained),
            if unexplained.is_some_and(|open| open != 0) { BAD } else { PLAIN },
        )
    }),
];

/// A count that draws the eye when it is not 0.
fn flagged(value: Option<u64>, style: Style) -> Cell {
    Cell::styled(count(value), if value > Some(0) { style } else { PLAIN })
}

/// The rank of the columns that always stay.
const KEPT: u8 = u8::MAX;
/// Most flows of which all are shown: more than a screen is not looked at.
const FLOWS_MAX: usize = 40;
/// How many of the slowest, and of the fastest, are shown of more.
const ENDS: usize = 10;
