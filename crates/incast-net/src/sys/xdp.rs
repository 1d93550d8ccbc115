//! AF_XDP sockets (Linux Documentation/networking/af_xdp.rst): options, binding, the wake-up of a sender.
//!
//! Memory and rings that are shared with the kernel are in `sys::xdp::ring` and `sys::xdp::memory`.
#![expect(unsafe_code, reason = "system calls")]

pub(crate) mod memory;
pub(crate) mod ring;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, socklen_t};

use super::packet::{length, set_option};
use memory::Memory;

/// How frames pass between driver and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    Copy,
    ZeroCopy,
}

/// The rings of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Frames that came.
    Receive,
    /// Frames to be sent.
    Send,
    /// Room for frames to come.
    Fill,
    /// Room of frames that were sent.
    Completion,
}

/// `setsockopt(XDP_UMEM_REG)`: frames lie in chunks of `chunk_bytes` of `memory`, which must outlive the socket.
pub(crate) fn register(socket: BorrowedFd<'_>, memory: &Memory, chunk_bytes: u32) -> io::Result<()> {
    let (start, bytes) = memory.extent();
    // The first form, which every kernel takes: the later ones add what is not used here.
    let request = libc::xdp_umem_reg_v1 { addr: start, len: bytes, chunk_size: chunk_bytes, headroom: 0 };
    // SAFETY: the value is a local of the length told; the memory is mapped, and the caller keeps it.
    unsafe {
        set_option(
            socket,
            libc::SOL_XDP,
            libc::XDP_UMEM_REG,
            (&raw const request).cast(),
            length::<libc::xdp_umem_reg_v1>(),
        )
    }
}

/// `setsockopt` of a ring's entries, a power of two.
pub(crate) fn size_ring(socket: BorrowedFd<'_>, which: Which, entries: u32) -> io::Result<()> {
    set_word(socket, which.option(), entries)
}

/// `setsockopt(XDP_MAX_TX_SKB_BUDGET)`: frames that one wake-up sends (Linux 6.17; 32 before).
pub(crate) fn set_budget(socket: BorrowedFd<'_>, frames: u32) -> io::Result<()> {
    set_word(socket, MAX_TX_SKB_BUDGET, frames)
}

/// `bind` to a queue of an interface.
pub(crate) fn bind(
    socket: BorrowedFd<'_>,
    interface_index: u32,
    queue: u32,
    passing: Passing,
) -> io::Result<()> {
    let address = libc::sockaddr_xdp {
        sxdp_family: u16::try_from(libc::AF_XDP).unwrap_or_default(),
        sxdp_flags: match passing {
            Passing::Copy => libc::XDP_COPY,
            Passing::ZeroCopy => libc::XDP_ZEROCOPY,
        },
        sxdp_ifindex: interface_index,
        sxdp_queue_id: queue,
        sxdp_shared_umem_fd: 0,
    };
    // SAFETY: the descriptor is open while it is borrowed; the address is a local of the length told, and the
    // kernel keeps a copy.
    let done = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length::<libc::sockaddr_xdp>())
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `getsockopt(XDP_STATISTICS)`: frames for which there was no room, in memory or in the ring, since the socket was
/// opened. That the fill ring was empty is the first of the two seen from the other side, and not counted again.
pub(crate) fn drops(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut counted = [0_u64; 6];
    let bytes = read(socket, libc::XDP_STATISTICS, &mut counted)?;
    let [dropped, _, _, ring_full, ..] = counted;
    // Kernels before 5.9 tell three counters.
    Ok(dropped + if bytes > 24 { ring_full } else { 0 })
}

/// `sendto` of nothing: the kernel sends what is in the ring.
pub(crate) fn wake(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open while it is borrowed; there are no bytes and no address.
    let done = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            std::ptr::null(),
            0,
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            std::ptr::null(),
            0,
        )
    };
    if done >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `getsockopt` of eight-byte numbers; returns how many bytes the kernel wrote.
fn read(socket: BorrowedFd<'_>, name: c_int, into: &mut [u64]) -> io::Result<usize> {
    let mut bytes = socklen_t::try_from(size_of_val(into)).unwrap_or_default();
    // SAFETY: the descriptor is open while it is borrowed; the kernel writes at most the length of the slice told,
    // for which any bytes are a value, and the new length to a local.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_XDP, name, into.as_mut_ptr().cast(), &raw mut bytes)
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(bytes).map_err(io::Error::other)
}

fn set_word(socket: BorrowedFd<'_>, name: c_int, value: u32) -> io::Result<()> {
    // SAFETY: the value is a local of the length told, and these options keep no pointer.
    unsafe { set_option(socket, libc::SOL_XDP, name, (&raw const value).cast(), length::<u32>()) }
}

impl Which {
    fn option(self) -> c_int {
        match self {
            Self::Receive => libc::XDP_RX_RING,
            Self::Send => libc::XDP_TX_RING,
            Self::Fill => libc::XDP_UMEM_FILL_RING,
            Self::Completion => libc::XDP_UMEM_COMPLETION_RING,
        }
    }
}

/// Linux include/uapi/linux/if_xdp.h.
const MAX_TX_SKB_BUDGET: c_int = 9;
