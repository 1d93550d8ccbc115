//! How much CPU work took that is no part of the run: the caveat `HostBusy`.
//!
//! Other work is user and system time of all cores less what the run's own processes were charged.
//! Interrupts and soft interrupts stay out of it: on loopback they are the run's own packets. The
//! result is a lower bound where the kernel lacks `CONFIG_IRQ_TIME_ACCOUNTING`: it then charges a
//! process for the soft interrupts on top of it as well. Tried on such a kernel (6.18), a flood over
//! loopback was charged 1.0 core, of which 0.3 were soft interrupts and could have hidden as much.

use incast_core::caveat::{Caveat, CaveatKind};

use crate::cpu::{CoreTicks, HostSnapshot, MS_PER_TICK};

/// What others took from this host between two snapshots.
#[derive(Clone, Debug, PartialEq)]
pub struct OtherWork {
    /// CPU seconds of other work.
    pub cpu_s: f64,
    /// Other work in cores: 1 is one core kept busy for the whole time.
    pub cores: f64,
    /// Other work as a fraction of the whole host, 0 to 1.
    pub host_fraction: f64,
    /// Fraction of the whole host taken by the hypervisor.
    pub steal_fraction: f64,
    /// CPU seconds taken by the hypervisor.
    pub steal_s: f64,
    /// The core from which the hypervisor took most, and the fraction it took from it.
    pub steal_worst: (u32, f64),
}

impl OtherWork {
    /// Other work between two snapshots, when the run's own processes spent `own_cpu_s` seconds.
    ///
    /// Unknown (`None`) when the account of any core does not close: what ran there is unknown.
    #[must_use]
    pub fn between(earlier: &HostSnapshot, later: &HostSnapshot, own_cpu_s: f64) -> Option<Self> {
        let ticks = later.ticks_since(earlier);
        if ticks.is_empty() || ticks.len() != later.cores.len() || ticks.len() != earlier.cores.len() {
            return None;
        }
        let seconds = |of: fn(&CoreTicks) -> u64| -> f64 {
            ticks.values().map(|core| (of(core) * MS_PER_TICK) as f64 / 1e3).sum()
        };
        let host_s = seconds(CoreTicks::total);
        let cpu_s = (seconds(|core| core.user + core.system) - own_cpu_s).max(0.0);
        let steal_s = seconds(|core| core.steal);
        let host_fraction = (cpu_s / host_s).min(1.0);
        let stolen = |(&core, ticks): (&u32, &CoreTicks)| (core, ticks.steal as f64 / ticks.total() as f64);
        Some(Self {
            cpu_s,
            cores: host_fraction * ticks.len() as f64,
            host_fraction,
            steal_fraction: steal_s / host_s,
            steal_s,
            steal_worst: ticks.iter().map(stolen).max_by(|a, b| a.1.total_cmp(&b.1))?,
        })
    }

    /// The doubt that other programs disturbed the run.
    #[must_use]
    pub fn caveat(&self) -> Option<Caveat> {
        (self.cores > OTHER_CORES_MAX && self.cpu_s > OTHER_S_MIN).then(|| {
            let (cores, percent) = (self.cores, self.host_fraction * 100.0);
            Caveat::new(
                CaveatKind::HostBusy,
                format!("other work took {cores:.2} cores ({percent:.0} % of this host's CPU)"),
                "stop other programs on this host, or keep them off the run's cores (taskset), and repeat",
            )
        })
    }

    /// The doubt that the hypervisor disturbed the run.
    #[must_use]
    pub fn steal_caveat(&self) -> Option<Caveat> {
        let (core, fraction) = self.steal_worst;
        (fraction > STEAL_MAX && self.steal_s > STEAL_S_MIN).then(|| {
            let (worst, all) = (fraction * 100.0, self.steal_fraction * 100.0);
            Caveat::new(
                CaveatKind::HostBusy,
                format!("the hypervisor took {all:.1} % of the CPU, and {worst:.1} % of core {core}"),
                "repeat when the physical machine is quiet, or give this virtual machine cores of its own",
            )
        })
    }
}

/// Other work above this many cores is a doubt. The development machine at rest shows 0.02; a role
/// that must share its core with a quarter of a core of other work can lose as much of its rate.
const OTHER_CORES_MAX: f64 = 0.25;

/// Other work below this is no doubt, however short the run: ten ticks, of which sampling may
/// have put several on the wrong account.
const OTHER_S_MIN: f64 = 0.1;

/// Stolen time above this fraction of any one core is a doubt. The core counts, not the host: from
/// the idle cores of a wide machine nothing is stolen. A shared machine at work shows about 1 %.
const STEAL_MAX: f64 = 0.05;

/// Stolen time below this is no doubt: three ticks, of which rounding may be one for each snapshot.
const STEAL_S_MIN: f64 = 0.03;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Two cores, `ms` long; columns user, nice, system, idle, iowait, irq, softirq, steal.
    fn other_work(ms: u64, cores: [&str; 2], own_cpu_s: f64) -> Option<OtherWork> {
        let start = Instant::now();
        let zero = HostSnapshot::parse("cpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0", start);
        let text = format!("cpu0 {}\ncpu1 {}", cores[0], cores[1]);
        OtherWork::between(&zero, &HostSnapshot::parse(&text, start + Duration::from_millis(ms)), own_cpu_s)
    }

    #[test]
    fn other_work_is_what_the_run_did_not_spend() {
        // 10 s on 2 cores: 13 s user and system, of which the run spent 9; 3 s in soft interrupts.
        let found = other_work(10_000, ["500 100 300 0 0 0 100 0", "200 0 200 400 0 0 200 0"], 9.0).unwrap();
        assert_eq!((found.cpu_s, found.host_fraction, found.cores), (4.0, 0.2, 0.4));
        let caveat = found.caveat().unwrap();
        assert_eq!(caveat.kind, CaveatKind::HostBusy);
        assert_eq!(caveat.text, "other work took 0.40 cores (20 % of this host's CPU)");
        assert_eq!(found.steal_caveat(), None);
    }

    #[test]
    fn a_quiet_host_raises_no_doubt() {
        let busy = |ms, cores, own| other_work(ms, cores, own).unwrap().caveat().is_some();
        let loaded = ["500 0 300 0 0 0 200 0", "200 0 200 400 0 0 200 0"];
        assert!(!busy(10_000, loaded, 10.0)); // 0.2 cores
        assert!(busy(10_000, loaded, 9.0)); // 0.3 cores
        assert!(!busy(10_000, loaded, 99.0)); // charged more than was sampled
        assert!(!busy(10_000, ["0 0 0 0 0 500 500 0", "0 0 0 0 0 0 1000 0"], 0.0)); // packets only
        assert!(!busy(200, ["10 0 0 10 0 0 0 0", "0 0 0 20 0 0 0 0"], 0.0)); // 0.5 cores for ten ticks
    }

    #[test]
    fn stolen_time_is_named_apart() {
        let found = other_work(1000, ["40 0 50 0 0 0 0 10", "0 0 0 100 0 0 0 0"], 0.9).unwrap();
        assert_eq!(found.caveat(), None);
        assert_eq!(
            found.steal_caveat().unwrap().text,
            "the hypervisor took 5.0 % of the CPU, and 10.0 % of core 0"
        );
        // One tick of ten is no evidence; nor are five in a hundred more than the limit.
        let short = other_work(100, ["0 0 9 0 0 0 0 1", "0 0 0 10 0 0 0 0"], 0.1).unwrap();
        assert_eq!(short.steal_caveat(), None);
        let little = other_work(1000, ["45 0 50 0 0 0 0 5", "0 0 0 95 0 0 0 5"], 0.9).unwrap();
        assert_eq!(little.steal_caveat(), None);
    }

    #[test]
    fn an_open_account_gives_no_answer() {
        assert_eq!(other_work(1000, ["40 0 50 10 0 0 0 0", ""], 0.1), None);
        assert_eq!(other_work(1000, ["40 0 50 10 0 0 0 0", "1 0 0 9 0 0 0 0"], 0.1), None);
        assert_eq!(other_work(0, ["0 0 0 0 0 0 0 0", "0 0 0 0 0 0 0 0"], 0.1), None);
        assert_eq!(other_work(1000, ["x", "y"], f64::NAN), None);
    }
}
