//! What a program says on its standard error: the first line, and the last 4 KiB. All of it is read, so
//! that it never waits for us; the rest is let go.

use crate::fault::quoted;

/// What a program said since its last good answer.
#[derive(Debug, Default)]
pub(crate) struct Said {
    first: Vec<u8>,
    is_first_whole: bool,
    last: Vec<u8>,
}

/// Bytes kept of the end: some thirty lines.
const LAST_BYTES_MAX: usize = 4_096;
/// Bytes kept of the first line.
const FIRST_BYTES_MAX: usize = 512;

/// What programs say when they get no more memory: Python; C++; Rust; Java; the C library.
const OUT_OF_MEMORY: [&str; 6] = [
    "MemoryError",
    "bad_alloc",
    "memory allocation of",
    "OutOfMemoryError",
    "Cannot allocate memory",
    "out of memory",
];

impl Said {
    /// Takes in what came.
    pub(crate) fn record(&mut self, bytes: &[u8]) {
        if !self.is_first_whole {
            let line_end = bytes.iter().position(|byte| *byte == b'\n');
            let room = FIRST_BYTES_MAX - self.first.len();
            let line = &bytes[..line_end.unwrap_or(bytes.len()).min(room)];
            self.first.extend_from_slice(line);
            // Lines without a word are none.
            self.is_first_whole = self.first.len() == FIRST_BYTES_MAX
                || (line_end.is_some() && !self.first.trim_ascii().is_empty());
        }
        let bytes = &bytes[bytes.len().saturating_sub(LAST_BYTES_MAX)..];
        self.last.extend_from_slice(bytes);
        let excess = self.last.len().saturating_sub(LAST_BYTES_MAX);
        self.last.drain(..excess);
    }

    /// Lets go of everything, after a good answer.
    pub(crate) fn clear(&mut self) {
        self.first.clear();
        self.is_first_whole = false;
        self.last.clear();
    }

    /// Whether it said that it got no more memory.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        let last = String::from_utf8_lossy(&self.last);
        OUT_OF_MEMORY.iter().any(|sign| last.contains(sign))
    }

    /// First and last line, for a sentence about it; empty if it said nothing.
    pub(crate) fn words(&self) -> String {
        let first = self.first.trim_ascii();
        let last = self.last.trim_ascii().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        match (first.is_empty(), first == last) {
            (true, _) => String::new(),
            (_, true) => format!("; it said {}", quoted(first)),
            (_, false) => format!("; it said {} and at last {}", quoted(first), quoted(last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_line_are_kept_of_any_flood() {
        let mut said = Said::default();
        assert_eq!(said.words(), "");
        for byte in b"\n one\n" {
            said.record(&[*byte]);
        }
        assert_eq!(said.words(), "; it said \"one\"");
        for _ in 0..100 {
            said.record(&[b'x'; 10_000]);
        }
        said.record(b"\nlast\n\n");
        assert_eq!(said.words(), "; it said \"one\" and at last \"last\"");
        assert_eq!(said.last.len(), LAST_BYTES_MAX);
        said.clear();
        said.record(&[b'y'; 10_000]);
        assert_eq!(said.first.len(), FIRST_BYTES_MAX);
    }

    #[test]
    fn a_program_without_memory_is_known_by_its_words() {
        let mut said = Said::default();
        said.record(b"Traceback (most recent call last):\nMemoryError\n");
        assert!(said.is_out_of_memory());
        said.clear();
        said.record(b"boom\n");
        assert!(!said.is_out_of_memory());
    }
}
