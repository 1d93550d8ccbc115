//! A storm: the numbers and choices that make a run, all drawn from a seed. Nothing here is clever, so that a
//! failing one can be read, and made smaller.

use std::fmt;

use incast_core::random::Random;
use incast_core::readout::role::Order;
use incast_core::readout::{BuilderId, NodeId, Peer, SinkId, SourceId};
use incast_core::scenario::FragmentCarrier;
use incast_core::time::Span;

use super::us;
use crate::world::readout::Deed;

/// A run, as drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storm {
    /// What it, and all else that is random in it, is drawn from.
    pub seed: u64,
    /// How many sources, at least one.
    pub sources: u16,
    /// How many builders, at least one.
    pub builders: u16,
    /// How many nodes each builder has, at least one.
    pub nodes_of_builder: u16,
    /// How many sinks, at least one.
    pub sinks: u16,
    /// Events in a packet.
    pub packing: u16,
    /// Whether a first level decides for which events the rest is built.
    pub has_two_levels: bool,
    /// Whether nodes ask the sinks.
    pub is_pull: bool,
    /// How fragments travel.
    pub carrier: FragmentCarrier,
    /// Which policy names builders, 0 to 4: round-robin, tokens, least-loaded, calendar, linear-shift.
    pub builder_policy: u8,
    /// Which policy names nodes, likewise.
    pub node_policy: u8,
    /// How many events are triggered at most.
    pub events: u64,
    /// Between triggers; zero: as fast as builders ask.
    pub gap: Span,
    /// How triggers are spread: fixed, poisson, bursts.
    pub spacing: u8,
    /// When the trigger stops at the latest.
    pub duration: Span,
    /// Sizes of fragments.
    pub sizes: Sizes,
    /// Whether bounds of memory are so small that they are reached.
    pub has_small_bounds: bool,
    /// Whether nodes get events in their order.
    pub is_ordered: bool,
    /// Events that each node has at once, and workers.
    pub slots: u32,
    /// Mean time of the algorithm for an event.
    pub busy: Span,
    /// Whether that time is exponential, or always the same.
    pub is_busy_uneven: bool,
    /// Percent of events that each level accepts.
    pub accept_percent: u32,
    /// Longest way of a message.
    pub delay_within: Span,
    /// Percent of datagrams that are lost.
    pub loss_percent: u64,
    /// The trigger's words go by wires of their own.
    pub timing_delay: Option<Span>,
    /// A word of run control takes up to so much longer than the next.
    pub words_within: Span,
    /// Bytes that the disk of a sink takes in a second.
    pub disk_bytes_per_s: Option<u64>,
    /// How late what is written is on disk.
    pub commit: Span,
    /// What is done to roles.
    pub troubles: Vec<Planned>,
}

/// Sizes of fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// All the same.
    Same(u32),
    /// Up to so many.
    Uniform(u32),
    /// Around so many.
    LogNormal(u32),
}

/// Something that is done to a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When, after time zero.
    pub at: Span,
    /// To whom.
    pub whom: Peer,
    /// What.
    pub what: Trouble,
    /// For how long: nothing is for good.
    pub lasts: Span,
}

/// What can be done to a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is killed, and started again.
    Killed,
    /// It does nothing: so briefly that nobody notices, or until others do without it, or until it is killed
    /// for that.
    Hangs,
    /// Its algorithm takes so many thousandths of its time.
    Slow(u32),
    /// Its disk is full.
    DiskFull,
    /// The trigger is paused.
    Paused,
}

impl Planned {
    /// What begins it, and what ends it if it does not by itself.
    pub(super) const fn deeds(&self) -> (Deed, Option<Deed>) {
        match self.what {
            Trouble::Killed => (Deed::Kill(Some(self.lasts)), None),
            Trouble::Hangs => (Deed::Hang(Some(self.lasts)), None),
            Trouble::Slow(factor_milli) => (Deed::Slow(factor_milli), Some(Deed::Slow(1_000))),
            Trouble::DiskFull => (Deed::FullDisk(true), Some(Deed::FullDisk(false))),
            Trouble::Paused => (Deed::Order(Order::Pause), Some(Deed::Order(Order::Resume))),
        }
    }
}

impl fmt::Display for Storm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sources, builders, nodes_of_builder, sinks, packing, .. } = self;
        writeln!(out, "  {sources} sources, {builders} builders x {nodes_of_builder} nodes, {sinks} sinks")?;
        let levels = if self.has_two_levels { "two levels" } else { "one level" };
        let protocol = if self.is_pull { "pull" } else { "push" };
        writeln!(
            out,
            "  {levels}, {protocol}, packets of {packing}, {} over {}",
            self.sizes,
            self.carrier.name()
        )?;
        let Self { events, gap, spacing, duration, builder_policy, node_policy, .. } = self;
        writeln!(out, "  {events} events every {gap} (spacing {spacing}), at most {duration}")?;
        writeln!(out, "  policies {builder_policy} and {node_policy}, {} slots of a node", self.slots)?;
        let Self { busy, accept_percent, has_small_bounds, is_ordered, is_busy_uneven, .. } = self;
        writeln!(out, "  busy {busy} (uneven: {is_busy_uneven}), accepts {accept_percent} %")?;
        writeln!(out, "  small bounds: {has_small_bounds}, ordered: {is_ordered}")?;
        let Self { delay_within, loss_percent, timing_delay, words_within, .. } = self;
        writeln!(
            out,
            "  messages within {delay_within}, {loss_percent} % lost, words within {words_within}"
        )?;
        writeln!(
            out,
            "  timing {timing_delay:?}, disk {:?} B/s, commit {}",
            self.disk_bytes_per_s, self.commit
        )?;
        self.troubles.iter().try_for_each(|planned| writeln!(out, "  {planned}"))
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, whom, what, lasts } = self;
        let what = match what {
            Trouble::Killed => "is killed".into(),
            Trouble::Hangs => "hangs".into(),
            Trouble::Slow(factor_milli) => format!("takes {factor_milli}/1000 of its time"),
            Trouble::DiskFull => "has a full disk".into(),
            Trouble::Paused => "is paused".into(),
        };
        write!(out, "{at}: {whom} {what} for {lasts}")
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(bytes) => write!(out, "{bytes} B"),
            Self::Uniform(most) => write!(out, "up to {most} B"),
            Self::LogNormal(median) => write!(out, "around {median} B"),
        }
    }
}

/// Ids of builders have gaps, as in experiments; so have those of sources.
pub(super) const BUILDER_STEP: u16 = 7;
pub(super) const SOURCE_STEP: u16 = 3;

/// Draws from a seed.
struct Draw(Random);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound.max(1)
    }

    fn small(&mut self, least: u16, most: u16) -> u16 {
        least + u16::try_from(self.below(u64::from(most - least) + 1)).unwrap_or(0)
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    /// Nothing in a third of all cases.
    fn sometimes(&mut self, most: u64) -> u64 {
        if self.one_in(3) { 0 } else { self.below(most) }
    }
}

impl Storm {
    /// The storm of a seed: every fourth is fair weather.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut draw = Draw(Random::named(seed, "storm"));
        let mut storm = Self::draw_fair(seed, &mut draw);
        if !draw.one_in(4) {
            storm.darken(&mut draw);
        }
        storm
    }

    /// Nothing goes wrong, and there is room for everything.
    fn draw_fair(seed: u64, draw: &mut Draw) -> Self {
        let has_two_levels = draw.one_in(3);
        let carriers: &[FragmentCarrier] = if has_two_levels {
            &[FragmentCarrier::Tcp, FragmentCarrier::Udp, FragmentCarrier::Ip]
        } else {
            &FragmentCarrier::NAMES.map(|(_, carrier)| carrier)
        };
        let carrier = carriers[usize::try_from(draw.below(carriers.len() as u64)).unwrap_or(0)];
        let is_pull = draw.one_in(2);
        let builder_policy = policy(draw);
        // A packet of LHCb has at most 64 KiB: what is larger cannot be said.
        let large = if carrier.is_mep() { 5_000 } else { 20_000 };
        let sizes = [Sizes::Same(500), Sizes::Uniform(900), Sizes::LogNormal(200), Sizes::Same(large)];
        Self {
            seed,
            sources: draw.small(1, 6),
            builders: draw.small(1, 3),
            nodes_of_builder: draw.small(1, 4),
            sinks: draw.small(1, 3),
            packing: if draw.one_in(2) { 1 } else { draw.small(2, 6) },
            has_two_levels,
            is_pull,
            carrier,
            builder_policy,
            node_policy: if is_pull { 1 } else { policy(draw) },
            events: 10 + draw.below(190),
            gap: if builder_policy == 1 && draw.one_in(4) { Span::ZERO } else { us(200 + draw.below(1_500)) },
            spacing: u8::try_from(draw.below(3)).unwrap_or(0),
            duration: Span::from_s(5),
            sizes: sizes[usize::try_from(draw.below(4)).unwrap_or(0)],
            has_small_bounds: false,
            is_ordered: draw.one_in(4),
            slots: 1 + u32::from(draw.small(0, 2)),
            busy: us(draw.sometimes(800)),
            is_busy_uneven: draw.one_in(2),
            accept_percent: [0, 30, 70, 100][usize::try_from(draw.below(4)).unwrap_or(0)],
            delay_within: us(draw.sometimes(1_000)),
            loss_percent: 0,
            timing_delay: draw.one_in(3).then(|| us(1 + draw.below(20))),
            words_within: us(draw.sometimes(500)),
            disk_bytes_per_s: None,
            commit: us(draw.below(3_000)),
            troubles: Vec::new(),
        }
    }

    /// Everything can go wrong; a third of the storms are fair in each respect.
    fn darken(&mut self, draw: &mut Draw) {
        self.loss_percent = draw.sometimes(15);
        self.has_small_bounds = draw.one_in(2);
        self.busy = us(draw.sometimes(6_000));
        let long = draw.one_in(6);
        self.delay_within = us(draw.sometimes(if long { 60_000 } else { 3_000 }));
        self.words_within = us(draw.sometimes(if long { 60_000 } else { 3_000 }));
        self.disk_bytes_per_s = draw.one_in(3).then(|| 500_000 + draw.below(10_000_000));
        self.commit = us(draw.sometimes(10_000));
        self.duration = Span::from_ms(20 + draw.below(400));
        let peers = self.peers();
        for _ in 0..draw.sometimes(10) {
            let whom = peers[usize::try_from(draw.below(peers.len() as u64)).unwrap_or(0)];
            self.add_trouble(whom, draw);
        }
    }

    fn add_trouble(&mut self, whom: Peer, draw: &mut Draw) {
        // Most while events are triggered, some before and after.
        let triggering = (self.events * self.gap.0).min(self.duration.0) / 1_000_000;
        let at = us(draw.below(20_000 + triggering * 5 / 4));
        let (what, lasts) = match (whom, draw.below(8)) {
            (Peer::Trigger, 0..=4) => (Trouble::Paused, draw.below(50_000)),
            (Peer::Trigger, _) | (_, 0 | 1) => {
                let most = [200_000, 200_000, 4_000_000, 17_000_000];
                let most = most[usize::try_from(draw.below(4)).unwrap_or(0)];
                // A trigger that is killed ends the run.
                (Trouble::Hangs, 1_000 + draw.below(if whom == Peer::Trigger { 4_000_000 } else { most }))
            }
            (Peer::Node(_), 2 | 3) => {
                (Trouble::Slow(1_000 + u32::from(draw.small(0, 60_000))), draw.below(300_000))
            }
            (Peer::Sink(_), 2 | 3) => (Trouble::DiskFull, draw.below(300_000)),
            _ => (Trouble::Killed, 1_000 + draw.below(400_000)),
        };
        self.troubles.push(Planned { at, whom, what, lasts: us(lasts) });
    }

    /// Whether nothing can go wrong: then every event is where its verdicts send it.
    #[must_use]
    pub fn is_fair(&self) -> bool {
        let is_quick = self.delay_within <= us(1_000) && self.words_within <= us(500) && self.busy <= us(800);
        let is_kept = !self.has_small_bounds && self.disk_bytes_per_s.is_none();
        self.troubles.is_empty() && self.loss_percent == 0 && is_quick && is_kept
    }

    /// Every role.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        let sources = (0..self.sources).map(|id| Peer::Source(SourceId(id * SOURCE_STEP)));
        let builders = (0..self.builders).map(|id| Peer::Builder(BuilderId(id * BUILDER_STEP)));
        let nodes = (0..self.builders * self.nodes_of_builder).map(|id| Peer::Node(NodeId(id)));
        let sinks = (0..self.sinks).map(|id| Peer::Sink(SinkId(id)));
        std::iter::once(Peer::Trigger).chain(sources).chain(builders).chain(nodes).chain(sinks).collect()
    }
}

fn policy(draw: &mut Draw) -> u8 {
    u8::try_from(draw.below(5)).unwrap_or(0)
}
