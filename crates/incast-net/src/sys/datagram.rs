//! Many datagrams per system call: `sendmmsg` and `recvmmsg`.
//!
//! The headers that the kernel wants are built on the stack for each call and die with it, so no
//! pointer outlives what it points to. Only as many are built as are used. What the kernel wrote is
//! handed out as plain bytes; `udp::arrival` reads them.
#![expect(unsafe_code, reason = "system calls")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Most datagrams of one call, either way.
pub(crate) const DATAGRAMS_MAX: usize = 64;
/// Room for a peer's address: `sockaddr_in6`, the longest there is here.
pub(crate) const ADDRESS_BYTES: usize = size_of::<libc::sockaddr_in6>();
/// Room for control messages: one `int` takes 24 bytes, the stamps of a packet 64; the rest is for kernels that
/// say more.
pub(crate) const CONTROL_BYTES: usize = 128;

/// What `recvmmsg` tells of one datagram besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// Control messages; they are read byte by byte, so they need no alignment.
    control: [u8; CONTROL_BYTES],
    pub(crate) address: [u8; ADDRESS_BYTES],
    pub(crate) address_bytes: usize,
    pub(crate) control_bytes: usize,
    /// Bytes written to its buffer.
    pub(crate) bytes: usize,
    /// The buffer, or the room for control messages, was too small.
    pub(crate) truncated: bool,
}

impl Received {
    pub(crate) const EMPTY: Self = Self {
        control: [0; CONTROL_BYTES],
        address: [0; ADDRESS_BYTES],
        address_bytes: 0,
        control_bytes: 0,
        bytes: 0,
        truncated: false,
    };

    /// The control messages as the kernel wrote them.
    pub(crate) fn control(&self) -> &[u8] {
        &self.control[..self.control_bytes.min(CONTROL_BYTES)]
    }
}

/// `sendmmsg` of `bytes`, cut into datagrams of `datagram_bytes` (the last may be shorter), to the
/// peer that the socket is connected to. At most [`DATAGRAMS_MAX`]; returns how many were taken.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], datagram_bytes: usize) -> io::Result<usize> {
    let mut pieces = [const { MaybeUninit::<libc::iovec>::uninit() }; DATAGRAMS_MAX];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; DATAGRAMS_MAX];
    let mut count = 0;
    for (piece, bytes) in pieces.iter_mut().zip(bytes.chunks(datagram_bytes.max(1))) {
        // The kernel only reads what it sends.
        let piece =
            piece.write(libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() });
        let header = headers[count].write(EMPTY_HEADER);
        header.msg_hdr.msg_iov = &raw mut *piece;
        header.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    // SAFETY: the descriptor is open while it is borrowed; the first `count` headers are initialised;
    // each points to an initialised iovec that points into `bytes`, and all of them outlive the call;
    // name and control are null with length 0. The kernel writes only the `msg_len` of each header.
    let taken = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr().cast(), length(count), libc::MSG_NOSIGNAL)
    };
    usize::try_from(taken).map_err(|_| io::Error::last_os_error())
}

/// `sendmsg` of one datagram to the address `to`, a `sockaddr` as the kernel wrote it, with control messages. Never waits.
pub(crate) fn send_one(socket: BorrowedFd<'_>, bytes: &[u8], to: &[u8], control: &[u8]) -> io::Result<()> {
    // The kernel only reads what it sends.
    let mut piece = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut header = EMPTY_HEADER.msg_hdr;
    header.msg_iov = &raw mut piece;
    header.msg_iovlen = 1;
    header.msg_name = to.as_ptr().cast_mut().cast();
    header.msg_namelen = length(to.len().min(ADDRESS_BYTES));
    header.msg_control = control.as_ptr().cast_mut().cast();
    header.msg_controllen = control.len().min(CONTROL_BYTES) as _;
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: the descriptor is open while it is borrowed; the header is initialised and points to one iovec, an address
    // and control messages that are initialised, no shorter than told, and outlive the call. The kernel copies all of them
    // before it looks at them, so that they need no alignment, and writes to none. `sendmsg` does not follow what a
    // control message of these families holds.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, flags) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `recvmmsg` into buffers of `stride` bytes that lie one after the other in `buffers`; tells of each
/// in `into` and returns how many came. Waits as long as the socket's receive timeout for the first
/// if `wait`, never for the others.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    buffers: &mut [u8],
    stride: usize,
    into: &mut [Received],
    wait: bool,
) -> io::Result<usize> {
    let mut pieces = [const { MaybeUninit::<libc::iovec>::uninit() }; DATAGRAMS_MAX];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; DATAGRAMS_MAX];
    let mut count = 0;
    let places = buffers.chunks_exact_mut(stride.max(1)).zip(into.iter_mut());
    for (piece, (buffer, received)) in pieces.iter_mut().zip(places) {
        let piece = piece.write(libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() });
        let header = &mut headers[count].write(EMPTY_HEADER).msg_hdr;
        header.msg_iov = &raw mut *piece;
        header.msg_iovlen = 1;
        header.msg_name = received.address.as_mut_ptr().cast();
        header.msg_namelen = length(ADDRESS_BYTES);
        header.msg_control = received.control.as_mut_ptr().cast();
        header.msg_controllen = CONTROL_BYTES as _;
        count += 1;
    }
    let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
    // SAFETY: the descriptor is open while it is borrowed; the first `count` headers are initialised;
    // each points to an initialised iovec, to a buffer, an address and a control buffer of the lengths
    // told, all borrowed mutably, none shared between headers, and all outliving the call. No timeout
    // is passed.
    let came = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr().cast(),
            length(count),
            flags,
            std::ptr::null_mut(),
        )
    };
    let came = usize::try_from(came).map_err(|_| io::Error::last_os_error())?;
    for (header, received) in headers.iter().zip(into.iter_mut()).take(came.min(count)) {
        // SAFETY: this header is one of the first `count`: initialised above.
        let header = unsafe { header.assume_init_ref() };
        received.bytes = usize::try_from(header.msg_len).map_or(0, |bytes| bytes.min(stride));
        received.address_bytes =
            usize::try_from(header.msg_hdr.msg_namelen).map_or(0, |n| n.min(ADDRESS_BYTES));
        received.control_bytes = header.msg_hdr.msg_controllen;
        received.truncated = header.msg_hdr.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
    }
    Ok(came)
}

fn length<T: TryFrom<usize> + Default>(count: usize) -> T {
    // Everything counted here is below 100.
    T::try_from(count).unwrap_or_default()
}

// SAFETY: a header of integers and pointers, for which zero is a value: null and no length.
const EMPTY_HEADER: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
