//! Control tokens: a node says that it is ready for one more event.
//!
//! A token has an identity, so that a lost, repeated, delayed or invented one does no harm: the node, its
//! incarnation (64 random bits, which nobody else knows) and a number that rises by one. Both ends have a
//! lease. The policy forgets a token after its own; the node takes one for lost after a longer one, issues
//! another, and says with it that the older ones are void. So a lost token costs a slot for the length of
//! a lease and never for good, and no clock is compared with another.

use std::collections::VecDeque;

use super::ids::{Destination, Incarnation};
use crate::time::{Span, Time};

/// Leave to send one event to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    /// Who is ready.
    pub from: Destination,
    /// In which of its lives.
    pub incarnation: Incarnation,
    /// From 1 on, one more with each token of this incarnation.
    pub number: u64,
    /// All tokens with lower numbers have been used or are void.
    pub void_below: u64,
}

/// What a node is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeTokensPlan {
    /// The node (or builder).
    pub node: Destination,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Events that it has, or may be sent, at once. Two hide the way of the token; more only queue.
    pub slots: u32,
    /// How long a token is waited for. Longer than the policy's lease and the way there and back, or
    /// events come for tokens that were taken for lost: twice the policy's lease is a good choice.
    pub lease: Span,
}

/// Issues the tokens of one node. At any moment, tokens out and events here are at most the slots, but
/// for events that come unsolicited.
#[derive(Clone, Debug)]
pub struct NodeTokens {
    plan: NodeTokensPlan,
    next: u64,
    void_below: u64,
    /// Tokens out: number, and until when they are waited for; oldest first.
    out: VecDeque<(u64, Time)>,
    /// Events here.
    busy: u32,
    expired: u64,
    unsolicited: u64,
}

impl NodeTokens {
    /// A node with all slots free, and no token out.
    #[must_use]
    pub const fn new(plan: NodeTokensPlan) -> Self {
        Self { plan, next: 1, void_below: 1, out: VecDeque::new(), busy: 0, expired: 0, unsolicited: 0 }
    }

    /// A token to send, as long as there are slots for it.
    pub fn poll_token(&mut self, now: Time) -> Option<Token> {
        // As many as slots, which is a `u32`.
        let taken = self.out.len() as u64 + u64::from(self.busy);
        if taken >= u64::from(self.plan.slots) {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.out.push_back((number, now + self.plan.lease));
        let NodeTokensPlan { node, incarnation, .. } = self.plan;
        Some(Token { from: node, incarnation, number, void_below: self.void_below })
    }

    /// An event came; says whether a token was out for it. It is to be worked on in any case.
    pub fn handle_event(&mut self) -> bool {
        self.busy += 1;
        // The policy uses the oldest first. Where that one was lost, a newer one is waited for in vain,
        // until its lease ends.
        let was_expected = self.out.pop_front().is_some();
        self.unsolicited += u64::from(!was_expected);
        was_expected
    }

    /// An event came that no token asked for, as was agreed: it takes a slot, and all tokens stay out.
    pub fn handle_given(&mut self) {
        self.busy += 1;
    }

    /// An event is finished: its slot is free.
    pub fn handle_done(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    /// When the token was issued that the next event answers.
    #[must_use]
    pub fn oldest_issued(&self) -> Option<Time> {
        self.out.front().map(|(_, until)| *until - self.plan.lease)
    }

    /// Whoever had the tokens is gone or is new, and knows of none: all that are out are void.
    pub fn handle_forgotten(&mut self) {
        // A length is far below 2^64.
        self.expired += self.out.len() as u64;
        self.out.clear();
        self.void_below = self.next;
    }

    /// Takes tokens for lost that have been out for too long.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((number, _)) = self.out.pop_front_if(|(_, until)| *until <= now) {
            self.void_below = number + 1;
            self.expired += 1;
        }
    }

    /// When `handle_timeout` has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.out.front().map(|(_, until)| *until)
    }

    /// Tokens issued, taken for lost, and events that came without one.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64, u64) {
        (self.next - 1, self.expired, self.unsolicited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: NodeTokensPlan = NodeTokensPlan {
        node: Destination(3),
        incarnation: Incarnation(9),
        slots: 2,
        lease: Span::from_ms(10),
    };

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::from_ms(ms)
    }

    fn numbers(node: &mut NodeTokens, now: Time) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| node.poll_token(now)).map(|token| (token.number, token.void_below)).collect()
    }

    #[test]
    fn tokens_and_events_together_fill_the_slots() {
        let mut node = NodeTokens::new(PLAN);
        assert_eq!(numbers(&mut node, at(0)), [(1, 1), (2, 1)]);
        assert!(node.handle_event());
        assert_eq!(numbers(&mut node, at(0)), []);
        node.handle_done();
        assert_eq!(numbers(&mut node, at(0)), [(3, 1)]);
    }

    #[test]
    fn a_lost_token_is_replaced_and_void() {
        let mut node = NodeTokens::new(PLAN);
        numbers(&mut node, at(0));
        assert_eq!(node.next_timeout(), Some(at(10)));
        node.handle_timeout(at(10));
        assert_eq!(numbers(&mut node, at(10)), [(3, 3), (4, 3)]);
        assert_eq!(node.counts(), (4, 2, 0));
    }

    #[test]
    fn what_was_given_without_asking_costs_a_slot_and_no_token() {
        let mut node = NodeTokens::new(PLAN);
        node.handle_given();
        assert_eq!(numbers(&mut node, at(0)).len(), 1, "one of two slots is taken");
        node.handle_done();
        assert_eq!(numbers(&mut node, at(0)).len(), 1, "and is free again; the other's token is out");
        for _ in 0..100 {
            node.handle_given();
            node.handle_done();
            assert_eq!(numbers(&mut node, at(0)), [], "tokens out are as many as slots");
        }
        assert_eq!(node.counts(), (2, 0, 0));
    }

    #[test]
    fn an_event_without_a_token_is_counted_and_takes_its_slot() {
        let mut node = NodeTokens::new(PLAN);
        assert!(!node.handle_event());
        assert_eq!((numbers(&mut node, at(0)).len(), node.counts().2), (1, 1));
    }
}
