//! The receiving hubs of a server's raw transports: one for each kind of packet or frame that is asked for.
//!
//! A hub is opened when the first session wants it and closed with the last. Sessions that want the same share it,
//! as those of UDP share a socket: a ring belongs to an interface and an EtherType, not to a flow.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use incast_core::load::Transport;
use incast_core::raw::{RawEnd, RawPlan, VlanTag, XdpMode};
use incast_core::units::Bytes;

use super::Interface;
use super::ip::IpInlet;
use super::packet::PacketInlet;
use super::xdp::XdpInlet;
use crate::faults::FaultCounters;
use crate::hub::{HubHandle, HubPlan, HubThread};
use crate::socket::SocketError;

/// A hub of a raw transport.
pub(crate) struct RawHub {
    thread: HubThread,
    interface: Option<Interface>,
}

/// What tells hubs apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kind {
    transport: Transport,
    place: Place,
    protocol: u8,
    ethertype: u16,
    vlan_id: Option<u16>,
    xdp: XdpMode,
}

/// Where it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Address(IpAddr),
    /// The number of an interface, which may have many addresses and has one ring.
    Interface(u32),
}

/// Most hubs that are open at a time: each has a ring, or a socket's buffer.
const HUBS_MAX: usize = 64;

/// All of a server.
#[derive(Default)]
pub(crate) struct RawHubs {
    open: Mutex<Vec<(Kind, Weak<RawHub>)>>,
    dropped: Mutex<Dropped>,
}

/// What the rings and sockets of all hubs dropped.
#[derive(Default)]
struct Dropped {
    /// Of those whose thread has ended; `None` when there is none.
    over: Option<u64>,
    /// Of those that may still count: no more than are open, and those that are just ending.
    open: Vec<Arc<AtomicU64>>,
}

impl RawHub {
    /// Opens what receives `transport` at `address`, which is this host's.
    ///
    /// # Errors
    /// When there is no such address, no permission, or the kernel refuses.
    pub(crate) fn open(
        transport: Transport,
        address: IpAddr,
        raw: &RawPlan,
        receive_buffer: Option<Bytes>,
        plan: HubPlan,
        faults: Arc<FaultCounters>,
    ) -> Result<Self, SocketError> {
        if transport.is_frames() {
            return Self::of_interface(transport, Interface::of(address)?, raw, receive_buffer, plan, faults);
        }
        let (inlet, drops, granted) = IpInlet::open(address, raw.protocol, receive_buffer)?;
        let thread = HubThread::start("ip hub", inlet, drops, granted, plan, faults).map_err(not_started)?;
        Ok(Self { thread, interface: None })
    }

    /// Opens what receives frames at `interface`.
    ///
    /// # Errors
    /// When there is no permission, or the kernel refuses.
    pub(crate) fn of_interface(
        transport: Transport,
        interface: Interface,
        raw: &RawPlan,
        receive_buffer: Option<Bytes>,
        plan: HubPlan,
        faults: Arc<FaultCounters>,
    ) -> Result<Self, SocketError> {
        let ours = Arc::clone(&faults);
        let thread = if transport == Transport::Xdp {
            let (inlet, drops, granted) = XdpInlet::open(&interface, raw, receive_buffer, ours)?;
            HubThread::start("xdp hub", inlet, drops, granted, plan, faults)
        } else {
            let (inlet, drops, granted) = PacketInlet::open(&interface, raw, receive_buffer, ours)?;
            HubThread::start("frame hub", inlet, drops, granted, plan, faults)
        };
        let thread = thread.map_err(not_started)?;
        Ok(Self { thread, interface: Some(interface) })
    }

    pub(crate) fn handle(&self) -> HubHandle {
        self.thread.handle()
    }

    /// The interface, of frames.
    pub(crate) fn interface(&self) -> Option<&Interface> {
        self.interface.as_ref()
    }

    /// What a peer is told of the interface.
    pub(crate) fn end(&self) -> Option<RawEnd> {
        self.interface.as_ref().map(Interface::end)
    }
}

fn not_started(cause: std::io::Error) -> SocketError {
    SocketError::new("start a receiving thread", cause)
}

impl RawHubs {
    /// The hub for `transport` at `address`: that of another session, or a new one.
    ///
    /// # Errors
    /// As [`RawHub::open`].
    pub(crate) fn want(
        &self,
        transport: Transport,
        address: IpAddr,
        raw: &RawPlan,
        open: impl FnOnce() -> Result<RawHub, SocketError>,
    ) -> Result<Arc<RawHub>, SocketError> {
        let is_frames = transport.is_frames();
        let place = match is_frames {
            true => Place::Interface(Interface::of(address)?.index),
            false => Place::Address(address.to_canonical()),
        };
        let kind = Kind {
            transport,
            place,
            protocol: if is_frames { 0 } else { raw.protocol },
            ethertype: if is_frames { raw.ethertype } else { 0 },
            vlan_id: raw.vlan.filter(|_| is_frames).map(|VlanTag { id, .. }| id),
            xdp: if transport == Transport::Xdp { raw.xdp } else { XdpMode::Auto },
        };
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, hub)| hub.strong_count() > 0);
        let known = all.iter().find(|(other, _)| *other == kind).and_then(|(_, hub)| hub.upgrade());
        if let Some(hub) = known {
            return Ok(hub);
        }
        if all.len() >= HUBS_MAX {
            let cause = std::io::Error::other(format!("{HUBS_MAX} are open, for other kinds of packets"));
            return Err(SocketError::new("open one more receiving ring or socket", cause));
        }
        let hub = Arc::new(open()?);
        all.push((kind, Arc::downgrade(&hub)));
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).handle_open(hub.thread.dropped());
        Ok(hub)
    }

    /// Dropped by the rings and sockets of all hubs, as far as streams that are over saw it; `None` if there was no
    /// hub.
    pub(crate) fn dropped(&self) -> Option<u64> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).sum()
    }
}

impl Dropped {
    /// One more hub counts.
    fn handle_open(&mut self, counter: Arc<AtomicU64>) {
        let Self { over, open } = self;
        open.retain_mut(|counter| {
            // Nobody else has it any more, and so nobody counts.
            let Some(counted) = Arc::get_mut(counter) else { return true };
            *over = Some(over.unwrap_or(0) + *counted.get_mut());
            false
        });
        open.push(counter);
    }

    fn sum(&self) -> Option<u64> {
        let open = self.open.iter().map(|counter| counter.load(Relaxed));
        self.over.into_iter().chain(open).reduce(|sum, counted| sum + counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_closed_hub_dropped_stays_in_the_sum_and_takes_no_room() {
        let mut dropped = Dropped::default();
        assert_eq!(dropped.sum(), None, "there was no hub");
        let lasting = Arc::new(AtomicU64::new(0));
        dropped.handle_open(Arc::clone(&lasting));
        assert_eq!(dropped.sum(), Some(0));
        for number in 1..=1_000 {
            let hub = Arc::new(AtomicU64::new(0));
            dropped.handle_open(Arc::clone(&hub));
            // It counts until its end, and nobody asks meanwhile.
            hub.fetch_add(2, Relaxed);
            lasting.fetch_add(1, Relaxed);
            drop(hub);
            assert_eq!(dropped.sum(), Some(3 * number));
            assert!(dropped.open.len() <= 3, "{}", dropped.open.len());
        }
    }
}
