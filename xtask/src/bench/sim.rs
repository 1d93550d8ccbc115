//! `bench sim`: packet-hops per second of the simulator beside ns-3, its memory, and the network of 2003.
//!
//! A packet-hop is one packet sent over one link. Speeds are per second of CPU time, so that other work on the
//! machine counts less; what counts is the ratio within a round, and of these the median. `incast sim` is
//! measured as its user starts it: flows, stack, fabric, meters, record and report, process start included. The bare
//! fabric is the example `fabric_speed` of `incast-sim`. ns-3 is the PyPI package, installed under target.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use self::measure::{Measured, sim};
use self::scenarios::{ALL_TO_ALL, FULL_QUEUE, INCAST, Network};
use super::flood::{json, machine, median};
use crate::project::{self, Project};

mod measure;
mod rival;
mod scenarios;

/// The whole network of 2003.
const NETWORK_2003: &str = "scenarios/lhcb-2003/level1.toml";
/// Virtual time that ns-3 is given: it takes a second or two.
const RIVAL_MS: &str = "5";
/// Least ratio of packet-hops per second to ns-3 that we go for, of the fabric; a fifth of that is what htsim reaches.
const FABRIC_GOAL: f64 = 300.0;
/// Virtual seconds per second of the network of 2003, on one run.
const NETWORK_GOAL: f64 = 1.0;
/// Bytes of memory that it may take.
const MEMORY_GOAL: u64 = 200 << 20;
/// How much faster replicas are on two cores.
const REPLICAS_GOAL: f64 = 1.9;

/// Runs everything. Words: `[ROUNDS]`.
pub(super) fn run(project: &Project, words: &[&str]) -> Result<()> {
    let rounds: usize = words.first().map_or(Ok(3), |word| word.parse())?;
    ensure!(rounds > 0, "bench sim takes ROUNDS, above 0");
    project::run(&mut project.cargo(&["build", "--release", "--locked", "-p", "incast"]))?;
    let example = ["build", "--release", "--locked", "-p", "incast-sim", "--example", "fabric_speed"];
    project::run(&mut project.cargo(&example))?;
    let target = project.target()?;
    let programs = Programs {
        incast: target.join("release/incast"),
        fabric: target.join("release/examples/fabric_speed"),
        rival: rival::program(project.root(), target),
    };
    let place = target.join("bench-sim");
    println!("{}; {}", machine(), super::readout::load());
    if let Err(why) = &programs.rival {
        println!("ns-3: NOT RUN: {why:#}");
    }
    let mut missed = Vec::new();
    beside(&programs, &place, rounds, &mut missed)?;
    memory_of_packets(&programs, &place)?;
    network_of_2003(&programs, &project.root().join(NETWORK_2003), &place, rounds, &mut missed)?;
    replicas(&programs, &place, rounds, &mut missed)?;
    ensure!(missed.is_empty(), "below the goal: {}", missed.join(", "));
    Ok(())
}

/// What is measured.
struct Programs {
    incast: std::path::PathBuf,
    fabric: std::path::PathBuf,
    rival: Result<std::path::PathBuf>,
}

/// Nanoseconds per packet-hop of everyone, in one round.
struct Round {
    fabric: f64,
    sim: f64,
    rival: Option<f64>,
}

/// The fabric, the whole simulator and ns-3, in turn.
fn beside(programs: &Programs, place: &Path, rounds: usize, missed: &mut Vec<String>) -> Result<()> {
    println!("\n{rounds} rounds; medians of ns per packet-hop, ratios are medians over the rounds");
    println!(
        "{:<12} {:>10} {:>12} {:>10} {:>16} {:>15}",
        "network", "fabric", "incast sim", "ns-3", "ns-3 / fabric", "ns-3 / sim"
    );
    for network in [INCAST, ALL_TO_ALL] {
        let round = |_| round(programs, &network, place).with_context(|| network.name.to_owned());
        let rounds: Vec<Round> = (0..rounds).map(round).collect::<Result<_>>()?;
        let of = |read: &dyn Fn(&Round) -> Option<f64>| {
            rounds.iter().map(read).collect::<Option<Vec<f64>>>().map(median)
        };
        let ratio = of(&|round| Some(round.rival? / round.fabric));
        let shown = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".into(), |value| format!("{value:.digits$}"))
        };
        println!(
            "{:<12} {:>10} {:>12} {:>10} {:>15}x {:>14}x",
            network.name,
            shown(of(&|round| Some(round.fabric)), 1),
            shown(of(&|round| Some(round.sim)), 1),
            shown(of(&|round| round.rival), 0),
            shown(ratio, 0),
            shown(of(&|round| Some(round.rival? / round.sim)), 0)
        );
        let sim = of(&|round| Some(round.sim)).unwrap_or(f64::NAN);
        println!("{:<12} {:.1} million packet-hops/s per core by incast sim", "", 1e3 / sim);
        if let Some(ratio) = ratio.filter(|ratio| *ratio < FABRIC_GOAL) {
            missed.push(format!("{}: {ratio:.0}x ns-3 (goal {FABRIC_GOAL}x)", network.name));
        }
    }
    Ok(())
}

fn round(programs: &Programs, network: &Network, place: &Path) -> Result<Round> {
    let ours = sim(&programs.incast, &network.write(place)?, &[], place)?;
    Ok(Round {
        fabric: fabric(&programs.fabric, network.name)?,
        sim: ours.cpu_s * 1e9 / count(ours.packet_hops()?),
        rival: match &programs.rival {
            Ok(program) => Some(rival(program, network.name)?),
            Err(_) => None,
        },
    })
}

/// Nanoseconds per hop of the example: the least of three, since it reads the clock on the wall.
fn fabric(program: &Path, network: &str) -> Result<f64> {
    let said = project::output(Command::new(program).arg("3"))?;
    let line = format!("{network}: median ");
    let least = said.lines().find_map(|text| {
        let (_, least) = text.strip_prefix(&line)?.split_once("least ")?;
        least.split(' ').next()?.parse().ok()
    });
    least.with_context(|| format!("the example says nothing of {network}: {said}"))
}

fn rival(program: &Path, network: &str) -> Result<f64> {
    let result = json(Command::new(program).args([network, RIVAL_MS]).stdin(Stdio::null()))?;
    let number = |name: &str| result[name].as_f64().with_context(|| format!("ns-3 says no {name}: {result}"));
    Ok(number("seconds")? * 1e9 / number("hops")?)
}

/// What a packet in flight costs: the same traffic into a port that holds 100 packets and into one that holds all.
fn memory_of_packets(programs: &Programs, place: &Path) -> Result<()> {
    let few = sim(&programs.incast, &FULL_QUEUE[0].write(place)?, &[], place)?;
    let many = sim(&programs.incast, &FULL_QUEUE[1].write(place)?, &[], place)?;
    let (least, most) = (few.packets_max()?, many.packets_max()?);
    ensure!(most > least + 100_000, "the deep port held {most} packets: too few to measure");
    let bytes = count(many.peak_bytes.saturating_sub(few.peak_bytes)) / count(most - least);
    println!(
        "\nmemory of a packet in flight: {bytes:.0} B ({most} waiting packets in {} MiB, {least} in {} MiB)",
        many.peak_bytes >> 20,
        few.peak_bytes >> 20
    );
    Ok(())
}

/// The whole network of 2003: how fast, and in how much memory.
fn network_of_2003(
    programs: &Programs,
    file: &Path,
    place: &Path,
    rounds: usize,
    missed: &mut Vec<String>,
) -> Result<()> {
    let one = |_| sim(&programs.incast, file, &["--variant", "base"], place);
    let runs: Vec<Measured> = (0..rounds).map(one).collect::<Result<_>>()?;
    let of = |read: &dyn Fn(&Measured) -> Result<f64>| -> Result<f64> {
        Ok(median(runs.iter().map(read).collect::<Result<_>>()?))
    };
    let cpu = of(&|run| Ok(run.cpu_s / run.running_s()?))?;
    let wall = of(&|run| Ok(run.wall_s / run.running_s()?))?;
    let ns = of(&|run| Ok(run.cpu_s * 1e9 / count(run.packet_hops()?)))?;
    let peak = runs.iter().map(|run| run.peak_bytes).max().unwrap_or_default();
    let hosts = runs.first().context("no run")?.hosts()?;
    println!("\n{NETWORK_2003}, {hosts} hosts, medians of {rounds}:");
    println!(
        "  {wall:.2} s on the wall, {cpu:.2} s of CPU per virtual second; {ns:.1} ns of CPU per packet-hop"
    );
    println!("  {} MiB at most, {:.1} KiB per host", peak >> 20, count(peak) / 1024.0 / count(hosts));
    if 1.0 / cpu < NETWORK_GOAL {
        missed.push(format!("2003: {:.2} virtual seconds a second of CPU (goal {NETWORK_GOAL})", 1.0 / cpu));
    }
    if peak > MEMORY_GOAL {
        missed.push(format!("2003: {} MiB (goal {})", peak >> 20, MEMORY_GOAL >> 20));
    }
    Ok(())
}

/// The same replicas on one core and on two.
fn replicas(programs: &Programs, place: &Path, rounds: usize, missed: &mut Vec<String>) -> Result<()> {
    let file = ALL_TO_ALL.write(place)?;
    let with = |jobs| -> Result<f64> {
        let words = ["--replicas", "8", "--jobs", jobs, "--set", "duration=100ms"];
        Ok(sim(&programs.incast, &file, &words, place)?.wall_s)
    };
    let one = |_| -> Result<f64> { Ok(with("1")? / with("2")?) };
    let ratio = median((0..rounds).map(one).collect::<Result<_>>()?);
    println!("\n8 replicas on two cores: {ratio:.2} times as fast as on one");
    if ratio < REPLICAS_GOAL {
        missed.push(format!("replicas: {ratio:.2}x (goal {REPLICAS_GOAL}x)"));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for ratios: 53 bits are enough")]
const fn count(number: u64) -> f64 {
    number as f64
}
