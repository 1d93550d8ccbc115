//! Rules about Rust source: its header, what is unfinished in it, and where unsafe code may be.
//!
//! The words looked for are put together from two halves here, so that this file does not find
//! itself.

use super::{Problem, by_line, in_name, is_rust};

/// Marks of work that is not done, or of a test that does not run.
const UNFINISHED: [&str; 4] =
    [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[", "ignore"), concat!("dbg", "!(")];

/// The crates that have `sys` modules, the only home of unsafe code.
const CRATES_WITH_SYS: [&str; 4] = [
    "crates/incast-net/src/",
    "crates/incast-host/src/",
    "crates/incast-lab/src/",
    "crates/incast-algorithm/src/",
];

/// Finds files that do not begin by saying what they are.
pub(super) fn begins_with_header(path: &str, text: &str) -> Vec<Problem> {
    let missing = is_rust(path) && !text.starts_with("//! ");
    missing.then(|| Problem::new(1, "a file begins with //! and what it is")).into_iter().collect()
}

/// Finds marks of unfinished work.
pub(super) fn no_unfinished_work(path: &str, text: &str) -> Vec<Problem> {
    if !is_rust(path) {
        return Vec::new();
    }
    let find = |line: &str| UNFINISHED.iter().find(|mark| line.contains(**mark));
    by_line(text, |line| find(line).map(|mark| format!("{mark} is unfinished work")))
}

/// Finds unsafe code outside the `sys` modules.
pub(super) fn unsafe_in_its_place(path: &str, text: &str) -> Vec<Problem> {
    let in_sys = |src: &str| {
        path.strip_prefix(src)
            .is_some_and(|rest| rest.split('/').any(|part| part == "sys" || part == "sys.rs"))
    };
    if !is_rust(path) || CRATES_WITH_SYS.iter().any(|src| in_sys(src)) {
        return Vec::new();
    }
    by_line(text, |line| is_unsafe(line).then(|| "unsafe code lives in sys modules only".into()))
}

/// Whether a line has the keyword where code may have it: not in a comment, and not in a name.
fn is_unsafe(line: &str) -> bool {
    const KEYWORD: &str = concat!("un", "safe");
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices(KEYWORD).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = &code[at + KEYWORD.len()..];
        let follows = ["{", "(", "fn ", "impl", "trait ", "extern "];
        let alone = before.is_none_or(|character| !in_name(character)) && !after.starts_with(in_name);
        alone && (after.is_empty() || follows.iter().any(|word| after.trim_start().starts_with(word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_header_is_found() {
        assert_eq!(begins_with_header("a.rs", "//! What it is.\n"), []);
        assert_eq!(begins_with_header("a.md", "text"), []);
        for text in ["", "use a;\n//! late\n", "// What it is.\n", "\n//! What it is.\n", "//!\n"] {
            assert_eq!(begins_with_header("a.rs", text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn unfinished_work_is_found_on_its_line() {
        for mark in UNFINISHED {
            let problems = no_unfinished_work("a.rs", &format!("//! A.\n    {mark}"));
            assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [2], "{mark}");
        }
        assert_eq!(no_unfinished_work("a.rs", "let ignore = todo(); // nothing left to do!"), []);
    }

    #[test]
    fn unsafe_code_is_found_outside_sys() {
        let keyword = UNSAFE_LINES[0];
        for line in UNSAFE_LINES {
            assert_eq!(unsafe_in_its_place("crates/incast/src/a.rs", line).len(), 1, "{line}");
            assert_eq!(unsafe_in_its_place("crates/incast-net/src/sys/udp.rs", line), [], "{line}");
            assert_eq!(unsafe_in_its_place("crates/incast-host/src/sys.rs", line), [], "{line}");
        }
        // A file that is only called so, or a crate that has no sys.
        assert_eq!(unsafe_in_its_place("crates/incast-net/src/mysys.rs", keyword).len(), 1);
        assert_eq!(unsafe_in_its_place("crates/incast-core/src/sys.rs", keyword).len(), 1);
    }

    #[test]
    fn words_about_unsafe_are_not_code() {
        for line in [
            concat!("// un", "safe { is far }"),
            concat!("#[expect(un", "safe_code, reason = \"\")]"),
            concat!("it is not un", "safe to say"),
            concat!("fn very_un", "safe() {}"),
        ] {
            assert_eq!(unsafe_in_its_place("crates/incast/src/a.rs", line), [], "{line}");
        }
    }

    const UNSAFE_LINES: [&str; 5] = [
        concat!("let a = un", "safe { b() };"),
        concat!("un", "safe impl Send for A {}"),
        concat!("pub un", "safe fn a() {}"),
        concat!("#[un", "safe(no_mangle)]"),
        concat!("let a = un", "safe"),
    ];
}
