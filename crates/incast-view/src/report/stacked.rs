//! Several sums side by side: a bar for each, cut into its pieces. A name is the same piece in every bar.

use std::collections::BTreeSet;

use crate::html::Html;
use crate::plot::{COLOURS, Pen, letter, swatch};

/// A bar.
pub(super) struct Row<'r> {
    /// What it is of.
    pub(super) label: String,
    /// Its whole length, in words.
    pub(super) said: String,
    pub(super) pieces: Vec<Piece<'r>>,
}

/// A piece of a bar.
pub(super) struct Piece<'r> {
    pub(super) name: &'r str,
    /// Its length; finite and not negative.
    pub(super) amount: f64,
    /// Its length, in words.
    pub(super) said: String,
}

/// The bars with what their pieces mean, below each other: on a narrow screen they are as wide as it is.
/// Says whether each name has a colour and a letter of its own: there may be too many.
pub(super) fn show(html: &mut Html, what: &str, rows: &[Row<'_>]) -> bool {
    let names = names(rows);
    let most = rows.iter().fold(0.0_f64, |most, row| most.max(row.length()));
    let each = names.len() <= Pen::MAX;
    html.tag("figure").holds(|html| {
        if each {
            key(html, &names);
        }
        for row in rows {
            html.tag("p").class("bar-title").holds(|html| {
                html.tag("b").text(&row.label);
                html.text(&format!(": {}", row.said));
            });
            row.draw(html, what, &names, most);
        }
    });
    each
}

impl Row<'_> {
    /// The sum of its pieces.
    pub(super) fn length(&self) -> f64 {
        self.pieces.iter().map(|piece| piece.amount).sum()
    }

    fn draw(&self, html: &mut Html, what: &str, names: &[&str], most: f64) {
        let svg = html.tag("svg").class("bar").set("width", "100%").at("height", 20.0).set("role", "img");
        svg.set("aria-label", what).holds(|html| {
            let mut from = 0.0;
            for (index, piece) in self.pieces.iter().enumerate() {
                let part = if most > 0.0 { piece.amount / most } else { 0.0 };
                let place = names.iter().position(|name| *name == piece.name).unwrap_or(index);
                // Beyond the pens only the neighbours are told apart.
                let pen = if names.len() > Pen::MAX { Pen(index % 2) } else { Pen(place) };
                let shape = html.tag("rect").set("class", &class(pen)).part("x", from);
                let title = format!("{}: {}", piece.name, piece.said);
                shape.part("width", part).at("height", 20.0).holds(|html| html.tag("title").text(&title));
                if names.len() <= Pen::MAX && part > LETTER_PART {
                    let label = html.tag("text").class("middle on-fill").part("x", from + part / 2.0);
                    label.at("y", 14.0).text(&letter(place));
                }
                from += part;
            }
        });
    }
}

/// Names of pieces in the order in which they come first.
fn names<'r>(rows: &[Row<'r>]) -> Vec<&'r str> {
    let mut known = BTreeSet::new();
    let all = rows.iter().flat_map(|row| &row.pieces).map(|piece| piece.name);
    all.filter(|name| known.insert(*name)).collect()
}

/// What the colours and letters of the bars mean.
fn key(html: &mut Html, names: &[&str]) {
    html.tag("ul").class("legend").holds(|html| {
        for (index, name) in names.iter().enumerate() {
            html.tag("li").holds(|html| {
                swatch(html, &class(Pen(index)), &letter(index));
                html.text(name);
            });
        }
    });
}

/// Class of a piece: beyond the colours they come again, paler.
fn class(pen: Pen) -> String {
    format!("{}{}", pen.fill(), if pen.0 >= COLOURS { " second" } else { "" })
}

/// A letter fits on a piece of a bar from here on.
const LETTER_PART: f64 = 0.05;
