//! The source: sends its part of each event to whom the trigger names.
//!
//! It waits its offset, asks its owner for the data, and sends it once. Nothing is kept for a builder that
//! is not there, and what does not fit its queue is dropped: both are counted. The sizes follow from seed,
//! source, level and event, so that a source that comes back draws what it would have drawn before.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::counts::GaugeCounts;
use super::nonsense::{Nonsense, NonsenseCounts};
use super::plan::{SizePlan, SourceRolePlan};
use super::{Order, Role, RoleCounts};
use crate::random::Random;
use crate::readout::bits::Bits;
use crate::readout::fragment::{Fragment, Payload};
use crate::readout::gauge::Gauge;
use crate::readout::ids::{BuilderId, EventNumber, Incarnation, Level, Peer, RunNumber, SourceId};
use crate::readout::message::Message;
use crate::readout::trigger::Assigned;
use crate::time::Time;

/// What a source wants of its owner: the content of a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which fragments.
    pub level: Level,
    /// The run.
    pub run: RunNumber,
    /// The event; of a packet, the first.
    pub first: EventNumber,
    /// How many consecutive events.
    pub events: u16,
    /// For whom.
    pub destination: BuilderId,
    /// Bytes of each event's content.
    pub sizes: Sizes,
}

/// Bytes of the content of consecutive events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// All are the same.
    Same {
        /// Of each.
        bytes: u32,
        /// How many.
        events: u16,
    },
    /// Of each event.
    Each(Box<[u32]>),
}

impl Sizes {
    /// Of each event, in their order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let (same, each) = match self {
            Self::Same { bytes, events } => (std::iter::repeat_n(*bytes, usize::from(*events)), &[][..]),
            Self::Each(sizes) => (std::iter::repeat_n(0, 0), &sizes[..]),
        };
        same.chain(each.iter().copied())
    }

    /// Of all together.
    #[must_use]
    pub fn sum(&self) -> u64 {
        match self {
            Self::Same { bytes, events } => u64::from(*bytes) * u64::from(*events),
            Self::Each(sizes) => sizes.iter().map(|bytes| u64::from(*bytes)).sum(),
        }
    }
}

/// The account of a source. At any moment `assigned = sent + dropped + not sent + waiting`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRoleCounts {
    /// Packets that were assigned, of both levels.
    pub assigned: u64,
    /// Fragments sent.
    pub sent: u64,
    /// Bytes of their payloads.
    pub sent_bytes: u64,
    /// Dropped for want of room in the queue.
    pub dropped: u64,
    /// Not sent because the builder was not there.
    pub not_sent: BTreeMap<BuilderId, u64>,
    /// Assigned, and not sent yet.
    pub waiting: u64,
    /// Bytes in the queue.
    pub queue_bytes: GaugeCounts,
    /// What nobody may say.
    pub nonsense: NonsenseCounts,
}

/// A source.
#[derive(Clone, Debug)]
pub struct SourceRole<P> {
    plan: SourceRolePlan,
    /// Builders that are there.
    builders: Bits,
    /// By when they are due: the offset is the same for all.
    waiting: VecDeque<(Time, Wanted)>,
    /// At the owner, with the bytes that were counted for them; sorted.
    asked: VecDeque<((Level, EventNumber), u64)>,
    ready: VecDeque<(BuilderId, Level, Fragment<P>)>,
    queue_bytes: Gauge,
    has_last: bool,
    is_ended: bool,
    counts: SourceRoleCounts,
}

impl<P: Payload + Clone> SourceRole<P> {
    /// A source that nobody is there for yet.
    #[must_use]
    pub fn new(plan: SourceRolePlan) -> Self {
        Self {
            builders: Bits::default(),
            waiting: VecDeque::new(),
            asked: VecDeque::new(),
            ready: VecDeque::new(),
            queue_bytes: Gauge::new(plan.queue_bytes_max),
            has_last: false,
            is_ended: false,
            counts: SourceRoleCounts::default(),
            plan,
        }
    }

    /// Which source it is.
    #[must_use]
    pub const fn source(&self) -> SourceId {
        self.plan.source
    }

    /// The next content that is wanted. The owner answers each with `handle_supplied`, in any order.
    pub fn poll_wanted(&mut self, now: Time) -> Option<Wanted> {
        while self.waiting.front().is_some_and(|(due, _)| *due <= now || self.is_ended) {
            let (_, wanted) = self.waiting.pop_front()?;
            let bytes = wanted.sizes.sum();
            if self.builders.contains(wanted.destination.0) {
                let key = (wanted.level, wanted.first);
                match self.asked_at(key) {
                    Ok(place) => self.asked[place].1 = bytes,
                    Err(place) => self.asked.insert(place, (key, bytes)),
                }
                return Some(wanted);
            }
            self.queue_bytes.sub(bytes);
            self.record_not_sent(wanted.destination);
        }
        None
    }

    /// The content that was wanted. One that was not is the owner's mistake, and is not sent.
    pub fn handle_supplied(
        &mut self,
        _now: Time,
        level: Level,
        fragment: Fragment<P>,
        destination: BuilderId,
    ) {
        let place = self.asked_at((level, fragment.event)).ok();
        let Some((_, bytes)) = place.and_then(|place| self.asked.remove(place)) else {
            self.counts.nonsense.record(Nonsense::Unknown);
            return;
        };
        self.queue_bytes.sub(bytes);
        self.queue_bytes.add(fragment.payload.len_bytes().into());
        self.ready.push_back((destination, level, fragment));
    }

    fn handle_assigned(&mut self, now: Time, level: Level, assigned: Assigned) {
        let Assigned { run, event, events, destination, .. } = assigned;
        let is_level = (level == Level::First || self.plan.run.has_two_levels)
            && self.plan.run.has_level(self.plan.source, level);
        if run != self.plan.run.run {
            return self.counts.nonsense.record(Nonsense::WrongRun);
        } else if !is_level || !(1..=self.plan.run.packing_of(level)).contains(&events) {
            return self.counts.nonsense.record(Nonsense::WrongLevel);
        } else if self.asked_at((level, event)).is_ok() {
            return self.counts.nonsense.record(Nonsense::Unknown);
        }
        self.counts.assigned += 1;
        let sizes = self.sizes(level, event, events);
        let bytes = sizes.sum();
        let is_empty = self.queue_bytes.filled() == 0;
        if !self.queue_bytes.has_room(bytes) && !is_empty {
            self.counts.dropped += 1;
            return;
        }
        self.queue_bytes.add(bytes);
        let wanted = Wanted { level, run, first: event, events, destination, sizes };
        self.waiting.push_back((now + self.plan.send_offset, wanted));
    }

    /// The place of a fragment among those that the owner was asked for, or where it would be.
    #[inline]
    fn asked_at(&self, key: (Level, EventNumber)) -> Result<usize, usize> {
        self.asked.binary_search_by_key(&key, |(key, _)| *key)
    }

    fn sizes(&self, level: Level, event: EventNumber, events: u16) -> Sizes {
        match self.plan.sizes[level as usize] {
            SizePlan::Fixed { bytes } => Sizes::Same { bytes, events },
            _ if events == 1 => Sizes::Same { bytes: self.size(level, event), events },
            _ => Sizes::Each((0..events).map(|index| self.size(level, event.after(index.into()))).collect()),
        }
    }

    /// The size of this source's part of an event: the same whenever it is asked for.
    fn size(&self, level: Level, event: EventNumber) -> u32 {
        let (plan, salt) = match level {
            Level::First => (self.plan.sizes[0], 0),
            Level::Second => (self.plan.sizes[1], 1 << 16),
        };
        // Odd constants, so that neighbours in one number are no neighbours in the seed.
        let of_source = (u64::from(self.plan.source.0) | salt).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let of_event = event.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        plan.draw(&mut Random::named(self.plan.run.seed ^ of_source ^ of_event.rotate_left(17), "sizes"))
    }

    fn record_not_sent(&mut self, builder: BuilderId) {
        *self.counts.not_sent.entry(builder).or_default() += 1;
    }

    fn waiting(&self) -> u64 {
        // Lengths are far below 2^64.
        (self.waiting.len() + self.asked.len() + self.ready.len()) as u64
    }
}

impl SizePlan {
    /// A size.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between zero and a `u32`, and `as` saturates"
    )]
    fn draw(self, random: &mut Random) -> u32 {
        match self {
            Self::Fixed { bytes } => bytes,
            Self::Uniform { least, most } => {
                let sizes = u64::from(most.saturating_sub(least)) + 1;
                least.saturating_add(u32::try_from(random.next_u64() % sizes).unwrap_or(0))
            }
            Self::LogNormal { median, sigma_milli, most } => {
                // G. E. P. Box, M. E. Muller, doi:10.1214/aoms/1177706645.
                let (radius, turn) = ((2.0 * random.exponential()).sqrt(), random.unit());
                let normal = radius * (std::f64::consts::TAU * turn).cos();
                let size = f64::from(median) * (normal * f64::from(sigma_milli) / 1_000.0).exp();
                size.round().min(f64::from(most)) as u32
            }
        }
    }
}

impl<P: Payload + Clone> Role<P> for SourceRole<P> {
    fn handle_message(&mut self, now: Time, from: Peer, message: Message<P>) {
        match message {
            Message::Assigned { level, assigned } if from == Peer::Trigger => {
                self.handle_assigned(now, level, assigned);
            }
            Message::Last { .. } if from == Peer::Trigger => self.has_last = true,
            _ => self.counts.nonsense.record(Nonsense::WrongSender),
        }
    }

    fn handle_peer(&mut self, _now: Time, peer: Peer, life: Option<Incarnation>) {
        if let Peer::Builder(builder) = peer {
            match life {
                Some(_) => self.builders.insert(builder.0),
                None => self.builders.remove(builder.0),
            };
        }
    }

    fn handle_order(&mut self, _now: Time, order: Order) {
        self.is_ended |= order == Order::End;
    }

    fn handle_timeout(&mut self, _now: Time) {}

    fn poll_transmit(&mut self, _now: Time) -> Option<(Peer, Message<P>)> {
        while let Some((builder, level, fragment)) = self.ready.pop_front() {
            let bytes = u64::from(fragment.payload.len_bytes());
            self.queue_bytes.sub(bytes);
            if self.builders.contains(builder.0) {
                self.counts.sent += 1;
                self.counts.sent_bytes += bytes;
                return Some((Peer::Builder(builder), Message::Fragment { level, fragment }));
            }
            self.record_not_sent(builder);
        }
        None
    }

    fn next_timeout(&self) -> Option<Time> {
        self.waiting.front().map(|(due, _)| *due)
    }

    fn is_done(&self) -> bool {
        (self.has_last || self.is_ended) && self.waiting() == 0
    }

    fn counts(&self) -> RoleCounts {
        let queue_bytes = GaugeCounts::from(&self.queue_bytes);
        RoleCounts::Source(Box::new(SourceRoleCounts {
            waiting: self.waiting(),
            queue_bytes,
            ..self.counts.clone()
        }))
    }
}
