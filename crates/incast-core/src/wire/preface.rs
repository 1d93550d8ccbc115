//! The first bytes of every TCP connection to an incast server: which kind it is.
//!
//! ```text
//!  control:  "INCASTC1"                     then Noise handshake frames
//!  data:     "INCASTD1" | stream u64 LE     then messages
//! ```
//! One port serves both. Anything else is rubbish and is counted as such.

/// Bytes that every connection begins with.
pub const MAGIC_BYTES: usize = 8;
/// Magic of a control connection, version 1.
pub const CONTROL: [u8; MAGIC_BYTES] = *b"INCASTC1";
/// Magic of a data connection, version 1; the stream id follows.
pub const DATA: [u8; MAGIC_BYTES] = *b"INCASTD1";

/// What a connection says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preface {
    /// A control connection: a key exchange follows.
    Control,
    /// A data connection: its stream id (8 bytes) follows.
    Data,
}

impl Preface {
    /// Reads the magic; `None` is rubbish.
    #[must_use]
    pub fn parse(magic: &[u8; MAGIC_BYTES]) -> Option<Self> {
        match *magic {
            CONTROL => Some(Self::Control),
            DATA => Some(Self::Data),
            _ => None,
        }
    }

    /// The greeting of a data connection for `stream`.
    #[must_use]
    pub fn emit_data(stream: u64) -> [u8; 2 * MAGIC_BYTES] {
        let mut greeting = [0; 2 * MAGIC_BYTES];
        greeting[..MAGIC_BYTES].copy_from_slice(&DATA);
        greeting[MAGIC_BYTES..].copy_from_slice(&stream.to_le_bytes());
        greeting
    }
}
