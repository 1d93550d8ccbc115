//! Frames as they are on the interface: packet(7) sockets, many frames per system call.
//!
//! The headers that the kernel wants are built on the stack for each call and die with it, so no
//! pointer outlives what it points to. What the kernel wrote beside a frame is handed out as plain
//! bytes; `link::inlet` reads them. What rustix offers is taken from there.

#![expect(unsafe_code, reason = "system calls")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use libc::{c_int, socklen_t};

/// Most frames of one call, either way.
pub(crate) const FRAMES_MAX: usize = 32;
/// Room for control messages: a time stamp takes 32 bytes, what is told of a tag 40; the rest is for kernels that say
/// more.
pub(crate) const CONTROL_BYTES: usize = 128;

/// What `recvmmsg` tells of one frame besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    control: [u8; CONTROL_BYTES],
    control_bytes: usize,
    /// Bytes written to its buffer.
    pub(crate) bytes: usize,
    /// The frame was longer than its buffer.
    pub(crate) truncated: bool,
}

impl Received {
    pub(crate) const EMPTY: Self =
        Self { control: [0; CONTROL_BYTES], control_bytes: 0, bytes: 0, truncated: false };

    /// The control messages as the kernel wrote them.
    pub(crate) fn control(&self) -> &[u8] {
        &self.control[..self.control_bytes.min(CONTROL_BYTES)]
    }

    /// As if the kernel had told this of a frame.
    #[cfg(test)]
    pub(crate) fn of(bytes: usize, control: &[u8]) -> Self {
        let mut received = Self { bytes, control_bytes: control.len(), ..Self::EMPTY };
        received.control[..control.len()].copy_from_slice(control);
        received
    }
}

/// What a socket counted since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Frames that came to it, those dropped included.
    pub(crate) packets: u32,
    /// Frames for which it had no room.
    pub(crate) dropped: u32,
}

/// `bind` to the interface of that index, for frames of `protocol` (`ETH_P_*`). With protocol 0 the
/// socket sends there and receives nothing.
pub(crate) fn bind(socket: BorrowedFd<'_>, interface_index: u32, protocol: u16) -> io::Result<()> {
    // SAFETY: `sockaddr_ll` is plain old data, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or(0);
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = c_int::try_from(interface_index).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open while it is borrowed; the address is a local of the length told,
    // and the kernel keeps a copy.
    let done = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length(size_of::<libc::sockaddr_ll>()))
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `setsockopt(PACKET_IGNORE_OUTGOING)`: do not receive what is sent from this interface (Linux 4.20).
pub(crate) fn ignore_outgoing(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_flag(socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING)
}

/// `setsockopt(SO_TIMESTAMPNS)`: tell with every frame when the kernel got it, by the wall clock.
pub(crate) fn stamp_arrivals(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_flag(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)
}

/// `setsockopt(PACKET_AUXDATA)`: tell with every frame the VLAN tag that was taken out of it.
pub(crate) fn tell_tags(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_flag(socket, libc::SOL_PACKET, libc::PACKET_AUXDATA)
}

/// Sets an option whose value is an `int`, to 1. For the callers above only: others take pointers.
fn set_flag(socket: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<()> {
    let value: c_int = 1;
    // SAFETY: the descriptor is open while it is borrowed; the value is a local `int`, its length is
    // told, and the options that are asked for here neither keep nor follow a pointer.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            length(size_of::<c_int>()),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `getsockopt(PACKET_STATISTICS)`: what the socket counted since this was last called.
pub(crate) fn statistics(socket: BorrowedFd<'_>) -> io::Result<Statistics> {
    let mut counted = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut bytes: socklen_t = length(size_of::<libc::tpacket_stats>());
    // SAFETY: the descriptor is open while it is borrowed; the kernel writes at most `bytes` bytes,
    // which is the size of the local, for which any bytes are a value.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut counted).cast(),
            &raw mut bytes,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Statistics { packets: counted.tp_packets, dropped: counted.tp_drops })
}

/// `sendmmsg` of whole frames, at most [`FRAMES_MAX`]; never waits. Returns how many were taken; the
/// error is that of the first.
pub(crate) fn send<'a>(socket: BorrowedFd<'_>, frames: impl Iterator<Item = &'a [u8]>) -> io::Result<usize> {
    let mut pieces = [const { MaybeUninit::<libc::iovec>::uninit() }; FRAMES_MAX];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; FRAMES_MAX];
    let mut count = 0;
    for (piece, frame) in pieces.iter_mut().zip(frames) {
        // The kernel only reads what it sends.
        let piece =
            piece.write(libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() });
        let header = headers[count].write(EMPTY_HEADER);
        header.msg_hdr.msg_iov = &raw mut *piece;
        header.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    // SAFETY: the descriptor is open while it is borrowed; the first `count` headers are initialised;
    // each points to an initialised iovec that points to a frame borrowed for `'a`, and all of them
    // outlive the call; name and control are null with length 0. The kernel writes only the `msg_len`
    // of each header.
    let taken = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr().cast(),
            length(count),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    };
    usize::try_from(taken).map_err(|_| io::Error::last_os_error())
}

/// `recvmmsg` into `buffers`, at most [`FRAMES_MAX`]; never waits. Tells of each frame in `into` and
/// returns how many came.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    buffers: &mut [Box<[u8]>],
    into: &mut [Received],
) -> io::Result<usize> {
    let mut pieces = [const { MaybeUninit::<libc::iovec>::uninit() }; FRAMES_MAX];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; FRAMES_MAX];
    let mut count = 0;
    for (piece, (buffer, received)) in pieces.iter_mut().zip(buffers.iter_mut().zip(into.iter_mut())) {
        let piece = piece.write(libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() });
        let header = &mut headers[count].write(EMPTY_HEADER).msg_hdr;
        header.msg_iov = &raw mut *piece;
        header.msg_iovlen = 1;
        header.msg_control = received.control.as_mut_ptr().cast();
        header.msg_controllen = CONTROL_BYTES as _;
        count += 1;
    }
    // SAFETY: the descriptor is open while it is borrowed; the first `count` headers are initialised;
    // each points to an initialised iovec, to a buffer and a control buffer of the lengths told, all
    // borrowed mutably, none shared between headers, and all outliving the call. No address is asked
    // for and no timeout is passed.
    let came = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr().cast(),
            length(count),
            libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
        )
    };
    let came = usize::try_from(came).map_err(|_| io::Error::last_os_error())?.min(count);
    for ((header, received), buffer) in headers.iter().zip(into.iter_mut()).zip(buffers).take(came) {
        // SAFETY: this header is one of the first `count`: initialised above.
        let header = unsafe { header.assume_init_ref() };
        received.bytes = usize::try_from(header.msg_len).map_or(0, |bytes| bytes.min(buffer.len()));
        received.control_bytes = header.msg_hdr.msg_controllen;
        received.truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
    }
    Ok(came)
}

fn length<T: TryFrom<usize> + Default>(count: usize) -> T {
    // Everything counted here is below 100.
    T::try_from(count).unwrap_or_default()
}

// SAFETY: a header of integers and pointers, for which zero is a value: null and no length.
const EMPTY_HEADER: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
