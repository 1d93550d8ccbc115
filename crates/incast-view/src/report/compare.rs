//! Several records side by side: how each ended, what each delivered, and every flow they have in common.

use incast_core::record::{Flow, Record};

use super::sheet::{Cell, Sheet};
use super::stacked::{self, Piece, Row};
use super::{agreement, anchor, judgement, name, readout, sharing};
use crate::RecordAt;
use crate::html::Html;
use crate::said;
use crate::table::Side;
use crate::text::counted;
use crate::units::{about, count, percent, rate, seconds};

/// The overview: a row for each record, the shares of its flows, the flows in common.
pub(super) fn show(html: &mut Html, records: &[RecordAt<'_>]) {
    html.heading(1, &format!("{} side by side", counted(records.len(), "record", "records")));
    agreement::show(html, records);
    readout::compare(html, records);
    let is_flood = |at: &RecordAt<'_>| at.record.readout.is_none() || !at.record.flows.is_empty();
    if records.iter().any(is_flood) {
        table(records).show(html, "records side by side");
        shares(html, records);
        common(html, records);
    }
}

/// The link to the section of a record, with its name.
pub(super) fn link(html: &mut Html, index: usize, record: &Record) {
    html.tag("a").set("href", &format!("#{}", anchor(index + 1))).text(&label(record));
}

fn table(records: &[RecordAt<'_>]) -> Sheet {
    let words = ["", "record", "verdict"].map(|name| (name, Side::Left));
    let counts = ["doubts", "flows"].map(|name| (name, Side::Right));
    let has_throughput = |at: &RecordAt<'_>| {
        at.record.totals.throughput_bits_per_s.or(at.record.totals.throughput_fraction).is_some()
    };
    let throughput: &[(&str, Side)] = if records.iter().any(has_throughput) {
        &[("throughput", Side::Right), ("of full load", Side::Right)]
    } else {
        &[]
    };
    let numbers = ["offered load", "goodput", "loss", "Jain's index", "CPU s per GB", "duration", "seed"]
        .map(|name| (name, Side::Right));
    let whence = ["began", "world"].map(|name| (name, Side::Left));
    let mut sheet = Sheet::new(&[&words[..], &counts, throughput, &numbers, &whence].concat());
    for (index, at) in records.iter().enumerate() {
        let record = at.record;
        let totals = &record.totals;
        let mut row = vec![
            Cell::plain((index + 1).to_string()),
            Cell::drawn("wide", |html| link(html, index, record)),
            Cell::marked(said::verdict(record).0, judgement::class(record.verdict)),
            Cell::marked(
                record.caveats.len().to_string(),
                if record.caveats.is_empty() { "" } else { "doubtful" },
            ),
            Cell::plain(record.flows.len().to_string()),
        ];
        if !throughput.is_empty() {
            row.push(Cell::plain(rate(totals.throughput_bits_per_s)));
            row.push(Cell::plain(percent(totals.throughput_fraction)));
        }
        row.extend([
            Cell::plain(rate(totals.offered_load_bits_per_s)),
            Cell::plain(rate(totals.goodput_bits_per_s)),
            Cell::flagged(percent(totals.lost_fraction), totals.lost_fraction > Some(0.0)),
            Cell::plain(about(totals.fairness_jain)),
            Cell::plain(about(totals.cpu_seconds_per_gigabyte)),
            Cell::plain(seconds(totals.duration_s)),
            Cell::plain(count(Some(record.scenario.seed))),
            Cell::plain(record.started_at.clone().unwrap_or_default()),
            Cell::plain(&record.world),
        ]);
        sheet.push(row);
    }
    sheet
}

/// What a record is called beside others: its scenario and its variant; the title stands in its section.
fn label(record: &Record) -> String {
    let scenario = &record.scenario;
    let name = if scenario.name.trim().is_empty() { name(record) } else { scenario.name.clone() };
    let variant = scenario.variant.as_ref().map(|variant| format!(", {variant}")).unwrap_or_default();
    format!("{name}{variant}")
}

/// What tells a record from others of its kind: its variant, else its scenario.
pub(super) fn short(record: &Record) -> &str {
    record.scenario.variant.as_deref().unwrap_or(&record.scenario.name)
}

/// Names of flows in the order in which they come first.
fn flow_names<'r>(records: &[RecordAt<'r>]) -> Vec<&'r str> {
    let mut names: Vec<&str> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    for flow in records.iter().flat_map(|at| &at.record.flows) {
        if known.insert(flow.name.as_str()) {
            names.push(&flow.name);
        }
    }
    names
}

/// A bar for each record, cut into the goodputs of its flows.
fn shares(html: &mut Html, records: &[RecordAt<'_>]) {
    let rows: Vec<Row<'_>> = records.iter().enumerate().map(|(index, at)| share(index, at.record)).collect();
    if rows.iter().all(|row| row.length() <= 0.0) {
        return;
    }
    html.heading(2, "Goodput of each record, flow by flow");
    if !stacked::show(html, "goodput of each record, flow by flow", &rows) {
        html.note("Each piece of a bar is a flow; flows are in the order of their record.");
    }
}

/// The goodputs of the flows of a record.
fn share(index: usize, record: &Record) -> Row<'_> {
    let flows = record.flows.iter();
    let pieces: Vec<Piece<'_>> = flows
        .map(|flow| Piece {
            name: &flow.name,
            amount: goodput(flow).unwrap_or(0.0),
            said: rate(flow.goodput_bits_per_s),
        })
        .collect();
    let said = format!("{} in sum", rate(Some(pieces.iter().map(|piece| piece.amount).sum())));
    Row { label: format!("{}. {}", index + 1, short(record)), said, pieces }
}

fn goodput(flow: &Flow) -> Option<f64> {
    flow.goodput_bits_per_s.filter(|goodput| goodput.is_finite() && *goodput > 0.0)
}

/// Every flow that is in at least two records: its goodput and its loss in each.
fn common(html: &mut Html, records: &[RecordAt<'_>]) {
    let find = |record: &'_ Record, name: &str| record.flows.iter().position(|flow| flow.name == name);
    let mut columns = vec![("flow".to_owned(), Side::Left)];
    for index in 1..=records.len() {
        columns.push((format!("goodput {index}"), Side::Right));
    }
    columns.extend((1..=records.len()).map(|index| (format!("loss {index}"), Side::Right)));
    let mut sheet = Sheet::with(columns);
    for name in flow_names(records) {
        let flows: Vec<Option<&Flow>> =
            records.iter().map(|at| find(at.record, name).map(|index| &at.record.flows[index])).collect();
        if flows.iter().flatten().count() < 2 {
            continue;
        }
        let most = flows.iter().flatten().filter_map(|flow| goodput(flow)).fold(0.0, f64::max);
        let rates = flows.iter().map(|flow| {
            Cell::drawn("compared", |html| {
                html.text(&rate(flow.and_then(|flow| flow.goodput_bits_per_s)));
                let part = flow.and_then(goodput).map_or(0.0, |goodput| goodput / most);
                sharing::bar(html, part, None, "fill c0");
            })
        });
        let losses = flows.iter().map(|flow| {
            let loss = flow.and_then(|flow| flow.lost_fraction);
            Cell::flagged(percent(loss), loss > Some(0.0))
        });
        sheet.push(std::iter::once(Cell::plain(name)).chain(rates).chain(losses).collect());
    }
    if sheet.is_empty() {
        html.note("The records have no flow in common.");
        return;
    }
    html.heading(2, "Flows in common");
    html.note("The number behind each column is that of the record. Bars compare the records within a row.");
    sheet.show(html, "flows in common");
}
