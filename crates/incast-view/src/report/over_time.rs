//! What happened when: goodput and losses of the flows, the events of a readout and the load of the
//! cores, on one time axis.
//!
//! Time is that of the run: an interval of a flow begins at the flow's start plus its own. Losses
//! are drawn per second, so that the area under a line is the number of messages lost.

use incast_core::record::{Flow, Host, Record};

use super::ensemble::Ensemble;
use super::readout;
use super::stamp;
use crate::html::Html;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::plot::trace::{Slice, Trace};
use crate::text::counted;
use crate::units::{Scale, count_scale, rate_scale, seconds, time_scale};

/// One plot of the figure.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) ensemble: Ensemble,
    pub(super) scale: Scale,
    /// The end of its y axis, if it does not follow from what is drawn.
    pub(super) most: Option<f64>,
    pub(super) has_legend: bool,
    /// Times that are shaded, from and to, in seconds, and what that means.
    pub(super) shaded: Vec<(f64, f64)>,
    pub(super) shade: &'static str,
}

/// The figure, with a plot for each thing that is known over time.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    let panels = panels(record);
    let end_s = panels.iter().fold(0.0_f64, |end, panel| end.max(panel.ensemble.end_s()));
    if end_s <= 0.0 {
        return;
    }
    html.heading(level, "Over time");
    let scale = time_scale(end_s);
    let x = Axis::exact(0.0, end_s, scale);
    let x_title = format!("time since the start of the run, {}", scale.unit);
    html.tag("figure").class("over-time").holds(|html| {
        let last = panels.len() - 1;
        for (index, panel) in panels.iter().enumerate() {
            panel.draw(html, &x, (index == last).then_some(x_title.as_str()));
        }
    });
    notes(html, record);
}

fn panels(record: &Record) -> Vec<Panel> {
    let ensemble = |of: fn(&Flow) -> Trace| {
        let traces: Vec<Trace> = record.flows.iter().map(of).collect();
        Ensemble::new(("flow", "flows"), traces)
    };
    let mut panels = Vec::new();
    let (rates, losses) = (ensemble(goodput), ensemble(loss));
    if rates.traces.iter().any(Trace::is_known) {
        let scale = rate_scale(rates.range().1);
        let title = format!("goodput of each flow, {}", scale.unit);
        panels.push(Panel {
            title,
            ensemble: rates,
            scale,
            most: None,
            has_legend: true,
            shaded: Vec::new(),
            shade: "",
        });
    }
    let range = losses.range();
    if range.0 < 0.0 || range.1 > 0.0 {
        let scale = count_scale(range.1);
        let title = format!("messages lost by each flow, {}per second", scale.unit);
        let has_legend = panels.is_empty();
        panels.push(Panel {
            title,
            ensemble: losses,
            scale,
            most: None,
            has_legend,
            shaded: Vec::new(),
            shade: "",
        });
    }
    panels.extend(stamp::panels(record.stamp.as_ref()));
    panels.extend(readout::panels(record.readout.as_ref()));
    panels.extend(std::iter::once(&record.host).chain(&record.agents).filter_map(cores));
    panels
}

impl Panel {
    pub(super) fn draw(&self, html: &mut Html, x: &Axis, x_title: Option<&str>) {
        let (least, most) = self.ensemble.range();
        let y = Axis::rounded(least, self.most.unwrap_or(most), self.scale);
        let legend = if self.has_legend { self.ensemble.legend() } else { Vec::new() };
        let frame = Frame { title: &self.title, x, y: &y, height: HEIGHT, x_title, legend: &legend };
        frame.draw(html, |html, area| {
            for (from_s, to_s) in &self.shaded {
                let [from, to] = [*from_s, *to_s].map(|time| Area::x(x.place(time)));
                let shape = html.tag("rect").class("shaded").at("x", from).at("width", to - from);
                let title = format!("{}: {} to {}", self.shade, seconds(Some(*from_s)), seconds(Some(*to_s)));
                let shape = shape.at("y", area.y(1.0)).at("height", area.y(0.0) - area.y(1.0));
                shape.holds(|html| html.tag("title").text(&title));
            }
            self.ensemble.draw(html, x, &y, area);
        });
    }
}

fn goodput(flow: &Flow) -> Trace {
    let offset_s = flow.start_s.unwrap_or(0.0);
    let slices = flow.intervals.iter().map(|interval| Slice {
        start_s: offset_s + interval.start_s,
        end_s: offset_s + interval.end_s,
        mean: interval.goodput_bits_per_s,
    });
    Trace::new(&flow.name, slices)
}

fn loss(flow: &Flow) -> Trace {
    let offset_s = flow.start_s.unwrap_or(0.0);
    let slices = flow.intervals.iter().map(|interval| Slice {
        start_s: offset_s + interval.start_s,
        end_s: offset_s + interval.end_s,
        mean: interval.lost.map(|lost| per_second(lost, interval.end_s - interval.start_s)),
    });
    Trace::new(&flow.name, slices)
}

#[expect(clippy::cast_precision_loss, reason = "for drawing")]
fn per_second(lost: i64, length_s: f64) -> f64 {
    lost as f64 / length_s
}

/// The cores of a host over time.
fn cores(host: &Host) -> Option<Panel> {
    let most =
        host.core_intervals.iter().map(|interval| interval.busy.len()).max().filter(|cores| *cores > 0)?;
    let trace = |index: usize| {
        let number = host.cores.get(index).map_or_else(|| index.to_string(), |core| core.core.to_string());
        let slices = host.core_intervals.iter().map(|interval| Slice {
            start_s: interval.start_s,
            end_s: interval.end_s,
            mean: interval.busy.get(index).copied(),
        });
        Trace::new(&format!("core {number}"), slices)
    };
    let ensemble = Ensemble::new(("core", "cores"), (0..most).map(trace).collect());
    let title = format!("how busy each core of {} was, %", host.name);
    Some(Panel {
        title,
        ensemble,
        scale: PER_CENT,
        most: Some(1.0),
        has_legend: true,
        shaded: Vec::new(),
        shade: "",
    })
}

/// What cannot be seen in the plots.
fn notes(html: &mut Html, record: &Record) {
    let without_loss = record.flows.iter().all(|flow| {
        !flow.intervals.is_empty() && flow.intervals.iter().all(|interval| interval.lost == Some(0))
    });
    if without_loss && !record.flows.is_empty() {
        html.note("No flow lost a message in any interval.");
    }
    let unplaced = |flow: &&Flow| flow.start_s.is_none() && !flow.intervals.is_empty();
    let unplaced = record.flows.iter().filter(unplaced).count();
    if unplaced > 0 {
        let what =
            counted(unplaced, "flow whose start is not known is", "flows whose start is not known are");
        html.note(&format!("{what} drawn from 0."));
    }
    if record.readout.as_ref().is_some_and(|readout| !readout.intervals.is_empty()) {
        html.note(
            "Events in flight and held, bytes and credits are those at the end of an interval; the trigger is \
             taken for stopped throughout an interval at whose end it was stopped.",
        );
    }
    html.note("Each step is the mean over an interval; where there is a gap, nothing is known.");
}

/// Fractions of 1 on an axis of per cent.
pub(super) const PER_CENT: Scale = Scale { factor: 0.01, unit: "%" };
/// Three of these fit on a screen.
const HEIGHT: f64 = 170.0;
