//! The layouts of the readout from outside: what is written is read, whatever is read was well formed, and
//! fragments come out of their segments whole, whatever the network does to them.

use std::collections::BTreeMap;

use incast_core::random::Random;
use incast_core::readout::{Failure, Verdict};
use incast_core::time::{Span, Time};
use incast_core::wire::built_event::{self, BuiltEvent, EventHead, EventPart, PartState};
use incast_core::wire::content::Content;
use incast_core::wire::fragment::{FragmentHead, HEADER_BYTES, Segment, segments};
use incast_core::wire::mep_request::{MepRequest, REQUEST_BYTES};
use incast_core::wire::mfp::{self, Mfp, MfpHead};
use incast_core::wire::mfp_event::{self, MfpEvent};
use incast_core::wire::packed::{self, Packed};
use incast_core::wire::readout::{Head, Kind, Message};
use incast_core::wire::reassembly::{Reassembler, ReassemblyPlan, Taken};
use proptest::collection::vec;
use proptest::prelude::*;

fn arbitrary_head() -> impl Strategy<Value = FragmentHead> {
    let fields = (any::<u32>(), any::<u16>(), any::<u64>(), 1..u16::MAX, any::<bool>(), any::<bool>());
    fields.prop_map(|(run, source, event, events, is_generated, is_damaged)| FragmentHead {
        run,
        source,
        event,
        events,
        total_bytes: 0,
        is_generated,
        is_damaged,
    })
}

fn arbitrary_message() -> impl Strategy<Value = Message<'static>> {
    let verdict = prop_oneof![
        Just(Verdict::Reject),
        (1..u32::MAX).prop_map(|streams| Verdict::Accept { streams }),
        (any::<u32>(), 0..4_usize)
            .prop_map(|(streams, index)| Verdict::Unjudged { streams, failure: Failure::ALL[index] }),
    ];
    prop_oneof![
        (any::<u64>(), 1..u16::MAX).prop_map(|(request, events)| Message::Request { request, events }),
        (any::<u64>(), any::<u64>(), verdict).prop_map(|(event, busy_ns, verdict)| Message::Decision {
            event,
            busy_ns,
            verdict
        }),
        any::<(u64, u64, u32)>().prop_map(|(ask, event, bytes)| Message::Ask { ask, event, bytes }),
        any::<(u64, u64, u32)>().prop_map(|(ask, lease, lifetime_us)| Message::Granted {
            ask,
            lease,
            lifetime_us
        }),
        (any::<(u64, u64, u64, u32, u32)>(), 0..100_usize).prop_map(
            |((ask, lease, event, run, streams), bytes)| {
                Message::Result { ask, lease, event, run, streams, record: &[0xa5; 100][..bytes] }
            }
        ),
        (any::<(u64, u64, u16, u32)>(), 1..u16::MAX).prop_map(
            |((lease, incarnation, node, lifetime_us), credits)| Message::Token {
                lease,
                incarnation,
                node,
                credits,
                lifetime_us
            }
        ),
        any::<(u64, u64, u16, u16)>().prop_map(|(lease, incarnation, node, unspent)| Message::TokenBack {
            lease,
            incarnation,
            node,
            unspent
        }),
        any::<(u64, u64, u64, u32, u32)>().prop_map(|(ask, event, offset, file, bytes)| Message::Stored {
            ask,
            event,
            offset,
            file,
            bytes
        }),
    ]
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
    fn messages_come_back(message in arbitrary_message(), behind in vec(any::<u8>(), 0..4)) {
        let mut out = Vec::new();
        message.emit(&mut out).unwrap();
        prop_assert_eq!(Head::parse(&out).map(|head| head.message_bytes()), Ok(out.len()));
        out.extend_from_slice(&behind);
        prop_assert_eq!(Message::parse_prefix(&out), Ok((message, &behind[..])));
    }

    #[test]
    fn any_body_that_is_read_is_written_as_it_was(kind in 0..9_usize, mut body in vec(any::<u8>(), 12..60), zeros in any::<bool>()) {
        let kind = Kind::ALL[kind];
        let (least, most) = kind.body_bytes();
        if least == most {
            body.resize(least as usize, 0);
        }
        if zeros && body.len() >= 24 {
            body[20..24].fill(0);
        }
        if let Ok(message) = Message::parse_body(kind, &body) {
            let mut out = Vec::new();
            message.emit(&mut out).unwrap();
            prop_assert_eq!(&out[8..], &body[..]);
        }
    }

    #[test]
    fn events_come_back(
        (request, event, run, delivery) in any::<(u64, u64, u32, u8)>(),
        events in 1..u16::MAX,
        parts in proptest::collection::btree_map(any::<u16>(), (0..3_u8, vec(any::<u8>(), 0..20)), 0..10),
    ) {
        let head = EventHead { request, event, run, events, delivery };
        let parts: Vec<_> = parts.iter().map(|(source, (state, data))| match state {
            0 => EventPart { source: *source, state: PartState::Good, data },
            1 => EventPart { source: *source, state: PartState::Missing, data: &[] },
            _ => EventPart { source: *source, state: PartState::Damaged, data },
        }).collect();
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
        sources in proptest::collection::btree_set(any::<u16>(), 1..6),
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
