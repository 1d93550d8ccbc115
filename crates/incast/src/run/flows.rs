//! The flows of a run, as its roles tell of them.

use std::collections::BTreeMap;
use std::time::Instant;

use incast_core::flood::assemble::FlowIdentity;
use incast_core::flood::report::{Measured as MeasuredSide, Sent};
use incast_core::record::Record;
use incast_core::scenario::Scenario;
use incast_core::sequence;
use incast_core::time::Span;
use incast_net::conversation::FlowOutcome;
use incast_net::live::LiveCounts;

use super::lines::Counts;
use crate::measured::Measured;

/// All flows, by name, in the order of the scenario.
pub(crate) struct Flows {
    flows: Vec<FlowState>,
    by_name: BTreeMap<String, usize>,
    started: Instant,
}

struct FlowState {
    outcome: FlowOutcome,
    /// Live counts of the sender's and of the receiver's side.
    at_sender: Counts,
    at_receiver: Counts,
    done: bool,
}

impl Flows {
    pub(crate) fn new(scenario: &Scenario, run_start_unix_ns: u64) -> Self {
        let flows: Vec<FlowState> = scenario
            .flows
            .iter()
            .map(|flow| FlowState {
                outcome: FlowOutcome {
                    identity: FlowIdentity {
                        // Loopback cuts nothing, and has no wire: Ethernet's is as good as another.
                        mtu_bytes: scenario.mtu_of(flow),
                        name: flow.name.clone(),
                        from: flow.from.clone(),
                        to: flow.to.clone(),
                        transport: flow.transport,
                        message_bytes: flow.message_bytes,
                        streams: flow.streams,
                        load: Some(flow.load),
                        interval: scenario.interval,
                        raw: flow.raw.clone(),
                        run_start_unix_ns: Some(run_start_unix_ns),
                    },
                    sent: None,
                    measured: None,
                    failure: None,
                    cpu_of_local_peer: None,
                },
                at_sender: Counts::default(),
                at_receiver: Counts::default(),
                done: false,
            })
            .collect();
        let by_name = flows
            .iter()
            .enumerate()
            .map(|(index, flow)| (flow.outcome.identity.name.clone(), index))
            .collect();
        Self { flows, by_name, started: Instant::now() }
    }

    /// How long the longest flow is meant to take; unknown if one ends by its count.
    pub(crate) fn expected_s(&self, scenario: &Scenario) -> Option<f64> {
        let ends: Option<Vec<Span>> =
            scenario.flows.iter().map(|flow| Some(flow.start_after + flow.stop.after?)).collect();
        ends?.into_iter().max().map(Span::as_s_f64)
    }

    /// One side's account of a flow. Each side knows its own best, and the other's as it was told.
    pub(crate) fn handle_done(
        &mut self,
        flow: &str,
        by_sender: bool,
        sent: Option<Box<Sent>>,
        measured: Option<Box<MeasuredSide>>,
        failure: Option<String>,
    ) {
        let Some(state) = self.by_name.get(flow).and_then(|index| self.flows.get_mut(*index)) else { return };
        let outcome = &mut state.outcome;
        state.done = true;
        if by_sender || outcome.sent.is_none() {
            outcome.sent = sent.map(|sent| *sent).or_else(|| outcome.sent.take());
        }
        if !by_sender || outcome.measured.is_none() {
            outcome.measured = measured.map(|measured| *measured).or_else(|| outcome.measured.take());
        }
        outcome.failure = outcome.failure.take().or(failure);
    }

    pub(crate) fn handle_progress(&mut self, by_sender: bool, flows: &[(String, Counts)]) {
        for (name, counts) in flows {
            if let Some(state) = self.by_name.get(name).and_then(|index| self.flows.get_mut(*index)) {
                *(if by_sender { &mut state.at_sender } else { &mut state.at_receiver }) = *counts;
            }
        }
    }

    /// Flows running and done, their counts, and bytes delivered.
    pub(crate) fn live(&self) -> (usize, usize, LiveCounts, u64) {
        let done = self.flows.iter().filter(|flow| flow.done).count();
        let (mut counts, mut bytes) = (LiveCounts::default(), 0);
        for flow in &self.flows {
            counts.sent += flow.at_sender.sent;
            counts.received += flow.at_receiver.received;
            counts.unique += flow.at_receiver.unique;
            counts.lost += flow.at_receiver.lost;
            bytes += flow.at_receiver.unique * u64::from(flow.outcome.identity.message_bytes);
        }
        (self.flows.len() - done, done, counts, bytes)
    }

    /// What became of every flow. A flow without any account failed before it began.
    pub(crate) fn outcomes(&self) -> Vec<FlowOutcome> {
        self.flows
            .iter()
            .map(|flow| {
                let mut outcome = flow.outcome.clone();
                if outcome.sent.is_none() || outcome.measured.is_none() {
                    outcome.failure =
                        outcome.failure.take().or_else(|| Some("one side never gave its account".into()));
                }
                outcome
            })
            .collect()
    }

    /// A record of what is known so far, for the case that nothing more ever is.
    ///
    /// Messages under way are neither received nor lost, so nothing is unexplained yet.
    pub(crate) fn partial_record(&self, base: Measured) -> Record {
        let elapsed_ns = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let outcomes = self.flows.iter().map(|flow| partial(flow, elapsed_ns)).collect();
        let mut record = Measured { outcomes, interrupted: true, ..base }.record();
        for flow in &mut record.flows {
            flow.messages.unexplained = None;
            flow.complete = false;
        }
        record.totals.messages.unexplained = None;
        record.caveats.retain(|caveat| caveat.kind == incast_core::caveat::CaveatKind::Interrupted);
        record
    }
}

/// The counts of a flow that is under way, or its accounts if they are known.
fn partial(flow: &FlowState, elapsed_ns: u64) -> FlowOutcome {
    if flow.done {
        return flow.outcome.clone();
    }
    let Counts { received, unique, duplicate, lost, .. } = flow.at_receiver;
    let stale = received.saturating_sub(unique).saturating_sub(duplicate);
    let counts = sequence::Counts {
        received: unique + duplicate + stale,
        unique,
        duplicate,
        stale,
        lost,
        ..Default::default()
    };
    FlowOutcome {
        sent: Some(Sent {
            stream_messages: vec![flow.at_sender.sent],
            duration_ns: elapsed_ns,
            ..Sent::default()
        }),
        measured: Some(MeasuredSide {
            counts,
            first_ns: Some(0),
            last_ns: Some(elapsed_ns),
            ..MeasuredSide::default()
        }),
        ..flow.outcome.clone()
    }
}
