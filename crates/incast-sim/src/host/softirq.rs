//! Polls, quota and budget: how much a softirq does before it lets others on.
//!
//! Linux 2.4.20 `net/core/dev.c`, `net_rx_action`: a device (or the backlog, which is polled like one) may take
//! its weight of packets in a poll; all polls of one softirq share a budget, and two jiffies. A device that took
//! all of its quota stays on the list, and is polled again. When the budget or the time is used up while a
//! device is on the list, `time_squeeze` is counted, and a new softirq is raised; `do_softirq` leaves that
//! to ksoftirqd. An interrupt-driven kernel (4.2BSD `ipintr`) has no budget: it goes on until its queue is empty.

use incast_core::time::{Span, Time};

/// The softirq.
#[derive(Clone, Debug)]
pub(super) struct Softirq {
    weight: u32,
    budget: Option<u32>,
    quota_left: u32,
    budget_left: u32,
    since: Time,
    /// Whether it is raised or at work.
    pub(super) is_active: bool,
    pub(super) count: u64,
    pub(super) time_squeeze: u64,
}

/// Two jiffies of the i386 kernels of 2003 (HZ = 100).
const TIME_MAX: Span = Span::from_ms(20);

/// What a softirq does when it has worked off a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Takes more.
    Poll,
    /// Its budget is used up: ksoftirqd takes more.
    Demoted,
    /// The queue is empty.
    Complete,
}

impl Softirq {
    /// `budget` is `None` where there is none.
    pub(super) fn new(weight: u32, budget: Option<u32>) -> Self {
        Self {
            weight: weight.max(1),
            budget,
            quota_left: 0,
            budget_left: 0,
            since: Time::ZERO,
            is_active: false,
            count: 0,
            time_squeeze: 0,
        }
    }

    /// It is raised.
    pub(super) fn begin(&mut self, now: Time) {
        self.is_active = true;
        self.renew(now);
    }

    /// Most packets of the next batch.
    pub(super) fn quota(&self) -> usize {
        self.quota_left.min(self.budget_left) as usize
    }

    /// `packets` were worked off, and the queue `is_empty` or not.
    pub(super) fn handle_batch(&mut self, now: Time, packets: usize, is_empty: bool) -> Next {
        let packets = u32::try_from(packets).unwrap_or(u32::MAX);
        self.quota_left = self.quota_left.saturating_sub(packets);
        self.budget_left = self.budget_left.saturating_sub(packets);
        if self.quota_left > 0 && self.budget_left > 0 {
            if is_empty {
                self.is_active = false;
                return Next::Complete;
            }
            return Next::Poll;
        }
        self.quota_left = self.weight;
        let squeezed = self.budget.is_some() && (self.budget_left == 0 || now.since(self.since) > TIME_MAX);
        if squeezed {
            self.time_squeeze += 1;
            self.renew(now);
        } else if self.budget.is_none() {
            self.budget_left = u32::MAX;
        }
        match (is_empty, squeezed) {
            // The next poll finds nothing, and takes no time for it.
            (true, _) => {
                self.is_active = false;
                Next::Complete
            }
            (false, true) => Next::Demoted,
            (false, false) => Next::Poll,
        }
    }

    fn renew(&mut self, now: Time) {
        self.count += 1;
        self.since = now;
        self.quota_left = self.weight;
        self.budget_left = self.budget.unwrap_or(u32::MAX).max(1);
    }
}
