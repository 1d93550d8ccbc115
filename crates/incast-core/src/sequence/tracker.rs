//! The tracker itself: sorts each arrival and keeps the account.
//!
//! In-order messages only move `next`. What they imply (bits of the window, the order of arrivals) is
//! settled when something else arrives, a whole run at a time. A gap counts its messages as lost at
//! once; one that arrives after all gives its loss back. Nothing is allocated after `new`.

use super::counts::Counts;
use super::loss_runs::LossRuns;
use super::reordering::{ArrivalOrder, ReorderingReport};
use super::window::Window;

/// What one arrival was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next expected message.
    InOrder,
    /// Above the next expected one: those between are missing, and counted as lost.
    Ahead,
    /// The first arrival of a message counted as lost; reordered in the sense of RFC 4737 §3.3.
    Late,
    /// Received before.
    Duplicate,
    /// Below the window: late or duplicate, it cannot be told which. Gives no loss back.
    Stale,
    /// A counter that no honest sender can have reached: counted, otherwise ignored.
    Implausible,
}

/// The account of one stream's counters.
#[derive(Clone, Debug)]
pub struct SequenceTracker {
    /// One past the highest counter received (`NextExp` of RFC 4737 §3.3); `u64::MAX` once finished.
    next: u64,
    /// The in-order arrivals from here to below `next` are not yet in any field below.
    settled: u64,
    first: u64,
    window_messages: u64,
    unique: u64,
    duplicate: u64,
    late: u64,
    stale: u64,
    lost: u64,
    implausible: u64,
    finished: bool,
    window: Window,
    order: ArrivalOrder,
}

impl SequenceTracker {
    /// Duplicates and late messages are told exactly up to this far behind the highest counter; what
    /// is further behind is [`Arrival::Stale`]. 8 KiB of bits for each stream, and at 1 Mmsg/s 65 ms:
    /// more than parallel paths differ by.
    pub const WINDOW_MESSAGES: u64 = 65_536;

    /// A counter further than this above the next expected one is [`Arrival::Implausible`]: at
    /// 100 Mmsg/s it would take three hours without a single arrival.
    pub const JUMP_MAX: u64 = 1 << 40;

    /// A tracker for a sender whose first message carries the counter `first`.
    #[must_use]
    pub fn new(first: u64) -> Self {
        Self::with_window(first, Self::WINDOW_MESSAGES)
    }

    /// The same with another window, so that tests can reach its edge.
    ///
    /// # Panics
    ///
    /// Unless `window_messages` is a power of two and at least 64.
    #[must_use]
    pub fn with_window(first: u64, window_messages: u64) -> Self {
        Self {
            next: first,
            settled: first,
            first,
            window_messages,
            unique: 0,
            duplicate: 0,
            late: 0,
            stale: 0,
            lost: 0,
            implausible: 0,
            finished: false,
            window: Window::new(first, window_messages),
            order: ArrivalOrder::new(window_messages),
        }
    }

    /// Counts the arrival of the message with the counter `sequence`, and says what it was.
    ///
    /// `u64::MAX` is never plausible: there is no next counter to expect. Nor is anything after
    /// `finish`, when the account is closed.
    #[inline]
    pub fn record(&mut self, sequence: u64) -> Arrival {
        if sequence == self.next && sequence != u64::MAX {
            self.next += 1;
            return Arrival::InOrder;
        }
        self.record_out_of_order(sequence)
    }

    /// The account so far. Cheap, and may be asked at any time.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let unique = self.unique + (self.next - self.settled);
        Counts {
            received: unique + self.duplicate + self.stale,
            unique,
            duplicate: self.duplicate,
            reordered: self.late,
            late: self.late,
            stale: self.stale,
            lost: self.lost,
            implausible: self.implausible,
        }
    }

    /// Closes the account. `end` is one past the last counter that the sender sent, if known: all from
    /// the next expected one to below it are lost. An `end` below what arrived changes nothing, because
    /// it is the sender's word against the network's: `sent - unique - lost` shows it. Later calls
    /// change nothing.
    ///
    /// # Panics
    ///
    /// When the loss runs do not sum to the number of lost messages, which is a fault of ours.
    pub fn finish(&mut self, end: Option<u64>) {
        if self.finished {
            return;
        }
        self.settle();
        if let Some(end) = end.filter(|end| *end > self.next) {
            self.lost += end - self.next;
            self.window.append(end, false);
        }
        self.window.close();
        assert_eq!(self.window.runs().total_messages(), self.lost, "loss runs sum to the lost messages");
        self.finished = true;
        (self.next, self.settled) = (u64::MAX, u64::MAX);
    }

    /// The runs of consecutive lost messages. Until `finish`, those that have left the window.
    #[must_use]
    pub fn loss_runs(&self) -> &LossRuns {
        self.window.runs()
    }

    /// Reordering so far.
    #[must_use]
    pub fn reordering(&self) -> ReorderingReport {
        self.order.report().clone()
    }

    #[cold]
    #[inline(never)]
    fn record_out_of_order(&mut self, sequence: u64) -> Arrival {
        if self.finished || sequence < self.first || sequence == u64::MAX {
            self.implausible += 1;
            Arrival::Implausible
        } else if sequence > self.next {
            self.record_ahead(sequence)
        } else if self.next - sequence > self.window_messages {
            self.stale += 1;
            Arrival::Stale
        } else if sequence >= self.settled || self.window.contains(sequence) {
            self.duplicate += 1;
            Arrival::Duplicate
        } else {
            self.record_late(sequence);
            Arrival::Late
        }
    }

    fn record_ahead(&mut self, sequence: u64) -> Arrival {
        if sequence - self.next > Self::JUMP_MAX {
            self.implausible += 1;
            return Arrival::Implausible;
        }
        self.settle();
        self.order.record_gap(self.next, self.unique);
        self.lost += sequence - self.next;
        self.window.append(sequence, false);
        self.settled = sequence;
        self.next = sequence + 1;
        self.check_laws();
        Arrival::Ahead
    }

    fn record_late(&mut self, sequence: u64) {
        self.settle();
        self.order.record_late(sequence, self.unique);
        self.window.insert(sequence);
        self.lost -= 1;
        self.late += 1;
        self.unique += 1;
        self.check_laws();
    }

    /// Brings all fields up to `next`.
    fn settle(&mut self) {
        let run = self.next - self.settled;
        if run == 0 {
            return;
        }
        self.unique += run;
        self.order.record_run(self.settled, self.unique - 1);
        self.window.append(self.next, true);
        self.settled = self.next;
        self.check_laws();
    }

    /// Every counter passed was either received once or is lost.
    fn check_laws(&self) {
        debug_assert_eq!(self.unique + self.lost, self.settled - self.first, "unique + lost = passed");
        debug_assert_eq!(self.window.top(), self.settled);
        debug_assert_eq!(self.order.report().reordered, self.late);
    }
}
