//! The stack as a readout sees it: messages between hosts, without interfaces and sockets.
//!
//! Roles on one host talk within it. Hosts that share no network reach each other by the one that every run keeps
//! for itself, without limits, in `local_delay`.

use std::collections::BTreeMap;

use incast_core::time::Time;

use super::{Stack, StackNews};
use crate::courier::{Channel, Courier, Fate, HostIndex, Service};
use crate::fabric::Fabric;
use crate::tcp::TcpPlan;

/// A stack that carries messages for a readout.
#[derive(Debug)]
pub struct NetworkCourier<F> {
    stack: Stack<F>,
    /// The socket of each host.
    sockets: BTreeMap<HostIndex, u32>,
    /// Connections that are open, and whether they cross the network.
    open: BTreeMap<Channel, bool>,
    /// Datagrams lost, by where.
    graves: BTreeMap<super::grave::Grave, u64>,
}

impl<F: Fabric> NetworkCourier<F> {
    /// Over this stack.
    #[must_use]
    pub const fn new(stack: Stack<F>) -> Self {
        Self { stack, sockets: BTreeMap::new(), open: BTreeMap::new(), graves: BTreeMap::new() }
    }

    /// What it is over.
    #[must_use]
    pub const fn stack(&self) -> &Stack<F> {
        &self.stack
    }

    /// What it is over, to do something to it.
    #[must_use]
    pub const fn stack_mut(&mut self) -> &mut Stack<F> {
        &mut self.stack
    }

    /// The same, when no message is carried any more.
    #[must_use]
    pub fn into_stack(self) -> Stack<F> {
        self.stack
    }

    /// Datagrams lost, by where.
    #[must_use]
    pub const fn graves(&self) -> &BTreeMap<super::grave::Grave, u64> {
        &self.graves
    }

    /// Opens a connection with its first message; says whether it crosses the network.
    fn open(&mut self, now: Time, channel: Channel, from: HostIndex, to: HostIndex) -> bool {
        if let Some(crosses) = self.open.get(&channel) {
            return *crosses;
        }
        let ends = self.stack.plan().topology.between(from, to).filter(|_| from != to);
        if let Some(ends) = ends {
            // Roles say TCP_NODELAY: their messages do not wait for each other.
            let mss_bytes = self.stack.mss_of(ends);
            let plan =
                TcpPlan { mss_bytes, segment_bytes_max: mss_bytes, has_nagle: false, ..TcpPlan::default() };
            self.stack.open(now, channel, ends, &plan);
        } else {
            self.stack.open_local(channel);
        }
        self.open.insert(channel, ends.is_some());
        ends.is_some()
    }
}

impl<F: Fabric> Courier for NetworkCourier<F> {
    fn handle_message(
        &mut self,
        now: Time,
        from: HostIndex,
        to: HostIndex,
        service: Service,
        bytes: u32,
        cargo: u64,
    ) {
        match service {
            Service::Connection(channel) => {
                if self.open(now, channel, from, to) {
                    self.stack.send_message(now, channel, bytes, cargo);
                } else {
                    self.stack.send_local_message(now, channel, cargo);
                }
            }
            Service::Datagram { header_bytes } => {
                let ends = self.stack.plan().topology.between(from, to).filter(|_| from != to);
                let stack = &mut self.stack;
                let socket =
                    *self.sockets.entry(to).or_insert_with(|| stack.open_socket(to, None, "fragments"));
                match ends {
                    // What its own interface drops is told as lost.
                    Some(ends) => {
                        let _ = stack.send_datagram(now, ends, socket, bytes + header_bytes, cargo);
                    }
                    None => stack.send_local(now, cargo),
                }
            }
        }
    }

    fn handle_cut(&mut self, _now: Time, channel: Channel) {
        if self.open.remove(&channel).is_some() {
            self.stack.cut(channel);
        }
    }

    fn backlog_bytes(&self, channel: Channel) -> u64 {
        self.stack.backlog_bytes(channel)
    }

    fn next_timeout(&self) -> Option<Time> {
        self.stack.next_timeout()
    }

    fn poll(&mut self, now: Time) -> Option<(u64, Fate)> {
        loop {
            match self.stack.poll(now)? {
                StackNews::Delivered(cargo) => return Some((cargo, Fate::Delivered)),
                StackNews::Lost(cargo, grave) => {
                    *self.graves.entry(grave).or_default() += 1;
                    return Some((cargo, Fate::Lost));
                }
                StackNews::Cut(cargo) => return Some((cargo, Fate::Cut)),
                StackNews::Left(_) | StackNews::Room(_) => {}
            }
        }
    }
}
