//! Runs the storms of `incast-sim` from many seeds: whole readouts in virtual time, with everything that can go
//! wrong (`crates/incast-sim/src/swarm.rs`). One process for each core; a failure prints the seed that replays it.
//!
//! With the assertions of a debug build, as these check the most.

use std::process::{Child, Command};

use anyhow::{Context as _, Result, bail};

use crate::project::{self, Project};

/// Storms in CI: a few seconds.
pub(crate) const SMOKE: u64 = 1_000;

/// Plays the storms of seeds from 0 to below `seeds`.
pub(crate) fn run(project: &Project, seeds: u64) -> Result<()> {
    project::run(&mut project.cargo(&["build", "--package", "incast-sim", "--example", "swarm"]))?;
    let program = project.target()?.join("debug/examples/swarm");
    let processes = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let start = |part: u64| -> Result<Child> {
        let (first, after) = (seeds * part / processes, seeds * (part + 1) / processes);
        let mut command = Command::new(&program);
        command.args([(after - first).to_string(), first.to_string()]);
        command.spawn().with_context(|| format!("start {}", program.display()))
    };
    let started: Vec<Result<Child>> = (0..processes).map(start).collect();
    let mut failed = 0;
    for process in started {
        failed += u32::from(!process?.wait().context("wait for storms")?.success());
    }
    if failed > 0 {
        bail!("a storm broke a law: play it again with `cargo run -p incast-sim --example swarm 1 SEED`");
    }
    Ok(())
}
