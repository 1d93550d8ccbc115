//! What is said of exchanges in the same words on a terminal and on a page.

use incast_core::record::{Exchange, ExchangeTimes, TcpHistory};

use crate::text::{clean, counted};
use crate::units::{bytes, count, difference, frequency, microseconds, percent};

/// Who asks whom for what.
pub(crate) fn terms(exchange: &Exchange) -> String {
    let names: Vec<String> = exchange.peers.iter().take(NAMES_MAX).map(|peer| clean(&peer.name)).collect();
    let more = match exchange.peers.len().saturating_sub(NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let transport = exchange.transport.map_or("-", |transport| transport.name());
    let [request, response] =
        [exchange.request_bytes, exchange.response_bytes].map(|size| bytes(Some(size.into())));
    let mut parts = vec![
        format!("{} asks {}{more} over {transport}", clean(&exchange.from), names.join(", ")),
        format!("{request} for {response}"),
    ];
    parts.extend(exchange.outstanding.map(|outstanding| format!("{outstanding} outstanding")));
    parts.extend(
        exchange.intended_rounds_per_s.map(|load| format!("{} rounds/s intended", frequency(Some(load)))),
    );
    let spans = [("think", exchange.think_us), ("service", Some(exchange.service_us))];
    let spans = spans.into_iter().filter(|(_, us)| us.is_some_and(|us| us > 0.0));
    parts.extend(spans.map(|(name, us)| format!("{name} {}", microseconds(us))));
    if exchange.new_connections {
        parts.push("a connection for each request".into());
    }
    parts.join(", ")
}

/// What became of the requests: a sum that closes.
pub(crate) fn account(exchange: &Exchange) -> Vec<String> {
    let mut parts = vec![
        format!("{} asked = {} answered", count(exchange.asked), count(exchange.answered)),
        format!("{} timed out", count(exchange.timed_out)),
        format!("{} failed", count(exchange.failed)),
        format!("{} unanswered", count(exchange.unanswered)),
        format!("residual {}", difference(exchange.residual)),
    ];
    let rest = [(exchange.late, "late"), (exchange.rounds_overdue, "never left")];
    let rest = rest.into_iter().filter(|(number, _)| number.is_some_and(|number| number > 0));
    parts.extend(rest.map(|(number, name)| format!("{} {name}", count(number))));
    parts
}

/// The distributions that are known, by name.
pub(crate) fn times(exchange: &Exchange) -> impl Iterator<Item = (&'static str, &ExchangeTimes)> {
    let is_open = exchange.intended_rounds_per_s.is_some();
    let all = [
        ("response", exchange.response.as_ref()),
        ("from its moment", exchange.intended.as_ref().filter(|_| is_open)),
        ("round", exchange.round.as_ref()),
        ("first to last", exchange.spread.as_ref()),
        ("departure", exchange.departure.as_ref().filter(|_| is_open)),
    ];
    all.into_iter().filter_map(|(name, times)| Some((name, times?)))
}

/// How many answers held up their round.
pub(crate) fn stragglers(exchange: &Exchange) -> Option<String> {
    let share = exchange.straggler_fraction?;
    Some(format!(
        "{} of the answers took over twice the median of their round; {} of the rounds had one",
        percent(Some(share)),
        percent(exchange.rounds_with_straggler_fraction)
    ))
}

/// One end of a connection as it was last.
pub(crate) fn connection(history: &TcpHistory) -> Vec<String> {
    let Some(last) = history.samples.last() else { return Vec::new() };
    let us = |us: Option<u64>| microseconds(us.map(crate::units::f64_of));
    let known = |name: &str, value: Option<u64>| value.map(|value| format!("{name} {}", count(Some(value))));
    let parts = [
        history.congestion.as_deref().map(clean),
        known("window", last.congestion_window_segments).map(|text| format!("{text} segments")),
        known("threshold", last.slow_start_threshold_segments),
        last.round_trip_us.map(|_| {
            format!("round trip {} +- {}", us(last.round_trip_us), us(last.round_trip_variation_us))
        }),
        last.retransmits
            .map(|again| counted(usize::try_from(again).unwrap_or(usize::MAX), "retransmit", "retransmits")),
        known("reordering", last.reordering_segments),
        last.delivery_rate_bytes_per_s
            .filter(|rate| *rate > 0)
            .map(|rate| format!("delivers {}", crate::units::byte_rate(Some(crate::units::f64_of(rate))))),
        last.limited_by_receiver_us
            .filter(|limited| *limited > 0)
            .map(|limited| format!("{} held up by the window", us(Some(limited)))),
        last.limited_by_send_buffer_us
            .filter(|limited| *limited > 0)
            .map(|limited| format!("{} by the send buffer", us(Some(limited)))),
    ];
    parts.into_iter().flatten().collect()
}

/// Most answerers that are named in a sentence.
const NAMES_MAX: usize = 4;
