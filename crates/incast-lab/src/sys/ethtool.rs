//! Switches an interface's offloads on and off (`SIOCETHTOOL`, include/uapi/linux/ethtool.h).

#![expect(unsafe_code, reason = "system calls")]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// `ETHTOOL_STXCSUM`: checksums left to the interface.
pub(crate) const TX_CHECKSUM: u32 = 0x17;
/// `ETHTOOL_STSO`: TCP segmentation.
pub(crate) const TSO: u32 = 0x1f;
/// `ETHTOOL_SGSO`: segmentation after the queue.
pub(crate) const GSO: u32 = 0x24;
/// `ETHTOOL_SGRO`: joining on the way in.
pub(crate) const GRO: u32 = 0x2c;

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Sets one offload of `interface`, in the namespace of `socket`.
pub(crate) fn set(socket: BorrowedFd<'_>, interface: &str, command: u32, on: bool) -> io::Result<()> {
    let mut value = Value { command, data: u32::from(on) };
    // SAFETY: `ifreq` is plain old data, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_data = std::ptr::from_mut(&mut value).cast();
    // SAFETY: the name ends in a zero, since it is shorter than its field; `ifru_data` points to a
    // `struct ethtool_value`, as each of these commands wants, which lives until after the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
