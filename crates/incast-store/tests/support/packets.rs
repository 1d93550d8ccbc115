//! Built packets for tests: generated, replayed, incomplete, made by the real builder.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::path::Path;

use incast_core::mdf::{ChecksumKind, Record, deal, generated_banks};
use incast_core::readout::{
    BuilderPlan, Built, EventBuilder, EventNumber, Fragment, Level, RunNumber, SinkId, SourceId, Verdict,
};
use incast_core::time::Time;
use incast_core::wire::content::Content;
use incast_core::wire::packed;
use incast_store::StorePlan;

pub(crate) const RUN: RunNumber = RunNumber(7);

/// A verdict for these streams.
pub(crate) const fn accept(streams: u32) -> Verdict {
    Verdict::Accept { streams }
}

/// A plan without check sums of records, with these streams.
pub(crate) fn plan(streams: &[&str]) -> StorePlan {
    StorePlan {
        streams: streams.iter().map(|name| (*name).to_owned()).collect(),
        checksum: ChecksumKind::None,
        ..StorePlan::new(RUN, SinkId(3))
    }
}

/// Builds the packet of payloads, one for each source from 0 on; those that are `None` are missing.
pub(crate) fn build(event: u64, events: u16, payloads: Vec<Option<Vec<u8>>>) -> Built<Vec<u8>> {
    let count = u16::try_from(payloads.len()).expect("some sources");
    let sources = (0..count).map(SourceId).collect();
    let plan = BuilderPlan { packing_events: events, ..BuilderPlan::new(RUN, sources) };
    let mut builder = EventBuilder::new(BuilderPlan { first: EventNumber(event), ..plan });
    builder.handle_assignment(Time::ZERO, RUN, EventNumber(event), events);
    for (source, payload) in (0..count).zip(payloads) {
        let Some(payload) = payload else { continue };
        let event = EventNumber(event);
        builder.handle_fragment(
            Time::ZERO,
            Fragment { run: RUN, event, events, source: SourceId(source), payload },
        );
    }
    builder.handle_end(Time::ZERO);
    builder.poll_built().expect("it is built or given up")
}

/// The generated fragment of a source.
pub(crate) fn fragment(event: u64, source: u16, bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let content = Content::new(RUN.0, source, event);
    generated_banks(content, SourceId(source), Level::First, bytes, &mut out);
    out
}

/// A generated event of `sources` sources with `bytes` bytes of content each.
pub(crate) fn generated(event: u64, sources: u16, bytes: usize) -> Built<Vec<u8>> {
    build(event, 1, (0..sources).map(|source| Some(fragment(event, source, bytes))).collect())
}

/// The same, without the last source.
pub(crate) fn incomplete(event: u64, sources: u16, bytes: usize) -> Built<Vec<u8>> {
    let payload = |source| (source + 1 < sources).then(|| fragment(event, source, bytes));
    build(event, 1, (0..sources).map(payload).collect())
}

/// A generated packet of several events.
pub(crate) fn packet(event: u64, events: u16, sources: u16, bytes: usize) -> Built<Vec<u8>> {
    let payload = |source| {
        let mut out = Vec::new();
        for number in event..event + u64::from(events) {
            packed::push(&fragment(number, source, bytes), &mut out).expect("it fits");
        }
        Some(out)
    };
    build(event, events, (0..sources).map(payload).collect())
}

/// A record that is replayed as `event`, dealt out to `sources` sources.
pub(crate) fn replayed(event: u64, record: &[u8], sources: usize) -> Built<Vec<u8>> {
    let mut fragments = vec![Vec::new(); sources];
    deal(&Record::parse(record).expect("a record"), &mut fragments).expect("of banks");
    build(event, 1, fragments.into_iter().map(Some).collect())
}

/// The names and bytes of the files in `dir`, without the lock.
pub(crate) fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let name = |entry: &std::fs::DirEntry| entry.file_name().into_string().expect("plain names");
    let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
    let mut files: Vec<_> = entries
        .map(|entry| (name(&entry), std::fs::read(entry.path()).expect("it can be read")))
        .filter(|(name, _)| !name.starts_with('.'))
        .collect();
    files.sort();
    files
}

/// Whether these are the events.
pub(crate) fn numbers(events: &incast_core::readout::EventSet) -> Vec<u64> {
    events.iter().map(|event| event.0).collect()
}
