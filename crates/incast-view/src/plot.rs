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
pub(crate) mod mark;
pub(crate) mod trace;

use crate::html::Html;

/// How a line is told from the others: by its colour, and by its dashes as well.
///
/// There are six colours and four kinds of dashes, counted side by side: their smallest common
/// multiple is twelve, so that twelve lines differ, and neighbours in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pen(pub(crate) usize);

impl Pen {
    /// Most lines that can be told apart.
    pub(crate) const MAX: usize = 12;

    /// The class of a line that is drawn with it.
    pub(crate) fn line(self) -> String {
        format!("line c{} d{}", self.0 % COLOURS, self.0 % DASHES)
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

/// What each area means: a sample of it and its name.
pub(crate) fn legend_of_areas(html: &mut Html, entries: &[(Pen, String)]) {
    html.tag("ul").class("legend").holds(|html| {
        for (pen, name) in entries {
            html.tag("li").holds(|html| {
                html.tag("svg").class("key").set("width", "22").set("height", "10").holds(|html| {
                    let area = html.tag("rect").set("class", &pen.fill());
                    area.at("width", 22.0).at("height", 10.0).empty();
                });
                html.text(name);
            });
        }
    });
}

/// A sample of an area, with its letter: colour alone tells nothing to some readers and to most printers.
pub(crate) fn swatch(html: &mut Html, class: &str, letter: &str) {
    html.tag("svg").class("key").set("width", "22").set("height", "16").holds(|html| {
        html.tag("rect").set("class", class).at("width", 22.0).at("height", 16.0).empty();
        html.tag("text").class("middle on-fill").at("x", 11.0).at("y", 12.0).text(letter);
    });
}

/// `a`, `b`, ... `z`, then `aa`: there are as many stages of a path as ports and hosts.
pub(crate) fn letter(index: usize) -> String {
    let last = char::from(b'a' + u8::try_from(index % 26).unwrap_or(0));
    if index < 26 { last.to_string() } else { format!("{}{last}", letter(index / 26 - 1)) }
}

/// Colours `c0` to `c5` of the style sheet: told apart by colour-blind people, in light and in dark.
pub(crate) const COLOURS: usize = 6;
/// Dashes `d0` to `d3` of the style sheet; `d0` is a solid line.
const DASHES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pen_is_another_line() {
        let lines: std::collections::BTreeSet<String> =
            (0..Pen::MAX).map(|index| Pen(index).line()).collect();
        assert_eq!(lines.len(), Pen::MAX);
    }
    #[test]
    fn letters_do_not_run_out() {
        assert_eq!([0, 25, 26, 51, 52, 701].map(letter), ["a", "z", "aa", "az", "ba", "zz"]);
    }
}
