//! Benchmarks by name. Their numbers belong beside the machine line, and are no part of CI.

use anyhow::{Result, bail};

use crate::project::{self, Project};

/// Runs the benchmark that `words` name.
pub(crate) fn run(project: &Project, words: &[&str]) -> Result<()> {
    match words {
        ["tracker"] => project::run(&mut project.cargo(&[
            "bench",
            "--locked",
            "-p",
            "incast-core",
            "--bench",
            "tracker",
        ])),
        [] => bail!("which bench? There is: tracker"),
        _ => bail!("unknown bench: {}; there is: tracker", words.join(" ")),
    }
}
