//! Interfaces of this host, or of the namespace that the calling thread is in: names, addresses, MTU.
#![expect(unsafe_code, reason = "system calls")]

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// One address of one interface, as `getifaddrs` lists them.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) is_up: bool,
    pub(crate) what: What,
}

/// What kind of address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Ip(IpAddr),
    /// Of the card, with the interface's index.
    Card([u8; 6], u32),
}

/// `getifaddrs`: every address of every interface; kinds that are not known here are left out.
pub(crate) fn addresses() -> io::Result<Vec<Address>> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the pointer is a local, which the call sets to a list, or leaves alone when it fails.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut out = Vec::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: `next` is an entry of the list that `getifaddrs` made, which is not freed before the end.
        let entry = unsafe { &*next };
        next = entry.ifa_next;
        // SAFETY: the name of an entry is a string that ends with a zero, and lives as long as the list.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy().into_owned();
        if entry.ifa_addr.is_null() {
            continue;
        }
        // SAFETY: the address of an entry that has one is at least a `sockaddr`, and as long as its family's.
        let what = unsafe { read(entry.ifa_addr) };
        let is_up = entry.ifa_flags & u32::try_from(libc::IFF_UP).unwrap_or(1) != 0;
        out.extend(what.map(|what| Address { name, is_up, what }));
    }
    // SAFETY: `first` is the list that `getifaddrs` made; nothing of it is kept.
    unsafe { libc::freeifaddrs(first) };
    Ok(out)
}

/// What the address says.
///
/// # Safety
/// `address` must point to an address that is as long as its family's.
unsafe fn read(address: *const libc::sockaddr) -> Option<What> {
    // SAFETY: by the condition above, every family's address is at least a `sockaddr`.
    let family = i32::from(unsafe { (*address).sa_family });
    match family {
        libc::AF_INET => {
            // SAFETY: by the condition above it is a `sockaddr_in`; it need not be aligned for a read like this.
            let v4 = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(What::Ip(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into()))
        }
        libc::AF_INET6 => {
            // SAFETY: as above, a `sockaddr_in6`.
            let v6 = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(What::Ip(Ipv6Addr::from(v6.sin6_addr.s6_addr).into()))
        }
        libc::AF_PACKET => {
            // SAFETY: as above, a `sockaddr_ll`.
            let card = unsafe { address.cast::<libc::sockaddr_ll>().read_unaligned() };
            let bytes = card.sll_addr.first_chunk::<6>()?;
            let index = u32::try_from(card.sll_ifindex).ok()?;
            (card.sll_halen == 6).then_some(What::Card(*bytes, index))
        }
        _ => None,
    }
}

/// `ioctl(SIOCETHTOOL, ETHTOOL_GCHANNELS)`: queues into which the interface sorts what comes; an error where the
/// driver has no say.
pub(crate) fn receive_queues(socket: BorrowedFd<'_>, name: &str) -> io::Result<u32> {
    // `struct ethtool_channels`: command, four limits, then the counts of receive, send, other and combined queues.
    let mut channels = [0_u32; 9];
    channels[0] = ETHTOOL_GCHANNELS;
    let mut request = request(name)?;
    request.ifr_ifru.ifru_data = channels.as_mut_ptr().cast();
    // SAFETY: the descriptor is open while it is borrowed; the request is a local `ifreq` whose name ends with a zero
    // and whose data points to a local of the size of what this command reads and writes.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let [_, _, _, _, _, receive, _, _, combined] = channels;
    Ok(receive + combined)
}

/// `ioctl(SIOCGIFMTU)`: largest payload of the interface's frames, in bytes.
pub(crate) fn mtu(socket: BorrowedFd<'_>, name: &str) -> io::Result<u32> {
    let mut request = request(name)?;
    // SAFETY: the descriptor is open while it is borrowed; this request reads the name of a local `ifreq`, which
    // ends with a zero, and writes its MTU.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU, &raw mut request) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just written this field of the union.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    u32::try_from(mtu).map_err(io::Error::other)
}

/// A request about the interface of that name; its last byte stays zero.
fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: `ifreq` is plain old data, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    Ok(request)
}

/// Linux include/uapi/linux/sockios.h and ethtool.h.
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_GCHANNELS: u32 = 0x3c;
