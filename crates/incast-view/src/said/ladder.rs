//! Words for a ladder's figures, the same on the terminal and on the page.

use incast_core::record::{Ladder, LadderFigure, LadderRung};

use crate::text::{clean, counted};
use crate::units::{about, percent};

/// How far it is from the other rung: `+12.3 %`, and `~` before what may be noise.
pub(crate) fn change(figure: &LadderFigure) -> String {
    let Some(change) = figure.change.filter(|change| change.is_finite()) else { return String::new() };
    let noise = if figure.is_apart == Some(true) { "" } else { "~" };
    let sign = if change > 0.0 { "+" } else { "" };
    format!("{noise}{sign}{}", percent(Some(change)))
}

/// A figure with three digits; one that fell below a thousandth of the unit is as good as none.
pub(crate) fn figure(figure: &LadderFigure) -> String {
    about(figure.median)
}

/// How the comparison was made, in a sentence.
pub(crate) fn method(ladder: &Ladder) -> String {
    let rounds = counted(usize::try_from(ladder.rounds).unwrap_or(usize::MAX), "round", "rounds");
    let chance = ladder.apart_by_chance.map_or_else(String::new, |chance| {
        format!(", which alike ones do with a probability of {}", percent(Some(chance)))
    });
    let all = ladder.apart_by_chance_expected.map_or_else(String::new, |expected| {
        let judged = usize::try_from(ladder.changes_judged).unwrap_or(usize::MAX);
        format!(
            ". That is one change: of the {} of this ladder about {} would be without ~ if no rung changed anything; \
             more --rounds make them fewer",
            counted(judged, "change", "changes"),
            about(Some(expected))
        )
    });
    format!(
        "medians of {rounds}, rungs in turn; changes are against the rung named, round by round; with ~ they may \
         be noise: the ranges of both do not lie apart{chance}{all}"
    )
}

/// What the rest of the record is of.
pub(crate) fn rest(ladder: &Ladder) -> Option<String> {
    let first = ladder.rungs.first()?;
    Some(format!(
        "flows, totals and what follows are of one trial: the last of {}, the scenario as it stands",
        clean(&first.name)
    ))
}

/// What its figures are without: settings that the kernel refused.
pub(crate) fn refused(rung: &LadderRung) -> Option<String> {
    (!rung.refused.is_empty()).then(|| clean(&rung.refused.join("; ")))
}

/// Why a rung has no figures.
pub(crate) fn lacking(rung: &LadderRung) -> Option<String> {
    rung.lacking.as_deref().map(clean)
}
