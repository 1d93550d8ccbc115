//! What carries messages from host to host, as the roles of a readout see it: without packets.
//!
//! The stack ([`crate::stack`]) does it over a network with its hosts; [`Direct`] where the scenario describes none.

use std::collections::VecDeque;

use incast_core::time::{Span, Time};

/// A host of the scenario, by its place in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostIndex(pub u32);

/// A reliable connection between two hosts, one way; whoever opens it names it. Messages on one arrive in
/// order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel(pub u64);

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// In one datagram, cut into packets and put together again; lost if one of them is. UDP (8 B of header)
    /// or bare IP.
    Datagram {
        /// Bytes of header in front of the message, behind that of IP.
        header_bytes: u32,
    },
    /// On a connection.
    Connection(Channel),
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there, in the hands of the application.
    Delivered,
    /// A datagram was lost.
    Lost,
    /// Its connection was cut before it was there.
    Cut,
}

/// Carries messages. The same rules of time hold as for [`crate::fabric::Fabric`].
pub trait Courier {
    /// Takes a message of `bytes` bytes; `cargo` is what [`Self::poll`] gives back.
    fn handle_message(
        &mut self,
        now: Time,
        from: HostIndex,
        to: HostIndex,
        service: Service,
        bytes: u32,
        cargo: u64,
    );

    /// One end of a connection died: nothing that is on it arrives. The name may be used again.
    fn handle_cut(&mut self, now: Time, channel: Channel);

    /// Bytes that wait at the sender on a connection: beyond some bound its owner had better wait.
    fn backlog_bytes(&self, channel: Channel) -> u64;

    /// When something happens next.
    fn next_timeout(&self) -> Option<Time>;

    /// Carries on to `now`, and says what became of a message; `None`: nothing more until `next_timeout`.
    fn poll(&mut self, now: Time) -> Option<(u64, Fate)>;
}

/// A courier that takes the same time for everything, and loses nothing.
#[derive(Clone, Debug)]
pub struct Direct {
    delay: Span,
    /// When each arrives, rising: all take the same time.
    under_way: VecDeque<(Time, Option<Channel>, u64)>,
    cut: VecDeque<u64>,
}

impl Direct {
    /// Everything takes `delay`.
    #[must_use]
    pub const fn new(delay: Span) -> Self {
        Self { delay, under_way: VecDeque::new(), cut: VecDeque::new() }
    }
}

impl Courier for Direct {
    #[inline]
    fn handle_message(
        &mut self,
        now: Time,
        _from: HostIndex,
        _to: HostIndex,
        service: Service,
        _bytes: u32,
        cargo: u64,
    ) {
        let channel = match service {
            Service::Connection(channel) => Some(channel),
            Service::Datagram { .. } => None,
        };
        // Time that went backwards counts as standing still.
        let last = self.under_way.back().map_or(Time::ZERO, |(at, ..)| *at);
        self.under_way.push_back(((now + self.delay).max(last), channel, cargo));
    }

    fn handle_cut(&mut self, _now: Time, channel: Channel) {
        let cut = &mut self.cut;
        self.under_way.retain(|(_, of, cargo)| {
            let is_cut = *of == Some(channel);
            if is_cut {
                cut.push_back(*cargo);
            }
            !is_cut
        });
    }

    #[inline]
    fn backlog_bytes(&self, _channel: Channel) -> u64 {
        0
    }

    fn next_timeout(&self) -> Option<Time> {
        if !self.cut.is_empty() {
            return Some(Time::ZERO);
        }
        self.under_way.front().map(|(at, ..)| *at)
    }

    fn poll(&mut self, now: Time) -> Option<(u64, Fate)> {
        if let Some(cargo) = self.cut.pop_front() {
            return Some((cargo, Fate::Cut));
        }
        let (_, _, cargo) = self.under_way.pop_front_if(|(at, ..)| *at <= now)?;
        Some((cargo, Fate::Delivered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_in_order_after_the_delay_and_not_when_cut() {
        let mut direct = Direct::new(Span::from_us(5));
        let (here, there) = (HostIndex(0), HostIndex(1));
        for cargo in 0..4 {
            let service = Service::Connection(Channel(cargo % 2));
            direct.handle_message(Time::from_ns(cargo), here, there, service, 100, cargo);
        }
        direct.handle_cut(Time::from_ns(10), Channel(1));
        let mut told = Vec::new();
        while let Some(at) = direct.next_timeout() {
            while let Some(news) = direct.poll(at) {
                told.push(news);
            }
        }
        assert_eq!(told, [(1, Fate::Cut), (3, Fate::Cut), (0, Fate::Delivered), (2, Fate::Delivered)]);
    }
}
