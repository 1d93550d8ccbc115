//! Measured beside simulated, and both beside what a paper or a formula says: for every record of a kernel that has a
//! simulated one of the same scenario and variant among those of the page.

use incast_core::agreement::{AgreedFigure, Agreement, ErrorFrom, agreements};
use incast_core::record::Record;

use super::compare::link;
use super::sheet::{Cell, Sheet};
use crate::RecordAt;
use crate::html::Html;
use crate::said;
use crate::said::simulation::signed_percent;
use crate::table::Side;
use crate::text::counted;
use crate::units::{UNKNOWN, percent};

/// A part for each pair; nothing where there is none.
pub(super) fn show(html: &mut Html, records: &[RecordAt<'_>]) {
    let all: Vec<&Record> = records.iter().map(|at| at.record).collect();
    let found = agreements(&all);
    if found.is_empty() {
        return;
    }
    html.heading(2, "Measured, simulated, expected");
    for agreement in found.iter().take(PAIRS_MAX) {
        pair(html, &all, agreement);
    }
    if let Some(more) = found.len().checked_sub(PAIRS_MAX).filter(|more| *more > 0) {
        html.note(&format!("{more} more pairs are not shown."));
    }
    html.note(
        "The disagreement is simulated / measured - 1. Behind ± is half of its 95 % interval, as far as it is known: over replicas of \
         the simulation, or of lost messages as if each were lost alone, which is a lower bound where losses come in runs.",
    );
}

fn pair(html: &mut Html, all: &[&Record], agreement: &Agreement) {
    let (measured, simulated) = (all[agreement.measured], all[agreement.simulated]);
    html.tag("p").class("plot-title").holds(|html| {
        whose(html, agreement.measured, measured);
        html.text(" and ");
        whose(html, agreement.simulated, simulated);
    });
    if let Some(largest) = &agreement.largest {
        html.tag("p").holds(|html| html.tag("strong").text(&said::agreement::largest(largest)));
    }
    let (shown, rest) = agreement.figures.split_at(agreement.figures.len().min(ROWS_MAX));
    table(shown, &measured.world).show(html, "measured, simulated, expected");
    if !rest.is_empty() {
        table(rest, &measured.world).fold(html, &format!("{} more figures", rest.len()));
    }
}

fn table(figures: &[AgreedFigure], world: &str) -> Sheet {
    let measured = format!("measured ({world})");
    let mut sheet = Sheet::new(&[
        ("figure", Side::Left),
        ("of", Side::Left),
        (measured.as_str(), Side::Right),
        ("simulated", Side::Right),
        ("disagreement", Side::Right),
        ("± (from)", Side::Left),
        ("expected", Side::Left),
        ("by whom", Side::Left),
    ]);
    for figure in figures {
        let value = |value| said::metric(Some(figure.metric), Some(value));
        // Where only one of the two worlds has an error, nothing follows from it.
        let both = matches!(figure.error_from, ErrorFrom::Binomial | ErrorFrom::ReplicasAndBinomial(_));
        let beyond = figure.disagreement.zip(figure.error).is_some_and(|(part, error)| part.abs() > error);
        sheet.push(vec![
            Cell::plain(said::agreement::figure(figure.metric)),
            Cell::plain(figure.of.as_deref().unwrap_or("all")),
            Cell::plain(value(figure.measured)),
            Cell::plain(value(figure.simulated)),
            Cell::marked(signed_percent(figure.disagreement), if both && beyond { "doubtful" } else { "" }),
            Cell::marked(error(figure), "faint"),
            Cell::marked(figure.expected.as_deref().unwrap_or(UNKNOWN), "wide"),
            Cell::marked(figure.source.as_deref().unwrap_or(UNKNOWN), "wide faint"),
        ]);
    }
    sheet
}

/// `0.668 % (20 replicas, binomial)`.
fn error(figure: &AgreedFigure) -> String {
    let from = match figure.error_from {
        ErrorFrom::Nothing => return UNKNOWN.to_owned(),
        ErrorFrom::Replicas(replicas) => format!("{replicas} replicas"),
        ErrorFrom::Binomial => "binomial".to_owned(),
        ErrorFrom::ReplicasAndBinomial(replicas) => format!("{replicas} replicas, binomial"),
    };
    format!("{} ({from})", percent(figure.error))
}

/// A record with its world, and how far to trust it.
fn whose(html: &mut Html, index: usize, record: &Record) {
    link(html, index, record);
    let doubts = match record.caveats.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "doubt", "doubts")),
    };
    html.text(&format!(" ({}: {}{doubts})", record.world, said::verdict(record).0));
}

/// Pairs with a table: as many variants as a scenario has, and more than anybody reads.
const PAIRS_MAX: usize = 24;
/// Figures of a pair outside the fold: the whole, and some flows.
const ROWS_MAX: usize = 24;
