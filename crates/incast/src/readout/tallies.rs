//! Counts of a role's sockets, by names that a record and a person understand.

use std::collections::BTreeMap;

use incast_core::record::NamedCount;
use incast_net::readout::MeshCounts;

/// What crossed, and what should not have come; nothing that never happened.
pub(super) fn of_mesh(counts: &MeshCounts) -> (Vec<NamedCount>, Vec<NamedCount>) {
    let total = |kinds: &BTreeMap<String, u64>| kinds.values().sum::<u64>();
    let crossed = [
        ("messages sent", total(&counts.sent)),
        ("messages received", total(&counts.received)),
        ("stream_sent_bytes", counts.stream_bytes.sent),
        ("stream_received_bytes", counts.stream_bytes.received),
        ("datagrams sent", counts.datagrams.sent),
        ("datagrams received", counts.datagrams.received),
        ("requests for packets", counts.mep_requests.requests),
        ("requests that take back earlier ones", counts.mep_requests.clears),
        ("packets asked for and taken back before", counts.mep_requests.void),
        ("connections", counts.connections),
        ("segments joined", counts.segments.joined),
    ];
    let refused = &counts.refused_connections;
    let doubtful = [
        ("messages dropped at a full queue", counts.queue_full),
        ("messages to peers that were down", counts.peer_down),
        ("datagrams of strangers", counts.stranger_datagrams),
        ("datagrams dropped at a full socket", counts.socket_drops),
        ("datagrams that nothing took", counts.datagrams_unsent),
        ("requests for packets of another run", counts.mep_requests.of_another_run),
        ("requests for packets of another life", counts.mep_requests.of_another_life),
        ("fragments given up for missing segments", counts.segments.given_up_fragments),
        ("segments that their source calls damaged", counts.segments.damaged),
        ("connections with a wrong key", refused.wrong_keys),
        ("connections that spoke something else", refused.rubbish),
        ("connections that said nothing", refused.silent),
        ("connections that ended in the greeting", refused.truncated),
        ("connections of another version", refused.other_versions),
        ("connections of another run", refused.other_runs),
        ("connections of strangers", refused.strangers),
    ];
    let mut faults = named(doubtful);
    for (what, kinds) in [("refused", &counts.refused), ("could not be said", &counts.unsendable)] {
        faults.extend(kinds.iter().map(|(kind, count)| one(&format!("messages {what}: {kind}"), *count)));
    }
    (named(crossed), faults)
}

fn named<const N: usize>(counts: [(&str, u64); N]) -> Vec<NamedCount> {
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| one(name, count)).collect()
}

/// A count with its name.
pub(super) fn one(name: &str, count: u64) -> NamedCount {
    NamedCount { name: name.into(), count }
}
