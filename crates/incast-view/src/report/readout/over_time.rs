//! What a readout did over time: plots for the figure that has everything over time.
//!
//! Counts of a slice are drawn per second, so that the area under a line is their number. What is held
//! and in flight is that at the end of a slice.

use incast_core::record::{Readout, ReadoutInterval};

use crate::plot::trace::{Slice, Trace};
use crate::report::ensemble::Ensemble;
use crate::report::over_time::Panel;
use crate::units::{byte_scale, count_scale, f64_of};

/// A name, and what a slice has of it.
type Of = (&'static str, fn(&ReadoutInterval) -> f64);

/// The plots of a readout; none when nothing is known of it over time.
pub(in crate::report) fn panels(readout: Option<&Readout>) -> Vec<Panel> {
    let Some(readout) = readout.filter(|readout| !readout.intervals.is_empty()) else { return Vec::new() };
    let shaded = stopped(&readout.intervals);
    let note = if shaded.is_empty() { "" } else { "; shaded: the trigger was stopped" };
    let panel = |of: &[Of], title: &dyn Fn(&'static str) -> String, is_bytes: bool| {
        let traces: Vec<Trace> = of.iter().map(|of| trace(&readout.intervals, *of)).collect();
        let ensemble = Ensemble::new(("line", "lines"), traces);
        let most = ensemble.range().1;
        let scale = if is_bytes { byte_scale(most) } else { count_scale(most) };
        let has_legend = of.len() > 1;
        let shaded = shaded.clone();
        Panel { title: title(scale.unit), ensemble, scale, has_legend, shaded, shade: STOPPED, most: None }
    };
    let mut panels = vec![
        panel(&EVENTS, &|unit| format!("events, {unit}per second{note}"), false),
        panel(&BUILT, &|unit| format!("payload built, {unit}/s"), true),
        panel(&WAITING, &|unit| format!("events that wait{}", in_unit(unit)), false),
        panel(&HELD_BYTES, &|unit| format!("bytes that builders hold, {unit}"), true),
    ];
    if readout.credits.is_some() {
        panels.push(panel(&CREDITS, &|unit| format!("credits that policies hold{}", in_unit(unit)), false));
    }
    panels
}

/// `, thousand`; nothing for a plain count.
fn in_unit(unit: &str) -> String {
    let unit = unit.trim();
    if unit.is_empty() { String::new() } else { format!(", {unit}") }
}

fn trace(intervals: &[ReadoutInterval], (name, of): Of) -> Trace {
    let slices = intervals.iter().map(|interval| Slice {
        start_s: interval.start_s,
        end_s: interval.end_s,
        mean: Some(of(interval)),
    });
    Trace::new(name, slices)
}

/// When the trigger was stopped: from and to, neighbours put together.
fn stopped(intervals: &[ReadoutInterval]) -> Vec<(f64, f64)> {
    let mut times: Vec<(f64, f64)> = Vec::new();
    let is_real = |interval: &&ReadoutInterval| {
        interval.start_s.is_finite() && interval.end_s.is_finite() && interval.end_s > interval.start_s
    };
    for interval in intervals.iter().filter(is_real).filter(|interval| interval.dead) {
        match times.last_mut().filter(|(_, to)| (interval.start_s - *to).abs() < TOUCHING_S) {
            Some((_, to)) => *to = interval.end_s,
            None => times.push((interval.start_s, interval.end_s)),
        }
    }
    times
}

fn per_second(events: u64, interval: &ReadoutInterval) -> f64 {
    f64_of(events) / (interval.end_s - interval.start_s)
}

const EVENTS: [Of; 4] = [
    ("triggered", |interval| per_second(interval.triggered, interval)),
    ("built", |interval| per_second(interval.built, interval)),
    ("decided", |interval| per_second(interval.decided, interval)),
    ("stored", |interval| per_second(interval.stored, interval)),
];
const BUILT: [Of; 1] = [("payload built", |interval| interval.built_bytes_per_s)];
const WAITING: [Of; 2] = [
    ("in flight", |interval| f64_of(interval.in_flight)),
    ("held by builders", |interval| f64_of(interval.held)),
];
const HELD_BYTES: [Of; 1] = [("bytes held", |interval| f64_of(interval.held_bytes))];
const CREDITS: [Of; 1] = [("credits", |interval| f64_of(interval.credits))];
const STOPPED: &str = "the trigger was stopped";
/// Slices that are closer than this touch: their times are written with more digits.
const TOUCHING_S: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_in_which_the_trigger_was_stopped_become_one() {
        let slice = |start_s: f64, dead| ReadoutInterval {
            start_s,
            end_s: start_s + 0.5,
            dead,
            ..ReadoutInterval::default()
        };
        let mut slices = vec![slice(0.0, true), slice(0.5, true), slice(1.0, false), slice(1.5, true)];
        slices.push(slice(f64::NAN, true));
        slices.push(ReadoutInterval { end_s: 3.0, ..slice(4.0, true) });
        assert_eq!(stopped(&slices), [(0.0, 1.0), (1.5, 2.0)]);
    }
}
