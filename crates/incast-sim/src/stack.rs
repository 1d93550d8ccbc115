//! Datagrams and connections between hosts: cut into packets, carried by a fabric, received by hosts, put
//! together again.
//!
//! It knows sizes and orders, no contents. Who sends through it are the flows and the roles of a readout
//! (`world`); a readout sees it as a [`Courier`](crate::courier::Courier).

mod carried;
mod connection;
mod delays;
pub mod grave;
pub mod ip;
mod network_courier;
mod receiving;
mod slab;
mod timers;

pub mod topology;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use incast_core::link::PathPlan;
use incast_core::record::DelayPart;
use incast_core::scenario::{Connections, HostModel};
use incast_core::time::{Span, Time};

use crate::courier::{Channel, HostIndex};
use crate::fabric::{Fabric, LinkFault, LinkId, News, Taken};
use crate::packet::{NicId, Packet};
use crate::tcp::{SenderCounts, TcpPlan};
use carried::{Carried, CarriedSegment, Datagram, Ends, cargo_of, name_of};
use connection::{Connection, Kind, Piece};
use delays::{Delays, Stations};
use grave::{Grave, HostGrave};
pub use network_courier::NetworkCourier;
pub use receiving::HostReport;
use receiving::{Parcel, Received, Receiving};
use slab::Slab;
pub(crate) use timers::Timers;
use topology::Topology;

/// What happened to what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackNews {
    /// A datagram or message is in the hands of its application; a datagram perhaps once more.
    Delivered(u64),
    /// A datagram was lost.
    Lost(u64, Grave),
    /// A connection was cut before this message was there.
    Cut(u64),
    /// A datagram of which [`Taken::Waits`] was said has left its interface.
    Left(u64),
    /// A connection has room for more.
    Room(Channel),
}

/// What the stack is made of.
#[derive(Clone, Debug)]
pub struct StackPlan {
    /// The network.
    pub topology: Topology,
    /// How each host works inside; `None`: at once and for nothing.
    pub hosts: Vec<Option<HostModel>>,
    /// Names of the hosts.
    pub names: Vec<String>,
    /// How reliable connections behave.
    pub connections: Connections,
    /// How long a message takes within a host.
    pub local_delay: Span,
}

/// Datagrams and connections over a fabric.
#[derive(Debug)]
pub struct Stack<F> {
    plan: StackPlan,
    fabric: F,
    carried: Slab<Carried>,
    connections: Slab<Connection>,
    by_channel: BTreeMap<Channel, u64>,
    /// Of connections.
    timers: Timers,
    receiving: Receiving,
    /// What travels within a host, by when it arrives.
    local: BTreeMap<(Time, u64), Local>,
    local_number: u64,
    /// Connections within hosts.
    local_channels: BTreeSet<Channel>,
    /// Whether the network makes copies: then datagrams are remembered for a while.
    has_copies: bool,
    kept: VecDeque<(Time, u64)>,
    news: VecDeque<StackNews>,
    counts: StackCounts,
    /// By the name of what is delayed.
    delays: Vec<Delays>,
    /// Of each socket, which of them.
    delays_of_sockets: Vec<usize>,
    /// Of messages on connections.
    on_connections: Delays,
}

#[derive(Clone, Copy, Debug)]
enum Local {
    Datagram { cargo: u64 },
    Message { channel: Channel, cargo: u64 },
}

/// What the stack counted, in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackCounts {
    /// Of datagrams in one packet: given to interfaces, arrived at protocol input.
    pub whole: (u64, u64),
    /// Of datagrams in several.
    pub fragments: (u64, u64),
    /// Of connections, acknowledgements included.
    pub connections: (u64, u64),
    /// Segments sent again.
    pub repeated: u64,
    /// Packets that died.
    pub died: u64,
    /// Datagrams that found their socket's buffer full.
    pub socket_drops: u64,
}

/// How long what is under way at the end may take: a path's delay, or TCP's last repetitions.
const RUN_OUT: Span = Span::from_s(5);
/// Copies of a datagram come within this time after it: paths hold packets for a minute at most.
const KEEP: Span = Span::from_s(61);
/// What a connection may have in its interface: as much as leaves in a millisecond (Linux: `sk_pacing_shift` 10),
/// two packets at least.
const IN_INTERFACE: Span = Span::from_ms(1);
/// And at most a MiB (Linux: `tcp_limit_output_bytes`).
const IN_INTERFACE_BYTES_MAX: u64 = 1 << 20;

impl<F: Fabric> Stack<F> {
    /// A stack over `fabric`, which was made of the plan's topology.
    #[must_use]
    pub fn new(plan: StackPlan, fabric: F) -> Self {
        let path_copies = |path: &Option<PathPlan>| path.is_some_and(|path| path.duplicate > 0.0);
        let has_copies = plan.topology.fabric.links.iter().any(|link| path_copies(&link.path));
        let receiving = Receiving::new(
            &plan.hosts,
            &plan.names,
            plan.topology.fabric.seed,
            plan.topology.fabric.interval,
        );
        Self {
            fabric,
            carried: Slab::new(),
            connections: Slab::new(),
            by_channel: BTreeMap::new(),
            timers: Timers::default(),
            receiving,
            local: BTreeMap::new(),
            local_number: 0,
            local_channels: BTreeSet::new(),
            has_copies,
            kept: VecDeque::new(),
            news: VecDeque::new(),
            counts: StackCounts::default(),
            delays: Vec::new(),
            delays_of_sockets: Vec::new(),
            on_connections: Delays::new("connections"),
            plan,
        }
    }

    /// Opens the socket of a receiving application, with a buffer of so many bytes, or its host's.
    ///
    /// What comes to it is called `of` where delays are told.
    pub fn open_socket(&mut self, host: HostIndex, buffer_bytes: Option<u64>, of: &str) -> u32 {
        let index = self.delays.iter().position(|delays| delays.name() == of).unwrap_or_else(|| {
            self.delays.push(Delays::new(of));
            self.delays.len() - 1
        });
        self.delays_of_sockets.push(index);
        self.receiving.open_socket(host, buffer_bytes)
    }

    /// Sends a datagram; `payload_bytes` is the message with its transport's header. What is said is what
    /// became of its last packet at the sender's interface.
    pub fn send_datagram(
        &mut self,
        now: Time,
        ends: [NicId; 2],
        socket: u32,
        payload_bytes: u32,
        cargo: u64,
    ) -> Taken {
        let [from, to] = ends;
        let mtu = self.plan.topology.nics[from.0 as usize].mtu_bytes;
        let packets = ip::fragments_count(payload_bytes, mtu);
        // 64 KiB in packets of 576 B are 118.
        let packets = u8::try_from(packets).unwrap_or(FRAGMENTS_MAX).min(FRAGMENTS_MAX);
        let datagram = Datagram {
            cargo,
            socket,
            payload_bytes,
            ends,
            sent: now,
            packets,
            under_way: packets,
            arrived: 0,
            grave: None,
            is_over: false,
            keep_until: Time::ZERO,
        };
        let name = self.carried.insert(Carried::Datagram(datagram));
        let sent = if packets == 1 { &mut self.counts.whole.0 } else { &mut self.counts.fragments.0 };
        *sent += u64::from(packets);
        let mut taken = Taken::Dropped;
        for (fragment, ip_bytes) in (0..packets).zip(ip::fragments(payload_bytes, mtu)) {
            let packet = Packet { to, wire_bytes: ip::wire_bytes(ip_bytes), cargo: cargo_of(name, fragment) };
            let here = self.fabric.handle_packet(now, from, packet);
            if here == Taken::Dropped {
                let link = self.plan.topology.fabric.nics[from.0 as usize];
                self.handle_died(now, packet, Grave::Link(link, crate::fabric::Why::Full));
            }
            taken = here;
        }
        taken
    }

    /// Sends a datagram within a host.
    pub fn send_local(&mut self, now: Time, cargo: u64) {
        self.local_number += 1;
        let at = now + self.plan.local_delay;
        self.local.insert((at, self.local_number), Local::Datagram { cargo });
    }

    /// Opens a connection within a host, or between hosts that no network joins.
    pub fn open_local(&mut self, channel: Channel) {
        self.local_channels.insert(channel);
    }

    /// Puts a message on such a connection.
    pub fn send_local_message(&mut self, now: Time, channel: Channel, cargo: u64) {
        self.local_number += 1;
        let at = now + self.plan.local_delay;
        self.local.insert((at, self.local_number), Local::Message { channel, cargo });
    }

    /// Bytes that wait at the sender of a connection.
    #[must_use]
    pub fn backlog_bytes(&self, channel: Channel) -> u64 {
        let found = self.by_channel.get(&channel).and_then(|name| self.connections.get(*name));
        found.map_or(0, Connection::backlog_bytes)
    }

    /// Opens a connection. Messages on it go from the first interface to the second.
    pub fn open(&mut self, now: Time, channel: Channel, ends: [NicId; 2], plan: &TcpPlan) {
        let topology = &self.plan.topology;
        let link = &topology.fabric.links[topology.fabric.nics[ends[0].0 as usize].0 as usize];
        let two = u64::from(2 * ip::wire_bytes(plan.mss_bytes + ip::IP_HEADER_BYTES + ip::TCP_HEADER_BYTES));
        let byte = link.byte_time.span(1_000).0.max(1);
        let in_interface = (IN_INTERFACE.0 / byte * 1_000).clamp(two, IN_INTERFACE_BYTES_MAX.max(two));
        let ends = Ends { from: ends[0], to: ends[1] };
        let connection = Connection::new(now, channel, ends, self.plan.connections, plan, in_interface);
        let name = self.connections.insert(connection);
        self.by_channel.insert(channel, name);
    }

    /// The segment size that fits the MTU between two interfaces.
    #[must_use]
    pub fn mss_of(&self, ends: [NicId; 2]) -> u32 {
        let mtu = |nic: NicId| self.plan.topology.nics[nic.0 as usize].mtu_bytes;
        mtu(ends[0]).min(mtu(ends[1])).saturating_sub(ip::IP_HEADER_BYTES + ip::TCP_HEADER_BYTES).max(1)
    }

    /// Puts a message on a connection.
    pub fn send_message(&mut self, now: Time, channel: Channel, bytes: u32, cargo: u64) {
        let Some(name) = self.by_channel.get(&channel).copied() else {
            self.news.push_back(StackNews::Cut(cargo));
            return;
        };
        if let Some(connection) = self.connections.get_mut(name) {
            connection.handle_message(now, bytes, cargo);
        }
        self.pump(now, name);
    }

    /// Whether a connection takes more of its owner's bytes at once; if not, [`StackNews::Room`] will say when.
    pub fn has_room(&mut self, channel: Channel) -> bool {
        let Some(connection) = self.connection(channel) else { return false };
        connection.wants_room = !connection.has_room();
        !connection.wants_room
    }

    fn connection(&mut self, channel: Channel) -> Option<&mut Connection> {
        let name = *self.by_channel.get(&channel)?;
        self.connections.get_mut(name)
    }

    /// What TCP's sender knows of a connection.
    #[must_use]
    pub fn tcp_of(&mut self, channel: Channel) -> Option<(TcpPlan, SenderCounts)> {
        let connection = self.connection(channel)?;
        match &connection.kind {
            Kind::Tcp(ends) => Some((connection.tcp_plan(), ends.0.counts())),
            Kind::Plain(_) => None,
        }
    }

    /// Cuts a connection: nothing that is on it arrives.
    pub fn cut(&mut self, channel: Channel) {
        if self.local_channels.remove(&channel) {
            let news = &mut self.news;
            self.local.retain(|_, local| match local {
                Local::Message { channel: of, cargo } if *of == channel => {
                    news.push_back(StackNews::Cut(*cargo));
                    false
                }
                _ => true,
            });
        }
        let Some(name) = self.by_channel.remove(&channel) else { return };
        self.timers.set(name, None);
        if let Some(connection) = self.connections.remove(name) {
            self.news.extend(connection.into_cut().map(StackNews::Cut));
        }
    }

    /// Does all that a connection can do now.
    fn pump(&mut self, now: Time, name: u64) {
        loop {
            let Some(connection) = self.connections.get_mut(name) else { return };
            let ends = connection.ends;
            let (from, to, carried, ip_bytes, piece) = if let Some(ack) = connection.poll_ack(now) {
                let carried = Carried::Acknowledgement { connection: name, ack };
                let bytes = ip::IP_HEADER_BYTES + connection.tcp_plan().ack_bytes(&ack);
                (ends.to, ends.from, carried, bytes, None)
            } else if let Some(piece) = connection.poll_piece(now) {
                let Piece { start, bytes } = piece;
                let carried = Carried::Segment(CarriedSegment { connection: name, start, bytes });
                (ends.from, ends.to, carried, bytes + ip::IP_HEADER_BYTES + ip::TCP_HEADER_BYTES, Some(piece))
            } else {
                break;
            };
            self.counts.connections.0 += 1;
            let carried = self.carried.insert(carried);
            let packet = Packet { to, wire_bytes: ip::wire_bytes(ip_bytes), cargo: cargo_of(carried, 0) };
            let taken = self.fabric.handle_packet(now, from, packet);
            if let (Some(_), Some(connection)) = (piece, self.connections.get_mut(name)) {
                match taken {
                    Taken::Leaves(at) => connection.handle_leaving(Some(at), packet.wire_bytes),
                    Taken::Waits => connection.handle_leaving(None, packet.wire_bytes),
                    Taken::Dropped => {}
                }
            }
            if taken == Taken::Dropped {
                let link = self.plan.topology.fabric.nics[from.0 as usize];
                self.handle_died(now, packet, Grave::Link(link, crate::fabric::Why::Full));
            }
        }
        let Some(connection) = self.connections.get_mut(name) else { return };
        while let Some((cargo, sent)) = connection.poll_message(now) {
            self.on_connections.record_whole(now.since(sent));
            self.news.push_back(StackNews::Delivered(cargo));
        }
        if connection.wants_room && connection.has_room() {
            connection.wants_room = false;
            self.news.push_back(StackNews::Room(connection.channel));
        }
        self.arm(name);
    }

    /// Sets the timer of a connection, unless one is set that is early enough: it then looks again.
    fn arm(&mut self, name: u64) {
        let Some(connection) = self.connections.get_mut(name) else { return };
        let next = connection.next_timeout();
        let is_early = connection.armed.is_some_and(|armed| next.is_some_and(|next| armed <= next));
        if !is_early {
            connection.armed = next;
            self.timers.set(name, next);
        }
    }

    /// A packet has come through its host's receiving side.
    fn handle_arrived(&mut self, now: Time, packet: Packet) {
        let (name, fragment) = name_of(packet.cargo);
        match self.carried.get_mut(name) {
            Some(Carried::Datagram(_)) => self.handle_fragment(now, name, fragment),
            Some(Carried::Segment(segment)) => {
                let CarriedSegment { connection, start, bytes } = *segment;
                self.counts.connections.1 += 1;
                self.forget(now, name);
                if let Some(of) = self.connections.get_mut(connection) {
                    of.handle_piece(now, Piece { start, bytes });
                    self.pump(now, connection);
                }
            }
            Some(Carried::Acknowledgement { connection, ack }) => {
                let (connection, ack) = (*connection, *ack);
                self.counts.connections.1 += 1;
                self.forget(now, name);
                if let Some(of) = self.connections.get_mut(connection) {
                    of.handle_ack(now, &ack);
                    self.pump(now, connection);
                }
            }
            None => {}
        }
    }

    /// A packet of a connection is no longer needed, unless copies of it may come.
    fn forget(&mut self, now: Time, name: u64) {
        if self.has_copies {
            self.kept.push_back((now + KEEP, name));
        } else {
            self.carried.remove(name);
        }
    }

    fn handle_fragment(&mut self, now: Time, name: u64, fragment: u8) {
        let has_copies = self.has_copies;
        let Some(Carried::Datagram(datagram)) = self.carried.get_mut(name) else { return };
        let arrived =
            if datagram.packets == 1 { &mut self.counts.whole.1 } else { &mut self.counts.fragments.1 };
        *arrived += 1;
        let was_over = datagram.is_over;
        let is_whole = datagram.handle_arrival(fragment);
        let copy = *datagram;
        if is_whole && (!was_over || copy.packets == 1) {
            datagram.is_over = true;
            if !has_copies {
                self.carried.remove(name);
            } else if !was_over {
                self.kept.push_back((now + KEEP, name));
            }
            let Datagram { cargo, socket, payload_bytes, ends, sent, .. } = copy;
            let parcel = Parcel { cargo, socket, payload_bytes, ends, sent, arrived: now };
            match self.receiving.handle_datagram(now, parcel) {
                Received::Read => self.handle_read(now, parcel),
                Received::Waits => {}
                Received::Dropped(host) => {
                    let grave = Grave::Host(host, HostGrave::Socket);
                    self.counts.socket_drops += 1;
                    self.news.push_back(StackNews::Lost(cargo, grave));
                }
            }
        } else if copy.under_way == 0 && copy.grave.is_some() {
            self.bury(now, name);
        }
    }

    /// An application has a datagram.
    fn handle_read(&mut self, now: Time, parcel: Parcel) {
        let Parcel { cargo, socket, payload_bytes, ends, sent, arrived } = parcel;
        let mtu = self.plan.topology.nics[ends[0].0 as usize].mtu_bytes;
        let delays = self.delays_of_sockets.get(socket as usize).copied();
        if let Some(delays) = delays.and_then(|index| self.delays.get_mut(index)) {
            let sizes = ip::fragments(payload_bytes, mtu).map(ip::wire_bytes);
            let (all, last) = sizes.fold((0, 0), |(all, _), bytes| (all + bytes, bytes));
            let unloaded = delays::unloaded(&self.plan.topology, ends, [all - last, last]);
            delays.record(Stations { sent, arrived, read: now }, unloaded);
        }
        self.news.push_back(StackNews::Delivered(cargo));
    }

    /// A packet died.
    fn handle_died(&mut self, now: Time, packet: Packet, grave: Grave) {
        self.counts.died += 1;
        let (name, _) = name_of(packet.cargo);
        match self.carried.get_mut(name) {
            Some(Carried::Datagram(datagram)) => {
                datagram.grave.get_or_insert(grave);
                datagram.under_way = datagram.under_way.saturating_sub(1);
                if datagram.under_way == 0 && !datagram.is_over {
                    self.bury(now, name);
                }
            }
            Some(Carried::Segment(segment)) => {
                let CarriedSegment { connection, start, bytes } = *segment;
                self.forget(now, name);
                if let Some(of) = self.connections.get_mut(connection) {
                    of.handle_died(now, Piece { start, bytes });
                    self.arm(connection);
                }
            }
            Some(Carried::Acknowledgement { .. }) => self.forget(now, name),
            None => {}
        }
    }

    /// Of a datagram nothing is under way any more, and a part is missing.
    fn bury(&mut self, now: Time, name: u64) {
        let Some(Carried::Datagram(datagram)) = self.carried.get_mut(name) else { return };
        if self.has_copies {
            // A copy may still come and be the only one: what became of it is known later.
            if datagram.keep_until == Time::ZERO {
                datagram.keep_until = now + KEEP;
                self.kept.push_back((now + KEEP, name));
            }
            return;
        }
        if let (Some(grave), cargo) = (datagram.grave, datagram.cargo) {
            self.news.push_back(StackNews::Lost(cargo, grave));
        }
        self.carried.remove(name);
    }

    /// Forgets what was kept long enough for copies, or all of it.
    fn forget_kept(&mut self, now: Option<Time>) {
        while let Some((until, name)) = self.kept.front().copied()
            && now.is_none_or(|now| until <= now)
        {
            self.kept.pop_front();
            if let Some(Carried::Datagram(datagram)) = self.carried.remove(name)
                && !datagram.is_over
                && let Some(grave) = datagram.grave
            {
                self.news.push_back(StackNews::Lost(datagram.cargo, grave));
            }
        }
    }

    /// Nobody sends any more: lets arrive what is still under way, acknowledgements above all, so that the books of
    /// packets close. `lost` is told of datagrams that are found lost, those among them that were kept for their
    /// copies. Says when it was quiet.
    pub fn run_out(&mut self, now: Time, mut lost: impl FnMut(u64, Grave)) -> Time {
        let (mut now, until) = (now, now + RUN_OUT);
        let mut is_forgotten = false;
        loop {
            while let Some(news) = self.poll(now) {
                if let StackNews::Lost(cargo, grave) = news {
                    lost(cargo, grave);
                }
            }
            match self.next_timeout().filter(|at| *at <= until) {
                Some(at) => now = now.max(at),
                None if is_forgotten => return now,
                None => {
                    is_forgotten = true;
                    self.forget_kept(None);
                }
            }
        }
    }

    /// A fault begins on a link, or is over.
    pub fn handle_fault(&mut self, now: Time, link: LinkId, fault: Option<LinkFault>) {
        self.has_copies |= matches!(fault, Some(LinkFault::Duplicate(_)));
        self.fabric.handle_fault(now, link, fault);
    }

    /// When something happens next.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        if !self.news.is_empty() {
            return Some(Time::ZERO);
        }
        let local = self.local.keys().next().map(|(at, _)| *at);
        let all = [self.fabric.next_timeout(), self.timers.next(), self.receiving.next_timeout(), local];
        all.into_iter().flatten().min()
    }

    /// Carries on to `now`, and says the next thing that happened.
    pub fn poll(&mut self, now: Time) -> Option<StackNews> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Some(news);
            }
            if let Some(news) = self.fabric.poll(now) {
                self.handle_fabric(now, news);
            } else if let Some(received) = self.receiving.poll(now) {
                self.handle_host(now, received);
            } else if let Some(name) = self.timers.pop_due(now) {
                if let Some(connection) = self.connections.get_mut(name) {
                    connection.armed = None;
                    connection.handle_timeout(now);
                    self.pump(now, name);
                }
            } else if let Some(entry) = self.local.first_entry().filter(|entry| entry.key().0 <= now) {
                let (Local::Datagram { cargo } | Local::Message { cargo, .. }) = entry.remove();
                self.news.push_back(StackNews::Delivered(cargo));
            } else {
                self.forget_kept(Some(now));
                return self.news.pop_front();
            }
        }
    }

    fn handle_fabric(&mut self, now: Time, news: News) {
        match news {
            News::Delivered { packet } => {
                let host = self.plan.topology.nics[packet.to.0 as usize].host;
                if self.receiving.is_ideal(host) {
                    self.handle_arrived(now, packet);
                } else {
                    self.receiving.handle_packet(now, host, packet, ip::ip_bytes(packet.wire_bytes));
                }
            }
            News::Left { packet, .. } => {
                let (name, fragment) = name_of(packet.cargo);
                match self.carried.get_mut(name) {
                    Some(Carried::Datagram(datagram)) if fragment + 1 == datagram.packets => {
                        self.news.push_back(StackNews::Left(datagram.cargo));
                    }
                    Some(Carried::Segment(segment)) => {
                        let connection = segment.connection;
                        if let Some(of) = self.connections.get_mut(connection) {
                            of.handle_left(now);
                            self.pump(now, connection);
                        }
                    }
                    _ => {}
                }
            }
            News::Dropped { packet, link, why } => self.handle_died(now, packet, Grave::Link(link, why)),
        }
    }

    fn handle_host(&mut self, now: Time, received: receiving::FromHost) {
        match received {
            receiving::FromHost::Arrived(packet) => self.handle_arrived(now, packet),
            receiving::FromHost::Dropped(packet, grave) => self.handle_died(now, packet, grave),
            receiving::FromHost::Read(parcel) => self.handle_read(now, parcel),
        }
    }

    /// The fabric, for its counts.
    #[must_use]
    pub const fn fabric(&self) -> &F {
        &self.fabric
    }

    /// What it was made of.
    #[must_use]
    pub const fn plan(&self) -> &StackPlan {
        &self.plan
    }

    /// What it counted.
    #[must_use]
    pub const fn counts(&self) -> &StackCounts {
        &self.counts
    }

    /// How long messages took, and what took it.
    pub fn delays(&self) -> impl Iterator<Item = DelayPart> {
        self.delays.iter().chain([&self.on_connections]).flat_map(Delays::to_record)
    }

    /// What the receiving sides of the hosts counted.
    #[must_use]
    pub fn hosts(&self, now: Time) -> Vec<HostReport> {
        self.receiving.reports(now)
    }
}

/// Bits of [`Datagram::arrived`].
const FRAGMENTS_MAX: u8 = 127;
