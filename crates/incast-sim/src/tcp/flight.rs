//! What is under way: one record for each segment, in the order of the stream, and what is known of its fate.
//!
//! "Pipe" is RFC 6675's estimate of what is in the network: segments that are neither acknowledged nor lost, and
//! repetitions of lost ones. A record costs its memory once: the ring is reused.

use std::collections::VecDeque;

use incast_core::time::Time;

use super::ranges::{Block, Ranges};

/// One segment under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) start: u64,
    pub(super) bytes: u32,
    /// When it was sent last.
    pub(super) sent: Time,
    /// Told of by a block.
    is_sacked: bool,
    /// Given up.
    is_lost: bool,
    /// A repetition is under way.
    is_again: bool,
    /// It was ever sent again: which transmission an acknowledgement means is unknown (Karn).
    was_again: bool,
    /// What was known when it was sent, for a sample of the rate.
    pub(super) stamp: Stamp,
}

impl Record {
    fn end(&self) -> u64 {
        self.start + u64::from(self.bytes)
    }

    fn pipe(&self) -> u64 {
        let copies = u64::from(!self.is_lost) + u64::from(self.is_again);
        if self.is_sacked { 0 } else { copies * u64::from(self.bytes) }
    }
}

/// How far delivery was when a segment left (draft-cheng-iccrg-delivery-rate-estimation-00 section 2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Bytes delivered so far.
    pub(super) delivered: u64,
    /// When the last of these was.
    pub(super) delivered_at: Time,
    /// When the first of the flight left that it belongs to.
    pub(super) first_sent: Time,
    /// Whether the application had nothing more to send.
    pub(super) is_app_limited: bool,
}

/// What one acknowledgement told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// Bytes that the cumulative part newly covers.
    pub(super) advanced: u64,
    /// Bytes newly known to have arrived, by either part.
    pub(super) delivered: u64,
    /// Bytes newly told of by blocks.
    pub(super) sacked: u64,
    /// Whether something among the cumulative ones was ever sent again.
    pub(super) had_again: bool,
    /// When the earliest, and the latest, of those left that were sent once.
    pub(super) first_sent: Option<Time>,
    pub(super) last_sent: Option<Time>,
    /// The same of those told of by blocks.
    pub(super) first_sacked: Option<Time>,
    /// Of the latest sent among all: when, and what was known then.
    pub(super) newest: Option<Newest>,
}

/// The latest sent of what was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    pub(super) sent: Time,
    pub(super) end: u64,
    pub(super) was_again: bool,
    pub(super) stamp: Stamp,
}

impl Told {
    fn record(&mut self, record: &Record, by_block: bool) {
        self.delivered += u64::from(record.bytes);
        if !record.was_again {
            let first = if by_block { &mut self.first_sacked } else { &mut self.first_sent };
            first.get_or_insert(record.sent);
            if !by_block {
                self.last_sent = Some(record.sent);
            }
        }
        let is_newer = |newest: &Newest| (record.sent, record.end()) >= (newest.sent, newest.end);
        if self.newest.as_ref().is_none_or(is_newer) {
            let Record { sent, was_again, stamp, .. } = *record;
            self.newest = Some(Newest { sent, end: record.end(), was_again, stamp });
        }
    }
}

/// Everything under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Flight {
    records: VecDeque<Record>,
    /// Everything before it is acknowledged.
    una: u64,
    /// Everything before it was sent.
    next: u64,
    pipe: u64,
    sacked: Ranges,
    /// No record before it waits to be sent again.
    again_from: u64,
    /// Bytes given up so far.
    lost: u64,
    /// Everything before it was looked at for RFC 6675's rule.
    lost_below: u64,
}

impl Flight {
    pub(super) const fn una(&self) -> u64 {
        self.una
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Bytes from the first that is not acknowledged to the last sent (`FlightSize`).
    pub(super) const fn bytes(&self) -> u64 {
        self.next - self.una
    }

    /// RFC 6675's estimate.
    pub(super) const fn pipe(&self) -> u64 {
        self.pipe
    }

    /// Bytes given up so far, repetitions counted again.
    pub(super) const fn lost_bytes(&self) -> u64 {
        self.lost
    }

    pub(super) fn has_sacked(&self) -> bool {
        !self.sacked.is_empty()
    }

    pub(super) const fn sacked_bytes(&self) -> u64 {
        self.sacked.bytes()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A new segment left.
    pub(super) fn handle_sent(&mut self, now: Time, bytes: u32, stamp: Stamp) {
        let record = Record {
            start: self.next,
            bytes,
            sent: now,
            is_sacked: false,
            is_lost: false,
            is_again: false,
            was_again: false,
            stamp,
        };
        self.pipe += record.pipe();
        self.next = record.end();
        self.records.push_back(record);
    }

    /// A segment left again.
    pub(super) fn handle_sent_again(&mut self, now: Time, start: u64, stamp: Stamp) {
        let at = self.index_of(start);
        self.change(at, |record| {
            record.is_again = true;
            record.was_again = true;
            record.sent = now;
            record.stamp = stamp;
        });
    }

    /// An acknowledgement: its cumulative part, then its blocks.
    pub(super) fn handle_ack(&mut self, cumulative: u64, blocks: &[Block]) -> Told {
        let mut told = Told::default();
        if cumulative > self.una {
            self.handle_cumulative(cumulative.min(self.next), &mut told);
        }
        for block in blocks {
            let mut rest = Block { start: block.start.max(self.una), end: block.end.min(self.next) };
            while let Some(gap) = self.sacked.first_gap(rest) {
                self.handle_gap(gap, &mut told);
                rest.start = gap.end;
            }
        }
        told
    }

    fn handle_cumulative(&mut self, to: u64, told: &mut Told) {
        self.split_at(to);
        while let Some(record) = self.records.front().copied().filter(|record| record.end() <= to) {
            self.pipe -= record.pipe();
            told.advanced += u64::from(record.bytes);
            told.had_again |= record.was_again;
            if !record.is_sacked {
                told.record(&record, false);
            }
            self.records.pop_front();
        }
        self.una = to;
        self.sacked.remove_below(to);
    }

    /// A block told of bytes that were not known to have come.
    fn handle_gap(&mut self, gap: Block, told: &mut Told) {
        self.split_at(gap.start);
        self.split_at(gap.end);
        let mut at = self.index_of(gap.start);
        while let Some(record) = self.records.get(at).copied().filter(|record| record.start < gap.end) {
            told.record(&record, true);
            self.change(at, |record| record.is_sacked = true);
            at += 1;
        }
        told.sacked += self.sacked.insert(gap);
    }

    /// Makes a segment begin here: merged ones may be acknowledged in part.
    fn split_at(&mut self, byte: u64) {
        let at = self.index_of(byte);
        let Some(record) = self.records.get(at).copied() else { return };
        if record.start >= byte {
            return;
        }
        let (left, right) = (record.start..byte, byte..record.end());
        let length = |range: std::ops::Range<u64>| u32::try_from(range.end - range.start).unwrap_or(u32::MAX);
        self.records[at].bytes = length(left);
        self.records.insert(at + 1, Record { start: byte, bytes: length(right), ..record });
    }

    /// The record that a byte is in, or the number of all.
    fn index_of(&self, byte: u64) -> usize {
        self.records.partition_point(|record| record.end() <= byte)
    }

    fn change(&mut self, at: usize, how: impl FnOnce(&mut Record)) {
        let Some(record) = self.records.get_mut(at) else { return };
        self.pipe -= record.pipe();
        how(record);
        self.pipe += record.pipe();
    }

    fn lose(&mut self, at: usize) {
        let Some(Record { start, bytes, .. }) = self.records.get(at).copied() else { return };
        self.lost += u64::from(bytes);
        self.change(at, |record| {
            record.is_lost = true;
            record.is_again = false;
        });
        self.again_from = self.again_from.min(start);
    }

    /// Gives up the first that is not acknowledged.
    pub(super) fn handle_first_lost(&mut self) {
        self.lose(0);
    }

    /// Gives up everything that no block told of: the timer fired.
    pub(super) fn handle_all_lost(&mut self) {
        for at in 0..self.records.len() {
            self.lose(at);
        }
        self.lost_below = self.next;
    }

    /// Gives up, by RFC 6675's `IsLost`, what has three blocks or more than two full segments told of beyond it; says
    /// whether that was something new.
    pub(super) fn handle_rule_6675(&mut self, mss: u64) -> bool {
        let mut beyond = 0;
        let mut blocks = 0;
        let mut edge = 0;
        for block in self.sacked.blocks().iter().rev() {
            blocks += 1;
            beyond += block.bytes();
            if blocks >= DUPLICATES || beyond > (DUPLICATES - 1) * mss {
                // Of the lowest block that is needed only so much counts as the rule wants; segments are whole.
                edge = block.start;
                break;
            }
        }
        let mut has_lost = false;
        let mut at = self.index_of(self.lost_below.max(self.una));
        while let Some(record) = self.records.get(at).copied().filter(|record| record.end() <= edge) {
            if !record.is_sacked && !record.is_lost {
                self.lose(at);
                has_lost = true;
            }
            at += 1;
        }
        self.lost_below = self.lost_below.max(edge);
        has_lost
    }

    /// RFC 6675 `NextSeg` rule 3: gives up the first hole below what blocks told of that was not repeated yet.
    pub(super) fn handle_next_hole(&mut self) {
        let Some(edge) = self.sacked.blocks().last().map(|block| block.start) else { return };
        let holds = |record: &Record| !record.is_sacked && !record.is_lost && !record.is_again;
        let hole = self.records.iter().take_while(|record| record.end() <= edge).position(holds);
        if let Some(at) = hole {
            self.lose(at);
        }
    }

    /// The next that was given up and not repeated since.
    pub(super) fn next_lost(&mut self) -> Option<(u64, u32)> {
        let mut at = self.index_of(self.again_from.max(self.una));
        while let Some(record) = self.records.get(at) {
            self.again_from = record.start;
            if record.is_lost && !record.is_again && !record.is_sacked {
                return Some((record.start, record.bytes));
            }
            at += 1;
        }
        self.again_from = self.next;
        None
    }

    /// The last that was sent, for a tail loss probe.
    pub(super) fn last(&self) -> Option<(u64, u32)> {
        self.records.back().map(|record| (record.start, record.bytes))
    }

    /// RACK (RFC 8985 section 6.2 step 5): gives up what left so much before the latest that arrived; says whether there
    /// was something, and when the next will be due.
    pub(super) fn handle_rack(
        &mut self,
        now: Time,
        newest: (Time, u64),
        patience: incast_core::time::Span,
    ) -> (bool, Option<Time>) {
        let (mut has_lost, mut due) = (false, None::<Time>);
        let mut at = 0;
        while let Some(record) = self.records.get(at).copied() {
            if record.is_sacked {
                let past = self.sacked.around(record.start).map_or_else(|| record.end(), |block| block.end);
                at = self.index_of(past);
                continue;
            }
            let is_before = (record.sent, record.end()) < newest;
            if !is_before && !record.was_again {
                // Those behind it left later still.
                break;
            }
            if is_before && (record.is_again || !record.is_lost) {
                let limit = record.sent + patience;
                if limit <= now {
                    self.lose(at);
                    has_lost = true;
                } else {
                    due = Some(due.map_or(limit, |due| due.min(limit)));
                }
            }
            at += 1;
        }
        (has_lost, due)
    }
}

/// RFC 5681 and 6675: so many duplicates say that something is lost.
pub(super) const DUPLICATES: u64 = 3;
