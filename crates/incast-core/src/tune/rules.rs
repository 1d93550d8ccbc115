//! The rules: each setting against the rate that is asked, in the order in which a packet meets them.
//!
//! A rule says `wrong` only where what is asked cannot be carried by its own formula; what may help is
//! `advice`; without a rate nothing is wrong. What nobody tells is `unknown`, and no rule guesses it.

mod device;
mod machine;
mod queues;
mod sockets;

use super::asked::Asked;
use super::judgement::{Finding, Judgement};
use super::knob::{Knob, KnobKind};
use super::settings::HostSettings;
use crate::time::Span;

/// Judges every setting by what is asked.
#[must_use]
pub fn judge(settings: &HostSettings, asked: &Asked) -> Vec<Judgement> {
    let mut all = Vec::new();
    for interface in &settings.interfaces {
        all.extend(device::judge(interface, settings, asked));
    }
    all.extend(queues::judge(settings, asked));
    all.extend(sockets::judge(settings, asked));
    all.extend(machine::judge(settings));
    all
}

/// A number that should be at least `needed`, which is `formula`; `weight` is what it is below that.
struct AtLeast {
    setting: String,
    value: Option<u64>,
    needed: Option<u64>,
    formula: String,
    weight: Finding,
}

/// Most that anything is set to: an `int` of the kernel (Linux v6.8 `net/core/sysctl_net_core.c`,
/// `proc_dointvec_minmax`). Queues and the memory of pieces hold more, of which nobody has use.
const SET_MAX: u64 = 2_147_483_647;

impl AtLeast {
    /// The judgement, without what would mend it.
    fn judge(self) -> Judgement {
        let shown = self.value.map(|value| value.to_string());
        let judgement = Judgement::new(self.setting, shown, self.formula);
        match (self.value, self.needed) {
            (Some(value), Some(needed)) => {
                let finding = if value >= needed { Finding::Good } else { self.weight };
                judgement.found(finding).wanted(wanted(needed))
            }
            (_, Some(needed)) => judgement.wanted(wanted(needed)),
            (_, None) => judgement,
        }
    }
}

fn wanted(needed: u64) -> String {
    if needed > SET_MAX {
        format!("at least {needed}, and it is set to {SET_MAX} at most: ask for less")
    } else {
        format!("at least {needed}")
    }
}

/// A setting of the kernel that is one number.
fn number(settings: &HostSettings, name: &str) -> Option<u64> {
    settings.sysctls.get(name)?.trim().parse().ok()
}

/// The third of three numbers: of `tcp_rmem`, the most.
fn most_of_three(settings: &HostSettings, name: &str) -> Option<u64> {
    settings.sysctls.get(name)?.split_whitespace().nth(2)?.parse().ok()
}

fn sysctl(name: &str) -> Knob {
    Knob::here(KnobKind::Sysctl { name: name.to_owned() })
}

/// The next power of two: settings are remembered more easily, and rings want them. No more than [`SET_MAX`].
fn rounded(needed: u64) -> u64 {
    needed.checked_next_power_of_two().unwrap_or(needed).min(SET_MAX)
}

/// A rate as a person says it.
fn rate(asked: &Asked) -> String {
    asked.rate.map_or_else(|| "the rate".to_owned(), |rate| rate.to_string())
}

/// How a rule ends when there is no rate to put into it.
fn without_rate(formula: &str) -> String {
    format!("{formula}; say --rate to have it judged")
}

/// Longest time between two rounds of a driver that is kept busy: `net.core.netdev_budget_usecs`, 2 ms unless
/// somebody set it (Linux v6.8 `net/core/dev.c`, `net_rx_action`).
fn round(settings: &HostSettings) -> Span {
    Span::from_us(number(settings, "net.core.netdev_budget_usecs").unwrap_or(2_000))
}

/// The MTU by which packets are counted: the smallest of the interfaces.
fn mtu(settings: &HostSettings) -> u32 {
    settings.interfaces.iter().filter_map(|interface| interface.mtu_bytes).min().unwrap_or(1500)
}

#[cfg(test)]
mod tests;
