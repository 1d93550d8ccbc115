//! What can be said after `incast lab`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{OutputArgs, TraceArgs, VariantArgs};

/// `incast lab`
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  incast lab scenarios/lab-sheet/12-udp-sharing.toml      build it, run it, take it away (as root)
  incast lab SCENARIO.toml --set flow.congestion=bbr,cubic one run for each value, then compare
  incast lab SCENARIO.toml --variant cubic                 one of the scenario's own variants
  incast lab SCENARIO.toml --drop-trace on                 fail if the kernel does not tell each drop
  incast lab plan SCENARIO.toml                            draw the network, build nothing
  incast lab stand SCENARIO.toml                           build it and leave it until Ctrl-C
  incast lab shell SCENARIO.toml x                         a shell on host x of a standing lab
  incast lab shell SCENARIO.toml y -- ping -c 3 x          or one command; hosts have their names
  incast lab clean                                         remove what killed labs left behind

A lab is made of network namespaces on this machine. Nothing outside of them is touched. Each run's
record is written to runs/<time>-<name>/record.json, with report.html beside it."
)]
pub(crate) struct LabArgs {
    #[command(subcommand)]
    pub(crate) action: Option<LabAction>,
    /// The scenario file (TOML), with a network in it
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) variants: VariantArgs,
    #[command(flatten)]
    pub(crate) trace: TraceArgs,
}

/// What else can be done with labs.
#[derive(Subcommand, Debug)]
pub(crate) enum LabAction {
    /// Draw the network of a scenario; needs no root and builds nothing
    Plan {
        /// The scenario file
        file: PathBuf,
        /// Replace a value of the scenario
        #[arg(long, value_name = "TABLE.KEY=VALUE")]
        set: Vec<String>,
    },
    /// Build the network of a scenario and leave it standing until Ctrl-C
    Stand {
        /// The scenario file
        file: PathBuf,
        /// Replace a value of the scenario
        #[arg(long, value_name = "TABLE.KEY=VALUE")]
        set: Vec<String>,
    },
    /// Start a shell, or a command, on a host or switch of a standing lab
    Shell {
        /// The scenario's file or name, or the lab's identifier
        lab: String,
        /// The host or switch
        host: String,
        /// What to run there; a shell otherwise
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Remove what labs that were killed left behind, and nothing else
    Clean,
}
