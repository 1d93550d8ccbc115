//! From the plan of a readout to what each process is told.

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
            // That of the run as well, with the last of its sinks.
            if incast_store::remove_unused(&directory, sink.plan.role.sink)
                && let Some(of_run) = directory.parent()
            {
                let _ = std::fs::remove_dir(of_run);
            }
        }
    }

    fn directory(&self, name: &str, sink: &SinkShare) -> PathBuf {
        let run = self.plan.run.run.0;
        match &sink.files.directory {
            Some(directory) => self
                .dir
                .join(std::path::absolute(directory).unwrap_or_else(|_| directory.into()))
                .join(format!("run-{run}"))
                .join(name),
            None => self.dir.join("data").join(name),
        }
    }
}
