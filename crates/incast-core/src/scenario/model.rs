//! What a scenario file says once it has been understood: plain data that cannot be wrong.
//!
//! Everything here is expanded and cross-checked: groups have become hosts, senders have become
//! flows, defaults are filled in. Nothing later re-checks. `FlowPlan` and `SocketPlan` travel to
//! the processes that play the roles, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::model_exchange::ExchangePlan;
use super::model_fault::CableFaultPlan;
use super::model_network::NetworkPlan;
use super::model_readout::ReadoutPlan;
use super::model_sim::{HostModel, SimPlan, StatedModel};
use super::probe::ProbePlan;
use crate::load::{Load, Spacing, Stop, Transport};
use crate::probe::ProbeStream;
use crate::random::Random;
use crate::raw::RawPlan;
use crate::switch_test::SearchPlan;
use crate::time::Span;
use crate::units::Bytes;

/// Who sends what to whom, how fast, how long, and what is expected of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Name, safe as the name of a directory: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What the scenario shows, in a sentence.
    pub title: Option<String>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Whether the flows wait for each other.
    pub start: Start,
    /// Length of the slices in which flows are recorded over time.
    pub interval: Span,
    /// Every host, groups expanded; each takes part in a flow.
    pub hosts: Vec<HostPlan>,
    /// Settings of the kernel that all hosts of a lab share.
    pub machine_sysctls: BTreeMap<String, String>,
    /// The network between them, if the file describes one.
    pub network: Option<NetworkPlan>,
    /// Every flow: one sender, one receiver.
    pub flows: Vec<FlowPlan>,
    /// Every exchange: one asker, its answerers.
    pub exchanges: Vec<ExchangePlan>,
    /// The event-building system, if the file describes one.
    pub readout: Option<ReadoutPlan>,
    /// What the simulator is told beside this.
    pub sim: SimPlan,
    /// How each host works inside, for the simulator, by the index of the host; `None`: as assumed.
    pub host_models: Vec<Option<HostModel>>,
    /// What the scenario says of these models, for the record.
    pub stated_models: Vec<StatedModel>,
    /// What is done to cables while the run lasts, for the simulator; what is done to roles is in `readout`.
    pub cable_faults: Vec<CableFaultPlan>,
    /// What the record is judged by.
    pub expectations: Vec<ExpectationPlan>,
    /// The scenario is a switch test: its flows are sent at many loads.
    pub search: Option<SearchPlan>,
    /// One of its flows is probed: sent at many sizes and gaps.
    pub probe: Option<ProbePlan>,
    /// What the run is to answer.
    pub asks: Vec<AskPlan>,
    /// The same scenario with some values replaced, to be run as well.
    pub variants: Vec<VariantPlan>,
    /// The file as it was read.
    pub text: String,
}

/// How flows begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// All at one moment, once every sender is ready.
    #[default]
    Together,
    /// Each as soon as it is ready.
    AsTheyCome,
}

/// A machine, or a process that stands for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPlan {
    /// Its name, unique.
    pub name: String,
    /// `host:port` of the `incast agent` that plays it; without one it is a process on this machine.
    pub agent: Option<String>,
    /// Where flows reach it, when the file says so.
    pub address: Option<String>,
    /// Settings of its kernel by their sysctl names, where it has a network of its own.
    pub sysctls: BTreeMap<String, String>,
    /// Settings of its interfaces, by the keys of `tune::LINK_KEYS`, in a lab.
    pub interface: BTreeMap<String, String>,
    /// Thousandths of a core that its processes may use together; as much as there is otherwise.
    pub cpu_quota_millicores: Option<u32>,
}

impl HostPlan {
    /// The address at which flows reach this host: as stated, or the agent's, or this machine's loopback.
    #[must_use]
    pub fn reached_at(&self) -> &str {
        let of_agent =
            || self.agent.as_deref().and_then(|agent| agent.rsplit_once(':')).map(|(host, _)| host);
        let address = self.address.as_deref().or_else(of_agent).unwrap_or("127.0.0.1");
        // An IPv6 address wears brackets only beside a port.
        address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address)
    }
}

/// One sender to one receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowPlan {
    /// Unique name: the group's, followed by `/` and the sender's if the group has several senders.
    pub name: String,
    /// Name of the flow as the file writes it.
    pub group: String,
    /// Name of the sending host.
    pub from: String,
    /// Name of the receiving host.
    pub to: String,
    /// What carries the messages.
    pub transport: Transport,
    /// Size of every message in bytes, counter included.
    pub message_bytes: u32,
    /// Sockets that share the load; at least 1.
    pub streams: u32,
    /// Intended load of all streams together.
    pub load: Load,
    /// How departures are spread.
    pub spacing: Spacing,
    /// What ends the flow; at least one bound is set.
    pub stop: Stop,
    /// Wait between the start and this flow's first message.
    pub start_after: Span,
    /// What is asked of the kernel.
    pub sockets: SocketPlan,
    /// What is below UDP, if the transport is.
    pub raw: RawPlan,
    /// Core to which the sender is pinned.
    pub sender_core: Option<u32>,
    /// Core to which the receiver is pinned.
    pub receiver_core: Option<u32>,
    /// Whether the receiver polls without sleeping.
    pub spin: bool,
    /// Name of the receiving process on its host; flows with the same name share its socket.
    pub receiver: Option<String>,
    /// The network that carries it, by the index of its first switch, when the file describes one.
    pub network: Option<usize>,
    /// Its messages are timed, at one point of a probe.
    #[serde(default)]
    pub probe: Option<ProbeStream>,
}

impl FlowPlan {
    /// What its random numbers are drawn from: flows of one scenario share no departures.
    #[must_use]
    pub fn seed(&self, scenario_seed: u64) -> u64 {
        Random::named(scenario_seed, &self.name).next_u64()
    }
}

/// What is asked of the kernel for the sockets of a flow; `None` leaves its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketPlan {
    /// Send buffer (`SO_SNDBUF`), as asked: Linux grants twice that and reports the double.
    pub send_buffer: Option<Bytes>,
    /// Receive buffer (`SO_RCVBUF`), as asked.
    pub receive_buffer: Option<Bytes>,
    /// Name of the congestion control; TCP only.
    pub congestion: Option<String>,
    /// Whether small segments leave at once (`TCP_NODELAY`); TCP only.
    pub no_delay: Option<bool>,
    /// Differentiated services code point, 0 to 63.
    pub dscp: Option<u8>,
    /// Most messages in one segmentation-offload datagram, 1 for one datagram per packet; UDP only.
    pub segments_max: Option<u32>,
    /// Most messages of one send call; as many as the carrier takes otherwise.
    pub send_batch: Option<u32>,
    /// Most datagrams of one receive call, over TCP the bytes of so many messages; not of frames.
    pub receive_batch: Option<u32>,
}

/// A question, and what answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskPlan {
    /// The question in words.
    pub question: String,
    /// Which numbers answer it.
    pub answer: AnswerKind,
}

/// What can answer a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// Goodput of each flow, its share, and how fair that is.
    Shares,
    /// What each flow lost, and its runs.
    Loss,
    /// At which stage messages died.
    Where,
    /// CPU of each flow's ends.
    Cpu,
    /// CPU at 200 Gbit/s.
    CpuAt200,
}

/// The scenario with some of its values replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantPlan {
    /// What it is called.
    pub name: String,
    /// The variant that it is compared with; the scenario as it stands otherwise.
    pub against: Option<String>,
    /// What is replaced.
    pub settings: Vec<super::vary::Setting>,
}

/// One thing that is expected of the record, and where the expectation comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectationPlan {
    /// What is expected, in words.
    pub name: String,
    /// The number that is looked at.
    pub metric: Metric,
    /// Whose number.
    pub scope: Scope,
    /// What it is held against, in the metric's base unit.
    pub limits: Limits,
    /// The same as the file writes it, for the record.
    pub expected: String,
    /// The law, paper, data sheet or lab sheet behind it.
    pub source: String,
}

/// Whose number an expectation looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The totals over all flows.
    Totals,
    /// Each of these flows: all must meet the expectation.
    Flows {
        /// A flow's name, or that of a group.
        name: String,
        /// How many flows the scenario makes of it; a record that shows fewer is incomplete.
        count: usize,
    },
    /// These queues, together.
    Queues {
        /// Where it is: `port of main to x`; with the name of a group, each of its members.
        name: String,
    },
}

/// What a measured number is held against; never empty, never not-a-number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limits {
    /// At most `tolerance` away from `value`; both in the metric's base unit.
    Near {
        /// The expected value.
        value: f64,
        /// Largest distance allowed, 0 for exactly.
        tolerance: f64,
    },
    /// Between the two, bounds included; an absent bound is infinite.
    Between {
        /// Smallest value allowed.
        at_least: f64,
        /// Largest value allowed.
        at_most: f64,
    },
}

impl Limits {
    /// How far `measured` keeps inside the limits, negative when it lies outside them.
    #[must_use]
    pub fn margin(self, measured: f64) -> f64 {
        match self {
            Self::Near { value, tolerance } => tolerance - (measured - value).abs(),
            Self::Between { at_least, at_most } => (measured - at_least).min(at_most - measured),
        }
    }
}
