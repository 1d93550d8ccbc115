//! A built event, whole or flagged.

use std::sync::Arc;

use crate::readout::fragment::Payload;
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

impl<P: Payload> Event<P> {
    /// An event as a builder elsewhere joined it: `parts` has every source that was expected, by rising id,
    /// with its fragment if it came. `None` when the ids do not rise.
    #[must_use]
    pub fn received(
        run: RunNumber,
        number: EventNumber,
        events: u16,
        opened: Time,
        closed: Time,
        parts: Vec<(SourceId, Option<P>)>,
    ) -> Option<Self> {
        if !parts.is_sorted_by(|(one, _), (next, _)| one < next) {
            return None;
        }
        let came = parts.iter().filter_map(|(_, part)| part.as_ref());
        let bytes = came.map(|part| u64::from(part.len_bytes())).sum();
        let (sources, parts): (Vec<SourceId>, Vec<Option<P>>) = parts.into_iter().unzip();
        Some(Self { run, number, events, opened, closed, bytes, sources: sources.into(), parts })
    }
}

impl<P> Event<P> {
    /// Every source with its fragment, by rising source; `None` for what did not come.
    pub fn places(&self) -> impl ExactSizeIterator<Item = (SourceId, Option<&P>)> + Clone + '_ {
        self.sources.iter().zip(&self.parts).map(|(source, part)| (*source, part.as_ref()))
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readout::fragment::Length;

    fn received(parts: &[(u16, Option<u32>)]) -> Option<Event<Length>> {
        let parts = parts.iter().map(|(id, bytes)| (SourceId(*id), bytes.map(Length))).collect();
        Event::received(RunNumber(1), EventNumber(7), 2, Time::ZERO, Time::ZERO, parts)
    }

    #[test]
    fn a_received_event_knows_its_bytes_and_finds_its_parts() {
        let event = received(&[(3, Some(10)), (5, None), (900, Some(5))]).unwrap();
        assert_eq!((event.bytes, event.end()), (15, EventNumber(9)));
        assert_eq!((event.part(SourceId(900)), event.part(SourceId(5))), (Some(&Length(5)), None));
    }

    #[test]
    fn sources_that_do_not_rise_are_refused() {
        assert_eq!(received(&[(3, None), (3, None)]), None);
        assert_eq!(received(&[(4, None), (3, None)]), None);
    }
}
