//! Raw Ethernet through AF_XDP: frames pass between the driver, or the kernel just behind it, and memory of ours,
//! and never become packets of the kernel's.
//!
//! At the receiver a small program at the interface (`program`) sends the frames of our EtherType to a socket for
//! each queue; everything else goes on to the kernel as before. The program is held by descriptors, and goes with
//! the process. A sender needs no program: only its socket.

mod inlet;
mod outlet;
mod program;

pub(super) use inlet::XdpInlet;
pub(super) use outlet::XdpSender;

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use socket2::{Domain, Socket, Type};

use super::{Interface, NEEDS_ROOT};
use crate::socket::SocketError;
use crate::sys::xdp::memory::Memory;
use crate::sys::xdp::ring::Ring;
use crate::sys::xdp::{self, Which};

/// Bytes of a chunk, in which one frame lies: a page, the most that the kernel takes.
pub(super) const CHUNK_BYTES: u32 = 4096;

/// A socket with its memory and the two rings that every socket has.
///
/// Fields are dropped in this order: the socket goes before the memory that it uses.
struct Base {
    socket: OwnedFd,
    fill: Ring<u64>,
    completion: Ring<u64>,
    memory: Memory,
}

impl Base {
    /// Opens a socket of `chunks` chunks, a power of two.
    fn open(interface: &Interface, chunks: u32) -> Result<Self, SocketError> {
        let name = &interface.name;
        if interface.is_loopback() {
            let cause = "AF_XDP does not go over loopback; use a network, or a pair of virtual interfaces (incast lab)";
            return Err(SocketError::new(format!("use AF_XDP on {name}"), io::Error::other(cause)));
        }
        let socket = Socket::new_raw(Domain::from(libc::AF_XDP), Type::RAW, None).map_err(|cause| {
            let text = if cause.raw_os_error() == Some(libc::EAFNOSUPPORT) {
                "open an AF_XDP socket (this kernel has none: CONFIG_XDP_SOCKETS)".to_owned()
            } else {
                format!("open an AF_XDP socket {NEEDS_ROOT}")
            };
            SocketError::new(text, cause)
        })?;
        let prepared = || {
            socket.set_cloexec(true)?;
            let bytes =
                usize::try_from(u64::from(chunks) * u64::from(CHUNK_BYTES)).map_err(io::Error::other)?;
            let memory = Memory::open(bytes)?;
            xdp::register(socket.as_fd(), &memory, CHUNK_BYTES)?;
            xdp::size_ring(socket.as_fd(), Which::Fill, chunks)?;
            xdp::size_ring(socket.as_fd(), Which::Completion, chunks)?;
            let fill = Ring::open(socket.as_fd(), Which::Fill, chunks)?;
            let completion = Ring::open(socket.as_fd(), Which::Completion, chunks)?;
            Ok((fill, completion, memory))
        };
        let (fill, completion, memory) = prepared().map_err(|cause: io::Error| {
            SocketError::new(
                format!("give {chunks} chunks of {CHUNK_BYTES} B to an AF_XDP socket on {name}"),
                cause,
            )
        })?;
        Ok(Self { socket: socket.into(), fill, completion, memory })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
