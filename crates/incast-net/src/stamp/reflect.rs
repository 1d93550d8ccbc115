//! The reflector on its socket: whom it serves, and the two clock readings of each reply.
//!
//! Without a key it serves its own host alone, unless it is told to be open: as `serve`. Strangers are counted and have
//! no answer, not even a refusal.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;

use incast_core::stamp::reflector::{Reflector, ReflectorCounts, ReflectorPlan};
use rustix::event::{PollFd, PollFlags, poll};

use super::inlet::{Came, Inlet, wall_ns};
use crate::clock::Clock;
use crate::key::Key;
use crate::socket::{SocketError, udp_bind};
use crate::wait::BLOCK_MAX;

/// Where and for whom to reflect.
#[derive(Clone, Debug)]
pub struct ReflectPlan {
    /// Address and port to listen on.
    pub bind: SocketAddr,
    /// Key that senders must have; with one, packets are authenticated.
    pub key: Key,
    /// Serve other hosts though there is no key.
    pub open: bool,
    /// Count for each session.
    pub stateful: bool,
    /// How far the wall clock is from UTC at most, nanoseconds, if somebody knows.
    pub synchronised_ns: Option<u64>,
    /// Replies in a second at most.
    pub rate_max: u32,
}

/// A reflector that is listening.
#[derive(Debug)]
pub struct Reflecting {
    inlet: Inlet,
    reflector: Reflector,
    address: SocketAddr,
    is_for_all: bool,
    clock: Clock,
    strangers: u64,
    unsent: u64,
}

impl Reflecting {
    /// Opens the port.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(plan: ReflectPlan) -> Result<Self, SocketError> {
        let (socket, _) = udp_bind(plan.bind, None)?;
        let address =
            socket.local_addr().map_err(|cause| SocketError::new("read the address of a socket", cause))?;
        let is_for_all = plan.open || plan.key.is_shared();
        let reflector = Reflector::new(ReflectorPlan {
            key: plan.key.for_stamp(),
            stateful: plan.stateful,
            synchronised_ns: plan.synchronised_ns,
            rate_max: plan.rate_max,
            port: address.port(),
        });
        let clock = Clock::start();
        Ok(Self {
            inlet: Inlet::open(socket)?,
            reflector,
            address,
            is_for_all,
            clock,
            strangers: 0,
            unsent: 0,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> ReflectorCounts {
        self.reflector.counts()
    }

    /// Packets of hosts that are not served.
    #[must_use]
    pub fn strangers(&self) -> u64 {
        self.strangers
    }

    /// Replies that the kernel did not take.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Waits for tests, but not for long, and answers those that came.
    ///
    /// # Errors
    /// When the kernel fails for a reason that concerns the socket itself.
    pub fn turn(&mut self) -> io::Result<()> {
        let timeout = BLOCK_MAX.try_into().ok();
        match poll(&mut [PollFd::new(self.inlet.socket(), PollFlags::IN)], timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let now = self.clock.now();
        let Self { inlet, reflector, is_for_all, address, strangers, unsent, .. } = self;
        let received = inlet.receive(|socket, came| {
            let Some(from) = came.from.filter(|from| *is_for_all || is_here(from.ip(), *address)) else {
                *strangers += 1;
                return;
            };
            let Came { bytes, at_ns, time_to_live, reply, .. } = came;
            let Some(answer) = reflector.handle_test(now, from, time_to_live, at_ns.min(wall_ns()), bytes)
            else {
                return;
            };
            // As late as possible; a clock that was set back meanwhile must not make the reply leave before the test came.
            reflector.seal(answer, wall_ns().max(at_ns), bytes);
            *unsent += u64::from(reply.send(socket.as_fd(), bytes).is_err());
        });
        if self.reflector.next_timeout().is_some_and(|at| at <= now) {
            self.reflector.handle_timeout(now);
        }
        match received {
            Err(error) if !is_passing(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Nothing came, or the network answered to a reply.
pub(super) fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, Interrupted, NetworkUnreachable, WouldBlock};
    matches!(
        error.kind(),
        WouldBlock | Interrupted | ConnectionRefused | HostUnreachable | NetworkUnreachable
    )
}

/// Whether a peer is on this host: it came over loopback, or from the very address that we listen on.
fn is_here(peer: IpAddr, here: SocketAddr) -> bool {
    let peer = peer.to_canonical();
    peer.is_loopback() || peer == here.ip().to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_the_own_address_are_here() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for (peer, bind, expected) in [
            ("127.0.0.1", "0.0.0.0:862", true),
            ("::ffff:127.0.0.1", "[::]:862", true),
            ("::1", "[::]:862", true),
            ("10.0.0.1", "10.0.0.1:862", true),
            ("10.0.0.2", "10.0.0.1:862", false),
            ("10.0.0.2", "0.0.0.0:862", false),
        ] {
            assert_eq!(is_here(address(peer), bind.parse().unwrap()), expected, "{peer} at {bind}");
        }
    }
}
