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

/// The distributions that are known: a name, the times, and what is said where one without an answer stands.
pub(crate) fn times(exchange: &Exchange) -> impl Iterator<Item = (&'static str, &ExchangeTimes, String)> {
    let is_open = exchange.intended_rounds_per_s.is_some();
    let beyond = beyond(exchange);
    let all = [
        ("response", exchange.response.as_ref(), beyond.clone()),
        ("from its moment", exchange.intended.as_ref().filter(|_| is_open), beyond.clone()),
        ("round", exchange.round.as_ref(), beyond),
        // The first answer of a round may have come late: how far the last is behind it has no bound.
        ("first to last", exchange.spread.as_ref(), NO_ANSWER.to_owned()),
        ("departure", exchange.departure.as_ref().filter(|_| is_open), String::new()),
    ];
    all.into_iter().filter_map(|(name, times, beyond)| Some((name, times?, beyond)))
}

/// What is known of the time of a request that had no answer: longer than it was waited for, if it was waited for.
pub(crate) fn beyond(exchange: &Exchange) -> String {
    let is_patient = exchange.failed == Some(0) && exchange.unanswered == Some(0);
    match exchange.timeout_us.filter(|_| is_patient) {
        Some(timeout) => format!("> {}", microseconds(Some(timeout))),
        None => NO_ANSWER.to_owned(),
    }
}

/// A quantile of times; where a request without an answer stands, what is known of that.
pub(crate) fn quantile(times: &ExchangeTimes, us: Option<f64>, beyond: &str) -> String {
    if us.is_none() && times.without_answer > 0 { beyond.to_owned() } else { microseconds(us) }
}

/// Least, quantiles and largest, as tables have them.
pub(crate) fn quantiles(times: &ExchangeTimes, beyond: &str) -> [String; 6] {
    [times.us_min, times.us_p50, times.us_p90, times.us_p99, times.us_p999, times.us_max]
        .map(|us| quantile(times, us, beyond))
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

const NO_ANSWER: &str = "no answer";
/// Most answerers that are named in a sentence.
const NAMES_MAX: usize = 4;
