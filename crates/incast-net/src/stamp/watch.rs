//! The watcher on its socket: tests leave when they are due, replies are taken with the time at which they came.
//!
//! Its clock is the wall clock as it was at the start, and from there `CLOCK_MONOTONIC`: whoever sets this host's clock
//! does not disturb a measurement. Times of arrival are the kernel's, carried over to it.

use std::io;
use std::net::SocketAddr;

use incast_core::control::SendPlan;
use incast_core::load::{Load, Spacing, Stop, Transport};
use incast_core::stamp::SenderPlan;
use incast_core::stamp::sender::Sender;
use incast_core::time::{Span, Time};
use rustix::event::{PollFd, PollFlags, poll};

use super::inlet::{Inlet, wall_ns};
use super::reflect::is_passing;
use crate::clock::Clock;
use crate::socket::{SocketError, udp_connect};
use crate::wait::{SLEEP_MAX, sharpen_timer};

/// Tests of one turn at most. With a gap shorter than a system call one is always due, and replies, time-outs and the
/// owner must have their turn, too.
const TESTS_PER_TURN: u32 = 64;
/// Calls for replies in one turn at most, of 16 datagrams each: four replies to each test, for the same reason.
const TAKES_PER_TURN: u32 = 16;

/// Whom to ask, and how.
#[derive(Clone, Debug)]
pub struct WatchPlan {
    /// The reflector.
    pub peer: SocketAddr,
    /// What to send; it has been checked.
    pub sender: SenderPlan,
    /// Differentiated services code point, 0 to 63.
    pub dscp: Option<u8>,
}

/// A session that is going on.
#[derive(Debug)]
pub struct Watching {
    inlet: Inlet,
    sender: Sender,
    clock: Clock,
    began_ns: i64,
    packet: Vec<u8>,
    kernel_stamps: u64,
    refused: u64,
    failure: Option<io::Error>,
}

impl Watching {
    /// Opens a socket to the reflector; the first test is due at once.
    ///
    /// # Errors
    /// When there is no way to it.
    pub fn open(plan: &WatchPlan) -> Result<Self, SocketError> {
        let (socket, _) = udp_connect(plan.peer, &socket_plan(plan.dscp))?;
        sharpen_timer();
        let inlet = Inlet::open(socket)?;
        let (clock, began_ns) = (Clock::start(), wall_ns());
        Ok(Self {
            inlet,
            sender: Sender::new(plan.sender.clone(), clock.now()),
            clock,
            began_ns,
            packet: vec![0; plan.sender.packet_bytes],
            kernel_stamps: 0,
            refused: 0,
            failure: None,
        })
    }

    /// The session.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The same, to stop it or to take its windows.
    pub fn sender_mut(&mut self) -> &mut Sender {
        &mut self.sender
    }

    /// Time since the session began.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Replies whose time of arrival the kernel told.
    #[must_use]
    pub fn kernel_stamps(&self) -> u64 {
        self.kernel_stamps
    }

    /// Tests that the kernel did not take, or that the network said nobody listens to.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Why the kernel did not take a test, the last time.
    #[must_use]
    pub fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }

    /// Waits until something is due or comes, but not for long, and does it.
    ///
    /// # Errors
    /// When the kernel fails for a reason that concerns the socket itself.
    pub fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        self.take()?;
        self.sender.handle_timeout(self.clock.now());
        for _ in 0..TESTS_PER_TURN {
            // One after the other: each leaves at the time that it says.
            let now = self.clock.now();
            let Some(bytes) = self.sender.poll_transmit(now, self.our_ns(now), &mut self.packet) else {
                break;
            };
            if let Err(error) = self.inlet.socket().send(&self.packet[..bytes]) {
                self.refused += 1;
                self.failure = Some(error);
            }
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<()> {
        let left =
            self.sender.next_timeout().map_or(SLEEP_MAX, |at| at.since(self.clock.now()).min(SLEEP_MAX));
        let timeout = left.to_std().try_into().ok();
        match poll(&mut [PollFd::new(self.inlet.socket(), PollFlags::IN)], timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn take(&mut self) -> io::Result<()> {
        for _ in 0..TAKES_PER_TURN {
            // In this order: what lies between the two readings makes a time of arrival later, and never too early.
            let wall_ns = wall_ns();
            let now = self.clock.now();
            let our_ns = self.our_ns(now);
            let Self { inlet, sender, kernel_stamps, .. } = self;
            let received = inlet.receive(|_, came| {
                // By the wall clock it came so long before now.
                let age = wall_ns.saturating_sub(came.at_ns);
                *kernel_stamps += u64::from(came.is_by_kernel);
                sender.handle_reply(now, our_ns.saturating_sub(age), came.bytes);
            });
            match received {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if is_passing(&error) => {
                    self.refused += 1;
                    self.failure = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// This host's clock, never stepped: nanoseconds since 1970.
    fn our_ns(&self, now: Time) -> i64 {
        self.began_ns.saturating_add(i64::try_from(now.as_ns()).unwrap_or(i64::MAX))
    }
}

/// What [`udp_connect`] has to know of a sender; the rest is of floods.
fn socket_plan(dscp: Option<u8>) -> SendPlan {
    SendPlan {
        transport: Transport::Udp,
        message_bytes: 0,
        streams: 1,
        load: Load::Unlimited,
        spacing: Spacing::Fixed,
        stop: Stop::default(),
        start_after: Span::ZERO,
        interval: Span::from_s(1),
        seed: 0,
        spin: false,
        send_buffer: None,
        congestion: None,
        no_delay: false,
        dscp,
        segments_max: None,
        send_batch: None,
        raw: incast_core::raw::RawPlan::default(),
        probe: None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use incast_core::wire::stamp::time::Format;

    use super::*;

    #[test]
    fn a_turn_ends_though_a_test_is_always_due() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = SenderPlan {
            tests: None,
            // Shorter than any system call; plans that people give have at least 10 us.
            gap: Span::from_ns(1),
            timeout: Span::from_ms(1),
            window: Span::from_s(1),
            packet_bytes: 44,
            ssid: 1,
            format: Format::Ntp,
            key: None,
            counters: false,
            synchronised_ns: None,
        };
        let peer = silent.local_addr().unwrap();
        let mut watching = Watching::open(&WatchPlan { peer, sender, dscp: None }).unwrap();
        for turn in 1..=50 {
            watching.turn().unwrap();
            assert!(watching.sender().account().sent <= turn * u64::from(TESTS_PER_TURN));
        }
        let account = watching.sender().account();
        assert!(account.sent > u64::from(TESTS_PER_TURN), "{account:?}");
        std::thread::sleep(std::time::Duration::from_millis(2));
        watching.turn().unwrap();
        assert!(watching.sender().account().lost > 0, "time-outs have their turn");
    }
}
