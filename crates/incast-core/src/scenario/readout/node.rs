//! The `[[node]]` tables: the farm, and what it runs.

use std::ops::Range;

use toml::de::DeTable;

use super::{Shared, algorithm, node_id, policy};
use crate::readout::role::NodeRolePlan;
use crate::readout::{BuilderId, Incarnation, Peer};
use crate::scenario::findings::Findings;
use crate::scenario::model_readout::{NodeShare, Placed};
use crate::scenario::reader::Reader;
use crate::time::Span;
use crate::units::SPAN_EXAMPLES;

/// Reads one `[[node]]`; gives the weight of each that it makes.
pub(super) fn read<'t>(
    table: &DeTable<'t>,
    header: Range<usize>,
    shared: &mut Shared<'_>,
    nodes: &mut Vec<Placed<NodeShare>>,
    findings: &mut Findings<'t>,
) -> Vec<u16> {
    let mut reader = Reader::open(table, "[[node]]", header, KEYS, findings);
    let peer = |index| Peer::Node(node_id(index));
    let members = shared.groups.members(&mut reader, ("node", nodes.len()), peer);
    let weight = reader.small("weight", 0..=1_000).unwrap_or(1);
    let spans = [Span::from_ms(20), Span::from_s(7_200)];
    let workers = reader.small("workers", 1..=256).unwrap_or(1);
    let slots = reader.small("slots", 1..=4_096).unwrap_or(workers + 1);
    // Both ends count: the node's lease is the longer one, or it would ask for what is on its way.
    let lease = reader.quantity_within("lease", SPAN_EXAMPLES, spans).unwrap_or(Span(2 * policy::LEASE.0));
    let algorithm = algorithm::read(&mut reader, &shared.streams);
    let weights = members.iter().map(|_| weight).collect();
    for member in members {
        let role = NodeRolePlan {
            run: shared.run.clone(),
            node: node_id(member.index),
            incarnation: Incarnation(0),
            builder: BuilderId(0),
            gives_tokens: false,
            slots,
            lease,
            workers,
        };
        nodes.push(Placed {
            name: member.name,
            host: member.host,
            plan: NodeShare { role, algorithm: algorithm.clone() },
        });
    }
    weights
}

pub(in crate::scenario) const KEYS: &[&str] = &[
    "accept",
    "copies",
    "count",
    "environment",
    "fuel",
    "host",
    "lease",
    "memory",
    "module",
    "name",
    "on_failure",
    "passing",
    "program",
    "shape",
    "size_least",
    "size_most",
    "slots",
    "spread_of_time",
    "start_time_out",
    "streams",
    "time",
    "time_max",
    "time_out",
    "weight",
    "workers",
];
