//! One stream of a flow: the core's sender and receiver, and what a kernel does between them and the network.
//!
//! A datagram is charged to its socket's send buffer until it has left the interface, and the sender waits when
//! the buffer is full until half of it is free (Linux: net/core/sock.c, `sock_def_write_space`).

use std::collections::VecDeque;

use incast_core::flood::{FloodReceiver, FloodSender};
use incast_core::load::Transport;
use incast_core::time::{Span, Time};

use crate::courier::{Channel, HostIndex};
use crate::packet::NicId;

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) sender: FloodSender,
    pub(super) receiver: FloodReceiver,
    pub(super) transport: Transport,
    pub(super) message_bytes: u32,
    pub(super) route: Route,
    /// The receiving application's.
    pub(super) socket: u32,
    pub(super) channel: Channel,
    /// The sending thread is busy until then.
    pub(super) busy_until: Time,
    pub(super) send_cost: Span,
    pub(super) buffer: SendBuffer,
    /// It waits for room on its connection.
    pub(super) waits_for_room: bool,
    /// Its total is known to the receiver.
    pub(super) is_told: bool,
    pub(super) is_over: bool,
}

/// Which way a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// From interface to interface.
    Network([NicId; 2]),
    /// Within a host.
    Local(HostIndex),
}

/// The send buffer of a datagram socket, in true sizes.
#[derive(Clone, Debug, Default)]
pub(super) struct SendBuffer {
    limit: u64,
    charged: u64,
    /// What leaves when; `None`: it will be told.
    leaving: VecDeque<(Option<Time>, u64)>,
    /// It was full, and is not half empty yet.
    is_waiting: bool,
}

impl SendBuffer {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Whether a datagram may be sent now.
    pub(super) fn has_room(&mut self, now: Time) -> bool {
        while let Some((Some(at), bytes)) = self.leaving.front().copied()
            && at <= now
        {
            self.leaving.pop_front();
            self.charged -= bytes;
        }
        if self.is_waiting {
            self.is_waiting = self.charged * 2 > self.limit;
        } else {
            self.is_waiting = self.charged >= self.limit;
        }
        !self.is_waiting
    }

    pub(super) fn charge(&mut self, leaves: Option<Time>, bytes: u64) {
        self.leaving.push_back((leaves, bytes));
        self.charged += bytes;
    }

    /// The first of those of which it was not known has left.
    pub(super) fn handle_left(&mut self, now: Time) {
        if let Some(entry) = self.leaving.iter_mut().find(|(at, _)| at.is_none()) {
            entry.0 = Some(now);
        }
    }

    /// When there is room again, as far as is known.
    pub(super) fn room_at(&self) -> Option<Time> {
        let mut charged = self.charged;
        for (at, bytes) in &self.leaving {
            let at = (*at)?;
            charged -= bytes;
            if charged * 2 <= self.limit {
                return Some(at);
            }
        }
        None
    }
}
