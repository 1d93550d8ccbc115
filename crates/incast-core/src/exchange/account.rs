//! What each side of an exchange learned, as it travels between processes.
//!
//! The laws: every request has exactly one end, `asked = answered + timed out + failed + unanswered`, for each
//! answerer and over all; what is left of that is the residual, and anything but 0 is a fault of ours.

use serde::{Deserialize, Serialize};

use crate::caveat::Caveat;
use crate::record::{Cpu, TcpSample};
use crate::stats::LogHistogram;

/// What the asker knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AskerAccount {
    /// From the start to the last end of a request, in nanoseconds.
    pub duration_ns: u64,
    /// Rounds begun.
    pub rounds: u64,
    /// Rounds of which every answer came.
    pub rounds_answered: u64,
    /// Open loop: requests that were meant to leave before the end, and never did.
    pub overdue: u64,
    /// Requests to each answerer and what became of them, in the order in which they were named.
    pub peers: Vec<PeerBook>,
    /// First round, in nanoseconds: connections and windows are new.
    pub first_ns: Option<u64>,
    /// First rounds of all that were outstanding at once; of an open loop, the first one.
    pub first: LogHistogram,
    /// From the moment when a request left to its response, in nanoseconds; without those first rounds.
    pub response: LogHistogram,
    /// The same from the moment when it was meant to leave.
    pub intended: LogHistogram,
    /// From the moment when a round left to the last of its answers.
    pub round: LogHistogram,
    /// The time between the first and the last answer of a round.
    pub spread: LogHistogram,
    /// Rounds that lack an answer, without those first ones.
    pub rounds_without_time: u64,
    /// How late requests left, against when they were meant to.
    pub departure: LogHistogram,
    /// Answers that took more than twice the median of their round, in rounds of three answerers and more.
    pub stragglers: u64,
    /// Rounds that had one.
    pub rounds_with_straggler: u64,
    /// Rounds one by one, thinned.
    pub points: Vec<Point>,
    /// What each connection did.
    pub connections: Vec<ConnectionAccount>,
    /// CPU of the asking thread.
    pub cpu: Option<Cpu>,
    /// What could not be done as asked.
    pub caveats: Vec<Caveat>,
    /// Whether someone ended it before its time.
    pub stopped: bool,
}

/// Requests to one answerer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PeerBook {
    /// Requests begun.
    pub asked: u64,
    /// Answered in time.
    pub answered: u64,
    /// Given up after the time-out.
    pub timed_out: u64,
    /// Its connection broke, or could not be had.
    pub failed: u64,
    /// Still open when the account was closed.
    pub unanswered: u64,
    /// Of the last three, those that do not stand apart: their times are longer than all that are known.
    pub without_time: u64,
    /// Answers, or datagrams of one, to requests that had ended without; no part of the account.
    pub late: u64,
    /// Datagrams of responses that had come before: the last requests are known, 4 096 of them.
    pub copies: u64,
    /// Datagrams of responses to requests that are longer ago: late ones or copies, it cannot be told.
    pub stale: u64,
    /// Datagrams of responses; copies, late and stale ones included.
    pub datagrams: u64,
    /// Bytes of responses, answered ones.
    pub response_bytes: u64,
    /// From when a request left to its response, in nanoseconds; without the first.
    pub response: LogHistogram,
    /// Rounds in which it was the last, of two answerers and more.
    pub was_last: u64,
}

impl PeerBook {
    /// What is left of the account; anything but 0 is a fault.
    #[must_use]
    pub fn residual(&self) -> i64 {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let ended = self.answered + self.timed_out + self.failed + self.unanswered;
        signed(self.asked).saturating_sub(signed(ended))
    }
}

/// One round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Its number, from 0.
    pub number: u32,
    /// When it left, nanoseconds after the start.
    pub begun_ns: u64,
    /// How long it took; none if an answer never came.
    pub took_ns: Option<u64>,
}

/// One end of one connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionAccount {
    /// Which answerer, in the order in which they were named.
    pub peer: u32,
    /// The congestion control in force.
    pub congestion: Option<String>,
    /// Its state over time, at each response and at the end, thinned.
    pub samples: Vec<TcpSample>,
}

/// What an answerer knows of one asker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnswererAccount {
    /// Requests taken from the kernel, copies included.
    pub requests: u64,
    /// Requests beyond the most that may wait: not answered.
    pub refused: u64,
    /// UDP: requests that had come before: answered once.
    pub copies: u64,
    /// Responses wholly given to the kernel; what it took of others is in `datagrams` alone.
    pub responses: u64,
    /// Datagrams given to the kernel.
    pub datagrams: u64,
    /// Connections that this asker opened.
    pub connections: u64,
    /// Datagrams, and heads on connections, that are none of this protocol.
    pub nonsense: u64,
    /// The state of the first connection over time.
    pub connection: ConnectionAccount,
    /// CPU of the answering threads.
    pub cpu: Option<Cpu>,
    /// What could not be done as asked.
    pub caveats: Vec<Caveat>,
}
