//! What comes from one peer: bytes land in large chunks, and payloads are parts of these.

use std::io;
use std::os::fd::BorrowedFd;

use bytes::{Buf, BytesMut};
use incast_core::readout::{Message, Peer, RunNumber};
use incast_core::time::Time;
use incast_core::wire::fragment::{HEADER_BYTES, MAGIC, Segment};
use incast_core::wire::mep::{Mep, STREAM_MARK};
use incast_core::wire::readout::{HEAD_BYTES, Head, parse_body};
use incast_core::wire::refusal::{Refusal, Refusals};

use super::chunks::{CHUNK_BYTES, Chunks};
use super::counts::Segments;
use super::data::Data;
use super::fragments::{self, Fragments, Joined};
use crate::sys;

/// With less room than this a new chunk is begun: small reads cost more than moving the bytes that are left.
const ROOM_BYTES_LEAST: usize = 64 << 10;
/// A peer's turn: what is read of it before others have theirs. The same for all, however the chunks fall:
/// who got more at each turn would run away from the others, and leave more and more events open.
pub(super) const TURN_BYTES: usize = CHUNK_BYTES;

/// What comes from one peer.
#[derive(Debug)]
pub(super) struct Inbox {
    buffer: BytesMut,
    /// Whether `buffer` is one of the chunks: not at first, and not when a frame is larger than these.
    is_chunk: bool,
    /// How many bytes the frame has that `buffer` begins with, as far as is known.
    frame_bytes: usize,
    fragments: Fragments,
}

impl Inbox {
    pub(super) fn new(peer: Peer, run: RunNumber, fragment_bytes_max: u32) -> Self {
        let fragments = Fragments::new(peer, run, fragment_bytes_max);
        Self { buffer: BytesMut::new(), is_chunk: false, frame_bytes: 0, fragments }
    }

    /// Reads once, at most `bytes_max`; returns how many bytes came, 0 at the end of the stream, and whether
    /// the kernel may have more of them.
    pub(super) fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        chunks: &mut Chunks,
        bytes_max: usize,
    ) -> io::Result<(usize, bool)> {
        self.make_room(chunks);
        let room = self.buffer.capacity() - self.buffer.len();
        let came = sys::stream::receive(fd, &mut self.buffer, bytes_max)?;
        Ok((came, came >= room.min(bytes_max)))
    }

    /// Takes bytes as if they had been read; gives how many there was room for.
    #[cfg(any(test, fuzzing))]
    pub(super) fn put(&mut self, bytes: &[u8], chunks: &mut Chunks) -> usize {
        self.make_room(chunks);
        let room = (self.buffer.capacity() - self.buffer.len()).min(bytes.len());
        self.buffer.extend_from_slice(&bytes[..room]);
        room
    }

    /// Room for the rest of a frame grows with what of it has come, never with what a peer says.
    fn make_room(&mut self, chunks: &mut Chunks) {
        let have = self.buffer.len();
        let missing = self.frame_bytes.saturating_sub(have);
        let wanted = missing.min(have.max(CHUNK_BYTES)).max(ROOM_BYTES_LEAST);
        if self.buffer.capacity() - have >= wanted || self.buffer.try_reclaim(wanted) {
            return;
        }
        if have + wanted > CHUNK_BYTES {
            self.buffer.reserve(wanted);
            self.is_chunk = false;
            return;
        }
        let mut chunk = chunks.take();
        chunk.extend_from_slice(&self.buffer);
        let full = std::mem::replace(&mut self.buffer, chunk);
        if self.is_chunk {
            chunks.put(full);
        }
        self.is_chunk = true;
    }

    /// The next whole message, if there is one. What is refused of a fragment is counted, and passed over.
    ///
    /// # Errors
    /// When it is nothing that could be told apart from what follows: the connection is to end.
    pub(super) fn poll_message(
        &mut self,
        now: Time,
        refusals: &mut Refusals,
    ) -> Result<Option<Message<Data>>, Refusal> {
        loop {
            self.frame_bytes = match frame_bytes(&self.buffer) {
                Ok(bytes) => bytes,
                Err(Refusal::Truncated) => 0,
                Err(refusal) => return Err(refusal),
            };
            if self.frame_bytes == 0 || self.buffer.len() < self.frame_bytes {
                return Ok(None);
            }
            let taken = if self.buffer.starts_with(&MAGIC) {
                self.take_fragment(now)
            } else if self.buffer.starts_with(&STREAM_MARK) {
                self.take_packet().map(Some)
            } else {
                return self.take_message().map(Some);
            };
            match taken {
                Ok(None) => {}
                Ok(message) => return Ok(message),
                Err(refusal) => refusals.record(refusal),
            }
        }
    }

    fn take_message(&mut self) -> Result<Message<Data>, Refusal> {
        let head = Head::parse(&self.buffer)?;
        self.buffer.advance(HEAD_BYTES);
        let body = self.buffer.split_to(self.frame_bytes - HEAD_BYTES).freeze();
        parse_body(head.kind, &body, |place| Data(body.slice(place)))
    }

    /// Takes the segment that the buffer begins with, and gives its fragment if that is whole.
    fn take_fragment(&mut self, now: Time) -> Result<Option<Message<Data>>, Refusal> {
        let frame_bytes = self.frame_bytes;
        let joined = Segment::parse(&self.buffer[..frame_bytes])
            .and_then(|segment| Ok((segment.head, self.fragments.join(now, &segment)?)));
        if let Ok((head, Joined::Itself)) = joined {
            self.buffer.advance(HEADER_BYTES);
            let payload = self.buffer.split_to(frame_bytes - HEADER_BYTES).freeze();
            return Ok(Some(fragments::message(&head, Data(payload))));
        }
        self.buffer.advance(frame_bytes);
        let (head, joined) = joined?;
        Ok(if let Joined::Whole(payload) = joined {
            Some(fragments::message(&head, payload.into()))
        } else {
            None
        })
    }

    /// Takes the packet of LHCb that the buffer begins with, behind its mark.
    fn take_packet(&mut self) -> Result<Message<Data>, Refusal> {
        let packet = self.buffer.split_to(self.frame_bytes);
        self.fragments.join_packet(&Mep::parse(&packet[STREAM_MARK.len()..])?)
    }

    /// What became of segments.
    pub(super) fn segments(&self) -> Segments {
        self.fragments.counts()
    }

    /// Where segments are put together, of this peer's datagrams as well.
    pub(super) const fn fragments(&mut self) -> &mut Fragments {
        &mut self.fragments
    }
}

/// The length of the frame or message at the beginning of `bytes`, from its head alone.
fn frame_bytes(bytes: &[u8]) -> Result<usize, Refusal> {
    if bytes.starts_with(&MAGIC) {
        return Segment::length_of(bytes);
    }
    if let Some(packet) = bytes.strip_prefix(&STREAM_MARK) {
        return Mep::length_of(packet).map(|length| STREAM_MARK.len() + length);
    }
    // A frame's mark may be cut after its first bytes. A message's head is longer than that.
    Head::parse(bytes).map(|head| head.message_bytes())
}

#[cfg(test)]
mod tests {
    use incast_core::readout::SourceId;
    use incast_core::wire::mep::MepWriter;

    use super::*;

    fn packet(data: &[u8]) -> Vec<u8> {
        let mut bytes = STREAM_MARK.to_vec();
        let mut writer = MepWriter::begin(&mut bytes, 5, 1, 1000);
        assert_eq!(writer.push(data), Ok(()));
        assert!(writer.finish().is_ok());
        bytes
    }

    /// How many messages there are in these bytes, however they are cut, and what was refused.
    fn read(bytes: &[u8], piece: usize) -> (usize, Option<Refusal>, Vec<(&'static str, u64)>) {
        let mut inbox = Inbox::new(Peer::Source(SourceId(1)), RunNumber(7), 1000);
        let (mut chunks, mut refusals, mut messages) = (Chunks::default(), Refusals::default(), 0);
        for piece in bytes.chunks(piece) {
            assert_eq!(inbox.put(piece, &mut chunks), piece.len());
            loop {
                match inbox.poll_message(Time::ZERO, &mut refusals) {
                    Ok(Some(_)) => messages += 1,
                    Ok(None) => break,
                    Err(refusal) => return (messages, Some(refusal), refusals.named().collect()),
                }
            }
        }
        (messages, None, refusals.named().collect())
    }

    #[test]
    fn a_bad_packet_is_passed_over_and_one_without_a_length_ends_the_stream() {
        let mut wrong_number = packet(&[1, 2, 3]);
        wrong_number[STREAM_MARK.len() + 12] = 9;
        let good = packet(&[4; 100]);
        let mut no_length = good.clone();
        no_length[STREAM_MARK.len() + 6..STREAM_MARK.len() + 8].fill(0);
        let all = [&good[..], &wrong_number, &good, &no_length, &good].concat();
        for piece in [1, 3, 16, 1000] {
            assert_eq!(read(&all, piece), (2, Some(Refusal::Length), vec![("event_number", 1)]), "{piece}");
        }
    }
}
