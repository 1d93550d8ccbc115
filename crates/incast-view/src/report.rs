//! The report on one record or several: one HTML file that needs nothing else.
//!
//! It loads nothing and runs nothing: no script, no font, no picture from elsewhere, and a content
//! security policy (the `meta` element) that forbids them, so that even a mistake here could not
//! fetch anything. Tooltips are SVG titles; what can be folded is `details`. The style sheet knows
//! light, dark, paper and narrow screens. Every number is one of a record; what is drawn (shares of
//! a bar, places along an axis) is the only arithmetic.

mod agreement;
mod answers;
mod asked;
mod cables;
mod campaign;
mod compare;
mod ensemble;
mod exchanges;
mod flows;
mod hosts;
mod judgement;
mod ladder;
mod ledger;
mod loss_runs;
mod over_time;
mod parts;
mod probe;
mod readout;
mod sharing;
mod sheet;
mod simulation;
mod stacked;
mod stamp;
mod switch_test;
#[cfg(test)]
mod tests;
mod topology;
mod totals;

pub use campaign::campaign;
use incast_core::record::Record;

use crate::RecordAt;
use crate::html::Html;
use crate::said;
use crate::text::counted;
use crate::units::UNKNOWN;

/// The report on `records` as one HTML document: side by side if there are several, then each.
///
/// It shows any record, however little is known in it and whatever a peer called itself.
#[must_use]
pub fn html(records: &[RecordAt<'_>]) -> String {
    let title = match records {
        [only] => name(only.record),
        several => counted(several.len(), "record", "records"),
    };
    document(&title, &counted(records.len(), "record", "records"), |html| match records {
        [] => html.heading(1, "No records"),
        [only] => record(html, only, 1, 1),
        several => {
            compare::show(html, several);
            for (index, at) in several.iter().enumerate() {
                html.tag("section")
                    .set("id", &anchor(index + 1))
                    .holds(|html| record(html, at, index + 1, 2));
            }
        }
    })
}

/// A document with this title, made from `what`, around its content.
fn document(title: &str, what: &str, content: impl FnOnce(&mut Html)) -> String {
    let mut html = Html::default();
    html.fixed("<!doctype html>\n<html lang=\"en\">\n");
    head(&mut html, title);
    html.tag("body").holds(|html| {
        html.tag("main").holds(|html| {
            content(html);
            footer(html, what);
        });
    });
    html.fixed("\n</html>\n");
    html.into_text()
}

fn head(html: &mut Html, title: &str) {
    html.tag("head").holds(|html| {
        html.tag("meta").set("charset", "utf-8").void();
        html.tag("meta").set("http-equiv", "Content-Security-Policy").set("content", POLICY).void();
        html.tag("meta").set("name", "viewport").set("content", "width=device-width, initial-scale=1").void();
        html.tag("meta").set("name", "color-scheme").set("content", "light dark").void();
        html.tag("title").text(&format!("{title} - incast"));
        html.fixed(concat!("<style>\n", include_str!("report/style.css"), "</style>\n"));
    });
}

/// One record, from its verdict to where it was made.
fn record(html: &mut Html, at: &RecordAt<'_>, number: usize, level: usize) {
    let record = at.record;
    title(html, at, number, level);
    judgement::show(html, record);
    // A readout without flows measured no messages: there is nothing to show of them.
    let others = record.readout.is_some() || record.stamp.is_some() || !record.exchanges.is_empty();
    let has_flows = !others || !record.flows.is_empty();
    readout::tiles(html, record.readout.as_ref());
    if has_flows {
        totals::tiles(html, record);
    }
    let part = level + 1;
    answers::show(html, record, part);
    readout::show(html, record.readout.as_ref(), part);
    ladder::show(html, record.ladder.as_ref(), part);
    stamp::show(html, record.stamp.as_ref(), part);
    exchanges::show(html, record, part);
    switch_test::show(html, record.switch_test.as_ref(), part);
    probe::show(html, record.probe.as_ref(), part);
    topology::show(html, record, part);
    asked::show(html, &record.scenario, part);
    if has_flows {
        flows::show(html, record, part);
        totals::show(html, record, part);
    }
    over_time::show(html, record, part);
    simulation::show(html, record, part);
    if has_flows || record.ledger.is_some() {
        ledger::show(html, record, part);
    }
    loss_runs::show(html, record, part);
    sharing::show(html, record, part);
    cables::show(html, record, part);
    judgement::expectations(html, record, part);
    hosts::show(html, record, part);
}

/// What run it was, when and where.
fn title(html: &mut Html, at: &RecordAt<'_>, number: usize, level: usize) {
    let record = at.record;
    let number = if level == 1 { String::new() } else { format!("{number}. ") };
    html.heading(level, &format!("{number}{}", name(record)));
    let scenario = &record.scenario;
    let shown = if scenario.title.is_some() { scenario.name.clone() } else { String::new() };
    let parts = [
        shown,
        scenario.variant.as_ref().map(|variant| format!("variant {variant}")).unwrap_or_default(),
        record.started_at.as_ref().map(|at| format!("began {at}")).unwrap_or_default(),
        if record.world.is_empty() { String::new() } else { format!("world: {}", record.world) },
        format!("seed {}", scenario.seed),
        at.place.to_owned(),
    ];
    html.tag("p").class("when").text(&said::listed(parts));
}

fn footer(html: &mut Html, what: &str) {
    let version = env!("CARGO_PKG_VERSION");
    html.tag("footer").text(&format!(
        "Made by incast {version} from {what}. Unknown numbers are shown as {UNKNOWN}, never as 0."
    ));
}

/// What a record is called: what it shows, else its scenario, with its variant.
fn name(record: &Record) -> String {
    let scenario = &record.scenario;
    let name = scenario.title.as_ref().unwrap_or(&scenario.name);
    if name.trim().is_empty() { UNKNOWN.to_owned() } else { name.clone() }
}

/// Where the section of a record is on the page.
fn anchor(number: usize) -> String {
    format!("record-{number}")
}

/// Nothing is loaded and nothing runs; the style sheet in the page is all there is.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
