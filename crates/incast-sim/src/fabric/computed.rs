//! The fast engine: when a packet leaves a first-in-first-out queue is known as it arrives.
//!
//! Lindley's recursion: a packet that comes at t to a queue whose last bit leaves at u begins at max(t, u). So a
//! queue needs no entry for the end of a sending; each link has one slot in the agenda, the arrival of the first
//! packet in its ring at the far end. What the meter has to be told of the time in between (that a packet
//! began, and left) it is told when somebody next looks at the link, in the right order and with the right time.
//!
//! ```text
//!   offer ---> [ waiting ... | being sent | on the wire ... ] ---> agenda: due at the far end ---> offer, or Delivered
//!                 a ring of 24 B per packet; small, and grows
//! ```
//! It can do output queues that store and forward, and drop. It cannot pause, share memory between ports, cut
//! through, or queue at inputs: [`Computed::can`] says so, and `Explicit` does these.

use std::collections::VecDeque;

use incast_core::scenario::Queueing;
use incast_core::time::{Span, Time};

use self::line::{Line, Offered};
use super::digest::name_of;
use super::{End, Fabric, FabricPlan, LinkFault, LinkId, News, QueueCounts, Taken, Why};
use crate::agenda::{Agenda, Rank};
use crate::packet::{NicId, Packet};

mod line;

/// The engine that computes departures.
#[derive(Clone, Debug)]
pub struct Computed {
    lines: Vec<Line>,
    /// One slot for each line: when something comes out of it at its far end.
    agenda: Agenda,
    /// The link out of each interface.
    nics: Vec<LinkId>,
    /// For each switch, and in it for each interface, the link there, or [`NOWHERE`].
    routes: Vec<u32>,
    /// What happened and was not told yet.
    news: VecDeque<News>,
    /// How far it was carried on.
    now: Time,
    ties: u64,
}

/// Instead of a link: there is no way.
const NOWHERE: u32 = u32::MAX;

impl Computed {
    /// Whether it can carry out a plan.
    #[must_use]
    pub fn can(plan: &FabricPlan) -> bool {
        plan.switches.iter().all(|switch| {
            switch.model.queueing == Queueing::Output && !switch.model.is_cut_through && !switch.pauses
        })
    }

    /// An empty fabric.
    ///
    /// # Panics
    ///
    /// If it cannot carry out the plan, or the plan names what is not in it: our mistake.
    #[must_use]
    pub fn new(plan: &FabricPlan) -> Self {
        assert!(Self::can(plan), "a plan with another switch than output queues that drop");
        let names: Vec<u64> = plan.links.iter().map(|link| name_of(plan.seed, link)).collect();
        let lines = plan.links.iter().zip(&names).map(|(link, name)| Line::new(plan, link, *name)).collect();
        let interfaces = plan.nics.len();
        let way = |switch: usize, nic: usize| {
            let link = plan.switches[switch].routes.get(nic).copied().flatten();
            link.map_or(NOWHERE, |link| link.0)
        };
        let routes =
            (0..plan.switches.len()).flat_map(|switch| (0..interfaces).map(move |nic| (switch, nic)));
        Self {
            lines,
            agenda: Agenda::new(names.into_iter().map(|name| Rank { class: 0, name }).collect()),
            nics: plan.nics.clone(),
            routes: routes.map(|(switch, nic)| way(switch, nic)).collect(),
            news: VecDeque::new(),
            now: Time::ZERO,
            ties: 0,
        }
    }

    /// A packet comes to the queue of `link`, from another link or ([`NOWHERE`]) from the host.
    #[inline]
    fn offer(&mut self, link: u32, now: Time, from: u32, packet: Packet) -> Option<Time> {
        let line = &mut self.lines[link as usize];
        self.ties += u64::from(line.is_tie(now, from));
        match line.handle_packet(now, packet, LinkId(link), &mut self.news) {
            Offered::First { leaves, due } => {
                self.agenda.set(link, Some(due));
                Some(leaves)
            }
            Offered::Behind { leaves } => Some(leaves),
            Offered::Dropped => None,
        }
    }

    /// What is due at a link at `at`: at most one packet comes out.
    #[inline]
    fn handle_due(&mut self, link: u32, at: Time) -> Option<News> {
        let line = &mut self.lines[link as usize];
        let (packet, next) = line.poll_arrived(at, LinkId(link), &mut self.news);
        self.agenda.set(link, next);
        let packet = packet?;
        let End::Switch(switch) = line.to else { return Some(News::Delivered { packet }) };
        let place = switch.0 as usize * self.nics.len() + packet.to.0 as usize;
        let onward = self.routes[place];
        if onward == NOWHERE {
            let news = line.record_stray(at, packet, LinkId(link));
            return Some(news);
        }
        match self.offer(onward, at, link, packet) {
            Some(_) => None,
            None => Some(News::Dropped { packet, link: LinkId(onward), why: Why::Full }),
        }
    }
}

impl Fabric for Computed {
    fn handle_packet(&mut self, now: Time, from: NicId, packet: Packet) -> Taken {
        assert!((packet.to.0 as usize) < self.nics.len(), "an interface of the plan");
        self.now = self.now.max(now);
        let link = self.nics[from.0 as usize];
        self.offer(link.0, now, NOWHERE, packet).map_or(Taken::Dropped, Taken::Leaves)
    }

    fn handle_fault(&mut self, now: Time, link: LinkId, fault: Option<LinkFault>) {
        self.now = self.now.max(now);
        let line = &mut self.lines[link.0 as usize];
        let next = line.handle_fault(now, fault, link, &mut self.news);
        self.agenda.set(link.0, next);
    }

    #[inline]
    fn next_timeout(&self) -> Option<Time> {
        if self.news.is_empty() { self.agenda.next_timeout() } else { Some(self.now) }
    }

    #[inline]
    fn poll(&mut self, now: Time) -> Option<News> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Some(news);
            }
            let due = self.agenda.next().filter(|(at, _)| *at <= now);
            let Some((at, link)) = due else {
                self.now = self.now.max(now);
                return None;
            };
            self.now = at;
            if let Some(news) = self.handle_due(link, at) {
                return Some(news);
            }
        }
    }

    fn queued_bytes(&self, now: Time, nic: NicId) -> u64 {
        self.lines[self.nics[nic.0 as usize].0 as usize].queued_bytes(now)
    }

    fn counts(&self, now: Time) -> Vec<QueueCounts> {
        self.lines.iter().map(|line| line.until(now).meter.counts(now)).collect()
    }

    fn packet_hops(&self) -> u64 {
        self.lines.iter().map(|line| line.forwarded_packets(self.now)).sum()
    }

    fn ties(&self) -> u64 {
        self.ties
    }

    fn digest(&self) -> u64 {
        self.lines.iter().fold(0, |sum, line| sum.wrapping_add(line.chain.total(line.name)))
    }
}

/// How long packets are in the switch at the far end of a link.
fn latency_of(plan: &FabricPlan, to: End) -> Span {
    match to {
        End::Switch(switch) => plan.switches[switch.0 as usize].model.latency,
        End::Nic(_) => Span::ZERO,
    }
}
