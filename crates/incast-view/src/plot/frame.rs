//! The frame of a plot: its title, its axes, its grid, and the area that something is drawn in.

use super::axis::Axis;
use super::{Pen, legend};
use crate::html::Html;

/// A plot to be drawn: what it shows and along which axes.
pub(crate) struct Frame<'a> {
    /// What is shown, with the unit of the y axis.
    pub(crate) title: &'a str,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
    /// Height of the area, in units of the screen.
    pub(crate) height: f64,
    /// Title of the x axis; `None` when the plot below has the same one and shows it.
    pub(crate) x_title: Option<&'a str>,
    /// What lines mean; empty when that has been said above.
    pub(crate) legend: &'a [(Pen, String)],
}

/// The area of a plot: turns places between the ends of its axes into coordinates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    height: f64,
}

impl Frame<'_> {
    /// Draws the frame, and in it what `content` draws.
    pub(crate) fn draw(&self, html: &mut Html, content: impl FnOnce(&mut Html, Area)) {
        let area = Area { height: self.height };
        html.tag("p").class("plot-title").text(self.title);
        if !self.legend.is_empty() {
            legend(html, self.legend);
        }
        html.tag("div").class("plot").holds(|html| {
            self.upright(html, area);
            let svg = html.tag("svg").class("area").set("preserveAspectRatio", "none");
            let svg = svg.set("viewBox", &format!("0 0 {WIDTH} {}", self.height)).at("height", self.height);
            svg.set("role", "img").set("aria-label", self.title).holds(|html| {
                self.grid(html, area);
                content(html, area);
            });
            if let Some(title) = self.x_title {
                html.tag("span").empty();
                self.along(html, title);
            }
        });
    }

    fn upright(&self, html: &mut Html, area: Area) {
        let svg = html.tag("svg").class("axis").at("width", AXIS_WIDTH).at("height", self.height);
        svg.set("aria-hidden", "true").holds(|html| {
            for tick in &self.y.ticks {
                // The text hangs on its middle, and stays inside at the ends.
                let at = (area.y(tick.place) + TEXT_MIDDLE).clamp(TEXT_HEIGHT, self.height - 1.0);
                html.tag("text").class("end").at("x", AXIS_WIDTH - 6.0).at("y", at).text(&tick.label);
            }
        });
    }

    fn grid(&self, html: &mut Html, area: Area) {
        let lines = |html: &mut Html| {
            for tick in &self.y.ticks {
                let (y, line) = (area.y(tick.place), html.tag("line"));
                line.at("x1", 0.0).at("x2", WIDTH).at("y1", y).at("y2", y).empty();
            }
            for tick in &self.x.ticks {
                let (x, line) = (Area::x(tick.place), html.tag("line"));
                line.at("x1", x).at("x2", x).at("y1", 0.0).at("y2", self.height).empty();
            }
        };
        html.tag("g").class("grid").holds(lines);
    }

    fn along(&self, html: &mut Html, title: &str) {
        let svg = html.tag("svg").class("axis").set("width", "100%").at("height", 34.0);
        svg.set("aria-hidden", "true").holds(|html| {
            for tick in &self.x.ticks {
                let anchor = match tick.place {
                    ..0.03 => "start",
                    0.97.. => "end",
                    _ => "middle",
                };
                let label = html.tag("text").class(anchor).part("x", tick.place).at("y", 13.0);
                label.text(&tick.label);
            }
            html.tag("text").class("middle title").part("x", 0.5).at("y", 29.0).text(title);
        });
    }
}

impl Area {
    /// From the left, of a place between 0 and 1.
    pub(crate) fn x(place: f64) -> f64 {
        place * WIDTH
    }

    /// From the top, of a place between 0 (bottom) and 1 (top). A line at an end stays visible.
    pub(crate) fn y(self, place: f64) -> f64 {
        MARGIN + (1.0 - place) * (self.height - 2.0 * MARGIN)
    }
}

/// Units of the area from left to right, however wide it is shown.
pub(crate) const WIDTH: f64 = 1000.0;
/// Room for `1 000.5` in small type.
const AXIS_WIDTH: f64 = 58.0;
/// From the middle of a digit to the line that it stands on, and its height.
const TEXT_MIDDLE: f64 = 4.0;
const TEXT_HEIGHT: f64 = 9.0;
/// Half of the thickest line.
const MARGIN: f64 = 2.0;
