//! The engine that a plan needs: the fast one where it can, else the one that can do everything.

use incast_core::time::Time;

use super::computed::Computed;
use super::explicit::Explicit;
use super::{Fabric, FabricPlan, LinkFault, LinkId, News, QueueCounts, Taken};
use crate::packet::{NicId, Packet};

/// Either engine.
#[derive(Debug)]
pub enum AnyFabric {
    /// The fast one.
    Computed(Box<Computed>),
    /// The other.
    Explicit(Box<Explicit>),
}

macro_rules! each {
    ($fabric:expr, $inner:ident => $call:expr) => {
        match $fabric {
            AnyFabric::Computed($inner) => $call,
            AnyFabric::Explicit($inner) => $call,
        }
    };
}

impl AnyFabric {
    /// The engine for this plan.
    #[must_use]
    pub fn new(plan: &FabricPlan) -> Self {
        if Computed::can(plan) {
            Self::Computed(Box::new(Computed::new(plan)))
        } else {
            Self::Explicit(Box::new(Explicit::new(plan)))
        }
    }
}

impl Fabric for AnyFabric {
    fn handle_packet(&mut self, now: Time, from: NicId, packet: Packet) -> Taken {
        each!(self, fabric => fabric.handle_packet(now, from, packet))
    }

    fn handle_fault(&mut self, now: Time, link: LinkId, fault: Option<LinkFault>) {
        each!(self, fabric => fabric.handle_fault(now, link, fault));
    }

    fn next_timeout(&self) -> Option<Time> {
        each!(self, fabric => fabric.next_timeout())
    }

    fn poll(&mut self, now: Time) -> Option<News> {
        each!(self, fabric => fabric.poll(now))
    }

    fn queued_bytes(&self, now: Time, nic: NicId) -> u64 {
        each!(self, fabric => fabric.queued_bytes(now, nic))
    }

    fn counts(&self, now: Time) -> Vec<QueueCounts> {
        each!(self, fabric => fabric.counts(now))
    }

    fn packet_hops(&self) -> u64 {
        each!(self, fabric => fabric.packet_hops())
    }

    fn ties(&self) -> u64 {
        each!(self, fabric => fabric.ties())
    }

    fn digest(&self) -> u64 {
        each!(self, fabric => fabric.digest())
    }
}
