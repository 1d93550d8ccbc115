//! Sends frames through AF_XDP: prepared once in memory that the kernel reads, only their counters change.

use std::io;
use std::time::{Duration, Instant};

use incast_core::control::SendPlan;
use incast_core::raw::XdpMode;
use incast_core::wire::ethernet::FrameHead;
use incast_core::wire::probe;

use super::{Base, CHUNK_BYTES};
use crate::raw::Interface;
use crate::socket::{self, Granted, Side, SocketError};
use crate::sys::xdp::ring::{Descriptor, Ring};
use crate::sys::xdp::{self, Passing, Which};

/// The way out of one stream.
pub(crate) struct XdpSender {
    sent: Ring<Descriptor>,
    base: Base,
    /// Chunks that are ours, by their number.
    free: Vec<u32>,
    head_bytes: u32,
    frame_bytes: u32,
    passing: Passing,
    /// Wake-ups, and frames that the interface dropped.
    pub(crate) calls: u64,
    pub(crate) dropped: u64,
}

impl XdpSender {
    /// Opens the socket, and prepares every chunk as a frame of `stream`.
    pub(crate) fn open(
        interface: &Interface,
        plan: &SendPlan,
        stream: u64,
        head: &FrameHead,
    ) -> Result<(Self, Granted), SocketError> {
        let mut base = Base::open(interface, CHUNKS)?;
        let failed = |cause| SocketError::new(format!("send through AF_XDP by {}", interface.name), cause);
        let granted = socket::ask_buffer(base.fd(), Side::Send, plan.send_buffer);
        xdp::size_ring(base.fd(), Which::Send, CHUNKS).map_err(failed)?;
        let sent = Ring::open(base.fd(), Which::Send, CHUNKS).map_err(failed)?;
        // Older kernels send 32 frames for each wake-up, and all the same are right.
        let _ = xdp::set_budget(base.fd(), BATCH);
        let passing = bind(&base, interface, plan.raw.xdp).map_err(|cause| {
            let is_taken = cause.raw_os_error() == Some(libc::EBUSY);
            let hint = if is_taken {
                " (its first queue has an AF_XDP socket already, of another flow)"
            } else {
                ""
            };
            SocketError::new(format!("send through AF_XDP by {}{hint}", interface.name), cause)
        })?;
        let head_bytes = u32::try_from(head.bytes()).unwrap_or(CHUNK_BYTES);
        let frame_bytes = head_bytes + plan.message_bytes;
        for chunk in 0..CHUNKS {
            let frame = base.memory.part_mut(u64::from(chunk) * u64::from(CHUNK_BYTES), frame_bytes);
            let frame = frame.ok_or_else(|| failed(io::Error::other("a message longer than a chunk")))?;
            head.emit(frame);
            probe::emit_stream_id(&mut frame[head.bytes()..], stream);
        }
        let free = (0..CHUNKS).collect();
        Ok((Self { sent, base, free, head_bytes, frame_bytes, passing, calls: 0, dropped: 0 }, granted))
    }

    /// Frames of one call.
    pub(crate) fn room(&self) -> u32 {
        BATCH
    }

    /// In words, for the record.
    pub(crate) fn carrier(&self) -> &'static str {
        match self.passing {
            Passing::Copy => "AF_XDP, copy",
            Passing::ZeroCopy => "AF_XDP, zero-copy",
        }
    }

    /// Sends the messages with the counters from `first` on; returns how many. When it returns, the kernel has taken
    /// all of these from the ring.
    pub(crate) fn send(&mut self, first: u64, messages: u32) -> io::Result<u32> {
        self.reclaim();
        let count = messages.min(self.sent.room()).min(BATCH);
        let count = count.min(u32::try_from(self.free.len()).unwrap_or(u32::MAX));
        if count == 0 {
            // Everything is on its way: what is sent comes back with a wake-up.
            self.wake()?;
            std::thread::sleep(FULL_WAIT);
            return Ok(0);
        }
        let at = self.free.len() - usize::try_from(count).unwrap_or(0);
        let (chunk_bytes, head_bytes) = (u64::from(CHUNK_BYTES), u64::from(self.head_bytes));
        let bytes = self.frame_bytes;
        for (counter, chunk) in (first..).zip(&self.free[at..]) {
            let place = u64::from(*chunk) * chunk_bytes + head_bytes;
            if let Some(message) = self.base.memory.part_mut(place, bytes - self.head_bytes) {
                probe::emit_counter(message, counter);
            }
        }
        let frames = self.free[at..].iter().map(|chunk| Descriptor {
            at: u64::from(*chunk) * chunk_bytes,
            bytes,
            options: 0,
        });
        let count = self.sent.produce(frames);
        self.free.truncate(at);
        self.flush()?;
        Ok(count)
    }

    /// Wakes the kernel until it has taken everything from the ring.
    fn flush(&mut self) -> io::Result<()> {
        let mut begun: Option<Instant> = None;
        let mut left = self.sent.filled();
        while left > 0 {
            self.wake()?;
            let now_left = self.sent.filled();
            if now_left == left {
                // The socket's send buffer is full: chunks on their way must come back first.
                if begun.get_or_insert_with(Instant::now).elapsed() > STUCK_MAX {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the interface takes no frame"));
                }
                std::thread::sleep(FULL_WAIT);
                self.reclaim();
            } else {
                begun = None;
            }
            left = now_left;
        }
        Ok(())
    }

    fn wake(&mut self) -> io::Result<()> {
        self.calls += 1;
        let Err(error) = xdp::wake(self.base.fd()) else { return Ok(()) };
        match error.raw_os_error() {
            // The driver dropped one of the frames, after it was taken (Linux net/xdp/xsk.c, `__xsk_generic_xmit`).
            Some(libc::EBUSY) => {
                self.dropped += 1;
                Ok(())
            }
            // More is left than one wake-up sends, or there is no room for now.
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::EINTR) => Ok(()),
            _ => Err(error),
        }
    }

    fn reclaim(&mut self) {
        let free = &mut self.free;
        self.base.completion.consume(CHUNKS, |at| {
            free.extend(u32::try_from(at / u64::from(CHUNK_BYTES)).ok());
        });
    }
}

/// Binds to the first queue, in the way asked for.
fn bind(base: &Base, interface: &Interface, mode: XdpMode) -> io::Result<Passing> {
    let bind = |passing| xdp::bind(base.fd(), interface.index, 0, passing).map(|()| passing);
    match mode {
        XdpMode::ZeroCopy => bind(Passing::ZeroCopy),
        XdpMode::Auto => bind(Passing::ZeroCopy).or_else(|_| bind(Passing::Copy)),
        XdpMode::Native | XdpMode::Generic => bind(Passing::Copy),
    }
}

/// Frames of one wake-up, where the kernel lets us choose.
const BATCH: u32 = 256;
/// Chunks of a sender, 8 MiB: what may be on its way at once.
const CHUNKS: u32 = 2048;
/// How long a full socket is left alone.
const FULL_WAIT: Duration = Duration::from_micros(20);
/// An interface that takes nothing for so long is broken.
const STUCK_MAX: Duration = Duration::from_secs(1);
