//! A whole scenario from the first packet to the last, and what it came to.
//!
//! ```text
//!  Run::new(&scenario) -> advance(until) ... -> finish() -> Simulated -> the record
//! ```
//! It makes the network, the hosts and the flows or roles of a scenario, and lets time pass. Whoever calls it looks
//! at the clock on the wall.

mod faults;

use std::collections::BTreeMap;

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::record::{Ledger, ModelUsed, Network, Readout, Simulation};
use incast_core::scenario::{HostModel, ReadoutPlan, Scenario};
use incast_core::time::Time;

use crate::courier::HostIndex;
use crate::fabric::{AnyFabric, Fabric as _};
use crate::report::{self, Seen};
use crate::stack::topology::Topology;
use crate::stack::{NetworkCourier, Stack, StackPlan};
use crate::world::flows::{FlowResult, FlowWorld};
use crate::world::readout::{ReadoutSetup, ReadoutWorld};
use faults::CableFaults;

/// A scenario that is being simulated.
#[derive(Debug)]
pub struct Run<'s> {
    scenario: &'s Scenario,
    playing: Playing,
    faults: CableFaults,
}

/// Flows, or a readout.
#[derive(Debug)]
enum Playing {
    Flows(Box<FlowWorld<AnyFabric>>),
    Readout(Box<ReadoutWorld<NetworkCourier<AnyFabric>>>),
}

impl Playing {
    const fn now(&self) -> Time {
        match self {
            Self::Flows(flows) => flows.now(),
            Self::Readout(readout) => readout.now(),
        }
    }

    fn advance(&mut self, until: Time) -> bool {
        match self {
            Self::Flows(flows) => flows.advance(until),
            Self::Readout(readout) => {
                readout.run_until(until);
                !readout.is_over()
            }
        }
    }

    fn stack_mut(&mut self) -> &mut Stack<AnyFabric> {
        match self {
            Self::Flows(flows) => flows.stack_mut(),
            Self::Readout(readout) => readout.courier_mut().stack_mut(),
        }
    }
}

/// What a scenario came to.
#[derive(Debug, Default)]
pub struct Simulated {
    /// The flows, as their ends tell of them.
    pub flows: Vec<FlowResult>,
    /// The readout, if it was one.
    pub readout: Option<Readout>,
    /// What only a simulator sees.
    pub simulation: Simulation,
    /// The second book of the losses.
    pub ledger: Option<Ledger>,
    /// The network with its queues; `None` where the scenario describes none.
    pub network: Option<Network>,
    /// Doubts.
    pub caveats: Vec<Caveat>,
}

impl<'s> Run<'s> {
    /// The scenario at its start. What it cannot be asked for is `Scenario::not_simulable`.
    #[must_use]
    pub fn new(scenario: &'s Scenario) -> Self {
        let topology = Topology::of(scenario);
        let faults = CableFaults::new(scenario, &topology);
        let fabric = AnyFabric::new(&topology.fabric);
        let stack = Stack::new(
            StackPlan {
                topology,
                hosts: scenario.host_models.clone(),
                names: scenario.hosts.iter().map(|host| host.name.clone()).collect(),
                connections: scenario.sim.connections,
                local_delay: scenario.sim.direct_delay,
            },
            fabric,
        );
        let playing = match &scenario.readout {
            None => Playing::Flows(Box::new(FlowWorld::new(scenario, stack))),
            Some(plan) => Playing::Readout(Box::new(readout(scenario, plan, stack))),
        };
        Self { scenario, playing, faults }
    }

    /// Virtual time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.playing.now()
    }

    /// Lets happen what happens until `until`; says whether anything is left.
    pub fn advance(&mut self, until: Time) -> bool {
        while let Some((at, link, fault)) = self.faults.next_before(until) {
            if !self.playing.advance(at) {
                return false;
            }
            self.playing.stack_mut().handle_fault(at, link, fault);
        }
        self.playing.advance(until)
    }

    /// Closes all accounts.
    #[must_use]
    pub fn finish(self) -> Simulated {
        let scenario = self.scenario;
        let (flows, readout, stack, now) = match self.playing {
            Playing::Flows(flows) => {
                let (flows, stack, now) = flows.finish();
                (flows, None, stack, now)
            }
            Playing::Readout(readout) => {
                let now = readout.now();
                let (result, courier) = readout.finish();
                let mut stack = courier.into_stack();
                // Roles that have ended hear no more of their fragments.
                let now = stack.run_out(now, |_, _| {});
                (Vec::new(), Some(result), stack, now)
            }
        };
        let queues = stack.fabric().counts(now);
        let mut deaths = report::deaths(&queues);
        report::add_deaths_in_hosts(&mut deaths, &stack.hosts(now));
        let plan = stack.plan();
        let copies = queues.iter().map(|counts| counts.copied_packets).sum();
        let simulation = report::simulation(&Seen {
            plan: &plan.topology.fabric,
            queues: &queues,
            deaths: &deaths,
            hosts: &plan.names,
            now,
            packet_hops: stack.fabric().packet_hops(),
            ties: stack.fabric().ties(),
            digest: stack.fabric().digest(),
            queues_shown: scenario.sim.queues_shown,
            queues_expected: scenario.expected_queues().collect(),
        });
        let ledger =
            report::ledger(&flows, &deaths, stack.counts(), copies, &plan.topology.fabric, &plan.names);
        let estimates = report::estimates(scenario, &plan.topology, &flows, &queues);
        let network = report::network(scenario, &plan.topology, &queues);
        let mut simulation = simulation;
        let mut caveats = Vec::new();
        let mut of_record = None;
        if let Some(result) = readout {
            simulation.digest = format!("{}-{:016x}", simulation.digest, result.digest);
            simulation.models.extend(result.models);
            caveats.extend(result.caveats);
            caveats.extend(result.failed.map(|why| {
                Caveat::new(CaveatKind::RoleDied, why, "look at what the roles counted, and run it again")
            }));
            of_record = Some(result.readout);
        }
        let assumed = std::mem::take(&mut simulation.models);
        Simulated {
            readout: of_record,
            caveats,
            flows,
            simulation: Simulation {
                models: models(scenario, plan.topology.is_assumed).into_iter().chain(assumed).collect(),
                delays: stack.delays().collect(),
                estimates,
                ..simulation
            },
            ledger: Some(ledger),
            network,
        }
    }
}

/// The roles of a readout, each on its host; those without one are together on the first.
fn readout(
    scenario: &Scenario,
    plan: &ReadoutPlan,
    stack: Stack<AnyFabric>,
) -> ReadoutWorld<NetworkCourier<AnyFabric>> {
    let index = |name: &str| scenario.hosts.iter().position(|host| host.name == name);
    let places = plan.roles().filter_map(|(peer, _, host)| {
        let index = u32::try_from(index(host?)?).ok()?;
        Some((peer, HostIndex(index)))
    });
    let places: BTreeMap<_, _> = places.collect();
    let setup = ReadoutSetup {
        interval: scenario.interval,
        ..ReadoutSetup::new(plan, scenario.seed, &places, &scenario.sim)
    };
    ReadoutWorld::new(&setup, NetworkCourier::new(stack))
}

/// What the models were told, and what was assumed where the scenario says nothing, for the record.
fn models(scenario: &Scenario, is_assumed: bool) -> Vec<ModelUsed> {
    let stated = scenario.stated_models.iter().map(|stated| ModelUsed {
        of: stated.of.clone(),
        name: stated.name.clone(),
        value: stated.value.clone(),
        origin: "stated".into(),
    });
    let assumed = |of: &str, name: &str, value: String| ModelUsed {
        of: of.into(),
        name: name.into(),
        value,
        origin: "assumed".into(),
    };
    let mut models: Vec<ModelUsed> = stated.collect();
    if scenario.host_models.iter().any(Option::is_none) {
        let of = "hosts without a model";
        models.push(assumed(of, "receive", "ideal: at once and for nothing".into()));
        models.push(assumed(of, "send_cost", HostModel::default().send_cost.to_string()));
    }
    if is_assumed {
        let delay = scenario.sim.direct_delay;
        models.push(assumed(
            "the network",
            "switch",
            format!("one without limits, {delay} from host to host"),
        ));
    }
    let cables = scenario.network.iter().flat_map(|network| &network.cables);
    if cables.into_iter().any(|cable| cable.offloads) {
        models.push(assumed("cables with offloads", "offloads", "none: every packet travels alone".into()));
    }
    models
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assumed_is_in_the_record() {
        let text = "incast = 1\nname = \"pair\"\n[[host]]\nname = \"x\"\n[[host]]\nname = \"y\"\n[[flow]]\n\
            name = \"f\"\nfrom = \"y\"\nto = \"x\"\ntransport = \"udp\"\nload = \"1kHz\"\nmessages = 10\n\
            [[model]]\nhosts = \"x\"\nreceive = \"napi\"\n";
        let Ok(scenario) = Scenario::parse(text) else { panic!("it is a scenario") };
        let mut run = Run::new(&scenario);
        while run.advance(run.now() + incast_core::time::Span::from_s(1)) {}
        let models = run.finish().simulation.models;
        let origin = |of: &str| models.iter().find(|model| model.of == of).map(|model| model.origin.as_str());
        assert_eq!(origin("x"), Some("stated"));
        assert_eq!(origin("hosts without a model"), Some("assumed"));
        assert_eq!(origin("the network"), Some("assumed"), "{models:?}");
    }
}
