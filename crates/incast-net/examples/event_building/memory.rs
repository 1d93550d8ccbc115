//! What an open event costs a builder beside its payloads: as the plan says, and as the kernel counts it.

use incast_core::readout::{
    BuilderPlan, EventBuilder, EventNumber, Fragment, RunNumber, SourceId, SourceSet,
};
use incast_core::time::Time;
use incast_net::readout::Data;

use super::Result;
use super::shape::memory;

/// Enough that pages of the kernel do not matter.
const EVENTS: u32 = 1 << 16;

/// Opens many events of `sources` sources, of each of which the last fragment is missing.
pub(super) fn run(sources: u16) -> Result<String> {
    let mut plan = BuilderPlan::new(RunNumber(1), SourceSet::first(sources));
    (plan.open_events_max, plan.closed_events) = (EVENTS, 1);
    let stated = EventBuilder::<Data>::event_bytes_max(&plan);
    let payload = Data::from(vec![7; 16]);
    let before = memory("VmRSS")?;
    let mut builder = EventBuilder::new(plan);
    for event in (0..u64::from(EVENTS)).map(EventNumber) {
        for source in (1..sources).map(SourceId) {
            let payload = payload.clone();
            builder.handle_fragment(
                Time::ZERO,
                Fragment { run: RunNumber(1), event, events: 1, source, payload },
            );
        }
    }
    if builder.open_events() != u64::from(EVENTS) {
        return Err("all events are open".into());
    }
    let measured = memory("VmRSS")?.saturating_sub(before) / u64::from(EVENTS);
    Ok(format!("{{\"stated_bytes\": {stated}, \"measured_bytes\": {measured}}}"))
}
