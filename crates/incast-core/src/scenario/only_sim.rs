//! What of a scenario only the simulator can carry out, and what it cannot: each as a sentence, for whoever is
//! asked to run the scenario in another world.

use super::model::Scenario;
use super::model_fault::FaultKind;
use super::model_network::{CableEnd, NetworkPlan, SwitchPlan};
use super::model_sim::{Queueing, SwitchModel};
use crate::readout::algorithm::AlgorithmKind;

/// Why a probe is not simulated.
const PROBED: &str = "a probe ([probe]) times messages by real clocks: use `incast lab` or `incast run`";
/// The congestion controls that the simulator's TCP has.
const CONGESTIONS: [&str; 3] = ["reno", "cubic", "bbr"];

impl Scenario {
    /// Why the simulator cannot run this, each with the world that can; empty when it can.
    #[must_use]
    pub fn not_simulable(&self) -> Vec<String> {
        let mut why = self.of_a_kernel();
        let agents: Vec<&str> =
            self.hosts.iter().filter(|host| host.agent.is_some()).map(|host| host.name.as_str()).collect();
        if let Some(first) = agents.first() {
            why.push(format!(
                "host {first}{} is a real one, played by an agent: use `incast run`, or leave `agent` out",
                and_more(agents.len())
            ));
        }
        if self.search.is_some() {
            why.push("a switch test ([search]) needs many runs in a row: use `incast lab`".to_owned());
        }
        if let Some(flow) = self.flows.iter().find(|flow| flow.transport.is_raw()) {
            why.push(format!(
                "flow {} goes over {}, and the simulator models TCP and UDP: use `incast run` or `incast lab`",
                flow.name,
                flow.transport.name()
            ));
        }
        why.extend(self.probe.as_ref().map(|_| PROBED.to_owned()));
        why.extend(self.exchanges_not_simulable());
        // Another one in its place would give the numbers of another scenario.
        let unknown = self.flows.iter().find_map(|flow| {
            let name = self.congestion_of(flow)?;
            (!CONGESTIONS.contains(&name)).then_some((&flow.name, name))
        });
        if let Some((flow, name)) = unknown {
            why.push(format!(
                "flow {flow} asks for the congestion control {}, and the simulator has {}: use `incast run` or \
                 `incast lab`",
                super::findings::quoted(name),
                CONGESTIONS.join(", ")
            ));
        }
        let Some(readout) = &self.readout else { return why };
        if let Some(file) = &readout.replay {
            why.push(format!(
                "the sources send what is in {file}, and the simulator opens no file: use `incast run` or \
                 `incast lab`, or leave `replay` out"
            ));
        }
        let external = |kind: &AlgorithmKind| match kind {
            AlgorithmKind::Builtin(_) => None,
            AlgorithmKind::Program(plan) => Some(format!("the program {}", plan.program)),
            AlgorithmKind::Module(plan) => Some(format!("the module {}", plan.module)),
        };
        let nodes: Vec<(&str, String)> = readout
            .nodes
            .iter()
            .filter_map(|node| Some((node.name.as_str(), external(&node.plan.algorithm.kind)?)))
            .collect();
        if let Some((first, what)) = nodes.first() {
            why.push(format!(
                "node {first}{} runs {what}, and nobody knows how long that takes in virtual time: use \
                 `incast run` or `incast lab`, or say `time` of the built-in algorithm",
                and_more(nodes.len())
            ));
        }
        why
    }

    /// What only a kernel has; empty when there is nothing.
    fn of_a_kernel(&self) -> Vec<String> {
        let mut why = Vec::new();
        if let Some(host) = self.hosts.iter().find(|host| host.cpu_quota_millicores.is_some()) {
            why.push(format!(
                "host {} has a `cpu_quota`, which a kernel keeps: use `incast lab`, or say in a [[model]] what a \
                 packet costs",
                host.name
            ));
        }
        if let Some(host) = self.hosts.iter().find(|host| !host.interface.is_empty()) {
            why.push(format!("host {} has settings of an `interface`: use `incast lab`", host.name));
        }
        if !self.machine_sysctls.is_empty() {
            why.push("[machine] has settings of a kernel: use `incast lab`".to_owned());
        }
        why
    }

    /// What is only for the hosts of a lab; empty when there is nothing. `incast run` refuses it: these are
    /// settings of the machine that it runs on.
    #[must_use]
    pub fn only_in_a_lab(&self) -> Vec<String> {
        let mut why = Vec::new();
        if let Some(host) = self.hosts.iter().find(|host| !host.interface.is_empty()) {
            why.push(format!(
                "host {} has settings of an `interface`: use `incast lab`, or `incast host tune` on a real one",
                host.name
            ));
        }
        if !self.machine_sysctls.is_empty() {
            why.push(
                "[machine] has settings of the kernel: use `incast lab`, or `incast host tune`".to_owned(),
            );
        }
        let is_far = |host: &&super::HostPlan| host.cpu_quota_millicores.is_some() && host.agent.is_some();
        if let Some(host) = self.hosts.iter().find(is_far) {
            why.push(format!(
                "host {} is played by an agent, and a `cpu_quota` is kept on this machine",
                host.name
            ));
        }
        why
    }

    fn exchanges_not_simulable(&self) -> Option<String> {
        let exchange = self.exchanges.first()?;
        Some(format!(
            "exchange {}{} asks and answers over real connections, and the simulator has no answerers: use \
             `incast run` or `incast lab`",
            exchange.name,
            and_more(self.exchanges.len())
        ))
    }

    /// What of this only the simulator can do; empty when there is nothing. `incast run` and `incast lab`
    /// refuse it: what they gave would be of another scenario.
    #[must_use]
    pub fn only_simulable(&self) -> Vec<String> {
        let mut why = Vec::new();
        if let Some(fault) = self.cable_faults.first() {
            why.push(format!("a [[fault]] makes a cable {}: that is for `incast sim`", fault.what.name()));
        }
        let mut faults = self.readout.iter().flat_map(|readout| &readout.faults);
        if faults.any(|fault| matches!(fault.what, FaultKind::Slow { .. })) {
            why.push("a [[fault]] makes a node slow: that is for `incast sim`".to_owned());
        }
        why
    }

    /// What a lab cannot build; empty when it can build all. A lab refuses it: how its packets wait would be
    /// another way. See also [`Self::left_out_by_lab`].
    #[must_use]
    pub fn not_buildable(&self) -> Vec<String> {
        let mut why = self.only_simulable();
        let Some(network) = &self.network else { return why };
        if network.switches.len() > LAB_SWITCHES_MAX {
            why.push(format!(
                "{} switches are too many for a lab, of which each is a namespace: {LAB_SWITCHES_MAX} is the most; \
                 `incast sim` takes more",
                network.switches.len()
            ));
        }
        if self.hosts.len() > LAB_HOSTS_MAX {
            why.push(format!(
                "{} hosts are too many for a lab, where every host is told of every other: {LAB_HOSTS_MAX} is the \
                 most; `incast sim` takes more",
                self.hosts.len()
            ));
        }
        if network.cables.len() > LAB_CABLES_MAX {
            why.push(format!(
                "{} cables are too many for a lab, of which each is two interfaces or more: {LAB_CABLES_MAX} is \
                 the most; `incast sim` takes more",
                network.cables.len()
            ));
        }
        let odd = network.switches.iter().find(|switch| switch.model.is_odd());
        if let Some(SwitchPlan { name, model, .. }) = odd {
            let what = match model.queueing {
                Queueing::Output => "cut_through = true",
                Queueing::SharedMemory { .. } => "queueing = \"shared-memory\"",
                Queueing::InputFifo => "queueing = \"input-fifo\"",
                Queueing::InputVirtual { .. } => "queueing = \"input-virtual\"",
            };
            why.push(format!(
                "switch {name} has {what}, and a bridge of the kernel stores whole packets, each port with a queue \
                 of its own: use `incast sim`"
            ));
        }
        why
    }

    /// What a lab leaves out of the network that it builds, by the keys; empty when nothing: times below what it
    /// can tell, and losses as rare. A caveat says so.
    #[must_use]
    pub fn left_out_by_lab(&self) -> Vec<&'static str> {
        let Some(NetworkPlan { switches, cables, .. }) = &self.network else { return Vec::new() };
        let mut keys = Vec::new();
        if switches.iter().any(|switch| switch.model.latency.0 > 0) {
            keys.push("latency");
        }
        if cables.iter().any(|cable| cable.travel.0 > 0) {
            keys.push("travel");
        }
        if cables.iter().any(|cable| cable.bit_errors > 0.0) {
            keys.push("bit_errors");
        }
        keys
    }

    /// The name of one way of a cable: `y -> main`.
    #[must_use]
    pub fn way_name(&self, way: super::CableWay) -> String {
        let Some(cable) = self.network.as_ref().and_then(|network| network.cables.get(way.cable)) else {
            return String::new();
        };
        let [near, far] = [cable.from, CableEnd::Switch(cable.to)].map(|end| self.end_name(end));
        if way.is_outward { format!("{near} -> {far}") } else { format!("{far} -> {near}") }
    }
}

fn and_more(count: usize) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

impl SwitchModel {
    /// Whether packets wait, or go on, in another way than in a bridge.
    fn is_odd(self) -> bool {
        self.queueing != Queueing::Output || self.is_cut_through
    }
}

/// Most hosts of a lab: building takes a time that grows with their square, 3 s for so many.
const LAB_HOSTS_MAX: usize = 256;
/// Most switches of a lab: each is a namespace.
const LAB_SWITCHES_MAX: usize = 64;
/// Most cables of a lab: each is a pair of interfaces or two, and interfaces are numbered by them.
const LAB_CABLES_MAX: usize = 1_024;
