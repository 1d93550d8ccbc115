//! An event as an algorithm is given it: where its data are, not a copy of them.

use std::io::IoSlice;

use incast_core::readout::{Built, Cause, EventNumber, Level, RunNumber, SourceId};
use incast_core::wire::algorithm::question_head;
use incast_core::wire::built_event::{self, EventHead, EventPart};
use incast_core::wire::packed::Packed;
use incast_core::wire::refusal::Refusal;

/// An event, or the consecutive events of a packet.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// The run.
    pub run: RunNumber,
    /// The event; of a packet, the first.
    pub event: EventNumber,
    /// How many consecutive events it is, at least 1.
    pub events: u16,
    /// Which fragments.
    pub level: Level,
    /// The how manieth node has it, from 1 on.
    pub attempt: u8,
    /// Why missing parts were not waited for any longer; `None` if and only if none is missing.
    pub cause: Option<Cause>,
    /// The fragments, by rising source, with those that are missing. Of a packet, the fragments of a
    /// source are [packed](incast_core::wire::packed).
    pub parts: &'a [EventPart<'a>],
}

impl EventView<'_> {
    /// Bytes of all payloads.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| data_of(part).len() as u64).sum()
    }

    /// Bytes of the payloads of each event of the packet. A fragment that cannot be taken apart counts for
    /// all of them alike.
    pub(crate) fn bytes_by_event(&self, out: &mut Vec<u64>) {
        out.clear();
        out.resize(self.events.into(), 0);
        if let [bytes] = &mut out[..] {
            *bytes = self.bytes();
            return;
        }
        for part in self.parts {
            match Packed::parse(data_of(part), self.events) {
                Ok(pieces) => {
                    out.iter_mut().zip(pieces).for_each(|(bytes, piece)| *bytes += piece.len() as u64);
                }
                Err(_) => {
                    let each = data_of(part).len() as u64 / u64::from(self.events.max(1));
                    out.iter_mut().for_each(|bytes| *bytes += each);
                }
            }
        }
    }

    /// Writes the head of the question, and head and table of the event, into `out`: the data have to
    /// follow. Gives the bytes of the whole question.
    pub(crate) fn emit_head(&self, question: u64, out: &mut Vec<u8>) -> Result<usize, Refusal> {
        out.clear();
        out.extend_from_slice(&question_head(0, question));
        let head = EventHead {
            event: self.event.0,
            run: self.run.0,
            events: self.events,
            level: self.level,
            attempt: self.attempt,
            cause: self.cause,
        };
        let parts = self.parts.iter().map(|part| {
            // Beyond 4 GiB is beyond every bound, and refused.
            let bytes = part.data.map(|data| u32::try_from(data.len()).unwrap_or(u32::MAX));
            (part.source, bytes)
        });
        let event_bytes = built_event::emit_table(&head, parts, out)?;
        let question_head = question_head(event_bytes, question);
        out[..question_head.len()].copy_from_slice(&question_head);
        Ok(question_head.len() + event_bytes as usize)
    }

    /// The data, as they follow the head.
    pub(crate) fn data(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.parts.iter().map(data_of).filter(|data| !data.is_empty())
    }
}

/// The data of a part: none when they are missing.
fn data_of<'a>(part: &EventPart<'a>) -> &'a [u8] {
    part.data.unwrap_or_default()
}

/// The question as it is written: its head, then the data from where they are.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    head: &'a [u8],
    parts: &'a [EventPart<'a>],
    /// Bytes of what comes first that are written already.
    written: usize,
    left_bytes: usize,
}

impl<'a> Outgoing<'a> {
    /// A question of which nothing is written yet.
    pub(crate) fn new(head: &'a [u8], parts: &'a [EventPart<'a>]) -> Self {
        let data: usize = parts.iter().map(|part| data_of(part).len()).sum();
        Self { head, parts, written: 0, left_bytes: head.len() + data }
    }

    /// Nothing.
    pub(crate) const fn nothing() -> Self {
        Self { head: &[], parts: &[], written: 0, left_bytes: 0 }
    }

    /// Whether all is written.
    pub(crate) const fn is_done(&self) -> bool {
        self.left_bytes == 0
    }

    /// What comes next, for one call of the kernel.
    pub(crate) fn next_slices<'b>(&'b self, slices: &'b mut [IoSlice<'a>]) -> &'b [IoSlice<'a>] {
        let data = self.parts.iter().map(data_of);
        let mut all = std::iter::once(self.head).chain(data).filter(|slice| !slice.is_empty());
        let mut count = 0;
        if let Some(first) = all.next().and_then(|first| first.get(self.written..)) {
            for (slot, slice) in slices.iter_mut().zip(std::iter::once(first).chain(all)) {
                *slot = IoSlice::new(slice);
                count += 1;
            }
        }
        &slices[..count]
    }

    /// Takes note that `bytes` more are written.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.left_bytes = self.left_bytes.saturating_sub(bytes);
        self.written += bytes;
        // Once the head is written it is gone, and each part after it.
        loop {
            let first = if self.head.is_empty() { self.parts.first().map(data_of) } else { Some(self.head) };
            match first {
                Some(first) if self.written >= first.len() => {
                    self.written -= first.len();
                    if self.head.is_empty() {
                        self.parts = &self.parts[1..];
                    } else {
                        self.head = &[];
                    }
                }
                _ => return,
            }
        }
    }
}

/// The parts of a built event, by rising source, with those that are missing.
pub fn parts_of<P: AsRef<[u8]>>(built: &Built<P>) -> Vec<EventPart<'_>> {
    let good = built
        .event()
        .parts()
        .map(|(SourceId(source), payload)| EventPart { source, data: Some(payload.as_ref()) });
    let mut parts: Vec<_> = good.collect();
    if let Some(missing) = built.missing() {
        parts.extend(missing.iter().map(|SourceId(source)| EventPart { source, data: None }));
        parts.sort_unstable_by_key(|part| part.source);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_written_whole_however_it_is_cut() {
        let good = |data| EventPart { source: 0, data: Some(data) };
        let parts = [good(&b""[..]), good(b"abc"), good(b""), good(b"d"), good(b"efgh"), good(b"")];
        let parts: Vec<_> = (0..).zip(parts).map(|(source, part)| EventPart { source, ..part }).collect();
        for step in 1..20 {
            for slices_max in 1..4 {
                let mut outgoing = Outgoing::new(b"head", &parts);
                let mut written = Vec::new();
                while !outgoing.is_done() {
                    let mut slices = [IoSlice::new(&[]); 4];
                    let next = outgoing.next_slices(&mut slices[..slices_max]);
                    assert!(!next.is_empty() && next.iter().all(|slice| !slice.is_empty()));
                    let taken: Vec<u8> =
                        next.iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
                    outgoing.advance(taken.len());
                    written.extend(taken);
                }
                assert_eq!(written, b"headabcdefgh", "{step} bytes of {slices_max} slices");
                assert!(outgoing.next_slices(&mut [IoSlice::new(&[]); 4]).is_empty());
            }
        }
        assert!(Outgoing::nothing().is_done());
    }

    #[test]
    fn a_question_is_what_the_core_reads() {
        let parts = [EventPart { source: 1, data: Some(b"data") }, EventPart { source: 2, data: None }];
        let (run, event, level) = (RunNumber(5), EventNumber(6), Level::First);
        let view = EventView {
            run,
            event,
            events: 1,
            level,
            attempt: 2,
            cause: Some(Cause::TimedOut),
            parts: &parts,
        };
        let mut question = vec![1, 2, 3];
        let bytes = view.emit_head(9, &mut question).unwrap();
        view.data().for_each(|data| question.extend_from_slice(data));
        assert_eq!(bytes, question.len());
        let (head, body) = question.split_at(16);
        assert_eq!(head, question_head(u32::try_from(body.len()).unwrap(), 9));
        let read = built_event::BuiltEvent::parse(body).unwrap();
        assert_eq!(read.parts().collect::<Vec<_>>(), parts);
        let cause = Some(Cause::TimedOut);
        assert_eq!(*read.head(), EventHead { event: 6, run: 5, events: 1, level, attempt: 2, cause });
    }
}
