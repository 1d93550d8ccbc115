//! Which files there are: those that git tracks, and new ones that it does not ignore.
//!
//! Without git (an unpacked archive) it is every file outside the directories that hold only
//! what was built.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::project::output;

/// Paths from `root`, sorted.
pub(super) fn list(root: &Path) -> Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    if root.join(".git").exists() {
        let mut git = Command::new("git");
        // The owner of the directory may be another user, as in a container.
        git.arg("-c").arg(format!("safe.directory={}", root.display()));
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
        files.extend(output(&mut git)?.split_terminator('\0').map(str::to_owned));
        // A file deleted but not yet committed is still listed, and a symbolic link is no text.
        files.retain(|path| root.join(path).symlink_metadata().is_ok_and(|about| about.is_file()));
    } else {
        walk(root, "", &mut files)?;
    }
    Ok(files)
}

/// The text of one file; bytes that are no UTF-8 are replaced.
pub(super) fn read(root: &Path, path: &str) -> Result<String> {
    let bytes = std::fs::read(root.join(path)).with_context(|| format!("read {path}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn walk(root: &Path, below: &str, files: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(root.join(below)).with_context(|| format!("read directory {below:?}"))? {
        let entry = entry?;
        let path = format!("{below}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_dir() && !BUILT.contains(&path.as_str()) {
            walk(root, &format!("{path}/"), files)?;
        } else if kind.is_file() {
            files.insert(path);
        }
    }
    Ok(())
}

/// Directories of built things: those of `.gitignore`.
const BUILT: [&str; 6] = [".git", "target", "runs", "fuzz/target", "fuzz/corpus", "fuzz/artifacts"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_git_is_walked_but_for_what_was_built() {
        let root = std::env::temp_dir().join(format!("incast-tidy-{}", std::process::id()));
        for directory in ["target/debug", "fuzz/target", "src/target"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in ["a.rs", "target/debug/b.rs", "fuzz/target/c.rs", "src/target/d.rs"] {
            std::fs::write(root.join(file), "x").unwrap();
        }
        let files = list(&root).unwrap();
        assert_eq!(files.iter().map(String::as_str).collect::<Vec<_>>(), ["a.rs", "src/target/d.rs"]);
        assert_eq!(read(&root, "a.rs").unwrap(), "x");
        assert!(read(&root, "none").is_err());
        std::fs::remove_dir_all(&root).unwrap();
    }
}
