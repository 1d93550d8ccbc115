//! Puts segments together to fragments, in bounded memory.
//!
//! ```text
//!  segment ---> whole? ---------------------------------------> fragment, without a copy
//!            |
//!            +> open: | prefix, without a hole |  hole | piece | hole | piece |
//!                       all there: fragment. Too old, or no room: given up, and told so
//! ```
//! Memory is taken for bytes that came, never for bytes that a peer only speaks of: a fragment grows with
//! its segments. When there is no room for one more, the oldest open fragment is given up. The last
//! fragments that were completed or given up are remembered, so that what comes again or late does
//! not open them once more. A fragment in one segment passes through at once; whether it came before is
//! for the builder to know.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::fragment::{FragmentHead, Segment};
use super::little_endian::length;
use crate::readout::Level;
use crate::time::{Span, Time};

/// What a piece or an open fragment costs besides its bytes, so that many small ones cannot cost more than
/// is counted: tables, allocator, and some reserve.
const OVERHEAD_BYTES: usize = 256;

/// What may be held, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReassemblyPlan {
    /// Memory of open fragments. A fragment whose segments come in order needs its own size at most; in any
    /// order, twice that.
    pub bytes_max: usize,
    /// How long a fragment may stay open: longer than any path reorders.
    pub patience: Span,
    /// How many fragments that are over are remembered.
    pub remembered_max: usize,
}

impl Default for ReassemblyPlan {
    /// 256 MiB, a second, and the last 4096 fragments.
    fn default() -> Self {
        Self { bytes_max: 256 << 20, patience: Span::from_s(1), remembered_max: 4096 }
    }
}

/// What became of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken<'a> {
    /// It completed its fragment.
    Whole(FragmentHead, Cow<'a, [u8]>),
    /// It was taken; others are missing.
    Part,
    /// It was not taken.
    Refused(NotTaken),
}

/// Why a segment was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotTaken {
    /// All of its bytes were there already, and are the same.
    Duplicate,
    /// Its bytes were there already, and are others: two fragments of one name.
    Conflict,
    /// It lies on bytes that were there, and goes beyond them: cut by another rule.
    Overlap,
    /// It says something else of its fragment than the first segment did.
    Inconsistent,
    /// Its fragment was given up.
    Late,
    /// It alone is larger than all memory.
    NoRoom,
}

/// A fragment that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Which one.
    pub head: FragmentHead,
    /// Bytes of it that had come.
    pub received_bytes: u32,
    /// Why.
    pub cause: Cause,
}

/// Why a fragment was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It stayed open for too long.
    Timeout,
    /// Its memory was needed for a later one.
    NoRoom,
}

/// What happened to all segments and fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReassemblyCounts {
    /// Segments that came.
    pub segments: u64,
    /// Of these, taken.
    pub taken: u64,
    /// Of these, not taken, by reason.
    pub duplicate: u64,
    /// See [`NotTaken::Conflict`].
    pub conflict: u64,
    /// See [`NotTaken::Overlap`].
    pub overlap: u64,
    /// See [`NotTaken::Inconsistent`].
    pub inconsistent: u64,
    /// See [`NotTaken::Late`].
    pub late: u64,
    /// See [`NotTaken::NoRoom`].
    pub no_room: u64,
    /// Fragments that were begun.
    pub begun: u64,
    /// Of these, completed.
    pub completed: u64,
    /// Of these, given up because they stayed open for too long.
    pub timed_out: u64,
    /// Of these, given up because their memory was needed.
    pub evicted: u64,
}

/// One fragment, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    run: u32,
    event: u64,
    source: u16,
    level: Level,
}

impl Name {
    const fn of(head: &FragmentHead) -> Self {
        Self { run: head.run, event: head.event, source: head.source, level: head.level }
    }
}

/// A fragment of which something is missing.
#[derive(Debug)]
struct Open {
    head: FragmentHead,
    /// Which one was begun as the how manieth: the order of giving up.
    serial: u64,
    prefix: Vec<u8>,
    /// Pieces behind the first hole, by their offsets; they never touch one another's bytes.
    ahead: BTreeMap<usize, Vec<u8>>,
    /// What these cost.
    ahead_bytes: usize,
    received_bytes: u32,
}

/// How a fragment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Completed,
    GivenUp,
}

/// Puts segments together.
#[derive(Debug)]
pub struct Reassembler {
    plan: ReassemblyPlan,
    open: BTreeMap<Name, Open>,
    /// The open ones by age: when they began, and which.
    order: BTreeMap<u64, (Time, Name)>,
    used_bytes: usize,
    over: BTreeMap<Name, Over>,
    over_order: VecDeque<Name>,
    given_up: VecDeque<GivenUp>,
    counts: ReassemblyCounts,
}

impl Reassembler {
    /// Nothing is open.
    #[must_use]
    pub const fn new(plan: ReassemblyPlan) -> Self {
        Self {
            plan,
            open: BTreeMap::new(),
            order: BTreeMap::new(),
            used_bytes: 0,
            over: BTreeMap::new(),
            over_order: VecDeque::new(),
            given_up: VecDeque::new(),
            counts: ReassemblyCounts {
                segments: 0,
                taken: 0,
                duplicate: 0,
                conflict: 0,
                overlap: 0,
                inconsistent: 0,
                late: 0,
                no_room: 0,
                begun: 0,
                completed: 0,
                timed_out: 0,
                evicted: 0,
            },
        }
    }

    /// Takes a segment that was checked. Drain [`poll_given_up`](Self::poll_given_up) behind it.
    pub fn handle_segment<'a>(&mut self, now: Time, segment: &Segment<'a>) -> Taken<'a> {
        self.counts.segments += 1;
        let taken = self.take(now, segment);
        match &taken {
            Taken::Whole(..) | Taken::Part => self.counts.taken += 1,
            Taken::Refused(reason) => *self.counter(*reason) += 1,
        }
        taken
    }

    fn take<'a>(&mut self, now: Time, segment: &Segment<'a>) -> Taken<'a> {
        let name = Name::of(&segment.head);
        if let Some(open) = self.open.get(&name) {
            return match open.place_of(segment) {
                Err(reason) => Taken::Refused(reason),
                Ok(place) => self.add(name, segment, place),
            };
        }
        if segment.is_whole() {
            self.counts.begun += 1;
            self.counts.completed += 1;
            return Taken::Whole(segment.head, Cow::Borrowed(segment.payload));
        }
        match self.over.get(&name) {
            Some(Over::Completed) => return Taken::Refused(NotTaken::Duplicate),
            Some(Over::GivenUp) => return Taken::Refused(NotTaken::Late),
            None => {}
        }
        let serial = self.counts.begun;
        self.counts.begun += 1;
        self.used_bytes += OVERHEAD_BYTES;
        self.order.insert(serial, (now, name));
        self.open.insert(name, Open::new(segment.head, serial));
        let place = if segment.offset_bytes == 0 { Place::Prefix } else { Place::Ahead };
        self.add(name, segment, place)
    }

    /// Adds a segment to an open fragment where it belongs, and gives the fragment if it is whole.
    fn add<'a>(&mut self, name: Name, segment: &Segment<'a>, place: Place) -> Taken<'a> {
        let Some(mut open) = self.open.remove(&name) else { return Taken::Part };
        self.used_bytes -= open.cost_bytes();
        // What is needed is made free first, of others. If all of them do not suffice, this one goes.
        if !self.make_room(open.cost_bytes_with(segment, place), open.serial) {
            self.used_bytes += open.cost_bytes();
            self.open.insert(name, open);
            self.give_up(name, Cause::NoRoom);
            return Taken::Refused(NotTaken::NoRoom);
        }
        open.add(segment, place);
        if open.prefix.len() == length(open.head.total_bytes) {
            self.order.remove(&open.serial);
            self.remember(name, Over::Completed);
            self.counts.completed += 1;
            return Taken::Whole(open.head, Cow::Owned(open.prefix));
        }
        self.used_bytes += open.cost_bytes();
        self.open.insert(name, open);
        Taken::Part
    }

    /// Gives up open fragments, the oldest first and never that of `serial`, until `bytes` fit. None is
    /// given up for what does not fit at all.
    fn make_room(&mut self, bytes: usize, serial: u64) -> bool {
        if bytes > self.plan.bytes_max {
            return false;
        }
        while self.used_bytes + bytes > self.plan.bytes_max {
            let oldest = self.order.iter().find(|(oldest, _)| **oldest != serial);
            let Some((_, (_, name))) = oldest else { return false };
            self.give_up(*name, Cause::NoRoom);
        }
        true
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.order.first_key_value().map(|(_, (began, _))| *began + self.plan.patience)
    }

    /// Gives up what has been open for too long.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((_, (began, name))) = self.order.first_key_value()
            && *began + self.plan.patience <= now
        {
            self.give_up(*name, Cause::Timeout);
        }
    }

    /// The next fragment that was given up. As many as could be open at once are kept for the owner, then
    /// only counted.
    pub fn poll_given_up(&mut self) -> Option<GivenUp> {
        self.given_up.pop_front()
    }

    /// What happened so far.
    #[must_use]
    pub const fn counts(&self) -> &ReassemblyCounts {
        &self.counts
    }

    /// Memory of open fragments, at most [`ReassemblyPlan::bytes_max`].
    #[must_use]
    pub const fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// Fragments that are open.
    #[must_use]
    pub fn open_fragments(&self) -> usize {
        self.open.len()
    }

    /// Asserts that every segment and every fragment is in one place of the account, and that the memory is
    /// what it is counted as.
    ///
    /// # Panics
    /// When that is not so: our mistake.
    pub fn check_laws(&self) {
        let ReassemblyCounts { duplicate, conflict, overlap, inconsistent, late, no_room, .. } = self.counts;
        let refused = duplicate + conflict + overlap + inconsistent + late + no_room;
        assert_eq!(self.counts.segments, self.counts.taken + refused);
        let ended = self.counts.completed + self.counts.timed_out + self.counts.evicted;
        assert_eq!(self.counts.begun, ended + self.open.len() as u64);
        assert_eq!(self.open.len(), self.order.len());
        assert!(self.open.values().all(|open| open.ahead_bytes == open.pieces_bytes()));
        assert_eq!(self.used_bytes, self.open.values().map(Open::cost_bytes).sum::<usize>());
        assert!(self.used_bytes <= self.plan.bytes_max);
        assert!(self.over.len() == self.over_order.len() && self.over.len() <= self.plan.remembered_max);
    }

    fn give_up(&mut self, name: Name, cause: Cause) {
        let Some(open) = self.open.remove(&name) else { return };
        self.used_bytes -= open.cost_bytes();
        self.order.remove(&open.serial);
        self.remember(name, Over::GivenUp);
        match cause {
            Cause::Timeout => self.counts.timed_out += 1,
            Cause::NoRoom => self.counts.evicted += 1,
        }
        if self.given_up.len() < self.plan.bytes_max / OVERHEAD_BYTES {
            self.given_up.push_back(GivenUp { head: open.head, received_bytes: open.received_bytes, cause });
        }
    }

    fn remember(&mut self, name: Name, over: Over) {
        if self.plan.remembered_max == 0 {
            return;
        }
        if self.over_order.len() == self.plan.remembered_max
            && let Some(oldest) = self.over_order.pop_front()
        {
            self.over.remove(&oldest);
        }
        if self.over.insert(name, over).is_none() {
            self.over_order.push_back(name);
        }
    }

    const fn counter(&mut self, reason: NotTaken) -> &mut u64 {
        match reason {
            NotTaken::Duplicate => &mut self.counts.duplicate,
            NotTaken::Conflict => &mut self.counts.conflict,
            NotTaken::Overlap => &mut self.counts.overlap,
            NotTaken::Inconsistent => &mut self.counts.inconsistent,
            NotTaken::Late => &mut self.counts.late,
            NotTaken::NoRoom => &mut self.counts.no_room,
        }
    }
}

/// Where a segment belongs in an open fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the end of the prefix.
    Prefix,
    /// Behind a hole.
    Ahead,
}

impl Open {
    const fn new(head: FragmentHead, serial: u64) -> Self {
        Self { head, serial, prefix: Vec::new(), ahead: BTreeMap::new(), ahead_bytes: 0, received_bytes: 0 }
    }

    fn place_of(&self, segment: &Segment<'_>) -> Result<Place, NotTaken> {
        if self.head != segment.head {
            return Err(NotTaken::Inconsistent);
        }
        let (start, end) = (length(segment.offset_bytes), segment.end_bytes());
        if start < self.prefix.len() {
            return Err(Self::repeated(segment, self.prefix.get(start..end)));
        }
        // Pieces do not overlap, so the last that begins before the end reaches the farthest.
        if let Some((from, piece)) = self.ahead.range(..end).next_back()
            && from + piece.len() > start
        {
            let same = start.checked_sub(*from).and_then(|at| piece.get(at..at + segment.payload.len()));
            return Err(Self::repeated(segment, same));
        }
        Ok(if start == self.prefix.len() { Place::Prefix } else { Place::Ahead })
    }

    /// What a segment is of whose place is taken, if all of it is, by `there`.
    fn repeated(segment: &Segment<'_>, there: Option<&[u8]>) -> NotTaken {
        match there {
            None => NotTaken::Overlap,
            Some(there) if there == segment.payload => NotTaken::Duplicate,
            Some(_) => NotTaken::Conflict,
        }
    }

    fn add(&mut self, segment: &Segment<'_>, place: Place) {
        self.received_bytes += u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
        match place {
            Place::Ahead => {
                self.ahead.insert(length(segment.offset_bytes), segment.payload.to_vec());
                self.ahead_bytes += segment.payload.len() + OVERHEAD_BYTES;
            }
            Place::Prefix => {
                self.reserve(segment.payload.len());
                self.prefix.extend_from_slice(segment.payload);
                while let Some(piece) = self.ahead.remove(&self.prefix.len()) {
                    self.reserve(piece.len());
                    self.prefix.extend_from_slice(&piece);
                    self.ahead_bytes -= piece.len() + OVERHEAD_BYTES;
                }
            }
        }
    }

    /// Doubles, as far as there are bytes to come: twice the bytes that came, at most.
    fn reserve(&mut self, more: usize) {
        let needed = self.prefix.len() + more;
        if needed > self.prefix.capacity() {
            let wanted = (2 * self.prefix.len()).min(length(self.head.total_bytes)).max(needed);
            self.prefix.reserve_exact(wanted - self.prefix.len());
        }
    }

    /// What the pieces behind the first hole cost, counted anew.
    fn pieces_bytes(&self) -> usize {
        self.ahead.values().map(|piece| piece.len() + OVERHEAD_BYTES).sum()
    }

    const fn cost_bytes(&self) -> usize {
        OVERHEAD_BYTES + self.prefix.capacity() + self.ahead_bytes
    }

    /// What it costs at most while and after the segment is added.
    fn cost_bytes_with(&self, segment: &Segment<'_>, place: Place) -> usize {
        let payload = segment.payload.len();
        match place {
            Place::Ahead => self.cost_bytes() + payload + OVERHEAD_BYTES,
            // Pieces may follow it into the prefix, which doubles up to the whole fragment.
            Place::Prefix => {
                let doubled = 2 * (self.prefix.len() + payload + self.ahead_bytes);
                let grown = doubled.min(length(self.head.total_bytes)).max(self.prefix.capacity());
                OVERHEAD_BYTES + grown + self.ahead_bytes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fragment::segments;

    const START: Time = Time::ZERO;

    fn head(event: u64) -> FragmentHead {
        FragmentHead {
            run: 1,
            source: 2,
            event,
            events: 1,
            total_bytes: 0,
            is_generated: false,
            is_damaged: false,
            level: Level::First,
        }
    }

    fn cut(event: u64, fragment: &[u8], step: u32) -> Vec<Segment<'_>> {
        segments(head(event), fragment, step).unwrap().collect()
    }

    fn small(bytes_max: usize) -> Reassembler {
        Reassembler::new(ReassemblyPlan { bytes_max, patience: Span::from_ms(10), remembered_max: 4 })
    }

    const DATA: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn every_order_of_segments_gives_the_fragment() {
        let parts = cut(9, &DATA, 2);
        for order in 0..4_usize.pow(4) {
            let order: Vec<_> = (0..4_u32).map(|digit| order / 4_usize.pow(digit) % 4).collect();
            let (mut reassembler, mut seen) = (small(1 << 20), Vec::new());
            for index in &order {
                let outcome = reassembler.handle_segment(START, &parts[*index]);
                reassembler.check_laws();
                let last = !seen.contains(index) && seen.len() == 3;
                let expected = match seen.contains(index) {
                    true => Taken::Refused(NotTaken::Duplicate),
                    false if last => Taken::Whole(parts[0].head, Cow::Owned(DATA.to_vec())),
                    false => Taken::Part,
                };
                assert_eq!(outcome, expected, "{order:?}");
                if !seen.contains(index) {
                    seen.push(*index);
                }
            }
            assert_eq!(reassembler.open_fragments(), usize::from(seen.len() < 4));
        }
    }

    #[test]
    fn a_whole_fragment_passes_through_without_a_copy() {
        let mut reassembler = small(0);
        let parts = cut(1, &DATA, 8);
        for _ in 0..2 {
            let taken = reassembler.handle_segment(START, &parts[0]);
            assert!(matches!(taken, Taken::Whole(_, Cow::Borrowed(payload)) if payload == DATA));
        }
        let nothing = cut(1, &[], 8);
        assert!(matches!(reassembler.handle_segment(START, &nothing[0]), Taken::Whole(..)));
        reassembler.check_laws();
    }

    #[test]
    fn what_contradicts_the_first_segment_is_not_taken() {
        let parts = cut(1, &DATA, 2);
        let mut reassembler = small(1 << 20);
        for index in [0, 2] {
            assert_eq!(reassembler.handle_segment(START, &parts[index]), Taken::Part);
        }
        let refused = |reassembler: &mut Reassembler, offset_bytes, payload: &[u8]| {
            let segment = Segment { offset_bytes, payload, ..parts[0] };
            match reassembler.handle_segment(START, &segment) {
                Taken::Refused(reason) => reason,
                taken => panic!("{taken:?}"),
            }
        };
        // In the prefix and in a piece: the same bytes, others, and a part beyond.
        assert_eq!(refused(&mut reassembler, 1, &[2]), NotTaken::Duplicate);
        assert_eq!(refused(&mut reassembler, 1, &[9]), NotTaken::Conflict);
        assert_eq!(refused(&mut reassembler, 1, &[2, 3]), NotTaken::Overlap);
        assert_eq!(refused(&mut reassembler, 5, &[6]), NotTaken::Duplicate);
        assert_eq!(refused(&mut reassembler, 4, &[5, 9]), NotTaken::Conflict);
        assert_eq!(refused(&mut reassembler, 5, &[6, 7]), NotTaken::Overlap);
        assert_eq!(refused(&mut reassembler, 2, &[3, 4, 5]), NotTaken::Overlap);
        assert_eq!(refused(&mut reassembler, 3, &[4, 5, 6, 7]), NotTaken::Overlap);
        let other = FragmentHead { total_bytes: 9, ..parts[0].head };
        let other = Segment { head: other, ..parts[1] };
        assert_eq!(reassembler.handle_segment(START, &other), Taken::Refused(NotTaken::Inconsistent));
        reassembler.check_laws();
        // None of this has harmed it.
        reassembler.handle_segment(START, &parts[3]);
        let whole = reassembler.handle_segment(START, &parts[1]);
        assert_eq!(whole, Taken::Whole(parts[0].head, Cow::Owned(DATA.to_vec())));
        let counts = *reassembler.counts();
        assert_eq!((counts.duplicate, counts.conflict, counts.overlap, counts.inconsistent), (2, 2, 4, 1));
    }

    #[test]
    fn a_fragment_that_stays_open_is_given_up_and_not_opened_again() {
        let parts = cut(1, &DATA, 4);
        let mut reassembler = small(1 << 20);
        reassembler.handle_segment(Time::from_ns(5), &parts[1]);
        let due = Time::from_ns(5) + Span::from_ms(10);
        assert_eq!(reassembler.next_timeout(), Some(due));
        reassembler.handle_timeout(Time(due.0 - 1));
        assert_eq!(reassembler.poll_given_up(), None);
        reassembler.handle_timeout(due);
        let given_up = GivenUp { head: parts[0].head, received_bytes: 4, cause: Cause::Timeout };
        assert_eq!((reassembler.poll_given_up(), reassembler.poll_given_up()), (Some(given_up), None));
        assert_eq!((reassembler.next_timeout(), reassembler.used_bytes()), (None, 0));
        assert_eq!(reassembler.handle_segment(due, &parts[0]), Taken::Refused(NotTaken::Late));
        reassembler.check_laws();
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut reassembler = small(2 * (OVERHEAD_BYTES + 8));
        let mut given_up = Vec::new();
        for event in 0..5 {
            assert_eq!(reassembler.handle_segment(START, &cut(event, &DATA, 4)[0]), Taken::Part);
            reassembler.check_laws();
            given_up.extend(
                std::iter::from_fn(|| reassembler.poll_given_up()).map(|given_up| given_up.head.event),
            );
        }
        assert_eq!((given_up, reassembler.open_fragments()), (vec![0, 1, 2], 2));
        assert_eq!(reassembler.counts().evicted, 3);
    }

    #[test]
    fn what_a_peer_only_speaks_of_takes_no_memory() {
        let head = FragmentHead { total_bytes: 64 << 20, ..head(1) };
        let mut reassembler = small(1 << 20);
        for offset_bytes in [0, 60 << 20] {
            let segment = Segment { head, offset_bytes, payload: &[1] };
            assert_eq!(reassembler.handle_segment(START, &segment), Taken::Part);
        }
        assert!(reassembler.used_bytes() < 4 * OVERHEAD_BYTES, "{}", reassembler.used_bytes());
        reassembler.check_laws();
    }

    #[test]
    fn what_does_not_fit_at_all_displaces_nothing() {
        let mut reassembler = small(4 * OVERHEAD_BYTES);
        reassembler.handle_segment(START, &cut(1, &DATA, 4)[0]);
        let large = vec![0; 4 * OVERHEAD_BYTES];
        let parts = cut(2, &large, 1020);
        assert_eq!(reassembler.handle_segment(START, &parts[0]), Taken::Refused(NotTaken::NoRoom));
        assert_eq!(reassembler.open_fragments(), 1);
        assert_eq!(reassembler.handle_segment(START, &parts[1]), Taken::Refused(NotTaken::Late));
        reassembler.check_laws();
    }

    #[test]
    fn only_the_last_ones_are_remembered() {
        let mut reassembler = small(1 << 20);
        for event in 0..6 {
            for part in cut(event, &DATA, 4) {
                reassembler.handle_segment(START, &part);
            }
            reassembler.check_laws();
        }
        assert_eq!(
            reassembler.handle_segment(START, &cut(5, &DATA, 4)[0]),
            Taken::Refused(NotTaken::Duplicate)
        );
        assert_eq!(reassembler.handle_segment(START, &cut(0, &DATA, 4)[0]), Taken::Part);
    }
}
