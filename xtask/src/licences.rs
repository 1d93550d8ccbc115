//! Licences and origins of all dependencies, of the program and of its fuzz targets.
//!
//! Two guards. A small rule of our own over `cargo metadata`, which runs everywhere; and
//! `cargo deny` with `deny.toml`, which knows more, where it is installed. The two lists of
//! licences are kept alike by a test.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::fuzz;
use crate::project::{self, Project, find_program};

/// Licences that let anyone use, change and pass on our program without more than a notice.
///
/// MPL-2.0 is not among them: it would oblige those who pass on a binary to offer files of source.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Licences of parts of the fuzz targets, which nobody passes on: libFuzzer is LLVM's.
const ALLOWED_IN_FUZZ: &[&str] = &["NCSA"];

/// The only place that dependencies come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks both workspaces, then lets `cargo deny` check the program's, if it is there.
pub(crate) fn run(project: &Project) -> Result<()> {
    let fuzz_allowed = [ALLOWED, ALLOWED_IN_FUZZ].concat();
    // What other systems would need is neither built nor passed on here.
    let platform = format!("--filter-platform={}", project::host()?);
    let mut problems = Vec::new();
    for (manifest, allowed) in [("Cargo.toml", ALLOWED), (fuzz::MANIFEST, &fuzz_allowed)] {
        let metadata = project.metadata_of(&["--manifest-path", manifest, &platform])?;
        let packages = metadata["packages"].as_array().context("cargo metadata tells no packages")?;
        println!("    {} packages", packages.len());
        problems.extend(packages.iter().flat_map(|package| check(package, allowed)));
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    if find_program("cargo-deny").is_some() {
        return project::run(&mut project.cargo(&["deny", "check", "licenses", "bans", "sources"]));
    }
    println!("    cargo-deny is not installed: checked by our own rule only");
    Ok(())
}

/// What is wrong with the licence and the origin of one package.
fn check(package: &Value, allowed: &[&str]) -> Vec<String> {
    let name = format!("{} {}", text(package, "name"), text(package, "version"));
    let mut problems = Vec::new();
    match package["license"].as_str() {
        Some(expression) if permits(expression, allowed) => {}
        Some(expression) => problems.push(format!("{name}: licence {expression} is not allowed")),
        None => problems.push(format!("{name}: no licence is given")),
    }
    // Our own packages have no source.
    if package["source"].as_str().is_some_and(|source| source != REGISTRY) {
        problems.push(format!("{name}: comes from {}, not from crates.io", text(package, "source")));
    }
    problems
}

fn text<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or("?")
}

/// Whether an SPDX expression lets us choose allowed licences only; nonsense does not.
fn permits(expression: &str, allowed: &[&str]) -> bool {
    // Old packages write "MIT/Apache-2.0" for "or".
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, allowed) == Some(true) && rest.is_empty()
}

/// `all OR all OR ...`; `None` is nonsense.
fn any_of(rest: &mut &[&str], allowed: &[&str]) -> Option<bool> {
    let mut result = all_of(rest, allowed)?;
    while let ["OR", tail @ ..] = *rest {
        *rest = tail;
        result |= all_of(rest, allowed)?;
    }
    Some(result)
}

/// `licence AND licence AND ...`.
fn all_of(rest: &mut &[&str], allowed: &[&str]) -> Option<bool> {
    let mut result = one(rest, allowed)?;
    while let ["AND", tail @ ..] = *rest {
        *rest = tail;
        result &= one(rest, allowed)?;
    }
    Some(result)
}

/// A licence, with an exception or without, or an expression in brackets.
fn one(rest: &mut &[&str], allowed: &[&str]) -> Option<bool> {
    match *rest {
        ["(", tail @ ..] => {
            *rest = tail;
            let result = any_of(rest, allowed)?;
            *rest = rest.strip_prefix(&[")"])?;
            Some(result)
        }
        [licence, "WITH", exception, tail @ ..] => {
            *rest = tail;
            Some(allowed.contains(&format!("{licence} WITH {exception}").as_str()))
        }
        [")" | "OR" | "AND" | "WITH", ..] | [] => None,
        [licence, tail @ ..] => {
            *rest = tail;
            Some(allowed.contains(licence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_needs_one_allowed_licence_and_a_sum_needs_all() {
        let permitted = [
            "MIT",
            "MIT OR GPL-3.0-only",
            "GPL-3.0-only/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
            "GPL-2.0-only AND MIT OR ISC",
        ];
        let refused = [
            "",
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "(MIT OR Apache-2.0) AND NCSA",
            "MIT WITH some-exception",
            "MIT OR",
            "(MIT",
            "MIT)",
            "MIT Apache-2.0",
            "GPL-2.0-only AND (MIT OR ISC)",
        ];
        permitted.iter().for_each(|expression| assert!(permits(expression, ALLOWED), "{expression}"));
        refused.iter().for_each(|expression| assert!(!permits(expression, ALLOWED), "{expression}"));
    }

    #[test]
    fn a_package_without_licence_or_from_elsewhere_is_named() {
        let package = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let good = package(&format!(r#"{{"name":"a","version":"1","license":"MIT","source":"{REGISTRY}"}}"#));
        assert!(check(&good, ALLOWED).is_empty());
        let ours = package(r#"{"name":"a","version":"1","license":"MIT","source":null}"#);
        assert!(check(&ours, ALLOWED).is_empty());
        let bad = package(r#"{"name":"a","version":"1","license":null,"source":"git+https://x"}"#);
        assert_eq!(
            check(&bad, ALLOWED),
            ["a 1: no licence is given", "a 1: comes from git+https://x, not from crates.io"]
        );
    }

    #[test]
    fn cargo_deny_allows_the_same_licences() {
        let deny = include_str!("../../deny.toml");
        let list = deny.split_once("allow = [").and_then(|(_, rest)| rest.split_once(']')).unwrap().0;
        let listed: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(listed, ALLOWED);
    }
}
