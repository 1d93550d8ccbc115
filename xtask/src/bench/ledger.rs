//! `bench ledger`: what the drop trace costs while a flood runs, with and without drops.
//!
//! The same flood over loopback with the trace on and off, in turn, and what matters is the CPU of both
//! ends for each message that was sent: soft interrupts are charged to whom they interrupt, and the
//! trace runs there. The counters are read before and after a flood, never while it runs: they cost
//! nothing then. Medians of several rounds. Needs root.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::flood::{Running, json, machine, median};
use super::place::{End, Place};
use crate::project::{self, Project};

/// What we go for: a flood without drops costs at most so much more CPU.
const GOAL: f64 = 1.01;

/// A flood that loses nothing, and one in which most messages die at a full socket.
const CASES: [(&str, &[&str], &[&str]); 2] = [
    ("no drops", &[], &["--load", "50kHz"]),
    ("most messages dropped", &["--receive-buffer", "4KiB"], &["--load", "unlimited"]),
];

/// Floods with and without the trace, in turn, and prints the medians.
pub(crate) fn run(project: &Project, words: &[&str]) -> Result<()> {
    ensure!(project::output(Command::new("id").arg("-u"))?.trim() == "0", "bench ledger needs root");
    let number =
        |index: usize, default: u32| words.get(index).map_or(Ok(default), |word| word.parse::<u32>());
    let (seconds, rounds) = (number(0, 2)?, number(1, 7)?);
    project::run(&mut project.cargo(&["build", "--release", "--locked", "-p", "incast"]))?;
    let incast = project.target()?.join("release/incast").display().to_string();
    println!("{}", machine());
    println!("{rounds} rounds of {seconds} s each; medians; CPU of both ends for each message sent");
    println!("{:<24}{:>12}{:>12}{:>9}{:>16}", "", "trace on", "trace off", "ratio", "drops per s");
    let mut free = f64::NAN;
    for (name, serve, flood) in CASES {
        let (mut on, mut off, mut ratios, mut drops) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let with = round(&incast, "on", serve, flood, seconds)?;
            let without = round(&incast, "off", serve, flood, seconds)?;
            ratios.push(with[0] / without[0]);
            on.push(with[0]);
            off.push(without[0]);
            drops.push(with[1]);
        }
        let ratio = median(ratios);
        if free.is_nan() {
            free = ratio;
        }
        println!(
            "{name:<24}{:>9.0} ns{:>9.0} ns{ratio:>9.3}{:>16.0}",
            median(on) * 1e9,
            median(off) * 1e9,
            median(drops)
        );
    }
    ensure!(free <= GOAL, "missed: without drops the ratio is {free:.3}, the goal is {GOAL}");
    Ok(())
}

/// CPU seconds of both ends for each message, and messages lost in a second.
fn round(incast: &str, trace: &str, serve: &[&str], flood: &[&str], seconds: u32) -> Result<[f64; 2]> {
    let place = Place::Loopback;
    let mut server = place.command(End::Receiver, incast);
    server.args(["serve", "--port", "6104", "--once", "--drop-trace", trace]).args(serve);
    let _server = Running::start(&mut server, "listening", true)?;
    let mut sender = place.command(End::Sender, incast);
    sender
        .args(["flood", "127.0.0.1:6104", "--json", "--transport", "udp", "--segments-max", "1"])
        .args(["--drop-trace", "off", "--duration", &format!("{seconds}s")])
        .args(flood);
    let record = json(&mut sender)?;
    let flow = &record["flows"][0];
    let number = |value: &Value| value.as_f64().context("the record lacks a number");
    let side = |side: &str| -> Result<f64> {
        let cpu = &flow["cpu"][side];
        Ok(number(&cpu["user_s"])? + number(&cpu["system_s"])?)
    };
    let sent = number(&flow["messages"]["sent"])?;
    let lost = number(&flow["messages"]["lost"])?;
    Ok([(side("sender")? + side("receiver")?) / sent, lost / f64::from(seconds)])
}
