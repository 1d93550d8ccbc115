//! Peers that are slow, and peers that are greedy.

use incast_core::readout::{EventNumber, Message};
use incast_net::key::Key;
use incast_net::readout::{FragmentCarrier, MeshPlan, PeerKind, Unsent};

use crate::roles::{BUILDER, Role, bytes, fragment, pair, plan, source, until};

#[test]
fn a_reader_that_does_not_read_fills_one_queue_and_nothing_else() {
    let (mut from, mut builder) = pair(FragmentCarrier::Tcp, FragmentCarrier::Tcp);
    builder.mesh.pause_reading(PeerKind::Source, true);
    let payload = bytes(0, 60_000);
    let mut sent = 0;
    let refused = loop {
        match from.mesh.send(BUILDER, fragment(1, sent, &payload)) {
            Ok(()) => sent += 1,
            Err(refused) => break refused,
        }
        until([&mut from, &mut builder], |_| true);
    };
    assert_eq!(refused, Unsent::Full(fragment(1, sent, &payload)));
    // Some polls later still: the kernels' buffers are full as well.
    for _ in 0..50 {
        let mut polls = 0;
        until([&mut from, &mut builder], |_| {
            polls += 1;
            polls > 2
        });
        while from.mesh.send(BUILDER, fragment(1, sent, &payload)).is_ok() {
            sent += 1;
        }
    }
    assert!(!from.mesh.has_room(BUILDER));
    let queued = from.mesh.queued_bytes(BUILDER);
    assert!((8 << 20..(8 << 20) + 60_040).contains(&queued), "{queued}");
    assert_eq!(builder.messages().count(), 0);
    assert!(from.mesh.counts().queue_full >= 1);
    // It reads again: everything that was taken comes.
    builder.mesh.pause_reading(PeerKind::Source, false);
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() as u64 >= sent);
    assert_eq!(from.mesh.queued_bytes(BUILDER), 0);
}

#[test]
fn a_paused_peer_that_dies_is_heard_to_its_end() {
    let (mut from, mut builder) = pair(FragmentCarrier::Tcp, FragmentCarrier::Tcp);
    builder.mesh.pause_reading(PeerKind::Source, true);
    from.mesh.send(BUILDER, fragment(1, 5, &[1; 5000])).unwrap();
    until([&mut from, &mut builder], |[from, _]| from.mesh.counts().stream_bytes.sent > 5000);
    drop(from);
    builder.mesh.pause_reading(PeerKind::Source, false);
    until([&mut builder], |[builder]| !builder.mesh.is_up(source(1)));
    assert!(builder.messages().eq([&fragment(1, 5, &[1; 5000])]));
}

#[test]
fn a_flooding_peer_does_not_keep_another_from_being_heard() {
    let key = Key::random().unwrap();
    let mut builder = Role::open(plan(BUILDER, &key));
    let mut open = |id| {
        let mut from = Role::open(MeshPlan { listen: None, ..plan(source(id), &key) });
        from.dial(BUILDER, &builder);
        until([&mut from, &mut builder], |[from, _]| from.mesh.is_up(BUILDER));
        from
    };
    let (mut flood, mut quiet) = (open(1), open(2));
    let fill = |flood: &mut Role| while flood.mesh.send(BUILDER, fragment(1, 0, &[0; 1024])).is_ok() {};
    fill(&mut flood);
    quiet.mesh.send(BUILDER, fragment(2, 77, &[1])).unwrap();
    until([&mut quiet], |[quiet]| quiet.mesh.counts().stream_bytes.sent > 0);
    // Both have more to read than a turn. The quiet one is heard in the first or second.
    builder.told.clear();
    for _ in 0..3 {
        fill(&mut flood);
        until([&mut flood], |_| true);
        builder.mesh.poll(None, &mut builder.told).unwrap();
    }
    assert!(builder.messages().any(|message| *message == fragment(2, 77, &[1])));
    // What one turn gives is bounded: 256 KiB of each peer.
    assert!(builder.messages().count() < 3 * 300, "{}", builder.messages().count());
}

#[test]
fn what_no_layout_can_say_comes_back_and_is_counted() {
    let (mut from, mut builder) = pair(FragmentCarrier::Tcp, FragmentCarrier::Tcp);
    let mut packed = fragment(1, 1, &[]);
    if let Message::Fragment { fragment, .. } = &mut packed {
        fragment.events = 0;
    }
    assert!(matches!(from.mesh.send(BUILDER, packed), Err(Unsent::Unsendable(..))));
    assert_eq!(from.mesh.counts().unsendable["packing"], 1);
    let last = Message::Last { next: EventNumber(1) };
    from.mesh.send(BUILDER, last.clone()).unwrap();
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() > 0);
    assert!(builder.messages().eq([&last]));
}
