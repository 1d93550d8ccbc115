//! `bench flood`: incast, iperf3 and the plain loop side by side, in turn, on the same two cores.
//!
//! The machine's speed drifts, so what counts is the ratio within a round, and of these the median.
//! Rates are what was delivered: datagrams or bits received once. A goal is a ratio, never a time.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::place::{End, Place, Veth};
use crate::project::{self, Project};

/// How long each measurement takes, and how many rounds are made.
pub(super) struct Effort {
    pub(super) seconds: u32,
    pub(super) rounds: usize,
}

/// One thing that is measured, by everyone who can.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) transport: &'static str,
    pub(super) message_bytes: u32,
    /// More words for `incast flood` and `incast serve`.
    pub(super) flood: &'static [&'static str],
    pub(super) serve: &'static [&'static str],
    /// Least ratio to iperf3 that we go for.
    pub(super) goal: f64,
}

const CASES: &[Case] = &[
    Case {
        name: "UDP 1024 B, offload",
        transport: "udp",
        message_bytes: 1024,
        flood: &[],
        serve: &[],
        goal: 30.0,
    },
    Case {
        name: "UDP 64 B, offload",
        transport: "udp",
        message_bytes: 64,
        flood: &[],
        serve: &[],
        goal: 80.0,
    },
    Case {
        name: "UDP 1024 B, one per packet, spin",
        transport: "udp",
        message_bytes: 1024,
        flood: &["--segments-max", "1"],
        serve: &["--spin"],
        goal: 1.3,
    },
    Case {
        name: "TCP 128 KiB, asleep",
        transport: "tcp",
        message_bytes: 131_072,
        flood: &[],
        serve: &[],
        goal: 1.0,
    },
    Case {
        name: "TCP 128 KiB, spin",
        transport: "tcp",
        message_bytes: 131_072,
        flood: &[],
        serve: &["--spin"],
        goal: 2.0,
    },
];

/// What one contender reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    /// Delivered: datagrams/s over UDP, bit/s over TCP.
    pub(super) rate: f64,
    /// Lost over sent.
    pub(super) lost: f64,
    /// CPU seconds of both ends per 10^9 bytes delivered, where it is known.
    cpu_per_gigabyte: Option<f64>,
}

/// Runs every case, on loopback and, as root, over a veth pair. Words: `[SECONDS [ROUNDS]]`.
pub(crate) fn run(project: &Project, words: &[&str]) -> Result<()> {
    let effort = Effort::parse(words)?;
    project::run(&mut project.cargo(&["build", "--release", "--locked", "-p", "incast"]))?;
    let incast = project.target()?.join("release/incast").display().to_string();
    println!("{}", machine());
    println!(
        "{} rounds of {} s each; medians; ratios are medians over the rounds",
        effort.rounds, effort.seconds
    );
    let mut missed = Vec::new();
    measure(&Place::Loopback, &incast, &effort, &mut missed)?;
    match Veth::make() {
        Ok(veth) => measure(&Place::Veth(veth), &incast, &effort, &mut missed)?,
        Err(error) => println!("veth: NOT RUN: {error:#} (root is needed)"),
    }
    ensure!(missed.is_empty(), "below the goal: {}", missed.join(", "));
    Ok(())
}

fn measure(place: &Place, incast: &str, effort: &Effort, missed: &mut Vec<String>) -> Result<()> {
    println!(
        "\n{:<9} {:<33} {:>12} {:>12} {:>12} {:>9} {:>7} {:>9} {:>17} {:>7}",
        "path",
        "case",
        "iperf3",
        "plain loop",
        "incast",
        "/iperf3",
        "goal",
        "/loop",
        "CPU s/GB (iperf3)",
        "lost"
    );
    for case in CASES {
        let rounds: Result<Vec<Round>> =
            (0..effort.rounds).map(|_| round(place, incast, case, effort)).collect();
        let rounds = rounds.with_context(|| format!("{} on {}", case.name, place.name()))?;
        let ratio = median(rounds.iter().map(|round| round.incast.rate / round.iperf3.rate).collect());
        let of = |read: fn(&Round) -> f64| median(rounds.iter().map(read).collect());
        let floor =
            rounds.iter().map(|round| round.floor.map(|floor| floor.rate)).collect::<Option<Vec<f64>>>();
        let over_floor = rounds
            .iter()
            .map(|round| Some(round.incast.rate / round.floor?.rate))
            .collect::<Option<Vec<f64>>>();
        let cpu = |read: fn(&Round) -> Option<f64>| {
            rounds.iter().map(read).collect::<Option<Vec<f64>>>().map(median)
        };
        println!(
            "{:<9} {:<33} {:>12} {:>12} {:>12} {:>8.2}x {:>6}x {:>9} {:>17} {:>6.2}%{}",
            place.name(),
            case.name,
            shown(case, of(|round| round.iperf3.rate)),
            floor.map_or_else(|| "-".into(), |rates| shown(case, median(rates))),
            shown(case, of(|round| round.incast.rate)),
            ratio,
            case.goal,
            over_floor.map_or_else(|| "-".into(), |ratios| format!("{:.2}x", median(ratios))),
            format!(
                "{} ({})",
                cpu(|round| round.incast.cpu_per_gigabyte)
                    .map_or_else(|| "-".into(), |cpu| format!("{cpu:.3}")),
                cpu(|round| round.iperf3.cpu_per_gigabyte)
                    .map_or_else(|| "-".into(), |cpu| format!("{cpu:.3}"))
            ),
            100.0 * of(|round| round.incast.lost),
            if ratio < case.goal { "  below the goal" } else { "" }
        );
        if ratio < case.goal {
            missed.push(format!("{} on {} ({ratio:.2}x)", case.name, place.name()));
        }
    }
    Ok(())
}

/// Everyone once, one after the other.
struct Round {
    iperf3: Reached,
    floor: Option<Reached>,
    incast: Reached,
}

fn round(place: &Place, incast: &str, case: &Case, effort: &Effort) -> Result<Round> {
    Ok(Round {
        iperf3: iperf3(place, case, effort).context("iperf3")?,
        floor: if case.transport == "udp" {
            Some(floor(place, case, effort).context("the plain loop")?)
        } else {
            None
        },
        incast: ours(place, incast, case, effort).context("incast")?,
    })
}

/// A program that is ended when nobody needs it any more.
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

impl Effort {
    /// Words: `[SECONDS [ROUNDS]]`.
    pub(super) fn parse(words: &[&str]) -> Result<Self> {
        let number =
            |index: usize, default: u32| words.get(index).map_or(Ok(default), |word| word.parse::<u32>());
        Ok(Self { seconds: number(0, 2)?, rounds: usize::try_from(number(1, 5)?)? })
    }
}

impl Running {
    /// Starts `command` and waits until a line of its standard output or error begins with `ready`.
    pub(super) fn start(
        command: &mut Command,
        ready: &str,
        on_error: bool,
    ) -> Result<(Self, Box<dyn std::io::BufRead>)> {
        let (out, err) =
            if on_error { (Stdio::piped(), Stdio::piped()) } else { (Stdio::piped(), Stdio::null()) };
        let mut running =
            Self(command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().context("start")?);
        let mut lines: Box<dyn std::io::BufRead> = if on_error {
            Box::new(BufReader::new(running.0.stderr.take().context("its standard error")?))
        } else {
            Box::new(BufReader::new(running.0.stdout.take().context("its standard output")?))
        };
        let mut line = String::new();
        while !line.starts_with(ready) {
            line.clear();
            ensure!(lines.read_line(&mut line)? > 0, "it ended before it was ready");
        }
        Ok((running, lines))
    }
}

pub(super) fn ours(place: &Place, incast: &str, case: &Case, effort: &Effort) -> Result<Reached> {
    let mut serve = place.command(End::Receiver, incast);
    serve.args(["serve", "--bind", place.address(), "--port", "6100", "--open", "--once"]).args(case.serve);
    let (_server, _lines) = Running::start(&mut serve, "listening", true)?;
    let mut flood = place.command(End::Sender, incast);
    let message = format!("{}B", case.message_bytes);
    let duration = format!("{}s", effort.seconds);
    flood
        .args(["flood", &format!("{}:6100", place.address()), "--json", "--transport", case.transport])
        .args(["--message", &message, "--duration", &duration])
        .args(case.flood);
    let record = json(&mut flood)?;
    let flow = &record["flows"][0];
    ensure!(
        flow["messages"]["unexplained"] == 0,
        "the account of messages does not close: {}",
        flow["messages"]
    );
    let number =
        |value: &Value, what: &str| value.as_f64().with_context(|| format!("the record has no {what}"));
    let goodput = number(&flow["goodput_bits_per_s"], "goodput")?;
    Ok(Reached {
        rate: if case.transport == "tcp" { goodput } else { goodput / 8.0 / f64::from(case.message_bytes) },
        lost: number(&flow["lost_fraction"], "lost fraction")?,
        cpu_per_gigabyte: flow["cpu"]["seconds_per_gigabyte"].as_f64(),
    })
}

pub(super) fn iperf3(place: &Place, case: &Case, effort: &Effort) -> Result<Reached> {
    let mut serve = place.command(End::Receiver, "iperf3");
    serve.args(["-s", "-1", "-p", "6101", "--forceflush"]);
    let (_server, _lines) = Running::start(&mut serve, "Server listening", false)?;
    let mut client = place.command(End::Sender, "iperf3");
    let (bytes, seconds) = (case.message_bytes.to_string(), effort.seconds.to_string());
    client.args(["-c", place.address(), "-p", "6101", "-l", &bytes, "-t", &seconds, "-J"]);
    if case.transport == "udp" {
        client.args(["-u", "-b", "0"]);
    }
    let end = json(&mut client)?["end"].take();
    let cpu = |which: &str| end["cpu_utilization_percent"][which].as_f64();
    let read = |value: &Value| value.as_f64().context("iperf3's result lacks a number");
    let (rate, lost, bits_per_s) = if case.transport == "udp" {
        let sum = &end["sum"];
        let (packets, lost, took) =
            (read(&sum["packets"])?, read(&sum["lost_packets"])?, read(&sum["seconds"])?);
        let rate = (packets - lost) / took;
        (rate, lost / packets, rate * f64::from(case.message_bytes) * 8.0)
    } else {
        let rate = read(&end["sum_received"]["bits_per_second"])?;
        (rate, 0.0, rate)
    };
    let busy = cpu("host_total").zip(cpu("remote_total")).map(|(host, remote)| (host + remote) / 100.0);
    Ok(Reached { rate, lost, cpu_per_gigabyte: busy.map(|busy| busy / (bits_per_s / 8e9)) })
}

fn floor(place: &Place, case: &Case, effort: &Effort) -> Result<Reached> {
    let program = std::env::current_exe()?.display().to_string();
    let address = format!("{}:6102", place.address());
    let mut receive = place.command(End::Receiver, &program);
    let (mut server, mut lines) =
        Running::start(receive.args(["floor", "receive", &address]), "ready", false)?;
    let mut send = place.command(End::Sender, &program);
    let (bytes, seconds) = (case.message_bytes.to_string(), effort.seconds.to_string());
    let sent = project::output(send.args(["floor", "send", &address, &bytes, &seconds]))?;
    let mut line = String::new();
    lines.read_line(&mut line)?;
    server.0.wait()?;
    let ((received, took), (sent, _)) = (two_numbers(&line)?, two_numbers(&sent)?);
    Ok(Reached { rate: received / took, lost: 1.0 - received / sent, cpu_per_gigabyte: None })
}

fn two_numbers(line: &str) -> Result<(f64, f64)> {
    let numbers: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    match numbers[..] {
        [one, two] if two > 0.0 => Ok((one, two)),
        _ => bail!("expected two numbers, got {line:?}"),
    }
}

/// What a program prints, as JSON; its standard error goes nowhere unless it fails.
pub(super) fn json(command: &mut Command) -> Result<Value> {
    let output = command.stdin(Stdio::null()).output().context("start")?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!("it printed no JSON ({}): {}", output.status, String::from_utf8_lossy(&output.stderr))
    })
}

pub(super) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn shown(case: &Case, rate: f64) -> String {
    if case.transport == "udp" {
        format!("{:.0} k/s", rate / 1e3)
    } else {
        format!("{:.1} Gbit/s", rate / 1e9)
    }
}

/// The machine, for whoever reads the numbers later.
pub(super) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let model =
        processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let model = model.trim_start_matches(|c: char| c.is_whitespace() || c == ':');
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn two_numbers_are_read_and_nothing_else() {
        assert_eq!(two_numbers("5 2.5\n").unwrap(), (5.0, 2.5));
        assert!(two_numbers("5").is_err() && two_numbers("5 0").is_err() && two_numbers("a b").is_err());
    }
}
