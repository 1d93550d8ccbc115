//! The layouts of the readout from outside: what is written is read, whatever is read was well formed, and
//! fragments come out of their segments whole, whatever the network does to them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use incast_core::random::Random;
use incast_core::readout::{
    Built, Cause, End, Ended, Event, EventNumber, Failure, Level, Message, RunNumber, SourceId, SourceSet,
    Verdict,
};
use incast_core::time::{Span, Time};
use incast_core::wire::built_event::{self, BuiltEvent, EventHead, EventPart};
use incast_core::wire::content::Content;
use incast_core::wire::fragment::{FragmentHead, HEADER_BYTES, Segment, segments};
use incast_core::wire::mep_request::{MepRequest, REQUEST_BYTES};
use incast_core::wire::mfp::{self, Mfp, MfpHead};
use incast_core::wire::mfp_event::{self, MfpEvent};
use incast_core::wire::packed::{self, Packed};
use incast_core::wire::readout::{self, Head, Kind};
use incast_core::wire::reassembly::{Reassembler, ReassemblyPlan, Taken};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

fn arbitrary_head() -> impl Strategy<Value = FragmentHead> {
    let fields = (any::<u32>(), any::<u16>(), any::<u64>(), 1..u16::MAX, any::<[bool; 3]>());
    fields.prop_map(|(run, source, event, events, [is_generated, is_damaged, is_second])| FragmentHead {
        run,
        source,
        event,
        events,
        total_bytes: 0,
        is_generated,
        is_damaged,
        level: if is_second { Level::Second } else { Level::First },
    })
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::First), Just(Level::Second)]
}

fn verdicts() -> impl Strategy<Value = Vec<Verdict>> {
    let verdict = prop_oneof![
        Just(Verdict::Reject),
        (1..u32::MAX).prop_map(|streams| Verdict::Accept { streams }),
        (any::<u32>(), 0..4_usize)
            .prop_map(|(streams, index)| Verdict::Unjudged { streams, failure: Failure::ALL[index] }),
    ];
    vec(verdict, 0..20)
}

fn built() -> impl Strategy<Value = Built<Vec<u8>>> {
    let parts = btree_map(any::<u16>(), proptest::option::of(vec(any::<u8>(), 0..20)), 0..10);
    let cause = prop_oneof![Just(Cause::TimedOut), Just(Cause::Crowded), Just(Cause::Ended)];
    (any::<(u32, u64)>(), 1..u16::MAX, parts, cause).prop_map(|((run, number), events, parts, cause)| {
        let missing = parts.iter().filter(|(_, part)| part.is_none());
        let missing: SourceSet = missing.map(|(source, _)| SourceId(*source)).collect();
        let parts = parts.into_iter().map(|(source, part)| (SourceId(source), part)).collect();
        let (run, number) = (RunNumber(run), EventNumber(number));
        let event = Event::received(run, number, events, Time::ZERO, Time::ZERO, parts).unwrap();
        if missing.is_empty() { Built::Complete(event) } else { Built::Incomplete { event, missing, cause } }
    })
}

fn ends() -> impl Strategy<Value = Vec<End>> {
    let sources = btree_set(any::<u16>(), 1..5);
    let how = prop_oneof![
        Just(Ended::Stored),
        sources.prop_map(|sources| Ended::Incomplete(sources.into_iter().map(SourceId).collect())),
        Just(Ended::Rejected),
        Just(Ended::Accepted),
        Just(Ended::NoRoom),
    ];
    let end = (any::<u64>(), 1..u32::MAX, how);
    vec(end.prop_map(|(first, events, how)| End { first: EventNumber(first), events, how }), 0..20)
}

/// Those in which there is something to count.
fn long_message() -> impl Strategy<Value = Message<Vec<u8>>> {
    prop_oneof![
        (level(), any::<u8>(), built()).prop_map(|(level, attempt, built)| Message::Event {
            level,
            attempt,
            built
        }),
        (level(), any::<(u64, u8, u64)>(), verdicts()).prop_map(
            |(level, (event, attempt, busy), verdicts)| Message::Answer {
                level,
                event: EventNumber(event),
                attempt,
                busy: Span(busy),
                verdicts
            }
        ),
        (any::<(u64, u64)>(), verdicts(), built())
            .prop_map(|((ask, lease), verdicts, built)| { Message::Result { ask, lease, verdicts, built } }),
        ends().prop_map(Message::Ends),
    ]
}

/// A message with its payloads.
fn emit(message: &Message<Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    let built = readout::emit_head(message, &mut out).unwrap();
    let parts = built.into_iter().flat_map(|built| built.event().parts());
    parts.for_each(|(_, part)| out.extend_from_slice(part));
    out
}

proptest! {
    #[test]
    fn frames_come_back_one_after_the_other(
        head in arbitrary_head(), data in vec(any::<u8>(), 0..500), step in 1_u32..600,
    ) {
        let cut: Vec<_> = segments(head, &data, step).unwrap().collect();
        let mut stream = Vec::new();
        cut.iter().for_each(|segment| segment.emit(&mut stream));
        let (mut rest, mut found) = (&stream[..], Vec::new());
        while !rest.is_empty() {
            prop_assert_eq!(Segment::length_of(rest), Ok(HEADER_BYTES + cut[found.len()].payload.len()));
            let (segment, behind) = Segment::parse_prefix(rest).unwrap();
            found.push(segment);
            rest = behind;
        }
        prop_assert_eq!(found, cut);
    }

    #[test]
    fn any_bytes_with_the_right_crc_are_written_as_they_were_read(
        mut bytes in vec(any::<u8>(), 40..80), small in any::<bool>(),
    ) {
        bytes[..6].copy_from_slice(b"ICFR\x01\x01");
        let payload = u32::try_from(bytes.len() - HEADER_BYTES).unwrap();
        bytes[28..32].copy_from_slice(&payload.to_le_bytes());
        if small {
            bytes[14..16].fill(0);
            bytes[25..28].fill(0);
            bytes[33..36].fill(0);
        }
        let crc = incast_core::wire::crc32c::crc32c_of(&[&bytes[..36], &bytes[40..]]);
        bytes[36..40].copy_from_slice(&crc.to_le_bytes());
        if let Ok(segment) = Segment::parse(&bytes) {
            let mut again = Vec::new();
            segment.emit(&mut again);
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn messages_come_back(message in long_message(), behind in vec(any::<u8>(), 0..4)) {
        let mut out = emit(&message);
        prop_assert_eq!(Head::parse(&out).map(|head| head.message_bytes()), Ok(out.len()));
        out.extend_from_slice(&behind);
        prop_assert_eq!(readout::parse_prefix(&out), Ok((message, &behind[..])));
    }

    #[test]
    fn any_body_that_is_read_is_written_as_it_was(
        kind in 0..14_usize, mut body in vec(any::<u8>(), 0..60), zeros in any::<[bool; 3]>(),
    ) {
        let kind = Kind::ALL[kind];
        let (least, most) = kind.body_bytes();
        if least == most {
            body.resize(least as usize, 0);
        }
        for (from, zeros) in [9, 17, 25].into_iter().zip(zeros) {
            if let Some(bytes) = body.get_mut(from..).filter(|_| zeros) {
                let end = bytes.len().min(7);
                bytes[..end].fill(0);
            }
        }
        if let Ok(message) = readout::parse_body(kind, &body, |place| body[place].to_vec()) {
            prop_assert_eq!(&emit(&message)[8..], &body[..]);
        }
    }

    #[test]
    fn events_come_back(
        (event, run, attempt) in any::<(u64, u32, u8)>(),
        (level, events) in (level(), 1..u16::MAX),
        parts in btree_map(any::<u16>(), proptest::option::of(vec(any::<u8>(), 0..20)), 0..10),
    ) {
        let cause = parts.values().any(Option::is_none).then_some(Cause::Crowded);
        let head = EventHead { event, run, events, level, attempt, cause };
        let parts: Vec<_> =
            parts.iter().map(|(source, data)| EventPart { source: *source, data: data.as_deref() }).collect();
        let mut body = Vec::new();
        let bytes = built_event::emit(&head, &parts, &mut body);
        prop_assert_eq!(bytes, Ok(u32::try_from(body.len()).unwrap()));
        let read = BuiltEvent::parse(&body).unwrap();
        prop_assert_eq!(read.head(), &head);
        prop_assert_eq!(read.parts().collect::<Vec<_>>(), parts);
    }

    #[test]
    fn packets_of_run_3_come_back(
        event in any::<u64>(), align in 0_u8..7, version in any::<u8>(),
        sources in btree_set(any::<u16>(), 1..6),
        fragments in vec((any::<u8>(), vec(any::<u8>(), 0..70)), 1..9),
    ) {
        let fragments: Vec<_> = fragments.iter().map(|(kind, data)| (*kind, &data[..])).collect();
        let packets: Vec<Vec<u8>> = sources.iter().map(|source| {
            let mut out = Vec::new();
            mfp::emit(&MfpHead { event, source: *source, align, version }, &fragments, &mut out).unwrap();
            out
        }).collect();
        let read: Vec<_> = packets.iter().map(|packet| Mfp::parse(packet).unwrap()).collect();
        for packet in &read {
            let found: Vec<_> = packet.fragments().map(|fragment| (fragment.kind, fragment.data)).collect();
            prop_assert_eq!(&found, &fragments);
        }
        let mut whole = Vec::new();
        let bytes = mfp_event::emit(&read, &mut whole);
        prop_assert_eq!(bytes, Ok(whole.len()));
        prop_assert!(MfpEvent::parse(&whole).unwrap().packets().eq(read));
    }

    #[test]
    fn packed_data_come_back(pieces in vec(vec(any::<u8>(), 0..30), 1..20)) {
        let mut payload = Vec::new();
        pieces.iter().for_each(|piece| packed::push(piece, &mut payload).unwrap());
        let read = Packed::parse(&payload, u16::try_from(pieces.len()).unwrap()).unwrap();
        prop_assert!(read.eq(&pieces));
    }

    #[test]
    fn requests_come_back(packets in 1_u8.., sequence in any::<u32>(), run in any::<u32>(), sent in any::<(i64, i64)>()) {
        if let Some(request) = MepRequest::new(packets, sequence, run) {
            let request = MepRequest { sent_s: sent.0, sent_ns: sent.1, ..request };
            let bytes: [u8; REQUEST_BYTES] = request.emit();
            prop_assert_eq!(MepRequest::parse(&bytes), Ok(request));
        }
    }

    /// Each fragment cut by its own rule; segments lost, doubled, and in any order.
    #[test]
    fn a_bad_network_never_makes_a_wrong_fragment(seed in any::<u64>(), loss in 0..3_u64, bytes_max in 600_usize..200_000) {
        let mut random = Random::named(seed, "network");
        let content = |head: &FragmentHead| Content::new(head.run, head.source, head.event);
        let mut fragments = BTreeMap::new();
        for event in 0..6 {
            let head = FragmentHead {
                run: 1, source: u16::try_from(random.next_u64() % 3).unwrap(), event, events: 1, total_bytes: 0, is_generated: true, is_damaged: false, level: Level::First,
            };
            let mut data = vec![0; usize::try_from(random.next_u64() % 3000).unwrap()];
            content(&head).fill(0, &mut data);
            fragments.insert(event, (head, data));
        }
        let mut traffic = Vec::new();
        for (head, data) in fragments.values() {
            let step = u32::try_from(random.next_u64() % 900 + 1).unwrap();
            for segment in segments(*head, data, step).unwrap() {
                let copies = if random.next_u64() % 10 < loss { 0 } else { 1 + random.next_u64() % 8 / 7 };
                (0..copies).for_each(|_| traffic.push((random.next_u64(), segment)));
            }
        }
        traffic.sort_by_key(|(place, _)| *place);

        let plan = ReassemblyPlan { bytes_max, patience: Span::from_us(200), remembered_max: 100 };
        let (mut reassembler, mut whole, mut given_up) = (Reassembler::new(plan), Vec::new(), Vec::new());
        for ((_, segment), us) in traffic.iter().zip(0_u64..) {
            let now = Time::ZERO + Span::from_us(us);
            if reassembler.next_timeout().is_some_and(|due| due <= now) {
                reassembler.handle_timeout(now);
            }
            if let Taken::Whole(head, payload) = reassembler.handle_segment(now, segment) {
                prop_assert_eq!(&payload[..], &fragments[&head.event].1[..]);
                prop_assert_eq!(content(&head).first_wrong(0, &payload), None);
                whole.push(head.event);
            }
            given_up.extend(std::iter::from_fn(|| reassembler.poll_given_up()).map(|given_up| given_up.head.event));
            reassembler.check_laws();
        }
        reassembler.handle_timeout(Time::ZERO + Span::from_s(1));
        given_up.extend(std::iter::from_fn(|| reassembler.poll_given_up()).map(|given_up| given_up.head.event));
        reassembler.check_laws();
        prop_assert_eq!((reassembler.open_fragments(), reassembler.used_bytes()), (0, 0));
        let counts = reassembler.counts();
        prop_assert_eq!(counts.completed, whole.len() as u64);
        prop_assert_eq!(counts.timed_out + counts.evicted, given_up.len() as u64);
        prop_assert_eq!(counts.conflict + counts.inconsistent + counts.overlap, 0);
        // What was cut into more than one comes out once, or is given up, and never both.
        for (event, (_, data)) in &fragments {
            let ends = whole.iter().chain(&given_up).filter(|ended| *ended == event).count();
            let single = traffic.iter().any(|(_, segment)| segment.head.event == *event && segment.is_whole());
            prop_assert!(single || ends <= 1, "event {event}, {} bytes", data.len());
            // Six fragments of 3000 bytes, and 200 pieces with what they cost besides.
            let lossless = loss == 0 && bytes_max >= 100_000 && traffic.len() < 200;
            prop_assert!(!lossless || whole.contains(event));
        }
    }
}
