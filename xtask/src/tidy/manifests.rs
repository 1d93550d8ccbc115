//! Versions of dependencies stand in the root manifest and nowhere else.
//!
//! Read line by line: every manifest but the roots (ours and that of the fuzz targets, which is a
//! workspace of its own) says `workspace = true` and no more than features about a dependency.

use super::Problem;

/// Finds dependencies with a version, path or repository of their own.
pub(super) fn versions_only_in_root(path: &str, text: &str) -> Vec<Problem> {
    let is_member = path.ends_with("/Cargo.toml") && path != crate::fuzz::MANIFEST;
    if !is_member {
        return Vec::new();
    }
    let (mut problems, mut section) = (Vec::new(), "");
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = header;
        } else if is_dependencies(section) && has_own_version(line) {
            problems.push(Problem::new(
                index + 1,
                "the version of a dependency stands in the root manifest only",
            ));
        } else if section == "package" && line.starts_with("version") && line != "version.workspace = true" {
            problems
                .push(Problem::new(index + 1, "the version of our crates stands in the root manifest only"));
        }
    }
    problems
}

/// `dependencies`, also of tests, of build scripts, of one target, or of one name.
fn is_dependencies(section: &str) -> bool {
    section.split('.').any(|part| part.ends_with("dependencies"))
}

fn has_own_version(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    let Some((_, value)) = line.split_once('=') else { return false };
    let bare_version = value.trim_start().starts_with('"');
    bare_version || ["version", "path", "git"].iter().any(|key| sets(line, key))
}

/// Whether `line` sets `key`, as its own line or within braces.
fn sets(line: &str, key: &str) -> bool {
    line.split(['{', ',', '.'])
        .any(|part| part.trim().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> usize {
        versions_only_in_root("crates/a/Cargo.toml", text).len()
    }

    #[test]
    fn a_dependency_of_the_workspace_is_fine() {
        let text = "[package]\nname = \"a\"\nversion.workspace = true\n[dependencies]\n\
            libc.workspace = true # = \"1\"\nb = { workspace = true, features = [\"version\", \"c\"] }\n\
            [features]\nd = \"1\"\n[dependencies.e]\nworkspace = true\nfeatures = [\n\"path\",\n]\n";
        assert_eq!(versions_only_in_root("crates/a/Cargo.toml", text), []);
    }

    #[test]
    fn a_version_of_its_own_is_found_however_it_is_written() {
        for text in [
            "[package]\nversion = \"1.0.0\"",
            "[dependencies]\nlibc = \"0.2\"",
            "[dev-dependencies]\nlibc = { version = \"0.2\" }",
            "[build-dependencies]\nlibc = { features = [\"a\"], version=\"0.2\" }",
            "[target.'cfg(unix)'.dependencies]\nlibc = { path = \"../libc\" }",
            "[dependencies.libc]\nversion = \"0.2\"",
            "[dependencies]\nlibc.git = \"https://x\"",
        ] {
            assert_eq!(problems(text), 1, "{text}");
        }
    }

    #[test]
    fn the_roots_are_left_alone() {
        let text = "[workspace.dependencies]\nlibc = \"0.2\"";
        assert_eq!(versions_only_in_root("Cargo.toml", text), []);
        assert_eq!(versions_only_in_root("fuzz/Cargo.toml", "[dependencies]\nlibc = \"0.2\""), []);
    }
}
