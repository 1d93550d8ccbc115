//! `incast host`: settings of this host checked, tuned and put back.
//!
//! The rules are those of `incast_core::tune`; `incast-host` reads, writes and keeps the journal; a setting
//! in a namespace of a lab is reached through `incast-lab`.

pub(crate) mod check;
mod knobs;
mod tune;

use std::process::ExitCode;

use crate::cli::{HostAction, HostArgs};

pub(crate) use knobs::HostKnobs;
pub(crate) use tune::{explained, tell_put_back};

/// Where changes are written down when nobody says otherwise: it outlives the process and the machine.
pub(crate) const JOURNAL: &str = "/var/lib/incast/host.journal";

/// Carries out `incast host`.
pub(crate) fn host(args: &HostArgs) -> anyhow::Result<ExitCode> {
    match &args.action {
        HostAction::Check(args) => check::check(args),
        HostAction::Tune(args) => tune::tune(args),
        HostAction::Restore { journal } => tune::restore(journal),
    }
}
