//! Doubts of a readout that its counts alone tell: accounts that do not close, and what should not have come.

use crate::caveat::{Caveat, CaveatKind};
use crate::record::Readout;

/// Faults that are named among the doubts; each role's own has all.
const NONSENSE_MAX: usize = 16;

/// What is doubtful in every world; `advice` is for faults that roles counted.
#[must_use]
pub fn doubts(readout: &Readout, advice: &str) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    let credits = readout.credits.as_ref().map_or(0, |credits| credits.residual);
    if readout.events.residual != 0 || credits != 0 {
        caveats.push(Caveat::new(
            CaveatKind::AccountOpen,
            format!("the accounts do not close: events {}, credits {credits}", readout.events.residual),
            "this is a fault of incast: please report it with the record",
        ));
    }
    let nonsense: Vec<String> = readout
        .roles
        .iter()
        .flat_map(|role| {
            let faults = role.faults.iter().filter(|fault| !is_in_account(&fault.name));
            faults.map(move |fault| format!("{}: {} {}", role.name, fault.count, fault.name))
        })
        .take(NONSENSE_MAX)
        .collect();
    if !nonsense.is_empty() {
        let text = format!("roles counted what should not be: {}", nonsense.join("; "));
        caveats.push(Caveat::new(CaveatKind::PeerNonsense, text, advice));
    }
    caveats
}

/// Whether the account of events says it already: what did not come is among its incomplete events.
fn is_in_account(fault: &str) -> bool {
    fault == "timed out" || fault.ends_with(": missing")
}
