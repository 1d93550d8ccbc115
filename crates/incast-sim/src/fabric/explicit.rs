//! The engine with an entry for every step: all that a plan can say, and nothing computed ahead.
//!
//! Every last bit that leaves, every packet that arrives, every PAUSE frame that takes hold is an entry in one heap
//! (`steps`). Slow and plain, it is what the fast engine is held against, and the home of all models of switches:
//!
//! * packets wait at outputs, each port with its own memory, or all with one (`memory`);
//! * packets wait at inputs in front of a crossbar (`crossbar`);
//! * whole packets are stored and forwarded, or cut through (`sending`);
//! * a full port drops, or pauses whoever sends to it (`pause`).
//!
//! A packet that comes to a queue begins to be sent when the link is free, and waits until then; one that
//! would have to wait and finds no room is dropped. On a link that takes no time nothing waits.
//!
//! What `queue_bytes` of a switch's link means: bytes that wait for that link. In a switch that pauses, or whose
//! packets wait at inputs, it is the memory of that port for what *came in* by it, wherever that goes. The
//! counts of a link are in all switches those of the packets that leave by it.

mod crossbar;
mod line;
mod memory;
mod pause;
mod queue;
mod sending;
mod steps;
mod switch;
mod switching;

use std::collections::VecDeque;

use incast_core::time::Time;

use super::{Fabric, FabricPlan, LinkFault, LinkId, News, QueueCounts, Taken};
use crate::packet::{NicId, Packet};
use line::Line;
pub use pause::{LARGEST_FRAME_BYTES, PausedWay, headroom, reaction};
use queue::Item;
use steps::{Step, Steps};
use switch::Switch;

/// The engine.
#[derive(Clone, Debug)]
pub struct Explicit {
    lines: Vec<Line>,
    switches: Vec<Switch>,
    nics: Vec<LinkId>,
    steps: Steps,
    news: VecDeque<News>,
    /// How far it was carried on.
    now: Time,
    /// The largest frame so far: what headroom is kept for.
    frame_bytes: u32,
    packet_hops: u64,
    ties: u64,
}

impl Explicit {
    /// With nothing on its way.
    #[must_use]
    pub fn new(plan: &FabricPlan) -> Self {
        let mut lines: Vec<_> = plan.links.iter().map(|link| Line::new(plan, link)).collect();
        let mut switches = switch::switches(plan, &mut lines);
        switch::set_marks(&mut switches, &mut lines, LARGEST_FRAME_BYTES);
        let names = lines.iter().map(|line| line.name).collect();
        Self {
            lines,
            switches,
            nics: plan.nics.clone(),
            steps: Steps::new(names),
            news: VecDeque::new(),
            now: Time::ZERO,
            frame_bytes: LARGEST_FRAME_BYTES,
            packet_hops: 0,
            ties: 0,
        }
    }

    /// Carries out what makes room by `now`: whoever drives it may not have looked yet.
    fn settle(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some((at, step)) = self.steps.poll_departure(now) {
            self.handle_step(at, step);
        }
    }

    fn handle_step(&mut self, now: Time, step: Step) {
        match step {
            Step::Pause { link, on } => self.handle_pause(now, link, on),
            Step::PauseEnds { link, pause } => self.handle_pause_end(now, link, pause),
            Step::PauseAgain { link, asked } => self.handle_pause_again(now, link, asked),
            Step::Sent(link) => self.handle_sent(now, link),
            Step::Known { link, packet } => self.handle_known(now, link, packet),
            Step::Through(link) => self.handle_through(now, link),
            Step::Matched(switch) => self.handle_match(now, switch),
        }
    }

    fn line(&self, link: LinkId) -> &Line {
        &self.lines[link.0 as usize]
    }

    fn line_mut(&mut self, link: LinkId) -> &mut Line {
        &mut self.lines[link.0 as usize]
    }
}

impl Fabric for Explicit {
    fn handle_packet(&mut self, now: Time, from: NicId, packet: Packet) -> Taken {
        self.settle(now);
        if packet.wire_bytes > self.frame_bytes {
            self.frame_bytes = packet.wire_bytes;
            switch::set_marks(&mut self.switches, &mut self.lines, self.frame_bytes);
        }
        let link = self.nics[from.0 as usize];
        let item = Item { packet, entered: now, by: None, is_awaited: false };
        self.handle_sending(now, link, item)
    }

    fn handle_fault(&mut self, now: Time, link: LinkId, fault: Option<LinkFault>) {
        self.settle(now);
        self.lines[link.0 as usize].handle_fault(now, link, fault, &mut self.news);
    }

    fn next_timeout(&self) -> Option<Time> {
        if self.news.is_empty() { self.steps.next_timeout() } else { Some(self.now) }
    }

    fn poll(&mut self, now: Time) -> Option<News> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Some(news);
            }
            let Some((at, step)) = self.steps.poll(now) else {
                self.now = self.now.max(now);
                return None;
            };
            self.now = at;
            self.handle_step(at, step);
        }
    }

    fn queued_bytes(&self, now: Time, nic: NicId) -> u64 {
        self.line(self.nics[nic.0 as usize]).queued_bytes(now)
    }

    fn counts(&self, now: Time) -> Vec<QueueCounts> {
        self.lines.iter().map(|line| line.meter.counts(now)).collect()
    }

    fn packet_hops(&self) -> u64 {
        self.packet_hops
    }

    fn ties(&self) -> u64 {
        self.ties
    }

    fn digest(&self) -> u64 {
        self.lines.iter().fold(0, |sum, line| sum.wrapping_add(line.chain.total(line.name)))
    }
}
