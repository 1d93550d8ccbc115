//! A watched path: its account, its delays and its clocks; round trips and losses over time are drawn with
//! everything else that is known over time.

use incast_core::record::{StampReport, StampSpread, StampWindow};

use super::ensemble::Ensemble;
use super::over_time::{PER_CENT, Panel};
use super::sheet::{Cell, Sheet};
use super::totals::fact;
use crate::html::Html;
use crate::plot::trace::{Slice, Trace};
use crate::said;
use crate::table::Side;
use crate::units::time_scale;

/// The section; nothing where no path was watched.
pub(super) fn show(html: &mut Html, stamp: Option<&StampReport>, level: usize) {
    let Some(stamp) = stamp else { return };
    html.heading(level, "Path");
    html.tag("dl").class("facts").holds(|html| {
        fact(html, "reflector", std::slice::from_ref(&stamp.reflector));
        fact(html, "tests", &said::stamp::tests(stamp));
        fact(html, "account", &[said::stamp::account(stamp)]);
        fact(html, "lost", &said::stamp::ways(stamp));
        fact(html, "reflector's clock", &said::stamp::clock(&stamp.clock));
        for fault in &stamp.faults {
            fact(html, "left out", &[said::stamp::left_out(fault)]);
        }
    });
    delays(stamp).show(html, "delays");
    html.note(
        "PDV (RFC 5481): what 99 % exceed the least by; IPDV (RFC 3393): from one test to the next, without sign. \
         Neither needs clocks that agree.",
    );
}

fn delays(stamp: &StampReport) -> Sheet {
    let numbers = said::stamp::SPREAD.map(|name| (name, Side::Right));
    let mut sheet = Sheet::new(&[&[("time", Side::Left)][..], &numbers].concat());
    for (name, numbers) in said::stamp::spreads(stamp) {
        sheet
            .push(std::iter::once(name).chain(numbers.iter().map(String::as_str)).map(Cell::plain).collect());
    }
    sheet
}

/// Round trips, one-way delays and losses, over time.
pub(super) fn panels(stamp: Option<&StampReport>) -> Vec<Panel> {
    let Some(stamp) = stamp else { return Vec::new() };
    let trips = vec![
        trace(stamp, "99 % at most", |window| seconds(window.round_trip.as_ref()?.ns_p99)),
        trace(stamp, "half at most", |window| seconds(window.round_trip.as_ref()?.ns_p50)),
        trace(stamp, "least", |window| seconds(window.round_trip.as_ref()?.ns_min)),
    ];
    let median = |spread: Option<&StampSpread>| spread.and_then(|spread| seconds(spread.ns_p50));
    let ways = vec![
        trace(stamp, "there", |window| median(window.forward.as_ref())),
        trace(stamp, "back", |window| median(window.backward.as_ref())),
    ];
    let loss = vec![trace(stamp, "loss", |window| window.lost_fraction)];
    let mut panels = Vec::new();
    for (what, traces) in [("round trips", trips), ("median delay of each way", ways)] {
        let ensemble = Ensemble::new(("line", "lines"), traces);
        let (least, most) = ensemble.range();
        let scale = time_scale(most.max(-least));
        let title = format!("{what}, {}", scale.unit);
        panels.push(panel(title, ensemble, scale, true));
    }
    if loss.iter().any(|trace| trace.range().1 > 0.0) {
        let title = "lost part of the tests, %".to_owned();
        panels.push(panel(title, Ensemble::new(("line", "lines"), loss), PER_CENT, false));
    }
    panels.retain(|panel| panel.ensemble.traces.iter().any(Trace::is_known));
    panels
}

fn panel(title: String, ensemble: Ensemble, scale: crate::units::Scale, has_legend: bool) -> Panel {
    Panel { title, ensemble, scale, most: None, has_legend, shaded: Vec::new(), shade: "" }
}

fn trace(stamp: &StampReport, name: &str, of: impl Fn(&StampWindow) -> Option<f64>) -> Trace {
    let slices = stamp.windows.iter().map(|window| Slice {
        start_s: window.start_s,
        end_s: window.end_s,
        mean: of(window),
    });
    Trace::new(name, slices)
}

#[expect(clippy::cast_precision_loss, reason = "for drawing: 53 bits are enough")]
fn seconds(ns: i64) -> Option<f64> {
    Some(ns as f64 / 1e9)
}
