//! Steps, one after the other: each with its heading and duration, and a summary at the end.
//!
//! A failed step does not stop the others, so that one run shows everything that is wrong. A step
//! that could not run is never taken for one that passed; where it must run (in CI) it has failed.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// It could not be tried, and why.
    NotRun(String),
    /// It was tried and did not pass, and why.
    Failed(String),
}

/// The steps done so far.
#[derive(Debug)]
pub(crate) struct Steps {
    /// Whether a step that could not run is a failure.
    must_run: bool,
    done: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: String,
    took: Duration,
    outcome: Outcome,
}

impl Steps {
    pub(crate) fn new(must_run: bool) -> Self {
        Self { must_run, done: Vec::new() }
    }

    /// Carries out one step under its heading.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<Outcome>) {
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = step().unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
        let done = Step { name: name.into(), took: start.elapsed(), outcome };
        println!("=== {}", done.line());
        self.done.push(done);
    }

    /// Notes something that could not run at all.
    pub(crate) fn record_not_run(&mut self, name: &str, why: String) {
        println!("\n!!! NOT RUN: {name}: {why}");
        self.done.push(Step { name: name.into(), took: Duration::ZERO, outcome: Outcome::NotRun(why) });
    }

    /// Prints the summary; an error if any step failed, or could not run and had to.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n=== summary\n{}", self.summary());
        self.verdict()
    }

    fn summary(&self) -> String {
        self.done.iter().fold(String::new(), |mut text, step| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}", step.line());
            text
        })
    }

    fn verdict(&self) -> Result<()> {
        let named = |wanted: fn(&Outcome) -> bool| {
            let steps = self.done.iter().filter(|step| wanted(&step.outcome));
            steps.map(|step| step.name.as_str()).collect::<Vec<_>>()
        };
        let failed = named(|outcome| matches!(outcome, Outcome::Failed(_)));
        let not_run = named(|outcome| matches!(outcome, Outcome::NotRun(_)));
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        if self.must_run && !not_run.is_empty() {
            bail!("could not run, and in CI must: {}", not_run.join(", "));
        }
        if !not_run.is_empty() {
            println!("All that ran has passed, but this did NOT RUN: {}", not_run.join(", "));
        }
        Ok(())
    }
}

impl Step {
    fn line(&self) -> String {
        let seconds = self.took.as_secs_f64();
        match &self.outcome {
            Outcome::Passed => format!("passed   {seconds:7.1} s  {}", self.name),
            Outcome::NotRun(why) => format!("NOT RUN  {seconds:7.1} s  {}: {why}", self.name),
            Outcome::Failed(why) => format!("FAILED   {seconds:7.1} s  {}: {why}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(must_run: bool, outcomes: &[Outcome]) -> Steps {
        let mut steps = Steps::new(must_run);
        for (index, outcome) in outcomes.iter().enumerate() {
            steps.run(&format!("step{index}"), || Ok(outcome.clone()));
        }
        steps
    }

    #[test]
    fn one_failure_fails_all_and_the_others_still_run() {
        let steps = steps(false, &[Outcome::Failed("no".into()), Outcome::Passed]);
        assert_eq!(steps.done.len(), 2);
        assert_eq!(steps.verdict().unwrap_err().to_string(), "failed: step0");
    }

    #[test]
    fn an_error_is_a_failure_with_its_chain() {
        let mut steps = Steps::new(false);
        steps.run("a", || bail!("no such file"));
        assert!(steps.summary().contains("FAILED") && steps.summary().contains("a: no such file"));
        assert!(steps.verdict().is_err());
    }

    #[test]
    fn what_could_not_run_fails_only_where_it_must() {
        let outcomes = [Outcome::Passed, Outcome::NotRun("no root".into())];
        assert!(steps(false, &outcomes).verdict().is_ok());
        assert!(steps(false, &outcomes).summary().contains("NOT RUN"));
        assert!(steps(true, &outcomes).verdict().is_err());
        let mut noted = Steps::new(true);
        noted.record_not_run("ping", "not installed".into());
        assert!(noted.verdict().is_err());
    }
}
