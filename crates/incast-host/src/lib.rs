//! What the kernel knows about this host: load of its cores, interrupts, settings that bear on a
//! measurement, and its own account of lost datagrams.
//!
//! It reads `/proc`, `/sys`, route netlink and some system calls, and fills the records of `incast-core`. It
//! changes nothing and judges no flow; its only sockets ask the kernel for counters. Linux only. What cannot be read is
//! unknown (`None`, or left out), never 0.

pub mod busy;
pub mod cpu;
pub mod device;
pub mod drops;
pub mod provenance;
pub mod udp;
pub mod usage;

mod bounded;
#[expect(unsafe_code, reason = "system calls; one per wrapper, each with its conditions")]
mod sys;
