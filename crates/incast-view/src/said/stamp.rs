//! A watched path in words, for the terminal and the page alike.

use incast_core::record::{StampClock, StampFault, StampReport};

use crate::units::{UNKNOWN, bytes, count, nanoseconds, percent, seconds};

/// What was sent.
pub(crate) fn tests(stamp: &StampReport) -> Vec<String> {
    let kind = if stamp.authenticated { "authenticated" } else { "open" };
    let mut said = vec![
        format!("{} of {}", count(Some(stamp.sent)), bytes(Some(stamp.packet_bytes))),
        format!("one every {}", nanoseconds(stamp.gap_ns)),
        format!("{kind} STAMP"),
        format!("replies within {}", nanoseconds(stamp.timeout_ns)),
        format!("{} replies stamped by the kernel", count(Some(stamp.kernel_stamps))),
    ];
    if stamp.skipped > 0 {
        said.push(format!("{} departures given up", count(Some(stamp.skipped))));
    }
    said
}

/// What became of them.
pub(crate) fn account(stamp: &StampReport) -> String {
    format!(
        "sent {} = answered {} + late {} + lost {} + in flight {}; duplicate {}, reordered {}",
        count(Some(stamp.sent)),
        count(Some(stamp.answered)),
        count(Some(stamp.late)),
        count(Some(stamp.lost)),
        count(Some(stamp.in_flight)),
        count(Some(stamp.duplicate)),
        count(Some(stamp.reordered))
    )
}

/// On which way they were lost.
pub(crate) fn ways(stamp: &StampReport) -> Vec<String> {
    let by = match stamp.reflector_counts.as_deref() {
        Some("counters") => "by the reflector's counters",
        Some(_) => "by the reflector's sequence numbers",
        None => "the reflector does not count",
    };
    vec![
        percent(stamp.lost_fraction),
        format!("there {}", count(stamp.lost_forward)),
        format!("back {}", count(stamp.lost_backward)),
        format!("way unknown {}", count(stamp.lost_way_unknown)),
        by.to_owned(),
    ]
}

/// What was counted and is in no number.
pub(crate) fn left_out(fault: &StampFault) -> String {
    format!("{} replies {}", count(Some(fault.replies)), fault.what)
}

/// What is said of each time.
pub(crate) const SPREAD: [&str; 8] =
    ["samples", "least", "half", "90 %", "99 %", "largest", "PDV 99 %", "IPDV 99 %"];

/// Every time that is known: its name, and a number for each of [`SPREAD`].
pub(crate) fn spreads(stamp: &StampReport) -> impl Iterator<Item = (&'static str, [String; 8])> {
    let times = [
        ("round trip", stamp.round_trip.as_ref()),
        ("there", stamp.forward.as_ref()),
        ("back", stamp.backward.as_ref()),
        ("at the reflector", stamp.held.as_ref()),
    ];
    times.into_iter().filter_map(|(name, spread)| {
        let spread = spread?;
        let numbers = [
            count(Some(spread.samples)),
            time(Some(spread.ns_min)),
            time(Some(spread.ns_p50)),
            time(Some(spread.ns_p90)),
            time(Some(spread.ns_p99)),
            time(Some(spread.ns_max)),
            time(Some(spread.pdv_ns_p99)),
            spread.ipdv_ns_p99.map_or_else(|| UNKNOWN.to_owned(), nanoseconds),
        ];
        Some((name, numbers))
    })
}

/// The reflector's clock against ours.
pub(crate) fn clock(clock: &StampClock) -> Vec<String> {
    let error = clock.error_ns.map_or_else(|| UNKNOWN.to_owned(), nanoseconds);
    let mut said = if clock.source == "agreed" {
        vec![format!("said to agree within {error}")]
    } else {
        vec![format!("ahead by {} +- {error}, estimated", time(clock.offset_ns))]
    };
    match (clock.drift_ppb, clock.drift_error_ppb) {
        (Some(_), Some(DRIFT_UNKNOWN_PPB..)) => said.push("too short for its drift".to_owned()),
        (Some(drift), Some(error)) => {
            let error = i64::try_from(error).unwrap_or(i64::MAX);
            said.push(format!("drift {} +- {} ppm", ppm(drift), ppm(error)));
        }
        _ => {}
    }
    if clock.steps > 0 {
        said.push(format!("stepped {} times", count(Some(clock.steps))));
    }
    if let Some(claimed) = clock.reflector_error_ns {
        said.push(format!("the reflector claims UTC within {}", nanoseconds(claimed)));
    }
    said
}

/// A time that may be negative.
#[expect(clippy::cast_precision_loss, reason = "for printing: 53 bits are enough")]
pub(crate) fn time(ns: Option<i64>) -> String {
    seconds(ns.map(|ns| ns as f64 / 1e9))
}

#[expect(clippy::cast_precision_loss, reason = "for printing: 53 bits are enough")]
fn ppm(ppb: i64) -> String {
    format!("{:.2}", ppb as f64 / 1e3)
}

/// No clock is off by so much: a drift that is known no better is not known.
const DRIFT_UNKNOWN_PPB: u64 = 500_000;
