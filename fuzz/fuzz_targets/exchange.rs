//! A hostile peer of an exchange: heads and datagrams in any order to an asker and to an answerer, any messages to both
//! sides of the agreement, and the record made of what an answerer claims.
//!
//! Input: a byte that chooses the terms; then, by the first byte of each three or nine, messages with a number replaced
//! (as in the target `session`), and datagrams with the time between them. Every request has one end, and a datagram
//! that comes twice comes once.

#![no_main]

use std::collections::BTreeSet;

use incast_core::exchange::assemble::{self, Identity};
use incast_core::exchange::session::{Hello, Message, Notice, Session, VERSION};
use incast_core::exchange::{
    Answerer, AnswererAccount, Asker, AskerAccount, AskerPlan, ConnectionAccount, Heard, Terms,
};
use incast_core::load::{Load, Spacing, Stop, Transport};
use incast_core::record::{Cpu, TcpSample};
use incast_core::time::{Span, Time};
use incast_core::wire::exchange::{HEAD_BYTES, Head};
use libfuzzer_sys::fuzz_target;

#[path = "../support/edges.rs"]
mod edges;

fuzz_target!(init: assert!((0..MESSAGES).all(|which| said(which, 0, 0).is_some())), |data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let terms = terms(*choice);
    let mut world = World::new(&terms, *choice);
    let mut messages = Vec::new();
    let mut rest = rest;
    while let [kind, more @ ..] = rest {
        rest = match (kind % 8, more.split_first_chunk::<8>()) {
            (0, _) => {
                let Some(([which, place], more)) = more.split_first_chunk::<2>() else { break };
                messages.extend(said(*which, *place, kind / 8));
                more
            }
            (_, Some((word, more))) => {
                world.handle(*kind, *word);
                more
            }
            (_, None) => break,
        };
    }
    let asked = world.finish();
    messages.truncate(MESSAGES_MAX);
    let told = talk(Session::asker(Time::ZERO, hello()), &messages);
    talk(Session::answerer(Time::ZERO), &messages);
    let peers = asked.peers.len();
    for told in [vec![told.clone(); peers], vec![None, told]] {
        let exchange = assemble::exchange(&identity(terms.clone(), peers), Some(&asked), &told);
        drop(assemble::caveats(&exchange, Some(&asked), &told));
    }
});

/// A conversation has some five messages.
const MESSAGES_MAX: usize = 16;
/// Kinds of messages.
const MESSAGES: u8 = 6;

/// Small ones, so that chance can make them whole.
fn terms(choice: u8) -> Terms {
    let response = [64, 40, 200, 6_000][usize::from(choice % 4)];
    let transport = if choice & 4 == 0 { Transport::Udp } else { Transport::Tcp };
    let terms = Terms { datagram_bytes: 64, ..Terms::new(transport, 64, response) };
    assert_eq!(terms.check(), Ok(()));
    terms
}

/// An asker and one of its answerers, and everything that is said to them.
struct World {
    asker: Asker,
    answerer: Answerer,
    now: Time,
    peers: usize,
    /// Datagrams that the asker took for part of a response.
    first: BTreeSet<(usize, u32, u32)>,
    polled: u64,
}

impl World {
    fn new(terms: &Terms, choice: u8) -> Self {
        let peers = 1 + usize::from(choice >> 3 & 1);
        let plan = AskerPlan {
            peers,
            outstanding: 1 + u32::from(choice >> 4 & 3),
            load: if choice & 64 == 0 { Load::Unlimited } else { "10kHz".parse().expect("a load") },
            spacing: Spacing::Fixed,
            think: Span::ZERO,
            stop: Stop { after: None, messages: Some(10_000) },
            timeout: Span::from_ms(1),
            seed: 1,
        };
        let asker = Asker::new(plan, terms, Time::ZERO);
        let answerer = Answerer::new(terms);
        Self { asker, answerer, now: Time::ZERO, peers, first: BTreeSet::new(), polled: 0 }
    }

    fn handle(&mut self, kind: u8, word: [u8; 8]) {
        let [low, high, index, more, peer, ..] = word;
        let number = u32::from(u16::from_le_bytes([low, high]));
        let (number, index) = match kind / 8 % 4 {
            0 => (number, u32::from(index)),
            // Of those that wait now, or have just ended.
            1 => (
                u32::try_from(self.asker.progress().0).unwrap_or(0).saturating_sub(number % 8),
                u32::from(index % 4),
            ),
            2 => (u32::MAX - number, u32::from(index)),
            _ => (number, u32::MAX - u32::from(index)),
        };
        match kind % 8 {
            1 => self.datagram(usize::from(peer % 3), Head { ticket: 1, number, index }),
            2 => {
                self.now += Span::from_us(u64::from(number) * 10);
                self.asker.handle_timeout(self.now);
            }
            3 => {
                // Some tens of these, and more are given up than are remembered.
                for _ in 0..more % 16 {
                    self.asker.handle_timeout(self.now);
                    if self.asker.poll_request(self.now).is_none() {
                        self.now = self.asker.next_timeout(self.now).unwrap_or(self.now);
                    }
                }
            }
            4 => self.asker.handle_failed(self.now, usize::from(peer % 3), number),
            5 if more == 255 => self.asker.handle_gone(self.now, usize::from(peer % 3)),
            6 => self.answerer.handle_request(self.now, number),
            7 => {
                self.polled += u64::from(self.answerer.poll_response(self.now).is_some());
            }
            _ => {}
        }
    }

    /// As its bytes come.
    fn datagram(&mut self, peer: usize, head: Head) {
        let mut bytes = [0xff; HEAD_BYTES];
        head.emit(&mut bytes);
        assert_eq!((Head::parse(&bytes), Head::parse(&bytes[1..])), (Some(head), None));
        let was_open = self.asker.is_open(peer, head.number);
        let heard = self.asker.handle_response(self.now, peer, head.number, head.index);
        match heard {
            Heard::Nonsense => {}
            Heard::Part | Heard::Answered | Heard::RoundOver => {
                assert!(
                    was_open && self.first.insert((peer, head.number, head.index)),
                    "{heard:?} of {head:?}"
                );
            }
            Heard::Late => drop(self.first.insert((peer, head.number, head.index))),
        }
    }

    fn finish(self) -> AskerAccount {
        let told = self.answerer.account();
        let waiting = 1_024 - u64::try_from(self.answerer.room()).expect("a small number");
        assert_eq!(told.requests, told.copies + told.refused + self.polled + waiting);
        let account = self.asker.finish(self.now);
        assert!(account.peers.iter().all(|peer| peer.residual() == 0), "{account:?}");
        assert_eq!(account.peers.len(), self.peers);
        let sum = |of: fn(&incast_core::exchange::PeerBook) -> u64| account.peers.iter().map(of).sum::<u64>();
        let first = u64::try_from(self.first.len()).expect("a small number");
        let known = sum(|peer| peer.datagrams - peer.copies - peer.stale);
        assert!(known <= first && first <= known + sum(|peer| peer.stale), "{first}: {account:?}");
        account
    }
}

/// Says everything to one side, which does what it is told; what its peer claims at the end.
fn talk(mut session: Session, messages: &[Message]) -> Option<AnswererAccount> {
    let (mut now, mut told) = (Time::ZERO, None);
    for message in messages {
        now += Span::from_ms(700);
        session.handle_message(now, message.clone());
        // Bounded: no message makes us say or do more than a few things.
        for _ in 0..8 {
            while session.poll_transmit().is_some() {}
            match session.poll_notice() {
                None => break,
                Some(Notice::Wanted(hello)) => match hello.fault() {
                    None => {
                        sizes(&hello.terms);
                        session.grant(now, "here".into(), 7, None);
                    }
                    Some(fault) => session.refuse(now, fault),
                },
                Some(Notice::Granted { .. }) => session.over(now),
                Some(Notice::PeerOver) => session.tell(now, AnswererAccount::default()),
                Some(Notice::Told(account)) => told = Some(*account),
                Some(Notice::Failed(_)) => assert!(session.is_over()),
            }
        }
        assert_eq!((session.poll_notice(), session.poll_transmit()), (None, None));
        session.handle_timeout(now);
    }
    told
}

/// What was agreed has an end, and every datagram a head.
fn sizes(terms: &Terms) {
    let count = terms.datagrams();
    assert!((1..=65_536).contains(&count));
    if terms.transport == Transport::Udp {
        let sum: u64 = (0..count).map(|index| u64::from(terms.datagram_bytes_of(index))).sum();
        let whole = u64::from(terms.response_bytes);
        assert!((whole..whole + 16).contains(&sum), "{terms:?}");
    }
}

/// A message of that kind, one of its numbers replaced; nothing if that makes it no message.
fn said(which: u8, place: u8, edge: u8) -> Option<Message> {
    let message = match which % MESSAGES {
        0 => Message::Ask(Box::new(hello())),
        1 => Message::Answering { host: "x".into(), ticket: 7, port: Some(9) },
        2 => Message::Refuse { reason: "no\nroom".into() },
        3 => Message::Alive,
        4 => Message::Over,
        _ => Message::Told(Box::new(account())),
    };
    let value = serde_json::to_value(message).expect("every message is JSON");
    serde_json::from_value(edges::replace(value, place, edge)).ok()
}

fn hello() -> Hello {
    let terms = Terms { datagram_bytes: 64, ..Terms::new(Transport::Udp, 64, 200) };
    Hello { version: VERSION, host: "y".into(), exchange: "e".into(), terms }
}

/// What an honest answerer might tell.
fn account() -> AnswererAccount {
    let sample = TcpSample { segments_sent: Some(90), data_segments_sent: Some(80), ..TcpSample::default() };
    let connection = ConnectionAccount { peer: 0, congestion: None, samples: vec![sample; 2] };
    AnswererAccount {
        requests: 10,
        refused: 1,
        copies: 1,
        responses: 8,
        datagrams: 80,
        connections: 1,
        nonsense: 1,
        connection,
        cpu: Some(Cpu::default()),
        caveats: Vec::new(),
    }
}

fn identity(terms: Terms, peers: usize) -> Identity {
    Identity {
        name: "e".into(),
        from: "y".into(),
        to: (0..peers).map(|peer| format!("x{peer}")).collect(),
        terms,
        plan: None,
        new_connections: false,
    }
}
