//! Marks: single points of a plot, told apart by their shape and their colour.
//!
//! The area of a plot is stretched, and a circle in it would be an egg. So a mark is a stroke, whose
//! width is not stretched: a dot and a square have no length but a cap, a bar stands upright.

use super::Pen;
use super::frame::{Area, WIDTH};
use crate::html::{Html, coordinate};

/// How a point looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pen: Pen,
    shape: &'static str,
    /// Its length upwards, in units of the screen.
    length: u8,
}

impl Mark {
    pub(crate) const DOT: Self = Self { pen: Pen(0), shape: "dot", length: 0 };
    pub(crate) const SQUARE: Self = Self { pen: Pen(1), shape: "square", length: 0 };
    pub(crate) const BAR: Self = Self { pen: Pen(2), shape: "bar", length: 14 };
    pub(crate) const SLIM_BAR: Self = Self { pen: Pen(3), shape: "bar slim", length: 14 };

    /// A line through places, in the colour of the mark.
    pub(crate) fn join(self, html: &mut Html, places: &[(f64, f64)]) {
        if places.len() > 1 {
            let places: Vec<String> =
                places.iter().map(|(x, y)| format!("{} {}", coordinate(*x), coordinate(*y))).collect();
            let path = html.tag("path").set("class", &format!("line c{}", self.pen.0));
            path.set("d", &format!("M{}", places.join("L"))).empty();
        }
    }
}

/// A mark at `place`, hollow or not; `title` is told to who points at it.
pub(crate) fn point(html: &mut Html, mark: Mark, (x, y): (f64, f64), is_hollow: bool, title: &str) {
    let length = f64::from(mark.length);
    let from = coordinate(y - length / 2.0);
    let path = format!("M{} {from}v{}", coordinate(x), mark.length);
    let class = format!("mark {} c{}", mark.shape, mark.pen.0);
    html.tag("g").set("class", &class).holds(|html| {
        if !title.is_empty() {
            html.tag("title").text(title);
        }
        html.tag("path").set("d", &path).empty();
        if is_hollow {
            html.tag("path").class("hollow").set("d", &path).empty();
        }
    });
}

/// A line from the bottom to the top of an area, at a place between 0 and 1.
pub(crate) fn upright_line(html: &mut Html, area: Area, place: f64, title: &str) {
    let line = html.tag("line").class("found").at("x1", Area::x(place)).at("x2", Area::x(place));
    line.at("y1", area.y(0.0)).at("y2", area.y(1.0)).holds(|html| html.tag("title").text(title));
}

/// A line from side to side, at a place between 0 (bottom) and 1.
pub(crate) fn level_line(html: &mut Html, area: Area, place: f64, title: &str) {
    let line = html.tag("line").class("found level").at("x1", 0.0).at("x2", WIDTH);
    line.at("y1", area.y(place)).at("y2", area.y(place)).holds(|html| html.tag("title").text(title));
}

/// An entry of a legend: a sample, for which there is so much room (width, and the middle of the
/// height), and what it means.
pub(crate) fn key(html: &mut Html, said: &str, sample: impl FnOnce(&mut Html, (f64, f64))) {
    html.tag("li").holds(|html| {
        let svg = html.tag("svg").class("key").at("width", KEY.0).at("height", KEY.1);
        svg.set("aria-hidden", "true").holds(|html| sample(html, (KEY.0, KEY.1 / 2.0)));
        html.text(said);
    });
}

/// Width and height of a sample.
const KEY: (f64, f64) = (28.0, 14.0);

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Html)) -> String {
        let mut html = Html::default();
        write(&mut html);
        html.into_text()
    }

    #[test]
    fn a_mark_is_a_stroke_around_its_place() {
        assert_eq!(
            written(|html| point(html, Mark::DOT, (10.0, 20.0), false, "a & b")),
            "<g class=\"mark dot c0\"><title>a &amp; b</title><path d=\"M10 20v0\"></path></g>"
        );
        let hollow = written(|html| point(html, Mark::BAR, (10.0, 20.0), true, ""));
        assert_eq!(hollow.matches("d=\"M10 13v14\"").count(), 2, "{hollow}");
    }

    #[test]
    fn marks_differ_in_shape_and_in_colour() {
        let marks = [Mark::DOT, Mark::SQUARE, Mark::BAR, Mark::SLIM_BAR];
        let shapes: std::collections::BTreeSet<&str> = marks.iter().map(|mark| mark.shape).collect();
        let pens: std::collections::BTreeSet<usize> = marks.iter().map(|mark| mark.pen.0).collect();
        assert_eq!((shapes.len(), pens.len()), (4, 4));
    }

    #[test]
    fn a_line_needs_two_places() {
        assert_eq!(written(|html| Mark::SQUARE.join(html, &[(1.0, 2.0)])), "");
        let line = written(|html| Mark::SQUARE.join(html, &[(1.0, 2.0), (3.0, 4.5)]));
        assert_eq!(line, "<path class=\"line c1\" d=\"M1 2L3 4.5\"></path>");
    }
}
