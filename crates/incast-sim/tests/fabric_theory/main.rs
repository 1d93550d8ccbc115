//! The fabric against theory and against counting: waits, overflows, accounts, engines against each other.
//!
//! Every expected value is a formula or an independent calculation; the numbers of tests are those of the simulator's
//! design (acceptance tests). Nothing here knows hosts or connections.

#![expect(clippy::unwrap_used, reason = "a failure of the test itself")]

mod accounts;
mod constant_rate;
mod engines;
mod faults;
mod net;
mod overflow;
mod readout_network;
mod waits;
