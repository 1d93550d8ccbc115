//! Seeded randomness: one named stream per component, so that adding a host does not reshuffle the others.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A deterministic stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(Pcg64Mcg);

impl Random {
    /// The stream of the component called `name` in a run with `seed`.
    #[must_use]
    pub fn named(seed: u64, name: &str) -> Self {
        // FNV-1a over the name, then mixed with the seed: only has to differ between names.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(Pcg64Mcg::seed_from_u64(seed ^ hash.rotate_left(32)))
    }

    /// The stream of one item of a component, such as an event: the same whenever and however often it is
    /// asked for.
    #[must_use]
    pub fn numbered(seed: u64, name: &str, number: u64) -> Self {
        // The finalizer of SplitMix64, so that neighbours share nothing; it maps no two numbers to one.
        let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self::named(seed ^ (mixed ^ (mixed >> 31)), name)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in (0, 1]: never zero, so that its logarithm is finite.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in f64")]
    pub fn unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_name() {
        let draw = |seed, name| Random::named(seed, name).next_u64();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }

    #[test]
    fn items_repeat_and_differ_by_number() {
        let draw = |seed, number| Random::numbered(seed, "a", number).next_u64();
        let drawn: std::collections::BTreeSet<_> = (0..1_000).map(|number| draw(1, number)).collect();
        assert_eq!(drawn.len(), 1_000);
        assert_eq!(draw(1, 7), draw(1, 7));
        assert_ne!(draw(1, 7), draw(2, 7));
    }

    #[test]
    fn exponential_has_mean_one() {
        let mut random = Random::named(7, "mean");
        let sum: f64 = (0..100_000).map(|_| random.exponential()).sum();
        // Standard error of the mean is 1/sqrt(1e5) = 0.0032; five of them.
        assert!((sum / 1e5 - 1.0).abs() < 0.016, "mean {}", sum / 1e5);
    }
}
