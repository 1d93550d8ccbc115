//! Each round and how long it took: a point for each, by its number.

use incast_core::record::{Exchange, ExchangePoint};

use crate::html::{Html, coordinate};
use crate::plot::Pen;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::units::{Scale, f64_of, time_scale};

/// The figure; nothing for fewer than two rounds.
pub(super) fn show(html: &mut Html, exchange: &Exchange) {
    let took = |point: &ExchangePoint| point.took_us.filter(|us| us.is_finite() && *us > 0.0);
    let known: Vec<(f64, f64)> = exchange
        .points
        .iter()
        .filter_map(|point| Some((f64_of(point.number.into()), took(point)? / 1e6)))
        .collect();
    let Some(last) = exchange.points.iter().map(|point| f64_of(point.number.into())).reduce(f64::max) else {
        return;
    };
    if known.len() < 2 {
        return;
    }
    let [least, most] = [f64::min, f64::max].map(|pick: fn(f64, f64) -> f64| {
        known.iter().map(|(_, seconds)| *seconds).reduce(pick).unwrap_or(0.0)
    });
    let scale = time_scale(most);
    // Where the slowest takes a hundred times the fastest, a linear axis shows the slowest alone.
    let is_wide = most > least * WIDE;
    let y = if is_wide { Axis::log(least * 1e6, most * 1e6) } else { Axis::rounded(0.0, most, scale) };
    let unit = if is_wide { "us, logarithmic" } else { scale.unit };
    let x = Axis::exact(0.0, last.max(1.0), PLAIN);
    html.tag("figure").holds(|html| {
        let title = format!("how long each round took, {unit}");
        let frame = Frame {
            title: &title,
            x: &x,
            y: &y,
            height: 170.0,
            x_title: Some("number of the round"),
            legend: &[],
        };
        frame.draw(html, |html, area| {
            let dots: String = known
                .iter()
                .map(|(number, seconds)| {
                    let value = if is_wide { seconds * 1e6 } else { *seconds };
                    let [across, up] = [Area::x(x.place(*number)), area.y(y.place(value))].map(coordinate);
                    format!("M{across} {up}h0")
                })
                .collect();
            let hair = if known.len() > CROWD { " hair" } else { "" };
            let path = html.tag("path").set("class", &format!("{}{hair} dots", Pen(0).line()));
            path.set("d", &dots).holds(|html| html.tag("title").text("a round"));
        });
    });
    let unanswered = exchange.points.iter().filter(|point| took(point).is_none()).count();
    if unanswered > 0 {
        html.note(&format!(
            "{unanswered} of the rounds shown were never wholly answered: they have no point."
        ));
    }
    if exchange.rounds.is_some_and(|rounds| rounds > u64::try_from(exchange.points.len()).unwrap_or(0)) {
        html.note("There were more rounds than points: one of 2, 4, 8, ... is shown. The histogram has all.");
    }
}

/// Slowest over fastest from which the axis is logarithmic.
const WIDE: f64 = 30.0;
/// So many points need smaller ones.
const CROWD: usize = 200;
const PLAIN: Scale = Scale { factor: 1.0, unit: "" };
