//! The `[readout]` and `[trigger]` tables, and with `readout/` those of every role: an event-building
//! system and what it is to do.

mod algorithm;
mod group;
mod node;
mod policy;
mod roles;
mod size;

use toml::de::DeTable;

use super::fault;
use super::findings::Findings;
use super::hosts::Hosts;
use super::model_fault::FaultPlan;
use super::model_readout::{FragmentCarrier, NodeShare, Placed, ReadoutPlan, SinkShare};
use super::reader::Reader;
use crate::load::{Load, Spacing};
use crate::readout::role::{BuilderRolePlan, PolicyPlan, Protocol, RunPlan, SourceRolePlan, TriggerRolePlan};
use crate::readout::{BuilderId, EventNumber, NodeId, RunNumber, SinkId, SourceId};
use crate::time::Span;
use crate::units::SPAN_EXAMPLES;
pub(super) use group::Groups;
pub(super) use node::KEYS as NODE_KEYS;
pub(super) use roles::{BUILDER_KEYS, SINK_KEYS, SOURCE_KEYS};

pub(super) type Tables<'r, 't> = Vec<(&'r DeTable<'t>, std::ops::Range<usize>)>;

/// The tables of a readout, before they are read.
pub(super) struct ReadoutTables<'r, 't> {
    readout: Option<(&'r DeTable<'t>, std::ops::Range<usize>)>,
    trigger: Option<(&'r DeTable<'t>, std::ops::Range<usize>)>,
    sources: Tables<'r, 't>,
    builders: Tables<'r, 't>,
    nodes: Tables<'r, 't>,
    sinks: Tables<'r, 't>,
    faults: Tables<'r, 't>,
    /// Those that are of cables, and no matter of a readout.
    pub(super) cable_faults: Tables<'r, 't>,
}

impl<'r, 't> ReadoutTables<'r, 't> {
    /// Finds the tables.
    pub(super) fn find(scenario: &mut Reader<'r, 't>) -> Self {
        let mut tables = |key| scenario.tables(key, GROUPS_MAX).unwrap_or_default();
        let [sources, builders, nodes, sinks] =
            ["source", "builder", "node", "sink"].map(|key| by_name(tables(key)));
        let faults = tables("fault");
        let (cable_faults, faults) = faults.into_iter().partition(|(table, _)| fault::is_of_cables(table));
        let (readout, trigger) = (scenario.table("readout"), scenario.table("trigger"));
        Self { readout, trigger, sources, builders, nodes, sinks, faults, cable_faults }
    }

    /// Whether the file describes no readout.
    pub(super) fn is_empty(&self) -> bool {
        let tables = [&self.sources, &self.builders, &self.nodes, &self.sinks, &self.faults];
        self.readout.is_none() && self.trigger.is_none() && tables.iter().all(|tables| tables.is_empty())
    }
}

impl ReadoutTables<'_, '_> {
    /// Notes the kinds of roles of which there are none.
    fn note_missing(&self, findings: &mut Findings<'_>) {
        for (key, is_there) in [
            ("source", !self.sources.is_empty()),
            ("builder", !self.builders.is_empty()),
            ("node", !self.nodes.is_empty()),
            ("sink", !self.sinks.is_empty()),
        ] {
            if !is_there {
                findings.add(
                    &(0..0),
                    format!("a readout has sources, builders, nodes and sinks: there is no [[{key}]]"),
                );
            }
        }
    }
}

/// What the tables share while they are read.
pub(super) struct Shared<'h> {
    run: RunPlan,
    streams: Vec<String>,
    event_timeout: Span,
    groups: Groups<'h>,
}

/// Reads a readout, if the file describes one; marks its hosts in `takes_part`.
pub(super) fn read<'t>(
    tables: ReadoutTables<'_, 't>,
    scenario: &mut Reader<'_, 't>,
    (hosts, takes_part): (&Hosts, &mut [bool]),
    (seed, duration): (u64, Span),
) -> Option<ReadoutPlan> {
    if tables.is_empty() {
        return None;
    }
    let faults_before = scenario.findings.count();
    tables.note_missing(scenario.findings);
    let empty = DeTable::new();
    let (table, header) = tables.readout.unwrap_or((&empty, 0..0));
    let mut reader = Reader::open(table, "[readout]", header, READOUT_KEYS, scenario.findings);
    let head = Head::read(&mut reader, seed);
    let mut shared = Shared {
        run: head.run,
        streams: head.streams,
        event_timeout: head.event_timeout,
        groups: Groups::new(hosts, takes_part),
    };
    let (table, header) = tables.trigger.unwrap_or((&empty, 0..0));
    let mut reader = Reader::open(table, "[trigger]", header, TRIGGER_KEYS, scenario.findings);
    let trigger_host = shared.groups.host_of(&mut reader);
    let trigger = read_trigger(&mut reader, &shared.run);

    let mut sources: Vec<Placed<SourceRolePlan>> = Vec::new();
    for (table, header) in tables.sources {
        roles::read_source(table, header, &mut shared, &mut sources, scenario.findings);
    }
    note_empty_level(&shared.run, sources.len(), scenario.findings);
    let mut builders: Vec<Placed<BuilderRolePlan>> = Vec::new();
    let mut builder_weights = Vec::new();
    for (table, header) in tables.builders {
        builder_weights.extend(roles::read_builder(
            table,
            header,
            &mut shared,
            &mut builders,
            scenario.findings,
        ));
    }
    let mut nodes: Vec<Placed<NodeShare>> = Vec::new();
    let mut node_weights = Vec::new();
    for (table, header) in tables.nodes {
        node_weights.extend(node::read(table, header, &mut shared, &mut nodes, scenario.findings));
    }
    let mut sinks: Vec<Placed<SinkShare>> = Vec::new();
    for (table, header) in tables.sinks {
        roles::read_sink(table, header, &mut shared, &mut sinks, scenario.findings);
    }
    let mut faults: Vec<FaultPlan> = Vec::new();
    for (table, header) in tables.faults {
        faults.extend(fault::read_role(table, header, &shared.groups, scenario.findings));
    }
    if scenario.findings.count() > faults_before {
        return None;
    }
    let trigger = Placed { name: "trigger".into(), host: trigger_host, plan: trigger };
    let mut plan = ReadoutPlan {
        run: shared.run,
        carrier: head.carrier,
        replay: head.replay,
        streams: shared.streams,
        duration,
        drain: head.drain,
        restarts: head.restarts,
        trigger,
        sources,
        builders,
        nodes,
        sinks,
        faults,
    };
    plan.join(&builder_weights, &node_weights);
    Some(plan)
}

/// Notes a level of which no source has fragments: its events would never be whole.
fn note_empty_level(run: &RunPlan, sources: usize, findings: &mut Findings<'_>) {
    let levels = if run.has_two_levels { 2 } else { 1 };
    for (without, name) in run.without.iter().take(levels).zip(["first", "second"]) {
        if sources > 0 && without.len() == sources {
            findings.add(&(0..0), format!("no source has fragments of the {name} level: see its `levels`"));
        }
    }
}

/// The `[readout]` table.
struct Head {
    run: RunPlan,
    carrier: FragmentCarrier,
    replay: Option<String>,
    streams: Vec<String>,
    event_timeout: Span,
    drain: Span,
    restarts: u32,
}

impl Head {
    fn read(reader: &mut Reader<'_, '_>, seed: u64) -> Self {
        let protocols = [("push", Protocol::Push), ("pull", Protocol::Pull)];
        let spans = [Span::from_ms(1), Span::from_s(3600)];
        let streams: Vec<String> = match reader.names("streams") {
            None => vec!["events".into()],
            Some(names) => names.iter().map(|name| (*name.get_ref()).to_owned()).collect(),
        };
        check_streams(reader, &streams);
        let levels = reader.integer("levels", 1..=2).unwrap_or(1);
        let packing_events = reader.small("packing", 1..=PACKING_MAX).unwrap_or(1);
        let replay = reader.sentence("replay");
        if replay.is_some() && levels == 2 {
            reader.fault("levels", "`replay` has one level: a file does not say which banks decide");
        }
        let carrier: FragmentCarrier =
            reader.word("fragments_over", "carrier", &FragmentCarrier::NAMES).unwrap_or_default();
        if carrier.is_mep() && levels == 2 {
            reader.fault(
                "levels",
                "a packet of LHCb does not say which level it is of: with them there is one",
            );
        }
        Self {
            run: RunPlan {
                run: RunNumber(0),
                seed,
                first: EventNumber(0),
                packing_events,
                has_two_levels: levels == 2,
                protocol: reader.word("protocol", "protocol", &protocols).unwrap_or_default(),
                sources: Vec::new(),
                without: [Vec::new(), Vec::new()],
                builders: Vec::new(),
                nodes: Vec::new(),
                sinks: Vec::new(),
            },
            carrier,
            replay,
            streams,
            event_timeout: reader
                .quantity_within("event_timeout", SPAN_EXAMPLES, spans)
                .unwrap_or(Span::from_s(1)),
            drain: reader.quantity_within("drain", SPAN_EXAMPLES, spans).unwrap_or(Span::from_s(10)),
            restarts: reader.small("restarts", 0..=1_000).unwrap_or(RESTARTS),
        }
    }
}

fn check_streams(reader: &mut Reader<'_, '_>, streams: &[String]) {
    let fits = |name: &String| {
        (1..=32).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(bad) = streams.iter().find(|name| !fits(name)) {
        let bad = super::findings::quoted(bad);
        reader.fault("streams", format!("{bad} names no file: letters, digits and `_`, up to 32 of them"));
    }
    let mut sorted = streams.to_vec();
    sorted.sort();
    sorted.dedup();
    if sorted.len() != streams.len() {
        reader.fault("streams", "a stream is named twice");
    }
    if streams.len() > STREAMS_MAX {
        reader.fault("streams", format!("more than {STREAMS_MAX} streams"));
    }
}

fn read_trigger(reader: &mut Reader<'_, '_>, run: &RunPlan) -> TriggerRolePlan {
    let load: Load = reader.quantity("load", Load::EXAMPLES).unwrap_or_default();
    if matches!(load, Load::BitRate(_)) {
        reader.fault("load", "a trigger has no bits: say how many events, for example \"10kHz\", or a gap");
    }
    let spacing: Spacing = reader.quantity("spacing", Spacing::EXAMPLES).unwrap_or_default();
    if load == Load::Unlimited && spacing != Spacing::Fixed {
        reader.fault(
            "spacing",
            "`spacing` means nothing without a load: say how fast, for example load = \"10kHz\"",
        );
    }
    let spans = [Span::from_ms(1), Span::from_s(3600)];
    let policy = policy::read(reader);
    if load == Load::Unlimited && !matches!(policy, PolicyPlan::Tokens { .. }) {
        // Stopping and going on takes a message each way, and in that time it would fill every queue.
        reader.fault(
            "load",
            "a trigger without a `load` goes as fast as builders say that they are ready: give it \
             policy = \"tokens\", or a load, for example \"10kHz\"",
        );
    }
    TriggerRolePlan {
        run: run.clone(),
        load,
        spacing,
        events_max: reader.integer("events", 1..=EVENTS_MAX),
        policy,
        decision_timeout: reader
            .quantity_within("decision_timeout", SPAN_EXAMPLES, spans)
            .unwrap_or(Span::from_s(30)),
        grace: reader.quantity_within("grace", SPAN_EXAMPLES, spans).unwrap_or(Span::from_s(2)),
    }
}

impl ReadoutPlan {
    /// Tells every role of all others.
    fn join(&mut self, builder_weights: &[u16], node_weights: &[u16]) {
        let builders = u16::try_from(self.builders.len()).unwrap_or(u16::MAX).max(1);
        let run = &mut self.run;
        run.sources = self.sources.iter().map(|source| source.plan.source).collect();
        run.builders = self.builders.iter().map(|builder| builder.plan.builder).collect();
        run.sinks = self.sinks.iter().map(|sink| sink.plan.role.sink).collect();
        for node in &mut self.nodes {
            let role = &mut node.plan.role;
            // Each builder has its own part of the farm.
            role.builder = BuilderId(role.node.0 % builders);
            run.nodes.push((role.node, role.builder));
        }
        let run = run.clone();
        self.trigger.plan.run = run.clone();
        give_weights(&mut self.trigger.plan.policy, builder_weights);
        self.sources.iter_mut().for_each(|source| source.plan.run = run.clone());
        let mut weights = vec![Vec::new(); self.builders.len()];
        for (node, weight) in self.nodes.iter_mut().zip(node_weights) {
            let role = &mut node.plan.role;
            let (Some(weights), Some(builder)) = (
                weights.get_mut(usize::from(role.builder.0)),
                self.builders.get(usize::from(role.builder.0)),
            ) else {
                continue;
            };
            weights.push(*weight);
            role.gives_tokens = matches!(builder.plan.policy, PolicyPlan::Tokens { .. });
        }
        for (builder, weights) in self.builders.iter_mut().zip(&weights) {
            give_weights(&mut builder.plan.policy, weights);
            let lease_of_trigger = match &self.trigger.plan.policy {
                PolicyPlan::Tokens { lease } => Some(*lease),
                _ => None,
            };
            builder.plan.gives_tokens = lease_of_trigger.is_some();
            // Longer than the other end's, or it would ask for what is on its way.
            builder.plan.token_lease = Span(2 * lease_of_trigger.unwrap_or(policy::LEASE).0);
            builder.plan.run = run.clone();
        }
        self.nodes.iter_mut().for_each(|node| node.plan.role.run = run.clone());
        self.sinks.iter_mut().for_each(|sink| sink.plan.role.run = run.clone());
    }

    /// Every role with its name and its host, the trigger first.
    pub fn roles(&self) -> impl Iterator<Item = (crate::readout::Peer, &str, Option<&str>)> {
        use crate::readout::Peer;
        let trigger = std::iter::once((Peer::Trigger, &self.trigger.name, &self.trigger.host));
        let sources = self.sources.iter().map(|one| (Peer::Source(one.plan.source), &one.name, &one.host));
        let builders =
            self.builders.iter().map(|one| (Peer::Builder(one.plan.builder), &one.name, &one.host));
        let nodes = self.nodes.iter().map(|one| (Peer::Node(one.plan.role.node), &one.name, &one.host));
        let sinks = self.sinks.iter().map(|one| (Peer::Sink(one.plan.role.sink), &one.name, &one.host));
        let all = trigger.chain(sources).chain(builders).chain(nodes).chain(sinks);
        all.map(|(peer, name, host)| (peer, name.as_str(), host.as_deref()))
    }
}

fn give_weights(policy: &mut PolicyPlan, given: &[u16]) {
    if let PolicyPlan::Calendar { weights } = policy {
        *weights = given.to_vec();
    }
}

/// Tables of a kind in the order of their names. By it roles are numbered, so that what happens does not hang on the
/// order in which a file has them.
fn by_name<'r, 't>(mut tables: Tables<'r, 't>) -> Tables<'r, 't> {
    tables.sort_by_key(|(table, _)| table.get("name").and_then(|name| name.get_ref().as_str()));
    tables
}

/// Ids that are given to the roles of a kind, in the order of the names of their tables.
fn source_id(index: u16) -> SourceId {
    SourceId(index)
}

fn node_id(index: u16) -> NodeId {
    NodeId(index)
}

fn sink_id(index: u16) -> SinkId {
    SinkId(index)
}

pub(super) const READOUT_KEYS: &[&str] = &[
    "drain",
    "event_timeout",
    "fragments_over",
    "levels",
    "packing",
    "protocol",
    "replay",
    "restarts",
    "streams",
];
pub(super) const TRIGGER_KEYS: &[&str] =
    &["decision_timeout", "events", "grace", "host", "lease", "limit", "load", "policy", "spacing"];
/// Tables of one kind.
pub(super) const GROUPS_MAX: usize = 256;
/// Most roles of one kind: as many as a builder has sources.
const ROLES_MAX: u64 = 4_096;
/// Most events of a packet: LHCb used 10 to 32.
const PACKING_MAX: u64 = 1_024;
/// Most events of a run: at 1 MHz it takes 30 000 years.
const EVENTS_MAX: u64 = 1_000_000_000_000_000_000;
/// A verdict has a bit for each.
const STREAMS_MAX: usize = 32;
/// A role that dies so often will die again.
const RESTARTS: u32 = 10;
