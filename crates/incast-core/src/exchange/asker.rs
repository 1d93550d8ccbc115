//! The asking side as a machine: when a request is due, and what becomes of each.
//!
//! With a load it is an open loop: requests are due by a schedule that waits for nobody, and one that finds
//! no place free leaves late, from its own moment on the clock. Without one it is a closed
//! loop: so many askers in a row, each of which thinks between an answer and its next request. It
//! neither sends nor waits; its driver gives every request to every answerer, and tells what came.

use serde::{Deserialize, Serialize};

use super::account::{AskerAccount, PeerBook, Point};
use super::given_up::GivenUp;
use super::pieces::Piece;
use super::recent::Recent;
use super::round::{Round, State};
use super::schedule::Schedule;
use super::series::Thinned;
use super::terms::Terms;
use crate::load::{Load, Spacing, Stop};
use crate::random::Random;
use crate::time::{Span, Time};

/// Most rounds outstanding at once: each has a place in memory, and one is found by looking at all.
pub const OUTSTANDING_MAX: u32 = 1_024;
/// Most answerers of one asker: each is a socket, and all are looked at in turn.
pub const PEERS_MAX: usize = 256;
/// Most rounds: their number has 32 bits on the wire.
pub const ROUNDS_MAX: u64 = u32::MAX as u64;
/// Rounds that are kept one by one: more than a plot can show.
const POINTS_MAX: usize = 4_096;

/// What an asker is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskerPlan {
    /// Answerers; each round asks all of them.
    pub peers: usize,
    /// Rounds that may be open at once, 1 to [`OUTSTANDING_MAX`].
    pub outstanding: u32,
    /// Rounds per second of an open loop; unlimited is a closed loop.
    pub load: Load,
    /// How an open loop's requests are spread.
    pub spacing: Spacing,
    /// Closed loop: time between an answer and the next request.
    pub think: Span,
    /// When no more is asked; messages are rounds.
    pub stop: Stop,
    /// A request without its answer after so long is given up.
    pub timeout: Span,
    /// Seed of the spacing.
    pub seed: u64,
}

/// What an answer, or a datagram of one, was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A part of an answer; more is missing.
    Part,
    /// An answer is whole.
    Answered,
    /// With it the round is over.
    RoundOver,
    /// To a request that had ended, or a copy.
    Late,
    /// To a request that was never made, or no part of a response.
    Nonsense,
}

/// The asker.
#[derive(Clone, Debug)]
pub struct Asker {
    plan: AskerPlan,
    /// Of each response.
    datagrams: u32,
    start: Time,
    schedule: Option<Schedule>,
    /// Rounds below this number stand apart.
    first: u32,
    rounds: Vec<Round>,
    /// Of each answerer, of which rounds all has come lately, in time or not.
    whole: Vec<Recent>,
    /// Of each answerer, what was given up, when a response comes in more than one piece.
    given_up: Vec<GivenUp>,
    /// Rounds begun.
    begun: u64,
    /// Answerers that are gone: nothing is asked of them.
    gone: Vec<bool>,
    stopped: bool,
    last_end: Time,
    account: AskerAccount,
    points: Thinned<Point>,
    scratch: Vec<Span>,
}

impl Asker {
    /// An asker that begins at `start`, under `terms` that have been checked.
    #[must_use]
    pub fn new(plan: AskerPlan, terms: &Terms, start: Time) -> Self {
        let outstanding = plan.outstanding.clamp(1, OUTSTANDING_MAX);
        let random = Random::named(plan.seed, "requests");
        let schedule = Schedule::new(plan.load, plan.spacing, terms.request_bytes, start, random);
        let (peers, datagrams) = (plan.peers, terms.datagrams());
        let in_pieces = if datagrams > 1 { peers } else { 0 };
        // The first of those that leave together meet new connections and small windows. In an open loop each leaves at
        // its own moment: what may be open is a bound there.
        let first = if schedule.is_some() { 1 } else { outstanding };
        Self {
            datagrams,
            start,
            schedule,
            first,
            rounds: (0..outstanding).map(|_| Round::new(peers, datagrams, start)).collect(),
            whole: vec![Recent::new(); peers],
            given_up: vec![GivenUp::new(outstanding, datagrams); in_pieces],
            begun: 0,
            gone: vec![false; peers],
            stopped: false,
            last_end: start,
            account: AskerAccount { peers: vec![PeerBook::default(); peers], ..AskerAccount::default() },
            points: Thinned::new(POINTS_MAX),
            scratch: Vec::with_capacity(peers),
            plan,
        }
    }

    /// The next round that is due at `now`, to be given to every answerer; call again until there is none.
    pub fn poll_request(&mut self, now: Time) -> Option<u32> {
        if self.is_closed(now) {
            return None;
        }
        let place = self.free_place(now)?;
        let intended = match &mut self.schedule {
            None => self.rounds[place].free_at,
            Some(schedule) if schedule.next() <= now => {
                let intended = schedule.next();
                schedule.advance();
                intended
            }
            Some(_) => return None,
        };
        let number = u32::try_from(self.begun).ok()?;
        self.begun += 1;
        self.account.rounds += 1;
        self.rounds[place].begin(number, intended, now);
        self.account.departure.record(now.since(intended).as_ns());
        for peer in 0..self.plan.peers {
            self.account.peers[peer].asked += 1;
            self.whole[peer].advance(number);
            if self.gone[peer] {
                self.end(place, peer, State::Ended, now);
                self.account.peers[peer].failed += 1;
            }
        }
        Some(number)
    }

    /// Takes an answer, or datagram `index` of one, of an answerer.
    pub fn handle_response(&mut self, now: Time, peer: usize, number: u32, index: u32) -> Heard {
        if u64::from(number) >= self.begun || peer >= self.plan.peers || index >= self.datagrams {
            return Heard::Nonsense;
        }
        let place = self.rounds.iter().position(|round| round.number == Some(number));
        let place = place.filter(|place| self.rounds[*place].states[peer] == State::Open);
        let piece = match place {
            Some(place) => Some(self.rounds[place].handle_piece(peer, index)),
            None => self.late_piece(peer, number, index),
        };
        let book = &mut self.account.peers[peer];
        book.datagrams += u64::from(piece != Some(Piece::Nonsense));
        match (piece, place) {
            (Some(Piece::Nonsense), _) => return Heard::Nonsense,
            (Some(Piece::New), Some(_)) => return Heard::Part,
            (Some(Piece::Last), Some(place)) => return self.answered(place, peer, now),
            (Some(Piece::New | Piece::Last), None) => book.late += 1,
            (Some(Piece::Copy), _) => book.copies += 1,
            (None, _) => book.stale += 1,
        }
        Heard::Late
    }

    /// What a datagram is to a request that has ended; none when that is too long ago to tell.
    fn late_piece(&mut self, peer: usize, number: u32, index: u32) -> Option<Piece> {
        // All of this one had come: what comes again is a copy.
        if self.whole[peer].contains(number) {
            return Some(Piece::Copy);
        }
        let piece = match self.given_up.get_mut(peer) {
            Some(given_up) => given_up.handle_piece(number, index)?,
            None => self.whole[peer].is_kept(number).then_some(Piece::Last)?,
        };
        if piece == Piece::Last {
            self.whole[peer].record(number);
        }
        Some(piece)
    }

    /// The request `number` to `peer` cannot be made, or its connection broke.
    pub fn handle_failed(&mut self, now: Time, peer: usize, number: u32) {
        let place = self.rounds.iter().position(|round| round.number == Some(number));
        if let Some(place) = place.filter(|_| peer < self.plan.peers)
            && self.end(place, peer, State::Ended, now)
        {
            self.account.peers[peer].failed += 1;
        }
    }

    /// An answerer is gone: what is open at it failed, and nothing more is asked of it.
    pub fn handle_gone(&mut self, now: Time, peer: usize) {
        if peer >= self.plan.peers {
            return;
        }
        self.gone[peer] = true;
        for place in 0..self.rounds.len() {
            if self.rounds[place].number.is_some() && self.end(place, peer, State::Ended, now) {
                self.account.peers[peer].failed += 1;
            }
        }
    }

    /// Gives up what has waited too long; tells how many requests.
    pub fn handle_timeout(&mut self, now: Time) -> u64 {
        let mut given_up = 0;
        for place in 0..self.rounds.len() {
            if self.rounds[place].number.is_none() || self.rounds[place].begun + self.plan.timeout > now {
                continue;
            }
            for peer in 0..self.plan.peers {
                if self.end(place, peer, State::Ended, now) {
                    self.account.peers[peer].timed_out += 1;
                    given_up += 1;
                }
            }
        }
        given_up
    }

    /// When to call [`Self::handle_timeout`] and [`Self::poll_request`] again; none when it is all over.
    #[must_use]
    pub fn next_timeout(&self, now: Time) -> Option<Time> {
        let open = self.rounds.iter().filter(|round| round.number.is_some());
        let gives_up = open.map(|round| round.begun + self.plan.timeout).min();
        gives_up.into_iter().chain(self.next_departure(now)).min()
    }

    /// No more is asked; what is open may still be answered.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether no more will be asked, and nothing is open.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        self.is_closed(now) && self.rounds.iter().all(|round| round.number.is_none())
    }

    /// Whether the request `number` to `peer` waits for its answer.
    #[must_use]
    pub fn is_open(&self, peer: usize, number: u32) -> bool {
        let round = self.rounds.iter().find(|round| round.number == Some(number));
        round.and_then(|round| round.states.get(peer)) == Some(&State::Open)
    }

    /// Requests that are open.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.rounds.iter().filter(|round| round.number.is_some()).map(|round| u64::from(round.open)).sum()
    }

    /// Rounds begun, and answers so far.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.begun, self.account.peers.iter().map(|peer| peer.answered).sum())
    }

    /// Closes the account: what is open stays unanswered.
    #[must_use]
    pub fn finish(mut self, now: Time) -> AskerAccount {
        for place in 0..self.rounds.len() {
            for peer in 0..self.plan.peers {
                if self.rounds[place].number.is_some() && self.end(place, peer, State::Ended, now) {
                    self.account.peers[peer].unanswered += 1;
                }
            }
        }
        let end = self.plan.stop.after.map_or(now, |after| (self.start + after).min(now));
        let all_asked = self.plan.stop.messages.is_some_and(|rounds| self.begun >= rounds);
        let overdue =
            self.schedule.as_mut().filter(|_| !all_asked).map(|schedule| schedule.count_overdue(end));
        AskerAccount {
            overdue: overdue.unwrap_or(0),
            duration_ns: self.last_end.since(self.start).as_ns(),
            points: self.points.into_kept(),
            stopped: self.stopped,
            ..self.account
        }
    }

    /// Whether no more will be asked.
    #[must_use]
    pub fn is_closed(&self, now: Time) -> bool {
        let stop = &self.plan.stop;
        self.stopped
            || stop.after.is_some_and(|after| now >= self.start + after)
            || self.begun >= stop.messages.unwrap_or(ROUNDS_MAX).min(ROUNDS_MAX)
            || self.gone.iter().all(|gone| *gone)
    }

    fn next_departure(&self, now: Time) -> Option<Time> {
        if self.is_closed(now) {
            return None;
        }
        let free =
            self.rounds.iter().filter(|round| round.number.is_none()).map(|round| round.free_at).min()?;
        let due = self.schedule.as_ref().map_or(free, Schedule::next);
        let end = self.plan.stop.after.map(|after| self.start + after);
        Some(end.map_or(due, |end| due.min(end)))
    }

    /// The place that has been free for longest, if one is free now.
    fn free_place(&self, now: Time) -> Option<usize> {
        let free =
            |round: &Round| round.number.is_none() && (self.schedule.is_some() || round.free_at <= now);
        let places = self.rounds.iter().enumerate().filter(|(_, round)| free(round));
        places.min_by_key(|(_, round)| round.free_at).map(|(place, _)| place)
    }

    fn answered(&mut self, place: usize, peer: usize, now: Time) -> Heard {
        let round = &self.rounds[place];
        let (took, since_intended) = (now.since(round.begun), now.since(round.intended));
        round.number.into_iter().for_each(|number| self.whole[peer].record(number));
        let is_first = round.number.is_some_and(|number| number < self.first);
        let book = &mut self.account.peers[peer];
        book.answered += 1;
        if !is_first {
            book.response.record(took.as_ns());
            self.account.response.record(took.as_ns());
            self.account.intended.record(since_intended.as_ns());
        }
        self.end(place, peer, State::Answered(took), now);
        if self.rounds[place].number.is_none() { Heard::RoundOver } else { Heard::Answered }
    }

    /// Ends one request, and with the last its round; false if it had ended.
    fn end(&mut self, place: usize, peer: usize, how: State, now: Time) -> bool {
        let round = &mut self.rounds[place];
        if !round.end(peer, how) {
            return false;
        }
        let is_first = round.number.is_some_and(|number| number < self.first);
        if how == State::Ended && !is_first {
            self.account.peers[peer].without_time += 1;
        }
        if let (State::Ended, Some(number), Some(given_up)) = (how, round.number, self.given_up.get_mut(peer))
            && let Some(pieces) = round.pieces_mut(peer)
        {
            given_up.record(number, pieces);
        }
        if self.rounds[place].open == 0 {
            self.close(place, now);
        }
        true
    }

    fn close(&mut self, place: usize, now: Time) {
        self.last_end = self.last_end.max(now);
        let summary = self.rounds[place].summary(&mut self.scratch);
        let round = &mut self.rounds[place];
        let Some(number) = round.number.take() else { return };
        round.free_at = now + self.plan.think;
        let begun_ns = round.begun.since(self.start).as_ns();
        let took_ns = summary.as_ref().map(|summary| summary.last.as_ns());
        self.points.record(|| Point { number, begun_ns, took_ns });
        let Some(summary) = summary else {
            self.account.rounds_without_time += u64::from(number >= self.first);
            return;
        };
        self.account.rounds_answered += 1;
        if number == 0 {
            self.account.first_ns = took_ns;
        }
        if number < self.first {
            self.account.first.record(summary.last.as_ns());
            return;
        }
        self.account.round.record(summary.last.as_ns());
        if self.plan.peers > 1 {
            self.account.spread.record(summary.spread.as_ns());
            self.account.peers[summary.last_peer].was_last += 1;
        }
        self.account.stragglers += summary.stragglers;
        self.account.rounds_with_straggler += u64::from(summary.stragglers > 0);
    }
}
