//! A whole scenario from the first packet to the last, and what it came to.
//!
//! ```text
//!  Run::new(&scenario) -> advance(until) ... -> finish() -> Simulated -> the record
//! ```
//! It makes the network, the hosts and the flows or roles of a scenario, and lets time pass. Whoever calls it looks
//! at the clock on the wall.

mod faults;

use incast_core::caveat::Caveat;
use incast_core::record::{Ledger, ModelUsed, Network, Readout, Simulation};
use incast_core::scenario::Scenario;
use incast_core::time::Time;

use crate::fabric::{AnyFabric, Fabric as _};
use crate::report::{self, Seen};
use crate::stack::topology::Topology;
use crate::stack::{Stack, StackPlan};
use crate::world::flows::{FlowResult, FlowWorld};
use faults::CableFaults;

/// A scenario that is being simulated.
#[derive(Debug)]
pub struct Run<'s> {
    scenario: &'s Scenario,
    flows: FlowWorld<AnyFabric>,
    faults: CableFaults,
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
        Self { scenario, flows: FlowWorld::new(scenario, stack), faults }
    }

    /// Virtual time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.flows.now()
    }

    /// Lets happen what happens until `until`; says whether anything is left.
    pub fn advance(&mut self, until: Time) -> bool {
        while let Some((at, link, fault)) = self.faults.next_before(until) {
            if !self.flows.advance(at) {
                return false;
            }
            self.flows.stack_mut().handle_fault(at, link, fault);
        }
        self.flows.advance(until)
    }

    /// Closes all accounts.
    #[must_use]
    pub fn finish(self) -> Simulated {
        let scenario = self.scenario;
        let (flows, stack, now) = self.flows.finish();
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
        });
        let ledger =
            report::ledger(&flows, &deaths, stack.counts(), copies, &plan.topology.fabric, &plan.names);
        let network = report::network(scenario, &plan.topology, &queues);
        Simulated {
            flows,
            simulation: Simulation { models: models(scenario), ..simulation },
            ledger: Some(ledger),
            network,
            ..Simulated::default()
        }
    }
}

/// What the models were told, for the record.
fn models(scenario: &Scenario) -> Vec<ModelUsed> {
    let stated = scenario.stated_models.iter().map(|stated| ModelUsed {
        of: stated.of.clone(),
        name: stated.name.clone(),
        value: stated.value.clone(),
        origin: "stated".into(),
    });
    stated.collect()
}
