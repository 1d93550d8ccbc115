//! Content of generated fragments: every byte follows from run, source and event, so that a receiver
//! can verify all of them, wherever they were cut.
//!
//! The bytes are words of 64 bits, little endian. Word `i` is `w ^ (w >> 32)` with `w = seed + i * STEP`,
//! modulo 2^64. The seed is `mix(mix(run * 2^16 + source) + event)`. Bytes that were changed, moved by
//! any distance, or taken from another fragment are different ones. It is as fast as memory, and no more
//! random than it looks.

/// Odd, and its bits are spread: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const WORD: usize = 8;
/// Words that are compared at once; where they differ is looked up only if they do.
const BLOCK_WORDS: usize = 32;

/// The bytes of one fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    seed: u64,
}

impl Content {
    /// The content of the fragment of `source` for `event`.
    #[must_use]
    pub fn new(run: u32, source: u16, event: u64) -> Self {
        let identity = (u64::from(run) << 16) | u64::from(source);
        Self { seed: mix(mix(identity).wrapping_add(event)) }
    }

    /// Writes the bytes from `offset` on.
    pub fn fill(&self, offset: usize, out: &mut [u8]) {
        let (within, head) = Self::head(offset, out.len());
        let (first, rest) = out.split_at_mut(head);
        first.copy_from_slice(&spread(self.counter(offset / WORD))[within..within + head]);
        let (words, last) = rest.as_chunks_mut::<WORD>();
        let mut counter = self.counter(offset.div_ceil(WORD));
        for word in &mut *words {
            *word = spread(counter);
            counter = counter.wrapping_add(STEP);
        }
        last.copy_from_slice(&spread(counter)[..last.len()]);
    }

    /// Compares bytes that should be those from `offset` on; gives where in `bytes` the first wrong one
    /// is.
    #[must_use]
    pub fn first_wrong(&self, offset: usize, bytes: &[u8]) -> Option<usize> {
        let (within, head) = Self::head(offset, bytes.len());
        let (first, rest) = bytes.split_at(head);
        if let Some(at) = differ(first, &spread(self.counter(offset / WORD))[within..]) {
            return Some(at);
        }
        let (words, last) = rest.as_chunks::<WORD>();
        let mut counter = self.counter(offset.div_ceil(WORD));
        for (block, words) in words.chunks(BLOCK_WORDS).enumerate() {
            let before = counter;
            let wrong = words.iter().fold(0, |wrong, word| {
                let expected = u64::from_le_bytes(spread(counter));
                counter = counter.wrapping_add(STEP);
                wrong | (u64::from_le_bytes(*word) ^ expected)
            });
            if wrong != 0 {
                let at = first_wrong_word(before, words)?;
                return Some(head + block * BLOCK_WORDS * WORD + at);
            }
        }
        differ(last, &spread(counter)).map(|at| bytes.len() - last.len() + at)
    }

    /// Where in its word `offset` is, and how many of `bytes` belong to that word. None do if it begins
    /// there.
    fn head(offset: usize, bytes: usize) -> (usize, usize) {
        let within = offset % WORD;
        (within, (offset.wrapping_neg() % WORD).min(bytes))
    }

    fn counter(&self, index: usize) -> u64 {
        self.seed.wrapping_add((index as u64).wrapping_mul(STEP))
    }
}

/// The first place where `words` are not those that begin with `counter`.
fn first_wrong_word(counter: u64, words: &[[u8; WORD]]) -> Option<usize> {
    let counters = std::iter::successors(Some(counter), |counter| Some(counter.wrapping_add(STEP)));
    let mut pairs = words.iter().zip(counters).enumerate();
    pairs.find_map(|(place, (word, counter))| differ(word, &spread(counter)).map(|at| place * WORD + at))
}

/// The first place where `bytes` are not those of `expected`, which has at least as many.
fn differ(bytes: &[u8], expected: &[u8]) -> Option<usize> {
    bytes.iter().zip(expected).position(|(byte, expected)| byte != expected)
}

fn spread(counter: u64) -> [u8; WORD] {
    (counter ^ (counter >> 32)).to_le_bytes()
}

/// Mixes all bits into each: the finisher of SplitMix64 (Steele, Lea, Flood, 2014,
/// doi:10.1145/2660193.2660195).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(STEP);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(content: Content, from: usize, to: usize) -> Vec<u8> {
        let mut bytes = vec![0; to - from];
        content.fill(from, &mut bytes);
        bytes
    }

    /// The definition, byte by byte.
    fn literal(content: Content, at: usize) -> u8 {
        let w = content.seed.wrapping_add((at as u64 / 8).wrapping_mul(STEP));
        (w ^ (w >> 32)).to_le_bytes()[at % 8]
    }

    #[test]
    fn the_content_never_changes() {
        // Calculated from the definition elsewhere: files and peers of another build have the same bytes.
        let first = bytes(Content::new(1, 2, 3), 0, 16);
        assert_eq!(first, GOLDEN);
    }

    const GOLDEN: [u8; 16] =
        [0xca, 0x2a, 0xce, 0x3d, 0x7a, 0xba, 0x80, 0x12, 0xf6, 0x38, 0x21, 0x1e, 0x33, 0x34, 0xb8, 0xb0];

    #[test]
    fn any_part_has_the_bytes_of_its_place() {
        let content = Content::new(7, 3, 99);
        for from in 0..20 {
            for to in from..40 {
                let part = bytes(content, from, to);
                assert_eq!(part, (from..to).map(|at| literal(content, at)).collect::<Vec<_>>());
                assert_eq!(content.first_wrong(from, &part), None);
                for at in 0..part.len() {
                    let mut wrong = part.clone();
                    wrong[at] ^= 1;
                    assert_eq!(content.first_wrong(from, &wrong), Some(at), "{from}..{to}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_byte_is_found_in_any_block() {
        let content = Content::new(1, 1, 1);
        let mut part = bytes(content, 5, 2005);
        for at in (0..2000).step_by(7) {
            part[at] ^= 0x80;
            assert_eq!(content.first_wrong(5, &part), Some(at));
            part[at] ^= 0x80;
        }
    }

    #[test]
    fn bytes_of_another_place_or_another_fragment_are_wrong() {
        let content = Content::new(7, 3, 99);
        let part = bytes(content, 64, 128);
        for offset in (0..300).filter(|offset| *offset != 64) {
            assert!(content.first_wrong(offset, &part).is_some_and(|at| at < 8), "{offset}");
        }
        for (run, source, event) in [(8, 3, 99), (7, 4, 99), (7, 3, 98), (7, 99, 3), (3, 7, 99)] {
            assert!(Content::new(run, source, event).first_wrong(64, &part).is_some());
        }
    }
}
