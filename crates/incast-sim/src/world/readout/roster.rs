//! Who takes part: every role has a seat, numbered by kind and id, so that tables by seat need no search.
//!
//! Seats do not depend on the order in which a scenario declares its roles.

use incast_core::readout::Peer;

/// The place of a role among all roles of the readout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat(pub(super) u32);

impl Seat {
    /// As an index of tables by seat.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Every role by its seat, and back.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    peers: Vec<Peer>,
    /// By kind, then by id; [`NOBODY`] where there is none.
    seats: [Vec<u32>; KINDS],
}

const KINDS: usize = 5;
const NOBODY: u32 = u32::MAX;

impl Roster {
    /// The roles, in any order. There are fewer than 2^17, as ids have 16 bits.
    pub(super) fn new(peers: impl IntoIterator<Item = Peer>) -> Self {
        let mut peers: Vec<Peer> = peers.into_iter().collect();
        peers.sort_unstable();
        peers.dedup();
        let mut seats: [Vec<u32>; KINDS] = std::array::from_fn(|_| Vec::new());
        for (seat, peer) in (0..).zip(&peers) {
            let (kind, id) = place(*peer);
            if seats[kind].len() <= id {
                seats[kind].resize(id + 1, NOBODY);
            }
            seats[kind][id] = seat;
        }
        Self { peers, seats }
    }

    /// The seat of a role, if it is one of this readout.
    #[inline]
    pub(super) fn seat(&self, peer: Peer) -> Option<Seat> {
        let (kind, id) = place(peer);
        self.seats[kind].get(id).copied().filter(|seat| *seat != NOBODY).map(Seat)
    }

    /// Who sits there.
    #[inline]
    pub(super) fn peer(&self, seat: Seat) -> Peer {
        self.peers[seat.index()]
    }

    /// How many seats there are.
    pub(super) const fn len(&self) -> usize {
        self.peers.len()
    }

    /// All seats.
    pub(super) fn seats(&self) -> impl Iterator<Item = Seat> + use<> {
        (0..).take(self.peers.len()).map(Seat)
    }
}

const fn place(peer: Peer) -> (usize, usize) {
    match peer {
        Peer::Trigger => (0, 0),
        Peer::Source(id) => (1, id.0 as usize),
        Peer::Builder(id) => (2, id.0 as usize),
        Peer::Node(id) => (3, id.0 as usize),
        Peer::Sink(id) => (4, id.0 as usize),
    }
}

/// Who of two roles talks with the other: they have a connection, and are told of each other.
pub(super) const fn talk(one: Peer, other: Peer) -> bool {
    use Peer::{Builder, Node, Sink, Source, Trigger};
    matches!(
        (one, other),
        (Trigger, Source(_) | Builder(_) | Sink(_))
            | (Source(_), Trigger | Builder(_))
            | (Builder(_), Trigger | Source(_) | Node(_) | Sink(_))
            | (Node(_), Builder(_) | Sink(_))
            | (Sink(_), Trigger | Builder(_) | Node(_))
    )
}

#[cfg(test)]
mod tests {
    use incast_core::readout::{BuilderId, NodeId, SourceId};

    use super::*;

    #[test]
    fn seats_do_not_depend_on_the_order_of_declaration() {
        let peers =
            [Peer::Node(NodeId(7)), Peer::Trigger, Peer::Source(SourceId(900)), Peer::Node(NodeId(2))];
        let roster = Roster::new(peers);
        assert_eq!(roster.len(), 4);
        for seat in roster.seats() {
            assert_eq!(roster.seat(roster.peer(seat)), Some(seat));
        }
        assert_eq!(roster.seat(Peer::Node(NodeId(3))), None);
        assert_eq!(roster.seat(Peer::Builder(BuilderId(0))), None);
        let mut reversed = peers;
        reversed.reverse();
        assert_eq!(Roster::new(reversed).peers, roster.peers);
    }
}
