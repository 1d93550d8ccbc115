//! The control connection: bytes in and out, in the clear.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longest wait for bytes in one call: what else happens is looked at in between.
const TICK: Duration = Duration::from_millis(5);
/// A peer that does not take our few bytes for so long is gone.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// One control connection.
#[derive(Debug)]
pub(super) struct Control {
    stream: TcpStream,
    buffer: Box<[u8; 4096]>,
}

impl Control {
    /// Takes over `stream`.
    pub(super) fn open(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(WRITE_MAX))?;
        Ok(Self { stream, buffer: Box::new([0; 4096]) })
    }

    /// What came within a few milliseconds; empty if nothing did, `None` at the end.
    pub(super) fn read(&mut self) -> Option<&[u8]> {
        match self.stream.read(self.buffer.as_mut_slice()) {
            Ok(0) => None,
            Ok(bytes) => Some(&self.buffer[..bytes]),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Some(&[]),
                _ => None,
            },
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }
}
