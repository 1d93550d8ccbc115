//! A role's machine at the beginning of a life, and the plans that it is made from.

use incast_core::random::Random;
use incast_core::readout::role::{BuilderRole, NodeRole, SinkRole, SourceRole, TriggerRole};
use incast_core::readout::{Incarnation, Peer, RunNumber};
use incast_core::scenario::ReadoutPlan;

use super::ReadoutWorld;
use super::actor::Machine;
use super::algorithm::Workers;
use super::disk::Disk;
use super::roster::{Seat, talk};
use super::work::{Player, Supply, Talks};
use crate::courier::Courier;

/// Number of the run: a simulated one follows no other.
const RUN: RunNumber = RunNumber(1);
/// What may wait for one peer (`incast/src/readout/role.rs`).
const QUEUE_BYTES: u64 = 64 << 20;

impl<C: Courier> ReadoutWorld<C> {
    /// Everybody is there from the beginning: no word has to travel for that.
    pub(super) fn begin_all(&mut self) {
        for seat in self.roster.seats() {
            self.begin(seat);
        }
        for seat in self.roster.seats() {
            for other in self.roster.seats() {
                if talk(self.roster.peer(seat), self.roster.peer(other)) {
                    let life = self.actors[other.index()].life;
                    self.hear_joined(seat, other, life);
                }
            }
            self.touch(seat);
        }
        self.arm();
    }

    /// A role is there, in a new life. It knows nobody.
    pub(super) fn begin(&mut self, seat: Seat) {
        let peer = self.roster.peer(seat);
        let lives = self.actors[seat.index()].lives + 1;
        let name = format!("lives of {peer}");
        let life = Incarnation(Random::numbered(self.seed, &name, lives.into()).next_u64());
        let machine = self.machine(seat, life);
        let actor = &mut self.actors[seat.index()];
        (actor.lives, actor.life, actor.machine) = (lives, life, Some(machine));
    }

    fn machine(&mut self, seat: Seat, life: Incarnation) -> Machine {
        let (plan, peer) = (&self.plan, self.roster.peer(seat));
        match peer {
            Peer::Trigger => {
                let role = TriggerRole::new(plan.trigger.plan.clone());
                Machine::Trigger(Box::new(Player { role, work: Talks }))
            }
            Peer::Source(id) => {
                let source = plan.sources.iter().find(|one| one.plan.source == id);
                let source = source.unwrap_or_else(|| unknown(peer));
                let role = SourceRole::new(source.plan.clone());
                Machine::Source(Box::new(Player { role, work: Supply::default() }))
            }
            Peer::Builder(id) => {
                let builder = plan.builders.iter().find(|one| one.plan.builder == id);
                let mut plan = builder.unwrap_or_else(|| unknown(peer)).plan.clone();
                plan.incarnation = life;
                Machine::Builder(Box::new(Player { role: BuilderRole::new(plan), work: Talks }))
            }
            Peer::Node(id) => {
                let node = plan.nodes.iter().find(|one| one.plan.role.node == id);
                let node = &node.unwrap_or_else(|| unknown(peer)).plan;
                let mut role = node.role.clone();
                role.incarnation = life;
                let factor_milli = self.actors[seat.index()].factor_milli;
                let work = Workers::new(&node.algorithm, role.run.seed, factor_milli);
                Machine::Node(Box::new(Player { role: NodeRole::new(role), work }))
            }
            Peer::Sink(id) => {
                let sink = plan.sinks.iter().find(|one| one.plan.role.sink == id);
                let sink = &sink.unwrap_or_else(|| unknown(peer)).plan;
                let mut role = SinkRole::new(sink.role.clone());
                let stored = self.disks.remove(&seat).unwrap_or_default();
                let work = Disk::open(self.disk, stored, &mut role);
                Machine::Sink(Box::new(Player { role, work }))
            }
        }
    }
}

/// Roles are those of the plan.
fn unknown(peer: Peer) -> ! {
    unreachable!("{peer} is of the plan")
}

/// The plan with its run number everywhere.
pub(super) fn numbered(mut plan: ReadoutPlan) -> ReadoutPlan {
    plan.run.run = RUN;
    plan.trigger.plan.run.run = RUN;
    plan.sources.iter_mut().for_each(|source| source.plan.run.run = RUN);
    plan.builders.iter_mut().for_each(|builder| builder.plan.run.run = RUN);
    plan.nodes.iter_mut().for_each(|node| node.plan.role.run.run = RUN);
    plan.sinks.iter_mut().for_each(|sink| sink.plan.role.run.run = RUN);
    plan
}

/// When a message to a peer is held back, as each role's sockets are told.
pub(super) fn queue_bytes_max(plan: &ReadoutPlan, peer: Peer) -> u64 {
    match peer {
        Peer::Source(id) => {
            let source = plan.sources.iter().find(|one| one.plan.source == id);
            source.map_or(QUEUE_BYTES, |source| source.plan.queue_bytes_max)
        }
        // What it holds it may have given to one node.
        Peer::Builder(id) => {
            let builder = plan.builders.iter().find(|one| one.plan.builder == id);
            builder.map_or(QUEUE_BYTES, |builder| builder.plan.held_bytes_max.max(QUEUE_BYTES))
        }
        Peer::Trigger | Peer::Node(_) | Peer::Sink(_) => QUEUE_BYTES,
    }
}
