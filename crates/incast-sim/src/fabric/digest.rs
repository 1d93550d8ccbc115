//! Of everything that happened: equal digests, equal runs.
//!
//! Each link has a chain over its arrivals, in which order matters. The sum over all links has no order: it
//! does not matter who was carried out before whom in one moment, or by which thread. It is no cryptographic
//! hash: it has to differ where two engines do.

use incast_core::time::Time;

use super::{LinkSpec, Why};
use crate::agenda::mixed;

/// What happened at one link: at its queue, and on the wire behind.
///
/// Two chains, so that an engine may say what happened on the wire when it knows it, and not only in between arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    queue: u64,
    wire: u64,
}

impl Chain {
    /// A packet came to the queue at `at`: it got in, or did not.
    #[inline]
    pub fn record_arrival(&mut self, at: Time, cargo: u64, dropped: Option<Why>) {
        let outcome = dropped.map_or(0, code);
        self.queue = chained(self.queue, at.0, cargo, outcome);
    }

    /// A packet died on the wire.
    pub fn record_lost(&mut self, at: Time, cargo: u64, why: Why) {
        self.wire = chained(self.wire, at.0, cargo, code(why));
    }

    /// What the link gives to the sum; `name` is [`name_of`] it.
    #[must_use]
    pub const fn total(self, name: u64) -> u64 {
        mixed(mixed(name, self.queue), self.wire)
    }
}

/// A number for a link that follows from its names and the seed, not from its place in the plan: what is drawn for
/// it stays the same when links are declared in another order.
#[must_use]
pub fn name_of(seed: u64, link: &LinkSpec) -> u64 {
    let bytes = link.place.bytes().chain([0]).chain(link.way.bytes());
    // FNV-1a, then mixed with the seed.
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mixed(hash, seed)
}

/// One step of a chain: two multiplications.
#[inline]
const fn chained(chain: u64, at: u64, cargo: u64, outcome: u64) -> u64 {
    // No time reaches the upper bits: 2^56 ps are 20 hours, and what is beyond only has to repeat.
    let chain = (chain.rotate_left(23) ^ at ^ (outcome << 56)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (chain ^ (chain >> 29) ^ cargo).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

const fn code(why: Why) -> u64 {
    match why {
        Why::Full => 1,
        Why::Memory => 2,
        Why::Loss => 3,
        Why::BitError => 4,
        Why::LinkDown => 5,
        Why::Fault => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_time_cargo_and_outcome_all_matter() {
        let of = |arrivals: &[(u64, u64, Option<Why>)]| {
            let mut chain = Chain::default();
            for (at, cargo, dropped) in arrivals {
                chain.record_arrival(Time(*at), *cargo, *dropped);
            }
            chain.total(1)
        };
        let (one, other) = ((5, 1, None), (5, 2, None));
        let all = [
            of(&[one, other]),
            of(&[other, one]),
            of(&[one, (6, 2, None)]),
            of(&[one, (5, 2, Some(Why::Full))]),
            of(&[one, (5, 2, Some(Why::Memory))]),
            of(&[one]),
            of(&[]),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(of(&[one, other]), of(&[one, other]));
    }

    #[test]
    fn what_dies_on_the_wire_counts_and_is_told_from_drops() {
        let (mut wire, mut queue) = (Chain::default(), Chain::default());
        wire.record_lost(Time(5), 1, Why::Loss);
        queue.record_arrival(Time(5), 1, Some(Why::Loss));
        assert_ne!(wire.total(1), Chain::default().total(1));
        assert_ne!(wire.total(1), queue.total(1));
        assert_ne!(wire.total(1), wire.total(2));
    }
}
