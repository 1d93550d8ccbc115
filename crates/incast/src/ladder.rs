//! `incast ladder`: the variants of a scenario measured in turn, round after round; what each of them is worth
//! against another. In a lab where the scenario has a network, else between its hosts as they are.
//!
//! Which rungs there are is the scenario's to say, what their figures mean `incast_core::ladder`'s. A rung whose
//! settings this machine does not have is kept with the reason.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::ladder::{self, Rung, Trial};
use incast_core::record::{Record, Verdict};
use incast_core::scenario::{Scenario, Setting};
use incast_lab::Quotas;
use incast_net::clock;
use incast_net::key::Key;
use incast_view::text::counted;

use crate::cli::LadderArgs;
use crate::command::report;
use crate::drop_trace::Wish;
use crate::endpoint::key;
use crate::lab::{self, Standing};
use crate::output::{deliver, note};
use crate::record_dir::{RUNS, RecordDir};
use crate::run::Production;
use crate::run::places::Places;
use crate::signals::Stops;
use crate::variants::Variant;

/// The ladder that comes with incast.
const BUILT_IN: &str = include_str!("../../../scenarios/rhul/ladder.toml");
/// What the scenario as it stands is called.
const BASE: &str = "base";

/// Carries out `incast ladder`.
pub(crate) fn ladder(args: &LadderArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    let (text, name) = match &args.file {
        Some(file) => {
            let text =
                fs::read_to_string(file).with_context(|| format!("read the scenario {}", file.display()))?;
            (text, file.display().to_string())
        }
        None => (BUILT_IN.to_owned(), "the built-in ladder".to_owned()),
    };
    let climb = Climb::new(&text, &name, args)?;
    let stage = Stage { key: key(args.key_file.as_deref())?, stops: &stops };
    lab::settings::put_back_of_the_dead()?;
    let out = args.output.out.as_deref().unwrap_or_else(|| Path::new(RUNS));
    let dir = RecordDir::create(out, &climb.base().name, clock::unix_ns())?;
    note(&format!(
        "{}: {}, {} of {} s each; about {:.0} min",
        climb.base().name,
        counted(climb.rungs.len(), "rung", "rungs"),
        counted(usize::try_from(args.rounds)?, "round", "rounds"),
        climb.trial_s(),
        climb.minutes(args.rounds)
    ));
    let record = climb.climb(args.rounds, &dir, &stage).inspect_err(|_| {
        // Nothing is in it when not even the first trial could begin.
        let _ = fs::remove_dir(dir.path());
    })?;
    let code = deliver(&record, &args.output, Some(&dir))?;
    let page = dir.path().join("report.html");
    report::write_page(&[(dir.path().display().to_string(), record)], &page)?;
    Ok(code)
}

/// What trials need beside their rung.
struct Stage<'s> {
    key: Key,
    stops: &'s Stops,
}

/// A ladder that is climbed.
struct Climb {
    rungs: Vec<Rung>,
    variants: Vec<Variant>,
    /// What each rung measured, a round at a time.
    trials: Vec<Vec<Option<Trial>>>,
    caveats: Vec<Vec<Caveat>>,
    /// The last trial of the scenario as it stands.
    last: Option<Record>,
    incomplete: usize,
}

impl Climb {
    /// Reads the rungs; all of them are understood before the first is measured.
    fn new(text: &str, name: &str, args: &LadderArgs) -> anyhow::Result<Self> {
        let duration: Option<Setting> = args
            .duration
            .map(|duration| format!("duration={duration}").parse())
            .transpose()
            .map_err(|error| anyhow::anyhow!("--duration: {error}"))?;
        let read = |settings: &[Setting]| {
            let all: Vec<Setting> = settings.iter().chain(&duration).cloned().collect();
            Scenario::parse_with(text, &all).map_err(|errors| anyhow::anyhow!("{}", errors.explained(name)))
        };
        let base = read(&[]).map_err(|error| anyhow::anyhow!("the ladder cannot be climbed\n{error}"))?;
        if base.variants.is_empty() {
            anyhow::bail!("{name} has no [[variant]], and these are the rungs of a ladder");
        }
        check_flows(&base, name)?;
        check(&base)?;
        let names: Vec<String> = base.variants.iter().map(|variant| variant.name.clone()).collect();
        if let Some(unknown) = args.rung.iter().find(|name| !names.contains(name)) {
            anyhow::bail!("there is no rung {unknown}; there are {}", names.join(", "));
        }
        let mut rungs = vec![Rung { name: BASE.into(), ..Rung::default() }];
        let mut variants = Vec::new();
        let planned = base.variants.clone();
        variants.push(Variant { name: None, scenario: base, settings: Vec::new() });
        // What a rung is compared with may stand further down: indices are those of the whole list.
        let index = |name: &str| names.iter().position(|other| other == name).map_or(0, |index| index + 1);
        for plan in planned {
            let scenario = read(&plan.settings).map_err(|error| {
                anyhow::anyhow!("the ladder cannot be climbed: rung {}\n{error}", plan.name)
            })?;
            check_flows(&scenario, name).with_context(|| format!("rung {}", plan.name))?;
            rungs.push(Rung {
                name: plan.name.clone(),
                against: Some(plan.against.as_deref().map_or(0, index)),
                settings: plan.settings.iter().map(ToString::to_string).collect(),
                ..Rung::default()
            });
            variants.push(Variant { name: Some(plan.name), scenario, settings: plan.settings });
        }
        let wanted = wanted(&rungs, &args.rung);
        let (rungs, variants) = only(rungs, variants, &wanted);
        let trials = vec![Vec::new(); rungs.len()];
        Ok(Self { rungs, variants, trials, caveats: Vec::new(), last: None, incomplete: 0 })
    }

    fn base(&self) -> &Scenario {
        &self.variants[0].scenario
    }

    fn trial_s(&self) -> f64 {
        let longest = self.base().flows.iter().filter_map(|flow| flow.stop.after).max();
        longest.map_or(0.0, |span| span.as_s_f64())
    }

    /// A trial builds its lab, drains it and takes it away: a second and a half.
    fn minutes(&self, rounds: u32) -> f64 {
        let trials = f64::from(rounds) * f64::from(u32::try_from(self.rungs.len()).unwrap_or(u32::MAX));
        (trials * (self.trial_s() + 1.5) / 60.0).max(1.0)
    }

    /// Every rung once in every round, up and down in turn.
    fn climb(mut self, rounds: u32, dir: &RecordDir, stage: &Stage<'_>) -> anyhow::Result<Record> {
        let mut order: Vec<usize> = (0..self.rungs.len()).collect();
        'rounds: for round in 0..rounds {
            for (nth, index) in order.iter().copied().enumerate() {
                if stage.stops.count() > 0 {
                    break 'rounds;
                }
                let rung = &self.rungs[index].name;
                note(&format!("round {} of {rounds}, {} of {}: {rung}", round + 1, nth + 1, order.len()));
                let trial = self.trial(index, dir, stage)?;
                self.trials[index].push(trial);
            }
            order.reverse();
        }
        // A round that was broken off has no pairs for its last rungs.
        let most = self.trials.iter().map(Vec::len).max().unwrap_or_default();
        self.trials.iter_mut().for_each(|trials| trials.resize(most, None));
        self.record(stage.stops.count() > 0)
    }

    fn trial(&mut self, index: usize, dir: &RecordDir, stage: &Stage<'_>) -> anyhow::Result<Option<Trial>> {
        if self.rungs[index].lacking.is_some() {
            return Ok(None);
        }
        let record = match play(&self.variants[index], dir, stage) {
            Ok(record) => record,
            // A rung that cannot begin here is told with its reason; one that could before is an error.
            Err(error) if index > 0 && self.trials[index].is_empty() && stage.stops.count() == 0 => {
                note(&format!("not had: {error:#}"));
                self.rungs[index].lacking = Some(format!("{error:#}"));
                return Ok(None);
            }
            Err(error) => return Err(error.context(format!("rung {}", self.rungs[index].name))),
        };
        let is_whole = !matches!(record.verdict, Verdict::Incomplete | Verdict::Interrupted);
        self.incomplete += usize::from(record.verdict == Verdict::Incomplete);
        self.caveats.push(record.caveats.clone());
        if self.rungs[index].refused.is_empty() {
            self.rungs[index].refused = ladder::refusals(&record.caveats);
        }
        let trial = is_whole.then(|| Trial::of(&record));
        if index == 0 && (is_whole || self.last.is_none()) {
            self.last = Some(record);
        }
        Ok(trial)
    }

    /// The record of the last trial of the base, with the ladder in it.
    fn record(self, is_interrupted: bool) -> anyhow::Result<Record> {
        let mut record = self.last.context("stopped before anything was measured")?;
        record.ladder = Some(ladder::assemble(&self.rungs, &self.trials));
        record.caveats = ladder::caveats(&self.caveats);
        if is_interrupted && !record.caveats.iter().any(|caveat| caveat.kind == CaveatKind::Interrupted) {
            let advice = "run it again, undisturbed";
            record.caveats.push(Caveat::new(CaveatKind::Interrupted, "the ladder was ended early", advice));
        }
        let missed = record.expectations.iter().any(|expectation| expectation.met != Some(true));
        record.verdict = match (is_interrupted, self.incomplete, missed) {
            (true, _, _) => Verdict::Interrupted,
            (_, 1.., _) => Verdict::Incomplete,
            (_, _, true) => Verdict::Missed,
            _ if record.caveats.iter().any(|caveat| caveat.kind.taints()) => Verdict::Tainted,
            _ => Verdict::Good,
        };
        Ok(record)
    }
}

/// Refuses a scenario called `name` that is no flow to be measured again and again.
fn check_flows(scenario: &Scenario, name: &str) -> anyhow::Result<()> {
    let what = match (scenario.flows.is_empty(), &scenario.search, &scenario.probe) {
        (true, ..) => "it has none",
        (_, Some(_), _) => "its [search] is many runs already: take it out, or use incast bench-switch",
        (_, _, Some(_)) => "its [probe] is many runs already: take it out, or use incast run or incast lab",
        (false, None, None) => return Ok(()),
    };
    anyhow::bail!("a ladder measures the flows of {name} as they stand, and {what}")
}

/// Says what of a scenario no ladder can measure.
fn check(scenario: &Scenario) -> anyhow::Result<()> {
    if scenario.network.is_some() {
        return lab::check(scenario);
    }
    match scenario.only_simulable().iter().chain(&scenario.only_in_a_lab()).next() {
        Some(why) => anyhow::bail!("between real hosts this cannot be: {why}"),
        None => Ok(()),
    }
}

/// One trial. With a network it has a lab of its own: what another has left in queues and tables meets nobody.
fn play(rung: &Variant, dir: &RecordDir, stage: &Stage<'_>) -> anyhow::Result<Record> {
    let scenario = &rung.scenario;
    check(scenario)?;
    let production = |world, places| Production {
        scenario,
        variant: None,
        world,
        key: &stage.key,
        stops: stage.stops,
        places,
        tagged: false,
        trace: Wish::Off,
        ahead: String::new(),
    };
    if scenario.network.is_some() {
        let mut standing = Standing::build(scenario, &scenario.name, Wish::Off)?;
        let places = standing.places(scenario);
        return Ok(standing.play(production("lab", places), dir)?.record());
    }
    let quotas = Quotas::set(&scenario.name, &scenario.hosts)?.map(Arc::new);
    let mut record = production("run", Places::default().with_quotas(quotas)).play(dir)?.record();
    if scenario.hosts.iter().any(|host| host.agent.is_some()) {
        // These are of the machine of the coordinator, which need not carry a byte.
        (record.host.interrupts, record.host.network_softirqs) = (None, None);
    }
    Ok(record)
}

/// Which rungs are measured: the base, those that are named, and what these are compared with.
fn wanted(rungs: &[Rung], named: &[String]) -> Vec<bool> {
    let mut wanted = vec![named.is_empty(); rungs.len()];
    wanted[0] = true;
    for (index, rung) in rungs.iter().enumerate() {
        if named.contains(&rung.name) {
            wanted[index] = true;
            rung.against.into_iter().for_each(|against| wanted[against] = true);
        }
    }
    wanted
}

/// The rungs that are wanted, compared by their new indices; with what is left out nothing is compared.
fn only(rungs: Vec<Rung>, variants: Vec<Variant>, wanted: &[bool]) -> (Vec<Rung>, Vec<Variant>) {
    let new_index = |old: usize| wanted[..old].iter().filter(|wanted| **wanted).count();
    let kept = |(index, both): (usize, (Rung, Variant))| {
        let (mut rung, variant) = both;
        rung.against = rung.against.filter(|against| wanted[*against]).map(new_index);
        wanted[index].then_some((rung, variant))
    };
    rungs.into_iter().zip(variants).enumerate().filter_map(kept).unzip()
}
