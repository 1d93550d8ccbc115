//! Looks at a TCP connection now and then, and at each response, in bounded memory.

use std::os::fd::BorrowedFd;

use incast_core::exchange::ConnectionAccount;
use incast_core::exchange::Terms;
use incast_core::exchange::series::Thinned;
use incast_core::record::TcpSample;
use incast_core::time::{Span, Time};
use rustix::net::sockopt;

use crate::tcp::tcp_sample;

/// Between two looks at responses: a look costs a microsecond, and is to stay below a thousandth.
const GAP_MIN: Span = Span::from_ms(1);

/// One end of a connection, watched.
#[derive(Debug)]
pub(super) struct Watch {
    samples: Thinned<TcpSample>,
    every: Span,
    start: Time,
    last: Time,
}

impl Watch {
    /// Begins at `start`, from which its times count.
    pub(super) fn new(terms: &Terms, start: Time) -> Self {
        let capacity = usize::try_from(terms.samples_max).unwrap_or(usize::MAX);
        Self { samples: Thinned::new(capacity), every: terms.sample_every, start, last: start }
    }

    /// Looks, if it is time to.
    #[inline]
    pub(super) fn look(&mut self, now: Time, socket: BorrowedFd<'_>) {
        if now.since(self.last) >= self.every {
            self.take(now, socket);
        }
    }

    /// Looks, since a response is over, unless that has just been done.
    #[inline]
    pub(super) fn look_at_response(&mut self, now: Time, socket: BorrowedFd<'_>) {
        if self.samples.seen() == 0 || now.since(self.last) >= GAP_MIN {
            self.take(now, socket);
        }
    }

    /// When to look again.
    pub(super) fn next_look(&self) -> Time {
        self.last + self.every
    }

    /// The last look, at the end of the connection.
    pub(super) fn finish(self, now: Time, peer: u32, socket: BorrowedFd<'_>) -> ConnectionAccount {
        let end = tcp_sample(socket, now.since(self.start).as_s_f64());
        let mut samples = self.samples.into_kept();
        samples.extend(end);
        ConnectionAccount { peer, congestion: sockopt::tcp_congestion(socket).ok(), samples }
    }

    fn take(&mut self, now: Time, socket: BorrowedFd<'_>) {
        self.last = now;
        if !self.samples.is_wanted() {
            self.samples.record(TcpSample::default);
        } else if let Some(sample) = tcp_sample(socket, now.since(self.start).as_s_f64()) {
            self.samples.record(|| sample);
        }
    }
}
