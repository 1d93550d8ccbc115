//! How long messages take, and what takes it: sending, travelling, queueing, receiving.
//!
//! Sending is what their bits take onto every wire of the way, travelling what a bit takes along them and through
//! switches: both are known beforehand. What is left of the way is queueing. Receiving is from the last bit to the
//! application.

use incast_core::record::DelayPart;
use incast_core::stats::LogHistogram;
use incast_core::time::{Span, Time};

use super::topology::Topology;
use crate::fabric::End;
use crate::packet::NicId;
use crate::report::distribution;

/// Delays of the messages of one kind.
#[derive(Clone, Debug)]
pub(super) struct Delays {
    of: String,
    parts: [LogHistogram; 5],
}

/// Names of the parts in the record.
const PARTS: [&str; 5] = ["whole", "sending", "travelling", "queueing", "receiving"];

/// When a message was where.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stations {
    pub(super) sent: Time,
    pub(super) arrived: Time,
    pub(super) read: Time,
}

impl Delays {
    pub(super) fn new(of: &str) -> Self {
        Self { of: of.into(), parts: std::array::from_fn(|_| LogHistogram::new()) }
    }

    pub(super) fn name(&self) -> &str {
        &self.of
    }

    /// A datagram came; `unloaded` is what its way takes without others.
    pub(super) fn record(&mut self, at: Stations, [sending, travelling]: [Span; 2]) {
        let way = at.arrived.since(at.sent);
        let queueing = way.0.saturating_sub(sending.0).saturating_sub(travelling.0);
        let parts = [at.read.since(at.sent), sending, travelling, Span(queueing), at.read.since(at.arrived)];
        for (histogram, part) in self.parts.iter_mut().zip(parts) {
            histogram.record(part.as_ns());
        }
    }

    /// A message came of which only the whole is known.
    pub(super) fn record_whole(&mut self, whole: Span) {
        self.parts[0].record(whole.as_ns());
    }

    pub(super) fn to_record(&self) -> impl Iterator<Item = DelayPart> {
        PARTS.iter().zip(&self.parts).filter_map(|(part, histogram)| {
            let us = distribution(part, histogram)?;
            Some(DelayPart { of: self.of.clone(), part: (*part).into(), us })
        })
    }
}

/// What the way between two interfaces takes without others: onto wires, and along them. `packets` are the bytes
/// on the wire of the first packets together, and of the last.
pub(super) fn unloaded(topology: &Topology, [from, to]: [NicId; 2], packets: [u32; 2]) -> [Span; 2] {
    let plan = &topology.fabric;
    let (mut sending, mut travelling) = (0, 0);
    let mut link = plan.nics.get(from.0 as usize).copied();
    let mut bytes = u64::from(packets[0]) + u64::from(packets[1]);
    while let Some(at) = link {
        let spec = &plan.links[at.0 as usize];
        sending += spec.byte_time.span(bytes).0;
        travelling += spec.travel.0 + spec.path.map_or(0, |path| path.delay.0);
        // On every later wire only the last packet is still to be sent.
        bytes = u64::from(packets[1]);
        link = match spec.to {
            End::Nic(_) => None,
            End::Switch(switch) => {
                let switch = &plan.switches[switch.0 as usize];
                travelling += switch.model.latency.0;
                switch.routes.get(to.0 as usize).copied().flatten()
            }
        };
    }
    [Span(sending), Span(travelling)]
}
