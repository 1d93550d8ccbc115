//! What a readout leaves behind, made into the record by the same code as the real program's.

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::readout::Peer;
use incast_core::readout::report::{self, RoleReport, fill};
use incast_core::readout::role::{Protocol, RoleCounts};
use incast_core::record::{ModelUsed, NamedCount, Readout};

use super::actor::{Actor, Machine};
use super::conductor::STARTS;
use super::{DiskPlan, ReadoutWorld};
use crate::courier::Courier;

/// What a readout leaves behind.
#[derive(Clone, Debug)]
pub struct ReadoutResult {
    /// For the record.
    pub readout: Readout,
    /// Doubts.
    pub caveats: Vec<Caveat>,
    /// What was assumed of roles.
    pub models: Vec<ModelUsed>,
    /// Why the run could not go on, if it could not.
    pub failed: Option<String>,
    /// Of everything that happened, in its order.
    pub digest: u64,
}

impl<C: Courier> ReadoutWorld<C> {
    /// The account of the run, with what carried its messages. The laws are checked once more.
    ///
    /// # Panics
    ///
    /// When a law is broken: our mistake.
    #[must_use]
    pub fn finish(self) -> (ReadoutResult, C) {
        self.check_laws();
        let readout = self.readout();
        let caveats = self.caveats(&readout);
        let result = ReadoutResult {
            caveats,
            models: models(self.disk),
            failed: self.conductor.failed.clone(),
            digest: self.digest,
            readout,
        };
        (result, self.courier)
    }

    fn readout(&self) -> Readout {
        let plan = &self.plan;
        let mut readout = Readout {
            run: plan.run.run.0,
            protocol: match plan.run.protocol {
                Protocol::Push => "push",
                Protocol::Pull => "pull",
            }
            .into(),
            carrier: plan.carrier.name().into(),
            packing_events: plan.run.packing_events,
            builder_policy: plan.trigger.plan.policy.name().into(),
            node_policy: plan.builders.first().map_or("", |builder| builder.plan.policy.name()).into(),
            replay: plan.replay.clone(),
            running_s: self.conductor.running.map(incast_core::time::Span::as_s_f64),
            states: self.conductor.entered.clone(),
            intervals: self.conductor.slices.slices().to_vec(),
            ..Readout::default()
        };
        // In the order in which a real run tells them.
        let told: Vec<Told<'_>> = plan.roles().filter_map(|role| self.told(role)).collect();
        let reports: Vec<RoleReport<'_>> = told.iter().map(Told::report).collect();
        fill(&mut readout, &reports);
        let disks = self.roster.seats().filter_map(|seat| match &self.actors[seat.index()].machine {
            Some(Machine::Sink(player)) => Some(player.work.stored.bytes),
            _ => self.disks.get(&seat).map(|stored| stored.bytes),
        });
        readout.stored_bytes = Some(disks.sum());
        readout
    }

    fn told<'a>(&'a self, (peer, name, host): (Peer, &'a str, Option<&'a str>)) -> Option<Told<'a>> {
        let actor = &self.actors[self.roster.seat(peer)?.index()];
        let counts = match &actor.machine {
            Some(machine) => Some(machine.counts()),
            None => actor.last_counts.clone(),
        };
        let (more, faults) = tallies(actor);
        Some(Told { name, peer, host, lives: actor.lives, deaths: &actor.deaths, counts, more, faults })
    }

    fn caveats(&self, readout: &Readout) -> Vec<Caveat> {
        let mut caveats = Vec::new();
        if let Some(why) = &self.conductor.failed {
            caveats.push(Caveat::new(CaveatKind::RoleDied, why.clone(), "let the trigger live"));
        }
        for role in &readout.roles {
            for death in role.deaths.iter().take(DEATHS_MAX) {
                caveats.push(Caveat::new(
                    CaveatKind::RoleDied,
                    format!("{}: {death}", role.name),
                    "the account says what became of its events",
                ));
            }
        }
        caveats.extend(report::doubts(readout, "after deaths and losses this is expected"));
        caveats
    }
}

/// Deaths of one role that are told one by one, as in the real program.
const DEATHS_MAX: usize = 8;

/// A role at the end.
struct Told<'a> {
    name: &'a str,
    peer: Peer,
    host: Option<&'a str>,
    lives: u32,
    deaths: &'a [String],
    counts: Option<RoleCounts>,
    more: Vec<NamedCount>,
    faults: Vec<NamedCount>,
}

impl Told<'_> {
    fn report(&self) -> RoleReport<'_> {
        RoleReport {
            name: self.name,
            peer: self.peer,
            host: self.host,
            lives: self.lives,
            deaths: self.deaths,
            counts: self.counts.as_ref(),
            more: &self.more,
            faults: &self.faults,
            cpu: None,
        }
    }
}

/// What crossed, and what should not have happened, by the names that the real program gives them.
fn tallies(actor: &Actor) -> (Vec<NamedCount>, Vec<NamedCount>) {
    let counts = &actor.counts;
    let mut more = Vec::new();
    match &actor.machine {
        Some(Machine::Source(player)) => more.push(("payload_bytes", player.work.made_bytes)),
        Some(Machine::Node(player)) => {
            let judged = player.work.judged;
            more.extend([("accepted", judged.accepted), ("rejected", judged.rejected), ("unjudged", 0)]);
        }
        _ => {}
    }
    let crossed = [
        ("messages sent", counts.sent),
        ("messages received", counts.received),
        ("stream_sent_bytes", counts.stream_sent_bytes),
        ("datagrams sent", counts.datagrams_sent),
        ("datagrams received", counts.datagrams_received),
    ];
    more.extend(crossed.into_iter().filter(|(_, count)| *count > 0));
    let doubtful = [
        ("messages dropped at a full queue", counts.queue_full),
        ("datagrams dropped at a full socket", counts.socket_drops),
        ("fragments given up for missing segments", counts.given_up_fragments),
        ("messages could not be said: limit", counts.unsayable),
        ("messages to peers that were gone", counts.unsent),
    ];
    let named = |counts: Vec<(&str, u64)>| {
        counts.into_iter().map(|(name, count)| NamedCount { name: name.into(), count }).collect()
    };
    (named(more), named(doubtful.into_iter().filter(|(_, count)| *count > 0).collect()))
}

fn models(disk: DiskPlan) -> Vec<ModelUsed> {
    let rate = disk.bytes_per_s.map_or_else(|| "unlimited".into(), |rate| format!("{rate} B/s"));
    let assumed = [
        ("sinks", "disk_rate", rate),
        ("sinks", "disk_commit", disk.commit.to_string()),
        ("roles", "start_of_a_process", STARTS.to_string()),
    ];
    assumed
        .into_iter()
        .map(|(of, name, value)| ModelUsed {
            of: of.into(),
            name: name.into(),
            value,
            origin: "assumed".into(),
        })
        .collect()
}
