//! What is wrong with a scenario file: each fault with its place, and the line it stands in.
//!
//! Texts from the file are shortened and their control characters written out: a hostile file
//! does not become a hostile message. Columns count characters, from 1.

use std::fmt;

use super::findings::is_plain;

/// Everything wrong with a scenario file, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioErrors {
    errors: Vec<ScenarioError>,
    omitted: usize,
}

/// One fault and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What was found, what is allowed, and the nearest right word.
    pub message: String,
    /// The line it stands in, or the part of a long one around it.
    source_line: String,
    /// Where in `source_line` the fault begins, and how many characters it covers.
    mark: (usize, usize),
}

impl ScenarioErrors {
    /// Most faults shown of one file: enough to mend a file in one go, few enough to read.
    pub const SHOWN_MAX: usize = 20;

    pub(super) fn new(errors: Vec<ScenarioError>, omitted: usize) -> Self {
        debug_assert!(!errors.is_empty() && errors.len() <= Self::SHOWN_MAX);
        Self { errors, omitted }
    }

    /// The faults, at most [`Self::SHOWN_MAX`], in the order of the file; never empty.
    #[must_use]
    pub fn errors(&self) -> &[ScenarioError] {
        &self.errors
    }

    /// How many more faults there are.
    #[must_use]
    pub const fn omitted(&self) -> usize {
        self.omitted
    }

    /// One line for each fault: `<file>:<line>:<column>: <message>`.
    #[must_use]
    pub fn lines<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        Report { errors: self, file, with_source: false }
    }

    /// Each fault with its source line and a mark under it, for a terminal.
    #[must_use]
    pub fn explained<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        Report { errors: self, file, with_source: true }
    }
}

impl fmt::Display for ScenarioErrors {
    /// As [`ScenarioErrors::lines`] of a file called `scenario`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines("scenario").fmt(out)
    }
}

impl std::error::Error for ScenarioErrors {}

struct Report<'a> {
    errors: &'a ScenarioErrors,
    file: &'a str,
    with_source: bool,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.errors.iter().enumerate() {
            if index > 0 {
                out.write_str(if self.with_source { "\n\n" } else { "\n" })?;
            }
            if self.with_source {
                error.explain(self.file, out)?;
            } else {
                write!(out, "{}:{}:{}: {}", self.file, error.line, error.column, error.message)?;
            }
        }
        match self.errors.omitted {
            0 => Ok(()),
            omitted => write!(out, "\n{}: and {omitted} more", self.file),
        }
    }
}

impl ScenarioError {
    /// Finds the place of `span` (bytes of `text`); a span that does not fit is moved into the text.
    pub(super) fn at(text: &str, span: &std::ops::Range<usize>, message: String) -> Self {
        let start = text.floor_char_boundary(span.start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let whole_line = text[line_start..].lines().next().unwrap_or_default();
        // An editor shows no byte order mark and does not count it.
        let is_shown = |character: &char| *character != '\u{feff}';
        let column = text[line_start..start].chars().filter(is_shown).count();

        let end = text.floor_char_boundary(span.end.max(start));
        let marked = text[start..end].lines().next().unwrap_or_default().chars().count();
        let skipped = column.saturating_sub(LINE_CHARACTERS_MAX / 2);
        let source_line = whole_line
            .chars()
            .filter(is_shown)
            .skip(skipped)
            .take(LINE_CHARACTERS_MAX)
            .map(printable)
            .collect();
        let mark_start = column - skipped;
        let mark_length = marked.clamp(1, (LINE_CHARACTERS_MAX - mark_start).max(1));
        Self { line, column: column + 1, message, source_line, mark: (mark_start, mark_length) }
    }

    fn explain(&self, file: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = number.len();
        writeln!(out, "error: {}", self.message)?;
        writeln!(out, "{:margin$}--> {file}:{}:{}", "", self.line, self.column)?;
        writeln!(out, "{:margin$} |", "")?;
        writeln!(out, "{number} | {}", self.source_line)?;
        let (start, length) = self.mark;
        write!(out, "{:margin$} | {:start$}{:^<length$}", "", "", "^")
    }
}

/// Most characters of a source line that are shown; a terminal's width, about.
const LINE_CHARACTERS_MAX: usize = 100;

/// One column for each character, so that the mark stands under its word.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        character if is_plain(character) => character,
        _ => '\u{fffd}',
    }
}
