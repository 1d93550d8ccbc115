//! Tokens of builders to the trigger as LHCb's requests, in UDP or raw IP: from addresses of connected builders
//! only. Which token a request is, `incast_core::readout::MepRequests` knows.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use incast_core::readout::{
    BuilderId, Incarnation, MepRequestCounts, MepRequester, MepRequests, Message, Peer, RunNumber, Token,
};
use incast_core::wire::mep_request::{IP_PROTOCOL, MepRequest};
use rustix::event::epoll::{self, EventData, EventFlags};

use super::{Mesh, MeshEvent};
use crate::readout::datagrams::Datagrams;
use crate::readout::plan::{DatagramPlan, FragmentCarrier, FragmentLayout, PeerKind};

/// System calls of a turn, of up to 32 requests each: the tokens of some builders.
const TURN_CALLS: usize = 8;
/// Larger than a request.
const REQUEST_BYTES_MAX: u32 = 100;

/// One end of the requests.
#[derive(Debug)]
pub(super) enum Requests {
    /// A builder's.
    Asked(Asked),
    /// The trigger's.
    Taken(Taken),
}

/// What a builder asks with.
#[derive(Debug)]
pub(super) struct Asked {
    /// None where its fragments come in by UDP: then requests go out by the same socket.
    socket: Option<Datagrams>,
    requester: MepRequester,
}

/// What the trigger takes requests with.
#[derive(Debug)]
pub(super) struct Taken {
    socket: Datagrams,
    requests: MepRequests,
    /// Which builders send from an address.
    senders: BTreeMap<SocketAddr, Vec<BuilderId>>,
}

impl Requests {
    /// Opens the socket, for a role that asks or is asked by requests.
    pub(super) fn open(me: Peer, run: RunNumber, carrier: &FragmentCarrier) -> io::Result<Option<Self>> {
        let (bind, protocol, is_shared) = match carrier {
            FragmentCarrier::MepTcp { requests } => (*requests, None, false),
            FragmentCarrier::Udp(plan) if plan.layout == FragmentLayout::Mep => (plan.bind, None, true),
            FragmentCarrier::Ip(plan) if plan.layout == FragmentLayout::Mep => {
                (plan.bind, Some(IP_PROTOCOL), false)
            }
            FragmentCarrier::Tcp | FragmentCarrier::Udp(_) | FragmentCarrier::Ip(_) => return Ok(None),
        };
        let plan = DatagramPlan { bind, layout: FragmentLayout::Mep, datagram_bytes_max: REQUEST_BYTES_MAX };
        Ok(match PeerKind::of(me) {
            PeerKind::Builder => {
                let socket = (!is_shared).then(|| Datagrams::open(&plan, protocol, false)).transpose()?;
                Some(Self::Asked(Asked { socket, requester: MepRequester::new(run) }))
            }
            PeerKind::Trigger => Some(Self::Taken(Taken {
                socket: Datagrams::open(&plan, protocol, true)?,
                requests: MepRequests::new(run),
                senders: BTreeMap::new(),
            })),
            PeerKind::Source | PeerKind::Node | PeerKind::Sink => None,
        })
    }

    /// The socket that is for requests alone.
    pub(super) const fn socket(&mut self) -> Option<&mut Datagrams> {
        match self {
            Self::Asked(asked) => asked.socket.as_mut(),
            Self::Taken(taken) => Some(&mut taken.socket),
        }
    }

    /// The same, to be looked at.
    pub(super) const fn own_socket(&self) -> Option<&Datagrams> {
        match self {
            Self::Asked(asked) => asked.socket.as_ref(),
            Self::Taken(taken) => Some(&taken.socket),
        }
    }

    pub(super) const fn counts(&self) -> &MepRequestCounts {
        match self {
            Self::Asked(asked) => asked.requester.counts(),
            Self::Taken(taken) => taken.requests.counts(),
        }
    }
}

impl Asked {
    /// Sends what asks with `token`; `shared` is the socket of fragments. What the kernel does not take now waits,
    /// as long as there are slots for tokens.
    pub(super) fn send(&mut self, token: Token, to: Option<SocketAddr>, shared: Option<&mut Datagrams>) {
        let (clear, request) = self.requester.handle_token(token);
        let Some(socket) = self.socket.as_mut().or(shared) else { return };
        let Some(to) = to else {
            // A trigger that takes no requests: the two were told different things.
            return socket.count_unsent();
        };
        for request in clear.into_iter().chain([request]) {
            socket.send_bytes(to, Bytes::copy_from_slice(&stamped(request).emit()));
        }
    }
}

/// The request with our clock's time, which is only shown.
fn stamped(request: MepRequest) -> MepRequest {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let sent_s = i64::try_from(since.as_secs()).unwrap_or(0);
    MepRequest { sent_s, sent_ns: since.subsec_nanos().into(), ..request }
}

impl Mesh {
    /// Asks the kernel to tell what we now want to know of the socket.
    pub(super) fn ask_requests(&mut self) {
        let Some(socket) = self.requests.as_mut().and_then(Requests::socket) else { return };
        let wanted = socket.wanted(false);
        if wanted != socket.interest {
            let token = EventData::new_u64(super::poll::REQUESTS);
            if epoll::modify(&self.epoll, &*socket, token, wanted).is_ok() {
                socket.interest = wanted;
            }
        }
    }

    /// The socket has requests, or room for more.
    pub(super) fn serve_requests(&mut self, flags: EventFlags, into: &mut Vec<MeshEvent>) {
        if flags.contains(EventFlags::OUT)
            && let Some(socket) = self.requests.as_mut().and_then(Requests::socket)
        {
            socket.handle_writable();
            self.ask_requests();
        }
        let Some(Requests::Taken(Taken { socket, requests, senders })) = &mut self.requests else { return };
        let counters = &mut self.counters;
        for _ in 0..TURN_CALLS {
            let came = socket.receive(|from, datagram| {
                let Some(builders) = senders.get(&from) else {
                    counters.plain.stranger_datagrams += 1;
                    counters.plain.stranger_example.get_or_insert(from);
                    return;
                };
                counters.plain.datagrams.received += 1;
                counters.plain.datagram_bytes.received += datagram.len() as u64;
                match MepRequest::parse(datagram) {
                    Ok(request) => requests.handle_request(builders, &request),
                    Err(refusal) => counters.refused.record(refusal),
                }
                while let Some((builder, token)) = requests.poll_token() {
                    let message = Message::Token(token);
                    counters.received.record(&message);
                    into.push(MeshEvent::Message(Peer::Builder(builder), message));
                }
            });
            if came == 0 {
                break;
            }
        }
    }

    /// A builder's requests are taken from now on, or no more.
    pub(super) fn know_builder(
        &mut self,
        peer: Peer,
        life: Incarnation,
        told: Option<SocketAddr>,
        is_up: bool,
    ) {
        let (Some(Requests::Taken(taken)), Some(told), Peer::Builder(builder)) =
            (&mut self.requests, told, peer)
        else {
            return;
        };
        let address = taken.socket.known_by(told);
        let senders = taken.senders.entry(address).or_default();
        senders.retain(|known| *known != builder);
        if is_up {
            senders.push(builder);
            taken.requests.handle_joined(builder, life);
        } else if senders.is_empty() {
            taken.senders.remove(&address);
        }
    }
}
