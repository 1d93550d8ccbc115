//! A table of the report: words to the left, numbers to the right, in a box of its own that scrolls
//! when the page is narrower.

use crate::html::Html;
use crate::table::Side;

/// A table under way.
pub(super) struct Sheet {
    columns: Vec<(String, Side)>,
    rows: Vec<Vec<Cell>>,
}

/// One cell.
pub(super) struct Cell {
    content: Html,
    class: &'static str,
}

impl Cell {
    /// Text or number as it is.
    pub(super) fn plain(text: impl AsRef<str>) -> Self {
        Self::marked(text, "")
    }

    /// Text that draws the eye when `alarming`.
    pub(super) fn flagged(text: impl AsRef<str>, alarming: bool) -> Self {
        Self::marked(text, if alarming { "alarm" } else { "" })
    }

    /// Text of a class of the style sheet.
    pub(super) fn marked(text: impl AsRef<str>, class: &'static str) -> Self {
        Self::drawn(class, |html| html.text(text.as_ref()))
    }

    /// Anything.
    pub(super) fn drawn(class: &'static str, content: impl FnOnce(&mut Html)) -> Self {
        let mut html = Html::default();
        content(&mut html);
        Self { content: html, class }
    }
}

impl Sheet {
    /// A table with these columns; the first names its rows.
    pub(super) fn new(columns: &[(&str, Side)]) -> Self {
        Self::with(columns.iter().map(|(name, side)| ((*name).to_owned(), *side)).collect())
    }

    /// A table whose columns are called by what is in a record.
    pub(super) fn with(columns: Vec<(String, Side)>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; it has a cell for each column.
    pub(super) fn push(&mut self, row: Vec<Cell>) {
        assert_eq!(row.len(), self.columns.len(), "a cell for each column");
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it; `what` says to people who cannot see it what it is.
    pub(super) fn show(self, html: &mut Html, what: &str) {
        let region = html.tag("div").class("scroll").set("tabindex", "0").set("role", "region");
        region.set("aria-label", what).holds(|html| {
            html.tag("table").holds(|html| {
                html.tag("thead").holds(|html| self.header(html));
                html.tag("tbody").holds(|html| self.body(html));
            });
        });
    }

    /// Writes it folded under `summary`.
    pub(super) fn fold(self, html: &mut Html, summary: &str) {
        html.tag("details").holds(|html| {
            html.tag("summary").text(summary);
            self.show(html, summary);
        });
    }

    fn header(&self, html: &mut Html) {
        html.tag("tr").holds(|html| {
            for (name, side) in &self.columns {
                html.tag("th").set("scope", "col").class(side_class(*side)).text(name);
            }
        });
    }

    fn body(&self, html: &mut Html) {
        for row in &self.rows {
            html.tag("tr").holds(|html| {
                for (index, (cell, (_, side))) in row.iter().zip(&self.columns).enumerate() {
                    let class = format!("{} {}", side_class(*side), cell.class);
                    let tag = if index == 0 { html.tag("th").set("scope", "row") } else { html.tag("td") };
                    tag.set("class", class.trim_end()).holds(|html| html.append(&cell.content));
                }
            });
        }
    }
}

fn side_class(side: Side) -> &'static str {
    match side {
        Side::Left => "words",
        Side::Right => "number",
    }
}
