//! What happens to packets between the last bit that leaves a link's queue and its far end, where something can: a
//! path with delay and loss, bit errors, faults. Links without these need none of it.
//!
//! Both engines drive it, so that both draw the same. The rules of a path are those of [`incast_core::link::Link`],
//! which is asked when a packet will come out; the faults that are like a path have one of their own.
//!
//! ```text
//!  handle_start --> handle_sent --+-- link down, fault, bit error, path --> lost: News::Dropped
//!                                 +--> in the air: path's and fault's delay, travel, switch --> poll_arrived
//! ```
//! It does not know the queue before it nor where the link leads. A packet is lost when its last bit has left, or,
//! if it is in the air, as the link goes down; what has come to the far end is past it.

use std::collections::{BTreeMap, VecDeque};

use incast_core::link::{Fate, Link, LinkBounds, PathPlan};
use incast_core::random::Random;
use incast_core::time::{Span, Time};

use super::digest::Chain;
use super::meter::Meter;
use super::{LinkFault, LinkId, LinkSpec, News, Why};
use crate::packet::Packet;

/// The wire behind one queue.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Of the link, with the seed: what is drawn follows from it.
    name: u64,
    travel: Span,
    latency: Span,
    bit_errors: f64,
    bits: Random,
    path: Option<Link<()>>,
    fault: Option<Link<()>>,
    faults: u64,
    is_down: bool,
    /// The link was down while the packet that is being sent was.
    is_cut: bool,
    /// By when they are through the switch at the far end (or at the host), and in which order they came.
    in_air: BTreeMap<(Time, u64), Packet>,
    index: u64,
    /// The latest of all so far: who does not overtake is not earlier.
    last_due: Time,
}

/// Where a wire tells what it did.
#[derive(Debug)]
pub struct Told<'a> {
    /// Which link it is.
    pub link: LinkId,
    /// The account of its queue.
    pub meter: &'a mut Meter,
    /// Its digest.
    pub chain: &'a mut Chain,
    /// What its driver says of it.
    pub news: &'a mut VecDeque<News>,
}

/// One packet comes out of a path at a time that is known as it goes in, so nothing is held in there.
const NO_BOUND: LinkBounds = LinkBounds { packets: u64::MAX, bytes: u64::MAX };

impl Wire {
    /// Of a link without a fault. `name` is [`super::digest::name_of`] it; `latency` that of the switch at its far end,
    /// zero at a host.
    #[must_use]
    pub fn new(link: &LinkSpec, name: u64, latency: Span) -> Self {
        let path = link.path.map(|plan| Link::new(plan, Random::named(name, "path"), NO_BOUND));
        Self {
            name,
            travel: link.travel,
            latency,
            bit_errors: link.bit_errors,
            bits: Random::named(name, "bit errors"),
            path,
            fault: None,
            faults: 0,
            is_down: false,
            is_cut: false,
            in_air: BTreeMap::new(),
            index: 0,
            last_due: Time::ZERO,
        }
    }

    /// Whether a link needs one before it has a fault.
    #[must_use]
    pub fn is_needed(link: &LinkSpec) -> bool {
        link.path.is_some() || link.bit_errors > 0.0
    }

    /// The first bit of a packet leaves.
    pub fn handle_start(&mut self) {
        self.is_cut = self.is_down;
    }

    /// The last bit of a packet has left.
    pub fn handle_sent(&mut self, now: Time, packet: Packet, told: &mut Told<'_>) {
        // Drawn whatever else comes of the packet, so that a fault does not shift what is drawn after it.
        let has_error = self.bits.unit() <= error_probability(self.bit_errors, packet.wire_bytes);
        if self.is_down || self.is_cut {
            self.is_cut = self.is_down;
            return told.record_lost(now, packet, Why::LinkDown);
        }
        let Some((held, overtakes, copied)) = through(self.fault.as_mut(), now, packet) else {
            return told.record_lost(now, packet, Why::Fault);
        };
        if has_error {
            return told.record_lost(now, packet, Why::BitError);
        }
        self.handle_path(now + held, now, packet, overtakes, told);
        if copied {
            told.meter.record_copy();
            self.handle_path(now + held, now, packet, overtakes, told);
        }
    }

    /// A fault begins, or is over. What is held on the way stays as it was decided, except that nothing survives a
    /// link that goes down.
    pub fn handle_fault(&mut self, now: Time, fault: Option<LinkFault>, told: &mut Told<'_>) {
        self.is_down = fault == Some(LinkFault::Down);
        self.faults += 1;
        let plan = fault.and_then(path_of);
        let random = Random::numbered(self.name, "fault", self.faults);
        self.fault = plan.map(|plan| Link::new(plan, random, NO_BOUND));
        if self.is_down {
            self.is_cut = true;
            let arrived = now + self.latency;
            let on_the_wire = self.in_air.split_off(&(Time(arrived.0.saturating_add(1)), 0));
            for packet in on_the_wire.into_values() {
                told.record_lost(now, packet, Why::LinkDown);
            }
        }
    }

    /// Takes over a packet that was on the wire before there was need for this; it is through at `due`.
    pub fn handle_under_way(&mut self, due: Time, packet: Packet) {
        self.index += 1;
        self.in_air.insert((due, self.index), packet);
        self.last_due = self.last_due.max(due);
    }

    /// When the next packet is through; `None` when none is in the air.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.in_air.first_key_value().map(|((due, _), _)| *due)
    }

    /// A packet that is through by `now`, or none. To be called until there is none.
    pub fn poll_arrived(&mut self, now: Time) -> Option<Packet> {
        let first = self.in_air.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    /// Through the path, into the air. `from` is when a fault lets it go on.
    fn handle_path(&mut self, from: Time, now: Time, packet: Packet, overtakes: bool, told: &mut Told<'_>) {
        let Some((held, passes, copied)) = through(self.path.as_mut(), now, packet) else {
            return told.record_lost(now, packet, Why::Loss);
        };
        let due = from + held + self.travel + self.latency;
        let overtakes = overtakes || passes;
        let due = if overtakes { due } else { due.max(self.last_due) };
        self.last_due = self.last_due.max(due);
        for _ in 0..=u32::from(copied) {
            self.index += 1;
            self.in_air.insert((due, self.index), packet);
        }
        if copied {
            told.meter.record_copy();
        }
    }
}

impl Told<'_> {
    fn record_lost(&mut self, now: Time, packet: Packet, why: Why) {
        self.meter.record_lost(now, packet.wire_bytes, why);
        self.chain.record_lost(now, packet.cargo, why);
        self.news.push_back(News::Dropped { packet, link: self.link, why });
    }
}

/// How long a path holds a packet, whether it overtakes, whether it is copied; `None`: it is lost.
fn through(path: Option<&mut Link<()>>, now: Time, packet: Packet) -> Option<(Span, bool, bool)> {
    let Some(path) = path else { return Some((Span::ZERO, false, false)) };
    // The driver holds what is in the air; this one only has to know whom a packet may not overtake.
    while path.poll_transmit(now).is_some() {}
    match path.handle_packet(now, (), u64::from(packet.wire_bytes), |()| ()) {
        Fate::Held { departure, overtakes, copied } => Some((departure.since(now), overtakes, copied)),
        Fate::Lost(()) | Fate::Dropped(()) => None,
    }
}

/// The path that does what a fault does.
fn path_of(fault: LinkFault) -> Option<PathPlan> {
    let plain = PathPlan::default();
    match fault {
        LinkFault::Down => None,
        // What is damaged is thrown away at its check sum.
        LinkFault::Drop(loss) | LinkFault::Corrupt(loss) => Some(PathPlan { loss, ..plain }),
        LinkFault::Duplicate(duplicate) => Some(PathPlan { duplicate, ..plain }),
        LinkFault::Delay(delay) => Some(PathPlan { delay, ..plain }),
        // To be overtaken by so much, the others have to be held for so long.
        LinkFault::Reorder(reorder, delay) => Some(PathPlan { delay, reorder, ..plain }),
    }
}

/// That at least one bit of so many bytes is wrong, 1 - (1 - p)^bits, by repeated doubling: q(2n) = 2 q(n) - q(n)^2.
/// Exact for the smallest p, and the same on every machine.
fn error_probability(of_a_bit: f64, bytes: u32) -> f64 {
    let mut of_a_power = of_a_bit.clamp(0.0, 1.0);
    let mut all = 0.0;
    let mut bits = u64::from(bytes) * 8;
    while bits > 0 && of_a_power > 0.0 {
        if bits & 1 == 1 {
            all = all + of_a_power - all * of_a_power;
        }
        of_a_power = of_a_power * (2.0 - of_a_power);
        bits >>= 1;
    }
    all
}

#[cfg(test)]
mod tests;
