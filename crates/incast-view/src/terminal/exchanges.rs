//! Requests and their responses: what became of them, how long they took, and what TCP did meanwhile.

use incast_core::load::Transport;
use incast_core::record::{Exchange, ExchangePeer, TcpHistory};

use crate::page::{BAD, Label, Page};
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
    for (name, times, beyond) in said::times(exchange) {
        let cells = [format!("  {name}"), count(Some(times.count))];
        table.push(cells.into_iter().chain(said::quantiles(times, &beyond)).map(Cell::plain).collect());
    }
    if table.is_empty() {
        return;
    }
    page.table(&table, &TIMES.map(|(.., rank)| rank));
    if let Some(stragglers) = said::stragglers(exchange) {
        page.words(&Label::new("stragglers"), &stragglers);
    }
}

fn peers(page: &mut Page, exchange: &Exchange) {
    let is_udp = exchange.transport == Some(Transport::Udp);
    let columns: Vec<_> = PEERS.into_iter().filter(|column| !is_udp || !column.of_tcp).collect();
    let mut table = Table::new(columns.iter().map(|column| (column.header, column.side)).collect());
    let beyond = said::beyond(exchange);
    for peer in exchange.peers.iter().take(PEERS_MAX) {
        let cell = |column: &Column| Cell::plain((column.cell)(page, peer, &beyond));
        table.push(columns.iter().map(cell).collect());
    }
    if exchange.peers.is_empty() {
        return;
    }
    page.table(&table, &columns.iter().map(|column| column.rank).collect::<Vec<_>>());
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

/// The median of an answerer's times.
fn median(peer: &ExchangePeer, beyond: &str) -> String {
    let known = peer.response.as_ref().map(|times| said::quantile(times, times.us_p50, beyond));
    known.unwrap_or_else(|| microseconds(None))
}

/// What did not arrive: datagrams, or segments that TCP sent again.
fn lost(peer: &ExchangePeer) -> String {
    peer.datagrams_lost.map_or_else(|| count(peer.retransmits), |lost| lost.to_string())
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
    ("count", Side::Right, 6),
    ("least", Side::Right, 0),
    ("p50", Side::Right, 7),
    ("p90", Side::Right, 1),
    ("p99", Side::Right, 5),
    ("p99.9", Side::Right, 2),
    ("largest", Side::Right, 3),
];

/// One column of the table of answerers.
#[derive(Clone, Copy)]
struct Column {
    header: &'static str,
    side: Side,
    /// Those of the lowest rank go first when there is no room.
    rank: u8,
    /// TCP alone has it.
    of_tcp: bool,
    cell: fn(&Page, &ExchangePeer, &str) -> String,
}

const fn column(header: &'static str, rank: u8, cell: fn(&Page, &ExchangePeer, &str) -> String) -> Column {
    Column { header, side: Side::Right, rank, of_tcp: false, cell }
}

const PEERS: [Column; 8] = [
    Column {
        side: Side::Left,
        ..column("  answerer", KEPT, |page, peer, _| format!("  {}", page.name(&peer.name)))
    },
    column("answered", 6, |_, peer, _| count(peer.answered)),
    column("sent", 0, |_, peer, _| count(peer.responses_sent)),
    column("p50", 5, |_, peer, beyond| median(peer, beyond)),
    column("was last", 1, |_, peer, _| percent(peer.last_fraction)),
    Column { of_tcp: true, ..column("packets each", 3, |_, peer, _| about(peer.packets_per_response)) },
    Column { of_tcp: true, ..column("acks each", 2, |_, peer, _| about(peer.acknowledgements_per_response)) },
    column("lost or again", 4, |_, peer, _| lost(peer)),
];
/// Most exchanges and most answerers of one that a page has room for.
const EXCHANGES_MAX: usize = 8;
const PEERS_MAX: usize = 16;
