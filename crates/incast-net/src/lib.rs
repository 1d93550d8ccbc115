//! Sockets: how the machines of `incast-core` meet real networks.
//!
//! Below: carriers of messages ([`udp`], [`tcp`]), their sockets, the clock and the waiting; unsafe
//! code is in `sys` alone. Above: the control connection ([`channel`]), one session carried out
//! ([`conversation`]), and the ends that people start ([`server`], [`client`], [`plain`]). Beside them,
//! what joins the roles of a readout ([`readout`]). Threads
//! own what they work on and hand it over; nothing on the packet path locks, allocates or awaits.

mod sys;

pub mod accept;
pub mod acceptor;
pub mod channel;
pub mod client;
pub mod clock;
pub mod conversation;
pub mod exchange;
pub mod faults;
mod hub;
pub mod iperf3;
pub mod key;
pub mod live;
mod lock;
pub mod plain;
pub mod raw;
pub mod readout;
pub mod server;
pub mod socket;
pub mod stamp;
pub mod tcp;
#[cfg(test)]
mod test_plan;
pub mod traffic;
pub mod udp;
pub mod wait;
