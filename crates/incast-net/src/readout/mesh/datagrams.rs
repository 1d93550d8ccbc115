//! Fragments in datagrams: only those of sources that are connected are taken.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use incast_core::readout::{Message, Peer, SourceId};
use incast_core::time::Time;
use incast_core::wire::fragment::Segment;
use incast_core::wire::mep::{IP_PROTOCOL, Mep};
use incast_core::wire::refusal::Refusal;
use rustix::event::epoll::{self, EventData, EventFlags};

use super::{Mesh, MeshEvent, Unsent};
use crate::readout::chunks::Chunks;
use crate::readout::connection::Connection;
use crate::readout::counts::Counters;
use crate::readout::data::Data;
use crate::readout::datagrams::Datagrams;
use crate::readout::fragments::{Joined, message};
use crate::readout::plan::{FragmentCarrier, FragmentLayout, PeerKind};

/// What is taken before the connections have their turn.
const TURN_BYTES: usize = 1 << 20;
/// System calls of a turn: small datagrams are not many bytes.
const TURN_CALLS: usize = 8;

/// Opens the socket of fragments, for a role that sends or takes some.
pub(super) fn open(me: Peer, carrier: FragmentCarrier) -> io::Result<Option<Datagrams>> {
    let (plan, protocol) = match carrier {
        FragmentCarrier::Tcp | FragmentCarrier::MepTcp { .. } => return Ok(None),
        FragmentCarrier::Udp(plan) => (plan, None),
        FragmentCarrier::Ip(plan) => (plan, Some(IP_PROTOCOL)),
    };
    match PeerKind::of(me) {
        PeerKind::Source => Datagrams::open(&plan, protocol, false).map(Some),
        PeerKind::Builder => Datagrams::open(&plan, protocol, true).map(Some),
        PeerKind::Trigger | PeerKind::Node | PeerKind::Sink => Ok(None),
    }
}

impl Mesh {
    /// Sends a fragment in datagrams; the peer is connected.
    #[expect(clippy::result_large_err, reason = "the message goes back to its owner without an allocation")]
    pub(super) fn send_datagrams(
        &mut self,
        to: Option<SocketAddr>,
        message: Message<Data>,
    ) -> Result<(), Unsent> {
        let Some(datagrams) = &mut self.datagrams else { return Ok(()) };
        if datagrams.waiting_bytes() >= self.queue_bytes_max {
            self.counters.plain.queue_full += 1;
            return Err(Unsent::Full(message));
        }
        match to {
            // A peer that takes no datagrams: the two were told different things.
            None => datagrams.count_unsent(),
            Some(to) => {
                if let Err(refusal) = datagrams.send(to, &message) {
                    self.counters.unsendable.record(refusal);
                    return Err(Unsent::Unsendable(message, refusal));
                }
            }
        }
        self.counters.sent.record(&message);
        self.ask_datagrams();
        Ok(())
    }

    /// Asks the kernel to tell what we now want to know of the socket.
    pub(super) fn ask_datagrams(&mut self) {
        let is_paused = self.paused.contains(&PeerKind::Source);
        let Some(datagrams) = &mut self.datagrams else { return };
        let wanted = datagrams.wanted(is_paused);
        if wanted != datagrams.interest {
            let token = EventData::new_u64(super::poll::DATAGRAMS);
            if epoll::modify(&self.epoll, &*datagrams, token, wanted).is_ok() {
                datagrams.interest = wanted;
            }
        }
    }

    /// The socket has something, or room for more.
    pub(super) fn serve_datagrams(&mut self, flags: EventFlags, now: Time, into: &mut Vec<MeshEvent>) {
        if flags.contains(EventFlags::OUT)
            && let Some(datagrams) = &mut self.datagrams
        {
            datagrams.handle_writable();
            self.ask_datagrams();
        }
        let Some(datagrams) = &mut self.datagrams else { return };
        let layout = datagrams.layout();
        let mut arrivals = Arrivals {
            now,
            senders: &self.senders,
            connections: &mut self.connections,
            chunks: &mut self.chunks,
            counters: &mut self.counters,
            into,
        };
        let mut bytes = 0;
        for _ in 0..TURN_CALLS {
            let came = datagrams.receive(|from, datagram| arrivals.handle_datagram(layout, from, datagram));
            bytes += came;
            if came == 0 || bytes >= TURN_BYTES {
                break;
            }
        }
    }

    /// A source's datagrams are taken from now on, or no more.
    pub(super) fn know_sender(&mut self, peer: Peer, told: Option<SocketAddr>, is_up: bool) {
        let (Some(datagrams), Some(told), Peer::Source(source)) = (&self.datagrams, told, peer) else {
            return;
        };
        let senders = self.senders.entry(datagrams.known_by(told)).or_default();
        senders.retain(|known| *known != source);
        if is_up {
            senders.push(source);
        }
        if senders.is_empty() {
            self.senders.remove(&datagrams.known_by(told));
        }
    }
}

/// What datagrams are made of, while they are taken.
struct Arrivals<'a> {
    now: Time,
    senders: &'a BTreeMap<SocketAddr, Vec<SourceId>>,
    connections: &'a mut BTreeMap<Peer, Connection>,
    chunks: &'a mut Chunks,
    counters: &'a mut Counters,
    into: &'a mut Vec<MeshEvent>,
}

impl Arrivals<'_> {
    fn handle_datagram(&mut self, layout: FragmentLayout, from: SocketAddr, datagram: &[u8]) {
        let Some(senders) = self.senders.get(&from) else {
            self.counters.plain.stranger_datagrams += 1;
            self.counters.plain.stranger_example.get_or_insert(from);
            return;
        };
        self.counters.plain.datagrams.received += 1;
        self.counters.plain.datagram_bytes.received += datagram.len() as u64;
        let taken = match layout {
            FragmentLayout::Frames => self.take_frame(senders, datagram),
            FragmentLayout::Mep => self.take_packet(senders, datagram),
        };
        if let Err(refusal) = taken {
            self.counters.refused.record(refusal);
        }
    }

    fn take_frame(&mut self, senders: &[SourceId], datagram: &[u8]) -> Result<(), Refusal> {
        let segment = Segment::parse(datagram)?;
        let source = SourceId(segment.head.source);
        let now = self.now;
        let connection = self.connection(senders, source)?;
        let message = match connection.inbox.fragments().join(now, &segment)? {
            Joined::Part => return Ok(()),
            Joined::Itself => message(&segment.head, Data(self.chunks.copy(segment.payload))),
            Joined::Whole(payload) => message(&segment.head, payload.into()),
        };
        self.tell(source, message);
        Ok(())
    }

    fn take_packet(&mut self, senders: &[SourceId], datagram: &[u8]) -> Result<(), Refusal> {
        let packet = Mep::parse(datagram)?;
        // One address, one source, or else the partition says which.
        let source = match senders {
            [source] => *source,
            _ => SourceId(u16::try_from(packet.partition()).map_err(|_| Refusal::Source)?),
        };
        let message = self.connection(senders, source)?.inbox.fragments().join_packet(&packet)?;
        self.tell(source, message);
        Ok(())
    }

    fn connection(&mut self, senders: &[SourceId], source: SourceId) -> Result<&mut Connection, Refusal> {
        let is_there = senders.contains(&source);
        is_there.then(|| self.connections.get_mut(&Peer::Source(source))).flatten().ok_or(Refusal::Source)
    }

    fn tell(&mut self, source: SourceId, message: Message<Data>) {
        self.counters.received.record(&message);
        self.into.push(MeshEvent::Message(Peer::Source(source), message));
    }
}
