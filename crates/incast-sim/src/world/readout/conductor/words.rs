//! What a role is told of its peers, and what its process makes of it (`incast/src/readout/process.rs`).

use incast_core::readout::{Incarnation, Peer};
use incast_core::time::Span;

use super::{Entry, Word};
use crate::courier::Courier;
use crate::world::readout::ReadoutWorld;
use crate::world::readout::actor::Known;
use crate::world::readout::roster::{Seat, talk};

impl<C: Courier> ReadoutWorld<C> {
    /// Tells a role something; it hears it a little later, and in the order in which it is told.
    pub(super) fn say(&mut self, seat: Seat, word: Word) {
        let extra = self.words_within.0.checked_add(1).map_or(0, |most| self.random.next_u64() % most);
        let at = self.now + self.word_delay + Span(extra);
        let last = &mut self.conductor.last_words[seat.index()];
        *last = at.max(*last);
        let (at, lives) = (*last, self.actors[seat.index()].lives);
        self.conductor.note(at, Entry::Say { seat, lives, word });
    }

    /// Tells all who talk with a role.
    pub(super) fn say_to_peers(&mut self, of: Seat, word: Word) {
        for seat in self.roster.seats() {
            let is_peer = talk(self.roster.peer(seat), self.roster.peer(of));
            if is_peer && self.actors[seat.index()].is_alive() {
                self.say(seat, word);
            }
        }
    }

    /// A role hears a word, unless it died meanwhile.
    pub(in crate::world::readout) fn hear(&mut self, seat: Seat, lives: u32, word: Word) {
        let actor = &self.actors[seat.index()];
        if !actor.is_alive() || actor.lives != lives {
            return;
        }
        if actor.is_hanging {
            self.conductor.waiting.entry(seat).or_default().push(word);
            return;
        }
        match word {
            Word::Order(order) => {
                let now = self.now;
                if let Some(machine) = &mut self.actors[seat.index()].machine {
                    machine.handle_order(now, order);
                }
            }
            Word::Joined(peer, life) => self.hear_joined(seat, peer, life),
            Word::Left(peer) => self.hear_left(seat, peer),
            Word::Silent(peer) => self.hear_silence(seat, peer, None),
            Word::Back(peer, life) => self.hear_silence(seat, peer, Some(life)),
        }
        self.touch(seat);
    }

    pub(in crate::world::readout) fn hear_joined(&mut self, seat: Seat, peer: Seat, life: Incarnation) {
        let actor = &mut self.actors[seat.index()];
        if actor.known.get(&peer).is_some_and(|known| known.life == life) {
            return self.hear_silence(seat, peer, Some(life));
        }
        actor.known.insert(peer, Known { life, is_silent: false });
        if actor.there.contains(peer) {
            actor.there.set(peer, false);
            self.hand_peer(seat, peer, None);
        }
        let other = &self.actors[peer.index()];
        let is_connected = other.is_alive() && other.life == life;
        self.actors[seat.index()].connected.set(peer, is_connected);
        self.judge(seat, peer);
        if is_connected {
            self.note_connection(peer, seat);
        }
    }

    /// A peer has connected in a new life: whoever has not heard yet that the old one is gone notices it now.
    fn note_connection(&mut self, seat: Seat, peer: Seat) {
        let life = self.actors[peer.index()].life;
        let actor = &mut self.actors[seat.index()];
        let is_old = actor.known.get(&peer).is_some_and(|known| known.life != life);
        if is_old && !actor.is_hanging && actor.there.contains(peer) {
            actor.there.set(peer, false);
            actor.connected.set(peer, false);
            self.hand_peer(seat, peer, None);
            self.touch(seat);
        }
    }

    fn hear_left(&mut self, seat: Seat, peer: Seat) {
        let actor = &mut self.actors[seat.index()];
        actor.held_back.remove(&peer);
        actor.early.retain(|(from, _)| *from != peer);
        actor.connected.set(peer, false);
        actor.known.remove(&peer);
        if actor.there.contains(peer) {
            actor.there.set(peer, false);
            self.hand_peer(seat, peer, None);
        }
    }

    fn hear_silence(&mut self, seat: Seat, peer: Seat, life: Option<Incarnation>) {
        if let Some(known) = self.actors[seat.index()].known.get_mut(&peer) {
            known.is_silent = life != Some(known.life);
            self.judge(seat, peer);
        }
    }

    /// A peer is there for the machine when run control says so, it is connected, and it is not silent.
    fn judge(&mut self, seat: Seat, peer: Seat) {
        let actor = &mut self.actors[seat.index()];
        let Some(known) = actor.known.get(&peer).copied() else { return };
        let is_there = actor.connected.contains(peer) && !known.is_silent;
        if is_there == actor.there.contains(peer) {
            return;
        }
        actor.there.set(peer, is_there);
        self.hand_peer(seat, peer, is_there.then_some(known.life));
        if is_there {
            self.hand_early(seat, peer);
        }
    }

    fn hand_peer(&mut self, seat: Seat, peer: Seat, life: Option<Incarnation>) {
        let (now, peer) = (self.now, self.roster.peer(peer));
        if let Some(machine) = &mut self.actors[seat.index()].machine {
            machine.handle_peer(now, peer, life);
        }
    }

    /// What came of a peer before run control said that it is there.
    fn hand_early(&mut self, seat: Seat, peer: Seat) {
        let from: Peer = self.roster.peer(peer);
        let actor = &mut self.actors[seat.index()];
        let (of_peer, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut actor.early).into_iter().partition(|(from, _)| *from == peer);
        actor.early = others.into();
        of_peer.into_iter().for_each(|(_, message)| self.hand_message(seat, from, message));
    }
}
