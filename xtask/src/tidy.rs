//! The rules of the project that neither the compiler nor clippy knows.
//!
//! Each rule is a function from a text to its problems, with a test that shows it failing. The
//! files are those that git knows or would take, so a rule speaks before the commit. The rules
//! are those of `ARCHITECTURE.md`: arrows point to core, unsafe code has its places, files stay
//! small, and nothing in the tree knows the machine that it was written on.

mod arrows;
mod files;
mod manifests;
mod pure;
mod size;
mod sources;
mod words;

use anyhow::{Result, bail};

use crate::project::Project;

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    /// Line from 1; 0 is the file as a whole.
    line: usize,
    what: String,
}

impl Problem {
    fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// A rule over one file: its path from the root, and its text.
type Rule = fn(&str, &str) -> Vec<Problem>;

const RULES: &[Rule] = &[
    manifests::versions_only_in_root,
    size::not_too_long,
    sources::begins_with_header,
    sources::no_unfinished_work,
    sources::unsafe_in_its_place,
    words::no_machine_paths,
    words::no_bits_or_bytes_riddle,
];

/// Checks all rules over the whole tree.
pub(crate) fn run(project: &Project) -> Result<()> {
    let mut findings = arrows::check(project.packages()?);
    findings.extend(pure::check(project.root())?);
    let files = files::list(project.root())?;
    for path in &files {
        let text = files::read(project.root(), path)?;
        for problem in RULES.iter().flat_map(|rule| rule(path, &text)) {
            findings.push(format!("{path}:{}: {}", problem.line, problem.what));
        }
        if let Some(note) = size::note(path, &text) {
            println!("    note: {path}: {note}");
        }
    }
    println!("    {} files", files.len());
    if findings.is_empty() {
        return Ok(());
    }
    findings.iter().for_each(|finding| println!("    {finding}"));
    bail!("tidy: {} problems", findings.len())
}

/// The problems of the lines of `text` that `find` names.
fn by_line(text: &str, find: impl Fn(&str) -> Option<String>) -> Vec<Problem> {
    let found = |(index, line)| find(line).map(|what| Problem::new(index + 1, what));
    text.lines().enumerate().filter_map(found).collect()
}

/// Whether `path` is Rust source.
fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

/// Whether `character` may stand in the name of a Rust item.
fn in_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
