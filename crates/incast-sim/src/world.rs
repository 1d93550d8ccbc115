//! Whole scenarios in virtual time: the flows, and the readout.

pub mod flows;
mod stream;
