//! What there is to say of a probe in words, the same on a terminal and on a page.

use incast_core::record::{Probe, ProbePoint};

use crate::text::counted;
use crate::units::{count, nanoseconds};

/// How the clocks compare, and what told the time of arrivals.
pub(crate) fn clocks(probe: &Probe) -> Vec<String> {
    let clocks = &probe.clocks;
    let exchanged = format!(
        "{} of {} two-way messages answered",
        count(Some(clocks.answers)),
        count(Some(clocks.requests))
    );
    let offset = clocks.offset_ns.unwrap_or(0);
    let side = if offset < 0 { "behind" } else { "ahead" };
    let offset = nanoseconds(offset.unsigned_abs());
    let error = clocks.error_ns.map_or_else(String::new, nanoseconds);
    let relation = match clocks.relation.as_str() {
        "shared" => "both ends read the same clock, so that delays are exact as far as clocks go".to_owned(),
        "estimated" => format!(
            "the receiver's clock is {side} by {offset}, to within {error}, and runs faster by {} (to within {}) in 10^9",
            clocks.drift_ppb.unwrap_or(0),
            clocks.drift_error_ppb.unwrap_or(0)
        ),
        _ => "nothing compares the two clocks: delays are given above the smallest only".to_owned(),
    };
    let trip = clocks.round_trip_ns_min.map(|ns| format!("; smallest round trip {}", nanoseconds(ns)));
    let stamps = match probe.stamps.as_deref() {
        Some("nic") => "arrivals are stamped by the network card",
        Some("kernel") => "arrivals are stamped by the kernel, when the driver hands it the packet",
        Some("reader") => "arrivals are told by the reader's clock, when it takes a batch",
        Some(_) => "arrivals are stamped by the kernel or, where it had no stamp, by the reader",
        None => "nothing arrived",
    };
    vec![format!("{relation}; {exchanged}{}", trip.unwrap_or_default()), stamps.to_owned()]
}

/// Every point by size, gap and repetition, the heaviest load of a size first.
pub(crate) fn sorted(probe: &Probe) -> Vec<&ProbePoint> {
    let mut points: Vec<&ProbePoint> = probe.points.iter().collect();
    points.sort_by(|one, other| {
        let gap = |point: &ProbePoint| point.gap_ns.unwrap_or(0.0);
        let sizes = one.message_bytes.cmp(&other.message_bytes);
        sizes.then(gap(one).total_cmp(&gap(other))).then(one.repetition.cmp(&other.repetition))
    });
    points
}

/// The point of which the record's flows and totals are.
pub(crate) fn shown_point(probe: &Probe) -> Option<&ProbePoint> {
    probe.points.get(usize::try_from(probe.shown_point?).ok()?)
}

/// A point's gap.
pub(crate) fn gap(point: &ProbePoint) -> String {
    point.gap_ns.map_or_else(|| "none".to_owned(), |ns| crate::units::seconds(Some(ns / 1e9)))
}

/// A point in words.
pub(crate) fn point(point: &ProbePoint) -> String {
    let gap = point.gap_ns.map_or_else(|| "no gap".to_owned(), |_| format!("gap {}", gap(point)));
    format!("messages of {} B, {gap}", count(Some(u64::from(point.message_bytes))))
}

/// How many points, and what of them is not counted.
pub(crate) fn extent(probe: &Probe) -> String {
    let points = counted(probe.points.len(), "point", "points");
    format!("{points}, the first {} messages of each left out", count(Some(probe.warm_up_messages)))
}
