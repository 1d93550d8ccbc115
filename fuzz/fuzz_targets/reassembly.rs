//! Segments of a few fragments in any order, cut by any rule, against a model that keeps every byte.
//!
//! Input: a byte that chooses the memory, then segments of 4 bytes each: fragment and flags, total, offset,
//! length. Time passes with every segment.

#![no_main]

use std::collections::BTreeMap;

use incast_core::readout::Level;
use incast_core::time::{Span, Time};
use incast_core::wire::fragment::{FragmentHead, Segment};
use incast_core::wire::reassembly::{NotTaken, Reassembler, ReassemblyPlan, Taken};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [choice, script @ ..] = data else { return };
    let bytes_max = [1 << 20, 2000, 700, 0][usize::from(choice & 3)];
    let patience = Span::from_us(if choice & 4 == 0 { 1_000_000 } else { 10 });
    let remembered_max = if choice & 8 == 0 { 1_000_000 } else { 2 };
    let mut reassembler = Reassembler::new(ReassemblyPlan { bytes_max, patience, remembered_max });
    let (mut model, mut now) = (Model::default(), Time::ZERO);
    for [name, total, offset, length] in script.as_chunks().0.iter().copied() {
        now += Span::from_us(1);
        if reassembler.next_timeout().is_some_and(|due| due <= now) {
            reassembler.handle_timeout(now);
        }
        while let Some(given_up) = reassembler.poll_given_up() {
            model.forget(given_up.head.event);
        }
        let Some((head, payload)) = segment(name, total, offset, length) else { continue };
        let segment = Segment { head, offset_bytes: offset.into(), payload: &payload };
        let taken = reassembler.handle_segment(now, &segment);
        reassembler.check_laws();
        while let Some(given_up) = reassembler.poll_given_up() {
            model.forget(given_up.head.event);
        }
        model.compare(&segment, &taken, bytes_max == 1 << 20);
    }
});

/// A segment as the frame would let it through; one bit makes its bytes others.
fn segment(name: u8, total: u8, offset: u8, length: u8) -> Option<(FragmentHead, Vec<u8>)> {
    let fits = usize::from(offset) + usize::from(length) <= usize::from(total);
    if !fits || (length == 0 && total != 0) {
        return None;
    }
    let head = FragmentHead {
        run: 1,
        source: 1,
        event: u64::from(name & 3),
        events: 1 + u16::from(name >> 7),
        total_bytes: total.into(),
        is_generated: false,
        is_damaged: false,
        level: Level::First,
    };
    let byte = |at: u8| at ^ (name & 0x40);
    Some((head, (offset..offset + length).map(byte).collect()))
}

/// Open fragments, every byte on its own.
#[derive(Default)]
struct Model(BTreeMap<u64, (FragmentHead, Vec<Option<u8>>)>);

impl Model {
    fn forget(&mut self, event: u64) {
        self.0.remove(&event);
    }

    fn compare(&mut self, segment: &Segment<'_>, taken: &Taken<'_>, has_room: bool) {
        let event = segment.head.event;
        match taken {
            Taken::Refused(reason) => self.refused(segment, *reason, has_room),
            Taken::Whole(head, payload) if !self.0.contains_key(&event) => {
                assert!(segment.is_whole() && **payload == *segment.payload && *head == segment.head);
            }
            Taken::Whole(head, payload) => {
                self.add(segment);
                let (open, bytes) = self.0.remove(&event).expect("it is open");
                let bytes: Option<Vec<u8>> = bytes.into_iter().collect();
                assert_eq!((Some(payload.to_vec()), *head), (bytes, open));
            }
            Taken::Part => {
                self.add(segment);
                assert!(self.0[&event].1.contains(&None), "all bytes are there");
            }
        }
    }

    fn add(&mut self, segment: &Segment<'_>) {
        let empty = || (segment.head, vec![None; segment.head.total_bytes as usize]);
        let (head, bytes) = self.0.entry(segment.head.event).or_insert_with(empty);
        assert_eq!(*head, segment.head);
        let place = &mut bytes[segment.offset_bytes as usize..segment.end_bytes()];
        assert!(place.iter().all(Option::is_none), "a byte was taken twice");
        place.iter_mut().zip(segment.payload).for_each(|(place, byte)| *place = Some(*byte));
    }

    fn refused(&self, segment: &Segment<'_>, reason: NotTaken, has_room: bool) {
        let open = self.0.get(&segment.head.event);
        let place = open.and_then(|(_, bytes)| bytes.get(segment.offset_bytes as usize..segment.end_bytes()));
        let same = |place: &[Option<u8>]| {
            place.iter().zip(segment.payload).all(|(there, byte)| *there == Some(*byte))
        };
        match (reason, open) {
            (NotTaken::Inconsistent, Some((head, _))) => assert_ne!(*head, segment.head),
            (NotTaken::Duplicate, Some(_)) => assert!(place.is_some_and(same)),
            (NotTaken::Conflict, Some(_)) => {
                assert!(place.is_some_and(|place| !same(place) && place.iter().all(Option::is_some)));
            }
            (NotTaken::Overlap, Some(_)) => {
                assert!(place.is_some_and(|place| place.iter().any(Option::is_some)));
            }
            (NotTaken::NoRoom, None) => assert!(!has_room),
            // Of a fragment that is over.
            (NotTaken::Duplicate | NotTaken::Late, None) => {}
            (reason, open) => panic!("{reason:?} of {open:?}"),
        }
    }
}
