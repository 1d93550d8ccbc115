//! Cuts a byte stream into messages of one fixed size and reads the counter of each.
//!
//! The bytes arrive in whatever pieces the kernel gives. Only the 8 bytes of each counter are ever
//! touched; a counter that straddles two pieces is put together from both.

use super::probe::COUNTER_BYTES;

/// Where in its message the stream is.
#[derive(Clone, Debug)]
pub struct Deframer {
    message_bytes: usize,
    /// Bytes of the current message that have come.
    filled: usize,
    head: [u8; COUNTER_BYTES],
}

impl Deframer {
    /// A stream of messages of `message_bytes`, which is at least the 8 of a counter.
    ///
    /// # Panics
    /// When `message_bytes` has no room for a counter: the caller has checked it.
    #[must_use]
    pub fn new(message_bytes: u32) -> Self {
        let message_bytes = usize::try_from(message_bytes).unwrap_or(usize::MAX);
        assert!(message_bytes >= COUNTER_BYTES, "a message holds at least its counter");
        Self { message_bytes, filled: 0, head: [0; COUNTER_BYTES] }
    }

    /// Takes the next bytes and calls `on_message` with the counter of each message that is whole.
    #[inline]
    pub fn handle_bytes(&mut self, mut bytes: &[u8], mut on_message: impl FnMut(u64)) {
        if self.filled > 0 {
            let taken = self.fill(bytes);
            bytes = &bytes[taken..];
            if self.filled < self.message_bytes {
                return;
            }
            on_message(u64::from_le_bytes(self.head));
            self.filled = 0;
        }
        let mut messages = bytes.chunks_exact(self.message_bytes);
        for message in &mut messages {
            // A chunk is at least COUNTER_BYTES long: `new` asserts it.
            if let Some(head) = message.first_chunk() {
                on_message(u64::from_le_bytes(*head));
            }
        }
        self.fill(messages.remainder());
    }

    /// Bytes of a message that has begun and is not whole.
    #[must_use]
    pub fn partial_bytes(&self) -> usize {
        self.filled
    }

    /// Takes what belongs to the current message; returns how many bytes that was.
    fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.message_bytes - self.filled);
        if self.filled < COUNTER_BYTES {
            let head = taken.min(COUNTER_BYTES - self.filled);
            self.head[self.filled..self.filled + head].copy_from_slice(&bytes[..head]);
        }
        self.filled += taken;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to cut a stream of three messages into three pieces gives the same counters.
    #[test]
    fn pieces_do_not_matter() {
        for size in [8_usize, 9, 20] {
            let stream: Vec<u8> = (1..=3_u64)
                .flat_map(|counter| {
                    let mut message = vec![0xaa; size];
                    message[..8].copy_from_slice(&counter.to_le_bytes());
                    message
                })
                .collect();
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    let mut deframer = Deframer::new(u32::try_from(size).unwrap());
                    let mut counters = Vec::new();
                    for piece in [&stream[..first], &stream[first..second], &stream[second..]] {
                        deframer.handle_bytes(piece, |counter| counters.push(counter));
                    }
                    assert_eq!(counters, [1, 2, 3], "size {size}, cut at {first} and {second}");
                    assert_eq!(deframer.partial_bytes(), 0);
                }
            }
        }
    }

    #[test]
    fn a_message_cut_off_is_not_counted() {
        let mut deframer = Deframer::new(16);
        let mut counters = Vec::new();
        deframer.handle_bytes(&[1, 0, 0, 0, 0, 0, 0, 0, 7, 7], |counter| counters.push(counter));
        assert_eq!((counters.len(), deframer.partial_bytes()), (0, 10));
    }
}
