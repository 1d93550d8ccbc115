//! Who has which address: a subnet for every network, an address for every cable of a host. Given out here, so
//! that every world gives the same ones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Range;

use super::findings::Findings;
use super::model_network::{CableEnd, CablePlan, Subnet, SwitchPlan};

/// The subnet of every switch's network if that were its first switch: as stated, or by its number.
pub(super) fn subnets(switches: usize, stated: &BTreeMap<usize, Subnet>) -> Vec<Subnet> {
    (0..switches).map(|index| stated.get(&index).copied().unwrap_or_else(|| numbered(index))).collect()
}

/// 10.77.0.0/16, 10.78.0.0/16 and so on. Behind 10.255.0.0/16 comes 11.0.0.0/16: somebody owns that, but only
/// a simulator has so many networks (a lab has at most 64 switches), and nothing of it leaves the simulator.
fn numbered(index: usize) -> Subnet {
    let number = u32::try_from(index).unwrap_or(0) % NETWORKS_MAX;
    Subnet { base: Ipv4Addr::from(SUBNET_FIRST + (number << 16)), prefix: 16 }
}

/// Notes subnets that are part of each other, or of the lab's own: an address would be on both.
pub(super) fn note_overlaps(
    switches: &[SwitchPlan],
    places: &[Range<usize>],
    stated: &BTreeMap<usize, Subnet>,
    findings: &mut Findings<'_>,
) {
    let subnets = subnets(switches.len(), stated);
    let networks: Vec<usize> =
        (0..switches.len()).filter(|index| switches[*index].network == *index).collect();
    // Numbered ones never meet each other.
    let stated: Vec<usize> =
        networks.iter().copied().filter(|network| stated.contains_key(network)).collect();
    for (nth, network) in networks.iter().enumerate() {
        let (subnet, place) = (subnets[*network], &places[*network]);
        if subnet.overlaps(CONTROL) {
            findings
                .add(place, format!("the subnet {subnet} meets {CONTROL}, which labs keep for themselves"));
        }
        let before: &[usize] = if stated.binary_search(network).is_ok() { &networks[..nth] } else { &stated };
        let mut before = before.iter().take_while(|other| *other < network);
        if let Some(other) = before.find(|other| subnet.overlaps(subnets[**other])) {
            let (other, theirs) = (&switches[*other].name, subnets[*other]);
            findings.add(place, format!("the subnet {subnet} meets that of network `{other}`, {theirs}"));
        }
    }
}

/// Gives every cable of a host its address: as stated, or the next free one of its network.
pub(super) fn give(
    cables: &mut [CablePlan],
    places: &[Range<usize>],
    switches: &[SwitchPlan],
    subnets: &[Subnet],
    findings: &mut Findings<'_>,
) {
    let mut taken: BTreeSet<Ipv4Addr> = BTreeSet::new();
    for (cable, place) in cables.iter().zip(places) {
        let Some(address) = cable.address else { continue };
        let subnet = subnets[switches[cable.to].network];
        if !subnet.holds_host(address) {
            findings.add(place, format!("`address` {address} is not one of a host in the subnet {subnet}"));
        } else if !taken.insert(address) {
            findings.add(place, format!("two hosts have the address {address}"));
        }
    }
    let mut next: BTreeMap<usize, u32> = BTreeMap::new();
    for (cable, place) in cables.iter_mut().zip(places) {
        if cable.address.is_some() || matches!(cable.from, CableEnd::Switch(_)) {
            continue;
        }
        let network = switches[cable.to].network;
        let subnet = subnets[network];
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
            findings.add(place, format!("the subnet {subnet} has no address left"));
            return;
        }
        cable.address = free;
    }
}

/// On which the roles of a lab talk to each other.
const CONTROL: Subnet = Subnet { base: Ipv4Addr::new(10, 76, 0, 0), prefix: 16 };
/// 10.77.0.0: next after those of [`CONTROL`].
const SUBNET_FIRST: u32 = 10 << 24 | 77 << 16;
/// Before 127.0.0.0/8, which is every host's own; there are fewer switches.
const NETWORKS_MAX: u32 = (127 << 8) - (10 << 8 | 77);
