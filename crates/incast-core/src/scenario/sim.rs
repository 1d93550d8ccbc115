//! The `[sim]` table: what the simulator is told that is of no host, switch or cable.

use super::model_sim::{Connections, SimPlan};
use super::reader::Reader;
use crate::time::Span;
use crate::units::SPAN_EXAMPLES;

/// Reads `[sim]`, if it is there.
pub(super) fn read(scenario: &mut Reader<'_, '_>) -> SimPlan {
    let default = SimPlan::default();
    let Some((table, header)) = scenario.table("sim") else { return default };
    let mut reader = Reader::open(table, "[sim]", header, KEYS, scenario.findings);
    let spans = [Span::ZERO, DELAY_MAX];
    let words = [("tcp", Connections::Tcp), ("plain", Connections::Plain)];
    SimPlan {
        connections: reader.word("connections", "kind of connection", &words).unwrap_or_default(),
        direct_delay: reader
            .quantity_within("direct_delay", SPAN_EXAMPLES, spans)
            .unwrap_or(default.direct_delay),
        timing_delay: reader.quantity_within("timing_delay", SPAN_EXAMPLES, spans),
        queues_shown: reader.small("queues_shown", 0..=QUEUES_SHOWN_MAX).unwrap_or(default.queues_shown),
    }
}

pub(super) const KEYS: &[&str] = &["connections", "direct_delay", "queues_shown", "timing_delay"];
/// Farther than any two computers of an experiment: the Moon is 1.3 s away.
const DELAY_MAX: Span = Span::from_s(1);
/// Most queues shown over time: a record of these has some tens of megabytes.
const QUEUES_SHOWN_MAX: u64 = 4_096;
