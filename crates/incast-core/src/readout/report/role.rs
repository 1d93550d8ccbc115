//! One role in the record: its telling counts, by name.

use super::RoleReport;
use crate::readout::builder::SourceCounts;
use crate::readout::ids::Peer;
use crate::readout::role::{
    BuilderRoleCounts, NodeRoleCounts, Nonsense, NonsenseCounts, RoleCounts, SinkRoleCounts,
    SourceRoleCounts, TriggerRoleCounts,
};
use crate::record::{NamedCount, ReadoutRole};

type Named = (&'static str, u64);

/// The role, with what it counted and what it counted as wrong.
pub(super) fn report(role: &RoleReport<'_>) -> ReadoutRole {
    let kind = match role.peer {
        Peer::Trigger => "trigger",
        Peer::Source(_) => "source",
        Peer::Builder(_) => "builder",
        Peer::Node(_) => "node",
        Peer::Sink(_) => "sink",
    };
    let (mut counts, mut faults) = match role.counts {
        Some(RoleCounts::Trigger(counts)) => trigger(counts),
        Some(RoleCounts::Source(counts)) => source(counts),
        Some(RoleCounts::Builder(counts)) => builder(counts),
        Some(RoleCounts::Node(counts)) => node(counts),
        Some(RoleCounts::Sink(counts)) => sink(counts),
        None => (Vec::new(), Vec::new()),
    };
    counts.extend_from_slice(role.more);
    faults.extend_from_slice(role.faults);
    ReadoutRole {
        name: role.name.to_owned(),
        kind: kind.to_owned(),
        host: role.host.map(str::to_owned),
        lives: role.lives,
        deaths: role.deaths.to_vec(),
        counts,
        faults,
        cpu: role.cpu.clone(),
    }
}

fn trigger(counts: &TriggerRoleCounts) -> (Vec<NamedCount>, Vec<NamedCount>) {
    let telling = [
        ("events triggered", counts.events.triggered),
        ("packets assigned", counts.trigger.packets),
        ("accepted by the first level", counts.accepted),
        ("assigned for the second level", counts.second_assigned),
        ("builders that died with events", counts.builders_died),
        ("triggers skipped, since it was late", counts.trigger.skipped),
    ];
    let mut faults = of_policy(&counts.policy);
    faults.extend(of_nonsense(&counts.nonsense));
    (named(&telling, true), faults)
}

fn source(counts: &SourceRoleCounts) -> (Vec<NamedCount>, Vec<NamedCount>) {
    let telling = [
        ("packets assigned", counts.assigned),
        ("fragments sent", counts.sent),
        ("sent_bytes", counts.sent_bytes),
    ];
    let not_sent: u64 = counts.not_sent.values().sum();
    let doubtful = [
        ("fragments dropped at a full queue", counts.dropped),
        ("fragments not sent, since their builder was not there", not_sent),
    ];
    let mut faults = named(&doubtful, false);
    faults.extend(of_nonsense(&counts.nonsense));
    (named(&telling, true), faults)
}

fn builder(counts: &BuilderRoleCounts) -> (Vec<NamedCount>, Vec<NamedCount>) {
    let mut telling = Vec::new();
    let mut faults = Vec::new();
    for (level, of) in counts.levels.iter().zip(["", " (second level)"]) {
        let (built, given) = (&level.builder, &level.dispatcher);
        let taken: u64 = level.by_source.iter().map(|(_, source)| source.taken).sum();
        let sums = [
            ("fragments taken", taken),
            ("built complete", built.complete),
            ("given to nodes", given.given),
            ("decided", given.decided),
            ("most open events", level.open_events.most),
            ("most held events", level.dispatcher_events.most),
        ];
        telling.extend(sums.map(|(name, count)| NamedCount { name: format!("{name}{of}"), count }));
        let doubtful = [
            ("timed out", built.timed_out),
            ("shipped early for want of room", built.crowded),
            ("shipped at the end of the run", built.ended),
            ("leases ended", given.expired),
            ("left behind by nodes", given.left),
            ("undecided", given.undecided),
            ("answers too late", given.answers_late + given.answers_after_decision),
            ("answers for unknown events", given.answers_unknown),
            (
                "fragments of unknown sources",
                level.strangers.fragments.values().sum::<u64>() + level.strangers.fragments_of_others,
            ),
            ("fragments before the welcome", level.early_dropped),
        ];
        faults.extend(named(&doubtful, false));
        faults.extend(of_policy(&level.policy));
        for (source, one) in &level.by_source {
            faults.extend(
                of_source(one)
                    .into_iter()
                    .map(|fault| NamedCount { name: format!("source {source}: {}", fault.name), ..fault }),
            );
        }
    }
    let sums = [
        ("accepted", counts.accepted),
        ("rejected", counts.rejected),
        ("unjudged", counts.unjudged),
        ("throttled the trigger", counts.throttles),
        ("stored by nodes", counts.kept_by_nodes),
    ];
    telling.extend(named(&sums, false));
    let doubtful = [
        ("taken over for storing from nodes that were gone", counts.taken_over),
        ("ends that could not be told", counts.ends_dropped),
        ("repeated asks", counts.storing.asks_repeated),
    ];
    faults.extend(named(&doubtful, false));
    faults.extend(of_nonsense(&counts.nonsense));
    (telling, faults)
}

fn node(counts: &NodeRoleCounts) -> (Vec<NamedCount>, Vec<NamedCount>) {
    let telling = [
        ("events", counts.events),
        ("decided", counts.answered),
        ("accepted", counts.accepted),
        ("rejected", counts.rejected),
        ("busy ms", counts.busy_ns / 1_000_000),
        ("tokens issued", counts.tokens.issued),
    ];
    let doubtful = [
        ("dropped with their builder", counts.dropped),
        ("no room in the queue", counts.no_room),
        ("unjudged", counts.unjudged),
        ("accepted and not confirmed", counts.not_confirmed),
        ("tokens taken for lost", counts.tokens.expired),
    ];
    let mut faults = named(&doubtful, false);
    faults.extend(of_nonsense(&counts.nonsense));
    (named(&telling, true), faults)
}

fn sink(counts: &SinkRoleCounts) -> (Vec<NamedCount>, Vec<NamedCount>) {
    let telling = [
        ("events stored", counts.stored),
        ("of them incomplete", counts.stored_incomplete),
        ("received_bytes", counts.stored_bytes),
        ("found on disk at the start", counts.known),
        ("asks", counts.asks),
    ];
    let doubtful = [
        ("asks repeated", counts.asks_repeated),
        ("asks refused, since too many wait", counts.asks_refused),
        ("granted room that expired", counts.expired),
        ("results without room", counts.results_without_lease),
        ("times the disk was full", counts.disk_full_spells),
    ];
    let mut faults = named(&doubtful, false);
    faults.extend(of_nonsense(&counts.nonsense));
    (named(&telling, true), faults)
}

/// What came of a source and was not taken.
fn of_source(counts: &SourceCounts) -> Vec<NamedCount> {
    let doubtful = [
        ("duplicate", counts.duplicate),
        ("late", counts.late),
        ("stale", counts.stale),
        ("of another run", counts.wrong_run),
        ("too large", counts.oversize),
        ("of a wrong packing", counts.wrong_packing),
        ("without room", counts.no_room),
        ("missing", counts.missing),
    ];
    named(&doubtful, false)
}

fn of_policy(policy: &crate::readout::PolicyCounts) -> Vec<NamedCount> {
    let doubtful = [
        ("tokens that came twice", policy.tokens_duplicate),
        ("tokens that came late", policy.tokens_late),
        ("tokens of another life", policy.tokens_of_another_life),
        ("tokens of nobody who is there", policy.tokens_forged),
        ("tokens beyond the bound", policy.tokens_beyond),
        ("members refused", policy.members_refused),
    ];
    named(&doubtful, false)
}

fn of_nonsense(nonsense: &NonsenseCounts) -> Vec<NamedCount> {
    let all = nonsense.0.iter();
    all.map(|(kind, count)| NamedCount { name: words(*kind).to_owned(), count: *count }).collect()
}

/// A kind of nonsense in words.
const fn words(kind: Nonsense) -> &'static str {
    match kind {
        Nonsense::WrongSender => "messages that their sender may not send",
        Nonsense::NotThere => "messages of peers that were gone",
        Nonsense::WrongRun => "messages of another run",
        Nonsense::WrongLevel => "messages of a wrong level or packing",
        Nonsense::Unknown => "messages about what nobody knows of",
        Nonsense::WrongVerdicts => "answers with a wrong number of verdicts",
        Nonsense::TooLarge => "messages beyond a bound",
        Nonsense::ForgedToken => "tokens in the name of another",
    }
}

/// The counts with their names; those that are zero only if `with_zeros`.
fn named(counts: &[Named], with_zeros: bool) -> Vec<NamedCount> {
    let shown = counts.iter().filter(|(_, count)| with_zeros || *count > 0);
    shown.map(|(name, count)| NamedCount { name: (*name).to_owned(), count: *count }).collect()
}
