//! The system calls that the standard library does not offer, one per wrapper.

pub(crate) mod bpf;
pub(crate) mod driver;
pub(crate) mod ethtool;
pub(crate) mod usage;
