//! A set of event numbers that may be many: which events are stored.
//!
//! Numbers are kept in chunks of 65 536: a chunk with few of them is a sorted list of 2 bytes for each, one
//! with many is 8 KiB of bits (as in Roaring bitmaps, Chambi et al. 2016, doi:10.1002/spe.2325). A sink sees
//! its share of the numbers, so that plain ranges of neighbours would not save anything.

use std::collections::BTreeMap;

use super::ids::EventNumber;

/// Event numbers, each in or out. At most 8 KiB for 65 536 neighbours, and some 100 bytes for one alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventSet {
    chunks: BTreeMap<u64, Chunk>,
    len: u64,
}

/// Beyond it a list is larger than the bits.
const LIST_MAX: usize = 4_096;
const CHUNK_BITS: u32 = 16;
const WORDS: usize = (1 << CHUNK_BITS) / 64;

#[derive(Clone, Debug)]
enum Chunk {
    /// Sorted; at most [`LIST_MAX`].
    List(Vec<u16>),
    Bits(Box<[u64]>),
}

impl EventSet {
    /// No event.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many events there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `event` is one of them.
    #[must_use]
    pub fn contains(&self, event: EventNumber) -> bool {
        let (chunk, low) = place(event);
        self.chunks.get(&chunk).is_some_and(|chunk| chunk.contains(low))
    }

    /// Adds an event; says whether it is new.
    pub fn insert(&mut self, event: EventNumber) -> bool {
        let (chunk, low) = place(event);
        let is_new = self.chunks.entry(chunk).or_insert_with(|| Chunk::List(Vec::new())).insert(low);
        self.len += u64::from(is_new);
        is_new
    }

    /// The events by rising number.
    pub fn iter(&self) -> impl Iterator<Item = EventNumber> + '_ {
        self.chunks.iter().flat_map(|(high, chunk)| {
            chunk.numbers().into_iter().map(move |low| EventNumber(high << CHUNK_BITS | u64::from(low)))
        })
    }

    /// Runs of neighbours by rising number: the first and the last of each.
    pub fn ranges(&self) -> impl Iterator<Item = (EventNumber, EventNumber)> + '_ {
        let mut rest = self.iter().peekable();
        std::iter::from_fn(move || {
            let first = rest.next()?;
            let mut last = first;
            while let Some(next) = rest.next_if(|next| next.0.checked_sub(1) == Some(last.0)) {
                last = next;
            }
            Some((first, last))
        })
    }
}

impl FromIterator<EventNumber> for EventSet {
    fn from_iter<I: IntoIterator<Item = EventNumber>>(events: I) -> Self {
        let mut set = Self::default();
        for event in events {
            set.insert(event);
        }
        set
    }
}

impl Chunk {
    fn contains(&self, low: u16) -> bool {
        match self {
            Self::List(list) => list.binary_search(&low).is_ok(),
            Self::Bits(words) => words[usize::from(low / 64)] >> (low % 64) & 1 == 1,
        }
    }

    fn insert(&mut self, low: u16) -> bool {
        match self {
            Self::List(list) => {
                let Err(at) = list.binary_search(&low) else { return false };
                list.insert(at, low);
                if list.len() > LIST_MAX {
                    let mut words = vec![0; WORDS].into_boxed_slice();
                    list.iter().for_each(|low| words[usize::from(low / 64)] |= 1 << (low % 64));
                    *self = Self::Bits(words);
                }
                true
            }
            Self::Bits(words) => {
                let word = &mut words[usize::from(low / 64)];
                let is_new = *word >> (low % 64) & 1 == 0;
                *word |= 1 << (low % 64);
                is_new
            }
        }
    }

    fn numbers(&self) -> Vec<u16> {
        match self {
            Self::List(list) => list.clone(),
            Self::Bits(_) => (0..=u16::MAX).filter(|low| self.contains(*low)).collect(),
        }
    }
}

/// However it came about, the same set is equal: as a chunk only grows, its form follows from its size.
impl PartialEq for Chunk {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(list), Self::List(other)) => list == other,
            (Self::Bits(words), Self::Bits(other)) => words == other,
            _ => false,
        }
    }
}

impl Eq for Chunk {}

/// The chunk, and the place in it.
fn place(EventNumber(number): EventNumber) -> (u64, u16) {
    let [a, b, ..] = number.to_le_bytes();
    (number >> CHUNK_BITS, u16::from_le_bytes([a, b]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Random;

    #[test]
    fn any_inserts_agree_with_a_tree() {
        for (seed, spread, count) in
            [(1, 100, 300), (2, 70_000, 20_000), (3, 1 << 40, 500), (4, u64::MAX, 500), (5, 5_000, 20_000)]
        {
            let mut random = Random::named(seed, "events");
            let (mut set, mut model) = (EventSet::new(), BTreeSet::new());
            for _ in 0..count {
                let number = random.next_u64() % spread;
                assert_eq!(set.insert(EventNumber(number)), model.insert(number), "seed {seed}");
                let other = random.next_u64() % spread;
                assert_eq!(set.contains(EventNumber(other)), model.contains(&other), "seed {seed}");
            }
            assert!(set.iter().map(|event| event.0).eq(model.iter().copied()), "seed {seed}");
            assert_eq!(set.len(), model.len() as u64);
            assert_eq!(set, model.iter().map(|number| EventNumber(*number)).collect());
        }
    }

    #[test]
    fn neighbours_are_one_range_across_chunks() {
        let set: EventSet = (65_530..65_540).chain([u64::MAX]).chain([3, 5]).map(EventNumber).collect();
        let ranges: Vec<_> = set.ranges().map(|(first, last)| (first.0, last.0)).collect();
        assert_eq!(ranges, [(3, 3), (5, 5), (65_530, 65_539), (u64::MAX, u64::MAX)]);
    }
}
