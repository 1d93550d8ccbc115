//! The payload of real sockets: a part of a buffer, shared and never changed.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use incast_core::readout::Payload;

/// Bytes that somebody else may hold as well. Copies of it are cheap.
///
/// It may be a part of a buffer of 256 KiB or more, and keeps all of that in memory: who keeps a small payload
/// for long should copy it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Data(
    /// The bytes.
    pub Bytes,
);

impl Payload for Data {
    fn len_bytes(&self) -> u32 {
        self.0.as_ref().len_bytes()
    }
}

impl Deref for Data {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Bytes> for Data {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

/// How long it is: the bytes themselves would fill a screen.
impl fmt::Debug for Data {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} B", self.0.len())
    }
}
