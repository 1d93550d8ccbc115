//! One run of `incast sim`: its record, and what it took of the machine.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// What a run took, and what it said.
#[derive(Debug)]
pub(super) struct Measured {
    record: Value,
    /// Of all its threads, user and system.
    pub(super) cpu_s: f64,
    pub(super) wall_s: f64,
    /// Most memory that it had at once.
    pub(super) peak_bytes: u64,
}

/// How often the memory of a run is looked at; what the kernel tells of is its peak so far.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Ticks of the kernel's clock in a second: `USER_HZ`, 100 on every machine that Linux runs on.
const TICKS_PER_S: f64 = 100.0;

/// Runs `incast sim FILE WORDS`, and throws its files away.
pub(super) fn sim(incast: &Path, file: &Path, words: &[&str], place: &Path) -> Result<Measured> {
    let out = place.join("runs");
    let printed = place.join("record.json");
    let (cpu, started) = (cpu_of_children()?, Instant::now());
    let mut child = Command::new(incast)
        .arg("sim")
        .arg(file)
        .args(["--json", "--out"])
        .arg(&out)
        .args(words)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&printed)?)
        .stderr(Stdio::null())
        .spawn()
        .context("start incast sim")?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak_bytes = 0;
    let ended = loop {
        peak_bytes = peak_bytes.max(peak(&status));
        match child.try_wait()? {
            Some(ended) => break ended,
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    let wall_s = started.elapsed().as_secs_f64();
    let cpu_s = cpu_of_children()? - cpu;
    std::fs::remove_dir_all(&out).with_context(|| format!("incast sim {}: {ended}", file.display()))?;
    // Something expected may be missed (1): this is not what is asked here.
    ensure!(matches!(ended.code(), Some(0 | 1)), "incast sim {}: {ended}", file.display());
    let record = serde_json::from_slice(&std::fs::read(&printed)?).context("read the record")?;
    Ok(Measured { record, cpu_s, wall_s, peak_bytes })
}

impl Measured {
    pub(super) fn packet_hops(&self) -> Result<u64> {
        self.record["simulation"]["packet_hops"].as_u64().context("the record has no packet-hops")
    }

    /// Virtual time in which a readout ran: while it drains hardly anything happens.
    pub(super) fn running_s(&self) -> Result<f64> {
        self.record["readout"]["running_s"].as_f64().context("the record has no running time")
    }

    /// Most packets that waited in the fullest queue.
    pub(super) fn packets_max(&self) -> Result<u64> {
        let queues = self.record["simulation"]["queues"].as_array().context("the record has no queues")?;
        let most = queues.iter().filter_map(|queue| queue["packets_max"].as_u64()).max();
        most.context("no queue held a packet")
    }

    pub(super) fn hosts(&self) -> Result<u64> {
        let hosts = self.record["network"]["hosts"].as_array().context("the record has no hosts")?;
        Ok(u64::try_from(hosts.len())?)
    }
}

/// Most memory of a process so far, bytes; 0 when it is gone. proc(5): `VmHWM`, in KiB.
fn peak(status: &str) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
}

/// CPU seconds of all children that have ended: `cutime` and `cstime` of proc(5), fields 16 and 17.
fn cpu_of_children() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name, in brackets, may hold anything; after it comes field 3.
    let (_, fields) = stat.rsplit_once(')').context("read /proc/self/stat")?;
    let ticks = fields.split_whitespace().skip(13).take(2).map(str::parse::<f64>);
    let ticks: Vec<f64> = ticks.collect::<Result<_, _>>().context("read /proc/self/stat")?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_process_is_read() {
        assert!(peak("/proc/self/status") > 100 * 1024);
        assert_eq!(peak("/proc/no-such-process/status"), 0);
    }

    #[test]
    fn what_children_took_grows_with_them() {
        let before = cpu_of_children().unwrap();
        let busy = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done";
        assert!(Command::new("sh").args(["-c", busy]).status().unwrap().success());
        assert!(cpu_of_children().unwrap() >= before);
    }
}
