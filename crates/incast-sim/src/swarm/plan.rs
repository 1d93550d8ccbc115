//! The readout of a storm: what every role of it is to do.

use std::collections::BTreeMap;

use incast_core::load::{Load, Spacing};
use incast_core::readout::algorithm::{AlgorithmKind, AlgorithmPlan, BuiltinPlan, Fraction, TimePlan};
use incast_core::readout::role::{
    BuilderRolePlan, NodeRolePlan, PolicyPlan, Protocol, RunPlan, SinkRolePlan, SizePlan, SourceRolePlan,
    TriggerRolePlan,
};
use incast_core::readout::{BuilderId, EventNumber, Incarnation, NodeId, Peer, RunNumber, SinkId, SourceId};
use incast_core::scenario::{FilesPlan, NodeShare, Placed, ReadoutPlan, SimPlan, SinkShare};
use incast_core::time::Span;
use incast_core::units::Bytes;

use super::storm::{BUILDER_STEP, SOURCE_STEP, Sizes};
use super::{Storm, us};
use crate::courier::HostIndex;
use crate::world::readout::{DiskPlan, ReadoutSetup};

/// Lease of an event at a node, and of a token: some ends while an event is worked on, if nodes are slow.
const LEASE: Span = Span::from_ms(25);
/// The same where nothing is to go wrong.
const LEASE_FAIR: Span = Span::from_s(10);

impl Storm {
    /// Number of the first event.
    pub(super) const FIRST: EventNumber = EventNumber(1_000);

    /// The readout.
    #[must_use]
    pub fn plan(&self) -> ReadoutPlan {
        let run = self.run();
        ReadoutPlan {
            carrier: self.carrier,
            replay: None,
            streams: vec!["events".into()],
            duration: self.duration,
            // Longer than whoever hangs is waited for, and whatever is asked for again.
            drain: Span::from_s(120),
            restarts: 1_000,
            trigger: placed("trigger", 0, self.trigger(&run)),
            sources: run.sources.iter().map(|id| placed("source", id.0, self.source(&run, *id))).collect(),
            builders: run
                .builders
                .iter()
                .map(|id| placed("builder", id.0, self.builder(&run, *id)))
                .collect(),
            nodes: run.nodes.iter().map(|node| placed("node", node.0.0, self.node(&run, *node))).collect(),
            sinks: run.sinks.iter().map(|id| placed("sink", id.0, self.sink(&run, *id))).collect(),
            faults: Vec::new(),
            run,
        }
    }

    /// What the simulator is told.
    #[must_use]
    pub fn sim(&self) -> SimPlan {
        SimPlan { timing_delay: self.timing_delay, direct_delay: us(20), ..SimPlan::default() }
    }

    /// The whole setup, with everything checked after every step.
    pub(super) fn setup<'a>(
        &self,
        plan: &'a ReadoutPlan,
        places: &'a BTreeMap<Peer, HostIndex>,
        sim: &'a SimPlan,
    ) -> ReadoutSetup<'a> {
        ReadoutSetup {
            interval: Span::from_s(10),
            disk: DiskPlan { bytes_per_s: self.disk_bytes_per_s, commit: self.commit },
            is_watched: true,
            // Until everybody has returned: what was given up for lost may be on a disk.
            // Ends as soon as everybody has returned and has nothing left to do.
            settles: Span::from_s(60),
            words_within: self.words_within,
            ..ReadoutSetup::new(plan, self.seed, places, sim)
        }
    }

    /// The algorithm of every node.
    pub(super) fn algorithm(&self) -> BuiltinPlan {
        let mean = self.busy;
        BuiltinPlan {
            accept: Fraction::from_f64(f64::from(self.accept_percent) / 100.0).unwrap_or_default(),
            time: if self.is_busy_uneven {
                TimePlan::Exponential { mean, most: Span(10 * mean.0) }
            } else {
                TimePlan::Fixed { time: mean }
            },
            ..BuiltinPlan::default()
        }
    }

    fn run(&self) -> RunPlan {
        let builder = |index: u16| BuilderId(index % self.builders * BUILDER_STEP);
        RunPlan {
            run: RunNumber(0),
            seed: self.seed,
            first: Self::FIRST,
            packing_events: self.packing,
            has_two_levels: self.has_two_levels,
            protocol: if self.is_pull { Protocol::Pull } else { Protocol::Push },
            sources: (0..self.sources).map(|id| SourceId(id * SOURCE_STEP)).collect(),
            without: self.without(),
            builders: (0..self.builders).map(builder).collect(),
            nodes: (0..self.builders * self.nodes_of_builder).map(|id| (NodeId(id), builder(id))).collect(),
            sinks: (0..self.sinks).map(SinkId).collect(),
        }
    }

    /// With two levels and several sources, the first has nothing for the first level, and the last none for
    /// the second.
    fn without(&self) -> [Vec<SourceId>; 2] {
        if !self.has_two_levels || self.sources < 3 {
            return Default::default();
        }
        [vec![SourceId(0)], vec![SourceId((self.sources - 1) * SOURCE_STEP)]]
    }

    const fn lease(&self) -> Span {
        // Slow nodes lose events to others only where that may be.
        if self.troubles.is_empty() && self.loss_percent == 0 { LEASE_FAIR } else { LEASE }
    }

    fn policy(&self, kind: u8, members: u16) -> PolicyPlan {
        match kind {
            0 => PolicyPlan::RoundRobin,
            1 => PolicyPlan::Tokens { lease: self.lease() },
            2 => PolicyPlan::LeastLoaded { limit: 8 },
            3 => PolicyPlan::Calendar { weights: (0..members).map(|member| 1 + member % 3).collect() },
            _ => PolicyPlan::LinearShift,
        }
    }

    fn trigger(&self, run: &RunPlan) -> TriggerRolePlan {
        TriggerRolePlan {
            run: run.clone(),
            load: if self.gap == Span::ZERO { Load::Unlimited } else { Load::Gap(self.gap) },
            spacing: match self.spacing {
                0 => Spacing::Fixed,
                1 => Spacing::Poisson,
                _ => Spacing::Burst(4),
            },
            events_max: Some(self.events),
            policy: self.policy(self.builder_policy, self.builders),
            decision_timeout: Span::from_s(3),
            grace: Span::from_ms(1 + self.seed % 200),
        }
    }

    fn source(&self, run: &RunPlan, source: SourceId) -> SourceRolePlan {
        let size = match self.sizes {
            Sizes::Same(bytes) => SizePlan::Fixed { bytes },
            Sizes::Uniform(most) => SizePlan::Uniform { least: 0, most },
            Sizes::LogNormal(median) => SizePlan::LogNormal { median, sigma_milli: 700, most: 5 * median },
        };
        SourceRolePlan {
            run: run.clone(),
            source,
            sizes: [size, SizePlan::Uniform { least: 0, most: 900 }],
            send_offset: us(u64::from(source.0) * 10),
            queue_bytes_max: if self.has_small_bounds { 60_000 } else { 64 << 20 },
        }
    }

    fn builder(&self, run: &RunPlan, builder: BuilderId) -> BuilderRolePlan {
        let is_small = self.has_small_bounds;
        let bytes = |small: u64| if is_small { small } else { 256 << 20 };
        BuilderRolePlan {
            run: run.clone(),
            builder,
            incarnation: Incarnation(0),
            gives_tokens: self.builder_policy == 1,
            slots: 4,
            token_lease: Span(2 * self.lease().0 + 1),
            event_timeout: if self.is_fair() { Span::from_s(1) } else { Span::from_ms(20) },
            fragment_bytes_max: 1 << 20,
            open_events_max: if is_small { 8 } else { 1_024 },
            open_bytes_max: bytes(150_000),
            is_ordered: self.is_ordered,
            policy: self.policy(self.node_policy, self.nodes_of_builder),
            lease: self.lease(),
            attempts_max: 3,
            held_events_max: if is_small { 8 } else { 1_024 },
            held_bytes_max: bytes(100_000),
            undecided_streams: u32::from(self.seed.is_multiple_of(2)),
        }
    }

    fn node(&self, run: &RunPlan, (node, builder): (NodeId, BuilderId)) -> NodeShare {
        let role = NodeRolePlan {
            run: run.clone(),
            node,
            incarnation: Incarnation(0),
            builder,
            gives_tokens: self.node_policy == 1,
            slots: self.slots,
            lease: Span(2 * self.lease().0 + 1),
            workers: self.slots,
        };
        let kind = AlgorithmKind::Builtin(self.algorithm());
        NodeShare { role, algorithm: AlgorithmPlan { kind, ..AlgorithmPlan::default() } }
    }

    fn sink(&self, run: &RunPlan, sink: SinkId) -> SinkShare {
        let role = SinkRolePlan {
            run: run.clone(),
            sink,
            buffer_bytes_max: if self.has_small_bounds { 30_000 } else { 256 << 20 },
            lifetime: if self.is_fair() { Span::from_s(10) } else { Span::from_ms(200) },
        };
        let files =
            FilesPlan { directory: None, roll_bytes: Bytes(1 << 30), roll_after: None, has_checksum: false };
        SinkShare { role, files }
    }
}

fn placed<T>(kind: &str, id: u16, plan: T) -> Placed<T> {
    Placed { name: format!("{kind}-{id}"), host: None, plan }
}
