//! A series over time in bounded memory: when it is full, every second entry is left out, and from then on
//! half as many are taken in.
//!
//! The first entry always stays, and what is kept is evenly spread: the shape of the whole, at the
//! resolution that there is room for. What must be exact is counted elsewhere, in histograms.

/// The series.
#[derive(Clone, Debug)]
pub struct Thinned<T> {
    kept: Vec<T>,
    capacity: usize,
    /// One of so many is kept; a power of two.
    one_of: u64,
    seen: u64,
}

impl<T> Thinned<T> {
    /// An empty series that keeps `capacity` entries at most, 2 at least.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(2);
        Self { kept: Vec::with_capacity(capacity), capacity, one_of: 1, seen: 0 }
    }

    /// Whether the next entry is to be kept: what is not need not be made.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.seen.is_multiple_of(self.one_of)
    }

    /// Takes the next entry, which `make` makes if it is wanted.
    pub fn record(&mut self, make: impl FnOnce() -> T) {
        if self.is_wanted() {
            if self.kept.len() == self.capacity {
                let mut index = 0;
                self.kept.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.one_of *= 2;
            }
            // After thinning this one may be among those left out.
            if self.is_wanted() {
                self.kept.push(make());
            }
        }
        self.seen += 1;
    }

    /// Entries offered so far.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// What was kept, in order.
    #[must_use]
    pub fn into_kept(self) -> Vec<T> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_all_kept_and_many_are_spread_evenly() {
        for (offered, capacity) in [(3_u64, 8), (8, 8), (9, 8), (1_000, 8), (1_000_000, 100)] {
            let mut series = Thinned::new(capacity);
            (0..offered).for_each(|value| series.record(|| value));
            assert_eq!(series.seen(), offered);
            let kept = series.into_kept();
            assert!(kept.len() <= capacity && kept[0] == 0, "{offered}: {kept:?}");
            let step = kept[1] - kept[0];
            assert!(kept.windows(2).all(|pair| pair[1] - pair[0] == step), "{offered}: {kept:?}");
            assert!(offered - kept[kept.len() - 1] <= step, "the end is there too: {kept:?}");
        }
    }
}
