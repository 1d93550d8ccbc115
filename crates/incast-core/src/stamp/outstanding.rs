//! The tests of a session that a reply may still come to, in the order in which they were sent.
//!
//! They are settled in that order: each when it has its reply, or its time is over. Those that are settled stay for
//! a while, so that a late reply can be told from a second one.

use std::collections::VecDeque;

use crate::clock_fit::TwoWay;
use crate::time::Time;
use crate::wire::stamp::time::Stamp;

/// Tests that are remembered: 4.5 MiB, and at 10 000 a second the last six seconds.
pub(super) const TESTS_KEPT: usize = 65_536;

/// What is known of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Answered,
    Lost,
    Late,
}

/// One test.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outstanding {
    pub(super) sequence: u64,
    pub(super) at: Time,
    /// When it left by our clock, nanoseconds since 1970, and the same on the wire.
    pub(super) t1: i64,
    pub(super) stamp: Stamp,
    pub(super) state: State,
    /// The reflector's number in the first reply.
    pub(super) reflected: u32,
    /// The four times, if the reply had all of them and they can be.
    pub(super) times: Option<TwoWay>,
}

/// All that are remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Tests {
    tests: VecDeque<Outstanding>,
    /// Of these, settled.
    settled: usize,
}

impl Tests {
    pub(super) fn push(&mut self, test: Outstanding) {
        // One that is not settled is never dropped: see [`Tests::has_room`].
        if self.tests.len() >= TESTS_KEPT && self.settled > 0 {
            self.tests.pop_front();
            self.settled -= 1;
        }
        self.tests.push_back(test);
    }

    /// Whether another may be sent. Where tests are settled in time there always is: a plan lets half as many wait.
    pub(super) fn has_room(&self) -> bool {
        self.tests.len() < TESTS_KEPT || self.settled > 0
    }

    /// The test with this number on the wire, if it is remembered.
    pub(super) fn find(&mut self, sequence: u32) -> Option<&mut Outstanding> {
        let first = self.tests.front()?.sequence;
        // Numbers of 32 bits wrap; what is remembered is far less than that.
        let [.., a, b, c, d] = first.to_be_bytes();
        let index = sequence.wrapping_sub(u32::from_be_bytes([a, b, c, d]));
        self.tests.get_mut(usize::try_from(index).ok()?)
    }

    /// The next test to be settled, if it has its reply or was sent at `deadline` or before.
    pub(super) fn settle(&mut self, deadline: Option<Time>) -> Option<Outstanding> {
        let test = self.tests.get_mut(self.settled)?;
        match test.state {
            State::Waiting if deadline.is_some_and(|deadline| test.at <= deadline) => {
                test.state = State::Lost
            }
            State::Waiting => return None,
            State::Answered | State::Lost | State::Late => {}
        }
        self.settled += 1;
        Some(*test)
    }

    /// The oldest that is not settled.
    pub(super) fn oldest(&self) -> Option<&Outstanding> {
        self.tests.get(self.settled)
    }

    /// The newest of all.
    pub(super) fn newest(&self) -> Option<&Outstanding> {
        self.tests.back()
    }

    /// How many are not settled.
    pub(super) fn waiting(&self) -> u64 {
        self.tests.iter().skip(self.settled).filter(|test| test.state == State::Waiting).count() as u64
    }
}
