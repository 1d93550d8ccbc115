//! Connections that come about: greetings in threads of their own, and who is dialled when.
//!
//! A greeting waits for its peer for up to 10 s, so that a thread has it which does nothing else and then ends.
//! How many there are at once is bounded: connections that come meanwhile wait in the kernel's queue.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use incast_core::readout::{Incarnation, Peer};

use super::greeting::{GreetError, Greeter, Hello};
use super::waker::Waker;

/// Greetings at once, of those that connect and of those that are dialled, each. Strangers who say nothing
/// hold a place for 5 s.
pub(super) const GREETINGS_MAX: usize = 64;
/// The first pause before somebody is dialled again; it doubles until the last.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_LAST: Duration = Duration::from_secs(1);
/// The handshake needs some 10 KiB.
const STACK_BYTES: usize = 256 << 10;

/// Somebody to be dialled.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) life: Incarnation,
    address: SocketAddr,
    /// Where its fragments in datagrams go to, if not where it says itself.
    pub(super) fragments: Option<SocketAddr>,
    /// One more with each dial, so that the outcome of an earlier one is known as such.
    dial: u64,
    state: State,
    pause: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be dialled then.
    Due(Instant),
    /// A thread is at it.
    Dialling,
    /// There is a connection.
    Connected,
}

/// How a greeting ended.
pub(super) struct Outcome {
    /// Who was dialled, by which dial; nobody if the peer connected by itself.
    dialled: Option<(Peer, u64)>,
    pub(super) result: Result<(TcpStream, Hello), GreetError>,
}

/// Connections that come about.
pub(super) struct Greetings {
    greeter: Arc<Greeter>,
    waker: Waker,
    to_owner: Sender<Outcome>,
    outcomes: Receiver<Outcome>,
    accepting: usize,
    dialling: usize,
    dials: u64,
    targets: BTreeMap<Peer, Target>,
}

impl Greetings {
    pub(super) fn new(greeter: Greeter, waker: Waker) -> Self {
        // As many as there can be greetings: nobody waits.
        let (to_owner, outcomes) = bounded(2 * GREETINGS_MAX);
        let greeter = Arc::new(greeter);
        let targets = BTreeMap::new();
        Self { greeter, waker, to_owner, outcomes, accepting: 0, dialling: 0, dials: 0, targets }
    }

    /// Whether one more that connects can be greeted.
    pub(super) const fn has_room(&self) -> bool {
        self.accepting < GREETINGS_MAX
    }

    /// Greets one who connected.
    pub(super) fn accept(&mut self, stream: TcpStream) -> io::Result<()> {
        let greeter = Arc::clone(&self.greeter);
        self.start(None, move || greeter.accept(stream))?;
        self.accepting += 1;
        Ok(())
    }

    /// Dials `peer` from now on. Says whether that is news: a connection there is then of another life.
    pub(super) fn add(
        &mut self,
        peer: Peer,
        life: Incarnation,
        address: SocketAddr,
        fragments: Option<SocketAddr>,
        is_connected: bool,
    ) -> bool {
        if let Some(target) = self.targets.get_mut(&peer)
            && (target.life, target.address) == (life, address)
        {
            target.fragments = fragments;
            return false;
        }
        let state = if is_connected { State::Connected } else { State::Due(Instant::now()) };
        let pause = PAUSE_FIRST;
        self.targets.insert(peer, Target { life, address, fragments, dial: 0, state, pause });
        true
    }

    /// Dials `peer` no more.
    pub(super) fn remove(&mut self, peer: Peer) {
        self.targets.remove(&peer);
    }

    /// What is known of a peer that is dialled.
    pub(super) fn target(&self, peer: Peer) -> Option<&Target> {
        self.targets.get(&peer)
    }

    /// Dials nobody any more.
    pub(super) fn remove_all(&mut self) {
        self.targets.clear();
    }

    /// There is a connection to `peer`, whoever dialled.
    pub(super) fn handle_up(&mut self, peer: Peer, life: Incarnation) {
        if let Some(target) = self.targets.get_mut(&peer).filter(|target| target.life == life) {
            (target.state, target.pause) = (State::Connected, PAUSE_FIRST);
        }
    }

    /// The connection to `peer` has ended.
    pub(super) fn handle_down(&mut self, peer: Peer) {
        if let Some(target) = self.targets.get_mut(&peer)
            && target.state == State::Connected
        {
            target.wait();
        }
    }

    /// When somebody is to be dialled; `None` if nobody is, or too many are being dialled.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let due = |target: &Target| if let State::Due(at) = target.state { Some(at) } else { None };
        if self.dialling < GREETINGS_MAX { self.targets.values().filter_map(due).min() } else { None }
    }

    /// Dials those whose time has come; gives how many could not even be tried.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> u64 {
        let is_due = |target: &Target| matches!(target.state, State::Due(at) if at <= now);
        let due: Vec<Peer> =
            self.targets.iter().filter(|(_, target)| is_due(target)).map(|(peer, _)| *peer).collect();
        let mut failed = 0;
        for peer in due.into_iter().take(GREETINGS_MAX.saturating_sub(self.dialling)) {
            failed += u64::from(self.dial(peer).is_err());
        }
        failed
    }

    fn dial(&mut self, peer: Peer) -> io::Result<()> {
        self.dials += 1;
        let (dial, greeter) = (self.dials, Arc::clone(&self.greeter));
        let Some(target) = self.targets.get_mut(&peer) else { return Ok(()) };
        let (address, life) = (target.address, target.life);
        (target.dial, target.state) = (dial, State::Dialling);
        let started = self.start(Some((peer, dial)), move || greeter.dial(address, peer, life));
        match (&started, self.targets.get_mut(&peer)) {
            (Ok(()), _) => self.dialling += 1,
            (Err(_), Some(target)) => target.wait(),
            (Err(_), None) => {}
        }
        started
    }

    fn start(
        &self,
        dialled: Option<(Peer, u64)>,
        greet: impl FnOnce() -> Result<(TcpStream, Hello), GreetError> + Send + 'static,
    ) -> io::Result<()> {
        let (to_owner, waker) = (self.to_owner.clone(), self.waker.clone());
        let greet = move || {
            let result = greet();
            // Without an owner nobody wants the connection.
            let _ = to_owner.send(Outcome { dialled, result });
            waker.wake();
        };
        std::thread::Builder::new().name("greeting".into()).stack_size(STACK_BYTES).spawn(greet).map(|_| ())
    }

    /// The next greeting that ended. One that is not wanted any more is dropped.
    pub(super) fn poll_outcome(&mut self) -> Option<Result<(TcpStream, Hello), GreetError>> {
        while let Ok(Outcome { dialled, result }) = self.outcomes.try_recv() {
            let Some((peer, dial)) = dialled else {
                self.accepting -= 1;
                return Some(result);
            };
            self.dialling -= 1;
            if let Some(target) = self.targets.get_mut(&peer)
                && target.dial == dial
            {
                // If it went well, `handle_up` comes next.
                target.wait();
                return Some(result);
            }
        }
        None
    }
}

impl Target {
    /// Dials again, after a pause.
    fn wait(&mut self) {
        self.state = State::Due(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_LAST);
    }
}
