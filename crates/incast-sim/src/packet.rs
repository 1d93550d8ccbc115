//! A packet on its way: where to, how long, and what its owner calls it. There is no body.

/// A network interface of a host: the place where a host meets the fabric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NicId(pub u32);

/// A packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Where it goes.
    pub to: NicId,
    /// What it takes on the wire in bytes, with header, check, preamble and gap: what queues count, too.
    pub wire_bytes: u32,
    /// What its owner calls it; nobody here looks at it.
    pub cargo: u64,
}
