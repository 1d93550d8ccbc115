//! TCP at both ends over time: window and threshold, round trip, what was sent again.
//!
//! A state holds from the moment when it was seen until the next was.

use incast_core::record::{Exchange, TcpHistory, TcpSample};

use crate::html::Html;
use crate::plot::axis::Axis;
use crate::plot::trace::{Slice, Trace};
use crate::report::ensemble::Ensemble;
use crate::report::over_time::Panel;
use crate::units::{Scale, count_scale, f64_of, time_scale};

/// The figure; nothing when no connection was looked at twice.
pub(super) fn show(html: &mut Html, exchange: &Exchange) {
    let panels = panels(exchange);
    let end_s = panels.iter().fold(0.0_f64, |end, panel| end.max(panel.ensemble.end_s()));
    if end_s <= 0.0 {
        return;
    }
    let scale = time_scale(end_s);
    let x = Axis::exact(0.0, end_s, scale);
    let x_title = format!("time since the connection was opened, {}", scale.unit);
    html.tag("figure").class("over-time").holds(|html| {
        let last = panels.len() - 1;
        for (index, panel) in panels.iter().enumerate() {
            panel.draw(html, &x, (index == last).then_some(x_title.as_str()));
        }
    });
    if exchange.peers.len() > PEERS_MAX {
        html.note(&format!("The first {PEERS_MAX} answerers are drawn; the record has all."));
    }
    html.note(
        "The answerer sends the responses: its window is what limits them. The asker's round trip is that of its \
         requests. A threshold that is not drawn is infinite: slow start goes on.",
    );
}

fn panels(exchange: &Exchange) -> Vec<Panel> {
    let traces =
        |end: fn(&incast_core::record::ExchangePeer) -> Option<&TcpHistory>, what: &str, of: Value| {
            let peers = exchange.peers.iter().take(PEERS_MAX);
            let named = peers.filter_map(|peer| {
                let name =
                    if exchange.peers.len() > 1 { format!("{}, {what}", peer.name) } else { what.to_owned() };
                Some(trace(&name, end(peer)?, of))
            });
            named.filter(Trace::is_known).collect::<Vec<Trace>>()
        };
    let mut windows =
        traces(|peer| peer.at_answerer.as_ref(), "window", |sample| sample.congestion_window_segments);
    windows.extend(traces(
        |peer| peer.at_answerer.as_ref(),
        "threshold",
        |sample| sample.slow_start_threshold_segments,
    ));
    let mut trips = traces(|peer| peer.at_answerer.as_ref(), "answerer", |sample| sample.round_trip_us);
    trips.extend(traces(|peer| peer.at_asker.as_ref(), "asker", |sample| sample.round_trip_us));
    let again = traces(|peer| peer.at_answerer.as_ref(), "sent again", |sample| sample.retransmits);
    let mut panels = Vec::new();
    let mut push = |title: &str, traces: Vec<Trace>, scale: fn(f64) -> Scale| {
        let ensemble = Ensemble::new(("connection", "connections"), traces);
        if ensemble.traces.is_empty() {
            return;
        }
        let scale = scale(ensemble.range().1);
        let title = format!(
            "{title}{}",
            if scale.unit.is_empty() { String::new() } else { format!(", {}", scale.unit) }
        );
        let (most, has_legend, shaded, shade) = (None, true, Vec::new(), "");
        panels.push(Panel { title, ensemble, scale, most, has_legend, shaded, shade });
    };
    push("congestion window and slow-start threshold of the answerer, segments", windows, count_scale);
    push("smoothed round trip", trips, microsecond_scale);
    push("segments that the answerer sent again so far", again, count_scale);
    panels
}

type Value = fn(&TcpSample) -> Option<u64>;

fn trace(name: &str, history: &TcpHistory, of: Value) -> Trace {
    let samples = &history.samples;
    let slice = |pair: &[TcpSample]| Slice {
        start_s: pair[0].at_s,
        end_s: pair[1].at_s,
        mean: of(&pair[0]).map(f64_of),
    };
    Trace::new(name, samples.windows(2).map(slice))
}

/// The scale of an axis of microseconds.
fn microsecond_scale(most_us: f64) -> Scale {
    let scale = time_scale(most_us / 1e6);
    Scale { factor: scale.factor * 1e6, unit: scale.unit }
}

/// Most answerers that are drawn: their lines can be told apart.
const PEERS_MAX: usize = 3;
