//! What is said arrives as it was said, both ways, whatever its size.

use incast_core::readout::{
    Assigned, BuilderId, Built, Cause, Destination, End, Ended, Event, EventNumber, Failure, Incarnation,
    Level, Message, RunNumber, SourceId, SourceSet, Token, Verdict,
};
use incast_core::time::{Span, Time};
use incast_net::key::Key;
use incast_net::readout::{Data, FragmentCarrier, MeshPlan};

use crate::roles::{BUILDER, NODE, Role, bytes, fragment, pair, plan, source, until};

fn event(sizes: &[Option<usize>]) -> Event<Data> {
    let part = |(id, size): (u16, &Option<usize>)| {
        (SourceId(id * 3), size.map(|size| Data::from(bytes(usize::from(id), size))))
    };
    let parts = (0..).zip(sizes).map(part).collect();
    Event::received(RunNumber(7), EventNumber(1 << 40), 3, Time::ZERO, Time::ZERO, parts).unwrap()
}

fn every_message() -> Vec<Message<Data>> {
    let complete = Built::Complete(event(&[Some(10), Some(0), Some(300), Some(70_000)]));
    let incomplete = Built::Incomplete {
        event: event(&[Some(1000), None, Some(5), None]),
        missing: [SourceId(3), SourceId(9)].into_iter().collect(),
        cause: Cause::Crowded,
    };
    let verdicts = vec![
        Verdict::Reject,
        Verdict::Accept { streams: 5 },
        Verdict::Unjudged { streams: 0, failure: Failure::Memory },
    ];
    let ends = [
        Ended::Stored,
        Ended::Incomplete([SourceId(1), SourceId(65_535)].into_iter().collect()),
        Ended::Rejected,
        Ended::Accepted,
        Ended::NoRoom,
    ];
    let ends = (1..).zip(ends).map(|(events, how)| End { first: EventNumber(9), events, how }).collect();
    let (number, second) = (EventNumber(u64::MAX - 1), Level::Second);
    let assigned = Assigned {
        run: RunNumber(7),
        event: number,
        events: 9,
        destination: BuilderId(4),
        triggered: Time(u64::MAX),
    };
    let token = Token { from: Destination(8), incarnation: Incarnation(2), number: 3, void_below: 2 };
    vec![
        Message::Welcome { level: second, next: number },
        Message::Assigned { level: second, assigned },
        Message::Last { next: number },
        Message::Throttle { is_throttling: true },
        Message::Throttle { is_throttling: false },
        Message::Token(token),
        Message::Event { level: second, attempt: 2, built: complete.clone() },
        Message::Event { level: Level::First, attempt: 1, built: incomplete.clone() },
        Message::Answer {
            level: second,
            event: number,
            attempt: 7,
            busy: Span(123_456_789),
            verdicts: verdicts.clone(),
        },
        Message::Confirm { level: second, event: number, attempt: 3, is_taken: true },
        Message::Kept { event: number },
        Message::Ask { ask: 1, event: number, bytes: 1 << 40 },
        Message::Granted { ask: 1, lease: u64::MAX, lifetime: Span::from_s(3) },
        Message::Result { ask: 1, lease: 2, verdicts: verdicts.clone(), built: complete },
        Message::Result { ask: 2, lease: 3, verdicts, built: incomplete },
        Message::Stored { ask: 1, event: number },
        Message::Ends(ends),
        Message::Ends(Vec::new()),
    ]
}

#[test]
fn every_message_crosses_both_ways_as_it_was() {
    let key = Key::random().unwrap();
    let mut builder = Role::open(plan(BUILDER, &key));
    let mut node = Role::open(MeshPlan { listen: None, ..plan(NODE, &key) });
    node.dial(BUILDER, &builder);
    until([&mut builder, &mut node], |[builder, node]| builder.mesh.is_up(NODE) && node.mesh.is_up(BUILDER));
    let all = every_message();
    for message in &all {
        builder.mesh.send(NODE, message.clone()).unwrap();
        node.mesh.send(BUILDER, message.clone()).unwrap();
    }
    until([&mut builder, &mut node], |roles| roles.iter().all(|role| role.messages().count() >= all.len()));
    for role in [&builder, &node] {
        assert!(role.messages().eq(&all));
        let counts = role.mesh.counts();
        assert_eq!((counts.sent.len(), &counts.sent), (14, &counts.received));
        assert_eq!(counts.stream_bytes.sent, counts.stream_bytes.received);
        assert!(counts.refused.is_empty() && counts.unsendable.is_empty(), "{counts:?}");
    }
}

#[test]
fn events_of_two_megabytes_cross_while_others_wait_behind_them() {
    let key = Key::random().unwrap();
    let mut builder = Role::open(plan(BUILDER, &key));
    let mut node = Role::open(MeshPlan { listen: None, ..plan(NODE, &key) });
    node.dial(BUILDER, &builder);
    until([&mut builder, &mut node], |[builder, _]| builder.mesh.is_up(NODE));
    let all: Vec<_> = (0..3)
        .flat_map(|attempt| {
            let built = Built::Complete(event(&[Some(2 << 20), Some(200), Some(9000)]));
            let event = Message::Event { level: Level::First, attempt, built };
            [event, Message::Kept { event: EventNumber(attempt.into()) }]
        })
        .collect();
    for message in &all {
        builder.mesh.send(NODE, message.clone()).unwrap();
    }
    until([&mut builder, &mut node], |[_, node]| node.messages().count() >= all.len());
    assert!(node.messages().eq(&all));
}

#[test]
fn fragments_of_any_size_cross_on_the_stream() {
    let (mut from, mut builder) = pair(FragmentCarrier::Tcp, FragmentCarrier::Tcp);
    // Beyond 1 MiB they are cut, and put together again.
    let sizes = [0, 1, 255, 256, 257, 1024, 65_536, 1 << 20, (1 << 20) + 1, 5 << 20];
    let mut all: Vec<_> =
        (0_u8..).zip(sizes).map(|(seed, size)| fragment(1, seed.into(), &bytes(seed.into(), size))).collect();
    if let Message::Fragment { level, fragment } = &mut all[5] {
        (*level, fragment.events) = (Level::Second, 12);
    }
    for message in &all {
        from.mesh.send(BUILDER, message.clone()).unwrap();
    }
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() >= all.len());
    assert!(builder.messages().eq(&all));
    let counts = builder.mesh.counts();
    assert_eq!((counts.segments.joined, counts.received["fragment"]), (2 + 5, 10));
}

#[test]
fn many_small_fragments_come_in_order_and_whole() {
    let (mut from, mut builder) = pair(FragmentCarrier::Tcp, FragmentCarrier::Tcp);
    let payload = bytes(1, 1024);
    let mut sent = 0;
    until([&mut from, &mut builder], |_| true);
    while sent < 20_000 {
        while sent < 20_000 && from.mesh.has_room(BUILDER) {
            from.mesh.send(BUILDER, fragment(1, sent, &payload)).unwrap();
            sent += 1;
        }
        until([&mut from, &mut builder], |[from, _]| from.mesh.has_room(BUILDER));
    }
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() >= 20_000);
    for (event, message) in (0..).zip(builder.messages()) {
        let Message::Fragment { fragment, .. } = message else { panic!("{message:?}") };
        assert_eq!((fragment.event, &fragment.payload[..]), (EventNumber(event), &payload[..]));
    }
}

#[test]
fn more_ends_than_a_message_holds_are_told_in_several() {
    let (mut from, mut builder) = pair(FragmentCarrier::Tcp, FragmentCarrier::Tcp);
    let missing: SourceSet = (0..60_000).map(SourceId).collect();
    let end = |first, how| End { first: EventNumber(first), events: 1, how };
    let mut ends: Vec<_> = (0..3000).map(|first| end(first, Ended::Stored)).collect();
    ends.extend((3000..3100).map(|first| end(first, Ended::Incomplete(missing.clone()))));
    builder.mesh.send(source(1), Message::Ends(ends.clone())).unwrap();
    let told = |role: &Role| {
        let ends = role.messages().flat_map(|message| match message {
            Message::Ends(ends) => ends.clone(),
            other => panic!("{other:?}"),
        });
        ends.collect::<Vec<_>>()
    };
    until([&mut from, &mut builder], |[from, _]| told(from).len() >= ends.len());
    assert_eq!(told(&from), ends);
    assert!(from.messages().count() > 3);
}
