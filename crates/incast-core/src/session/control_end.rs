//! One end of a control connection, whatever is said over it: what waits to be sent, what the owner is to
//! learn, and whether the peer is still there. Which message may come when is the session's own matter.

use std::collections::VecDeque;

use crate::time::{Span, Time};

/// How often each side says that it is there.
pub const ALIVE_EVERY: Span = Span::from_s(1);
/// A peer that says nothing for so long is given up.
pub const SILENCE_MAX: Span = Span::from_s(10);

/// One end: says messages `M`, tells its owner notices `N`.
#[derive(Debug)]
pub(crate) struct ControlEnd<M, N> {
    last_said: Time,
    last_heard: Time,
    outbox: VecDeque<M>,
    notices: VecDeque<N>,
}

impl<M, N> ControlEnd<M, N> {
    pub(crate) const fn new(now: Time) -> Self {
        Self { last_said: now, last_heard: now, outbox: VecDeque::new(), notices: VecDeque::new() }
    }

    /// To the peer.
    pub(crate) fn say(&mut self, now: Time, message: M) {
        self.last_said = now;
        self.outbox.push_back(message);
    }

    /// The peer has said something.
    pub(crate) const fn handle_word(&mut self, now: Time) {
        self.last_heard = now;
    }

    /// To the owner.
    pub(crate) fn tell(&mut self, notice: N) {
        self.notices.push_back(notice);
    }

    /// Time has passed: says `alive` when it is due. Whether the peer is to be given up.
    pub(crate) fn handle_timeout(&mut self, now: Time, alive: M) -> bool {
        let is_silent = now.since(self.last_heard) >= SILENCE_MAX;
        if !is_silent && now.since(self.last_said) >= ALIVE_EVERY {
            self.say(now, alive);
        }
        is_silent
    }

    /// When to call [`Self::handle_timeout`].
    pub(crate) fn next_timeout(&self) -> Time {
        (self.last_said + ALIVE_EVERY).min(self.last_heard + SILENCE_MAX)
    }

    /// The next message for the peer.
    pub(crate) fn poll_transmit(&mut self) -> Option<M> {
        self.outbox.pop_front()
    }

    /// The next notice for the owner.
    pub(crate) fn poll_notice(&mut self) -> Option<N> {
        self.notices.pop_front()
    }
}

/// A peer's words as they may stand on a terminal: one line, no control characters, not too long.
#[must_use]
pub fn clean(words: &str) -> String {
    words.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
