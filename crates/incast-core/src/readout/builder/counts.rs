//! The account of a builder: what became of every fragment, source by source, and of every event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::readout::ids::SourceId;
use crate::stats::LogHistogram;

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is part of its event.
    Taken,
    /// That source had contributed to that event before.
    Duplicate,
    /// Its event was shipped before it came.
    Late,
    /// Its event is from before this builder's first one, or so old that nobody remembers it.
    Stale,
    /// Nobody expects anything from its source.
    UnknownSource,
    /// It belongs to another run.
    WrongRun,
    /// It is larger than the plan allows.
    Oversize,
    /// Its number of events, or the event that it begins with, is not that of the packing.
    WrongPacking,
    /// Too many built events wait to be fetched, or its event alone is beyond the bound of bytes.
    NoRoom,
}

/// The fragments of one source, each in exactly one of the first eight counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCounts {
    /// Taken into an event.
    pub taken: u64,
    /// See [`Arrival::Duplicate`].
    pub duplicate: u64,
    /// See [`Arrival::Late`].
    pub late: u64,
    /// See [`Arrival::Stale`].
    pub stale: u64,
    /// See [`Arrival::WrongRun`].
    pub wrong_run: u64,
    /// See [`Arrival::Oversize`].
    pub oversize: u64,
    /// See [`Arrival::WrongPacking`].
    pub wrong_packing: u64,
    /// See [`Arrival::NoRoom`].
    pub no_room: u64,
    /// Bytes taken.
    pub bytes: u64,
    /// Events, or multi-event packets, that were shipped without this source.
    pub missing: u64,
}

impl SourceCounts {
    /// All fragments that came.
    #[must_use]
    pub const fn fragments(&self) -> u64 {
        self.taken
            + self.duplicate
            + self.late
            + self.stale
            + self.wrong_run
            + self.oversize
            + self.wrong_packing
            + self.no_room
    }

    #[inline]
    pub(super) fn record(&mut self, arrival: Arrival) {
        let count = match arrival {
            Arrival::Taken => &mut self.taken,
            Arrival::Duplicate => &mut self.duplicate,
            Arrival::Late => &mut self.late,
            Arrival::Stale => &mut self.stale,
            Arrival::WrongRun => &mut self.wrong_run,
            Arrival::Oversize => &mut self.oversize,
            Arrival::WrongPacking => &mut self.wrong_packing,
            Arrival::NoRoom => &mut self.no_room,
            // Those of no known source are counted among the strangers.
            Arrival::UnknownSource => return,
        };
        *count += 1;
    }
}

/// Fragments of sources that nobody expects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strangers {
    /// By source, for the first [`Strangers::SOURCES_MAX`] of them.
    pub fragments: BTreeMap<SourceId, u64>,
    /// Of all others together.
    pub fragments_of_others: u64,
}

impl Strangers {
    /// So many are told apart: a table that one can read.
    pub const SOURCES_MAX: usize = 64;

    pub(super) fn record(&mut self, source: SourceId) {
        let has_room = self.fragments.len() < Self::SOURCES_MAX;
        match self.fragments.get_mut(&source) {
            Some(count) => *count += 1,
            None if has_room => {
                self.fragments.insert(source, 1);
            }
            None => self.fragments_of_others += 1,
        }
    }
}

/// Announcements of events, see `EventBuilder::handle_assignment`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignmentCounts {
    /// They opened the event.
    pub opened: u64,
    /// The event was open, over, or before the builder's first one.
    pub known: u64,
    /// Of another run, or not of the packing.
    pub wrong: u64,
    /// Too many built events waited to be fetched.
    pub no_room: u64,
}

/// The events of a builder. A multi-event packet counts as one. At any moment
/// `opened = complete + timed_out + crowded + ended + open`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderCounts {
    /// Events of which something was heard.
    pub opened: u64,
    /// Shipped with all fragments.
    pub complete: u64,
    /// Shipped without, because of time.
    pub timed_out: u64,
    /// Shipped without, for want of room.
    pub crowded: u64,
    /// Shipped without, at the end of the run.
    pub ended: u64,
    /// With order kept: given out after an event of a higher number.
    pub out_of_order: u64,
    /// Announcements.
    pub assignments: AssignmentCounts,
    /// From first to last fragment of complete events, in nanoseconds.
    pub completion_ns: LogHistogram,
}
