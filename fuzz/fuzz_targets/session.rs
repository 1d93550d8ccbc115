//! A hostile peer: any messages in any order, to a client and to a server, and the record made of
//! what it claims.
//!
//! Input: what the peer says, three bytes for each message: which one of `messages.jsonl`, which of
//! its numbers is replaced, and by which number at the edge of a type (0: none is replaced). That the
//! text of a message may be anything is the business of the target `control`. Our side does whatever
//! the session tells it to do.

#![no_main]

use incast_core::control::Message;
use incast_core::flood::assemble::{self, FlowIdentity};
use incast_core::flood::report::{Measured, Sent};
use incast_core::load::Transport;
use incast_core::session::{Notice, Session};
use incast_core::time::{Span, Time};
use libfuzzer_sys::fuzz_target;

#[path = "../support/edges.rs"]
mod edges;

fuzz_target!(init: assert!(said(0, 0, 0).is_some()), |data: &[u8]| {
    let conversation = data.as_chunks().0.iter().filter_map(|[which, place, edge]| said(*which, *place, *edge));
    let messages: Vec<Message> = conversation.take(MESSAGES_MAX).collect();
    talk(Session::server(Time::ZERO), &messages);
    if let Some(Message::Hello(hello)) = said(0, 0, 0) {
        talk(Session::client(Time::ZERO, *hello), &messages);
    }
});

/// A conversation has about six messages; in this many, any order of them is found.
const MESSAGES_MAX: usize = 16;

/// One message of each kind, honest ones, by line; the first is a hello.
const MESSAGES: &str = include_str!("../messages.jsonl");

/// The message on line `which`, one of its numbers replaced; nothing if that makes it no message.
fn said(which: u8, place: u8, edge: u8) -> Option<Message> {
    let line = MESSAGES.lines().nth(usize::from(which) % MESSAGES.lines().count())?;
    serde_json::from_value(edges::replace(
        serde_json::from_str(line).expect("every line is JSON"),
        place,
        edge,
    ))
    .ok()
}

fn talk(mut session: Session, messages: &[Message]) {
    let (mut now, mut claimed) = (Time::ZERO, (None, None));
    for message in messages {
        now += Span::from_ms(700);
        session.handle_message(now, message.clone());
        // Bounded: no message makes us say or do more than a few things.
        for _ in 0..8 {
            while session.poll_transmit().is_some() {}
            let Some(notice) = session.poll_notice() else { break };
            answer(&mut session, now, notice, &mut claimed);
        }
        assert_eq!((session.poll_notice(), session.poll_transmit()), (None, None));
        session.handle_timeout(now);
    }
    let (sent, measured) = (claimed.0.as_deref(), claimed.1.as_deref());
    for (sent, measured) in [(sent, measured), (sent, None), (None, measured)] {
        let flow = assemble::flow(&identity(), sent, measured);
        drop(assemble::caveats(&flow, sent, measured));
    }
}

fn answer(
    session: &mut Session,
    now: Time,
    notice: Notice,
    claimed: &mut (Option<Box<Sent>>, Option<Box<Measured>>),
) {
    match notice {
        Notice::Wanted(hello) => match hello.check() {
            Ok(()) => session.accept(now, "here".into(), vec![1], vec![], None),
            Err(error) => session.refuse(now, error.to_string()),
        },
        Notice::Granted { .. } => session.ready(now),
        Notice::PeerReady => session.go(now),
        Notice::PeerSent(sent) => {
            claimed.0 = Some(sent);
            session.measured(now, Measured::default());
        }
        Notice::PeerMeasured(measured) => {
            claimed.1 = Some(measured);
            session.sent(now, Sent::default());
        }
        Notice::Failed(_) | Notice::Finished => assert!(session.is_over()),
        _ => {}
    }
}

fn identity() -> FlowIdentity {
    FlowIdentity {
        name: "flow".into(),
        from: "there".into(),
        to: "here".into(),
        transport: Transport::Udp,
        message_bytes: 1024,
        mtu_bytes: 1500,
        raw: incast_core::raw::RawPlan::default(),
        streams: 1,
        load: None,
        interval: Span::from_s(1),
        run_start_unix_ns: Some(1),
    }
}
