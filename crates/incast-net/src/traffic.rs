//! The data of one session or plain flow: starts the threads that send and receive, and puts
//! together what each of them learned.

mod receive;
mod send;

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crossbeam_channel::Sender;
use incast_core::caveat::Caveat;
use incast_core::control::SendPlan;
use incast_core::flood::report::{Measured, Sent};
use incast_core::flood::sender::StreamPlan;
use incast_core::flood::{FloodReceiver, FloodSender, merge};
use incast_core::probe::{HostWork, ProbeReceiver, ProbeSeen, ProbeSent};
use incast_core::record::{Batching, Buffer, Cpu, RawSide, TcpSummary};
use incast_core::time::Time;

pub(crate) use send::Outlet;

use crate::clock::{self, Clock};
use crate::hub::{HubHandle, Report};
use crate::live::{Live, LiveFlow};
use crate::socket::Granted;
use crate::udp::{Control, Origin};
use crate::wait::Wait;

/// Reads the CPU spent by the calling thread; given by the binary, which knows the host.
pub type ThreadCpu = fn() -> Option<Cpu>;

/// Reads what the host has done so far, for the ends of a probe; given by the binary.
pub type HostGauge = fn() -> Option<HostWork>;

/// What a worker thread tells the owner of its flow.
pub(crate) enum DataEvent {
    /// Server: a data connection for this stream has come.
    Attached { stream: u64, connection: TcpStream },
    /// Server: where the client wants this stream's messages.
    Greeted { index: usize, from: Origin },
    /// Server: every sender of the barrier is ready.
    BarrierOpen,
    /// Plain server: a sender was heard for the first time.
    Heard { stream: u64, from: SocketAddr, live: Arc<Live> },
    /// A stream has been sent.
    Sent { index: usize, account: Box<SentStream> },
    /// A stream has been received; `stream` is its id at the hub, or 0.
    Received { stream: u64, index: usize, account: Box<ReceivedStream> },
}

/// What a sending thread leaves.
pub(crate) struct SentStream {
    pub(crate) sender: FloodSender,
    pub(crate) cpu: Option<Cpu>,
    pub(crate) buffer: Option<Buffer>,
    pub(crate) tcp: Option<TcpSummary>,
    pub(crate) batching: Batching,
    /// Raw transports: how it met the link.
    pub(crate) raw: Option<RawSide>,
    pub(crate) caveats: Vec<Caveat>,
    /// Why it ended early, if it did.
    pub(crate) failure: Option<String>,
    /// Of a probe: the exchanges beside it.
    pub(crate) probe: Option<Box<ProbeSent>>,
}

/// What a receiving thread leaves.
pub(crate) struct ReceivedStream {
    pub(crate) receiver: FloodReceiver,
    pub(crate) uncounted: u64,
    pub(crate) partial_bytes: u64,
    /// Datagrams that the socket dropped while this stream lasted.
    pub(crate) socket_drops: Option<u64>,
    pub(crate) cpu: Option<Cpu>,
    pub(crate) buffer: Option<Buffer>,
    pub(crate) batching: Batching,
    /// Raw transports: how it met the link.
    pub(crate) raw: Option<RawSide>,
    pub(crate) caveats: Vec<Caveat>,
    /// Of a probe: what was timed, and how often the wall clock was stepped meanwhile.
    pub(crate) probe: Option<(Box<ProbeReceiver>, u64)>,
}

/// Where a stream comes in.
pub(crate) enum Inlet {
    /// A connection of its own.
    Tcp(TcpStream, Granted),
    /// A hub that tells streams apart, and this one's id.
    Udp(HubHandle, u64),
    /// The same, of frames.
    Frames(HubHandle, u64),
    /// A stream of iperf3's, with a socket of its own.
    Iperf3(Box<crate::iperf3::receive::Source>),
}

/// How the threads of a flow work.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) clock: Clock,
    pub(crate) thread_cpu: ThreadCpu,
    pub(crate) host_gauge: HostGauge,
    pub(crate) spin: bool,
    pub(crate) sender_core: Option<u32>,
    pub(crate) receiver_core: Option<u32>,
    /// Most datagrams of one receive call; over TCP the bytes of so many messages.
    pub(crate) receive_batch: Option<u32>,
}

/// What a receiving thread is told while it runs.
#[derive(Debug)]
pub(crate) struct ReceiveOrders {
    pub(crate) stop: AtomicBool,
    /// The sender's total; `u64::MAX` while unknown.
    pub(crate) total: AtomicU64,
}

impl Default for ReceiveOrders {
    fn default() -> Self {
        Self { stop: AtomicBool::new(false), total: AtomicU64::new(u64::MAX) }
    }
}

enum Receiving {
    /// A thread of its own, for this stream alone.
    Own(Arc<ReceiveOrders>),
    Udp(HubHandle, u64),
}

/// The running data of one flow.
pub(crate) struct Traffic {
    plan: SendPlan,
    settings: Settings,
    start_unix_ns: u64,
    controls: Vec<Arc<Control>>,
    sending: Vec<Option<SentStream>>,
    receiving: Vec<Receiving>,
    received: Vec<Option<ReceivedStream>>,
    totals: Option<Vec<u64>>,
    /// What the host had done when a probe began.
    work_before: Option<HostWork>,
    /// Addresses of the host that probes us.
    probers: Vec<IpAddr>,
}

impl Traffic {
    /// Nothing runs yet; the start of the data is now.
    pub(crate) fn new(plan: SendPlan, settings: Settings) -> Self {
        let work_before = plan.probe.and_then(|_| (settings.host_gauge)());
        Self {
            plan,
            settings,
            work_before,
            start_unix_ns: clock::unix_ns(),
            controls: Vec::new(),
            sending: Vec::new(),
            receiving: Vec::new(),
            received: Vec::new(),
            totals: None,
            probers: Vec::new(),
        }
    }

    /// A probe that is received: its two-way messages are answered to these addresses and to no other.
    pub(crate) fn probed_from(self, probers: Vec<IpAddr>) -> Self {
        Self { probers, ..self }
    }

    /// Starts a thread per outlet; returns what people watch.
    pub(crate) fn start_sending(&mut self, outlets: Vec<Outlet>, events: &Sender<DataEvent>) -> LiveFlow {
        let start = self.settings.clock.now() + self.plan.start_after;
        self.sending = outlets.iter().map(|_| None).collect();
        for (index, outlet) in outlets.into_iter().enumerate() {
            let sender = FloodSender::new(&stream_plan(&self.plan, index), start);
            let wait = if self.plan.spin { Wait::Poll } else { Wait::Block };
            let control = Arc::new(Control::new(wait).with_batch(self.plan.send_batch));
            self.controls.push(Arc::clone(&control));
            send::start(sender, outlet, self.settings.clone(), control, index, events.clone());
        }
        LiveFlow::sending(self.controls.clone())
    }

    /// Starts a thread per TCP inlet, and tells the hub of each UDP one; returns what people watch.
    pub(crate) fn start_receiving(&mut self, inlets: Vec<Inlet>, events: &Sender<DataEvent>) -> LiveFlow {
        let start = self.settings.clock.now();
        let live = LiveFlow::receiving(inlets.len());
        self.received = inlets.iter().map(|_| None).collect();
        for (index, inlet) in inlets.into_iter().enumerate() {
            let receiver = FloodReceiver::new(start, self.plan.interval);
            let report = Report { index, events: events.clone(), live: live.stream(index) };
            self.receiving.push(match inlet {
                Inlet::Udp(hub, stream) => {
                    hub.receive(stream, receiver, &self.plan, &self.probers, report);
                    Receiving::Udp(hub, stream)
                }
                Inlet::Frames(hub, stream) => {
                    hub.receive_frames(stream, receiver, &self.plan, report);
                    Receiving::Udp(hub, stream)
                }
                Inlet::Iperf3(source) => {
                    let receiver = if source.is_tcp() { receiver.over_tcp() } else { receiver };
                    let orders = Arc::<ReceiveOrders>::default();
                    let settings = self.settings.clone();
                    crate::iperf3::receive::start(receiver, *source, settings, Arc::clone(&orders), report);
                    Receiving::Own(orders)
                }
                Inlet::Tcp(connection, granted) => {
                    let receiver = receiver.over_tcp();
                    let orders = Arc::<ReceiveOrders>::default();
                    receive::start(
                        receiver,
                        connection,
                        granted,
                        self.plan.message_bytes,
                        self.settings.clone(),
                        Arc::clone(&orders),
                        report,
                    );
                    Receiving::Own(orders)
                }
            });
        }
        live
    }

    /// Expects the account of a stream that a hub opened of its own accord (plain protocol).
    pub(crate) fn expect_from_hub(&mut self, hub: HubHandle, stream: u64) {
        self.receiving.push(Receiving::Udp(hub, stream));
        self.received.push(None);
    }

    /// A sending thread has ended; gives the account when it was the last.
    pub(crate) fn handle_sent(&mut self, index: usize, stream: SentStream) -> Option<Sent> {
        *self.sending.get_mut(index)? = Some(stream);
        let streams: Option<Vec<&SentStream>> = self.sending.iter().map(Option::as_ref).collect();
        let sent = streams.map(|streams| sent_account(&streams));
        let host = self.host_work();
        sent.map(|mut sent| {
            sent.probe.iter_mut().for_each(|probe| probe.host = host);
            sent
        })
    }

    /// What the host did since a probe began.
    fn host_work(&self) -> Option<HostWork> {
        let before = self.work_before?;
        (self.settings.host_gauge)().map(|after| after.since(&before))
    }

    /// A receiving thread has ended; gives the account when it was the last and the totals are known.
    pub(crate) fn handle_received(&mut self, index: usize, stream: ReceivedStream) -> Option<Measured> {
        *self.received.get_mut(index)? = Some(stream);
        self.measured()
    }

    /// The peer tells what it sent on each stream.
    pub(crate) fn handle_totals(&mut self, totals: &[u64]) -> Option<Measured> {
        self.totals = Some(totals.to_vec());
        for (receiving, messages) in self.receiving.iter().zip(totals) {
            match receiving {
                Receiving::Udp(hub, stream) => hub.total(*stream, *messages),
                Receiving::Own(orders) => orders.total.store(*messages, Relaxed),
            }
        }
        self.measured()
    }

    /// Ends sending now; the accounts follow as events.
    pub(crate) fn stop_sending(&self) {
        self.controls.iter().for_each(|control| control.stop());
    }

    /// Ends receiving now, without a total; the accounts follow as events.
    pub(crate) fn stop_receiving(&self) {
        for receiving in &self.receiving {
            match receiving {
                Receiving::Udp(hub, stream) => hub.end(*stream),
                Receiving::Own(orders) => orders.stop.store(true, Relaxed),
            }
        }
    }

    /// Whether threads of this flow are still at work.
    pub(crate) fn is_running(&self) -> bool {
        self.sending.iter().any(Option::is_none) || self.received.iter().any(Option::is_none)
    }

    /// The account of what was received, as far as it is known: for a flow whose peer is gone.
    pub(crate) fn measured_without_totals(&mut self) -> Option<Measured> {
        let all = !self.received.is_empty() && self.received.iter().all(Option::is_some);
        all.then(|| self.close(false))
    }

    /// The account of what was sent, as far as it is known.
    pub(crate) fn sent_so_far(&self) -> Option<Sent> {
        let streams: Vec<&SentStream> = self.sending.iter().flatten().collect();
        (!streams.is_empty()).then(|| Sent { complete: false, ..sent_account(&streams) })
    }

    fn measured(&mut self) -> Option<Measured> {
        let all = !self.received.is_empty() && self.received.iter().all(Option::is_some);
        (all && self.totals.is_some()).then(|| self.close(true))
    }

    /// Closes the account of every stream: with the totals, the tails count.
    fn close(&mut self, complete: bool) -> Measured {
        let now: Time = self.settings.clock.now();
        let host = self.host_work();
        let totals = self.totals.clone().unwrap_or_default();
        let mut streams: Vec<&mut ReceivedStream> = self.received.iter_mut().flatten().collect();
        for (index, stream) in streams.iter_mut().enumerate() {
            if let Some(total) = totals.get(index) {
                stream.receiver.handle_total(now, *total);
            }
            stream.receiver.finish();
            let total = stream.receiver.total_messages();
            stream.probe.iter_mut().for_each(|(probe, _)| probe.finish(total));
        }
        let receivers: Vec<&FloodReceiver> = streams.iter().map(|stream| &stream.receiver).collect();
        let merged = merge::measured(&receivers);
        Measured {
            start_unix_ns: Some(self.start_unix_ns),
            uncounted: streams.iter().map(|stream| stream.uncounted).sum(),
            cpu: sum_cpu(streams.iter().map(|stream| stream.cpu.as_ref())),
            buffer: streams.first().and_then(|stream| stream.buffer.clone()),
            batching: Batching {
                receive_calls: sum(streams.iter().map(|stream| stream.batching.receive_calls)),
                ..Batching::default()
            },
            caveats: distinct(streams.iter().flat_map(|stream| &stream.caveats)),
            raw: sum_raw(streams.iter().map(|stream| stream.raw.as_ref())),
            socket_drops: streams.iter().filter_map(|stream| stream.socket_drops).max(),
            partial_bytes: streams.iter().map(|stream| stream.partial_bytes).sum(),
            complete,
            probe: streams.first().and_then(|stream| stream.probe.as_ref()).map(|(probe, steps)| {
                let clock = clock::name();
                Box::new(ProbeSeen { wall_clock_steps: *steps, clock, host, ..probe.seen() })
            }),
            ..merged
        }
    }
}

/// What one stream of a flow is to send.
fn stream_plan(plan: &SendPlan, index: usize) -> StreamPlan {
    StreamPlan {
        load: plan.load,
        spacing: plan.spacing,
        message_bytes: plan.message_bytes,
        streams: plan.streams,
        index: u32::try_from(index).unwrap_or(u32::MAX),
        stop: plan.stop,
        interval: plan.interval,
        seed: plan.seed,
    }
}

fn sent_account(streams: &[&SentStream]) -> Sent {
    let senders: Vec<&FloodSender> = streams.iter().map(|stream| &stream.sender).collect();
    Sent {
        cpu: sum_cpu(streams.iter().map(|stream| stream.cpu.as_ref())),
        buffer: streams.first().and_then(|stream| stream.buffer.clone()),
        tcp: sum_tcp(streams),
        batching: Batching {
            send_calls: sum(streams.iter().map(|stream| stream.batching.send_calls)),
            segments_max: streams.iter().filter_map(|stream| stream.batching.segments_max).max(),
            ..Batching::default()
        },
        caveats: distinct(streams.iter().flat_map(|stream| &stream.caveats)),
        raw: sum_raw(streams.iter().map(|stream| stream.raw.as_ref())),
        complete: streams.iter().all(|stream| stream.failure.is_none()),
        probe: streams.first().and_then(|stream| stream.probe.clone()),
        stopped: streams.iter().any(|stream| stream.failure.is_none() && stream.sender.is_aborted()),
        ..merge::sent(&senders)
    }
}

/// TCP of all streams: retransmits add up, the rest is the first stream's.
fn sum_tcp(streams: &[&SentStream]) -> Option<TcpSummary> {
    let first = streams.first()?.tcp.clone()?;
    Some(TcpSummary {
        retransmits: sum(streams.iter().map(|stream| stream.tcp.as_ref()?.retransmits)),
        ..first
    })
}

/// Raw transports: counts of all streams; the rest is the first stream's.
fn sum_raw<'a>(sides: impl Iterator<Item = Option<&'a RawSide>>) -> Option<RawSide> {
    sides.flatten().cloned().reduce(|sum, next| RawSide {
        greetings: sum.greetings + next.greetings,
        queue_full: sum.queue_full + next.queue_full,
        ..sum
    })
}

/// The sum; unknown if one is unknown.
fn sum(counts: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    counts.reduce(|sum, next| Some(sum? + next?)).flatten()
}

fn sum_cpu<'a>(all: impl Iterator<Item = Option<&'a Cpu>>) -> Option<Cpu> {
    let mut total = Cpu::default();
    for cpu in all {
        total.add(cpu?);
    }
    Some(total)
}

/// Every caveat once: the streams of a flow mostly share theirs.
fn distinct<'a>(caveats: impl Iterator<Item = &'a Caveat>) -> Vec<Caveat> {
    let all: std::collections::BTreeSet<&Caveat> = caveats.collect();
    all.into_iter().cloned().collect()
}
