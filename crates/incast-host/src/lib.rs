//! What the kernel knows about this host: load of its cores, interrupts, settings that bear on a
//! measurement, and its own account of lost datagrams.
//!
//! It reads `/proc`, `/sys` and two system calls, and fills the records of `incast-core`. It
//! changes nothing, judges no flow and opens no socket. Linux only. What cannot be read is
//! unknown (`None`, or left out), never 0.

pub mod busy;
pub mod cpu;
pub mod provenance;
pub mod udp;
pub mod usage;

mod bounded;
#[expect(unsafe_code, reason = "system calls; one per wrapper, each with its conditions")]
mod sys;
