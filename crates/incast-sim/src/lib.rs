//! The simulator: the machines of the core in virtual time, over modelled links, switches and hosts.
//!
//! It has no protocol rule of its own. What floods, builds, dispatches, counts credits and tracks sequences are
//! the types of `incast-core`; what is here are the things between them, which in other worlds are real:
//!
//! ```text
//!  roles and flows (incast-core)         world/     drives them, and hands over what they send
//!        |        ^
//!        v        |
//!  stack/    datagrams and connections: cut into packets, put together again; tcp/ is its TCP
//!        |        ^
//!        |       host/     ring, interrupts, softirq, backlog, CPU
//!        v        |
//!  fabric/   links and switches: queues, rates, delays
//! ```
//! Everything happens in one order that follows from the scenario and its seed: the same run gives the same
//! record, byte for byte. Time is `u64` picoseconds. It opens no file and reads no clock.

pub mod agenda;
pub mod courier;
pub mod fabric;
pub mod host;
pub mod packet;
pub mod report;
pub mod simulate;
pub mod stack;
pub mod swarm;
pub mod tcp;
pub mod world;
