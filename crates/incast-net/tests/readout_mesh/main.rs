//! Meshes of roles against each other, over loopback and real sockets: everything that a role says arrives as
//! it was, and whoever should not be heard is refused, counted, and disturbs nobody.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod datagrams;
mod flow;
mod messages;
mod packets;
mod peers;
mod requests;
mod roles;
mod strangers;
