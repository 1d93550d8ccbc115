//! What only a simulator saw: the account of bytes, queues over time, where packets died, the parts of delays,
//! replicas, formulas, and what the models were told.

mod delays;
mod drops;
mod queues;
pub(super) mod replicas;
mod tables;

use incast_core::record::{ByteBook, Record};

use super::parts::{Part, bar};
use super::totals::{fact, pieces};
use crate::html::Html;
use crate::plot::letter;
use crate::said::simulation as said;
use crate::units::{count, seconds};

/// The section; nothing where nothing was simulated.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    let Some(simulation) = &record.simulation else { return };
    html.heading(level, "The simulation");
    html.tag("dl").class("facts").holds(|html| {
        fact(html, "virtual time", &[seconds(Some(simulation.virtual_s))]);
        fact(html, "packet-hops", &[count(Some(simulation.packet_hops))]);
        fact(html, "ties", &[format!("{} arrivals in one picosecond", count(Some(simulation.ties)))]);
        fact(html, "digest", std::slice::from_ref(&simulation.digest));
        pieces(html, "bytes (law 4)", &said::bytes(&simulation.bytes), "");
    });
    account(html, &simulation.bytes);
    let part = level + 1;
    queues::show(html, &simulation.queues, part);
    drops::show(html, &simulation.drops, part);
    delays::show(html, record, &simulation.delays, part);
    replicas::show(html, record, &simulation.replicas, part);
    tables::estimates(html, &simulation.estimates, part);
    tables::models(html, &simulation.models, part);
}

/// Where the bytes that were offered to queues went.
fn account(html: &mut Html, book: &ByteBook) {
    let places = [
        ("forwarded", "left their queue", book.forwarded, "fill delivered"),
        ("dropped", "died at it", book.dropped, "fill c1"),
        ("queued", "were in it at the end", book.queued, "fill c3"),
    ];
    let part = |(index, (name, place, bytes, class)): (usize, (&str, &str, u64, &str))| Part {
        letter: letter(index),
        name: name.to_owned(),
        place: place.to_owned(),
        packets: None,
        count: i64::try_from(bytes).ok(),
        class: class.to_owned(),
    };
    let parts: Vec<Part> = places.into_iter().enumerate().map(part).collect();
    if book.offered == 0 {
        return;
    }
    html.tag("figure").holds(|html| {
        let what = "bytes offered to all queues: a forwarded, b dropped, c still queued";
        bar(html, what, &parts.iter().collect::<Vec<_>>(), Some(book.offered));
    });
}
