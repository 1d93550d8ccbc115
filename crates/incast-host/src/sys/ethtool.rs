//! Asking a driver, and telling it (`SIOCETHTOOL`, Linux v6.8 `include/uapi/linux/ethtool.h`).
//!
//! Commands whose structure has a fixed size, in memory larger than the largest; those of a driver's own
//! statistics are in `driver`.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// A structure of ethtool as 32-bit words; the first is the command.
pub(crate) type Words = [u32; WORDS];

/// `struct ethtool_drvinfo`, the largest of them, has 49.
const WORDS: usize = 64;

/// A command whose structure fits [`Words`], with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command(u32);

impl Command {
    pub(crate) const DRIVER: Self = Self(0x03);
    pub(crate) const COALESCING: Self = Self(0x0e);
    pub(crate) const SET_COALESCING: Self = Self(0x0f);
    pub(crate) const RINGS: Self = Self(0x10);
    pub(crate) const SET_RINGS: Self = Self(0x11);
    pub(crate) const PAUSE: Self = Self(0x12);
    pub(crate) const SET_PAUSE: Self = Self(0x13);
    pub(crate) const RX_CHECKSUM: Self = Self(0x14);
    pub(crate) const SET_RX_CHECKSUM: Self = Self(0x15);
    pub(crate) const TX_CHECKSUM: Self = Self(0x16);
    pub(crate) const SET_TX_CHECKSUM: Self = Self(0x17);
    pub(crate) const SG: Self = Self(0x18);
    pub(crate) const SET_SG: Self = Self(0x19);
    pub(crate) const TSO: Self = Self(0x1e);
    pub(crate) const SET_TSO: Self = Self(0x1f);
    pub(crate) const GSO: Self = Self(0x23);
    pub(crate) const SET_GSO: Self = Self(0x24);
    pub(crate) const GRO: Self = Self(0x2b);
    pub(crate) const SET_GRO: Self = Self(0x2c);
    pub(crate) const CHANNELS: Self = Self(0x3c);
}

/// `ioctl(SIOCETHTOOL)`: gives `words` with this command to the driver of `interface`, in the namespace of
/// `socket`, and leaves its answer there.
pub(crate) fn call(
    socket: BorrowedFd<'_>,
    interface: &str,
    command: Command,
    words: &mut Words,
) -> io::Result<()> {
    words[0] = command.0;
    request(socket, interface, words)
}

/// The system call, about `interface` in the namespace of `socket`. The first word of `data` is the command,
/// and `data` has room for all that the kernel may write for it: the callers in this folder see to that.
pub(super) fn request(socket: BorrowedFd<'_>, interface: &str, data: &mut [u32]) -> io::Result<()> {
    // SAFETY: `ifreq` is plain old data, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_data = data.as_mut_ptr().cast();
    // SAFETY: the descriptor is open while it is borrowed; the name ends in a zero, since it is shorter than
    // its field; `ifru_data` points to memory that lives until after the call, as aligned as the structure of
    // any command, and larger: than every structure of fixed size (`call`), or with room for twice the most
    // names and values that are asked for (`driver`).
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
