//! How long things took: how many fell into each range of times, on logarithmic axes, and the percentiles.

use incast_core::record::{Exchange, ExchangeTimes};

use crate::html::{Html, coordinate};
use crate::plot::Pen;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::report::sheet::{Cell, Sheet};
use crate::said::exchanges as said;
use crate::table::Side;
use crate::units::{count, f64_of};

/// The figure and the table; nothing when no time is known.
pub(super) fn show(html: &mut Html, exchange: &Exchange) {
    let known: Vec<(&str, &ExchangeTimes, String)> = said::times(exchange).collect();
    let drawn: Vec<_> = known.iter().filter(|(_, times, _)| !times.buckets.is_empty()).collect();
    let all = || drawn.iter().flat_map(|(_, times, _)| &times.buckets);
    let real = |us: f64| us.is_finite() && us > 0.0;
    let least = all().map(|bucket| bucket.from_us).filter(|us| real(*us)).fold(f64::INFINITY, f64::min);
    let longest = all().map(|bucket| bucket.to_us).filter(|us| real(*us)).fold(0.0, f64::max);
    let most = all().map(|bucket| bucket.count).max().unwrap_or(0);
    if longest > 0.0 && least.is_finite() {
        let (x, y) = (Axis::log(least, longest), Axis::log_above_zero(1.0, f64_of(most)));
        let legend: Vec<(Pen, String)> =
            drawn.iter().enumerate().map(|(index, (name, ..))| (Pen(index), (*name).to_owned())).collect();
        html.tag("figure").holds(|html| {
            let title = "how many took how long; both axes are logarithmic";
            let frame =
                Frame { title, x: &x, y: &y, height: 200.0, x_title: Some("time, us"), legend: &legend };
            frame.draw(html, |html, area| {
                for (index, (name, times, _)) in drawn.iter().enumerate() {
                    draw(html, name, times, Pen(index), (&x, &y), area);
                }
            });
        });
    }
    if !known.is_empty() {
        table(&known).show(html, "percentiles of times");
    }
}

/// Steps over the ranges; where nothing fell they are at the bottom.
fn draw(html: &mut Html, name: &str, times: &ExchangeTimes, pen: Pen, (x, y): (&Axis, &Axis), area: Area) {
    let bottom = coordinate(area.y(0.0));
    let mut path = String::new();
    let mut before: Option<f64> = None;
    for bucket in &times.buckets {
        let [from, to] = [bucket.from_us, bucket.to_us.max(bucket.from_us)].map(|us| Area::x(x.place(us)));
        let [left, right] = [from, to.max(from + HAIR)].map(coordinate);
        let top = coordinate(area.y(y.place(f64_of(bucket.count))));
        path += &match before {
            Some(end) if from - end < HAIR => format!("V{top}H{right}"),
            Some(end) => format!("V{bottom}M{} {bottom}H{left}V{top}H{right}", coordinate(end)),
            None => format!("M{left} {bottom}V{top}H{right}"),
        };
        before = Some(to.max(from + HAIR));
    }
    path += &format!("V{bottom}");
    let line = html.tag("path").set("class", &pen.line());
    line.set("d", &path).holds(|html| html.tag("title").text(name));
}

fn table(times: &[(&str, &ExchangeTimes, String)]) -> Sheet {
    let numbers = ["count", "no answer", "least", "p50", "p90", "p99", "p99.9", "largest"]
        .map(|name| (name, Side::Right));
    let columns: Vec<(&str, Side)> = std::iter::once(("what took it", Side::Left)).chain(numbers).collect();
    let mut sheet = Sheet::new(&columns);
    for (name, times, beyond) in times {
        let without = Cell::flagged(count(Some(times.without_answer)), times.without_answer > 0);
        let cells = [Cell::plain(name), Cell::plain(count(Some(times.count))), without];
        sheet.push(cells.into_iter().chain(said::quantiles(times, beyond).map(Cell::plain)).collect());
    }
    sheet
}

/// Ranges closer than this touch, and none is thinner.
const HAIR: f64 = 1.5;
