//! What a hub takes messages from, and where it reads what was dropped on the way to it.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use incast_core::caveat::Caveat;
use incast_core::record::RawSide;

use crate::lock::lock;
use crate::socket;
use crate::sys::{packet, xdp};
use crate::udp::{Arrival, UdpInlet};
use crate::wait::Wait;

/// Takes what has arrived, many messages per call. It counts and interprets nothing.
pub(crate) trait Inlet {
    /// Takes what is there and calls `on` for each buffer; returns how many buffers that were, 0 if nothing came
    /// within the wait.
    fn receive(&mut self, wait: Wait, on: impl FnMut(Arrival<'_>)) -> io::Result<usize>;

    /// Whether a call that brought `came` buffers has left nothing behind.
    fn is_emptied_by(&self, came: usize) -> bool;

    /// Calls that brought something.
    fn receive_calls(&self) -> u64;

    /// What the kernel refused.
    fn caveats(&self) -> &[Caveat];

    /// How a raw transport met the link.
    fn raw(&self) -> Option<RawSide> {
        None
    }

    /// At most `datagrams` in one call; what hands out a ring, without a call for each, takes no notice.
    fn set_batch(&mut self, _datagrams: u32) {}

    /// Whether packets are to be timed; what cannot time them has them told by the reader's clock.
    fn set_timed(&mut self, _is_timed: bool) {}

    /// A socket that sends from the same port, for answers; `None` where nobody is answered.
    fn answers(&self) -> Option<UdpSocket> {
        None
    }
}

impl Inlet for UdpInlet {
    fn receive(&mut self, wait: Wait, on: impl FnMut(Arrival<'_>)) -> io::Result<usize> {
        self.receive(wait, on)
    }

    fn is_emptied_by(&self, came: usize) -> bool {
        // A call that could have brought more has emptied the socket.
        came < self.room()
    }

    fn receive_calls(&self) -> u64 {
        self.receive_calls()
    }

    fn caveats(&self) -> &[Caveat] {
        self.caveats()
    }

    fn set_batch(&mut self, datagrams: u32) {
        self.set_batch(datagrams);
    }

    fn set_timed(&mut self, is_timed: bool) {
        self.set_timed(is_timed);
    }

    fn answers(&self) -> Option<UdpSocket> {
        self.socket().try_clone().ok()
    }
}

/// The counter of drops of one socket or ring.
#[derive(Debug)]
pub(crate) enum DropCounter {
    /// `SO_MEMINFO`: what found the socket's buffer full.
    Socket(OwnedFd),
    /// `PACKET_STATISTICS`, which forgets what it told.
    Ring(OwnedFd, u64),
    /// `XDP_STATISTICS`, of the socket of each queue.
    Xdp(Vec<OwnedFd>),
}

impl DropCounter {
    /// Dropped since the socket was opened, in the kernel's units; `None` if it does not tell.
    fn read(&mut self) -> Option<u64> {
        match self {
            Self::Socket(socket) => socket::socket_drops(socket.as_fd()),
            Self::Ring(socket, told) => {
                *told += u64::from(packet::take_drops(socket.as_fd()).ok()?);
                Some(*told)
            }
            Self::Xdp(sockets) => sockets.iter().map(|socket| xdp::drops(socket.as_fd()).ok()).sum(),
        }
    }
}

/// The drops of a hub: read by its thread, and by whoever orders a stream of it, before that stream's sender is told
/// to begin. The thread may be late: by the time that it opens the stream, some of its messages may be dropped.
#[derive(Debug)]
pub(crate) struct Drops {
    counter: Mutex<DropCounter>,
    /// As last read.
    shown: Arc<AtomicU64>,
}

impl Drops {
    pub(crate) fn new(counter: DropCounter) -> Self {
        Self { counter: Mutex::new(counter), shown: Arc::default() }
    }

    /// As [`DropCounter::read`].
    pub(crate) fn read(&self) -> Option<u64> {
        let drops = lock(&self.counter).read();
        self.shown.store(drops.unwrap_or(0), Relaxed);
        drops
    }

    /// What was last read; it stays when the hub is gone.
    pub(crate) fn shown(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shown)
    }
}
