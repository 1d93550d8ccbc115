//! A client of a stock `iperf3 -s`, one test.
//!
//! Datagrams are asked to carry counters of 64 bits. In reverse, iperf3 wants our results before it
//! tells what it sent: it gets what had come by then, and the account waits for the rest.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use incast_core::control::SendPlan;
use incast_core::flood::assemble::{ETHERNET_MTU, FlowIdentity};
use incast_core::flood::report::{Measured, Sent};
use incast_core::iperf3::client::{Client as Rules, Notice};
use incast_core::iperf3::datagram::{HELLO, REPLY, REPLY_OLD};
use incast_core::iperf3::{CookieBytes, Parameters, Results, TestPlan, cookie};
use incast_core::load::Transport;
use incast_core::raw::RawPlan;
use incast_core::record::Cpu;
use incast_core::time::{Span, Time};
use incast_core::units::Bytes;

use super::account::{Foreign, StreamSent, foreign, results_of_receiver, results_of_sender};
use super::control::Control;
use super::receive::{Source, Told};
use super::{Socket, outlet};
use crate::channel::CONNECT_MAX;
use crate::client::ClientError;
use crate::clock::Clock;
use crate::conversation::{FlowNotice, FlowOutcome, Order};
use crate::faults::FaultCounters;
use crate::live::LiveFlow;
use crate::socket::{self, Granted, Side, SocketError};
use crate::traffic::{DataEvent, Inlet, Outlet, Settings, ThreadCpu, Traffic};

/// What a test against iperf3 is to do.
#[derive(Clone)]
pub struct ClientPlan {
    /// The server's port.
    pub server: SocketAddr,
    /// Name of this host.
    pub host: String,
    /// Name of the flow.
    pub flow: String,
    /// What is sent.
    pub send: SendPlan,
    /// The server sends.
    pub reverse: bool,
    /// Receive buffer to ask for, in reverse.
    pub receive_buffer: Option<Bytes>,
    /// Pins data threads to this core.
    pub core: Option<u32>,
    /// Clock of the run.
    pub clock: Clock,
    /// Start of the run by the wall clock.
    pub run_start_unix_ns: u64,
    /// CPU of the calling thread.
    pub thread_cpu: ThreadCpu,
}

/// A server whose turn it is has this long: it may serve a client of ours that is slow to open streams.
const SERVER_MAX: Duration = Duration::from_secs(30);
/// Our own threads may drain for 5 s (`DRAIN_MAX`).
const COUNT_MAX: Duration = Duration::from_secs(8);
/// How long one hello waits for its answer before the next.
const HELLO_WAIT: Duration = Duration::from_secs(3);
/// Hellos per stream: as long as a stock client is patient.
const HELLOS_MAX: u32 = 10;
/// The greatest number of seconds that a server takes (`MAX_TIME`).
const TIME_S_MAX: u64 = 86_400;

impl ClientPlan {
    /// The test as iperf3 is to be told of it.
    ///
    /// # Errors
    /// With what iperf3 cannot do.
    pub fn parameters(&self) -> Result<(Parameters, TestPlan), String> {
        let send = &self.send;
        let streams = u64::from(send.streams.max(1));
        let seconds = send.stop.after.map_or(0, |after| after.as_ns().div_ceil(1_000_000_000));
        if seconds > TIME_S_MAX {
            return Err(format!("iperf3 takes tests of at most {TIME_S_MAX} s"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive; `as` saturates"
        )]
        let bandwidth = send.load.bits_per_s(send.message_bytes).map(|rate| (rate as u64 / streams).max(1));
        let udp = send.transport == Transport::Udp;
        let parameters = Parameters {
            tcp: !udp,
            udp,
            reverse: self.reverse,
            nodelay: send.no_delay,
            omit: Some(0),
            time: Some(seconds),
            num: Some(0),
            blockcount: Some(send.stop.messages.filter(|_| seconds == 0).unwrap_or(0)),
            parallel: Some(streams),
            len: Some(send.message_bytes.into()),
            bandwidth,
            congestion: send.congestion.clone(),
            tos: send.dscp.map(|dscp| u64::from(dscp) << 2),
            udp_counters_64bit: udp.then_some(1),
            pacing_timer: Some(1_000),
            client_version: Some("3.12".into()),
            ..Parameters::default()
        };
        let plan = parameters.check().map_err(|refusal| refusal.reason)?;
        Ok((parameters, plan))
    }
}

struct Test<'a> {
    plan: &'a ClientPlan,
    test: TestPlan,
    cookie: CookieBytes,
    rules: Rules,
    notices: &'a Sender<FlowNotice>,
    events: Sender<DataEvent>,
    inbox: Receiver<DataEvent>,
    identity: FlowIdentity,
    traffic: Traffic,
    outlets: Vec<Outlet>,
    inlets: Vec<Inlet>,
    told: Vec<Arc<Told>>,
    stream_sent: Vec<StreamSent>,
    /// Connections that stay open until all is told.
    kept: Vec<TcpStream>,
    live: LiveFlow,
    started: Option<Time>,
    duration: Span,
    cpu: Cpu,
    sent: Option<Sent>,
    measured: Option<Measured>,
    foreign: Option<Foreign>,
    results_wanted: bool,
    stopped: bool,
    /// When something was last said or heard.
    heard: Instant,
}

/// Runs one test against a stock server, until done or stopped.
///
/// # Errors
/// When iperf3 cannot do it, a socket cannot be had, or the server ended it before any data flowed.
pub fn flood(
    plan: &ClientPlan,
    notices: &Sender<FlowNotice>,
    orders: &Receiver<Order>,
) -> Result<FlowOutcome, ClientError> {
    let session = |reason: String| ClientError::Session { server: plan.server, reason };
    let (parameters, test) = plan.parameters().map_err(session)?;
    let text = serde_json::to_string(&parameters).map_err(|error| session(error.to_string()))?;
    let mut random = [0; 36];
    getrandom::fill(&mut random).map_err(|error| session(format!("draw a cookie: {error}")))?;
    let cookie = cookie(&random);
    let connection = TcpStream::connect_timeout(&plan.server, CONNECT_MAX)
        .map_err(|error| SocketError::new(format!("connect to {} over TCP", plan.server), error))?;
    let control = Control::open(connection).map_err(|error| session(error.to_string()))?;
    let (events, inbox) = unbounded();
    let settings = Settings {
        host_gauge: || None,
        clock: plan.clock,
        thread_cpu: plan.thread_cpu,
        spin: plan.send.spin,
        sender_core: plan.core,
        receiver_core: plan.core,
        receive_batch: None,
    };
    let test = Test {
        rules: Rules::new(&cookie, &text),
        identity: identity(plan),
        traffic: Traffic::new(plan.send.clone(), settings),
        stream_sent: vec![StreamSent::default(); usize::try_from(plan.send.streams).unwrap_or(0)],
        plan,
        test,
        cookie,
        notices,
        events,
        inbox,
        outlets: Vec::new(),
        inlets: Vec::new(),
        told: Vec::new(),
        kept: Vec::new(),
        live: LiveFlow::default(),
        started: None,
        duration: Span::ZERO,
        cpu: Cpu::default(),
        sent: None,
        measured: None,
        foreign: None,
        results_wanted: false,
        stopped: false,
        heard: Instant::now(),
    };
    test.run(control, orders)
}

fn identity(plan: &ClientPlan) -> FlowIdentity {
    let (us, server) = (plan.host.clone(), plan.server.to_string());
    let (from, to) = if plan.reverse { (server, us) } else { (us, server) };
    FlowIdentity {
        name: plan.flow.clone(),
        from,
        to,
        transport: plan.send.transport,
        message_bytes: plan.send.message_bytes,
        streams: plan.send.streams,
        load: Some(plan.send.load),
        interval: plan.send.interval,
        raw: RawPlan::default(),
        run_start_unix_ns: Some(plan.run_start_unix_ns),
        mtu_bytes: ETHERNET_MTU,
    }
}

impl Test<'_> {
    fn run(mut self, mut control: Control, orders: &Receiver<Order>) -> Result<FlowOutcome, ClientError> {
        let mut failure = None;
        loop {
            while let Some(bytes) = self.rules.poll_transmit() {
                self.heard = Instant::now();
                if control.write(&bytes).is_err() {
                    self.rules.handle_close();
                }
            }
            while let Some(notice) = self.rules.poll_notice() {
                if let Notice::Failed(reason) = notice {
                    failure = Some(reason);
                } else {
                    self.act(notice)?;
                }
            }
            if self.rules.is_over() {
                while let Some(bytes) = self.rules.poll_transmit() {
                    let _ = control.write(&bytes);
                }
                return self.finish(failure);
            }
            match control.read() {
                Some([]) => {}
                Some(bytes) => {
                    self.heard = Instant::now();
                    self.rules.handle_bytes(bytes);
                }
                None => self.rules.handle_close(),
            }
            if self.rules.is_waiting() && self.heard.elapsed() > SERVER_MAX {
                self.rules.stop("the server does not go on");
            }
            if orders.try_recv().is_ok_and(|order| order == Order::Stop) {
                self.stopped = true;
                self.traffic.stop_sending();
            }
            while let Ok(event) = self.inbox.try_recv() {
                self.handle(event);
            }
            self.end_in_time();
            self.tell_results();
        }
    }

    fn act(&mut self, notice: Notice) -> Result<(), SocketError> {
        match notice {
            Notice::Open => {
                for _ in 0..self.test.streams {
                    self.open_stream()?;
                }
            }
            Notice::Start => self.start(),
            Notice::ResultsWanted => self.results_wanted = true,
            Notice::Results(text) => self.handle_results(&text),
            Notice::Finished | Notice::Failed(_) => {}
        }
        Ok(())
    }

    fn open_stream(&mut self) -> Result<(), SocketError> {
        let (plan, server) = (self.plan, self.plan.server);
        let (socket, granted) = match plan.send.transport {
            Transport::Tcp => {
                let (mut connection, granted) = socket::tcp_connect(server, &plan.send, CONNECT_MAX)?;
                io::Write::write_all(&mut connection, &self.cookie)
                    .map_err(|error| SocketError::new(format!("greet {server}"), error))?;
                self.kept.extend(connection.try_clone().ok());
                let granted = self.receiving(connection.as_fd(), granted, None);
                (Socket::Tcp(connection), granted)
            }
            // A test of iperf3 is over TCP or UDP.
            _ => {
                let (socket, granted) = socket::udp_connect(server, &plan.send)?;
                let granted = self.receiving(socket.as_fd(), granted, Some(socket::UDP_RECEIVE_BUFFER));
                greet(&socket)
                    .map_err(|error| SocketError::new(format!("greet {server} over UDP"), error))?;
                (Socket::Udp(socket), granted)
            }
        };
        if !plan.reverse {
            self.outlets.push(outlet(socket, granted, &self.test, plan.send.segments_max)?);
            return Ok(());
        }
        let told = Arc::<Told>::default();
        self.told.push(Arc::clone(&told));
        let (message_bytes, width) = (self.test.message_bytes, self.test.width);
        let faults = Arc::<FaultCounters>::default();
        self.inlets.push(Inlet::Iperf3(Box::new(Source {
            socket,
            granted,
            message_bytes,
            width,
            told,
            faults,
        })));
        Ok(())
    }

    /// In reverse, the buffer that matters is the receiving one.
    fn receiving(
        &self,
        socket: std::os::fd::BorrowedFd<'_>,
        sending: Granted,
        usual: Option<Bytes>,
    ) -> Granted {
        if !self.plan.reverse {
            return sending;
        }
        let granted = socket::ask_buffer(socket, Side::Receive, self.plan.receive_buffer.or(usual));
        let caveats = sending.caveats.into_iter().chain(granted.caveats).collect();
        Granted { caveats, ..granted }
    }

    fn start(&mut self) {
        self.started = Some(self.plan.clock.now());
        self.live = if self.plan.reverse {
            self.traffic.start_receiving(std::mem::take(&mut self.inlets), &self.events)
        } else {
            self.traffic.start_sending(std::mem::take(&mut self.outlets), &self.events)
        };
        let (identity, live) = (self.identity.clone(), self.live.clone());
        let _ = self.notices.send(FlowNotice::Started { id: 0, identity, live });
    }

    fn handle(&mut self, event: DataEvent) {
        match event {
            DataEvent::Sent { index, account } => {
                if let Some(reason) = &account.failure {
                    self.rules.stop(reason);
                }
                if let Some(cpu) = &account.cpu {
                    self.cpu.add(cpu);
                }
                if let Some(stream) = self.stream_sent.get_mut(index) {
                    *stream = StreamSent::of(&account);
                }
                let sent = self.traffic.handle_sent(index, *account);
                self.sent = sent.or_else(|| self.sent.take());
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

    /// The client ends the test: when it has sent all, or in reverse when it has had enough.
    fn end_in_time(&mut self) {
        let Some(started) = self.started.filter(|_| self.duration == Span::ZERO) else { return };
        let elapsed = self.plan.clock.now().since(started);
        let stop = self.plan.send.stop;
        let over = if self.plan.reverse {
            let enough = stop.messages.is_some_and(|messages| self.live.read().received >= messages);
            enough
                || self.stopped
                || stop.after.is_some_and(|after| elapsed >= after)
                || !self.traffic.is_running()
        } else {
            self.sent.is_some()
        };
        if over {
            self.duration = elapsed;
            self.rules.end();
        }
    }

    fn tell_results(&mut self) {
        if !std::mem::take(&mut self.results_wanted) {
            return;
        }
        let (test, duration, cpu) = (&self.test, self.duration, Some(&self.cpu));
        let results = if self.plan.reverse {
            results_of_receiver(test, &self.told, duration, cpu)
        } else {
            results_of_sender(test, &self.stream_sent, duration, cpu)
        };
        match serde_json::to_string(&results) {
            Ok(text) => self.rules.results(&text),
            Err(error) => self.rules.stop(&format!("write the results: {error}")),
        }
    }

    fn handle_results(&mut self, text: &[u8]) {
        let read = if self.plan.reverse { Foreign::of_sender } else { Foreign::of_receiver };
        let results: Option<Results> = serde_json::from_slice(text).ok();
        self.foreign = results.and_then(|results| read(&self.test, &results, self.duration));
        if let Some(told) = self.foreign.as_ref().filter(|_| self.plan.reverse) {
            let totals = told.messages.clone();
            self.measured = self.traffic.handle_totals(&totals).or_else(|| self.measured.take());
        }
    }

    fn finish(mut self, failure: Option<String>) -> Result<FlowOutcome, ClientError> {
        let Some(_) = self.started else {
            let reason = failure.unwrap_or_else(|| "the test ended before any data flowed".into());
            return Err(ClientError::Session { server: self.plan.server, reason });
        };
        self.traffic.stop_sending();
        if self.foreign.is_none() {
            self.traffic.stop_receiving();
        }
        let deadline = Instant::now() + COUNT_MAX;
        while self.traffic.is_running() {
            let Ok(event) = self.inbox.recv_deadline(deadline) else { break };
            self.handle(event);
        }
        let name = self.identity.name.clone();
        let unknown =
            foreign(format!("{name}: the server's account is missing, or cannot be one of this test"));
        let (mut sent, mut measured) = (self.sent.take(), self.measured.take());
        let doubt = self.foreign.is_none().then_some(unknown);
        if self.plan.reverse {
            sent = self
                .foreign
                .as_ref()
                .map(|told| Sent { stopped: self.stopped, ..told.sent(&self.test, &name) });
            measured = measured.or_else(|| self.traffic.measured_without_totals());
            if let Some(side) = measured.as_mut() {
                side.caveats.extend(doubt);
            }
        } else {
            sent = sent.or_else(|| self.traffic.sent_so_far());
            let messages = sent.as_ref().map_or(0, Sent::messages);
            measured = self.foreign.as_ref().map(|told| told.measured(&self.test, &name, messages));
            if let Some(side) = sent.as_mut() {
                side.caveats.extend(doubt);
            }
        }
        let local = self.plan.server.ip().to_canonical().is_loopback();
        let cpu_of_local_peer = self.foreign.and_then(|told| told.cpu).filter(|_| local);
        Ok(FlowOutcome { identity: self.identity, sent, measured, failure, cpu_of_local_peer })
    }
}

/// Says hello and waits for the answer. Data of a stream may come before it, in reverse.
fn greet(socket: &std::net::UdpSocket) -> io::Result<()> {
    let mut answer = [0; 65_536];
    for _ in 0..HELLOS_MAX {
        let deadline = Instant::now() + HELLO_WAIT;
        let _ = socket.send(&HELLO);
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        {
            socket.set_read_timeout(Some(left))?;
            match socket.recv(&mut answer) {
                Ok(bytes) if answer[..bytes] == REPLY || answer[..bytes] == REPLY_OLD => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    // Between two streams iperf3 opens its port anew.
                    std::thread::sleep(Duration::from_millis(50));
                    break;
                }
                Err(_) => break,
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
}
