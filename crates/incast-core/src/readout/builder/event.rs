//! A built event, whole or flagged.

use std::sync::Arc;

use crate::readout::ids::{EventNumber, RunNumber, SourceId};
use crate::readout::sources::SourceSet;
use crate::time::Time;

/// The fragments of one event, or of the events of one multi-event packet, by rising source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<P> {
    /// The run.
    pub run: RunNumber,
    /// The event; of a multi-event packet, the first one.
    pub number: EventNumber,
    /// How many consecutive events these are.
    pub events: u16,
    /// When the builder first heard of it.
    pub opened: Time,
    /// When it was shipped.
    pub closed: Time,
    /// Bytes of all its payloads.
    pub bytes: u64,
    pub(super) sources: Arc<[SourceId]>,
    /// One for each of `sources`.
    pub(super) parts: Vec<Option<P>>,
}

/// Why an event was shipped without all its fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The rest did not come in time.
    TimedOut,
    /// It was the oldest when there was no room for more.
    Crowded,
    /// The run ended.
    Ended,
}

/// What a builder makes of fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Built<P> {
    /// Every source contributed.
    Complete(Event<P>),
    /// Some did not.
    Incomplete {
        /// With what has come.
        event: Event<P>,
        /// The others; at least one.
        missing: SourceSet,
        /// Why it was not waited for any longer.
        cause: Cause,
    },
}

impl<P> Event<P> {
    /// The fragments that came, by rising source.
    pub fn parts(&self) -> impl Iterator<Item = (SourceId, &P)> + '_ {
        let places = self.sources.iter().zip(&self.parts);
        places.filter_map(|(source, part)| Some((*source, part.as_ref()?)))
    }

    /// The fragment of one source.
    #[must_use]
    pub fn part(&self, source: SourceId) -> Option<&P> {
        let place = self.sources.binary_search(&source).ok()?;
        self.parts[place].as_ref()
    }

    /// The number after its last event.
    #[must_use]
    pub const fn end(&self) -> EventNumber {
        self.number.after(self.events as u64)
    }
}

impl<P> Built<P> {
    /// The event, whole or not.
    #[must_use]
    pub const fn event(&self) -> &Event<P> {
        match self {
            Self::Complete(event) | Self::Incomplete { event, .. } => event,
        }
    }

    /// The event itself, for `EventBuilder::recycle` when it has been used.
    #[must_use]
    pub fn into_event(self) -> Event<P> {
        match self {
            Self::Complete(event) | Self::Incomplete { event, .. } => event,
        }
    }

    /// Whose fragments are missing; `None` when none are.
    #[must_use]
    pub const fn missing(&self) -> Option<&SourceSet> {
        match self {
            Self::Complete(_) => None,
            Self::Incomplete { missing, .. } => Some(missing),
        }
    }
}
