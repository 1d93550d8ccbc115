//! A set of sources: which are expected, which are missing.

use std::fmt;

use super::bits::Bits;
use super::ids::SourceId;

/// Sources, each in or out; 8 KiB at most, and nothing beside itself for ids below 64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceSet(Bits);

impl SourceSet {
    /// No source.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sources 0 to below `count`.
    #[must_use]
    pub fn first(count: u16) -> Self {
        (0..count).map(SourceId).collect()
    }

    /// How many sources there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `source` is one of them.
    #[must_use]
    pub fn contains(&self, source: SourceId) -> bool {
        self.0.contains(source.0)
    }

    /// Adds a source; says whether it is new.
    pub fn insert(&mut self, source: SourceId) -> bool {
        self.0.insert(source.0)
    }

    /// Takes a source out; says whether it was there.
    pub fn remove(&mut self, source: SourceId) -> bool {
        self.0.remove(source.0)
    }

    /// The sources by rising id.
    pub fn iter(&self) -> impl Iterator<Item = SourceId> + '_ {
        self.0.iter().map(SourceId)
    }
}

impl FromIterator<SourceId> for SourceSet {
    fn from_iter<I: IntoIterator<Item = SourceId>>(sources: I) -> Self {
        let mut set = Self::default();
        for source in sources {
            set.insert(source);
        }
        set
    }
}

/// Runs of neighbours as "3-7", the rest by commas; "none" for the empty set.
impl fmt::Display for SourceSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.iter().map(|source| source.0).peekable();
        let mut separator = "";
        while let Some(from) = rest.next() {
            let mut to = from;
            while let Some(next) = rest.next_if(|next| next.checked_sub(1) == Some(to)) {
                to = next;
            }
            match to - from {
                0 => write!(out, "{separator}{from}")?,
                1 => write!(out, "{separator}{from}, {to}")?,
                _ => write!(out, "{separator}{from}-{to}")?,
            }
            separator = ", ";
        }
        if self.is_empty() { out.write_str("none") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Random;

    fn set(ids: &[u16]) -> SourceSet {
        ids.iter().copied().map(SourceId).collect()
    }

    #[test]
    fn a_set_is_written_in_runs() {
        for (ids, text) in [
            (&[][..], "none"),
            (&[3], "3"),
            (&[3, 4], "3, 4"),
            (&[0, 1, 2, 63, 64, 65, 66, 900], "0-2, 63-66, 900"),
            (&[65_534, 65_535], "65534, 65535"),
        ] {
            assert_eq!(set(ids).to_string(), text);
        }
    }

    #[test]
    fn any_inserts_and_removals_agree_with_a_tree() {
        for seed in 0..300 {
            let mut random = Random::named(seed, "sources");
            let (mut set, mut model) = (SourceSet::new(), BTreeSet::new());
            let spread = [10, 70, 200, 65_536][usize::try_from(seed % 4).unwrap()];
            for _ in 0..200 {
                let id = u16::try_from(random.next_u64() % spread).unwrap();
                if random.next_u64().is_multiple_of(3) {
                    assert_eq!(set.remove(SourceId(id)), model.remove(&id), "seed {seed}");
                } else {
                    assert_eq!(set.insert(SourceId(id)), model.insert(id), "seed {seed}");
                }
                assert_eq!(set.contains(SourceId(id)), model.contains(&id), "seed {seed}");
            }
            assert!(set.iter().map(|source| source.0).eq(model.iter().copied()), "seed {seed}");
            assert_eq!(set.len() as usize, model.len(), "seed {seed}");
            // However it came about, the same set is equal.
            assert_eq!(set, model.iter().map(|id| SourceId(*id)).collect(), "seed {seed}");
        }
    }
}
