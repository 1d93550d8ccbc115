//! Reads every setting of this host that bears on what it can send and receive.
//!
//! Bounded reads of files below `/proc` and `/sys`, and questions to the drivers; no other program is asked.
//! What is not there or not told is left out. Interfaces are those of the network namespace of the caller,
//! as far as `/sys` shows it.

mod interface;

use std::collections::BTreeMap;

use incast_core::tune::{HostSettings, IdleState};

use crate::{bounded, provenance, qdisc};

/// Names of the interfaces of this host, in the order of the alphabet.
#[must_use]
pub fn interfaces() -> Vec<String> {
    names("/sys/class/net", INTERFACES_MAX)
}

/// Reads the settings of the host and of the interfaces of these names.
#[must_use]
pub fn read(interfaces: &[String]) -> HostSettings {
    let about = provenance::describe();
    let roots = qdisc::roots().unwrap_or_default();
    HostSettings {
        host: about.name,
        kernel: about.kernel,
        sysctls: sysctls(),
        cores: about.cores_usable,
        clocksource: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        clocksources: words("/sys/devices/system/clocksource/clocksource0/available_clocksource"),
        governors: governors(),
        idle_states: idle_states(),
        steal_fraction: text("/proc/stat").and_then(|text| steal(&text)),
        irqbalance: is_running("irqbalance"),
        firewall_tables: firewall_tables(),
        interfaces: interfaces.iter().map(|name| interface::read(name, &roots)).collect(),
    }
}

/// A file as one line; empty is nothing.
fn line(path: &str) -> Option<String> {
    let words = text(path)?.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then_some(words)
}

fn words(path: &str) -> Vec<String> {
    text(path).iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
}

fn number<T: std::str::FromStr>(path: &str) -> Option<T> {
    text(path)?.trim().parse().ok()
}

fn text(path: &str) -> Option<String> {
    bounded::read(path, FILE_BYTES_MAX).ok()
}

/// Names in a directory, sorted, at most so many.
fn names(path: &str, most: usize) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().take(most);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn sysctls() -> BTreeMap<String, String> {
    let one =
        |name: &&str| Some(((*name).to_owned(), line(&format!("/proc/sys/{}", name.replace('.', "/")))?));
    SYSCTLS.iter().filter_map(one).collect()
}

fn governors() -> BTreeMap<u32, String> {
    let cores = names("/sys/devices/system/cpu", CORES_MAX);
    let numbers = cores.iter().filter_map(|name| name.strip_prefix("cpu")?.parse::<u32>().ok());
    let path = |core: u32| format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
    numbers.filter_map(|core| Some((core, line(&path(core))?))).collect()
}

fn idle_states() -> Option<Vec<IdleState>> {
    let dir = "/sys/devices/system/cpu/cpu0/cpuidle";
    let states = names(dir, STATES_MAX);
    let one = |state: &String| {
        let file = |name: &str| format!("{dir}/{state}/{name}");
        let on = number::<u8>(&file("disable")) != Some(1);
        on.then(|| Some(IdleState { name: line(&file("name"))?, exit_us: number(&file("latency"))? }))?
    };
    (!states.is_empty()).then(|| states.iter().filter_map(one).collect())
}

/// The hypervisor's part of all cores' time since boot; guest time is in `user` already.
fn steal(stat: &str) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).filter_map(|word| word.parse().ok()).collect();
    let [.., steal] = ticks[..] else { return None };
    let all: u64 = ticks.iter().sum();
    (ticks.len() == 8 && all > 0).then(|| steal as f64 / all as f64)
}

/// Whether a process of that name runs, of those that this user may see.
fn is_running(name: &str) -> Option<bool> {
    let processes = names("/proc", PROCESSES_MAX);
    let mut pids = processes.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).peekable();
    pids.peek()?;
    Some(pids.any(|pid| line(&format!("/proc/{pid}/comm")).as_deref() == Some(name)))
}

/// Only root may read the list; without the module there is no table.
fn firewall_tables() -> Option<Vec<String>> {
    let path = "/proc/net/ip_tables_names";
    match bounded::read(path, FILE_BYTES_MAX) {
        Ok(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Vec::new()),
        Err(_) => None,
    }
}

/// What the rules judge and what the check states.
const SYSCTLS: &[&str] = &[
    "net.bridge.bridge-nf-call-iptables",
    "net.core.busy_poll",
    "net.core.busy_read",
    "net.core.default_qdisc",
    "net.core.netdev_budget",
    "net.core.netdev_budget_usecs",
    "net.core.netdev_max_backlog",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.rps_sock_flow_entries",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.ipfrag_high_thresh",
    "net.ipv4.ipfrag_time",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
];
/// Longest file that is read: `/proc/stat` of a machine with thousands of cores.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Most interfaces, cores, sleeping states and processes that are looked at.
const INTERFACES_MAX: usize = 4_096;
const CORES_MAX: usize = 8_400;
const STATES_MAX: usize = 32;
const PROCESSES_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_of_all_times() {
        assert_eq!(steal("cpu  10 0 10 70 0 0 0 10 5 5\ncpu0 1"), Some(0.1));
        for text in ["", "cpu  1 2 3", "cpu 0 0 0 0 0 0 0 0", "cpu0 1 1 1 1 1 1 1 1"] {
            assert_eq!(steal(text), None, "{text}");
        }
    }

    #[test]
    fn this_host_is_read_and_what_is_not_there_is_unknown() {
        let settings = read(&["lo".into(), "nosuch0".into()]);
        assert!(settings.sysctls.contains_key("net.core.rmem_max"), "{:?}", settings.sysctls);
        assert!(settings.steal_fraction.is_some_and(|steal| (0.0..=1.0).contains(&steal)));
        let [lo, absent] = &settings.interfaces[..] else { panic!("{:?}", settings.interfaces) };
        assert!(lo.mtu_bytes.is_some() && lo.rings.is_none(), "{lo:?}");
        assert_eq!(lo.qdisc.as_deref(), Some("noqueue"));
        let nothing = incast_core::tune::InterfaceSettings { name: "nosuch0".into(), ..Default::default() };
        assert_eq!(*absent, nothing);
    }
}
