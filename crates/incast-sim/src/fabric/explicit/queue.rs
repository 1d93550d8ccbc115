//! Packets that wait in front of a link, first in, first out. It knows neither rates nor bounds.

use std::collections::VecDeque;

use incast_core::time::Time;

use crate::fabric::LinkId;
use crate::packet::Packet;

/// A packet with what an engine must know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The packet.
    pub(super) packet: Packet,
    /// When it came to the queue that it is in, or was in last.
    pub(super) entered: Time,
    /// The link by which it came there; `None`: its host sent it.
    pub(super) by: Option<LinkId>,
    /// Its host waits to hear that it has left.
    pub(super) is_awaited: bool,
}

impl Item {
    /// Its bytes on the wire.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.packet.wire_bytes)
    }
}

/// A queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    bytes: u64,
}

impl Queue {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes that wait.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Puts one at the end.
    pub(super) fn push(&mut self, item: Item) {
        self.bytes += item.bytes();
        self.items.push_back(item);
    }

    /// Takes the first.
    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes -= item.bytes();
        Some(item)
    }
}
