//! Who gets what: the `policy` of a trigger or a builder.

use crate::readout::role::PolicyPlan;
use crate::scenario::reader::Reader;
use crate::time::Span;
use crate::units::SPAN_EXAMPLES;

#[derive(Clone, Copy)]
enum Word {
    RoundRobin,
    Tokens,
    LeastLoaded,
    Calendar,
    LinearShift,
}

/// Reads `policy`, and `lease` and `limit` that belong to some of them.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> PolicyPlan {
    let words = [
        ("round-robin", Word::RoundRobin),
        ("tokens", Word::Tokens),
        ("least-loaded", Word::LeastLoaded),
        ("calendar", Word::Calendar),
        ("linear-shift", Word::LinearShift),
    ];
    let word = reader.word("policy", "policy", &words).unwrap_or(Word::RoundRobin);
    let spans = [Span::from_ms(10), Span::from_s(3600)];
    let lease = reader.quantity_within("lease", SPAN_EXAMPLES, spans).unwrap_or(LEASE);
    let limit = reader.small("limit", 1..=1_000_000);
    if limit.is_some() && !matches!(word, Word::LeastLoaded) {
        reader.fault("limit", "`limit` goes with policy = \"least-loaded\"");
    }
    match word {
        Word::RoundRobin => PolicyPlan::RoundRobin,
        Word::Tokens => PolicyPlan::Tokens { lease },
        Word::LeastLoaded => PolicyPlan::LeastLoaded { limit: limit.unwrap_or(LIMIT) },
        // Weights are known when all members are.
        Word::Calendar => PolicyPlan::Calendar { weights: Vec::new() },
        Word::LinearShift => PolicyPlan::LinearShift,
    }
}

/// Longer than run control needs to notice that a node is gone.
pub(super) const LEASE: Span = Span::from_s(10);
/// Two hide the way there and back; the rest is for bursts.
const LIMIT: u32 = 8;
