//! One read from a stream into the room that a buffer has left.
//!
//! The room is never filled with zeros first: at tens of Gbit/s that would cost as much as a good part of
//! the read.
#![expect(unsafe_code, reason = "the length of a buffer that the kernel wrote to")]

use std::io;
use std::os::fd::BorrowedFd;

use bytes::{BufMut, BytesMut};
use rustix::net::{RecvFlags, recv};

/// Reads once, without waiting, at most `bytes_max`, behind what `buffer` holds; returns how many bytes came.
/// 0 is the end of the stream, or a buffer without room.
pub(crate) fn receive(fd: BorrowedFd<'_>, buffer: &mut BytesMut, bytes_max: usize) -> io::Result<usize> {
    let room = buffer.spare_capacity_mut();
    let most = room.len().min(bytes_max);
    let ((filled, _), _) = recv(fd, &mut room[..most], RecvFlags::DONTWAIT)?;
    let came = filled.len();
    // SAFETY: `came` bytes of the spare capacity, from its beginning on, were initialised by the kernel,
    // as rustix says by the slice that it gives back; they lie within the capacity.
    unsafe { buffer.advance_mut(came) };
    Ok(came)
}
