//! The process of one role of a readout: opens its sockets, makes its machine, and lets it work.

use std::collections::BTreeSet;

use anyhow::Context as _;
use crossbeam_channel::Receiver;
use incast_core::readout::Peer;
use incast_core::readout::role::{BuilderRole, NodeRole, RunPlan, SinkRole, SourceRole, TriggerRole};
use incast_core::scenario::FragmentCarrier;
use incast_net::key::Key;
use incast_net::readout::{self, DatagramPlan, FragmentLayout, Mesh, MeshPlan};

use super::assignment::{ReadoutAssignment, ReadoutPart};
use super::node::Workers;
use super::process::{OnlyTalks, Process};
use super::sink::Disk;
use super::source::Supply;
use super::troupe::talks;
use crate::run::lines::RoleOrder;

/// Plays the role until it is told to stop.
pub(crate) fn play(assignment: ReadoutAssignment, orders: &Receiver<RoleOrder>) -> anyhow::Result<()> {
    let mesh = Mesh::open(mesh_plan(&assignment)?)
        .with_context(|| format!("open the sockets of {}", assignment.name))?;
    match assignment.part {
        ReadoutPart::Trigger(plan) => Process::play(mesh, TriggerRole::new(plan), OnlyTalks, orders),
        ReadoutPart::Source { plan, replay } => {
            let supply = Supply::open(&plan, replay.as_deref())?;
            Process::play(mesh, SourceRole::new(plan), supply, orders)
        }
        ReadoutPart::Builder(plan) => Process::play(mesh, BuilderRole::new(plan), OnlyTalks, orders),
        ReadoutPart::Node { plan, algorithm } => {
            let workers = Workers::start(&plan, &algorithm, &mesh.waker())?;
            Process::play(mesh, NodeRole::new(plan), workers, orders)
        }
        ReadoutPart::Sink { plan, files, directory, streams } => {
            let mut role = SinkRole::new(plan.clone());
            let disk = Disk::open(&plan, (&files, &directory, streams), &mut role, mesh.waker())?;
            Process::play(mesh, role, disk, orders)
        }
    }
}

fn mesh_plan(assignment: &ReadoutAssignment) -> anyhow::Result<MeshPlan> {
    let (run, queue_bytes_max) = match &assignment.part {
        ReadoutPart::Trigger(plan) => (&plan.run, QUEUE_BYTES),
        ReadoutPart::Source { plan, .. } => (&plan.run, plan.queue_bytes_max),
        // What it holds it may have given to one node.
        ReadoutPart::Builder(plan) => (&plan.run, plan.held_bytes_max.max(QUEUE_BYTES)),
        ReadoutPart::Node { plan, .. } => (&plan.run, QUEUE_BYTES),
        ReadoutPart::Sink { plan, .. } => (&plan.run, QUEUE_BYTES),
    };
    let listens = matches!(assignment.me, Peer::Trigger | Peer::Builder(_) | Peer::Sink(_));
    Ok(MeshPlan {
        me: assignment.me,
        life: assignment.life,
        run: run.run,
        key: Key::parse(&assignment.key).context("read the key of the assignment")?,
        listen: listens.then_some(assignment.bind),
        peers: peers(assignment.me, run),
        fragments: carrier(assignment),
        queue_bytes_max,
        fragment_bytes_max: FRAGMENT_BYTES_MAX,
    })
}

/// Who may connect.
fn peers(me: Peer, run: &RunPlan) -> BTreeSet<Peer> {
    let sources = run.sources.iter().map(|id| Peer::Source(*id));
    let builders = run.builders.iter().map(|id| Peer::Builder(*id));
    let nodes = run.nodes.iter().map(|(id, _)| Peer::Node(*id));
    let sinks = run.sinks.iter().map(|id| Peer::Sink(*id));
    let all = std::iter::once(Peer::Trigger).chain(sources).chain(builders).chain(nodes).chain(sinks);
    all.filter(|peer| talks(*peer, me).is_some()).collect()
}

fn carrier(assignment: &ReadoutAssignment) -> readout::FragmentCarrier {
    let datagrams = |layout| DatagramPlan {
        bind: std::net::SocketAddr::new(assignment.bind.ip(), 0),
        layout,
        datagram_bytes_max: match layout {
            FragmentLayout::Frames => DatagramPlan::DATAGRAM_BYTES,
            // A packet is not cut.
            FragmentLayout::Mep => 65_507,
        },
    };
    match assignment.carrier {
        FragmentCarrier::Tcp => readout::FragmentCarrier::Tcp,
        FragmentCarrier::MepTcp => {
            let requests = std::net::SocketAddr::new(assignment.bind.ip(), 0);
            readout::FragmentCarrier::MepTcp { requests }
        }
        FragmentCarrier::Udp => readout::FragmentCarrier::Udp(datagrams(FragmentLayout::Frames)),
        FragmentCarrier::Ip => readout::FragmentCarrier::Ip(datagrams(FragmentLayout::Frames)),
        FragmentCarrier::MepUdp => readout::FragmentCarrier::Udp(datagrams(FragmentLayout::Mep)),
        FragmentCarrier::MepIp => readout::FragmentCarrier::Ip(datagrams(FragmentLayout::Mep)),
    }
}

/// What may wait for one peer: some large events.
const QUEUE_BYTES: u64 = 64 << 20;
/// As a scenario allows at most.
const FRAGMENT_BYTES_MAX: u32 = 64 << 20;
