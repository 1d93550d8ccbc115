//! `incast bench-switch`: the switch test over whatever is between real hosts.

use std::process::ExitCode;

use crate::cli::RunArgs;
use crate::run;

/// Runs a scenario that has a `[search]`.
pub(crate) fn bench_switch(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let scenario = run::read(&args.file, &[])?;
    if scenario.search.is_none() {
        anyhow::bail!(
            "the scenario {} has no [search]: that table says how a switch is tested (scenarios/switch/ has examples)",
            scenario.name
        );
    }
    run::run(args)
}
