//! The network of a scenario as links and switches: who is joined to whom, and which way packets go.
//!
//! Interfaces and links are numbered by the names of their ends, so that nothing depends on the order in which a
//! file declares them.

use std::collections::{BTreeMap, VecDeque};

use incast_core::scenario::{CableEnd, CablePlan, NetworkPlan, Scenario, SwitchPlan, WhenFull};
use incast_core::time::Span;
use incast_core::units::{BitRate, Bytes};

use crate::courier::HostIndex;
use crate::fabric::{ByteTime, End, FabricPlan, LinkId, LinkSpec, SwitchId, SwitchSpec};
use crate::packet::NicId;

/// The network, and where its hosts are in it.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Links and switches.
    pub fabric: FabricPlan,
    /// Every interface.
    pub nics: Vec<Nic>,
    /// The interfaces of each host, with their network, in the order of the scenario.
    by_host: Vec<Vec<(usize, NicId)>>,
    /// Near and far link of each cable of the scenario.
    pub cables: Vec<[LinkId; 2]>,
    /// Whether the network is one that the scenario does not describe.
    pub is_assumed: bool,
}

/// An interface of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nic {
    /// Whose it is.
    pub host: HostIndex,
    /// Largest IP packet in bytes.
    pub mtu_bytes: u32,
}

/// MTU of a network that is assumed: that of the loopback interface of Linux, nearly.
const ASSUMED_MTU: u32 = 65_535;

impl Topology {
    /// Of a scenario; where it describes no network, all hosts are at one switch without limits, and
    /// everything takes its `direct_delay`.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let names: Vec<&str> = scenario.hosts.iter().map(|host| host.name.as_str()).collect();
        let (seed, interval) = (scenario.seed, scenario.interval);
        match &scenario.network {
            Some(network) => Self::new(network, &names, seed, interval, false),
            None => {
                let network = assumed(names.len(), scenario.sim.direct_delay);
                Self::new(&network, &names, seed, interval, true)
            }
        }
    }

    fn new(network: &NetworkPlan, hosts: &[&str], seed: u64, interval: Span, is_assumed: bool) -> Self {
        let name = |end: CableEnd| match end {
            CableEnd::Host(host) => hosts[host],
            CableEnd::Switch(switch) => network.switches[switch].name.as_str(),
        };
        // Two links a cable; sorted by the names of their ends.
        let mut ways: Vec<(String, usize, bool)> = Vec::new();
        for (index, cable) in network.cables.iter().enumerate() {
            let (near, far) = (name(cable.from), name(CableEnd::Switch(cable.to)));
            ways.push((format!("{near} -> {far}"), index, true));
            ways.push((format!("{far} -> {near}"), index, false));
        }
        ways.sort();
        let nics = Nics::new(network, hosts);
        let mut cables = vec![[LinkId(0); 2]; network.cables.len()];
        let mut links = Vec::with_capacity(ways.len());
        let mut of_nics = vec![LinkId(0); nics.all.len()];
        for (number, (way, index, is_near)) in (0..).zip(&ways) {
            let cable = &network.cables[*index];
            cables[*index][usize::from(!is_near)] = LinkId(number);
            let near = match cable.from {
                CableEnd::Host(_) => End::Nic(nics.by_cable[index]),
                CableEnd::Switch(switch) => End::Switch(switch_id(switch)),
            };
            if let (End::Nic(nic), true) = (near, *is_near) {
                of_nics[nic.0 as usize] = LinkId(number);
            }
            let far = End::Switch(switch_id(cable.to));
            let names = [name(cable.from), name(CableEnd::Switch(cable.to))];
            links.push(link(cable, [near, far], names, *is_near, way.clone()));
        }
        let mut switches: Vec<SwitchSpec> =
            network.switches.iter().map(|switch| spec(switch, nics.all.len())).collect();
        find_routes(&links, &nics.all, &mut switches);
        Self {
            fabric: FabricPlan { seed, interval, switches, links, nics: of_nics },
            by_host: nics.by_host,
            nics: nics.all,
            cables,
            is_assumed,
        }
    }

    /// The interface of a host in a network (by the index of its first switch), or its first.
    #[must_use]
    pub fn nic_of(&self, host: HostIndex, network: Option<usize>) -> Option<NicId> {
        let own = self.by_host.get(host.0 as usize)?;
        let found = own.iter().find(|(of, _)| network.is_none_or(|network| *of == network));
        found.map(|(_, nic)| *nic)
    }

    /// The interfaces by which two hosts reach each other: in the first network of `from` that `to` has, too.
    #[must_use]
    pub fn between(&self, from: HostIndex, to: HostIndex) -> Option<[NicId; 2]> {
        let (own, theirs) = (self.by_host.get(from.0 as usize)?, self.by_host.get(to.0 as usize)?);
        own.iter().find_map(|(network, nic)| {
            theirs.iter().find(|(of, _)| of == network).map(|(_, other)| [*nic, *other])
        })
    }
}

/// Interfaces, numbered by the names of host and switch.
struct Nics {
    all: Vec<Nic>,
    by_cable: BTreeMap<usize, NicId>,
    by_host: Vec<Vec<(usize, NicId)>>,
}

impl Nics {
    fn new(network: &NetworkPlan, hosts: &[&str]) -> Self {
        let mut named: Vec<(&str, &str, usize, usize)> = Vec::new();
        for (index, cable) in network.cables.iter().enumerate() {
            if let CableEnd::Host(host) = cable.from {
                named.push((hosts[host], network.switches[cable.to].name.as_str(), host, index));
            }
        }
        named.sort_unstable();
        let mut nics =
            Self { all: Vec::new(), by_cable: BTreeMap::new(), by_host: vec![Vec::new(); hosts.len()] };
        for (number, (_, _, host, index)) in (0..).zip(named) {
            let cable = &network.cables[index];
            let host_index = HostIndex(u32::try_from(host).unwrap_or(u32::MAX));
            nics.all.push(Nic { host: host_index, mtu_bytes: cable.mtu_bytes });
            nics.by_cable.insert(index, NicId(number));
            nics.by_host[host].push((network.switches[cable.to].network, NicId(number)));
        }
        // The first of a host is that of its first cable in the file: flows mean it when they name none.
        for (host, own) in nics.by_host.iter_mut().enumerate() {
            let place = |of: usize| {
                let mut cables = network.cables_of(host);
                cables.position(|cable| network.switches[cable.to].network == of)
            };
            own.sort_by_key(|(of, _)| place(*of));
        }
        nics
    }
}

fn switch_id(index: usize) -> SwitchId {
    SwitchId(u32::try_from(index).unwrap_or(u32::MAX))
}

fn spec(switch: &SwitchPlan, nics: usize) -> SwitchSpec {
    SwitchSpec {
        name: switch.name.clone(),
        model: switch.model,
        pauses: switch.when_full == WhenFull::Pause,
        routes: vec![None; nics],
    }
}

/// One way of a cable.
fn link(cable: &CablePlan, ends: [End; 2], names: [&str; 2], is_near: bool, way: String) -> LinkSpec {
    let ([near, far], [near_name, far_name]) = (ends, names);
    let (from, to) = if is_near { (near, far) } else { (far, near) };
    let place = match (is_near, from) {
        (_, End::Nic(_)) => format!("nic of {near_name}"),
        (true, End::Switch(_)) => format!("port of {near_name} to {far_name}"),
        (false, End::Switch(_)) => format!("port of {far_name} to {near_name}"),
    };
    let (rate, queue) = if is_near { (cable.rate, cable.queue) } else { (cable.port_rate, cable.port_queue) };
    LinkSpec {
        from,
        to,
        byte_time: ByteTime::of(rate.map(|rate: BitRate| rate.0)),
        travel: cable.travel,
        queue_bytes: queue.0,
        path: cable.path,
        bit_errors: cable.bit_errors,
        place,
        way,
    }
}

/// Networks are trees: from every interface outwards, each switch learns the link back.
fn find_routes(links: &[LinkSpec], nics: &[Nic], switches: &mut [SwitchSpec]) {
    // Of each switch, the links that lead to it.
    let mut into: Vec<Vec<(LinkId, End)>> = vec![Vec::new(); switches.len()];
    let mut first: Vec<Option<SwitchId>> = vec![None; nics.len()];
    for (number, link) in (0..).zip(links) {
        match (link.from, link.to) {
            (End::Switch(from), to) => into[from.0 as usize].push((LinkId(number), to)),
            (End::Nic(nic), End::Switch(to)) => first[nic.0 as usize] = Some(to),
            (End::Nic(_), End::Nic(_)) => {}
        }
    }
    let mut waiting = VecDeque::new();
    for (nic, start) in first.iter().enumerate() {
        let Some(start) = *start else { continue };
        let own = |to: &End| *to == End::Nic(NicId(u32::try_from(nic).unwrap_or(u32::MAX)));
        let down = into[start.0 as usize].iter().find(|(_, to)| own(to)).map(|(link, _)| *link);
        switches[start.0 as usize].routes[nic] = down;
        waiting.push_back(start);
        while let Some(switch) = waiting.pop_front() {
            for (_, end) in &into[switch.0 as usize] {
                let End::Switch(next) = *end else { continue };
                if switches[next.0 as usize].routes[nic].is_some() {
                    continue;
                }
                // The link from there to here.
                let back = into[next.0 as usize].iter().find(|(_, to)| *to == End::Switch(switch));
                switches[next.0 as usize].routes[nic] = back.map(|(link, _)| *link);
                waiting.push_back(next);
            }
        }
    }
}

/// One switch without limits.
fn assumed(hosts: usize, delay: Span) -> NetworkPlan {
    let cable = |host| CablePlan {
        from: CableEnd::Host(host),
        to: 0,
        mtu_bytes: ASSUMED_MTU,
        rate: None,
        queue: Bytes(1 << 30),
        port_rate: None,
        port_queue: Bytes(1 << 30),
        burst: None,
        offloads: false,
        path: None,
        travel: Span(delay.0 / 2),
        bit_errors: 0.0,
        address: None,
    };
    let switch = SwitchPlan {
        name: "assumed".into(),
        network: 0,
        forwarding: incast_core::scenario::Forwarding::default(),
        when_full: WhenFull::Drop,
        model: incast_core::scenario::SwitchModel::default(),
    };
    NetworkPlan { switches: vec![switch], cables: (0..hosts).map(cable).collect(), subnets: Vec::new() }
}
