//! The same scenario under other seeds: each figure with its interval, and how the values of those that differ are spread.
//!
//! Many values are drawn as a histogram, few as a mark each. Of a lost fraction the peaks are named, where there are any: one
//! message in so many.

use incast_core::record::{Record, ReplicaFigure};
use incast_core::scenario::Metric;
use incast_core::stats::peaks::{Peaks, find_peaks};
use incast_core::stats::ratio;

use crate::html::{Html, coordinate};
use crate::plot::Pen;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::plot::mark::{Mark, level_line, point, upright_line};
use crate::report::sheet::{Cell, Sheet};
use crate::said::simulation::{half_width, varies};
use crate::table::Side;
use crate::text::{counted, cut};
use crate::units::{Scale, count, f64_of, number};

/// The table and the plots; nothing for a single run.
pub(super) fn show(html: &mut Html, record: &Record, replicas: &[ReplicaFigure], level: usize) {
    let Some(first) = replicas.first() else { return };
    html.heading(level, "Replicas");
    let (varying, same): (Vec<&ReplicaFigure>, Vec<&ReplicaFigure>) =
        replicas.iter().partition(|figure| varies(figure));
    if varying.is_empty() {
        let times = count(Some(u64::from(first.replicas)));
        html.note(&format!("Every figure is the same in all {times} replicas."));
    } else {
        table(varying.iter().copied(), "replicas").show(html, "figures that differ between replicas");
        html.note("The interval is that of the mean: 95 % confidence, Student's t.");
    }
    for figure in varying.iter().filter(|figure| figure.values.len() > 1).take(PLOTS_MAX) {
        plot(html, record, figure);
    }
    if !same.is_empty() {
        let what = counted(same.len(), "figure is", "figures are");
        table(same, "replicas").fold(html, &format!("{what} the same in all replicas"));
    }
}

/// A row for each figure, whose values are of so many `runs`, under that name.
pub(in crate::report) fn table<'f>(
    figures: impl IntoIterator<Item = &'f ReplicaFigure>,
    runs: &'static str,
) -> Sheet {
    let numbers = ["mean", "95 % interval", "least", "most", runs].map(|name| (name, Side::Right));
    let mut sheet = Sheet::new(&[&[("figure", Side::Left)][..], &numbers].concat());
    for figure in figures {
        sheet.push(vec![
            Cell::marked(&figure.name, "wide"),
            Cell::plain(number(Some(figure.mean))),
            Cell::plain(half_width(figure)),
            Cell::plain(number(Some(figure.least))),
            Cell::plain(number(Some(figure.most))),
            Cell::plain(count(Some(u64::from(figure.replicas)))),
        ]);
    }
    sheet
}

/// How the values of one figure are spread.
fn plot(html: &mut Html, record: &Record, figure: &ReplicaFigure) {
    let values: Vec<f64> = figure.values.iter().copied().filter(|value| value.is_finite()).collect();
    let (least, most) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (value.min(least), value.max(most)));
    if !(most - least).is_finite() || most <= least {
        return;
    }
    let found = peaks(record, figure);
    let scale = if most < MILLIONTHS_MOST { MILLIONTHS } else { PLAIN };
    let x = Axis::exact(least, most, scale);
    let bins = bins(&values, least, most);
    let highest = bins.iter().copied().max().unwrap_or(1);
    let is_few = values.len() <= MARKS_MAX;
    let mut y = Axis::rounded(0.0, if is_few { 1.0 } else { f64_of(highest as u64) }, PLAIN);
    if is_few {
        // Height says nothing.
        y.ticks.clear();
    }
    let what = if is_few { "a mark for each replica, and the mean" } else { "replicas with such a value" };
    let title = format!("{}: {what}", cut(&figure.name, NAME_CELLS_MAX));
    html.tag("figure").class("points").holds(|html| {
        let height = if is_few { HEIGHT_FEW } else { HEIGHT };
        let x_title = format!("{} of a replica{}", cut(&figure.name, NAME_CELLS_MAX), scale.unit);
        let frame = Frame { title: &title, x: &x, y: &y, height, x_title: Some(&x_title), legend: &[] };
        frame.draw(html, |html, area| {
            if is_few {
                marks(html, &values, &x, area);
                upright_line(
                    html,
                    area,
                    x.place(figure.mean),
                    &format!("mean {}", number(Some(figure.mean))),
                );
            } else {
                histogram(html, &bins, &y, area);
            }
            for peak in found.iter().flat_map(|found| &found.peaks) {
                upright_line(html, area, x.place(peak.fraction), &said(peak.one_in));
            }
        });
    });
    if let Some(found) = found.filter(|found| !found.peaks.is_empty()) {
        named(html, &found);
    }
}

/// Peaks of a lost fraction, of enough replicas to have any.
fn peaks(record: &Record, figure: &ReplicaFigure) -> Option<Peaks> {
    let is_loss = figure.name == Metric::LostFraction.name();
    let resolution = ratio(1, record.totals.messages.sent.filter(|_| is_loss)?)?;
    Some(find_peaks(&figure.values, resolution)).filter(|_| figure.values.len() > MARKS_MAX)
}

/// The peaks in words, and the comb that they make.
fn named(html: &mut Html, found: &Peaks) {
    let peaks: Vec<String> = found
        .peaks
        .iter()
        .take(PEAKS_MAX)
        .map(|peak| format!("{} ({})", said(peak.one_in), counted_replicas(peak.runs)))
        .collect();
    html.note(&format!("The upright lines are its peaks: {}.", peaks.join(", ")));
    if let Some(comb) = &found.comb {
        html.note(&format!(
            "{} of them are a comb: they follow each other at a distance of {}, from {} on.",
            count(Some(comb.teeth)),
            number(Some(comb.spacing)),
            number(Some(comb.offset))
        ));
    }
}

fn said(one_in: Option<f64>) -> String {
    one_in.map_or_else(|| "no loss".to_owned(), |one_in| format!("1/{}", number(Some(one_in.round()))))
}

fn counted_replicas(replicas: u64) -> String {
    format!("{} {}", count(Some(replicas)), if replicas == 1 { "replica" } else { "replicas" })
}

/// How many values lie in each of so many equal parts.
fn bins(values: &[f64], least: f64, most: f64) -> Vec<usize> {
    let edges = (1..=BINS).map(|index| least + (most - least) * f64_of(index as u64) / f64_of(BINS as u64));
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut before = 0;
    let mut counts: Vec<usize> = edges
        .map(|edge| {
            let below = sorted.partition_point(|value| *value < edge);
            let inside = below - before;
            before = below;
            inside
        })
        .collect();
    // The largest is at the last edge, and so are those that rounding put beyond it.
    if let Some(last) = counts.last_mut() {
        *last += sorted.len() - before;
    }
    counts
}

fn histogram(html: &mut Html, bins: &[usize], y: &Axis, area: Area) {
    let mut path = String::new();
    for (index, replicas) in bins.iter().enumerate().filter(|(_, replicas)| **replicas > 0) {
        let [from, to] = [index, index + 1].map(|edge| f64_of(edge as u64) / f64_of(bins.len() as u64));
        let [from, to] = [from, to].map(|place| coordinate(Area::x(place)));
        let [low, high] = [0.0, f64_of(*replicas as u64)].map(|value| coordinate(area.y(y.place(value))));
        path += &format!("M{from} {low}V{high}H{to}V{low}Z");
    }
    html.tag("path").set("class", &Pen(0).fill()).set("d", &path).empty();
}

fn marks(html: &mut Html, values: &[f64], x: &Axis, area: Area) {
    level_line(html, area, 0.5, "");
    for value in values {
        let place = (Area::x(x.place(*value)), area.y(0.5));
        point(html, Mark::DOT, place, false, &number(Some(*value)));
    }
}

const PLAIN: Scale = Scale { factor: 1.0, unit: "" };
/// Small lost fractions: the papers say "per million".
const MILLIONTHS: Scale = Scale { factor: 1e-6, unit: ", per million" };
const MILLIONTHS_MOST: f64 = 1e-3;
/// Figures with a plot.
const PLOTS_MAX: usize = 8;
/// So few values are drawn one by one: a histogram of them is all noise.
const MARKS_MAX: usize = 50;
/// Parts of a histogram; there are narrow peaks in losses.
const BINS: usize = 100;
const PEAKS_MAX: usize = 12;
const NAME_CELLS_MAX: usize = 48;
const HEIGHT: f64 = 170.0;
const HEIGHT_FEW: f64 = 46.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bin() {
        for values in
            [vec![0.0, 1.0], vec![0.1, 0.2, 0.3], (0..1000).map(|index| f64::from(index).sqrt()).collect()]
        {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(0.0, f64::max);
            let counts = bins(&values, least, most);
            assert_eq!((counts.len(), counts.iter().sum::<usize>()), (BINS, values.len()));
            assert!(counts[0] > 0 && counts[BINS - 1] > 0);
        }
    }
}
