//! What processes want the CPU for: one piece of work after another, in the order in which it came.
//!
//! Reads may wait for their time first: an application that is scheduled every so often reads at multiples of
//! that, all that there is. How many pieces wait is bounded by whoever hands them in.

use std::collections::VecDeque;

use incast_core::time::{Span, Time};

/// The pieces of work of one host.
#[derive(Clone, Debug)]
pub(super) struct Jobs {
    ready: VecDeque<(u64, Span)>,
    /// Reads until their time has come.
    reads: VecDeque<u64>,
    read_cost: Span,
    read_every: Span,
    next_read: Option<Time>,
    pub(super) done: u64,
}

impl Jobs {
    pub(super) fn new(read_cost: Span, read_every: Span) -> Self {
        let (ready, reads) = (VecDeque::new(), VecDeque::new());
        Self { ready, reads, read_cost, read_every, next_read: None, done: 0 }
    }

    pub(super) fn push(&mut self, job: u64, cost: Span) {
        self.ready.push_back((job, cost));
    }

    /// A read: now, or when the application is scheduled next.
    pub(super) fn push_read(&mut self, now: Time, job: u64) {
        if self.read_every == Span::ZERO {
            return self.push(job, self.read_cost);
        }
        self.reads.push_back(job);
        if self.next_read.is_none() {
            let periods = now.0.div_ceil(self.read_every.0);
            self.next_read = Some(Time(periods.saturating_mul(self.read_every.0)));
        }
    }

    /// When reads become ready.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.next_read
    }

    /// Makes reads ready whose time has come.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        if self.next_read.is_none_or(|at| at > now) {
            return;
        }
        self.next_read = None;
        while let Some(job) = self.reads.pop_front() {
            self.push(job, self.read_cost);
        }
    }

    /// Work of the first, which begins.
    pub(super) fn begin(&self) -> Option<Span> {
        self.ready.front().map(|(_, cost)| *cost)
    }

    /// The first is done.
    pub(super) fn finish(&mut self) -> Option<u64> {
        let (job, _) = self.ready.pop_front()?;
        self.done += 1;
        Some(job)
    }

    /// Pieces of work that are not done.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.reads.len()
    }
}
