//! Whether losses came alone or in runs: how many runs of lost messages there were of each length.

use incast_core::record::{Flow, Record};

use super::sheet::{Cell, Sheet};
use crate::html::{Html, coordinate};
use crate::plot::Pen;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::table::Side;
use crate::units::{Scale, count, f64_of};

/// The plot and its numbers; without a loss only the word for it.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    let lossy: Vec<&Flow> = record.flows.iter().filter(|flow| points(flow).next().is_some()).collect();
    if lossy.is_empty() {
        return;
    }
    html.heading(level, "Runs of lost messages");
    let all = || lossy.iter().flat_map(|flow| points(flow));
    let (longest, most) =
        all().fold((1, 1), |(longest, most), (length, runs)| (length.max(longest), runs.max(most)));
    let x = axis(longest);
    let y = axis(most);
    html.tag("figure").holds(|html| {
        let entries = lossy.iter().enumerate().map(|(index, flow)| (Pen(index), flow.name.clone()));
        let legend: Vec<(Pen, String)> = if lossy.len() <= Pen::MAX { entries.collect() } else { Vec::new() };
        let title =
            if legend.is_empty() { "runs of each length; a line is a flow" } else { "runs of each length" };
        let x_title = Some("length of a run, messages");
        let frame = Frame { title, x: &x, y: &y, height: 200.0, x_title, legend: &legend };
        frame.draw(html, |html, area| {
            for (index, flow) in lossy.iter().enumerate() {
                draw(html, flow, index, lossy.len(), (&x, &y), area);
            }
        });
    });
    html.note(
        "Lengths of 64 and more are counted by powers of two and drawn at the shortest of their group.",
    );
    table(&lossy).fold(html, "The numbers");
}

/// Length of a run and how many there were of it.
fn points(flow: &Flow) -> impl Iterator<Item = (u64, u64)> {
    let lengths = flow.loss_runs.iter().flat_map(|runs| &runs.lengths);
    lengths.filter(|length| length.runs > 0 && length.from > 0).map(|length| (length.from, length.runs))
}

/// Small numbers can be read on a linear axis, larger ones need a logarithmic one.
fn axis(most: u64) -> Axis {
    if most > LINEAR_MAX { Axis::log(1.0, f64_of(most)) } else { Axis::rounded(0.0, f64_of(most), PLAIN) }
}

/// A line from point to point, with a dot at each: a stroke without length and a round cap.
fn draw(html: &mut Html, flow: &Flow, index: usize, of: usize, (x, y): (&Axis, &Axis), area: Area) {
    let places: Vec<(String, String)> = points(flow)
        .map(|(length, runs)| {
            (coordinate(Area::x(x.place(f64_of(length)))), coordinate(area.y(y.place(f64_of(runs)))))
        })
        .collect();
    let line: Vec<String> = places.iter().map(|(x, y)| format!("{x} {y}")).collect();
    let dots: String = places.iter().map(|(x, y)| format!("M{x} {y}h0")).collect();
    let (pen, hair) = if of > Pen::MAX { (Pen(0), " hair") } else { (Pen(index), "") };
    let path = html.tag("path").set("class", &format!("{}{hair}", pen.line()));
    path.set("d", &format!("M{}", line.join("L"))).holds(|html| html.tag("title").text(&flow.name));
    let path = html.tag("path").set("class", &format!("{}{hair} dots", pen.line()));
    path.set("d", &dots).holds(|html| html.tag("title").text(&flow.name));
}

fn table(flows: &[&Flow]) -> Sheet {
    let mut sheet = Sheet::new(&[
        ("flow", Side::Left),
        ("runs", Side::Right),
        ("longest", Side::Right),
        ("runs of each length", Side::Left),
    ]);
    for (flow, runs) in flows.iter().filter_map(|flow| Some((flow, flow.loss_runs.as_ref()?))) {
        let length = |from: u64, to: u64| match to {
            to if to > from => format!("{} to {}", count(Some(from)), count(Some(to))),
            _ => count(Some(from)),
        };
        let lengths: Vec<String> = runs
            .lengths
            .iter()
            .map(|group| format!("{} of {}", count(Some(group.runs)), length(group.from, group.to)))
            .collect();
        sheet.push(vec![
            Cell::plain(&flow.name),
            Cell::plain(count(Some(runs.runs))),
            Cell::plain(count(Some(runs.longest))),
            Cell::marked(lengths.join("; "), "wide"),
        ]);
    }
    sheet
}

const PLAIN: Scale = Scale { factor: 1.0, unit: "" };
/// Up to here every number has room on a linear axis.
const LINEAR_MAX: u64 = 20;
