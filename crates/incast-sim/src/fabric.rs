//! Links and switches: packets go in at one interface and come out at another, later or never.
//!
//! Two engines carry out the same [`FabricPlan`]. `Computed` knows a packet's departure as it arrives, and has
//! one entry in its agenda for each link: fast, for first-in-first-out queues that drop. `Explicit` has an entry for
//! every step, and can do all that a plan can say: pause, shared memory, crossbars, cut-through. Where both can,
//! both give the same (a test holds them against each other).
//!
//! Neither knows hosts, connections or messages.

pub use any::AnyFabric;
use incast_core::link::PathPlan;
use incast_core::scenario::SwitchModel;
use incast_core::time::{Span, Time};

use crate::packet::{NicId, Packet};

mod any;
pub mod computed;
pub mod digest;
pub mod explicit;
pub mod meter;
pub mod wire;

/// Links, switches, and which way packets go.
#[derive(Clone, Debug)]
pub struct FabricPlan {
    /// What random numbers are drawn from.
    pub seed: u64,
    /// Length of the slices in which queues are recorded over time.
    pub interval: Span,
    /// Every switch, in the order of their ids.
    pub switches: Vec<SwitchSpec>,
    /// Every link, in the order of their ids: each is one way.
    pub links: Vec<LinkSpec>,
    /// The link out of each interface, by [`NicId`].
    pub nics: Vec<LinkId>,
}

/// A switch.
#[derive(Clone, Debug)]
pub struct SwitchSpec {
    /// Its name.
    pub name: String,
    /// How it works inside.
    pub model: SwitchModel,
    /// Whether a full port makes its senders wait instead of dropping (IEEE 802.3 PAUSE).
    pub pauses: bool,
    /// The link by which each interface is reached, by [`NicId`]; `None`: not from here.
    pub routes: Vec<Option<LinkId>>,
}

/// One way of a cable, with the queue in front of it.
#[derive(Clone, Debug)]
pub struct LinkSpec {
    /// Where it begins.
    pub from: End,
    /// Where it ends.
    pub to: End,
    /// Picoseconds that a byte takes; 0: no time at all, and nothing ever waits.
    pub byte_time: ByteTime,
    /// How long a bit travels.
    pub travel: Span,
    /// Bytes that wait in front of it, the packet that is being sent not counted. Out of a switch that pauses, or
    /// whose packets wait at inputs: bytes that came in by the same port, and wait for any other.
    pub queue_bytes: u64,
    /// What happens on the way, if anything.
    pub path: Option<PathPlan>,
    /// Probability that a bit arrives wrong.
    pub bit_errors: f64,
    /// Where its queue is, for people: `nic of y`, `port of main to x`.
    pub place: String,
    /// Which way it goes, for people: `y -> main`.
    pub way: String,
}

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// An interface of a host.
    Nic(NicId),
    /// A switch.
    Switch(SwitchId),
}

/// A switch, by its place in the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SwitchId(pub u32);

/// A link, by its place in the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u32);

/// Picoseconds that a byte takes, with 20 binary places: exact for round rates, and off by less than a
/// picosecond in a megabyte for all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteTime(u64);

impl ByteTime {
    const PLACES: u32 = 20;

    /// Of a rate; `None` is as fast as nothing can be.
    #[must_use]
    pub fn of(bits_per_s: Option<u64>) -> Self {
        let Some(rate) = bits_per_s.filter(|rate| *rate > 0) else { return Self(0) };
        let exact = (8_000_000_000_000_u128 << Self::PLACES) / u128::from(rate);
        Self(u64::try_from(exact).unwrap_or(u64::MAX))
    }

    /// How long so many bytes take, rounded down to a picosecond.
    #[must_use]
    pub fn span(self, bytes: u64) -> Span {
        let exact = (u128::from(self.0) * u128::from(bytes)) >> Self::PLACES;
        Span(u64::try_from(exact).unwrap_or(u64::MAX))
    }

    /// Whether a byte takes less time than at another rate.
    #[must_use]
    pub const fn is_faster_than(self, other: Self) -> bool {
        self.0 < other.0
    }

    /// Whether it takes no time.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// What became of a packet that a host gave to its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The last bit leaves the interface at this moment: until then it is in the host's memory.
    Leaves(Time),
    /// When it leaves depends on others; [`News::Left`] will say it.
    Waits,
    /// The interface's queue is full: it is gone.
    Dropped,
}

/// What happened in the fabric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A packet came out at the interface that it was for.
    Delivered {
        /// The packet.
        packet: Packet,
    },
    /// A packet that [`Taken::Waits`] was said of has left its interface.
    Left {
        /// The interface.
        nic: NicId,
        /// The packet.
        packet: Packet,
    },
    /// A packet died on the way.
    Dropped {
        /// The packet.
        packet: Packet,
        /// In front of, or on, this link.
        link: LinkId,
        /// Why.
        why: Why,
    },
}

/// Why a packet died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The queue was full.
    Full,
    /// The switch's shared memory was full.
    Memory,
    /// Its path loses packets at random.
    Loss,
    /// A bit was wrong.
    BitError,
    /// The link was down.
    LinkDown,
    /// A fault of the scenario.
    Fault,
}

/// What is done to a link on purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkFault {
    /// Nothing passes: what is on the wire or comes later is lost.
    Down,
    /// Each packet is lost with this probability.
    Drop(f64),
    /// Each packet is delivered twice with this probability.
    Duplicate(f64),
    /// Each packet arrives damaged with this probability: it is lost at its check sum.
    Corrupt(f64),
    /// Each packet travels so much longer; order is kept.
    Delay(Span),
    /// Each packet overtakes those before it with this probability, by so much.
    Reorder(f64, Span),
}

/// An engine.
///
/// Whoever drives it keeps to the order of time: `now` never goes back, and nothing is handed in at a time for
/// which `next_timeout` has said something earlier that was not polled.
pub trait Fabric {
    /// A host gives a packet to its interface.
    fn handle_packet(&mut self, now: Time, from: NicId, packet: Packet) -> Taken;

    /// A fault begins on a link (`Some`), or is over.
    fn handle_fault(&mut self, now: Time, link: LinkId, fault: Option<LinkFault>);

    /// When something happens next.
    fn next_timeout(&self) -> Option<Time>;

    /// Carries on to `now`, and says the next thing that happened; `None`: nothing more until `next_timeout`.
    fn poll(&mut self, now: Time) -> Option<News>;

    /// Bytes in front of an interface, the packet that is being sent included.
    fn queued_bytes(&self, now: Time, nic: NicId) -> u64;

    /// What every queue did until `now`, by [`LinkId`].
    fn counts(&self, now: Time) -> Vec<QueueCounts>;

    /// Packets sent over links so far, each link counted.
    fn packet_hops(&self) -> u64;

    /// Arrivals at one queue in one picosecond, whose order was drawn.
    fn ties(&self) -> u64;

    /// Of everything that happened, in its order.
    fn digest(&self) -> u64;
}

/// What one queue did. In packets and bytes `offered = forwarded + dropped + queued`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueCounts {
    /// Packets that came to it.
    pub offered_packets: u64,
    /// Bytes of these.
    pub offered_bytes: u64,
    /// Packets whose last bit has left it.
    pub forwarded_packets: u64,
    /// Bytes of these.
    pub forwarded_bytes: u64,
    /// Packets that found no room, by the reason; those that die later, on the link, are in `lost`.
    pub dropped: Vec<(Why, Died)>,
    /// Packets in it, the one that is being sent included.
    pub queued_packets: u64,
    /// Bytes of these.
    pub queued_bytes: u64,
    /// Packets that died on the link behind it, by the reason.
    pub lost: Vec<(Why, Died)>,
    /// Copies that were made on the link.
    pub copied_packets: u64,
    /// Most bytes that waited at once, the packet that is being sent not counted.
    pub bytes_max: u64,
    /// Most packets that waited at once, likewise.
    pub packets_max: u64,
    /// Bytes that waited, times the picoseconds that they did (of which the mean follows, and Little's law).
    pub byte_ps: u128,
    /// Picoseconds in which the link sent.
    pub busy_ps: u64,
    /// From entering the queue to the start of sending, nanoseconds.
    pub wait_ns: incast_core::stats::LogHistogram,
    /// The same, summed exactly, picoseconds.
    pub wait_sum_ps: u128,
    /// Most bytes that waited in each slice.
    pub bytes_over_time: Vec<u64>,
}

/// Packets that died in one place for one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Died {
    /// How many.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first.
    pub first: Time,
    /// The last.
    pub last: Time,
}
