//! Frames, and the buffers that they are in.
//!
//! A buffer holds the largest frame of the cable. One whose frame has left, or was lost, is used
//! again: memory is asked for only while more frames are held than ever before.

/// A frame in a buffer of its own.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) buffer: Box<[u8]>,
    /// Bytes of the frame, from the start of the buffer.
    pub(super) bytes: usize,
}

impl Frame {
    /// The frame, from its destination address to the end of its payload.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.buffer[..self.bytes]
    }
}

/// Buffers that wait for a frame. What a link holds is bounded, and so is this.
#[derive(Debug)]
pub(super) struct Buffers {
    free: Vec<Box<[u8]>>,
    buffer_bytes: usize,
}

impl Buffers {
    /// None yet, each to be of `buffer_bytes`.
    pub(super) fn new(buffer_bytes: usize) -> Self {
        Self { free: Vec::new(), buffer_bytes }
    }

    /// An empty buffer: the one used last, which is in the processor's cache if any is.
    pub(super) fn take(&mut self) -> Box<[u8]> {
        // From the allocator as zeros, which costs nothing until a page is written.
        self.free.pop().unwrap_or_else(|| vec![0; self.buffer_bytes].into())
    }

    /// Takes the buffer of a frame back.
    pub(super) fn give_back(&mut self, frame: Frame) {
        self.free.push(frame.buffer);
    }

    /// A second frame like `frame`.
    pub(super) fn copy(&mut self, frame: &Frame) -> Frame {
        let mut buffer = self.take();
        buffer[..frame.bytes].copy_from_slice(frame.as_bytes());
        Frame { buffer, bytes: frame.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_like_its_original_and_buffers_are_used_again() {
        let mut buffers = Buffers::new(8);
        let mut buffer = buffers.take();
        buffer[..3].copy_from_slice(b"abc");
        let frame = Frame { buffer, bytes: 3 };
        let copy = buffers.copy(&frame);
        assert_eq!((copy.as_bytes(), copy.buffer.len()), (&b"abc"[..], 8));
        let place = frame.buffer.as_ptr();
        buffers.give_back(frame);
        let again = buffers.take();
        assert_eq!(again.as_ptr(), place);
    }
}
