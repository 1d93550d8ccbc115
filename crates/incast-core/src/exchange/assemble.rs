//! The exchange of the record, from the accounts of both sides, with its caveats.
//!
//! Every figure is derived here, once. What a side never told stays unknown.

use super::account::{AnswererAccount, AskerAccount, ConnectionAccount, PeerBook};
use super::asker::AskerPlan;
use super::terms::Terms;
use crate::caveat::{Caveat, CaveatKind};
use crate::load::Transport;
use crate::record::{
    Exchange, ExchangePeer, ExchangePoint, ExchangeTimes, TcpHistory, TcpSample, TimeBucket,
};
use crate::stats::{LogHistogram, ratio};

/// Who asked whom, and what was agreed.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Name of the exchange.
    pub name: String,
    /// Name of the asker.
    pub from: String,
    /// Names of the answerers.
    pub to: Vec<String>,
    /// What was agreed.
    pub terms: Terms,
    /// What the asker was to do; unknown to an answerer alone.
    pub plan: Option<AskerPlan>,
    /// Whether every request had a connection of its own.
    pub new_connections: bool,
}

/// The exchange of the record; `told` is the account of each answerer, in the order of the identity.
#[must_use]
pub fn exchange(
    identity: &Identity,
    asked: Option<&AskerAccount>,
    told: &[Option<AnswererAccount>],
) -> Exchange {
    let terms = &identity.terms;
    let plan = identity.plan.as_ref();
    let interval = plan.and_then(|plan| plan.load.interval(terms.request_bytes));
    let sum = |of: fn(&PeerBook) -> u64| asked.map(|asked| asked.peers.iter().map(of).sum::<u64>());
    let duration_s = asked.map(|asked| float(asked.duration_ns) / 1e9);
    let per_s =
        |count: Option<f64>| count.zip(duration_s).filter(|(_, s)| *s > 0.0).map(|(count, s)| count / s);
    let is_many = identity.to.len() > 1;
    let of_many = |times: fn(&AskerAccount) -> &LogHistogram| {
        asked.filter(|_| is_many).and_then(|asked| distribution(times(asked), asked.rounds_without_time))
    };
    let without = sum(|peer| peer.without_time).unwrap_or(0);
    let steady = asked.map_or(0, |asked| asked.round.count());
    let is_incast = identity.to.len() > 2;
    Exchange {
        name: identity.name.clone(),
        from: identity.from.clone(),
        transport: Some(terms.transport),
        request_bytes: terms.request_bytes,
        response_bytes: terms.response_bytes,
        outstanding: plan.map(|plan| plan.outstanding),
        #[expect(clippy::cast_precision_loss, reason = "for printing")]
        intended_rounds_per_s: interval
            .map(|interval| interval.messages as f64 * 1e12 / interval.picoseconds as f64),
        think_us: plan.filter(|_| interval.is_none()).map(|plan| plan.think.as_s_f64() * 1e6),
        service_us: terms.service.as_s_f64() * 1e6,
        timeout_us: plan.map(|plan| plan.timeout.as_s_f64() * 1e6),
        new_connections: identity.new_connections,
        duration_s,
        rounds: asked.map(|asked| asked.rounds),
        rounds_answered: asked.map(|asked| asked.rounds_answered),
        rounds_per_s: per_s(asked.map(|asked| float(asked.rounds_answered))),
        rounds_overdue: asked.filter(|_| interval.is_some()).map(|asked| asked.overdue),
        goodput_bits_per_s: per_s(
            sum(|peer| peer.answered).map(|answers| float(answers) * f64::from(terms.response_bytes) * 8.0),
        ),
        asked: sum(|peer| peer.asked),
        answered: sum(|peer| peer.answered),
        timed_out: sum(|peer| peer.timed_out),
        failed: sum(|peer| peer.failed),
        unanswered: sum(|peer| peer.unanswered),
        residual: asked.map(|asked| asked.peers.iter().map(PeerBook::residual).sum()),
        late: sum(|peer| peer.late),
        first_us: asked.and_then(|asked| asked.first_ns).map(us),
        response: asked.and_then(|asked| distribution(&asked.response, without)),
        intended: asked.and_then(|asked| distribution(&asked.intended, without)),
        departure: asked.and_then(|asked| distribution(&asked.departure, 0)),
        round: of_many(|asked| &asked.round),
        spread: of_many(|asked| &asked.spread),
        straggler_fraction: asked
            .filter(|_| is_incast)
            .and_then(|asked| ratio(asked.stragglers, steady.saturating_mul(identity.to.len() as u64))),
        rounds_with_straggler_fraction: asked
            .filter(|_| is_incast)
            .and_then(|asked| ratio(asked.rounds_with_straggler, steady)),
        points: asked.map(points).unwrap_or_default(),
        peers: identity
            .to
            .iter()
            .enumerate()
            .map(|(index, name)| peer(identity, index, name, asked, told))
            .collect(),
        cpu: asked.and_then(|asked| asked.cpu.clone()),
        complete: asked.is_some() && told.iter().all(Option::is_some) && told.len() == identity.to.len(),
    }
}

fn points(asked: &AskerAccount) -> Vec<ExchangePoint> {
    let point = |point: &super::account::Point| ExchangePoint {
        number: point.number,
        at_s: float(point.begun_ns) / 1e9,
        took_us: point.took_ns.map(us),
    };
    asked.points.iter().map(point).collect()
}

fn peer(
    identity: &Identity,
    index: usize,
    name: &str,
    asked: Option<&AskerAccount>,
    told: &[Option<AnswererAccount>],
) -> ExchangePeer {
    let book = asked.and_then(|asked| asked.peers.get(index));
    let told = told.get(index).and_then(Option::as_ref);
    let is_udp = identity.terms.transport == Transport::Udp;
    let steady = asked.map_or(0, |asked| asked.round.count());
    let received = book.map(|book| book.datagrams.saturating_sub(book.copies));
    // Whether a stale one is a copy is not known, and so not how many were lost.
    let is_certain = book.is_some_and(|book| book.stale == 0);
    let sent = told.map(|told| told.datagrams);
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let here = asked.and_then(|asked| {
        asked.connections.iter().find(|connection| usize::try_from(connection.peer) == Ok(index))
    });
    let last = |connection: Option<&ConnectionAccount>| connection.and_then(|c| c.samples.last().cloned());
    let (at_answerer, at_asker) = (last(told.map(|told| &told.connection)), last(here));
    // One connection carries all of the responses, or one of them each.
    let responses = if identity.new_connections { Some(1) } else { told.map(|told| told.responses) };
    let each = |segments: Option<u64>| ratio(segments?, responses?);
    let bare = |sample: &TcpSample| sample.segments_sent?.checked_sub(sample.data_segments_sent?);
    ExchangePeer {
        name: name.to_owned(),
        asked: book.map(|book| book.asked),
        answered: book.map(|book| book.answered),
        timed_out: book.map(|book| book.timed_out),
        failed: book.map(|book| book.failed),
        unanswered: book.map(|book| book.unanswered),
        last_fraction: book.filter(|_| identity.to.len() > 1).and_then(|book| ratio(book.was_last, steady)),
        response: book.and_then(|book| distribution(&book.response, book.without_time)),
        requests_received: told.map(|told| told.requests),
        requests_refused: told.map(|told| told.refused),
        responses_sent: told.map(|told| told.responses),
        datagrams_sent: sent.filter(|_| is_udp),
        datagrams_received: received.filter(|_| is_udp),
        datagrams_copies: book.filter(|_| is_udp).map(|book| book.copies),
        datagrams_lost: sent
            .zip(received)
            .filter(|_| is_udp && is_certain)
            .map(|(sent, came)| signed(sent) - signed(came)),
        packets_per_response: each(at_answerer.as_ref().and_then(|sample| sample.data_segments_sent)),
        acknowledgements_per_response: each(at_asker.as_ref().and_then(bare)),
        retransmits: at_answerer.as_ref().and_then(|sample| sample.retransmits),
        connections: told.filter(|_| !is_udp).map(|told| told.connections),
        at_answerer: told.filter(|_| !is_udp).map(|told| history(&told.connection)),
        at_asker: here.filter(|_| !is_udp).map(history),
        cpu: told.and_then(|told| told.cpu.clone()),
        ..ExchangePeer::default()
    }
}

fn history(connection: &ConnectionAccount) -> TcpHistory {
    TcpHistory { congestion: connection.congestion.clone(), samples: connection.samples.clone() }
}

/// A histogram of nanoseconds, and how many more took longer than anyone waited, as the record shows it; none of an
/// empty one.
#[must_use]
pub fn distribution(ns: &LogHistogram, without_answer: u64) -> Option<ExchangeTimes> {
    let quantile = |q| ns.quantile_below(q, without_answer).map(us);
    (ns.count() > 0 || without_answer > 0).then(|| ExchangeTimes {
        count: ns.count(),
        without_answer,
        us_min: ns.min().map(us),
        us_p50: quantile(0.5),
        us_p90: quantile(0.9),
        us_p99: quantile(0.99),
        us_p999: quantile(0.999),
        us_max: quantile(1.0),
        buckets: ns
            .filled()
            .map(|(from, to, count)| TimeBucket { from_us: us(from), to_us: us(to), count })
            .collect(),
    })
}

/// The doubts about an exchange.
#[must_use]
pub fn caveats(
    exchange: &Exchange,
    asked: Option<&AskerAccount>,
    told: &[Option<AnswererAccount>],
) -> Vec<Caveat> {
    let mut doubts: Vec<Caveat> = asked.map(|asked| asked.caveats.clone()).unwrap_or_default();
    doubts.extend(told.iter().flatten().flat_map(|told| told.caveats.clone()));
    let name = &exchange.name;
    if let Some(residual) = exchange.residual.filter(|residual| *residual != 0) {
        doubts.push(Caveat::new(
            CaveatKind::AccountOpen,
            format!("{name}: {residual} requests have no end, or two"),
            "this is a fault of incast: please report it, with the record",
        ));
    }
    if let Some(overdue) = exchange.rounds_overdue.filter(|overdue| *overdue > 0) {
        doubts.push(Caveat::new(
            CaveatKind::SenderBelowIntendedLoad,
            format!("{name}: {overdue} rounds were meant to leave before the end and never did: their times are in no histogram"),
            "ask for a lower load, or let more requests be outstanding",
        ));
    }
    doubts.extend(not_answered(exchange));
    let is_few = |times: &ExchangeTimes| times.count < STEADY_MIN;
    if exchange.answered.is_some_and(|answered| answered > 0) && exchange.response.as_ref().is_none_or(is_few)
    {
        let steady = exchange.response.as_ref().map_or(0, |times| times.count);
        doubts.push(Caveat::new(
            CaveatKind::RunTooShort,
            format!("{name}: {steady} answers after the first ones: its quantiles mean little"),
            "ask for longer",
        ));
    }
    let books = asked.map(|asked| asked.peers.as_slice()).unwrap_or_default();
    for (peer, book) in exchange.peers.iter().zip(books).filter(|(_, book)| book.stale > 0) {
        doubts.push(Caveat::new(
            CaveatKind::WindowExceeded,
            format!(
                "{name}: {} datagrams of {} came so late that they may be copies: how many were lost is not known",
                book.stale, peer.name
            ),
            "ask for a longer time-out (--timeout), or a lower load",
        ));
    }
    for (peer, _) in exchange.peers.iter().zip(told).filter(|(_, told)| told.is_none() && asked.is_some()) {
        doubts.push(Caveat::new(
            CaveatKind::PeerVanished,
            format!("{name}: {} never told its account: what it sent is unknown", peer.name),
            "look at that host, and run again",
        ));
    }
    doubts
}

/// The doubt that requests without an answer cast on the times of the others.
fn not_answered(exchange: &Exchange) -> Option<Caveat> {
    let (name, asked) = (&exchange.name, exchange.asked.filter(|asked| *asked > 0)?);
    let [timed_out, failed, open] =
        [exchange.timed_out, exchange.failed, exchange.unanswered].map(|count| count.unwrap_or(0));
    let how = format!("{timed_out} timed out, {failed} failed, {open} open at the end");
    if exchange.answered == Some(0) {
        return Some(Caveat::new(
            CaveatKind::NobodyListens,
            format!("{name}: none of {asked} requests was answered: {how}"),
            "look at the answerers, at firewalls, and at --timeout",
        ));
    }
    let without = timed_out.saturating_add(failed).saturating_add(open);
    let share = ratio(without, asked).filter(|share| *share > 0.0)?;
    Some(Caveat::new(
        CaveatKind::RequestsUnanswered,
        format!(
            "{name}: {without} of {asked} requests had no answer, {:.3} %: {how}; quantiles count them as longer than all \
             others, and are unknown above the answered share",
            share * 100.0
        ),
        "wait longer (--timeout), ask for a lower load, or look where requests and answers are lost",
    ))
}

/// Below so many answers even a median is a guess.
const STEADY_MIN: u64 = 5;

fn us(ns: u64) -> f64 {
    float(ns) / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "for printing and for rates")]
fn float(count: u64) -> f64 {
    count as f64
}
