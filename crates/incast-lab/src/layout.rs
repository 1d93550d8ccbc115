//! Which namespace, interface and address everything in a scenario's network gets.
//!
//! Pure arithmetic, no kernel. A host's cables are its interfaces `e0`, `e1` and so on; `control` is
//! a network of the lab's own, unshaped, on which the roles talk to each other, so that nothing of
//! theirs is among what is measured. A cable with a path has a namespace in its middle.

use std::net::Ipv4Addr;

use incast_core::scenario::{CableEnd, CablePlan, Forwarding, HostPlan, NetworkPlan};

/// One end of a cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    /// Index of its namespace.
    pub(crate) place: usize,
    pub(crate) interface: String,
    pub(crate) index: u32,
    pub(crate) mac: [u8; 6],
}

/// A cable with everything that it is made of.
#[derive(Clone, Debug)]
pub(crate) struct Wiring {
    pub(crate) plan: CablePlan,
    pub(crate) near: Port,
    pub(crate) far: Port,
    /// The two ends in the namespace of its link, if it has a path.
    pub(crate) middle: Option<[Port; 2]>,
}

/// A host's place in a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostNet {
    /// Its name in the scenario.
    pub name: String,
    /// Name of its namespace.
    pub namespace: String,
    /// Its address on the lab's own network.
    pub control: Ipv4Addr,
    /// Its addresses, in the order of its cables, each with the index of its network.
    pub addresses: Vec<(usize, Ipv4Addr)>,
}

/// Where the link of a cable is to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkEnds {
    /// Index of the cable in the scenario's network.
    pub cable: usize,
    /// Name of the namespace.
    pub namespace: String,
    /// Interface towards the near end of the cable.
    pub near: String,
    /// Interface towards its switch.
    pub far: String,
    /// Names of the two ways: from the near end to the switch, and back.
    pub ways: [String; 2],
}

/// The whole lab on paper.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Names of the namespaces: hosts, switches, control, links.
    pub(crate) namespaces: Vec<String>,
    pub(crate) hosts: Vec<HostNet>,
    pub(crate) wirings: Vec<Wiring>,
    pub(crate) links: Vec<LinkEnds>,
    switches: usize,
}

impl Layout {
    pub(crate) fn new(id: &str, hosts: &[HostPlan], network: &NetworkPlan) -> Self {
        let mut namespaces: Vec<String> =
            hosts.iter().map(|host| format!("{PREFIX}{id}-{}", host.name)).collect();
        namespaces.extend(network.switches.iter().map(|switch| format!("{PREFIX}{id}-{}", switch.name)));
        namespaces.push(format!("{PREFIX}{id}-control."));
        let mut layout = Self {
            hosts: hosts
                .iter()
                .enumerate()
                .map(|(index, host)| host_net(index, host, network, &namespaces))
                .collect(),
            namespaces,
            wirings: Vec::new(),
            links: Vec::new(),
            switches: network.switches.len(),
        };
        let mut interfaces = vec![0_u32; hosts.len()];
        for (number, cable) in network.cables.iter().enumerate() {
            let near = match cable.from {
                CableEnd::Host(host) => {
                    let nth = interfaces[host];
                    interfaces[host] += 1;
                    port(host, format!("e{nth}"), 10 + nth, 1, number)
                }
                CableEnd::Switch(switch) => {
                    port(layout.switch(switch), format!("t{number}"), 1000 + index(number), 2, number)
                }
            };
            let far = port(layout.switch(cable.to), format!("p{number}"), 4000 + index(number), 3, number);
            let middle = cable.path.is_some().then(|| {
                let from = match cable.from {
                    CableEnd::Host(host) => &hosts[host].name,
                    CableEnd::Switch(switch) => &network.switches[switch].name,
                };
                let to = &network.switches[cable.to].name;
                let place = layout.namespaces.len();
                layout.namespaces.push(format!("{PREFIX}{id}-link.{number}"));
                layout.links.push(LinkEnds {
                    cable: number,
                    namespace: layout.namespaces[place].clone(),
                    near: "near".into(),
                    far: "far".into(),
                    ways: [format!("{from} -> {to}"), format!("{to} -> {from}")],
                });
                [port(place, "near".into(), 10, 4, number), port(place, "far".into(), 11, 5, number)]
            });
            layout.wirings.push(Wiring { plan: cable.clone(), near, far, middle });
        }
        layout
    }

    /// Index of a switch's namespace.
    pub(crate) fn switch(&self, switch: usize) -> usize {
        self.hosts.len() + switch
    }

    /// Index of the namespace of the lab's own network.
    pub(crate) fn control(&self) -> usize {
        self.hosts.len() + self.switches
    }

    /// For a packet that leaves `switch` towards `host`: the port, and the Ethernet address behind it.
    pub(crate) fn next_hop(&self, switch: usize, host: usize) -> Option<(&Port, [u8; 6])> {
        self.hop_from(switch, host, None)
    }

    fn hop_from(&self, switch: usize, host: usize, came_by: Option<usize>) -> Option<(&Port, [u8; 6])> {
        for (number, wiring) in self.wirings.iter().enumerate().filter(|(number, _)| came_by != Some(*number))
        {
            let (port, behind, next) = match wiring.plan.from {
                CableEnd::Host(other) if wiring.plan.to == switch && other == host => {
                    return Some((&wiring.far, wiring.near.mac));
                }
                CableEnd::Switch(near) if wiring.plan.to == switch => (&wiring.far, wiring.near.mac, near),
                CableEnd::Switch(near) if near == switch => (&wiring.near, wiring.far.mac, wiring.plan.to),
                _ => continue,
            };
            // Networks are trees: there is one way, and it ends.
            if self.hop_from(next, host, Some(number)).is_some() {
                return Some((port, behind));
            }
        }
        None
    }

    /// The Ethernet address to which `from` sends what is for `to`, both on the network of `wiring`.
    pub(crate) fn neighbour(&self, network: &NetworkPlan, from: &Wiring, to: &Wiring) -> [u8; 6] {
        match network.switches[from.plan.to].forwarding {
            Forwarding::Bridge => to.near.mac,
            Forwarding::Routed => from.far.mac,
        }
    }
}

fn host_net(index: usize, host: &HostPlan, network: &NetworkPlan, namespaces: &[String]) -> HostNet {
    let address = |cable: &CablePlan| Some((network.switches[cable.to].network, cable.address?));
    HostNet {
        name: host.name.clone(),
        namespace: namespaces[index].clone(),
        control: control_address(index),
        addresses: network.cables_of(index).filter_map(address).collect(),
    }
}

/// Address of the host of that index on the lab's own network, 10.76.0.0/16.
fn control_address(index: usize) -> Ipv4Addr {
    let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 76, 0, 0)).saturating_add(number))
}

/// The Ethernet address of a host on the lab's own network.
pub(crate) fn control_mac(index: usize) -> [u8; 6] {
    mac(6, index)
}

fn port(place: usize, interface: String, index: u32, kind: u8, number: usize) -> Port {
    Port { place, interface, index, mac: mac(kind, number) }
}

/// Locally administered, not a group: the second lowest bit of the first byte is set, the lowest is not.
fn mac(kind: u8, number: usize) -> [u8; 6] {
    let [_, _, high, low] = index(number).to_be_bytes();
    [0x02, 0x64, 0x61, kind, high, low]
}

fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Index of a host's interface on the lab's own network; a switch has none of that index.
pub(crate) const CONTROL: u32 = 5;
/// What the names of all our namespaces begin with.
pub(crate) const PREFIX: &str = "incast-";
