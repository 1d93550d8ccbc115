//! The event builder: collects the fragments of all sources into events, and loses none in silence.
//!
//! ```text
//!              all sources are there                      poll_built
//!  Open ------+--------------------------> Complete ----------^
//!             +-- time-out, no room, end -> Incomplete, with the missing sources and the cause
//!                                           then closed: what comes now is late, and opens nothing
//! ```
//! Completeness is a set of sources, so a duplicate completes nothing. Open events have a bound in
//! number and bytes; at the bound the oldest is shipped early, and before it `is_throttling` asks the
//! trigger to stop. A complete event never waits for an incomplete one, unless the plan asks for order.
//!
//! It does not look into payloads: who finds one corrupt does not hand it in. Nothing is allocated for a
//! fragment; an event takes a vector that `recycle` gave back.

use std::collections::VecDeque;
use std::sync::Arc;

use super::fragment::{Fragment, Payload};
use super::gauge::Gauge;
use super::ids::{EventNumber, RunNumber, SourceId};
use super::numbers::{ClosedEvents, NumberTable, Past};
use super::sources::SourceSet;
use crate::time::Time;

mod counts;
mod event;
mod memory;
mod open;
mod order;
mod plan;
#[cfg(test)]
mod tests;

pub use counts::{Arrival, AssignmentCounts, BuilderCounts, SourceCounts, Strangers};
pub use event::{Built, Cause, Event};
use open::OpenEvents;
use order::Order;
pub use plan::BuilderPlan;

/// Builds events. The owner drains `poll_built` after each batch of calls.
#[derive(Clone, Debug)]
pub struct EventBuilder<P> {
    plan: BuilderPlan,
    sources: Arc<[SourceId]>,
    /// Place of each source among `sources`, by id; [`NOWHERE`] for those that nobody expects.
    places: Box<[u16]>,
    now: Time,
    open: OpenEvents<P>,
    index: NumberTable,
    closed: ClosedEvents,
    open_events: Gauge,
    open_bytes: Gauge,
    order: Option<Order<P>>,
    ready: VecDeque<Built<P>>,
    /// Ready and held for order.
    built_events: Gauge,
    built_bytes: Gauge,
    spare: Vec<Vec<Option<P>>>,
    counts: BuilderCounts,
    by_source: Box<[SourceCounts]>,
    strangers: Strangers,
}

/// No place. There are fewer places than ids, since a plan with all 65 536 of them is not accepted.
const NOWHERE: u16 = u16::MAX;

impl<P: Payload> EventBuilder<P> {
    /// Most sources of one builder: as many as hosts in a scenario.
    pub const SOURCES_MAX: u32 = 4_096;

    /// A builder with nothing open.
    ///
    /// # Panics
    ///
    /// When the plan has no source or more than [`Self::SOURCES_MAX`], or when a bound or the packing in
    /// it is zero: whoever reads plans from people checks that before.
    #[must_use]
    pub fn new(plan: BuilderPlan) -> Self {
        assert!((1..=Self::SOURCES_MAX).contains(&plan.sources.len()), "1 to 4096 sources");
        assert!(plan.packing_events > 0, "a packet has at least one event");
        assert!(plan.open_events_max > 0 && plan.built_events_max > 0, "room for one event at least");
        let sources: Arc<[SourceId]> = plan.sources.iter().collect();
        let ids = sources.last().map_or(0, |last| usize::from(last.0) + 1);
        let mut places = vec![NOWHERE; ids];
        for (place, source) in (0..NOWHERE).zip(sources.iter()) {
            places[usize::from(source.0)] = place;
        }
        Self {
            places: places.into(),
            now: Time::ZERO,
            open: OpenEvents::new(),
            index: NumberTable::new(plan.open_events_max as usize),
            closed: ClosedEvents::new(plan.closed_events),
            open_events: Gauge::new(plan.open_events_max.into()),
            open_bytes: Gauge::new(plan.open_bytes_max),
            order: plan.ordered_events_max.map(Order::new),
            ready: VecDeque::new(),
            built_events: Gauge::new(plan.built_events_max.into()),
            built_bytes: Gauge::new(plan.built_bytes_max),
            spare: Vec::new(),
            counts: BuilderCounts::default(),
            by_source: vec![SourceCounts::default(); sources.len()].into(),
            strangers: Strangers::default(),
            sources,
            plan,
        }
    }

    /// Takes in a fragment that came at `now`, and says what became of it.
    pub fn handle_fragment(&mut self, now: Time, fragment: Fragment<P>) -> Arrival {
        self.advance(now);
        let place = self.places.get(usize::from(fragment.source.0)).copied().unwrap_or(NOWHERE);
        if place == NOWHERE {
            self.strangers.record(fragment.source);
            return Arrival::UnknownSource;
        }
        let bytes = fragment.payload.len_bytes();
        let arrival = match self.slot_for(&fragment, place, bytes) {
            Ok(slot) => {
                self.take(slot, place, fragment.payload, bytes);
                Arrival::Taken
            }
            Err(refused) => refused,
        };
        self.by_source[usize::from(place)].record(arrival);
        arrival
    }

    /// Takes in that this builder was assigned `events` events from `event` on, so that it waits for
    /// them even if no fragment ever comes. Says what became of the announcement.
    ///
    /// Not needed for events of which something comes; harmless before, between and after fragments.
    pub fn handle_assignment(
        &mut self,
        now: Time,
        run: RunNumber,
        event: EventNumber,
        events: u16,
    ) -> Arrival {
        self.advance(now);
        let arrival = if run != self.plan.run {
            Arrival::WrongRun
        } else if let Err(refused) = self.check_packing(event, events) {
            refused
        } else if self.index.get(event).is_some() {
            Arrival::Duplicate
        } else {
            self.open_if_new(event, events).err().unwrap_or(Arrival::Taken)
        };
        let counts = &mut self.counts.assignments;
        *match arrival {
            Arrival::Taken => &mut counts.opened,
            Arrival::NoRoom => &mut counts.no_room,
            Arrival::Duplicate | Arrival::Late | Arrival::Stale => &mut counts.known,
            _ => &mut counts.wrong,
        } += 1;
        arrival
    }

    /// Ships what has waited too long at `now`, as far as there is room for built events.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
        while !self.is_built_full()
            && let Some(oldest) = self.open.oldest()
            && self.open.at(oldest).opened + self.plan.timeout <= self.now
        {
            self.ship(oldest, Some(Cause::TimedOut));
        }
    }

    /// The run is over: ships all that is open. To be called again, after `poll_built`, until
    /// `open_events` is zero.
    pub fn handle_end(&mut self, now: Time) {
        self.advance(now);
        while !self.is_built_full()
            && let Some(oldest) = self.open.oldest()
        {
            self.ship(oldest, Some(Cause::Ended));
        }
    }

    /// When `handle_timeout` has something to do; `None` when nothing is open, or when built events have
    /// to be fetched first.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        let oldest = self.open.oldest_opened()?;
        (!self.is_built_full()).then(|| oldest + self.plan.timeout)
    }

    /// The next built event.
    pub fn poll_built(&mut self) -> Option<Built<P>> {
        if self.ready.is_empty() {
            self.let_go();
        }
        let built = self.ready.pop_front()?;
        self.built_events.sub(1);
        self.built_bytes.sub(built.event().bytes);
        Some(built)
    }

    /// Takes back an event that has been used, so that its memory is used again.
    pub fn recycle(&mut self, event: Event<P>) {
        let mut parts = event.parts;
        if self.spare.len() < self.plan.open_events_max as usize && parts.len() == self.sources.len() {
            parts.iter_mut().for_each(|part| *part = None);
            self.spare.push(parts);
        }
    }

    /// Whether a bound is near, so that the trigger should stop: from three quarters of any bound until
    /// all are at half.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        let [open_events, open_bytes, built_events, built_bytes] = self.gauges();
        open_events.is_near() || open_bytes.is_near() || built_events.is_near() || built_bytes.is_near()
    }

    /// Fill of open events, their bytes, built events that were not fetched, and their bytes.
    #[must_use]
    pub const fn gauges(&self) -> [&Gauge; 4] {
        [&self.open_events, &self.open_bytes, &self.built_events, &self.built_bytes]
    }

    /// The run.
    #[must_use]
    pub const fn run(&self) -> RunNumber {
        self.plan.run
    }

    /// Events that are open.
    #[must_use]
    pub fn open_events(&self) -> u64 {
        self.open.len()
    }

    /// The account of events.
    #[must_use]
    pub const fn counts(&self) -> &BuilderCounts {
        &self.counts
    }

    /// The account of fragments, by rising source.
    pub fn by_source(&self) -> impl Iterator<Item = (SourceId, &SourceCounts)> + '_ {
        self.sources.iter().copied().zip(&self.by_source)
    }

    /// Fragments of sources that nobody expects.
    #[must_use]
    pub const fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// Time that went backwards counts as standing still.
    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    fn is_built_full(&self) -> bool {
        self.built_events.is_full() || self.built_bytes.is_full()
    }

    /// The slot of the fragment's event, opened if need be; or why the fragment is refused.
    #[inline]
    fn slot_for(&mut self, fragment: &Fragment<P>, place: u16, bytes: u32) -> Result<u32, Arrival> {
        if fragment.run != self.plan.run {
            return Err(Arrival::WrongRun);
        }
        if bytes > self.plan.fragment_bytes_max {
            return Err(Arrival::Oversize);
        }
        self.check_packing(fragment.event, fragment.events)?;
        let Some(slot) = self.index.get(fragment.event) else {
            let slot = self.open_if_new(fragment.event, fragment.events)?;
            return self.make_room(slot, bytes);
        };
        let open = self.open.at(slot);
        if open.events != fragment.events {
            return Err(Arrival::WrongPacking);
        }
        if open.present.contains(place) {
            return Err(Arrival::Duplicate);
        }
        if self.is_built_full() {
            return Err(Arrival::NoRoom);
        }
        self.make_room(slot, bytes)
    }

    /// Whether a packet of `events` events may begin with `event`, and why not.
    #[inline]
    fn check_packing(&self, event: EventNumber, events: u16) -> Result<(), Arrival> {
        let packing = self.plan.packing_events;
        let Some(after_first) = event.0.checked_sub(self.plan.first.0) else { return Err(Arrival::Stale) };
        // An event has a next one, or its end could not be told.
        let has_next = event.0 < u64::MAX - u64::from(packing);
        let is_aligned = packing == 1 || after_first.is_multiple_of(u64::from(packing));
        let is_right = has_next && is_aligned && (1..=packing).contains(&events);
        if is_right { Ok(()) } else { Err(Arrival::WrongPacking) }
    }

    /// Opens an event that is not open, unless it is over.
    fn open_if_new(&mut self, number: EventNumber, events: u16) -> Result<u32, Arrival> {
        match self.closed.past(number) {
            Past::New => {}
            Past::Closed => return Err(Arrival::Late),
            Past::Stale => return Err(Arrival::Stale),
        }
        if self.open_events.is_full()
            && !self.is_built_full()
            && let Some(oldest) = self.open.oldest()
        {
            self.ship(oldest, Some(Cause::Crowded));
        }
        if self.open_events.is_full() || self.is_built_full() {
            return Err(Arrival::NoRoom);
        }
        let parts = self.spare.pop().unwrap_or_else(|| self.sources.iter().map(|_| None).collect());
        let slot = self.open.insert(number, events, self.now, parts);
        self.index.insert(number, slot);
        if let Some(order) = &mut self.order {
            order.handle_opened(number);
        }
        self.open_events.add(1);
        self.counts.opened += 1;
        Ok(slot)
    }

    /// Ships the oldest events until `bytes` more fit. One that will complete its event needs no room.
    #[inline]
    fn make_room(&mut self, slot: u32, bytes: u32) -> Result<u32, Arrival> {
        let completes = self.open.at(slot).present.len() + 1 == self.plan.sources.len();
        while !completes && !self.open_bytes.has_room(bytes.into()) {
            if self.is_built_full() {
                return Err(Arrival::NoRoom);
            }
            // There is an oldest one: this, if no other.
            let Some(oldest) = self.open.oldest() else { return Err(Arrival::NoRoom) };
            self.ship(oldest, Some(Cause::Crowded));
            if oldest == slot {
                return Err(Arrival::NoRoom);
            }
        }
        Ok(slot)
    }

    #[inline]
    fn take(&mut self, slot: u32, place: u16, payload: P, bytes: u32) {
        let open = self.open.at(slot);
        let is_new = open.present.insert(place);
        let before = open.parts[usize::from(place)].replace(payload);
        debug_assert!(is_new && before.is_none(), "a source contributes once");
        open.bytes += u64::from(bytes);
        let is_complete = open.present.len() == self.plan.sources.len();
        self.open_bytes.add(bytes.into());
        self.by_source[usize::from(place)].bytes += u64::from(bytes);
        if is_complete {
            self.ship(slot, None);
        }
    }

    /// Closes an event: complete, or with the cause why it is not.
    fn ship(&mut self, slot: u32, cause: Option<Cause>) {
        let (open, parts) = self.open.remove(slot);
        let built_event = Event {
            run: self.plan.run,
            number: open.number,
            events: open.events,
            opened: open.opened,
            closed: self.now,
            bytes: open.bytes,
            sources: Arc::clone(&self.sources),
            parts,
        };
        let (number, bytes) = (open.number, open.bytes);
        // More than half of the sources speak of this number: it is no single one's mistake.
        let is_certain = 2 * open.present.len() > self.plan.sources.len();
        let built = match cause {
            None => {
                self.counts.complete += 1;
                self.counts.completion_ns.record(self.now.since(open.opened).as_ns());
                Built::Complete(built_event)
            }
            Some(cause) => {
                *match cause {
                    Cause::TimedOut => &mut self.counts.timed_out,
                    Cause::Crowded => &mut self.counts.crowded,
                    Cause::Ended => &mut self.counts.ended,
                } += 1;
                let is_missing = |(place, _): &(u16, &SourceId)| !open.present.contains(*place);
                let missing: SourceSet = (0_u16..)
                    .zip(self.sources.iter())
                    .filter(is_missing)
                    .map(|(_, source)| *source)
                    .collect();
                for source in missing.iter() {
                    self.by_source[usize::from(self.places[usize::from(source.0)])].missing += 1;
                }
                Built::Incomplete { event: built_event, missing, cause }
            }
        };
        self.index.remove(number);
        self.closed.record(number, is_certain);
        self.open_events.sub(1);
        self.open_bytes.sub(bytes);
        self.built_events.add(1);
        self.built_bytes.add(bytes);
        self.give_out(built);
        self.check_laws();
    }

    /// To the owner, at once or when its turn comes.
    fn give_out(&mut self, built: Built<P>) {
        let Some(order) = &mut self.order else {
            self.ready.push_back(built);
            return;
        };
        order.handle_built(built);
        self.let_go();
    }

    /// Lets those go that are held back for order, as far as it is their turn. When no more fits and nothing could
    /// be fetched, order would stop the builder for good.
    fn let_go(&mut self) {
        let Some(order) = &mut self.order else { return };
        let is_full = self.built_events.is_full() || self.built_bytes.is_full();
        while let Some((built, is_late)) = order.poll(is_full && self.ready.is_empty()) {
            self.counts.out_of_order += u64::from(is_late);
            self.ready.push_back(built);
        }
    }

    /// Every event that was opened is open or was shipped once, and what is open is what the gauges say.
    fn check_laws(&self) {
        let counts = &self.counts;
        let shipped = counts.complete + counts.timed_out + counts.crowded + counts.ended;
        assert_eq!(counts.opened, shipped + self.open.len(), "opened = shipped + open: {counts:?}");
        assert_eq!(self.open.len(), self.open_events.filled(), "open events are counted once");
        assert!(self.open.len() > 0 || self.open_bytes.filled() == 0, "no event, no bytes");
    }
}
