//! Where the hosts of a scenario are: processes on this machine, or hosts of a lab.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use incast_core::load::Transport;
use incast_core::scenario::{FlowPlan, Scenario};
use incast_lab::{Lab, Quotas, namespace};

/// Every host that is not simply a process here, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    hosts: BTreeMap<String, Place>,
    /// What the processes of some hosts may use of the CPU.
    quotas: Option<Arc<Quotas>>,
}

/// A host of a lab.
#[derive(Clone, Debug)]
struct Place {
    namespace: PathBuf,
    control: IpAddr,
    /// Its addresses by network, and whether its packets there travel in trains.
    addresses: BTreeMap<usize, (IpAddr, bool)>,
}

impl Places {
    /// The hosts of `lab`, which was built for `scenario`.
    pub(crate) fn of_lab(scenario: &Scenario, lab: &Lab) -> Self {
        let trains = |host: usize, network: usize| {
            let plan = scenario.network.as_ref().and_then(|plan| plan.cable_of(host, network));
            plan.is_some_and(|cable| cable.offloads)
        };
        let place = |(index, host): (usize, &incast_lab::HostNet)| {
            let addresses = host.addresses.iter();
            let addresses =
                addresses.map(|(network, address)| (*network, ((*address).into(), trains(index, *network))));
            let place = Place {
                namespace: namespace::path(&host.namespace),
                control: host.control.into(),
                addresses: addresses.collect(),
            };
            (host.name.clone(), place)
        };
        Self { hosts: lab.hosts().iter().enumerate().map(place).collect(), quotas: None }
    }

    /// With quotas of hosts, which last as long as anybody has these places.
    pub(crate) fn with_quotas(self, quotas: Option<Arc<Quotas>>) -> Self {
        Self { quotas, ..self }
    }

    /// Puts a process of `host` under the host's quota, before it has done anything.
    pub(crate) fn admit(&self, host: &str, process: Option<u32>) -> anyhow::Result<()> {
        let Some((quotas, process)) = self.quotas.as_ref().zip(process) else { return Ok(()) };
        Ok(quotas.admit(host, process)?)
    }

    /// The namespace of a host, if it has one of its own.
    pub(crate) fn namespace(&self, host: &str) -> Option<PathBuf> {
        self.hosts.get(host).map(|place| place.namespace.clone())
    }

    /// Where a host is reached without touching the network that is measured.
    pub(crate) fn control(&self, host: &str) -> Option<IpAddr> {
        self.hosts.get(host).map(|place| place.control)
    }

    /// Where the messages of a flow go.
    pub(crate) fn data(&self, flow: &FlowPlan) -> Option<IpAddr> {
        let place = self.hosts.get(&flow.to)?;
        place.addresses.get(&flow.network?).map(|(address, _)| *address)
    }

    /// Where a host is reached on a network.
    pub(crate) fn data_on(&self, host: &str, network: usize) -> Option<IpAddr> {
        self.hosts.get(host)?.addresses.get(&network).map(|(address, _)| *address)
    }

    /// Where a host is reached on the first network that it is on.
    pub(crate) fn data_of(&self, host: &str) -> Option<IpAddr> {
        let place = self.hosts.get(host)?;
        place.addresses.values().next().map(|(address, _)| *address)
    }

    /// Whether every datagram of the flow is to be a packet of its own.
    pub(crate) fn are_packets_single(&self, flow: &FlowPlan) -> bool {
        let way = self.hosts.get(&flow.from).zip(flow.network);
        let trains =
            way.and_then(|(place, network)| place.addresses.get(&network)).map(|(_, trains)| *trains);
        flow.transport == Transport::Udp && trains == Some(false)
    }
}
