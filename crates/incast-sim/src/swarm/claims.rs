//! What every storm is to show at its end. The laws are checked while it runs, after every step.

use std::collections::BTreeSet;

use incast_core::readout::algorithm::Builtin;
use incast_core::readout::{EventNumber, Level, Verdict};

use incast_core::time::Span;

use super::Storm;
use crate::world::readout::Seen;

/// Holds all claims against what was seen.
pub(super) fn check(storm: &Storm, seen: &Seen) -> Result<(), String> {
    let totals = &seen.totals;
    claim(totals.residual() == 0, || format!("law 2: {totals}"))?;
    claim(totals.in_flight == 0, || format!("every event has ended: {totals}"))?;
    claim(totals.never_triggered == 0, || format!("nothing ended that was not triggered: {totals:?}"))?;
    claim(seen.on_disk_twice == 0, || format!("{} events are on disk twice", seen.on_disk_twice))?;
    // Whoever died returns, and whoever hangs goes on or is killed: so nothing has to be given up.
    claim(seen.away.is_empty(), || format!("everybody has returned: {:?}", seen.away))?;
    claim(!seen.was_given_up, || format!("it drains by itself: {totals}, undone: {:?}", seen.undone))?;
    claim(seen.undone.is_empty(), || format!("nobody has anything left to do: {:?}", seen.undone))?;
    check_places(seen)?;
    if storm.is_fair() {
        check_fair(storm, seen)?;
    }
    Ok(())
}

fn claim(is_so: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(what()) }
}

/// Every event is in one place: what the account calls stored is on the disks, and nothing that was rejected.
fn check_places(seen: &Seen) -> Result<(), String> {
    let totals = &seen.totals;
    let on_disk: BTreeSet<EventNumber> = seen.on_disk.keys().copied().collect();
    let wrong = on_disk.intersection(&seen.rejected).next();
    claim(wrong.is_none(), || format!("event {wrong:?} was rejected and is on disk: {totals}"))?;
    let rejected = seen.rejected.len() as u64;
    claim(rejected == totals.rejected, || format!("{rejected} events were said to be rejected: {totals}"))?;
    let flagged = seen.on_disk.iter().filter(|(_, missing)| missing.is_some()).map(|(event, _)| *event);
    let incomplete: BTreeSet<EventNumber> = seen.incomplete.iter().copied().chain(flagged).collect();
    let count = incomplete.len() as u64;
    claim(count == totals.incomplete, || format!("{count} events are incomplete: {totals}"))?;
    let complete = on_disk.difference(&incomplete).count() as u64;
    claim(complete == totals.stored, || format!("{complete} complete events are on disk: {totals}"))
}

/// In fair weather all is as the algorithm says.
fn check_fair(storm: &Storm, seen: &Seen) -> Result<(), String> {
    let totals = &seen.totals;
    let is_time_enough = storm.duration >= Span::from_s(5);
    claim(!is_time_enough || totals.triggered == storm.events, || format!("all were triggered: {totals}"))?;
    claim(totals.lost_events() == 0 && totals.incomplete == 0, || format!("nothing is lost: {totals:?}"))?;
    claim(totals.ended_twice == 0 && totals.revised == 0, || format!("events end once: {totals:?}"))?;
    let builtin = Builtin::new(storm.algorithm(), storm.seed);
    let levels: &[Level] =
        if storm.has_two_levels { &[Level::First, Level::Second] } else { &[Level::First] };
    let is_accepted = |event: &u64| {
        let judged = |level: &Level| builtin.judge(EventNumber(*event), 0, *level).verdict;
        levels.iter().all(|level| matches!(judged(level), Verdict::Accept { .. }))
    };
    let first = Storm::FIRST.0;
    let accepted = (first..first + totals.triggered).filter(is_accepted).count() as u64;
    claim(totals.stored == accepted, || format!("{accepted} events are accepted: {totals}"))
}
