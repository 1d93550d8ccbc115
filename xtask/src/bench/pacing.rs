//! `bench pacing`: how late paced messages leave, ours beside a plain busy wait on the clock, in turn in one process.
//!
//! The median is what the technique is worth. The tails belong to whoever took the core away: on a shared machine to the
//! hypervisor, for both.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::flood::{machine, median};
use crate::project::{self, Project};

/// A gap at which a sender has time to do nothing but wait, microseconds.
const GAP_US: &str = "10";
/// Two seconds of it.
const MESSAGES: &str = "200000";
/// Reading the clock once more than the other takes so long, nanoseconds.
const ALLOWED_NS: f64 = 25.0;

/// Words: `[ROUNDS]`.
pub(super) fn run(project: &Project, words: &[&str]) -> Result<()> {
    let rounds = words.first().copied().unwrap_or("5");
    project::run(&mut project.cargo(&[
        "build",
        "--release",
        "--locked",
        "-p",
        "incast-net",
        "--example",
        "pacing",
    ]))?;
    let program = project.target()?.join("release/examples/pacing");
    let output = std::process::Command::new(&program)
        .args([GAP_US, MESSAGES, rounds])
        .output()
        .with_context(|| format!("run {}", program.display()))?;
    ensure!(output.status.success(), "pacing: {}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).context("read what it told")?;
    println!("{}", machine());
    println!("lateness at a gap of {GAP_US} us, ns; medians of {rounds} rounds, in turn");
    println!("                   half      99 %   largest");
    let mut halves = Vec::new();
    for (key, name) in [("ours", "ours"), ("plain", "plain busy wait")] {
        let column = |index: usize| -> f64 {
            let rounds = told[key].as_array().into_iter().flatten();
            median(rounds.filter_map(|round| round[index].as_f64()).collect())
        };
        let [half, most, largest] = [0, 1, 2].map(column);
        println!("{name:<16} {half:>6.0} {most:>9.0} {largest:>9.0}");
        halves.push(half);
    }
    let [ours, plain] = halves[..] else { return Ok(()) };
    ensure!(
        ours <= plain + ALLOWED_NS,
        "missed: the median of ours is above the plain one by more than {ALLOWED_NS} ns"
    );
    println!("met: no worse than a plain busy wait, to a reading of the clock");
    Ok(())
}
