//! The answering side as a machine: which requests wait, and when each answer is due.
//!
//! Requests are answered in the order in which they came: each is worked on for the service time from
//! the moment when it came, as by a pool of workers that is never too small. So the answers of many that
//! came together leave together, which is what the incast pattern is about.

use std::collections::VecDeque;

use super::account::AnswererAccount;
use super::asker::OUTSTANDING_MAX;
use super::recent::Recent;
use super::terms::Terms;
use crate::load::Transport;
use crate::time::{Span, Time};

/// The answerer, for one asker over one connection.
#[derive(Clone, Debug)]
pub struct Answerer {
    service: Span,
    /// Numbers of requests, and when their answers are due; in order.
    waiting: VecDeque<(u32, Time)>,
    /// Requests that came lately, where the network may double them.
    taken: Option<Recent>,
    requests: u64,
    refused: u64,
    copies: u64,
    responses: u64,
}

impl Answerer {
    /// An answerer under `terms` that have been checked.
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        let waiting = VecDeque::with_capacity(WAITING_MAX.min(64));
        let taken = (terms.transport == Transport::Udp).then(Recent::new);
        Self { service: terms.service, waiting, taken, requests: 0, refused: 0, copies: 0, responses: 0 }
    }

    /// Takes a request. One beyond [`WAITING_MAX`] is counted and not answered, nor is a copy: a second answer would be
    /// taken for the network's.
    pub fn handle_request(&mut self, now: Time, number: u32) {
        self.requests += 1;
        if self.taken.as_ref().is_some_and(|taken| taken.contains(number)) {
            self.copies += 1;
            return;
        }
        self.taken.iter_mut().for_each(|taken| taken.record(number));
        if self.waiting.len() >= WAITING_MAX {
            self.refused += 1;
        } else {
            self.waiting.push_back((number, now + self.service));
        }
    }

    /// The number of the next response that is due at `now`: give it wholly to the asker before asking again.
    pub fn poll_response(&mut self, now: Time) -> Option<u32> {
        self.waiting.pop_front_if(|(_, due)| *due <= now).map(|(number, _)| number)
    }

    /// What [`Self::poll_response`] gave was wholly taken by the kernel. One that was not counts for nothing.
    pub fn handle_responded(&mut self) {
        self.responses += 1;
    }

    /// When the next response is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.waiting.front().map(|(_, due)| *due)
    }

    /// How many more requests there is room for: a connection that is not read holds its asker back.
    #[must_use]
    pub fn room(&self) -> usize {
        WAITING_MAX.saturating_sub(self.waiting.len())
    }

    /// What came, and what became of it; the rest of an account is the driver's.
    #[must_use]
    pub fn account(&self) -> AnswererAccount {
        let Self { requests, refused, copies, responses, .. } = *self;
        AnswererAccount { requests, refused, copies, responses, ..AnswererAccount::default() }
    }
}

/// Most requests that wait: as many as an asker may have open.
pub const WAITING_MAX: usize = OUTSTANDING_MAX as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_due_a_service_time_later_and_in_order() {
        let terms = Terms { service: Span::from_us(10), ..Terms::new(Transport::Tcp, 64, 64) };
        let mut answerer = Answerer::new(&terms);
        let at = Time::from_ns;
        answerer.handle_request(at(0), 7);
        answerer.handle_request(at(4_000), 8);
        assert_eq!((answerer.next_timeout(), answerer.poll_response(at(9_999))), (Some(at(10_000)), None));
        assert_eq!(answerer.poll_response(at(20_000)), Some(7));
        answerer.handle_responded();
        assert_eq!((answerer.poll_response(at(20_000)), answerer.next_timeout()), (Some(8), None));
        assert_eq!(answerer.account().responses, 1, "the second one was not wholly given to the kernel");
    }

    #[test]
    fn more_than_may_wait_is_refused_and_counted() {
        let mut answerer = Answerer::new(&Terms::new(Transport::Udp, 64, 64));
        assert_eq!(answerer.room(), WAITING_MAX);
        (0..2_000).for_each(|number| answerer.handle_request(Time::ZERO, number));
        assert_eq!(answerer.room(), 0);
        let answered = std::iter::from_fn(|| answerer.poll_response(Time::ZERO)).count();
        (0..answered).for_each(|_| answerer.handle_responded());
        let told = answerer.account();
        assert_eq!((answered, told.requests), (WAITING_MAX, 2_000));
        assert_eq!((told.refused, told.responses), (976, 1_024));
    }

    #[test]
    fn a_request_that_the_network_doubled_is_answered_once() {
        let mut answerer = Answerer::new(&Terms::new(Transport::Udp, 64, 64));
        [0, 1, 1, 3, 0, 2].iter().for_each(|number| answerer.handle_request(Time::ZERO, *number));
        let answered: Vec<u32> = std::iter::from_fn(|| answerer.poll_response(Time::ZERO)).collect();
        let told = answerer.account();
        assert_eq!((answered, told.requests, told.copies), (vec![0, 1, 3, 2], 6, 2));
    }
}
