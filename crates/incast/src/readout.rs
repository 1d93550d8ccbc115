//! A scenario with a readout: an event-building system of processes, from trigger to disk.
//!
//! The [`conductor`] holds the roles; each is a [`process`] with the machine of its role from
//! the core, its sockets, and its own work: data of a source, algorithm of a node, disk of a sink.

mod assemble;
pub(crate) mod assignment;
pub(crate) mod catalogue;
mod conductor;
pub(crate) mod control;
mod live;
mod node;
mod parts;
mod process;
pub(crate) mod role;
mod sink;
mod source;
mod state;
mod tallies;
mod troupe;

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::readout::report;
use incast_core::record::{Cpu, Readout};
use incast_core::scenario::ReadoutPlan;

use crate::measured::Measured;
use crate::record_dir::RecordDir;
use crate::run::Production;
use conductor::Conductor;

/// Plays a readout from the first process to the last.
pub(crate) fn play(
    production: &Production<'_>,
    plan: &ReadoutPlan,
    dir: &RecordDir,
) -> anyhow::Result<Measured> {
    let mut conductor = Conductor::new(production, plan, dir)?;
    if let Err(error) = conductor.conduct() {
        conductor.give_up();
        return Err(error);
    }
    let readout = assemble::readout(&conductor);
    let mut entry = conductor.entry.take();
    if let Some(entry) = &mut entry {
        entry.is_aborted = conductor.failed.is_some();
    }
    Ok(Measured { entry, ..measured(production, &mut conductor, readout) })
}

/// What the roles cost, and how far to trust what they did.
fn measured(production: &Production<'_>, conductor: &mut Conductor<'_>, readout: Readout) -> Measured {
    let mut cpu = Some(Cpu::default());
    for member in &conductor.troupe.members {
        match (&mut cpu, &member.cpu) {
            (Some(sum), Some(more)) => sum.add(more),
            _ => cpu = None,
        }
    }
    let (host, mut caveats) = conductor.watch.host(cpu.as_ref(), &[]);
    caveats.extend(doubts(conductor, &readout));
    let events = &readout.events;
    let is_open = events.in_flight > 0 || events.residual != 0;
    let incomplete = conductor.failed.is_some() || is_open || events.lost > 0 && !conductor.interrupted;
    Measured {
        world: production.world,
        started_unix_ns: conductor.watch.started_unix_ns(),
        scenario: production.summary(),
        host,
        cpu,
        caveats,
        readout: Some(readout),
        expectations: production.scenario.expectations.clone(),
        asks: production.scenario.asks.clone(),
        interrupted: conductor.interrupted,
        incomplete,
        ..Measured::default()
    }
}

fn doubts(conductor: &Conductor<'_>, readout: &Readout) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    if let Some(why) = &conductor.failed {
        caveats.push(Caveat::new(
            CaveatKind::RoleDied,
            why.clone(),
            "run it again; what sinks stored is on disk",
        ));
    }
    for member in &conductor.troupe.members {
        for death in member.deaths.iter().take(DEATHS_MAX) {
            caveats.push(Caveat::new(
                CaveatKind::RoleDied,
                format!("{}: {death}", member.name),
                "the account says what became of its events; look at that process's host",
            ));
        }
    }
    let advice = "after deaths this is expected; else find out who talks to these ports";
    caveats.extend(report::doubts(readout, advice));
    for trouble in &conductor.troubles {
        caveats.push(Caveat::new(CaveatKind::StorageStalled, trouble.clone(), "make room on that disk"));
    }
    caveats
}

/// Deaths of one role that are told one by one.
const DEATHS_MAX: usize = 8;
