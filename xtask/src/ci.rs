//! Everything that CI runs, as a table of named steps; cheap ones first.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::project::{self, Project};
use crate::steps::{Outcome, Steps};
use crate::{debian, fuzz, licences, swarm, tidy};

struct Check {
    name: &'static str,
    about: &'static str,
    run: fn(&Project) -> Result<()>,
}

const CHECKS: &[Check] = &[
    Check { name: "tidy", about: "the rules that the compiler does not know", run: tidy::run },
    Check { name: "fmt", about: "layout of the code", run: fmt },
    Check { name: "licences", about: "licences and origins of all dependencies", run: licences::run },
    Check { name: "clippy", about: "lints, of which none may warn", run: clippy },
    Check { name: "test", about: "all tests", run: all_tests },
    Check {
        name: "swarm",
        about: "readouts from a thousand seeds in virtual time",
        run: |project| swarm::run(project, swarm::SMOKE),
    },
    Check { name: "doc", about: "the documentation of the code, without warnings", run: doc },
    Check { name: "release", about: "the program as users get it", run: release },
    Check { name: "schema", about: "the schema of the record is the one written down", run: schema },
    Check {
        name: "fuzz",
        about: "every fuzz target for a short time",
        run: |project| fuzz::run(project, fuzz::SMOKE),
    },
];

/// Where the schema of each document is written down, once it is, and how it is asked for.
const SCHEMAS: [(&str, &[&str]); 2] =
    [("docs/record.schema.json", &["schema"]), ("docs/campaign.schema.json", &["schema", "campaign"])];

/// Prepares the machine, then runs all checks.
pub(crate) fn test(project: &Project) -> Result<()> {
    let mut steps = Steps::new(project::in_ci());
    debian::prepare(&mut steps);
    run_checks(project, &mut steps, CHECKS.iter());
    steps.finish()
}

/// Runs the checks named, or all.
pub(crate) fn run(project: &Project, names: &[&str]) -> Result<()> {
    let mut steps = Steps::new(project::in_ci());
    run_checks(project, &mut steps, select(names)?.into_iter());
    steps.finish()
}

/// One line for each check.
pub(crate) fn help() -> String {
    CHECKS.iter().fold(String::new(), |mut text, check| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<10} {}", check.name, check.about);
        text
    })
}

fn select(names: &[&str]) -> Result<Vec<&'static Check>> {
    if names.is_empty() {
        return Ok(CHECKS.iter().collect());
    }
    let find = |name: &&str| CHECKS.iter().find(|check| check.name == *name);
    names.iter().map(|name| find(name).with_context(|| format!("no such step of ci: {name}"))).collect()
}

fn run_checks<'a>(project: &Project, steps: &mut Steps, checks: impl Iterator<Item = &'a Check>) {
    for check in checks {
        steps.run(check.name, || (check.run)(project).map(|()| Outcome::Passed));
    }
}

fn fmt(project: &Project) -> Result<()> {
    project::run(&mut project.cargo(&["fmt", "--all", "--check"]))?;
    project::run(&mut project.cargo(&["fmt", "--check", "--manifest-path", fuzz::MANIFEST]))
}

fn clippy(project: &Project) -> Result<()> {
    let words = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    project::run(&mut project.cargo(&words))?;
    fuzz::clippy(project)
}

fn all_tests(project: &Project) -> Result<()> {
    project::run(&mut project.cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]))
}

fn doc(project: &Project) -> Result<()> {
    let mut command = project.cargo(&["doc", "--workspace", "--locked", "--no-deps"]);
    project::run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

fn release(project: &Project) -> Result<()> {
    project::run(&mut project.cargo(&["build", "--release", "--locked", "-p", "incast"]))
}

/// Compares what the release build says with what is written down.
fn schema(project: &Project) -> Result<()> {
    let program = project.target()?.join("release/incast");
    for (file, words) in SCHEMAS {
        let Ok(written) = std::fs::read_to_string(project.root().join(file)) else {
            println!("    nothing to compare: there is no {file}");
            continue;
        };
        let said = project::output(std::process::Command::new(&program).args(words))?;
        let same = same_json(&written, &said).with_context(|| format!("compare {file}"))?;
        ensure!(same, "{file} is not what `incast {}` says: write it anew", words.join(" "));
    }
    Ok(())
}

fn same_json(one: &str, other: &str) -> Result<bool> {
    let read = |text| serde_json::from_str::<Value>(text);
    match (read(one), read(other)) {
        (Ok(one), Ok(other)) => Ok(one == other),
        (Err(error), _) => bail!("what is written down is not JSON: {error}"),
        (_, Err(error)) => bail!("what `incast schema` says is not JSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_by_name() {
        let names = |chosen: Vec<&Check>| chosen.iter().map(|check| check.name).collect::<Vec<_>>();
        assert_eq!(names(select(&["doc", "fmt"]).unwrap()), ["doc", "fmt"]);
        assert_eq!(select(&[]).unwrap().len(), CHECKS.len());
        assert_eq!(select(&["lint"]).err().unwrap().to_string(), "no such step of ci: lint");
    }

    #[test]
    fn another_schema_is_seen() {
        assert!(same_json("{\"a\": 1, \"b\": 2}", "{\"b\":2,\n\"a\":1}").unwrap());
        assert!(!same_json("{\"a\": 1}", "{\"a\": 2}").unwrap());
        assert!(same_json("{", "{}").is_err());
    }
}
