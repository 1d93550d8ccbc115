//! Which events are on disk: a bit for each, in pages, so that an event that is sent again is not written
//! again.

use std::collections::BTreeMap;

use crate::readout::ids::EventNumber;
use crate::readout::sources::SourceSet;

/// Events on disk, and packets of which nothing is left to write.
#[derive(Clone, Debug)]
pub(super) struct KnownEvents {
    events: Pages,
    packets: Pages,
    /// Those that miss sources.
    incomplete: BTreeMap<EventNumber, SourceSet>,
}

#[derive(Clone, Debug, Default)]
struct Pages {
    pages: BTreeMap<u64, Box<[u64; WORDS]>>,
}

/// 4 096 events in 512 bytes.
const WORDS: usize = 64;
const PAGE_EVENTS: u64 = 64 * WORDS as u64;
/// Half a billion events in 64 MiB. The oldest are forgotten; by then nobody holds them to send them again.
const PAGES_MAX: usize = 1 << 17;
/// Incomplete ones that are told apart to a trigger that returns; older ones it has heard of.
const INCOMPLETE_MAX: usize = 65_536;

impl KnownEvents {
    pub(super) const fn new() -> Self {
        Self {
            events: Pages { pages: BTreeMap::new() },
            packets: Pages { pages: BTreeMap::new() },
            incomplete: BTreeMap::new(),
        }
    }

    /// Notes an event that is on disk; says whether that is news.
    pub(super) fn insert(&mut self, event: EventNumber, missing: Option<&SourceSet>) -> bool {
        if let Some(missing) = missing {
            self.incomplete.insert(event, missing.clone());
            if self.incomplete.len() > INCOMPLETE_MAX {
                self.incomplete.pop_first();
            }
        }
        self.events.insert(event)
    }

    pub(super) fn contains(&self, event: EventNumber) -> bool {
        self.events.contains(event)
    }

    /// Notes a packet, by its first event, of which all that is kept is on disk.
    pub(super) fn insert_packet(&mut self, first: EventNumber) {
        self.packets.insert(first);
    }

    pub(super) fn contains_packet(&self, first: EventNumber) -> bool {
        self.packets.contains(first)
    }

    /// The newest event.
    pub(super) fn highest(&self) -> Option<EventNumber> {
        let (number, page) = self.events.pages.last_key_value()?;
        let (word, bits) = page.iter().enumerate().rev().find(|(_, bits)| **bits != 0)?;
        Some(EventNumber(number * PAGE_EVENTS + word as u64 * 64 + u64::from(bits.ilog2())))
    }

    /// The next events on disk, from `from` on, that miss the same sources: a page of them at most.
    pub(super) fn run_from(&self, from: EventNumber) -> Option<(EventNumber, u32, Option<&SourceSet>)> {
        let first = self.events.next_from(from)?;
        let missing = self.incomplete.get(&first);
        let is_alike =
            |event: &EventNumber| self.events.contains(*event) && self.incomplete.get(event) == missing;
        let more = (1..PAGE_EVENTS).map(|index| first.after(index)).take_while(is_alike).count();
        Some((first, u32::try_from(more).unwrap_or(0) + 1, missing))
    }
}

impl Pages {
    fn insert(&mut self, event: EventNumber) -> bool {
        let (page, word, bit) = place(event);
        let words = self.pages.entry(page).or_insert_with(|| Box::new([0; WORDS]));
        let is_new = words[word] & bit == 0;
        words[word] |= bit;
        if self.pages.len() > PAGES_MAX {
            self.pages.pop_first();
        }
        is_new
    }

    fn contains(&self, event: EventNumber) -> bool {
        let (page, word, bit) = place(event);
        self.pages.get(&page).is_some_and(|words| words[word] & bit != 0)
    }

    fn next_from(&self, from: EventNumber) -> Option<EventNumber> {
        let (page, word, bit) = place(from);
        for (number, words) in self.pages.range(page..) {
            let first = if *number == page { word } else { 0 };
            for (index, bits) in words.iter().enumerate().skip(first) {
                // In the first word, only what is not before `from`.
                let mask = if *number == page && index == word { !(bit - 1) } else { u64::MAX };
                if bits & mask != 0 {
                    let offset = index as u64 * 64 + u64::from((bits & mask).trailing_zeros());
                    return Some(EventNumber(number * PAGE_EVENTS + offset));
                }
            }
        }
        None
    }
}

/// Page, word and bit of an event.
fn place(event: EventNumber) -> (u64, usize, u64) {
    let within = event.0 % PAGE_EVENTS;
    // Below 64, whatever a `usize` is.
    (event.0 / PAGE_EVENTS, usize::try_from(within / 64).unwrap_or(0), 1 << (within % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::btree_map::{BTreeMap, Entry};

    use super::*;
    use crate::random::Random;
    use crate::readout::ids::SourceId;

    #[test]
    fn any_events_are_told_again_as_they_were_noted() {
        for seed in 0..100 {
            let mut random = Random::named(seed, "known");
            let (mut known, mut model) = (KnownEvents::new(), BTreeMap::new());
            let missing: SourceSet = [SourceId(3)].into_iter().collect();
            let spread = [20, 200, 20_000][usize::try_from(seed % 3).unwrap()];
            for _ in 0..100 {
                let event = EventNumber(4_000 + random.next_u64() % spread);
                let missing = random.next_u64().is_multiple_of(4).then_some(&missing);
                if let Entry::Vacant(place) = model.entry(event) {
                    assert!(known.insert(event, missing), "seed {seed}");
                    place.insert(missing);
                }
                assert!(!known.insert(event, None), "seed {seed}");
            }
            let (mut from, mut told) = (EventNumber(0), BTreeMap::new());
            while let Some((first, events, missing)) = known.run_from(from) {
                told.extend((0..events).map(|index| (first.after(index.into()), missing)));
                from = first.after(events.into());
            }
            assert_eq!(told, model, "seed {seed}");
            assert_eq!(known.highest(), model.last_key_value().map(|(event, _)| *event), "seed {seed}");
        }
    }
}
