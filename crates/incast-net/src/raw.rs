//! The carriers below UDP: raw IP, raw Ethernet through packet(7) sockets, and AF_XDP.
//!
//! What is below UDP has no ports, and nobody answers that nobody listens. So every stream is greeted before it
//! starts, whichever way it goes: a head with the counter 0, sent again and again until the server says go. A
//! greeting that comes shows that the way is open, and from which address or card. Its random stream id is told
//! over the control connection only, which is what lets it in.

mod hubs;
mod interface;
mod ip;
mod outlet;
mod packet;
mod xdp;

pub(crate) use hubs::{RawHub, RawHubs};
pub(crate) use interface::Interface;
pub(crate) use outlet::{RawOutlet, fits};

/// What to say behind the name of an operation that only root may do.
pub(crate) const NEEDS_ROOT: &str = "(it needs root, or CAP_NET_RAW)";
