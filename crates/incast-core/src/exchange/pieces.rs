//! Which datagrams of a response have come.
//!
//! A bit for each, in memory that is taken once: whether the next one is new, a copy, or nonsense
//! costs a few ns.

/// The datagrams of one response.
#[derive(Clone, Debug)]
pub struct Pieces {
    seen: Vec<u64>,
    count: u32,
    missing: u32,
}

/// What a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// It came for the first time, and others are missing.
    New,
    /// It came for the first time, and was the last one missing.
    Last,
    /// It had come before.
    Copy,
    /// There is no such datagram in a response.
    Nonsense,
}

impl Pieces {
    /// For responses of `count` datagrams; none has come.
    #[must_use]
    pub fn new(count: u32) -> Self {
        let words = usize::try_from(count.div_ceil(64)).unwrap_or(0);
        Self { seen: vec![0; words], count, missing: count }
    }

    /// Begins with the next response.
    pub fn clear(&mut self) {
        self.seen.fill(0);
        self.missing = self.count;
    }

    /// Takes the datagram `index`.
    pub fn record(&mut self, index: u32) -> Piece {
        let place = usize::try_from(index / 64).unwrap_or(usize::MAX);
        let Some(word) = self.seen.get_mut(place).filter(|_| index < self.count) else {
            return Piece::Nonsense;
        };
        let bit = 1_u64 << (index % 64);
        if *word & bit != 0 {
            return Piece::Copy;
        }
        *word |= bit;
        self.missing -= 1;
        if self.missing == 0 { Piece::Last } else { Piece::New }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_missing_one_ends_it_in_any_order() {
        let mut pieces = Pieces::new(130);
        for _ in 0..2 {
            let order = (0..130).rev();
            let found: Vec<Piece> = order.map(|index| pieces.record(index)).collect();
            assert!(found[..129].iter().all(|piece| *piece == Piece::New));
            assert_eq!(found[129], Piece::Last);
            assert_eq!((pieces.record(0), pieces.record(130)), (Piece::Copy, Piece::Nonsense));
            pieces.clear();
        }
    }
}
