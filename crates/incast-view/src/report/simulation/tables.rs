//! Formulas beside the simulation, and what the models were told.

use incast_core::record::{Estimate, ModelUsed};

use crate::html::Html;
use crate::report::sheet::{Cell, Sheet};
use crate::said::simulation::{DISAGREEMENT_FAR, is_stated, signed_percent, words};
use crate::table::Side;
use crate::units::number;

/// Each formula, what it says, and how far the simulation is from that; nothing when none fits.
pub(super) fn estimates(html: &mut Html, estimates: &[Estimate], level: usize) {
    if estimates.is_empty() {
        return;
    }
    html.heading(level, "Formulas beside the simulation");
    let mut sheet = Sheet::new(&[
        ("estimate", Side::Left),
        ("by formula", Side::Right),
        ("simulated", Side::Right),
        ("disagreement", Side::Right),
        ("formula", Side::Left),
    ]);
    for estimate in estimates {
        let far = estimate.disagreement.is_some_and(|part| part.abs() > DISAGREEMENT_FAR);
        let class = if far { "doubtful" } else { "" };
        sheet.push(vec![
            Cell::marked(&estimate.name, "wide"),
            Cell::plain(number(Some(estimate.estimated))),
            Cell::plain(number(estimate.simulated)),
            Cell::marked(signed_percent(estimate.disagreement), class),
            Cell::marked(&estimate.source, "wide faint"),
        ]);
    }
    sheet.show(html, "formulas beside the simulation");
    html.note("The disagreement is simulated / by formula - 1. A large one says that the formula's conditions do not hold here, or that a model is wrong.");
}

/// Every value that a model was told; those that nobody stated draw the eye.
pub(super) fn models(html: &mut Html, models: &[ModelUsed], level: usize) {
    if models.is_empty() {
        return;
    }
    html.heading(level, "What the models were told");
    let mut sheet =
        Sheet::new(&[("of", Side::Left), ("value", Side::Left), ("is", Side::Left), ("origin", Side::Left)]);
    for model in models {
        let class = if is_stated(model) { "" } else { "doubtful" };
        sheet.push(vec![
            Cell::plain(&model.of),
            Cell::plain(words(&model.name)),
            Cell::plain(&model.value),
            Cell::marked(&model.origin, class),
        ]);
    }
    if models.len() > ROWS_MAX {
        sheet.fold(html, &format!("{} values", models.len()));
    } else {
        sheet.show(html, "what the models were told");
    }
}

/// More than a screen is folded.
const ROWS_MAX: usize = 24;
