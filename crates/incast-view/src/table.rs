//! A tiny aligned table: columns to the left or right, two spaces between them.
//!
//! It knows widths and nothing of what the cells mean. Cells hold clean text; colours are put
//! around it when it is written, so that they take no room.

use anstyle::Style;

use crate::text::width;

/// Which side of its column a cell stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One cell: text that [`crate::text::clean`] has seen, and its colour.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// Columns with a header, and rows of as many cells.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<Cell>>,
}

impl Cell {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::new() }
    }

    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl Table {
    pub(crate) fn new(columns: Vec<(&'static str, Side)>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; it has a cell for each column.
    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        assert_eq!(row.len(), self.columns.len(), "a cell for each column");
        self.rows.push(row);
    }

    /// Whether it has no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Cells that each column needs.
    pub(crate) fn widths(&self) -> Vec<usize> {
        let needs = |(index, (header, _)): (usize, &(&str, Side))| {
            let cells = self.rows.iter().map(|row| width(&row[index].text));
            cells.fold(width(header), usize::max)
        };
        self.columns.iter().enumerate().map(needs).collect()
    }

    /// Which columns to show so that a line is at most `room` wide: those of the lowest rank go first,
    /// those of [`KEPT`] stay.
    pub(crate) fn fit(&self, ranks: &[u8], room: usize) -> Vec<bool> {
        let widths = self.widths();
        let mut shown = vec![true; widths.len()];
        let needs = |shown: &[bool]| {
            let columns = widths.iter().zip(shown).filter(|(_, shown)| **shown);
            columns.fold(0, |sum, (cells, _)| sum + cells + GAP.len()).saturating_sub(GAP.len())
        };
        let mut order: Vec<usize> = (0..widths.len().min(ranks.len())).collect();
        order.retain(|index| ranks[*index] < KEPT);
        order.sort_by_key(|index| ranks[*index]);
        for index in order {
            if needs(&shown) > room {
                shown[index] = false;
            }
        }
        shown
    }

    /// Names of the columns that are not shown.
    pub(crate) fn hidden(&self, shown: &[bool]) -> Vec<&'static str> {
        let columns = self.columns.iter().zip(shown).filter(|(_, shown)| !**shown);
        columns.map(|((header, _), _)| header.trim()).collect()
    }

    /// The header and the rows, a line each, with the columns that `shown` says.
    pub(crate) fn lines(&self, shown: &[bool], header: Style) -> Vec<String> {
        let widths = self.widths();
        let headers = self.columns.iter().map(|(name, _)| Cell::styled(*name, header)).collect();
        let rows = std::iter::once(&headers).chain(&self.rows);
        rows.map(|row: &Vec<Cell>| self.line(row, &widths, shown)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize], shown: &[bool]) -> String {
        let mut line = String::new();
        let columns = row.iter().zip(widths).zip(&self.columns).zip(shown).filter(|(_, shown)| **shown);
        for (index, (((cell, cells), (_, side)), _)) in columns.enumerate() {
            let padding = " ".repeat(cells.saturating_sub(width(&cell.text)));
            let (before, after) =
                if *side == Side::Right { (padding, String::new()) } else { (String::new(), padding) };
            let gap = if index == 0 { "" } else { GAP };
            line += &format!("{gap}{before}{}{after}", painted(&cell.text, cell.style));
        }
        line.truncate(line.trim_end_matches(' ').len());
        line
    }
}

/// `text` in `style`, and everything as before after it.
pub(crate) fn painted(text: &str, style: Style) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{}{text}{}", style.render(), style.render_reset())
}

/// The rank of a column that is never left out.
pub(crate) const KEPT: u8 = u8::MAX;
/// Between two columns.
pub(crate) const GAP: &str = "  ";

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(vec![("name", Side::Left), ("lost", Side::Right), ("to", Side::Left)]);
        for (name, lost, to) in [("a", "1 234", "x"), ("東京-source", "-", "sink")] {
            table.push([name, lost, to].map(Cell::plain).into());
        }
        table
    }

    #[test]
    fn words_stand_left_and_numbers_right() {
        let lines = table().lines(&[true; 3], Style::new());
        assert_eq!(lines, ["name          lost  to", "a            1 234  x", "東京-source      -  sink"]);
        assert_eq!(table().widths(), [11, 5, 4]);
    }

    #[test]
    fn a_column_can_be_left_out() {
        let lines = table().lines(&[false, true, false], Style::new());
        assert_eq!(lines, [" lost", "1 234", "    -"]);
    }

    #[test]
    fn what_matters_least_goes_first_when_there_is_no_room() {
        let (table, ranks) = (table(), [KEPT, 2, 1]);
        assert_eq!(table.fit(&ranks, 24), [true, true, true]);
        assert_eq!(table.fit(&ranks, 23), [true, true, false]);
        assert_eq!(table.fit(&ranks, 5), [true, false, false]);
        assert_eq!(table.hidden(&[true, false, false]), ["lost", "to"]);
    }

    #[test]
    fn colours_take_no_room() {
        let mut table = table();
        table.push(vec![Cell::styled("b", Style::new().bold()), Cell::plain("5"), Cell::plain("")]);
        assert_eq!(table.lines(&[true; 3], Style::new())[3], "\u{1b}[1mb\u{1b}[0m                5");
    }
}
