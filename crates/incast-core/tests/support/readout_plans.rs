//! What each role of a small readout is to do, and how bad a run is: all from a seed.

use incast_core::load::{Load, Spacing};
use incast_core::random::Random;
use incast_core::readout::role::{
    BuilderRolePlan, NodeRolePlan, PolicyPlan, Protocol, RunPlan, SinkRolePlan, SizePlan, SourceRolePlan,
    TriggerRolePlan,
};
use incast_core::readout::{BuilderId, EventNumber, Incarnation, NodeId, Peer, RunNumber, SinkId, SourceId};
use incast_core::time::Span;

/// How bad a run is. Probabilities are in percent.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// Of fragments.
    pub(crate) loss: u64,
    pub(crate) copy: u64,
    /// Longest way of a message, in microseconds.
    pub(crate) delay_us: u64,
    /// Messages that are followed by an invented one.
    pub(crate) nonsense: u64,
    /// Events that a node takes longer over than the lease.
    pub(crate) hang: u64,
    /// Usual time of a node.
    pub(crate) busy_us: u64,
    pub(crate) write_us: u64,
    /// Roles that die.
    pub(crate) deaths: u64,
    pub(crate) away_ms: u64,
    pub(crate) full_disks: u64,
    /// Whether another node, or the same again, decides otherwise.
    pub(crate) is_fickle: bool,
}

impl Weather {
    /// A third of the runs are fair in each respect.
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut below = |bound: u64| random.next_u64() % bound;
        let mut sometimes = |most: u64| if below(3) == 0 { 0 } else { below(most) };
        Self {
            loss: sometimes(15),
            copy: sometimes(15),
            delay_us: if sometimes(4) == 1 { sometimes(60_000) } else { sometimes(3_000) },
            nonsense: sometimes(5),
            hang: sometimes(8),
            busy_us: 1 + sometimes(5_000),
            write_us: 1 + sometimes(8_000),
            deaths: sometimes(8),
            away_ms: 1 + sometimes(400),
            full_disks: sometimes(3),
            is_fickle: sometimes(2) == 1,
        }
    }

    /// Nothing goes wrong.
    pub(crate) fn fair() -> Self {
        Self {
            loss: 0,
            copy: 0,
            delay_us: 500,
            nonsense: 0,
            hang: 0,
            busy_us: 1_000,
            write_us: 1_000,
            deaths: 0,
            away_ms: 1,
            full_disks: 0,
            is_fickle: false,
        }
    }
}

/// All plans of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plans {
    pub(crate) run: RunPlan,
    pub(crate) trigger: TriggerRolePlan,
    source: SourceRolePlan,
    builder: BuilderRolePlan,
    node: NodeRolePlan,
    sink: SinkRolePlan,
}

/// Lease of an event at a node.
const LEASE: Span = Span::from_ms(25);

impl Plans {
    pub(crate) fn new(seed: u64, random: &mut Random) -> Self {
        let mut below = |bound: u64| random.next_u64() % bound;
        let sizes = [
            SizePlan::Fixed { bytes: 500 },
            SizePlan::Uniform { least: 0, most: 900 },
            SizePlan::LogNormal { median: 200, sigma_milli: 700, most: 1_000 },
        ];
        let run = Self::run(seed, &mut below);
        let policy = |kind: u64| match kind {
            0 => PolicyPlan::RoundRobin,
            1 => PolicyPlan::Tokens { lease: LEASE },
            2 => PolicyPlan::LeastLoaded { limit: 8 },
            3 => PolicyPlan::Calendar { weights: vec![1, 3, 2] },
            _ => PolicyPlan::LinearShift,
        };
        let (builders, nodes) = (policy(below(5)), policy(below(5)));
        let gap = Span::from_us(200 + below(2_000));
        let spacing = ["fixed", "poisson", "burst:4"][usize::try_from(below(3)).unwrap()];
        let trigger = TriggerRolePlan {
            run: run.clone(),
            load: Load::Gap(gap),
            spacing: spacing.parse::<Spacing>().unwrap(),
            events_max: (below(4) > 0).then(|| 10 + below(60)),
            policy: builders.clone(),
            decision_timeout: Span::from_ms(if below(4) == 0 { 30 } else { 3_000 }),
            grace: Span::from_ms(1 + below(200)),
        };
        let source = SourceRolePlan {
            run: run.clone(),
            source: SourceId(0),
            sizes: [sizes[usize::try_from(below(3)).unwrap()], sizes[usize::try_from(below(3)).unwrap()]],
            send_offset: Span::from_us(below(2) * 300),
            queue_bytes_max: 20_000,
        };
        let builder = BuilderRolePlan {
            run: run.clone(),
            builder: BuilderId(0),
            incarnation: Incarnation(0),
            gives_tokens: matches!(builders, PolicyPlan::Tokens { .. }),
            slots: 4,
            token_lease: Span::from_ms(60),
            event_timeout: Span::from_ms(20),
            fragment_bytes_max: 8_000,
            open_events_max: 8,
            open_bytes_max: 50_000,
            is_ordered: below(4) == 0,
            policy: nodes.clone(),
            lease: LEASE,
            attempts_max: 3,
            held_events_max: 8,
            held_bytes_max: if below(2) == 0 { 6_000 } else { 100_000 },
            undecided_streams: u32::try_from(below(2)).unwrap(),
        };
        let node = NodeRolePlan {
            run: run.clone(),
            node: NodeId(0),
            incarnation: Incarnation(0),
            builder: BuilderId(0),
            gives_tokens: matches!(nodes, PolicyPlan::Tokens { .. }),
            slots: 2,
            lease: Span::from_ms(60),
            workers: 1 + u32::try_from(below(2)).unwrap(),
        };
        let sink = SinkRolePlan {
            run: run.clone(),
            sink: SinkId(0),
            buffer_bytes_max: if below(2) == 0 { 3_000 } else { 50_000 },
            lifetime: Span::from_ms(200),
        };
        Self { run, trigger, source, builder, node, sink }
    }

    /// The same for another run.
    pub(crate) fn with_run(mut self, run: RunPlan) -> Self {
        self.trigger.run = run.clone();
        self.source.run = run.clone();
        self.builder.run = run.clone();
        self.node.run = run.clone();
        self.sink.run = run.clone();
        Self { run, ..self }
    }

    fn run(seed: u64, mut below: impl FnMut(u64) -> u64) -> RunPlan {
        // Of every fourth run some sources have one level only; with one level the second means nothing.
        let without = match seed % 4 {
            0 => [vec![SourceId(9)], vec![SourceId(3)]],
            _ => [Vec::new(), Vec::new()],
        };
        RunPlan {
            run: RunNumber(5),
            seed,
            first: EventNumber(1_000),
            packing_events: if below(2) == 0 { 1 } else { 4 },
            has_two_levels: below(3) == 0,
            protocol: if below(2) == 0 { Protocol::Push } else { Protocol::Pull },
            sources: [3, 4, 9].map(SourceId).to_vec(),
            without,
            builders: [BuilderId(0), BuilderId(7)].to_vec(),
            nodes: (0..5).map(|node| (NodeId(node), BuilderId(if node % 2 == 0 { 0 } else { 7 }))).collect(),
            sinks: (0..1 + u16::from(below(2) == 0)).map(SinkId).collect(),
        }
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        let RunPlan { sources, builders, nodes, sinks, .. } = &self.run;
        let others = sources.iter().map(|source| Peer::Source(*source));
        let others = others.chain(builders.iter().map(|builder| Peer::Builder(*builder)));
        let others = others.chain(nodes.iter().map(|(node, _)| Peer::Node(*node)));
        let others = others.chain(sinks.iter().map(|sink| Peer::Sink(*sink)));
        std::iter::once(Peer::Trigger).chain(others).collect()
    }

    pub(crate) fn source(&self, source: SourceId) -> SourceRolePlan {
        SourceRolePlan { source, ..self.source.clone() }
    }

    pub(crate) fn builder(&self, builder: BuilderId, incarnation: Incarnation) -> BuilderRolePlan {
        BuilderRolePlan { builder, incarnation, ..self.builder.clone() }
    }

    pub(crate) fn node(&self, node: NodeId, incarnation: Incarnation) -> NodeRolePlan {
        let of_node = self.run.nodes.iter().find(|(id, _)| *id == node);
        let builder = of_node.map(|(_, builder)| *builder).unwrap();
        NodeRolePlan { node, incarnation, builder, ..self.node.clone() }
    }

    pub(crate) fn sink(&self, sink: SinkId) -> SinkRolePlan {
        SinkRolePlan { sink, ..self.sink.clone() }
    }
}
