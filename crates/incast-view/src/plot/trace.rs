//! Something measured over time: slices, each with a mean, drawn as steps.
//!
//! A step says what was measured: a mean over a slice and nothing of its inside. Where nothing is
//! known there is a gap. Of many traces the middle is drawn: at every moment the median, the half of
//! them around it, and each as a hair. This is the only arithmetic: the means of neighbouring slices
//! where there are more of them than a screen has points, and the quantiles of the band.

use super::axis::Axis;
use super::frame::Area;
use crate::html::coordinate;
use crate::units::f64_of;

/// A slice of time with its mean; `None` is unknown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slice {
    pub(crate) start_s: f64,
    pub(crate) end_s: f64,
    pub(crate) mean: Option<f64>,
}

/// One thing over time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) name: String,
    pub(crate) slices: Vec<Slice>,
}

/// What many traces have in common at one moment: lower quartile, median, upper quartile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Middle {
    start_s: f64,
    end_s: f64,
    quartiles: Option<[f64; 3]>,
}

impl Trace {
    /// A trace of the slices that have a length; what is not finite is unknown.
    pub(crate) fn new(name: &str, slices: impl Iterator<Item = Slice>) -> Self {
        Self::joined_by(name, slices, joined)
    }

    /// A trace whose slices say the most of something: so do the longer ones that many of them become.
    pub(crate) fn of_peaks(name: &str, slices: impl Iterator<Item = Slice>) -> Self {
        Self::joined_by(name, slices, peak)
    }

    fn joined_by(
        name: &str,
        slices: impl Iterator<Item = Slice>,
        join: fn(&[Slice]) -> Option<Slice>,
    ) -> Self {
        let real = |slice: &Slice| {
            slice.start_s.is_finite() && slice.end_s.is_finite() && slice.end_s > slice.start_s
        };
        let known = |slice: Slice| Slice { mean: slice.mean.filter(|mean| mean.is_finite()), ..slice };
        Self { name: name.to_owned(), slices: coarser(slices.filter(real).map(known).collect(), join) }
    }

    /// Whether anything of it is known.
    pub(crate) fn is_known(&self) -> bool {
        self.slices.iter().any(|slice| slice.mean.is_some())
    }

    /// Its end; 0 when it has no slice.
    pub(crate) fn end_s(&self) -> f64 {
        self.slices.iter().fold(0.0, |end, slice| end.max(slice.end_s))
    }

    /// Its least and its largest mean, and 0.
    pub(crate) fn range(&self) -> (f64, f64) {
        let known = self.slices.iter().filter_map(|slice| slice.mean);
        known.fold((0.0, 0.0), |(least, most), mean| (mean.min(least), mean.max(most)))
    }

    /// Its steps as the path of an SVG.
    pub(crate) fn path(&self, x: &Axis, y: &Axis, area: Area) -> String {
        steps(self.slices.iter().map(|slice| (slice.start_s, slice.end_s, slice.mean)), x, y, area)
    }

    fn at(&self, time_s: f64) -> Option<f64> {
        let next = self.slices.partition_point(|slice| slice.end_s <= time_s);
        self.slices.get(next).filter(|slice| slice.start_s <= time_s)?.mean
    }
}

/// Slices in at most [`SLICES_MAX`]: neighbours become one.
fn coarser(slices: Vec<Slice>, join: fn(&[Slice]) -> Option<Slice>) -> Vec<Slice> {
    let together = slices.len().div_ceil(SLICES_MAX);
    if together <= 1 {
        return slices;
    }
    slices.chunks(together).filter_map(join).collect()
}

/// One slice as high as the highest.
fn peak(slices: &[Slice]) -> Option<Slice> {
    let (first, last) = (slices.first()?, slices.last()?);
    let mean = slices.iter().filter_map(|slice| slice.mean).reduce(f64::max);
    Some(Slice { start_s: first.start_s, end_s: last.end_s, mean })
}

/// One slice with the mean of all, weighed by their lengths.
fn joined(slices: &[Slice]) -> Option<Slice> {
    let (first, last) = (slices.first()?, slices.last()?);
    let known = slices.iter().filter_map(|slice| Some((slice.mean?, slice.end_s - slice.start_s)));
    let (sum, length) =
        known.fold((0.0, 0.0), |(sum, length), (mean, part)| (sum + mean * part, length + part));
    let mean = (length > 0.0).then(|| sum / length);
    Some(Slice { start_s: first.start_s, end_s: last.end_s, mean })
}

/// The middle of many traces, moment by moment.
pub(crate) fn middle(traces: &[&Trace]) -> Vec<Middle> {
    let end_s = traces.iter().fold(0.0_f64, |end, trace| end.max(trace.end_s()));
    let most = traces.iter().map(|trace| trace.slices.len()).max().unwrap_or(0).clamp(1, SLICES_MAX);
    let step = end_s / f64_of(most as u64);
    let moment = |index: usize| {
        let start_s = f64_of(index as u64) * step;
        let mut values: Vec<f64> = traces.iter().filter_map(|trace| trace.at(start_s + step / 2.0)).collect();
        values.sort_by(f64::total_cmp);
        let quartiles = (!values.is_empty()).then(|| [0.25, 0.5, 0.75].map(|part| quantile(&values, part)));
        Middle { start_s, end_s: start_s + step, quartiles }
    };
    (0..most).map(moment).collect()
}

/// Between sorted values, linear between neighbours.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * f64_of(sorted.len().saturating_sub(1) as u64);
    let below = sorted.iter().enumerate().rfind(|(index, _)| f64_of(*index as u64) <= place);
    let (index, below) = below.map_or((0, 0.0), |(index, value)| (index, *value));
    let above = sorted.get(index + 1).copied().unwrap_or(below);
    below + (above - below) * (place - f64_of(index as u64))
}

/// The median as a path.
pub(crate) fn median_path(middle: &[Middle], x: &Axis, y: &Axis, area: Area) -> String {
    let medians = middle.iter().map(|at| (at.start_s, at.end_s, at.quartiles.map(|quartiles| quartiles[1])));
    steps(medians, x, y, area)
}

/// The half of all around the median as one path of boxes, to be filled.
pub(crate) fn band_path(middle: &[Middle], x: &Axis, y: &Axis, area: Area) -> String {
    let mut path = String::new();
    for at in middle {
        let Some([low, _, high]) = at.quartiles else { continue };
        let [from, to] = [at.start_s, at.end_s].map(|time| coordinate(Area::x(x.place(time))));
        let [low, high] = [low, high].map(|value| coordinate(area.y(y.place(value))));
        path += &format!("M{from} {low}V{high}H{to}V{low}Z");
    }
    path
}

/// Steps as the path of an SVG: flat over each slice, upright between neighbours, broken at gaps.
fn steps(slices: impl Iterator<Item = (f64, f64, Option<f64>)>, x: &Axis, y: &Axis, area: Area) -> String {
    let mut path = String::new();
    let mut before = None;
    for (start_s, end_s, mean) in slices {
        let Some(mean) = mean else {
            before = None;
            continue;
        };
        let [from, to] = [start_s, end_s].map(|time| coordinate(Area::x(x.place(time))));
        let at = coordinate(area.y(y.place(mean)));
        path += &match before {
            Some(end) if start_s - end < GAP_S => format!("V{at}H{to}"),
            _ => format!("M{from} {at}H{to}"),
        };
        before = Some(end_s);
    }
    path
}

/// More points than this a plot cannot show.
const SLICES_MAX: usize = 400;
/// Slices that are closer than this touch; clocks are read to a microsecond or better.
const GAP_S: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Scale;

    fn trace(means: &[Option<f64>]) -> Trace {
        let slice = |(index, mean): (usize, &Option<f64>)| {
            let start_s = f64_of(index as u64);
            Slice { start_s, end_s: start_s + 1.0, mean: *mean }
        };
        Trace::new("a", means.iter().enumerate().map(slice))
    }

    fn axes() -> (Axis, Axis) {
        let plain = Scale { factor: 1.0, unit: "" };
        (Axis::exact(0.0, 4.0, plain), Axis::rounded(0.0, 10.0, plain))
    }

    /// A frame of 104 units has an area of 100 between its margins.
    fn area() -> Area {
        let mut found = None;
        let (x, y) = axes();
        let frame =
            crate::plot::frame::Frame { title: "", x: &x, y: &y, height: 104.0, x_title: None, legend: &[] };
        frame.draw(&mut crate::html::Html::default(), |_, area| found = Some(area));
        found.unwrap()
    }

    #[test]
    fn steps_are_flat_and_break_where_nothing_is_known() {
        let (x, y) = axes();
        let path = trace(&[Some(0.0), Some(10.0), None, Some(5.0)]).path(&x, &y, area());
        assert_eq!(path, "M0 102H250V2H500M750 52H1000");
        assert_eq!(trace(&[None, Some(f64::NAN)]).path(&x, &y, area()), "");
    }

    #[test]
    fn too_many_slices_are_joined_and_their_mean_stays() {
        let joined = trace(&vec![Some(3.0); 1_000]);
        assert!(joined.slices.len() <= SLICES_MAX, "{}", joined.slices.len());
        assert_eq!((joined.end_s(), joined.range()), (1_000.0, (0.0, 3.0)));
        let uneven = [
            Slice { start_s: 0.0, end_s: 1.0, mean: Some(4.0) },
            Slice { start_s: 1.0, end_s: 4.0, mean: Some(0.0) },
        ];
        assert_eq!(super::joined(&uneven).unwrap().mean, Some(1.0));
    }

    #[test]
    fn the_middle_of_many_is_their_median() {
        let traces: Vec<Trace> = (0..5).map(|value| trace(&[Some(f64::from(value)), None])).collect();
        let middle = middle(&traces.iter().collect::<Vec<_>>());
        assert_eq!(middle[0].quartiles, Some([1.0, 2.0, 3.0]));
        assert_eq!(middle[1].quartiles, None);
        let (x, y) = axes();
        assert_eq!(median_path(&middle, &x, &y, area()), "M0 82H250");
        assert_eq!(band_path(&middle, &x, &y, area()), "M0 92V72H250V92Z");
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
