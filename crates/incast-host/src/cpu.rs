//! What the cores did between two moments, from `/proc/stat` (proc(5), Linux v6.8
//! `fs/proc/stat.c`).
//!
//! Unit: ticks of 10 ms, kept by the kernel for each core. Guest time is left alone, since the
//! kernel counts it in `user` as well. Idle and waiting for disks are one number: the kernel may
//! move time from one to the other afterwards, but not out of their sum. A core whose account
//! cannot be right (gone, counter gone back, time missing) is left out, never guessed.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use incast_core::probe::HostWork;
use incast_core::record::{CoreLoad, Host};

use crate::bounded;

/// The counters of the host's cores at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSnapshot {
    at: Instant,
    /// The cores that were online, by number.
    pub(crate) cores: BTreeMap<u32, CoreTicks>,
    interrupts: Option<u64>,
    network_softirqs: Option<u64>,
    context_switches: Option<u64>,
    /// Soft interrupts of the kind `NET_RX`.
    receive_softirqs: Option<u64>,
}

/// How one core spent its time, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoreTicks {
    /// In user code, at any niceness.
    pub(crate) user: u64,
    pub(crate) system: u64,
    irq: u64,
    softirq: u64,
    /// Taken by the hypervisor.
    pub(crate) steal: u64,
    /// Doing nothing, or waiting for disks.
    idle: u64,
}

impl HostSnapshot {
    /// Reads the counters now.
    ///
    /// # Errors
    /// When `/proc/stat` cannot be read.
    pub fn take() -> io::Result<Self> {
        let at = Instant::now();
        Ok(Self::parse(&bounded::read("/proc/stat", MAX_STAT_BYTES)?, at))
    }

    /// Takes what makes sense from the text of `/proc/stat`; other lines are skipped.
    #[must_use]
    pub fn parse(text: &str, at: Instant) -> Self {
        let mut snapshot = Self {
            at,
            cores: BTreeMap::new(),
            interrupts: None,
            network_softirqs: None,
            context_switches: None,
            receive_softirqs: None,
        };
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let Some(name) = words.next() else { continue };
            match name {
                "intr" => snapshot.interrupts = number(words.next()),
                "softirq" => {
                    [snapshot.network_softirqs, snapshot.receive_softirqs] = network_softirqs(words);
                }
                "ctxt" => snapshot.context_switches = number(words.next()),
                // The line `cpu` without a number is the sum of the others.
                _ => {
                    let core = name.strip_prefix("cpu").and_then(|core| core.parse().ok());
                    if let (Some(core), Some(ticks)) = (core, CoreTicks::parse(words)) {
                        snapshot.cores.insert(core, ticks);
                    }
                }
            }
        }
        snapshot
    }

    /// Writes what the host did since `earlier` into its record: an entry for each core whose account
    /// closes, by number; interrupts and context switches, null if a counter is missing or went back.
    pub fn fill_since(&self, earlier: &Self, host: &mut Host) {
        let grown = |now: Option<u64>, then: Option<u64>| now?.checked_sub(then?);
        host.cores = self.ticks_since(earlier).iter().map(|(&core, ticks)| ticks.load(core)).collect();
        host.interrupts = grown(self.interrupts, earlier.interrupts);
        host.network_softirqs = grown(self.network_softirqs, earlier.network_softirqs);
        host.context_switches = grown(self.context_switches, earlier.context_switches);
    }

    /// For each core the fraction of the time since `earlier`, 0 to 1, in which it was not idle, in the
    /// order of their numbers.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "ticks of one run")]
    pub fn busy_since(&self, earlier: &Self) -> Vec<f64> {
        let busy = |now: &CoreTicks, then: &CoreTicks| {
            let ticks = now.since(then)?;
            let all = ticks.total().max(1) as f64;
            Some((all - ticks.idle as f64).max(0.0) / all)
        };
        let of_core = |(core, now): (&u32, &CoreTicks)| busy(now, earlier.cores.get(core)?);
        self.cores.iter().map(|core| of_core(core).unwrap_or(0.0)).collect()
    }

    /// What all cores have done since the host was started.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "ticks of some years")]
    pub fn work(&self) -> HostWork {
        let seconds = |of: fn(&CoreTicks) -> u64| {
            let ticks = self.cores.values().map(of).fold(0, u64::saturating_add);
            ticks as f64 * MS_PER_TICK as f64 / 1e3
        };
        HostWork {
            interrupts: self.interrupts,
            receive_softirqs: self.receive_softirqs,
            softirq_s: seconds(|ticks| ticks.softirq),
            busy_s: seconds(|ticks| ticks.total().saturating_sub(ticks.idle)),
            elapsed_s: seconds(CoreTicks::total) / self.cores.len().max(1) as f64,
        }
    }

    /// Ticks of each core since `earlier`, for the cores whose account closes; each is above 0.
    pub(crate) fn ticks_since(&self, earlier: &Self) -> BTreeMap<u32, CoreTicks> {
        let elapsed = self.at.saturating_duration_since(earlier.at).as_millis() / u128::from(MS_PER_TICK);
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        // A core that was offline for a tenth of the time has less on its account than passed.
        // Up to half as much again can be right: time stolen from a sleeping core counts twice.
        let least = (elapsed - elapsed / 10).saturating_sub(SLACK_TICKS).max(1);
        let most = elapsed.saturating_add(elapsed / 2).saturating_add(SLACK_TICKS);
        let closes = |ticks: &CoreTicks| (least..=most).contains(&ticks.total());
        let core_since = |(core, now): (&u32, &CoreTicks)| {
            Some((*core, now.since(earlier.cores.get(core)?).filter(closes)?))
        };
        self.cores.iter().filter_map(core_since).collect()
    }
}

impl CoreTicks {
    /// Ticks on the account of the core; saturates.
    pub(crate) fn total(&self) -> u64 {
        let parts = [self.user, self.system, self.irq, self.softirq, self.steal, self.idle];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// The columns user, nice, system, idle, iowait, irq, softirq, steal (Linux 2.6.11 and later).
    fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut next = || number(words.next());
        let (user, system) = (next()?.checked_add(next()?)?, next()?);
        let idle = next()?.checked_add(next()?)?;
        Some(Self { user, system, idle, irq: next()?, softirq: next()?, steal: next()? })
    }

    /// The ticks since `earlier`; nothing when a counter went back.
    fn since(&self, earlier: &Self) -> Option<Self> {
        // Idle and iowait are rounded apart, so their sum may lose one tick.
        let idle = self.idle.saturating_add(1).checked_sub(earlier.idle)?.saturating_sub(1);
        Some(Self {
            user: self.user.checked_sub(earlier.user)?,
            system: self.system.checked_sub(earlier.system)?,
            irq: self.irq.checked_sub(earlier.irq)?,
            softirq: self.softirq.checked_sub(earlier.softirq)?,
            steal: self.steal.checked_sub(earlier.steal)?,
            idle,
        })
    }

    /// These ticks as fractions of their total, which is not 0.
    fn load(&self, core: u32) -> CoreLoad {
        let total = self.total() as f64;
        CoreLoad {
            core,
            user: self.user as f64 / total,
            system: self.system as f64 / total,
            softirq: self.softirq as f64 / total,
            irq: self.irq as f64 / total,
            steal: self.steal as f64 / total,
            idle: self.idle as f64 / total,
        }
    }
}

/// NET_TX and NET_RX together, and NET_RX: the columns are the sum, HI, TIMER, NET_TX, NET_RX and others (Linux v6.8
/// `include/linux/interrupt.h`).
fn network_softirqs<'a>(words: impl Iterator<Item = &'a str>) -> [Option<u64>; 2] {
    let mut network = words.skip(3);
    let [sent, received] = [number(network.next()), number(network.next())];
    [sent.zip(received).and_then(|(sent, received)| sent.checked_add(received)), received]
}

/// A count, if `word` is one.
fn number(word: Option<&str>) -> Option<u64> {
    word?.parse().ok()
}

/// Milliseconds per tick: `USER_HZ` is 100 on every architecture for which Rust has a Linux
/// target (Linux v6.8 `include/uapi/asm-generic/param.h`), whatever the kernel's own HZ.
pub(crate) const MS_PER_TICK: u64 = 10;

/// Ticks by which an account may miss the clock: rounding of six counters, and the time it takes
/// to write out the file for many cores.
const SLACK_TICKS: u64 = 3;

/// Longest `/proc/stat` that is read: about 100 bytes for each of 8192 cores, the most that Linux
/// allows on x86, and three times as much for the counts of single interrupts.
const MAX_STAT_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(text: &str, start: Instant, ms: u64) -> HostSnapshot {
        HostSnapshot::parse(text, start + Duration::from_millis(ms))
    }

    fn load(now: &HostSnapshot, earlier: &HostSnapshot) -> Host {
        let mut host = Host::default();
        now.fill_since(earlier, &mut host);
        host
    }

    #[test]
    fn fractions_are_differences_over_elapsed() {
        let start = Instant::now();
        let text = "cpu 9 9 9 9 9 9 9 9 0 0\ncpu0 10 5 20 1000 40 1 2 3 7 7\nintr 500 1 2 3\nctxt 900\nsoftirq 99 1 2 30 40 5\n";
        let before = at(text, start, 0);
        let ticks = CoreTicks { user: 15, system: 20, irq: 1, softirq: 2, steal: 3, idle: 1040 };
        assert_eq!(before.cores, BTreeMap::from([(0, ticks)]));
        // 1 s later: 30 user, 10 nice, 20 system, 5 idle, 15 iowait, 1 irq, 9 softirq, 10 steal.
        let text = "cpu0 40 15 40 1005 55 2 11 13 7 7\nintr 800 1\nctxt 950\nsoftirq 999 1 2 33 60 5\n";
        let host = load(&at(text, start, 1000), &before);
        let (user, system, softirq, irq, steal, idle) = (0.40, 0.20, 0.09, 0.01, 0.10, 0.20);
        assert_eq!(host.cores, [CoreLoad { core: 0, user, system, softirq, irq, steal, idle }]);
        assert_eq!((host.interrupts, host.context_switches), (Some(300), Some(50)));
        assert_eq!(host.network_softirqs, Some(23));
    }

    #[test]
    fn the_work_of_a_host_is_that_of_its_cores() {
        let text = "cpu0 10 5 20 1000 40 1 2 3 7 7\ncpu1 0 0 0 1000 0 0 8 0 0 0\nintr 500 1\nsoftirq 99 1 2 3 42 5\n";
        let work = at(text, Instant::now(), 0).work();
        assert_eq!((work.interrupts, work.receive_softirqs), (Some(500), Some(42)));
        // Ticks of 10 ms: 2 + 8 in soft interrupts; 41 + 8 not idle.
        assert!((work.softirq_s - 0.10).abs() < 1e-9 && (work.busy_s - 0.49).abs() < 1e-9, "{work:?}");
        assert_eq!(at("softirq 99 1 2 3", Instant::now(), 0).work().receive_softirqs, None);
    }

    #[test]
    fn a_core_whose_account_cannot_be_right_is_left_out() {
        let start = Instant::now();
        let before = at("cpu3 100 0 0 100 0 0 0 100\nintr 5\nctxt 5", start, 0);
        let cases = [
            ("cpu3 150 0 0 150 0 0 0 100", Some(0.5)),
            ("cpu3 200 0 0 99 0 0 0 100", Some(0.0)), // one tick of idle lost by rounding
            ("cpu3 200 0 0 98 0 0 0 100", None),      // idle went back
            ("cpu3 99 0 0 200 0 0 0 100", None),      // user went back
            ("cpu3 100 0 0 170 0 0 0 100", None),     // 0.3 s missing: it was offline
            ("cpu3 100 0 0 200 0 0 0 999999999", None), // steal jumped
            ("cpu3 100 0 0 200 0 0 0 18446744073709551615", None),
            ("cpu3 100 0 0 100 0 0 0 100", None), // stood still
            ("cpu4 150 0 0 150 0 0 0 100", None), // went offline, another came
            ("", None),
        ];
        for (text, idle) in cases {
            let host = load(&at(text, start, 1000), &before);
            assert_eq!(host.cores.first().map(|core| core.idle), idle, "{text}");
            assert_eq!((host.interrupts, host.context_switches), (None, None));
        }
        let host = load(&at("intr 4\nctxt 6", start, 1000), &before);
        assert_eq!((host.interrupts, host.context_switches), (None, Some(1)));
        assert!(load(&before, &before).cores.is_empty());
        // Snapshots in the wrong order.
        assert!(load(&before, &at("cpu3 0 0 0 0 0 0 0 0", start, 1000)).cores.is_empty());
    }

    #[test]
    fn nonsense_is_skipped() {
        let texts = [
            "\0\u{7f}\n\n \ncpu\ncpu0\ncpux 1 2 3 4 5 6 7 8\nintr\nctxt x",
            "cpu0 1 2 3 4 5 6 7",
            "cpu0 1 2 -3 4 5 6 7 8",
            "cpu99999999999 1 2 3 4 5 6 7 8",
            "cpu0 18446744073709551615 1 3 4 5 6 7 8",
            "cpu0 99999999999999999999 1 3 4 5 6 7 8",
            "intr -1\nctxt 18446744073709551616",
        ];
        for text in texts {
            let start = Instant::now();
            let nothing = HostSnapshot::parse("", start);
            assert_eq!(HostSnapshot::parse(text, start), nothing, "{text:?}");
        }
    }

    #[test]
    fn this_machine_gives_plausible_loads() {
        let before = HostSnapshot::take().unwrap();
        let mut after = HostSnapshot::take().unwrap();
        while after.at.duration_since(before.at) < Duration::from_millis(300) {
            after = HostSnapshot::take().unwrap();
        }
        let host = load(&after, &before);
        assert!(!host.cores.is_empty(), "{before:?} {after:?}");
        for core in &host.cores {
            let parts = [core.user, core.system, core.softirq, core.irq, core.steal, core.idle];
            assert!(parts.iter().all(|part| (0.0..=1.0).contains(part)), "{core:?}");
            assert!((parts.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{core:?}");
        }
        assert!(host.context_switches.is_some() && host.interrupts.is_some());
    }
}
