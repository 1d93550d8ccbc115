//! Who is there, and who is not any more.

use std::time::{Duration, Instant};

use incast_core::readout::{EventNumber, Incarnation, Message};
use incast_net::key::Key;
use incast_net::readout::{FragmentCarrier, MeshEvent, MeshPlan, Unsent};

use crate::roles::{BUILDER, LIFE, NODE, Role, bytes, fragment, pair, plan, source, until};

#[test]
fn a_peer_that_dies_is_told_and_comes_back_with_its_new_life() {
    let key = Key::random().unwrap();
    let mut builder = Role::open(plan(BUILDER, &key));
    for life in 1..4 {
        let life = Incarnation(life);
        let mut node = Role::open(MeshPlan { listen: None, life, ..plan(NODE, &key) });
        node.dial(BUILDER, &builder);
        until([&mut builder, &mut node], |[builder, node]| {
            builder.has_told(&MeshEvent::Up(NODE, life)) && node.has_told(&MeshEvent::Up(BUILDER, LIFE))
        });
        drop(node);
        until([&mut builder], |[builder]| builder.has_told(&MeshEvent::Down(NODE)));
        assert_eq!(builder.told, [MeshEvent::Up(NODE, life), MeshEvent::Down(NODE)]);
        builder.told.clear();
        let message = Message::Kept { event: EventNumber(1) };
        assert_eq!(builder.mesh.send(NODE, message.clone()), Err(Unsent::Down(message)));
    }
    let counts = builder.mesh.counts();
    assert_eq!((counts.connections, counts.reconnections, counts.ended, counts.peer_down), (3, 2, 3, 3));
}

#[test]
fn a_listener_that_dies_is_dialled_until_it_is_back_in_the_life_that_is_expected() {
    let key = Key::random().unwrap();
    let builder = Role::open(plan(BUILDER, &key));
    let address = builder.address();
    let mut node = Role::open(MeshPlan { listen: None, ..plan(NODE, &key) });
    // Nobody listens at first: it is dialled again.
    drop(builder);
    node.mesh.connect(BUILDER, LIFE, address, None);
    until([&mut node], |[node]| node.mesh.counts().refused_connections.unreachable >= 2);
    let again = MeshPlan { listen: Some(address), ..plan(BUILDER, &key) };
    let mut builder = Role::open(again.clone());
    until([&mut node, &mut builder], |[node, _]| node.has_told(&MeshEvent::Up(BUILDER, LIFE)));
    drop(builder);
    until([&mut node], |[node]| node.has_told(&MeshEvent::Down(BUILDER)));
    node.told.clear();
    // Another life is not what was asked for, until it is.
    let second = Incarnation(2);
    let mut builder = Role::open(MeshPlan { life: second, ..again });
    until([&mut node, &mut builder], |[node, _]| node.mesh.counts().refused_connections.other_lives > 0);
    assert_eq!((node.told.len(), builder.told.len()), (0, 0));
    node.mesh.connect(BUILDER, second, address, None);
    until([&mut node, &mut builder], |[node, _]| node.has_told(&MeshEvent::Up(BUILDER, second)));
    node.mesh.forget(BUILDER);
    until([&mut node, &mut builder], |[_, builder]| builder.has_told(&MeshEvent::Down(NODE)));
    assert!(!node.mesh.is_up(BUILDER));
}

#[test]
fn the_newer_of_two_connections_stays() {
    let key = Key::random().unwrap();
    let mut builder = Role::open(plan(BUILDER, &key));
    let mut old = Role::open(MeshPlan { listen: None, ..plan(NODE, &key) });
    let mut new = Role::open(MeshPlan { listen: None, life: Incarnation(9), ..plan(NODE, &key) });
    old.dial(BUILDER, &builder);
    until([&mut builder, &mut old], |[builder, _]| builder.mesh.is_up(NODE));
    new.dial(BUILDER, &builder);
    until([&mut builder, &mut new], |[builder, _]| builder.has_told(&MeshEvent::Up(NODE, Incarnation(9))));
    let expected = [MeshEvent::Up(NODE, LIFE), MeshEvent::Down(NODE), MeshEvent::Up(NODE, Incarnation(9))];
    assert_eq!(builder.told, expected);
    // The old one is told as well, before it dials again.
    until([&mut old], |[old]| old.has_told(&MeshEvent::Down(BUILDER)));
    assert_eq!(builder.mesh.counts().replaced, 1);
}

#[test]
fn what_was_queued_before_an_orderly_end_arrives_before_it() {
    let (mut from, mut builder) = pair(FragmentCarrier::Tcp, FragmentCarrier::Tcp);
    for event in 0..50 {
        from.mesh.send(BUILDER, fragment(1, event, &bytes(0, 100_000))).unwrap();
    }
    let closing = std::thread::spawn(move || from.mesh.close(Instant::now() + Duration::from_secs(30)));
    until([&mut builder], |[builder]| builder.has_told(&MeshEvent::Down(source(1))));
    closing.join().unwrap().unwrap();
    assert_eq!(builder.messages().count(), 50);
    assert_eq!(builder.told.last(), Some(&MeshEvent::Down(source(1))));
}

#[test]
fn a_hundred_and_twenty_six_sources_are_heard() {
    const SOURCES: u16 = 126;
    let key = Key::random().unwrap();
    let mut builder = Role::open(plan(BUILDER, &key));
    let mut sources: Vec<Role> = (0..SOURCES)
        .map(|id| {
            let mut from = Role::open(MeshPlan { listen: None, ..plan(source(id), &key) });
            from.dial(BUILDER, &builder);
            from
        })
        .collect();
    let mut is_sent = vec![false; sources.len()];
    until([&mut builder], |_| {
        for ((id, from), is_sent) in (0..).zip(&mut sources).zip(&mut is_sent) {
            from.mesh.poll(Some(Instant::now()), &mut from.told).unwrap();
            if !*is_sent && from.mesh.is_up(BUILDER) {
                *is_sent =
                    (0..10).all(|event| from.mesh.send(BUILDER, fragment(id, event, &[1; 900])).is_ok());
            }
        }
        is_sent.iter().all(|is_sent| *is_sent)
    });
    until([&mut builder], |[builder]| {
        sources.iter_mut().for_each(|from| from.mesh.poll(Some(Instant::now()), &mut from.told).unwrap());
        builder.messages().count() == usize::from(SOURCES) * 10
    });
    assert_eq!(builder.mesh.counts().connections, u64::from(SOURCES));
}

#[test]
fn another_thread_wakes_the_one_that_polls() {
    let mut role = Role::open(plan(BUILDER, &Key::none()));
    let waker = role.mesh.waker();
    let waking = std::thread::spawn(move || waker.wake());
    // Without an end: only the waker brings it back.
    role.mesh.poll(None, &mut role.told).unwrap();
    waking.join().unwrap();
    assert_eq!(role.told, []);
}
