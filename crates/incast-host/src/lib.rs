//! What the kernel knows about this host: load of its cores, interrupts, settings that bear on a
//! measurement, and its own account of lost datagrams.
//!
//! It reads `/proc`, `/sys`, route netlink and some system calls, and fills the records of `incast-core`. It
//! judges nothing, and changes nothing but what `knob::write` is told; its only sockets ask the kernel. Linux
//! only. What cannot be read is unknown (`None`, or left out), never 0.

pub mod busy;
pub mod cpu;
pub mod device;
pub mod drops;
pub mod journal;
pub mod knob;
pub mod neighbours;
pub mod provenance;
pub mod settings;
pub mod softnet;
pub mod udp;
pub mod usage;

mod bounded;
mod ethtool;
mod qdisc;
#[expect(unsafe_code, reason = "system calls; one per wrapper, each with its conditions")]
mod sys;
