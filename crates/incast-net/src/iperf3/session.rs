//! One client of the iperf3 server: the rules of `incast_core::iperf3::server` joined to its control
//! connection, its streams and their threads.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use incast_core::caveat::Caveat;
use incast_core::flood::assemble::{ETHERNET_MTU, FlowIdentity};
use incast_core::flood::report::{Measured, Sent};
use incast_core::iperf3::message::CODE_UNREADABLE;
use incast_core::iperf3::server::{Failure, Notice, Server as Rules};
use incast_core::iperf3::{CookieBytes, Parameters, Refusal, Results, TestPlan};
use incast_core::load::{Load, Transport};
use incast_core::raw::RawPlan;
use incast_core::record::Cpu;
use incast_core::time::{Span, Time};

use super::account::{Foreign, StreamSent, foreign, results_of_receiver, results_of_sender};
use super::control::Control;
use super::receive::{Source, Told};
use super::server::{Joined, Shared};
use super::{Socket, outlet, send_plan};
use crate::conversation::{FlowNotice, FlowOutcome};
use crate::faults::count;
use crate::live::LiveFlow;
use crate::socket::{self, Granted, SocketError};
use crate::traffic::{DataEvent, Inlet, Traffic};

/// How long data threads may take to end once told; then their account is given up.
const END_MAX: Duration = Duration::from_secs(3);
/// How long a test waits for its turn to open UDP streams: two others may be slow to death.
const TURN_MAX: Span = Span::from_s(25);
/// What the client tells in vain: our drain takes 5 s at most (`DRAIN_MAX`).
const COUNT_MAX: Span = Span::from_s(8);

struct Test<'a> {
    shared: &'a Shared,
    rules: Rules,
    peer: SocketAddr,
    cookie: CookieBytes,
    joining: (Receiver<Joined>, Sender<Joined>),
    streams: Vec<Joined>,
    /// Since when it waits for its turn, and whether it has it.
    turn: Turn,
    caveats: Vec<Caveat>,
    events: Sender<DataEvent>,
    inbox: Receiver<DataEvent>,
    running: Option<Running>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    No,
    Waiting(Time),
    Held,
}

/// A test whose data flows, or has.
struct Running {
    id: u64,
    plan: TestPlan,
    identity: FlowIdentity,
    traffic: Traffic,
    told: Vec<Arc<Told>>,
    stream_sent: Vec<StreamSent>,
    /// Connections that stay open until all is told.
    kept: Vec<TcpStream>,
    started: Time,
    duration: Span,
    cpu: Cpu,
    sent: Option<Sent>,
    measured: Option<Measured>,
    foreign: Option<Foreign>,
    /// Since when the client's results are here.
    counting: Option<Time>,
}

/// Serves one client, from its cookie to its end.
pub(super) fn serve(
    shared: &Shared,
    connection: TcpStream,
    peer: SocketAddr,
    cookie: CookieBytes,
    inbox: Receiver<Joined>,
    joined: Sender<Joined>,
) {
    shared.acceptor.sessions.fetch_add(1, Relaxed);
    if let Ok(control) = Control::open(connection) {
        let (events, data) = unbounded();
        let mut test = Test {
            shared,
            rules: Rules::new(shared.plan.clock.now()),
            peer,
            cookie,
            joining: (inbox, joined),
            streams: Vec::new(),
            turn: Turn::No,
            caveats: Vec::new(),
            events,
            inbox: data,
            running: None,
        };
        let failure = test.run(control);
        test.finish(failure);
    }
    shared.forget(&cookie);
    shared.acceptor.sessions.fetch_sub(1, Relaxed);
}

impl Test<'_> {
    /// Until it is over; why it ended early, if it did.
    fn run(&mut self, mut control: Control) -> Option<String> {
        let mut failure = None;
        loop {
            while let Some(bytes) = self.rules.poll_transmit() {
                if control.write(&bytes).is_err() {
                    self.rules.handle_close();
                }
            }
            while let Some(notice) = self.rules.poll_notice() {
                if let Some(reason) = self.act(notice) {
                    failure = Some(reason);
                }
            }
            if self.rules.is_over() {
                while let Some(bytes) = self.rules.poll_transmit() {
                    let _ = control.write(&bytes);
                }
                return failure;
            }
            let now = self.shared.plan.clock.now();
            match control.read() {
                Some(bytes) => self.rules.handle_bytes(now, bytes),
                None => self.rules.handle_close(),
            }
            self.rules.handle_timeout(now);
            if self.shared.acceptor.is_stopping() {
                self.rules.stop();
            }
            self.open_streams(now);
            self.take_data();
            self.tell_results();
        }
    }

    fn act(&mut self, notice: Notice) -> Option<String> {
        match notice {
            Notice::Wanted(text) => self.handle_parameters(&text),
            Notice::Ended => self.handle_end(),
            Notice::Results(text) => self.handle_results(&text),
            Notice::Finished => {}
            Notice::Failed(failure) => return Some(self.failed(failure)),
        }
        None
    }

    fn handle_parameters(&mut self, text: &[u8]) {
        let read: Result<Parameters, _> = serde_json::from_slice(text);
        let checked = match read {
            Ok(parameters) => parameters.check(),
            Err(_) => {
                count(&self.shared.acceptor.faults.bad_messages);
                let reason = "its parameters cannot be read".into();
                Err(Refusal { code: CODE_UNREADABLE, reason })
            }
        };
        match checked {
            Ok(plan) => {
                if plan.transport == Transport::Udp {
                    self.turn = Turn::Waiting(self.shared.plan.clock.now());
                } else {
                    self.shared.expect_tcp(&self.cookie, plan.streams);
                    self.rules.accept(self.shared.plan.clock.now(), &plan);
                }
                self.running = Some(self.prepared(plan));
            }
            Err(refusal) => self.rules.refuse(&refusal),
        }
    }

    fn prepared(&self, plan: TestPlan) -> Running {
        let (server, peer) = (&self.shared.plan, self.peer.to_string());
        let (from, to) = if plan.reverse { (server.host.clone(), peer) } else { (peer, server.host.clone()) };
        let identity = FlowIdentity {
            name: format!("iperf3 {}", self.peer),
            from,
            to,
            transport: plan.transport,
            message_bytes: plan.message_bytes,
            streams: plan.streams,
            load: Some(plan.load).filter(|load| *load != Load::Unlimited),
            interval: server.interval,
            raw: RawPlan::default(),
            run_start_unix_ns: Some(server.run_start_unix_ns),
            mtu_bytes: ETHERNET_MTU,
        };
        let send = send_plan(&plan, server.interval, server.spin);
        Running {
            id: self.shared.flow_ids.fetch_add(1, Relaxed),
            traffic: Traffic::new(send, self.shared.settings()),
            told: Vec::new(),
            stream_sent: vec![StreamSent::default(); usize::try_from(plan.streams).unwrap_or(0)],
            kept: Vec::new(),
            started: Time::ZERO,
            duration: Span::ZERO,
            cpu: Cpu::default(),
            sent: None,
            measured: None,
            foreign: None,
            counting: None,
            identity,
            plan,
        }
    }

    /// Takes the streams as they come; lets the client go when all are there.
    fn open_streams(&mut self, now: Time) {
        let Some(running) = &self.running else { return };
        let plan = running.plan.clone();
        if let Turn::Waiting(since) = self.turn {
            match self.shared.take_turn(self.peer.ip(), plan.streams, &self.joining.1) {
                Some(doubtful) => {
                    self.turn = Turn::Held;
                    if doubtful {
                        let text = format!(
                            "{}: another client of this address gave up while it opened its UDP streams; iperf3's datagrams do not tell whose they are, and a late one may have been taken for this client's",
                            running.identity.name
                        );
                        self.caveats.push(foreign(text));
                    }
                    self.rules.accept(now, &plan);
                }
                None if now.since(since) > TURN_MAX => self.rules.stop(),
                None => {}
            }
        }
        if !self.rules.is_opening() {
            return;
        }
        self.streams.extend(self.joining.0.try_iter());
        if self.streams.len() == usize::try_from(plan.streams).unwrap_or(usize::MAX) {
            self.end_turn(true);
            if self.start(now).is_err() {
                self.rules.stop();
            }
        }
    }

    fn start(&mut self, now: Time) -> Result<(), SocketError> {
        let mut streams = std::mem::take(&mut self.streams);
        streams.sort_by_key(|stream| stream.order);
        let Some(running) = &mut self.running else { return Ok(()) };
        let plan = &running.plan;
        let (mut inlets, mut outlets) = (Vec::new(), Vec::new());
        for Joined { socket, granted, .. } in streams {
            running.kept.extend(match &socket {
                Socket::Tcp(connection) => connection.try_clone().ok(),
                Socket::Udp(_) => None,
            });
            if plan.reverse {
                let granted = prepare_sender(&socket, plan, self.shared);
                outlets.push(outlet(socket, granted, plan, None)?);
            } else {
                let told = Arc::<Told>::default();
                running.told.push(Arc::clone(&told));
                let faults = Arc::clone(&self.shared.acceptor.faults);
                let (message_bytes, width) = (plan.message_bytes, plan.width);
                inlets.push(Inlet::Iperf3(Box::new(Source {
                    socket,
                    granted,
                    message_bytes,
                    width,
                    told,
                    faults,
                })));
            }
        }
        running.started = now;
        // Before the client is let go: its first message must find its receiver.
        let live: LiveFlow = if plan.reverse {
            self.rules.start(now);
            running.traffic.start_sending(outlets, &self.events)
        } else {
            let live = running.traffic.start_receiving(inlets, &self.events);
            self.rules.start(now);
            live
        };
        let identity = running.identity.clone();
        self.shared.tell(FlowNotice::Started { id: running.id, identity, live });
        Ok(())
    }

    fn end_turn(&mut self, complete: bool) {
        if self.turn == Turn::Held {
            self.shared.end_turn(self.peer.ip(), complete);
        }
        self.turn = Turn::No;
    }

    fn handle_end(&mut self) {
        let now = self.shared.plan.clock.now();
        if let Some(running) = &mut self.running {
            running.duration = now.since(running.started);
            running.traffic.stop_sending();
        }
    }

    fn handle_results(&mut self, text: &[u8]) {
        let now = self.shared.plan.clock.now();
        let Some(running) = &mut self.running else { return };
        running.counting = Some(now);
        let Ok(results) = serde_json::from_slice::<Results>(text) else {
            count(&self.shared.acceptor.faults.bad_messages);
            return self.rules.reject_results();
        };
        let (plan, name) = (&running.plan, &running.identity.name);
        let read = if plan.reverse { Foreign::of_receiver } else { Foreign::of_sender };
        running.foreign = read(plan, &results, running.duration);
        match &running.foreign {
            Some(told) if !plan.reverse => {
                running.sent = Some(told.sent(plan, name));
                if let Some(measured) = running.traffic.handle_totals(&told.messages.clone()) {
                    running.measured = Some(measured);
                }
            }
            Some(_) => {}
            None => {
                count(&self.shared.acceptor.faults.bad_messages);
                let text = format!(
                    "{name}: the client's results cannot be those of this test; what it says is unknown"
                );
                self.caveats.push(foreign(text));
                running.traffic.stop_receiving();
            }
        }
    }

    fn take_data(&mut self) {
        while let Ok(event) = self.inbox.try_recv() {
            if let Some(running) = &mut self.running {
                running.handle(event);
            }
        }
    }

    /// Once the client's results are here and our own threads have ended.
    fn tell_results(&mut self) {
        let now = self.shared.plan.clock.now();
        let Some(running) = &mut self.running else { return };
        let Some(since) = running.counting else { return };
        if running.traffic.is_running() {
            if now.since(since) > COUNT_MAX {
                running.traffic.stop_receiving();
            }
            return;
        }
        running.counting = None;
        let (plan, duration, cpu) = (&running.plan, running.duration, Some(&running.cpu));
        let results = if plan.reverse {
            results_of_sender(plan, &running.stream_sent, duration, cpu)
        } else {
            results_of_receiver(plan, &running.told, duration, cpu)
        };
        match serde_json::to_string(&results) {
            Ok(text) if !self.rules.is_over() => self.rules.results(now, &text),
            _ => {}
        }
    }

    fn failed(&self, failure: Failure) -> String {
        let faults = &self.shared.acceptor.faults;
        match failure {
            Failure::Left if self.running.is_none() => {
                count(&faults.truncated_connections);
                "the client left".into()
            }
            Failure::Left => "the client left before the end".into(),
            Failure::Silent => {
                if self.running.is_none() {
                    count(&faults.silent_connections);
                }
                "the client did not go on".into()
            }
            Failure::Nonsense => {
                count(&faults.bad_messages);
                "the client spoke out of turn".into()
            }
            Failure::BadLength => {
                count(&faults.bad_lengths);
                "the client announced a message of an impossible length".into()
            }
            Failure::Stopped => "the server ended the test".into(),
            Failure::Refused(reason) => reason,
        }
    }

    /// Ends what still runs, and tells what is known.
    fn finish(mut self, failure: Option<String>) {
        self.end_turn(false);
        let began = self.running.as_ref().is_some_and(|running| running.started > Time::ZERO);
        let peer = self.peer.to_string();
        if let Some(running) = self.running.take().filter(|_| began) {
            let id = running.id;
            let outcome = running.close(&self.inbox, failure.clone(), self.peer, self.caveats);
            self.shared.tell(FlowNotice::Done { id, outcome: Box::new(outcome) });
        } else if let Some(reason) = &failure {
            // Refused, or gone before the start: nothing was measured, and somebody may wonder.
            self.shared.tell(FlowNotice::SessionOver { peer, flows: 0, failure: Some(reason.clone()) });
            return;
        }
        self.shared.tell(FlowNotice::SessionOver { peer, flows: usize::from(began), failure });
    }
}

impl Running {
    fn handle(&mut self, event: DataEvent) {
        match event {
            DataEvent::Sent { index, account } => {
                if let Some(cpu) = &account.cpu {
                    self.cpu.add(cpu);
                }
                if let Some(stream) = self.stream_sent.get_mut(index) {
                    *stream = StreamSent::of(&account);
                }
                // The client ends the test, not we: that is its time, not an interruption.
                let sent = self.traffic.handle_sent(index, *account);
                self.sent = sent.map(|sent| Sent { stopped: false, ..sent }).or_else(|| self.sent.take());
            }
            DataEvent::Received { index, account, .. } => {
                if let Some(cpu) = &account.cpu {
                    self.cpu.add(cpu);
                }
                let measured = self.traffic.handle_received(index, *account);
                self.measured = measured.or_else(|| self.measured.take());
            }
            _ => {}
        }
    }

    fn close(
        mut self,
        inbox: &Receiver<DataEvent>,
        failure: Option<String>,
        peer: SocketAddr,
        caveats: Vec<Caveat>,
    ) -> FlowOutcome {
        self.traffic.stop_sending();
        self.traffic.stop_receiving();
        let deadline = Instant::now() + END_MAX;
        while self.traffic.is_running() {
            let Ok(event) = inbox.recv_deadline(deadline) else { break };
            self.handle(event);
        }
        let (mut sent, mut measured) = (self.sent, self.measured);
        if self.plan.reverse {
            sent = sent.or_else(|| self.traffic.sent_so_far());
            let messages = sent.as_ref().map_or(0, Sent::messages);
            let name = &self.identity.name;
            measured = self.foreign.as_ref().map(|told| told.measured(&self.plan, name, messages));
        } else if measured.is_none() {
            measured = self.traffic.measured_without_totals();
        }
        if let Some(side) = sent.as_mut() {
            side.caveats.extend(caveats);
        } else if let Some(side) = measured.as_mut() {
            side.caveats.extend(caveats);
        }
        let cpu_of_local_peer =
            self.foreign.and_then(|told| told.cpu).filter(|_| peer.ip().to_canonical().is_loopback());
        FlowOutcome { identity: self.identity, sent, measured, failure, cpu_of_local_peer }
    }
}

/// What the client wishes of a socket that we send through.
fn prepare_sender(socket: &Socket, plan: &TestPlan, shared: &Shared) -> Granted {
    let send = send_plan(plan, shared.plan.interval, shared.plan.spin);
    match socket {
        Socket::Tcp(connection) => {
            let ipv6 = connection.peer_addr().is_ok_and(|peer| peer.is_ipv6());
            socket::prepare_tcp_sender(&connection.as_fd(), ipv6, &send)
        }
        Socket::Udp(connection) => {
            let ipv6 = connection.peer_addr().is_ok_and(|peer| peer.is_ipv6());
            socket::prepare_udp_sender(&connection.as_fd(), ipv6, &send)
        }
    }
}
