//! Pure crates: what the core may not touch, the simulator may not either.
//!
//! Clippy forbids clocks, sockets, threads, files and unordered maps by a list in each crate. Here the lists are held
//! against each other, so that none falls behind.

use std::path::Path;

use anyhow::Result;

use super::files;

/// The crates that are told the time and the messages, and nothing of the world.
const PURE: [&str; 2] = ["incast-core", "incast-sim"];

/// Every pure crate that does not forbid what the core forbids.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let lists = PURE.map(|name| {
        let path = format!("crates/{name}/clippy.toml");
        files::read(root, &path).map(|text| (path, text))
    });
    let lists = lists.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(compare(&lists))
}

/// The first list is the core's.
fn compare(lists: &[(String, String)]) -> Vec<String> {
    let Some(((core, first), others)) = lists.split_first() else { return Vec::new() };
    let differs = others.iter().filter(|(_, text)| rules(text) != rules(first));
    differs
        .map(|(path, _)| format!("{path}: it does not forbid what {core} forbids, no more and no less"))
        .collect()
}

/// The lines that are no comments.
fn rules(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differing(other: &str) -> usize {
        let core = "# why\n[[disallowed-types]]\npath = \"std::thread::Thread\"\n";
        let list = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        compare(&[list("core", core), list("sim", other)]).len()
    }

    #[test]
    fn a_list_that_fell_behind_is_found_whatever_its_comments_say() {
        assert_eq!(differing("# another why\n\n[[disallowed-types]]\npath = \"std::thread::Thread\"\n"), 0);
        assert_eq!(differing("[[disallowed-types]]\n"), 1);
        assert_eq!(differing(""), 1);
    }
}
