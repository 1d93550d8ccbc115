//! What is due next: slots, each with at most one due time.
//!
//! A winner tree (Knuth, The Art of Computer Programming 3, section 5.4.1): leaves are the slots, and each node
//! above holds the earlier of its two. To set a slot is one walk from its leaf to the root, of which no
//! step depends on a branch that could be guessed wrong; to see the earliest costs nothing.
//!
//! ```text
//!                 7 of slot 2
//!            /                 \
//!      9 of slot 1           7 of slot 2
//!       /       \             /       \
//!   slot 0    slot 1      slot 2    slot 3
//!     idle       9           7        12
//! ```
//! It knows neither what a slot stands for nor in which order slots were set: equal times are ordered by
//! what was said of the slots when it was made. It bounds nothing: there are as many entries as slots.

use incast_core::time::Time;

/// When something is due, for each of a fixed number of slots.
#[derive(Clone, Debug)]
pub struct Agenda {
    /// The winner of all.
    root: Node,
    /// All others. The children of `i` are `2 i` and `2 i + 1`, those of the root 2 and 3, and the leaf of slot `s` is
    /// `leaves + s`.
    nodes: Vec<Node>,
    leaves: usize,
    ranks: Vec<Rank>,
}

/// How a slot stands against others that are due in the same picosecond.
///
/// First the lower class; then by a number drawn from the name and the time, so that none is always the first
/// (in htsim the first-served sender takes every freed place: simllm issue 196); then by the place of the slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rank {
    /// Departures before arrivals, and so on.
    pub class: u8,
    /// Of what the slot stands for, with the seed mixed in. It should follow from the scenario's names, so that the
    /// order in which these are declared changes nothing.
    pub name: u64,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    at: u64,
    slot: u32,
}

/// From here on times stand for "nothing is due": each idle slot has its own, so that idle ones do not tie. Real
/// times stay below: 2^32 ps before the end of time, 213 days.
const IDLE_FROM: u64 = u64::MAX - (u32::MAX as u64);

impl Agenda {
    /// With a slot for each rank, all of them idle.
    ///
    /// # Panics
    ///
    /// If there are 2^31 or more: our mistake.
    #[must_use]
    pub fn new(ranks: Vec<Rank>) -> Self {
        let leaves = ranks.len().next_power_of_two();
        let first_under = |node: usize| {
            // All are idle, and of these lower slots are before higher ones.
            let mut leaf = node;
            while leaf < leaves {
                leaf *= 2;
            }
            let slot = u32::try_from(leaf - leaves).ok().filter(|slot| *slot < 1 << 31);
            Node::idle(slot.unwrap_or_else(|| panic!("fewer than 2^31 slots")))
        };
        let nodes = (0..2 * leaves).map(|node| first_under(node.max(1))).collect();
        Self { root: Node::idle(0), nodes, leaves, ranks }
    }

    /// Makes `slot` due at a time, or idle. What it was before is forgotten.
    ///
    /// # Panics
    ///
    /// If there is no such slot: our mistake.
    #[inline]
    pub fn set(&mut self, slot: u32, at: Option<Time>) {
        assert!((slot as usize) < self.ranks.len(), "a slot of this agenda");
        let mut winner = at.map_or_else(|| Node::idle(slot), |at| Node { at: at.0.min(IDLE_FROM - 1), slot });
        let mut place = self.leaves + slot as usize;
        // Taken out, so that they stay in registers.
        let (nodes, ranks) = (self.nodes.as_mut_slice(), self.ranks.as_slice());
        while place > 1 {
            nodes[place] = winner;
            let other = nodes[place ^ 1];
            if other.at == winner.at {
                winner = first_of_equals(ranks, winner, other);
            } else {
                // Written so that the compiler selects instead of branching.
                let is_other = other.at < winner.at;
                winner.at = if is_other { other.at } else { winner.at };
                winner.slot = if is_other { other.slot } else { winner.slot };
            }
            place >>= 1;
        }
        self.root = winner;
    }

    /// The earliest; `None` when all slots are idle.
    #[inline]
    #[must_use]
    pub fn next(&self) -> Option<(Time, u32)> {
        (self.root.at < IDLE_FROM).then_some((Time(self.root.at), self.root.slot))
    }

    /// When the earliest is due.
    #[inline]
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.next().map(|(at, _)| at)
    }

    /// When a slot is due.
    #[must_use]
    pub fn at(&self, slot: u32) -> Option<Time> {
        let place = self.leaves + slot as usize;
        // With one slot the root is its leaf.
        let at = if place == 1 { self.root.at } else { self.nodes[place].at };
        (at < IDLE_FROM).then_some(Time(at))
    }
}

/// Which of two that are due at the same time comes first.
#[cold]
fn first_of_equals(ranks: &[Rank], one: Node, other: Node) -> Node {
    let order = |node: Node| {
        let Rank { class, name } = ranks[node.slot as usize];
        (class, mixed(name, node.at), node.slot)
    };
    if order(other) < order(one) { other } else { one }
}

impl Node {
    const fn idle(slot: u32) -> Self {
        Self { at: IDLE_FROM + slot as u64, slot }
    }
}

/// A number that follows from both, and for which each is as good as random: the finalizer of SplitMix64.
#[must_use]
pub const fn mixed(name: u64, number: u64) -> u64 {
    let mixed = name.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use incast_core::random::Random;

    use super::*;

    fn named(slots: u64) -> Vec<Rank> {
        (0..slots).map(|slot| Rank { class: 0, name: mixed(7, slot) }).collect()
    }

    #[test]
    fn the_earliest_of_all_slots_is_next_whatever_is_set() {
        for slots in [1, 2, 3, 7, 64, 100] {
            let ranks = named(slots);
            let mut agenda = Agenda::new(ranks.clone());
            assert_eq!(agenda.next(), None);
            let mut plain: Vec<Option<Time>> = vec![None; ranks.len()];
            let mut random = Random::named(slots, "agenda");
            for _ in 0..5_000 {
                let slot = random.next_u64() % slots;
                // Few different times, so that many are equal; one in four is idle.
                let at = Some(Time(random.next_u64() % 40)).filter(|_| !random.next_u64().is_multiple_of(4));
                plain[usize::try_from(slot).unwrap()] = at;
                agenda.set(u32::try_from(slot).unwrap(), at);
                let key = |(slot, at): (usize, &Option<Time>)| {
                    at.map(|at| (at, mixed(ranks[slot].name, at.0), slot))
                };
                let expected = plain.iter().enumerate().filter_map(key).min();
                let expected = expected.map(|(at, _, slot)| (at, u32::try_from(slot).unwrap()));
                assert_eq!(agenda.next(), expected);
            }
        }
    }

    #[test]
    fn equal_times_go_by_class_and_then_to_each_as_often() {
        let mut ranks = named(8);
        ranks[5].class = 1;
        let mut agenda = Agenda::new(ranks);
        let mut won = [0_u32; 8];
        for round in 0..7_000 {
            for slot in 0..8 {
                agenda.set(slot, Some(Time(round * 1_200_000)));
            }
            let (_, slot) = agenda.next().unwrap();
            won[slot as usize] += 1;
        }
        assert_eq!(won[5], 0, "of a higher class");
        // Binomial, n = 7000, p = 1/7: standard deviation 29; five of them.
        assert!(won.iter().enumerate().all(|(slot, won)| slot == 5 || won.abs_diff(1_000) < 146), "{won:?}");
    }

    #[test]
    fn the_end_of_time_is_still_a_time() {
        let mut agenda = Agenda::new(named(2));
        agenda.set(1, Some(Time(u64::MAX)));
        assert!(agenda.next().is_some_and(|(at, slot)| slot == 1 && at > Time::from_ns(1 << 53)));
        assert_eq!((agenda.at(0), agenda.at(1)), (None, agenda.next_timeout()));
    }
}
