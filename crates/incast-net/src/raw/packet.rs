//! Raw Ethernet through packet(7) sockets: a ring to receive (`TPACKET_V3`), many frames per call to send.
//!
//! A ring takes frames of our EtherType without a copy to us and without a call per batch while there are any.
//! Card and kernel take VLAN tags off before a socket of one EtherType sees the frame, and it is not told which
//! it was: where a tag is wanted, the socket takes all frames through a filter, and is told.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::control::SendPlan;
use incast_core::raw::{RawPlan, VlanTag};
use incast_core::record::{Buffer, RawSide};
use incast_core::units::Bytes;
use incast_core::wire::ethernet::{FrameHead, tag_of};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Socket, Type};

use super::{Interface, NEEDS_ROOT};
use crate::faults::{FaultCounters, count};
use crate::hub::{DropCounter, Inlet};
use crate::socket::{self, Granted, SocketError, UDP_RECEIVE_BUFFER, reason};
use crate::sys::packet::{self, Flag};
use crate::sys::ring::{Ring, RingFrame};
use crate::udp::{Arrival, PeerAddress};
use crate::wait::{BLOCK_MAX, Wait};

/// A socket that sends whole frames by `interface`, and receives nothing.
pub(super) fn connect(interface: &Interface, plan: &SendPlan) -> Result<(OwnedFd, Granted), SocketError> {
    let (socket, failed) = (open(interface)?, failed(interface));
    socket.set_write_timeout(Some(BLOCK_MAX)).map_err(&failed)?;
    let mut granted = socket::ask_buffer(socket.as_fd(), socket::Side::Send, plan.send_buffer);
    packet::bind(socket.as_fd(), interface.index, 0).map_err(&failed)?;
    if plan.raw.qdisc_bypass
        && let Err(error) = packet::set(socket.as_fd(), Flag::QdiscBypass)
    {
        let text = format!("the kernel refused PACKET_QDISC_BYPASS: {}", reason(&error));
        granted.caveats.push(Caveat::new(CaveatKind::SettingRefused, text, "use Linux 3.14 or newer"));
    }
    Ok((socket.into(), granted))
}

/// A ring to which the frames of one EtherType come.
pub(super) struct PacketInlet {
    ring: Ring,
    socket: OwnedFd,
    ethertype: u16,
    vlan: Option<VlanTag>,
    interface: String,
    faults: Arc<FaultCounters>,
    last: Instant,
    blocks: u64,
}

impl PacketInlet {
    /// Opens the ring.
    pub(super) fn open(
        interface: &Interface,
        plan: &RawPlan,
        receive_buffer: Option<Bytes>,
        faults: Arc<FaultCounters>,
    ) -> Result<(Self, DropCounter, Granted), SocketError> {
        let (socket, failed) = (open(interface)?, failed(interface));
        let asked = receive_buffer.unwrap_or(UDP_RECEIVE_BUFFER);
        let blocks = u32::try_from(asked.0 / u64::from(BLOCK_BYTES)).unwrap_or(BLOCKS_MAX);
        let blocks = blocks.clamp(BLOCKS_MIN, BLOCKS_MAX);
        // Everything before the bind: afterwards frames come.
        packet::set(socket.as_fd(), Flag::IgnoreOutgoing).map_err(&failed)?;
        let ring = Ring::open(socket.as_fd(), BLOCK_BYTES, blocks, PATIENCE_MS).map_err(|cause| {
            let text = format!("map a ring of {blocks} blocks of {BLOCK_BYTES} B on {}", interface.name);
            SocketError::new(text, cause)
        })?;
        let protocol = if plan.vlan.is_some() {
            packet::keep_only(socket.as_fd(), plan.ethertype).map_err(&failed)?;
            ALL_PROTOCOLS
        } else {
            plan.ethertype
        };
        packet::bind(socket.as_fd(), interface.index, protocol).map_err(&failed)?;
        let drops = DropCounter::Ring(socket.try_clone().map_err(&failed)?.into(), 0);
        let buffer =
            Buffer { asked_bytes: Some(asked.0), granted_bytes: u64::from(BLOCK_BYTES) * u64::from(blocks) };
        let inlet = Self {
            ring,
            socket: socket.into(),
            ethertype: plan.ethertype,
            vlan: plan.vlan,
            interface: interface.name.clone(),
            faults,
            last: Instant::now(),
            blocks: 0,
        };
        Ok((inlet, drops, Granted { buffer, caveats: Vec::new() }))
    }
}

impl Inlet for PacketInlet {
    fn receive(&mut self, wait: Wait, mut on: impl FnMut(Arrival<'_>)) -> io::Result<usize> {
        let (ethertype, vlan, faults) = (self.ethertype, self.vlan, &self.faults);
        let mut hand = |frame: RingFrame<'_>| match arrival(&frame, ethertype, vlan) {
            Some(arrival) => on(arrival),
            None => count(&faults.strangers),
        };
        let mut came = self.ring.take(&mut hand);
        if came.is_none() && wait == Wait::Block {
            let mut socket = [PollFd::new(&self.socket, PollFlags::IN)];
            let patience = Timespec::try_from(BLOCK_MAX).map_err(io::Error::other)?;
            match poll(&mut socket, Some(&patience)) {
                // The interface is down: the kernel says so until it is asked, and again when it goes up.
                Ok(_) if socket[0].revents().contains(PollFlags::ERR) => {
                    let _ = rustix::net::sockopt::socket_error(&self.socket);
                    std::thread::sleep(BLOCK_MAX);
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            came = self.ring.take(&mut hand);
        }
        if came.is_some() {
            self.blocks += 1;
            self.last = Instant::now();
        }
        Ok(came.unwrap_or(0))
    }

    fn is_emptied_by(&self, came: usize) -> bool {
        // What the kernel still collects in a block comes when its patience is over.
        came == 0 && self.last.elapsed() > QUIET
    }

    fn receive_calls(&self) -> u64 {
        self.blocks
    }

    fn caveats(&self) -> &[Caveat] {
        &[]
    }

    fn raw(&self) -> Option<RawSide> {
        Some(RawSide {
            interface: Some(self.interface.clone()),
            carrier: "packet ring".into(),
            ..RawSide::default()
        })
    }
}

/// A frame as what a hub takes; `None` if it is none of ours.
fn arrival<'a>(frame: &RingFrame<'a>, ethertype: u16, vlan: Option<VlanTag>) -> Option<Arrival<'a>> {
    let (head, message) = FrameHead::parse(frame.bytes)?;
    let tag = frame.tag.map(tag_of).or(head.vlan);
    // Which tag a frame had is told only where one is wanted.
    let fits = vlan.is_none_or(|wanted| tag.is_some_and(|tag| tag.id == wanted.id));
    (head.ethertype == ethertype && fits)
        .then(|| Arrival::single(PeerAddress::of_card(head.source), message, frame.truncated))
}

fn open(interface: &Interface) -> Result<Socket, SocketError> {
    // Protocol 0: nothing comes before it is bound.
    Socket::new(Domain::PACKET, Type::RAW, None).map_err(|cause| {
        SocketError::new(format!("open a packet socket for {} {NEEDS_ROOT}", interface.name), cause)
    })
}

fn failed(interface: &Interface) -> impl Fn(io::Error) -> SocketError {
    let text = format!("prepare a packet socket for {}", interface.name);
    move |cause| SocketError::new(text.clone(), cause)
}

/// `ETH_P_ALL`.
const ALL_PROTOCOLS: u16 = 0x0003;
/// Bytes of a block: a frame of the largest MTU fits, and a block stays in the second-level cache.
const BLOCK_BYTES: u32 = 256 << 10;
/// With one block only, either the kernel or we would wait.
const BLOCKS_MIN: u32 = 4;
/// 1 GiB.
const BLOCKS_MAX: u32 = 4096;
/// Milliseconds after which the kernel gives us a block that is not full.
const PATIENCE_MS: u32 = 2;
/// A ring that was empty for so long holds nothing in an unfinished block: its patience, rounded up to the tick of
/// older kernels (10 ms at 100 Hz).
const QUIET: Duration = Duration::from_millis(15);

#[cfg(test)]
mod tests {
    use incast_core::raw::MacAddress;

    use super::*;

    fn frame(vlan: Option<VlanTag>, ethertype: u16) -> Vec<u8> {
        let head = FrameHead { destination: MacAddress([2; 6]), source: MacAddress([4; 6]), vlan, ethertype };
        let mut bytes = vec![0; head.bytes()];
        head.emit(&mut bytes);
        bytes.extend(b"0123456789abcdef");
        bytes
    }

    #[test]
    fn only_our_ethertype_and_our_vlan_come_through() {
        let seven = Some(VlanTag { id: 7, priority: 3 });
        let seen = |bytes: &[u8], tag, wanted| {
            arrival(&RingFrame { bytes, truncated: false, tag }, 0x88B5, wanted)
                .map(|arrival| (arrival.bytes.len(), arrival.from.origin()))
        };
        let ours = Some((16, Some(crate::udp::Origin::Card(MacAddress([4; 6])))));
        let (plain, tagged) = (frame(None, 0x88B5), frame(seven, 0x88B5));
        assert_eq!(seen(&plain, None, None), ours);
        assert_eq!(seen(&tagged, None, seven), ours);
        // A card took the tag off; the priority may have been changed on the way.
        assert_eq!(seen(&plain, Some(7), seven), ours);
        for (bytes, tag, wanted) in [
            (&plain, None, seven),
            (&plain, Some(8), seven),
            (&frame(None, 0x0800), None, None),
            (&plain[..13].to_vec(), None, None),
        ] {
            assert_eq!(seen(bytes, tag, wanted), None, "{bytes:?}");
        }
    }
}
