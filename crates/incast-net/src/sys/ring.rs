//! The receive ring of a packet(7) socket, `TPACKET_V3` (Linux Documentation/networking/packet_mmap.rst).
//!
//! ```text
//!  block:  | version u32 | to private u32 | status u32 | frames u32 | to first u32 | ...
//!  frame:  | to next u32 | s u32 | ns u32 | captured u32 | length u32 | status u32 | mac u16 | net u16 |
//!          | hash u32 | tag control u32 | tag type u16 | ... | head of the frame at `mac` ...
//! ```
//! The kernel fills a block and gives it to us by its status; we read it and give it back. Every offset that the
//! kernel wrote is checked against the block, so that what is handed out are slices of the mapping.
#![expect(unsafe_code, reason = "memory that is shared with the kernel")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use super::packet::{length, set_option};

/// Blocks that the kernel fills in turn.
#[derive(Debug)]
pub(crate) struct Ring {
    start: *mut u8,
    block_bytes: usize,
    blocks: usize,
    /// The block that comes next.
    next: usize,
}

// SAFETY: the mapping belongs to this value alone; nothing of it depends on a thread.
unsafe impl Send for Ring {}

/// One frame of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingFrame<'a> {
    /// From its destination address on.
    pub(crate) bytes: &'a [u8],
    /// It was longer than what was captured.
    pub(crate) truncated: bool,
    /// Control field of the VLAN tag that was taken off.
    pub(crate) tag: Option<u16>,
}

impl Ring {
    /// Asks for a ring of `blocks` blocks of `block_bytes` (a multiple of the page), each given to us when full or
    /// after `patience_ms`, and maps it.
    pub(crate) fn open(
        socket: BorrowedFd<'_>,
        block_bytes: u32,
        blocks: u32,
        patience_ms: u32,
    ) -> io::Result<Self> {
        let version: libc::c_int = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        // SAFETY: the value is a local `int` of the length told.
        unsafe {
            set_option(
                socket,
                libc::SOL_PACKET,
                libc::PACKET_VERSION,
                (&raw const version).cast(),
                length::<libc::c_int>(),
            )
        }?;
        let request = libc::tpacket_req3 {
            tp_block_size: block_bytes,
            tp_block_nr: blocks,
            // Frames lie one behind the other: their size only has to divide that of a block.
            tp_frame_size: FRAME_BYTES,
            tp_frame_nr: block_bytes / FRAME_BYTES * blocks,
            tp_retire_blk_tov: patience_ms,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        // SAFETY: the value is a local of the length told, and the kernel copies it.
        unsafe {
            set_option(
                socket,
                libc::SOL_PACKET,
                libc::PACKET_RX_RING,
                (&raw const request).cast(),
                length::<libc::tpacket_req3>(),
            )
        }?;
        let (block_bytes, blocks) = (size(block_bytes), size(blocks));
        // SAFETY: a new mapping at an address of the kernel's choice; the socket has a ring of exactly this size.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                block_bytes * blocks,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: start.cast(), block_bytes, blocks, next: 0 })
    }

    /// Reads the next block and gives it back to the kernel; `None` if the kernel is still filling it. Returns how
    /// many frames it held.
    pub(crate) fn take(&mut self, mut on: impl FnMut(RingFrame<'_>)) -> Option<usize> {
        // SAFETY: `next` is below `blocks`, so the block lies within the mapping; its start is aligned to a page,
        // and its status, at a multiple of 4, is a word that both sides read and write whole.
        let status = unsafe { AtomicU32::from_ptr(self.block().add(STATUS_AT).cast()) };
        // Pairs with the kernel's barrier before it gives the block to us.
        if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the block is ours until its status says otherwise: the kernel does not write to it, and the
        // slice is not used after that.
        let block = unsafe { std::slice::from_raw_parts(self.block(), self.block_bytes) };
        let frames = read_block(block, &mut on);
        status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.blocks;
        Some(frames)
    }

    fn block(&self) -> *mut u8 {
        // SAFETY: `next` is below `blocks`: the result is within the mapping.
        unsafe { self.start.add(self.next * self.block_bytes) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size, and nothing refers to it any more.
        unsafe { libc::munmap(self.start.cast(), self.block_bytes * self.blocks) };
    }
}

/// Calls `on` for every frame of a block; stops where an offset leads nowhere.
fn read_block(block: &[u8], on: &mut impl FnMut(RingFrame<'_>)) -> usize {
    let word = |at: usize| Some(u32::from_ne_bytes(*block.get(at..)?.first_chunk()?));
    let Some((count, mut at)) = word(FRAMES_AT).zip(word(FIRST_AT).map(size)) else { return 0 };
    let mut read = 0;
    for _ in 0..count {
        let field = |offset: usize| word(at.checked_add(offset)?);
        let frame = || {
            let (captured, whole, status) = (field(CAPTURED_AT)?, field(LENGTH_AT)?, field(FRAME_STATUS_AT)?);
            let mac = u16::from_ne_bytes(*block.get(at.checked_add(MAC_AT)?..)?.first_chunk()?);
            let start = at.checked_add(usize::from(mac))?;
            let bytes = block.get(start..start.checked_add(size(captured))?)?;
            // The lower half of the word.
            let control = u16::try_from(field(TAG_AT)? & 0xFFFF).ok()?;
            let tag = (status & libc::TP_STATUS_VLAN_VALID != 0).then_some(control);
            Some(RingFrame { bytes, truncated: captured < whole, tag })
        };
        let Some(frame) = frame() else { return read };
        on(frame);
        read += 1;
        let Some(next) = field(0).map(size).and_then(|step| at.checked_add(step)) else { return read };
        at = next;
    }
    read
}

/// A size of the kernel's; a `usize` has 32 bits at least where this runs.
fn size(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Nominal size of a frame; it divides a page, and so every block.
const FRAME_BYTES: u32 = 2048;
/// Offsets in the head of a block (`struct tpacket_block_desc`).
const STATUS_AT: usize = 8;
const FRAMES_AT: usize = 12;
const FIRST_AT: usize = 16;
/// Offsets in the head of a frame (`struct tpacket3_hdr`).
const CAPTURED_AT: usize = 12;
const LENGTH_AT: usize = 16;
const FRAME_STATUS_AT: usize = 20;
const MAC_AT: usize = 24;
const TAG_AT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with frames of these bytes, as the kernel lays them out.
    fn block(frames: &[(&[u8], Option<u16>)]) -> Vec<u8> {
        let mut block = vec![0; 4096];
        let mut put = |at: usize, value: u32| block[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        put(FRAMES_AT, u32::try_from(frames.len()).unwrap());
        put(FIRST_AT, 48);
        let mut at = 48;
        for (bytes, tag) in frames {
            let length = u32::try_from(bytes.len()).unwrap();
            let step = (82 + bytes.len()).next_multiple_of(16);
            put(at, u32::try_from(step).unwrap());
            put(at + CAPTURED_AT, length);
            put(at + LENGTH_AT, length);
            put(at + FRAME_STATUS_AT, tag.map_or(1, |_| 1 | libc::TP_STATUS_VLAN_VALID));
            put(at + MAC_AT, 82);
            put(at + TAG_AT, tag.unwrap_or(0).into());
            at += step;
        }
        let mut at = 48;
        for (bytes, _) in frames {
            block[at + 82..at + 82 + bytes.len()].copy_from_slice(bytes);
            at += (82 + bytes.len()).next_multiple_of(16);
        }
        block
    }

    #[test]
    fn every_frame_of_a_block_is_read_with_its_tag() {
        let mut seen = Vec::new();
        let block = block(&[(b"one", None), (b"", Some(0x2064)), (b"three", None)]);
        let count = read_block(&block, &mut |frame| {
            assert!(!frame.truncated);
            seen.push((frame.bytes.to_vec(), frame.tag));
        });
        assert_eq!(count, 3);
        assert_eq!(seen, [(b"one".to_vec(), None), (vec![], Some(0x2064)), (b"three".to_vec(), None)]);
    }

    #[test]
    fn offsets_that_lead_nowhere_end_the_block() {
        let good = block(&[(b"one", None), (b"two", None)]);
        for at in (0..300).step_by(4) {
            for lie in [u32::MAX, 4095, 1 << 31] {
                let mut bad = good.clone();
                bad[at..at + 4].copy_from_slice(&lie.to_ne_bytes());
                read_block(&bad, &mut |frame| assert!(frame.bytes.len() <= bad.len()));
            }
        }
        for cut in 0..100 {
            read_block(&good[..cut], &mut |_| {});
        }
    }
}
