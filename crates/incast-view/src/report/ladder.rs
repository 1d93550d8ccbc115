//! A ladder: what every rung delivered as a plot, and the table of gains and costs.

use incast_core::record::{Ladder, LadderFigure, LadderRung};

use super::sheet::{Cell, Sheet};
use crate::html::Html;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::plot::mark::{Mark, key, point};
use crate::said::ladder as said;
use crate::table::Side;
use crate::units::{Scale, percent, rate, rate_scale};

/// The section; nothing where no ladder was climbed.
pub(super) fn show(html: &mut Html, ladder: Option<&Ladder>, level: usize) {
    let Some(ladder) = ladder else { return };
    html.heading(level, "Ladder of optimisations");
    let rungs = || ladder.rungs.iter().take(RUNGS_MAX).enumerate();
    plot(html, rungs().filter_map(known).collect());
    let mut sheet = Sheet::new(&[
        ("", Side::Right),
        ("rung", Side::Left),
        ("against", Side::Left),
        ("goodput", Side::Right),
        ("gain", Side::Right),
        ("loss", Side::Right),
        ("CPU ns/B", Side::Right),
        ("change", Side::Right),
        ("CPU ns/msg", Side::Right),
        ("change", Side::Right),
        ("irq/msg", Side::Right),
        ("change", Side::Right),
        ("softirq/msg", Side::Right),
    ]);
    rungs().for_each(|(index, rung)| sheet.push(row(index, rung)));
    sheet.show(html, "rungs");
    html.note(&said::method(ladder));
    for (index, rung) in rungs() {
        let (number, name) = (index + 1, &rung.name);
        if let Some(why) = said::lacking(rung) {
            html.note(&format!("{number}. {name} is not here: {why}"));
        }
        if let Some(refused) = said::refused(rung) {
            html.note(&format!("! {number}. {name} is not so: {refused}"));
        }
    }
    let mut sets = Sheet::new(&[("", Side::Right), ("rung", Side::Left), ("what it sets", Side::Left)]);
    rungs().for_each(|(index, rung)| sets.push(settings(index, rung)));
    sets.fold(html, "What each rung sets");
    if let Some(rest) = said::rest(ladder) {
        html.note(&rest);
    }
    if ladder.rungs.len() > RUNGS_MAX {
        html.note(&format!("{} more rungs are in the record.", ladder.rungs.len() - RUNGS_MAX));
    }
}

fn row(index: usize, rung: &LadderRung) -> Vec<Cell> {
    let number = Cell::plain((index + 1).to_string());
    let name = Cell::plain(&rung.name);
    let against = Cell::plain(rung.against.as_deref().unwrap_or(""));
    if rung.lacking.is_some() {
        let mut row = vec![number, name, against, Cell::marked("none here", "doubtful")];
        row.extend((0..9).map(|_| Cell::plain("")));
        return row;
    }
    let (goodput, lost) = (rate(rung.goodput_bits_per_s.median), &rung.lost_fraction);
    vec![
        number,
        name,
        against,
        // What has other settings than its name says has a mark; a line below explains it.
        match rung.refused.is_empty() {
            true => Cell::plain(goodput),
            false => Cell::marked(format!("! {goodput}"), "doubtful"),
        },
        changed(&rung.goodput_bits_per_s, 1.0),
        Cell::flagged(percent(lost.median), lost.median > Some(0.0)),
        Cell::plain(said::figure(&rung.cpu_ns_per_byte)),
        changed(&rung.cpu_ns_per_byte, -1.0),
        Cell::plain(said::figure(&rung.cpu_ns_per_message)),
        changed(&rung.cpu_ns_per_message, -1.0),
        Cell::plain(said::figure(&rung.interrupts_per_message)),
        changed(&rung.interrupts_per_message, -1.0),
        Cell::plain(said::figure(&rung.softirqs_per_message)),
    ]
}

/// What a rung replaces.
fn settings(index: usize, rung: &LadderRung) -> Vec<Cell> {
    let sets = match rung.settings.is_empty() {
        true => "the scenario as it stands".to_owned(),
        false => rung.settings.join("; "),
    };
    vec![Cell::plain((index + 1).to_string()), Cell::plain(&rung.name), Cell::plain(sets)]
}

/// A change, green or red when it is one; `good` is 1 where more is better, -1 where less is.
fn changed(figure: &LadderFigure, good: f64) -> Cell {
    let class = match (figure.is_apart, figure.change) {
        (Some(true), Some(change)) if change * good > 0.0 => "good",
        (Some(true), Some(_)) => "bad",
        _ => "",
    };
    Cell::marked(said::change(figure), class)
}

/// A rung with its number, and least, median and most of its goodput.
type Known<'r> = (f64, &'r LadderRung, [f64; 3]);

fn known((index, rung): (usize, &LadderRung)) -> Option<Known<'_>> {
    let LadderFigure { least, median, most, .. } = rung.goodput_bits_per_s;
    let values = [least?, median?, most?];
    let number = u32::try_from(index + 1).ok()?;
    values.iter().all(|value| value.is_finite()).then(|| (f64::from(number), rung, values))
}

/// Ranges of the goodput: a line from the least to the most, and the median on it.
fn plot(html: &mut Html, rungs: Vec<Known<'_>>) {
    let Some((last, _, _)) = rungs.last() else { return };
    let most = rungs.iter().fold(0.0_f64, |most, (_, _, [_, _, value])| most.max(*value));
    let least = rungs.iter().fold(f64::INFINITY, |least, (_, _, [value, _, _])| least.min(*value));
    // Segmentation offload is worth a hundred times: on a linear axis all others would lie at its bottom.
    let is_wide = least > 0.0 && most / least > 20.0;
    let scale = rate_scale(most);
    let y =
        if is_wide { Axis::log(least / MEGABIT, most / MEGABIT) } else { Axis::rounded(0.0, most, scale) };
    let unit = if is_wide { "Mbit/s; the axis is logarithmic" } else { scale.unit };
    let place = |value: f64| y.place(if is_wide { value / MEGABIT } else { value });
    let x = Axis::exact(0.0, last + 1.0, NUMBERS);
    html.tag("figure").class("points").holds(|html| {
        let title = format!("goodput of every rung, {unit}");
        let x_title = Some("number of the rung in the table");
        let frame = Frame { title: &title, x: &x, y: &y, height: HEIGHT, x_title, legend: &[] };
        frame.draw(html, |html, area| {
            for (number, rung, [least, median, most]) in &rungs {
                let at = |value: f64| (Area::x(x.place(*number)), area.y(place(value)));
                Mark::DOT.join(html, &[at(*least), at(*most)]);
                let title = format!(
                    "{number}. {}: {} ({} to {})",
                    rung.name,
                    rate(Some(*median)),
                    rate(Some(*least)),
                    rate(Some(*most))
                );
                let is_noise = rung.goodput_bits_per_s.is_apart == Some(false);
                point(html, Mark::DOT, at(*median), is_noise, &title);
            }
        });
        html.tag("ul").class("legend").holds(|html| {
            let sample = |html: &mut Html, (width, middle): (f64, f64)| {
                point(html, Mark::DOT, (width / 2.0, middle), false, "");
            };
            key(html, "median; the line is the range of the rounds", sample);
            key(html, "hollow: the change may be noise", |html, (width, middle)| {
                point(html, Mark::DOT, (width / 2.0, middle), true, "");
            });
        });
    });
}

/// Numbers of rungs.
const NUMBERS: Scale = Scale { factor: 1.0, unit: "" };
const MEGABIT: f64 = 1e6;
const HEIGHT: f64 = 240.0;
/// Most rungs of a page: a scenario has at most 64 variants.
const RUNGS_MAX: usize = 65;
