//! Ours: fragments through a `Mesh` for each source, one `Mesh` of the builder, and its `EventBuilder`.
//!
//! Every fragment has its check sum made and checked. Every event has to be complete, and the account of
//! fragments to close, or there is no result.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use incast_core::readout::{
    BuilderId, BuilderPlan, Built as BuiltEvent, EventBuilder, EventNumber, Fragment, Incarnation, Level,
    Message, Peer, RunNumber, SourceId, SourceSet,
};
use incast_core::time::Time;
use incast_net::clock::Clock;
use incast_net::key::Key;
use incast_net::readout::{Data, FragmentCarrier, Mesh, MeshEvent, MeshPlan};
use incast_net::socket;

use super::Result;
use super::shape::{BUILDER_CORE, Built, SENDER_CORE, Shape, Watch, busy};

const RUN: RunNumber = RunNumber(1);
const LIFE: Incarnation = Incarnation(1);
const BUILDER: Peer = Peer::Builder(BuilderId(0));
/// Events that were sent, plus one; 0 while that is unknown.
static SENT: AtomicU64 = AtomicU64::new(0);
/// Set when all sources are connected to the builder.
static COMPLETE: AtomicU64 = AtomicU64::new(0);
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn run(shape: &Shape) -> Result<Built> {
    let key = Key::random()?;
    let mesh = Mesh::open(plan(shape, BUILDER, &key))?;
    let address = mesh.address().ok_or("the builder listens")?;
    let sending = {
        let shape = *shape;
        std::thread::Builder::new().name("sources".into()).spawn(move || send(&shape, &key, address))?
    };
    let built = build(shape, mesh)?;
    let sender_busy = sending.join().map_err(|_| "the sending thread failed")??;
    Ok(Built { sender_busy, ..built })
}

fn plan(shape: &Shape, me: Peer, key: &Key) -> MeshPlan {
    MeshPlan {
        me,
        life: LIFE,
        run: RUN,
        key: key.clone(),
        listen: (me == BUILDER).then(|| SocketAddr::from(([127, 0, 0, 1], 0))),
        peers: (0..shape.sources).map(|id| Peer::Source(SourceId(id))).collect(),
        fragments: FragmentCarrier::Tcp,
        queue_bytes_max: 64 << 20,
        fragment_bytes_max: 64 << 20,
    }
}

/// One mesh for each source, all in one thread; returns the CPU time that it took.
fn send(shape: &Shape, key: &Key, address: SocketAddr) -> Result<Duration> {
    socket::pin_to_core(SENDER_CORE);
    let mut meshes = Vec::new();
    let mut told = Vec::new();
    for id in 0..shape.sources {
        let mut mesh = Mesh::open(plan(shape, Peer::Source(SourceId(id)), key))?;
        mesh.connect(BUILDER, LIFE, address, None);
        while !mesh.is_up(BUILDER) {
            mesh.poll(Some(Instant::now() + PATIENCE), &mut told)?;
        }
        meshes.push(mesh);
    }
    while COMPLETE.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    let payload = Data::from(vec![7; shape.bytes as usize]);
    told.clear();
    let (before, busy_before) = (Instant::now(), busy());
    let end = before + shape.lasts;
    let mut sent = 0;
    while Instant::now() < end {
        for (source, mesh) in (0..).map(SourceId).zip(&mut meshes) {
            for event in (sent..sent + shape.row).map(EventNumber) {
                let payload = payload.clone();
                let fragment = Fragment { run: RUN, event, events: 1, source, payload };
                mesh.send(BUILDER, Message::Fragment { level: Level::First, fragment })
                    .map_err(|_| "a source's queue is full")?;
            }
            // As a source that has nothing else to do: until the kernel has taken everything.
            mesh.poll(Some(before), &mut told)?;
            while mesh.queued_bytes(BUILDER) > 0 {
                told.clear();
                mesh.poll(None, &mut told)?;
            }
        }
        sent += shape.row;
    }
    let busy = busy().saturating_sub(busy_before);
    SENT.store(sent + 1, Ordering::Release);
    let closing = Instant::now() + PATIENCE;
    meshes.into_iter().try_for_each(|mesh| mesh.close(closing))?;
    Ok(busy)
}

fn build(shape: &Shape, mut mesh: Mesh) -> Result<Built> {
    socket::pin_to_core(BUILDER_CORE);
    let clock = Clock::start();
    let mut builder = EventBuilder::new(BuilderPlan::new(RUN, SourceSet::first(shape.sources)));
    let (mut events, mut there) = (Vec::new(), 0);
    let (mut watch, mut complete) = (None, 0);
    loop {
        mesh.poll(Some(Instant::now() + PATIENCE), &mut events)?;
        let now = clock.now();
        for event in events.drain(..) {
            match event {
                MeshEvent::Message(_, Message::Fragment { fragment, .. }) => {
                    watch.get_or_insert_with(Watch::start);
                    builder.handle_fragment(now, fragment);
                }
                MeshEvent::Up(..) => there += 1,
                MeshEvent::Down(_) | MeshEvent::Message(..) => {}
            }
        }
        if there == shape.sources {
            COMPLETE.store(1, Ordering::Release);
        }
        complete += take(&mut builder, now)?;
        if SENT.load(Ordering::Acquire).checked_sub(1) == Some(complete) {
            break;
        }
    }
    let built = watch.ok_or("nothing came")?.stop(shape, complete)?;
    check(shape, &builder, complete)?;
    // The sources close when they are heard to the end.
    mesh.close(Instant::now() + PATIENCE)?;
    Ok(built)
}

/// Takes what is built, all of it complete.
fn take(builder: &mut EventBuilder<Data>, now: Time) -> Result<u64> {
    builder.handle_timeout(now);
    let mut complete = 0;
    while let Some(built) = builder.poll_built() {
        let event = match built {
            BuiltEvent::Complete(event) => event,
            BuiltEvent::Incomplete { event, cause, .. } => {
                return Err(format!("event {} is incomplete: {cause:?}", event.number).into());
            }
        };
        complete += 1;
        builder.recycle(event);
    }
    Ok(complete)
}

/// That every fragment of every event came once, and that nothing is left.
fn check(shape: &Shape, builder: &EventBuilder<Data>, complete: u64) -> Result<()> {
    let counts = builder.counts();
    let is_closed = counts.complete == complete && counts.opened == complete && builder.open_events() == 0;
    let is_each = builder.by_source().all(|(_, counts)| counts.taken == complete);
    if is_closed && is_each && complete > 0 && builder.by_source().count() == usize::from(shape.sources) {
        return Ok(());
    }
    Err(format!("the account does not close: {counts:?}").into())
}
