//! What can be said after `incast ladder`.

use std::path::PathBuf;

use clap::Args;
use incast_core::time::Span;

use super::OutputArgs;

/// `incast ladder`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast ladder                                as root: the rungs that come with incast, between two hosts of a lab
  incast ladder --rounds 3 --duration 300ms
                                               the same, quick and rough
  incast ladder --rung spinning --rung jumbo-frames
                                               only these, and what they are compared with
  incast ladder HOSTS.toml --key-file KEY      without a network: between its hosts as they are, here or at agents
  incast ladder SCENARIO.toml                  the variants of a scenario as rungs; each may say
                                               against = \"another\"

Every rung is measured in every round, in turn. What a rung sets is put back after each trial; after a
kill -9 `incast lab clean` removes the lab and `incast host restore` the settings of the machine.")]
pub(crate) struct LadderArgs {
    /// The scenario file (TOML); its variants are the rungs. With a network in it they are measured in a lab, else
    /// between its hosts as they are, with flow settings only
    pub(crate) file: Option<PathBuf>,
    /// How often every rung is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: u32,
    /// How long each trial sends, in place of the scenario's duration
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<Span>,
    /// Measure only this rung and what it is compared with; several times for several
    #[arg(long, value_name = "NAME")]
    pub(crate) rung: Vec<String>,
    /// Key of the agents, if the scenario has any
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
