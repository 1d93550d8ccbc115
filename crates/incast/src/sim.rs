//! `incast sim`: plays a scenario in virtual time, once or under many seeds, and writes its record.
//!
//! The simulator is `incast-sim`; what is here is what it may not do: read files, show progress, use cores.

mod progress;
mod record;
mod replicas;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use incast_core::record::Record;
use incast_core::scenario::Scenario;
use incast_core::time::{Span, Time};
use incast_net::clock;
use incast_sim::simulate::Run;

use crate::cli::SimArgs;
use crate::output::{deliver, note};
use crate::record_dir::RecordDir;
use crate::run::describe;
use crate::signals::Stops;
use crate::variants::{self, Variant};
use progress::Line;

pub(crate) use progress::bar;

/// Virtual time between two looks at the wall clock: short enough for the eye, and for Ctrl-C.
const LOOK_EVERY: Span = Span::from_ms(1);

/// Carries out `incast sim`.
pub(crate) fn sim(args: &SimArgs) -> anyhow::Result<ExitCode> {
    let stops = Stops::listen()?;
    variants::play_all(&args.file, &args.variants, &args.output, &stops, |variant, out| {
        run_one(variant, args, out, &stops)
    })
}

fn run_one(
    variant: &Variant,
    args: &SimArgs,
    out: &Path,
    stops: &Stops,
) -> anyhow::Result<(Record, PathBuf)> {
    let mut scenario = variant.scenario.clone();
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    check(&scenario)?;
    describe(&scenario);
    if let Some(found) =
        args.resume.then(|| replicas::finished(out, variant, &scenario, args.replicas)).flatten()
    {
        note(&format!("simulated before, and taken from {}", found.1.display()));
        return Ok(found);
    }
    let name = match &variant.name {
        Some(variant) => format!("{}-{variant}", scenario.name),
        None => scenario.name.clone(),
    };
    let earlier = if args.resume { replicas::unfinished(out, variant, &scenario) } else { None };
    let dir = match earlier {
        Some(dir) => dir,
        None => RecordDir::create(out, &name, clock::unix_ns())?,
    };
    let record = if args.replicas > 1 {
        replicas::play(&scenario, variant, args, dir.path(), stops)?
    } else {
        let (record, took_s) = play(&scenario, variant.name.clone(), stops);
        note(&speed(&record, took_s));
        record
    };
    deliver(&record, &args.output, Some(&dir))?;
    Ok((record, dir.path().to_owned()))
}

/// Says what of a scenario no simulator can do.
pub(crate) fn check(scenario: &Scenario) -> anyhow::Result<()> {
    let refused = scenario.not_simulable();
    if refused.is_empty() {
        return Ok(());
    }
    anyhow::bail!("the scenario {} cannot be simulated:\n  {}", scenario.name, refused.join("\n  "))
}

/// One run from the first packet to the last, with a line of progress; and the seconds that it took.
fn play(scenario: &Scenario, variant: Option<String>, stops: &Stops) -> (Record, f64) {
    let mut line = Line::new(scenario);
    play_with(scenario, variant, stops, |now, elapsed| line.draw(now, elapsed))
}

/// One run from the first packet to the last, of which nothing is shown.
pub(crate) fn play_quietly(scenario: &Scenario, variant: Option<String>, stops: &Stops) -> Record {
    play_with(scenario, variant, stops, |_, _| {}).0
}

fn play_with(
    scenario: &Scenario,
    variant: Option<String>,
    stops: &Stops,
    mut look: impl FnMut(Time, std::time::Duration),
) -> (Record, f64) {
    let started = std::time::Instant::now();
    let mut run = Run::new(scenario);
    let mut until = Time::ZERO;
    let mut is_stopped = false;
    loop {
        until += LOOK_EVERY;
        if !run.advance(until) {
            break;
        }
        look(run.now(), started.elapsed());
        if stops.count() > 0 {
            is_stopped = true;
            break;
        }
    }
    let record = record::of(scenario, variant, run.finish(), is_stopped);
    (record, started.elapsed().as_secs_f64())
}

/// How fast it went: for the terminal alone, as it is of this machine and this moment.
fn speed(record: &Record, took_s: f64) -> String {
    let Some(simulation) = &record.simulation else { return String::new() };
    let took_s = took_s.max(1e-9);
    #[expect(clippy::cast_precision_loss, reason = "for the eye")]
    let hops = simulation.packet_hops as f64 / took_s / 1e6;
    // While a readout drains hardly anything happens.
    let busy_s =
        record.readout.as_ref().and_then(|readout| readout.running_s).unwrap_or(simulation.virtual_s);
    format!(
        "simulated {busy_s:.3} s in {took_s:.2} s ({:.3} s with all that follows): {:.2} virtual seconds a second, \
         {hops:.1} million packet-hops a second",
        simulation.virtual_s,
        busy_s / took_s
    )
}
