//! The trigger (timing and fast control): numbers events, packs them, and says where they go.
//!
//! Triggers come at a rate of the plan, whoever is ready. One that finds the readout stopped is refused:
//! it gets no number, and is counted with the dead time of the reason that stopped it. Reasons are a
//! builder that throttles, a packet that nobody may have, and a pause. Events have consecutive numbers;
//! a packet is complete at the packing factor, and only the last one of a run may be shorter.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::assign::{Assign, MEMBERS_MAX, Policy};
use super::dead_time::DeadTime;
use super::ids::{BuilderId, EventNumber, Incarnation, RunNumber};
use super::tokens::Token;
use crate::load::{Load, Spacing};
use crate::pacer::Pacer;
use crate::random::Random;
use crate::time::Time;

#[cfg(test)]
mod tests;

/// What is triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriggerPlan {
    /// The run.
    pub run: RunNumber,
    /// Number of its first event.
    pub first: EventNumber,
    /// Triggers per second, or the gap between them; a bit rate has no meaning here and is taken as that
    /// of events of one byte.
    pub load: Load,
    /// How they are spread. A burst is so many triggers at one moment.
    pub spacing: Spacing,
    /// Events per packet.
    pub packing_events: u16,
    /// The run ends after so many events.
    pub events_max: Option<u64>,
}

/// Where the fragments of an event go, or of the events of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The run.
    pub run: RunNumber,
    /// The event; of a packet, the first one.
    pub event: EventNumber,
    /// How many consecutive events these are.
    pub events: u16,
    /// To whom.
    pub destination: BuilderId,
    /// When the first of them was due.
    pub triggered: Time,
}

/// What a trigger did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerCounts {
    /// Events with a number, those of a packet that is not assigned yet included.
    pub triggered: u64,
    /// Of these, assigned.
    pub assigned: u64,
    /// Packets assigned.
    pub packets: u64,
    /// Triggers whose turn was given up because the owner came too late.
    pub skipped: u64,
    /// Throttling builders beyond the bound of members: not heard.
    pub throttles_refused: u64,
}

/// Triggers events. The owner calls `poll_assigned` until there is none, then hands in what it received.
#[derive(Clone, Debug)]
pub struct Trigger {
    plan: TriggerPlan,
    policy: Policy,
    pacer: Pacer,
    now: Time,
    packet: Packet,
    throttling: BTreeSet<BuilderId>,
    is_backlogged: bool,
    throttle: DeadTime,
    nobody: DeadTime,
    pause: DeadTime,
    is_stopped: bool,
    skipped_before: u64,
    counts: TriggerCounts,
}

/// The packet that is being filled, or that waits for a destination.
#[derive(Clone, Copy, Debug)]
struct Packet {
    first: EventNumber,
    events: u16,
    triggered: Time,
}

impl Trigger {
    /// A trigger that begins at `start`, with no builder yet.
    #[must_use]
    pub fn new(plan: TriggerPlan, policy: Policy, start: Time, random: Random) -> Self {
        let plan = TriggerPlan { packing_events: plan.packing_events.max(1), ..plan };
        Self {
            policy,
            pacer: Pacer::new(plan.load, plan.spacing, 1, 1, start, random),
            now: start,
            packet: Packet { first: plan.first, events: 0, triggered: start },
            throttling: BTreeSet::new(),
            is_backlogged: false,
            throttle: DeadTime::default(),
            nobody: DeadTime::default(),
            pause: DeadTime::default(),
            is_stopped: false,
            skipped_before: 0,
            counts: TriggerCounts::default(),
            plan,
        }
    }

    /// The next packet that is due and has a destination.
    pub fn poll_assigned(&mut self, now: Time) -> Option<Assigned> {
        self.now = self.now.max(now);
        while !self.is_packet_ready() {
            if !self.fill_packet() {
                return None;
            }
        }
        let destination = self.policy.poll_assign(self.now, self.packet.first);
        // What was due while nobody could have the packet is refused before that ends.
        self.refuse_due();
        self.nobody.handle_stopped(self.now, destination.is_none());
        self.refuse_due();
        let Packet { first, events, triggered } = self.packet;
        let assigned = Assigned {
            run: self.plan.run,
            event: first,
            events,
            destination: destination?.into(),
            triggered,
        };
        self.counts.assigned += u64::from(events);
        self.counts.packets += 1;
        self.packet = Packet { first: first.after(events.into()), events: 0, triggered: self.now };
        Some(assigned)
    }

    /// When to call `poll_assigned` or `handle_timeout` again; `None` when only news can change anything.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        let is_waiting = self.is_dead() || self.is_run_over();
        let next = (!is_waiting).then(|| self.pacer.next_departure().unwrap_or(self.now));
        [next, self.policy.next_timeout()].into_iter().flatten().min()
    }

    /// Lets credits expire.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.policy.handle_timeout(self.now);
    }

    /// A builder asks to stop, or to go on. Saying the same again changes nothing.
    pub fn handle_throttle(&mut self, now: Time, builder: BuilderId, is_throttling: bool) {
        self.now = self.now.max(now);
        self.refuse_due();
        if !is_throttling {
            self.throttling.remove(&builder);
        } else if self.throttling.len() < MEMBERS_MAX {
            self.throttling.insert(builder);
        } else {
            self.counts.throttles_refused += u64::from(!self.throttling.contains(&builder));
        }
        self.throttle.handle_stopped(self.now, self.is_backlogged || !self.throttling.is_empty());
    }

    /// Whoever keeps the accounts of this trigger is near a bound of its own, or no longer is: counts as
    /// a throttle.
    pub fn handle_backlog(&mut self, now: Time, is_backlogged: bool) {
        self.now = self.now.max(now);
        self.refuse_due();
        self.is_backlogged = is_backlogged;
        self.throttle.handle_stopped(self.now, is_backlogged || !self.throttling.is_empty());
    }

    /// Whether a builder asks to stop.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        !self.throttling.is_empty()
    }

    /// The run is paused, or goes on.
    pub fn handle_pause(&mut self, now: Time, is_paused: bool) {
        self.now = self.now.max(now);
        self.refuse_due();
        self.pause.handle_stopped(self.now, is_paused);
    }

    /// No more triggers; what is in the packet is still assigned.
    pub fn handle_stop(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.refuse_due();
        self.is_stopped = true;
    }

    /// A builder is there, or is back in a new life.
    pub fn handle_joined(&mut self, now: Time, builder: BuilderId, incarnation: Incarnation) {
        self.policy.handle_joined(now, builder.into(), incarnation);
    }

    /// A builder stopped or died: it gets nothing more, and throttles no longer.
    pub fn handle_left(&mut self, now: Time, builder: BuilderId) {
        self.policy.handle_left(now, builder.into());
        self.handle_throttle(now, builder, false);
    }

    /// A builder says that it is ready for one more packet (LHCb: MEP request).
    pub fn handle_token(&mut self, now: Time, token: Token) {
        self.policy.handle_token(now, token);
    }

    /// A builder has finished a packet.
    pub fn handle_done(&mut self, builder: BuilderId) {
        self.policy.handle_done(builder.into());
    }

    /// Whether all events of the run are assigned.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_run_over() && self.packet.events == 0
    }

    /// The first event that is not assigned: what a builder that joins now can get.
    #[must_use]
    pub const fn next_event(&self) -> EventNumber {
        self.packet.first
    }

    /// What it did so far.
    #[must_use]
    pub const fn counts(&self) -> &TriggerCounts {
        &self.counts
    }

    /// Dead time because builders throttle.
    #[must_use]
    pub const fn throttle(&self) -> &DeadTime {
        &self.throttle
    }

    /// Dead time because nobody may have the next packet.
    #[must_use]
    pub const fn nobody(&self) -> &DeadTime {
        &self.nobody
    }

    /// Dead time because the run is paused.
    #[must_use]
    pub const fn pause(&self) -> &DeadTime {
        &self.pause
    }

    /// The policy, for its counts and credits.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The policy, to change its weights.
    pub const fn policy_mut(&mut self) -> &mut Policy {
        &mut self.policy
    }

    fn is_run_over(&self) -> bool {
        self.is_stopped || self.plan.events_max.is_some_and(|most| self.counts.triggered >= most)
    }

    const fn is_dead(&self) -> bool {
        self.throttle.is_stopped() || self.nobody.is_stopped() || self.pause.is_stopped()
    }

    fn is_packet_ready(&self) -> bool {
        let is_last = self.is_run_over() && self.packet.events > 0;
        self.packet.events >= self.plan.packing_events || is_last
    }

    /// Takes the triggers that are due into the packet; says whether there was one.
    fn fill_packet(&mut self) -> bool {
        if self.is_dead() || self.is_run_over() {
            self.refuse_due();
            return false;
        }
        let room = u32::from(self.plan.packing_events - self.packet.events);
        let left = self.plan.events_max.map_or(u64::MAX, |most| most - self.counts.triggered);
        let room = room.min(u32::try_from(left).unwrap_or(u32::MAX));
        let due = self.pacer.poll_due(self.now, room);
        self.counts.skipped += self.newly_skipped();
        let Some(due) = due else { return false };
        if self.packet.events == 0 {
            self.packet.triggered = self.now - due.late;
        }
        self.packet.events += u16::try_from(due.messages).unwrap_or(u16::MAX);
        self.counts.triggered += u64::from(due.messages);
        true
    }

    /// Counts the triggers that came by `now` while the trigger was dead. With an unlimited load there
    /// is no such number.
    fn refuse_due(&mut self) {
        let is_countable = self.plan.load != Load::Unlimited && !self.is_run_over();
        let dead = [&mut self.pause, &mut self.throttle, &mut self.nobody];
        let Some(reason) = dead.into_iter().find(|reason| reason.is_stopped()) else { return };
        if !is_countable {
            return;
        }
        let mut refused = 0;
        while let Some(due) = self.pacer.poll_due(self.now, u32::MAX) {
            refused += u64::from(due.messages);
        }
        // What the pacer gave up meanwhile came in dead time as well.
        let skipped = self.pacer.skipped() - self.skipped_before;
        self.skipped_before = self.pacer.skipped();
        reason.record_refused(refused + skipped);
    }

    fn newly_skipped(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.skipped_before, self.pacer.skipped());
        self.skipped_before - before
    }
}
