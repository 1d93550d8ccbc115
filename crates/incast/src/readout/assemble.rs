//! What a conductor knows at the end, made into the record.

use incast_core::readout::report::{RoleReport, fill};
use incast_core::readout::role::Protocol;
use incast_core::record::Readout;

use super::conductor::Conductor;

/// The readout of the record.
pub(super) fn readout(conductor: &Conductor<'_>) -> Readout {
    let plan = &conductor.plan;
    let protocol = match plan.run.protocol {
        Protocol::Push => "push",
        Protocol::Pull => "pull",
    };
    let mut readout = Readout {
        run: plan.run.run.0,
        protocol: protocol.into(),
        carrier: plan.carrier.name().into(),
        packing_events: plan.run.packing_events,
        builder_policy: plan.trigger.plan.policy.name().into(),
        node_policy: plan.builders.first().map_or("", |builder| builder.plan.policy.name()).into(),
        replay: plan.replay.clone(),
        running_s: conductor.running_s,
        states: conductor.states.entered().to_vec(),
        intervals: conductor.live.slices().to_vec(),
        ..Readout::default()
    };
    let members = &conductor.troupe.members;
    let reports: Vec<RoleReport<'_>> = members
        .iter()
        .map(|member| RoleReport {
            name: &member.name,
            peer: member.peer,
            host: member.host.as_deref(),
            lives: member.lives,
            deaths: &member.deaths,
            counts: member.told.as_ref().map(|told| &told.counts),
            more: member.told.as_ref().map_or(&[], |told| &told.more),
            faults: member.told.as_ref().map_or(&[], |told| &told.faults),
            cpu: member.cpu.clone(),
        })
        .collect();
    fill(&mut readout, &reports);
    let told = members.iter().filter_map(|member| member.told.as_ref());
    readout.files = told.flat_map(|told| told.files.iter().cloned()).collect();
    // What is on disk, and not what came: packets have rejected events too.
    readout.stored_bytes = Some(readout.files.iter().map(|file| file.bytes).sum());
    readout
}
