//! How the trigger keeps the account: what it triggered, what others say of it, and what died.

use super::under_way::Over;
use super::{Engine, IN_FLIGHT_NEAR, Sorted, TriggerRole};
use crate::readout::assign::Assign;
use crate::readout::event_account::{EventAccount, Loss, Place};
use crate::readout::ids::{BuilderId, EventNumber, Incarnation, Level, Peer};
use crate::readout::message::{End, Ended};
use crate::readout::role::ends::EVENTS_PER_END_MAX;
use crate::readout::role::nonsense::Nonsense;
use crate::time::Time;

impl<P: Clone> TriggerRole<P> {
    /// Takes what was triggered into the account: an event is in flight before it is assigned.
    pub(super) fn account_triggered(&mut self, _now: Time) {
        let Engine::Running(trigger) = &self.engine else { return };
        let new = trigger.counts().triggered - self.account.totals().triggered;
        if new > 0 {
            self.account.handle_triggered(new);
            // Not from the oldest in flight on: what the first of two levels shipped incomplete has ended, and
            // still waits for its decision.
            let window = EventAccount::WINDOW_EVENTS as u64;
            let oldest = EventNumber(self.account.next().0.saturating_sub(window));
            for packets in &mut self.under_way {
                packets.forget_before(oldest);
            }
        }
    }

    /// Stops triggers while more is in flight than the account can remember for long.
    pub(super) fn handle_backlog(&mut self, now: Time) {
        let is_sorter_near = self.second.as_ref().is_some_and(|second| second.sorter.is_throttling());
        let is_near = self.account.window_fill() >= IN_FLIGHT_NEAR || is_sorter_near;
        if let Engine::Running(trigger) = &mut self.engine {
            trigger.handle_backlog(now, is_near);
        }
    }

    /// Takes in where events ended, or what the first level decided, as a builder or sink says.
    pub(super) fn handle_ends(&mut self, now: Time, from: Peer, ends: &[End]) {
        for end in ends {
            if end.events > EVENTS_PER_END_MAX {
                self.counts.nonsense.record(Nonsense::TooLarge);
                continue;
            }
            let is_said_by_sink = matches!(end.how, Ended::Stored);
            let is_said_by_builder = matches!(end.how, Ended::Rejected | Ended::Accepted | Ended::NoRoom);
            match from {
                Peer::Sink(_) if !is_said_by_builder => self.handle_found(now, from, end),
                Peer::Builder(builder) if !is_said_by_sink => self.handle_told(now, builder, end),
                _ => self.counts.nonsense.record(Nonsense::WrongSender),
            }
        }
    }

    /// A sink has events on disk.
    fn handle_found(&mut self, now: Time, from: Peer, end: &End) {
        for index in 0..end.events {
            let event = end.first.after(index.into());
            if self.plan.run.sink_of(event).map(Peer::Sink) != Some(from) {
                self.counts.nonsense.record(Nonsense::WrongSender);
                continue;
            }
            let place = match &end.how {
                Ended::Incomplete(missing) => Place::Incomplete(missing),
                _ => Place::Stored,
            };
            let is_news = self.account.handle_found(event, place);
            let last_level = if self.second.is_some() { Level::Second } else { Level::First };
            self.handle_over(now, last_level, event, is_news);
        }
    }

    /// A builder says what became of events that were assigned to it.
    fn handle_told(&mut self, now: Time, builder: BuilderId, end: &End) {
        for index in 0..end.events {
            let event = end.first.after(index.into());
            // At the second level from the moment it is assigned there.
            let level = [Level::Second, Level::First]
                .into_iter()
                .find(|level| self.under_way[*level as usize].packet_of(event).is_some());
            let of_whom = level.and_then(|level| self.under_way[level as usize].packet_of(event));
            match of_whom {
                Some(packet) if packet.builder != builder => {
                    self.counts.nonsense.record(Nonsense::WrongSender);
                    continue;
                }
                // It ended before, or never was: the account says which.
                None if end.how == Ended::Accepted => {
                    self.counts.nonsense.record(Nonsense::Unknown);
                    continue;
                }
                _ => {}
            }
            let is_first_of_two = self.second.is_some() && level == Some(Level::First);
            match &end.how {
                Ended::Accepted if is_first_of_two => self.handle_accepted(now, event),
                Ended::Accepted | Ended::Stored => self.counts.nonsense.record(Nonsense::WrongLevel),
                // Shipped incomplete at the first of two levels, it is still decided about.
                Ended::Incomplete(missing) if is_first_of_two => {
                    if self.account.handle_end(event, Place::Incomplete(missing)) {
                        self.record_latency(now, level, event);
                    }
                }
                Ended::Incomplete(missing) => self.end(now, level, event, Place::Incomplete(missing)),
                Ended::Rejected if is_first_of_two && !self.account.is_in_flight(event) => {
                    self.handle_over(now, Level::First, event, false);
                    self.decide(now, event, None);
                }
                Ended::Rejected => self.end(now, level, event, Place::Rejected),
                Ended::NoRoom => self.end(now, level, event, Place::Lost(Loss::NoRoom)),
            }
        }
    }

    fn end(&mut self, now: Time, level: Option<Level>, event: EventNumber, place: Place<'_>) {
        let is_lost = matches!(place, Place::Lost(_));
        let is_news = self.account.handle_end(event, place);
        let Some(level) = level else { return };
        self.handle_over(now, level, event, is_news && !is_lost);
        if level == Level::First {
            self.decide(now, event, None);
        }
    }

    /// The first level accepted an event.
    fn handle_accepted(&mut self, now: Time, event: EventNumber) {
        let Some(over) = self.handle_over(now, Level::First, event, false) else { return };
        self.counts.accepted += 1;
        let is_late = self.second.as_ref().is_some_and(|second| event < second.sorter.oldest());
        if is_late && self.account.is_in_flight(event) {
            self.account.handle_end(event, Place::Lost(Loss::DecidedLate));
        }
        self.decide(now, event, Some(over.triggered));
    }

    fn decide(&mut self, now: Time, event: EventNumber, accepted: Option<Time>) {
        if let Some(second) = &mut self.second {
            second.sorter.handle_decision(now, event, accepted);
        }
    }

    /// Brings the decisions of the first level in order. A hole stays in flight: its builder has it, and
    /// will say or die.
    pub(super) fn poll_sorted(&mut self, now: Time) {
        let Some(second) = &mut self.second else { return };
        while let Some(sorted) = second.sorter.poll_sorted(now) {
            if let Sorted::Decision(event, Some(triggered)) = sorted {
                second.accepted.push_back((event, triggered));
            }
        }
    }

    /// An event is over at a level, and so is its packet with the last one.
    fn handle_over(&mut self, now: Time, level: Level, event: EventNumber, is_timed: bool) -> Option<Over> {
        let over = self.under_way[level as usize].handle_over(event)?;
        if is_timed {
            self.counts.latency_ns.record(now.since(over.triggered).as_ns());
        }
        if over.is_last && self.builders.get(&over.builder) == Some(&over.life) {
            match (level, &mut self.second) {
                (Level::Second, Some(second)) => second.policy.handle_done(over.builder.into()),
                _ => self.policy().handle_done(over.builder.into()),
            }
        }
        Some(over)
    }

    fn record_latency(&mut self, now: Time, level: Option<Level>, event: EventNumber) {
        let packet = level.and_then(|level| self.under_way[level as usize].packet_of(event));
        if let Some(packet) = packet {
            self.counts.latency_ns.record(now.since(packet.triggered).as_ns());
        }
    }

    /// What builders had whose grace is over is lost.
    pub(super) fn bury_dead(&mut self, now: Time) {
        let buried = self.dead.iter().filter(|(_, until)| **until <= now);
        let buried: Vec<(BuilderId, Incarnation)> = buried.map(|(life, _)| *life).collect();
        for (builder, life) in buried {
            self.dead.remove(&(builder, life));
            self.counts.builders_died += 1;
            for level in [Level::First, Level::Second] {
                for event in self.under_way[level as usize].open_of(builder, life) {
                    if self.account.is_in_flight(event) {
                        self.account.handle_end(event, Place::Lost(Loss::BuilderDied));
                    }
                    self.handle_over(now, level, event, false);
                    if level == Level::First {
                        self.decide(now, event, None);
                    }
                }
            }
        }
    }

    /// The run is over: what is in flight is lost, for the cause that is known best.
    pub(super) fn lose_all(&mut self) {
        let in_flight: Vec<EventNumber> = self.account.in_flight().collect();
        for event in in_flight {
            let packets = self.under_way.iter().rev();
            let life = packets.filter_map(|packets| packets.packet_of(event)).next();
            let is_builder_dead =
                life.is_some_and(|packet| self.dead.contains_key(&(packet.builder, packet.life)));
            let is_sink_dead =
                self.plan.run.sink_of(event).is_some_and(|sink| !self.sinks.contains_key(&sink));
            let cause = if is_builder_dead {
                Loss::BuilderDied
            } else if is_sink_dead {
                Loss::SinkDied
            } else {
                Loss::Ended
            };
            self.account.handle_end(event, Place::Lost(cause));
        }
    }
}
