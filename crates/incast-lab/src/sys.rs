//! The unsafe edge of the lab: one system call per function.

pub(crate) mod ethtool;
pub(crate) mod namespace;
pub(crate) mod packet;
