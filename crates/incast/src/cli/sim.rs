//! What can be said after `incast sim`.

use std::path::PathBuf;

use clap::Args;

use super::{OutputArgs, VariantArgs};

/// `incast sim`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast sim scenarios/lab-sheet/12-udp-sharing.toml       the lab's scenario in virtual time; no root
  incast sim scenarios/readout.toml                        a readout, with the same machines
  incast sim scenarios/lhcb-2003/level1.toml               the whole network of 2003
  incast sim SCENARIO.toml --replicas 20                   under 20 seeds: mean and 95 % interval of each figure
  incast sim SCENARIO.toml --set source.count=8,16,32      a run for each value, then compare
  incast sim SCENARIO.toml --replicas 2600 --resume        go on where a run that was killed left off
  incast report runs/LAB runs/SIM                          measured beside simulated

The same scenario, seed and build give the same record, byte for byte. Each run's record is written to
runs/<time>-<name>/record.json, with report.html beside the first.")]
pub(crate) struct SimArgs {
    /// The scenario file (TOML)
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) variants: VariantArgs,
    /// Seed of every random choice, in place of the scenario's
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Simulate under so many seeds, from the first one on
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) replicas: u32,
    /// Replicas side by side; as many as there are cores otherwise
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) jobs: Option<u32>,
    /// Use what an earlier, unfinished run of the same scenario, build and seeds has found out
    #[arg(long)]
    pub(crate) resume: bool,
}
