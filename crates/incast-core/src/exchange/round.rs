//! A round under way: one request to every answerer, and what has become of each.
//!
//! Its memory is taken once and used again, round after round.

use super::pieces::{Piece, Pieces};
use crate::time::{Span, Time};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waiting for its answer.
    Open,
    /// Answered, so long after it left.
    Answered(Span),
    /// It ended otherwise.
    Ended,
}

/// One round.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// Which; none while the place is free.
    pub(super) number: Option<u32>,
    /// When it was meant to leave, and when it did.
    pub(super) intended: Time,
    pub(super) begun: Time,
    /// A closed loop: when the next one may use this place.
    pub(super) free_at: Time,
    pub(super) states: Vec<State>,
    /// Of the response of each answerer, when it comes in more than one piece.
    pieces: Vec<Pieces>,
    pub(super) open: u32,
}

impl Round {
    pub(super) fn new(peers: usize, datagrams: u32, free_at: Time) -> Self {
        let pieces = if datagrams > 1 { vec![Pieces::new(datagrams); peers] } else { Vec::new() };
        Self {
            number: None,
            intended: free_at,
            begun: free_at,
            free_at,
            states: vec![State::Ended; peers],
            pieces,
            open: 0,
        }
    }

    pub(super) fn begin(&mut self, number: u32, intended: Time, now: Time) {
        self.number = Some(number);
        self.intended = intended;
        self.begun = now;
        self.states.fill(State::Open);
        self.pieces.iter_mut().for_each(Pieces::clear);
        self.open = u32::try_from(self.states.len()).unwrap_or(u32::MAX);
    }

    /// Takes a datagram of a response, or the whole of one.
    pub(super) fn handle_piece(&mut self, peer: usize, index: u32) -> Piece {
        match self.pieces.get_mut(peer) {
            Some(pieces) => pieces.record(index),
            None if index == 0 => Piece::Last,
            None => Piece::Nonsense,
        }
    }

    /// What has come of the response of `peer`, when it comes in more than one piece.
    pub(super) fn pieces_mut(&mut self, peer: usize) -> Option<&mut Pieces> {
        self.pieces.get_mut(peer)
    }

    /// Ends the request to `peer`; false if it had ended.
    pub(super) fn end(&mut self, peer: usize, how: State) -> bool {
        match self.states.get_mut(peer) {
            Some(state) if *state == State::Open => {
                *state = how;
                self.open -= 1;
                true
            }
            _ => false,
        }
    }

    /// The last answer and who gave it, the first, and how many stragglers there were; none unless all have
    /// answered. Sorts `times`, which is scratch.
    pub(super) fn summary(&self, times: &mut Vec<Span>) -> Option<Summary> {
        times.clear();
        for state in &self.states {
            let State::Answered(after) = state else { return None };
            times.push(*after);
        }
        let (last_peer, last) = times.iter().copied().enumerate().max_by_key(|(_, after)| *after)?;
        times.sort_unstable();
        let median = times[(times.len() - 1) / 2];
        let is_straggler = |after: &&Span| times.len() > 2 && after.0 > median.0.saturating_mul(2);
        let stragglers = u64::try_from(times.iter().filter(is_straggler).count()).unwrap_or(u64::MAX);
        Some(Summary { last, last_peer, spread: Span(last.0 - times[0].0), stragglers })
    }
}

/// What a round came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    pub(super) last: Span,
    pub(super) last_peer: usize,
    pub(super) spread: Span,
    pub(super) stragglers: u64,
}
