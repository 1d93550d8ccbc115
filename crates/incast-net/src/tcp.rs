//! TCP as a carrier: messages of one size, one after the other, many per system call.
//!
//! The stream has no marks: a message that has begun is always finished, or the connection given up.
//! At the other end `incast_core::wire::stream` cuts it.

pub mod info;
#[cfg(test)]
mod loopback;
pub mod receive;
pub mod send;
pub mod summary;

pub use info::tcp_sample;
pub use receive::TcpInlet;
pub use send::{TcpOutlet, flood_tcp};
pub use summary::tcp_summary;
