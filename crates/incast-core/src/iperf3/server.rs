//! The turns of a test at its server, as a state machine: bytes in, bytes and notices out.
//!
//! ```text
//!  client                          server
//!    | cookie  ---------------------> |
//!    | <------------- ParamExchange   |  Parameters
//!    | parameters  -----------------> |  Notice::Wanted      accept, refuse
//!    | <------------- CreateStreams   |  Opening
//!    | streams  ====================> |                      start
//!    | <----- TestStart, TestRunning  |  Running
//!    | TestEnd  --------------------> |  Notice::Ended
//!    | <----------- ExchangeResults   |  Results
//!    | results  --------------------> |  Notice::Results     results
//!    | <-- results, DisplayResults    |  Leaving
//!    | IperfDone  ------------------> |  Notice::Finished
//! ```
//! The owner reads the cookie, which says whose connection it is. After an end nothing more is said.

use std::collections::VecDeque;

use super::message::{Refusal, TestPlan};
use super::reader::{PARAMETERS_BYTES_MAX, RESULTS_BYTES_MAX, ReadError, Reader, emit_text};
use super::state::State;
use crate::time::{Span, Time};

/// A client that owes something says it within this time, or is given up; as iperf3's own reads.
pub const SILENCE_MAX: Span = Span::from_s(10);
/// How much longer than its time a test may take (iperf3's watchdog allows 40 s).
pub const OVERDUE: Span = Span::from_s(40);
/// Longest test that an amount ends: as long as the longest that a time may.
const AMOUNT_MAX: Span = Span::from_s(86_400);

/// What the owner must act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The client's parameters, as JSON.
    Wanted(Vec<u8>),
    /// The client has ended the test: let no more be sent.
    Ended,
    /// The client's results, as JSON.
    Results(Vec<u8>),
    /// All is told.
    Finished,
    /// It is over before its end.
    Failed(Failure),
}

/// Why a test is over before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The client ended it, or left.
    Left,
    /// The client did not say in time what it owed.
    Silent,
    /// It said what it must not now, or what cannot be read.
    Nonsense,
    /// A length that no message can have.
    BadLength,
    /// We ended it.
    Stopped,
    /// We do not serve this.
    Refused(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Parameters,
    /// The owner looks at what came.
    Checking,
    Opening,
    Running,
    Results,
    /// The owner makes up its results.
    Counting,
    Leaving,
    Over,
}

/// One test at its server.
#[derive(Debug)]
pub struct Server {
    stage: Stage,
    reader: Reader,
    outbox: Vec<u8>,
    notices: VecDeque<Notice>,
    deadline: Option<Time>,
    duration: Span,
}

impl Server {
    /// A client has sent its cookie.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self {
            stage: Stage::Parameters,
            reader: Reader::default(),
            outbox: vec![State::ParamExchange.emit()],
            notices: VecDeque::new(),
            deadline: Some(now + SILENCE_MAX),
            duration: AMOUNT_MAX,
        }
    }

    /// Bytes came on the control connection.
    pub fn handle_bytes(&mut self, now: Time, bytes: &[u8]) {
        if self.stage == Stage::Over {
            return;
        }
        if let Err(error) = self.reader.handle_bytes(bytes) {
            return self.fail_reading(error);
        }
        while self.step(now) {}
    }

    /// The control connection has ended.
    pub fn handle_close(&mut self) {
        // A client may leave without a word once it has our results.
        match self.stage {
            Stage::Leaving => self.finish(),
            _ => self.fail(Failure::Left),
        }
    }

    /// The test is granted: the client is to open its streams.
    pub fn accept(&mut self, now: Time, plan: &TestPlan) {
        assert_eq!(self.stage, Stage::Checking, "one test is granted once");
        self.duration = plan.duration.unwrap_or(AMOUNT_MAX);
        self.say(State::CreateStreams);
        self.enter(Stage::Opening, Some(now + SILENCE_MAX));
    }

    /// The test is refused.
    pub fn refuse(&mut self, refusal: &Refusal) {
        self.say_error(refusal.code);
        self.fail(Failure::Refused(refusal.reason.clone()));
    }

    /// Every stream is there: the client is let go.
    pub fn start(&mut self, now: Time) {
        assert_eq!(self.stage, Stage::Opening, "streams are opened first");
        self.say(State::TestStart);
        self.say(State::TestRunning);
        self.enter(Stage::Running, Some(now + self.duration + OVERDUE));
    }

    /// Our results, as JSON.
    pub fn results(&mut self, now: Time, text: &str) {
        assert_eq!(self.stage, Stage::Counting, "the client's results come first");
        self.outbox.extend(emit_text(text));
        self.say(State::DisplayResults);
        self.enter(Stage::Leaving, Some(now + SILENCE_MAX));
    }

    /// The client's results made no sense.
    pub fn reject_results(&mut self) {
        self.fail(Failure::Nonsense);
    }

    /// Ends the test for a reason of ours.
    pub fn stop(&mut self) {
        if self.stage != Stage::Over {
            self.say(State::ServerTerminate);
            self.fail(Failure::Stopped);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            if self.stage == Stage::Running {
                self.say_error(super::message::CODE_OVERDUE);
            }
            match self.stage {
                Stage::Leaving => self.finish(),
                _ => self.fail(Failure::Silent),
            }
        }
    }

    /// When to call [`Self::handle_timeout`] again.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.deadline
    }

    /// Bytes for the control connection.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.outbox.is_empty()).then(|| std::mem::take(&mut self.outbox))
    }

    /// What to act on next.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Whether the client is to open its streams now.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        self.stage == Stage::Opening
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Takes one message, if it is whole; whether to go on.
    fn step(&mut self, now: Time) -> bool {
        match self.stage {
            Stage::Parameters => self.take_text(PARAMETERS_BYTES_MAX, Stage::Checking, Notice::Wanted),
            Stage::Results => self.take_text(RESULTS_BYTES_MAX, Stage::Counting, Notice::Results),
            Stage::Opening | Stage::Running | Stage::Leaving => {
                let Some(byte) = self.reader.poll_byte() else { return false };
                self.handle_state(now, State::parse(byte));
                true
            }
            Stage::Checking | Stage::Counting | Stage::Over => false,
        }
    }

    fn take_text(&mut self, max: usize, next: Stage, notice: fn(Vec<u8>) -> Notice) -> bool {
        match self.reader.poll_text(max) {
            Ok(Some(text)) => {
                self.notices.push_back(notice(text));
                // Now it is the owner's turn, and time is no fault of the client's.
                self.enter(next, None);
            }
            Ok(None) => {}
            Err(error) => self.fail_reading(error),
        }
        false
    }

    fn handle_state(&mut self, now: Time, state: Option<State>) {
        match (self.stage, state) {
            (_, Some(State::ClientTerminate)) => self.fail(Failure::Left),
            (Stage::Running, Some(State::TestEnd)) => {
                self.notices.push_back(Notice::Ended);
                self.say(State::ExchangeResults);
                self.enter(Stage::Results, Some(now + SILENCE_MAX));
            }
            (Stage::Leaving, Some(State::IperfDone)) => self.finish(),
            _ => self.fail(Failure::Nonsense),
        }
    }

    fn say(&mut self, state: State) {
        self.outbox.push(state.emit());
    }

    fn say_error(&mut self, code: i32) {
        self.say(State::ServerError);
        self.outbox.extend(code.to_be_bytes());
        self.outbox.extend(0_i32.to_be_bytes());
    }

    fn enter(&mut self, stage: Stage, deadline: Option<Time>) {
        (self.stage, self.deadline) = (stage, deadline);
    }

    fn finish(&mut self) {
        self.notices.push_back(Notice::Finished);
        self.enter(Stage::Over, None);
    }

    fn fail(&mut self, failure: Failure) {
        if self.stage != Stage::Over {
            self.notices.push_back(Notice::Failed(failure));
            self.enter(Stage::Over, None);
        }
    }

    fn fail_reading(&mut self, error: ReadError) {
        if self.stage == Stage::Parameters {
            self.say_error(super::message::CODE_UNREADABLE);
        }
        self.fail(match error {
            ReadError::BadLength(_) => Failure::BadLength,
            ReadError::TooMuch => Failure::Nonsense,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iperf3::Parameters;

    fn plan() -> TestPlan {
        Parameters { tcp: true, time: Some(10), ..Parameters::default() }.check().unwrap()
    }

    fn running() -> Server {
        let mut server = Server::new(Time::ZERO);
        assert_eq!(server.poll_transmit(), Some(vec![9]));
        server.handle_bytes(Time::ZERO, &emit_text("{}"));
        assert_eq!(server.poll_notice(), Some(Notice::Wanted(b"{}".to_vec())));
        server.accept(Time::ZERO, &plan());
        assert_eq!(server.poll_transmit(), Some(vec![10]));
        server.start(Time::ZERO);
        assert_eq!(server.poll_transmit(), Some(vec![1, 2]));
        server
    }

    #[test]
    fn a_test_takes_its_turns() {
        let mut server = running();
        // The results may come on the heels of the end.
        server.handle_bytes(Time::ZERO, &[&[4][..], &emit_text("{\"a\":1}")].concat());
        assert_eq!(server.poll_transmit(), Some(vec![13]));
        assert_eq!(server.poll_notice(), Some(Notice::Ended));
        assert_eq!(server.poll_notice(), Some(Notice::Results(b"{\"a\":1}".to_vec())));
        server.results(Time::ZERO, "{}");
        assert_eq!(server.poll_transmit(), Some(b"\0\0\0\x02{}\x0e".to_vec()));
        server.handle_bytes(Time::ZERO, &[16]);
        assert_eq!((server.poll_notice(), server.is_over()), (Some(Notice::Finished), true));
    }

    #[test]
    fn what_is_out_of_turn_ends_the_test() {
        for (bytes, failure) in
            [(1, Failure::Nonsense), (99, Failure::Nonsense), (16, Failure::Nonsense), (12, Failure::Left)]
        {
            let mut server = running();
            server.handle_bytes(Time::ZERO, &[bytes, 4, 4]);
            assert_eq!(server.poll_notice(), Some(Notice::Failed(failure)), "{bytes}");
            assert_eq!(server.poll_notice(), None);
        }
    }

    #[test]
    fn parameters_that_are_too_long_are_refused_before_they_come() {
        let mut server = Server::new(Time::ZERO);
        server.handle_bytes(Time::ZERO, &8_193_u32.to_be_bytes());
        assert_eq!(server.poll_transmit(), Some(vec![9, 0xfe, 0, 0, 0, 114, 0, 0, 0, 0]));
        assert_eq!(server.poll_notice(), Some(Notice::Failed(Failure::BadLength)));
    }

    #[test]
    fn a_client_that_owes_something_is_given_up() {
        let mut server = Server::new(Time::ZERO);
        server.handle_timeout(Time::ZERO + SILENCE_MAX);
        assert_eq!(server.poll_notice(), Some(Notice::Failed(Failure::Silent)));
        let mut server = running();
        let due = Time::ZERO + Span::from_s(50);
        assert_eq!(server.next_timeout(), Some(due));
        server.handle_timeout(due);
        assert_eq!(server.poll_transmit(), Some(vec![0xfe, 0, 0, 0, 160, 0, 0, 0, 0]));
        server.handle_close();
        assert_eq!(server.poll_notice(), Some(Notice::Failed(Failure::Silent)));
        assert_eq!(server.poll_notice(), None, "it fails once");
    }
}
