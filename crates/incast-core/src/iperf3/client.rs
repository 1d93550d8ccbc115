//! The turns of a test at its client: the other side of [`super::server`].

use std::collections::VecDeque;

use super::CookieBytes;
use super::reader::{RESULTS_BYTES_MAX, Reader, emit_text};
use super::state::State;

/// What the owner must act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Open the streams now, in their order.
    Open,
    /// Let data flow.
    Start,
    /// The server wants our results.
    ResultsWanted,
    /// The server's results, as JSON.
    Results(Vec<u8>),
    /// All is told.
    Finished,
    /// It is over before its end, for this reason.
    Failed(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Opening,
    Starting,
    Running,
    Ending,
    /// The owner makes up its results.
    Counting,
    Results,
    Displaying,
    /// Code and errno of an error follow.
    Error,
    Over,
}

/// One test at its client.
#[derive(Debug)]
pub struct Client {
    stage: Stage,
    reader: Reader,
    parameters: Vec<u8>,
    outbox: Vec<u8>,
    notices: VecDeque<Notice>,
}

impl Client {
    /// A test with these parameters, as JSON.
    #[must_use]
    pub fn new(cookie: &CookieBytes, parameters: &str) -> Self {
        Self {
            stage: Stage::Greeting,
            reader: Reader::default(),
            parameters: emit_text(parameters),
            outbox: cookie.to_vec(),
            notices: VecDeque::new(),
        }
    }

    /// Bytes came on the control connection.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        if self.stage == Stage::Over {
            return;
        }
        if self.reader.handle_bytes(bytes).is_err() {
            return self.fail("the server says more than there is to say");
        }
        while self.step() {}
    }

    /// The control connection has ended.
    pub fn handle_close(&mut self) {
        self.fail("the server closed the connection");
    }

    /// Our time or amount is reached.
    pub fn end(&mut self) {
        if self.stage == Stage::Running {
            self.outbox.push(State::TestEnd.emit());
            self.stage = Stage::Ending;
        }
    }

    /// Our results, as JSON.
    pub fn results(&mut self, text: &str) {
        assert_eq!(self.stage, Stage::Counting, "results are told when they are wanted");
        self.outbox.extend(emit_text(text));
        self.stage = Stage::Results;
        while self.step() {}
    }

    /// Ends the test for a reason of ours.
    pub fn stop(&mut self, reason: &str) {
        if self.stage != Stage::Over {
            self.outbox.push(State::ClientTerminate.emit());
            self.fail(reason);
        }
    }

    /// Bytes for the control connection.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.outbox.is_empty()).then(|| std::mem::take(&mut self.outbox))
    }

    /// What to act on next.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Whether it is the server's turn to speak, and soon: while data flows, it may be silent.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !matches!(self.stage, Stage::Running | Stage::Counting | Stage::Over)
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    fn step(&mut self) -> bool {
        match self.stage {
            Stage::Counting | Stage::Over => false,
            Stage::Results => match self.reader.poll_text(RESULTS_BYTES_MAX) {
                Ok(Some(text)) => {
                    self.notices.push_back(Notice::Results(text));
                    self.stage = Stage::Displaying;
                    true
                }
                Ok(None) => false,
                Err(_) => {
                    self.fail("the server's results have an impossible length");
                    false
                }
            },
            Stage::Error => {
                let Some((code, errno)) = self.reader.poll_error() else { return false };
                self.fail(&format!("the server refused with iperf3's error {code} (errno {errno})"));
                false
            }
            _ => {
                let Some(byte) = self.reader.poll_byte() else { return false };
                self.handle_state(byte);
                true
            }
        }
    }

    fn handle_state(&mut self, byte: u8) {
        match (self.stage, State::parse(byte)) {
            (_, Some(State::AccessDenied)) => {
                self.fail("the server is busy with another test, or denied access")
            }
            (_, Some(State::ServerError)) => self.stage = Stage::Error,
            (_, Some(State::ServerTerminate)) => self.fail("the server ended the test"),
            (Stage::Greeting, Some(State::ParamExchange)) => {
                self.outbox.append(&mut self.parameters);
                self.stage = Stage::Opening;
            }
            (Stage::Opening, Some(State::CreateStreams)) => self.enter(Stage::Starting, Notice::Open),
            (Stage::Starting, Some(State::TestStart)) => {}
            (Stage::Starting, Some(State::TestRunning)) => self.enter(Stage::Running, Notice::Start),
            (Stage::Ending, Some(State::ExchangeResults)) => {
                self.enter(Stage::Counting, Notice::ResultsWanted);
            }
            (Stage::Displaying, Some(State::DisplayResults)) => {
                self.outbox.push(State::IperfDone.emit());
                self.enter(Stage::Over, Notice::Finished);
            }
            _ => self.fail("the server speaks out of turn; is it iperf3?"),
        }
    }

    fn enter(&mut self, stage: Stage, notice: Notice) {
        self.stage = stage;
        self.notices.push_back(notice);
    }

    fn fail(&mut self, reason: &str) {
        if self.stage != Stage::Over {
            self.enter(Stage::Over, Notice::Failed(reason.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        let mut client = Client::new(&super::super::cookie(&[0; 36]), "{}");
        assert_eq!(client.poll_transmit().map(|cookie| cookie.len()), Some(37));
        client
    }

    #[test]
    fn a_test_takes_its_turns() {
        let mut client = client();
        client.handle_bytes(&[9]);
        assert_eq!(client.poll_transmit(), Some(b"\0\0\0\x02{}".to_vec()));
        client.handle_bytes(&[10, 1, 2]);
        assert_eq!((client.poll_notice(), client.poll_notice()), (Some(Notice::Open), Some(Notice::Start)));
        client.end();
        assert_eq!(client.poll_transmit(), Some(vec![4]));
        client.handle_bytes(&[13]);
        assert_eq!(client.poll_notice(), Some(Notice::ResultsWanted));
        client.results("[]");
        client.handle_bytes(b"\0\0\0\x02{}\x0e");
        assert_eq!(client.poll_notice(), Some(Notice::Results(b"{}".to_vec())));
        assert_eq!(client.poll_notice(), Some(Notice::Finished));
        assert_eq!(client.poll_transmit(), Some(b"\0\0\0\x02[]\x10".to_vec()));
        assert!(client.is_over());
    }

    #[test]
    fn a_refusal_is_told_in_words() {
        for (bytes, word) in [
            (&[0xff][..], "busy"),
            (&[0xfe, 0, 0, 0, 13, 0, 0, 0, 0][..], "error 13"),
            (&[11][..], "ended"),
            (&[2][..], "out of turn"),
            (b"SSH-2.0", "out of turn"),
        ] {
            let mut client = client();
            client.handle_bytes(bytes);
            let Some(Notice::Failed(reason)) = client.poll_notice() else { panic!("{word}") };
            assert!(reason.contains(word), "{reason}");
            assert_eq!(client.poll_notice(), None);
        }
    }
}
