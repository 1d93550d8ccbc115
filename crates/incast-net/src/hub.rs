//! One receiving socket, many streams: the thread that receives, tells streams apart and counts.
//!
//! Native streams are told apart by the random id in every message, whatever address it comes
//! from; plain ones by their source address. A datagram that belongs to no stream is counted as a
//! stranger's and never answered. The thread owns every receiver: orders come over a channel, and
//! finished receivers leave the same way, so the packet path takes no lock.

mod inlet;
mod run;
#[cfg(test)]
mod tests;
mod timing;

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, unbounded};
use incast_core::control::SendPlan;
use incast_core::flood::FloodReceiver;
use incast_core::time::Span;
use incast_core::wire::ethernet::PAYLOAD_BYTES_MIN;

use crate::clock::Clock;
use crate::faults::FaultCounters;
use crate::live::Live;
use crate::socket::Granted;
use crate::traffic::{DataEvent, ThreadCpu};
use crate::udp::{Origin, UdpInlet};

pub(crate) use inlet::{DropCounter, Inlet};

use inlet::Drops;
use timing::Probed;

/// Most plain senders that are told apart; further ones are counted as strangers.
pub(crate) const PLAIN_SOURCES_MAX: usize = 4_096;

/// How a hub works; the same for all its streams.
#[derive(Clone)]
pub(crate) struct HubPlan {
    pub(crate) clock: Clock,
    pub(crate) spin: bool,
    pub(crate) core: Option<u32>,
    /// Most datagrams of one receive call.
    pub(crate) batch: Option<u32>,
    pub(crate) plain: Option<PlainPlan>,
    /// Take nothing from the socket before [`HubHandle::begin`]: what comes waits in its buffer.
    pub(crate) held: bool,
    pub(crate) thread_cpu: ThreadCpu,
}

/// What a plain hub needs to make streams of its own accord.
#[derive(Clone)]
pub(crate) struct PlainPlan {
    pub(crate) message_bytes: u32,
    pub(crate) interval: Span,
    /// Where to tell of new sources, and of what came from them.
    pub(crate) events: Sender<DataEvent>,
}

/// Orders to the hub.
enum Command {
    /// A held hub: every stream is told, take what has come.
    Begin,
    Open {
        stream: u64,
        slot: Box<Slot>,
    },
    /// The sender's total is known: give the receiver back when it is drained.
    Total {
        stream: u64,
        messages: u64,
    },
    /// Give the receiver back now.
    End {
        stream: u64,
    },
    Stop,
}

/// One stream at the hub.
struct Slot {
    kind: SlotKind,
    index: usize,
    events: Sender<DataEvent>,
    live: Arc<Live>,
    /// Messages without a usable counter (plain only).
    uncounted: u64,
    /// The last batch that brought something.
    batch: u64,
    /// Whether that batch brought messages of this stream's.
    counted: bool,
    /// What the socket had dropped when this stream was ordered.
    drops_before: u64,
    /// Greetings of this stream that came.
    greetings: u64,
    /// Where the last of them came from, which its flow was told.
    greeted_from: Option<Origin>,
    /// Steps of the wall clock that were seen before this stream began.
    steps_before: u64,
}

enum SlotKind {
    /// Counts messages of these lengths: one, and where frames are padded up to the smallest frame. Times them if they
    /// are those of a probe.
    Receive { receiver: Box<FloodReceiver>, message_bytes: RangeInclusive<usize>, probe: Option<Box<Probed>> },
    /// Waits for the address to which the client wants its messages.
    Greeting,
}

impl Slot {
    fn new(
        kind: SlotKind,
        index: usize,
        events: Sender<DataEvent>,
        live: Arc<Live>,
        drops_before: Option<u64>,
    ) -> Self {
        Self {
            kind,
            index,
            events,
            live,
            uncounted: 0,
            batch: 0,
            counted: false,
            drops_before: drops_before.unwrap_or(0),
            greetings: 0,
            greeted_from: None,
            steps_before: 0,
        }
    }
}

/// A running hub of a UDP socket.
pub(crate) struct Hub {
    thread: HubThread,
    socket: UdpSocket,
}

/// The thread of a hub. Dropping it stops the thread, which gives every receiver back first.
pub(crate) struct HubThread {
    handle: HubHandle,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

/// What can be ordered of a hub, by any thread.
#[derive(Clone)]
pub(crate) struct HubHandle {
    commands: Sender<Command>,
    /// Of the hub, as long as its thread runs: a handle keeps no socket open.
    drops: Weak<Drops>,
}

impl Hub {
    /// Starts a hub on `socket`.
    pub(crate) fn start(
        socket: UdpSocket,
        granted: Granted,
        plan: HubPlan,
        faults: Arc<FaultCounters>,
    ) -> io::Result<Self> {
        let inlet = UdpInlet::open(socket.try_clone()?).map_err(io::Error::other)?;
        let drops = DropCounter::Socket(socket.try_clone()?.into());
        let thread = HubThread::start("udp hub", inlet, drops, granted, plan, faults)?;
        Ok(Self { thread, socket })
    }

    pub(crate) fn handle(&self) -> HubHandle {
        self.thread.handle()
    }

    /// The socket, for sending from the same port.
    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }
}

impl HubThread {
    /// Starts a thread that takes what comes to `inlet`.
    pub(crate) fn start(
        name: &str,
        mut inlet: impl Inlet + Send + 'static,
        drops: DropCounter,
        granted: Granted,
        plan: HubPlan,
        faults: Arc<FaultCounters>,
    ) -> io::Result<Self> {
        let (commands, orders) = unbounded();
        let drops = Arc::new(Drops::new(drops));
        let (dropped, handle) = (drops.shown(), HubHandle { commands, drops: Arc::downgrade(&drops) });
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || run::Run::new(plan, orders, faults, drops, granted).run(&mut inlet))?;
        Ok(Self { handle, dropped, thread: Some(thread) })
    }

    /// What the socket or ring had dropped when a stream was last ordered or over.
    pub(crate) fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    pub(crate) fn handle(&self) -> HubHandle {
        self.handle.clone()
    }
}

impl Drop for HubThread {
    fn drop(&mut self) {
        self.handle.order(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl HubHandle {
    /// Lets a held hub begin; the streams told before are known when it does.
    pub(crate) fn begin(&self) {
        self.order(Command::Begin);
    }

    /// Counts the messages of `stream` until its total is told and it is drained, or it is ended. Of a probe, two-way
    /// messages of these `probers` are answered.
    pub(crate) fn receive(
        &self,
        stream: u64,
        receiver: FloodReceiver,
        plan: &SendPlan,
        probers: &[IpAddr],
        report: Report,
    ) {
        let message_bytes = usize::try_from(plan.message_bytes).unwrap_or(usize::MAX);
        let probe = plan.probe.as_ref().map(|stream| Box::new(Probed::new(stream, probers)));
        let message_bytes = message_bytes..=message_bytes;
        let kind = SlotKind::Receive { receiver: Box::new(receiver), message_bytes, probe };
        self.open(stream, kind, report);
    }

    /// The same, of frames: a short message may come padded to the smallest frame.
    pub(crate) fn receive_frames(
        &self,
        stream: u64,
        receiver: FloodReceiver,
        plan: &SendPlan,
        report: Report,
    ) {
        let message_bytes = usize::try_from(plan.message_bytes).unwrap_or(usize::MAX);
        let padded = message_bytes.max(PAYLOAD_BYTES_MIN);
        let kind = SlotKind::Receive {
            receiver: Box::new(receiver),
            message_bytes: message_bytes..=padded,
            probe: None,
        };
        self.open(stream, kind, report);
    }

    /// Waits for a datagram of `stream` and tells where it came from.
    pub(crate) fn greet(&self, stream: u64, index: usize, events: Sender<DataEvent>) {
        self.open(stream, SlotKind::Greeting, Report { index, events, live: Arc::default() });
    }

    pub(crate) fn total(&self, stream: u64, messages: u64) {
        self.order(Command::Total { stream, messages });
    }

    pub(crate) fn end(&self, stream: u64) {
        self.order(Command::End { stream });
    }

    fn open(&self, stream: u64, kind: SlotKind, Report { index, events, live }: Report) {
        let drops_before = self.drops.upgrade().and_then(|drops| drops.read());
        let slot = Box::new(Slot::new(kind, index, events, live, drops_before));
        self.order(Command::Open { stream, slot });
    }

    fn order(&self, command: Command) {
        // A hub that is gone has given everything back already.
        let _ = self.commands.send(command);
    }
}

/// Where a worker reports to.
#[derive(Clone)]
pub(crate) struct Report {
    /// Which stream of its flow this is.
    pub(crate) index: usize,
    pub(crate) events: Sender<DataEvent>,
    pub(crate) live: Arc<Live>,
}
