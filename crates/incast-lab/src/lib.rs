//! Networks of incast's own on one machine: hosts, switches and cables made of network namespaces,
//! virtual Ethernet pairs, bridges and queues of the kernel, and links in user space for what this
//! kernel cannot do.
//!
//! Everything is made through netlink and is taken away again. Nothing outside the namespaces that
//! it made itself is ever touched. What the network is to look like is the core's to say.

pub mod link;
