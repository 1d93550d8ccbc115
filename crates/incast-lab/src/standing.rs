//! A lab that stands, and is taken away when it is dropped.

use std::io;
use std::time::Instant;

use incast_core::scenario::{HostPlan, NetworkPlan};

use crate::build;
use crate::counters::{self, CableCounters};
use crate::error::LabError;
use crate::layout::{HostNet, Layout, LinkEnds, Port};
use crate::namespace::Namespace;
use crate::state::{Entry, Found};

/// Hosts, switches and cables, standing.
pub struct Lab {
    layout: Layout,
    places: Vec<Namespace>,
    entry: Entry,
    built_in_s: f64,
}

impl Lab {
    /// Builds the network of the scenario called `scenario`.
    ///
    /// # Errors
    /// Without root, when the kernel lacks something, or when something is in the way. Nothing is
    /// left behind then.
    pub fn build(scenario: &str, hosts: &[HostPlan], network: &NetworkPlan) -> Result<Self, LabError> {
        let started = Instant::now();
        if !rustix::process::geteuid().is_root() {
            return Err(LabError::NotRoot);
        }
        if hosts.len() > HOSTS_MAX {
            return Err(LabError::State(format!(
                "{} hosts are too many for a lab: every host is told of every other, and {HOSTS_MAX} is the most; \
                 one host can send several flows, and a flow have several `streams`",
                hosts.len()
            )));
        }
        let id = format!("{scenario}-{}", std::process::id());
        let layout = Layout::new(&id, hosts, network);
        let entry = Entry::write(&describe(&id, scenario, &layout, network))?;
        let places = build::build(&layout, hosts, network)?;
        Ok(Self { layout, places, entry, built_in_s: started.elapsed().as_secs_f64() })
    }

    /// Every host, in the order of the scenario.
    #[must_use]
    pub fn hosts(&self) -> &[HostNet] {
        &self.layout.hosts
    }

    /// The namespace of the host of that index.
    #[must_use]
    pub fn host_namespace(&self, host: usize) -> &Namespace {
        &self.places[host]
    }

    /// The cables that need a link in their middle.
    #[must_use]
    pub fn links(&self) -> &[LinkEnds] {
        &self.layout.links
    }

    /// Seconds that building took.
    #[must_use]
    pub const fn built_in_s(&self) -> f64 {
        self.built_in_s
    }

    /// The counters of every cable, in the order of the scenario; and how many packets died on the
    /// lab's own network, where the roles talk to each other.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn counters(&mut self) -> Result<(Vec<CableCounters>, u64), LabError> {
        counters::read(&mut self.places, &self.layout.wirings, self.layout.control())
            .map_err(|error| LabError::kernel("read the counters of the lab's queues", error))
    }

    /// The namespaces of switches, without a host's.
    pub fn switch_namespaces(&self) -> impl Iterator<Item = &Namespace> {
        let hosts = self.layout.hosts.len();
        self.places.get(hosts..self.layout.control()).into_iter().flatten()
    }

    /// Where a cable's ends are: the namespace and the index of its interface, near end first.
    ///
    /// # Errors
    /// When a namespace cannot be told.
    pub fn cable_ends(&self, cable: usize) -> io::Result<[(u64, u32); 2]> {
        let wiring = self.layout.wirings.get(cable).ok_or(io::ErrorKind::NotFound)?;
        let end = |port: &Port| self.places[port.place].number().map(|number| (number, port.index));
        Ok([end(&wiring.near)?, end(&wiring.far)?])
    }

    /// Takes everything away; seconds that it took.
    #[must_use]
    pub fn take_down(self) -> f64 {
        let started = Instant::now();
        let Self { places, entry, .. } = self;
        drop(places);
        drop(entry);
        started.elapsed().as_secs_f64()
    }
}

/// Most hosts: building takes a time that grows with their square, 3 s for so many.
const HOSTS_MAX: usize = 256;

fn describe(id: &str, scenario: &str, layout: &Layout, network: &NetworkPlan) -> Found {
    let hosts = layout.hosts.iter().map(|host| (host.name.clone(), host.namespace.clone()));
    let switches = network.switches.iter().enumerate();
    let switches = switches
        .map(|(index, switch)| (switch.name.clone(), layout.namespaces[layout.switch(index)].clone()));
    let mut addresses = Vec::new();
    for host in &layout.hosts {
        for (nth, (network_index, address)) in host.addresses.iter().enumerate() {
            // The first network's name is the host's own; the others' say which they are.
            let name = &network.switches[*network_index].name;
            let name = if nth == 0 { host.name.clone() } else { format!("{}-{name}", host.name) };
            addresses.push((address.to_string(), name));
        }
    }
    Found {
        id: id.to_owned(),
        scenario: scenario.to_owned(),
        places: hosts.chain(switches).collect(),
        namespaces: layout.namespaces.clone(),
        groups: Vec::new(),
        addresses,
    }
}
