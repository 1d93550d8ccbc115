//! Plots as inline SVG, drawn by a little code of our own.
//!
//! A plot library would fix its colours and bring fonts, and scale its text with its lines. A report
//! has to be read in light and in dark, on paper, on a wide screen and on a narrow one. So lines
//! here have no colour but a class, and the style sheet of the page decides. The area of a plot is
//! stretched to the room that there is (`preserveAspectRatio="none"`) with strokes that are not, and
//! its axes are drawings of their own beside it, whose text keeps its size. No script is needed.
//!
//! ```text
//!   y axis, fixed width | area: 1000 units wide, stretched
//!                       | x axis: places in per cent
//! ```

pub(crate) mod axis;
pub(crate) mod frame;
pub(crate) mod trace;

use crate::html::Html;

/// How a line is told from the others: its colour and, on top of that, its dashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pen(pub(crate) usize);

impl Pen {
    /// Most lines that can be told apart: six colours, each with two kinds of dashes.
    pub(crate) const MAX: usize = COLOURS * 2;

    /// The class of a line that is drawn with it.
    pub(crate) fn line(self) -> String {
        let dashed = if self.0 / COLOURS % 2 == 1 { " dashed" } else { "" };
        format!("line c{}{dashed}", self.0 % COLOURS)
    }

    /// The class of an area that is filled with it.
    pub(crate) fn fill(self) -> String {
        format!("fill c{}", self.0 % COLOURS)
    }
}

/// What each line means: a sample of it and its name.
pub(crate) fn legend(html: &mut Html, entries: &[(Pen, String)]) {
    html.tag("ul").class("legend").holds(|html| {
        for (pen, name) in entries {
            html.tag("li").holds(|html| {
                html.tag("svg").class("key").set("width", "28").set("height", "10").holds(|html| {
                    let line = html.tag("line").set("class", &pen.line());
                    line.at("x1", 1.0).at("x2", 27.0).at("y1", 5.0).at("y2", 5.0).empty();
                });
                html.text(name);
            });
        }
    });
}

/// Colours `c0` to `c5` of the style sheet: told apart by colour-blind people, in light and in dark.
const COLOURS: usize = 6;
