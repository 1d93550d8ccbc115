//! Where frames come in: everything that arrives at one interface, with the time of its arrival.
//!
//! Nothing that leaves by the interface comes in here. The kernel counts what arrives and what it
//! has no room for; [`Inlet::statistics`] closes the account with what was read. It takes the outer VLAN
//! tag out of every frame and tells it beside (Linux v6.8 net/core/dev.c, `__netif_receive_skb_core`;
//! packet(7), `PACKET_AUXDATA`): here it is put back, so that a frame is what it was on the cable.

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
        packet::tell_tags(socket.as_fd())?;
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
            let bytes = tagged(place, received).filter(|_| !received.truncated);
            let frame = bytes.map(|bytes| Frame { buffer: std::mem::replace(place, buffers.take()), bytes });
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

/// Puts the VLAN tag back that the kernel took out of the frame in `buffer`; gives the bytes of the frame, none when
/// there is no room for the tag.
///
/// ```text
///  0             6        12       14       16
///  | destination | source | 0x8100 | tag    | EtherType, payload ...     IEEE 802.1Q
/// ```
fn tagged(buffer: &mut [u8], received: &Received) -> Option<usize> {
    let Some(tag) = tag(received.control()) else { return Some(received.bytes) };
    let bytes = received.bytes + tag.len();
    if received.bytes < TAG_AT || bytes > buffer.len() {
        return None;
    }
    buffer.copy_within(TAG_AT..received.bytes, TAG_AT + tag.len());
    buffer[TAG_AT..TAG_AT + tag.len()].copy_from_slice(&tag);
    Some(bytes)
}

/// The VLAN tag among the control messages, as it was in the frame; none when there was none.
///
/// ```text
///  struct tpacket_auxdata, native order (include/uapi/linux/if_packet.h):
///  0              12           16        18
///  | status u32 | ... | ...    | tci u16 | tpid u16 |
/// ```
fn tag(control: &[u8]) -> Option<[u8; 4]> {
    let data = control_message(control, libc::SOL_PACKET, libc::PACKET_AUXDATA)?;
    let status = u32::from_ne_bytes(*data.first_chunk()?);
    let word = |at: usize| Some(u16::from_ne_bytes(*data.get(at..)?.first_chunk()?).to_be_bytes());
    let ([high, low], [first, second]) = (word(16)?, word(18)?);
    let kind = if status & libc::TP_STATUS_VLAN_TPID_VALID != 0 { [first, second] } else { CUSTOMER_TAG };
    (status & libc::TP_STATUS_VLAN_VALID != 0).then_some([kind[0], kind[1], high, low])
}

/// The time stamp among the control messages (`SCM_TIMESTAMPNS`), in nanoseconds since 1970.
fn stamp_ns(control: &[u8]) -> Option<u64> {
    let data = control_message(control, libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS)?;
    let seconds = i64::from_ne_bytes(*data.first_chunk()?);
    let below = i64::from_ne_bytes(*data.get(8..)?.first_chunk()?);
    u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?.checked_add_signed(below)
}

/// The data of the first control message of that kind.
///
/// ```text
///  cmsghdr, native order:  length usize | level int | kind int | data ...
/// ```
/// `length` counts from the start of the header. A length that leads nowhere ends the search.
fn control_message(mut control: &[u8], level: i32, kind: i32) -> Option<&[u8]> {
    loop {
        let length = usize::from_ne_bytes(*control.first_chunk()?);
        let this_level = i32::from_ne_bytes(*control.get(LEVEL_AT..)?.first_chunk()?);
        let this_kind = i32::from_ne_bytes(*control.get(LEVEL_AT + 4..)?.first_chunk()?);
        let data = control.get(CMSG_HEADER_BYTES..length)?;
        if (this_level, this_kind) == (level, kind) {
            return Some(data);
        }
        control = control.get(length.checked_next_multiple_of(size_of::<usize>())?..)?;
    }
}

/// A tag stands behind both addresses.
const TAG_AT: usize = 12;
/// The EtherType of a customer's tag (IEEE 802.1Q), for kernels that do not tell which it was.
const CUSTOMER_TAG: [u8; 2] = [0x81, 0x00];
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

    fn told(status: u32, tci: u16, tpid: u16) -> Vec<u8> {
        let words = [tci.to_ne_bytes(), tpid.to_ne_bytes()].concat();
        let data = [status.to_ne_bytes().to_vec(), vec![9; 12], words].concat();
        message(libc::SOL_PACKET, libc::PACKET_AUXDATA, &data)
    }

    #[test]
    fn a_tag_that_was_taken_out_is_known_with_its_kind() {
        let both = libc::TP_STATUS_VLAN_VALID | libc::TP_STATUS_VLAN_TPID_VALID;
        let tagged = told(both, 0xa064, 0x88a8);
        assert_eq!(tag(&tagged), Some([0x88, 0xa8, 0xa0, 0x64]));
        assert_eq!(tag(&[stamp(3, 5), tagged.clone()].concat()), Some([0x88, 0xa8, 0xa0, 0x64]));
        assert_eq!(tag(&told(libc::TP_STATUS_VLAN_VALID, 7, 0)), Some([0x81, 0, 0, 7]), "an older kernel");
        assert_eq!((tag(&told(1, 0, 0)), tag(&stamp(3, 5)), tag(&[])), (None, None, None), "no tag");
        for cut in 0..CMSG_HEADER_BYTES + 20 {
            assert_eq!(tag(&tagged[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn the_tag_goes_back_behind_the_addresses_or_the_frame_is_too_long() {
        let control = told(libc::TP_STATUS_VLAN_VALID, 0x0123, 0);
        let received = |bytes| Received::of(bytes, &control);
        let mut buffer = *b"ddddddssssssTTpp....";
        assert_eq!(tagged(&mut buffer, &received(16)), Some(20));
        assert_eq!(&buffer, b"ddddddssssss\x81\x00\x01\x23TTpp");
        assert_eq!(tagged(&mut buffer, &received(17)), None, "no room");
        assert_eq!(tagged(&mut buffer, &received(11)), None, "no frame at all");
        assert_eq!(tagged(&mut buffer, &Received::of(20, &[])), Some(20), "not tagged");
    }
}
