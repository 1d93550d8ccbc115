//! What only a simulator saw: its virtual time, the account of bytes, the fullest queues, where packets died,
//! the parts of delays, replicas, formulas, and what the models were told.
//!
//! Law 4 is always printed, above all when nothing is left over. Of everything long the first lines are shown, and the
//! rest is counted.

mod tables;

use incast_core::record::{ByteBook, ModelUsed, Simulation};

use crate::page::{BAD, FAINT, Label, PLAIN, Page};
use crate::said::simulation as said;
use crate::text::{clean, counted, cut};
use crate::units::{count, seconds};

/// The sections; nothing where nothing was simulated.
pub(super) fn show(page: &mut Page, simulation: Option<&Simulation>) {
    let Some(simulation) = simulation else { return };
    page.section("the simulation");
    let items = [
        format!("{} of virtual time", seconds(Some(simulation.virtual_s))),
        format!("{} packet-hops", count(Some(simulation.packet_hops))),
        counted_ties(simulation.ties),
        format!("digest {}", cut(&clean(&simulation.digest), DIGEST_CELLS_MAX)),
    ];
    page.items(&Label::new("passed"), &items);
    book(page, &simulation.bytes);
    tables::queues(page, &simulation.queues);
    tables::drops(page, &simulation.drops);
    tables::delays(page, &simulation.delays);
    tables::replicas(page, &simulation.replicas);
    tables::estimates(page, &simulation.estimates);
    models(page, &simulation.models);
}

fn counted_ties(ties: u64) -> String {
    let what = if ties == 1 { "tie" } else { "ties" };
    format!("{} {what}", count(Some(ties)))
}

/// Law 4.
fn book(page: &mut Page, bytes: &ByteBook) {
    let style = if bytes.residual == 0 { PLAIN } else { BAD };
    page.tokens(&Label::new("bytes").body(style), &said::bytes(bytes));
}

/// What the models were told, those that nobody stated last: they are what to doubt first.
fn models(page: &mut Page, models: &[ModelUsed]) {
    for (label, is_stated) in [("stated", true), ("assumed", false)] {
        let meant = models.iter().filter(|model| said::is_stated(model) == is_stated);
        let mut items: Vec<String> =
            meant.clone().take(MODELS_MAX).map(|model| cut(&said::model(model), MODEL_CELLS_MAX)).collect();
        if let Some(more) = meant.count().checked_sub(MODELS_MAX).filter(|more| *more > 0) {
            items.push(format!("{} in the record", counted(more, "more value", "more values")));
        }
        if !items.is_empty() {
            page.items(&Label::new(label).body(FAINT), &items);
        }
    }
}

/// A digest is two times 16 digits with a hyphen between.
const DIGEST_CELLS_MAX: usize = 33;
/// Most values of models of each origin: some four lines.
const MODELS_MAX: usize = 16;
const MODEL_CELLS_MAX: usize = 60;
