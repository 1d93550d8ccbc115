//! The flows in numbers: what each sent and what became of it; below, folded, all that is behind it.

use incast_core::record::{Buffer, Cpu, Flow, Record};

use super::sheet::{Cell, Sheet};
use super::switch_test;
use crate::html::Html;
use crate::said::transport::transport;
use crate::table::Side;
use crate::units::{UNKNOWN, about, bytes, count, difference, nanoseconds, percent, rate, seconds};

/// A row for each flow, and the folded details.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    html.heading(level, "Flows");
    if record.flows.is_empty() {
        html.note("Nobody came: there are no flows.");
        return;
    }
    if record.flows.iter().any(|flow| !flow.complete) {
        html.note("Flows marked with * are incomplete: one side did not tell its account to the end.");
    }
    table(&record.flows).show(html, "flows");
    html.tag("details").holds(|html| {
        html.tag("summary")
            .text("More of each flow: times, buffers, system calls, departures, round trips, order, TCP");
        for (what, sheet) in [
            ("Loads, times and the rest of the account", times(&record.flows)),
            ("Socket buffers and system calls", sockets(&record.flows)),
            ("Departures later than intended", departures(&record.flows)),
            ("Round trips of tagged messages (RFC 2681)", round_trips(&record.flows)),
            ("Reordering (RFC 4737)", reordering(&record.flows)),
            ("TCP at the sender, at the end", tcp(&record.flows)),
        ] {
            if !sheet.is_empty() {
                html.heading(4, what);
                sheet.show(html, what);
            }
        }
    });
}

fn table(flows: &[Flow]) -> Sheet {
    let mut sheet = columns(&[
        "offered load",
        "goodput",
        "sent",
        "received",
        "lost",
        "loss",
        "reordered",
        "CPU sender",
        "CPU receiver",
        "CPU per GB",
    ]);
    for flow in flows {
        let messages = &flow.messages;
        sheet.push(row(
            flow,
            vec![
                Cell::plain(rate(flow.offered_load_bits_per_s)),
                Cell::plain(rate(flow.goodput_bits_per_s)),
                Cell::plain(count(messages.sent)),
                Cell::plain(count(messages.received)),
                Cell::flagged(count(messages.lost), messages.lost > Some(0)),
                Cell::flagged(percent(flow.lost_fraction), flow.lost_fraction > Some(0.0)),
                Cell::flagged(count(messages.reordered), messages.reordered > Some(0)),
                Cell::plain(cpu(flow.cpu.sender.as_ref())),
                Cell::plain(cpu(flow.cpu.receiver.as_ref())),
                Cell::plain(seconds(flow.cpu.seconds_per_gigabyte)),
            ],
        ));
    }
    sheet
}

fn times(flows: &[Flow]) -> Sheet {
    let mut sheet = columns(&[
        "messages of",
        "streams",
        "intended load",
        "wire rate",
        "start",
        "duration",
        "duplicate",
        "late",
        "stale",
        "unexplained",
    ]);
    for flow in flows {
        let messages = &flow.messages;
        sheet.push(row(
            flow,
            vec![
                Cell::plain(bytes(Some(u64::from(flow.message_bytes)))),
                Cell::plain(count(Some(u64::from(flow.streams)))),
                Cell::plain(rate(flow.intended_load_bits_per_s)),
                Cell::plain(rate(flow.wire_rate_bits_per_s)),
                Cell::plain(seconds(flow.start_s)),
                Cell::plain(seconds(flow.duration_s)),
                Cell::flagged(count(messages.duplicate), messages.duplicate > Some(0)),
                Cell::plain(count(messages.late)),
                Cell::flagged(count(messages.stale), messages.stale > Some(0)),
                Cell::flagged(
                    difference(messages.unexplained),
                    messages.unexplained.is_some_and(|open| open != 0),
                ),
            ],
        ));
    }
    sheet
}

fn sockets(flows: &[Flow]) -> Sheet {
    let mut sheet = columns(&[
        "send buffer",
        "of asked",
        "receive buffer",
        "of asked",
        "send calls",
        "receive calls",
        "most per call",
        "switches sender",
        "switches receiver",
    ]);
    for flow in flows {
        let (send, receive) = (flow.socket_buffers.send.as_ref(), flow.socket_buffers.receive.as_ref());
        let switches = |cpu: Option<&Cpu>| {
            cpu.map_or_else(
                || UNKNOWN.to_owned(),
                |cpu| count(Some(cpu.switches_voluntary.saturating_add(cpu.switches_involuntary))),
            )
        };
        let [granted_send, granted_receive] =
            [send, receive].map(|buffer| Cell::plain(bytes(buffer.map(|buffer| buffer.granted_bytes))));
        let [asked_send, asked_receive] = [send, receive].map(|buffer| Cell::plain(asked(buffer)));
        sheet.push(row(
            flow,
            vec![
                granted_send,
                asked_send,
                granted_receive,
                asked_receive,
                Cell::plain(count(flow.batching.send_calls)),
                Cell::plain(count(flow.batching.receive_calls)),
                Cell::plain(count(flow.batching.segments_max.map(u64::from))),
                Cell::plain(switches(flow.cpu.sender.as_ref())),
                Cell::plain(switches(flow.cpu.receiver.as_ref())),
            ],
        ));
    }
    sheet
}

fn asked(buffer: Option<&Buffer>) -> String {
    buffer.map_or_else(
        || UNKNOWN.to_owned(),
        |buffer| buffer.asked_bytes.map_or_else(|| "default".to_owned(), |asked| bytes(Some(asked))),
    )
}

fn departures(flows: &[Flow]) -> Sheet {
    let mut sheet = columns(&["half by at most", "99 % by at most", "largest", "messages given up"]);
    for (flow, error) in flows.iter().filter_map(|flow| Some((flow, flow.departure_error.as_ref()?))) {
        sheet.push(row(
            flow,
            vec![
                Cell::plain(nanoseconds(error.ns_p50)),
                Cell::plain(nanoseconds(error.ns_p99)),
                Cell::plain(nanoseconds(error.ns_max)),
                Cell::flagged(count(Some(error.skipped_messages)), error.skipped_messages > 0),
            ],
        ));
    }
    sheet
}

fn round_trips(flows: &[Flow]) -> Sheet {
    let mut sheet = columns(&["sent", "answered", "half by at most", "99 % by at most", "largest"]);
    for (flow, trip) in flows.iter().filter_map(|flow| Some((flow, flow.round_trip.as_ref()?))) {
        let counts = [
            Cell::plain(count(Some(trip.sent))),
            Cell::flagged(count(Some(trip.answered)), trip.answered < trip.sent),
        ];
        let times = switch_test::times(trip).map(Cell::plain);
        sheet.push(row(flow, counts.into_iter().chain(times).collect()));
    }
    sheet
}

fn reordering(flows: &[Flow]) -> Sheet {
    let mut sheet =
        columns(&["of first arrivals", "largest extent", "mean extent", "3-reordered", "extent unknown"]);
    let reordered = |flow: &Flow| flow.messages.reordered > Some(0);
    for (flow, order) in
        flows.iter().filter(|flow| reordered(flow)).filter_map(|flow| Some((flow, flow.reordering.as_ref()?)))
    {
        // Three is what a TCP sender takes for loss (RFC 5681 §3.2).
        let three = order.n_reordering.get(2).copied().unwrap_or(0);
        sheet.push(row(
            flow,
            vec![
                Cell::plain(percent(Some(order.ratio))),
                Cell::plain(count(Some(order.extent_max))),
                Cell::plain(about(order.extent_mean)),
                Cell::plain(count(Some(three))),
                Cell::plain(count(Some(order.extent_unknown))),
            ],
        ));
    }
    sheet
}

fn tcp(flows: &[Flow]) -> Sheet {
    let mut sheet = columns(&["congestion control", "segments sent again", "round trip", "segment"]);
    for (flow, tcp) in flows.iter().filter_map(|flow| Some((flow, flow.tcp.as_ref()?))) {
        let round_trip = tcp.round_trip_us.map(|us| nanoseconds(us.saturating_mul(1000)));
        sheet.push(row(
            flow,
            vec![
                Cell::plain(&tcp.congestion),
                Cell::plain(count(tcp.retransmits)),
                Cell::plain(round_trip.unwrap_or_else(|| UNKNOWN.to_owned())),
                Cell::plain(bytes(tcp.segment_bytes)),
            ],
        ));
    }
    sheet
}

/// A table whose rows are flows, with these numbers of each.
fn columns(numbers: &[&str]) -> Sheet {
    let words = [("flow", Side::Left), ("from → to", Side::Left), ("over", Side::Left)];
    let numbers = numbers.iter().map(|name| (*name, Side::Right));
    Sheet::new(&words.into_iter().chain(numbers).collect::<Vec<_>>())
}

fn row(flow: &Flow, numbers: Vec<Cell>) -> Vec<Cell> {
    let star = if flow.complete { "" } else { " *" };
    let mut row = vec![
        Cell::plain(format!("{}{star}", flow.name)),
        Cell::marked(format!("{} → {}", flow.from, flow.to), "faint"),
        Cell::plain(transport(flow)),
    ];
    row.extend(numbers);
    row
}

fn cpu(cpu: Option<&Cpu>) -> String {
    seconds(cpu.map(Cpu::total_s))
}
