//! One turn of a role: what is due, its work, what it says. What `Process::turn` is in the real program.

use incast_core::readout::Length;
use incast_core::readout::role::Role;
use incast_core::time::{Span, Time};

use super::ReadoutWorld;
use super::actor::{Actor, each};
use super::roster::Seat;
use super::work::{Player, Work};
use crate::courier::Courier;

/// How often a role looks whether there is room again for what it holds back. A real one is told by its
/// kernel.
const LOOK_EVERY: Span = Span::from_us(100);
/// What a message costs a trigger without a load, so that it is not infinitely fast: some million a second.
const MESSAGE_COST: Span = Span::from_us(1);

impl<C: Courier> ReadoutWorld<C> {
    /// Notes that a role has something to do now.
    #[inline]
    pub(super) fn touch(&mut self, seat: Seat) {
        let actor = &mut self.actors[seat.index()];
        if !actor.is_touched {
            actor.is_touched = true;
            self.touched.push(seat);
        }
    }

    /// Lets a role do all that it wants to do now.
    pub(super) fn serve(&mut self, seat: Seat) {
        let actor = &mut self.actors[seat.index()];
        actor.is_touched = false;
        if actor.is_hanging {
            return;
        }
        let Some(mut machine) = actor.machine.take() else { return };
        let next = each!(&mut machine, player => self.turn(seat, player));
        self.actors[seat.index()].machine = Some(machine);
        self.wakes.set(seat, next);
    }

    /// One turn; says when the next one is due.
    #[inline]
    fn turn<R: Role<Length>, W: Work<R>>(&mut self, seat: Seat, player: &mut Player<R, W>) -> Option<Time> {
        let now = self.now;
        if player.role.next_timeout().is_some_and(|at| at <= now) {
            player.role.handle_timeout(now);
        }
        player.work.attend(now, &mut player.role);
        let mut is_holding = !self.actors[seat.index()].held_back.is_empty();
        if is_holding {
            self.send_held_back(seat);
            is_holding = !self.actors[seat.index()].held_back.is_empty();
        }
        let is_unlimited = seat == Self::TRIGGER && self.is_unlimited;
        if is_unlimited && now < self.trigger_busy {
            return Some(self.trigger_busy);
        }
        let mut sent = 0;
        while !(W::WAITS_WHEN_FULL && is_holding)
            && let Some((to, message)) = player.role.poll_transmit(now)
        {
            self.send(seat, to, message);
            sent += 1;
            is_holding = W::WAITS_WHEN_FULL && !self.actors[seat.index()].held_back.is_empty();
            if is_unlimited && sent == BURST {
                break;
            }
        }
        let next = player.next_timeout();
        if is_unlimited {
            self.trigger_busy = now + Span(MESSAGE_COST.0 * sent);
            return next.map(|next| next.max(self.trigger_busy));
        }
        let look = self.actors[seat.index()].is_holding().then(|| now + LOOK_EVERY);
        [next, look].into_iter().flatten().min()
    }
}

/// Messages of a turn of a trigger without a load.
const BURST: u64 = 1_024;

impl Actor {
    fn is_holding(&self) -> bool {
        !self.held_back.is_empty()
    }
}
