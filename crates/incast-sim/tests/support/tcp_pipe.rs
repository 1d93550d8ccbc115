//! One TCP connection over a wire with a delay, whose fate of each packet the test decides.
//!
//! It checks the laws at every step: what is read is the stream, no byte leaves beyond the window that was told of, and
//! the congestion window never falls below one segment.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;

use incast_core::time::{Span, Time};
use incast_sim::tcp::{Ack, Segment, TcpPlan, TcpReceiver, TcpSender};

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives,
    Lost,
    Late(Span),
    Twice,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    Data(Segment),
    Ack(Ack),
}

pub(crate) struct Pipe {
    pub(crate) plan: TcpPlan,
    pub(crate) sender: TcpSender,
    pub(crate) receiver: TcpReceiver,
    pub(crate) now: Time,
    /// One way.
    pub(crate) delay: Span,
    /// What a byte of data takes on the wire; 0: nothing.
    pub(crate) byte_ps: u64,
    pub(crate) to_write: u64,
    pub(crate) reads: bool,
    pub(crate) data_sent: u64,
    pub(crate) acks_sent: u64,
    pub(crate) read: u64,
    wire_free: Time,
    under_way: BTreeMap<(Time, u64), Entry>,
    number: u64,
    told_edge: u64,
}

impl Pipe {
    pub(crate) fn new(plan: TcpPlan, delay: Span, bytes: u64) -> Self {
        Self {
            plan,
            sender: TcpSender::new(plan, Time::ZERO),
            receiver: TcpReceiver::new(plan),
            now: Time::ZERO,
            delay,
            byte_ps: 0,
            to_write: bytes,
            reads: true,
            data_sent: 0,
            acks_sent: 0,
            read: 0,
            wire_free: Time::ZERO,
            under_way: BTreeMap::new(),
            number: 0,
            told_edge: plan.receive_buffer_bytes,
        }
    }

    /// Everything that may happen now.
    pub(crate) fn settle(
        &mut self,
        data: &mut impl FnMut(u64, &Segment) -> Fate,
        ack: &mut impl FnMut(u64) -> Fate,
    ) {
        self.to_write -= self.sender.handle_write(self.now, self.to_write);
        while let Some(segment) = self.sender.poll_transmit(self.now) {
            assert!(segment.end() <= self.told_edge, "{segment:?} beyond the window {}", self.told_edge);
            let fate = data(self.data_sent, &segment);
            self.data_sent += 1;
            self.wire_free = self.wire_free.max(self.now) + Span(self.byte_ps * u64::from(segment.bytes));
            self.send(self.wire_free + self.delay, Entry::Data(segment), fate);
        }
        if self.reads {
            self.read += self.receiver.handle_read(self.now, u64::MAX);
        }
        while let Some(news) = self.receiver.poll_ack(self.now) {
            let fate = ack(self.acks_sent);
            self.acks_sent += 1;
            assert!(news.cumulative + news.window >= self.told_edge, "the window shrank");
            self.told_edge = news.cumulative + news.window;
            self.send(self.now + self.delay, Entry::Ack(news), fate);
        }
        self.check();
    }

    fn send(&mut self, at: Time, entry: Entry, fate: Fate) {
        let times: &[Time] = match fate {
            Fate::Arrives => &[at],
            Fate::Lost => &[],
            Fate::Late(more) => &[at + more],
            Fate::Twice => &[at, at + Span::from_us(3)],
        };
        for time in times {
            self.number += 1;
            self.under_way.insert((*time, self.number), entry);
        }
    }

    fn check(&self) {
        assert!(
            self.sender.cwnd_bytes() >= u64::from(self.plan.mss_bytes),
            "cwnd {}",
            self.sender.cwnd_bytes()
        );
        let counts = self.receiver.counts();
        let apart = counts.duplicate_bytes + counts.beyond_window_bytes + self.receiver.out_of_order_bytes();
        assert_eq!(counts.bytes, self.receiver.received_bytes() + apart, "{counts:?}");
        assert!(self.sender.counts().rto <= self.plan.rto_max);
    }

    fn next(&self) -> Option<Time> {
        let entry = self.under_way.first_key_value().map(|((at, _), _)| *at);
        let timers = [self.sender.next_timeout(), self.receiver.next_timeout()];
        timers.into_iter().flatten().chain(entry).min()
    }

    /// The next entry or timer; `None`: nothing is left to happen.
    pub(crate) fn step(
        &mut self,
        data: &mut impl FnMut(u64, &Segment) -> Fate,
        ack: &mut impl FnMut(u64) -> Fate,
    ) -> Option<()> {
        let at = self.next()?;
        assert!(at >= self.now, "time went back");
        self.now = at;
        while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= at) {
            match first.remove() {
                Entry::Data(segment) => self.receiver.handle_segment(at, segment.start, segment.bytes),
                Entry::Ack(news) => self.sender.handle_ack(at, news),
            }
            self.settle(data, ack);
        }
        self.sender.handle_timeout(at);
        self.receiver.handle_timeout(at);
        self.settle(data, ack);
        Some(())
    }

    /// Until nothing is left to happen.
    pub(crate) fn run(
        &mut self,
        mut data: impl FnMut(u64, &Segment) -> Fate,
        mut ack: impl FnMut(u64) -> Fate,
    ) {
        self.settle(&mut data, &mut ack);
        let mut steps = 0_u64;
        while self.step(&mut data, &mut ack).is_some() {
            steps += 1;
            assert!(steps < 10_000_000, "it does not end: {:?}", self.sender.counts());
        }
    }

    /// Until a moment.
    pub(crate) fn run_until(
        &mut self,
        end: Time,
        mut data: impl FnMut(u64, &Segment) -> Fate,
        mut ack: impl FnMut(u64) -> Fate,
    ) {
        self.settle(&mut data, &mut ack);
        while self.next().is_some_and(|at| at <= end) {
            self.step(&mut data, &mut ack);
        }
        self.now = end;
    }
}
