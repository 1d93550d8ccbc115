//! From the plan of a readout to what each process is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use incast_core::readout::{Incarnation, Peer, RunNumber};
use incast_core::scenario::{ReadoutPlan, SinkShare};

use super::assignment::ReadoutPart;

/// What is needed to tell any role its part, as often as it is started.
pub(super) struct Parts {
    plan: ReadoutPlan,
    replay: Option<PathBuf>,
    dir: PathBuf,
}

/// Gives the run its number everywhere.
pub(super) fn number(plan: &mut ReadoutPlan, run: RunNumber) {
    plan.run.run = run;
    plan.trigger.plan.run.run = run;
    plan.sources.iter_mut().for_each(|source| source.plan.run.run = run);
    plan.builders.iter_mut().for_each(|builder| builder.plan.run.run = run);
    plan.nodes.iter_mut().for_each(|node| node.plan.role.run.run = run);
    plan.sinks.iter_mut().for_each(|sink| sink.plan.role.run.run = run);
}

/// A number for the run, from `run` on, that no run had which stored where this one will: numbers are
/// seconds, and of two runs of the same second the later one would take the other's events for its own.
/// Directories that cannot be made are left to their sinks, who say why; so are those of other machines.
pub(super) fn claim(plan: &ReadoutPlan, is_here: impl Fn(&str) -> bool, mut run: RunNumber) -> RunNumber {
    let sinks = plan.sinks.iter().filter(|sink| sink.host.as_deref().is_none_or(&is_here));
    let directories: BTreeSet<PathBuf> =
        sinks.filter_map(|sink| sink.plan.files.directory.as_deref()).map(whole).collect();
    for _ in 0..CLAIMS_MAX {
        let mut made = Vec::new();
        let is_taken = directories.iter().map(|directory| of_run(directory, run)).any(|path| {
            let _ = path.parent().map(fs::create_dir_all);
            let outcome = fs::create_dir(&path);
            made.extend(outcome.is_ok().then_some(path));
            outcome.is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists)
        });
        if !is_taken {
            break;
        }
        for path in made {
            let _ = fs::remove_dir(path);
        }
        run = RunNumber(run.0.saturating_add(1));
    }
    run
}

/// A path that means the same in every working directory.
fn whole(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// Runs of one second and one directory.
const CLAIMS_MAX: usize = 1_000;

fn of_run(directory: &Path, run: RunNumber) -> PathBuf {
    directory.join(format!("run-{}", run.0))
}

/// Roles are those of the plan.
fn unknown(peer: Peer) -> ! {
    unreachable!("{peer} is of the plan")
}

impl Parts {
    /// The parts of `plan`; what sinks write is in `dir` unless they say where.
    pub(super) fn new(plan: &ReadoutPlan, dir: &Path) -> anyhow::Result<Self> {
        // Roles may have another working directory, and so may who reads the record later.
        let dir = std::path::absolute(dir).with_context(|| format!("find {}", dir.display()))?;
        let replay =
            plan.replay.as_deref().map(std::path::absolute).transpose().context("find the replayed file")?;
        Ok(Self { plan: plan.clone(), replay, dir })
    }

    /// The part of `peer` in its life.
    pub(super) fn of(&self, peer: Peer, life: Incarnation) -> ReadoutPart {
        let plan = &self.plan;
        match peer {
            Peer::Trigger => ReadoutPart::Trigger(plan.trigger.plan.clone()),
            Peer::Source(id) => {
                let source =
                    plan.sources.iter().find(|one| one.plan.source == id).unwrap_or_else(|| unknown(peer));
                ReadoutPart::Source { plan: source.plan.clone(), replay: self.replay.clone() }
            }
            Peer::Builder(id) => {
                let builder =
                    plan.builders.iter().find(|one| one.plan.builder == id).unwrap_or_else(|| unknown(peer));
                let mut plan = builder.plan.clone();
                plan.incarnation = life;
                ReadoutPart::Builder(plan)
            }
            Peer::Node(id) => {
                let node =
                    plan.nodes.iter().find(|one| one.plan.role.node == id).unwrap_or_else(|| unknown(peer));
                let mut plan = node.plan.role.clone();
                plan.incarnation = life;
                ReadoutPart::Node { plan, algorithm: node.plan.algorithm.clone() }
            }
            Peer::Sink(id) => {
                let sink =
                    plan.sinks.iter().find(|one| one.plan.role.sink == id).unwrap_or_else(|| unknown(peer));
                ReadoutPart::Sink {
                    plan: sink.plan.role.clone(),
                    files: sink.plan.files.clone(),
                    directory: self.directory(&sink.name, &sink.plan),
                    streams: plan.streams.clone(),
                }
            }
        }
    }

    /// Removes what sinks of a run that could not begin have made on this machine.
    pub(super) fn remove_unused(&self) {
        for sink in &self.plan.sinks {
            let directory = self.directory(&sink.name, &sink.plan);
            let _ = incast_store::remove_unused(&directory, sink.plan.role.sink);
            // That of the run goes with the last of its sinks.
            if let Some(of_run) = directory.parent() {
                let _ = fs::remove_dir(of_run);
            }
        }
    }

    fn directory(&self, name: &str, sink: &SinkShare) -> PathBuf {
        match &sink.files.directory {
            Some(directory) => of_run(&whole(directory), self.plan.run.run).join(name),
            None => self.dir.join("data").join(name),
        }
    }
}
