//! The memory in which an AF_XDP socket's frames lie.
//!
//! Which chunks the kernel may write to is agreed by the rings: a chunk is the kernel's from when it is put into the
//! fill or send ring until it comes back by the receive or completion ring. The owner keeps to that.
#![expect(unsafe_code, reason = "memory that is shared with the kernel")]

use std::io;

/// Anonymous memory, zero at first.
#[derive(Debug)]
pub(crate) struct Memory {
    start: *mut u8,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone; nothing of it depends on a thread.
unsafe impl Send for Memory {}

impl Memory {
    /// `mmap` of `bytes`.
    pub(crate) fn open(bytes: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice, of no file.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: start.cast(), bytes })
    }

    /// Where it is and how long, as the kernel is told.
    pub(super) fn extent(&self) -> (u64, u64) {
        let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        (number(self.start.expose_provenance()), number(self.bytes))
    }

    /// A part of it; `None` if it does not lie within.
    pub(crate) fn part(&self, at: u64, bytes: u32) -> Option<&[u8]> {
        let (at, bytes) = self.place(at, bytes)?;
        // SAFETY: it lies within the mapping, by the check before; the kernel does not write to a chunk that is ours.
        Some(unsafe { std::slice::from_raw_parts(self.start.add(at), bytes) })
    }

    /// The same, to be written.
    pub(crate) fn part_mut(&mut self, at: u64, bytes: u32) -> Option<&mut [u8]> {
        let (at, bytes) = self.place(at, bytes)?;
        // SAFETY: as above, and this value is borrowed mutably, so that there is no other slice of it.
        Some(unsafe { std::slice::from_raw_parts_mut(self.start.add(at), bytes) })
    }

    fn place(&self, at: u64, bytes: u32) -> Option<(usize, usize)> {
        let (at, bytes) = (usize::try_from(at).ok()?, usize::try_from(bytes).ok()?);
        (at.checked_add(bytes)? <= self.bytes).then_some((at, bytes))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size, and nothing refers to it any more.
        unsafe { libc::munmap(self.start.cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_within_is_handed_out() {
        let mut memory = Memory::open(8192).unwrap();
        memory.part_mut(4096, 3).unwrap().copy_from_slice(b"abc");
        assert_eq!(memory.part(4096, 3), Some(&b"abc"[..]));
        assert!(memory.part(8190, 2).is_some() && memory.part(8190, 3).is_none());
        assert!(memory.part(u64::MAX, 1).is_none() && memory.part_mut(8192, 1).is_none());
    }
}
