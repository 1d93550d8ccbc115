//! One session carried out: the rules of `incast_core::session` joined to a control connection and
//! to the data threads. Client and server differ in how a session begins; the rest is here.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select, unbounded};
use incast_core::flood::assemble::FlowIdentity;
use incast_core::flood::report::{Measured, Sent};
use incast_core::ledger::reading::{HostBook, HostReading};
use incast_core::record::Cpu;
use incast_core::session::{Failure, Notice, SILENCE_MAX, Session, clean};
use incast_core::time::{Span, Time};

use crate::channel::{Channel, ChannelError};
use crate::clock::Clock;
use crate::live::LiveFlow;
use crate::traffic::{DataEvent, Traffic};

/// How often the owner is woken though nothing happens, to look at its stop flag.
const TICK: Span = Span::from_ms(50);
/// How long data threads may take to end once told; then their account is given up.
const END_MAX: Duration = Duration::from_secs(3);

/// Reads the counters of this host, if whoever runs us can; each end tells the other what they grew by.
pub type ReadHost = fn() -> Option<HostReading>;

/// What whoever watches over a running end may want of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Be ready now, if held.
    Start,
    /// Stop sending now, and let the accounts follow.
    Stop,
}

/// What the owner of a flow learns, on any thread.
#[derive(Debug)]
pub enum FlowNotice {
    /// Client: its sockets are open, and it waits to be started.
    Armed,
    /// Data flows; watch `live`.
    Started {
        /// Tells this flow from others of the same server or client.
        id: u64,
        /// What is known of it.
        identity: FlowIdentity,
        /// What it has done so far.
        live: LiveFlow,
    },
    /// A flow is over.
    Done {
        /// As in `Started`.
        id: u64,
        /// Both sides of its account, as far as they are known.
        outcome: Box<FlowOutcome>,
    },
    /// A session is over; its flows are done.
    SessionOver {
        /// The peer's name, or address if it never told one.
        peer: String,
        /// Flows that it had; none if it was refused, or left before the start.
        flows: usize,
        /// Why it ended early, if it did.
        failure: Option<String>,
    },
}

/// What became of a flow.
#[derive(Clone, Debug)]
pub struct FlowOutcome {
    /// Who sent what to whom.
    pub identity: FlowIdentity,
    /// The sender's side.
    pub sent: Option<Sent>,
    /// The receiver's side.
    pub measured: Option<Measured>,
    /// Why it ended early, if it did.
    pub failure: Option<String>,
    /// CPU that the other end says it spent, if it is on this host: it is no stranger's work.
    pub cpu_of_local_peer: Option<Cpu>,
}

/// What happened next in a conversation.
pub(crate) enum Happening {
    /// The rules say something that the owner must act on.
    Notice(Notice),
    /// A data thread says something that the owner must act on.
    Data(DataEvent),
    /// Whoever watches over this end wants something; `None` is that nobody does any more.
    Ordered(Option<Order>),
    /// Nothing, for a while.
    Tick,
    /// Both sides know everything, or the session failed for this reason.
    Over(Option<String>),
}

/// One session under way.
pub(crate) struct Conversation {
    pub(crate) session: Session,
    channel: Channel,
    clock: Clock,
    pub(crate) traffic: Option<Traffic>,
    pub(crate) events: Sender<DataEvent>,
    inbox: Receiver<DataEvent>,
    pub(crate) accounts: Accounts,
    read_host: ReadHost,
    /// This host's counters when the session began.
    host: Option<HostReading>,
    /// What the control connection failed by, if it did.
    pub(crate) broken: Option<ChannelError>,
    /// What the session failed by under the rules, if it did.
    pub(crate) failed: Option<Failure>,
    /// What our own sending failed by, if it did.
    pub(crate) failure: Option<String>,
}

/// The accounts of both directions, as they become known.
#[derive(Default)]
pub(crate) struct Accounts {
    pub(crate) our_sent: Option<Sent>,
    pub(crate) our_measured: Option<Measured>,
    pub(crate) their_sent: Option<Sent>,
    pub(crate) their_measured: Option<Measured>,
}

impl Conversation {
    pub(crate) fn new(session: Session, channel: Channel, clock: Clock, read_host: ReadHost) -> Self {
        let (events, inbox) = unbounded();
        Self {
            session,
            channel,
            clock,
            traffic: None,
            events,
            inbox,
            accounts: Accounts::default(),
            read_host,
            host: read_host(),
            broken: None,
            failed: None,
            failure: None,
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Waits for the next thing that concerns the owner; everything else is dealt with here.
    pub(crate) fn wait(&mut self, orders: &Receiver<Order>) -> Happening {
        loop {
            // Notices before messages: the data must be ready to come when `Go` leaves.
            if let Some(notice) = self.session.poll_notice() {
                if let Some(happening) = self.handle_notice(notice) {
                    return happening;
                }
                continue;
            }
            if let Err(error) = self.pump() {
                return self.fail(error);
            }
            if self.session.is_over() {
                return Happening::Over(None);
            }
            let now = self.clock.now();
            let wake = self.session.next_timeout().map_or(TICK, |at| at.since(now).min(TICK));
            select! {
                recv(self.channel.frames()) -> frame => {
                    let frame = frame.unwrap_or(Err(ChannelError::Closed));
                    match frame.and_then(|frame| self.channel.handle_frame(&frame)) {
                        Ok(Some(message)) => self.session.handle_message(self.clock.now(), message),
                        Ok(None) => {}
                        Err(error) => return self.fail(error),
                    }
                }
                recv(self.inbox) -> event => {
                    if let Some(event) = event.ok().and_then(|event| self.handle_event(event)) {
                        return Happening::Data(event);
                    }
                }
                recv(orders) -> order => return Happening::Ordered(order.ok()),
                default(wake.to_std()) => {
                    self.session.handle_timeout(self.clock.now());
                    return Happening::Tick;
                }
            }
        }
    }

    /// Tells the peer everything that the rules want told.
    pub(crate) fn pump(&mut self) -> Result<(), ChannelError> {
        while let Some(message) = self.session.poll_transmit() {
            self.channel.send(&message)?;
        }
        Ok(())
    }

    /// Ends the control connection in good order; gives the accounts.
    pub(crate) fn close(mut self) -> Accounts {
        let _ = self.pump();
        self.channel.close();
        self.accounts
    }

    /// Asks both ends to stop sending; the accounts follow as usual.
    pub(crate) fn stop(&mut self) {
        if let Some(traffic) = &self.traffic {
            traffic.stop_sending();
        }
        self.session.stop(self.clock.now());
    }

    /// Ends the data threads and takes what they know; for a session that ended early.
    pub(crate) fn end_data(&mut self) {
        let Some(traffic) = &self.traffic else { return };
        traffic.stop_sending();
        traffic.stop_receiving();
        let deadline = std::time::Instant::now() + END_MAX;
        while self.traffic.as_ref().is_some_and(Traffic::is_running) {
            let Ok(event) = self.inbox.recv_deadline(deadline) else { break };
            self.handle_event(event);
        }
        if let Some(traffic) = &mut self.traffic {
            if self.accounts.our_sent.is_none() {
                self.accounts.our_sent = traffic.sent_so_far();
            }
            if self.accounts.our_measured.is_none() {
                self.accounts.our_measured = traffic.measured_without_totals();
            }
        }
    }

    fn handle_notice(&mut self, notice: Notice) -> Option<Happening> {
        match notice {
            Notice::StopSending => {
                self.traffic.iter().for_each(Traffic::stop_sending);
                None
            }
            Notice::PeerSent(sent) => {
                let measured =
                    self.traffic.as_mut().and_then(|traffic| traffic.handle_totals(&sent.stream_messages));
                self.accounts.their_sent = Some(*sent);
                self.tell_measured(measured);
                None
            }
            Notice::PeerMeasured(measured) => {
                self.accounts.their_measured = Some(*measured);
                None
            }
            Notice::Finished => {
                // The last account is still to be told.
                let told = self.pump();
                Some(told.map_or_else(|error| self.fail(error), |()| Happening::Over(None)))
            }
            Notice::Failed(failure) => {
                let _ = self.pump();
                let text = describe(&failure);
                self.failed = Some(failure);
                Some(Happening::Over(Some(text)))
            }
            notice => Some(Happening::Notice(notice)),
        }
    }

    /// Takes what a data thread says; hands back what only the owner can act on.
    fn handle_event(&mut self, event: DataEvent) -> Option<DataEvent> {
        match event {
            DataEvent::Sent { index, account } => {
                let failure = account.failure.clone();
                let sent = self.traffic.as_mut().and_then(|traffic| traffic.handle_sent(index, *account));
                if let Some(mut sent) = sent {
                    sent.host_book = self.host_book();
                    self.accounts.our_sent = Some(sent.clone());
                    self.session.sent(self.clock.now(), sent);
                }
                if failure.is_some() {
                    // One stream that breaks ends them all: their shares of the load would not add up.
                    self.traffic.iter().for_each(Traffic::stop_sending);
                    self.failure = self.failure.take().or(failure);
                }
                None
            }
            DataEvent::Received { index, account, .. } => {
                let measured =
                    self.traffic.as_mut().and_then(|traffic| traffic.handle_received(index, *account));
                self.tell_measured(measured);
                None
            }
            event => Some(event),
        }
    }

    fn tell_measured(&mut self, measured: Option<Measured>) {
        if let Some(mut measured) = measured {
            measured.host_book = self.host_book();
            self.accounts.our_measured = Some(measured.clone());
            self.session.measured(self.clock.now(), measured);
        }
    }

    /// What this host has counted since the session began.
    fn host_book(&self) -> Option<Box<HostBook>> {
        let (then, now) = (self.host.as_ref()?, (self.read_host)()?);
        Some(Box::new(now.since(then)))
    }

    fn fail(&mut self, error: ChannelError) -> Happening {
        // A peer that has told everything may close first.
        let finished =
            std::iter::from_fn(|| self.session.poll_notice()).any(|notice| notice == Notice::Finished);
        let text = error.to_string();
        self.broken = Some(error);
        Happening::Over((!finished).then_some(text))
    }
}

/// Why a session failed, for the user.
fn describe(failure: &Failure) -> String {
    match failure {
        Failure::Refused(reason) => format!("refused: {}", clean(reason)),
        Failure::Aborted(reason) => format!("ended by the peer: {}", clean(reason)),
        Failure::OutOfTurn(what) => {
            format!("the peer said `{what}` out of turn, or with numbers that cannot be")
        }
        Failure::Silent => format!("the peer said nothing for {}", SILENCE_MAX),
    }
}
