//! `incast`: the workbench for many-to-one networks of data acquisition.
//!
//! This binary is the one place where the crates meet: it reads the command line, joins sockets,
//! host counters and views, and writes records. Exit codes: 0 done and as expected, 1 measured but
//! something expected was missed, 2 could not run.

mod campaign;
mod cli;
mod command;
mod drop_trace;
mod ending;
mod endpoint;
mod host;
mod lab;
mod ladder;
mod measured;
mod observe;
mod output;
mod own_book;
mod probe;
mod readout;
mod record_dir;
mod run;
mod signals;
mod sim;
mod switch_test;
mod variants;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match command::run(cli) {
        Ok(code) => code,
        Err(error) => {
            // The chain, once: what was tried, and why it failed.
            output::note(&format!(
                "{}error{}: {error:#}",
                output::ALARM.render(),
                output::ALARM.render_reset()
            ));
            ExitCode::from(2)
        }
    }
}
