//! What kind of host this is: the part of the record that does not change during a run.
//!
//! Every entry is read if it is there and left out if it is not. Settings stand under their
//! sysctl names with the kernel's own text; the few that are no sysctls have names of their own.
//! Nothing is judged here, and nothing changed.

use std::collections::BTreeMap;

use incast_core::record::Host;

use crate::{bounded, sys};

/// This host, with no loads: its name, kernel, processor, memory, settings and clock.
#[must_use]
pub fn describe() -> Host {
    Host {
        cores_usable: std::thread::available_parallelism()
            .ok()
            .and_then(|cores| u32::try_from(cores.get()).ok()),
        clock_resolution_ns: clock_resolution_ns(),
        ..from_files(|path| bounded::read(path, MAX_FILE_BYTES).ok())
    }
}

/// The part of the record that stands in files, which `read` gives.
fn from_files(read: impl Fn(&str) -> Option<String>) -> Host {
    let line = |path: &str| read(path).map(|text| one_line(&text)).filter(|text| !text.is_empty());
    let mut settings = BTreeMap::new();
    for (group, names) in SYSCTLS {
        let path = format!("/proc/sys/{}", group.replace('.', "/"));
        let setting = |name| Some((format!("{group}.{name}"), line(&format!("{path}/{name}"))?));
        settings.extend(names.split(' ').filter_map(setting));
    }
    for (name, path) in OTHER_SETTINGS {
        settings.extend(line(path).map(|value| (name.into(), value)));
    }
    let kernel = [line("/proc/sys/kernel/ostype"), line("/proc/sys/kernel/osrelease")];
    let kernel = kernel.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Host {
        name: line("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".into()),
        kernel: Some(kernel).filter(|kernel| !kernel.is_empty()),
        processor: read("/proc/cpuinfo").and_then(|text| processor(&text)),
        memory_bytes: read("/proc/meminfo").and_then(|text| memory_bytes(&text)),
        settings,
        ..Host::default()
    }
}

/// The model of the first processor in the text of `/proc/cpuinfo`; ARM kernels tell none.
fn processor(text: &str) -> Option<String> {
    // `model name` on x86, `cpu model` on MIPS, `cpu` on POWER.
    let value = ["model name", "cpu model", "cpu"].iter().find_map(|name| value(text, name))?;
    Some(one_line(value)).filter(|model| !model.is_empty())
}

/// `MemTotal` in the text of `/proc/meminfo`, whose "kB" are 1024 bytes.
fn memory_bytes(text: &str) -> Option<u64> {
    let kibibytes: u64 = value(text, "MemTotal")?.strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// What stands behind the first `name:` at the start of a line.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim())
}

/// `text` fit for a table: single spaces, no control characters, of bounded length.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|character| !character.is_control()).take(MAX_VALUE_CHARS).collect()
}

/// Resolution of the clock of `std::time::Instant` in nanoseconds.
fn clock_resolution_ns() -> Option<u64> {
    let resolution = sys::usage::clock_getres().ok()?;
    let whole_ns = u64::try_from(resolution.tv_sec).ok()?.checked_mul(1_000_000_000)?;
    whole_ns.checked_add(u64::try_from(resolution.tv_nsec).ok()?)
}

/// Settings of the kernel that change what a flow of messages does: the lab's bridge, the queues
/// and budgets of the receive path, socket buffers, reassembly, and TCP's behaviour.
const SYSCTLS: [(&str, &str); 4] = [
    ("kernel", "sched_rt_runtime_us"),
    ("net.bridge", "bridge-nf-call-iptables"),
    (
        "net.core",
        "busy_poll busy_read default_qdisc dev_weight netdev_budget netdev_budget_usecs netdev_max_backlog \
         optmem_max rmem_default rmem_max rps_sock_flow_entries somaxconn wmem_default wmem_max",
    ),
    (
        "net.ipv4",
        "ip_no_pmtu_disc ipfrag_high_thresh ipfrag_time tcp_autocorking tcp_available_congestion_control \
         tcp_congestion_control tcp_dsack tcp_ecn tcp_limit_output_bytes tcp_mem tcp_moderate_rcvbuf \
         tcp_mtu_probing tcp_no_metrics_save tcp_notsent_lowat tcp_recovery tcp_rmem tcp_rto_min_us tcp_sack \
         tcp_slow_start_after_idle tcp_syncookies tcp_timestamps tcp_window_scaling tcp_wmem \
         udp_mem udp_rmem_min udp_wmem_min",
    ),
];

/// Settings that are no sysctls: our name and the file.
const OTHER_SETTINGS: [(&str, &str); 2] = [
    ("clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource"),
    // Of the first core; a governor that saves power makes the first seconds of a run slower.
    ("cpufreq_governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
];

/// Longest file that is read: `/proc/cpuinfo` has about 1.5 kB per core, for 8192 cores.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Longest value that is kept: the longest real one, a list of congestion controls, has about 100.
const MAX_VALUE_CHARS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_from_its_files() {
        let host = from_files(|path| {
            let text = match path {
                "/proc/sys/kernel/hostname" => "node1\n",
                "/proc/sys/kernel/ostype" => "Linux\n",
                "/proc/sys/kernel/osrelease" => "6.18.0\n",
                "/proc/cpuinfo" => "processor\t: 0\nmodel name\t: AMD  EPYC: 7B13\n\nmodel name\t: other\n",
                "/proc/meminfo" => "MemTotal:       24684092 kB\nMemFree: 1 kB\n",
                "/proc/sys/net/ipv4/tcp_rmem" => "4096\t131072\t6291456\n",
                "/proc/sys/net/bridge/bridge-nf-call-iptables" => "1\n",
                "/proc/sys/net/core/rmem_max" => "\n",
                "/sys/devices/system/clocksource/clocksource0/current_clocksource" => "tsc\n",
                _ => return None,
            };
            Some(text.into())
        });
        assert_eq!((host.name.as_str(), host.kernel.as_deref()), ("node1", Some("Linux 6.18.0")));
        assert_eq!(host.processor.as_deref(), Some("AMD EPYC: 7B13"));
        assert_eq!(host.memory_bytes, Some(24_684_092 * 1024));
        let settings: Vec<_> =
            host.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let bridge = ("net.bridge.bridge-nf-call-iptables", "1");
        assert_eq!(settings, [("clocksource", "tsc"), bridge, ("net.ipv4.tcp_rmem", "4096 131072 6291456")]);
    }

    #[test]
    fn nonsense_is_unknown() {
        let nothing = Host { name: "unknown".into(), ..Host::default() };
        assert_eq!(from_files(|_| None), nothing);
        assert_eq!(from_files(|_| Some(" \n\t".into())), nothing);
        for text in ["MemTotal: x kB", "MemTotal: 1 GB", "MemTotal", "MemTotal: 18446744073709551615 kB"] {
            assert_eq!(memory_bytes(text), None, "{text}");
        }
        assert_eq!(one_line("a\u{1b}[31m\nb"), "a[31m b");
        assert_eq!(one_line(&"x".repeat(999)).len(), MAX_VALUE_CHARS);
    }

    #[test]
    fn this_machine_describes_itself() {
        let host = describe();
        assert!(host.kernel.is_some_and(|kernel| kernel.starts_with("Linux ")));
        assert!(host.cores_usable.is_some_and(|cores| cores >= 1));
        assert!(host.memory_bytes.is_some_and(|bytes| bytes > 1 << 20));
        assert!(host.clock_resolution_ns.is_some_and(|ns| (1..=10_000_000).contains(&ns)));
        assert!(host.settings["net.ipv4.tcp_rmem"].split(' ').all(|bytes| bytes.parse::<u64>().is_ok()));
        assert!(host.cores.is_empty());
    }
}
