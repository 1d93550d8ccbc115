//! The last messages as bits, one for each counter: received or missing.
//!
//! Bits enter at the top, in words of 64 where possible, and are told missing from received until
//! their word leaves. Only then are runs of missing messages closed, because until then a late
//! arrival may split or shorten them. Appending costs at most one step for each word of the window,
//! however far the counter jumps.

use super::loss_runs::LossRuns;

/// Which of the last counters below `top` were received.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// Whole words below the current one, each at its number modulo the length. A set bit was received.
    words: Box<[u64]>,
    /// The word in which `top` lies; its bits from `top` on are clear.
    current: u64,
    /// One past the highest counter told.
    top: u64,
    /// Messages missing at the very end of what has left: a run that may go on.
    open_run: u64,
    runs: LossRuns,
}

const WORD_BITS: u64 = 64;

impl Window {
    /// Nothing told yet; `top` is the first counter. `window_messages` is a power of two, 64 or more.
    pub(super) fn new(top: u64, window_messages: u64) -> Self {
        assert!(
            window_messages.is_power_of_two() && window_messages >= WORD_BITS,
            "the window is a power of two and holds at least a word, not {window_messages}"
        );
        // Counters below the first are never asked for: as if received, so that they are in no run.
        let words = (0..window_messages / WORD_BITS).map(|_| u64::MAX).collect();
        Self { words, current: below(top % WORD_BITS), top, open_run: 0, runs: LossRuns::default() }
    }

    /// One past the highest counter told.
    pub(super) fn top(&self) -> u64 {
        self.top
    }

    /// The runs whose last message has left the window.
    pub(super) fn runs(&self) -> &LossRuns {
        &self.runs
    }

    /// Whether `counter` was received; it lies below `top` and within the window.
    pub(super) fn contains(&self, counter: u64) -> bool {
        let word = counter / WORD_BITS;
        let bits = if word == self.top / WORD_BITS { self.current } else { self.words[self.slot(word)] };
        bits >> (counter % WORD_BITS) & 1 == 1
    }

    /// Marks the missing `counter` as received after all; it lies below `top` and within the window.
    pub(super) fn insert(&mut self, counter: u64) {
        let (word, bit) = (counter / WORD_BITS, 1 << (counter % WORD_BITS));
        let slot = self.slot(word);
        let bits = if word == self.top / WORD_BITS { &mut self.current } else { &mut self.words[slot] };
        debug_assert!(*bits & bit == 0, "{counter} was missing");
        *bits |= bit;
    }

    /// Tells that all counters from `top` to below `end` were received, or that all are missing.
    pub(super) fn append(&mut self, end: u64, received: bool) {
        debug_assert!(end >= self.top, "the top only rises");
        let fill = if received { u64::MAX } else { 0 };
        let (first_word, last_word) = (self.top / WORD_BITS, end / WORD_BITS);
        let from_top = !below(self.top % WORD_BITS);
        if first_word == last_word {
            self.current |= fill & from_top & below(end % WORD_BITS);
        } else {
            self.push(first_word, self.current | fill & from_top);
            let whole_words = last_word - first_word - 1;
            let pushed = whole_words.min(self.words.len() as u64);
            for word in first_word + 1..=first_word + pushed {
                self.push(word, fill);
            }
            // Now all words are alike. Of a longer stretch the rest leaves at once: received ones need
            // not be told, because those that stay will end an open run as well.
            if !received {
                self.open_run += (whole_words - pushed) * WORD_BITS;
            }
            self.current = fill & below(end % WORD_BITS);
        }
        self.top = end;
    }

    /// Lets everything leave, oldest first, and closes the last run. Only `runs` may be asked afterwards.
    pub(super) fn close(&mut self) {
        let current_word = self.top / WORD_BITS;
        for age in (0..self.words.len() as u64).rev() {
            // Words from before counter 0 are full of ones like all from before the first.
            let word = self.words[self.slot(current_word.wrapping_sub(age + 1))];
            self.retire(word, WORD_BITS);
        }
        self.retire(self.current, self.top % WORD_BITS);
        self.close_run();
    }

    /// Stores a whole word in place of the oldest, which leaves.
    fn push(&mut self, word: u64, bits: u64) {
        let slot = self.slot(word);
        let oldest = std::mem::replace(&mut self.words[slot], bits);
        self.retire(oldest, WORD_BITS);
    }

    /// Goes through the lowest `count` bits of a word that has left.
    fn retire(&mut self, bits: u64, count: u64) {
        if bits == u64::MAX && self.open_run == 0 {
            return;
        }
        let mut passed = 0;
        while passed < count {
            let rest = bits >> passed;
            let missing = u64::from(rest.trailing_zeros()).min(count - passed);
            self.open_run += missing;
            passed += missing;
            if passed < count {
                self.close_run();
                passed += u64::from((bits >> passed).trailing_ones());
            }
        }
    }

    fn close_run(&mut self) {
        self.runs.record(self.open_run);
        self.open_run = 0;
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits are kept, by the mask")]
    fn slot(&self, word: u64) -> usize {
        word as usize & (self.words.len() - 1)
    }
}

/// A word whose lowest `count` bits are set, `count` below 64.
const fn below(count: u64) -> u64 {
    (1 << count) - 1
}
