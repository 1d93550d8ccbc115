//! Memory that several queues share: that of a switch, and that of one of its inputs. It counts bytes that wait,
//! and knows who was asked to stop; it sends nothing.
//!
//! A shared memory has static limits: each port within its own, all within the whole (complete sharing with
//! maximum queue lengths: Kamoun and Kleinrock, IEEE Transactions on Communications 28, 1980, page 992).

use incast_core::time::Time;

use super::pause::Marks;
use crate::fabric::LinkId;

/// A memory with a bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    /// Most bytes.
    pub(super) bytes: u64,
    /// Bytes that wait in it.
    pub(super) held: u64,
}

impl Pool {
    /// Whether so many bytes more find room.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.held.saturating_add(bytes) <= self.bytes
    }
}

/// What a switch keeps for a link that comes in, where packets wait by where they came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    /// The memory of the port.
    pub(super) pool: Pool,
    /// When to pause whoever sends on this link; `None`: never.
    pub(super) marks: Option<Marks>,
    /// The link back, on which PAUSE frames go.
    pub(super) back: Option<LinkId>,
    /// Which input of its switch it is, counted from 0.
    pub(super) place: usize,
    /// When it was asked to stop, if it was and was not let go since.
    pub(super) asked: Option<Time>,
    /// When a packet last left this memory.
    pub(super) moved: Time,
}
