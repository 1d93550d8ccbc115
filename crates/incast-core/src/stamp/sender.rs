//! The session-sender: tests at even gaps, and what their replies show.
//!
//! It believes nothing that a reply says about itself: the number must be of a test that was sent, the time of
//! departure the one that it had, the session ours, the times possible. Everything else is counted and left out.
//! When all tests are sent and the last has no reply, some more follow, so that the reflector's count can be learned.

use crate::clock_fit::{ClockEstimate, ClockFit, TwoWay};
use crate::time::{Span, Time};
use crate::wire::stamp::Reply;
use crate::wire::stamp::time::{ErrorEstimate, Stamp};

use super::account::{Account, ReflectorCount};
use super::delays::{Gathering, Totals, WindowFigures};
use super::faults::SenderFaults;
use super::outstanding::{Outstanding, State, Tests};
use super::plan::SenderPlan;

/// Tests that follow when the last one has no reply.
const MORE_MAX: u64 = 5;
/// A reply is overdue after twice what the slowest took, and at least this: a host may sleep so long.
const OVERDUE_MIN: Span = Span::from_ms(20);
/// A departure that is later than this is given up: as `pacer::CATCH_UP`.
const CATCH_UP: Span = crate::pacer::CATCH_UP;

/// How the reflector's count is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counting {
    /// Not at all: it sends our own numbers back, or has said nothing.
    #[default]
    None,
    /// Its sequence numbers are its own.
    Sequence,
    /// It fills in the counters.
    Counters,
}

/// Sends tests and takes replies.
#[derive(Clone, Debug)]
pub struct Sender {
    pub(super) plan: SenderPlan,
    next_departure: Time,
    is_stopped: bool,
    planned: u64,
    more: u64,
    skipped: u64,
    tests: Tests,
    pub(super) account: Account,
    furthest: Option<u64>,
    /// What the slowest reply took.
    slowest: Span,
    pub(super) faults: SenderFaults,
    count: ReflectorCount,
    by_sequence: ReflectorCount,
    pub(super) counting: Counting,
    fit: ClockFit,
    gathering: Gathering,
    pub(super) totals: Totals,
    closed: Vec<WindowFigures>,
    /// What the reflector says of its clock.
    pub(super) reflector_error: Option<ErrorEstimate>,
    pub(super) hops: Option<u8>,
}

impl Sender {
    /// One that begins at `start`; the plan has been checked.
    #[must_use]
    pub fn new(plan: SenderPlan, start: Time) -> Self {
        Self {
            plan,
            next_departure: start,
            is_stopped: false,
            planned: 0,
            more: 0,
            skipped: 0,
            tests: Tests::default(),
            account: Account::default(),
            furthest: None,
            slowest: Span::ZERO,
            faults: SenderFaults::default(),
            count: ReflectorCount::default(),
            by_sequence: ReflectorCount::default(),
            counting: Counting::None,
            fit: ClockFit::default(),
            gathering: Gathering { start, ..Gathering::default() },
            totals: Totals::default(),
            closed: Vec::new(),
            reflector_error: None,
            hops: None,
        }
    }

    /// No more tests; what is under way is waited for.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Writes the next test into `packet` if one is due, and tells its length. It leaves at `our_ns`: nanoseconds
    /// since 1970 by a clock of this host that is never stepped.
    pub fn poll_transmit(&mut self, now: Time, our_ns: i64, packet: &mut [u8]) -> Option<usize> {
        let departure = self.departure().filter(|at| *at <= now)?;
        let packet = packet.get_mut(..self.plan.packet_bytes)?;
        if self.is_over() {
            // A few beyond the bound, so that the session comes to its end.
            self.more += 1;
        } else if !self.tests.has_room() {
            let due = 1 + now.since(departure).0 / self.plan.gap.0.max(1);
            self.skipped += due;
            self.next_departure += Span(due * self.plan.gap.0.max(1));
            return None;
        } else {
            self.planned += 1;
            let late = now.since(departure);
            if late > CATCH_UP {
                self.skipped += late.0 / self.plan.gap.0.max(1);
                self.next_departure = now;
            }
            self.next_departure += self.plan.gap;
        }
        let sequence = self.account.sent;
        let stamp = Stamp::from_unix_ns(our_ns, self.plan.format);
        self.plan.write(sequence, stamp, packet);
        self.account.sent += 1;
        self.tests.push(Outstanding {
            sequence,
            at: now,
            t1: our_ns,
            stamp,
            state: State::Waiting,
            reflected: 0,
            times: None,
        });
        Some(self.plan.packet_bytes)
    }

    /// Takes a reply that came at `our_ns` by the clock of [`Sender::poll_transmit`].
    pub fn handle_reply(&mut self, now: Time, our_ns: i64, packet: &[u8]) {
        let mode = self.plan.mode();
        let Ok(reply) = Reply::parse(mode, packet) else {
            self.faults.too_short += 1;
            return;
        };
        if self.plan.key.as_ref().is_some_and(|key| !key.is_authentic(packet)) {
            self.faults.not_authentic += 1;
            return;
        }
        // A reflector of RFC 8762 alone knows of no session id and sends zero.
        if reply.ssid != self.plan.ssid && reply.ssid != 0 {
            self.faults.other_session += 1;
            return;
        }
        let Some(test) = self.tests.find(reply.sender_sequence) else {
            self.faults.never_sent += 1;
            return;
        };
        if reply.sender_sent != test.stamp {
            self.faults.wrong_echo += 1;
            return;
        }
        if !matches!(test.state, State::Waiting | State::Lost) {
            self.account.duplicate += 1;
            if reply.sequence != test.reflected {
                // Two numbers of the reflector for one test: it came there twice.
                self.count.record_copy();
                self.by_sequence.record_copy();
            }
            return;
        }
        test.reflected = reply.sequence;
        let is_late = test.state == State::Lost || now.since(test.at) > self.plan.timeout;
        let (sequence, t1) = (test.sequence, test.t1);
        self.slowest = self.slowest.max(now.since(test.at));
        let times = times(&reply, t1, our_ns, &mut self.faults);
        if is_late {
            // One that was settled as lost is given back.
            self.account.lost -= u64::from(test.state == State::Lost);
            self.account.late += 1;
            test.state = State::Late;
        } else {
            test.state = State::Answered;
            test.times = times;
        }
        self.take_in(sequence, &reply, packet.get(mode.base_bytes()..).unwrap_or_default(), times);
        self.settle(now);
    }

    /// What a first reply tells beyond its own test.
    fn take_in(&mut self, sequence: u64, reply: &Reply, extensions: &[u8], times: Option<TwoWay>) {
        if self.furthest.is_some_and(|furthest| sequence < furthest) {
            self.account.reordered += 1;
        }
        self.furthest = self.furthest.max(Some(sequence));
        let came = times.map(|times| times.t2);
        self.by_sequence.record(sequence, reply.sequence.wrapping_add(1), came);
        if let Some(counters) = self.plan.filled_in(reply.sequence, extensions) {
            self.count.record(sequence, counters.received, came);
            self.counting = Counting::Counters;
        } else if self.counting == Counting::None && reply.sequence != reply.sender_sequence {
            self.counting = Counting::Sequence;
        }
        let count = if self.counting == Counting::Counters { &self.count } else { &self.by_sequence };
        // A reflector that sends our numbers back counts nothing, and cannot begin anew.
        self.faults.restarts = if self.counting == Counting::None { 0 } else { count.restarts };
        self.reflector_error = Some(reply.error);
        self.hops = Some(reply.ttl);
        if let Some(times) = times {
            self.fit.record(times);
        }
    }

    /// Settles what is due: tests whose time is over, windows that are complete.
    pub fn handle_timeout(&mut self, now: Time) {
        self.settle(now);
    }

    fn settle(&mut self, now: Time) {
        let deadline = (now.0 >= self.plan.timeout.0).then(|| now - self.plan.timeout);
        while let Some(test) = self.tests.settle(deadline) {
            let windows = test.at.since(self.gathering.start).0 / self.plan.window.0.max(1);
            if windows > 0 {
                let start = self.gathering.start;
                self.close(start + self.plan.window);
                // Those in which nothing left are left out.
                self.gathering.start = start + Span(windows * self.plan.window.0);
            }
            self.gathering.sent += 1;
            match test.state {
                State::Answered => {
                    self.account.answered += 1;
                    self.gathering.answered += 1;
                    self.gathering.record(test.times);
                    self.totals.record_step(test.sequence, test.times);
                }
                // A late one is in the account already: its reply came before its turn to be settled.
                State::Late => self.gathering.lost += 1,
                State::Lost | State::Waiting => {
                    self.account.lost += 1;
                    self.gathering.lost += 1;
                }
            }
        }
    }

    fn close(&mut self, end: Time) {
        let next = Gathering { start: end, ..Gathering::default() };
        let gathered = std::mem::replace(&mut self.gathering, next);
        // A window in which nothing left has nothing to say: the sender was held up.
        if gathered.sent > 0 {
            let do_agree = self.plan.synchronised_ns.is_some();
            self.closed.push(gathered.close(end, self.fit.estimate(), do_agree, &mut self.totals));
        }
    }

    /// Ends the last window, which may be short. Once, when the sender is done.
    pub fn finish(&mut self, now: Time) {
        self.settle(now);
        self.close(now);
    }

    /// The next window that is complete.
    pub fn poll_window(&mut self) -> Option<WindowFigures> {
        (!self.closed.is_empty()).then(|| self.closed.remove(0))
    }

    /// When something is due: a departure, or the end of a wait.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        let end = self.tests.oldest().map(|test| test.at + self.plan.timeout);
        self.departure().into_iter().chain(end).min()
    }

    /// Whether all tests are sent and settled.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_over() && self.tests.oldest().is_none() && self.departure().is_none()
    }

    fn is_over(&self) -> bool {
        self.is_stopped || self.plan.tests.is_some_and(|tests| self.planned >= tests)
    }

    /// When the next test is due. After the last one: when a reply to it is overdue, on a path that answers others.
    fn departure(&self) -> Option<Time> {
        if !self.is_over() {
            return Some(self.next_departure);
        }
        let last = self.tests.newest().filter(|_| self.more < MORE_MAX && self.counting != Counting::None)?;
        match last.state {
            State::Answered => None,
            State::Waiting => Some(last.at + (self.slowest + self.slowest).max(OVERDUE_MIN)),
            State::Lost | State::Late => Some(last.at),
        }
    }

    /// The account so far.
    #[must_use]
    pub fn account(&self) -> Account {
        let account = Account { in_flight: self.tests.waiting(), ..self.account };
        let unsettled = account.sent - account.answered - account.late - account.lost - account.in_flight;
        // What has its reply and waits for others to be settled.
        let account = Account { answered: account.answered + unsettled, ..account };
        let replied = account.answered + account.late;
        let ways = match self.counting {
            Counting::Counters => Some(self.count.ways(account.lost, replied)),
            Counting::Sequence => Some(self.by_sequence.ways(account.lost, replied)),
            Counting::None => (account.lost == 0).then(super::Ways::default),
        };
        Account { ways, ..account }
    }

    /// What replies had that they should not have.
    #[must_use]
    pub fn faults(&self) -> SenderFaults {
        self.faults
    }

    /// The reflector's clock against ours.
    #[must_use]
    pub fn clock(&self) -> Option<ClockEstimate> {
        self.fit.estimate()
    }

    /// Departures that were given up because the sender was held up, or had as many tests under way as it remembers.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// The four times of an exchange, if there are four and they can be.
fn times(reply: &Reply, t1: i64, t4: i64, faults: &mut SenderFaults) -> Option<TwoWay> {
    let format = reply.error.format();
    let Some((t2, t3)) = reply.received.unix_ns(format).zip(reply.sent.unix_ns(format)) else {
        faults.no_stamps += 1;
        return None;
    };
    let times = TwoWay { t1, t2, t3, t4 };
    if times.round_trip_ns().is_none() {
        faults.impossible_stamps += 1;
        return None;
    }
    Some(times)
}
