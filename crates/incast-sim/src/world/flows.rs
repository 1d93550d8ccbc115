//! Flows in virtual time: senders, receivers and pacers are the core's; between them is the stack.
//!
//! A sender is a thread of its host that is busy for `send_cost` with every message. The receiver is told the
//! sender's total when sending has ended, as over a control connection.

use incast_core::flood::assemble::FlowIdentity;
use incast_core::flood::report::{Measured, Sent};
use incast_core::flood::sender::StreamPlan;
use incast_core::flood::{FloodReceiver, FloodSender, merge};
use incast_core::load::Transport;
use incast_core::random::Random;
use incast_core::record::{Buffer, TcpSummary};
use incast_core::scenario::{FlowPlan, HostModel, Scenario};
use incast_core::time::{Span, Time};

use super::stream::{Route, SendBuffer, Stream};
use crate::courier::{Channel, HostIndex};
use crate::fabric::{Fabric, Taken};
use crate::host::true_size;
use crate::stack::grave::Grave;
use crate::stack::{Stack, StackNews, Timers, ip};
use crate::tcp::{Congestion, TcpPlan};

/// All flows of a scenario, over a stack.
#[derive(Debug)]
pub struct FlowWorld<F> {
    stack: Stack<F>,
    flows: Vec<Flow>,
    streams: Vec<Stream>,
    /// Of senders (even names) and receivers (odd ones).
    timers: Timers,
    /// Of messages: where those that were lost died.
    graves: std::collections::BTreeMap<(usize, Grave), u64>,
    now: Time,
    open: usize,
}

#[derive(Debug)]
struct Flow {
    identity: FlowIdentity,
    first_stream: usize,
    streams: usize,
    send_buffer: Option<Buffer>,
    congestion: Option<String>,
}

/// One flow, as its two ends tell of it.
#[derive(Clone, Debug)]
pub struct FlowResult {
    /// Who sends what to whom.
    pub identity: FlowIdentity,
    /// The sender's account.
    pub sent: Sent,
    /// The receiver's.
    pub measured: Measured,
    /// Messages that were lost, by where.
    pub graves: Vec<(Grave, u64)>,
}

/// Counters of a stream, below the bits that say which stream.
const COUNTER_BITS: u32 = 44;
/// Default of `net.core.wmem_default`.
const SEND_BUFFER: u64 = 212_992;
/// Senders of a run that starts together begin within this time of each other.
const PHASE_MAX: Span = Span::from_ms(1);
/// The longest that sockets' buffers of TCP grow: `net.ipv4.tcp_wmem` and `tcp_rmem` by default.
const TCP_BUFFERS: [u64; 2] = [4 << 20, 6 << 20];

impl<F: Fabric> FlowWorld<F> {
    /// The flows of `scenario` over `stack`, which was made of it.
    #[must_use]
    pub fn new(scenario: &Scenario, mut stack: Stack<F>) -> Self {
        let mut world_streams = Vec::new();
        let mut flows = Vec::new();
        let mut sockets = std::collections::BTreeMap::new();
        let mut timers = Timers::default();
        for plan in &scenario.flows {
            let host = |name: &str| {
                let index = scenario.hosts.iter().position(|host| host.name == name).unwrap_or(0);
                HostIndex(u32::try_from(index).unwrap_or(u32::MAX))
            };
            let (from, to) = (host(&plan.from), host(&plan.to));
            let asked = plan.sockets.receive_buffer.map(|bytes| bytes.0 * 2);
            let key = (to, plan.receiver.clone());
            let socket = *sockets.entry(key).or_insert_with(|| stack.open_socket(to, asked, &plan.group));
            let first_stream = world_streams.len();
            for index in 0..plan.streams {
                let channel = Channel(world_streams.len() as u64);
                let stream = stream(scenario, plan, [from, to], (index, socket, channel), &stack);
                if let (Transport::Tcp, Route::Network(ends)) = (plan.transport, stream.route) {
                    let tcp = tcp_plan(scenario, plan, [from, to], stack.mss_of(ends));
                    stack.open(Time::ZERO, channel, ends, &tcp);
                }
                timers.set(
                    2 * world_streams.len() as u64,
                    Some(stream.sender.next_timeout().unwrap_or_default()),
                );
                world_streams.push(stream);
            }
            flows.push(Flow {
                identity: identity(scenario, plan),
                first_stream,
                streams: plan.streams as usize,
                send_buffer: plan
                    .sockets
                    .send_buffer
                    .map(|asked| Buffer { asked_bytes: Some(asked.0), granted_bytes: asked.0 * 2 }),
                congestion: scenario.congestion_of(plan).map(str::to_owned),
            });
        }
        let open = world_streams.len();
        Self {
            stack,
            flows,
            streams: world_streams,
            timers,
            graves: std::collections::BTreeMap::new(),
            now: Time::ZERO,
            open,
        }
    }

    /// When something happens next; `None` when every flow is over.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        if self.open == 0 {
            return None;
        }
        [self.stack.next_timeout(), self.timers.next()].into_iter().flatten().min()
    }

    /// What carries them, to do something to it.
    #[must_use]
    pub const fn stack_mut(&mut self) -> &mut Stack<F> {
        &mut self.stack
    }

    /// Virtual time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Lets happen what happens until `until`; says whether anything is left.
    pub fn advance(&mut self, until: Time) -> bool {
        while let Some(at) = self.next_timeout() {
            if at > until {
                self.now = until;
                return true;
            }
            self.now = self.now.max(at);
            self.step();
        }
        false
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some(news) = self.stack.poll(now) {
            self.handle_news(now, news);
        }
        while let Some(name) = self.timers.pop_due(now) {
            let index = usize::try_from(name / 2).unwrap_or(usize::MAX);
            if name.is_multiple_of(2) {
                self.send(now, index);
            } else {
                self.judge(now, index);
            }
        }
    }

    fn handle_news(&mut self, now: Time, news: StackNews) {
        match news {
            StackNews::Delivered(cargo) => {
                let (index, counter) = message_of(cargo);
                let Some(stream) = self.streams.get_mut(index).filter(|stream| !stream.is_over) else {
                    return;
                };
                stream.receiver.handle_batch(now);
                stream.receiver.handle_message(counter);
                stream.receiver.handle_batch_end();
                if stream.is_told {
                    self.judge(now, index);
                }
            }
            StackNews::Lost(cargo, grave) => {
                let (index, _) = message_of(cargo);
                *self.graves.entry((index, grave)).or_default() += 1;
            }
            StackNews::Left(cargo) => {
                let (index, _) = message_of(cargo);
                self.streams[index].buffer.handle_left(now);
                self.send(now, index);
            }
            StackNews::Room(channel) => {
                let index = usize::try_from(channel.0).unwrap_or(usize::MAX);
                self.streams[index].waits_for_room = false;
                self.send(now, index);
            }
            StackNews::Cut(_) => {}
        }
    }

    /// Sends what a stream may send now, and sets its timer.
    fn send(&mut self, now: Time, index: usize) {
        let name = 2 * index as u64;
        let stream = &mut self.streams[index];
        if stream.is_told || stream.waits_for_room {
            return;
        }
        if now < stream.busy_until {
            self.timers.set(name, Some(stream.busy_until));
            return;
        }
        let is_connection = stream.transport == Transport::Tcp;
        if let (Route::Network(_), true) = (stream.route, is_connection) {
            if !self.stack.has_room(stream.channel) && !is_at_end(stream, now) {
                stream.waits_for_room = true;
                // The end of its time comes all the same.
                self.timers.set(name, stream.sender.deadline());
                return;
            }
        } else if !stream.buffer.has_room(now) && !is_at_end(stream, now) {
            let room = stream.buffer.room_at();
            self.timers.set(name, [room, stream.sender.deadline()].into_iter().flatten().min());
            return;
        }
        match stream.sender.poll_transmit(now, 1) {
            Some(train) => {
                let cargo = (index as u64) << COUNTER_BITS | train.first;
                stream.busy_until = now + stream.send_cost;
                self.give(now, index, cargo);
                let stream = &self.streams[index];
                let next = stream.sender.next_timeout().map(|at| at.max(stream.busy_until));
                self.timers.set(name, next);
            }
            None if stream.sender.is_finished() => self.tell_total(now, index),
            None => {
                let next = stream.sender.next_timeout();
                self.timers.set(name, next.map(|at| at.max(now + Span(1))));
            }
        }
    }

    /// Gives a message to the stack.
    fn give(&mut self, now: Time, index: usize, cargo: u64) {
        let stream = &mut self.streams[index];
        match (stream.route, stream.transport) {
            (Route::Local(_), _) => self.stack.send_local(now, cargo),
            (Route::Network(_), Transport::Tcp) => {
                self.stack.send_message(now, stream.channel, stream.message_bytes, cargo);
            }
            // Raw transports are refused before (`Scenario::not_simulable`).
            (Route::Network(ends), _) => {
                let payload = stream.message_bytes + ip::UDP_HEADER_BYTES;
                let charge = true_size(payload + ip::IP_HEADER_BYTES);
                match self.stack.send_datagram(now, ends, stream.socket, payload, cargo) {
                    Taken::Leaves(at) => stream.buffer.charge(Some(at), charge),
                    Taken::Waits => stream.buffer.charge(None, charge),
                    Taken::Dropped => {}
                }
            }
        }
    }

    /// The sender has ended.
    fn tell_total(&mut self, now: Time, index: usize) {
        let stream = &mut self.streams[index];
        stream.is_told = true;
        stream.receiver.handle_total(now, stream.sender.messages());
        self.judge(now, index);
    }

    /// Is a receiver done?
    fn judge(&mut self, now: Time, index: usize) {
        let stream = &mut self.streams[index];
        let name = 2 * index as u64 + 1;
        if stream.is_over {
            return;
        }
        if stream.receiver.is_drained(now) {
            stream.is_over = true;
            stream.receiver.finish();
            self.open -= 1;
            self.timers.set(name, None);
        } else {
            self.timers.set(name, stream.receiver.next_timeout());
        }
    }

    /// Lets arrive what is still under way, so that the books of packets close.
    fn run_out(&mut self) {
        let graves = &mut self.graves;
        self.now = self.stack.run_out(self.now, |cargo, grave| {
            *graves.entry((message_of(cargo).0, grave)).or_default() += 1;
        });
    }

    /// TCP at the sender of a flow, over all its connections.
    fn tcp_of(&mut self, flow: &Flow, streams: std::ops::Range<usize>) -> Option<TcpSummary> {
        let mut summary: Option<TcpSummary> = None;
        for index in streams {
            let Some((plan, counts)) = self.stack.tcp_of(Channel(index as u64)) else { continue };
            let round_trip_us = Some(counts.srtt_ps.now / 1_000_000);
            let sum = summary.get_or_insert_with(|| TcpSummary {
                congestion: flow.congestion.clone().unwrap_or_else(|| "cubic".into()),
                retransmits: Some(0),
                round_trip_us,
                segment_bytes: Some(plan.mss_bytes.into()),
            });
            sum.retransmits = sum.retransmits.map(|before| before + counts.retransmits);
            sum.round_trip_us = sum.round_trip_us.max(round_trip_us);
        }
        summary
    }

    /// Closes all accounts, and says what each flow did; and the stack, for what it saw until when.
    #[must_use]
    pub fn finish(mut self) -> (Vec<FlowResult>, Stack<F>, Time) {
        self.run_out();
        let mut results = Vec::new();
        for flow in std::mem::take(&mut self.flows) {
            let range = flow.first_stream..flow.first_stream + flow.streams;
            let tcp = self.tcp_of(&flow, range.clone());
            let streams = &self.streams[range.clone()];
            let senders: Vec<&FloodSender> = streams.iter().map(|stream| &stream.sender).collect();
            let receivers: Vec<&FloodReceiver> = streams.iter().map(|stream| &stream.receiver).collect();
            let sent =
                Sent { tcp, buffer: flow.send_buffer.clone(), complete: true, ..merge::sent(&senders) };
            let measured = Measured { complete: true, ..merge::measured(&receivers) };
            let graves = self.graves.iter().filter(|((index, _), _)| range.contains(index));
            let mut by_grave = std::collections::BTreeMap::new();
            for ((_, grave), count) in graves {
                *by_grave.entry(*grave).or_default() += *count;
            }
            let graves = by_grave.into_iter().collect();
            results.push(FlowResult { identity: flow.identity.clone(), sent, measured, graves });
        }
        (results, self.stack, self.now)
    }
}

/// Whether the stream's time or count is over, so that it has only to be told so.
fn is_at_end(stream: &Stream, now: Time) -> bool {
    stream.sender.deadline().is_some_and(|deadline| now >= deadline) || stream.sender.next_timeout().is_none()
}

fn message_of(cargo: u64) -> (usize, u64) {
    (usize::try_from(cargo >> COUNTER_BITS).unwrap_or(usize::MAX), cargo & ((1 << COUNTER_BITS) - 1))
}

fn identity(scenario: &Scenario, plan: &FlowPlan) -> FlowIdentity {
    FlowIdentity {
        name: plan.name.clone(),
        from: plan.from.clone(),
        to: plan.to.clone(),
        transport: plan.transport,
        message_bytes: plan.message_bytes,
        mtu_bytes: scenario.mtu_of(plan),
        streams: plan.streams,
        load: Some(plan.load),
        interval: scenario.interval,
        raw: plan.raw.clone(),
        run_start_unix_ns: None,
    }
}

fn stream<F: Fabric>(
    scenario: &Scenario,
    plan: &FlowPlan,
    [from, to]: [HostIndex; 2],
    (index, socket, channel): (u32, u32, Channel),
    stack: &Stack<F>,
) -> Stream {
    let mut random = Random::named(scenario.seed, &format!("phase of {} {index}", plan.name));
    // Hosts have no common clock: where the load has a period, each begins somewhere in its own.
    let period = plan.load.interval(plan.message_bytes).map_or(0, |interval| {
        u64::try_from(interval.picoseconds / interval.messages.max(1)).unwrap_or(u64::MAX)
    });
    let phase = Span(random.next_u64() % period.saturating_mul(plan.streams.into()).clamp(1, PHASE_MAX.0));
    let start = Time::ZERO + plan.start_after + phase;
    let stop = incast_core::load::Stop { after: plan.stop.after, messages: plan.stop.messages };
    let sender = FloodSender::new(
        &StreamPlan {
            load: plan.load,
            spacing: plan.spacing,
            message_bytes: plan.message_bytes,
            streams: plan.streams,
            index,
            stop,
            interval: scenario.interval,
            seed: plan.seed(scenario.seed),
        },
        start,
    );
    let receiver = FloodReceiver::new(start, scenario.interval);
    let receiver = if plan.transport == Transport::Tcp { receiver.over_tcp() } else { receiver };
    let topology = &stack.plan().topology;
    let ends = topology.nic_of(from, plan.network).zip(topology.nic_of(to, plan.network));
    let route = match ends {
        Some((near, far)) if from != to => Route::Network([near, far]),
        _ => Route::Local(to),
    };
    let model = scenario.host_models.get(from.0 as usize).copied().flatten();
    Stream {
        sender,
        receiver,
        transport: plan.transport,
        message_bytes: plan.message_bytes,
        route,
        socket,
        channel,
        busy_until: start,
        send_cost: model.unwrap_or_else(HostModel::default).send_cost.max(Span::from_ns(1)),
        buffer: SendBuffer::new(plan.sockets.send_buffer.map_or(SEND_BUFFER, |asked| asked.0 * 2)),
        waits_for_room: false,
        is_told: false,
        is_over: false,
    }
}

/// TCP as the flow and its hosts say.
fn tcp_plan(scenario: &Scenario, plan: &FlowPlan, [from, to]: [HostIndex; 2], mss_bytes: u32) -> TcpPlan {
    // Names that it does not have are refused by `Scenario::not_simulable`.
    let congestion = scenario.congestion_of(plan).and_then(Congestion::named).unwrap_or_default();
    let longest = |host: HostIndex, key: &str, default: u64| {
        let text = scenario.hosts.get(host.0 as usize).and_then(|host| host.sysctls.get(key));
        text.and_then(|text| text.split_whitespace().last()?.parse().ok()).unwrap_or(default)
    };
    let send = plan.sockets.send_buffer.map(|asked| asked.0 * 2);
    let receive = plan.sockets.receive_buffer.map(|asked| asked.0 * 2);
    TcpPlan {
        mss_bytes,
        congestion,
        send_buffer_bytes: send.unwrap_or_else(|| longest(from, "net.ipv4.tcp_wmem", TCP_BUFFERS[0])),
        receive_buffer_bytes: receive.unwrap_or_else(|| longest(to, "net.ipv4.tcp_rmem", TCP_BUFFERS[1])),
        ..TcpPlan::default()
    }
}
