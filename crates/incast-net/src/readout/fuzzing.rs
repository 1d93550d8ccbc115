//! The reader of streams without a socket, for its fuzz target: not there in any other build.

use incast_core::readout::{Message, Peer, RunNumber, SourceId};
use incast_core::time::Time;
use incast_core::wire::refusal::{Refusal, Refusals};

use super::chunks::Chunks;
use super::data::Data;
use super::inbox::Inbox;

/// The source whose stream it is.
pub const SOURCE: SourceId = SourceId(1);
/// Largest fragment that is put together.
pub const FRAGMENT_BYTES_MAX: u32 = 1 << 16;

/// What was read of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRead {
    /// Whole messages and fragments.
    pub messages: Vec<Message<Data>>,
    /// Why it could not be read further, if so.
    pub end: Option<Refusal>,
    /// What was passed over, by the name of the reason.
    pub refused: Vec<(&'static str, u64)>,
}

/// Reads a stream that comes in these pieces.
pub fn read_stream<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> StreamRead {
    let mut inbox = Inbox::new(Peer::Source(SOURCE), RunNumber(7), FRAGMENT_BYTES_MAX);
    let (mut chunks, mut refusals) = (Chunks::default(), Refusals::default());
    let mut read = StreamRead { messages: Vec::new(), end: None, refused: Vec::new() };
    'pieces: for mut piece in pieces {
        while !piece.is_empty() {
            let taken = inbox.put(piece, &mut chunks);
            assert!(taken > 0, "there is always room for more");
            piece = &piece[taken..];
            loop {
                match inbox.poll_message(Time::ZERO, &mut refusals) {
                    Ok(Some(message)) => read.messages.push(message),
                    Ok(None) => break,
                    Err(refusal) => {
                        read.end = Some(refusal);
                        break 'pieces;
                    }
                }
            }
        }
    }
    read.refused = refusals.named().collect();
    read
}
