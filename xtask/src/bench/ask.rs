//! `bench ask`: request and response beside the plainest loop that one could write, and `sockperf` if it is there.
//!
//! On loopback, asker on core 0 and answerer on core 1, in turn, medians of several rounds. The plain loop is
//! `read` and `write` on blocking sockets, as netperf's TCP_RR is. Times are those that each says itself.

mod plain;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::project::{self, Project};

pub(crate) use plain::peer;

const SECONDS: &str = "2s";
const ROUNDS: usize = 5;
/// 64 B: at most this part of the plain loop's median. 2 MB: at least so many times its responses per second.
const GOALS: [f64; 2] = [0.125, 1.35];
const SMALL: &str = "64B";
const LARGE: &str = "2MB";

/// What a round of one program came to: its median in microseconds, and responses per second.
#[derive(Clone, Copy, Debug)]
struct Found {
    us_p50: f64,
    per_s: f64,
}

/// Runs everything in turn, and prints the medians and the ratios.
pub(crate) fn run(project: &Project, effort: &[&str]) -> Result<()> {
    let rounds = match effort {
        [] => ROUNDS,
        [rounds] => rounds.parse().context("bench ask [ROUNDS]")?,
        _ => bail!("bench ask takes a number of rounds"),
    };
    project::run(&mut project.cargo(&["build", "--release", "--locked", "-p", "incast"]))?;
    let program = project.target()?.join("release/incast");
    measure(&program, rounds)
}

fn measure(program: &Path, rounds: usize) -> Result<()> {
    println!("{}; medians of {rounds} rounds of {SECONDS}", project::host()?);
    let mut missed = Vec::new();
    for (size, bytes) in [(SMALL, 64), (LARGE, 2_000_000)] {
        let (mut spinning, mut udp, mut asleep, mut plain) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            spinning.push(ours(program, &["--response", size, "--spin"])?);
            if size == SMALL {
                udp.push(ours(program, &["--response", size, "--spin", "--transport", "udp"])?);
            }
            asleep.push(ours(program, &["--response", size])?);
            plain.push(plain::measure(bytes)?);
        }
        let base = median(&mut plain);
        println!("64 B for {size:<18} p50 us   responses/s   p50 to plain   rate to plain");
        for (name, found) in
            [("incast --spin", &mut spinning), ("incast --spin, UDP", &mut udp), ("incast", &mut asleep)]
        {
            if !found.is_empty() {
                print(name, median(found), base);
            }
        }
        print("plain blocking loop", base, base);
        let best = median(&mut spinning);
        let (ratio, goal) = if size == SMALL {
            (best.us_p50 / base.us_p50, GOALS[0])
        } else {
            (best.per_s / base.per_s, GOALS[1])
        };
        let is_met = if size == SMALL { ratio <= goal } else { ratio >= goal };
        println!("{}: {ratio:.3}, the goal is {goal}\n", if is_met { "met" } else { "missed" });
        if !is_met {
            missed.push(size);
        }
    }
    sockperf()?;
    ensure!(missed.is_empty(), "goals missed: {}", missed.join(", "));
    Ok(())
}

fn print(name: &str, found: Found, base: Found) {
    println!(
        "{name:<26} {:>7.1} {:>13.0} {:>14.3} {:>15.3}",
        found.us_p50,
        found.per_s,
        found.us_p50 / base.us_p50,
        found.per_s / base.per_s
    );
}

fn median(found: &mut [Found]) -> Found {
    let of = |value: fn(&Found) -> f64| {
        let mut values: Vec<f64> = found.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Found { us_p50: of(|found| found.us_p50), per_s: of(|found| found.per_s) }
}

/// `command` on one core.
fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}

/// A server that is ended when its owner goes.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first line of a server's words, and the server.
fn start(command: &mut Command) -> Result<(Server, String)> {
    let mut server =
        Server(command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().context("start a server")?);
    let stderr = server.0.stderr.take().context("its standard error")?;
    let mut line = String::new();
    BufReader::new(stderr).read_line(&mut line)?;
    Ok((server, line))
}

fn ours(program: &Path, words: &[&str]) -> Result<Found> {
    let (_server, line) = start(pinned("1", program).args(["answer", "--port", "0"]))?;
    let address = line.strip_prefix("listening on ").and_then(|rest| rest.split(' ').next());
    let address = address.with_context(|| format!("an answerer said: {line}"))?;
    let mut asker = pinned("0", program);
    asker.args(["ask", address, "--duration", SECONDS, "--json"]).args(words).stderr(Stdio::null());
    let said = asker.output().context("run incast ask")?;
    let record: Value = serde_json::from_slice(&said.stdout).context("read the record")?;
    let exchange = &record["exchanges"][0];
    let number = |value: &Value| value.as_f64().with_context(|| format!("no number in {exchange}"));
    Ok(Found { us_p50: number(&exchange["response"]["us_p50"])?, per_s: number(&exchange["rounds_per_s"])? })
}

/// What `sockperf` says of 64 B over UDP, if it is installed: its own words, since it halves round trips.
fn sockperf() -> Result<()> {
    let Some(program) = project::find_program("sockperf") else {
        println!("sockperf: not run, it is not installed");
        return Ok(());
    };
    let _server = Server(
        pinned("1", &program)
            .args(["server", "-i", "127.0.0.1", "-p", "11111"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start sockperf")?,
    );
    std::thread::sleep(std::time::Duration::from_millis(500));
    let words = ["ping-pong", "-i", "127.0.0.1", "-p", "11111", "-m", "64", "-t", "2"];
    let said = project::output(pinned("0", &program).args(words))?;
    said.lines()
        .filter(|line| line.contains("percentile 50"))
        .for_each(|line| println!("{line} (half a round trip)"));
    Ok(())
}
