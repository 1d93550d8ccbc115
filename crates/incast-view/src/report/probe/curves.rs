//! What points come to, against their gap or their load: a line for each message size.
//!
//! Points that were played several times are drawn as one, by their median. The gap axis is logarithmic, with a place
//! for none below its powers of ten.

use incast_core::record::{Probe, ProbePoint};

use crate::html::{Html, coordinate};
use crate::plot::Pen;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::said;
use crate::units::{Scale, count};

/// A number of a point, if it is known.
type Of = fn(&ProbePoint) -> Option<f64>;

/// One line: its name and its places, by rising x.
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) places: Vec<(f64, f64)>,
}

/// What stands on one axis.
struct Quantity {
    title: &'static str,
    of: Of,
    is_log: bool,
    scale: Scale,
}

/// Every figure of which something is known.
pub(super) fn show(html: &mut Html, probe: &Probe) {
    for y in AGAINST_GAP {
        draw(html, probe, &GAP, y);
    }
    for y in AGAINST_LOAD {
        draw(html, probe, &LOAD, y);
    }
}

fn draw(html: &mut Html, probe: &Probe, x: &Quantity, y: &Quantity) {
    let curves = curves(probe, x.of, y.of);
    let known = || curves.iter().flat_map(|curve| curve.places.iter().copied());
    // What never happened needs no figure: the table says so.
    if curves.iter().all(|curve| curve.places.len() < 2) || known().all(|(_, y)| y <= 0.0) {
        return;
    }
    let axis = |quantity: &Quantity, values: Vec<f64>| {
        let least = values.iter().copied().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        let has_zero = values.iter().any(|value| *value <= 0.0);
        match (quantity.is_log && least.is_finite(), has_zero) {
            (true, true) => Axis::log_above_zero(least, most),
            (true, false) => Axis::log(least, most),
            (false, _) => Axis::rounded(0.0, most, quantity.scale),
        }
    };
    let across = axis(x, known().map(|(x, _)| x).collect());
    let upright = axis(y, known().map(|(_, y)| y).collect());
    figure(html, y.title, (x.title, &across), &upright, &curves);
}

/// A figure with a line for each curve.
pub(super) fn figure(html: &mut Html, title: &str, (x_title, x): (&str, &Axis), y: &Axis, curves: &[Curve]) {
    let legend: Vec<(Pen, String)> =
        curves.iter().enumerate().map(|(index, curve)| (Pen(index), curve.name.clone())).collect();
    html.tag("figure").holds(|html| {
        let frame = Frame { title, x, y, height: HEIGHT, x_title: Some(x_title), legend: &legend };
        frame.draw(html, |html, area| {
            for (index, curve) in curves.iter().enumerate() {
                line(html, curve, Pen(index), (x, y), area);
            }
        });
    });
}

fn line(html: &mut Html, curve: &Curve, pen: Pen, (x, y): (&Axis, &Axis), area: Area) {
    if curve.places.is_empty() {
        return;
    }
    let place = |(at, value): &(f64, f64)| {
        format!("{} {}", coordinate(Area::x(x.place(*at))), coordinate(area.y(y.place(*value))))
    };
    let places: Vec<String> = curve.places.iter().map(place).collect();
    let path = html.tag("path").set("class", &pen.line());
    path.set("d", &format!("M{}", places.join("L"))).holds(|html| html.tag("title").text(&curve.name));
    if places.len() > DOTS_MAX {
        return;
    }
    let dots: String = places.iter().map(|place| format!("M{place}h0")).collect();
    html.tag("path").set("class", &format!("{} dots", pen.line())).set("d", &dots).empty();
}

/// A curve for each message size, as many as can be told apart.
fn curves(probe: &Probe, x: Of, y: Of) -> Vec<Curve> {
    let mut sizes: Vec<u32> = probe.points.iter().map(|point| point.message_bytes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let of_size = |bytes: &u32| Curve {
        name: format!("{} B", count(Some(u64::from(*bytes)))),
        places: places(probe, *bytes, x, y),
    };
    sizes.iter().take(Pen::MAX).map(of_size).filter(|curve| !curve.places.is_empty()).collect()
}

/// The medians over the repetitions of each gap.
fn places(probe: &Probe, bytes: u32, x: Of, y: Of) -> Vec<(f64, f64)> {
    let points = said::probe::sorted(probe);
    let own: Vec<&ProbePoint> = points.into_iter().filter(|point| point.message_bytes == bytes).collect();
    let same = |one: &&ProbePoint, other: &&ProbePoint| said::probe::gap(one) == said::probe::gap(other);
    let median = |points: &[&ProbePoint], of: Of| {
        let mut known: Vec<f64> =
            points.iter().filter_map(|point| of(point)).filter(|value| value.is_finite()).collect();
        known.sort_by(f64::total_cmp);
        known.get(known.len() / 2).copied()
    };
    let mut places: Vec<(f64, f64)> = own
        .chunk_by(same)
        .filter_map(|repeated| Some((median(repeated, x)?, median(repeated, y)?)))
        .collect();
    places.sort_by(|one, other| one.0.total_cmp(&other.0));
    places
}

#[expect(clippy::cast_precision_loss, reason = "a place in a figure")]
fn us(ns: i64) -> f64 {
    ns as f64 / 1e3
}

const PLAIN: Scale = Scale { factor: 1.0, unit: "" };
const MEGABITS: Scale = Scale { factor: 1e6, unit: "Mbit/s" };

const GAP: Quantity = Quantity {
    title: "gap between messages that was asked for, us; logarithmic, 0 is none",
    of: |point| Some(point.gap_ns.unwrap_or(0.0) / 1e3),
    is_log: true,
    scale: PLAIN,
};
const LOAD: Quantity = Quantity {
    title: "offered load, Mbit/s",
    of: |point| point.offered_load_bits_per_s,
    is_log: false,
    scale: MEGABITS,
};

const AGAINST_GAP: &[Quantity] = &[
    Quantity {
        title: "received, Mbit/s",
        of: |point| point.received_bits_per_s,
        is_log: false,
        scale: MEGABITS,
    },
    Quantity {
        title: "lost part of the messages sent, %; logarithmic above 0",
        of: |point| point.lost_fraction.map(|lost| lost * 100.0),
        is_log: true,
        scale: PLAIN,
    },
    Quantity {
        title: "CPU of the receiving thread per message, ns",
        of: |point| point.receiver.cpu_ns_per_message,
        is_log: false,
        scale: PLAIN,
    },
    Quantity {
        title: "interrupts of the receiving host per message",
        of: |point| point.receiver.interrupts_per_message,
        is_log: false,
        scale: PLAIN,
    },
    Quantity {
        title: "our own pacing: half of the departures are later than intended by at most, ns; logarithmic",
        of: |point| point.departure_error.as_ref().map(|error| crate::units::f64_of(error.ns_p50)),
        is_log: true,
        scale: PLAIN,
    },
];

const AGAINST_LOAD: &[Quantity] = &[
    Quantity {
        title: "one-way delay, median, us; logarithmic",
        of: |point| point.delay.as_ref().map(|delay| us(delay.ns_p50)),
        is_log: true,
        scale: PLAIN,
    },
    Quantity {
        title: "delay above the smallest (PDV), 99th percentile, us; logarithmic",
        of: |point| point.delay_above_min.as_ref().map(|delay| us(delay.ns_p99)),
        is_log: true,
        scale: PLAIN,
    },
    Quantity {
        title: "reordered part of the messages received, % (RFC 4737); logarithmic above 0",
        of: |point| Some(point.reordering.ratio * 100.0),
        is_log: true,
        scale: PLAIN,
    },
];

const HEIGHT: f64 = 170.0;
/// More dots than this run into each other: a histogram is a line.
const DOTS_MAX: usize = 40;
