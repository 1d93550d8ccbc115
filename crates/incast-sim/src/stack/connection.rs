//! A connection, one way: messages in at one end, whole and in order out at the other.
//!
//! TCP by its model, or plain: segments leave as the interface takes them, without a window, and what was lost is
//! sent again after a fixed time. Either way no more of it waits in the interface than a small queue
//! (Linux: TCP small queues, net/ipv4/tcp_output.c), so that connections of one host share it.

use std::collections::{BTreeMap, VecDeque};

use incast_core::scenario::Connections;
use incast_core::time::{Span, Time};

use super::carried::Ends;
use crate::courier::Channel;
use crate::tcp::{Ack, TcpPlan, TcpReceiver, TcpSender};

/// What is lost on a plain connection is sent again after so long: Linux's shortest TCP time-out.
pub(super) const REPEAT_AFTER: Span = Span::from_ms(200);

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) channel: Channel,
    pub(super) ends: Ends,
    pub(super) kind: Kind,
    plan: TcpPlan,
    /// Messages on it: where each ends in the stream, its cargo, and when it was given.
    messages: VecDeque<(u64, u64, Time)>,
    /// Bytes that its owner has given to it.
    written: u64,
    /// Bytes of these that the carrier has taken.
    taken: u64,
    /// Bytes in its interface, and when they leave; `None`: it will be told.
    leaving: VecDeque<(Option<Time>, u32)>,
    in_interface: u64,
    /// Most of that.
    interface_max: u64,
    /// Bytes that its receiving application has read.
    read: u64,
    /// Its owner waits for room.
    pub(super) wants_room: bool,
    /// The moment at which a timer is set.
    pub(super) armed: Option<Time>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Tcp(Box<(TcpSender, TcpReceiver)>),
    Plain(Plain),
}

/// A connection without congestion control.
#[derive(Debug, Default)]
pub(super) struct Plain {
    segment_bytes: u32,
    /// Next byte to be sent for the first time.
    next: u64,
    /// What is to be sent again, and when.
    repeat: BTreeMap<(Time, u64), u32>,
    /// Everything below has arrived.
    arrived: u64,
    /// What has arrived beyond: start and end.
    beyond: BTreeMap<u64, u64>,
    pub(super) repeated: u64,
}

/// A piece of a connection that is to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) start: u64,
    pub(super) bytes: u32,
}

impl Connection {
    pub(super) fn new(
        now: Time,
        channel: Channel,
        ends: Ends,
        how: Connections,
        plan: &TcpPlan,
        interface_max: u64,
    ) -> Self {
        let kind = match how {
            Connections::Tcp => Kind::Tcp(Box::new((TcpSender::new(*plan, now), TcpReceiver::new(*plan)))),
            Connections::Plain => Kind::Plain(Plain { segment_bytes: plan.mss_bytes, ..Plain::default() }),
        };
        Self {
            channel,
            ends,
            kind,
            plan: *plan,
            messages: VecDeque::new(),
            written: 0,
            taken: 0,
            leaving: VecDeque::new(),
            in_interface: 0,
            interface_max,
            read: 0,
            wants_room: false,
            armed: None,
        }
    }

    /// What TCP was told.
    pub(super) const fn tcp_plan(&self) -> TcpPlan {
        self.plan
    }

    /// Takes a message in.
    pub(super) fn handle_message(&mut self, now: Time, bytes: u32, cargo: u64) {
        self.written += u64::from(bytes.max(1));
        self.messages.push_back((self.written, cargo, now));
    }

    /// Bytes that wait at the sender: not yet sent for the first time.
    pub(super) fn backlog_bytes(&self) -> u64 {
        let in_carrier = match &self.kind {
            Kind::Tcp(ends) => ends.0.unsent_bytes(),
            Kind::Plain(plain) => self.taken - plain.next,
        };
        self.written - self.taken + in_carrier
    }

    /// Whether the carrier has room for more of its owner's bytes.
    pub(super) fn has_room(&self) -> bool {
        self.written == self.taken
    }

    fn arrived_bytes(&self) -> u64 {
        match &self.kind {
            Kind::Tcp(ends) => self.read + ends.1.readable_bytes(),
            Kind::Plain(plain) => plain.arrived,
        }
    }

    /// The next piece that may leave now.
    pub(super) fn poll_piece(&mut self, now: Time) -> Option<Piece> {
        while let Some((Some(leaves), bytes)) = self.leaving.front().copied()
            && leaves <= now
        {
            self.leaving.pop_front();
            self.in_interface -= u64::from(bytes);
        }
        if self.in_interface >= self.interface_max {
            return None;
        }
        let waiting = self.written - self.taken;
        match &mut self.kind {
            Kind::Tcp(ends) => {
                let kept = ends.0.unsent_bytes() + ends.0.unacked_bytes();
                let room = send_buffer(&ends.0, &self.plan).saturating_sub(kept);
                if waiting > 0 && room > 0 {
                    self.taken += ends.0.handle_write(now, waiting.min(room));
                }
                let segment = ends.0.poll_transmit(now)?;
                Some(Piece { start: segment.start, bytes: segment.bytes })
            }
            Kind::Plain(plain) => {
                self.taken = self.written;
                plain.poll_piece(now, self.written)
            }
        }
    }

    /// A piece is in the interface until `leaves`; `None`: until it is told.
    pub(super) fn handle_leaving(&mut self, leaves: Option<Time>, bytes: u32) {
        self.leaving.push_back((leaves, bytes));
        self.in_interface += u64::from(bytes);
    }

    /// A piece of which that was not known has left.
    pub(super) fn handle_left(&mut self, now: Time) {
        if let Some(entry) = self.leaving.iter_mut().find(|(leaves, _)| leaves.is_none()) {
            entry.0 = Some(now);
        }
    }

    /// A piece died, and the network told so: only the plain connection listens.
    pub(super) fn handle_died(&mut self, now: Time, piece: Piece) {
        if let Kind::Plain(plain) = &mut self.kind {
            plain.repeat.insert((now + REPEAT_AFTER, piece.start), piece.bytes);
        }
    }

    /// A piece arrives.
    pub(super) fn handle_piece(&mut self, now: Time, piece: Piece) {
        match &mut self.kind {
            Kind::Tcp(ends) => ends.1.handle_segment(now, piece.start, piece.bytes),
            Kind::Plain(plain) => plain.handle_piece(piece),
        }
    }

    /// The next acknowledgement that is to leave.
    pub(super) fn poll_ack(&mut self, now: Time) -> Option<Ack> {
        match &mut self.kind {
            Kind::Tcp(ends) => ends.1.poll_ack(now),
            Kind::Plain(_) => None,
        }
    }

    pub(super) fn handle_ack(&mut self, now: Time, ack: &Ack) {
        if let Kind::Tcp(ends) = &mut self.kind {
            ends.0.handle_ack(now, *ack);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Time) {
        if let Kind::Tcp(ends) = &mut self.kind {
            if ends.0.next_timeout().is_some_and(|at| at <= now) {
                ends.0.handle_timeout(now);
            }
            if ends.1.next_timeout().is_some_and(|at| at <= now) {
                ends.1.handle_timeout(now);
            }
        }
    }

    /// When something is due at either end.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        let leaves = self.leaving.front().and_then(|(leaves, _)| *leaves);
        // Only who is held up by the interface waits for it.
        let leaves = leaves.filter(|_| self.in_interface >= self.interface_max);
        let carrier = match &self.kind {
            Kind::Tcp(ends) => [ends.0.next_timeout(), ends.1.next_timeout()].into_iter().flatten().min(),
            Kind::Plain(plain) => plain.repeat.keys().next().map(|(at, _)| *at),
        };
        [leaves, carrier].into_iter().flatten().min()
    }

    /// The next message that has arrived whole, read by its application.
    /// Its cargo, and when it was given.
    pub(super) fn poll_message(&mut self, now: Time) -> Option<(u64, Time)> {
        let (end, cargo, given) = *self.messages.front()?;
        if let Kind::Tcp(ends) = &mut self.kind {
            // The application reads what there is, whether or not a message is whole with it.
            self.read += ends.1.handle_read(now, u64::MAX);
        }
        let arrived = self.arrived_bytes();
        if arrived < end {
            return None;
        }
        self.messages.pop_front();
        Some((cargo, given))
    }

    /// What never arrives now that it is cut.
    pub(super) fn into_cut(self) -> impl Iterator<Item = u64> {
        self.messages.into_iter().map(|(_, cargo, _)| cargo)
    }
}

/// Bytes that a sender's buffer holds now. It grows with the window: twice as many segments as the largest so
/// far, in true sizes, of which some 0.63 are data (Linux: `tcp_sndbuf_expand`, net/ipv4/tcp_input.c).
fn send_buffer(sender: &TcpSender, plan: &TcpPlan) -> u64 {
    let window = sender.counts().cwnd_bytes.max.max(u64::from(plan.mss_bytes) * 10);
    (window * 2 * 63 / 100).min(plan.send_buffer_bytes)
}

impl Plain {
    fn poll_piece(&mut self, now: Time, written: u64) -> Option<Piece> {
        if let Some(entry) = self.repeat.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, start), bytes) = entry.remove_entry();
            self.repeated += 1;
            return Some(Piece { start, bytes });
        }
        let left = written - self.next;
        if left == 0 {
            return None;
        }
        let bytes = u32::try_from(left).unwrap_or(u32::MAX).min(self.segment_bytes);
        let start = self.next;
        self.next += u64::from(bytes);
        Some(Piece { start, bytes })
    }

    fn handle_piece(&mut self, piece: Piece) {
        let end = piece.start + u64::from(piece.bytes);
        if piece.start > self.arrived {
            self.beyond.insert(piece.start, end);
            return;
        }
        self.arrived = self.arrived.max(end);
        while let Some(entry) = self.beyond.first_entry().filter(|entry| *entry.key() <= self.arrived) {
            self.arrived = self.arrived.max(entry.remove());
        }
    }
}
