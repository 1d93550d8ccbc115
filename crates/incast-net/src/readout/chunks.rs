//! Buffers that streams are read into, used again when nobody refers to them any more.
//!
//! ```text
//!  | payload | payload | payload | head | pay...        a chunk: parts of it are handed out
//!    in use    free      in use                         free again when all of them are
//! ```

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Room of a chunk: large enough that a read brings hundreds of small fragments, and small enough to stay in
/// the cache between the kernel's write and our check.
pub(super) const CHUNK_BYTES: usize = 256 << 10;
/// Chunks that are waited for: 64 MiB. Beyond them, memory goes back to the allocator.
const WAITING_MAX: usize = 256;
/// How many of them are asked whether they are free: the oldest are the likeliest.
const ASKED: usize = 4;

/// Chunks that were filled, with what is still in use of them.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    waiting: VecDeque<BytesMut>,
    /// Where datagrams are copied to.
    copies: Option<BytesMut>,
}

impl Chunks {
    /// An empty chunk: one that is free again, or a new one.
    pub(super) fn take(&mut self) -> BytesMut {
        for _ in 0..ASKED.min(self.waiting.len()) {
            let Some(mut chunk) = self.waiting.pop_front() else { break };
            if chunk.try_reclaim(CHUNK_BYTES) {
                return chunk;
            }
            self.waiting.push_back(chunk);
        }
        BytesMut::with_capacity(CHUNK_BYTES)
    }

    /// A copy of `payload`, which is no larger than a chunk, without memory of its own.
    pub(super) fn copy(&mut self, payload: &[u8]) -> Bytes {
        let copies = self.copies.take();
        let mut copies = match copies {
            Some(copies) if copies.capacity() - copies.len() >= payload.len() => copies,
            full => {
                full.into_iter().for_each(|full| self.put(full));
                self.take()
            }
        };
        copies.extend_from_slice(payload);
        let copy = copies.split().freeze();
        self.copies = Some(copies);
        copy
    }

    /// Takes a chunk of this size back. What was handed out of it stays as it is.
    pub(super) fn put(&mut self, mut chunk: BytesMut) {
        if self.waiting.len() < WAITING_MAX {
            chunk.clear();
            self.waiting.push_back(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_comes_back_when_nobody_refers_to_it() {
        let mut chunks = Chunks::default();
        let mut chunk = chunks.take();
        let place = chunk.as_ptr();
        chunk.extend_from_slice(&[1; 1000]);
        let payload = chunk.split_to(500).freeze();
        chunks.put(chunk);
        assert_ne!(chunks.take().as_ptr(), place);
        assert_eq!(payload, vec![1; 500]);
        drop(payload);
        let again = chunks.take();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        assert!(again.capacity() >= CHUNK_BYTES);
    }
}
