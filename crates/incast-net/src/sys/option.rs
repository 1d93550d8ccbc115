//! Socket options that no dependency wraps: a closed set, so that any call is sound.
//!
//! Some options take addresses in their value (`TCP_ZEROCOPY_RECEIVE`, `SO_ATTACH_FILTER`); a
//! function that took any number for its option could be made to write anywhere.
#![expect(unsafe_code, reason = "system calls")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, socklen_t};

/// Options whose value is one integer, to be set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settable {
    /// Tells with each datagram when the kernel received it, by the wall clock.
    ArrivalTime,
    /// Tells with each datagram its time to live.
    Ipv4TimeToLive,
    /// Tells with each datagram its hop limit.
    Ipv6HopLimit,
    /// Tells with each datagram to which of our addresses it came.
    Ipv4PacketInfo,
    /// The same over IPv6, datagrams over IPv4 to such a socket included.
    Ipv6PacketInfo,
    /// Bytes per segment of a large send; 0 is off (Linux 4.18, `net/ipv4/udp.c`).
    UdpSegment,
    /// Several datagrams of one flow may be received as one (Linux 5.0).
    UdpGro,
    /// What the kernel and the card tell of when a packet came (`SOF_TIMESTAMPING_*`); 0 is nothing.
    Timestamping,
    /// Leave out the UDP checksum: with it, segmentation offload is refused.
    #[cfg(test)]
    NoChecksum,
}

/// Options to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Readable {
    /// `struct tcp_info`, in the length that this kernel knows.
    TcpInfo,
    /// Nine `u32`: memory and drops of the socket.
    MemoryInfo,
    /// Path MTU of a connected IPv4 socket, `int`.
    Ipv4Mtu,
    /// Path MTU of a connected IPv6 socket, `int`.
    Ipv6Mtu,
}

/// `setsockopt` of one integer.
pub(crate) fn set(socket: BorrowedFd<'_>, option: Settable, value: c_int) -> io::Result<()> {
    let (level, name) = match option {
        Settable::ArrivalTime => (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS),
        Settable::Ipv4TimeToLive => (libc::SOL_IP, libc::IP_RECVTTL),
        Settable::Ipv6HopLimit => (libc::SOL_IPV6, libc::IPV6_RECVHOPLIMIT),
        Settable::Ipv4PacketInfo => (libc::SOL_IP, libc::IP_PKTINFO),
        Settable::Ipv6PacketInfo => (libc::SOL_IPV6, libc::IPV6_RECVPKTINFO),
        Settable::UdpSegment => (libc::SOL_UDP, libc::UDP_SEGMENT),
        Settable::UdpGro => (libc::SOL_UDP, libc::UDP_GRO),
        Settable::Timestamping => (libc::SOL_SOCKET, libc::SO_TIMESTAMPING),
        #[cfg(test)]
        Settable::NoChecksum => (libc::SOL_SOCKET, libc::SO_NO_CHECK),
    };
    // SAFETY: the descriptor is open while it is borrowed; the value is a local `int`, its length is
    // told, and none of the options above keeps or follows a pointer.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), INT_BYTES) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `getsockopt` into `value`; returns how many bytes the kernel wrote.
pub(crate) fn read(socket: BorrowedFd<'_>, option: Readable, value: &mut [u8]) -> io::Result<usize> {
    let (level, name) = match option {
        Readable::TcpInfo => (libc::SOL_TCP, libc::TCP_INFO),
        Readable::MemoryInfo => (libc::SOL_SOCKET, libc::SO_MEMINFO),
        Readable::Ipv4Mtu => (libc::SOL_IP, libc::IP_MTU),
        Readable::Ipv6Mtu => (libc::SOL_IPV6, libc::IPV6_MTU),
    };
    let mut length = socklen_t::try_from(value.len()).unwrap_or(socklen_t::MAX);
    // SAFETY: the descriptor is open while it is borrowed; the kernel writes at most `length` bytes
    // to `value`, which is at least so long, and the new length to a local; none of the options
    // above reads its value or follows a pointer in it.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut length)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(length).map_or(0, |length| length.min(value.len())))
}

#[expect(clippy::cast_possible_truncation, reason = "4")]
const INT_BYTES: socklen_t = size_of::<c_int>() as socklen_t;
