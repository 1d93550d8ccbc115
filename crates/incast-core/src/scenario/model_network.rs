//! The network of a scenario once it has been understood: plain data that cannot be wrong.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::model_sim::SwitchModel;
use crate::link::PathPlan;
use crate::time::Span;
use crate::units::{BitRate, Bytes};

/// Switches and cables; hosts are those of the scenario, by their index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkPlan {
    /// Every switch.
    pub switches: Vec<SwitchPlan>,
    /// Every cable; they form trees.
    pub cables: Vec<CablePlan>,
    /// The subnet of each network, by the index of its first switch.
    pub subnets: Vec<Subnet>,
}

impl NetworkPlan {
    /// The cable of `host` into the network of that index.
    #[must_use]
    pub fn cable_of(&self, host: usize, network: usize) -> Option<&CablePlan> {
        self.cables_of(host).find(|cable| self.switches[cable.to].network == network)
    }

    /// The cables of `host`, in the order of the file: its interfaces `e0`, `e1` and so on.
    pub fn cables_of(&self, host: usize) -> impl Iterator<Item = &CablePlan> {
        self.cables.iter().filter(move |cable| cable.from == CableEnd::Host(host))
    }

    /// The networks, each by the index of its first switch.
    pub fn networks(&self) -> impl Iterator<Item = usize> {
        (0..self.switches.len()).filter(|index| self.switches[*index].network == *index)
    }
}

/// A switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchPlan {
    /// Its name.
    pub name: String,
    /// Its network: the index of the first switch of that network, after which it is called.
    pub network: usize,
    /// How it forwards.
    pub forwarding: Forwarding,
    /// What a full port does.
    pub when_full: WhenFull,
    /// How it works inside, for the simulator.
    pub model: SwitchModel,
}

/// How a switch forwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarding {
    /// By Ethernet address.
    #[default]
    Bridge,
    /// By IP address.
    Routed,
}

impl Forwarding {
    /// Its name in scenario files and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Routed => "routed",
        }
    }
}

/// What a full port of a switch does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// It drops, as Ethernet does.
    #[default]
    Drop,
    /// The senders wait, as with IEEE 802.3 PAUSE.
    Pause,
}

impl WhenFull {
    /// Its name in scenario files and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Pause => "pause",
        }
    }
}

/// One cable; its far end is a switch.
#[derive(Clone, Debug, PartialEq)]
pub struct CablePlan {
    /// Its near end.
    pub from: CableEnd,
    /// Index of the switch at its far end.
    pub to: usize,
    /// Largest IP packet in bytes.
    pub mtu_bytes: u32,
    /// Rate out of the near end, on the wire; `None` is as fast as the machine can.
    pub rate: Option<BitRate>,
    /// Bytes that the queue at the near end holds.
    pub queue: Bytes,
    /// Rate out of the switch's port, on the wire.
    pub port_rate: Option<BitRate>,
    /// Bytes that the queue at the switch's port holds.
    pub port_queue: Bytes,
    /// Bytes that may leave at once after a pause; derived from the rate when `None`.
    pub burst: Option<Bytes>,
    /// Whether packets may travel in trains of 64 KiB.
    pub offloads: bool,
    /// What happens on the way, if anything.
    pub path: Option<PathPlan>,
    /// How long a bit travels, for the simulator.
    pub travel: Span,
    /// Probability that a bit arrives wrong, for the simulator; the packet is lost at its check sum.
    pub bit_errors: f64,
    /// Address of the host at its near end; `None` between switches.
    pub address: Option<Ipv4Addr>,
}

/// What a cable begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CableEnd {
    /// The host of this index.
    Host(usize),
    /// The switch of this index.
    Switch(usize),
}

/// Addresses of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The network's own address: its host part is 0.
    pub base: Ipv4Addr,
    /// Bits that are the same for all, 8 to 30.
    pub prefix: u8,
}

impl Subnet {
    /// Addresses that it has, its own and the broadcast address included.
    const fn size(self) -> u32 {
        1 << (32 - self.prefix)
    }

    /// The host of this number, from 1; `None` beyond the last but one, which is the switch's.
    #[must_use]
    pub fn host(self, number: u32) -> Option<Ipv4Addr> {
        (1..self.size() - 2).contains(&number).then(|| Ipv4Addr::from(u32::from(self.base) + number))
    }

    /// The address of a routed switch: the last before the broadcast address.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + self.size() - 2)
    }

    /// Whether some addresses are in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let shared = 32 - u32::from(self.prefix.min(other.prefix));
        u32::from(self.base) >> shared == u32::from(other.base) >> shared
    }

    /// Whether `address` is one that a host may have here.
    #[must_use]
    pub fn holds_host(self, address: Ipv4Addr) -> bool {
        let number = u32::from(address).wrapping_sub(u32::from(self.base));
        self.host(number).is_some()
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "write for example 192.168.1.0/24";
        let found = || super::findings::quoted(text);
        let parts = text
            .split_once('/')
            .and_then(|(base, prefix)| Some((base.parse::<Ipv4Addr>().ok()?, prefix.parse::<u8>().ok()?)));
        let Some((base, prefix)) = parts else {
            return Err(format!("{} is no IPv4 subnet; {EXAMPLE}", found()));
        };
        if !(8..=29).contains(&prefix) {
            return Err(format!("{} has a prefix outside 8 to 29; {EXAMPLE}", found()));
        }
        let subnet = Self { base, prefix };
        if !u32::from(base).is_multiple_of(subnet.size()) {
            return Err(format!("{} has a host part: the bits behind the prefix must be 0", found()));
        }
        let first = base.octets()[0];
        if first == 0 || first == 127 || first >= 224 {
            return Err(format!("{} is not for hosts; {EXAMPLE}", found()));
        }
        Ok(subnet)
    }
}
