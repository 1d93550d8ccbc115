//! The names of cables, and of their ways: what a `[[fault]]` on a cable means.
//!
//! A cable's `name` means every cable of that table, both ways. `y -> main` means one way: from a host or switch,
//! or a group of them, to another.

use std::collections::BTreeMap;
use std::ops::Range;

use super::findings::{Findings, quoted};
use super::hosts::Hosts;
use super::model_fault::CableWay;
use super::model_network::{CableEnd, NetworkPlan};

/// Every name that means cables.
pub(super) struct Ways<'h> {
    hosts: &'h Hosts,
    named: BTreeMap<String, Vec<usize>>,
    switches: BTreeMap<String, Range<usize>>,
}

/// Hosts or switches that a name means.
enum Ends {
    Hosts(Range<usize>),
    Switches(Range<usize>),
}

impl Ends {
    fn hold(&self, end: CableEnd) -> bool {
        match (self, end) {
            (Self::Hosts(range), CableEnd::Host(host)) => range.contains(&host),
            (Self::Switches(range), CableEnd::Switch(switch)) => range.contains(&switch),
            _ => false,
        }
    }
}

impl<'h> Ways<'h> {
    pub(super) const fn new(
        hosts: &'h Hosts,
        named: BTreeMap<String, Vec<usize>>,
        switches: BTreeMap<String, Range<usize>>,
    ) -> Self {
        Self { hosts, named, switches }
    }

    /// The ways that `name` means in `network`; notes a name that means none.
    pub(super) fn meant_by(
        &self,
        network: &NetworkPlan,
        name: &str,
        place: &Range<usize>,
        findings: &mut Findings<'_>,
    ) -> Vec<CableWay> {
        if let Some(cables) = self.named.get(name) {
            let both = |cable: &usize| [true, false].map(|is_outward| CableWay { cable: *cable, is_outward });
            return cables.iter().flat_map(both).collect();
        }
        let Some((from, to)) = name.split_once("->") else {
            let known: Vec<&str> = self.named.keys().take(KNOWN_MAX).map(String::as_str).collect();
            let mut allowed = known.join(", ");
            allowed.push_str(if known.is_empty() {
                "a way, such as `y -> main`"
            } else {
                ", or a way, such as `y -> main`"
            });
            let advice = findings.advice(name, self.named.keys().map(String::as_str), &allowed);
            findings.add(place, format!("unknown cable {}{advice}", quoted(name)));
            return Vec::new();
        };
        let ends = [from.trim(), to.trim()].map(|end| self.ends(end, place, findings));
        let [Some(from), Some(to)] = ends else { return Vec::new() };
        let mut ways = Vec::new();
        for (cable, plan) in network.cables.iter().enumerate() {
            let far = CableEnd::Switch(plan.to);
            if from.hold(plan.from) && to.hold(far) {
                ways.push(CableWay { cable, is_outward: true });
            } else if from.hold(far) && to.hold(plan.from) {
                ways.push(CableWay { cable, is_outward: false });
            }
        }
        if ways.is_empty() {
            findings.add(place, format!("no cable leads along {}", quoted(name)));
        }
        ways
    }

    /// Whether it is the name of a switch, or of a group of them.
    pub(super) fn is_switch(&self, name: &str) -> bool {
        self.switches.contains_key(name)
    }

    fn ends(&self, name: &str, place: &Range<usize>, findings: &mut Findings<'_>) -> Option<Ends> {
        if let Some(switches) = self.switches.get(name) {
            return Some(Ends::Switches(switches.clone()));
        }
        self.hosts.meant_by(name, place, findings).map(Ends::Hosts)
    }
}

/// Most names listed in a message.
const KNOWN_MAX: usize = 12;
