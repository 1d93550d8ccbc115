//! Words that have no place in the tree: paths of one machine, and a unit that says neither bits
//! nor bytes.

use super::{Problem, by_line, in_name, is_rust};

/// Directories of the machines that this was written on; in halves, so that they do not find
/// themselves.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wor", "k/"), concat!("/far", "m/"), concat!("/roo", "t/"), concat!("/tmp/bash", "_jobs")];

/// A suffix that may mean bits or bytes.
const RIDDLE: &str = concat!("_b", "ps");

/// Finds absolute paths that exist on one machine only.
pub(super) fn no_machine_paths(_: &str, text: &str) -> Vec<Problem> {
    let find = |line: &str| MACHINE_PATHS.iter().find(|path| begins_absolute(line, path)).copied();
    by_line(text, |line| find(line).map(|path| format!("{path} is a path of one machine")))
}

/// Whether `path` stands in `line` and is not the rest of a longer path.
fn begins_absolute(line: &str, path: &str) -> bool {
    let in_path = |character: char| in_name(character) || matches!(character, '-' | '.' | '}' | '~' | '/');
    line.match_indices(path)
        .any(|(at, _)| line[..at].chars().next_back().is_none_or(|before| !in_path(before)))
}

/// Finds names that end in a unit which does not say bits or bytes.
pub(super) fn no_bits_or_bytes_riddle(path: &str, text: &str) -> Vec<Problem> {
    if !is_rust(path) && !path.ends_with(".toml") {
        return Vec::new();
    }
    let found = |line: &str| {
        line.match_indices(RIDDLE).any(|(at, _)| !line[at + RIDDLE.len()..].starts_with(in_name))
    };
    by_line(text, |line| found(line).then(|| format!("a name in {RIDDLE} does not say bits or bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_one_machine_are_found_in_any_file() {
        for path in MACHINE_PATHS {
            for text in
                [format!("see {path}a"), format!("\"{path}\""), format!("DIR={path}"), format!("x:{path}")]
            {
                assert_eq!(no_machine_paths("docs/a.md", &text).len(), 1, "{text}");
            }
            for text in [
                format!("docs{path}a"),
                format!("..{path}a"),
                format!("${{HOME}}{path}a"),
                format!("~{path}"),
            ] {
                assert_eq!(no_machine_paths("docs/a.md", &text), [], "{text}");
            }
        }
    }

    #[test]
    fn a_unit_that_is_a_riddle_is_found() {
        let (bad, good) = (format!("let rate{RIDDLE} = 1;"), format!("let rate{RIDDLE}x = 1;"));
        assert_eq!(no_bits_or_bytes_riddle("a.rs", &bad).len(), 1);
        assert_eq!(no_bits_or_bytes_riddle("a.toml", &format!("rate{RIDDLE} = 1")).len(), 1);
        assert_eq!(no_bits_or_bytes_riddle("a.rs", &good), []);
        assert_eq!(no_bits_or_bytes_riddle("a.md", &bad), []);
    }
}
