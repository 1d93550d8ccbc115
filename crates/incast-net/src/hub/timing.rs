//! When datagrams of a probe arrived, and the answers to its two-way messages.
//!
//! The kernel stamps in the wall clock, departures are told in `CLOCK_MONOTONIC`: every batch compares the two.
//! A datagram without a stamp, or whose stamp cannot be, has the time at which its batch was read.

use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsFd as _;

use incast_core::probe::report::TWO_WAY_MAX;
use incast_core::probe::{ProbeReceiver, ProbeStream, StampSource};
use incast_core::wire::two_way::{self, TwoWayTimes};

use crate::clock::{self, WallClock};
use crate::udp::Arrival;

/// A stamp that is older when its datagram is read belongs to another clock.
const WAITED_MAX_NS: i64 = 60_000_000_000;
/// Card and kernel see a packet within so many nanoseconds of each other, if the card keeps the kernel's time.
const CARD_APART_MAX_NS: i64 = 1_000_000;

/// The times of one socket while somebody probes through it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    wall: WallClock,
    /// When the current batch was read.
    read_ns: i64,
    stepped: bool,
}

impl Timing {
    pub(super) fn start() -> Self {
        Self { wall: WallClock::start(), read_ns: clock::shared_ns(), stepped: false }
    }

    /// A batch has been read.
    pub(super) fn handle_batch(&mut self) {
        self.stepped = self.wall.check();
        self.read_ns = clock::shared_ns();
    }

    /// How often the wall clock was stepped.
    pub(super) fn steps(&self) -> u64 {
        self.wall.steps()
    }

    /// When a datagram arrived, by `CLOCK_MONOTONIC`.
    pub(super) fn arrival_ns(&self, arrival: &Arrival<'_>) -> (i64, StampSource) {
        let stamps = arrival.stamps();
        let kernel = stamps.kernel_ns.filter(|_| !self.stepped);
        // A card keeps a clock of its own, which means something only if it is kept on the system's.
        let card = stamps.nic_ns.zip(kernel).map(|(card, kernel)| (card, card.saturating_sub(kernel)));
        let card = card.filter(|(_, apart)| apart.saturating_abs() < CARD_APART_MAX_NS).map(|(card, _)| card);
        let times = [(card, StampSource::Nic), (kernel, StampSource::Kernel)];
        let told = times.into_iter().find_map(|(wall, source)| Some((self.wall.to_monotonic(wall?), source)));
        let can_be = |at: i64| (0..WAITED_MAX_NS).contains(&self.read_ns.saturating_sub(at));
        told.filter(|(at, _)| can_be(*at)).unwrap_or((self.read_ns, StampSource::Reader))
    }
}

/// A probe at its hub: what is timed, and whose two-way messages are answered.
///
/// Who knows the id of the stream could forge another's address as the sender of requests, and have that flooded; or our own,
/// and have us answer our answers for ever. So a request comes from a host that has held a TCP connection of this probe's,
/// has no times of ours yet, and is one of as many as a prober sends.
#[derive(Debug)]
pub(super) struct Probed {
    pub(super) receiver: ProbeReceiver,
    /// Addresses of the prober, canonical.
    probers: Vec<IpAddr>,
    answered: usize,
}

impl Probed {
    pub(super) fn new(stream: &ProbeStream, probers: &[IpAddr]) -> Self {
        let probers = probers.iter().map(IpAddr::to_canonical).collect();
        Self { receiver: ProbeReceiver::new(stream), probers, answered: 0 }
    }

    /// Sends a two-way message back, with when it came and when it leaves: as many bytes as came, to where they came from.
    /// False if that is none of the prober's, or one too many. What the kernel does not take does not come, and that is all.
    pub(super) fn answer(
        &mut self,
        socket: Option<&UdpSocket>,
        arrival: &Arrival<'_>,
        stream: u64,
        asked: TwoWayTimes,
        arrived_ns: i64,
    ) -> bool {
        let is_request = (asked.t2, asked.t3) == (0, 0) && self.answered < TWO_WAY_MAX;
        let from = arrival.from.decode().filter(|_| is_request);
        if !from.is_some_and(|from| self.probers.contains(&from.ip().to_canonical())) {
            return false;
        }
        self.answered += 1;
        let Some(socket) = socket else { return true };
        let times = TwoWayTimes { t1: asked.t1, t2: arrived_ns, t3: clock::shared_ns() };
        if arrival.reply().send(socket.as_fd(), &two_way::emit(stream, times)).is_ok() {
            self.receiver.handle_answered();
        }
        true
    }
}
