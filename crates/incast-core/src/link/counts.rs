//! The account of one direction of a path, in packets.

/// What a link did so far. With what it holds now it is closed at any moment:
/// `packets + copies = forwarded + lost + dropped + held`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Packets that came in.
    pub packets: u64,
    /// Copies made on purpose, those included that found no room.
    pub copies: u64,
    /// Packets given out, copies included.
    pub forwarded: u64,
    /// Packets lost on purpose.
    pub lost: u64,
    /// Packets, and copies, for which there was no room.
    pub dropped: u64,
    /// Packets that passed at least one that came before them; their copies are not counted again.
    pub overtaking: u64,
    /// Most packets held at once.
    pub held_packets_max: u64,
    /// Most bytes held at once.
    pub held_bytes_max: u64,
    /// Packets and copies that were ever held: the account a second way.
    pub(super) held_ever: u64,
}
