//! Roles that die, hang and return.

use incast_core::readout::Peer;
use incast_core::time::{Span, Time};

use super::{Entry, RETURNS_AFTER, SILENCE, SILENCE_MAX, STARTS, Word};
use crate::courier::Courier;
use crate::world::readout::ReadoutWorld;
use crate::world::readout::actor::Machine;
use crate::world::readout::post::channel;
use crate::world::readout::roster::{Seat, talk};

impl<C: Courier> ReadoutWorld<C> {
    /// A fault on purpose: it is killed, and returns as the fault says.
    pub(super) fn kill(&mut self, seat: Seat, returns_after: Option<Span>) {
        if self.actors[seat.index()].is_alive() {
            self.bury(seat, "was killed by signal 9".into());
            if let Some(after) = returns_after {
                self.note_return(seat, after);
            }
        }
    }

    /// A role is gone with all that it had in memory and on its connections.
    fn bury(&mut self, seat: Seat, how: String) {
        let actor = &mut self.actors[seat.index()];
        let Some(machine) = actor.machine.take() else { return };
        actor.last_counts = Some(machine.counts());
        self.deaths += 1;
        actor.deaths.push(how.clone());
        actor.forget();
        if let Machine::Sink(player) = machine {
            self.disks.insert(seat, player.work.into_stored());
        }
        self.wakes.set(seat, None);
        self.conductor.silent[seat.index()] = false;
        self.conductor.waiting.remove(&seat);
        for other in self.roster.seats() {
            if talk(self.roster.peer(seat), self.roster.peer(other)) {
                self.courier.handle_cut(self.now, channel(seat, other));
                self.courier.handle_cut(self.now, channel(other, seat));
                // Whoever has not heard of it yet writes to a connection that leads nowhere, not to the next life.
                self.actors[other.index()].connected.set(seat, false);
            }
        }
        if self.roster.peer(seat) == Peer::Trigger {
            self.conductor.failed =
                Some(format!("the trigger died, and with it the account of the run: {how}"));
        }
        self.say_to_peers(seat, Word::Left(seat));
    }

    fn note_return(&mut self, seat: Seat, after: Span) {
        let lives = self.actors[seat.index()].lives;
        self.conductor.note(self.now + after + STARTS, Entry::Return { seat, lives });
    }

    /// A role is there again, in a new life.
    pub(super) fn bring_back(&mut self, seat: Seat, lives: u32) {
        let actor = &self.actors[seat.index()];
        let is_wanted = self.conductor.started.is_some() && !self.is_over();
        if actor.is_alive() || actor.lives != lives || !is_wanted {
            return;
        }
        self.begin(seat);
        let life = self.actors[seat.index()].life;
        self.say_to_peers(seat, Word::Joined(seat, life));
        for other in self.roster.seats() {
            let actor = &self.actors[other.index()];
            if actor.is_alive() && talk(self.roster.peer(seat), self.roster.peer(other)) {
                let life = actor.life;
                self.say(seat, Word::Joined(other, life));
            }
        }
        self.say(seat, Word::Order(incast_core::readout::role::Order::Start));
        if self.conductor.running.is_some() {
            self.say(seat, Word::Order(incast_core::readout::role::Order::Stop));
        }
    }

    /// A role is stopped (SIGSTOP): its host still takes what comes.
    pub(super) fn hang(&mut self, seat: Seat) {
        let actor = &mut self.actors[seat.index()];
        if !actor.is_alive() || actor.is_hanging {
            return;
        }
        actor.is_hanging = true;
        let lives = actor.lives;
        self.wakes.set(seat, None);
        let hang = &mut self.conductor.hangs[seat.index()];
        *hang += 1;
        let hang = *hang;
        for (after, is_dead) in [(SILENCE, false), (SILENCE_MAX, true)] {
            self.conductor.note(self.now + after, Entry::Silent { seat, lives, hang, is_dead });
        }
    }

    /// It goes on, with everything that came meanwhile.
    pub(super) fn go_on(&mut self, seat: Seat) {
        let actor = &mut self.actors[seat.index()];
        if !actor.is_alive() || !actor.is_hanging {
            return;
        }
        actor.is_hanging = false;
        let lives = actor.lives;
        let inbox = std::mem::take(&mut actor.inbox);
        for word in self.conductor.waiting.remove(&seat).unwrap_or_default() {
            self.hear(seat, lives, word);
        }
        for (from, life, message) in inbox.messages {
            // Who heard that a peer is gone has closed its connection, whatever is unread on it.
            let known = self.actors[seat.index()].known.get(&from).map(|known| known.life);
            let is_open = |life| Some(life) == known || life == self.actors[from.index()].life;
            if life.is_none_or(is_open) {
                self.hand_over(from, seat, message);
            }
        }
        self.touch(seat);
        if std::mem::take(&mut self.conductor.silent[seat.index()]) {
            self.note_back(seat);
        }
    }

    /// A role speaks again that others did without. It has to know that they did: what it had has been given
    /// to others, and what it promised is void.
    fn note_back(&mut self, seat: Seat) {
        let life = self.actors[seat.index()].life;
        self.say_to_peers(seat, Word::Back(seat, life));
        for other in self.roster.seats() {
            let actor = &self.actors[other.index()];
            let is_peer = talk(self.roster.peer(seat), self.roster.peer(other));
            if is_peer && actor.is_alive() && !self.conductor.silent[other.index()] {
                let life = actor.life;
                self.say(seat, Word::Silent(other));
                self.say(seat, Word::Back(other, life));
            }
        }
    }

    /// A role has said nothing for too long.
    pub(super) fn note_silence(&mut self, seat: Seat, lives: u32, hang: u32, is_dead: bool) {
        let actor = &self.actors[seat.index()];
        let is_same = actor.lives == lives && self.conductor.hangs[seat.index()] == hang;
        if !actor.is_hanging || !is_same {
            return;
        }
        if is_dead {
            self.bury(seat, format!("said nothing for {SILENCE_MAX} and was ended"));
            if lives <= self.plan.restarts {
                self.note_return(seat, RETURNS_AFTER);
            }
            return;
        }
        self.conductor.silent[seat.index()] = true;
        if self.roster.peer(seat) != Peer::Trigger {
            self.say_to_peers(seat, Word::Silent(seat));
        }
    }

    pub(super) fn slow(&mut self, seat: Seat, factor_milli: u32) {
        let actor = &mut self.actors[seat.index()];
        actor.factor_milli = factor_milli;
        if let Some(Machine::Node(player)) = &mut actor.machine {
            player.work.factor_milli = factor_milli;
        }
    }

    pub(super) fn fill_disk(&mut self, seat: Seat, is_full: bool) {
        if let Some(Machine::Sink(player)) = &mut self.actors[seat.index()].machine {
            player.work.note_full(is_full);
            self.wakes.set(seat, Some(Time::ZERO.max(self.now)));
        }
    }
}
