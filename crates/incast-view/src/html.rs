//! HTML and SVG that nothing in a record can break out of.
//!
//! Markup is `&'static str`: it comes from the source of this crate and from nowhere else. Every
//! other text may have been chosen by a peer. It is cleaned as for a terminal ([`clean`]), then what
//! HTML would read as markup is escaped, and there is no way around that. Elements close themselves,
//! so that the page is always well formed.

use crate::text::clean;

/// A piece of a page that grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Html {
    text: String,
}

impl Html {
    /// Begins an element; one of the last methods of [`Tag`] ends it.
    pub(crate) fn tag(&mut self, name: &'static str) -> Tag<'_> {
        self.text.push('<');
        self.text.push_str(name);
        Tag { html: self, name }
    }

    /// Text of any origin.
    pub(crate) fn text(&mut self, text: &str) {
        escape(&clean(text), &mut self.text);
    }

    /// Markup that is the same in every report.
    pub(crate) fn fixed(&mut self, markup: &'static str) {
        self.text.push_str(markup);
    }

    /// A piece that was written elsewhere.
    pub(crate) fn append(&mut self, piece: &Self) {
        self.text.push_str(&piece.text);
    }

    /// A heading, by its level 1 to 4.
    pub(crate) fn heading(&mut self, level: usize, text: &str) {
        self.tag(["h1", "h2", "h3", "h4"][level.clamp(1, 4) - 1]).text(text);
    }

    /// A remark below a table or a figure.
    pub(crate) fn note(&mut self, text: &str) {
        self.tag("p").class("note").text(text);
    }

    /// Everything written so far.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// An element that has been begun: attributes first, then its content.
#[must_use = "an element is closed by its content"]
pub(crate) struct Tag<'h> {
    html: &'h mut Html,
    name: &'static str,
}

impl Tag<'_> {
    pub(crate) fn class(self, class: &'static str) -> Self {
        self.set("class", class)
    }

    /// An attribute; its value may be of any origin.
    pub(crate) fn set(self, attribute: &'static str, value: &str) -> Self {
        self.html.text.push(' ');
        self.html.text.push_str(attribute);
        self.html.text.push_str("=\"");
        escape(&clean(value), &mut self.html.text);
        self.html.text.push('"');
        self
    }

    /// An attribute that is a length in units of the drawing.
    pub(crate) fn at(self, attribute: &'static str, value: f64) -> Self {
        let value = coordinate(value);
        self.set(attribute, &value)
    }

    /// An attribute that is a part of the whole width or height, as per cent.
    pub(crate) fn part(self, attribute: &'static str, fraction: f64) -> Self {
        let value = format!("{}%", coordinate_fine(fraction * 100.0));
        self.set(attribute, &value)
    }

    /// The element holds this text.
    pub(crate) fn text(self, text: &str) {
        self.holds(|html| html.text(text));
    }

    /// The element holds this text, whose lines stay lines.
    pub(crate) fn lines(self, text: &str) {
        self.holds(|html| {
            for line in text.lines() {
                html.text(&line.replace('\t', "    "));
                html.fixed("\n");
            }
        });
    }

    /// The element holds what `content` writes.
    pub(crate) fn holds(self, content: impl FnOnce(&mut Html)) {
        self.html.text.push('>');
        content(self.html);
        self.html.text.push_str("</");
        self.html.text.push_str(self.name);
        self.html.text.push('>');
    }

    /// The element holds nothing.
    pub(crate) fn empty(self) {
        self.holds(|_| {});
    }

    /// The element is one that HTML never closes (`meta`).
    pub(crate) fn void(self) {
        self.html.text.push('>');
    }
}

/// Appends `text` with everything escaped that HTML would read as markup, in content and in attributes.
fn escape(text: &str, to: &mut String) {
    for character in text.chars() {
        match character {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            other => to.push(other),
        }
    }
}

/// A coordinate to a tenth of a unit, as short as it can be written; what is no number is 0.
pub(crate) fn coordinate(value: f64) -> String {
    short(value, 1)
}

/// A coordinate to a thousandth: per cent of a whole width.
fn coordinate_fine(value: f64) -> String {
    short(value, 3)
}

fn short(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{:.decimals$}", value.clamp(-COORDINATE_MAX, COORDINATE_MAX));
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// No drawing is larger; it keeps a nonsensical number from becoming a nonsensical page.
const COORDINATE_MAX: f64 = 1e6;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Html)) -> String {
        let mut html = Html::default();
        write(&mut html);
        html.into_text()
    }

    #[test]
    fn no_text_becomes_markup() {
        let hostile = "</pre><script>alert(1)</script>&\"'\u{202e}\u{0}";
        let escaped = "&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;??";
        assert_eq!(written(|html| html.tag("p").text(hostile)), format!("<p>{escaped}</p>"));
        assert_eq!(
            written(|html| html.tag("p").set("title", hostile).empty()),
            format!("<p title=\"{escaped}\"></p>")
        );
    }

    #[test]
    fn lines_stay_lines_and_elements_close() {
        assert_eq!(written(|html| html.tag("pre").lines("a\r\n\tb")), "<pre>a\n    b\n</pre>");
        assert_eq!(
            written(|html| html.tag("g").class("a").holds(|html| html.tag("path").at("x", 1.25).empty())),
            "<g class=\"a\"><path x=\"1.2\"></path></g>"
        );
        assert_eq!(
            written(|html| html.tag("meta").set("charset", "utf-8").void()),
            "<meta charset=\"utf-8\">"
        );
    }

    #[test]
    fn coordinates_are_short_and_always_numbers() {
        for (value, text) in [
            (0.0, "0"),
            (-0.01, "0"),
            (100.0, "100"),
            (12.34, "12.3"),
            (-5.5, "-5.5"),
            (f64::NAN, "0"),
            (f64::INFINITY, "0"),
            (1e300, "1000000"),
        ] {
            assert_eq!(coordinate(value), text);
        }
        assert_eq!(
            written(|html| html.tag("rect").part("x", 1.0 / 3.0).empty()),
            "<rect x=\"33.333%\"></rect>"
        );
    }
}
