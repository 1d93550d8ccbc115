//! STAMP over UDP sockets: a reflector that answers, and a watcher that asks.
//!
//! The machines are in `incast_core::stamp`; here are their sockets and clocks. Arrivals are stamped by the kernel
//! (`SO_TIMESTAMPNS`) where it does, departures by this program just before the system call: so no stamp claims more than is
//! true, and what a departure waits in this host's queues is part of the delay.

mod inlet;
mod reflect;
mod watch;

pub use reflect::{ReflectPlan, Reflecting};
pub use watch::{WatchPlan, Watching};
