//! Roles for these tests: meshes that are polled in turn, in one thread, until something is so.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use incast_core::readout::{
    BuilderId, EventNumber, Fragment, Incarnation, Level, Message, NodeId, Peer, RunNumber, SourceId,
};
use incast_net::key::Key;
use incast_net::readout::{Data, FragmentCarrier, Mesh, MeshEvent, MeshPlan};

pub(crate) const RUN: RunNumber = RunNumber(7);
pub(crate) const BUILDER: Peer = Peer::Builder(BuilderId(0));
pub(crate) const OTHER_BUILDER: Peer = Peer::Builder(BuilderId(1));
pub(crate) const TRIGGER: Peer = Peer::Trigger;
pub(crate) const NODE: Peer = Peer::Node(NodeId(3));
pub(crate) const LIFE: Incarnation = Incarnation(1);
/// Far beyond what any of these tests takes: it only ends one that would never end.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const fn source(id: u16) -> Peer {
    Peer::Source(SourceId(id))
}

/// A role that listens on loopback, and lets in the trigger, every source, two builders and a node.
pub(crate) fn plan(me: Peer, key: &Key) -> MeshPlan {
    MeshPlan {
        me,
        life: LIFE,
        run: RUN,
        key: key.clone(),
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        peers: (0..200).map(source).chain([TRIGGER, BUILDER, OTHER_BUILDER, NODE]).collect(),
        fragments: FragmentCarrier::Tcp,
        queue_bytes_max: 8 << 20,
        fragment_bytes_max: 8 << 20,
    }
}

/// A mesh, and what it told.
pub(crate) struct Role {
    pub(crate) mesh: Mesh,
    pub(crate) told: Vec<MeshEvent>,
}

impl Role {
    pub(crate) fn open(plan: MeshPlan) -> Self {
        Self { mesh: Mesh::open(plan).unwrap(), told: Vec::new() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.mesh.address().unwrap()
    }

    /// Dials a listener that has the life of all of them.
    pub(crate) fn dial(&mut self, peer: Peer, at: &Self) {
        self.mesh.connect(peer, LIFE, at.address(), None);
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message<Data>> {
        self.told.iter().filter_map(|event| match event {
            MeshEvent::Message(_, message) => Some(message),
            _ => None,
        })
    }

    pub(crate) fn has_told(&self, event: &MeshEvent) -> bool {
        self.told.contains(event)
    }
}

/// Polls all of them in turn until `done`.
pub(crate) fn until<const N: usize>(
    mut roles: [&mut Role; N],
    mut done: impl FnMut(&[&mut Role; N]) -> bool,
) {
    let give_up = Instant::now() + PATIENCE;
    while !done(&roles) {
        assert!(
            Instant::now() < give_up,
            "it never came to that: {:?}",
            roles.map(|role| role.mesh.counts())
        );
        for role in &mut roles {
            role.mesh.poll(Some(Instant::now() + Duration::from_micros(200)), &mut role.told).unwrap();
        }
    }
}

/// Source 1 and a builder, connected.
pub(crate) fn pair(carrier: FragmentCarrier, builders: FragmentCarrier) -> (Role, Role) {
    let key = Key::random().unwrap();
    let mut builder = Role::open(MeshPlan { fragments: builders, ..plan(BUILDER, &key) });
    let mut from = Role::open(MeshPlan { fragments: carrier, listen: None, ..plan(source(1), &key) });
    from.dial(BUILDER, &builder);
    until([&mut from, &mut builder], |[from, builder]| {
        from.mesh.is_up(BUILDER) && builder.mesh.is_up(source(1))
    });
    (from, builder)
}

/// A fragment of source `id` with these bytes.
pub(crate) fn fragment(id: u16, event: u64, payload: &[u8]) -> Message<Data> {
    Message::Fragment {
        level: Level::First,
        fragment: Fragment {
            run: RUN,
            event: EventNumber(event),
            events: 1,
            source: SourceId(id),
            payload: payload.to_vec().into(),
        },
    }
}

/// Bytes that differ from place to place.
pub(crate) fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 31 + at / 251 + seed) % 256).unwrap()).collect()
}
