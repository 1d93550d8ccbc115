//! What a source contributes to an event. The payload is carried and never looked at.

use super::ids::{EventNumber, RunNumber, SourceId};

/// Bytes that the core carries: a buffer on real sockets, a bare [`Length`] in a simulation.
pub trait Payload {
    /// How many bytes it is.
    fn len_bytes(&self) -> u32;
}

/// A payload of which only the size exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length(
    /// In bytes.
    pub u32,
);

impl Payload for Length {
    fn len_bytes(&self) -> u32 {
        self.0
    }
}

impl Payload for Vec<u8> {
    fn len_bytes(&self) -> u32 {
        self.as_slice().len_bytes()
    }
}

impl Payload for Box<[u8]> {
    fn len_bytes(&self) -> u32 {
        self.as_ref().len_bytes()
    }
}

impl Payload for &[u8] {
    fn len_bytes(&self) -> u32 {
        (**self).len_bytes()
    }
}

impl Payload for std::sync::Arc<[u8]> {
    fn len_bytes(&self) -> u32 {
        self.as_ref().len_bytes()
    }
}

impl Payload for [u8] {
    /// A payload beyond 4 GiB counts as 4 GiB: too large for every bound.
    fn len_bytes(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }
}

/// One source's part of an event, or of the consecutive events of a multi-event packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<P> {
    /// The run that the source is in.
    pub run: RunNumber,
    /// The event; of a multi-event packet, the first one.
    pub event: EventNumber,
    /// How many consecutive events these are parts of: 1 without packing.
    pub events: u16,
    /// Whose it is.
    pub source: SourceId,
    /// The data.
    pub payload: P,
}
