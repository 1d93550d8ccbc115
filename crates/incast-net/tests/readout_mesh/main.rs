//! Meshes of roles against each other, over loopback and real sockets: everything that a role says arrives as
//! it was, and whoever should not be heard is refused, counted, and disturbs nobody.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod datagrams;
mod flow;
mod messages;
mod peers;
mod roles;
mod strangers;
