//! Where frames come in: everything that arrives at one interface, with the time of its arrival.
//!
//! Nothing that leaves by the interface comes in here. The kernel counts what arrives and what it
//! has no room for; [`Inlet::statistics`] closes the account with what was read.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use incast_core::time::{Span, Time};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_recv_buffer_size_force;

use super::clock::{Moment, timespec};
use super::frame::{Buffers, Frame};
use super::outlet::packet_socket;
use crate::sys::packet::{self, FRAMES_MAX, Received};

/// Room for frames that were not read yet: the kernel doubles it, and a full frame of 1514 bytes
/// takes 2304 of it, so that some 58 000 of them wait while this thread does not run.
const RECEIVE_BUFFER_BYTES: usize = 64 << 20;

/// The kernel stamps a frame before it lies at the socket, on a busy machine long before. A stamp that
/// is further back than this is taken for a step of the wall clock.
const STAMP_LEAD_MAX: Span = Span::from_ms(10);

/// A frame that came in, or the word that one did not fit its buffer.
#[derive(Debug)]
pub(super) struct Arrival {
    /// The frame; none when it was longer than the cable's frames can be.
    pub(super) frame: Option<Frame>,
    /// When the kernel got it.
    pub(super) at: Time,
}

/// What came to an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Statistics {
    /// Frames, those dropped included.
    pub(super) packets: u64,
    /// Frames for which there was no room.
    pub(super) dropped: u64,
}

/// A socket that receives all frames of one interface.
#[derive(Debug)]
pub(super) struct Inlet {
    socket: OwnedFd,
    /// Buffers for the next batch: always [`FRAMES_MAX`].
    buffers: Vec<Box<[u8]>>,
    received: Vec<Received>,
    /// A moment at which nothing was waiting: what is read later came later.
    empty_at: Time,
    statistics: Statistics,
}

impl Inlet {
    /// Listens on `interface`, in the network namespace of the calling thread.
    pub(super) fn open(interface: &str, buffers: &mut Buffers) -> io::Result<Self> {
        let (socket, index) = packet_socket(interface)?;
        packet::ignore_outgoing(socket.as_fd())?;
        packet::stamp_arrivals(socket.as_fd())?;
        set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER_BYTES)?;
        // From here on frames come in.
        packet::bind(socket.as_fd(), index, ALL_PROTOCOLS)?;
        Ok(Self {
            socket,
            buffers: (0..FRAMES_MAX).map(|_| buffers.take()).collect(),
            received: vec![Received::EMPTY; FRAMES_MAX],
            empty_at: Time::ZERO,
            statistics: Statistics::default(),
        })
    }

    /// Reads what waits, [`FRAMES_MAX`] at most, and hands over each; returns how many. `moment` is asked
    /// for after the reading.
    pub(super) fn receive(
        &mut self,
        buffers: &mut Buffers,
        moment: impl Fn() -> Moment,
        mut handle: impl FnMut(&mut Buffers, Arrival),
    ) -> io::Result<usize> {
        let before = moment().now;
        let came = match packet::receive(self.socket.as_fd(), &mut self.buffers, &mut self.received) {
            Ok(came) => came,
            Err(error) if is_nothing(&error) => 0,
            Err(error) => return Err(error),
        };
        let moment = moment();
        for (received, place) in self.received.iter().zip(&mut self.buffers).take(came) {
            let stamped = stamp_ns(received.control()).map_or(moment.now, |ns| moment.of_stamp(ns));
            // Whatever the wall clock did meanwhile.
            let at = stamped.max(self.empty_at - STAMP_LEAD_MAX);
            let frame = (!received.truncated)
                .then(|| Frame { buffer: std::mem::replace(place, buffers.take()), bytes: received.bytes });
            handle(buffers, Arrival { frame, at });
        }
        if came < FRAMES_MAX {
            self.empty_at = before;
        }
        Ok(came)
    }

    /// Waits until a frame is there, or for `span`.
    pub(super) fn wait(&self, span: Span) {
        // An error is a signal that came: the caller looks again.
        let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timespec(span.as_ns())));
    }

    /// What came so far, whether it was read or not.
    ///
    /// To be asked now and then: the kernel counts in 32 bits.
    pub(super) fn statistics(&mut self) -> io::Result<Statistics> {
        let more = packet::statistics(self.socket.as_fd())?;
        self.statistics.packets += u64::from(more.packets);
        self.statistics.dropped += u64::from(more.dropped);
        Ok(self.statistics)
    }
}

/// Nothing waits, a signal came, or the interface went down: it may come up again.
fn is_nothing(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::AGAIN | Errno::INTR | Errno::NETDOWN))
}

/// The time stamp among the control messages (`SCM_TIMESTAMPNS`), in nanoseconds since 1970.
///
/// ```text
///  cmsghdr, native order:  length usize | level int | kind int | struct timespec
/// ```
/// `length` counts from the start of the header. A length that leads nowhere ends the search.
fn stamp_ns(mut control: &[u8]) -> Option<u64> {
    loop {
        let length = usize::from_ne_bytes(*control.first_chunk()?);
        let level = i32::from_ne_bytes(*control.get(LEVEL_AT..)?.first_chunk()?);
        let kind = i32::from_ne_bytes(*control.get(LEVEL_AT + 4..)?.first_chunk()?);
        let data = control.get(CMSG_HEADER_BYTES..length)?;
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
            let seconds = i64::from_ne_bytes(*data.first_chunk()?);
            let below = i64::from_ne_bytes(*data.get(8..)?.first_chunk()?);
            return u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?.checked_add_signed(below);
        }
        control = control.get(length.checked_next_multiple_of(size_of::<usize>())?..)?;
    }
}

/// `ETH_P_ALL` (include/uapi/linux/if_ether.h).
const ALL_PROTOCOLS: u16 = 3;
const LEVEL_AT: usize = size_of::<usize>();
const CMSG_HEADER_BYTES: usize = size_of::<usize>() + 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut out = (CMSG_HEADER_BYTES + data.len()).to_ne_bytes().to_vec();
        out.extend(level.to_ne_bytes());
        out.extend(kind.to_ne_bytes());
        out.extend(data);
        out.resize(out.len().next_multiple_of(size_of::<usize>()), 0);
        out
    }

    fn stamp(seconds: i64, below: i64) -> Vec<u8> {
        let data = [seconds.to_ne_bytes(), below.to_ne_bytes()].concat();
        message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &data)
    }

    #[test]
    fn the_stamp_is_found_among_other_control_messages() {
        let other = message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &7_u32.to_ne_bytes());
        assert_eq!(stamp_ns(&stamp(3, 5)), Some(3_000_000_005));
        assert_eq!(stamp_ns(&[other.clone(), stamp(3, 5)].concat()), Some(3_000_000_005));
        assert_eq!((stamp_ns(&other), stamp_ns(&[]), stamp_ns(&stamp(-1, 0))), (None, None, None));
    }

    #[test]
    fn broken_control_messages_end_the_search() {
        let whole = stamp(3, 5);
        for cut in 0..whole.len() {
            assert_eq!(stamp_ns(&whole[..cut]), None, "cut at {cut}");
        }
        for length in [0, 1, CMSG_HEADER_BYTES, CMSG_HEADER_BYTES + 15, 1_000, usize::MAX - 3, usize::MAX] {
            let mut lying = whole.clone();
            lying[..size_of::<usize>()].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(stamp_ns(&lying), None, "length {length}");
        }
    }
}
