//! The receiving end: puts the stream in order, and says what came.
//!
//! Acknowledgements as RFC 5681 section 4.2 has them: at once when a segment leaves a hole, fills one, or is not new; else
//! every second full segment, or when the timer fires. Blocks as RFC 2018 section 4 orders them. The window never shrinks
//! (RFC 9293 section 3.8.6), opens in steps of a segment, and is told of when it has doubled since it was last told of
//! (Linux `tcp_cleanup_rbuf`).

use incast_core::time::{Span, Time};

use super::counts::ReceiverCounts;
use super::ranges::{Block, Ranges};
use super::{Ack, SACK_BLOCKS_MAX, TcpPlan};

/// The receiving end of a connection.
#[derive(Clone, Debug)]
pub struct TcpReceiver {
    plan: TcpPlan,
    /// Everything before it has come.
    next: u64,
    /// Everything before it has been read.
    read: u64,
    /// Where the told window ends.
    edge: u64,
    /// What came beyond `next`.
    ahead: Ranges,
    /// A byte of each block that changed of late, the newest first.
    recent: [u64; SACK_BLOCKS_MAX + 1],
    /// Bytes in order that no acknowledgement has told of.
    untold: u64,
    due: Due,
    timer: Option<Time>,
    counts: ReceiverCounts,
}

/// Why an acknowledgement is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    No,
    Data,
    Timer,
    Window,
}

impl TcpReceiver {
    /// A receiver whose connection stands.
    #[must_use]
    pub fn new(plan: TcpPlan) -> Self {
        let plan = plan.checked();
        Self {
            plan,
            next: 0,
            read: 0,
            edge: plan.receive_buffer_bytes,
            ahead: Ranges::default(),
            recent: [0; SACK_BLOCKS_MAX + 1],
            untold: 0,
            due: Due::No,
            timer: None,
            counts: ReceiverCounts::default(),
        }
    }

    /// A segment came.
    pub fn handle_segment(&mut self, now: Time, start: u64, bytes: u32) {
        self.counts.segments += 1;
        self.counts.bytes += u64::from(bytes);
        let end = start.saturating_add(u64::from(bytes));
        if bytes == 0 {
            self.counts.window_probes += 1;
            self.due = Due::Data;
            return;
        }
        let within = Block { start: start.max(self.next), end: end.min(self.edge) };
        self.counts.duplicate_bytes += end.min(self.next).saturating_sub(start);
        self.counts.beyond_window_bytes += end.saturating_sub(start.max(self.edge));
        if within.is_empty() {
            self.counts.duplicates += u64::from(end <= self.next);
            self.due = Due::Data;
            return;
        }
        if within.start > self.next {
            self.counts.out_of_order += 1;
            let new = self.ahead.insert(within);
            self.counts.duplicate_bytes += within.bytes() - new;
            self.counts.duplicates += u64::from(new == 0);
            self.remember(within.start);
            self.due = Due::Data;
        } else {
            self.handle_in_order(now, within);
        }
    }

    fn handle_in_order(&mut self, now: Time, within: Block) {
        let before = self.next;
        let has_hole = !self.ahead.is_empty();
        self.next = within.end;
        if has_hole {
            if let Some(joined) = self.ahead.around(self.next) {
                self.next = joined.end;
            }
            let known = self.ahead.remove_below(self.next);
            self.counts.duplicate_bytes += known - (self.next - within.end);
        }
        self.untold += self.next - before;
        let is_second = self.untold >= 2 * self.plan.mss();
        match self.plan.delayed_ack {
            Some(wait) if !has_hole && !is_second => {
                self.timer.get_or_insert(now + wait);
            }
            _ => self.due = Due::Data,
        }
    }

    /// Puts the newest block first; a byte of it names it.
    fn remember(&mut self, byte: u64) {
        let block = self.ahead.around(byte).unwrap_or_default();
        let is_known = |old: &u64| block.start <= *old && *old < block.end;
        let at = self.recent.iter().position(is_known).unwrap_or(SACK_BLOCKS_MAX);
        self.recent[..=at].rotate_right(1);
        self.recent[0] = byte;
    }

    /// The application takes bytes out; says how many there were. The window opens by them.
    pub fn handle_read(&mut self, _now: Time, bytes: u64) -> u64 {
        let bytes = bytes.min(self.readable_bytes());
        let (known, _) = self.window_now();
        self.read += bytes;
        let (_, new) = self.window_now();
        // Linux tcp_cleanup_rbuf: only a window that was small is worth a packet.
        if known * 2 <= self.plan.receive_buffer_bytes
            && new > known
            && new >= known * 2
            && self.due == Due::No
        {
            self.due = Due::Window;
        }
        bytes
    }

    /// The window as it was told, and as it would be told now.
    fn window_now(&self) -> (u64, u64) {
        let known = self.edge - self.next;
        let free = self.read + self.plan.receive_buffer_bytes - self.next;
        // Silly windows: RFC 9293 section 3.8.6.2.2.
        let step = self.plan.mss().min(self.plan.receive_buffer_bytes / 2).max(1);
        (known, if free >= known + step { free } else { known })
    }

    /// The acknowledgement to send now, if one is due.
    pub fn poll_ack(&mut self, _now: Time) -> Option<Ack> {
        let why = std::mem::replace(&mut self.due, Due::No);
        if why == Due::No {
            return None;
        }
        self.counts.acks += 1;
        self.counts.delayed_acks += u64::from(why == Due::Timer);
        self.counts.window_updates += u64::from(why == Due::Window);
        self.timer = None;
        self.untold = 0;
        let (_, window) = self.window_now();
        self.edge = self.next + window;
        Some(Ack { cumulative: self.next, window, sack: self.sack() })
    }

    fn sack(&self) -> [Block; SACK_BLOCKS_MAX] {
        let mut blocks = [Block::default(); SACK_BLOCKS_MAX];
        if !self.plan.has_sack || self.ahead.is_empty() {
            return blocks;
        }
        let mut used = 0;
        for byte in self.recent {
            let Some(block) = self.ahead.around(byte) else { continue };
            if used < SACK_BLOCKS_MAX && !blocks[..used].contains(&block) {
                blocks[used] = block;
                used += 1;
            }
        }
        blocks
    }

    /// When a delayed acknowledgement is due.
    #[must_use]
    pub const fn next_timeout(&self) -> Option<Time> {
        self.timer
    }

    /// The timer fired, or nothing happens.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.timer.is_some_and(|at| at <= now) {
            self.timer = None;
            if self.due == Due::No {
                self.due = Due::Timer;
            }
        }
    }

    /// Bytes in order that the application has not taken.
    #[must_use]
    pub const fn readable_bytes(&self) -> u64 {
        self.next - self.read
    }

    /// Bytes in order so far, read or not.
    #[must_use]
    pub const fn received_bytes(&self) -> u64 {
        self.next
    }

    /// Bytes that wait behind a hole.
    #[must_use]
    pub const fn out_of_order_bytes(&self) -> u64 {
        self.ahead.bytes()
    }

    /// How long a delayed acknowledgement waits; `None`: none is delayed.
    #[must_use]
    pub const fn delayed_ack(&self) -> Option<Span> {
        self.plan.delayed_ack
    }

    /// What it did.
    #[must_use]
    pub const fn counts(&self) -> ReceiverCounts {
        self.counts
    }
}
