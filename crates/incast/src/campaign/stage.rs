//! Where runs are played: processes on this machine, a lab, the simulator.
//!
//! A lab is left standing from run to run where a run leaves nothing in it that the next one could feel. After TCP the
//! kernel of a host remembers the path (`tcp_no_metrics_save`), and a run that failed may have left anything: then
//! it is built anew. Every variant has a lab of its own, since they take turns.

use std::path::Path;

use anyhow::Context as _;
use incast_core::campaign::RunOutcome;
use incast_core::load::Transport;
use incast_core::record::{Record, Verdict};
use incast_core::scenario::Scenario;
use incast_net::key::Key;

use super::schedule::Task;
use crate::cli::World;
use crate::drop_trace::Wish;
use crate::lab::Standing;
use crate::output::note;
use crate::record_dir::RecordDir;
use crate::run::Production;
use crate::signals::Stops;
use crate::sim;
use crate::variants::Variant;

/// Where runs are played, and what of.
pub(super) struct Stage<'a> {
    world: World,
    variants: &'a [Variant],
    key: &'a Key,
    /// The first word is for the campaign: it ends after the run. The second one is for the run.
    stops: Stops,
    /// The record of the run that is under way.
    dir: RecordDir,
    labs: Vec<Option<Standing>>,
}

/// What became of a run.
pub(super) enum Played {
    /// It came to its end.
    Finished(Box<RunOutcome>),
    /// It did not, for this reason.
    Failed(String),
    /// Somebody ended it.
    Ended,
}

/// Says what of a scenario this world cannot do.
pub(super) fn check(world: World, scenario: &Scenario) -> anyhow::Result<()> {
    if scenario.search.is_some() {
        anyhow::bail!(
            "the scenario {} has a [search], which is many runs already: take it out, or use incast bench-switch",
            scenario.name
        );
    }
    if scenario.probe.is_some() {
        anyhow::bail!(
            "the scenario {} has a [probe], which is many runs already, each at a gap of its own: take it out, or use \
             incast run or incast lab",
            scenario.name
        );
    }
    if scenario.flows.is_empty() {
        anyhow::bail!(
            "the scenario {} has no [[flow]], and a campaign is about lost messages",
            scenario.name
        );
    }
    match world {
        World::Sim => sim::check(scenario),
        World::Lab => crate::lab::check(scenario),
        World::Run => match scenario.only_simulable().first() {
            Some(why) => anyhow::bail!("`--world run` cannot do this: {why}"),
            None => Ok(()),
        },
    }
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        world: World,
        variants: &'a [Variant],
        key: &'a Key,
        stops: &Stops,
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let dir = dir.join("run");
        if world != World::Sim {
            std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        }
        let labs = variants.iter().map(|_| None).collect();
        Ok(Self { world, variants, key, stops: stops.but_first(), dir: RecordDir::again(dir), labs })
    }

    pub(super) const fn world(&self) -> World {
        self.world
    }

    /// The scenario as the first variant has it.
    pub(super) fn first(&self) -> &Scenario {
        &self.variants[0].scenario
    }

    /// The variants, and the word to stop: what other threads need for a simulation.
    pub(super) fn for_threads(&self) -> (&'a [Variant], Stops) {
        (self.variants, self.stops.clone())
    }

    /// Takes away what the labs of a killed process left.
    pub(super) fn clean(&self, process: u32) -> anyhow::Result<()> {
        if self.world == World::Lab {
            for lab in incast_lab::clean_of(process)? {
                note(&format!("removed the lab {} with {} namespaces", lab.id, lab.namespaces.len()));
            }
        }
        Ok(())
    }

    /// Builds what the run needs.
    pub(super) fn prepare(&mut self, task: Task) -> anyhow::Result<()> {
        let (lab, scenario) = (&mut self.labs[task.variant], &self.variants[task.variant].scenario);
        if self.world == World::Lab && lab.is_none() {
            *lab =
                Some(Standing::build(scenario, &format!("{}-c{}", scenario.name, task.variant), Wish::Auto)?);
        }
        Ok(())
    }

    /// Plays one run; `ahead` stands before its line of progress.
    pub(super) fn play(&mut self, task: Task, ahead: String) -> Played {
        let variant = &self.variants[task.variant];
        let scenario = seeded(&variant.scenario, task);
        let record = self.record(task, variant, &scenario, ahead);
        let played = played(task, record, &self.stops);
        if !matches!(played, Played::Finished(_)) || !leaves_nothing(&scenario) {
            self.labs[task.variant] = None;
        }
        played
    }

    fn record(
        &mut self,
        task: Task,
        variant: &Variant,
        scenario: &Scenario,
        ahead: String,
    ) -> anyhow::Result<Record> {
        let name = variant.name.clone();
        if self.world == World::Sim {
            return Ok(sim::play_quietly(scenario, name, &self.stops));
        }
        let lab = self.labs[task.variant].as_mut();
        let production = Production {
            scenario,
            variant: name,
            world: self.world.name(),
            key: self.key,
            stops: &self.stops,
            places: lab.as_ref().map(|lab| lab.places(scenario)).unwrap_or_default(),
            tagged: false,
            // A lab traces its own.
            trace: if lab.is_some() { Wish::Off } else { Wish::Auto },
            ahead,
        };
        let measured = match lab {
            Some(lab) => lab.play(production, &self.dir),
            None => production.play(&self.dir),
        };
        Ok(measured?.record())
    }
}

/// One simulation, for a thread of its own.
pub(super) fn simulate(variants: &[Variant], task: Task, stops: &Stops) -> Played {
    let variant = &variants[task.variant];
    let record = sim::play_quietly(&seeded(&variant.scenario, task), variant.name.clone(), stops);
    played(task, Ok(record), stops)
}

/// The scenario of the run: each has a seed of its own.
fn seeded(scenario: &Scenario, task: Task) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.seed = scenario.seed.wrapping_add(task.number);
    scenario
}

fn played(task: Task, record: anyhow::Result<Record>, stops: &Stops) -> Played {
    let is_ended = stops.count() > 0;
    match record {
        Err(_) if is_ended => Played::Ended,
        Ok(record) if is_ended && record.verdict == Verdict::Interrupted => Played::Ended,
        Err(error) => Played::Failed(format!("{error:#}")),
        Ok(record) => match RunOutcome::of(task.number, &record) {
            Ok(outcome) => Played::Finished(Box::new(outcome)),
            Err(why) => Played::Failed(why),
        },
    }
}

/// Whether the next run in the same lab finds it as this one did.
fn leaves_nothing(scenario: &Scenario) -> bool {
    scenario.readout.is_none() && scenario.flows.iter().all(|flow| flow.transport != Transport::Tcp)
}
