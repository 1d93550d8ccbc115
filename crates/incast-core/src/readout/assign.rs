//! Assignment: who gets the next event. One trait for builders (a trigger asks) and nodes (a dispatcher
//! asks), and five policies.
//!
//! | policy | knows | good for | bad at |
//! |---|---|---|---|
//! | [`RoundRobin`] | who is there | equal, idle members | one slow member: events queue behind it |
//! | [`Tokens`] | who said that it is ready | anything uneven | a token's way there and back |
//! | [`LeastLoaded`] | what it gave and what came back | uneven work without tokens | answers that are late |
//! | [`Calendar`] | a table of weights by event number | sources that compute it themselves | quick changes |
//! | [`LinearShift`] | event number and place | full links in step | a dead member breaks the step |
//!
//! A policy has no clock but `now`, and no opinion of who is alive: its owner says who joins and leaves.
//! A member that is slow stays in; one that stopped or died leaves, and joins again as it returns.

use serde::{Deserialize, Serialize};

use super::credit_account::CreditTotals;
use super::ids::{Destination, EventNumber, Incarnation};
use super::tokens::Token;
use crate::time::Time;

mod calendar;
mod epochs;
mod least_loaded;
mod linear_shift;
mod ready;
mod round_robin;
#[cfg(test)]
mod tests;

pub use calendar::{CALENDAR_SLOTS, Calendar, CalendarRefused};
pub use least_loaded::LeastLoaded;
pub use linear_shift::LinearShift;
pub use ready::{TokenPlan, Tokens};
pub use round_robin::RoundRobin;

/// Most members of a policy: as many as hosts in a scenario. More are refused, and counted.
pub const MEMBERS_MAX: usize = 4_096;

/// A policy of assignment.
pub trait Assign {
    /// A member is there, or is back in a new life. Said again of the same life, it changes nothing.
    fn handle_joined(&mut self, now: Time, destination: Destination, incarnation: Incarnation);

    /// A member stopped or died: it gets nothing more, and its credits expire.
    fn handle_left(&mut self, now: Time, destination: Destination);

    /// A member says that it is ready. Only [`Tokens`] listens.
    fn handle_token(&mut self, _now: Time, _token: Token) {}

    /// An event that was assigned to a member is finished there, or taken away from it. Not to be said
    /// of a member that left meanwhile.
    fn handle_done(&mut self, _destination: Destination) {}

    /// Leases may have ended.
    fn handle_timeout(&mut self, _now: Time) {}

    /// When `handle_timeout` has something to do.
    fn next_timeout(&self) -> Option<Time> {
        None
    }

    /// Assigns the event, or the packet that begins with it; `None` while nobody may have it.
    fn poll_assign(&mut self, now: Time, event: EventNumber) -> Option<Destination>;

    /// What it did so far.
    fn counts(&self) -> &PolicyCounts;

    /// Its credits; all zero for policies without.
    fn credits(&self) -> CreditTotals {
        CreditTotals::default()
    }
}

/// What a policy did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyCounts {
    /// Events, or packets, assigned.
    pub assigned: u64,
    /// Of these, to another member than the table says, which was not there.
    pub diverted: u64,
    /// Asked when nobody could have it.
    pub nobody: u64,
    /// Members beyond [`MEMBERS_MAX`].
    pub members_refused: u64,
    /// Tokens that came a second time.
    pub tokens_duplicate: u64,
    /// Tokens that had been void, or were too old to tell.
    pub tokens_late: u64,
    /// Tokens of another incarnation: of an earlier life, or invented.
    pub tokens_of_another_life: u64,
    /// Tokens of nobody who is there, or with numbers that no node issues.
    pub tokens_forged: u64,
    /// Tokens beyond the bound of one member.
    pub tokens_beyond: u64,
}

/// Any of the policies.
#[derive(Clone, Debug)]
pub enum Policy {
    /// See [`RoundRobin`].
    RoundRobin(RoundRobin),
    /// See [`Tokens`].
    Tokens(Tokens),
    /// See [`LeastLoaded`].
    LeastLoaded(LeastLoaded),
    /// See [`Calendar`].
    Calendar(Calendar),
    /// See [`LinearShift`].
    LinearShift(LinearShift),
}

/// The set is closed, so calls are plain matches; the macro only spares writing each of them out.
macro_rules! each {
    ($policy:expr, $inner:ident => $call:expr) => {
        match $policy {
            Policy::RoundRobin($inner) => $call,
            Policy::Tokens($inner) => $call,
            Policy::LeastLoaded($inner) => $call,
            Policy::Calendar($inner) => $call,
            Policy::LinearShift($inner) => $call,
        }
    };
}

impl Assign for Policy {
    fn handle_joined(&mut self, now: Time, destination: Destination, incarnation: Incarnation) {
        each!(self, policy => policy.handle_joined(now, destination, incarnation));
    }

    fn handle_left(&mut self, now: Time, destination: Destination) {
        each!(self, policy => policy.handle_left(now, destination));
    }

    fn handle_token(&mut self, now: Time, token: Token) {
        each!(self, policy => policy.handle_token(now, token));
    }

    fn handle_done(&mut self, destination: Destination) {
        each!(self, policy => policy.handle_done(destination));
    }

    fn handle_timeout(&mut self, now: Time) {
        each!(self, policy => policy.handle_timeout(now));
    }

    fn next_timeout(&self) -> Option<Time> {
        each!(self, policy => policy.next_timeout())
    }

    fn poll_assign(&mut self, now: Time, event: EventNumber) -> Option<Destination> {
        each!(self, policy => policy.poll_assign(now, event))
    }

    fn counts(&self) -> &PolicyCounts {
        each!(self, policy => policy.counts())
    }

    fn credits(&self) -> CreditTotals {
        each!(self, policy => policy.credits())
    }
}
