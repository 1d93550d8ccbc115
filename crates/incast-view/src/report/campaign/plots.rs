//! The plots of a campaign: how the lost fraction of a run is spread, and how it went from run to run.

use incast_core::record::CampaignVariant;

use crate::html::{Html, coordinate};
use crate::plot::Pen;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::plot::mark::{Mark, level_line, point, upright_line};
use crate::said::campaign as words;
use crate::units::{Scale, f64_of, number};

/// The histogram, with a line and a name at each peak; nothing where all runs are the same.
pub(super) fn distribution(html: &mut Html, variant: &CampaignVariant) {
    let bins = &variant.distribution.bins;
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return };
    let scale = scale(last.to);
    let x = Axis::exact(first.from, last.to, scale);
    let highest = bins.iter().map(|bin| bin.runs).max().unwrap_or(1);
    let y = Axis::rounded(0.0, f64_of(highest), PLAIN);
    html.tag("figure").class("points").holds(|html| {
        names(html, variant, &x);
        let x_title = format!("lost fraction of a run{}", scale.unit);
        let title = "runs with such a lost fraction; the upright lines are peaks";
        let frame = Frame { title, x: &x, y: &y, height: HEIGHT, x_title: Some(&x_title), legend: &[] };
        frame.draw(html, |html, area| {
            let mut path = String::new();
            for bin in bins.iter().filter(|bin| bin.runs > 0) {
                let [from, to] = [bin.from, bin.to].map(|edge| coordinate(Area::x(x.place(edge))));
                let [low, high] = [0.0, f64_of(bin.runs)].map(|runs| coordinate(area.y(y.place(runs))));
                path += &format!("M{from} {low}V{high}H{to}V{low}Z");
            }
            html.tag("path").set("class", &Pen(0).fill()).set("d", &path).empty();
            for peak in &variant.peaks {
                upright_line(html, area, x.place(peak.fraction), &words::peak(peak));
            }
        });
    });
}

/// The names of the peaks above their lines, where there is room.
fn names(html: &mut Html, variant: &CampaignVariant, x: &Axis) {
    let mut free_from = 0.0;
    html.tag("div").class("plot").holds(|html| {
        html.tag("span").empty();
        let svg = html.tag("svg").class("axis").set("width", "100%").at("height", 16.0);
        svg.set("aria-hidden", "true").holds(|html| {
            for peak in &variant.peaks {
                let place = x.place(peak.fraction);
                if place < free_from {
                    continue;
                }
                free_from = place + NAME_PART;
                let anchor = match place {
                    ..0.05 => "start",
                    0.95.. => "end",
                    _ => "middle",
                };
                let label = html.tag("text").class(anchor).part("x", place).at("y", 12.0);
                label.text(&words::peak_name(peak));
            }
        });
    });
}

/// The lost fraction of each run in turn, and the means of both halves.
pub(super) fn drift(html: &mut Html, variant: &CampaignVariant) {
    let values = &variant.lost_fractions;
    let most = values.iter().copied().fold(0.0, f64::max);
    if values.len() < 2 || most <= 0.0 {
        return;
    }
    let scale = scale(most);
    let x = Axis::exact(0.0, f64_of(values.len() as u64), PLAIN);
    let y = Axis::rounded(0.0, most, scale);
    let step = values.len().div_ceil(DOTS_MAX);
    let title = format!(
        "lost fraction of each run in turn{}; the level lines are the means of both halves",
        scale.unit
    );
    html.tag("figure").class("points").holds(|html| {
        let frame = Frame {
            title: &title,
            x: &x,
            y: &y,
            height: HEIGHT,
            x_title: Some("number of the run"),
            legend: &[],
        };
        frame.draw(html, |html, area| {
            for (number_of, value) in values.iter().enumerate().step_by(step) {
                let place = (Area::x(x.place(f64_of(number_of as u64))), area.y(y.place(*value)));
                point(html, Mark::DOT, place, false, "");
            }
            for (half, mean) in variant
                .drift
                .iter()
                .flat_map(|drift| [("first", drift.first_half), ("second", drift.second_half)])
            {
                let said = format!("mean of the {half} half {}", words::part(Some(mean)));
                level_line(html, area, y.place(mean), &said);
            }
        });
    });
    if step > 1 {
        html.note(&format!("A mark for every {}th run.", number(Some(f64_of(step as u64)))));
    }
}

fn scale(most: f64) -> Scale {
    if most < MILLIONTHS_MOST { MILLIONTHS } else { PLAIN }
}

const PLAIN: Scale = Scale { factor: 1.0, unit: "" };
/// Small lost fractions: the papers say "per million".
const MILLIONTHS: Scale = Scale { factor: 1e-6, unit: ", per million" };
const MILLIONTHS_MOST: f64 = 1e-3;
/// Room for `1/186 916` on a screen of 400 units.
const NAME_PART: f64 = 0.12;
/// More marks than this are a cloud, and the page gets heavy.
const DOTS_MAX: usize = 3_000;
const HEIGHT: f64 = 170.0;
