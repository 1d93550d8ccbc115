//! The `[[switch]]` and `[[cable]]` tables: the network between the hosts, for the worlds that build one.
//!
//! Switches that cables join are one network, called by its first switch. Networks are trees: a
//! loop of cables is refused, since these switches run no spanning tree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::findings::{Findings, quoted};
use super::hosts::Hosts;
use super::model_network::{CableEnd, CablePlan, Forwarding, NetworkPlan, Subnet, SwitchPlan};
use super::reader::Reader;
use super::ways::Ways;
use super::{addresses, cable, switch};

/// What the tables have said so far.
pub(super) struct Network<'h> {
    hosts: &'h Hosts,
    switches: Vec<SwitchPlan>,
    switch_places: Vec<Range<usize>>,
    /// Switches and groups of them: which of `switches` the name means.
    by_name: BTreeMap<String, Range<usize>>,
    /// What the tables of switches are called.
    tables: Vec<String>,
    /// Rates and queues that a switch's cables have unless they say otherwise.
    defaults: Vec<cable::Defaults>,
    cables: Vec<CablePlan>,
    cable_places: Vec<Range<usize>>,
    /// Cables by the names of their tables.
    named_cables: BTreeMap<String, Vec<usize>>,
    stated_subnets: BTreeMap<usize, Subnet>,
    /// A table could not be read, so that something may be missing through no fault of who names it.
    incomplete: bool,
}

impl<'h> Network<'h> {
    pub(super) fn new(hosts: &'h Hosts, incomplete: bool) -> Self {
        Self {
            hosts,
            switches: Vec::new(),
            switch_places: Vec::new(),
            by_name: BTreeMap::new(),
            tables: Vec::new(),
            defaults: Vec::new(),
            cables: Vec::new(),
            cable_places: Vec::new(),
            named_cables: BTreeMap::new(),
            stated_subnets: BTreeMap::new(),
            incomplete,
        }
    }

    /// Reads one `[[switch]]`.
    pub(super) fn read_switch<'t>(
        &mut self,
        table: &DeTable<'t>,
        header: Range<usize>,
        findings: &mut Findings<'t>,
    ) {
        let Some(table) = switch::read(table, header, findings) else {
            self.incomplete = true;
            return;
        };
        let members = table.members();
        let group = table.count.map(|_| table.name.clone());
        let mut names = group.iter().chain(&members);
        if let Some(name) = names.find(|name| self.by_name.contains_key(*name) || self.hosts.is_known(name)) {
            findings.add(
                &table.place,
                format!("there is already a switch or a host {}; names are unique", quoted(name)),
            );
            return;
        }
        if self.switches.len() + members.len() > switch::SWITCHES_MAX {
            findings.add(&table.place, format!("more than {} switches", switch::SWITCHES_MAX));
            return;
        }
        let first = self.switches.len();
        if let Some(subnet) = table.subnet {
            self.stated_subnets.insert(first, subnet);
        }
        for (index, name) in (first..).zip(members) {
            self.by_name.insert(name.clone(), index..index + 1);
            self.switches.push(SwitchPlan {
                name,
                network: index,
                forwarding: table.forwarding,
                when_full: table.when_full,
                model: table.model,
            });
            self.switch_places.push(table.place.clone());
            self.defaults.push(table.defaults.clone());
        }
        self.by_name.insert(table.name.clone(), first..self.switches.len());
        self.tables.push(table.name);
    }

    /// Reads one `[[cable]]`: one cable for each host in `from`.
    pub(super) fn read_cable<'t>(
        &mut self,
        table: &DeTable<'t>,
        header: Range<usize>,
        findings: &mut Findings<'t>,
    ) {
        let mut reader = Reader::open(table, "[[cable]]", header.clone(), cable::KEYS, findings);
        reader.require("from", "write a host's name, a list of them, or a switch");
        reader.require("to", "write a switch's name");
        let name = reader.name("name").map(|name| (*name.get_ref()).to_owned());
        let from = reader.names("from");
        let to = reader.text("to");
        let to = to.and_then(|to| self.switches_meant(&to, reader.findings));
        // All of a group say the same.
        let defaults = to.as_ref().map(|to| self.defaults[to.start].clone()).unwrap_or_default();
        let pattern = cable::read(&mut reader, &defaults);
        let address = cable::address(&mut reader);
        let ends = from.map(|from| self.ends(&from, reader.findings));
        let (Some(to), Some(ends)) = (to, ends) else {
            self.incomplete = true;
            return;
        };
        if address.is_some() && ends.len() != 1 {
            reader.fault("address", "`address` is of one host, and this table makes several cables");
            self.incomplete = true;
            return;
        }
        // The far ends are dealt out in turn.
        for (end, to) in ends.into_iter().zip(to.cycle()) {
            if end == CableEnd::Switch(to) {
                reader.fault("to", "the cable begins and ends at the same switch");
                continue;
            }
            if matches!(end, CableEnd::Switch(_)) && address.is_some() {
                reader.fault("address", "`address` is of a host, and this cable joins two switches");
            }
            if self.cables.len() == CABLES_MAX {
                reader.fault("from", format!("more than {CABLES_MAX} cables"));
                return;
            }
            if let Some(name) = &name {
                self.named_cables.entry(name.clone()).or_default().push(self.cables.len());
            }
            self.cables.push(CablePlan { from: end, to, address, ..pattern.clone() });
            self.cable_places.push(header.clone());
        }
    }

    /// The switches that `name` means; notes an unknown one.
    fn switches_meant(&self, name: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<Range<usize>> {
        let found = self.by_name.get(*name.get_ref()).cloned();
        if found.is_none() && !self.incomplete {
            let mut known: Vec<&str> = self.tables.iter().take(KNOWN_MAX).map(String::as_str).collect();
            known.sort_unstable();
            if self.tables.len() > KNOWN_MAX {
                known.push("...");
            }
            let allowed =
                if known.is_empty() { "none, there is no [[switch]]".into() } else { known.join(", ") };
            let names = self.by_name.keys().map(String::as_str);
            let advice = findings.advice(name.get_ref(), names, &allowed);
            findings.add(&name.span(), format!("unknown switch {}{advice}", quoted(name.get_ref())));
        }
        found
    }

    fn ends(&self, from: &[Spanned<&str>], findings: &mut Findings<'_>) -> Vec<CableEnd> {
        let mut ends = Vec::new();
        for name in from {
            if let Some(switches) = self.by_name.get(*name.get_ref()) {
                ends.extend(switches.clone().map(CableEnd::Switch));
            } else if let Some(meant) = self.hosts.meant_by(name.get_ref(), &name.span(), findings) {
                ends.extend(meant.map(CableEnd::Host));
            }
        }
        ends
    }

    /// The network, with every host's addresses; `None` when the file describes none. And the names of its
    /// cables.
    pub(super) fn finish(mut self, findings: &mut Findings<'_>) -> (Option<NetworkPlan>, Ways<'h>) {
        if self.switches.is_empty() && self.cables.is_empty() {
            return (None, Ways::new(self.hosts, BTreeMap::new(), BTreeMap::new()));
        }
        let faults_before = findings.count();
        self.join(findings);
        self.note_unconnected(findings);
        addresses::note_overlaps(&self.switches, &self.switch_places, &self.stated_subnets, findings);
        self.note_mtus(findings);
        let subnets = addresses::subnets(self.switches.len(), &self.stated_subnets);
        if findings.count() == faults_before && !self.incomplete {
            addresses::give(&mut self.cables, &self.cable_places, &self.switches, &subnets, findings);
        }
        let plan = NetworkPlan { switches: self.switches, cables: self.cables, subnets };
        let is_whole = findings.count() == faults_before && !self.incomplete;
        (is_whole.then_some(plan), Ways::new(self.hosts, self.named_cables, self.by_name))
    }

    /// Joins switches into networks along the cables between them, and refuses loops.
    fn join(&mut self, findings: &mut Findings<'_>) {
        for (cable, place) in self.cables.iter().zip(&self.cable_places) {
            let CableEnd::Switch(from) = cable.from else { continue };
            let (one, other) = (self.switches[from].network, self.switches[cable.to].network);
            if one == other {
                let (from, to) = (&self.switches[from].name, &self.switches[cable.to].name);
                findings.add(
                    place,
                    format!(
                        "switches `{from}` and `{to}` are joined already: a second way between them is a loop"
                    ),
                );
                continue;
            }
            let kept = one.min(other);
            for switch in self.switches.iter_mut().filter(|switch| [one, other].contains(&switch.network)) {
                switch.network = kept;
            }
        }
        for index in 0..self.switches.len() {
            let first = &self.switches[self.switches[index].network];
            let switch = &self.switches[index];
            if switch.forwarding != first.forwarding {
                let message = format!(
                    "`{}` and `{}` are one network, and one of them is a bridge and the other routed",
                    first.name, switch.name
                );
                findings.add(&self.switch_places[index], message);
            }
            if switch.network != index && self.stated_subnets.contains_key(&index) {
                let message =
                    format!("the subnet of a network is said by its first switch, `{}`", first.name);
                findings.add(&self.switch_places[index], message);
            }
        }
    }

    /// Notes switches without a cable, hosts without one, and hosts with two into one network.
    fn note_unconnected(&self, findings: &mut Findings<'_>) {
        let mut used = BTreeSet::new();
        let mut seen = BTreeMap::new();
        for (cable, place) in self.cables.iter().zip(&self.cable_places) {
            used.insert(cable.to);
            match cable.from {
                CableEnd::Switch(from) => {
                    used.insert(from);
                }
                CableEnd::Host(host) => {
                    let network = self.switches[cable.to].network;
                    if seen.insert((host, network), ()).is_some() {
                        let (host, network) = (self.hosts.name_of(host), &self.switches[network].name);
                        findings
                            .add(place, format!("host `{host}` has a cable to network `{network}` already"));
                    }
                }
            }
        }
        // A cable that could not be read may lead anywhere.
        let unused = |index: &usize| !self.incomplete && !used.contains(index);
        for (index, place) in self.switch_places.iter().enumerate().filter(|(index, _)| unused(index)) {
            findings.add(place, format!("no cable leads to switch `{}`", self.switches[index].name));
        }
        let connected: BTreeSet<usize> = seen.keys().map(|(host, _)| *host).collect();
        let lonely = (0..self.hosts.count()).find(|host| !connected.contains(host));
        if let Some(host) = lonely.filter(|_| !self.incomplete && !self.hosts.incomplete) {
            let place = self.switch_places.first().cloned().unwrap_or(0..0);
            findings.add(&place, format!("no [[cable]] leads from host `{}`", self.hosts.name_of(host)));
        }
    }

    /// Notes cables of a bridged network with another MTU than its first: a frame that is too large for
    /// a port dies there, and no counter of the kernel tells (net/bridge/br_forward.c, `is_skb_forwardable`).
    fn note_mtus(&self, findings: &mut Findings<'_>) {
        let mut first = BTreeMap::new();
        for (cable, place) in self.cables.iter().zip(&self.cable_places) {
            let switch = &self.switches[cable.to];
            let mtu = *first.entry(switch.network).or_insert(cable.mtu_bytes);
            if switch.forwarding == Forwarding::Bridge && cable.mtu_bytes != mtu {
                let (found, name) = (cable.mtu_bytes, &self.switches[switch.network].name);
                let message = format!(
                    "an MTU of {found}B and one of {mtu}B in network `{name}`: bridges drop what is too large, \
                     uncounted; give all its cables one `mtu`, or make the switch forwarding = \"routed\""
                );
                findings.add(place, message);
            }
        }
    }
}

/// Most cables: two for each host, and those between switches.
const CABLES_MAX: usize = 16_384;
/// Most names listed in a message.
const KNOWN_MAX: usize = 12;
