//! Whom a full backlog refuses: Linux 2.4's throttle, Linux 2.6's tail, and the purge that bologna 36 supposes.
//!
//! Linux 2.4.20 `net/core/dev.c`, `netif_rx`: a packet is let in while the queue is not longer than
//! `netdev_max_backlog`, so that it holds one more than that. One that finds it longer sets `throttle`, and
//! from then on every packet is dropped that does not find the queue empty; `process_backlog` clears it too, when
//! it finds nothing left. So an overflow costs what arrives while the CPU works the queue off, `(max + 1) λ / μ'`
//! packets of rate λ at a drain of μ', and what was in the queue is not lost. Since 2.6 there is no throttle.
//! 4.2BSD's `IF_QFULL` lets in while the queue is shorter than its bound.

use incast_core::scenario::{ReceivePath, WhenBacklogFull};

use super::DropCause;

/// What happens to a packet that comes to the backlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Accept,
    Drop(DropCause),
    /// It goes, and all that wait with it.
    Purge,
}

/// The rule of one backlog.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    capacity: usize,
    when_full: WhenBacklogFull,
    is_throttled: bool,
    pub(super) overflows: u64,
}

impl Gate {
    pub(super) fn new(path: ReceivePath, max: u32, when_full: WhenBacklogFull) -> Self {
        let is_linux = path != ReceivePath::Interrupt;
        let capacity = max as usize + usize::from(is_linux);
        let when_full = if is_linux { when_full } else { WhenBacklogFull::DropTail };
        Self { capacity, when_full, is_throttled: false, overflows: 0 }
    }

    /// A packet finds `waiting` others.
    pub(super) fn handle_packet(&mut self, waiting: usize) -> Admission {
        let is_full = waiting >= self.capacity;
        match self.when_full {
            WhenBacklogFull::DropTail if is_full => {
                self.overflows += 1;
                Admission::Drop(DropCause::Full)
            }
            WhenBacklogFull::Purge if is_full => {
                self.overflows += 1;
                Admission::Purge
            }
            WhenBacklogFull::DropUntilEmpty if is_full => {
                self.overflows += u64::from(!self.is_throttled);
                self.is_throttled = true;
                Admission::Drop(DropCause::Full)
            }
            WhenBacklogFull::DropUntilEmpty if self.is_throttled && waiting > 0 => {
                Admission::Drop(DropCause::UntilEmpty)
            }
            _ => {
                self.is_throttled = false;
                Admission::Accept
            }
        }
    }

    /// The CPU found nothing left.
    pub(super) fn handle_empty(&mut self) {
        self.is_throttled = false;
    }
}
