//! What is done to roles on purpose, when its time has come.

use incast_core::readout::Peer;
use incast_core::readout::role::Order;
use incast_core::scenario::FaultKind;
use incast_core::time::{Span, Time};

use super::{Entry, Phase, Word};
use crate::courier::Courier;
use crate::world::readout::ReadoutWorld;
use crate::world::readout::roster::Seat;

/// Something that is done to a role on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It is killed, and started again after so long; `None`: never.
    Kill(Option<Span>),
    /// It does nothing, and goes on after so long; `None`: until it is given up.
    Hang(Option<Span>),
    /// The algorithm of a node takes so many thousandths of its time.
    Slow(u32),
    /// The disk of a sink is full, or no longer.
    FullDisk(bool),
    /// Run control wants something of it.
    Order(Order),
}

/// A node that takes its time and no more, in thousandths.
const NOT_SLOW: u32 = 1_000;
/// Times that a fault repeats: far more often than any role survives.
const TIMES_MAX: usize = 100_000;

impl<C: Courier> ReadoutWorld<C> {
    /// Has something done at a moment, beside the faults of the plan. To one who is no role of this readout
    /// nothing is done.
    pub fn note_deed(&mut self, at: Time, whom: Peer, deed: Deed) {
        if let Some(seat) = self.roster.seat(whom) {
            self.conductor.note(at, Entry::Deed(seat, deed));
        }
    }

    pub(super) fn schedule_faults(&mut self, start: Time) {
        for plan in &self.plan.faults {
            for seat in plan.roles.iter().filter_map(|peer| self.roster.seat(*peer)) {
                let peer = self.roster.peer(seat);
                let mut roles = self.plan.roles().filter(|(of, _, _)| *of == peer);
                let name = roles.next().map_or("", |(_, name, _)| name);
                let times =
                    plan.times(self.seed, name).take_while(|(begins, _)| *begins <= self.plan.duration);
                for (begins, ends) in times.take(TIMES_MAX) {
                    let at = start + begins;
                    let deed = match plan.what {
                        FaultKind::Kill => Deed::Kill(plan.lasts),
                        FaultKind::Hang => Deed::Hang(plan.lasts),
                        FaultKind::Slow { factor_milli } => Deed::Slow(factor_milli),
                    };
                    self.conductor.note(at, Entry::Deed(seat, deed));
                    if let (FaultKind::Slow { .. }, Some(ends)) = (plan.what, ends) {
                        self.conductor.note(start + ends, Entry::Deed(seat, Deed::Slow(NOT_SLOW)));
                    }
                }
            }
        }
    }

    pub(super) fn carry_out_deed(&mut self, seat: Seat, deed: Deed) {
        // Nobody is hurt any more when all is told: the real conductor has ended its faults.
        let heals = matches!(deed, Deed::Slow(NOT_SLOW) | Deed::FullDisk(false) | Deed::Order(Order::Resume));
        if matches!(self.conductor.phase, Phase::Settling | Phase::Over) && !heals {
            return;
        }
        match deed {
            Deed::Kill(returns_after) => self.kill(seat, returns_after),
            Deed::Hang(lasts) => {
                self.hang(seat);
                if let Some(lasts) = lasts {
                    self.conductor.note(self.now + lasts, Entry::GoOn(seat));
                }
            }
            Deed::Slow(factor_milli) => self.slow(seat, factor_milli),
            Deed::FullDisk(is_full) => self.fill_disk(seat, is_full),
            Deed::Order(order) => {
                let lives = self.actors[seat.index()].lives;
                self.hear(seat, lives, Word::Order(order));
            }
        }
    }
}
