//! The developer's commands of incast: `cargo xtask COMMAND`; `--help` lists them.
//!
//! CI runs `cargo xtask test` and nothing else, so whatever CI does can be done at a desk. Every
//! command is a short list of steps; a step is another program or a rule of this one, and its
//! output is never captured.

#![expect(clippy::print_stdout, reason = "a tool of the terminal: its steps and findings are its output")]

mod bench;
mod ci;
mod debian;
mod fuzz;
mod licences;
mod project;
mod steps;
mod swarm;
mod tidy;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::project::Project;

const HELP: &str = "\
The developer's commands of incast.

Usage: cargo xtask COMMAND

  test             install what the tests need (Debian, as root), then run everything CI runs
  ci [STEP]...     run everything CI runs, or only the steps named
  tidy             check the rules that the compiler does not
  licences         check the licences and origins of all dependencies
  fuzz [SECONDS]   run all fuzz targets for this time in all (default 60), on stable Rust
  swarm [--seeds N]
                   play readouts drawn from N seeds in virtual time, with all that can go wrong (default 1000)
  bench tracker    time the sequence tracker
  bench flood [SECONDS [ROUNDS]]
                   incast, iperf3 and a plain loop side by side; ratios (default 2 5)
  bench lab        how fast a lab of 32 hosts stands, beside a script (as root)
  bench readout [SECONDS [ROUNDS]]
                   event building beside raw receiving, ZeroMQ and Python; ratios (default 1 5)
  bench sim [ROUNDS]
                   the simulator beside ns-3, its memory, the network of 2003; ratios (default 3)

With the variable CI set, a check that cannot run is a failure.

Steps of ci:
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        ["test"] => ci::test(&Project::open()?),
        ["ci", steps @ ..] => ci::run(&Project::open()?, steps),
        ["tidy"] => tidy::run(&Project::open()?),
        ["licences"] => licences::run(&Project::open()?),
        ["fuzz"] => fuzz::run(&Project::open()?, fuzz::SMOKE),
        ["fuzz", seconds] => {
            let seconds =
                seconds.parse().with_context(|| format!("fuzz {seconds}: not a number of seconds"))?;
            fuzz::run(&Project::open()?, Duration::from_secs(seconds))
        }
        ["swarm"] => swarm::run(&Project::open()?, swarm::SMOKE),
        ["swarm", "--seeds", seeds] => {
            let seeds = seeds.parse().with_context(|| format!("swarm --seeds {seeds}: not a number"))?;
            swarm::run(&Project::open()?, seeds)
        }
        // A contender of `bench flood`, as a process of its own.
        ["floor", rest @ ..] => bench::floor::run(rest),
        ["bench", rest @ ..] => bench::run(&Project::open()?, rest),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}{}", ci::help());
            Ok(())
        }
        _ => bail!("no such command: {}; `cargo xtask --help` lists them", words.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_is_named() {
        for words in [&["tset"][..], &["fuzz", "1", "2"], &["test", "--fast"]] {
            assert!(run(words).unwrap_err().to_string().contains(&words.join(" ")));
        }
    }
}
