//! The same scenario under many seeds, on all cores. What each came to is written down as it ends, so that
//! a run that is killed can go on where it was.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use anyhow::Context as _;
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::record::{Record, Verdict};
use incast_core::scenario::Scenario;
use serde::{Deserialize, Serialize};

use super::progress::bar;
use crate::cli::SimArgs;
use crate::measured::build;
use crate::record_dir::RecordDir;
use crate::signals::Stops;
use crate::variants::Variant;
use incast_core::campaign::{EXPECTED, figures, summed};

/// Beside the record: a line for what they are replicas of, and one for each.
const FILE: &str = "replicas.jsonl";

/// What the lines of a file are replicas of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Of {
    text: String,
    variant: Option<String>,
    version: String,
    commit: Option<String>,
    seed: u64,
}

/// One replica.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    seed: u64,
    figures: BTreeMap<String, f64>,
}

impl Of {
    fn new(scenario: &Scenario, variant: Option<&str>) -> Self {
        let build = build();
        let text = scenario.text.clone();
        let variant = variant.map(str::to_owned);
        Self { text, variant, version: build.version, commit: build.commit, seed: scenario.seed }
    }
}

/// Simulates all replicas, those that are known from an earlier run only once; the record is of the first, with
/// what all came to in it.
pub(super) fn play(
    scenario: &Scenario,
    variant: &Variant,
    args: &SimArgs,
    dir: &Path,
    stops: &Stops,
) -> anyhow::Result<Record> {
    let path = dir.join(FILE);
    let of = Of::new(scenario, variant.name.as_deref());
    let mut known = read(&path, &of)?;
    let mut file = open(&path, &of, &known)?;
    let last = scenario.seed.saturating_add(u64::from(args.replicas) - 1);
    known.retain(|seed, _| (scenario.seed..=last).contains(seed));
    // The first in any case: the record is of it.
    let open = (scenario.seed..=last).filter(|seed| *seed == scenario.seed || !known.contains_key(seed));
    let open: Vec<u64> = open.collect();
    let jobs = args.jobs.map_or_else(
        || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        |jobs| usize::try_from(jobs).unwrap_or(1),
    );
    let mut first = None;
    simulate(scenario, variant, &open, jobs, stops, |replica| {
        first = replica.record.or_else(|| first.take());
        if let Some(figures) = replica.figures
            && !known.contains_key(&replica.seed)
        {
            let mut line = serde_json::to_string(&Line { seed: replica.seed, figures: figures.clone() })?;
            line.push('\n');
            file.write_all(line.as_bytes()).with_context(|| format!("write {}", path.display()))?;
            known.insert(replica.seed, figures);
        }
        Ok((known.len(), args.replicas))
    })?;
    file.sync_all().with_context(|| format!("write {}", path.display()))?;
    let record = first.context("the first replica was not simulated")?;
    Ok(sum_up(*record, scenario, &known, args.replicas))
}

/// Puts what all replicas came to into the record of the first.
fn sum_up(
    mut record: Record,
    scenario: &Scenario,
    known: &BTreeMap<u64, BTreeMap<String, f64>>,
    replicas: u32,
) -> Record {
    if known.len() < replicas as usize {
        let text = format!("{} of {replicas} replicas were simulated", known.len());
        let advice = "run it again with --resume";
        record.caveats.push(Caveat::new(CaveatKind::Interrupted, text, advice));
        record.verdict = Verdict::Interrupted;
    }
    let figures = summed(known.values());
    for (plan, expectation) in scenario.expectations.iter().zip(&mut record.expectations) {
        let name = format!("{EXPECTED}{}", expectation.name);
        if let Some(figure) = figures.iter().find(|figure| figure.name == name) {
            expectation.measured = Some(figure.mean);
            expectation.met = Some(plan.limits.margin(figure.mean) >= 0.0);
        }
    }
    if matches!(record.verdict, Verdict::Good | Verdict::Missed) {
        let is_met = record.expectations.iter().all(|expectation| expectation.met == Some(true));
        record.verdict = if is_met { Verdict::Good } else { Verdict::Missed };
    }
    if let Some(simulation) = &mut record.simulation {
        simulation.replicas = figures;
    }
    record
}

/// A replica that was simulated.
struct Replica {
    seed: u64,
    /// `None` when it was ended early: then it is none.
    figures: Option<BTreeMap<String, f64>>,
    /// Of the first alone.
    record: Option<Box<Record>>,
}

/// Simulates under each of `seeds`, `jobs` at a time; `done` is told of each, and says how many there are.
fn simulate(
    scenario: &Scenario,
    variant: &Variant,
    seeds: &[u64],
    jobs: usize,
    stops: &Stops,
    mut done: impl FnMut(Replica) -> anyhow::Result<(usize, u32)>,
) -> anyhow::Result<()> {
    let (next, started) = (AtomicU32::new(0), std::time::Instant::now());
    let (tell, told) = crossbeam_channel::bounded(jobs);
    let line = bar();
    let outcome = std::thread::scope(|scope| {
        for _ in 0..jobs.min(seeds.len()) {
            let (tell, next) = (tell.clone(), &next);
            scope.spawn(move || {
                while let Some(seed) = seeds.get(next.fetch_add(1, Relaxed) as usize) {
                    let replica = one(scenario, variant, *seed, stops);
                    let is_over = replica.figures.is_none();
                    if tell.send(replica).is_err() || is_over {
                        return;
                    }
                }
            });
        }
        drop(tell);
        let mut here = 0_u32;
        for replica in told {
            let (known, all) = done(replica)?;
            here += 1;
            let each_s = started.elapsed().as_secs_f64() / f64::from(here);
            let left_s = each_s * f64::from(all.saturating_sub(u32::try_from(known).unwrap_or(all)));
            line.set_message(format!("replica {known} of {all}, about {left_s:.0} s left"));
            line.tick();
        }
        anyhow::Ok(())
    });
    line.finish_and_clear();
    outcome
}

fn one(scenario: &Scenario, variant: &Variant, seed: u64, stops: &Stops) -> Replica {
    let is_first = seed == scenario.seed;
    let mut scenario = scenario.clone();
    scenario.seed = seed;
    let record = super::play_quietly(&scenario, variant.name.clone(), stops);
    let is_whole = record.verdict != Verdict::Interrupted;
    Replica { seed, figures: is_whole.then(|| figures(&record)), record: is_first.then(|| Box::new(record)) }
}

/// The replicas that a file holds, if they are of these. A line that was cut off is no line.
fn read(path: &Path, of: &Of) -> anyhow::Result<BTreeMap<u64, BTreeMap<String, f64>>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    // It may have been cut off within a character.
    let mut lines = text.split(|byte| *byte == b'\n');
    let first = lines.next().and_then(|line| serde_json::from_slice::<Of>(line).ok());
    if first.as_ref() != Some(of) {
        return Ok(BTreeMap::new());
    }
    let replicas = lines.filter_map(|line| serde_json::from_slice(line).ok());
    Ok(replicas.map(|Line { seed, figures }| (seed, figures)).collect())
}

/// Opens the file anew with what is known: whole, or the old one stays.
fn open(path: &Path, of: &Of, known: &BTreeMap<u64, BTreeMap<String, f64>>) -> anyhow::Result<File> {
    let beside = path.with_extension("new");
    let mut text = serde_json::to_string(of)?;
    for (seed, figures) in known {
        text.push('\n');
        text.push_str(&serde_json::to_string(&Line { seed: *seed, figures: figures.clone() })?);
    }
    text.push('\n');
    let opened = (|| {
        fs::write(&beside, text)?;
        fs::rename(&beside, path)?;
        OpenOptions::new().append(true).open(path)
    })();
    opened.with_context(|| format!("write {}", path.display()))
}

/// The directory of a run of these replicas that did not come to its end: the last that holds any.
pub(super) fn unfinished(out: &Path, variant: &Variant, scenario: &Scenario) -> Option<RecordDir> {
    let mut dirs: Vec<PathBuf> =
        fs::read_dir(out).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    dirs.sort();
    let of = Of::new(scenario, variant.name.as_deref());
    let is_one = |dir: &PathBuf| read(&dir.join(FILE), &of).is_ok_and(|known| !known.is_empty());
    dirs.into_iter().rev().find(is_one).map(RecordDir::again)
}

/// The record of a run of the same scenario, seed and build that came to its end.
pub(super) fn finished(
    out: &Path,
    variant: &Variant,
    scenario: &Scenario,
    replicas: u32,
) -> Option<(Record, PathBuf)> {
    let dirs = fs::read_dir(out).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<(Record, PathBuf)> = dirs
        .filter_map(|dir| {
            let text = fs::read(dir.join("record.json")).ok()?;
            let record: Record = serde_json::from_slice(&text).ok()?;
            Some((record, dir))
        })
        .filter(|(record, _)| is_same(record, variant, scenario, replicas))
        .collect();
    found.sort_by(|one, other| one.1.cmp(&other.1));
    found.pop()
}

fn is_same(record: &Record, variant: &Variant, scenario: &Scenario, replicas: u32) -> bool {
    let of = record.simulation.iter().flat_map(|simulation| &simulation.replicas);
    let simulated = of.map(|figure| figure.replicas).max().unwrap_or(1);
    record.world == "sim"
        && record.incast == build()
        && record.scenario.text.as_ref() == Some(&scenario.text)
        && record.scenario.variant == variant.name
        && record.scenario.seed == scenario.seed
        && record.verdict != Verdict::Interrupted
        && simulated == replicas
}
