//! The probe: a stream of paced messages, each with its departure, swept over message size and gap.
//!
//! After UDPmon (R. Hughes-Jones: "Measurements of the Performance of Network Interface Cards and Switches",
//! GNEW 2004) and the programmable tester of its authors: received rate, loss, order, time between arrivals and
//! one-way delay, all against what was offered. [`sweep`] says which points are played and in which order,
//! [`receiver`] keeps what the receiver of one point learns, [`report`] is how it travels, [`clocks`] compares the
//! clocks of the two ends, and [`assemble`] makes the points of the record.

pub mod assemble;
pub mod clocks;
pub mod receiver;
pub mod report;
pub mod sweep;
pub mod values;

pub use assemble::{Played, record};
pub use receiver::{ProbeReceiver, StampSource};
pub use report::{HostWork, ProbeSeen, ProbeSent};
pub use sweep::{ProbeStream, ProbeSweep, SweepPoint};
