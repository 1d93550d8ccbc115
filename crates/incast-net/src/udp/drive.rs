//! The loop of a sending thread: asks the core what leaves, gives it to a carrier, waits.
//!
//! The same for UDP and TCP. Everything that decides is in [`FloodSender`]; here a clock is read once
//! per batch (where a wait ended, by the wait), and what the carrier did not take is told back.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use incast_core::flood::{FloodSender, Train};
use incast_core::time::Time;

use super::send::UdpOutlet;
use crate::clock::Clock;
use crate::wait::{Wait, sharpen_timer, wait_until};

/// What a sending thread shares with its owner.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    messages: AtomicU64,
    wait: Wait,
    /// Most messages of one send call; as many as the carrier takes when absent.
    batch: Option<u32>,
}

impl Control {
    /// For a thread that waits for its moments in this way.
    #[must_use]
    pub fn new(wait: Wait) -> Self {
        Self { wait, ..Self::default() }
    }

    /// The same, with at most `batch` messages in one send call.
    #[must_use]
    pub fn with_batch(self, batch: Option<u32>) -> Self {
        Self { batch, ..self }
    }

    /// Asks the thread to end its stream now; it does so within some 20 ms.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the thread was asked to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Messages of the next call, to a carrier that takes `most` at once.
    fn room(&self, most: u32) -> u32 {
        self.batch.map_or(most, |batch| most.min(batch.max(1)))
    }

    /// Messages sent so far: a live view, behind by a batch.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }
}

/// Floods through a UDP socket until the sender is finished or stopped. `deadline` is the sender's own
/// (its start and `Stop::after`): a blocked carrier is left when it comes.
///
/// # Errors
/// When the kernel refuses to send for good. The sender has then ended, and counts what was taken before.
pub fn flood_udp(
    sender: &mut FloodSender,
    outlet: &mut UdpOutlet,
    clock: &Clock,
    control: &Control,
    deadline: Option<Time>,
) -> io::Result<()> {
    flood(sender, outlet, clock, control, deadline)
}

/// What takes messages: UDP and TCP.
pub(crate) trait Outlet {
    /// Messages that one call can take.
    fn room(&self) -> u32;
    /// Takes the first messages of `train`; returns how many, fewer if the kernel has no room.
    fn send(&mut self, train: Train) -> io::Result<u32>;
    /// Nothing of `train` will be sent any more, save its first message if that has begun: finishes
    /// it. Returns 1 if it did.
    fn complete(&mut self, train: Train) -> io::Result<u32>;
}

pub(crate) fn flood(
    sender: &mut FloodSender,
    outlet: &mut impl Outlet,
    clock: &Clock,
    control: &Control,
    deadline: Option<Time>,
) -> io::Result<()> {
    sharpen_timer();
    let mut now = clock.now();
    loop {
        if control.is_stopped() || deadline.is_some_and(|deadline| now >= deadline) {
            sender.handle_abort(now);
        }
        if let Some(train) = sender.poll_transmit(now, control.room(outlet.room())) {
            let over = || control.is_stopped() || deadline.is_some_and(|deadline| clock.now() >= deadline);
            let unsent = send_train(outlet, train, over);
            sender.handle_unsent(u64::from(unsent.messages));
            control.messages.store(sender.messages(), Ordering::Relaxed);
            if let Err(error) = unsent.result {
                sender.handle_abort(clock.now());
                return Err(error);
            }
            now = clock.now();
        } else if let Some(at) = sender.next_timeout() {
            now = wait_until(clock, at, control.wait);
        } else {
            return Ok(());
        }
    }
}

/// What was left of a train, and why.
struct Unsent {
    messages: u32,
    result: io::Result<()>,
}

/// Sends all of `train`, or what can be sent until `over`. It is asked only when the carrier is slow.
fn send_train(outlet: &mut impl Outlet, mut train: Train, over: impl Fn() -> bool) -> Unsent {
    loop {
        match outlet.send(train) {
            Ok(taken) => train = after(train, taken),
            Err(error) => return Unsent { messages: train.messages, result: Err(error) },
        }
        if train.messages == 0 {
            return Unsent { messages: 0, result: Ok(()) };
        }
        if over() {
            let (taken, result) = match outlet.complete(train) {
                Ok(taken) => (taken, Ok(())),
                Err(error) => (0, Err(error)),
            };
            return Unsent { messages: after(train, taken).messages, result };
        }
    }
}

/// What is left of `train` after its first `taken` messages.
fn after(train: Train, taken: u32) -> Train {
    assert!(taken <= train.messages, "a carrier takes no more than it is given");
    Train { first: train.first + u64::from(taken), messages: train.messages - taken }
}
