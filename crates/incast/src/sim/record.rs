//! What was simulated, made into a record. Nothing of this machine and no wall-clock time is in it.

use incast_core::answers;
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::flood::{assemble, totals};
use incast_core::record::{Flow, Record, SCHEMA, ScenarioSummary, Verdict};
use incast_core::scenario::Scenario;
use incast_sim::simulate::Simulated;

use crate::measured::{build, judge_again};

/// The record of a run.
pub(super) fn of(
    scenario: &Scenario,
    variant: Option<String>,
    simulated: Simulated,
    is_stopped: bool,
) -> Record {
    let mut caveats = simulated.caveats;
    let mut flows: Vec<Flow> = Vec::new();
    for result in &simulated.flows {
        let flow = assemble::flow(&result.identity, Some(&result.sent), Some(&result.measured));
        caveats.extend(assemble::caveats(&flow, Some(&result.sent), Some(&result.measured)));
        flows.push(flow);
    }
    // Virtual time has no slow start of a process: a short run is as good as its number of messages.
    caveats.retain(|caveat| caveat.kind != CaveatKind::RunTooShort);
    let totals = totals::totals(&flows, None, None);
    caveats.extend(totals::caveats(&totals));
    if is_stopped {
        caveats.push(Caveat::new(
            CaveatKind::Interrupted,
            "the simulation was ended early",
            "run it again, and let it come to its end",
        ));
    }
    caveats.sort();
    caveats.dedup();
    let mut record = Record {
        schema: SCHEMA.into(),
        incast: build(),
        world: "sim".into(),
        scenario: ScenarioSummary {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            variant,
            seed: scenario.seed,
            text: Some(scenario.text.clone()),
            command: None,
        },
        flows,
        totals,
        network: simulated.network,
        ledger: simulated.ledger,
        readout: simulated.readout,
        simulation: Some(simulated.simulation),
        caveats,
        verdict: if is_stopped { Verdict::Interrupted } else { Verdict::Good },
        ..Record::default()
    };
    record.answers = scenario.asks.iter().map(|ask| answers::answer(ask, &record)).collect();
    judge_again(&mut record, &scenario.expectations, is_stopped);
    record
}
