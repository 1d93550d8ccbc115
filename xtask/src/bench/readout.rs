//! `bench readout`: building events beside receiving the same bytes, and beside builders of others.
//!
//! All on 127.0.0.1, in turn, with the same fragments in the same rows. What counts is the ratio of
//! goodputs within a round, and of these the median. Our contenders are an example of `incast-net`, which
//! fails unless every event is complete and every fragment accounted for; the rivals are the programs beside
//! this file. Nothing is installed here.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use self::rivals::{student, zeromq_program};
use super::flood::{json, machine, median};
use crate::project::{self, Project};

mod rivals;

/// Sources, and bytes of a fragment.
const SHAPES: [(u32, u32); 4] = [(8, 1_024), (8, 16_384), (126, 1_024), (126, 16_384)];
/// Least ratios of ours that we go for: to the raw bytes, to ZeroMQ, to the student's.
const GOALS: [(&str, f64); 3] = [("raw", 0.95), ("ZeroMQ", 6.0), ("Python", 25.0)];

/// What one contender reached in one round.
#[derive(Clone, Copy, Debug)]
struct Reached {
    /// Payload bytes of complete events, per second.
    goodput: f64,
    /// Fragments per second.
    fragments: f64,
    /// CPU nanoseconds per fragment of the building and of the sending thread; ours only.
    cpu_ns: Option<[f64; 2]>,
}

/// Everyone once.
struct Round {
    ours: Reached,
    /// In the order of [`GOALS`]; `None` for one that cannot run here.
    others: [Option<Reached>; 3],
}

/// The programs that take part.
struct Contenders {
    ours: String,
    zeromq: Option<String>,
}

/// Runs every shape. Words: `[SECONDS [ROUNDS]]`.
pub(super) fn run(project: &Project, words: &[&str]) -> Result<()> {
    let seconds: f64 = words.first().map_or(Ok(1.0), |word| word.parse())?;
    let rounds: usize = words.get(1).map_or(Ok(5), |word| word.parse())?;
    ensure!(seconds > 0.0 && rounds > 0, "bench readout takes SECONDS and ROUNDS, both above 0");
    let example = ["build", "--release", "--locked", "-p", "incast-net", "--example", "event_building"];
    project::run(&mut project.cargo(&example))?;
    let target = project.target()?;
    let contenders = Contenders {
        ours: target.join("release/examples/event_building").display().to_string(),
        zeromq: zeromq_program(project.root(), target)?,
    };
    println!("{}; {}", machine(), load());
    println!("{rounds} rounds of {seconds} s each; medians; ratios are medians over the rounds");
    if contenders.zeromq.is_none() {
        println!("ZeroMQ: NOT RUN: no zmq.h, or no c++ (Debian packages libzmq3-dev and g++)");
    }
    println!(
        "\n{:<14} {:>8} {:>8} {:>8} {:>8} {:>15} {:>19} {:>19}  {:>8} {:>8} {:>8}",
        "sources, bytes",
        "raw",
        "ours",
        "ZeroMQ",
        "Python",
        "ns per fragment",
        "CPU ns: builder",
        "CPU ns: sources",
        "/raw",
        "/ZeroMQ",
        "/Python"
    );
    let mut missed = Vec::new();
    for (sources, bytes) in SHAPES {
        let shape = [sources.to_string(), bytes.to_string(), seconds.to_string()];
        let measured: Result<Vec<Round>> =
            (0..rounds).map(|_| round(project.root(), &contenders, &shape)).collect();
        let measured = measured.with_context(|| format!("{sources} sources, {bytes} B"))?;
        show(&format!("{sources}, {bytes}"), &measured, &mut missed);
    }
    memory(&contenders)?;
    println!("goals: {}", GOALS.map(|(name, goal)| format!("{goal} x {name}")).join(", "));
    ensure!(missed.is_empty(), "below the goal: {}", missed.join(", "));
    Ok(())
}

fn round(root: &Path, contenders: &Contenders, shape: &[String; 3]) -> Result<Round> {
    let ours = |mode: &str| {
        let mut command = Command::new(&contenders.ours);
        reached(&json(command.arg(mode).args(shape))?).with_context(|| mode.to_owned())
    };
    let raw = ours("raw")?;
    let built = ours("ours")?;
    let zeromq = contenders.zeromq.as_ref().map(|program| {
        json(Command::new(program).args(shape).stdin(Stdio::null()))
            .and_then(|result| reached(&result))
            .context("ZeroMQ")
    });
    let python = student(root, &contenders.ours, shape).and_then(|result| reached(&result));
    Ok(Round { ours: built, others: [Some(raw), zeromq.transpose()?, Some(python.context("Python")?)] })
}

/// The numbers of a result.
fn reached(result: &Value) -> Result<Reached> {
    let number =
        |name: &str| result[name].as_f64().with_context(|| format!("the result has no {name}: {result}"));
    let (seconds, fragments) = (number("seconds")?, number("fragments")?);
    ensure!(seconds > 0.0 && fragments > 0.0, "nothing was built: {result}");
    let cpu = result["busy_seconds"].as_f64().zip(result["sender_busy_seconds"].as_f64());
    Ok(Reached {
        goodput: number("bytes")? / seconds,
        fragments: fragments / seconds,
        cpu_ns: cpu.map(|(builder, sources)| [builder, sources].map(|busy| busy / fragments * 1e9)),
    })
}

/// Prints the line of a shape, and notes the goals that it misses.
fn show(name: &str, rounds: &[Round], missed: &mut Vec<String>) {
    let of = |read: &dyn Fn(&Round) -> Option<f64>| {
        rounds.iter().map(read).collect::<Option<Vec<f64>>>().map(median)
    };
    let rate = |median: Option<f64>| median.map_or_else(|| "-".into(), |rate| format!("{:.2}", rate / 1e9));
    let other = |index: usize| rate(of(&|round| Some(round.others[index]?.goodput)));
    // Ours, and that of raw receiving, which is the floor.
    let cpu = |which: usize| {
        let ours = of(&|round| Some(round.ours.cpu_ns?[which]));
        let raw = of(&|round| Some(round.others[0]?.cpu_ns?[which]));
        let [ours, raw] = [ours, raw].map(|ns| ns.map_or_else(|| "-".into(), |ns| format!("{ns:.0}")));
        format!("{ours} (raw {raw})")
    };
    let ratios = [0, 1, 2].map(|index| of(&|round| Some(round.ours.goodput / round.others[index]?.goodput)));
    let shown = ratios.map(|ratio| ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}x")));
    println!(
        "{name:<14} {:>8} {:>8} {:>8} {:>8} {:>15} {:>19} {:>19}  {:>8} {:>8} {:>8}   GB/s",
        other(0),
        rate(of(&|round| Some(round.ours.goodput))),
        other(1),
        other(2),
        of(&|round| Some(1e9 / round.ours.fragments)).map_or_else(|| "-".into(), |ns| format!("{ns:.0}")),
        cpu(0),
        cpu(1),
        shown[0],
        shown[1],
        shown[2]
    );
    for ((rival, goal), ratio) in GOALS.iter().zip(ratios) {
        if let Some(ratio) = ratio.filter(|ratio| ratio < goal) {
            missed.push(format!("{name} B against {rival} ({ratio:.2}x)"));
        }
    }
}

/// What else runs here: with both cores in use by others the ratios are theirs as much as ours.
pub(super) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = text.split_whitespace().next().unwrap_or("unknown");
    format!("load average before {load}; above 0.5 no ratio here is worth quoting")
}

/// What an open event costs beside its payloads.
fn memory(contenders: &Contenders) -> Result<()> {
    println!("\nmemory of an open event, beside its payloads:");
    for sources in [8, 126] {
        let result = json(Command::new(&contenders.ours).args(["memory", &sources.to_string()]))?;
        let (stated, measured) = (&result["stated_bytes"], &result["measured_bytes"]);
        println!("  {sources:>3} sources: at most {stated} B stated, {measured} B measured");
        let is_within = measured.as_u64().zip(stated.as_u64()).is_some_and(|(is, most)| is <= most);
        ensure!(is_within, "more memory per open event than stated: {result}");
    }
    Ok(())
}
