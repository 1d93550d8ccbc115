//! Whoever should not be heard is refused, counted by kind, and disturbs nobody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use incast_core::readout::{Message, Peer, RunNumber, SinkId};
use incast_net::key::Key;
use incast_net::readout::{FragmentCarrier, MeshCounts, MeshEvent, MeshPlan};

use crate::roles::{BUILDER, NODE, Role, fragment, pair, plan, source, until};

/// A source and a builder that understand each other, while `disturb` goes on; gives the builder's counts.
fn meanwhile(
    disturb: impl FnOnce(&Key, SocketAddr) -> Option<Role>,
    mut done: impl FnMut(&MeshCounts) -> bool,
) -> MeshCounts {
    let key = Key::random().unwrap();
    let mut builder = Role::open(plan(BUILDER, &key));
    let mut good = Role::open(MeshPlan { listen: None, ..plan(source(1), &key) });
    good.dial(BUILDER, &builder);
    until([&mut good, &mut builder], |[good, builder]| {
        good.mesh.is_up(BUILDER) && builder.mesh.is_up(source(1))
    });
    let mut bad = disturb(&key, builder.address());
    until([&mut good, &mut builder], |[_, builder]| {
        if let Some(bad) = &mut bad {
            bad.mesh.poll(Some(std::time::Instant::now()), &mut bad.told).unwrap();
            assert!(!bad.messages().any(|_| true));
        }
        done(&builder.mesh.counts())
    });
    // The good ones have not noticed.
    good.mesh.send(BUILDER, fragment(1, 1, &[1, 2, 3])).unwrap();
    until([&mut good, &mut builder], |[_, builder]| builder.messages().count() == 1);
    assert!(!builder.has_told(&MeshEvent::Down(source(1))));
    assert_eq!(builder.told.len(), 2, "{:?}", builder.told);
    builder.mesh.counts()
}

/// A node that dials the builder, and is otherwise as `change` says.
fn bad_node(key: &Key, address: SocketAddr, change: impl FnOnce(MeshPlan) -> MeshPlan) -> Option<Role> {
    let mut bad = Role::open(change(MeshPlan { listen: None, ..plan(NODE, key) }));
    bad.mesh.connect(BUILDER, crate::roles::LIFE, address, None);
    Some(bad)
}

#[test]
fn another_key_gets_no_answer() {
    let other = Key::random().unwrap();
    let counts = meanwhile(
        |key, address| bad_node(key, address, |plan| MeshPlan { key: other, ..plan }),
        |counts| counts.refused_connections.wrong_keys > 1,
    );
    assert_eq!(counts.connections, 1);
}

#[test]
fn a_peer_of_another_run_is_refused() {
    meanwhile(
        |key, address| bad_node(key, address, |plan| MeshPlan { run: RunNumber(8), ..plan }),
        |counts| counts.refused_connections.other_runs > 1,
    );
}

#[test]
fn a_role_that_is_not_expected_is_refused() {
    let sink = Peer::Sink(SinkId(0));
    meanwhile(
        |key, address| bad_node(key, address, |plan| MeshPlan { me: sink, ..plan }),
        |counts| counts.refused_connections.strangers > 1,
    );
}

#[test]
fn garbage_is_refused() {
    let mut connections = Vec::new();
    let counts = meanwhile(
        |_, address| {
            let cases: [&[u8]; 4] = [b"GET / HTTP/1.0\r\n\r\n", &[0; 200], &[0, 88], &[0, 48, 1, 2]];
            for bytes in cases {
                let mut connection = TcpStream::connect(address).unwrap();
                connection.write_all(bytes).unwrap();
                connection.shutdown(std::net::Shutdown::Write).unwrap();
                connections.push(connection);
            }
            let mut connection = TcpStream::connect(address).unwrap();
            connection.write_all(&[&[0, 88][..], &[7; 88]].concat()).unwrap();
            connections.push(connection);
            None
        },
        |counts| {
            let refused = counts.refused_connections;
            refused.rubbish + refused.truncated + refused.wrong_keys >= 5
        },
    );
    let refused = counts.refused_connections;
    assert_eq!((refused.rubbish, refused.truncated, refused.wrong_keys), (3, 1, 1));
    for mut connection in connections {
        let mut answer = Vec::new();
        // An end or a reset; never a byte.
        let _ = connection.read_to_end(&mut answer);
        assert!(answer.is_empty());
    }
}

#[test]
fn a_silent_connection_is_given_up() {
    let mut silent = None;
    meanwhile(
        |_, address| {
            silent = Some(TcpStream::connect(address).unwrap());
            None
        },
        |counts| counts.refused_connections.silent > 0,
    );
}

/// The first message of a greeting can be recorded and said again: without the key that leads nowhere.
#[test]
fn a_greeting_that_was_overheard_is_worth_nothing() {
    let key = Key::random().unwrap();
    // A source greets somebody who records it.
    let recorder = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut from = Role::open(MeshPlan { listen: None, ..plan(source(1), &key) });
    from.mesh.connect(BUILDER, crate::roles::LIFE, recorder.local_addr().unwrap(), None);
    from.mesh.poll(Some(std::time::Instant::now()), &mut from.told).unwrap();
    let mut greeting = vec![0; 90];
    recorder.accept().unwrap().0.read_exact(&mut greeting).unwrap();
    drop(from);

    let mut builder = Role::open(plan(BUILDER, &key));
    let mut replay = TcpStream::connect(builder.address()).unwrap();
    replay.write_all(&greeting).unwrap();
    // The answer comes, since the greeting was a good one; the proof that has to follow cannot be made.
    replay.write_all(&[&[0, 16][..], &[7; 16]].concat()).unwrap();
    until([&mut builder], |[builder]| builder.mesh.counts().refused_connections.wrong_keys > 0);
    assert_eq!(builder.told, []);
}

#[test]
fn a_source_cannot_speak_for_another_one() {
    let (mut from, mut builder) = pair(FragmentCarrier::Tcp, FragmentCarrier::Tcp);
    from.mesh.send(BUILDER, fragment(2, 1, &[1; 1000])).unwrap();
    from.mesh.send(BUILDER, fragment(1, 1, &[2; 1000])).unwrap();
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() > 0);
    assert!(builder.messages().eq([&fragment(1, 1, &[2; 1000])]));
    assert_eq!(builder.mesh.counts().refused["source"], 1);
}

#[test]
fn a_fragment_beyond_the_bound_is_refused_and_passed_over() {
    let (mut from, mut builder) = pair(FragmentCarrier::Tcp, FragmentCarrier::Tcp);
    let large = fragment(1, 1, &vec![0; (8 << 20) + 1]);
    let last = Message::Last { next: incast_core::readout::EventNumber(2) };
    from.mesh.send(BUILDER, large).unwrap();
    until([&mut from, &mut builder], |[from, _]| from.mesh.has_room(BUILDER));
    from.mesh.send(BUILDER, last.clone()).unwrap();
    until([&mut from, &mut builder], |[_, builder]| builder.messages().count() > 0);
    assert!(builder.messages().eq([&last]));
    // One refusal for each of its segments.
    assert_eq!(builder.mesh.counts().refused["limit"], 9);
}
