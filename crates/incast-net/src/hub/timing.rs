//! When datagrams of a probe arrived, and the answers to its two-way messages.
//!
//! The kernel stamps in the wall clock, departures are told in `CLOCK_MONOTONIC`: every batch compares the two.
//! A datagram without a stamp, or whose stamp cannot be, has the time at which its batch was read.

use std::net::UdpSocket;

use incast_core::probe::StampSource;
use incast_core::wire::two_way::{self, TwoWayTimes};

use crate::clock::{self, WallClock};
use crate::udp::{Arrival, PeerAddress};

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

/// Sends a two-way message back, with when it came and when it leaves: as many bytes as came, to where they came from.
/// Says whether it was sent: one that was not does not come, and that is all.
pub(super) fn answer(
    socket: Option<&UdpSocket>,
    from: PeerAddress,
    stream: u64,
    t1: i64,
    arrived_ns: i64,
) -> bool {
    let Some((socket, from)) = socket.zip(from.decode()) else { return false };
    let times = TwoWayTimes { t1, t2: arrived_ns, t3: clock::shared_ns() };
    socket.send_to(&two_way::emit(stream, times), from).is_ok()
}
