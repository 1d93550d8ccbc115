//! When a card interrupts: at most so long after a packet came, or after so many, whichever is first
//! (`ethtool -C rx-usecs, rx-frames`). A masked card does not interrupt.

use incast_core::time::{Span, Time};

/// The card's side of interrupts.
#[derive(Clone, Debug)]
pub(super) struct Coalescence {
    time: Span,
    packets: u32,
    is_masked: bool,
    /// Packets since the last interrupt.
    pending: u32,
    due: Option<Time>,
}

impl Coalescence {
    pub(super) fn new(time: Span, packets: u32) -> Self {
        Self { time, packets, is_masked: false, pending: 0, due: None }
    }

    /// A packet came into the ring: whether the card interrupts now.
    pub(super) fn handle_packet(&mut self, now: Time) -> bool {
        if self.is_masked {
            return false;
        }
        self.pending += 1;
        if self.pending >= self.packets || self.time == Span::ZERO {
            return true;
        }
        if self.due.is_none() {
            self.due = Some(now + self.time);
        }
        false
    }

    /// When it interrupts for what has come.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.due
    }

    /// It has interrupted, and does not again until unmasked.
    pub(super) fn mask(&mut self) {
        self.is_masked = true;
        self.pending = 0;
        self.due = None;
    }

    /// It may interrupt again. The ring is empty.
    pub(super) fn unmask(&mut self) {
        self.is_masked = false;
    }
}
