//! Files stay small: about 200 lines, think at 400, split before 800. Tests are not counted.

use super::{Problem, is_rust};

const THINK_LINES: usize = 400;
const LINES_MAX: usize = 800;

/// Finds files with more code than one idea needs.
pub(super) fn not_too_long(path: &str, text: &str) -> Vec<Problem> {
    let lines = code_lines(path, text);
    let what = format!("{lines} lines without tests, more than {LINES_MAX}: split it");
    (lines > LINES_MAX).then(|| Problem::new(0, what)).into_iter().collect()
}

/// A word about a file that is getting long.
pub(super) fn note(path: &str, text: &str) -> Option<String> {
    let lines = code_lines(path, text);
    (THINK_LINES < lines && lines <= LINES_MAX).then(|| format!("{lines} lines without tests"))
}

/// Lines of Rust before the module of tests; none in files that are tests altogether.
fn code_lines(path: &str, text: &str) -> usize {
    let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
    if !is_rust(path) || is_test {
        return 0;
    }
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_noted_and_a_very_long_one_fails() {
        for (lines, noted, failed) in
            [(400, false, false), (401, true, false), (800, true, false), (801, false, true)]
        {
            let text = "//\n".repeat(lines);
            assert_eq!(note("src/a.rs", &text).is_some(), noted, "{lines}");
            assert_eq!(!not_too_long("src/a.rs", &text).is_empty(), failed, "{lines}");
        }
    }

    #[test]
    fn tests_are_not_counted() {
        let text = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(10), "//\n".repeat(900));
        assert_eq!(code_lines("src/a.rs", &text), 10);
        assert_eq!(code_lines("a/tests/b.rs", &"//\n".repeat(900)), 0);
        assert_eq!(code_lines("src/data.json", &"//\n".repeat(900)), 0);
        // One test-only item at the top does not hide the rest.
        assert_eq!(code_lines("src/a.rs", "#[cfg(test)]\nuse a;\nfn b() {}\n"), 3);
    }
}
