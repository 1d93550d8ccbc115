//! Meshes of roles against each other, over loopback and real sockets: everything that a role says arrives as
//! it was, and whoever should not be heard is refused, counted, and disturbs nobody.

mod datagrams;
mod flow;
mod messages;
mod peers;
mod roles;
mod strangers;
