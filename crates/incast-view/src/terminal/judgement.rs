//! How far the numbers can be trusted, and whether they are what was expected.
//!
//! Words, not colours, say what was met: the colours go when the report goes to a file.

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::record::{Expectation, Faults};

use crate::page::{BAD, DOUBTFUL, FAINT, GOOD, Label, Page};
use crate::said::measured;
use crate::text::{clean, counted, cut};
use crate::units::count;

/// Every expectation: met or not, what was expected, what was measured, and who says so.
pub(super) fn expectations(page: &mut Page, expectations: &[Expectation]) {
    if expectations.is_empty() {
        return;
    }
    page.section("expectations");
    for expectation in expectations.iter().take(EXPECTATIONS_MAX) {
        let (mark, style) = match expectation.met {
            Some(true) => ("met", GOOD),
            Some(false) => ("missed", BAD),
            None => ("unknown", DOUBTFUL),
        };
        page.words(&Label::below(mark, MARK_CELLS).style(style), &expectation.name);
        let below = Label::below("", MARK_CELLS);
        let expected = format!("expected {};", cut(&clean(&expectation.expected), EXPECTED_CELLS_MAX));
        page.tokens(&below, &[expected, format!("measured {}", measured(expectation))]);
        if let Some(source) = &expectation.source {
            page.words(&below.body(FAINT), &format!("source: {source}"));
        }
    }
    let left_out = expectations.iter().skip(EXPECTATIONS_MAX);
    let missed = left_out.clone().filter(|expectation| expectation.met == Some(false)).count();
    if left_out.len() > 0 {
        let what = format!("{} more in the record, {missed} of them missed", left_out.len());
        page.words(&Label::none(), &what);
    }
}

/// The doubts of each kind together, kinds in the order of the record: the gravest first.
pub(super) fn doubts(page: &mut Page, caveats: &[Caveat]) {
    if caveats.is_empty() {
        return;
    }
    page.line("");
    let mut kinds: Vec<CaveatKind> = Vec::new();
    for caveat in caveats {
        if !kinds.contains(&caveat.kind) {
            kinds.push(caveat.kind);
        }
    }
    for kind in kinds {
        let alike: Vec<&Caveat> = caveats.iter().filter(|caveat| caveat.kind == kind).collect();
        alike_doubts(page, &alike);
    }
}

/// Doubts of one kind; advice that is the same for several stands once, under the last of them.
fn alike_doubts(page: &mut Page, alike: &[&Caveat]) {
    let shown = &alike[..alike.len().min(ALIKE_MAX)];
    for (index, caveat) in shown.iter().enumerate() {
        page.words(&Label::new("doubt:").style(DOUBTFUL), &caveat.text);
        let last = index + 1 == shown.len();
        if last && alike.len() > shown.len() {
            let more = counted(alike.len() - shown.len(), "more doubt", "more doubts");
            page.words(&Label::new(""), &format!("and {more} of this kind in the record"));
        }
        let repeated = shown.get(index + 1).is_some_and(|next| next.advice == caveat.advice);
        if !repeated && !caveat.advice.is_empty() {
            page.words(&Label::new("advice:").style(FAINT), &caveat.advice);
        }
    }
}

/// What peers did that the protocol does not allow; nothing if they did nothing.
pub(super) fn faults(page: &mut Page, faults: &Faults) {
    let seen = faults.named().into_iter().filter(|(_, times)| *times > 0);
    let items: Vec<String> = seen.map(|(name, times)| format!("{name} {}", count(Some(times)))).collect();
    if !items.is_empty() {
        page.section("faults of peers, counted and ignored");
        page.items(&Label::none(), &items);
    }
}

/// The longest mark is `unknown`.
const MARK_CELLS: usize = 7;
/// Most expectations of a report: some three screens; a scenario may have 256.
const EXPECTATIONS_MAX: usize = 64;
/// Longer texts of what was expected are cut: a metric, a flow and two limits fit.
const EXPECTED_CELLS_MAX: usize = 200;
/// Most doubts of one kind: the fourth flow with the same doubt tells nothing new.
const ALIKE_MAX: usize = 3;
