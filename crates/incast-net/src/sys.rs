//! The unsafe edge of this crate: system calls that no dependency wraps as they are needed here.
//!
//! One system call per function, each safe to call with any argument; everything above this module
//! is safe code. What rustix and socket2 already offer is taken from them.

pub(crate) mod bpf;
pub(crate) mod datagram;
pub(crate) mod interface;
pub(crate) mod option;
pub(crate) mod packet;
pub(crate) mod ring;
pub(crate) mod stream;
pub(crate) mod xdp;
