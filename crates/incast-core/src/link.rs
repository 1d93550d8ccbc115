//! What a long or bad path does to packets: delay, jitter, loss, duplicates, reordering.
//!
//! Pure: told the time and the packets, drawing from a seeded generator. The lab drives it between
//! two interfaces. It has no rate and no port: a queue that drains at a rate is somebody else's.
//!
//! ```text
//!                  lost            no room
//!                   ^                 ^
//!  handle_packet ---+--- copy it? ----+---> in order:  [ .. | .. | .. ] --+--> poll_transmit
//!                                     +---> overtaking: [ .. ] -----------+
//! ```
//! What is held leaves by its departure, and in the order of arrival where departures are equal.
//! The account is closed at any moment: `packets + copies = forwarded + lost + dropped + held`.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::time::{Span, Time};

mod counts;
#[cfg(test)]
mod tests;

pub use counts::LinkCounts;

/// What happens to packets one way. The other way gets the same, drawn on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PathPlan {
    /// Every packet is held for so long.
    pub delay: Span,
    /// And for a random time more, uniform from 0 to this; order is kept.
    pub jitter: Span,
    /// Probability of losing a packet, 0 to 1.
    pub loss: f64,
    /// Probability of delivering a packet twice, 0 to 1.
    pub duplicate: f64,
    /// Probability, 0 to 1, of sending a packet on without its delay, so that it overtakes those before it.
    pub reorder: f64,
}

/// How much a link holds at once. What finds no room is dropped and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkBounds {
    /// Packets, copies included.
    pub packets: u64,
    /// Bytes of these packets.
    pub bytes: u64,
}

/// What became of a packet that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate<P> {
    /// It will leave at `departure`.
    Held {
        /// When it is due.
        departure: Time,
        /// It leaves before a packet that came earlier.
        overtakes: bool,
        /// A copy of it will leave right behind it.
        copied: bool,
    },
    /// Lost on purpose; given back, so that its buffer can be used again.
    Lost(P),
    /// There was no room for it; given back likewise.
    Dropped(P),
}

/// A packet that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure<P> {
    /// The packet.
    pub packet: P,
    /// When it was due; the driver may be later.
    pub due: Time,
}

/// One direction of a path: takes packets in and gives them out when they are due.
///
/// `P` is what is held: a buffer in the lab, a bare length in a simulator. The same plan, seed,
/// arrivals and bounds give the same departures.
///
/// * A packet is lost, or it is held for `delay` and a random part of `jitter`. It never leaves before
///   the one that came before it: with jitter, packets bunch up behind the slowest.
/// * A packet chosen to overtake is due as it arrives, and passes everything that is still held. It
///   counts as overtaking only when there is something to pass: with no delay and no jitter nothing is
///   ever held for a time, and `reorder` changes nothing.
/// * A copy leaves right behind its original, wherever that goes. A lost packet has no copy.
#[derive(Clone, Debug)]
pub struct Link<P> {
    plan: PathPlan,
    bounds: LinkBounds,
    random: Random,
    in_order: VecDeque<Held<P>>,
    overtaking: VecDeque<Held<P>>,
    held_bytes: u64,
    last_arrival: Time,
    counts: LinkCounts,
}

#[derive(Clone, Debug)]
struct Held<P> {
    departure: Time,
    /// Counted over all that was ever held: breaks ties of departures.
    index: u64,
    bytes: u64,
    packet: P,
}

/// Four decisions, all drawn for every packet whatever comes of them: with the same seed a path with
/// more loss loses the same packets and more, and one without duplicates has the same jitter.
struct Draw {
    lost: bool,
    copied: bool,
    chosen: bool,
    jitter: Span,
}

impl<P> Link<P> {
    /// An empty path. `random` is a stream of its own, such as `Random::named(seed, "y -> main")`.
    #[must_use]
    pub fn new(plan: PathPlan, random: Random, bounds: LinkBounds) -> Self {
        Self {
            plan,
            bounds,
            random,
            in_order: VecDeque::new(),
            overtaking: VecDeque::new(),
            held_bytes: 0,
            last_arrival: Time::ZERO,
            counts: LinkCounts::default(),
        }
    }

    /// Takes in a packet of `bytes` bytes that arrived at `now`; `copy` makes a second one of it, and
    /// is called only if there shall be one and there is room for it.
    ///
    /// A moment before that of an earlier packet counts as that moment. It may lie before the last
    /// `poll_transmit`: a driver that reads late says when the packet came, not when it looked.
    ///
    /// # Panics
    ///
    /// If the account is not closed: our mistake.
    pub fn handle_packet(&mut self, now: Time, packet: P, bytes: u64, copy: impl FnOnce(&P) -> P) -> Fate<P> {
        let arrival = now.max(self.last_arrival);
        self.last_arrival = arrival;
        self.counts.packets += 1;
        let draw = self.draw();
        let fate = if draw.lost {
            self.counts.lost += 1;
            Fate::Lost(packet)
        } else if self.has_room(bytes) {
            self.hold_with_copy(arrival, packet, bytes, &draw, copy)
        } else {
            self.counts.dropped += 1;
            Fate::Dropped(packet)
        };
        self.check_laws();
        fate
    }

    /// The packet that is due at `now`, or none. To be called until there is none.
    ///
    /// # Panics
    ///
    /// If the account is not closed: our mistake.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Departure<P>> {
        let queue = if self.is_overtaking_next() { &mut self.overtaking } else { &mut self.in_order };
        if queue.front()?.departure > now {
            return None;
        }
        let Held { departure, bytes, packet, .. } = queue.pop_front()?;
        self.held_bytes -= bytes;
        self.counts.forwarded += 1;
        self.check_laws();
        Some(Departure { packet, due: departure })
    }

    /// When the next packet is due; `None` when nothing is held.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        let queue = if self.is_overtaking_next() { &self.overtaking } else { &self.in_order };
        queue.front().map(|held| held.departure)
    }

    /// Packets held now, copies included.
    #[must_use]
    pub fn held_packets(&self) -> u64 {
        // A length is far below 2^64.
        (self.in_order.len() + self.overtaking.len()) as u64
    }

    /// Bytes held now.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// The account so far.
    #[must_use]
    pub fn counts(&self) -> &LinkCounts {
        &self.counts
    }

    fn draw(&mut self) -> Draw {
        let PathPlan { jitter, loss, duplicate, reorder, .. } = self.plan;
        // `unit` is never 0 and may be 1: a probability of 0 is never, one of 1 is always.
        let [lost, copied, chosen] =
            [loss, duplicate, reorder].map(|probability| self.random.unit() <= probability);
        let part = u128::from(self.random.next_u64()) * (u128::from(jitter.0) + 1);
        // A product of two numbers below 2^64 and at most 2^64: what remains fits.
        let jitter = Span(u64::try_from(part >> 64).unwrap_or(jitter.0));
        Draw { lost, copied, chosen, jitter }
    }

    fn hold_with_copy(
        &mut self,
        arrival: Time,
        packet: P,
        bytes: u64,
        draw: &Draw,
        copy: impl FnOnce(&P) -> P,
    ) -> Fate<P> {
        let last = self.in_order.back().map_or(Time::ZERO, |held| held.departure);
        let overtakes = draw.chosen && last > arrival;
        self.counts.overtaking += u64::from(overtakes);
        let departure = if draw.chosen { arrival } else { last.max(arrival + self.plan.delay + draw.jitter) };
        self.counts.copies += u64::from(draw.copied);
        // There is room for the original; is there for both?
        let copied = draw.copied && self.has_room_beside(bytes);
        let second = copied.then(|| copy(&packet));
        self.hold(departure, packet, bytes, draw.chosen);
        match second {
            Some(second) => self.hold(departure, second, bytes, draw.chosen),
            None => self.counts.dropped += u64::from(draw.copied),
        }
        Fate::Held { departure, overtakes, copied }
    }

    fn hold(&mut self, departure: Time, packet: P, bytes: u64, chosen: bool) {
        let index = self.counts.held_ever;
        self.counts.held_ever += 1;
        self.held_bytes += bytes;
        let queue = if chosen { &mut self.overtaking } else { &mut self.in_order };
        debug_assert!(queue.back().is_none_or(|last| last.departure <= departure), "a queue is in order");
        queue.push_back(Held { departure, index, bytes, packet });
        self.counts.held_packets_max = self.counts.held_packets_max.max(self.held_packets());
        self.counts.held_bytes_max = self.counts.held_bytes_max.max(self.held_bytes);
    }

    /// Whether one more packet of `bytes` fits.
    fn has_room(&self, bytes: u64) -> bool {
        self.held_packets() < self.bounds.packets
            && self.held_bytes.saturating_add(bytes) <= self.bounds.bytes
    }

    /// Whether two more packets of `bytes` fit.
    fn has_room_beside(&self, bytes: u64) -> bool {
        self.held_packets() + 1 < self.bounds.packets
            && self.held_bytes.saturating_add(bytes.saturating_mul(2)) <= self.bounds.bytes
    }

    fn is_overtaking_next(&self) -> bool {
        match (self.overtaking.front(), self.in_order.front()) {
            (Some(overtaking), Some(in_order)) => {
                (overtaking.departure, overtaking.index) < (in_order.departure, in_order.index)
            }
            (overtaking, _) => overtaking.is_some(),
        }
    }

    /// The law of the account, after every packet in and out: a few additions.
    fn check_laws(&self) {
        let counts = &self.counts;
        assert_eq!(
            counts.packets + counts.copies,
            counts.forwarded + counts.lost + counts.dropped + self.held_packets(),
            "packets + copies = forwarded + lost + dropped + held: {counts:?}"
        );
        assert_eq!(counts.held_ever, counts.forwarded + self.held_packets(), "held once, sent once");
    }
}
