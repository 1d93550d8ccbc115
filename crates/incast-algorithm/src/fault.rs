//! One failure of an algorithm, with what is known of it in words for people.

use incast_core::readout::Failure;

/// How it failed, and a word about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) failure: Failure,
    pub(crate) text: String,
}

/// A line is shown up to so many characters: more is no line that a person reads.
const LINE_CHARACTERS_MAX: usize = 200;

impl Fault {
    pub(crate) fn new(failure: Failure, text: impl Into<String>) -> Self {
        Self { failure, text: text.into() }
    }
}

/// Bytes of an algorithm as text that harms no terminal, in quotes.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown: String =
        text.trim().chars().take(LINE_CHARACTERS_MAX).flat_map(char::escape_debug).collect();
    if text.trim().chars().nth(LINE_CHARACTERS_MAX).is_some() {
        shown.push_str("...");
    }
    format!("\"{shown}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_shown_in_bounds_and_harms_nothing() {
        assert_eq!(quoted(b" a\x1b[2Jb\xff\n"), "\"a\\u{1b}[2Jb\u{fffd}\"");
        assert_eq!(quoted(&[b'a'; 1_000]).len(), LINE_CHARACTERS_MAX + 5);
    }
}
