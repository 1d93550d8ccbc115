//! The receiving sides of all hosts: those with a model go through it, all others receive at once.
//!
//! A datagram that is through is charged to its socket's buffer, in true sizes, and released when its application
//! has read it: at the end of a piece of work of its host.

use std::collections::VecDeque;

use incast_core::scenario::{HostModel, ReceivePath};
use incast_core::time::{Span, Time};
use incast_core::units::Bytes;

use super::grave::{Grave, HostGrave};
use super::ip;
use crate::agenda::{Agenda, Rank};
use crate::courier::HostIndex;
use crate::host::{Host, HostCounts, HostNews, SocketBuffer, true_size};
use crate::packet::{NicId, Packet};

/// All hosts and their sockets.
#[derive(Debug)]
pub(super) struct Receiving {
    /// By the index of the host; `None` receives at once.
    hosts: Vec<Option<Box<Modelled>>>,
    /// A slot for each host.
    agenda: Agenda,
    sockets: Vec<Socket>,
    /// Of hosts that were asked and may have more to say.
    asked: Option<u32>,
}

#[derive(Debug)]
struct Modelled {
    host: Host,
    name: String,
    socket_buffer: Bytes,
}

/// The socket of a receiving application.
#[derive(Debug)]
struct Socket {
    host: HostIndex,
    buffer: SocketBuffer,
    /// Datagrams that wait to be read, with their true sizes.
    waiting: VecDeque<(Parcel, u64)>,
}

/// A datagram as it comes to its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    pub(super) cargo: u64,
    pub(super) socket: u32,
    pub(super) payload_bytes: u32,
    pub(super) ends: [NicId; 2],
    pub(super) sent: Time,
    pub(super) arrived: Time,
}

/// What became of a datagram at its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Its application has it.
    Read,
    /// It waits to be read.
    Waits,
    /// The buffer of the socket was full.
    Dropped(HostIndex),
}

/// What a host's model says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FromHost {
    /// A packet is through.
    Arrived(Packet),
    /// A packet died.
    Dropped(Packet, Grave),
    /// A datagram was read.
    Read(Parcel),
}

/// What the receiving side of a host counted.
#[derive(Clone, Debug)]
pub struct HostReport {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub host: HostIndex,
    /// Its stages.
    pub counts: HostCounts,
}

impl Receiving {
    pub(super) fn new(models: &[Option<HostModel>], names: &[String], seed: u64, interval: Span) -> Self {
        let hosts: Vec<Option<Box<Modelled>>> = models
            .iter()
            .zip(names)
            .map(|(model, name)| {
                let model = model.filter(|model| model.receive != ReceivePath::Ideal)?;
                let mut host = Host::new(&model, seed, name);
                host.record_over_time(interval);
                Some(Box::new(Modelled { host, name: name.clone(), socket_buffer: model.socket_buffer }))
            })
            .collect();
        // Ranked by name, so that nothing depends on the order of the file.
        let mut sorted: Vec<usize> = (0..hosts.len()).collect();
        sorted.sort_by_key(|index| names.get(*index));
        let mut ranks = vec![Rank { class: 0, name: 0 }; hosts.len()];
        for (rank, index) in (0..).zip(sorted) {
            ranks[index].name = rank;
        }
        Self { hosts, agenda: Agenda::new(ranks), sockets: Vec::new(), asked: None }
    }

    fn host(&mut self, host: HostIndex) -> Option<&mut Modelled> {
        self.hosts.get_mut(host.0 as usize)?.as_deref_mut()
    }

    pub(super) fn open_socket(&mut self, host: HostIndex, buffer_bytes: Option<u64>) -> u32 {
        let own = self.host(host).map_or(Bytes(u64::MAX), |host| host.socket_buffer);
        let buffer = SocketBuffer::new(buffer_bytes.map_or(own, Bytes));
        self.sockets.push(Socket { host, buffer, waiting: VecDeque::new() });
        u32::try_from(self.sockets.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn is_ideal(&self, host: HostIndex) -> bool {
        self.hosts.get(host.0 as usize).is_none_or(Option::is_none)
    }

    fn arm(&mut self, host: HostIndex) {
        let next = self.host(host).and_then(|modelled| modelled.host.next_timeout());
        self.agenda.set(host.0, next);
    }

    pub(super) fn handle_packet(&mut self, now: Time, host: HostIndex, packet: Packet, ip_bytes: u32) {
        if let Some(modelled) = self.host(host) {
            modelled.host.handle_packet(now, packet, ip_bytes);
            self.arm(host);
        }
    }

    /// A datagram is through protocol input.
    pub(super) fn handle_datagram(&mut self, now: Time, parcel: Parcel) -> Received {
        let Some(to) = self.sockets.get_mut(parcel.socket as usize) else { return Received::Read };
        let host = to.host;
        let Some(modelled) = self.hosts.get_mut(host.0 as usize).and_then(Option::as_deref_mut) else {
            return Received::Read;
        };
        let size = true_size(parcel.payload_bytes + ip::IP_HEADER_BYTES);
        if !to.buffer.charge(size) {
            return Received::Dropped(host);
        }
        to.waiting.push_back((parcel, size));
        modelled.host.handle_read(now, parcel.socket.into());
        self.arm(host);
        Received::Waits
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        if self.asked.is_some() {
            return Some(Time::ZERO);
        }
        self.agenda.next_timeout()
    }

    pub(super) fn poll(&mut self, now: Time) -> Option<FromHost> {
        loop {
            let index = match self.asked {
                Some(index) => index,
                None => self.agenda.next().filter(|(at, _)| *at <= now)?.1,
            };
            let news = self.host(HostIndex(index)).and_then(|modelled| modelled.host.poll(now));
            self.asked = news.is_some().then_some(index);
            match news {
                None => self.arm(HostIndex(index)),
                Some(HostNews::Arrived(packet)) => return Some(FromHost::Arrived(packet)),
                Some(HostNews::Dropped { packet, stage, why }) => {
                    let stage = HostGrave::of(stage, why);
                    return Some(FromHost::Dropped(packet, Grave::Host(HostIndex(index), stage)));
                }
                Some(HostNews::JobDone(socket)) => {
                    let socket = usize::try_from(socket).ok().and_then(|socket| self.sockets.get_mut(socket));
                    if let Some(socket) = socket
                        && let Some((parcel, size)) = socket.waiting.pop_front()
                    {
                        socket.buffer.release(size);
                        return Some(FromHost::Read(parcel));
                    }
                }
            }
        }
    }

    pub(super) fn reports(&self, now: Time) -> Vec<HostReport> {
        let report = |(index, modelled): (u32, &Option<Box<Modelled>>)| {
            let modelled = modelled.as_ref()?;
            Some(HostReport {
                name: modelled.name.clone(),
                host: HostIndex(index),
                counts: modelled.host.counts(now),
            })
        };
        (0..).zip(&self.hosts).filter_map(report).collect()
    }
}
