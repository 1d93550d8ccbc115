//! What the ledger knows of flows below UDP: no counter of a host tells their packets from others', so their own ends
//! and rings are asked.

use super::{Drops, stage, told};
use crate::load::Transport;
use crate::record::Flow;

/// Packets of the flows below UDP, by the counts of their own ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RawBook {
    /// Given to the kernel, greetings among them.
    pub(super) sent: u64,
    /// Taken from the kernel.
    pub(super) received: u64,
    /// Dropped by the receiving rings or sockets, by their own counters.
    pub(super) dropped: u64,
    /// Frames that a full queue dropped and refused: the sender was told, and sent them again.
    pub(super) refused: u64,
    /// Greetings that did not come: packets that are no messages.
    pub(super) greetings_lost: u64,
}

impl RawBook {
    /// Of the flows whose transport `is_meant`. Flows of one kind to one host share a ring or socket, and each tells
    /// of all that it dropped.
    pub(super) fn of(flows: &[Flow], is_meant: impl Fn(Transport) -> bool) -> Self {
        let meant = |flow: &&Flow| flow.transport.is_some_and(&is_meant);
        let mut book = Self::default();
        let mut rings = std::collections::BTreeMap::new();
        for flow in flows.iter().filter(meant) {
            let greetings = |side: fn(&crate::record::RawSummary) -> Option<&crate::record::RawSide>| {
                told(flow.raw.as_ref().and_then(side).map(|side| side.greetings)).unwrap_or(0)
            };
            let greeted = greetings(|raw| raw.sender.as_ref());
            let heard = greetings(|raw| raw.receiver.as_ref());
            book.sent += told(flow.messages.sent).unwrap_or(0) + greeted;
            book.received += told(flow.messages.received).unwrap_or(0) + heard;
            if flow.transport == Some(Transport::Ethernet) {
                let sender = flow.raw.as_ref().and_then(|raw| raw.sender.as_ref());
                book.refused += told(sender.map(|side| side.queue_full)).unwrap_or(0);
            }
            book.greetings_lost += greeted.saturating_sub(heard);
            let kind = flow.raw.as_ref().map(|raw| (raw.protocol, raw.ethertype, raw.vlan_id));
            let ring = rings.entry((flow.to.as_str(), flow.transport, kind)).or_default();
            *ring = told(flow.receiver_drops).unwrap_or(0).max(*ring);
        }
        book.dropped = rings.values().sum();
        book
    }

    /// Takes off the hosts' queues what they refused: it was never sent.
    pub(super) fn spare_refused(&self, drops: &mut [Drops]) {
        let mut left = self.refused;
        for place in drops.iter_mut().filter(|place| place.stage == stage::HOST_QUEUE) {
            let here = left.min(place.packets - place.datagrams.unwrap_or(0).min(place.packets));
            place.packets -= here;
            left -= here;
        }
    }

    /// What came to the host of the receiver.
    pub(super) fn arrived(&self) -> u64 {
        self.received + self.dropped
    }
}
