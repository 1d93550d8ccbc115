//! A server that ends in good order: told to stop, its sessions have some time for their accounts.

use std::time::{Duration, Instant};

use incast_net::acceptor::Listening;

/// The end of a server, begun or not.
pub(crate) struct Ending<'a> {
    server: &'a Listening,
    patience: Duration,
    since: Option<Instant>,
}

impl<'a> Ending<'a> {
    /// Not begun; sessions will have `patience`.
    pub(crate) const fn new(server: &'a Listening, patience: Duration) -> Self {
        Self { server, patience, since: None }
    }

    /// Stops the server, once.
    pub(crate) fn begin(&mut self) {
        if self.since.is_none() {
            self.server.stop();
            self.since = Some(Instant::now());
        }
    }

    /// Whether it is through: no session is left, they have had their time, or somebody is in a hurry.
    pub(crate) fn is_over(&self, hurry: bool) -> bool {
        self.since
            .is_some_and(|since| hurry || self.server.sessions() == 0 || since.elapsed() > self.patience)
    }
}
