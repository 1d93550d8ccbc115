//! A set of small numbers as bits, with its size. Up to 64 numbers need no memory of their own.

/// Numbers below 65 536, each in or out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits {
    /// Numbers 0 to 63.
    first: u64,
    /// From 64 on; the last word is never zero, so that equal sets are equal.
    more: Vec<u64>,
    len: u32,
}

const WORD_BITS: usize = 64;

impl Bits {
    /// How many numbers are in it.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Whether `number` is in it.
    pub(super) fn contains(&self, number: u16) -> bool {
        let (word, bit) = place(number);
        let bits = if word == 0 { self.first } else { self.more.get(word - 1).copied().unwrap_or(0) };
        bits & bit != 0
    }

    /// Puts `number` in; says whether it is new.
    #[inline]
    pub(super) fn insert(&mut self, number: u16) -> bool {
        let (word, bit) = place(number);
        let bits = if word == 0 { &mut self.first } else { self.word_beyond(word - 1) };
        let is_new = *bits & bit == 0;
        *bits |= bit;
        self.len += u32::from(is_new);
        is_new
    }

    fn word_beyond(&mut self, index: usize) -> &mut u64 {
        if self.more.len() <= index {
            self.more.resize(index + 1, 0);
        }
        &mut self.more[index]
    }

    /// Takes `number` out; says whether it was there.
    pub(super) fn remove(&mut self, number: u16) -> bool {
        let was_in = self.contains(number);
        if was_in {
            let (word, bit) = place(number);
            *(if word == 0 { &mut self.first } else { &mut self.more[word - 1] }) &= !bit;
            self.len -= 1;
            while self.more.pop_if(|last| *last == 0).is_some() {}
        }
        was_in
    }

    /// Takes all out; keeps the memory.
    pub(super) fn clear(&mut self) {
        self.first = 0;
        self.more.clear();
        self.len = 0;
    }

    /// The numbers, rising.
    pub(super) fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        let words = std::iter::once(self.first).chain(self.more.iter().copied());
        words.enumerate().flat_map(|(index, word)| {
            let bits = (0..WORD_BITS).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| u16::try_from(index * WORD_BITS + bit).unwrap_or(u16::MAX))
        })
    }
}

/// Index of the word, and the bit in it.
fn place(number: u16) -> (usize, u64) {
    let number = usize::from(number);
    (number / WORD_BITS, 1 << (number % WORD_BITS))
}
