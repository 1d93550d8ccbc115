//! The commands, one file each.

mod agent;
mod flood;
mod manual;
mod serve;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use incast_net::key::Key;

use crate::cli::{Cli, Command};
use crate::run;

/// The port of `serve` and `flood` when none is said.
pub(crate) const PORT_DEFAULT: u16 = 6000;

/// Carries out the command.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(args) => serve::serve(&args),
        Command::Flood(args) => flood::flood(&args),
        Command::Run(args) => run::run(&args),
        Command::Agent(args) => agent::agent(&args),
        Command::Role => run::role::play(),
        Command::Key => manual::key(),
        Command::Schema => manual::schema(),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { dir } => manual::man(&dir),
    }
}

/// The key in `file`, or none.
pub(crate) fn key(file: Option<&Path>) -> anyhow::Result<Key> {
    Ok(file.map(Key::open).transpose()?.unwrap_or_else(Key::none))
}

/// Name of this host, or the one that was given.
pub(crate) fn host_name(given: Option<&String>) -> String {
    given.cloned().unwrap_or_else(|| incast_host::provenance::describe().name)
}

/// The first address of `host`, a name or an address with or without a port.
pub(crate) fn resolve(host: &str, port: u16) -> anyhow::Result<SocketAddr> {
    let with_port = || {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        (bare, port).to_socket_addrs()
    };
    // "fe80::1" has colons and no port; "X:6000" has both.
    let colons = host.matches(':').count();
    let has_port = host.contains("]:") || colons == 1;
    let found = if has_port { host.to_socket_addrs() } else { with_port() };
    let mut addresses = found.with_context(|| format!("look up {host}"))?;
    addresses.next().with_context(|| format!("look up {host}: it has no address"))
}
