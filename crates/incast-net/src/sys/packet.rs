//! packet(7) sockets: which frames come to them, and how they send; what they counted.
//!
//! Their receive ring is in `sys::ring`; frames are sent with `sys::datagram`, many per call.
#![expect(unsafe_code, reason = "system calls")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_void, socklen_t};

/// Options that are switched on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flag {
    /// Frames that this host sends do not come in (Linux 4.20).
    IgnoreOutgoing,
    /// Frames go to the driver without waiting in the interface's queue (Linux 3.14).
    QdiscBypass,
}

/// `bind` to an interface, for frames of `protocol`: an EtherType, or `ETH_P_ALL`. With 0 nothing comes in.
pub(crate) fn bind(socket: BorrowedFd<'_>, interface_index: u32, protocol: u16) -> io::Result<()> {
    // SAFETY: `sockaddr_ll` is plain old data, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = c_int::try_from(interface_index).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open while it is borrowed; the address is a local of the length told, and the
    // kernel keeps a copy.
    let done =
        unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length::<libc::sockaddr_ll>()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `setsockopt` of a flag, to 1.
pub(crate) fn set(socket: BorrowedFd<'_>, flag: Flag) -> io::Result<()> {
    let name = match flag {
        Flag::IgnoreOutgoing => libc::PACKET_IGNORE_OUTGOING,
        Flag::QdiscBypass => libc::PACKET_QDISC_BYPASS,
    };
    let value: c_int = 1;
    // SAFETY: the value is a local `int`, its length is told, and neither option keeps or follows a pointer.
    unsafe { set_option(socket, libc::SOL_PACKET, name, (&raw const value).cast(), length::<c_int>()) }
}

/// `setsockopt(SO_ATTACH_FILTER)`: only frames whose protocol is `ethertype`, a VLAN tag taken off, come in.
pub(crate) fn keep_only(socket: BorrowedFd<'_>, ethertype: u16) -> io::Result<()> {
    // `SKF_AD_OFF + SKF_AD_PROTOCOL` (Linux include/uapi/linux/filter.h): the kernel's own word, which is behind
    // a tag that a card or the kernel took off.
    const PROTOCOL: u32 = 0xFFFF_F000;
    let line = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = [
        line(BPF_LD_H_ABS, 0, 0, PROTOCOL),
        line(BPF_JMP_JEQ_K, 0, 1, ethertype.into()),
        line(BPF_RET_K, 0, 0, u32::MAX),
        line(BPF_RET_K, 0, 0, 0),
    ];
    let program = libc::sock_fprog { len: 4, filter: program.as_mut_ptr() };
    // SAFETY: the program is a local of the four instructions told, and the kernel copies it.
    unsafe {
        set_option(
            socket,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            length::<libc::sock_fprog>(),
        )
    }
}

/// `getsockopt(PACKET_STATISTICS)` of a socket with a ring of version 3: frames dropped for want of room since
/// this was last called.
pub(crate) fn take_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut counted = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
    let mut bytes: socklen_t = length::<libc::tpacket_stats_v3>();
    // SAFETY: the descriptor is open while it is borrowed; the kernel writes at most `bytes` bytes, the size of
    // the local, for which any bytes are a value.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut counted).cast(),
            &raw mut bytes,
        )
    };
    if done == 0 { Ok(counted.tp_drops) } else { Err(io::Error::last_os_error()) }
}

/// `setsockopt`.
///
/// # Safety
/// `value` must point to `bytes` bytes that are a value of this option, and what it points to must outlive the
/// call.
pub(super) unsafe fn set_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: *const c_void,
    bytes: socklen_t,
) -> io::Result<()> {
    // SAFETY: the descriptor is open while it is borrowed; the rest is the caller's condition.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value, bytes) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Bytes of a type that a call is told of; all of them are small.
pub(super) fn length<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or_default()
}

/// Classic BPF (Linux include/uapi/linux/bpf_common.h): load a half-word, jump if equal, return.
const BPF_LD_H_ABS: u16 = 0x28;
const BPF_JMP_JEQ_K: u16 = 0x15;
const BPF_RET_K: u16 = 0x06;
