//! A set of bytes of a stream, as ranges in order that neither touch nor overlap.
//!
//! A vector: a window has few holes, and the newest is looked for first at the end.

/// Bytes of the stream from `start` up to, not with, `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The first byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
}

impl Block {
    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.end <= self.start
    }

    /// How many bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// The set.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges {
    blocks: Vec<Block>,
    bytes: u64,
}

impl Ranges {
    /// All ranges in order.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Bytes in it.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The range that a byte is in.
    pub(super) fn around(&self, byte: u64) -> Option<Block> {
        let at = self.blocks.partition_point(|block| block.end <= byte);
        self.blocks.get(at).copied().filter(|block| block.start <= byte)
    }

    /// The first piece of a block that is not in it.
    pub(super) fn first_gap(&self, block: Block) -> Option<Block> {
        let start = self.around(block.start).map_or(block.start, |around| around.end);
        let at = self.blocks.partition_point(|known| known.start <= start);
        let end = self.blocks.get(at).map_or(block.end, |next| next.start.min(block.end));
        Some(Block { start, end }).filter(|gap| !gap.is_empty())
    }

    /// Puts a block in; says how many bytes of it were new.
    pub(super) fn insert(&mut self, block: Block) -> u64 {
        if block.is_empty() {
            return 0;
        }
        let first = self.blocks.partition_point(|known| known.end < block.start);
        let mut joined = block;
        let mut known = 0;
        let mut last = first;
        while let Some(old) = self.blocks.get(last).filter(|old| old.start <= block.end) {
            joined.start = joined.start.min(old.start);
            joined.end = joined.end.max(old.end);
            known += old.bytes();
            last += 1;
        }
        match self.blocks.get_mut(first) {
            Some(slot) if last > first => {
                *slot = joined;
                self.blocks.drain(first + 1..last);
            }
            _ => self.blocks.insert(first, joined),
        }
        self.bytes += joined.bytes() - known;
        joined.bytes() - known
    }

    /// Takes out everything before a byte; says how much that was.
    pub(super) fn remove_below(&mut self, byte: u64) -> u64 {
        let whole = self.blocks.partition_point(|block| block.end <= byte);
        let mut removed: u64 = self.blocks.drain(..whole).map(|block| block.bytes()).sum();
        if let Some(block) = self.blocks.first_mut()
            && block.start < byte
        {
            removed += byte - block.start;
            block.start = byte;
        }
        self.bytes -= removed;
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use incast_core::random::Random;

    fn at(byte: u64) -> usize {
        usize::try_from(byte).unwrap()
    }

    #[test]
    fn ranges_are_a_set_of_bytes() {
        let mut random = Random::named(5, "ranges");
        for _ in 0..200 {
            let (mut ranges, mut model) = (Ranges::default(), [false; 40]);
            let mut floor = 0;
            for _ in 0..30 {
                let start = random.next_u64() % 40;
                let end = (start + random.next_u64() % 6).min(40);
                let block = Block { start, end };
                let gap = (start..end).find(|byte| !model[at(*byte)]);
                assert_eq!(ranges.first_gap(block).map(|gap| gap.start), gap);
                if random.next_u64().is_multiple_of(8) {
                    floor = floor.max(start);
                    let below = model[..at(floor)].iter().filter(|byte| **byte).count();
                    assert_eq!(ranges.remove_below(floor), below as u64);
                    model[..at(floor)].fill(false);
                } else {
                    let new = (start..end).filter(|byte| !model[at(*byte)]).count();
                    assert_eq!(ranges.insert(block), new as u64);
                    (start..end).for_each(|byte| model[at(byte)] = true);
                }
                assert_eq!(ranges.bytes(), model.iter().filter(|byte| **byte).count() as u64);
                let apart = |pair: &[Block]| pair[0].end < pair[1].start;
                assert!(ranges.blocks().windows(2).all(apart), "{:?}", ranges.blocks());
                for byte in 0..40 {
                    assert_eq!(ranges.around(byte).is_some(), model[at(byte)]);
                }
            }
        }
    }
}
