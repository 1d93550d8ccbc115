//! Text that others chose, made fit for a terminal: nothing in it moves the cursor or hides.
//!
//! Widths are in cells of the terminal: one per character, two for the wide ones of East Asia and
//! for emoji. That is an approximation of Unicode TR 11, good enough to align a column; a
//! combining mark counts as one, so that a name made of them is cut as well.

/// `text` without anything that a terminal would obey: white space becomes a space, a control or
/// formatting character (escape, direction override, zero width) a question mark.
#[must_use]
pub fn clean(text: &str) -> String {
    let replaced = |character: char| match character {
        // A separator of lines is white space as well, so it ends up as a space.
        white if white.is_whitespace() => ' ',
        hidden if hidden.is_control() || is_formatting(hidden) => '?',
        shown => shown,
    };
    text.chars().map(replaced).collect()
}

/// `text` in at most `cells`: head and end stay, because what tells names apart is often at the end.
#[must_use]
pub fn cut(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let kept = cells.saturating_sub(1);
    let tail_start = start_of_tail(text, kept / 3);
    let tail = &text[tail_start..];
    let head = &text[..end_of_head(text, kept - width(tail))];
    if cells == 0 { String::new() } else { format!("{head}…{tail}") }
}

/// Cells that `text` takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(cells).sum()
}

/// `1 doubt`, `2 doubts`: `many` is what more than one is called.
#[must_use]
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Lines of at most `cells`, filled with `tokens` and a space between them. A token is broken only
/// where it would not fit on a line of its own: at its spaces first, then anywhere.
#[must_use]
pub(crate) fn wrap(tokens: &[String], cells: usize) -> Vec<String> {
    let cells = cells.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for piece in tokens.iter().flat_map(|token| pieces(token, cells)) {
        if !line.is_empty() && width(&line) + 1 + width(piece) > cells {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(piece);
    }
    lines.push(line);
    lines
}

fn pieces(token: &str, cells: usize) -> Vec<&str> {
    if width(token) <= cells {
        return vec![token];
    }
    let mut pieces = Vec::new();
    for mut word in token.split(' ').filter(|word| !word.is_empty()) {
        while width(word) > cells {
            let (piece, rest) = word.split_at(end_of_head(word, cells));
            pieces.push(piece);
            word = rest;
        }
        pieces.push(word);
    }
    pieces
}

/// Where the longest head of at most `room` cells ends, in bytes.
fn end_of_head(text: &str, room: usize) -> usize {
    let mut used = 0;
    let beyond = text.char_indices().find(|(_, character)| {
        used += cells(*character);
        used > room
    });
    beyond.map_or(text.len(), |(at, _)| at)
}

/// Where the longest tail of at most `room` cells starts, in bytes.
fn start_of_tail(text: &str, room: usize) -> usize {
    let mut used = 0;
    let before = text.char_indices().rev().find(|(_, character)| {
        used += cells(*character);
        used > room
    });
    before.map_or(0, |(at, character)| at + character.len_utf8())
}

fn cells(character: char) -> usize {
    let wide = matches!(u32::from(character),
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1F64F | 0x1F680..=0x1FAFF | 0x20000..=0x3FFFD);
    if wide { 2 } else { 1 }
}

/// Characters of Unicode's category Cf, and those that show nothing: they reorder or hide text.
fn is_formatting(character: char) -> bool {
    matches!(u32::from(character),
        0xAD | 0x34F | 0x600..=0x605 | 0x61C | 0x6DD | 0x70F | 0x115F..=0x1160 | 0x17B4..=0x17B5
        | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164
        | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
        | 0xE0000..=0xE0FFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(clean("a\u{1b}[31mb\r\n\tc\u{7}\u{9b}2J\u{7f}"), "a?[31mb   c??2J?");
        assert_eq!(clean("\u{202e}gpj.exe\u{200b}\u{feff}\u{e0041}\u{2028}x"), "?gpj.exe??? x");
        assert_eq!(clean("Zürich 東京 µs"), "Zürich 東京 µs");
    }

    #[test]
    fn a_cut_name_keeps_its_head_and_its_end() {
        assert_eq!(cut("tcp/tcp-source-17", 17), "tcp/tcp-source-17");
        assert_eq!(cut("tcp/tcp-source-17", 12), "tcp/tcp-…-17");
        assert_eq!(cut("東京東京東京", 8), "東京…京");
        for cells in 0..20 {
            for text in ["tcp/tcp-source-17-of-many", "東京東京東京東京東京東京", "é\u{301}a東b"]
            {
                assert!(width(&cut(text, cells)) <= cells, "{text} in {cells}");
            }
        }
    }

    #[test]
    fn lines_are_filled_and_tokens_stay_whole() {
        let wrapped = |tokens: &[&str], cells| {
            wrap(&tokens.iter().map(|token| (*token).to_owned()).collect::<Vec<_>>(), cells)
        };
        assert_eq!(wrapped(&["sent 1 234", "= lost 3", "+ open 0"], 20), ["sent 1 234 = lost 3", "+ open 0"]);
        assert_eq!(wrapped(&["one two three"], 8), ["one two", "three"]);
        assert_eq!(wrapped(&["abcdefghij"], 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped(&["東京東"], 1), ["東", "京", "東"]);
        assert_eq!(wrapped(&[], 10), [""]);
    }
}
