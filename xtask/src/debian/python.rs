//! A Python of the tests' own, with pyarrow: the program that people read Parquet with.
//!
//! Debian 12 does not have it, so it is put into a virtual environment below the target directory,
//! where the tests look for it. Without a way to fetch it, that is said and nothing else is lost.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::project::{Project, run};
use crate::steps::{Outcome, Steps};

/// Makes the environment, if it is not there or has no pyarrow.
pub(super) fn prepare(steps: &mut Steps) {
    let Ok(home) = Project::open().and_then(|project| Ok(project.target()?.join(HOME))) else { return };
    if !has_pyarrow(&home.join(PYTHON)) {
        steps.run("install pyarrow for the tests", || {
            Ok(install(&home)
                .map_or_else(|error| Outcome::NotRun(format!("{error:#}")), |()| Outcome::Passed))
        });
    }
}

fn install(home: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(home))?;
    // Wheels only: nothing is to be compiled here.
    let words = ["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "pyarrow"];
    run(Command::new(home.join(PYTHON)).args(words))
}

fn has_pyarrow(python: &Path) -> bool {
    let asked = Command::new(python).args(["-c", "import pyarrow.parquet"]).output();
    asked.is_ok_and(|asked| asked.status.success())
}

/// Below the target directory; `crates/incast/tests/report.rs` looks here.
const HOME: &str = "test-python";
const PYTHON: &str = "bin/python3";
