//! Where frames go out: sends them from one interface as they are.
//!
//! What the kernel refuses is counted and not tried again: a packet that is due and cannot leave is
//! lost, as on a cable.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::io::Errno;
use rustix::net::netdevice::name_to_index;
use rustix::net::sockopt::set_socket_send_buffer_size_force;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::frame::Frame;
use crate::sys::packet;

/// What was sent may stay charged to the sender until the next host or router takes it, through all
/// queues of a bridged switch. A small allowance would make the link, not the switch, drop.
const SEND_BUFFER_BYTES: usize = 256 << 20;

/// A socket that sends frames from one interface and receives nothing.
#[derive(Debug)]
pub(super) struct Outlet {
    socket: OwnedFd,
}

impl Outlet {
    /// Sends from `interface`, in the network namespace of the calling thread.
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let (socket, index) = packet_socket(interface)?;
        set_socket_send_buffer_size_force(&socket, SEND_BUFFER_BYTES)?;
        packet::bind(socket.as_fd(), index, NO_PROTOCOL)?;
        Ok(Self { socket })
    }

    /// Sends all of `frames`, which may be no more than one call takes; returns how many were refused.
    pub(super) fn send(&self, frames: &[Frame]) -> u64 {
        let (mut done, mut refused) = (0, 0);
        while done < frames.len() {
            match packet::send(self.socket.as_fd(), frames[done..].iter().map(Frame::as_bytes)) {
                Ok(taken) if taken > 0 => done += taken,
                Err(error) if Errno::from_io_error(&error) == Some(Errno::INTR) => {}
                _ => (done, refused) = (done + 1, refused + 1),
            }
        }
        refused
    }
}

/// A packet socket that is not bound yet, and the index of `interface`.
pub(super) fn packet_socket(interface: &str) -> io::Result<(OwnedFd, u32)> {
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let index = name_to_index(&socket, interface)?;
    Ok((socket, index))
}

/// Bound without a protocol, a packet socket receives nothing.
const NO_PROTOCOL: u16 = 0;
