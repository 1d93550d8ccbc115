//! What there is to say of single flows beside the table: runs of loss, reordering, late
//! departures, segments sent again. A section without anything to say is left out.

use std::cmp::Reverse;

use incast_core::record::{DepartureError, Flow, LossRuns, Reordering, RunLength, TcpSummary};

use crate::page::{FAINT, Label, Page};
use crate::text::{clean, counted, cut, width};
use crate::units::{about, count, nanoseconds, percent};

/// The sections that have something to say.
pub(super) fn show(page: &mut Page, flows: &[Flow]) {
    section(page, flows, "runs of loss", |flow| {
        let runs = flow.loss_runs.as_ref().filter(|runs| runs.runs > 0)?;
        Some((runs.longest, loss_runs(runs)))
    });
    section(page, flows, "reordering (RFC 4737)", |flow| {
        let order = flow.reordering.as_ref().filter(|order| order.ratio > 0.0 || order.extent_max > 0)?;
        Some((order.extent_max, reordering(order)))
    });
    section(page, flows, "departures later than intended", |flow| {
        let error = flow.departure_error.as_ref()?;
        Some((error.ns_p99, departures(error)))
    });
    section(page, flows, "TCP at the sender", |flow| {
        let tcp = flow.tcp.as_ref()?;
        Some((tcp.retransmits?, retransmits(tcp)))
    });
}

/// A title and a line for each flow of which `tell` knows something: how bad it is, and the words.
/// Too many are cut to the worst.
fn section(page: &mut Page, flows: &[Flow], title: &str, tell: impl Fn(&Flow) -> Option<(u64, Vec<String>)>) {
    let mut told: Vec<(&Flow, u64, Vec<String>)> = Vec::new();
    told.extend(flows.iter().filter_map(|flow| tell(flow).map(|(badness, items)| (flow, badness, items))));
    if told.is_empty() {
        return;
    }
    let left_out = told.len().saturating_sub(FLOWS_MAX);
    if left_out > 0 {
        told.sort_by_key(|(_, badness, _)| Reverse(*badness));
        told.truncate(FLOWS_MAX);
    }
    page.section(title);
    let names: Vec<String> = told.iter().map(|(flow, ..)| page.name(&flow.name)).collect();
    let cells = names.iter().map(|name| width(name)).max().unwrap_or(0);
    for (name, (.., items)) in names.iter().zip(&told) {
        page.items(&Label::below(name, cells), items);
    }
    if left_out > 0 {
        let what =
            format!("the worst {FLOWS_MAX}; {} more in the record", counted(left_out, "flow", "flows"));
        page.words(&Label::none().body(FAINT), &what);
    }
}

fn loss_runs(runs: &LossRuns) -> Vec<String> {
    let mut items =
        vec![format!("runs {}", count(Some(runs.runs))), format!("longest {}", count(Some(runs.longest)))];
    items.extend(runs.lengths.iter().filter(|length| length.runs > 0).take(LENGTHS_MAX).map(run_length));
    if runs.lengths.len() > LENGTHS_MAX {
        items.push("longer ones in the record".to_owned());
    }
    items
}

/// `12 of length 1`, `3 of length 64 to 127`.
fn run_length(length: &RunLength) -> String {
    let to = if length.to > length.from { format!(" to {}", count(Some(length.to))) } else { String::new() };
    format!("{} of length {}{to}", count(Some(length.runs)), count(Some(length.from)))
}

fn reordering(order: &Reordering) -> Vec<String> {
    let mut items = vec![
        format!("{} of first arrivals", percent(Some(order.ratio))),
        format!("extent at most {}", count(Some(order.extent_max))),
        format!("mean extent {}", about(order.extent_mean)),
    ];
    // Three is what a TCP sender takes for loss (RFC 5681 §3.2).
    if let Some(three) = order.n_reordering.get(2).filter(|three| **three > 0) {
        items.push(format!("3-reordered {}", count(Some(*three))));
    }
    if order.extent_unknown > 0 {
        items.push(format!("extent unknown of {}", count(Some(order.extent_unknown))));
    }
    items
}

fn departures(error: &DepartureError) -> Vec<String> {
    let mut items = vec![
        format!("half by at most {}", nanoseconds(error.ns_p50)),
        format!("99 % by at most {}", nanoseconds(error.ns_p99)),
        format!("largest {}", nanoseconds(error.ns_max)),
    ];
    if error.skipped_messages > 0 {
        items.push(format!("messages given up {}", count(Some(error.skipped_messages))));
    }
    items
}

fn retransmits(tcp: &TcpSummary) -> Vec<String> {
    let round_trip =
        tcp.round_trip_us.map(|us| format!("round trip {}", nanoseconds(us.saturating_mul(1000))));
    let segment = tcp.segment_bytes.map(|bytes| format!("segments of {} B", count(Some(bytes))));
    let congestion = Some(cut(&clean(&tcp.congestion), CONGESTION_CELLS_MAX)).filter(|name| !name.is_empty());
    let again = format!("segments sent again {}", count(tcp.retransmits));
    std::iter::once(again).chain([round_trip, segment, congestion].into_iter().flatten()).collect()
}

/// Most flows of a section: as many as fit beside the rest of a report.
const FLOWS_MAX: usize = 8;
/// Most lengths of runs of one flow; the shortest tell whether loss comes alone or in bursts.
const LENGTHS_MAX: usize = 6;
/// The kernel's `TCP_CA_NAME_MAX` is 16.
const CONGESTION_CELLS_MAX: usize = 16;
