//! Requests and their responses: what became of them, how long they took, and what TCP did meanwhile.

use incast_core::record::{Exchange, ExchangePeer, ExchangeTimes, TcpHistory};

use crate::page::{BAD, HEADING, Label, Page};
use crate::said::exchanges as said;
use crate::table::{Cell, KEPT, Side, Table};
use crate::text::counted;
use crate::units::{about, count, frequency, microseconds, percent, rate};

/// Every exchange, and its answerers.
pub(super) fn show(page: &mut Page, exchanges: &[Exchange]) {
    for exchange in exchanges.iter().take(EXCHANGES_MAX) {
        one(page, exchange);
    }
    if let Some(more) = exchanges.len().checked_sub(EXCHANGES_MAX).filter(|more| *more > 0) {
        page.line("");
        page.words(
            &Label::none(),
            &format!("and {} in the record", counted(more, "more exchange", "more exchanges")),
        );
    }
}

fn one(page: &mut Page, exchange: &Exchange) {
    page.section(&format!("exchange {}", page.name(&exchange.name)));
    page.words(&Label::new("asked"), &said::terms(exchange));
    if exchange.asked.is_some() {
        let label = Label::new("account");
        let label = if exchange.residual == Some(0) { label } else { label.body(BAD) };
        page.items(&label, &said::account(exchange));
        let rate = [
            format!("{} rounds/s", frequency(exchange.rounds_per_s)),
            format!("{} of responses", rate(exchange.goodput_bits_per_s)),
            format!("first round {}", microseconds(exchange.first_us)),
        ];
        page.items(&Label::new("rate"), &rate);
    }
    times(page, exchange);
    peers(page, exchange);
}

fn times(page: &mut Page, exchange: &Exchange) {
    let mut table = Table::new(TIMES.map(|(header, side, _)| (header, side)).to_vec());
    for (name, times) in said::times(exchange) {
        table.push(row(name, times));
    }
    if table.is_empty() {
        return;
    }
    let shown = table.fit(&TIMES.map(|(.., rank)| rank), page.width());
    for line in table.lines(&shown, HEADING) {
        page.line(&line);
    }
    if let Some(stragglers) = said::stragglers(exchange) {
        page.words(&Label::new("stragglers"), &stragglers);
    }
}

fn row(name: &str, times: &ExchangeTimes) -> Vec<Cell> {
    let quantiles = [times.us_min, times.us_p50, times.us_p90, times.us_p99, times.us_p999, times.us_max];
    let cells = [Cell::plain(format!("  {name}")), Cell::plain(count(Some(times.count)))];
    cells.into_iter().chain(quantiles.map(|us| Cell::plain(microseconds(us)))).collect()
}

fn peers(page: &mut Page, exchange: &Exchange) {
    let mut table = Table::new(PEERS.map(|(header, side, _)| (header, side)).to_vec());
    for peer in exchange.peers.iter().take(PEERS_MAX) {
        table.push(peer_row(page, peer));
    }
    if exchange.peers.is_empty() {
        return;
    }
    let shown = table.fit(&PEERS.map(|(.., rank)| rank), page.width());
    for line in table.lines(&shown, HEADING) {
        page.line(&line);
    }
    if let Some(more) = exchange.peers.len().checked_sub(PEERS_MAX).filter(|more| *more > 0) {
        page.words(
            &Label::none(),
            &format!("  and {} in the record", counted(more, "more answerer", "more answerers")),
        );
    }
    if let [peer] = &exchange.peers[..] {
        connection(page, "answerer", peer.at_answerer.as_ref());
        connection(page, "asker", peer.at_asker.as_ref());
    }
}

fn peer_row(page: &Page, peer: &ExchangePeer) -> Vec<Cell> {
    let median = peer.response.as_ref().and_then(|times| times.us_p50);
    let lost = peer.datagrams_lost.map_or_else(|| count(peer.retransmits), |lost| lost.to_string());
    vec![
        Cell::plain(format!("  {}", page.name(&peer.name))),
        Cell::plain(count(peer.answered)),
        Cell::plain(count(peer.responses_sent)),
        Cell::plain(microseconds(median)),
        Cell::plain(percent(peer.last_fraction)),
        Cell::plain(about(peer.packets_per_response)),
        Cell::plain(about(peer.acknowledgements_per_response)),
        Cell::plain(lost),
    ]
}

/// One end of the connection, as it was last.
fn connection(page: &mut Page, end: &str, history: Option<&TcpHistory>) {
    let Some(history) = history else { return };
    let said = said::connection(history);
    if !said.is_empty() {
        page.items(&Label::new(end), &said);
    }
}

const TIMES: [(&str, Side, u8); 8] = [
    ("  what took it", Side::Left, KEPT),
    ("count", Side::Right, 0),
    ("least", Side::Right, 1),
    ("p50", Side::Right, 6),
    ("p90", Side::Right, 2),
    ("p99", Side::Right, 5),
    ("p99.9", Side::Right, 3),
    ("largest", Side::Right, 4),
];
const PEERS: [(&str, Side, u8); 8] = [
    ("  answerer", Side::Left, KEPT),
    ("answered", Side::Right, 6),
    ("sent", Side::Right, 0),
    ("p50", Side::Right, 5),
    ("was last", Side::Right, 1),
    ("packets each", Side::Right, 3),
    ("acks each", Side::Right, 2),
    ("lost or again", Side::Right, 4),
];
/// Most exchanges and most answerers of one that a page has room for.
const EXCHANGES_MAX: usize = 8;
const PEERS_MAX: usize = 16;
