//! Many things over time in one plot that can still be read.
//!
//! Up to twelve are drawn one by one, each with a pen of its own. More are put into groups, by what
//! stands before the slash in their names (the flow of the scenario): of each group the median and
//! the half around it, and every single one as a hair. Thirty-one colours tell nothing apart.

use crate::html::Html;
use crate::plot::Pen;
use crate::plot::axis::Axis;
use crate::plot::frame::Area;
use crate::plot::trace::{Trace, band_path, median_path, middle};
use crate::text::counted;

/// Traces and how they are told apart.
pub(super) struct Ensemble {
    /// What one of them is, and several of them are.
    nouns: (&'static str, &'static str),
    pub(super) traces: Vec<Trace>,
    groups: Vec<Group>,
}

struct Group {
    name: String,
    members: Vec<usize>,
}

impl Ensemble {
    pub(super) fn new(nouns: (&'static str, &'static str), traces: Vec<Trace>) -> Self {
        let groups = if traces.len() > Pen::MAX { groups(&traces) } else { Vec::new() };
        Self { nouns, traces, groups }
    }

    /// What lines and areas mean.
    pub(super) fn legend(&self) -> Vec<(Pen, String)> {
        if self.groups.is_empty() {
            return self
                .traces
                .iter()
                .enumerate()
                .map(|(index, trace)| (Pen(index), trace.name.clone()))
                .collect();
        }
        let entry = |(index, group): (usize, &Group)| {
            let members = counted(group.members.len(), self.nouns.0, self.nouns.1);
            (
                Pen(index),
                format!("{}: median of {members}, the half around it, and each as a hair", group.name),
            )
        };
        self.groups.iter().enumerate().map(entry).collect()
    }

    /// Draws them all.
    pub(super) fn draw(&self, html: &mut Html, x: &Axis, y: &Axis, area: Area) {
        if self.groups.is_empty() {
            for (index, trace) in self.traces.iter().enumerate() {
                let path = html.tag("path").set("class", &Pen(index).line());
                path.set("d", &trace.path(x, y, area)).holds(|html| html.tag("title").text(&trace.name));
            }
        }
        for (index, group) in self.groups.iter().enumerate() {
            group.draw(html, &self.traces, Pen(index), (x, y), area);
        }
    }

    /// The least and the most of all.
    pub(super) fn range(&self) -> (f64, f64) {
        let ranges = self.traces.iter().map(Trace::range);
        ranges.fold((0.0, 0.0), |(least, most), (low, high)| (low.min(least), high.max(most)))
    }

    /// The end of the last.
    pub(super) fn end_s(&self) -> f64 {
        self.traces.iter().fold(0.0, |end, trace| end.max(trace.end_s()))
    }
}

impl Group {
    fn draw(&self, html: &mut Html, traces: &[Trace], pen: Pen, (x, y): (&Axis, &Axis), area: Area) {
        let members: Vec<&Trace> = self.members.iter().filter_map(|index| traces.get(*index)).collect();
        let middle = middle(&members);
        let band = html.tag("path").set("class", &format!("{} band", pen.fill()));
        band.set("d", &band_path(&middle, x, y, area)).empty();
        for trace in members.iter().take(HAIRS_MAX) {
            let hair = html.tag("path").set("class", &format!("{} hair", pen.line()));
            hair.set("d", &trace.path(x, y, area)).holds(|html| html.tag("title").text(&trace.name));
        }
        let median = html.tag("path").set("class", &format!("{} median", pen.line()));
        let title = format!("{}: median", self.name);
        median.set("d", &median_path(&middle, x, y, area)).holds(|html| html.tag("title").text(&title));
    }
}

/// The traces by the first part of their names; too many groups become one.
fn groups(traces: &[Trace]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, trace) in traces.iter().enumerate() {
        let name = trace.name.split_once('/').map_or("others", |(first, _)| first);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.members.push(index),
            None => groups.push(Group { name: name.to_owned(), members: vec![index] }),
        }
    }
    if groups.len() > GROUPS_MAX || groups.len() == 1 {
        let name = if groups.len() == 1 { groups[0].name.replace("others", "all") } else { "all".to_owned() };
        return vec![Group { name, members: (0..traces.len()).collect() }];
    }
    groups
}

/// Bands that lie over each other can be told apart up to here.
const GROUPS_MAX: usize = 4;
/// More hairs of a group than this are a cloud, and the page gets heavy; median and band have all.
const HAIRS_MAX: usize = 64;
