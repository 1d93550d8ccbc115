//! The asker over sockets: any number of answerers, asked in rounds by one thread.
//!
//! The calling thread holds the control connections: it is granted what it wants, says that it is there, and
//! hears the accounts at the end. The asking thread has all data connections and shares nothing
//! with it but flags, so that a control message never delays a request.

mod datagram;
mod stream;
mod work;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use incast_core::exchange::session::{Hello, Notice, Session, VERSION};
use incast_core::exchange::{AnswererAccount, AskerAccount, AskerPlan, Terms};
use incast_core::load::Transport;

use crate::channel::{Channel, ChannelError, DialError, show_address};
use crate::clock::Clock;
use crate::conversation::Order;
use crate::key::Key;
use crate::socket::SocketError;
use crate::traffic::ThreadCpu;

/// How often the owner looks at its control connections.
const TICK: Duration = Duration::from_millis(10);
/// How long answerers may take to tell their accounts.
const TELL_MAX: Duration = Duration::from_secs(5);
/// How long the grant may take.
const GRANT_MAX: Duration = Duration::from_secs(10);

/// An answerer, and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its server's port.
    pub server: SocketAddr,
    /// Where requests go, when that is another of its addresses.
    pub data: Option<IpAddr>,
}

/// What an asker is to do.
#[derive(Clone)]
pub struct AskPlan {
    /// Every answerer; each round asks all of them.
    pub targets: Vec<Target>,
    /// Name of this host.
    pub host: String,
    /// Name of the exchange.
    pub exchange: String,
    /// What is to be agreed.
    pub terms: Terms,
    /// When it asks.
    pub asker: AskerPlan,
    /// A new connection for every request; TCP only.
    pub new_connections: bool,
    /// Key that the answerers must have.
    pub key: Key,
    /// Wait for [`Order::Start`] before the first request.
    pub hold: bool,
    /// Poll without sleeping.
    pub spin: bool,
    /// Pins the asking thread to this core.
    pub core: Option<u32>,
    /// Clock of the run.
    pub clock: Clock,
    /// CPU of the calling thread.
    pub thread_cpu: ThreadCpu,
}

/// What the owner learns while it goes on.
#[derive(Clone, Debug)]
pub enum AskNotice {
    /// Every answerer has granted the wish, and connections stand.
    Armed,
    /// It asks; watch the progress.
    Started(Arc<Progress>),
}

/// How far an asker is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rounds begun.
    pub rounds: AtomicU64,
    /// Answers that came.
    pub answers: AtomicU64,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct AskOutcome {
    /// Names of the answerers, as they call themselves.
    pub names: Vec<String>,
    /// The asker's account.
    pub asked: AskerAccount,
    /// Each answerer's, if it told.
    pub told: Vec<Option<AnswererAccount>>,
    /// Why it ended early, for every answerer that is to blame.
    pub failures: Vec<String>,
}

/// Why nothing could be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// A socket could not be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A control connection could not be made.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// An answerer did not grant the wish.
    #[error("{server}: {reason}")]
    Session {
        /// The answerer.
        server: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The asking thread did not come to its end.
    #[error("the asking thread ended without its account")]
    Worker,
}

/// A control connection under way.
struct Line {
    server: SocketAddr,
    channel: Channel,
    session: Session,
    granted: Option<(String, u64, Option<u16>)>,
    told: Option<AnswererAccount>,
    failure: Option<String>,
}

/// What the two threads share.
#[derive(Debug)]
pub(crate) struct Flags {
    /// No more is to be asked.
    pub(crate) stop: AtomicBool,
    /// Answerers whose control connection is gone.
    pub(crate) gone: Vec<AtomicBool>,
    pub(crate) progress: Arc<Progress>,
}

/// Asks until the plan is done; `orders` start it if it is held, and stop it.
///
/// # Errors
/// When nothing could be asked. What fails later is in the outcome.
pub fn run(
    plan: &AskPlan,
    notices: &Sender<AskNotice>,
    orders: &Receiver<Order>,
) -> Result<AskOutcome, AskError> {
    let mut lines = dial(plan)?;
    let wires = lines.iter().zip(&plan.targets).enumerate().map(|(peer, (line, target))| {
        let (_, ticket, port) = line.granted.clone().unwrap_or_default();
        let ip = target.data.unwrap_or_else(|| target.server.ip());
        if port.is_some() && target.data.is_some() {
            show_address(SocketAddr::new(ip, target.server.port()), ticket)?;
        }
        let address = SocketAddr::new(ip, port.unwrap_or_else(|| target.server.port()));
        work::Way::open(plan, peer, address, ticket)
    });
    let ways = wires.collect::<Result<Vec<_>, _>>()?;
    let _ = notices.send(AskNotice::Armed);
    let flags = Arc::new(Flags {
        stop: AtomicBool::new(false),
        gone: lines.iter().map(|_| AtomicBool::new(false)).collect(),
        progress: Arc::default(),
    });
    if plan.hold && !wait_for_start(plan, &mut lines, orders) {
        flags.stop.store(true, Relaxed);
    }
    let _ = notices.send(AskNotice::Started(Arc::clone(&flags.progress)));
    let worker = {
        let (plan, flags) = (plan.clone(), Arc::clone(&flags));
        std::thread::Builder::new()
            .name("ask".into())
            .spawn(move || work::ask(&plan, ways, &flags))
            .map_err(|error| SocketError::new("start a thread", error))?
    };
    while !worker.is_finished() {
        if orders.try_iter().any(|order| order == Order::Stop) {
            flags.stop.store(true, Relaxed);
        }
        for (peer, line) in lines.iter_mut().enumerate() {
            line.pump(plan.clock);
            if line.failure.is_some() {
                flags.gone[peer].store(true, Relaxed);
            }
        }
        std::thread::sleep(TICK);
    }
    let (asked, open) = worker.join().map_err(|_| AskError::Worker)?;
    let told = hear_accounts(plan, &mut lines);
    // Until then the connections stand: an answerer looks at them once more before it tells.
    drop(open);
    let (mut names, mut failures) = (Vec::new(), Vec::new());
    for line in lines {
        names.push(line.granted.map_or_else(|| line.server.to_string(), |(host, ..)| host));
        failures.extend(line.failure.map(|why| format!("{}: {why}", line.server)));
        line.channel.close();
    }
    Ok(AskOutcome { names, asked, told, failures })
}

/// Opens every control connection and waits for the grants.
fn dial(plan: &AskPlan) -> Result<Vec<Line>, AskError> {
    let mut lines = Vec::new();
    for target in &plan.targets {
        let channel = Channel::dial(target.server, &plan.key)?;
        let hello = Hello {
            version: VERSION,
            host: plan.host.clone(),
            exchange: plan.exchange.clone(),
            terms: plan.terms.clone(),
            data: target.data,
        };
        let session = Session::asker(plan.clock.now(), hello);
        let (granted, told, failure) = (None, None, None);
        lines.push(Line { server: target.server, channel, session, granted, told, failure });
    }
    let deadline = Instant::now() + GRANT_MAX;
    while lines.iter().any(|line| line.granted.is_none()) {
        for line in &mut lines {
            line.pump(plan.clock);
            let late = Instant::now() > deadline && line.granted.is_none();
            let reason = line.failure.clone().or_else(|| late.then(|| "did not answer".into()));
            if let Some(reason) = reason {
                return Err(AskError::Session { server: line.server, reason });
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let is_udp = plan.terms.transport == Transport::Udp;
    for line in &lines {
        if is_udp && line.granted.as_ref().is_some_and(|(_, _, port)| port.is_none()) {
            let reason = "granted datagrams without a port".into();
            return Err(AskError::Session { server: line.server, reason });
        }
    }
    Ok(lines)
}

/// Waits for the common start; false if it was stopped before.
fn wait_for_start(plan: &AskPlan, lines: &mut [Line], orders: &Receiver<Order>) -> bool {
    loop {
        match orders.try_recv() {
            Ok(Order::Start) => return true,
            Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return false,
            Err(TryRecvError::Empty) => {}
        }
        lines.iter_mut().for_each(|line| line.pump(plan.clock));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Says that no more is asked, and hears what was answered.
fn hear_accounts(plan: &AskPlan, lines: &mut [Line]) -> Vec<Option<AnswererAccount>> {
    for line in &mut *lines {
        line.session.over(plan.clock.now());
    }
    let deadline = Instant::now() + TELL_MAX;
    let is_owed = |line: &Line| line.told.is_none() && line.failure.is_none();
    while lines.iter().any(is_owed) && Instant::now() < deadline {
        lines.iter_mut().for_each(|line| line.pump(plan.clock));
        std::thread::sleep(Duration::from_millis(1));
    }
    for line in lines.iter_mut().filter(|line| is_owed(line)) {
        line.failure = Some("did not tell its account".into());
    }
    lines.iter_mut().map(|line| line.told.take()).collect()
}

impl Line {
    /// Carries what is to be said and what was heard, without waiting.
    fn pump(&mut self, clock: Clock) {
        if self.failure.is_some() || self.told.is_some() {
            return;
        }
        if let Err(error) = self.try_pump(clock) {
            self.failure = Some(error.to_string());
        }
    }

    fn try_pump(&mut self, clock: Clock) -> Result<(), ChannelError> {
        let now = clock.now();
        if self.session.next_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
            self.handle_notices();
        }
        while let Some(message) = self.session.poll_transmit() {
            self.channel.send(&message)?;
        }
        loop {
            match self.channel.frames().try_recv() {
                Ok(frame) => {
                    if let Some(message) = self.channel.handle_frame(&frame?)? {
                        self.session.handle_message(now, message);
                    }
                }
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(ChannelError::Closed),
            }
            // At once: an answerer that has told its account closes the connection behind it.
            self.handle_notices();
            if self.told.is_some() || self.failure.is_some() {
                return Ok(());
            }
        }
    }

    fn handle_notices(&mut self) {
        while let Some(notice) = self.session.poll_notice() {
            match notice {
                Notice::Granted { host, ticket, port } => self.granted = Some((host, ticket, port)),
                Notice::Told(account) => self.told = Some(*account),
                Notice::Failed(why) => self.failure = Some(why),
                Notice::Wanted(_) | Notice::PeerOver => {}
            }
        }
    }
}
