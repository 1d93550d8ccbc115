//! The `[[switch]]` and `[[cable]]` tables: the network between the hosts, for the worlds that build one.
//!
//! Switches that cables join are one network, called by its first switch. Networks are trees: a
//! loop of cables is refused, since these switches run no spanning tree. Addresses are given out
//! here, so that every world gives the same ones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::cable;
use super::findings::{Findings, quoted};
use super::hosts::Hosts;
use super::model_network::{CableEnd, CablePlan, Forwarding, NetworkPlan, Subnet, SwitchPlan, WhenFull};
use super::model_sim::SwitchModel;
use super::reader::Reader;

/// What the tables have said so far.
pub(super) struct Network<'h> {
    hosts: &'h Hosts,
    switches: Vec<SwitchPlan>,
    switch_places: Vec<Range<usize>>,
    by_name: BTreeMap<String, usize>,
    /// Rates and queues that a switch's cables have unless they say otherwise.
    defaults: Vec<cable::Defaults>,
    cables: Vec<CablePlan>,
    cable_places: Vec<Range<usize>>,
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
            defaults: Vec::new(),
            cables: Vec::new(),
            cable_places: Vec::new(),
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
        let mut reader = Reader::open(table, "[[switch]]", header, SWITCH_KEYS, findings);
        reader.require("name", "cables refer to a switch by it");
        reader.require(
            "when_full",
            "say what a full port does: \"drop\" as Ethernet does, or \"pause\" (the senders wait)",
        );
        let forwarding = [("bridge", Forwarding::Bridge), ("routed", Forwarding::Routed)];
        let forwarding = reader.word("forwarding", "forwarding", &forwarding).unwrap_or_default();
        let when_full = [("drop", WhenFull::Drop), ("pause", WhenFull::Pause)];
        let when_full = reader.word("when_full", "answer", &when_full).unwrap_or_default();
        if (forwarding, when_full) == (Forwarding::Routed, WhenFull::Pause) {
            reader.fault("when_full", "a routed switch always drops; only a bridge can pause its senders");
        }
        let defaults = cable::Defaults::read(&mut reader);
        let subnet = reader.text("subnet").and_then(|text| match text.get_ref().parse() {
            Ok(subnet) => Some(subnet),
            Err(wrong) => {
                reader.fault("subnet", format!("`subnet`: {wrong}"));
                None
            }
        });
        let Some(name) = reader.name("name") else {
            self.incomplete = true;
            return;
        };
        let (name, place) = ((*name.get_ref()).to_owned(), name.span());
        if self.by_name.contains_key(&name) || self.hosts.is_known(&name) {
            findings.add(
                &place,
                format!("there is already a switch or a host {}; names are unique", quoted(&name)),
            );
            return;
        }
        if self.switches.len() == SWITCHES_MAX {
            findings.add(&place, format!("more than {SWITCHES_MAX} switches"));
            return;
        }
        let index = self.switches.len();
        self.by_name.insert(name.clone(), index);
        if let Some(subnet) = subnet {
            self.stated_subnets.insert(index, subnet);
        }
        self.switches.push(SwitchPlan {
            name,
            network: index,
            forwarding,
            when_full,
            model: SwitchModel::default(),
        });
        self.switch_places.push(place);
        self.defaults.push(defaults);
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
        // Settings from outside mean a table by its name; nothing else does.
        reader.name("name");
        let from = reader.names("from");
        let to = reader.text("to");
        let to = to.and_then(|to| self.switch(&to, reader.findings));
        let defaults = to.map(|to| self.defaults[to].clone()).unwrap_or_default();
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
        for end in ends {
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
            self.cables.push(CablePlan { from: end, to, address, ..pattern.clone() });
            self.cable_places.push(header.clone());
        }
    }

    fn switch(&self, name: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<usize> {
        let found = self.by_name.get(*name.get_ref()).copied();
        if found.is_none() && !self.incomplete {
            let known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
            let allowed =
                if known.is_empty() { "none, there is no [[switch]]".into() } else { known.join(", ") };
            let advice = findings.advice(name.get_ref(), known.iter().copied(), &allowed);
            findings.add(&name.span(), format!("unknown switch {}{advice}", quoted(name.get_ref())));
        }
        found
    }

    fn ends(&self, from: &[Spanned<&str>], findings: &mut Findings<'_>) -> Vec<CableEnd> {
        let mut ends = Vec::new();
        for name in from {
            if let Some(switch) = self.by_name.get(*name.get_ref()) {
                ends.push(CableEnd::Switch(*switch));
            } else if let Some(meant) = self.hosts.meant_by(name.get_ref(), &name.span(), findings) {
                ends.extend(meant.map(CableEnd::Host));
            }
        }
        ends
    }

    /// The network, with every host's addresses; `None` when the file describes none.
    pub(super) fn finish(mut self, findings: &mut Findings<'_>) -> Option<NetworkPlan> {
        if self.switches.is_empty() && self.cables.is_empty() {
            return None;
        }
        let faults_before = findings.count();
        self.join(findings);
        self.note_unconnected(findings);
        self.note_overlaps(findings);
        self.note_mtus(findings);
        if findings.count() == faults_before && !self.incomplete {
            self.give_addresses(findings);
        }
        let subnets = (0..self.switches.len()).map(|network| self.subnet(network)).collect();
        let plan = NetworkPlan { switches: self.switches, cables: self.cables, subnets };
        (findings.count() == faults_before && !self.incomplete).then_some(plan)
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

    /// Notes subnets that are part of each other, or of the lab's own: an address would be on both.
    fn note_overlaps(&self, findings: &mut Findings<'_>) {
        let networks: Vec<usize> =
            (0..self.switches.len()).filter(|index| self.switches[*index].network == *index).collect();
        for (nth, network) in networks.iter().enumerate() {
            let (subnet, place) = (self.subnet(*network), &self.switch_places[*network]);
            if subnet.overlaps(CONTROL) {
                findings.add(
                    place,
                    format!("the subnet {subnet} meets {CONTROL}, which labs keep for themselves"),
                );
            }
            if let Some(other) = networks[..nth].iter().find(|other| subnet.overlaps(self.subnet(**other))) {
                let (other, theirs) = (&self.switches[*other].name, self.subnet(*other));
                findings.add(place, format!("the subnet {subnet} meets that of network `{other}`, {theirs}"));
            }
        }
    }

    /// The subnet of a network: as stated, or the next of 10.77.0.0/16, 10.78.0.0/16 and so on.
    fn subnet(&self, network: usize) -> Subnet {
        let number = u8::try_from(network).unwrap_or(u8::MAX);
        let default =
            Subnet { base: Ipv4Addr::new(10, SUBNET_FIRST.saturating_add(number), 0, 0), prefix: 16 };
        self.stated_subnets.get(&network).copied().unwrap_or(default)
    }

    /// Gives every cable of a host its address: as stated, or the next free one of its network.
    fn give_addresses(&mut self, findings: &mut Findings<'_>) {
        let mut taken: BTreeSet<Ipv4Addr> = BTreeSet::new();
        for (cable, place) in self.cables.iter().zip(&self.cable_places) {
            let Some(address) = cable.address else { continue };
            let subnet = self.subnet(self.switches[cable.to].network);
            if !subnet.holds_host(address) {
                findings
                    .add(place, format!("`address` {address} is not one of a host in the subnet {subnet}"));
            } else if !taken.insert(address) {
                findings.add(place, format!("two hosts have the address {address}"));
            }
        }
        let mut next: BTreeMap<usize, u32> = BTreeMap::new();
        for index in 0..self.cables.len() {
            let cable = &self.cables[index];
            if cable.address.is_some() || matches!(cable.from, CableEnd::Switch(_)) {
                continue;
            }
            let network = self.switches[cable.to].network;
            let subnet = self.subnet(network);
            let number = next.entry(network).or_insert(0);
            let free = loop {
                *number += 1;
                match subnet.host(*number) {
                    Some(address) if taken.insert(address) => break Some(address),
                    Some(_) => {}
                    None => break None,
                }
            };
            if free.is_none() {
                findings.add(&self.cable_places[index], format!("the subnet {subnet} has no address left"));
                return;
            }
            self.cables[index].address = free;
        }
    }
}

pub(super) const SWITCH_KEYS: &[&str] = &[
    "forwarding",
    "mtu",
    "name",
    "offloads",
    "port_queue",
    "port_rate",
    "queue",
    "rate",
    "subnet",
    "when_full",
];
/// Most switches: each is a namespace.
const SWITCHES_MAX: usize = 64;
/// Most cables: each is a pair of interfaces or two.
const CABLES_MAX: usize = 1024;
/// On which the roles of a lab talk to each other.
const CONTROL: Subnet = Subnet { base: Ipv4Addr::new(10, 76, 0, 0), prefix: 16 };
/// Second byte of the first network's addresses, next after those of [`CONTROL`].
const SUBNET_FIRST: u8 = 77;
