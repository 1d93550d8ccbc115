//! Receives through AF_XDP: a socket for each queue of the interface.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::raw::{RawPlan, VlanTag, XdpMode};
use incast_core::record::{Buffer, RawSide};
use incast_core::units::Bytes;
use incast_core::wire::ethernet::FrameHead;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::program::Attached;
use super::{Base, CHUNK_BYTES};
use crate::faults::{FaultCounters, count};
use crate::hub::{DropCounter, Inlet};
use crate::raw::Interface;
use crate::socket::{Granted, SocketError, UDP_RECEIVE_BUFFER, reason};
use crate::sys::bpf::Place;
use crate::sys::interface;
use crate::sys::xdp::ring::{Descriptor, Ring};
use crate::sys::xdp::{self, Passing, Which};
use crate::udp::{Arrival, PeerAddress};
use crate::wait::{BLOCK_MAX, Wait};

/// Sockets to which the frames of one EtherType come.
pub(crate) struct XdpInlet {
    /// Goes first: nothing comes any more.
    _program: Attached,
    queues: Vec<Queue>,
    ethertype: u16,
    vlan: Option<VlanTag>,
    side: RawSide,
    caveats: Vec<Caveat>,
    faults: Arc<FaultCounters>,
    calls: u64,
}

/// One queue.
struct Queue {
    received: Ring<Descriptor>,
    base: Base,
}

impl XdpInlet {
    /// Attaches the program and opens a socket for every queue.
    pub(crate) fn open(
        interface: &Interface,
        plan: &RawPlan,
        receive_buffer: Option<Bytes>,
        faults: Arc<FaultCounters>,
    ) -> Result<(Self, DropCounter, Granted), SocketError> {
        let asked = receive_buffer.unwrap_or(UDP_RECEIVE_BUFFER);
        let chunks = u32::try_from(asked.0 / u64::from(CHUNK_BYTES)).unwrap_or(CHUNKS_MAX);
        let chunks = chunks.clamp(CHUNKS_MIN, CHUNKS_MAX).next_power_of_two();
        let count = queue_count(interface)?;
        // Sockets first: without permission or AF_XDP there is nothing to attach.
        let mut queues = Vec::new();
        for _ in 0..count {
            queues.push(Queue::open(interface, chunks)?);
        }
        let (program, place, refusal) = attach(interface, plan, count)?;
        let failed = |queue: u32, cause| {
            SocketError::new(format!("bind AF_XDP to queue {queue} of {}", interface.name), cause)
        };
        let mut passing = Passing::Copy;
        for (number, queue) in (0..).zip(&mut queues) {
            passing =
                queue.bind(interface, number, plan.xdp, place).map_err(|cause| failed(number, cause))?;
            program.put(number, queue.base.fd()).map_err(|cause| failed(number, cause))?;
        }
        let sockets: io::Result<Vec<OwnedFd>> =
            queues.iter().map(|queue| queue.base.socket.try_clone()).collect();
        let drops = DropCounter::Xdp(sockets.map_err(|cause| failed(0, cause))?);
        let granted_bytes = u64::from(CHUNK_BYTES) * u64::from(chunks) * u64::from(count);
        let buffer = Buffer { asked_bytes: Some(asked.0), granted_bytes };
        let side = RawSide {
            interface: Some(interface.name.clone()),
            carrier: carrier(place, passing),
            ..RawSide::default()
        };
        let inlet = Self {
            _program: program,
            queues,
            ethertype: plan.ethertype,
            vlan: plan.vlan,
            side,
            caveats: refusal.into_iter().collect(),
            faults,
            calls: 0,
        };
        Ok((inlet, drops, Granted { buffer, caveats: Vec::new() }))
    }

    /// Waits until one of the sockets has something, at most [`BLOCK_MAX`].
    fn wait(&self) -> io::Result<()> {
        let sockets =
            self.queues.iter().map(|queue| PollFd::from_borrowed_fd(queue.base.fd(), PollFlags::IN));
        let mut sockets: Vec<PollFd<'_>> = sockets.collect();
        let patience = Timespec::try_from(BLOCK_MAX).map_err(io::Error::other)?;
        match poll(&mut sockets, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn take(&mut self, mut on: impl FnMut(Arrival<'_>)) -> usize {
        let (ethertype, vlan, faults) = (self.ethertype, self.vlan, &self.faults);
        let mut came = 0;
        for queue in &mut self.queues {
            came += queue.take(|frame| match arrival(frame, ethertype, vlan) {
                Some(arrival) => on(arrival),
                None => count(&faults.strangers),
            });
        }
        came
    }
}

impl Inlet for XdpInlet {
    fn receive(&mut self, wait: Wait, mut on: impl FnMut(Arrival<'_>)) -> io::Result<usize> {
        let mut came = self.take(&mut on);
        if came == 0 && wait == Wait::Block {
            self.wait()?;
            came = self.take(&mut on);
        }
        self.calls += u64::from(came > 0);
        Ok(came)
    }

    fn is_emptied_by(&self, came: usize) -> bool {
        came == 0
    }

    fn receive_calls(&self) -> u64 {
        self.calls
    }

    fn caveats(&self) -> &[Caveat] {
        &self.caveats
    }

    fn raw(&self) -> Option<RawSide> {
        Some(self.side.clone())
    }
}

impl Queue {
    fn open(interface: &Interface, chunks: u32) -> Result<Self, SocketError> {
        let mut base = Base::open(interface, chunks)?;
        let failed =
            |cause| SocketError::new(format!("map the rings of AF_XDP on {}", interface.name), cause);
        xdp::size_ring(base.fd(), Which::Receive, chunks).map_err(failed)?;
        let received = Ring::open(base.fd(), Which::Receive, chunks).map_err(failed)?;
        // Every chunk is the kernel's at first.
        let all = (0..u64::from(chunks)).map(|chunk| chunk * u64::from(CHUNK_BYTES));
        base.fill.produce(all);
        Ok(Self { received, base })
    }

    /// Binds it in the fastest way that `mode` and the driver allow.
    fn bind(&self, interface: &Interface, queue: u32, mode: XdpMode, place: Place) -> io::Result<Passing> {
        let bind = |passing| xdp::bind(self.base.fd(), interface.index, queue, passing).map(|()| passing);
        match mode {
            XdpMode::ZeroCopy => bind(Passing::ZeroCopy),
            XdpMode::Auto if place == Place::Native => {
                bind(Passing::ZeroCopy).or_else(|_| bind(Passing::Copy))
            }
            _ => bind(Passing::Copy),
        }
    }

    /// Hands out what came, and gives the chunks back.
    fn take(&mut self, mut on: impl FnMut(&[u8])) -> usize {
        let Base { memory, fill, .. } = &mut self.base;
        let mut back = [0_u64; BATCH];
        let mut came = 0;
        let most = u32::try_from(BATCH).unwrap_or(1);
        self.received.consume(most, |frame| {
            if let Some(bytes) = memory.part(frame.at, frame.bytes) {
                on(bytes);
            }
            back[came] = frame.at & !(u64::from(CHUNK_BYTES) - 1);
            came += 1;
        });
        // There is room for every chunk there is.
        fill.produce(back.into_iter().take(came));
        came
    }
}

/// A frame as what a hub takes; `None` if it is none of ours. A card that takes tags off does not tell which tag a
/// frame had: then it has none here.
fn arrival(frame: &[u8], ethertype: u16, vlan: Option<VlanTag>) -> Option<Arrival<'_>> {
    let (head, message) = FrameHead::parse(frame)?;
    let fits = vlan.zip(head.vlan).is_none_or(|(wanted, tag)| tag.id == wanted.id);
    (head.ethertype == ethertype && fits)
        .then(|| Arrival::single(PeerAddress::of_card(head.source), message, false))
}

/// Attaches the program where `plan` asks for it; with the doubt when the driver could not.
fn attach(
    interface: &Interface,
    plan: &RawPlan,
    queues: u32,
) -> Result<(Attached, Place, Option<Caveat>), SocketError> {
    let open = |place| Attached::open(interface.index, plan.ethertype, queues, place);
    let name = &interface.name;
    let failed = |cause: io::Error| {
        let hint = match cause.raw_os_error() {
            Some(libc::EBUSY | libc::EEXIST) => {
                " (another program is there: see `ip link show`, and detach it)"
            }
            Some(libc::EPERM) => " (it needs root, or CAP_NET_ADMIN and CAP_BPF)",
            Some(libc::EINVAL) => " (it needs Linux 5.9 or newer)",
            _ => "",
        };
        SocketError::new(format!("attach the XDP program to {name}{hint}"), cause)
    };
    match plan.xdp {
        XdpMode::Generic => Ok((open(Place::Generic).map_err(failed)?, Place::Generic, None)),
        XdpMode::Native | XdpMode::ZeroCopy => {
            Ok((open(Place::Native).map_err(failed)?, Place::Native, None))
        }
        XdpMode::Auto => match open(Place::Native) {
            Ok(program) => Ok((program, Place::Native, None)),
            Err(refusal) => {
                let program = open(Place::Generic).map_err(failed)?;
                let text = format!(
                    "the driver of {name} does not run an XDP program itself ({}): the kernel runs it behind the \
                     driver, which costs more per frame",
                    reason(&refusal)
                );
                let advice = "use a card whose driver has native XDP, or frames that it takes";
                let doubt = Caveat::new(CaveatKind::SettingRefused, text, advice);
                Ok((program, Place::Generic, Some(doubt)))
            }
        },
    }
}

/// Queues of the interface; one where the driver does not say.
fn queue_count(interface: &Interface) -> Result<u32, SocketError> {
    let failed = |cause| SocketError::new("open a socket", cause);
    let socket = UdpSocket::bind(("0.0.0.0", 0)).map_err(failed)?;
    let told = interface::receive_queues(socket.as_fd(), &interface.name).unwrap_or(1);
    Ok(told.clamp(1, QUEUES_MAX))
}

/// In words, for the record.
fn carrier(place: Place, passing: Passing) -> String {
    let place = match place {
        Place::Native => "native",
        Place::Generic => "generic",
    };
    let passing = match passing {
        Passing::Copy => "copy",
        Passing::ZeroCopy => "zero-copy",
    };
    format!("AF_XDP, {place}, {passing}")
}

/// Most queues: one more is a socket with its memory.
const QUEUES_MAX: u32 = 64;
const CHUNKS_MIN: u32 = 256;
/// 256 MiB for each queue.
const CHUNKS_MAX: u32 = 65_536;
/// Frames taken from a queue at once.
const BATCH: usize = 256;

#[cfg(test)]
mod tests {
    use incast_core::raw::MacAddress;

    use super::*;

    #[test]
    fn only_our_ethertype_and_our_vlan_come_through() {
        let frame = |vlan, ethertype| {
            let head =
                FrameHead { destination: MacAddress([2; 6]), source: MacAddress([4; 6]), vlan, ethertype };
            let mut bytes = vec![0; head.bytes()];
            head.emit(&mut bytes);
            bytes
        };
        let tag = |id| Some(VlanTag { id, priority: 0 });
        assert!(arrival(&frame(None, 0x88B5), 0x88B5, None).is_some());
        assert!(arrival(&frame(tag(7), 0x88B5), 0x88B5, tag(7)).is_some());
        assert!(arrival(&frame(None, 0x88B5), 0x88B5, tag(7)).is_some(), "the card took the tag off");
        assert!(arrival(&frame(tag(8), 0x88B5), 0x88B5, tag(7)).is_none());
        assert!(arrival(&frame(None, 0x0800), 0x88B5, None).is_none());
        assert!(arrival(&[0; 9], 0x88B5, None).is_none());
    }
}
