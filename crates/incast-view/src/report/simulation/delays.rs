//! The delay of messages: its parts as bars, how it is distributed, and the percentiles.
//!
//! The distributions have quantiles and no mean, so a bar is made of the medians of the parts. Medians need not sum to the
//! median of the whole, and the page says so.

use incast_core::record::{DelayPart, Record, TimeDistribution};

use crate::html::{Html, coordinate};
use crate::plot::Pen;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::report::sheet::{Cell, Sheet};
use crate::report::stacked::{self, Piece, Row};
use crate::said::simulation::{WHOLE, is_whole, words};
use crate::table::Side;
use crate::units::{count, f64_of, microseconds, percent};

/// The figures and the table; nothing when no delay is known.
pub(super) fn show(html: &mut Html, record: &Record, delays: &[DelayPart], level: usize) {
    let owners = owners(delays);
    if owners.is_empty() {
        return;
    }
    html.heading(level, "Delays and their parts");
    bars(html, &owners);
    distribution(html, record, &owners);
    let shown = owners.iter().take(OWNERS_SHOWN_MAX).map(|owner| owner.len()).sum::<usize>();
    let (shown, rest) = delays.split_at(shown.min(delays.len()));
    table(shown).show(html, "delays and their parts");
    if !rest.is_empty() {
        table(rest).fold(html, &format!("{} more parts of delays", rest.len()));
    }
}

/// The parts of each owner, which stand together: the whole begins them.
fn owners(delays: &[DelayPart]) -> Vec<&[DelayPart]> {
    delays.chunk_by(|before, next| before.of == next.of && !is_whole(next)).collect()
}

/// A bar for each owner, cut into the medians of its parts.
fn bars(html: &mut Html, owners: &[&[DelayPart]]) {
    let rows: Vec<Row<'_>> =
        owners.iter().take(BARS_MAX).map(|owner| row(owner)).filter(|row| row.length() > 0.0).collect();
    if rows.is_empty() {
        return;
    }
    html.tag("p").class("plot-title").text("the medians of the parts");
    stacked::show(html, "the medians of the parts of the delay", &rows);
    html.note(
        "Medians of parts need not sum to the median of the whole: the table has the other percentiles.",
    );
}

/// The medians of the parts of one owner.
fn row(owner: &[DelayPart]) -> Row<'_> {
    let median = |delay: &DelayPart| delay.us.us_p50.filter(|us| us.is_finite() && *us > 0.0);
    let parts = owner.iter().filter(|delay| !is_whole(delay));
    let pieces = parts.filter_map(|delay| {
        let amount = median(delay)?;
        Some(Piece { name: &delay.part, amount, said: microseconds(Some(amount)) })
    });
    let whole = owner.iter().find(|delay| is_whole(delay)).and_then(median);
    let label = owner.first().map_or_else(String::new, |delay| delay.of.clone());
    Row { label, said: format!("half of them at most {}", microseconds(whole)), pieces: pieces.collect() }
}

/// What part of the messages took longer than a time: a point for each quantile that the record has.
fn distribution(html: &mut Html, record: &Record, owners: &[&[DelayPart]]) {
    let wholes = owners.iter().filter_map(|owner| owner.iter().find(|delay| is_whole(delay)));
    let delays = wholes.map(|delay| (delay.of.clone(), &delay.us));
    let of_events = record.readout.iter().flat_map(|readout| &readout.times);
    let of_events = of_events.map(|time| (crate::said::readout::time(&time.name), time));
    let lines: Vec<(String, Vec<(f64, f64)>)> = delays
        .take(BARS_MAX)
        .chain(of_events)
        .map(|(name, time)| (name, points(time)))
        .filter(|(_, points)| points.len() > 1)
        .take(Pen::MAX)
        .collect();
    let all = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let (least, most) =
        all().fold((f64::INFINITY, 0.0_f64), |(least, most), (us, _)| (us.min(least), us.max(most)));
    let rarest = all().fold(1.0_f64, |rarest, (_, part)| part.min(rarest));
    if most <= 0.0 {
        return;
    }
    let (x, y) = (Axis::log(least, most), Axis::log(rarest, 1.0));
    let legend: Vec<(Pen, String)> =
        lines.iter().enumerate().map(|(index, (name, _))| (Pen(index), name.clone())).collect();
    html.tag("figure").holds(|html| {
        let title = "part that took longer; both axes are logarithmic";
        let frame = Frame { title, x: &x, y: &y, height: HEIGHT, x_title: Some("time, us"), legend: &legend };
        frame.draw(html, |html, area| {
            for (index, (name, points)) in lines.iter().enumerate() {
                draw(html, (name, points), Pen(index), (&x, &y), area);
            }
        });
    });
}

/// Times and the part that took longer; the largest was exceeded by none, and drawn as one of them all.
fn points(time: &TimeDistribution) -> Vec<(f64, f64)> {
    let one = 1.0 / f64_of(time.count.max(1));
    let known = [(time.us_p50, 0.5), (time.us_p99, 0.01), (time.us_p999, 0.001), (time.us_max, one)];
    let real =
        known.into_iter().filter_map(|(us, part)| Some((us.filter(|us| us.is_finite() && *us > 0.0)?, part)));
    // Of few messages the rare quantiles are the largest again.
    real.filter(|(_, part)| *part >= one).collect()
}

fn draw(
    html: &mut Html,
    (name, points): (&str, &[(f64, f64)]),
    pen: Pen,
    (x, y): (&Axis, &Axis),
    area: Area,
) {
    let place = |(us, part): &(f64, f64)| {
        format!("{} {}", coordinate(Area::x(x.place(*us))), coordinate(area.y(y.place(*part))))
    };
    let places: Vec<String> = points.iter().map(place).collect();
    let said = points
        .iter()
        .map(|(us, part)| format!("{} took longer than {}", percent(Some(*part)), microseconds(Some(*us))));
    let title = format!("{name}: {}", said.collect::<Vec<_>>().join(", "));
    let path = html.tag("path").set("class", &pen.line());
    path.set("d", &format!("M{}", places.join("L"))).holds(|html| html.tag("title").text(&title));
    let dots: String = places.iter().map(|place| format!("M{place}h0")).collect();
    let path = html.tag("path").set("class", &format!("{} dots", pen.line()));
    path.set("d", &dots).holds(|html| html.tag("title").text(&title));
}

fn table(delays: &[DelayPart]) -> Sheet {
    let words_of = [("delay of", Side::Left), ("part", Side::Left)];
    let numbers = ["count", "half at most", "99 %", "99.9 %", "largest"].map(|name| (name, Side::Right));
    let mut sheet = Sheet::new(&[&words_of[..], &numbers].concat());
    for delay in delays {
        let quantiles = [delay.us.us_p50, delay.us.us_p99, delay.us.us_p999, delay.us.us_max];
        let mut row = vec![
            Cell::plain(if delay.part == WHOLE { delay.of.as_str() } else { "" }),
            Cell::plain(words(&delay.part)),
            Cell::plain(count(Some(delay.us.count))),
        ];
        row.extend(quantiles.map(|us| Cell::plain(microseconds(us))));
        sheet.push(row);
    }
    sheet
}

/// Owners with a bar and a line.
const BARS_MAX: usize = 8;
/// Owners with rows outside the fold; each has five.
const OWNERS_SHOWN_MAX: usize = 6;
const HEIGHT: f64 = 190.0;
