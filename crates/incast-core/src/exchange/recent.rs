//! Which of the last numbers have been seen, as a window of RFC 6479 does.
//!
//! A datagram that the network doubled may come when the first one is long done with. The answerer answers a doubled
//! request once; the asker knows a datagram of a response that was whole for the copy that it is, though the round has
//! given its place to the next one. Without this memory a copy would stand for another datagram that was lost.

use super::asker::OUTSTANDING_MAX;

/// Numbers that are remembered: at 100 000 a second the last 40 ms, longer than a switch holds a copy back. A power of
/// two, and more than may be open.
const KEPT: u32 = 4_096;
const _: () = assert!(KEPT > OUTSTANDING_MAX && KEPT.is_power_of_two());

/// A bit for each, in memory that is taken once.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    words: Vec<u64>,
    newest: Option<u32>,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self { words: vec![0; usize::try_from(KEPT / 64).unwrap_or(0)], newest: None }
    }

    /// Takes a number. One that lies too far behind the newest is not kept.
    pub(super) fn record(&mut self, number: u32) {
        self.advance(number);
        if self.is_kept(number) {
            let (word, bit) = place(number);
            self.words[word] |= bit;
        }
    }

    /// Moves the window on, so that it ends with `number`; never back.
    pub(super) fn advance(&mut self, number: u32) {
        let Some(newest) = self.newest.replace(number) else { return };
        if number <= newest {
            self.newest = Some(newest);
        } else if number - newest >= KEPT {
            self.words.fill(0);
        } else {
            for (word, bit) in (newest + 1..=number).map(place) {
                self.words[word] &= !bit;
            }
        }
    }

    /// Whether it was taken, and lately.
    pub(super) fn contains(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.is_kept(number) && self.words[word] & bit != 0
    }

    /// Whether it lies within what is remembered.
    pub(super) fn is_kept(&self, number: u32) -> bool {
        self.newest.and_then(|newest| newest.checked_sub(number)).is_some_and(|before| before < KEPT)
    }
}

fn place(number: u32) -> (usize, u64) {
    let index = number % KEPT;
    (usize::try_from(index / 64).unwrap_or(0), 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_known_and_older_ones_are_forgotten() {
        let mut recent = Recent::new();
        assert!(!recent.contains(0), "nothing came");
        for number in 0..3 * KEPT {
            recent.advance(number);
            assert!(!recent.contains(number), "the place of {number} is clear");
            if number % 3 == 0 {
                recent.record(number);
            }
        }
        let known: Vec<u32> = (0..4 * KEPT).filter(|number| recent.contains(*number)).collect();
        let expected: Vec<u32> = (2 * KEPT..3 * KEPT).filter(|number| number % 3 == 0).collect();
        assert_eq!(known, expected);
        // One that is so old must not stand for a younger one.
        recent.record(KEPT + 2);
        assert!(!recent.contains(KEPT + 2) && !recent.contains(2 * KEPT + 2));
    }

    #[test]
    fn any_jump_forgets_what_lies_behind_it() {
        for jump in [1, 63, 64, KEPT - 1, KEPT, KEPT + 1, u32::MAX - 10] {
            let mut recent = Recent::new();
            recent.record(10);
            recent.record(10 + jump);
            assert_eq!(recent.contains(10), jump < KEPT, "{jump}");
            assert!(recent.contains(10 + jump));
        }
    }
}
