//! A ring that an AF_XDP socket shares with the kernel: one side produces, the other consumes.
//!
//! ```text
//!  | producer u32 | ... | consumer u32 | ... | flags u32 | ... | entries, a power of two ...
//! ```
//! Both counters run on and wrap at 2^32; an entry is at its counter modulo the size. Offsets are the kernel's word
//! (`XDP_MMAP_OFFSETS`).
#![expect(unsafe_code, reason = "memory that is shared with the kernel")]

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Which, read};

/// An entry of the receive and send rings (`struct xdp_desc`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) at: u64,
    pub(crate) bytes: u32,
    pub(crate) options: u32,
}

/// What rings hold: plain numbers, of which any bytes are a value.
pub(crate) trait Entry: Copy {}
impl Entry for Descriptor {}
impl Entry for u64 {}

/// A ring of `T`.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    start: *mut u8,
    bytes: usize,
    producer: *mut u32,
    consumer: *mut u32,
    entries: *mut T,
    size: u32,
    kind: PhantomData<T>,
}

// SAFETY: the mapping belongs to this value alone; nothing of it depends on a thread.
unsafe impl<T: Entry> Send for Ring<T> {}

impl<T: Entry> Ring<T> {
    /// Maps the ring `which` of `socket`, which has `size` entries of `T`: descriptors where frames come and go,
    /// addresses (`u64`) where room does.
    pub(crate) fn open(socket: BorrowedFd<'_>, which: Which, size: u32) -> io::Result<Self> {
        let fits = match which {
            Which::Receive | Which::Send => size_of::<T>() == size_of::<Descriptor>(),
            Which::Fill | Which::Completion => size_of::<T>() == size_of::<u64>(),
        };
        // `struct xdp_mmap_offsets`: producer, consumer, entries and flags of each of the four rings.
        let mut offsets = [0_u64; 16];
        let told = read(socket, libc::XDP_MMAP_OFFSETS, &mut offsets)?;
        if !fits || told != size_of_val(&offsets) || !size.is_power_of_two() {
            return Err(io::Error::other("this kernel's rings are older than Linux 5.4"));
        }
        let (index, page) = match which {
            Which::Receive => (0, 0),
            Which::Send => (1, 0x8000_0000),
            Which::Fill => (2, 0x1_0000_0000),
            Which::Completion => (3, 0x1_8000_0000),
        };
        let place = |field: usize| usize::try_from(offsets[4 * index + field]).unwrap_or(usize::MAX);
        let (producer, consumer, entries) = (place(0), place(1), place(2));
        let entry_bytes = usize::try_from(size).map_err(io::Error::other)? * size_of::<T>();
        let bytes =
            entries.checked_add(entry_bytes).ok_or_else(|| io::Error::other("a ring beyond all memory"))?;
        if producer.max(consumer) > bytes - 4 || producer % 4 + consumer % 4 + entries % 8 != 0 {
            return Err(io::Error::other("offsets of a ring that cannot be"));
        }
        // SAFETY: a new mapping at an address of the kernel's choice, of a ring of the socket's.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                socket.as_raw_fd(),
                page,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = start.cast::<u8>();
        // SAFETY: all three lie within the mapping, by the checks before, and are aligned as the mapping is.
        let (producer, consumer, entries) =
            unsafe { (start.add(producer).cast(), start.add(consumer).cast(), start.add(entries).cast()) };
        Ok(Self { start, bytes, producer, consumer, entries, size, kind: PhantomData })
    }

    /// Entries that were produced and not consumed.
    pub(crate) fn filled(&self) -> u32 {
        // Pairs with the other side's release: what it wrote or read before is done.
        let (producer, consumer) =
            (self.producer().load(Ordering::Acquire), self.consumer().load(Ordering::Acquire));
        producer.wrapping_sub(consumer).min(self.size)
    }

    /// Entries for which there is room.
    pub(crate) fn room(&self) -> u32 {
        self.size - self.filled()
    }

    /// Consumes up to `most` entries; returns how many.
    pub(crate) fn consume(&mut self, most: u32, mut on: impl FnMut(T)) -> u32 {
        let count = self.filled().min(most);
        let from = self.consumer().load(Ordering::Relaxed);
        for step in 0..count {
            // SAFETY: the entry lies within the ring, and was produced: the other side does not write to it.
            on(unsafe { self.entry(from.wrapping_add(step)).read() });
        }
        self.consumer().store(from.wrapping_add(count), Ordering::Release);
        count
    }

    /// Produces what `entries` gives, as far as there is room; returns how many.
    pub(crate) fn produce(&mut self, entries: impl Iterator<Item = T>) -> u32 {
        let room = self.room();
        let from = self.producer().load(Ordering::Relaxed);
        let mut count = 0;
        for entry in entries.take(usize::try_from(room).unwrap_or(0)) {
            // SAFETY: the entry lies within the ring, and is free: the other side does not read it.
            unsafe { self.entry(from.wrapping_add(count)).write(entry) };
            count += 1;
        }
        self.producer().store(from.wrapping_add(count), Ordering::Release);
        count
    }

    fn entry(&self, counter: u32) -> *mut T {
        let index = usize::try_from(counter & (self.size - 1)).unwrap_or(0);
        // SAFETY: the index is below the size, a power of two: the result lies within the mapping.
        unsafe { self.entries.add(index) }
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: it lies within the mapping, aligned, and both sides use it whole only.
        unsafe { AtomicU32::from_ptr(self.producer) }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(self.consumer) }
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size, and nothing refers to it any more.
        unsafe { libc::munmap(self.start.cast(), self.bytes) };
    }
}
