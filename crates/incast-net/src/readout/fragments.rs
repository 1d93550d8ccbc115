//! The fragments of one source, from the segments that it sends: those of others are refused.

use incast_core::readout::{EventNumber, Fragment, Level, Message, Peer, RunNumber, SourceId};
use incast_core::time::{Span, Time};
use incast_core::wire::fragment::{FragmentHead, Segment};
use incast_core::wire::mep::{Mep, extend};
use incast_core::wire::reassembly::{Reassembler, ReassemblyPlan, Taken};
use incast_core::wire::refusal::Refusal;

use super::counts::Segments;
use super::data::Data;
use super::mep;

/// Fragments that may be open at once, at their largest. In order of their segments each needs its own size,
/// in any order twice that.
const OPEN_FRAGMENTS: usize = 4;
/// Least memory for open fragments.
const REASSEMBLY_BYTES_LEAST: usize = 1 << 20;
/// Longer than a network keeps a datagram that it delivers.
const PATIENCE: Span = Span::from_s(1);
/// Fragments that are over are remembered, so that what comes again opens none.
const REMEMBERED: usize = 1024;

/// The fragments of one source.
#[derive(Debug)]
pub(super) struct Fragments {
    source: Option<SourceId>,
    run: RunNumber,
    /// The last event of its packets of LHCb: they tell 32 bits of a number.
    last_event: EventNumber,
    bytes_max: u32,
    reassembler: Reassembler,
    damaged: u64,
}

/// What a segment is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// A whole fragment.
    Itself,
    /// The last that was missing of this one.
    Whole(Vec<u8>),
    /// A part, or none that is needed.
    Part,
}

impl Fragments {
    pub(super) fn new(peer: Peer, run: RunNumber, bytes_max: u32) -> Self {
        let source = if let Peer::Source(source) = peer { Some(source) } else { None };
        let largest = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let plan = ReassemblyPlan {
            bytes_max: largest.saturating_mul(OPEN_FRAGMENTS).max(REASSEMBLY_BYTES_LEAST),
            patience: PATIENCE,
            remembered_max: REMEMBERED,
        };
        let last_event = EventNumber::default();
        Self { source, run, last_event, bytes_max, reassembler: Reassembler::new(plan), damaged: 0 }
    }

    /// Takes a segment that came.
    #[inline]
    pub(super) fn join(&mut self, now: Time, segment: &Segment<'_>) -> Result<Joined, Refusal> {
        if self.source != Some(SourceId(segment.head.source)) {
            return Err(Refusal::Source);
        }
        if segment.head.is_damaged {
            self.damaged += 1;
            return Ok(Joined::Part);
        }
        if segment.is_whole() {
            return Ok(Joined::Itself);
        }
        self.join_part(now, segment)
    }

    fn join_part(&mut self, now: Time, segment: &Segment<'_>) -> Result<Joined, Refusal> {
        if segment.head.total_bytes > self.bytes_max {
            return Err(Refusal::Limit);
        }
        // Here and nowhere else: without new segments nobody needs the memory of old ones.
        if self.reassembler.next_timeout().is_some_and(|due| due <= now) {
            self.reassembler.handle_timeout(now);
        }
        let taken = self.reassembler.handle_segment(now, segment);
        while self.reassembler.poll_given_up().is_some() {}
        Ok(match taken {
            Taken::Whole(_, payload) => Joined::Whole(payload.into_owned()),
            Taken::Part | Taken::Refused(_) => Joined::Part,
        })
    }

    /// The message of a packet of LHCb, which is whole: what its layout does not say is known of the source.
    pub(super) fn join_packet(&mut self, packet: &Mep<'_>) -> Result<Message<Data>, Refusal> {
        let source = self.source.ok_or(Refusal::Source)?;
        let mut payload = Vec::with_capacity(packet.bytes().len());
        mep::payload(packet, &mut payload)?;
        self.last_event = EventNumber(extend(self.last_event.0, packet.first_event()));
        let fragment = Fragment {
            run: self.run,
            event: self.last_event,
            events: packet.packing(),
            source,
            payload: payload.into(),
        };
        Ok(Message::Fragment { level: Level::First, fragment })
    }

    /// What became of the segments, but for those that were whole fragments.
    pub(super) fn counts(&self) -> Segments {
        let counts = self.reassembler.counts();
        Segments {
            joined: counts.taken,
            not_needed: counts.segments - counts.taken,
            given_up_fragments: counts.timed_out + counts.evicted,
            damaged: self.damaged,
        }
    }
}

/// The message of a fragment that is whole.
pub(super) fn message(head: &FragmentHead, payload: Data) -> Message<Data> {
    let fragment = Fragment {
        run: RunNumber(head.run),
        event: EventNumber(head.event),
        events: head.events,
        source: SourceId(head.source),
        payload,
    };
    Message::Fragment { level: head.level, fragment }
}
