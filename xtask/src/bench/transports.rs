//! `bench transports`: raw IP, raw Ethernet and AF_XDP beside iperf3's UDP, over a pair of virtual interfaces.
//!
//! In each round everyone runs once, one after the other, on the same two cores; what counts is the ratio within a
//! round, and of these the median. Rates are messages received once per second; what was lost stands beside them.

use anyhow::{Context as _, Result, ensure};

use super::flood::{Case, Effort, Reached, iperf3, machine, median, ours};
use super::place::{Place, Veth};
use crate::project::{self, Project};

/// A way below UDP, and the least ratio to iperf3's UDP that we go for; without one it is shown only.
struct Way {
    name: &'static str,
    transport: &'static str,
    flood: &'static [&'static str],
    serve: &'static [&'static str],
    goal: Option<f64>,
}

const WAYS: &[Way] = &[
    Way { name: "raw IP, spin", transport: "ip", flood: &[], serve: &["--spin"], goal: None },
    Way {
        name: "raw Ethernet",
        transport: "ethernet",
        flood: &["--qdisc-bypass"],
        serve: &[],
        goal: Some(2.3),
    },
    Way {
        name: "AF_XDP, generic",
        transport: "xdp",
        flood: &["--xdp", "generic"],
        serve: &[],
        goal: Some(2.3),
    },
    Way {
        name: "AF_XDP, native",
        transport: "xdp",
        flood: &["--xdp", "native"],
        serve: &[],
        goal: Some(2.3),
    },
];

const SIZES: [u32; 2] = [64, 1024];

/// Runs every way at every size. Words: `[SECONDS [ROUNDS]]`.
pub(crate) fn run(project: &Project, words: &[&str]) -> Result<()> {
    let effort = Effort::parse(words)?;
    project::run(&mut project.cargo(&["build", "--release", "--locked", "-p", "incast"]))?;
    let incast = project.target()?.join("release/incast").display().to_string();
    let place = Place::Veth(Veth::make().context("raw transports need root, and a pair of interfaces")?);
    println!("{}", machine());
    println!(
        "{} rounds of {} s each; medians; ratios are medians over the rounds",
        effort.rounds, effort.seconds
    );
    println!(
        "{:>6}  {:<18} {:>11} {:>11} {:>8} {:>6} {:>8}",
        "bytes", "way", "iperf3", "incast", "ratio", "goal", "lost"
    );
    let mut missed = Vec::new();
    for message_bytes in SIZES {
        let rounds: Result<Vec<Vec<Reached>>> =
            (0..effort.rounds).map(|_| round(&place, &incast, message_bytes, &effort)).collect();
        let rounds = rounds?;
        for (index, way) in WAYS.iter().enumerate() {
            let of = |read: fn(&Reached) -> f64, contender: usize| {
                median(rounds.iter().map(|round| read(&round[contender])).collect())
            };
            let ratio = median(rounds.iter().map(|round| round[index + 1].rate / round[0].rate).collect());
            let goal = way.goal.map_or_else(|| "-".to_owned(), |goal| format!("{goal}x"));
            println!(
                "{message_bytes:>6}  {:<18} {:>7.0} k/s {:>7.0} k/s {ratio:>7.2}x {goal:>6} {:>7.2}%",
                way.name,
                of(|reached| reached.rate, 0) / 1e3,
                of(|reached| reached.rate, index + 1) / 1e3,
                100.0 * of(|reached| reached.lost, index + 1),
            );
            if way.goal.is_some_and(|goal| ratio < goal) {
                missed.push(format!("{} at {message_bytes} B ({ratio:.2}x)", way.name));
            }
        }
    }
    ensure!(missed.is_empty(), "below the goal: {}", missed.join(", "));
    Ok(())
}

/// Everyone once: iperf3, then every way.
fn round(place: &Place, incast: &str, message_bytes: u32, effort: &Effort) -> Result<Vec<Reached>> {
    let case =
        |name, transport, flood, serve| Case { name, transport, message_bytes, flood, serve, goal: 0.0 };
    let mut reached = vec![iperf3(place, &case("iperf3", "udp", &[], &[]), effort).context("iperf3")?];
    for way in WAYS {
        let case = case(way.name, way.transport, way.flood, way.serve);
        reached.push(ours(place, incast, &case, effort).context(way.name)?);
    }
    Ok(reached)
}
