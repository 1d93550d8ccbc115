//! The sockets of a readout: a mesh of connections between roles, and the ways of fragments.
//!
//! ```text
//!   role A (one thread)                                   role B (one thread)
//!   Mesh --- TCP: greeting with the run's key, then messages and fragments in the clear ---> Mesh
//!        --- UDP or IP: fragments only, from addresses that such a connection told --------->
//! ```
//! A [`Mesh`] belongs to one thread, which sends, polls, and gets decoded messages. It knows nothing of what
//! they mean: that is the roles' (`incast_core::readout`). Payloads are [`Data`]: parts of the buffers that
//! the kernel filled, by reference, from the read of a builder to the write of its event.
//!
//! Peers are authenticated once, when they connect. What follows is neither encrypted nor signed: whoever can
//! change packets on the path can change events. Networks of data acquisition are closed, and 100 Gbit/s are
//! not enciphered in passing. Strangers who can only send get no further than the greeting.

mod chunks;
mod connection;
mod counts;
mod data;
mod datagrams;
mod dial;
mod fragments;
#[cfg(fuzzing)]
pub mod fuzzing;
mod greeting;
mod inbox;
mod mep;
mod mesh;
mod outbox;
mod plan;
mod waker;

pub use counts::{Crossed, MeshCounts, RefusedConnections};
pub use data::Data;
pub use mesh::{Mesh, MeshEvent, Unsent};
pub use plan::{DatagramPlan, FragmentCarrier, FragmentLayout, MeshPlan, PeerKind};
pub use waker::Waker;
