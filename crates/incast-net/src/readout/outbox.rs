//! What waits to be written to one peer: heads that were gathered, payloads by reference.
//!
//! ```text
//!  pieces:  | heads | payload | payload | heads | payload |     one `sendmsg` writes up to 128 of them
//! ```

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

use bytes::{Buf, Bytes, BytesMut};
use incast_core::readout::Message;
use incast_core::wire::fragment::{FragmentHead, SEGMENT_BYTES_MAX, segments};
use incast_core::wire::mep::{PACKET_BYTES_MAX, STREAM_MARK};
use incast_core::wire::readout::{emit_head, ends_that_fit};
use incast_core::wire::refusal::Refusal;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

use super::data::Data;
use super::mep;
use super::plan::FragmentLayout;

/// Room for heads and small payloads: a new one is taken when it is full and still in use.
const HEADS_BYTES: usize = 64 << 10;
/// Up to here a payload is copied behind its head. A piece of its own costs more: it is counted three times,
/// and the kernel looks at it and at its head apart.
const COPIED_BYTES_MAX: usize = 2 << 10;
/// Pieces per system call.
const PIECES_MAX: usize = 128;

/// What waits to be written to one peer.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    layout: FragmentLayout,
    pieces: VecDeque<Bytes>,
    /// Heads that are gathered: they are behind all pieces.
    heads: BytesMut,
    queued_bytes: u64,
    scratch: Vec<u8>,
}

impl Outbox {
    /// Nothing waits; fragments will be in this layout.
    pub(super) fn new(layout: FragmentLayout) -> Self {
        Self { layout, ..Self::default() }
    }

    /// Bytes that wait.
    pub(super) const fn queued_bytes(&self) -> u64 {
        self.queued_bytes
    }

    /// Adds a message.
    pub(super) fn push(&mut self, message: &Message<Data>) -> Result<(), Refusal> {
        match message {
            Message::Fragment { level, fragment } if self.layout == FragmentLayout::Mep => {
                let packet = Bytes::from(mep::emit(*level, fragment, PACKET_BYTES_MAX)?);
                self.push_head(&STREAM_MARK);
                self.push_payload(&packet, &packet);
                Ok(())
            }
            Message::Fragment { level, fragment } => {
                let head = FragmentHead {
                    run: fragment.run.0,
                    source: fragment.source.0,
                    event: fragment.event.0,
                    events: fragment.events,
                    total_bytes: 0,
                    is_generated: false,
                    is_damaged: false,
                    level: *level,
                };
                for segment in segments(head, &fragment.payload, SEGMENT_BYTES_MAX)? {
                    self.push_head(&segment.emit_header());
                    self.push_payload(&fragment.payload.0, segment.payload);
                }
                Ok(())
            }
            Message::Ends(ends) => {
                let mut rest = &ends[..];
                while let (told, later @ [_, ..]) = rest.split_at(ends_that_fit(rest)) {
                    self.push_laid_out(&Message::Ends(told.to_vec()))?;
                    rest = later;
                }
                self.push_laid_out(&Message::Ends(rest.to_vec()))
            }
            _ => self.push_laid_out(message),
        }
    }

    fn push_laid_out(&mut self, message: &Message<Data>) -> Result<(), Refusal> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let built = emit_head(message, &mut scratch);
        if let Ok(built) = &built {
            self.push_head(&scratch);
            let parts = built.iter().flat_map(|built| built.event().parts());
            parts.for_each(|(_, part)| self.push_payload(&part.0, part));
        }
        self.scratch = scratch;
        built.map(|_| ())
    }

    fn push_head(&mut self, head: &[u8]) {
        if self.heads.capacity() - self.heads.len() < head.len() {
            self.end_heads();
            if !self.heads.try_reclaim(head.len()) {
                self.heads = BytesMut::with_capacity(HEADS_BYTES.max(head.len()));
            }
        }
        self.heads.extend_from_slice(head);
        self.queued_bytes += head.len() as u64;
    }

    /// Adds a part of a payload.
    fn push_payload(&mut self, payload: &Bytes, part: &[u8]) {
        if part.len() <= COPIED_BYTES_MAX {
            self.push_head(part);
            return;
        }
        self.end_heads();
        self.queued_bytes += part.len() as u64;
        self.pieces.push_back(payload.slice_ref(part));
    }

    /// Makes a piece of the heads that were gathered.
    fn end_heads(&mut self) {
        if !self.heads.is_empty() {
            self.pieces.push_back(self.heads.split().freeze());
        }
    }

    /// Writes until nothing waits or the kernel has no more room; returns how many bytes it took.
    pub(super) fn write(&mut self, fd: BorrowedFd<'_>) -> io::Result<u64> {
        self.end_heads();
        let mut written = 0;
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); PIECES_MAX];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(piece);
                count += 1;
            }
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match sendmsg(fd, &slices[..count], &mut SendAncillaryBuffer::default(), flags) {
                Ok(taken) => {
                    self.take_off(taken);
                    written += taken as u64;
                }
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(written)
    }

    fn take_off(&mut self, mut taken: usize) {
        self.queued_bytes = self.queued_bytes.saturating_sub(taken as u64);
        while let Some(first) = self.pieces.front_mut() {
            if taken < first.len() {
                first.advance(taken);
                return;
            }
            taken -= first.len();
            self.pieces.pop_front();
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queued_bytes == 0
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.layout);
    }
}
