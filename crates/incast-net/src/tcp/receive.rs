//! Takes bytes from a TCP connection, as many per system call as there are.
//!
//! It cuts no messages: the owner's deframer does. The end of the stream and a reset are told apart,
//! because the one is a sender that has finished and the other a sender that has died.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::socket::SocketError;
use crate::wait::{BLOCK_MAX, Wait};

/// A connection from which bytes are taken.
#[derive(Debug)]
pub struct TcpInlet {
    stream: TcpStream,
    buffer: Vec<u8>,
    calls: u64,
}

impl TcpInlet {
    /// Takes over `stream`: its receive timeout.
    ///
    /// # Errors
    /// When the timeout cannot be set.
    pub fn open(stream: TcpStream) -> Result<Self, SocketError> {
        stream.set_nonblocking(false).map_err(|cause| SocketError::new("make a TCP socket wait", cause))?;
        stream
            .set_read_timeout(Some(BLOCK_MAX))
            .map_err(|cause| SocketError::new("set the receive timeout of a TCP socket", cause))?;
        Ok(Self { stream, buffer: vec![0; READ_BYTES], calls: 0 })
    }

    /// At most `bytes` in one call, and at least one.
    pub fn set_batch(&mut self, bytes: usize) {
        self.buffer.truncate(bytes.max(1));
    }

    /// Takes what is there and gives it to `on`; returns how many bytes, 0 if none came within the wait,
    /// `None` at the end of the stream.
    ///
    /// # Errors
    /// `ConnectionReset` when the peer's end died; others when the socket fails.
    #[inline]
    pub fn receive(&mut self, wait: Wait, mut on: impl FnMut(&[u8])) -> io::Result<Option<usize>> {
        let flags = match wait {
            Wait::Poll => RecvFlags::DONTWAIT,
            Wait::Block => RecvFlags::empty(),
        };
        match recv(&self.stream, self.buffer.as_mut_slice(), flags) {
            Ok((_, 0)) => Ok(None),
            Ok((_, bytes)) => {
                self.calls += 1;
                on(&self.buffer[..bytes]);
                Ok(Some(bytes))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Some(0)),
            Err(error) => Err(error.into()),
        }
    }

    /// Receive calls that brought something; a poll in vain is none.
    #[must_use]
    pub fn receive_calls(&self) -> u64 {
        self.calls
    }

    /// The connection, to ask for its buffer or to shut it down.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsFd for TcpInlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Bytes of one read: what fits the second-level cache beside the kernel's own buffers.
const READ_BYTES: usize = 256 << 10;
