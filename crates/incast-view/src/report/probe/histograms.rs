//! How delays and times between arrivals are distributed: both axes are logarithmic, a line for each point.
//!
//! A place is a bucket: its middle, and what part of all values lies in it. Buckets are a sixteenth of their octave
//! wide, so that a line is a density over the logarithm. Values at or below zero have no place on such an
//! axis: the note below says how many there are.

use incast_core::record::{NanosecondDistribution, Probe, ProbePoint};

use super::curves::{Curve, figure};
use crate::html::Html;
use crate::plot::Pen;
use crate::plot::axis::Axis;
use crate::said;
use crate::text::counted;
use crate::units::{count, f64_of};

/// What is distributed, of a point.
type Of = fn(&ProbePoint) -> Option<&NanosecondDistribution>;

/// The figures of which something is known.
pub(super) fn show(html: &mut Html, probe: &Probe) {
    let points = chosen(probe);
    let figures: [(&str, &str, Of); 3] = [
        ("one-way delay: part of the messages", "delay, us", |point| point.delay.as_ref()),
        ("delay above the smallest (PDV): part of the messages", "delay above the smallest, us", |point| {
            point.delay_above_min.as_ref()
        }),
        ("between arrivals: part of the times", "time between two arrivals, us", |point| {
            point.inter_arrival.as_ref()
        }),
    ];
    for (title, x_title, of) in figures {
        distribution(html, &points, (title, x_title), of);
    }
    let left_out = probe.points.len().saturating_sub(points.len());
    if left_out > 0 && !points.is_empty() {
        let more = counted(left_out, "more point", "more points");
        html.note(&format!("The histograms show {} points; {more} in the record.", points.len()));
    }
}

/// As many points as can be told apart, evenly over all: the first repetition of each.
fn chosen(probe: &Probe) -> Vec<&ProbePoint> {
    let all = said::probe::sorted(probe);
    let first: Vec<&ProbePoint> = all.into_iter().filter(|point| point.repetition <= 1).collect();
    let step = first.len().div_ceil(LINES_MAX).max(1);
    first.into_iter().step_by(step).collect()
}

fn distribution(html: &mut Html, points: &[&ProbePoint], (title, x_title): (&str, &str), of: Of) {
    let known = points.iter().filter_map(|point| Some((*point, of(point)?)));
    let curves: Vec<Curve> = known
        .clone()
        .map(|(point, values)| curve(point, values))
        .filter(|curve| curve.places.len() > 1)
        .collect();
    let all = || curves.iter().flat_map(|curve| curve.places.iter().copied());
    let Some((first_x, first_y)) = all().next() else { return };
    let ends = all().fold([first_x, first_x, first_y, first_y], |[left, right, low, high], (x, y)| {
        [left.min(x), right.max(x), low.min(y), high.max(y)]
    });
    let [left, right, low, high] = ends;
    figure(
        html,
        &format!("{title}, %; both axes are logarithmic"),
        (x_title, &Axis::log(left, right)),
        &Axis::log(low, high),
        &curves,
    );
    let without: u64 = known
        .flat_map(|(_, values)| &values.buckets)
        .filter(|bucket| bucket.from_ns <= 0)
        .map(|bucket| bucket.count)
        .fold(0, u64::saturating_add);
    if without > 0 {
        html.note(&format!("{} values at or below zero have no place on this axis.", count(Some(without))));
    }
}

fn curve(point: &ProbePoint, values: &NanosecondDistribution) -> Curve {
    let all = f64_of(values.count.max(1));
    let places = values.buckets.iter().filter(|bucket| bucket.from_ns > 0).map(|bucket| {
        #[expect(clippy::cast_precision_loss, reason = "a place in a figure")]
        let middle = (bucket.from_ns as f64 + bucket.to_ns as f64) / 2.0;
        (middle / 1e3, f64_of(bucket.count) / all * 100.0)
    });
    Curve { name: said::probe::point(point), places: places.collect() }
}

/// Half of the pens: more histograms on top of each other cannot be read.
const LINES_MAX: usize = Pen::MAX / 2;
