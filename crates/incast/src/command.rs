//! The commands, one file each.

mod answer;
mod ask;
mod bench_switch;
mod events;
mod flood;
mod manual;
mod probe;
mod reflect;
pub(crate) mod report;
mod runs;
mod serve;
mod stamp;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::{campaign, host, lab, ladder, run, sim};

/// Carries out the command.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(args) => serve::serve(&args),
        Command::Flood(args) => flood::flood(&args),
        Command::Ask(args) => ask::ask(&args),
        Command::Answer(args) => answer::answer(&args),
        Command::Probe(args) => probe::probe(&args),
        Command::Run(args) => run::run(&args),
        Command::BenchSwitch(args) => bench_switch::bench_switch(&args),
        Command::Lab(args) => lab::lab(&args),
        Command::Ladder(args) => ladder::ladder(&args),
        Command::Sim(args) => sim::sim(&args),
        Command::Campaign(args) => campaign::campaign(&args),
        Command::Stamp(args) => stamp::stamp(&args),
        Command::Reflect(args) => reflect::reflect(&args),
        Command::Agent(args) => run::agent::agent(&args),
        Command::Host(args) => host::host(&args),
        Command::Control(args) => {
            let answer = crate::readout::control::say(&args.dir, args.command)?;
            anstream::println!("{answer}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Report(args) => report::report(&args),
        Command::Events(args) => events::events(&args),
        Command::Runs(args) => runs::runs(&args),
        Command::Role => run::role::play(),
        Command::Key { file } => manual::key(file.as_deref()),
        Command::Schema { of } => manual::schema(of),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { dir } => manual::man(&dir),
    }
}
