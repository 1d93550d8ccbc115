//! Run control in virtual time: from armed to stopped, who dies, who is silent, who returns. What
//! `incast/src/readout/conductor.rs` does, with the same patience.
//!
//! ```text
//!  armed -> running -> draining -> (given up) -> closed -> settled
//! ```
//! Words of run control reach a role by a pipe: in their order, whatever the network does. A role that hangs
//! finds them when it goes on.

use std::collections::BTreeMap;

use incast_core::readout::Incarnation;
use incast_core::readout::report::Slices;
use incast_core::readout::role::Order;
use incast_core::record::StateEntered;
use incast_core::time::{Span, Time};

use super::roster::Seat;

mod deaths;
mod faults;
mod phases;
mod words;

pub use faults::Deed;

/// From the moment at which all are there to the start: credits are out, and nothing is in a hurry.
pub(super) const ARMED: Span = Span::from_ms(10);
/// A role that says nothing for so long is treated as gone (`conductor/hearing.rs`, as all of these).
pub(super) const SILENCE: Span = Span::from_s(2);
/// One that says nothing for so long is killed.
pub(super) const SILENCE_MAX: Span = Span::from_s(15);
/// A role that died is started again after so long; a fault on purpose says itself when.
pub(super) const RETURNS_AFTER: Span = Span::from_ms(200);
/// Longest wait for what was given up to be told.
const END_MAX: Span = Span::from_s(8);
/// Longest wait for the trigger's last word.
const CLOSE_MAX: Span = Span::from_s(2);
/// Roles tell what they have counted ten times a second: so long after the account is closed, all have.
pub(super) const TELL_EVERY: Span = Span::from_ms(100);
/// From the start of a process to its open ports: assumed.
pub(super) const STARTS: Span = Span::from_ms(20);
/// In a run that is watched: so long after all have nothing left to do, nothing is on its way either.
const IDLE_MIN: Span = Span::from_ms(500);
/// Most changes of state that are kept, as in the real program.
const ENTERED_MAX: usize = 1_000;

/// What run control knows.
#[derive(Debug)]
pub(super) struct Conductor {
    pub(super) phase: Phase,
    /// What is to be done when: by time, then in the order in which it was noted.
    agenda: BTreeMap<(Time, u64), Entry>,
    noted: u64,
    pub(super) started: Option<Time>,
    pub(super) running: Option<Span>,
    pub(super) entered: Vec<StateEntered>,
    pub(super) slices: Slices,
    pub(super) failed: Option<String>,
    /// When the last word to each role arrives, by seat.
    last_words: Vec<Time>,
    /// Roles of which others were told that they are silent, by seat.
    silent: Vec<bool>,
    /// Which hanging of a role it is, by seat: what was noted for an earlier one is void.
    hangs: Vec<u32>,
    /// Words for roles that hang.
    waiting: BTreeMap<Seat, Vec<Word>>,
    /// Since when all are there and have nothing left to do; told only in a run that is watched.
    idle_since: Option<Time>,
    /// Whether what was under way when the patience of draining was over had to be given up.
    pub(super) was_given_up: bool,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Everybody is there.
    Armed,
    /// Events are triggered.
    Running,
    /// What is under way is finished.
    Draining,
    /// What is under way is given up, and told.
    GivenUp,
    /// The trigger closes the account.
    Closing,
    /// Roles tell their last.
    Settling,
    /// Nothing happens any more.
    Over,
}

/// What run control does when its time has come.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Start,
    /// The duration of the run is over.
    Stop,
    /// The patience of this phase is over.
    Patience(Phase),
    Slice,
    Deed(Seat, Deed),
    GoOn(Seat),
    Return {
        seat: Seat,
        lives: u32,
    },
    /// A role that has hung since then has said nothing for too long.
    Silent {
        seat: Seat,
        lives: u32,
        hang: u32,
        is_dead: bool,
    },
    Say {
        seat: Seat,
        lives: u32,
        word: Word,
    },
}

/// A word to a role.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    Order(Order),
    Joined(Seat, Incarnation),
    Left(Seat),
    Silent(Seat),
    Back(Seat, Incarnation),
}

impl Conductor {
    pub(super) fn new(seats: usize) -> Self {
        Self {
            phase: Phase::Armed,
            agenda: BTreeMap::new(),
            noted: 0,
            started: None,
            running: None,
            entered: Vec::new(),
            slices: Slices::default(),
            failed: None,
            last_words: vec![Time::ZERO; seats],
            silent: vec![false; seats],
            hangs: vec![0; seats],
            waiting: BTreeMap::new(),
            was_given_up: false,
            idle_since: None,
        }
    }

    /// Notes what is to be done.
    pub(super) fn note(&mut self, at: Time, entry: Entry) {
        self.noted += 1;
        self.agenda.insert((at, self.noted), entry);
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn poll(&mut self, now: Time) -> Option<Entry> {
        let entry = self.agenda.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    fn enter(&mut self, now: Time, state: &str) {
        if self.entered.len() < ENTERED_MAX {
            self.entered.push(StateEntered { state: state.into(), at_s: now.since(Time::ZERO).as_s_f64() });
        }
    }
}
