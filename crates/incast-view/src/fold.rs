//! A large network made small enough to be drawn: what is alike becomes one.
//!
//! Hosts are alike when their names differ only in the number at the end, and so are their cables and what these
//! lead to; switches in the same way. It is the coarsest partition in which that holds, found by colour refinement: begin with
//! what things look like alone, and part them by what they are joined to until nothing changes (as in R. Paige, R. Tarjan:
//! "Three Partition Refinement Algorithms", SIAM J. Comput. 16, 1987). What queues counted is summed.
//! Layout only: no number is made here but counts of things that are alike.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use incast_core::record::{Network, NetworkCable, NetworkHost, NetworkSwitch, QueueReport};

/// A network with one box for everything that is alike.
#[derive(Clone, Debug)]
pub(crate) struct Folded<'n> {
    /// What is drawn; the names in it are those of groups.
    pub(crate) network: Cow<'n, Network>,
    /// By its name in the drawing: the group.
    groups: BTreeMap<String, Group>,
    /// By its own name: what a thing is called in the drawing.
    names: BTreeMap<String, String>,
}

/// Hosts or switches that are alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// One of them; all are like it.
    pub(crate) first: String,
    /// How many they are.
    pub(crate) count: usize,
}

/// What tells nodes apart: any text, compared and never shown.
type Look = String;

/// Folds `network` if it has more cables than can be drawn one by one; `side` is a further thing that alike
/// hosts have in common.
pub(crate) fn fold(network: &Network, side: impl Fn(&str) -> bool) -> Folded<'_> {
    if network.cables.len() <= CABLES_MAX {
        return Folded { network: Cow::Borrowed(network), groups: BTreeMap::new(), names: BTreeMap::new() };
    }
    let hosts = network.hosts.iter().map(|host| {
        let alone = format!("host {} {} {}", stem(&host.name), host.addresses.len(), side(&host.name));
        (host.name.as_str(), alone)
    });
    let switches = network.switches.iter().map(|switch| {
        let part = switch.network != switch.name;
        (
            switch.name.as_str(),
            format!("switch {} {} {} {part}", stem(&switch.name), switch.forwarding, switch.when_full),
        )
    });
    let classes = refine(hosts.chain(switches).collect(), &network.cables);
    let mut members: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    let all = network.hosts.iter().map(|host| &host.name);
    for name in all.chain(network.switches.iter().map(|switch| &switch.name)) {
        members.entry(classes.get(name.as_str()).copied().unwrap_or(0)).or_default().push(name);
    }
    let titles: BTreeMap<usize, String> =
        members.iter().map(|(class, names)| (*class, title(names))).collect();
    let shown = |name: &str| {
        let title = classes.get(name).and_then(|class| titles.get(class));
        title.cloned().unwrap_or_else(|| name.to_owned())
    };
    let folded = Network {
        hosts: folded_hosts(network, shown),
        switches: folded_switches(network, shown),
        cables: folded_cables(network, shown),
        calibration: None,
        build_s: None,
    };
    let groups = members.values().filter_map(|names| {
        let first = (*names.first()?).to_owned();
        Some((title(names), Group { first, count: names.len() }))
    });
    let names = classes.keys().map(|name| ((*name).to_owned(), shown(name))).collect();
    Folded { network: Cow::Owned(folded), groups: groups.collect(), names }
}

impl Folded<'_> {
    /// How many things a name stands for: 1 where nothing was folded.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.groups.get(name).map_or(1, |group| group.count)
    }

    /// One of the things that a name stands for.
    pub(crate) fn first<'a>(&'a self, name: &'a str) -> &'a str {
        self.groups.get(name).map_or(name, |group| &group.first)
    }

    /// What a thing is called in the drawing.
    pub(crate) fn shown<'a>(&'a self, name: &'a str) -> &'a str {
        self.names.get(name).map_or(name, String::as_str)
    }
}

/// Parts things by what they are joined to until nothing changes; each name gets the number of its class.
fn refine<'n>(alone: BTreeMap<&'n str, Look>, cables: &'n [NetworkCable]) -> BTreeMap<&'n str, usize> {
    let mut classes = numbered(&alone);
    let mut count = classes.values().collect::<BTreeSet<_>>().len();
    // Each round parts something or is the last.
    for _ in 0..alone.len() {
        let mut joined: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for cable in cables {
            let (Some(from), Some(to)) = (classes.get(cable.from.as_str()), classes.get(cable.to.as_str()))
            else {
                continue;
            };
            let look = look(cable);
            joined.entry(&cable.from).or_default().push(format!("to {to} {look}"));
            joined.entry(&cable.to).or_default().push(format!("from {from} {look}"));
        }
        let looks: BTreeMap<&str, Look> = classes
            .iter()
            .map(|(name, class)| {
                let mut around = joined.remove(name).unwrap_or_default();
                around.sort_unstable();
                (*name, format!("{class} {}", around.join(" ")))
            })
            .collect();
        let next = numbered(&looks);
        let parts = next.values().collect::<BTreeSet<_>>().len();
        classes = next;
        if parts == count {
            break;
        }
        count = parts;
    }
    classes
}

/// A number for each look.
fn numbered<'n>(looks: &BTreeMap<&'n str, Look>) -> BTreeMap<&'n str, usize> {
    let all: BTreeSet<&Look> = looks.values().collect();
    let numbers: BTreeMap<&Look, usize> = all.into_iter().zip(0..).collect();
    looks.iter().map(|(name, look)| (*name, numbers.get(look).copied().unwrap_or(0))).collect()
}

/// What a cable is, without what it counted.
fn look(cable: &NetworkCable) -> Look {
    format!(
        "{} {:?} {:?} {:?} {:?} {} {:?}",
        cable.mtu_bytes,
        cable.rate_bits_per_s,
        cable.port_rate_bits_per_s,
        cable.queue_bytes,
        cable.port_queue_bytes,
        cable.offloads,
        cable.impairment
    )
}

/// A name without the number at its end; the whole of one that has none, so that it is like no other.
fn stem(name: &str) -> &str {
    name.trim_end_matches(|character: char| character.is_ascii_digit())
}

/// `mux-1 ... mux-63`, or the name of what is alone.
fn title(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, .., last] => format!("{first} ... {last}"),
    }
}

fn folded_hosts(network: &Network, shown: impl Fn(&str) -> String) -> Vec<NetworkHost> {
    let mut hosts: Vec<NetworkHost> = Vec::new();
    let mut place: BTreeMap<String, usize> = BTreeMap::new();
    let mut last: Vec<&NetworkHost> = Vec::new();
    for host in &network.hosts {
        let name = shown(&host.name);
        let at = *place.entry(name.clone()).or_insert(hosts.len());
        if at == hosts.len() {
            hosts.push(NetworkHost { name, addresses: host.addresses.clone() });
            last.push(host);
        }
        last[at] = host;
    }
    for (host, last) in hosts.iter_mut().zip(last) {
        for (first, last) in host.addresses.iter_mut().zip(&last.addresses) {
            if first != last {
                *first = format!("{first} ... {last}");
            }
        }
    }
    hosts
}

fn folded_switches(network: &Network, shown: impl Fn(&str) -> String) -> Vec<NetworkSwitch> {
    let mut known = BTreeSet::new();
    let kinds = network.switches.iter().filter_map(|switch| {
        let name = shown(&switch.name);
        known.insert(name.clone()).then(|| {
            let own = switch.network == switch.name;
            let network = if own { name.clone() } else { shown(&switch.network) };
            NetworkSwitch { name, network, ..switch.clone() }
        })
    });
    kinds.collect()
}

/// Cables that join the same groups in the same way are one, with queues that counted for all of them.
fn folded_cables(network: &Network, shown: impl Fn(&str) -> String) -> Vec<NetworkCable> {
    let mut cables: Vec<NetworkCable> = Vec::new();
    let mut place: BTreeMap<(String, String, Look), usize> = BTreeMap::new();
    for cable in &network.cables {
        let (from, to) = (shown(&cable.from), shown(&cable.to));
        let at = *place.entry((from.clone(), to.clone(), look(cable))).or_insert(cables.len());
        if at == cables.len() {
            let alone = NetworkCable { queues: Vec::new(), links: Vec::new(), ..cable.clone() };
            cables.push(NetworkCable { from, to, ..alone });
        }
        add(&mut cables[at].queues, &cable.queues);
    }
    cables
}

/// Adds counts to those of the queues that are at the same end.
fn add(sums: &mut Vec<QueueReport>, queues: &[QueueReport]) {
    for (index, queue) in queues.iter().enumerate() {
        let Some(sum) = sums.get_mut(index) else {
            sums.push(queue.clone());
            continue;
        };
        sum.packets = sum.packets.saturating_add(queue.packets);
        sum.bytes = sum.bytes.saturating_add(queue.bytes);
        sum.dropped_packets = sum.dropped_packets.saturating_add(queue.dropped_packets);
        sum.backlog_packets = sum.backlog_packets.saturating_add(queue.backlog_packets);
        sum.backlog_dropped_packets =
            sum.backlog_dropped_packets.saturating_add(queue.backlog_dropped_packets);
    }
}

/// More cables than a terminal has lines, or a page has room, are folded.
pub(crate) const CABLES_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn cable(from: String, to: &str, rate: f64) -> NetworkCable {
        let queue = QueueReport { dropped_packets: 1, ..QueueReport::default() };
        NetworkCable {
            from,
            to: to.into(),
            mtu_bytes: 1500,
            rate_bits_per_s: Some(rate),
            queues: vec![queue],
            ..NetworkCable::default()
        }
    }

    fn switch(name: String) -> NetworkSwitch {
        NetworkSwitch { network: "rn".into(), name, ..NetworkSwitch::default() }
    }

    /// A root, so many multiplexers, and two sources at each; one of them is cabled with another rate.
    fn network(multiplexers: u32, odd: Option<u32>) -> Network {
        let mut network = Network { switches: vec![switch("rn".into())], ..Network::default() };
        for mux in 1..=multiplexers {
            let name = format!("mux-{mux}");
            for link in [mux, mux + multiplexers] {
                let rate = if Some(link) == odd { 1e8 } else { 1e9 };
                let address = vec![format!("10.0.0.{link}")];
                network.hosts.push(NetworkHost { name: format!("l1-{link}"), addresses: address });
                network.cables.push(cable(format!("l1-{link}"), &name, rate));
            }
            network.cables.push(cable(name.clone(), "rn", 1e9));
            network.switches.push(switch(name));
        }
        network
    }

    fn names(folded: &Folded<'_>) -> Vec<String> {
        let hosts = folded.network.hosts.iter().map(|host| &host.name);
        hosts.chain(folded.network.switches.iter().map(|switch| &switch.name)).cloned().collect()
    }

    #[test]
    fn what_is_alike_becomes_one_and_its_drops_are_summed() {
        let network = network(63, None);
        let folded = fold(&network, |_| false);
        assert_eq!(names(&folded), ["l1-1 ... l1-126", "rn", "mux-1 ... mux-63"]);
        assert_eq!(folded.network.cables.len(), 2);
        assert_eq!(folded.network.cables[0].queues[0].dropped_packets, 126);
        assert_eq!(folded.network.hosts[0].addresses, ["10.0.0.1 ... 10.0.0.126"]);
        assert_eq!((folded.count("mux-1 ... mux-63"), folded.count("rn"), folded.count("?")), (63, 1, 1));
        assert_eq!(folded.first("l1-1 ... l1-126"), "l1-1");
    }

    #[test]
    fn a_switch_with_another_cable_below_it_stands_alone() {
        let network = network(20, Some(3));
        let folded = fold(&network, |_| false);
        // Its sister is at the same switch, and so unlike the others.
        let found = names(&folded);
        assert_eq!(found, ["l1-1 ... l1-40", "l1-3", "l1-23", "rn", "mux-1 ... mux-20", "mux-3"]);
        assert_eq!((folded.count(&found[0]), folded.count(&found[4])), (38, 19));
    }

    #[test]
    fn a_small_network_is_drawn_as_it_is() {
        let network = network(13, None);
        assert_eq!(network.cables.len(), 39);
        let folded = fold(&network, |_| false);
        assert!(matches!(folded.network, Cow::Borrowed(_)));
    }

    #[test]
    fn hosts_on_different_sides_are_not_alike() {
        let network = network(20, None);
        let folded = fold(&network, |name| name == "l1-1");
        assert!(names(&folded).contains(&"l1-1".to_owned()), "{:?}", names(&folded));
    }

    #[test]
    fn names_without_numbers_and_nonsense_are_survived() {
        let mut network = network(20, None);
        network.hosts.push(NetworkHost { name: String::new(), addresses: Vec::new() });
        network.hosts.push(NetworkHost { name: "東".into(), addresses: Vec::new() });
        network.cables.push(cable("nobody".into(), "nowhere", f64::NAN));
        let folded = fold(&network, |_| true);
        assert!(names(&folded).contains(&"東".to_owned()));
        assert_eq!(folded.network.cables.len(), 3, "a cable between nobody and nowhere stays");
    }
}
