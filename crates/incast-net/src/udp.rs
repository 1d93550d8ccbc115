//! UDP as a carrier: one message per datagram, many messages per system call.
//!
//! Segmentation offload (`UDP_SEGMENT`, Linux 4.18) lets one trip through the sender's stack carry up to
//! 128 datagrams, receive offload (`UDP_GRO`, Linux 5.0) lets them stay together up to the receiver. What
//! is on the wire are single datagrams all the same. A kernel or a route that refuses either is told
//! as a caveat, and the run goes on without it.

pub mod arrival;
pub mod drive;
#[cfg(test)]
mod loopback;
pub mod receive;
pub(crate) mod reply;
pub mod send;
mod two_way;

pub use arrival::{Arrival, Origin, PeerAddress};
pub use drive::{Control, flood_udp};
pub use receive::UdpInlet;
pub use send::UdpOutlet;
pub(crate) use two_way::TwoWay;
