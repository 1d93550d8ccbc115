//! A whole and its parts: a bar that sums to it, each part with a letter that its row of a table shares.
//!
//! Colour alone tells nothing to some readers and to most printers.

use super::sheet::Cell;
use crate::html::Html;
use crate::plot::swatch;
use crate::units::{difference, f64_of, percent};

/// A part of a whole.
pub(super) struct Part {
    pub(super) letter: String,
    pub(super) name: String,
    /// What it means, or where that is.
    pub(super) place: String,
    /// The same in packets, where those are counted.
    pub(super) packets: Option<u64>,
    /// How many; `None` is unknown.
    pub(super) count: Option<i64>,
    /// Class of its piece of the bar.
    pub(super) class: String,
}

impl Part {
    /// Whether the account does not close: this is what is left of it.
    pub(super) fn is_open(&self) -> bool {
        self.class.contains("unexplained") && self.count.is_some_and(|messages| messages != 0)
    }

    /// Its row of a table: letter, name, place, how many, and what part of `whole` that is.
    pub(super) fn row(&self, whole: Option<u64>, alarming: bool) -> Vec<Cell> {
        vec![
            Cell::drawn("", |html| swatch(html, &self.class, &self.letter)),
            Cell::plain(&self.name),
            Cell::marked(&self.place, "faint"),
            Cell::flagged(difference(self.count), alarming),
            Cell::plain(percent(fraction(self.count, whole))),
        ]
    }
}

/// A bar of all parts that are more than nothing. It is as long as their sum, or as `whole` if that is more.
pub(super) fn bar(html: &mut Html, what: &str, parts: &[&Part], whole: Option<u64>) {
    let widths = widths(parts, whole.map_or(0.0, f64_of));
    html.tag("p").class("plot-title").text(what);
    let svg = html.tag("svg").class("bar").set("width", "100%").at("height", 30.0);
    svg.set("role", "img").set("aria-label", what).holds(|html| {
        let mut from = 0.0;
        for (part, width) in parts.iter().zip(widths).filter(|(_, width)| *width > 0.0) {
            let title = format!("{} {}: {}", part.name, part.place, difference(part.count));
            let shape = html.tag("rect").set("class", &part.class).part("x", from).part("width", width);
            shape.at("y", 0.0).at("height", 30.0).holds(|html| html.tag("title").text(&title));
            if width > LETTER_PART {
                let label = html.tag("text").class("middle on-fill").part("x", from + width / 2.0);
                label.at("y", 20.0).text(&part.letter);
            }
            from += width;
        }
    });
}

/// The fractions of the bar that the parts take; what is unknown or negative has no length.
pub(super) fn widths(parts: &[&Part], whole: f64) -> Vec<f64> {
    let length = |part: &&Part| part.count.and_then(|count| u64::try_from(count).ok()).map_or(0.0, f64_of);
    let lengths: Vec<f64> = parts.iter().map(length).collect();
    let whole = lengths.iter().sum::<f64>().max(whole);
    lengths.iter().map(|length| if whole > 0.0 { length / whole } else { 0.0 }).collect()
}

/// What part of the whole so many are, if there is a whole.
#[expect(clippy::cast_precision_loss, reason = "for printing")]
fn fraction(count: Option<i64>, whole: Option<u64>) -> Option<f64> {
    let whole = whole.filter(|whole| *whole > 0)?;
    Some(count? as f64 / f64_of(whole))
}

/// A letter fits on a part of a bar from here on, on a screen of 400 units too.
const LETTER_PART: f64 = 0.05;
