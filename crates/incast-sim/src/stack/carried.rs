//! What a packet carries: a datagram or a part of one, a segment of a connection, or an acknowledgement.

use incast_core::time::Time;

use super::grave::Grave;
use crate::packet::NicId;
use crate::tcp::Ack;

/// What is under way.
#[derive(Clone, Debug)]
pub(super) enum Carried {
    Datagram(Datagram),
    Segment(CarriedSegment),
    Acknowledgement { connection: u64, ack: Ack },
}

/// A datagram, in one packet or in several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram {
    /// What its owner calls it.
    pub(super) cargo: u64,
    /// The socket that it is for.
    pub(super) socket: u32,
    /// Bytes that IP carries.
    pub(super) payload_bytes: u32,
    /// Which way it goes.
    pub(super) ends: [NicId; 2],
    /// When it was sent.
    pub(super) sent: Time,
    /// Packets that it was cut into.
    pub(super) packets: u8,
    /// Of these, those whose fate is not known yet.
    pub(super) under_way: u8,
    /// Which have arrived.
    pub(super) arrived: u128,
    /// Where the first that died did so.
    pub(super) grave: Option<Grave>,
    /// It was delivered, and is kept for copies that may come.
    pub(super) is_over: bool,
    /// By when copies of it have come.
    pub(super) keep_until: Time,
}

/// Bytes of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct CarriedSegment {
    pub(super) connection: u64,
    pub(super) start: u64,
    pub(super) bytes: u32,
}

impl Datagram {
    /// Takes in a packet that arrived; says whether the datagram is whole with it.
    pub(super) fn handle_arrival(&mut self, fragment: u8) -> bool {
        let bit = 1_u128 << (fragment & 127);
        if self.arrived & bit == 0 {
            self.arrived |= bit;
            self.under_way = self.under_way.saturating_sub(1);
        }
        self.arrived.count_ones() == u32::from(self.packets)
    }
}

/// A name of a packet: of what it carries, and which part of it that is.
pub(super) const fn cargo_of(name: u64, fragment: u8) -> u64 {
    // Names have 24 bits of use numbers, above the 32 of the place.
    name | (fragment as u64) << 56
}

/// The reverse.
pub(super) const fn name_of(cargo: u64) -> (u64, u8) {
    (cargo & 0x00FF_FFFF_FFFF_FFFF, (cargo >> 56) as u8)
}

/// Where packets of a connection go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) from: NicId,
    pub(super) to: NicId,
}
