//! The rules of a session between a client and a server, as one state machine for both sides.
//!
//! ```text
//!   client                              server
//!   Hello           ------------------>
//!                   <------------------  Accept (or Refuse)
//!   opens its data sockets
//!   Ready           ------------------>  and waits for all its senders (barrier)
//!                   <------------------  Go
//!   ================  messages, one way or both  ================
//!   Sent            <----------------->  each side that sends, when it has
//!   Measured        <----------------->  each side that receives, when nothing more is on its way
//! ```
//! Each side says `Alive` every second; one that is silent for [`SILENCE_MAX`] is given up. What a
//! peer says out of turn is a fault of the peer's and ends the session. The machine opens nothing
//! and waits for nothing; whoever drives it carries out its notices.

mod control_end;

use crate::control::{Hello, Message};
use crate::flood::report::{Measured, Sent};
use crate::load::Direction;
use crate::raw::RawEnd;
use crate::time::Time;

pub(crate) use control_end::ControlEnd;
pub use control_end::{ALIVE_EVERY, SILENCE_MAX, clean};

/// Which side of the session this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Opened the connection.
    Client,
    /// Was connected to.
    Server,
}

/// What the owner is to do, or learns.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Server: check this wish and answer with [`Session::accept`] or [`Session::refuse`].
    Wanted(Box<Hello>),
    /// Client: granted; open the data sockets, then call [`Session::ready`].
    Granted {
        /// Name of the server's host.
        host: String,
        /// Ids of the streams to send on.
        forward: Vec<u64>,
        /// Ids of the streams to receive on.
        reverse: Vec<u64>,
        /// Raw transports: the server's interface.
        raw: Option<RawEnd>,
    },
    /// Server: the client is ready; call [`Session::go`] when the barrier opens.
    PeerReady,
    /// Start the data.
    Start,
    /// The peer wants no more data: stop sending, then tell the account as usual.
    StopSending,
    /// The peer, which sends to us, has sent all.
    PeerSent(Box<Sent>),
    /// The peer, which receives from us, has measured all.
    PeerMeasured(Box<Measured>),
    /// Every account is exchanged: the session is over.
    Finished,
    /// The session cannot go on, and why.
    Failed(Failure),
}

/// Why a session failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server refused, in its words.
    Refused(String),
    /// The peer ended the session, in its words.
    Aborted(String),
    /// The peer said something out of turn, or an account that cannot be one.
    OutOfTurn(&'static str),
    /// The peer said nothing for [`SILENCE_MAX`].
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Client: Hello is out. Server: waiting for it.
    Greeting,
    /// Server only: the owner is deciding.
    Deciding,
    /// Sockets are being opened.
    Arming,
    /// Client: Ready is out. Server: the peer is ready, the barrier is closed.
    Armed,
    Running,
    Over,
}

/// One side of one session.
#[derive(Debug)]
pub struct Session {
    side: Side,
    phase: Phase,
    direction: Direction,
    /// Streams of each direction.
    streams: usize,
    /// What is still to be told by us and by the peer.
    ours: Accounts,
    theirs: Accounts,
    end: ControlEnd<Message, Notice>,
}

/// Accounts that one side still owes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Accounts {
    sent: bool,
    measured: bool,
}

impl Session {
    /// The client's side: says hello.
    #[must_use]
    pub fn client(now: Time, hello: Hello) -> Self {
        let mut session = Self::new(Side::Client, now);
        session.agree(&hello);
        session.end.say(now, Message::Hello(Box::new(hello)));
        session
    }

    /// The server's side: waits for a hello.
    #[must_use]
    pub fn server(now: Time) -> Self {
        Self::new(Side::Server, now)
    }

    fn new(side: Side, now: Time) -> Self {
        Self {
            side,
            phase: Phase::Greeting,
            direction: Direction::Forward,
            streams: 0,
            ours: Accounts::default(),
            theirs: Accounts::default(),
            end: ControlEnd::new(now),
        }
    }

    /// Server: grants the wish.
    pub fn accept(
        &mut self,
        now: Time,
        host: String,
        forward: Vec<u64>,
        reverse: Vec<u64>,
        raw: Option<RawEnd>,
    ) {
        if self.phase == Phase::Deciding {
            self.phase = Phase::Arming;
            self.end.say(now, Message::Accept { host, forward, reverse, raw });
        }
    }

    /// Server: does not grant the wish; the session is over.
    pub fn refuse(&mut self, now: Time, reason: String) {
        if self.phase == Phase::Deciding {
            self.phase = Phase::Over;
            self.end.say(now, Message::Refuse { reason });
        }
    }

    /// Client: its sockets are open and it may start.
    pub fn ready(&mut self, now: Time) {
        if self.side == Side::Client && self.phase == Phase::Arming {
            self.phase = Phase::Armed;
            self.end.say(now, Message::Ready);
        }
    }

    /// Server: the barrier is open.
    pub fn go(&mut self, now: Time) {
        if self.side == Side::Server && self.phase == Phase::Armed {
            self.phase = Phase::Running;
            self.end.say(now, Message::Go);
            self.end.tell(Notice::Start);
        }
    }

    /// Our sending is done.
    pub fn sent(&mut self, now: Time, sent: Sent) {
        if self.phase == Phase::Running && std::mem::take(&mut self.ours.sent) {
            self.end.say(now, Message::Sent(Box::new(sent)));
            self.close_if_done();
        }
    }

    /// Our receiving is done.
    pub fn measured(&mut self, now: Time, measured: Measured) {
        if self.phase == Phase::Running && std::mem::take(&mut self.ours.measured) {
            self.end.say(now, Message::Measured(Box::new(measured)));
            self.close_if_done();
        }
    }

    /// Asks the peer to stop sending; the accounts follow as usual.
    pub fn stop(&mut self, now: Time) {
        if self.phase == Phase::Running && self.theirs.sent {
            self.end.say(now, Message::Stop);
        }
    }

    /// Ends the session early, and tells the peer why.
    pub fn abort(&mut self, now: Time, reason: String) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            self.end.say(now, Message::Abort { reason });
        }
    }

    /// Takes a message of the peer's.
    pub fn handle_message(&mut self, now: Time, message: Message) {
        self.end.handle_word(now);
        if self.phase == Phase::Over {
            return;
        }
        match (message, self.side, self.phase) {
            (Message::Alive, _, _) => {}
            (Message::Abort { reason }, _, _) => self.fail(Failure::Aborted(reason)),
            (Message::Hello(hello), Side::Server, Phase::Greeting) => {
                self.phase = Phase::Deciding;
                self.agree(&hello);
                self.end.tell(Notice::Wanted(hello));
            }
            (Message::Accept { host, forward, reverse, raw }, Side::Client, Phase::Greeting) => {
                self.phase = Phase::Arming;
                self.end.tell(Notice::Granted { host, forward, reverse, raw });
            }
            (Message::Refuse { reason }, Side::Client, Phase::Greeting) => {
                self.fail(Failure::Refused(reason))
            }
            (Message::Ready, Side::Server, Phase::Arming) => {
                self.phase = Phase::Armed;
                self.end.tell(Notice::PeerReady);
            }
            (Message::Go, Side::Client, Phase::Armed) => {
                self.phase = Phase::Running;
                self.end.tell(Notice::Start);
            }
            (Message::Stop, _, Phase::Running) => self.end.tell(Notice::StopSending),
            (Message::Sent(sent), _, Phase::Running)
                if self.theirs.sent && sent.is_plausible(self.streams) =>
            {
                self.theirs.sent = false;
                self.end.tell(Notice::PeerSent(sent));
            }
            (Message::Measured(measured), _, Phase::Running)
                if self.theirs.measured && measured.is_plausible() =>
            {
                self.theirs.measured = false;
                self.end.tell(Notice::PeerMeasured(measured));
                self.close_if_done();
            }
            (message, _, _) => self.fail(Failure::OutOfTurn(name(&message))),
        }
    }

    /// Time has passed: says `Alive`, and gives up a silent peer.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.phase != Phase::Over && self.end.handle_timeout(now, Message::Alive) {
            self.fail(Failure::Silent);
        }
    }

    /// When to call [`Self::handle_timeout`]; `None` when the session is over.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        (self.phase != Phase::Over).then(|| self.end.next_timeout())
    }

    /// The next message for the peer.
    pub fn poll_transmit(&mut self) -> Option<Message> {
        self.end.poll_transmit()
    }

    /// The next thing to do or to know.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.end.poll_notice()
    }

    /// Whether this side sends data.
    #[must_use]
    pub fn sends(&self) -> bool {
        self.direction == Direction::Both
            || (self.side == Side::Client) == (self.direction == Direction::Forward)
    }

    /// Whether this side receives data.
    #[must_use]
    pub fn receives(&self) -> bool {
        self.direction == Direction::Both || !self.sends()
    }

    /// Whether data is flowing or its accounts are outstanding.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Whether the session is over, well or not.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn agree(&mut self, hello: &Hello) {
        self.direction = hello.direction;
        self.streams = usize::try_from(hello.plan.streams).unwrap_or(usize::MAX);
        // Each side that sends owes `Sent`, each that receives `Measured`.
        self.ours = Accounts { sent: self.sends(), measured: self.receives() };
        self.theirs = Accounts { sent: self.receives(), measured: self.sends() };
    }

    fn close_if_done(&mut self) {
        if self.ours == Accounts::default() && self.theirs == Accounts::default() {
            self.phase = Phase::Over;
            self.end.tell(Notice::Finished);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.phase = Phase::Over;
        self.end.tell(Notice::Failed(failure));
    }
}

fn name(message: &Message) -> &'static str {
    match message {
        Message::Hello(_) => "hello",
        Message::Accept { .. } => "accept",
        Message::Refuse { .. } => "refuse",
        Message::Ready => "ready",
        Message::Go => "go",
        Message::Alive => "alive",
        Message::Sent(_) => "sent",
        Message::Measured(_) => "measured",
        Message::Stop => "stop",
        Message::Abort { .. } => "abort",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{SendPlan, VERSION};
    use crate::load::{Load, Spacing, Stop, Transport};
    use crate::raw::RawPlan;
    use crate::sequence::Counts;
    use crate::time::Span;

    fn hello(direction: Direction) -> Hello {
        let plan = SendPlan {
            transport: Transport::Udp,
            message_bytes: 1024,
            streams: 1,
            load: Load::Unlimited,
            spacing: Spacing::Fixed,
            stop: Stop::after(Span::from_s(1)),
            start_after: Span::ZERO,
            interval: Span::from_s(1),
            seed: 1,
            spin: false,
            send_buffer: None,
            congestion: None,
            no_delay: false,
            dscp: None,
            segments_max: None,
            send_batch: None,
            raw: RawPlan::default(),
            probe: None,
        };
        Hello { version: VERSION, host: "y".into(), flow: "f".into(), direction, plan, data: None }
    }

    /// Two machines and a virtual clock: carries messages both ways until both are quiet.
    fn exchange(now: Time, client: &mut Session, server: &mut Session) {
        loop {
            let (to_server, to_client) = (client.poll_transmit(), server.poll_transmit());
            if to_server.is_none() && to_client.is_none() {
                break;
            }
            to_server.into_iter().for_each(|message| server.handle_message(now, message));
            to_client.into_iter().for_each(|message| client.handle_message(now, message));
        }
    }

    fn notices(session: &mut Session) -> Vec<Notice> {
        std::iter::from_fn(|| session.poll_notice()).collect()
    }

    fn account() -> Sent {
        Sent { stream_messages: vec![7], ..Sent::default() }
    }

    fn running(direction: Direction) -> (Session, Session) {
        let now = Time::ZERO;
        let (mut client, mut server) = (Session::client(now, hello(direction)), Session::server(now));
        exchange(now, &mut client, &mut server);
        assert!(matches!(notices(&mut server)[..], [Notice::Wanted(_)]));
        server.accept(now, "x".into(), vec![1], vec![], None);
        exchange(now, &mut client, &mut server);
        assert!(matches!(notices(&mut client)[..], [Notice::Granted { .. }]));
        client.ready(now);
        exchange(now, &mut client, &mut server);
        assert_eq!(notices(&mut server), [Notice::PeerReady]);
        server.go(now);
        exchange(now, &mut client, &mut server);
        assert_eq!((notices(&mut client), notices(&mut server)), (vec![Notice::Start], vec![Notice::Start]));
        (client, server)
    }

    #[test]
    fn every_direction_ends_when_every_account_is_exchanged() {
        for direction in [Direction::Forward, Direction::Reverse, Direction::Both] {
            let (mut client, mut server) = running(direction);
            let now = Time::ZERO + Span::from_s(1);
            for session in [&mut client, &mut server] {
                assert!(!session.is_over(), "{direction:?}");
                session.sent(now, account());
            }
            exchange(now, &mut client, &mut server);
            for session in [&mut client, &mut server] {
                session.measured(now, Measured::default());
            }
            exchange(now, &mut client, &mut server);
            for session in [&mut client, &mut server] {
                assert_eq!(notices(session).last(), Some(&Notice::Finished), "{direction:?}");
            }
        }
    }

    #[test]
    fn a_silent_peer_is_given_up_after_ten_seconds_and_a_living_one_is_not() {
        let (mut client, mut server) = running(Direction::Forward);
        let mut now = Time::ZERO;
        for _ in 0..60 {
            now += ALIVE_EVERY;
            client.handle_timeout(now);
            server.handle_timeout(now);
            exchange(now, &mut client, &mut server);
        }
        assert!(!client.is_over() && !server.is_over());
        // Now the server dies without a word.
        while let Some(at) = client.next_timeout() {
            client.handle_timeout(at);
            while client.poll_transmit().is_some() {}
            now = at;
        }
        assert_eq!(notices(&mut client), [Notice::Failed(Failure::Silent)]);
        assert_eq!(now, Time::ZERO + Span::from_s(60) + SILENCE_MAX);
    }

    #[test]
    fn what_is_said_out_of_turn_ends_the_session() {
        let mut server = Session::server(Time::ZERO);
        server.handle_message(Time::ZERO, Message::Ready);
        assert_eq!(notices(&mut server), [Notice::Failed(Failure::OutOfTurn("ready"))]);
        let (_, mut server) = running(Direction::Forward);
        server.handle_message(Time::ZERO, Message::Measured(Box::default()));
        assert_eq!(
            notices(&mut server),
            [Notice::Failed(Failure::OutOfTurn("measured"))],
            "the client only sends"
        );
        let (_, mut server) = running(Direction::Forward);
        server.handle_message(Time::ZERO, Message::Sent(Box::new(account())));
        server.handle_message(Time::ZERO, Message::Sent(Box::new(account())));
        assert_eq!(
            notices(&mut server).last(),
            Some(&Notice::Failed(Failure::OutOfTurn("sent"))),
            "once only"
        );
    }

    #[test]
    fn an_account_that_cannot_be_one_ends_the_session() {
        let (_, mut server) = running(Direction::Forward);
        server.handle_message(Time::ZERO, Message::Sent(Box::default()));
        assert_eq!(
            notices(&mut server),
            [Notice::Failed(Failure::OutOfTurn("sent"))],
            "one stream, no total"
        );
        let (mut client, _) = running(Direction::Forward);
        let unbalanced = Counts { received: 2, unique: 1, ..Counts::default() };
        client.handle_message(
            Time::ZERO,
            Message::Measured(Box::new(Measured { counts: unbalanced, ..Measured::default() })),
        );
        assert_eq!(
            notices(&mut client),
            [Notice::Failed(Failure::OutOfTurn("measured"))],
            "law 1 does not hold"
        );
    }

    #[test]
    fn a_refusal_reaches_the_client_in_its_words() {
        let now = Time::ZERO;
        let (mut client, mut server) =
            (Session::client(now, hello(Direction::Forward)), Session::server(now));
        exchange(now, &mut client, &mut server);
        server.refuse(now, "no more room".into());
        exchange(now, &mut client, &mut server);
        assert_eq!(notices(&mut client), [Notice::Failed(Failure::Refused("no more room".into()))]);
        assert!(client.is_over() && server.is_over());
    }
}
