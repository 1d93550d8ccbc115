//! The scenario file: one TOML text that says who sends what to whom, how fast, how long, and what
//! is expected of it.
//!
//! Parsed, not validated: [`Scenario::parse`] gives a scenario that cannot be wrong, or everything
//! that is wrong with the file, each fault with its place. No input makes it panic, and its bounds
//! (file, hosts, flows, streams, faults) are named where they are checked.
//! `scenarios/first-light.toml` explains the format by example.

mod addresses;
mod asks;
mod cable;
mod describe;
mod error;
mod exchanges;
mod expect;
mod fault;
mod findings;
mod flows;
mod host_model;
mod hosts;
mod judge;
mod machine;
mod metric;
mod metric_exchange;
mod metric_probe;
mod metric_sim;
mod model;
mod model_exchange;
mod model_fault;
mod model_network;
mod model_readout;
mod model_sim;
mod network;
mod only_sim;
mod probe;
mod queues;
mod raw;
mod reader;
mod readout;
mod search;
mod sim;
mod sockets;
mod switch;
mod syntax;
mod vary;
mod ways;

pub use error::{ScenarioError, ScenarioErrors};
pub use judge::judge;
pub use metric::Metric;
pub use metric_sim::is_meant;
pub use model::{
    AnswerKind, AskPlan, ExpectationPlan, FlowPlan, HostPlan, Limits, Scenario, Scope, SocketPlan, Start,
    VariantPlan,
};
pub use model_exchange::ExchangePlan;
pub use model_fault::{CableFaultKind, CableFaultPlan, CableWay, FaultKind, FaultPlan, FaultTimes};
pub use model_network::{CableEnd, CablePlan, Forwarding, NetworkPlan, Subnet, SwitchPlan, WhenFull};
pub use model_readout::{FilesPlan, FragmentCarrier, NodeShare, Placed, ReadoutPlan, SinkShare};
pub use model_sim::{
    Connections, HostModel, Matching, Queueing, ReceivePath, SimPlan, StallHolds, StatedModel, SwitchModel,
    WhenBacklogFull,
};
pub use probe::{DURATION_DEFAULT as PROBE_DURATION_DEFAULT, ProbePlan, WARM_UP_DEFAULT};
pub use vary::{Setting, SettingError};

use exchanges::Exchanges;
use findings::Findings;
use flows::Flows;
use host_model::HostModels;
use hosts::Hosts;
use network::Network;
use queues::Queues;
use reader::Reader;
use toml::de::DeTable;
use ways::Ways;

use crate::time::Span;
use crate::units::SPAN_EXAMPLES;

impl Scenario {
    /// Largest scenario file, in bytes: 1 MiB, some hundred times what people write.
    pub const TEXT_BYTES_MAX: usize = 1 << 20;
    /// The version of the format that this build reads.
    pub const FORMAT: u64 = 1;

    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, in the order of the file, up to [`ScenarioErrors::SHOWN_MAX`].
    pub fn parse(text: &str) -> Result<Self, ScenarioErrors> {
        Self::parse_with(text, &[])
    }

    /// Reads a scenario file with some of its values replaced.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`]; also when a setting replaces nothing.
    pub fn parse_with<'t>(text: &'t str, settings: &'t [Setting]) -> Result<Self, ScenarioErrors> {
        let mut findings = Findings::new(text);
        if text.len() > Self::TEXT_BYTES_MAX {
            let message =
                format!("the file has {} bytes; allowed: up to {}", text.len(), Self::TEXT_BYTES_MAX);
            findings.add(&(0..0), message);
        }
        let scenario = match findings.count() {
            0 => syntax::parse(text, &mut findings).map(|mut table| {
                vary::apply(&mut table, settings, &mut findings);
                read(text, &table, &mut findings)
            }),
            _ => None,
        };
        findings.finish()?;
        Ok(scenario.expect("a text that could not be read has a finding"))
    }
}

/// Reads the whole file; what it returns counts only if nothing was found.
fn read<'t>(text: &str, table: &DeTable<'t>, findings: &mut Findings<'t>) -> Scenario {
    let mut reader = Reader::open(table, "the scenario", 0..0, KEYS, findings);
    reader.require("incast", "the file begins with the version of its format: incast = 1");
    reader.require("name", "the directory of its records is called by it");
    reader.integer("incast", Scenario::FORMAT..=Scenario::FORMAT);
    let Head { name, title, seed, start, interval, duration } = Head::read(&mut reader);
    let search = search::read(&mut reader);
    let asks = asks::read_asks(&mut reader);
    let variants = asks::read_variants(&mut reader);
    let host_tables = reader.tables("host", flows::FLOWS_MAX);
    let flow_tables = reader.tables("flow", flows::FLOWS_MAX);
    let expect_tables = reader.tables("expect", expect::EXPECTATIONS_MAX);
    let mut readout_tables = readout::ReadoutTables::find(&mut reader);
    let cable_faults = std::mem::take(&mut readout_tables.cable_faults);

    let mut hosts = Hosts::new(host_tables.is_none());
    for (table, header) in host_tables.unwrap_or_default() {
        hosts.read(table, header, reader.findings);
    }
    let sim = sim::read(&mut reader);
    let machine_sysctls = machine::read(&mut reader);
    let models = read_models(&mut reader, &hosts);
    let (network, ways) = read_network(&mut reader, &hosts);
    let mut flows = Flows::new(&hosts, network.as_ref(), duration);
    flows.incomplete |= flow_tables.is_none();
    for (table, header) in flow_tables.unwrap_or_default() {
        flows.read(table, header, reader.findings);
    }
    let exchanges = read_exchanges(&mut reader, &mut flows, (duration, seed), search.is_some());
    let cable_faults = fault::read_cables(cable_faults, (network.as_ref(), &ways), reader.findings);
    let is_readout = !readout_tables.is_empty();
    let readout = readout::read(readout_tables, &mut reader, (&hosts, flows.takes_part()), (seed, duration));
    let queues = Queues { hosts: &hosts, ways: &ways };
    let mut expectations = Vec::new();
    for (table, header) in expect_tables.unwrap_or_default() {
        expectations.extend(expect::read(table, header, (&flows, &queues), reader.findings));
    }
    let flows = flows.finish(is_readout, !exchanges.is_empty(), reader.findings);
    let probe = probe::read(&mut reader, &flows, seed);
    Scenario {
        name,
        title,
        seed,
        start,
        interval,
        sim,
        host_models: models.models,
        stated_models: models.stated,
        cable_faults,
        hosts: hosts.into_plans(),
        machine_sysctls,
        network,
        flows,
        exchanges: exchanges.into_plans(),
        readout,
        search,
        probe,
        asks,
        variants,
        expectations,
        text: text.to_owned(),
    }
}

/// The values that stand above the tables.
struct Head {
    name: String,
    title: Option<String>,
    seed: u64,
    start: Start,
    interval: Span,
    duration: Span,
}

impl Head {
    fn read(reader: &mut Reader<'_, '_>) -> Self {
        let starts = [("together", Start::Together), ("as-they-come", Start::AsTheyCome)];
        let intervals = [Span::from_ms(10), Span::from_s(3600)];
        let durations = [Span(1), flows::SPAN_MAX];
        Self {
            name: reader.name("name").map(|name| (*name.get_ref()).to_owned()).unwrap_or_default(),
            title: reader.sentence("title"),
            seed: reader.integer("seed", 0..=u64::MAX).unwrap_or(1),
            start: reader.word("start", "start", &starts).unwrap_or_default(),
            interval: reader
                .quantity_within("interval", SPAN_EXAMPLES, intervals)
                .unwrap_or(INTERVAL_DEFAULT),
            duration: reader
                .quantity_within("duration", SPAN_EXAMPLES, durations)
                .unwrap_or(DURATION_DEFAULT),
        }
    }
}

/// Reads the models of hosts.
fn read_models<'t>(reader: &mut Reader<'_, 't>, hosts: &Hosts) -> HostModels {
    let mut models = HostModels::new(hosts.count());
    for (table, header) in reader.tables("model", host_model::MODELS_MAX).unwrap_or_default() {
        models.read(table, header, hosts, reader.findings);
    }
    models
}

/// Reads the exchanges; their hosts take part in the scenario as those of flows do.
fn read_exchanges(
    reader: &mut Reader<'_, '_>,
    flows: &mut Flows<'_>,
    (duration, seed): (Span, u64),
    is_search: bool,
) -> Exchanges {
    let tables = reader.tables("exchange", flows::FLOWS_MAX);
    flows.incomplete |= tables.is_none();
    let mut exchanges = Exchanges::new(duration, seed);
    for (table, header) in tables.unwrap_or_default() {
        exchanges.read(table, header, flows, reader.findings);
    }
    if is_search && !exchanges.is_empty() {
        reader.fault("exchange", "a switch test ([search]) has flows alone: leave the exchanges out");
    }
    exchanges
}

/// Reads switches and cables.
fn read_network<'h>(reader: &mut Reader<'_, '_>, hosts: &'h Hosts) -> (Option<NetworkPlan>, Ways<'h>) {
    let switch_tables = reader.tables("switch", flows::FLOWS_MAX);
    let cable_tables = reader.tables("cable", flows::FLOWS_MAX);
    let mut network = Network::new(hosts, switch_tables.is_none() || cable_tables.is_none());
    for (table, header) in switch_tables.unwrap_or_default() {
        network.read_switch(table, header, reader.findings);
    }
    for (table, header) in cable_tables.unwrap_or_default() {
        network.read_cable(table, header, reader.findings);
    }
    network.finish(reader.findings)
}

const KEYS: &[&str] = &[
    "ask", "builder", "cable", "duration", "exchange", "expect", "fault", "flow", "host", "incast",
    "interval", "machine", "model", "name", "node", "probe", "readout", "search", "seed", "sim", "sink",
    "source", "start", "switch", "title", "trigger", "variant",
];
const INTERVAL_DEFAULT: Span = Span::from_s(1);
/// How long a flow lasts when neither it nor the scenario says: as other tools do.
const DURATION_DEFAULT: Span = Span::from_s(10);
