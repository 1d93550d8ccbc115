//! Whole scenarios in virtual time: the flows, and the readout.

pub mod flows;
pub mod readout;
mod stream;
