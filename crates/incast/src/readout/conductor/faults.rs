//! What is done to roles on purpose, when its time has come.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use incast_core::readout::Peer;
use incast_core::scenario::{FaultKind, ReadoutPlan};
use incast_core::time::Span;

use super::Conductor;
use crate::output::note;

/// Something that is done to a role at a time of the run.
pub(super) struct Scheduled {
    at: Duration,
    peer: Peer,
    what: Deed,
}

#[derive(Clone, Copy)]
enum Deed {
    Kill { returns_after: Option<Duration> },
    Hang(bool),
}

impl Conductor<'_> {
    pub(super) fn carry_out_faults(&mut self) {
        let Some(ran) = self.running_since.map(|since| since.elapsed()) else { return };
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.faults).into_iter().partition(|fault| fault.at <= ran);
        self.faults = later;
        for fault in due {
            let Some(index) = self.troupe.of_peer(fault.peer) else { continue };
            let member = &mut self.troupe.members[index];
            match fault.what {
                Deed::Kill { returns_after } => {
                    note(&format!("fault: {} is killed", member.name));
                    // One that is not to return has all its restarts behind it.
                    let forever = Duration::from_secs(365 * 86_400);
                    member.returns = Some(Instant::now() + returns_after.unwrap_or(forever));
                    member.kill();
                }
                Deed::Hang(is_hanging) => {
                    let what = if is_hanging { "hangs" } else { "goes on" };
                    let done = member.hang(is_hanging);
                    note(&format!(
                        "fault: {} {what}{}",
                        member.name,
                        if done { "" } else { " (not possible there)" }
                    ));
                }
            }
        }
    }
}

pub(super) fn schedule(plan: &ReadoutPlan) -> Vec<Scheduled> {
    let names: BTreeMap<Peer, &str> = plan.roles().map(|(peer, name, _)| (peer, name)).collect();
    let mut faults = Vec::new();
    for fault in &plan.faults {
        for peer in &fault.roles {
            let name = names.get(peer).copied().unwrap_or_default();
            // One that happens once may also be meant for what comes after.
            let is_within = |begins: Span| fault.every.is_none() || begins < plan.duration;
            let times = fault.times(plan.run.seed, name);
            for (begins, ends) in times.take_while(|(begins, _)| is_within(*begins)) {
                let mut add = |at: Span, what| faults.push(Scheduled { at: at.to_std(), peer: *peer, what });
                match fault.what {
                    FaultKind::Kill => {
                        add(begins, Deed::Kill { returns_after: fault.lasts.map(Span::to_std) })
                    }
                    FaultKind::Hang => {
                        add(begins, Deed::Hang(true));
                        if let Some(ends) = ends {
                            add(ends, Deed::Hang(false));
                        }
                    }
                    // Refused before the run.
                    FaultKind::Slow { .. } => {}
                }
            }
        }
    }
    faults
}
