//! Another implementation of STAMP, from the package registry: our sender and reflector are tried against its.
//!
//! One version, with the dependencies that its authors locked, below the target directory, where the tests look for it. It is
//! built without optimisation: that takes less than a minute, and nobody measures its speed. Without a way to fetch it, that
//! is said and nothing else is lost.

use anyhow::Result;

use crate::project::{Project, run};
use crate::steps::{Outcome, Steps};

/// Builds it, if it is not there.
pub(super) fn prepare(steps: &mut Steps) {
    let Ok(project) = Project::open() else { return };
    let Ok(home) = project.target().map(|target| target.join(HOME)) else { return };
    if !home.join("bin/stamp-suite").is_file() {
        let done = || install(&project);
        steps.run("build stamp-suite for the tests", || {
            Ok(done().map_or_else(|error| Outcome::NotRun(format!("{error:#}")), |()| Outcome::Passed))
        });
    }
}

fn install(project: &Project) -> Result<()> {
    let target = project.target()?;
    let mut command = project.cargo(&["install", "stamp-suite", "--version", VERSION, "--locked", "--debug"]);
    // What it is made of has nothing to do with ours, and is not kept.
    run(command.arg("--root").arg(target.join(HOME)).env("CARGO_TARGET_DIR", target.join(WORK)))?;
    Ok(std::fs::remove_dir_all(target.join(WORK))?)
}

const VERSION: &str = "1.0.0";
/// Below the target directory; `crates/incast/tests/stamp_suite.rs` looks here.
const HOME: &str = "test-stamp-suite-1.0.0";
const WORK: &str = "test-stamp-suite-work";
