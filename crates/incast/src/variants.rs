//! Which runs a scenario makes: as it stands, its variants, or those that the command line asks for;
//! each of them played, and all compared.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use incast_core::record::Record;
use incast_core::scenario::{Scenario, Setting};

use crate::cli::{OutputArgs, VariantArgs};
use crate::command::report;
use crate::output::{exit_code, note, worst};
use crate::record_dir::RUNS;
use crate::run::read;
use crate::signals::Stops;

/// One run.
pub(crate) struct Variant {
    /// `None` for the scenario as it stands.
    pub(crate) name: Option<String>,
    pub(crate) scenario: Scenario,
    /// What it replaces in the file.
    pub(crate) settings: Vec<Setting>,
}

impl Variant {
    /// What it is called on the terminal.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(BASE)
    }
}

/// What the scenario as it stands is called beside its variants.
const BASE: &str = "base";
/// Most runs of one command.
const RUNS_MAX: usize = 256;

/// Plays every run that `wanted` asks for with `play`, one after the other, and compares them.
pub(crate) fn play_all(
    file: &Path,
    wanted: &VariantArgs,
    output: &OutputArgs,
    stops: &Stops,
    mut play: impl FnMut(&Variant, &Path) -> anyhow::Result<(Record, PathBuf)>,
) -> anyhow::Result<ExitCode> {
    let variants = of(file, wanted)?;
    let out = output.out.as_deref().unwrap_or_else(|| Path::new(RUNS));
    let mut records = Vec::new();
    let mut first: Option<PathBuf> = None;
    for (index, variant) in variants.iter().enumerate() {
        if variants.len() > 1 {
            note(&format!("\n--- variant {} of {}: {} ---", index + 1, variants.len(), variant.label()));
        }
        let (record, path) = play(variant, out)?;
        records.push((path.display().to_string(), record));
        first.get_or_insert(path);
        if stops.count() > 0 {
            break;
        }
    }
    if records.len() > 1 {
        let all: Vec<&Record> = records.iter().map(|(_, record)| record).collect();
        note(&format!("\n{}", incast_view::terminal::compare(&all)));
    }
    if let Some(first) = &first {
        report::write_page(&records, &first.join("report.html"))?;
    }
    let verdicts: Vec<_> = records.iter().map(|(_, record)| record.verdict).collect();
    Ok(exit_code(worst(&verdicts)))
}

/// The runs that `args` ask for.
pub(crate) fn of(file: &Path, args: &VariantArgs) -> anyhow::Result<Vec<Variant>> {
    let asked = combinations(&args.set)?;
    if !args.set.is_empty() && args.variant.is_empty() {
        let run = |(name, settings): (_, Vec<Setting>)| {
            Ok(Variant { name, scenario: read(file, &settings)?, settings })
        };
        return asked.into_iter().map(run).collect();
    }
    let base = read(file, &[])?;
    let planned = base.variants.clone();
    let mut runs = vec![Variant { name: None, scenario: base, settings: Vec::new() }];
    for variant in planned {
        let scenario = read(file, &variant.settings).with_context(|| format!("variant {}", variant.name))?;
        runs.push(Variant { scenario, name: Some(variant.name), settings: variant.settings });
    }
    if !args.variant.is_empty() {
        let known: Vec<String> = runs.iter().map(|run| run.label().to_owned()).collect();
        if let Some(unknown) = args.variant.iter().find(|name| !known.contains(name)) {
            anyhow::bail!("the scenario has no variant {unknown}; it has {}", known.join(", "));
        }
        runs.retain(|run| args.variant.iter().any(|name| name == run.label()));
    }
    if args.set.is_empty() {
        return Ok(runs);
    }
    if runs.len().saturating_mul(asked.len()) > RUNS_MAX {
        anyhow::bail!("--set: {} variants of {} runs each are more than {RUNS_MAX}", runs.len(), asked.len());
    }
    // What is set on the command line comes last, and so wins.
    let all = runs.iter().flat_map(|run| asked.iter().map(move |(own, settings)| (run, own, settings)));
    let made = |(run, own, settings): (&Variant, &Option<String>, &Vec<Setting>)| {
        let settings = [&run.settings[..], settings].concat();
        let scenario = read(file, &settings).with_context(|| format!("variant {}", run.label()))?;
        let names: Vec<&str> = [&run.name, own].into_iter().flatten().map(String::as_str).collect();
        Ok(Variant { name: Some(names.join("-")), scenario, settings })
    };
    all.map(made).collect()
}

/// Every combination of the values given with `--set`, each with a name if anything was set.
fn combinations(sets: &[String]) -> anyhow::Result<Vec<(Option<String>, Vec<Setting>)>> {
    let mut all: Vec<(Option<String>, Vec<Setting>)> = vec![(None, Vec::new())];
    for set in sets {
        let Some((path, values)) = set.split_once('=') else {
            anyhow::bail!("--set {set}: write TABLE.KEY=VALUE, for example flow.congestion=cubic");
        };
        // A list or a text in quotes is one value, whatever it holds.
        let is_one = values.trim_start().starts_with(['[', '"', '\'', '{']);
        let values: Vec<&str> = if is_one { vec![values] } else { values.split(',').collect() };
        let mut next = Vec::new();
        for (name, settings) in &all {
            for value in &values {
                let setting: Setting =
                    format!("{path}={value}").parse().map_err(|error| anyhow::anyhow!("--set: {error}"))?;
                let own = file_name(&format!("{path}={value}"));
                let name = name.as_ref().map_or_else(|| own.clone(), |name| format!("{name}-{own}"));
                next.push((Some(name), [&settings[..], &[setting]].concat()));
            }
        }
        if next.len() > RUNS_MAX {
            anyhow::bail!("--set: {} runs are more than {RUNS_MAX}", next.len());
        }
        all = next;
    }
    Ok(all)
}

/// A text as the part of a file's name.
fn file_name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
    text.chars().filter(|c| *c != ' ').map(|c| if fits(c) { c } else { '_' }).take(60).collect()
}
