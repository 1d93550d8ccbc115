//! The flood: one-way load from one sender to one receiver, every message accounted for.
//!
//! A sender and a receiver per stream; a flow is one or more streams. The sender says what leaves
//! and when, the receiver counts what came. What each side learned travels as a [`report`] and
//! [`assemble`] makes the flow of the record from the two. Neither side reads a clock or a socket.

pub mod assemble;
pub mod merge;
pub mod receiver;
pub mod report;
pub mod sender;
pub mod totals;

pub use receiver::FloodReceiver;
pub use sender::{FloodSender, Train};
