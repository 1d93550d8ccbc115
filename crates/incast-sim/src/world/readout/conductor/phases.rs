//! From armed to stopped.

use incast_core::readout::Peer;
use incast_core::readout::report::Sums;
use incast_core::readout::role::Order;
use incast_core::time::Time;

use super::{ARMED, CLOSE_MAX, END_MAX, Entry, IDLE_MIN, Phase, Word};
use crate::courier::Courier;
use crate::world::readout::ReadoutWorld;
use crate::world::readout::actor::{Actor, Machine};

impl<C: Courier> ReadoutWorld<C> {
    /// Everybody is there and knows of all others: the run begins soon.
    pub(in crate::world::readout) fn arm(&mut self) {
        let now = self.now;
        for state in ["idle", "configured", "armed"] {
            self.conductor.enter(now, state);
        }
        self.conductor.note(now + ARMED, Entry::Start);
    }

    pub(in crate::world::readout) fn carry_out(&mut self, entry: Entry) {
        match entry {
            Entry::Start => self.start(),
            Entry::Stop => self.stop(),
            Entry::Patience(phase) if phase == self.conductor.phase => self.lose_patience(),
            Entry::Patience(_) => {}
            Entry::Slice => self.slice(),
            Entry::Deed(seat, deed) => self.carry_out_deed(seat, deed),
            Entry::GoOn(seat) => self.go_on(seat),
            Entry::Return { seat, lives } => self.bring_back(seat, lives),
            Entry::Silent { seat, lives, hang, is_dead } => self.note_silence(seat, lives, hang, is_dead),
            Entry::Say { seat, lives, word } => self.hear(seat, lives, word),
        }
    }

    /// Goes on to the next phase if what this one waits for has come.
    #[inline]
    pub(in crate::world::readout) fn conduct(&mut self) {
        match self.conductor.phase {
            Phase::Running => {
                let most = self.plan.trigger.plan.events_max;
                if self.conductor.failed.is_some() {
                    self.fail();
                } else if most.is_some_and(|most| self.triggered() >= most) {
                    self.stop();
                }
            }
            Phase::Draining | Phase::GivenUp | Phase::Closing => {
                if self.conductor.failed.is_some() {
                    self.fail();
                } else if self.is_closed() {
                    self.close();
                }
            }
            Phase::Settling if self.witness.is_some() => self.settle_watched(),
            Phase::Armed | Phase::Settling | Phase::Over => {}
        }
    }

    /// A run that is watched settles until nobody has anything left to do: that may be soon, or late.
    fn settle_watched(&mut self) {
        let is_idle =
            |actor: &Actor| !actor.is_hanging && actor.machine.as_ref().is_some_and(Machine::is_done);
        let now = self.now;
        if !self.actors.iter().all(is_idle) {
            self.conductor.idle_since = None;
        } else if now.since(*self.conductor.idle_since.get_or_insert(now)) >= IDLE_MIN {
            self.lose_patience();
        }
    }

    fn triggered(&self) -> u64 {
        match &self.actors[Self::TRIGGER.index()].machine {
            Some(Machine::Trigger(trigger)) => trigger.role.account().totals().triggered,
            _ => 0,
        }
    }

    fn is_closed(&self) -> bool {
        self.actors[Self::TRIGGER.index()].machine.as_ref().is_some_and(Machine::is_done)
    }

    fn start(&mut self) {
        let now = self.now;
        self.conductor.enter(now, "running");
        (self.conductor.phase, self.conductor.started) = (Phase::Running, Some(now));
        self.conductor.note(now + self.plan.duration, Entry::Stop);
        self.conductor.note(now + self.interval, Entry::Slice);
        self.schedule_faults(now);
        self.say_to_all(|_| true, Order::Start);
    }

    /// The trigger stops; what is under way is finished.
    fn stop(&mut self) {
        if self.conductor.phase != Phase::Running {
            return;
        }
        self.end_running();
        self.conductor.phase = Phase::Draining;
        self.conductor.note(self.now + self.plan.drain, Entry::Patience(Phase::Draining));
        self.say_to_all(|_| true, Order::Stop);
    }

    fn end_running(&mut self) {
        let now = self.now;
        if self.conductor.running.is_none() {
            self.conductor.running = self.conductor.started.map(|started| now.since(started));
            self.conductor.enter(now, "draining");
        }
    }

    fn lose_patience(&mut self) {
        let now = self.now;
        match self.conductor.phase {
            Phase::Draining => {
                self.conductor.phase = Phase::GivenUp;
                self.note_given_up();
                self.conductor.note(now + END_MAX, Entry::Patience(Phase::GivenUp));
                self.say_to_all(|peer| peer != Peer::Trigger, Order::End);
            }
            Phase::GivenUp => self.close(),
            Phase::Closing => self.settle(),
            Phase::Settling => {
                self.record_slice();
                self.conductor.enter(now, "stopped");
                self.conductor.phase = Phase::Over;
            }
            Phase::Armed | Phase::Running | Phase::Over => {}
        }
    }

    /// The trigger is told that the run is over; when it has said so, all others have a while to tell theirs.
    fn close(&mut self) {
        if self.conductor.phase == Phase::Closing {
            return self.settle();
        }
        self.conductor.phase = Phase::Closing;
        self.conductor.note(self.now + CLOSE_MAX, Entry::Patience(Phase::Closing));
        self.say_to_all(|peer| peer == Peer::Trigger, Order::End);
    }

    fn settle(&mut self) {
        self.conductor.phase = Phase::Settling;
        self.conductor.note(self.now + self.settles, Entry::Patience(Phase::Settling));
    }

    /// The run cannot go on.
    fn fail(&mut self) {
        self.end_running();
        self.record_slice();
        self.conductor.enter(self.now, "error");
        self.conductor.phase = Phase::Over;
    }

    fn slice(&mut self) {
        if matches!(self.conductor.phase, Phase::Settling | Phase::Over) {
            return;
        }
        self.record_slice();
        self.conductor.note(self.now + self.interval, Entry::Slice);
    }

    fn record_slice(&mut self) {
        let Some(started) = self.conductor.started else { return };
        // Only these are in the sums.
        let told: Vec<_> = self
            .actors
            .iter()
            .filter_map(|actor| actor.machine.as_ref())
            .filter(|machine| matches!(machine, Machine::Trigger(_) | Machine::Builder(_)))
            .map(Machine::counts)
            .collect();
        self.conductor.slices.record(self.now.since(started).as_s_f64(), Sums::of(told.iter()));
    }

    fn say_to_all(&mut self, whom: impl Fn(Peer) -> bool, order: Order) {
        for seat in self.roster.seats() {
            if whom(self.roster.peer(seat)) {
                let lives = self.actors[seat.index()].lives;
                self.hear(seat, lives, Word::Order(order));
            }
        }
    }

    /// When run control does something next; nothing once the run is over.
    pub(in crate::world::readout) fn next_of_conductor(&self) -> Option<Time> {
        self.conductor.next_timeout()
    }
}
