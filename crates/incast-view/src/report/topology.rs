//! The network as a drawing: those who send on the left, those who receive on the right, the switches
//! between them.
//!
//! Each cable says what bounds the flood on it: from a sender its own rate and queue, to a receiver
//! those of the switch's port. When all cables of a side are alike, that is said once above them.
//! The drawing keeps its size, so that its text can be read, and scrolls in its box. In a large network what is
//! alike is drawn once. Cables and hosts at which packets died are marked.

mod layout;

use std::collections::BTreeMap;

use incast_core::record::{Network, NetworkCable, Record};

use super::cables::{impairments, limit};
use crate::fold::{Folded, fold};
use crate::html::Html;
use crate::text::cut;
use crate::units::{bytes, count};
use layout::{Box, IsRight, Layout, Place};

/// The drawing; nothing where the run used a network that was there.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    let Some(network) = &record.network else { return };
    if network.hosts.is_empty() && network.switches.is_empty() {
        return;
    }
    html.heading(level, "The network");
    let folded = fold(network, |host| layout::receives(record, host));
    let network = folded.network.as_ref();
    let is_right = |name: &str| layout::receives(record, folded.first(name));
    let texts: Vec<Vec<String>> =
        network.cables.iter().map(|cable| said(&is_right, &folded, cable)).collect();
    let alike = [Place::Left, Place::Right].map(|side| said_once(&is_right, network, &texts, side));
    let labelled = |side: Place| alike[usize::from(side == Place::Right)].is_none();
    let layout = Layout::new(&is_right, network, labelled(Place::Left), labelled(Place::Right));
    html.tag("figure").holds(|html| {
        html.tag("div")
            .class("scroll")
            .set("tabindex", "0")
            .set("role", "region")
            .set("aria-label", "the network")
            .holds(|html| {
                let svg =
                    html.tag("svg").class("topology").at("width", layout.width).at("height", layout.height);
                let box_of = format!("0 0 {:.0} {:.0}", layout.width, layout.height);
                svg.set("viewBox", &box_of).set("role", "img").set("aria-label", &spoken(network)).holds(
                    |html| {
                        for (cable, text) in network.cables.iter().zip(&texts) {
                            draw_cable(html, &layout, cable, text, &alike);
                        }
                        captions(html, &layout, &alike);
                        draw_hosts(html, network, &layout, &died_at_hosts(record, &folded));
                        draw_switches(html, network, &layout);
                    },
                );
            });
    });
}

/// What is said beside a cable: what bounds it, what happens on the way, and what was dropped there.
fn said(is_right: IsRight<'_>, folded: &Folded<'_>, cable: &NetworkCable) -> Vec<String> {
    let to_receiver = is_right(&cable.from);
    let (rate, queue) = if to_receiver {
        (cable.port_rate_bits_per_s, cable.port_queue_bytes)
    } else {
        (cable.rate_bits_per_s, cable.queue_bytes)
    };
    let mut first = vec![limit(rate)];
    first.extend(queue.map(|queue| format!("queue {}", bytes(Some(queue)))));
    let mut lines = vec![first.join(", ")];
    lines.extend(crate::topology::many(folded, cable));
    let impairments = cable.impairment.as_ref().map(impairments).unwrap_or_default();
    if !impairments.is_empty() {
        lines.push(impairments.join(", "));
    }
    lines
}

/// What is said of all cables of a side, when it is the same and there are several.
fn said_once(
    is_right: IsRight<'_>,
    network: &Network,
    texts: &[Vec<String>],
    side: Place,
) -> Option<Vec<String>> {
    let of_side = |cable: &NetworkCable| {
        let host = network.hosts.iter().any(|host| host.name == cable.from);
        host && is_right(&cable.from) == (side == Place::Right)
    };
    let mut texts =
        network.cables.iter().zip(texts).filter(|(cable, _)| of_side(cable)).map(|(_, text)| text);
    let first = texts.next()?;
    let rest: Vec<&Vec<String>> = texts.collect();
    (!rest.is_empty() && rest.iter().all(|text| *text == first)).then(|| first.clone())
}

fn captions(html: &mut Html, layout: &Layout, alike: &[Option<Vec<String>>; 2]) {
    for (lines, (x, anchor)) in
        alike.iter().zip([(layout.left, "start"), (layout.width - layout.left, "end")])
    {
        for (index, line) in lines.iter().flatten().enumerate() {
            let each = if index == 0 { "each: " } else { "" };
            let text =
                html.tag("text").class(anchor).at("x", x).at("y", 14.0 + if index == 0 { 0.0 } else { 14.0 });
            text.text(&format!("{each}{line}"));
        }
    }
}

fn draw_cable(
    html: &mut Html,
    layout: &Layout,
    cable: &NetworkCable,
    text: &[String],
    alike: &[Option<Vec<String>>; 2],
) {
    let (Some(from), Some(to)) = (layout.find(&cable.from), layout.find(&cable.to)) else { return };
    let drops: u64 = cable.queues.iter().fold(0, |sum, queue| {
        sum.saturating_add(queue.dropped_packets).saturating_add(queue.backlog_dropped_packets)
    });
    let dropped = (drops > 0).then(|| format!("{} packets dropped", count(Some(drops))));
    let line = if drops > 0 { "cable dropping" } else { "cable" };
    // From a host the cable goes level for as long as its label is, then to its switch.
    let (start, elbow, end, anchor) = match from.place {
        Place::Left => (from.right(), from.right() + layout.label_left, to.left(), "start"),
        Place::Right => (from.left(), from.left() - layout.label_right, to.right(), "end"),
        Place::Between if from.x < to.x => (from.right(), from.right(), to.left(), "middle"),
        Place::Between if from.x > to.x => (from.left(), from.left(), to.right(), "middle"),
        Place::Between => (from.x, from.x, to.x, "start"),
    };
    let points = [(start, from.y), (elbow, from.y), (end, to.y)].map(|(x, y)| format!("{x:.1},{y:.1}"));
    let path = html.tag("polyline").class(line).set("points", &points.join(" "));
    let dying = cable.queues.iter().filter(|queue| queue.dropped_packets > 0);
    let dying =
        dying.map(|queue| format!("; {} dropped {}", queue.place, count(Some(queue.dropped_packets))));
    let title = format!("{} – {}: {}{}", cable.from, cable.to, text.join("; "), dying.collect::<String>());
    path.holds(|html| html.tag("title").text(&title));
    let shown = match from.place {
        Place::Left => alike[0].is_none(),
        Place::Right => alike[1].is_none(),
        Place::Between => true,
    };
    let (x, y) = match from.place {
        Place::Left => (start + 6.0, from.y),
        Place::Right => (start - 6.0, from.y),
        Place::Between => ((start + end) / 2.0, f64::midpoint(from.y, to.y)),
    };
    if shown {
        for (line, dy) in text.iter().zip([-5.0, 14.0]) {
            html.tag("text").class(anchor).at("x", x).at("y", y + dy).text(line);
        }
    }
    if let Some(dropped) = dropped {
        let below = if shown && text.len() > 1 { 27.0 } else { 14.0 };
        html.tag("text")
            .set("class", &format!("{anchor} alarm"))
            .at("x", x)
            .at("y", y + below)
            .text(&dropped);
    }
}

/// Packets that died inside hosts, as the simulator saw it, by the name of the host in the drawing.
fn died_at_hosts(record: &Record, folded: &Folded<'_>) -> BTreeMap<String, u64> {
    let mut died: BTreeMap<String, u64> = BTreeMap::new();
    for drop in record.simulation.iter().flat_map(|simulation| &simulation.drops) {
        // `ring of x`; what dies at a nic or a port is counted at its cable.
        let inside = ["ring of ", "backlog of ", "reassembly of ", "socket of "];
        let host = inside.into_iter().find_map(|words| drop.place.strip_prefix(words));
        if let Some(host) = host {
            let sum = died.entry(folded.shown(host).to_owned()).or_default();
            *sum = sum.saturating_add(drop.packets);
        }
    }
    died
}

fn draw_hosts(html: &mut Html, network: &Network, layout: &Layout, died: &BTreeMap<String, u64>) {
    for host in &network.hosts {
        let Some(place) = layout.find(&host.name) else { continue };
        let mut title = format!("{} {}", host.name, host.addresses.join(", "));
        let died = died.get(&host.name).filter(|packets| **packets > 0);
        if let Some(packets) = died {
            title += &format!(": {} packets died in it", count(Some(*packets)));
        }
        let class = if died.is_some() { "host dropping" } else { "host" };
        draw_box(html, place, class, &title, &[&host.name]);
    }
}

fn draw_switches(html: &mut Html, network: &Network, layout: &Layout) {
    for switch in &network.switches {
        let Some(place) = layout.find(&switch.name) else { continue };
        let kind = format!("{}, {}", switch.forwarding, switch.when_full);
        let title = format!("{} of network {}: {kind} when full", switch.name, switch.network);
        draw_box(html, place, "switch", &title, &[&switch.name, &kind]);
    }
}

fn draw_box(html: &mut Html, place: &Box, class: &'static str, title: &str, lines: &[&str]) {
    html.tag("g").class(class).holds(|html| {
        let shape = html.tag("rect").at("x", place.left()).at("y", place.y - place.height / 2.0);
        let shape = shape.at("width", place.right() - place.left()).at("height", place.height).at("rx", 3.0);
        shape.holds(|html| html.tag("title").text(title));
        let [first, rest @ ..] = lines else { return };
        let up = if rest.is_empty() { 4.0 } else { -2.0 };
        let text = html.tag("text").class("middle name").at("x", place.x).at("y", place.y + up);
        text.text(&cut(first, NAME_CELLS_MAX));
        for line in rest {
            html.tag("text")
                .class("middle")
                .at("x", place.x)
                .at("y", place.y + 13.0)
                .text(&cut(line, NAME_CELLS_MAX));
        }
    });
}

/// The drawing in a sentence, for people who cannot see it.
fn spoken(network: &Network) -> String {
    format!(
        "{} hosts, {} switches and {} cables; the tables of queues and cables have all of it",
        network.hosts.len(),
        network.switches.len(),
        network.cables.len()
    )
}

/// What fits into a box; the whole name is in its title.
const NAME_CELLS_MAX: usize = 18;
