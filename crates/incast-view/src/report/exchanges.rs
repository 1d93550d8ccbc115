//! Requests and their responses: the account, the times, each round, and what TCP did meanwhile.

mod rounds;
mod tcp;
mod times;

use incast_core::record::{Exchange, ExchangePeer, ExchangeTimes, Record};

use super::sheet::{Cell, Sheet};
use super::totals::{fact, large};
use crate::html::Html;
use crate::said::exchanges as said;
use crate::table::Side;
use crate::text::counted;
use crate::units::{about, count, frequency, microseconds, percent, rate};

/// Every exchange; nothing when nobody asked.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    for exchange in record.exchanges.iter().take(EXCHANGES_MAX) {
        one(html, exchange, level);
    }
    if let Some(more) = record.exchanges.len().checked_sub(EXCHANGES_MAX).filter(|more| *more > 0) {
        html.note(&format!("{} in the record.", counted(more, "more exchange is", "more exchanges are")));
    }
}

fn one(html: &mut Html, exchange: &Exchange, level: usize) {
    html.heading(level, &format!("Exchange {}", exchange.name));
    let beyond = said::beyond(exchange);
    let median = |times: &ExchangeTimes| said::quantile(times, times.us_p50, &beyond);
    let tiles = [
        ("response, median", exchange.response.as_ref().map_or_else(|| microseconds(None), median)),
        ("first round", microseconds(exchange.first_us)),
        ("rounds per second", frequency(exchange.rounds_per_s)),
        ("of responses", rate(exchange.goodput_bits_per_s)),
        ("answered", count(exchange.answered)),
    ];
    large(html, tiles.into_iter());
    html.tag("dl").class("facts").holds(|html| {
        fact(html, "asked", &[said::terms(exchange)]);
        if exchange.asked.is_some() {
            fact(html, "account", &said::account(exchange));
        }
        if let Some(stragglers) = said::stragglers(exchange) {
            fact(html, "stragglers", &[stragglers]);
        }
    });
    times::show(html, exchange);
    rounds::show(html, exchange);
    tcp::show(html, exchange);
    peers(exchange).show(html, "what each answerer did");
}

fn peers(exchange: &Exchange) -> Sheet {
    let mut sheet = Sheet::new(&[
        ("answerer", Side::Left),
        ("asked", Side::Right),
        ("answered", Side::Right),
        ("timed out", Side::Right),
        ("failed", Side::Right),
        ("p50", Side::Right),
        ("p99", Side::Right),
        ("was last", Side::Right),
        ("packets each", Side::Right),
        ("acknowledgements each", Side::Right),
        ("sent again", Side::Right),
        ("datagrams lost", Side::Right),
    ]);
    let beyond = said::beyond(exchange);
    for peer in exchange.peers.iter().take(PEERS_MAX) {
        sheet.push(row(peer, &beyond));
    }
    sheet
}

fn row(peer: &ExchangePeer, beyond: &str) -> Vec<Cell> {
    let quantile = |of: fn(&ExchangeTimes) -> Option<f64>| {
        let known = peer.response.as_ref().map(|times| said::quantile(times, of(times), beyond));
        Cell::plain(known.unwrap_or_else(|| microseconds(None)))
    };
    let is_lossy = |count: Option<u64>| count.is_some_and(|count| count > 0);
    vec![
        Cell::plain(&peer.name),
        Cell::plain(count(peer.asked)),
        Cell::plain(count(peer.answered)),
        Cell::flagged(count(peer.timed_out), is_lossy(peer.timed_out)),
        Cell::flagged(count(peer.failed), is_lossy(peer.failed)),
        quantile(|times| times.us_p50),
        quantile(|times| times.us_p99),
        Cell::plain(percent(peer.last_fraction)),
        Cell::plain(about(peer.packets_per_response)),
        Cell::plain(about(peer.acknowledgements_per_response)),
        Cell::plain(count(peer.retransmits)),
        Cell::plain(crate::units::difference(peer.datagrams_lost)),
    ]
}

/// Most exchanges with plots, and most answerers in a table: the record has all.
const EXCHANGES_MAX: usize = 16;
const PEERS_MAX: usize = 256;
