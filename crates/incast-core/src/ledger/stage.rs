//! The stages at which a message can die, in the order of its path, by the names that the record has.
//!
//! Which counter tells of which stage, in a lab and on a real host: `docs/method.md`.

/// The sender's socket. What it refuses has no counter and was never sent: it is told to the sender.
pub const SENDER_SOCKET: &str = "sender_socket";
/// The queue of the sender's card (qdisc), which had no room.
pub const HOST_QUEUE: &str = "host_queue";
/// The sender's host waited for a neighbour's Ethernet address (ARP), which did not come in time.
pub const NEIGHBOUR: &str = "neighbour";
/// The sender's card could not send.
pub const SENDER_NIC: &str = "sender_nic";
/// On the wire: lost on purpose, damaged, or more than the link could hold.
pub const LINK: &str = "link";
/// A port of a switch, whose queue had no room.
pub const SWITCH_PORT: &str = "switch_port";
/// The receive ring of a card, or of a virtual Ethernet pair in NAPI mode.
pub const RECEIVER_RING: &str = "receiver_ring";
/// The backlog of a core (softnet), which had no room.
pub const RECEIVER_BACKLOG: &str = "receiver_backlog";
/// A packet filter, or the IP layer for want of a route.
pub const FIREWALL: &str = "firewall";
/// The place where fragments are put together: a piece was missing.
pub const REASSEMBLY: &str = "reassembly";
/// The datagram was damaged: its check sum was wrong.
pub const CHECKSUM: &str = "checksum";
/// No socket was open at the port.
pub const NO_LISTENER: &str = "no_listener";
/// The buffer of the receiving socket, which had no room.
pub const SOCKET_BUFFER: &str = "socket_buffer";
/// The receiving socket for another reason: a filter of its own.
pub const SOCKET: &str = "socket";
/// The ring of a packet socket or of AF_XDP, which had no room.
pub const PACKET_RING: &str = "packet_ring";
/// The receiving program read it, and did not count it.
pub const APPLICATION: &str = "application";

/// All of them, in the order of the path.
pub const ALL: [&str; 16] = [
    SENDER_SOCKET,
    HOST_QUEUE,
    NEIGHBOUR,
    SENDER_NIC,
    LINK,
    SWITCH_PORT,
    RECEIVER_RING,
    RECEIVER_BACKLOG,
    FIREWALL,
    REASSEMBLY,
    CHECKSUM,
    NO_LISTENER,
    SOCKET_BUFFER,
    SOCKET,
    PACKET_RING,
    APPLICATION,
];

/// Where on the path a stage is; what has no name comes last.
#[must_use]
pub fn order(stage: &str) -> usize {
    ALL.iter().position(|name| *name == stage).unwrap_or(ALL.len())
}
