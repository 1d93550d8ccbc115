//! One link in the explicit engine: what waits in front of it, what it sends, and what may stop it.

use std::collections::VecDeque;

use incast_core::time::{Span, Time};

use super::memory::Input;
use super::queue::{Item, Queue};
use crate::fabric::digest::{Chain, name_of};
use crate::fabric::meter::Meter;
use crate::fabric::wire::{Told, Wire};
use crate::fabric::{End, FabricPlan, LinkFault, LinkId, LinkSpec, News};
use crate::packet::Packet;

/// A link.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// As planned.
    pub(super) spec: LinkSpec,
    /// What its draws follow from.
    pub(super) name: u64,
    /// What waits in front of it; empty where packets wait at inputs.
    pub(super) queue: Queue,
    /// What it sends.
    pub(super) sending: Option<Sending>,
    /// A PAUSE frame that it sends next. A newer one takes the place of an older.
    pub(super) frame: Option<PauseFrame>,
    /// Whether its far end has asked it to stop.
    pub(super) is_paused: bool,
    /// Pauses so far.
    pub(super) pauses: u64,
    /// When what is on the wire is looked at next.
    pub(super) through_due: Option<Time>,
    /// Whether nothing passes.
    pub(super) is_down: bool,
    /// When all that it has taken will have left, if nothing stops it.
    pub(super) clear_at: Time,
    /// When, and by which link, the last packet came to it.
    pub(super) came: Option<(Time, LinkId)>,
    /// Which output of its switch it is, counted from 0.
    pub(super) output: usize,
    /// What its far end keeps for it, where that is a switch whose inputs have memory.
    pub(super) input: Option<Input>,
    /// What is on its way, and what happens to it there.
    pub(super) wire: Wire,
    /// Its account.
    pub(super) meter: Meter,
    /// What happened at it.
    pub(super) chain: Chain,
}

/// What a link sends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sending {
    /// A packet.
    Packet {
        /// The packet.
        item: Item,
        /// Until when.
        ends: Time,
        /// The switch at the far end cuts through: the wire has been told of it.
        is_known: bool,
    },
    /// A PAUSE frame.
    Frame(PauseFrame),
}

/// What a PAUSE frame says.
#[derive(Clone, Copy, Debug)]
pub(super) struct PauseFrame {
    /// Whose near end is meant: the way to the switch that says it.
    pub(super) link: LinkId,
    /// To stop, or to go on.
    pub(super) on: bool,
}

impl Line {
    /// An idle link.
    pub(super) fn new(plan: &FabricPlan, spec: &LinkSpec) -> Self {
        let name = name_of(plan.seed, spec);
        let latency = match spec.to {
            End::Switch(switch) => plan.switches[switch.0 as usize].model.latency,
            End::Nic(_) => Span::ZERO,
        };
        Self {
            spec: spec.clone(),
            name,
            queue: Queue::default(),
            sending: None,
            frame: None,
            is_paused: false,
            pauses: 0,
            through_due: None,
            is_down: false,
            output: 0,
            clear_at: Time::ZERO,
            came: None,
            input: None,
            wire: Wire::new(spec, name, latency),
            meter: Meter::new(plan.interval),
            chain: Chain::default(),
        }
    }

    /// Whether it could begin to send a packet now. A link that takes no time always can.
    pub(super) fn can_send(&self) -> bool {
        self.spec.byte_time.is_zero() || (self.sending.is_none() && self.frame.is_none() && !self.is_paused)
    }

    /// Whether a packet that comes now begins to be sent now.
    pub(super) fn is_free(&self) -> bool {
        self.can_send() && self.queue.is_empty()
    }

    /// Whether its far end may ever ask it to stop.
    pub(super) fn is_pausable(&self) -> bool {
        let input = self.input.filter(|input| input.marks.is_some() && input.back.is_some());
        input.is_some() && !self.spec.byte_time.is_zero()
    }

    /// Bytes in front of it at `now`, what is being sent included.
    pub(super) fn queued_bytes(&self, now: Time) -> u64 {
        // Its last bit may leave right now, and nobody has looked yet.
        let gone = match self.sending {
            Some(Sending::Packet { item, ends, .. }) if ends <= now => item.bytes(),
            _ => 0,
        };
        self.meter.queued_bytes() - gone
    }

    /// As much of a packet has left as its far end has to know.
    pub(super) fn hand_to_wire(
        &mut self,
        now: Time,
        link: LinkId,
        packet: Packet,
        news: &mut VecDeque<News>,
    ) {
        let Self { wire, meter, chain, .. } = self;
        wire.handle_sent(now, packet, &mut Told { link, meter, chain, news });
    }

    /// A fault begins, or is over.
    pub(super) fn handle_fault(
        &mut self,
        now: Time,
        link: LinkId,
        fault: Option<LinkFault>,
        news: &mut VecDeque<News>,
    ) {
        self.is_down = fault == Some(LinkFault::Down);
        let Self { wire, meter, chain, .. } = self;
        wire.handle_fault(now, fault, &mut Told { link, meter, chain, news });
    }
}
