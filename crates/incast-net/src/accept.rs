//! Accepting a connection without waiting for ever: the owner looks at its stop flag in between.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use incast_core::time::Span;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The next connection, if one comes within `patience`.
///
/// # Errors
/// When the kernel fails; a connection that ended before it was accepted is none.
pub fn accept_within(listener: &TcpListener, patience: Span) -> io::Result<Option<(TcpStream, SocketAddr)>> {
    let timeout = Timespec::try_from(patience.to_std()).map_err(io::Error::other)?;
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    match poll(&mut fds, Some(&timeout)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    match listener.accept() {
        Ok(accepted) => Ok(Some(accepted)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether `peer` is on this host: it came over loopback, or from the very address that it reached.
#[must_use]
pub fn is_from_this_host(connection: &TcpStream, peer: SocketAddr) -> bool {
    let peer = peer.ip().to_canonical();
    peer.is_loopback() || connection.local_addr().is_ok_and(|here| here.ip().to_canonical() == peer)
}
