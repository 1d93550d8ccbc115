//! An asker and its answerers as machines in virtual time, over ways that lose, double, delay and reorder what they
//! carry: every request has exactly one end, whatever happens, and the histograms count what they say.

use std::collections::{BTreeMap, BTreeSet};

use incast_core::caveat::CaveatKind;
use incast_core::exchange::assemble::{self, Identity};
use incast_core::exchange::{Answerer, AnswererAccount, Asker, AskerAccount, AskerPlan, Heard, Terms};
use incast_core::load::{Load, Spacing, Stop, Transport};
use incast_core::random::Random;
use incast_core::time::{Span, Time};
use proptest::prelude::*;

/// What the ways between asker and answerers do.
#[derive(Clone, Copy, Debug)]
struct Ways {
    delay: Span,
    jitter: Span,
    /// Probabilities in thousandths, for each datagram.
    lost: u64,
    doubled: u64,
    /// An answerer that goes away at this moment.
    gone: Option<(usize, Time)>,
}

const GOOD: Ways = Ways { delay: Span::from_us(100), jitter: Span::ZERO, lost: 0, doubled: 0, gone: None };

/// What is on its way.
#[derive(Clone, Copy, Debug)]
enum Datagram {
    Request { peer: usize, number: u32 },
    Response { peer: usize, number: u32, index: u32 },
}

/// Everything, in virtual time.
struct World {
    asker: Asker,
    answerers: Vec<Answerer>,
    terms: Terms,
    ways: Ways,
    random: Random,
    now: Time,
    /// By the moment of arrival, and a number that keeps equal moments apart.
    flying: BTreeMap<(Time, u64), Datagram>,
    launched: u64,
    heard: BTreeMap<&'static str, u64>,
    /// Datagrams of responses that came, whether in time or not.
    first: BTreeSet<(usize, u32, u32)>,
}

impl World {
    fn new(plan: AskerPlan, terms: Terms, ways: Ways, seed: u64) -> Self {
        terms.check().expect("terms that can be agreed to");
        Self {
            answerers: vec![Answerer::new(&terms); plan.peers],
            asker: Asker::new(plan, &terms, Time::ZERO),
            terms,
            ways,
            random: Random::named(seed, "ways"),
            now: Time::ZERO,
            flying: BTreeMap::new(),
            launched: 0,
            heard: BTreeMap::new(),
            first: BTreeSet::new(),
        }
    }

    fn launch(&mut self, datagram: Datagram) {
        if self.random.next_u64() % 1_000 < self.ways.lost {
            return;
        }
        let copies = 1 + u64::from(self.random.next_u64() % 1_000 < self.ways.doubled);
        for _ in 0..copies {
            let jitter = Span(self.random.next_u64() % (self.ways.jitter.0 + 1));
            self.launched += 1;
            self.flying.insert((self.now + self.ways.delay + jitter, self.launched), datagram);
        }
    }

    fn land(&mut self, datagram: Datagram) {
        match datagram {
            Datagram::Request { peer, number } => {
                self.answerers[peer].handle_request(self.now, number);
            }
            Datagram::Response { peer, number, index } => {
                let name = match self.asker.handle_response(self.now, peer, number, index) {
                    Heard::Part => "part",
                    Heard::Answered | Heard::RoundOver => "answered",
                    Heard::Late => "late",
                    Heard::Nonsense => "nonsense",
                };
                *self.heard.entry(name).or_default() += 1;
                self.first.insert((peer, number, index));
            }
        }
    }

    /// Everything that happens at this moment.
    fn act(&mut self) {
        if let Some((peer, at)) = self.ways.gone
            && at <= self.now
        {
            self.asker.handle_gone(self.now, peer);
        }
        self.asker.handle_timeout(self.now);
        while let Some(number) = self.asker.poll_request(self.now) {
            (0..self.answerers.len()).for_each(|peer| self.launch(Datagram::Request { peer, number }));
        }
        for peer in 0..self.answerers.len() {
            while let Some(number) = self.answerers[peer].poll_response(self.now) {
                (0..self.terms.datagrams())
                    .for_each(|index| self.launch(Datagram::Response { peer, number, index }));
            }
        }
    }

    /// Runs until nothing more will happen, or until `until`.
    fn run(mut self, until: Time) -> (AskerAccount, BTreeMap<&'static str, u64>) {
        loop {
            self.act();
            let next = self.flying.keys().next().map(|(at, _)| *at);
            let answerers = self.answerers.iter().filter_map(Answerer::next_timeout);
            let gone = self.ways.gone.map(|(_, at)| at).filter(|at| *at > self.now);
            let next = answerers.chain(next).chain(self.asker.next_timeout(self.now)).chain(gone).min();
            let Some(next) = next.filter(|next| *next < until) else { break };
            if self.asker.is_over(self.now) && self.flying.is_empty() {
                break;
            }
            self.now = self.now.max(next);
            while let Some(((at, _), datagram)) = self.flying.pop_first() {
                if at > self.now {
                    self.launched += 1;
                    self.flying.insert((at, self.launched), datagram);
                    break;
                }
                self.land(datagram);
            }
        }
        self.heard.insert("first", u64::try_from(self.first.len()).unwrap_or(u64::MAX));
        (self.asker.finish(self.now), self.heard)
    }
}

fn plan(peers: usize, outstanding: u32, count: u64) -> AskerPlan {
    AskerPlan {
        peers,
        outstanding,
        load: Load::Unlimited,
        spacing: Spacing::Fixed,
        think: Span::ZERO,
        stop: Stop { after: None, messages: Some(count) },
        timeout: Span::from_ms(10),
        seed: 1,
    }
}

const FOR_EVER: Time = Time(u64::MAX);

fn terms() -> Terms {
    Terms::new(Transport::Udp, 64, 64)
}

#[test]
fn a_closed_loop_takes_a_round_trip_and_the_think_time_for_each() {
    let plan = AskerPlan { think: Span::from_us(300), ..plan(1, 1, 10) };
    let (account, _) =
        World::new(plan, Terms { service: Span::from_us(50), ..terms() }, GOOD, 1).run(FOR_EVER);
    assert_eq!((account.rounds, account.rounds_answered), (10, 10));
    assert_eq!(account.response.max(), Some(250_000), "100 us there, 50 us of work, 100 us back");
    let begun: Vec<u64> = account.points.iter().map(|point| point.begun_ns).collect();
    assert!(begun.windows(2).all(|pair| pair[1] - pair[0] == 550_000), "{begun:?}");
    assert_eq!((account.first.count(), account.response.count()), (1, 9), "the first stands apart");
}

#[test]
fn so_many_are_open_as_may_be_and_no_more() {
    for outstanding in [1, 4, 16] {
        let (account, _) = World::new(plan(1, outstanding, 160), terms(), GOOD, 1).run(FOR_EVER);
        assert_eq!(account.duration_ns, 200_000 * 160 / u64::from(outstanding), "{outstanding}");
    }
}

#[test]
fn an_open_loop_hides_no_time_behind_a_slow_answer() {
    // A request each ms, an answer takes 4 ms, one may be open: each leaves later than the last.
    let slow = Ways { delay: Span::from_ms(2), ..GOOD };
    let stop = Stop { after: Some(Span::from_ms(40)), messages: None };
    let load = "1kHz".parse().unwrap();
    let plan = AskerPlan { load, stop, timeout: Span::from_s(1), ..plan(1, 1, 0) };
    let (account, _) = World::new(plan, terms(), slow, 1).run(FOR_EVER);
    assert_eq!(account.rounds, 10);
    assert_eq!(account.response.max(), Some(4_000_000), "from when it left");
    assert_eq!(
        account.intended.max(),
        Some(31_000_000),
        "number 9 was meant to leave at 9 ms, and came at 40 ms"
    );
    assert_eq!(account.overdue, 30, "40 were meant to leave");
}

#[test]
fn in_an_open_loop_only_the_first_round_stands_apart() {
    let load = "1kHz".parse().unwrap();
    let (account, _) = World::new(AskerPlan { load, ..plan(2, 64, 200) }, terms(), GOOD, 1).run(FOR_EVER);
    assert_eq!((account.rounds_answered, account.first.count(), account.round.count()), (200, 1, 199));
    assert_eq!((account.response.count(), account.intended.count()), (398, 398), "of two answerers");
}

#[test]
fn quantiles_are_of_all_requests_and_unknown_where_one_without_an_answer_stands() {
    // Every tenth request or so has no answer; two answerers, so that a round lacks one more often.
    let lossy = Ways { lost: 50, ..GOOD };
    let terms = terms();
    let plan = plan(2, 1, 1_000);
    let (account, _) = World::new(plan.clone(), terms.clone(), lossy, 5).run(FOR_EVER);
    let to = vec!["a".into(), "b".into()];
    let identity = Identity { to, plan: Some(plan), ..identity(terms) };
    let exchange = assemble::exchange(&identity, Some(&account), &[None, None]);
    let (response, round) = (exchange.response.clone().unwrap(), exchange.round.clone().unwrap());
    // The first round stands apart, whatever became of it.
    assert_eq!((response.count + response.without_answer, round.count + round.without_answer), (1_998, 999));
    let timed_out = exchange.timed_out.unwrap();
    assert!((130..270).contains(&timed_out) && response.without_answer.abs_diff(timed_out) <= 2);
    for times in [&response, &round, exchange.intended.as_ref().unwrap()] {
        assert!(times.us_p50.is_some() && times.us_max.is_none(), "{times:?}");
        assert_eq!((times.us_p99, times.us_p999), (None, None), "a tenth is longer than any of these");
    }
    assert!(exchange.departure.unwrap().us_max.is_some(), "all of them left");
    let peers = exchange.peers.iter().filter_map(|peer| peer.response.as_ref());
    assert_eq!(peers.map(|times| times.without_answer).sum::<u64>(), response.without_answer);
}

#[test]
fn requests_without_an_answer_are_a_doubt_with_their_share() {
    let doubts = |lost: u64| {
        let plan = plan(1, 1, 40);
        let (account, _) = World::new(plan.clone(), terms(), Ways { lost, ..GOOD }, 5).run(FOR_EVER);
        let identity = Identity { plan: Some(plan), ..identity(terms()) };
        let exchange = assemble::exchange(&identity, Some(&account), &[Some(AnswererAccount::default())]);
        let doubts = assemble::caveats(&exchange, Some(&account), &[Some(AnswererAccount::default())]);
        (exchange, doubts)
    };
    assert_eq!(doubts(0).1, []);
    let (exchange, some) = doubts(200);
    let (without, [doubt]) = (exchange.timed_out.unwrap(), &some[..]) else { panic!("{some:?}") };
    assert!(without > 0 && doubt.kind == CaveatKind::RequestsUnanswered, "{doubt:?}");
    assert!(doubt.text.contains(&format!("{without} of 40 requests had no answer, ")), "{doubt:?}");
    let (exchange, none) = doubts(1_000);
    assert_eq!((exchange.answered, exchange.response.unwrap().us_min), (Some(0), None));
    let [doubt] = &none[..] else { panic!("{none:?}") };
    assert_eq!(doubt.kind, CaveatKind::NobodyListens, "{doubt:?}");
}

fn identity(terms: Terms) -> Identity {
    Identity {
        name: "e".into(),
        from: "x".into(),
        to: vec!["a".into()],
        terms,
        plan: None,
        new_connections: false,
    }
}

#[test]
fn a_round_asks_all_and_is_over_with_the_last() {
    let uneven = Ways { jitter: Span::from_us(400), ..GOOD };
    let (account, _) = World::new(plan(8, 1, 200), terms(), uneven, 3).run(FOR_EVER);
    assert_eq!((account.rounds_answered, account.round.count()), (200, 199));
    assert!(account.round.quantile(0.5) > account.response.quantile(0.5));
    let last: u64 = account.peers.iter().map(|peer| peer.was_last).sum();
    assert_eq!(last, 199, "one is the last of each");
    assert!(account.peers.iter().all(|peer| peer.was_last > 5), "and it is not always the same");
}

#[test]
fn an_answer_over_twice_the_median_is_a_straggler() {
    let mut asker = Asker::new(plan(4, 1, 2), &terms(), Time::ZERO);
    let us = |us: u64| Time::from_ns(us * 1_000);
    for (number, start) in [(0, 0), (1, 1_000)] {
        let number_asked = asker.poll_request(us(start));
        assert_eq!(number_asked, Some(number));
        for (peer, after) in [(0, 10), (1, 10), (2, 20), (3, 21)] {
            asker.handle_response(us(start + after), peer, number, 0);
        }
    }
    let account = asker.finish(us(2_000));
    assert_eq!(
        (account.stragglers, account.rounds_with_straggler),
        (1, 1),
        "of the round that is not the first"
    );
    assert_eq!(account.spread.max(), Some(11_000));
}

#[test]
fn what_was_never_asked_is_nonsense_and_ends_nothing() {
    let mut asker = Asker::new(plan(2, 1, 10), &terms(), Time::ZERO);
    assert_eq!(asker.poll_request(Time::ZERO), Some(0));
    assert_eq!(asker.handle_response(Time::ZERO, 0, 1, 0), Heard::Nonsense, "a number to come");
    assert_eq!(asker.handle_response(Time::ZERO, 2, 0, 0), Heard::Nonsense, "an answerer that is none");
    assert_eq!(asker.handle_response(Time::ZERO, 0, 0, 1), Heard::Nonsense, "a datagram that is none");
    assert_eq!(asker.handle_response(Time::ZERO, 0, 0, 0), Heard::Answered);
    assert_eq!(asker.handle_response(Time::ZERO, 0, 0, 0), Heard::Late, "again");
    assert_eq!(asker.open(), 1);
}

#[test]
fn a_copy_is_one_though_its_answer_was_whole_and_hides_no_loss() {
    let terms = Terms::new(Transport::Udp, 64, 4_000);
    let mut asker = Asker::new(plan(1, 1, 2), &terms, Time::ZERO);
    assert_eq!(asker.poll_request(Time::ZERO), Some(0));
    let pieces: Vec<Heard> = (0..3).map(|index| asker.handle_response(Time::ZERO, 0, 0, index)).collect();
    assert_eq!(pieces, [Heard::Part, Heard::Part, Heard::RoundOver]);
    // The next one has its place already; its own second datagram is lost.
    assert_eq!(asker.poll_request(Time::ZERO), Some(1));
    assert_eq!(asker.handle_response(Time::ZERO, 0, 0, 2), Heard::Late);
    asker.handle_response(Time::ZERO, 0, 1, 0);
    asker.handle_response(Time::ZERO, 0, 1, 2);
    assert_eq!((asker.is_open(0, 0), asker.is_open(0, 1), asker.is_open(1, 1)), (false, true, false));
    let end = Time::ZERO + Span::from_ms(10);
    assert_eq!((asker.handle_timeout(end), asker.is_open(0, 1)), (1, false));
    // What comes of a request that was given up is late, and came all the same.
    assert_eq!(asker.handle_response(end, 0, 1, 1), Heard::Late);
    let book = &asker.finish(end).peers[0];
    assert_eq!((book.datagrams, book.copies, book.late), (7, 1, 1));
}

#[test]
fn a_late_answer_that_comes_twice_came_once_and_hides_no_loss() {
    // One datagram, and three of which the first came in time.
    for (response, in_time, late) in [(64, &[][..], &[0, 0, 0][..]), (4_000, &[0], &[1, 0, 1, 2, 2, 2])] {
        let terms = Terms::new(Transport::Udp, 64, response);
        let mut asker = Asker::new(plan(1, 1, 3), &terms, Time::ZERO);
        assert_eq!(asker.poll_request(Time::ZERO), Some(0));
        for index in in_time {
            assert_eq!(asker.handle_response(Time::ZERO, 0, 0, *index), Heard::Part);
        }
        assert_eq!(
            asker.handle_response(Time::ZERO, 0, 0, 3),
            Heard::Nonsense,
            "no such datagram, and not counted"
        );
        let end = Time::ZERO + Span::from_ms(10);
        assert_eq!(asker.handle_timeout(end), 1);
        // Its place is the next one's already.
        assert_eq!(asker.poll_request(end), Some(1));
        for index in late {
            assert_eq!(asker.handle_response(end, 0, 0, *index), Heard::Late, "{response}: {index}");
        }
        // What is no part of a response is no copy of one either.
        assert_eq!(asker.handle_response(end, 0, 0, 3), Heard::Nonsense);
        let book = &asker.finish(end).peers[0];
        let sent = u64::from(terms.datagrams());
        assert_eq!(book.datagrams - book.copies - book.stale, sent, "each came, and came once: {book:?}");
        assert_eq!((book.late, book.stale), (sent - in_time.len() as u64, 0), "{response}");
    }
}

#[test]
fn an_answer_that_is_too_late_to_know_is_no_loss_that_is_known() {
    let terms = Terms::new(Transport::Udp, 64, 4_000);
    let mut asker = Asker::new(plan(1, 1, 1_000), &terms, Time::ZERO);
    for number in 0..100 {
        let now = Time::ZERO + Span::from_ms(10 * u64::from(number));
        asker.handle_timeout(now);
        assert_eq!(asker.poll_request(now), Some(number));
    }
    let now = Time::ZERO + Span::from_ms(999);
    let late = [99 - 64, 99 - 65, 0].map(|number| asker.handle_response(now, 0, number, 0));
    assert_eq!(late, [Heard::Late; 3]);
    let book = &asker.finish(now).peers[0];
    assert_eq!((book.datagrams, book.late, book.stale), (3, 1, 2), "64 given up are remembered");
}

#[test]
fn one_that_is_gone_fails_and_the_others_go_on() {
    let gone = Some((1, Time::ZERO + Span::from_us(1_050)));
    let (account, _) = World::new(plan(3, 1, 100), terms(), Ways { gone, ..GOOD }, 1).run(FOR_EVER);
    assert_eq!(account.peers.iter().map(|peer| peer.asked).collect::<Vec<_>>(), [100, 100, 100]);
    assert_eq!(account.peers[0].answered, 100);
    assert_eq!((account.peers[1].answered, account.peers[1].failed), (5, 95));
}

proptest! {
    #[test]
    fn every_request_has_exactly_one_end(
        seed: u64,
        peers in 1_usize..5,
        outstanding in 1_u32..9,
        rounds in 1_u64..60,
        lost in 0_u64..400,
        doubled in 0_u64..400,
        jitter_us in 0_u64..8_000,
        response in 16_u32..6_000,
        is_open: bool,
        dies: bool,
        ends_early: bool,
    ) {
        let load = if is_open { "2kHz".parse().unwrap() } else { Load::Unlimited };
        let gone = dies.then_some((peers - 1, Time::ZERO + Span::from_ms(3)));
        let ways = Ways { delay: Span::from_us(300), jitter: Span::from_us(jitter_us), lost, doubled, gone };
        let plan = AskerPlan { load, ..plan(peers, outstanding, rounds) };
        let until = if ends_early { Time::ZERO + Span::from_ms(5) } else { FOR_EVER };
        let terms = Terms::new(Transport::Udp, 64, response);
        let (account, heard) = World::new(plan, terms, ways, seed).run(until);
        for peer in &account.peers {
            prop_assert_eq!(peer.residual(), 0, "{:?}", peer);
            prop_assert_eq!(peer.asked, account.rounds, "a round asks all");
        }
        let sum = |of: fn(&incast_core::exchange::PeerBook) -> u64| account.peers.iter().map(of).sum::<u64>();
        let answered = sum(|peer| peer.answered);
        prop_assert_eq!(answered, heard.get("answered").copied().unwrap_or(0));
        prop_assert_eq!(heard.get("nonsense"), None);
        let first: u64 = account.peers.iter().map(|peer| peer.datagrams - peer.copies).sum();
        prop_assert_eq!((first, sum(|peer| peer.stale)), (heard["first"], 0), "a copy is no first");
        prop_assert!(account.rounds_answered <= account.rounds && account.rounds <= rounds);
        prop_assert!(account.response.count() <= answered);
        prop_assert_eq!(account.intended.count(), account.response.count());
        if !ends_early {
            prop_assert_eq!(account.rounds, rounds.min(account.rounds));
            prop_assert_eq!(sum(|peer| peer.unanswered), 0, "all that was asked had time to end");
        }
        if lost == 0 && jitter_us < 4_000 && !dies && !ends_early {
            prop_assert_eq!((account.rounds, account.rounds_answered), (rounds, rounds));
        }
        let told: AskerAccount = serde_json::from_str(&serde_json::to_string(&account).unwrap()).unwrap();
        prop_assert_eq!(told, account, "it travels whole");
    }
}
