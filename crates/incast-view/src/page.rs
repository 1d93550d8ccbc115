//! The page that a report is written on: its width, its colours, and labelled paragraphs.
//!
//! Everything here wraps; a line is never longer than the page. Texts come in clean.

use anstyle::{AnsiColor, Style};

use crate::table::{GAP, Table, painted};
use crate::text::{clean, cut, width, wrap};
use crate::units::UNKNOWN;

/// Text of a given width that grows by lines.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    text: String,
    width: usize,
}

impl Page {
    /// An empty page; a width that nothing could be shown on is widened.
    pub(crate) fn new(width: usize) -> Self {
        Self { text: String::new(), width: width.clamp(WIDTH_MIN, WIDTH_MAX) }
    }

    /// Cells of a line.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Most cells of a name here: a fifth of the page.
    pub(crate) fn name_cells(&self) -> usize {
        (self.width / 5).clamp(NAME_CELLS_MIN, NAME_CELLS_MAX)
    }

    /// A name that somebody chose, as it is shown here.
    pub(crate) fn name(&self, name: &str) -> String {
        shown_name(name, self.name_cells())
    }

    /// A line as it is: the caller has seen to its width.
    pub(crate) fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    /// A table of the columns that there is room for, the lowest of `ranks` left out first, and the names of the others.
    pub(crate) fn table(&mut self, table: &Table, ranks: &[u8]) {
        let shown = table.fit(ranks, self.width);
        for line in table.lines(&shown, HEADING) {
            self.line(&line);
        }
        let hidden = table.hidden(&shown);
        if !hidden.is_empty() {
            self.words(&Label::new("not here"), &format!("too wide for this page: {}", hidden.join(", ")));
        }
    }

    /// An empty line, and the title of what follows.
    pub(crate) fn section(&mut self, title: &str) {
        self.line("");
        self.heading(title, HEADING);
    }

    /// A line of its own over the whole page, in one colour.
    pub(crate) fn heading(&mut self, text: &str, style: Style) {
        for line in wrap(&[text.to_owned()], self.width) {
            self.line(&painted(&line, style));
        }
    }

    /// A paragraph of words.
    pub(crate) fn words(&mut self, label: &Label<'_>, text: &str) {
        let text = cut(&clean(text), TEXT_CELLS_MAX);
        self.tokens(label, &text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    }

    /// A paragraph of items with commas between them.
    pub(crate) fn items(&mut self, label: &Label<'_>, items: &[String]) {
        let comma = |(index, item): (usize, &String)| {
            if index + 1 < items.len() { format!("{item},") } else { item.clone() }
        };
        self.tokens(label, &items.iter().enumerate().map(comma).collect::<Vec<_>>());
    }

    /// A paragraph of tokens that stay whole where that is possible.
    pub(crate) fn tokens(&mut self, label: &Label<'_>, tokens: &[String]) {
        let start = label.indent + label.cells + GAP.len();
        let lines = wrap(tokens, self.width.min(READABLE_CELLS).saturating_sub(start));
        for (index, line) in lines.iter().enumerate() {
            let shown = if index == 0 { label.text } else { "" };
            let indent = " ".repeat(label.indent);
            let padding = " ".repeat(label.cells.saturating_sub(width(shown)));
            let body = painted(line, label.body);
            let whole = format!("{indent}{}{padding}{GAP}{body}", painted(shown, label.style));
            self.line(whole.trim_end_matches(' '));
        }
    }

    /// Everything written so far.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// A name that somebody chose, clean and in at most `cells`; `-` for none.
pub(crate) fn shown_name(name: &str, cells: usize) -> String {
    let name = clean(name);
    cut(if name.trim().is_empty() { UNKNOWN } else { &name }, cells)
}

/// What stands at the left of a paragraph; the paragraph's lines begin `indent + cells + 2` from the left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label<'t> {
    pub(crate) text: &'t str,
    pub(crate) indent: usize,
    /// Room for the text; it must not be longer.
    pub(crate) cells: usize,
    pub(crate) style: Style,
    /// Colour of the paragraph.
    pub(crate) body: Style,
}

impl<'t> Label<'t> {
    /// A label at the left edge of the page, aligned with all others there.
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { text, indent: 0, cells: LABEL_CELLS, style: HEADING, body: PLAIN }
    }

    /// A label below a title, with room for `cells`.
    pub(crate) const fn below(text: &'t str, cells: usize) -> Self {
        Self { text, indent: 2, cells, style: PLAIN, body: PLAIN }
    }

    /// No label: a note that begins near the left edge.
    pub(crate) const fn none() -> Self {
        Self { text: "", indent: 0, cells: 0, style: PLAIN, body: PLAIN }
    }

    pub(crate) const fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }

    pub(crate) const fn body(self, body: Style) -> Self {
        Self { body, ..self }
    }
}

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const HEADING: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();

/// Below this nothing can be aligned; the terminal may break the lines then.
const WIDTH_MIN: usize = 40;
/// No terminal is wider; it keeps a nonsensical width from becoming a nonsensical line.
const WIDTH_MAX: usize = 1000;
/// Longer lines of words are hard to read, however wide the terminal.
const READABLE_CELLS: usize = 120;
/// The longest label at the left edge is `all flows`.
const LABEL_CELLS: usize = 9;
const NAME_CELLS_MIN: usize = 12;
const NAME_CELLS_MAX: usize = 32;
/// Longer texts of a record are cut: some eight lines at 80 columns.
const TEXT_CELLS_MAX: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_hangs_from_its_label() {
        let mut page = Page::new(40);
        page.items(&Label::new("cost").style(PLAIN), &["a".repeat(20), "b".repeat(20), "c".to_owned()]);
        let text = "cost       aaaaaaaaaaaaaaaaaaaa,\n           bbbbbbbbbbbbbbbbbbbb, c\n";
        assert_eq!(page.into_text(), text);
    }

    #[test]
    fn a_width_of_nothing_is_widened() {
        assert_eq!([0, 40, 100, usize::MAX].map(|width| Page::new(width).width()), [40, 40, 100, 1000]);
    }
}
