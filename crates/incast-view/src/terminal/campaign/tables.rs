//! The tables of a campaign: losses of all variants, comparisons, stages.

use incast_core::record::{Campaign, CampaignComparison, CampaignStage, CampaignVariant};

use crate::page::{DOUBTFUL, Label, PLAIN, Page};
use crate::said::campaign as words;
use crate::table::{Cell, KEPT, Side, Table};
use crate::terminal::readout::put;
use crate::text::{clean, cut};
use crate::units::{count, percent};

/// A line for each variant: what was lost, and how sure that is.
pub(super) fn losses(page: &mut Page, campaign: &Campaign) {
    const COLUMNS: [(&str, Side, u8); 8] = [
        ("variant", Side::Left, KEPT),
        ("runs", Side::Right, 6),
        ("sent", Side::Right, 4),
        ("lost", Side::Right, 5),
        ("lost fraction", Side::Right, KEPT),
        ("one in", Side::Right, 2),
        ("interval", Side::Left, 7),
        ("bit errors", Side::Right, 3),
    ];
    let mut table = Table::new(COLUMNS.map(|(header, side, _)| (header, side)).to_vec());
    for variant in &campaign.variants {
        let bits = words::part(variant.bit_error_rate.filter(|_| variant.lost > 0));
        table.push(vec![
            Cell::plain(page.name(words::name(variant.name.as_deref()))),
            Cell::plain(count(Some(variant.runs))),
            Cell::plain(count(Some(variant.sent))),
            Cell::styled(count(Some(variant.lost)), if variant.lost > 0 { DOUBTFUL } else { PLAIN }),
            Cell::plain(words::fraction_or_limit(variant)),
            Cell::plain(words::whole(variant.one_in)),
            Cell::plain(words::interval(variant.interval.as_ref())),
            Cell::plain(bits),
        ]);
    }
    let title = format!("losses; intervals at {}", words::confidence(campaign.asked.confidence));
    put(page, &title, &table, &COLUMNS.map(|(.., rank)| rank));
}

/// Each later variant beside the first.
pub(super) fn comparisons(page: &mut Page, campaign: &Campaign) {
    const COLUMNS: [(&str, Side, u8); 5] = [
        ("variant", Side::Left, KEPT),
        ("loses", Side::Left, KEPT),
        ("ratio", Side::Right, 3),
        ("if independent", Side::Left, 1),
        ("difference, by runs", Side::Left, 2),
    ];
    let Some(first) = campaign.comparisons.first() else { return };
    let mut table = Table::new(COLUMNS.map(|(header, side, _)| (header, side)).to_vec());
    let row = |found: &CampaignComparison| {
        vec![
            Cell::plain(page.name(words::name(found.variant.as_deref()))),
            Cell::plain(clean(&found.judged)),
            Cell::plain(words::times(found.ratio)),
            Cell::plain(words::ratio_interval(found)),
            Cell::plain(words::difference(found)),
        ]
    };
    campaign.comparisons.iter().map(row).for_each(|row| table.push(row));
    let title = format!("beside {}", clean(words::name(first.against.as_deref())));
    put(page, &title, &table, &COLUMNS.map(|(.., rank)| rank));
}

/// Where messages died.
pub(super) fn stages(page: &mut Page, variants: &[CampaignVariant]) {
    const COLUMNS: [(&str, Side, u8); 6] = [
        ("variant", Side::Left, KEPT),
        ("stage", Side::Left, KEPT),
        ("messages", Side::Right, 5),
        ("share", Side::Right, 3),
        ("in runs", Side::Right, 2),
        ("place", Side::Left, 1),
    ];
    let mut table = Table::new(COLUMNS.map(|(header, side, _)| (header, side)).to_vec());
    let mut is_told = false;
    for variant in variants {
        is_told |= variant.unexplained.is_some();
        let name = page.name(words::name(variant.name.as_deref()));
        let row = |stage: &CampaignStage| {
            vec![
                Cell::plain(name.clone()),
                Cell::plain(words::stage(&stage.stage)),
                Cell::plain(count(Some(stage.messages))),
                Cell::plain(percent(stage.share)),
                Cell::plain(count(Some(stage.runs))),
                Cell::plain(cut(&clean(&stage.place), PLACE_CELLS)),
            ]
        };
        variant.stages.iter().take(STAGES_MAX).map(row).for_each(|row| table.push(row));
        if let Some(left) = variant.unexplained.filter(|left| *left != 0) {
            let number = crate::units::difference(Some(left));
            let cells = [&name, "unexplained", &number, "", "", "what is left of the account"];
            table.push(cells.into_iter().map(|cell| Cell::styled(cell, DOUBTFUL)).collect());
        }
    }
    if is_told && table.is_empty() {
        page.section("where messages died, over all runs");
        page.words(&Label::below("", 0), "nothing died");
    } else if is_told {
        put(page, "where messages died, over all runs", &table, &COLUMNS.map(|(.., rank)| rank));
    }
}

/// Most stages of a variant with a line.
const STAGES_MAX: usize = 6;
const PLACE_CELLS: usize = 40;
