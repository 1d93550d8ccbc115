//! The asking thread: gives what is due to every connection, takes what comes, sleeps or spins in between.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::Relaxed;

use incast_core::exchange::{Asker, AskerAccount, ConnectionAccount};
use incast_core::load::Transport;
use incast_core::time::{Span, Time};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::datagram::Datagrams;
use super::stream::Stream;
use super::{AskPlan, Flags};
use crate::clock::Clock;
use crate::socket::{self, SocketError};
use crate::wait::Spinning;

/// Longest sleep: flags are looked at in between.
const SLEEP_MAX: Span = Span::from_ms(20);
/// How often flags are looked at when there is no sleep.
const LOOK_EVERY: Span = Span::from_ms(1);
/// How long what is open may still be answered once no more is asked.
const DRAIN_MAX: Span = Span::from_s(5);
/// Most bytes that one read takes: what fits the second-level cache beside the kernel's own buffers.
const BUFFER_BYTES: usize = 256 << 10;

/// The way to one answerer.
pub(super) enum Way {
    /// Connections that stand: one, or one for each open request.
    Streams(Streams),
    Datagrams(Box<Datagrams>),
}

/// The connections to one answerer.
pub(super) struct Streams {
    peer: usize,
    address: SocketAddr,
    ticket: u64,
    /// The one that is kept, or those of open requests.
    open: Vec<Stream>,
    is_kept: bool,
    /// What the first connection was, when it is not kept.
    first: Option<ConnectionAccount>,
}

/// What is told to the machine as it happens.
pub(super) struct Hearing<'a> {
    pub(super) asker: &'a mut Asker,
    pub(super) clock: Clock,
    /// When what is told happened.
    pub(super) now: Time,
    pub(super) peer: usize,
    /// Something happened: there is no reason to sleep.
    pub(super) is_busy: bool,
}

impl Way {
    pub(super) fn open(
        plan: &AskPlan,
        peer: usize,
        address: SocketAddr,
        ticket: u64,
    ) -> Result<Self, SocketError> {
        if plan.terms.transport == Transport::Udp {
            return Ok(Self::Datagrams(Box::new(Datagrams::open(plan, address, ticket)?)));
        }
        let is_kept = !plan.new_connections;
        let mut open = Vec::new();
        if is_kept {
            let start = plan.clock.now();
            open.push(Stream::connect(plan, address, ticket, start, true)?);
        }
        Ok(Self::Streams(Streams { peer, address, ticket, open, is_kept, first: None }))
    }

    /// A request to this answerer.
    fn ask(&mut self, plan: &AskPlan, number: u32, hearing: &mut Hearing<'_>) {
        match self {
            Self::Datagrams(way) => way.ask(number, hearing),
            Self::Streams(way) => way.ask(plan, number, hearing),
        }
    }

    /// Takes what has come and gives what has not gone.
    fn serve(&mut self, plan: &AskPlan, buffer: &mut [u8], hearing: &mut Hearing<'_>) {
        match self {
            Self::Datagrams(way) => way.serve(hearing),
            Self::Streams(way) => way.serve(plan, buffer, hearing),
        }
    }

    fn polled<'a>(&'a self, into: &mut Vec<PollFd<'a>>) {
        let mut push = |fd: BorrowedFd<'a>, wants_room: bool| {
            let flags = if wants_room { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            into.push(PollFd::from_borrowed_fd(fd, flags));
        };
        match self {
            Self::Datagrams(way) => push(way.as_fd(), way.wants_room()),
            Self::Streams(way) => {
                way.open.iter().for_each(|stream| push(stream.as_fd(), stream.wants_room()));
            }
        }
    }

    /// Ends the connections of requests that have ended without an answer: nobody waits for it any more.
    fn handle_given_up(&mut self, asker: &Asker, now: Time) {
        if let Self::Streams(way) = self
            && !way.is_kept
        {
            way.handle_given_up(asker, now);
        }
    }

    fn next_look(&self) -> Option<Time> {
        match self {
            Self::Datagrams(_) => None,
            Self::Streams(way) => way.open.first().filter(|_| way.is_kept).map(Stream::next_look),
        }
    }

    fn finish(&mut self, now: Time, account: &mut AskerAccount) {
        match self {
            Self::Datagrams(way) => account.caveats.append(&mut way.caveats()),
            Self::Streams(way) => {
                let peer = u32::try_from(way.peer).unwrap_or(u32::MAX);
                let kept = way.open.first_mut().and_then(|stream| stream.finish(now, peer));
                account.connections.extend(way.first.take().or(kept));
            }
        }
    }
}

impl Streams {
    fn ask(&mut self, plan: &AskPlan, number: u32, hearing: &mut Hearing<'_>) {
        if !self.is_kept {
            let watched = self.first.is_none() && self.open.is_empty();
            match Stream::connect(plan, self.address, self.ticket, hearing.now, watched) {
                Ok(stream) => self.open.push(stream),
                Err(_) => return hearing.asker.handle_failed(hearing.now, self.peer, number),
            }
        }
        match self.open.last_mut() {
            Some(stream) => stream.ask(number),
            None => hearing.asker.handle_failed(hearing.now, self.peer, number),
        }
    }

    fn handle_given_up(&mut self, asker: &Asker, now: Time) {
        let mut index = 0;
        while let Some(stream) = self.open.get(index) {
            if stream.unanswered().is_some_and(|number| asker.is_open(self.peer, number)) {
                index += 1;
            } else {
                let done = self.open.swap_remove(index);
                self.end(done, now);
            }
        }
    }

    /// Ends a connection of a single request; the first one is kept in the account.
    fn end(&mut self, mut done: Stream, now: Time) {
        let peer = u32::try_from(self.peer).unwrap_or(u32::MAX);
        self.first = self.first.take().or_else(|| done.finish(now, peer));
    }

    fn serve(&mut self, plan: &AskPlan, buffer: &mut [u8], hearing: &mut Hearing<'_>) {
        let mut index = 0;
        while let Some(stream) = self.open.get_mut(index) {
            let broke = stream.serve(buffer, hearing).is_err();
            if broke && self.is_kept {
                self.open.clear();
                hearing.is_busy = true;
                return hearing.asker.handle_gone(hearing.now, self.peer);
            }
            if broke || (!self.is_kept && stream.is_done()) {
                let done = self.open.swap_remove(index);
                hearing.is_busy = true;
                if let Some(number) = done.unanswered() {
                    hearing.asker.handle_failed(hearing.now, self.peer, number);
                }
                self.end(done, plan.clock.now());
            } else {
                index += 1;
            }
        }
    }
}

/// Asks until nothing more is to be asked, and all that is open has ended; hands the connections back.
pub(super) fn ask(plan: &AskPlan, mut ways: Vec<Way>, flags: &Flags) -> (AskerAccount, Vec<Way>) {
    crate::wait::sharpen_timer();
    let mut caveats: Vec<_> = plan.core.and_then(socket::pin_to_core).into_iter().collect();
    let cpu_before = (plan.thread_cpu)();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut asker = Asker::new(plan.asker.clone(), &plan.terms, plan.clock.now());
    let mut spinning = Spinning::default();
    let mut looked = Time::ZERO;
    let mut closed_at: Option<Time> = None;
    loop {
        let now = plan.clock.now();
        let mut hearing = Hearing { asker: &mut asker, clock: plan.clock, now, peer: 0, is_busy: false };
        while let Some(number) = hearing.asker.poll_request(now) {
            hearing.is_busy = true;
            for (peer, way) in ways.iter_mut().enumerate() {
                hearing.peer = peer;
                way.ask(plan, number, &mut hearing);
            }
        }
        for (peer, way) in ways.iter_mut().enumerate() {
            hearing.peer = peer;
            hearing.now = plan.clock.now();
            way.serve(plan, &mut buffer, &mut hearing);
        }
        let is_busy = hearing.is_busy;
        let next = asker.next_timeout(now);
        if next.is_some_and(|at| at <= now) && asker.handle_timeout(now) > 0 {
            ways.iter_mut().for_each(|way| way.handle_given_up(&asker, now));
        }
        if asker.is_over(now) {
            break;
        }
        if now.since(looked) >= LOOK_EVERY {
            looked = now;
            look(&mut asker, &mut ways, flags, now);
            // Open-ended patience would let one answerer hold up the account of all.
            closed_at = closed_at.or_else(|| asker.is_closed(now).then_some(now));
            if closed_at.is_some_and(|since| now.since(since) > DRAIN_MAX) {
                break;
            }
        }
        if !is_busy && plan.spin {
            spinning.in_vain();
        } else if !is_busy {
            sleep(plan, &ways, next, now);
        }
    }
    let now = plan.clock.now();
    let mut account = asker.finish(now);
    ways.iter_mut().for_each(|way| way.finish(now, &mut account));
    account.cpu = cpu_before.zip((plan.thread_cpu)()).map(|(before, after)| after.since(&before));
    account.caveats.append(&mut caveats);
    (account, ways)
}

/// Looks at what the owner wants, and tells it how far we are.
fn look(asker: &mut Asker, ways: &mut [Way], flags: &Flags, now: Time) {
    if flags.stop.load(Relaxed) {
        asker.stop();
    }
    for ((peer, gone), way) in flags.gone.iter().enumerate().zip(ways) {
        if gone.load(Relaxed) {
            asker.handle_gone(now, peer);
            way.handle_given_up(asker, now);
        }
    }
    let (rounds, answers) = asker.progress();
    flags.progress.rounds.store(rounds, Relaxed);
    flags.progress.answers.store(answers, Relaxed);
}

/// Sleeps until something comes, or something is due.
fn sleep(plan: &AskPlan, ways: &[Way], next: Option<Time>, now: Time) {
    let looks = ways.iter().filter_map(Way::next_look).min();
    let until = next.into_iter().chain(looks).chain([now + SLEEP_MAX]).min().unwrap_or(now);
    let left = until.since(plan.clock.now());
    if left == Span::ZERO {
        return;
    }
    let mut polled = Vec::with_capacity(ways.len());
    ways.iter().for_each(|way| way.polled(&mut polled));
    if let Ok(timeout) = Timespec::try_from(left.to_std()) {
        // A signal, or a descriptor in trouble: the caller looks at all of them anyway.
        let _ = poll(&mut polled, Some(&timeout));
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use incast_core::exchange::{AskerPlan, Terms};
    use incast_core::load::{Load, Spacing, Stop};

    use super::*;
    use crate::key::Key;

    #[test]
    fn connections_of_requests_that_are_given_up_are_ended() {
        // It accepts, as a backlog does, and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let plan = AskPlan {
            targets: Vec::new(),
            host: "here".into(),
            exchange: "e".into(),
            terms: Terms::new(Transport::Tcp, 64, 64),
            asker: AskerPlan {
                peers: 1,
                outstanding: 4,
                load: Load::Unlimited,
                spacing: Spacing::Fixed,
                think: Span::ZERO,
                stop: Stop { after: None, messages: Some(40) },
                timeout: Span::from_ms(5),
                seed: 1,
            },
            new_connections: true,
            key: Key::none(),
            hold: false,
            spin: false,
            core: None,
            clock: Clock::start(),
            thread_cpu: || None,
        };
        let address = silent.local_addr().expect("an address");
        let way = Way::open(&plan, 0, address, 7).expect("nothing is opened yet");
        let flags = Flags {
            stop: AtomicBool::new(false),
            gone: vec![AtomicBool::new(false)],
            progress: Arc::default(),
        };
        let (account, ways) = ask(&plan, vec![way], &flags);
        assert_eq!((account.peers[0].asked, account.peers[0].timed_out), (40, 40));
        let [Way::Streams(streams)] = &ways[..] else { panic!("connections") };
        assert_eq!(streams.open.len(), 0, "none outlives its request");
        assert_eq!(account.connections.len(), 1, "the first one is told of all the same");
    }
}
