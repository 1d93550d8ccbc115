//! Benchmarks by name. Their numbers belong beside the machine line, and are no part of CI.

mod ask;
mod flood;
pub(crate) mod floor;
mod lab;
mod ledger;
mod pacing;
mod place;
mod readout;
mod sim;
mod transports;

use anyhow::{Result, bail};

use crate::project::{self, Project};

const NAMES: &str = "tracker, ask [ROUNDS], flood [SECONDS [ROUNDS]], lab, ledger [SECONDS [ROUNDS]], pacing [ROUNDS], \
     readout [SECONDS [ROUNDS]], sim [ROUNDS], transports [SECONDS [ROUNDS]]";

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
        ["ask", effort @ ..] => ask::run(project, effort),
        ["ask-plain", words @ ..] => ask::peer(words),
        ["flood", effort @ ..] => flood::run(project, effort),
        ["readout", effort @ ..] => readout::run(project, effort),
        ["transports", effort @ ..] => transports::run(project, effort),
        ["lab"] => lab::run(project),
        ["ledger", effort @ ..] => ledger::run(project, effort),
        ["pacing", effort @ ..] => pacing::run(project, effort),
        ["sim", effort @ ..] => sim::run(project, effort),
        [] => bail!("which bench? There are: {NAMES}"),
        _ => bail!("unknown bench: {}; there are: {NAMES}", words.join(" ")),
    }
}
