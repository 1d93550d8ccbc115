//! Gives trains of messages to a TCP connection, and says exactly how many are wholly in it.
//!
//! ```text
//!  buffer:  | message | message | ... | message |     one write
//!                 ^ offset: where a write that was cut short goes on
//! ```
//! Only the counters are written per train. A message larger than the buffer is written in pieces: its
//! head from the start of the buffer, everything behind from what follows the head, which is all zero.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;

use incast_core::flood::{FloodSender, Train};
use incast_core::time::{Span, Time};
use incast_core::wire::probe;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::clock::Clock;
use crate::socket::SocketError;
use crate::udp::drive::{Control, Outlet, flood};
use crate::wait::BLOCK_MAX;

/// A connection and the messages that go through it.
#[derive(Debug)]
pub struct TcpOutlet {
    stream: TcpStream,
    buffer: Vec<u8>,
    message_bytes: usize,
    /// Bytes of the next message that are in the connection already.
    offset: usize,
    calls: u64,
}

impl TcpOutlet {
    /// Takes over a connected `stream` for messages of `message_bytes`: with the head of the native
    /// protocol if there is a `stream_id`, with the counter alone if not.
    ///
    /// # Errors
    /// When the send timeout cannot be set.
    ///
    /// # Panics
    /// When a message has no room for its head: the caller has checked it.
    pub fn open(stream: TcpStream, message_bytes: u32, stream_id: Option<u64>) -> Result<Self, SocketError> {
        stream.set_nonblocking(false).map_err(|cause| SocketError::new("make a TCP socket wait", cause))?;
        stream
            .set_write_timeout(Some(BLOCK_MAX))
            .map_err(|cause| SocketError::new("set the send timeout of a TCP socket", cause))?;
        let message_bytes = usize::try_from(message_bytes).unwrap_or(usize::MAX);
        let head_bytes = if stream_id.is_some() { probe::HEAD_BYTES } else { probe::COUNTER_BYTES };
        assert!(message_bytes >= head_bytes, "a message holds its head");
        let messages = (WRITE_BYTES / message_bytes).max(1);
        let mut buffer = vec![0; (messages * message_bytes).min(WRITE_BYTES)];
        if let Some(id) = stream_id {
            buffer.chunks_mut(message_bytes).for_each(|message| probe::emit_stream_id(message, id));
        }
        Ok(Self { stream, buffer, message_bytes, offset: 0, calls: 0 })
    }

    /// Messages that one call can take.
    #[must_use]
    pub fn room(&self) -> u32 {
        u32::try_from((self.buffer.len() / self.message_bytes).max(1)).unwrap_or(u32::MAX)
    }

    /// Writes messages of `train`, and returns how many are whole now: consecutive, from the first.
    /// Fewer than asked, even none, is no error: the connection had no room for 20 ms, or the message
    /// is larger than one write. The next call must begin with the message after those, which may
    /// have begun already.
    ///
    /// # Errors
    /// When the connection is gone. Messages wholly written before stay counted.
    pub fn send(&mut self, train: Train) -> io::Result<u32> {
        let messages = usize::try_from(train.messages.min(self.room())).unwrap_or(1);
        if messages == 0 {
            return Ok(0);
        }
        for (counter, message) in
            (train.first..).zip(self.buffer.chunks_mut(self.message_bytes).take(messages))
        {
            probe::emit_counter(message, counter);
        }
        self.offset += self.write(messages)?;
        let whole = self.offset / self.message_bytes;
        self.offset %= self.message_bytes;
        Ok(u32::try_from(whole).unwrap_or(u32::MAX))
    }

    /// Bytes of a message that has begun and is not whole. Anything but 0 at the end of a flood means
    /// that the connection was given up in the middle of a message, which counts as unsent.
    #[must_use]
    pub fn partial_bytes(&self) -> usize {
        self.offset
    }

    /// System calls so far.
    #[must_use]
    pub fn send_calls(&self) -> u64 {
        self.calls
    }

    /// The connection, to ask for its state or to shut it down.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// One write of what is left of the first `messages` in the buffer; returns the bytes taken.
    fn write(&mut self, messages: usize) -> io::Result<usize> {
        let left = messages * self.message_bytes - self.offset;
        // Behind the head of a message larger than the buffer, any zeros will do.
        let from = if self.offset < self.buffer.len() { self.offset } else { probe::HEAD_BYTES };
        let to = self.buffer.len().min(from + left);
        self.calls += 1;
        match send(self.stream.as_fd(), &self.buffer[from..to], SendFlags::NOSIGNAL) {
            Ok(bytes) => Ok(bytes),
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS | Errno::NOMEM) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

impl Outlet for TcpOutlet {
    fn room(&self) -> u32 {
        self.room()
    }

    fn send(&mut self, train: Train) -> io::Result<u32> {
        self.send(train)
    }

    /// Bounded: a peer that takes nothing, or a trickle, is left after [`COMPLETION_MAX`].
    fn complete(&mut self, train: Train) -> io::Result<u32> {
        let message = Train { messages: 1, ..train };
        let clock = Clock::start();
        while self.offset > 0 && clock.now() < Time::ZERO + COMPLETION_MAX {
            if self.send(message)? == 1 {
                return Ok(1);
            }
        }
        Ok(0)
    }
}

/// Floods through a TCP connection until the sender is finished or stopped. `deadline` is the sender's
/// own (its start and `Stop::after`): when it comes, the message in progress is finished and no other
/// begun.
///
/// # Errors
/// When the connection is gone. The sender has then ended, and counts the messages wholly written.
pub fn flood_tcp(
    sender: &mut FloodSender,
    outlet: &mut TcpOutlet,
    clock: &Clock,
    control: &Control,
    deadline: Option<Time>,
) -> io::Result<()> {
    flood(sender, outlet, clock, control, deadline)
}

/// Bytes of one write.
const WRITE_BYTES: usize = 128 << 10;
/// How long the end of a message that has begun may take: long enough for 16 MiB at 200 Mbit/s, short
/// enough for a peer that has gone silent.
const COMPLETION_MAX: Span = Span::from_s(1);
