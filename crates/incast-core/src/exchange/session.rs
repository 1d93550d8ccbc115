//! What an asker and an answerer say over the control connection, and its rules for both sides.
//!
//! ```text
//!   asker                               answerer
//!   Ask(hello)        --------------->
//!                     <---------------  Answering (or Refuse)
//!   ==============  requests and responses on connections of their own  ==============
//!   Over              --------------->  ends those
//!                     <---------------  Told(account)
//! ```
//! Each side says `Alive` every second and gives up the other after the silence that a flood's session has,
//! too. What a peer says out of turn ends the session. The machine opens nothing and waits for nothing.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::account::AnswererAccount;
use super::terms::Terms;
use crate::control::NAME_BYTES_MAX;
use crate::session::{ControlEnd, SILENCE_MAX, clean};
use crate::time::Time;

/// Version of this protocol; peers of another version are refused with both numbers.
pub const VERSION: u32 = 1;

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// Asker: who it is, and what it wants.
    Ask(Box<Hello>),
    /// Answerer: granted.
    Answering {
        /// Name of its host.
        host: String,
        /// What every request carries.
        ticket: u64,
        /// UDP: the port that answers, opened for this asker alone.
        port: Option<u16>,
    },
    /// Answerer: not granted, and why.
    Refuse {
        /// A sentence for the user.
        reason: String,
    },
    /// Either: still there.
    Alive,
    /// Asker: no more is asked.
    Over,
    /// Answerer: what it did; the last word.
    Told(Box<AnswererAccount>),
}

/// The asker's first message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u32,
    /// Name of the asker's host.
    pub host: String,
    /// Name of the exchange.
    pub exchange: String,
    /// What is to be agreed.
    pub terms: Terms,
    /// Another address of the answerer's, to which requests will go; none where that is the one of this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<IpAddr>,
}

impl Hello {
    /// Why this cannot be granted, for the user; none when it can.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        if self.version != VERSION {
            let theirs = self.version;
            return Some(format!(
                "version {theirs} of the exchange protocol is not spoken here (this is version {VERSION}): use the \
                 same incast on both ends"
            ));
        }
        let is_name = |name: &str| name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
        if !is_name(&self.host) || !is_name(&self.exchange) {
            return Some(format!("a name is longer than {NAME_BYTES_MAX} bytes, or does not print"));
        }
        self.terms.check().err().map(|error| error.to_string())
    }
}

/// What the owner is to do, or learns.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Answerer: answer this with [`Session::grant`] or [`Session::refuse`].
    Wanted(Box<Hello>),
    /// Asker: granted.
    Granted {
        /// Name of the answerer's host.
        host: String,
        /// What every request carries.
        ticket: u64,
        /// UDP: the port that answers.
        port: Option<u16>,
    },
    /// Answerer: end the data, then call [`Session::tell`].
    PeerOver,
    /// Asker: the answerer's account; the session is over.
    Told(Box<AnswererAccount>),
    /// The session cannot go on, and why, for the user.
    Failed(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Asker: `Ask` is out.
    Asking,
    /// Answerer: waits for `Ask`.
    Listening,
    /// Answerer: its owner decides.
    Deciding,
    /// Requests flow. Asker: granted. Answerer: has granted.
    Running,
    /// `Over` is said, the account is owed.
    Ending,
    Over,
}

/// One side of one session.
#[derive(Debug)]
pub struct Session {
    is_asker: bool,
    phase: Phase,
    end: ControlEnd<Message, Notice>,
}

impl Session {
    /// The asker's side: says what it wants.
    #[must_use]
    pub fn asker(now: Time, hello: Hello) -> Self {
        let mut session = Self::new(true, Phase::Asking, now);
        session.end.say(now, Message::Ask(Box::new(hello)));
        session
    }

    /// The answerer's side: waits.
    #[must_use]
    pub fn answerer(now: Time) -> Self {
        Self::new(false, Phase::Listening, now)
    }

    fn new(is_asker: bool, phase: Phase, now: Time) -> Self {
        Self { is_asker, phase, end: ControlEnd::new(now) }
    }

    /// Answerer: grants the wish.
    pub fn grant(&mut self, now: Time, host: String, ticket: u64, port: Option<u16>) {
        if self.phase == Phase::Deciding {
            self.phase = Phase::Running;
            self.end.say(now, Message::Answering { host, ticket, port });
        }
    }

    /// Answerer: does not grant it; the session is over.
    pub fn refuse(&mut self, now: Time, reason: String) {
        if self.phase == Phase::Deciding {
            self.phase = Phase::Over;
            self.end.say(now, Message::Refuse { reason });
        }
    }

    /// Asker: no more is asked.
    pub fn over(&mut self, now: Time) {
        if self.is_asker && self.phase == Phase::Running {
            self.phase = Phase::Ending;
            self.end.say(now, Message::Over);
        }
    }

    /// Answerer: its account; the session is over.
    pub fn tell(&mut self, now: Time, account: AnswererAccount) {
        if !self.is_asker && self.phase == Phase::Ending {
            self.phase = Phase::Over;
            self.end.say(now, Message::Told(Box::new(account)));
        }
    }

    /// Takes a message of the peer's.
    pub fn handle_message(&mut self, now: Time, message: Message) {
        self.end.handle_word(now);
        match (message, self.phase, self.is_asker) {
            (_, Phase::Over, _) | (Message::Alive, _, _) => {}
            (Message::Ask(hello), Phase::Listening, false) => {
                self.phase = Phase::Deciding;
                self.end.tell(Notice::Wanted(hello));
            }
            (Message::Answering { host, ticket, port }, Phase::Asking, true) => {
                self.phase = Phase::Running;
                self.end.tell(Notice::Granted { host, ticket, port });
            }
            (Message::Refuse { reason }, Phase::Asking, true) => {
                self.fail(format!("refused: {}", clean(&reason)));
            }
            (Message::Over, Phase::Running, false) => {
                self.phase = Phase::Ending;
                self.end.tell(Notice::PeerOver);
            }
            (Message::Told(account), Phase::Ending, true) => {
                self.phase = Phase::Over;
                self.end.tell(Notice::Told(account));
            }
            (message, _, _) => self.fail(format!("the peer said `{}` out of turn", name(&message))),
        }
    }

    /// Time has passed: says `Alive`, and gives up a silent peer.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.phase != Phase::Over && self.end.handle_timeout(now, Message::Alive) {
            self.fail(format!("the peer said nothing for {SILENCE_MAX}"));
        }
    }

    /// When to call [`Self::handle_timeout`]; none when the session is over.
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

    /// Whether the session is over, well or not.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn fail(&mut self, why: String) {
        self.phase = Phase::Over;
        self.end.tell(Notice::Failed(why));
    }
}

fn name(message: &Message) -> &'static str {
    match message {
        Message::Ask(_) => "ask",
        Message::Answering { .. } => "answering",
        Message::Refuse { .. } => "refuse",
        Message::Alive => "alive",
        Message::Over => "over",
        Message::Told(_) => "told",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Transport;
    use crate::time::Span;

    fn hello() -> Hello {
        let terms = Terms::new(Transport::Tcp, 64, 1_000);
        Hello { version: VERSION, host: "y".into(), exchange: "e".into(), terms, data: None }
    }

    /// Carries messages both ways until both are quiet.
    fn carry(now: Time, asker: &mut Session, answerer: &mut Session) {
        loop {
            let (out, back) = (asker.poll_transmit(), answerer.poll_transmit());
            if out.is_none() && back.is_none() {
                return;
            }
            out.into_iter().for_each(|message| answerer.handle_message(now, message));
            back.into_iter().for_each(|message| asker.handle_message(now, message));
        }
    }

    fn running() -> (Session, Session) {
        let now = Time::ZERO;
        let (mut asker, mut answerer) = (Session::asker(now, hello()), Session::answerer(now));
        carry(now, &mut asker, &mut answerer);
        assert!(matches!(answerer.poll_notice(), Some(Notice::Wanted(_))));
        answerer.grant(now, "x".into(), 7, None);
        carry(now, &mut asker, &mut answerer);
        let granted = Notice::Granted { host: "x".into(), ticket: 7, port: None };
        assert_eq!(asker.poll_notice(), Some(granted));
        (asker, answerer)
    }

    #[test]
    fn a_session_ends_with_the_answerers_account() {
        let (mut asker, mut answerer) = running();
        let now = Time::ZERO + Span::from_s(1);
        asker.over(now);
        carry(now, &mut asker, &mut answerer);
        assert_eq!(answerer.poll_notice(), Some(Notice::PeerOver));
        answerer.tell(now, AnswererAccount::default());
        carry(now, &mut asker, &mut answerer);
        assert_eq!(asker.poll_notice(), Some(Notice::Told(Box::default())));
        assert!(asker.is_over() && answerer.is_over());
    }

    #[test]
    fn what_is_out_of_turn_ends_it_and_a_refusal_is_told() {
        let (_, mut answerer) = running();
        answerer.handle_message(Time::ZERO, Message::Ask(Box::new(hello())));
        assert_eq!(answerer.poll_notice(), Some(Notice::Failed("the peer said `ask` out of turn".into())));
        let (mut asker, mut answerer) = (Session::asker(Time::ZERO, hello()), Session::answerer(Time::ZERO));
        carry(Time::ZERO, &mut asker, &mut answerer);
        answerer.refuse(Time::ZERO, "no\nroom".into());
        carry(Time::ZERO, &mut asker, &mut answerer);
        assert_eq!(asker.poll_notice(), Some(Notice::Failed("refused: no room".into())));
    }

    #[test]
    fn a_silent_peer_is_given_up_and_a_speaking_one_is_not() {
        let (mut asker, mut answerer) = running();
        for second in 1..=60 {
            let now = Time::ZERO + Span::from_s(second);
            asker.handle_timeout(now);
            answerer.handle_timeout(now);
            carry(now, &mut asker, &mut answerer);
        }
        assert!(!asker.is_over() && !answerer.is_over());
        asker.handle_timeout(Time::ZERO + Span::from_s(60) + SILENCE_MAX);
        assert!(matches!(asker.poll_notice(), Some(Notice::Failed(_))));
    }

    #[test]
    fn a_hello_that_cannot_be_is_refused_in_words() {
        assert_eq!(hello().fault(), None);
        let mut long = hello();
        long.host = "x".repeat(129);
        let other = Hello { version: 2, ..hello() };
        let mut large = hello();
        large.terms.response_bytes = u32::MAX;
        for (wrong, says) in [(long, "name"), (other, "version 2"), (large, "response of 4294967295 B")] {
            assert!(wrong.fault().is_some_and(|fault| fault.contains(says)), "{wrong:?}");
        }
    }
}
