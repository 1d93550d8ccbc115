//! The `[[flow]]` tables: what each says, and the flows it makes, one for each sender.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::findings::{Findings, quoted};
use super::hosts::Hosts;
use super::model::FlowPlan;
use super::model_network::{CableEnd, NetworkPlan};
use super::raw;
use super::reader::Reader;
use super::sockets;
use crate::load::{Load, Spacing, Stop, Transport};
use crate::time::Span;
use crate::units::{BYTES_EXAMPLES, Bytes, SPAN_EXAMPLES};

/// The flows made so far, and who takes part in them.
pub(super) struct Flows<'h> {
    hosts: &'h Hosts,
    network: Option<&'h NetworkPlan>,
    /// The networks into which each host has a cable.
    networks_of: Vec<Vec<usize>>,
    /// When a flow stops that says nothing itself.
    default_duration: Span,
    plans: Vec<FlowPlan>,
    /// Names of the tables, with how many flows each made.
    groups: BTreeMap<String, usize>,
    takes_part: Vec<bool>,
    /// A table could not be read, so that a flow may be missing through no fault of who names it.
    pub(super) incomplete: bool,
}

impl<'h> Flows<'h> {
    pub(super) fn new(hosts: &'h Hosts, network: Option<&'h NetworkPlan>, default_duration: Span) -> Self {
        let takes_part = vec![false; hosts.count()];
        let mut networks_of = vec![Vec::new(); hosts.count()];
        for cable in network.iter().flat_map(|plan| &plan.cables) {
            if let CableEnd::Host(host) = cable.from {
                networks_of[host].extend(network.map(|plan| plan.switches[cable.to].network));
            }
        }
        Self {
            hosts,
            network,
            networks_of,
            default_duration,
            plans: Vec::new(),
            groups: BTreeMap::new(),
            takes_part,
            incomplete: hosts.incomplete,
        }
    }

    /// Reads one `[[flow]]` and makes its flows, with defaults for what is wrong and has been noted.
    pub(super) fn read<'t>(
        &mut self,
        table: &DeTable<'t>,
        header: Range<usize>,
        findings: &mut Findings<'t>,
    ) {
        let mut reader = Reader::open(table, "[[flow]]", header, KEYS, findings);
        let name = self.name(&mut reader);
        let ends = self.ends(&mut reader);
        let pattern = read_pattern(&mut reader, self.default_duration);
        let (Some(name), Some((senders, receiver)), Some(pattern)) = (name, ends, pattern) else {
            self.incomplete = true;
            return;
        };
        if self.plans.len() + senders.len() > FLOWS_MAX {
            reader.fault("from", format!("more than {FLOWS_MAX} flows"));
            self.incomplete = true;
            return;
        }
        let networks = self.networks(&mut reader, &senders, receiver);
        for host in senders.iter().chain([&receiver]) {
            self.takes_part[*host] = true;
        }
        self.groups.insert(name.clone(), senders.len());
        let several = senders.len() > 1;
        for (sender, network) in senders.into_iter().zip(networks) {
            let from = self.hosts.name_of(sender).to_owned();
            let own_name = if several { format!("{name}/{from}") } else { name.clone() };
            let to = self.hosts.name_of(receiver).to_owned();
            let plan = FlowPlan { name: own_name, group: name.clone(), from, to, network, ..pattern.clone() };
            self.plans.push(plan);
        }
    }

    fn name(&mut self, reader: &mut Reader<'_, '_>) -> Option<String> {
        reader.require("name", "the record and expectations refer to a flow by it");
        let name = reader.name("name")?;
        if self.groups.contains_key(*name.get_ref()) {
            reader.fault(
                "name",
                format!("there is already a flow {}; names are unique", quoted(name.get_ref())),
            );
            return None;
        }
        Some((*name.get_ref()).to_owned())
    }

    /// The senders, and the receiver.
    fn ends(&mut self, reader: &mut Reader<'_, '_>) -> Option<(Vec<usize>, usize)> {
        reader.require("from", "write a host's name, or a list of them");
        reader.require("to", "write a host's name");
        let from = reader.names("from");
        let to = reader.text("to");
        let senders = from.and_then(|from| self.meant(&from, "from", reader.findings));
        let receiver = to.as_ref().and_then(|to| self.receiver(to, reader.findings));
        let (senders, receiver) = (senders?, receiver?);
        if senders.contains(&receiver) {
            let host = self.hosts.name_of(receiver);
            reader.fault("to", format!("`{host}` would send to itself: it is in `from` too"));
            return None;
        }
        Some((senders, receiver))
    }

    /// The hosts that a list of names means, each once; `key` is where the list stands.
    pub(super) fn meant(
        &self,
        from: &[Spanned<&str>],
        key: &str,
        findings: &mut Findings<'_>,
    ) -> Option<Vec<usize>> {
        let mut senders = Vec::new();
        let mut taken = vec![false; self.hosts.count()];
        let mut good = true;
        for name in from {
            let Some(meant) = self.hosts.meant_by(name.get_ref(), &name.span(), findings) else {
                good = false;
                continue;
            };
            if let Some(twice) = meant.clone().find(|host| taken[*host]) {
                let twice = self.hosts.name_of(twice);
                findings.add(&name.span(), format!("host `{twice}` is in `{key}` twice"));
                good = false;
                continue;
            }
            taken[meant.clone()].fill(true);
            senders.extend(meant);
        }
        good.then_some(senders)
    }

    /// For each sender the network on which it reaches the receiver: the one named, or the first that both have.
    pub(super) fn networks(
        &self,
        reader: &mut Reader<'_, '_>,
        senders: &[usize],
        receiver: usize,
    ) -> Vec<Option<usize>> {
        let none = vec![None; senders.len()];
        let named = reader.text("network");
        let Some(plan) = self.network else {
            if named.is_some() && reader.findings.count() == 0 {
                reader.fault("network", "the scenario describes no network: there is no [[switch]]");
            }
            return none;
        };
        let names: Vec<&str> = plan.networks().map(|network| plan.switches[network].name.as_str()).collect();
        let wanted = named
            .as_ref()
            .map(|name| plan.networks().find(|network| plan.switches[*network].name == *name.get_ref()));
        if let (Some(name), Some(None)) = (&named, wanted) {
            let advice = reader.findings.advice(name.get_ref(), names.iter().copied(), &names.join(", "));
            reader.fault("network", format!("unknown network {}{advice}", quoted(name.get_ref())));
            return none;
        }
        let wanted = wanted.flatten();
        let leads = |host: usize, network: usize| self.networks_of[host].contains(&network);
        let common = |sender: usize| {
            let both = self.networks_of[sender].iter().copied().filter(|network| leads(receiver, *network));
            // The first of the file, however the sender's cables are ordered.
            both.filter(|network| wanted.is_none_or(|wanted| wanted == *network)).min()
        };
        let found: Vec<Option<usize>> = senders.iter().map(|sender| common(*sender)).collect();
        if let Some((sender, _)) = senders.iter().zip(&found).find(|(_, network)| network.is_none()) {
            let (from, to) = (self.hosts.name_of(*sender), self.hosts.name_of(receiver));
            let on =
                named.map_or_else(|| "any network".into(), |name| format!("network `{}`", name.get_ref()));
            reader.fault("from", format!("no cables lead from `{from}` to `{to}` on {on}"));
        }
        found
    }

    fn receiver(&self, to: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<usize> {
        let meant = self.hosts.meant_by(to.get_ref(), &to.span(), findings)?;
        if meant.len() > 1 {
            let (group, count) = (quoted(to.get_ref()), meant.len());
            let first = self.hosts.name_of(meant.start);
            let message =
                format!("{group} is a group of {count} hosts; `to` is one host, for example `{first}`");
            findings.add(&to.span(), message);
            return None;
        }
        Some(meant.start)
    }

    /// How many flows `name` means: a flow, or all flows of a group; notes an unknown name.
    pub(super) fn count_of(
        &self,
        name: &str,
        place: &Range<usize>,
        findings: &mut Findings<'_>,
    ) -> Option<usize> {
        if let Some(count) = self.groups.get(name) {
            return Some(*count);
        }
        if self.plans.iter().any(|plan| plan.name == name) {
            return Some(1);
        }
        if !self.incomplete {
            let names = self.groups.keys().map(String::as_str);
            let names = names.chain(self.plans.iter().map(|plan| plan.name.as_str()));
            let mut allowed: Vec<_> = self.groups.keys().take(KNOWN_MAX).map(String::as_str).collect();
            let one_of_several = self.plans.iter().find(|plan| plan.name != plan.group);
            allowed.extend(one_of_several.map(|plan| plan.name.as_str()));
            if self.groups.len() > KNOWN_MAX || one_of_several.is_some() {
                allowed.push("...");
            }
            let advice = findings.advice(name, names, &allowed.join(", "));
            let message = format!("unknown flow {}{advice}", quoted(name));
            findings.add(place, message);
        }
        None
    }

    /// These hosts have a part in the scenario.
    pub(super) fn take_part<'a>(&mut self, hosts: impl IntoIterator<Item = &'a usize>) {
        hosts.into_iter().for_each(|host| self.takes_part[*host] = true);
    }

    /// The name of the host with this index.
    pub(super) fn host_name(&self, index: usize) -> &'h str {
        self.hosts.name_of(index)
    }

    /// Which hosts have a part in the scenario.
    pub(super) fn takes_part(&mut self) -> &mut [bool] {
        &mut self.takes_part
    }

    /// The flows, in the order of the file; notes hosts that have no part in them, nor in an exchange.
    pub(super) fn finish(
        self,
        is_readout: bool,
        has_exchanges: bool,
        findings: &mut Findings<'_>,
    ) -> Vec<FlowPlan> {
        if self.plans.is_empty() && !self.incomplete && !is_readout && !has_exchanges {
            findings.add(&(0..0), "there is no [[flow]] and no [[exchange]]: nothing would be sent");
        } else if is_readout && has_exchanges {
            findings.add(
                &(0..0),
                "a scenario has exchanges or a readout, not both: give the other a file of its own",
            );
        } else if is_readout && !self.plans.is_empty() {
            findings.add(
                &(0..0),
                "a scenario has flows or a readout, not both: give the other a file of its own",
            );
        } else if !self.incomplete {
            self.hosts.note_idle(&self.takes_part, findings);
        }
        self.plans
    }
}

/// Everything about a flow but its name and its ends.
fn read_pattern(reader: &mut Reader<'_, '_>, default_duration: Span) -> Option<FlowPlan> {
    let transports = Transport::ALL.map(|transport| (transport.name(), transport));
    reader.require("transport", "allowed: tcp, udp, ip, ethernet, xdp");
    let transport = reader.word("transport", "transport", &transports);
    let message_bytes_max = transport.unwrap_or(Transport::Tcp).message_bytes_max();
    let bounds = [Bytes(MESSAGE_BYTES_MIN), Bytes(message_bytes_max.into())];
    let message =
        reader.quantity_within("message", BYTES_EXAMPLES, bounds).unwrap_or(Bytes(MESSAGE_BYTES_DEFAULT));
    let message_bytes = u32::try_from(message.0).unwrap_or(message_bytes_max);
    let load: Load = reader.quantity("load", Load::EXAMPLES).unwrap_or_default();
    let stop = read_stop(reader, message_bytes, default_duration);
    note_empty(reader, load, message_bytes, stop);
    let spacing: Spacing = reader.quantity("spacing", Spacing::EXAMPLES).unwrap_or_default();
    if load == Load::Unlimited && spacing != Spacing::Fixed {
        reader.fault(
            "spacing",
            "`spacing` means nothing without a load: say how fast, for example load = \"10kHz\"",
        );
    }
    let span = [Span::ZERO, SPAN_MAX];
    let pattern = FlowPlan {
        name: String::new(),
        group: String::new(),
        from: String::new(),
        to: String::new(),
        transport: transport.unwrap_or(Transport::Tcp),
        message_bytes,
        streams: reader.small("streams", 1..=STREAMS_MAX).unwrap_or(1),
        load,
        spacing,
        stop,
        start_after: reader.quantity_within("start_after", SPAN_EXAMPLES, span).unwrap_or_default(),
        sockets: sockets::read(reader, transport),
        raw: raw::read(reader, transport),
        sender_core: reader.small("sender_core", 0..=CORE_MAX),
        receiver_core: reader.small("receiver_core", 0..=CORE_MAX),
        spin: reader.flag("spin").unwrap_or_default(),
        receiver: reader.name("receiver").map(|name| (*name.get_ref()).to_owned()),
        network: None,
        probe: None,
    };
    transport.map(|_| pattern)
}

/// The first of the stated bounds; the scenario's duration when there is none.
fn read_stop(reader: &mut Reader<'_, '_>, message_bytes: u32, default_duration: Span) -> Stop {
    let after = reader.quantity_within("duration", SPAN_EXAMPLES, [Span(1), SPAN_MAX]);
    let messages = reader.integer("messages", 1..=MESSAGES_MAX);
    let bytes = reader.quantity_within("bytes", BYTES_EXAMPLES, [Bytes(1), Bytes(BYTES_MAX)]);
    let of_bytes = bytes.and_then(|bytes| Stop::bytes(bytes, message_bytes).messages);
    let stop = Stop { after, messages: messages.into_iter().chain(of_bytes).min() };
    let is_bound = ["duration", "messages", "bytes"].iter().any(|key| reader.has(key));
    if is_bound { stop } else { Stop::after(default_duration) }
}

/// Notes a flow whose first gap is longer than it lasts.
fn note_empty(reader: &mut Reader<'_, '_>, load: Load, message_bytes: u32, stop: Stop) {
    let (Some(interval), Some(after)) = (load.interval(message_bytes), stop.after) else { return };
    // Below 2^128: both factors are below 2^64.
    if interval.picoseconds > u128::from(after.0) * interval.messages {
        let message =
            format!("the flow sends no message: at `{load}` one takes longer than the {after} it lasts");
        reader.fault("load", message);
    }
}

pub(super) const KEYS: &[&str] = &[
    "bytes",
    "congestion",
    "dscp",
    "duration",
    "ethertype",
    "from",
    "interface",
    "load",
    "message",
    "messages",
    "name",
    "network",
    "no_delay",
    "protocol",
    "qdisc_bypass",
    "receive_batch",
    "receive_buffer",
    "receiver",
    "receiver_core",
    "segments_max",
    "send_batch",
    "send_buffer",
    "sender_core",
    "spacing",
    "spin",
    "start_after",
    "streams",
    "to",
    "transport",
    "vlan",
    "vlan_priority",
    "xdp",
];

/// Most flows of a scenario, groups expanded: each is two roles and a part of the record.
pub(super) const FLOWS_MAX: usize = 4096;
/// Longest time a scenario may state: a receiver grants no longer session.
pub(super) const SPAN_MAX: Span = crate::control::DURATION_MAX;
/// Our head: the counter and the id of the stream.
const MESSAGE_BYTES_MIN: u64 = 16;
/// A round number below any MTU.
const MESSAGE_BYTES_DEFAULT: u64 = 1024;
/// Most sockets of one flow: each costs the receiver a window of memory.
const STREAMS_MAX: u64 = 128;
/// Highest core that a scheduler mask names (`CPU_SETSIZE` of glibc is 1024).
const CORE_MAX: u64 = 1023;
/// Most messages of a flow; at 400 Gbit/s and 64 bytes they take 40 years.
const MESSAGES_MAX: u64 = 1_000_000_000_000_000_000;
/// Most bytes of a flow: an exabyte takes 230 days at 400 Gbit/s.
const BYTES_MAX: u64 = 1_000_000_000_000_000_000;
/// Most names listed in a message.
const KNOWN_MAX: usize = 12;
