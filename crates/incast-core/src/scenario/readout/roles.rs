//! The `[[source]]`, `[[builder]]` and `[[sink]]` tables.

use std::ops::Range;

use toml::de::DeTable;

use super::{Shared, policy, sink_id, size, source_id};
use crate::readout::role::{BuilderRolePlan, PolicyPlan, Protocol, SinkRolePlan, SourceRolePlan};
use crate::readout::{BuilderId, Incarnation, Peer};
use crate::scenario::findings::Findings;
use crate::scenario::model_readout::{FilesPlan, Placed, SinkShare};
use crate::scenario::reader::Reader;
use crate::time::Span;
use crate::units::{BYTES_EXAMPLES, Bytes, SPAN_EXAMPLES};

/// Reads one `[[source]]`.
pub(super) fn read_source<'t>(
    table: &DeTable<'t>,
    header: Range<usize>,
    shared: &mut Shared<'_>,
    sources: &mut Vec<Placed<SourceRolePlan>>,
    findings: &mut Findings<'t>,
) {
    let mut reader = Reader::open(table, "[[source]]", header, SOURCE_KEYS, findings);
    let peer = |index| Peer::Source(source_id(index));
    let members = shared.groups.members(&mut reader, ("source", sources.len()), peer);
    let sizes = [
        size::read(&mut reader, "fragment", FRAGMENT_BYTES),
        match reader.has("rest") {
            true => size::read(&mut reader, "rest", FRAGMENT_BYTES),
            false => crate::readout::role::SizePlan::Fixed { bytes: FRAGMENT_BYTES },
        },
    ];
    if reader.has("rest") && !shared.run.has_two_levels {
        reader.fault("rest", "`rest` is what the second level builds: say levels = 2 in [readout]");
    }
    let has = read_levels(&mut reader, shared.run.has_two_levels);
    let offset = reader.quantity_within("send_offset", SPAN_EXAMPLES, [Span::ZERO, Span::from_s(1)]);
    let queue = reader.quantity_within("queue", BYTES_EXAMPLES, BUFFERS);
    for member in members {
        let place = u64::from(member.index);
        for (without, has) in shared.run.without.iter_mut().zip(has) {
            without.extend((!has).then_some(source_id(member.index)));
        }
        let plan = SourceRolePlan {
            run: shared.run.clone(),
            source: source_id(member.index),
            sizes,
            // The first sends at once, the next so much later, and so on.
            send_offset: Span(offset.unwrap_or_default().0.saturating_mul(place)),
            queue_bytes_max: queue.map_or(QUEUE_BYTES, |queue| queue.0),
        };
        sources.push(Placed { name: member.name, host: member.host, plan });
    }
}

/// Whether it has fragments of the first level, and of the second.
fn read_levels(reader: &mut Reader<'_, '_>, has_two_levels: bool) -> [bool; 2] {
    let words = [("both", [true, true]), ("first", [true, false]), ("second", [false, true])];
    let has = reader.word("levels", "levels", &words).unwrap_or([true, true]);
    if reader.has("levels") && !has_two_levels {
        reader.fault("levels", "`levels` of a source goes with levels = 2 in [readout]");
    }
    for (key, of, has) in [("fragment", "first", has[0]), ("rest", "second", has[1])] {
        if reader.has(key) && !has {
            reader.fault(key, format!("`{key}` is of the {of} level, and these sources have none of it"));
        }
    }
    has
}

/// Reads one `[[builder]]`; gives the weight of each that it makes.
pub(super) fn read_builder<'t>(
    table: &DeTable<'t>,
    header: Range<usize>,
    shared: &mut Shared<'_>,
    builders: &mut Vec<Placed<BuilderRolePlan>>,
    findings: &mut Findings<'t>,
) -> Vec<u16> {
    let mut reader = Reader::open(table, "[[builder]]", header, BUILDER_KEYS, findings);
    let peer = |index| Peer::Builder(BuilderId(index));
    let members = shared.groups.members(&mut reader, ("builder", builders.len()), peer);
    let mut policy = policy::read(&mut reader);
    if shared.run.protocol == Protocol::Pull {
        if reader.has("policy") && !matches!(policy, PolicyPlan::Tokens { .. }) {
            reader.fault("policy", "with protocol = \"pull\" nodes ask for events: the policy is \"tokens\"");
        }
        if !matches!(policy, PolicyPlan::Tokens { .. }) {
            policy = PolicyPlan::Tokens { lease: policy::LEASE };
        }
    }
    let spans = [Span::from_ms(10), Span::from_s(3600)];
    let mut bytes = |key, default| {
        reader.quantity_within(key, BYTES_EXAMPLES, BUFFERS).map_or(default, |bytes: Bytes| bytes.0)
    };
    let (open_bytes_max, held_bytes_max) = (bytes("open_bytes", OPEN_BYTES), bytes("held_bytes", OPEN_BYTES));
    let fragment_bytes_max = u32::try_from(bytes("fragment_max", 64 << 20)).unwrap_or(64 << 20).min(64 << 20);
    let keep = reader.word("undecided", "answer", &[("accept", true), ("reject", false)]).unwrap_or(true);
    let node_lease = reader.quantity_within("node_lease", SPAN_EXAMPLES, spans).unwrap_or(policy::LEASE);
    let weight = reader.small("weight", 0..=1_000).unwrap_or(1);
    let pattern = BuilderRolePlan {
        run: shared.run.clone(),
        builder: BuilderId(0),
        incarnation: Incarnation(0),
        // Known when the trigger's policy is.
        gives_tokens: false,
        token_lease: Span::ZERO,
        slots: reader.small("slots", 1..=4_096).unwrap_or(64),
        event_timeout: shared.event_timeout,
        fragment_bytes_max,
        open_events_max: reader.small("open_events", 1..=1 << 20).unwrap_or(EVENTS),
        open_bytes_max,
        is_ordered: reader.flag("ordered").unwrap_or(false),
        policy,
        lease: node_lease,
        attempts_max: reader.small("attempts", 1..=100).unwrap_or(3),
        held_events_max: reader.small("held_events", 1..=1 << 20).unwrap_or(EVENTS),
        held_bytes_max,
        undecided_streams: u32::from(keep),
    };
    let weights = members.iter().map(|_| weight).collect();
    for member in members {
        let plan = BuilderRolePlan { builder: BuilderId(member.index), ..pattern.clone() };
        builders.push(Placed { name: member.name, host: member.host, plan });
    }
    weights
}

/// Reads one `[[sink]]`.
pub(super) fn read_sink<'t>(
    table: &DeTable<'t>,
    header: Range<usize>,
    shared: &mut Shared<'_>,
    sinks: &mut Vec<Placed<SinkShare>>,
    findings: &mut Findings<'t>,
) {
    let mut reader = Reader::open(table, "[[sink]]", header, SINK_KEYS, findings);
    let peer = |index| Peer::Sink(sink_id(index));
    let members = shared.groups.members(&mut reader, ("sink", sinks.len()), peer);
    let spans = [Span::from_ms(100), Span::from_s(86_400)];
    let buffer = reader
        .quantity_within("buffer", BYTES_EXAMPLES, BUFFERS)
        .map_or(BUFFER_BYTES, |bytes: Bytes| bytes.0);
    let lifetime = reader.quantity_within("lifetime", SPAN_EXAMPLES, spans).unwrap_or(policy::LEASE);
    let rolls = [Bytes(4 << 10), Bytes(1 << 40)];
    let files = FilesPlan {
        directory: reader.sentence("directory"),
        roll_bytes: reader.quantity_within("roll", BYTES_EXAMPLES, rolls).unwrap_or(Bytes(2 << 30)),
        roll_after: reader.quantity_within("roll_after", SPAN_EXAMPLES, spans),
        has_checksum: reader.flag("checksum").unwrap_or(true),
    };
    for member in members {
        let role = SinkRolePlan {
            run: shared.run.clone(),
            sink: sink_id(member.index),
            buffer_bytes_max: buffer,
            lifetime,
        };
        let plan = SinkShare { role, files: files.clone() };
        sinks.push(Placed { name: member.name, host: member.host, plan });
    }
}

pub(in crate::scenario) const SOURCE_KEYS: &[&str] = &[
    "count",
    "fragment",
    "fragment_max",
    "host",
    "levels",
    "name",
    "queue",
    "rest",
    "send_offset",
    "spread",
];
pub(in crate::scenario) const BUILDER_KEYS: &[&str] = &[
    "attempts",
    "count",
    "fragment_max",
    "held_bytes",
    "held_events",
    "host",
    "lease",
    "limit",
    "name",
    "node_lease",
    "open_bytes",
    "open_events",
    "ordered",
    "policy",
    "slots",
    "undecided",
    "weight",
];
pub(in crate::scenario) const SINK_KEYS: &[&str] =
    &["buffer", "checksum", "count", "directory", "host", "lifetime", "name", "roll", "roll_after"];
/// As in LHCb's first level: about a kilobyte of each source.
const FRAGMENT_BYTES: u32 = 1_024;
/// What a source holds back for a builder that is slow: a second at 1 Gbit/s would be 125 MB.
const QUEUE_BYTES: u64 = 64 << 20;
const OPEN_BYTES: u64 = 256 << 20;
const EVENTS: u32 = 1_024;
const BUFFER_BYTES: u64 = 64 << 20;
/// Bounds of every buffer that a scenario asks for.
const BUFFERS: [Bytes; 2] = [Bytes(1), Bytes(1 << 40)];
