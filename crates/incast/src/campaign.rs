//! `incast campaign`: many runs of one scenario, each on disk as it ends, and what all of them came to.
//!
//! What the runs come to is the core's (`incast_core::campaign`), the database is `incast-store`'s. What is here plays
//! one run after the other in one of the three worlds, and puts those together.

mod evaluate;
mod progress;
mod schedule;
mod side_by_side;
mod stage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use incast_core::campaign::RunOutcome;
use incast_core::record::{Campaign, CampaignAsked};
use incast_net::clock;
use incast_store::{CampaignIdentity, CampaignStore};

use crate::cli::{CampaignArgs, World};
use crate::endpoint::key;
use crate::measured::build;
use crate::output::{exit_code, note, show_campaign};
use crate::record_dir::{RUNS, write_beside};
use crate::run::describe;
use crate::signals::Stops;
use crate::variants::{self, Variant};
use progress::Progress;
use schedule::{Schedule, Task};
use stage::{Played, Stage};

pub(crate) use evaluate::read;

/// What all runs came to, beside the database.
pub(crate) const RESULT: &str = "campaign.json";

/// Carries out `incast campaign`.
pub(crate) fn campaign(args: &CampaignArgs) -> anyhow::Result<ExitCode> {
    if args.show {
        let campaign = read(&args.place)?;
        show_campaign(&campaign, args.json)?;
        return Ok(exit_code(campaign.verdict));
    }
    if args.place.is_dir() {
        anyhow::bail!(
            "{} is a directory: name the scenario file, or say --show to see the campaign in it",
            args.place.display()
        );
    }
    let stops = Stops::listen()?;
    let variants = variants::of(&args.place, &args.variants)?;
    for variant in &variants {
        stage::check(args.world, &variant.scenario)?;
    }
    let name = &variants[0].scenario.name;
    let dir = args.into.clone().unwrap_or_else(|| Path::new(RUNS).join(format!("campaign-{name}")));
    std::fs::create_dir_all(&dir)
        .with_context(|| format!("create the directory of the campaign {}", dir.display()))?;
    let asked = asked(args);
    let identity = identity(args.world, &variants);
    let store = CampaignStore::open(&dir, &identity, &serde_json::to_string(&asked)?, args.resume)?;
    let key = key(args.key_file.as_deref())?;
    let mut playing =
        Playing::new(store, &variants, asked, Stage::new(args.world, &variants, &key, &stops, &dir)?)?;
    playing.begin(&dir, args.resume)?;
    let end = match args.world {
        World::Sim => side_by_side::play(&mut playing, jobs(args), &stops),
        World::Run | World::Lab => playing.play_in_turn(&stops),
    };
    let campaign = playing.end(end, &variants)?;
    deliver(&campaign, &dir, args.json)
}

/// Shows and writes what all runs came to.
fn deliver(campaign: &Campaign, dir: &Path, json: bool) -> anyhow::Result<ExitCode> {
    // Neither costs the other, as with a record.
    let shown = show_campaign(campaign, json);
    let path = write_beside(dir, RESULT, campaign).with_context(|| {
        format!(
            "write what the campaign came to into {} (its runs are safe: --show shows them)",
            dir.display()
        )
    })?;
    note(&format!("campaign: {}", path.display()));
    shown.context("write the result to standard output")?;
    Ok(exit_code(campaign.verdict))
}

fn asked(args: &CampaignArgs) -> CampaignAsked {
    CampaignAsked {
        runs: args.runs,
        precision: args.precision,
        confidence: args.confidence,
        runs_min: args.runs_min,
        failures_max: args.failures_max,
    }
}

fn identity(world: World, variants: &[Variant]) -> CampaignIdentity {
    let first = &variants[0].scenario;
    let build = build();
    let settings = |variant: &Variant| variant.settings.iter().map(ToString::to_string).collect();
    CampaignIdentity {
        world: world.name().into(),
        text: first.text.clone(),
        variants: variants.iter().map(|variant| (variant.name.clone(), settings(variant))).collect(),
        seed: first.seed,
        version: build.version,
        commit: build.commit,
    }
}

fn jobs(args: &CampaignArgs) -> usize {
    args.jobs.map_or_else(
        || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        |jobs| usize::try_from(jobs).unwrap_or(1),
    )
}

/// How a campaign ended, as its result says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    All,
    Precise,
    Stopped,
    Failures,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Precise => "precise",
            Self::Stopped => "stopped",
            Self::Failures => "failures",
        }
    }
}

/// A campaign under way.
struct Playing<'a> {
    store: CampaignStore,
    schedule: Schedule,
    stage: Stage<'a>,
    progress: Progress,
}

impl<'a> Playing<'a> {
    fn new(
        store: CampaignStore,
        variants: &[Variant],
        asked: CampaignAsked,
        stage: Stage<'a>,
    ) -> anyhow::Result<Self> {
        let known: Result<Vec<Vec<RunOutcome>>, _> =
            (0..variants.len()).map(|index| store.finished(index)).collect();
        let schedule = Schedule::new(asked, known?, store.tally()?.failed);
        let progress = Progress::new(&schedule);
        Ok(Self { store, schedule, stage, progress })
    }

    /// Says what is played, and takes away what an earlier process left.
    fn begin(&mut self, dir: &Path, resume: bool) -> anyhow::Result<()> {
        describe(self.stage.first());
        let (wanted, variants) = (self.schedule.asked().runs, self.schedule.variants());
        note(&format!(
            "campaign: {wanted} runs of {variants} variant(s), world {}, into {}",
            self.stage.world().name(),
            dir.display()
        ));
        if !resume {
            return Ok(());
        }
        let tally = self.store.tally()?;
        let failed = if tally.failed > 0 { format!(", {} failed", tally.failed) } else { String::new() };
        let died =
            if tally.died > 0 { format!(", {} died with their process", tally.died) } else { String::new() };
        note(&format!("going on: {} runs are finished{failed}{died}", tally.finished));
        if let Some(before) = self.store.player_before() {
            self.stage.clean(before)?;
        }
        Ok(self.store.take_over()?)
    }

    /// Plays run after run until it is enough.
    fn play_in_turn(&mut self, stops: &Stops) -> anyhow::Result<End> {
        loop {
            if stops.count() > 0 {
                return Ok(End::Stopped);
            }
            let task = match self.schedule.next() {
                Ok(task) => task,
                Err(end) => return Ok(end),
            };
            self.stage.prepare(task)?;
            let begun = self.store.begin(task.variant, task.number, clock::unix_ns())?;
            let ahead = self.progress.ahead(&self.schedule, task);
            let played = self.stage.play(task, ahead);
            self.take(task, &begun, played)?;
        }
    }

    /// Writes down what became of a run.
    fn take(&mut self, task: Task, begun: &incast_store::BegunRun, played: Played) -> anyhow::Result<()> {
        match played {
            Played::Finished(outcome) => {
                self.store.finish(begun, clock::unix_ns(), &outcome)?;
                self.schedule.finished(task, *outcome);
            }
            Played::Failed(why) => {
                self.store.fail(begun, clock::unix_ns(), &why)?;
                note(&format!("run {} failed, and is tried again: {why}", task.number));
                self.schedule.failed(task);
            }
            Played::Ended => {
                self.store.take_back(begun)?;
                self.schedule.failed_not(task);
            }
        }
        self.progress.draw(&self.schedule);
        Ok(())
    }

    /// Writes down how it ended, also when that was an error, and evaluates what is there.
    fn end(self, end: anyhow::Result<End>, variants: &[Variant]) -> anyhow::Result<Campaign> {
        drop(self.progress);
        drop(self.stage);
        let end = end?;
        self.store.end(end.name())?;
        let scenarios: Vec<_> =
            variants.iter().map(|variant| (variant.name.clone(), variant.scenario.clone())).collect();
        evaluate::of(&self.store, &scenarios)
    }
}

/// The directory of a campaign, if there is one at this place.
pub(crate) fn directory(place: &Path) -> Option<PathBuf> {
    (CampaignStore::is_in(place) || place.join(RESULT).is_file()).then(|| place.to_owned())
}
