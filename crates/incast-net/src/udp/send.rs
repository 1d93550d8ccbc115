//! Gives trains of messages to a connected UDP socket, and says exactly how many the kernel took.
//!
//! ```text
//!  buffer:  | message | message | ... |     one datagram for the kernel: up to 128 messages (UDP_SEGMENT)
//!           |  datagram   |  datagram   |   one system call: up to 64 of them (sendmmsg)
//! ```
//! Only the counters are written per train. The kernel takes datagrams whole and in order, so what
//! it took is a prefix of the train; the rest was never sent and keeps its counters for the next call.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::flood::Train;
use incast_core::iperf3::datagram::{self as iperf3, Width};
use incast_core::wire::probe;

use super::drive::Outlet;
use crate::clock::{self, Clock};
use crate::socket::{SocketError, path_mtu, reason};
use crate::sys::datagram::{self, DATAGRAMS_MAX};
use crate::sys::option::{self, Settable};
use crate::wait::BLOCK_MAX;

/// A connected socket and the messages that go through it.
#[derive(Debug)]
pub struct UdpOutlet {
    socket: UdpSocket,
    buffer: Vec<u8>,
    message_bytes: usize,
    /// Messages per datagram that the kernel cuts; 1 is no segmentation offload.
    segments: usize,
    /// Refusals since something was last taken.
    refusals: u32,
    caveats: Vec<Caveat>,
    calls: u64,
    refused_replies: u64,
    segments_used: usize,
    /// iperf3's head in place of ours.
    iperf3: Option<(Width, Clock)>,
    /// The id of a stream whose messages carry their departure, each with a reading of the clock of its own.
    probed: Option<u64>,
}

impl UdpOutlet {
    /// Takes over a connected `socket` for messages of `message_bytes`: with the head of the native
    /// protocol if there is a `stream` id, with the counter alone if not. At most `segments_max`
    /// messages share a datagram that the kernel cuts; 1 asks for none of that.
    ///
    /// # Errors
    /// When the send timeout cannot be set.
    ///
    /// # Panics
    /// When a message has no room for its head, or no datagram for a message: the caller has checked it.
    pub fn open(
        socket: UdpSocket,
        message_bytes: u32,
        stream: Option<u64>,
        segments_max: Option<u32>,
    ) -> Result<Self, SocketError> {
        socket.set_nonblocking(false).map_err(|cause| SocketError::new("make a UDP socket wait", cause))?;
        socket
            .set_write_timeout(Some(BLOCK_MAX))
            .map_err(|cause| SocketError::new("set the send timeout of a UDP socket", cause))?;
        let message_bytes = usize::try_from(message_bytes).unwrap_or(usize::MAX);
        let head_bytes = if stream.is_some() { probe::HEAD_BYTES } else { probe::COUNTER_BYTES };
        assert!(
            (head_bytes..=DATAGRAM_BYTES_MAX).contains(&message_bytes),
            "a datagram holds the message and its head"
        );
        let asked = segments_max.map_or(SEGMENTS_MAX, |asked| usize::try_from(asked).unwrap_or(SEGMENTS_MAX));
        let segments = (DATAGRAM_BYTES_MAX / message_bytes).min(SEGMENTS_MAX).min(asked).max(1);
        let datagrams = (CALL_BYTES / (segments * message_bytes)).clamp(1, datagrams_max(segments));
        let mut buffer = vec![0; datagrams * segments * message_bytes];
        if let Some(stream) = stream {
            buffer.chunks_exact_mut(message_bytes).for_each(|message| probe::emit_stream_id(message, stream));
        }
        let mut outlet = Self {
            socket,
            buffer,
            message_bytes,
            segments,
            refusals: 0,
            caveats: Vec::new(),
            calls: 0,
            refused_replies: 0,
            segments_used: 0,
            iperf3: None,
            probed: None,
        };
        outlet.ask_for_segments();
        Ok(outlet)
    }

    /// The same for the messages of a probe, of at least 24 bytes: each leaves alone, with its departure.
    ///
    /// # Errors
    /// When the send timeout cannot be set.
    ///
    /// # Panics
    /// As [`Self::open`].
    pub fn open_probe(socket: UdpSocket, message_bytes: u32, stream: u64) -> Result<Self, SocketError> {
        assert!(message_bytes >= probe::PROBE_MESSAGE_BYTES_MIN, "a message holds its departure");
        let mut outlet = Self::open(socket, message_bytes, Some(stream), Some(1))?;
        outlet.buffer.truncate(outlet.message_bytes);
        Ok(Self { probed: Some(stream), ..outlet })
    }

    /// The same for datagrams of iperf3, of at least 16 bytes: their head has a time and a counter.
    ///
    /// # Errors
    /// When the send timeout cannot be set.
    ///
    /// # Panics
    /// As [`Self::open`].
    pub fn open_iperf3(
        socket: UdpSocket,
        message_bytes: u32,
        width: Width,
        segments_max: Option<u32>,
    ) -> Result<Self, SocketError> {
        assert!(message_bytes >= iperf3::DATAGRAM_BYTES_MIN, "a datagram holds the widest head");
        let outlet = Self::open(socket, message_bytes, None, segments_max)?;
        Ok(Self { iperf3: Some((width, Clock::start())), ..outlet })
    }

    /// Messages that one call can take.
    #[must_use]
    pub fn room(&self) -> u32 {
        u32::try_from(self.buffer.len() / self.message_bytes).unwrap_or(u32::MAX)
    }

    /// Sends the first messages of `train`, and returns how many the kernel took: consecutive, from the
    /// first. Fewer than asked, even none, is no error: the socket's buffer was full for 20 ms, or an
    /// answer of the network to an earlier datagram came in between. The caller sends the rest.
    ///
    /// # Errors
    /// When the kernel refuses these messages for good. None of them was taken.
    pub fn send(&mut self, train: Train) -> io::Result<u32> {
        let messages = train.messages.min(self.room());
        let Ok(count) = usize::try_from(messages) else { return Ok(0) };
        let bytes = &mut self.buffer[..count * self.message_bytes];
        let numbered = (train.first..).zip(bytes.chunks_exact_mut(self.message_bytes));
        match &self.iperf3 {
            None => numbered.for_each(|(counter, message)| probe::emit_counter(message, counter)),
            Some((width, clock)) => {
                let now = clock.now();
                numbered.for_each(|(counter, message)| iperf3::emit(message, now, counter, *width));
            }
        }
        loop {
            let bytes = &mut self.buffer[..count * self.message_bytes];
            if self.probed.is_some() {
                probe::emit_departure(bytes, clock::shared_ns());
            }
            self.calls += 1;
            match datagram::send(self.socket.as_fd(), bytes, self.segments * self.message_bytes) {
                Ok(datagrams) => {
                    self.refusals = 0;
                    let taken = (datagrams * self.segments).min(count);
                    self.segments_used = self.segments_used.max(taken.min(self.segments));
                    return Ok(u32::try_from(taken).map_or(messages, |taken| taken.min(messages)));
                }
                Err(error) if is_full(&error) => return Ok(0),
                Err(error) => self.handle_refusal(error)?,
            }
        }
    }

    /// The id of the stream, if its messages are those of a probe.
    #[must_use]
    pub fn probed(&self) -> Option<u64> {
        self.probed
    }

    /// System calls so far.
    #[must_use]
    pub fn send_calls(&self) -> u64 {
        self.calls
    }

    /// Largest number of messages in one datagram that the kernel was given.
    #[must_use]
    pub fn segments_used(&self) -> u32 {
        u32::try_from(self.segments_used).unwrap_or(u32::MAX)
    }

    /// Answers of the network to earlier datagrams ("nobody listens there") that were noticed. There
    /// may have been more: the kernel keeps one until the next call.
    #[must_use]
    pub fn refused_replies(&self) -> u64 {
        self.refused_replies
    }

    /// What the kernel refused.
    #[must_use]
    pub fn caveats(&self) -> &[Caveat] {
        &self.caveats
    }

    /// The socket, to ask for its buffer.
    #[must_use]
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Whether to try again after `error`: `Ok` is yes, with what had to change changed.
    fn handle_refusal(&mut self, error: io::Error) -> io::Result<()> {
        if self.segments > 1 && is_segmentation_refusal(&error) {
            self.segments = fewer_segments(self.segments, &error);
            if self.segments == 1 {
                self.give_up_segments(&error);
            }
            return Ok(());
        }
        self.refused_replies += u64::from(is_reply(&error));
        self.refusals += 1;
        let again = (is_reply(&error) || is_filtered(&error)) && self.refusals < REFUSALS_MAX;
        if again { Ok(()) } else { Err(error) }
    }

    /// Tells the kernel where to cut. It then treats every send longer than that as many datagrams.
    fn ask_for_segments(&mut self) {
        if self.segments == 1 {
            return;
        }
        let bytes = i32::try_from(self.message_bytes).unwrap_or(i32::MAX);
        if let Err(error) = option::set(self.socket.as_fd(), Settable::UdpSegment, bytes) {
            self.give_up_segments(&error);
        }
    }

    fn give_up_segments(&mut self, error: &io::Error) {
        self.segments = 1;
        // It could be set, so it can be unset; and if it never was, there is nothing to unset.
        let _ = option::set(self.socket.as_fd(), Settable::UdpSegment, 0);
        let peer = self.socket.peer_addr().ok();
        self.caveats.push(gso_refused(self.message_bytes, path_mtu(self.socket.as_fd()), peer, error));
    }
}

impl Outlet for UdpOutlet {
    fn room(&self) -> u32 {
        self.room()
    }

    fn send(&mut self, train: Train) -> io::Result<u32> {
        self.send(train)
    }

    fn complete(&mut self, _: Train) -> io::Result<u32> {
        Ok(0)
    }
}

/// Whether `error` is about an earlier datagram: an ICMP answer to it. The kernel reports it once, in
/// place of sending or receiving (Linux `net/ipv4/icmp.c` `icmp_err_convert`, the fatal ones).
pub(crate) fn is_reply(error: &io::Error) -> bool {
    const REPLIES: [i32; 6] = [
        libc::ECONNREFUSED,
        libc::EHOSTUNREACH,
        libc::ENETUNREACH,
        libc::EHOSTDOWN,
        libc::ENONET,
        libc::ENOPROTOOPT,
    ];
    error.raw_os_error().is_some_and(|code| REPLIES.contains(&code))
}

/// The host's own firewall dropped the datagram: it was not sent, the next one may be.
fn is_filtered(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPERM)
}

/// Nothing could be taken now; later it can.
fn is_full(error: &io::Error) -> bool {
    const FULL: [i32; 4] = [libc::EAGAIN, libc::ENOBUFS, libc::ENOMEM, libc::EINTR];
    error.raw_os_error().is_some_and(|code| FULL.contains(&code))
}

/// Errors by which `udp_send_skb` (Linux `net/ipv4/udp.c`) refuses to cut a datagram.
fn is_segmentation_refusal(error: &io::Error) -> bool {
    const REFUSALS: [i32; 4] = [libc::EINVAL, libc::EMSGSIZE, libc::EIO, libc::EOPNOTSUPP];
    error.raw_os_error().is_some_and(|code| REFUSALS.contains(&code))
}

/// What to try after `segments` were refused: an older kernel's bound, or none at all.
fn fewer_segments(segments: usize, error: &io::Error) -> usize {
    let too_many = error.raw_os_error() == Some(libc::EINVAL) && segments > SEGMENTS_MAX_OLD;
    if too_many { SEGMENTS_MAX_OLD } else { 1 }
}

fn gso_refused(
    message_bytes: usize,
    mtu: Option<usize>,
    peer: Option<SocketAddr>,
    error: &io::Error,
) -> Caveat {
    // IP and UDP header, without options.
    let header_bytes = if peer.is_some_and(|peer| peer.is_ipv6()) { 48 } else { 28 };
    let peer = peer.map_or_else(|| "its peer".to_owned(), |peer| peer.to_string());
    let reason = reason(error);
    let (why, advice) = match mtu.filter(|mtu| message_bytes + header_bytes > *mtu) {
        Some(mtu) => (
            format!("a message of {message_bytes} B does not fit the path MTU of {mtu} B"),
            format!("choose messages of at most {} B, or a larger MTU", mtu - header_bytes.min(mtu)),
        ),
        None => (
            reason.clone(),
            "see that checksum offload is on (`ethtool -K DEVICE tx on`) and no IPsec on the route"
                .to_owned(),
        ),
    };
    let text = format!(
        "the kernel refused segmentation offload (UDP_SEGMENT) to {peer}: {why}; one datagram per message was sent"
    );
    Caveat::new(CaveatKind::GsoRefused, text, advice)
}

/// The most that a UDP datagram over IPv4 can hold: 65535 less IP (20) and UDP (8) header.
const DATAGRAM_BYTES_MAX: usize = 65_507;
/// `UDP_MAX_SEGMENTS` of Linux 6.9 and newer.
const SEGMENTS_MAX: usize = 128;
/// `UDP_MAX_SEGMENTS` before.
const SEGMENTS_MAX_OLD: usize = 64;
/// Bytes given to the kernel in one call, unless one datagram has more: they stay in the second-level
/// cache between the calls.
const CALL_BYTES: usize = 256 << 10;
/// Refusals in a row after which the socket is given up: every answer of the network makes one, and
/// the next try then succeeds.
const REFUSALS_MAX: u32 = 64;

/// Datagrams in one call.
const fn datagrams_max(segments: usize) -> usize {
    if segments > 1 { 8 } else { DATAGRAMS_MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i32) -> io::Error {
        io::Error::from_raw_os_error(code)
    }

    #[test]
    fn an_older_kernels_bound_is_tried_before_offload_is_given_up() {
        assert_eq!(fewer_segments(128, &error(libc::EINVAL)), 64);
        assert_eq!(fewer_segments(64, &error(libc::EINVAL)), 1);
        for code in [libc::EMSGSIZE, libc::EIO, libc::EOPNOTSUPP] {
            assert_eq!(fewer_segments(128, &error(code)), 1);
        }
    }

    #[test]
    fn the_caveat_says_what_was_in_the_way() {
        let peer = Some(SocketAddr::from(([10, 0, 0, 1], 7000)));
        let caveat = gso_refused(1_473, Some(1_500), peer, &error(libc::EMSGSIZE));
        assert!(
            caveat.text.contains("to 10.0.0.1:7000: a message of 1473 B does not fit the path MTU of 1500 B")
        );
        assert_eq!(caveat.advice, "choose messages of at most 1472 B, or a larger MTU");
        let caveat = gso_refused(1_472, Some(1_500), peer, &error(libc::EIO));
        assert!(
            caveat.text.contains("input/output error") && caveat.advice.contains("ethtool"),
            "{caveat:?}"
        );
    }

    #[test]
    fn no_error_is_of_two_kinds() {
        for code in 1..134 {
            let error = error(code);
            let kinds =
                [is_full(&error), is_reply(&error), is_filtered(&error), is_segmentation_refusal(&error)];
            assert!(kinds.iter().filter(|kind| **kind).count() <= 1, "{error}");
        }
    }
}
