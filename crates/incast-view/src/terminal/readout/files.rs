//! What was written, file by file.

use incast_core::record::StoredFile;

use super::put;
use crate::page::{FAINT, Label, Page, shown_name};
use crate::table::{Cell, GAP, KEPT, Side, Table};
use crate::text::counted;
use crate::units::{bytes, count};

/// The table of files; nothing when there is none.
pub(super) fn show(page: &mut Page, files: &[StoredFile]) {
    if files.is_empty() {
        return;
    }
    // Half of the page for the path: what tells files apart is at its end, which is kept.
    let path_cells = (page.width() / 2).max(PATH_CELLS_MIN);
    let mut table = Table::new(COLUMNS.map(|(header, side, _)| (header, side)).to_vec());
    for file in files.iter().take(FILES_MAX) {
        table.push(vec![
            Cell::plain(format!("{GAP}{}", shown_name(&file.path, path_cells))),
            Cell::plain(shown_name(&file.stream, STREAM_CELLS)),
            Cell::plain(count(Some(file.records))),
            Cell::plain(bytes(Some(file.bytes))),
        ]);
    }
    put(page, "files", &table, &COLUMNS.map(|(.., rank)| rank));
    if let Some(more) = files.len().checked_sub(FILES_MAX).filter(|more| *more > 0) {
        let what = format!("{} in the record", counted(more, "more file", "more files"));
        page.words(&Label::none().body(FAINT), &what);
    }
}

const COLUMNS: [(&str, Side, u8); 4] = [
    ("  file", Side::Left, KEPT),
    ("stream", Side::Left, 0),
    ("records", Side::Right, 2),
    ("bytes", Side::Right, 1),
];
/// Most files with a line.
const FILES_MAX: usize = 12;
const PATH_CELLS_MIN: usize = 20;
const STREAM_CELLS: usize = 16;
