//! The lost part of the messages at each load: a point for every trial, and the throughput.
//!
//! Near the throughput a switch loses a few messages in a million, far above it a third of them. So
//! the axis of losses is logarithmic, with a place for those that lost nothing below its powers of ten.

use incast_core::record::{SwitchTest, SwitchTrial};

use super::{is_short, outcome, purpose};
use crate::html::Html;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::plot::mark::{Mark, key, level_line, point, upright_line};
use crate::report::over_time::PER_CENT;
use crate::units::{count, percent};

/// Trials of one purpose: how the legend calls them, their mark, and whether a line joins them.
struct Kind {
    purpose: &'static str,
    said: &'static str,
    mark: Mark,
    is_joined: bool,
}

/// The figure; only a word for it when nothing was lost, and nothing when no loss is known.
pub(super) fn show(html: &mut Html, test: &SwitchTest) {
    let known: Vec<(&SwitchTrial, f64)> =
        test.trials.iter().filter_map(|trial| Some((trial, lost_percent(trial)?))).collect();
    let lossy = || known.iter().map(|(_, lost)| *lost).filter(|lost| *lost > 0.0);
    if lossy().next().is_none() {
        if !known.is_empty() {
            html.note("No trial lost a message.");
        }
        return;
    }
    // The tolerance has to be on the axis too.
    let tolerance = Some(test.loss_tolerance * 100.0).filter(|percent| percent.is_finite() && *percent > 0.0);
    let ends = |(least, most): (f64, f64), lost: f64| (least.min(lost), most.max(lost));
    let (least, most) = lossy().chain(tolerance).fold((f64::INFINITY, 0.0), ends);
    let y = Axis::log_above_zero(least, most);
    let most_load = known.iter().fold(1.0_f64, |most, (trial, _)| most.max(trial.load_fraction));
    let x = Axis::exact(0.0, most_load, PER_CENT);
    html.tag("figure").class("points").holds(|html| {
        let title = "lost part of the messages sent, %; the axis is logarithmic above 0";
        let x_title = Some("load that was asked for, % of the full load");
        let frame = Frame { title, x: &x, y: &y, height: HEIGHT, x_title, legend: &[] };
        frame.draw(html, |html, area| {
            lines(html, test, tolerance, (&x, &y), area);
            for kind in KINDS {
                draw(html, test, &kind, &known, (&x, &y), area);
            }
        });
        legend(html, test, &known, tolerance);
    });
}

/// Where a trial is in the plot, if its load and its loss are numbers.
fn lost_percent(trial: &SwitchTrial) -> Option<f64> {
    let lost = trial.lost_fraction.filter(|lost| lost.is_finite() && *lost >= 0.0)?;
    (trial.load_fraction.is_finite() && trial.load_fraction >= 0.0).then_some(lost * 100.0)
}

fn throughput(test: &SwitchTest) -> Option<f64> {
    test.throughput_fraction.filter(|fraction| fraction.is_finite())
}

/// The throughput and the tolerance, across the whole area.
fn lines(html: &mut Html, test: &SwitchTest, tolerance: Option<f64>, (x, y): (&Axis, &Axis), area: Area) {
    if let Some(fraction) = throughput(test) {
        let title = format!("throughput: {}", percent(Some(fraction)));
        upright_line(html, area, x.place(fraction), &title);
    }
    if let Some(tolerance) = tolerance {
        let title = format!("passes: up to {}", percent(Some(test.loss_tolerance)));
        level_line(html, area, y.place(tolerance), &title);
    }
}

fn draw(
    html: &mut Html,
    test: &SwitchTest,
    kind: &Kind,
    known: &[(&SwitchTrial, f64)],
    (x, y): (&Axis, &Axis),
    area: Area,
) {
    let mut own: Vec<&(&SwitchTrial, f64)> = known.iter().filter(|(trial, _)| kind.has(trial)).collect();
    own.sort_by(|(one, _), (other, _)| one.load_fraction.total_cmp(&other.load_fraction));
    let place =
        |trial: &SwitchTrial, lost: f64| (Area::x(x.place(trial.load_fraction)), area.y(y.place(lost)));
    if kind.is_joined {
        let line: Vec<(f64, f64)> = own.iter().map(|(trial, lost)| place(trial, *lost)).collect();
        kind.mark.join(html, &line);
    }
    for (trial, lost) in own {
        let title = format!(
            "{} at {}: lost {} of {}; passed: {}",
            purpose(trial),
            percent(Some(trial.load_fraction)),
            count(Some(trial.lost)),
            count(Some(trial.sent)),
            outcome(test, trial).0
        );
        let (x, y) = place(trial, *lost);
        point(html, kind.mark, (x, y), is_short(test, trial), &title);
    }
}

impl Kind {
    /// Whether `trial` is of this kind; the last one takes what this build has no name for.
    fn has(&self, trial: &SwitchTrial) -> bool {
        let named = |kind: &Self| kind.purpose == trial.purpose;
        named(self) || (self.purpose.is_empty() && !KINDS.iter().any(named))
    }
}

fn legend(html: &mut Html, test: &SwitchTest, known: &[(&SwitchTrial, f64)], tolerance: Option<f64>) {
    html.tag("ul").class("legend").holds(|html| {
        for kind in KINDS.iter().filter(|kind| known.iter().any(|(trial, _)| kind.has(trial))) {
            key(html, kind.said, |html, (width, middle)| {
                if kind.is_joined {
                    kind.mark.join(html, &[(1.0, middle), (width - 1.0, middle)]);
                }
                point(html, kind.mark, (width / 2.0, middle), false, "");
            });
        }
        if known.iter().any(|(trial, _)| is_short(test, trial)) {
            key(html, "hollow: less was sent than the load", |html, (width, middle)| {
                point(html, KINDS[0].mark, (width / 2.0, middle), true, "");
            });
        }
        if let Some(fraction) = throughput(test) {
            let said = format!("upright line: throughput, {}", percent(Some(fraction)));
            key(html, &said, |html, (width, middle)| {
                let line = html.tag("line").class("found").at("x1", width / 2.0).at("x2", width / 2.0);
                line.at("y1", 0.0).at("y2", middle * 2.0).empty();
            });
        }
        if tolerance.is_some() {
            let said = format!("level line: loss that passes, {}", percent(Some(test.loss_tolerance)));
            key(html, &said, |html, (width, middle)| {
                let line = html.tag("line").class("found level").at("x1", 1.0).at("x2", width - 1.0);
                line.at("y1", middle).at("y2", middle).empty();
            });
        }
    });
}

/// What trials are made for, in the order in which they are drawn: points of the search lie above.
const KINDS: [Kind; 4] = [
    Kind { purpose: "loss_rate", said: "loss at each load", mark: Mark::SQUARE, is_joined: true },
    Kind { purpose: "throughput", said: "search for the throughput", mark: Mark::DOT, is_joined: false },
    Kind { purpose: "latency", said: "with round trips", mark: Mark::BAR, is_joined: false },
    Kind { purpose: "", said: "other trials", mark: Mark::SLIM_BAR, is_joined: false },
];
/// As high as it needs for six powers of ten.
const HEIGHT: f64 = 240.0;
