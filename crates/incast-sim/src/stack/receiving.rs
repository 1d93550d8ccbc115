//! The receiving sides of all hosts: those with a model go through it, all others receive at once.

use std::collections::VecDeque;

use incast_core::scenario::{HostModel, ReceivePath};
use incast_core::time::Time;

use super::grave::Grave;
use crate::courier::HostIndex;
use crate::packet::Packet;

/// All hosts and their sockets.
#[derive(Debug)]
pub(super) struct Receiving {
    ideal: Vec<bool>,
    sockets: Vec<Socket>,
}

/// The socket of a receiving application.
#[derive(Debug)]
struct Socket {
    host: HostIndex,
    /// Datagrams that wait to be read: cargo and true size.
    waiting: VecDeque<(u64, u64)>,
}

/// What became of a datagram at its socket.
pub(super) enum Received {
    /// Its application has it.
    Read,
    /// It waits to be read.
    Waits,
    /// The buffer of the socket was full.
    Dropped(HostIndex),
}

/// What a host's model says.
pub(super) enum FromHost {
    Arrived(Packet),
    Dropped(Packet, Grave),
    Read(u64),
}

/// What the receiving side of a host counted.
#[derive(Clone, Debug, Default)]
pub struct HostReport {
    /// Its name.
    pub name: String,
}

impl Receiving {
    pub(super) fn new(models: &[Option<HostModel>], _names: &[String], _seed: u64) -> Self {
        let ideal = |model: &Option<HostModel>| model.is_none_or(|model| model.receive == ReceivePath::Ideal);
        Self { ideal: models.iter().map(ideal).collect(), sockets: Vec::new() }
    }

    pub(super) fn open_socket(&mut self, host: HostIndex, _buffer_bytes: Option<u64>) -> u32 {
        self.sockets.push(Socket { host, waiting: VecDeque::new() });
        u32::try_from(self.sockets.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn is_ideal(&self, host: HostIndex) -> bool {
        self.ideal.get(host.0 as usize).copied().unwrap_or(true)
    }

    pub(super) fn handle_packet(&mut self, _now: Time, _host: HostIndex, _packet: Packet, _ip_bytes: u32) {}

    pub(super) fn handle_datagram(&mut self, _now: Time, _socket: u32, _bytes: u32, _cargo: u64) -> Received {
        Received::Read
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        None
    }

    pub(super) fn poll(&mut self, _now: Time) -> Option<(HostIndex, FromHost)> {
        None
    }

    pub(super) fn reports(&self, _now: Time) -> Vec<HostReport> {
        Vec::new()
    }
}
