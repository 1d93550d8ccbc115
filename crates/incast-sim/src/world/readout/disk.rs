//! The disk of a sink: what is on it, and how long writing takes. There are no files.
//!
//! A write waits for those before it, takes its bytes at the disk's rate, and is on disk a commit later. What
//! is on disk survives its sink. Of a packet, each event counts as an equal share of its bytes.

use std::collections::{BTreeMap, VecDeque};

use incast_core::readout::role::{SinkRole, Write};
use incast_core::readout::{EventNumber, EventSet, Length, SourceSet};
use incast_core::time::{Span, Time};

use super::work::Work;

/// How fast the disks of sinks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskPlan {
    /// Bytes per second; `None`: as many as come.
    pub bytes_per_s: Option<u64>,
    /// From the last byte until it is sure to stay (`fdatasync`).
    pub commit: Span,
}

impl Default for DiskPlan {
    /// Never the bottleneck, and as late as a commit of a disk with a cache that survives power loss.
    fn default() -> Self {
        Self { bytes_per_s: None, commit: Span::from_ms(1) }
    }
}

/// What a sink has on disk: it survives the sink.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    pub(super) events: EventSet,
    /// Of these, those that miss sources.
    pub(super) incomplete: BTreeMap<EventNumber, SourceSet>,
    pub(super) bytes: u64,
    /// Events that were written although they were there: none, or a law is broken.
    pub(super) twice: u64,
}

/// The disk of one life of a sink.
#[derive(Debug)]
pub(super) struct Disk {
    plan: DiskPlan,
    pub(super) stored: Stored,
    /// Oldest first, with the time at which each is on disk.
    writing: VecDeque<(Time, Write<Length>)>,
    /// When it has written all that it was given.
    idle: Time,
    /// What it is told next: whether it is full.
    is_full: Option<bool>,
}

impl Disk {
    /// A disk that has something from earlier lives: the machine is told of that.
    pub(super) fn open(plan: DiskPlan, stored: Stored, role: &mut SinkRole<Length>) -> Self {
        for (event, missing) in &stored.incomplete {
            role.handle_known(*event, 1, Some(missing));
        }
        for (first, last) in stored.events.ranges() {
            let events = u32::try_from(last.0 - first.0 + 1).unwrap_or(u32::MAX);
            role.handle_known(first, events, None);
        }
        Self { plan, stored, writing: VecDeque::new(), idle: Time::ZERO, is_full: None }
    }

    /// It is full, or no longer; the machine hears of it when it is attended to next.
    pub(super) fn note_full(&mut self, is_full: bool) {
        self.is_full = Some(is_full);
    }

    /// What stays when its sink dies.
    pub(super) fn into_stored(self) -> Stored {
        self.stored
    }

    fn put(&mut self, write: &Write<Length>) {
        let event = write.built.event();
        let share = event.bytes / u64::from(event.events.max(1));
        for (index, verdict) in (0..).zip(&write.verdicts) {
            if verdict.streams() == 0 {
                continue;
            }
            let number = event.number.after(index);
            self.stored.twice += u64::from(!self.stored.events.insert(number));
            self.stored.bytes += share;
            if let Some(missing) = write.built.missing() {
                self.stored.incomplete.insert(number, missing.clone());
            }
        }
    }
}

impl Work<SinkRole<Length>> for Disk {
    fn attend(&mut self, now: Time, role: &mut SinkRole<Length>) {
        if let Some(is_full) = self.is_full.take() {
            role.handle_disk(now, is_full);
        }
        loop {
            while let Some((_, write)) = self.writing.pop_front_if(|(at, _)| *at <= now) {
                self.put(&write);
                role.handle_written(now, write.number);
            }
            let Some(write) = role.poll_write() else { return };
            let bytes = write.built.event().bytes;
            self.idle = self.idle.max(now) + self.plan.span(bytes);
            self.writing.push_back((self.idle + self.plan.commit, write));
        }
    }

    fn next_timeout(&self) -> Option<Time> {
        if self.is_full.is_some() {
            return Some(Time::ZERO);
        }
        self.writing.front().map(|(at, _)| *at)
    }
}

impl DiskPlan {
    fn span(&self, bytes: u64) -> Span {
        let Some(rate) = self.bytes_per_s.filter(|rate| *rate > 0) else { return Span::ZERO };
        let exact = u128::from(bytes) * 1_000_000_000_000 / u128::from(rate);
        Span(u64::try_from(exact).unwrap_or(u64::MAX))
    }
}
