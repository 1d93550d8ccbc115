//! Event numbers that are known: a table to find them, and a memory of those that are over.
//!
//! A builder sees its share of the numbers, not all of them, so no plain array will do. The table is open
//! addressing with linear probing, at most half full, and is never iterated. Its hash is fixed: same
//! calls, same answers. What a peer can choose are event numbers, and what it can gain is a slow table of
//! bounded size.

use std::collections::VecDeque;

use super::ids::EventNumber;

/// Finds a value by event number. It grows by doubling, up to its bound.
#[derive(Clone, Debug)]
pub(super) struct NumberTable {
    entries: Box<[Entry]>,
    len: usize,
    max: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u64,
    /// [`EMPTY`] where there is none.
    value: u32,
}

/// Places of a table in which nothing was ever put: most of many are small for all their lives.
const PLACES_FIRST: usize = 64;

fn empty(places: usize) -> Box<[Entry]> {
    vec![Entry { number: 0, value: EMPTY }; places].into()
}

/// No value: a table has fewer places.
const EMPTY: u32 = u32::MAX;

impl NumberTable {
    /// Room for `max` numbers.
    pub(super) fn new(max: usize) -> Self {
        let places = (2 * max.max(1)).next_power_of_two().min(PLACES_FIRST);
        Self { entries: empty(places), len: 0, max }
    }

    /// Twice as many places.
    #[cold]
    fn grow(&mut self) {
        let more = empty(2 * self.entries.len());
        for entry in std::mem::replace(&mut self.entries, more) {
            if entry.value != EMPTY {
                let at = self.find(entry.number);
                self.entries[at] = entry;
            }
        }
    }

    /// The value of `number`.
    #[inline]
    pub(super) fn get(&self, number: EventNumber) -> Option<u32> {
        let entry = &self.entries[self.find(number.0)];
        (entry.value != EMPTY).then_some(entry.value)
    }

    /// Puts in a number that is not there.
    pub(super) fn insert(&mut self, number: EventNumber, value: u32) {
        assert!(self.len < self.max, "the owner keeps to {} numbers", self.max);
        if 2 * self.len >= self.entries.len() {
            self.grow();
        }
        let at = self.find(number.0);
        assert!(self.entries[at].value == EMPTY && value != EMPTY, "event {number} is put in once");
        self.entries[at] = Entry { number: number.0, value };
        self.len += 1;
    }

    /// Takes a number out that is there.
    pub(super) fn remove(&mut self, number: EventNumber) {
        let mut hole = self.find(number.0);
        assert!(self.entries[hole].value != EMPTY, "event {number} was put in");
        self.len -= 1;
        let mask = self.entries.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let entry = self.entries[at];
            if entry.value == EMPTY {
                break;
            }
            // It may move up only if that is not before its home: where a search for it begins.
            let from_home = at.wrapping_sub(self.home(entry.number)) & mask;
            if from_home >= (at.wrapping_sub(hole) & mask) {
                self.entries[hole] = entry;
                hole = at;
            }
        }
        self.entries[hole].value = EMPTY;
    }

    /// Where `number` is, or the empty place where it would be.
    #[inline]
    fn find(&self, number: u64) -> usize {
        let mask = self.entries.len() - 1;
        let mut at = self.home(number);
        // Ends: at least half of the places are empty.
        while self.entries[at].value != EMPTY && self.entries[at].number != number {
            at = (at + 1) & mask;
        }
        at
    }

    /// Multiplicative hashing (Knuth, The Art of Computer Programming, vol. 3, section 6.4): a stride of
    /// the numbers, such as that of one builder among many, is spread as well as consecutive ones.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "as many bits are left as the table has places")]
    fn home(&self, number: u64) -> usize {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let bits = self.entries.len().trailing_zeros();
        (number.wrapping_mul(GOLDEN) >> (u64::BITS - bits)) as usize
    }
}

/// The last events that are over, and the number up to which all are taken for over.
#[derive(Clone, Debug)]
pub(super) struct ClosedEvents {
    table: NumberTable,
    /// Oldest first; whether it may move the horizon.
    order: VecDeque<(EventNumber, bool)>,
    max: usize,
    /// The highest number that was forgotten.
    horizon: Option<EventNumber>,
    /// The highest number that was ever closed: what is above it needs no search.
    highest: Option<EventNumber>,
}

/// What is known of a number that is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// It was not closed, as far as one can tell.
    New,
    /// It is over.
    Closed,
    /// It is so old that it cannot be told.
    Stale,
}

impl ClosedEvents {
    /// Remembers `max` events, at least one.
    pub(super) fn new(max: u32) -> Self {
        let max = max.max(1) as usize;
        Self { table: NumberTable::new(max + 1), order: VecDeque::new(), max, horizon: None, highest: None }
    }

    /// What is known of `number`.
    #[inline]
    pub(super) fn past(&self, number: EventNumber) -> Past {
        if Some(number) > self.highest {
            Past::New
        } else if self.table.get(number).is_some() {
            Past::Closed
        } else if Some(number) <= self.horizon {
            Past::Stale
        } else {
            Past::New
        }
    }

    /// Remembers an event that is over and not known yet.
    ///
    /// `is_certain`: more than one lone peer spoke of this number. When an event is forgotten, all lower
    /// numbers count as stale from then on; one corrupt number must not shut out a whole run.
    pub(super) fn record(&mut self, number: EventNumber, is_certain: bool) {
        self.table.insert(number, 0);
        self.order.push_back((number, is_certain));
        self.highest = self.highest.max(Some(number));
        if self.order.len() > self.max
            && let Some((forgotten, was_certain)) = self.order.pop_front()
        {
            self.table.remove(forgotten);
            if was_certain {
                self.horizon = self.horizon.max(Some(forgotten));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::random::Random;

    #[test]
    fn any_inserts_and_removals_agree_with_a_tree() {
        for seed in 0..200 {
            let mut random = Random::named(seed, "numbers");
            let max = 1 + random.next_u64() % 40;
            // Strides that a builder among many would see, and anything at all.
            let stride = [1, 2, 64, 1 << 32, random.next_u64()][usize::try_from(seed % 5).unwrap()];
            let mut table = NumberTable::new(usize::try_from(max).unwrap());
            let mut model = BTreeMap::new();
            for step in 0..400_u32 {
                let number = EventNumber((random.next_u64() % (2 * max)).wrapping_mul(stride));
                if model.remove(&number).is_some() {
                    table.remove(number);
                } else if (model.len() as u64) < max {
                    model.insert(number, step);
                    table.insert(number, step);
                }
                for index in 0..2 * max {
                    let number = EventNumber(index.wrapping_mul(stride));
                    assert_eq!(table.get(number), model.get(&number).copied(), "seed {seed}, {number}");
                }
            }
        }
    }

    #[test]
    fn what_is_forgotten_is_stale_and_so_is_all_below_it() {
        let mut closed = ClosedEvents::new(2);
        let past = |closed: &ClosedEvents| [3, 5, 7, 9].map(|number| closed.past(EventNumber(number)));
        closed.record(EventNumber(7), true);
        closed.record(EventNumber(5), true);
        assert_eq!(past(&closed), [Past::New, Past::Closed, Past::Closed, Past::New]);
        closed.record(EventNumber(9), true);
        assert_eq!(past(&closed), [Past::Stale, Past::Closed, Past::Stale, Past::Closed]);
    }

    #[test]
    fn a_lone_claim_shuts_nobody_out() {
        let mut closed = ClosedEvents::new(1);
        closed.record(EventNumber(1 << 60), false);
        closed.record(EventNumber(1), true);
        assert_eq!(closed.past(EventNumber(2)), Past::New);
        assert_eq!(closed.past(EventNumber(1)), Past::Closed);
    }
}
