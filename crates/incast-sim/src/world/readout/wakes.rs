//! When each role is to be woken: one time for each seat, and the earliest of all at hand.
//!
//! A winner tree (Knuth, The Art of Computer Programming, vol. 3, section 5.4.1): to change one time costs a
//! comparison for each of its levels, and most changes stop early. Of equal times the lower seat is first.

use incast_core::time::Time;

use super::roster::Seat;

/// A time for each seat.
#[derive(Clone, Debug)]
pub(super) struct Wakes {
    /// By seat, a power of two of them; [`NEVER`] when it need not be woken.
    times: Vec<u64>,
    /// The seat that wins at each node; the children of node n are 2n and 2n + 1.
    winners: Vec<u32>,
}

const NEVER: u64 = u64::MAX;

impl Wakes {
    /// Nobody is to be woken.
    pub(super) fn new(seats: usize) -> Self {
        let leaves = seats.max(2).next_power_of_two();
        let mut winners = vec![0; leaves];
        for node in (1..leaves).rev() {
            winners[node] = if 2 * node < leaves {
                winners[2 * node]
            } else {
                u32::try_from(2 * node - leaves).unwrap_or(u32::MAX)
            };
        }
        Self { times: vec![NEVER; leaves], winners }
    }

    /// Wakes a seat at that time, and not before; the end of time is never.
    #[inline]
    pub(super) fn set(&mut self, seat: Seat, at: Option<Time>) {
        let at = at.map_or(NEVER, |at| at.0);
        if self.times[seat.index()] == at {
            return;
        }
        self.times[seat.index()] = at;
        let leaves = self.times.len();
        let mut node = (leaves + seat.index()) / 2;
        while node > 0 {
            let (left, right) = (self.at(2 * node), self.at(2 * node + 1));
            let is_right = self.times[right as usize] < self.times[left as usize];
            let winner = if is_right { right } else { left };
            let before = std::mem::replace(&mut self.winners[node], winner);
            // Above here nothing hangs on this seat.
            if before == winner && winner != seat.0 {
                return;
            }
            node /= 2;
        }
    }

    /// The seat to be woken first, and when.
    #[inline]
    pub(super) fn next(&self) -> Option<(Time, Seat)> {
        let first = self.winners[1];
        let at = self.times[first as usize];
        (at != NEVER).then_some((Time(at), Seat(first)))
    }

    /// The winner at a node, or the seat of a leaf.
    #[inline]
    fn at(&self, node: usize) -> u32 {
        let leaves = self.times.len();
        // A seat has 32 bits, and so does what is left of the place of its leaf.
        if node < leaves { self.winners[node] } else { u32::try_from(node - leaves).unwrap_or(u32::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use incast_core::random::Random;

    use super::*;

    #[test]
    fn the_earliest_of_any_times_is_first() {
        for seed in 0..100 {
            let mut random = Random::named(seed, "wakes");
            let seats = 1 + usize::try_from(random.next_u64() % 40).unwrap();
            let mut wakes = Wakes::new(seats);
            let mut model = BTreeSet::new();
            let mut times = vec![None; seats];
            for _ in 0..500 {
                let index = u32::try_from(random.next_u64() % seats as u64).unwrap();
                let at = (!random.next_u64().is_multiple_of(4)).then(|| Time(random.next_u64() % 50));
                let before: &mut Option<Time> = &mut times[index as usize];
                before.map(|before| model.remove(&(before, index)));
                *before = at;
                model.extend(at.map(|at| (at, index)));
                wakes.set(Seat(index), at);
                let first = model.first().map(|(at, index)| (*at, Seat(*index)));
                assert_eq!(wakes.next(), first, "seed {seed}");
            }
        }
    }
}
