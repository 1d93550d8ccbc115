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
use crate::units::UNKNOWN;

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
        link(html, agreement.measured, measured);
        html.text(&format!(" ({}) and ", measured.world));
        link(html, agreement.simulated, simulated);
        html.text(&format!(" ({})", simulated.world));
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
        ("±", Side::Right),
        ("error from", Side::Left),
        ("expected", Side::Left),
        ("by whom", Side::Left),
    ]);
    for figure in figures {
        let value = |value| said::metric(Some(figure.metric), Some(value));
        let beyond = match (figure.disagreement, figure.error) {
            (Some(part), Some(error)) => part.abs() > error,
            _ => false,
        };
        sheet.push(vec![
            Cell::plain(said::agreement::figure(figure.metric)),
            Cell::plain(figure.of.as_deref().unwrap_or("all")),
            Cell::plain(value(figure.measured)),
            Cell::plain(value(figure.simulated)),
            Cell::marked(signed_percent(figure.disagreement), if beyond { "doubtful" } else { "" }),
            Cell::plain(crate::units::percent(figure.error)),
            Cell::marked(error_from(figure.error_from), "faint"),
            Cell::marked(figure.expected.as_deref().unwrap_or(UNKNOWN), "wide"),
            Cell::marked(figure.source.as_deref().unwrap_or(UNKNOWN), "wide faint"),
        ]);
    }
    sheet
}

fn error_from(from: ErrorFrom) -> String {
    match from {
        ErrorFrom::Nothing => UNKNOWN.to_owned(),
        ErrorFrom::Replicas(replicas) => format!("{replicas} replicas"),
        ErrorFrom::Binomial => "binomial".to_owned(),
        ErrorFrom::ReplicasAndBinomial(replicas) => format!("{replicas} replicas, binomial"),
    }
}

/// Pairs with a table: as many variants as a scenario has, and more than anybody reads.
const PAIRS_MAX: usize = 24;
/// Figures of a pair outside the fold: the whole, and some flows.
const ROWS_MAX: usize = 24;
