//! Networks of incast's own on one machine: hosts, switches and cables made of network namespaces,
//! virtual Ethernet pairs, bridges and queues of the kernel, and links in user space for what this
//! kernel cannot do.
//!
//! Everything is made through netlink and is taken away again. Nothing outside the namespaces that
//! it made itself is ever touched. What the network is to look like is the core's to say.

mod build;
mod calibrate;
mod counters;
mod error;
mod layout;
pub mod link;
pub mod namespace;
mod netlink;
mod quota;
mod shell;
mod standing;
mod state;
mod sys;
mod wire;

pub use calibrate::{Calibration, calibrate};
pub use counters::{Between, CableCounters, QueueCounters};
pub use error::LabError;
pub use layout::{HostNet, LinkEnds};
pub use quota::Quotas;
pub use shell::enter_host;
pub use standing::Lab;
pub use state::{Found, clean, clean_of, find};
