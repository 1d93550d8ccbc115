//! What a scenario says for the simulator alone, once it has been understood: how hosts and switches work
//! inside. Plain data that cannot be wrong. Other worlds have real hosts and switches, and refuse or ignore it.

use crate::time::Span;
use crate::units::Bytes;

/// What the simulator is told beside the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimPlan {
    /// How reliable connections behave.
    pub connections: Connections,
    /// How long a message takes between hosts that no described network joins.
    pub direct_delay: Span,
    /// How long the trigger's words take to everybody, on wires of their own (LHCb: TFC); `None`: they
    /// travel as all others do.
    pub timing_delay: Option<Span>,
    /// Queues of which the record shows the occupancy over time, the fullest first.
    pub queues_shown: u32,
}

impl Default for SimPlan {
    fn default() -> Self {
        Self {
            connections: Connections::Tcp,
            direct_delay: Span::from_us(20),
            timing_delay: None,
            queues_shown: 32,
        }
    }
}

/// How reliable connections behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connections {
    /// As TCP, with congestion control.
    #[default]
    Tcp,
    /// Segments leave as they come, without a window; what was lost is sent again after 200 ms. Cheap to
    /// simulate, and right where nothing is lost.
    Plain,
}

/// One key of a `[[model]]` table, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedModel {
    /// Of which hosts, as the file names them; `all`.
    pub of: String,
    /// The key: `receive`, `packet_cost`.
    pub name: String,
    /// As the file writes it.
    pub value: String,
}

/// How a host works inside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostModel {
    /// How packets get from its card to its sockets.
    pub receive: ReceivePath,
    /// Descriptors of the card's receive ring, 8 to 65536.
    pub ring_packets: u32,
    /// Coalescence: an interrupt at most so long after a packet came, 0 to 10 ms.
    pub coalesce_time: Span,
    /// Coalescence: an interrupt after so many packets, whichever comes first; from 1.
    pub coalesce_packets: u32,
    /// Packets that the softnet backlog accepts (`netdev_max_backlog`).
    pub backlog_packets: u32,
    /// What a full backlog does.
    pub when_backlog_full: WhenBacklogFull,
    /// Packets of one softirq (`netdev_budget`).
    pub budget_packets: u32,
    /// Packets of one poll of a device (NAPI weight).
    pub weight_packets: u32,
    /// CPU time of an interrupt.
    pub interrupt_cost: Span,
    /// CPU time of each packet that an interrupt moves to the backlog (a buffer for it, `netif_rx`), beside
    /// that of the interrupt itself; NAPI moves none.
    pub interrupt_packet_cost: Span,
    /// CPU time of a packet in the softirq.
    pub packet_cost: Span,
    /// CPU time of a byte in the softirq, picoseconds.
    pub byte_cost_ps: u64,
    /// Most of the CPU that softirqs take while a process wants it, thousandths, 1 to 1000: all of it. It holds
    /// from a softirq's using up its budget (ksoftirqd goes on) until nothing is left to do.
    pub softirq_share_milli: u32,
    /// Now and then something else takes the CPU: mean time from the end of one stall to the next, exponential;
    /// zero: never.
    pub stall_every: Span,
    /// How long a stall lasts, 0 to 10 s.
    pub stall_time: Span,
    /// How fast the CPU goes on meanwhile with what the stall holds off, thousandths, 0 to 1000.
    pub stall_speed_milli: u32,
    /// What a stall holds off.
    pub stall_holds: StallHolds,
    /// CPU time of the application for each message that it reads.
    pub read_cost: Span,
    /// The application reads only at multiples of this (it is scheduled so); zero: whenever it can.
    pub read_every: Span,
    /// CPU time of a message that it sends: bounds an unlimited load.
    pub send_cost: Span,
    /// Bytes of a socket's receive buffer, in true sizes as the kernel counts (`rmem_default`).
    pub socket_buffer: Bytes,
    /// Its clock is ahead of true time by so much, nanoseconds; may be negative.
    pub clock_offset_ns: i64,
    /// Its clock is fast by so much, parts per billion; may be negative.
    pub clock_drift_ppb: i64,
}

impl Default for HostModel {
    fn default() -> Self {
        Self {
            receive: ReceivePath::Ideal,
            ring_packets: 256,
            coalesce_time: Span::ZERO,
            coalesce_packets: 1,
            backlog_packets: 300,
            when_backlog_full: WhenBacklogFull::DropUntilEmpty,
            budget_packets: 300,
            weight_packets: 64,
            interrupt_cost: Span::from_us(2),
            interrupt_packet_cost: Span::ZERO,
            packet_cost: Span::from_us(1),
            byte_cost_ps: 0,
            softirq_share_milli: 1_000,
            stall_every: Span::ZERO,
            stall_time: Span::ZERO,
            stall_speed_milli: 0,
            stall_holds: StallHolds::Softirqs,
            read_cost: Span::ZERO,
            read_every: Span::ZERO,
            send_cost: Span::from_us(1),
            socket_buffer: Bytes(212_992),
            clock_offset_ns: 0,
            clock_drift_ppb: 0,
        }
    }
}

/// How packets get from a card to the sockets of its host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReceivePath {
    /// At once and for nothing.
    #[default]
    Ideal,
    /// An interrupt for each packet puts it into a queue that is drained below interrupts, with what these
    /// leave of the CPU (Mogul and Ramakrishnan's livelock). The queue drops what finds no room.
    Interrupt,
    /// Linux 2.4 and its drivers without polling: an interrupt puts packets into the softnet backlog.
    Softnet,
    /// Linux with NAPI: an interrupt masks itself, and the softirq polls the ring.
    Napi,
}

/// What a stall holds off: whatever is below it waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StallHolds {
    /// Softirqs and processes, as code does that holds off bottom halves: interrupts go on.
    #[default]
    Softirqs,
    /// Everything, as a long interrupt of another device does, or the firmware: packets wait in the ring.
    Interrupts,
}

/// What a full softnet backlog does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBacklogFull {
    /// It drops every arrival until it is empty (Linux 2.4, `netif_rx`: throttle).
    #[default]
    DropUntilEmpty,
    /// It drops what finds no room (Linux since 2.6).
    DropTail,
    /// All that it holds is thrown away (what bologna 36 supposes).
    Purge,
}

/// How a switch works inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwitchModel {
    /// Where packets wait.
    pub queueing: Queueing,
    /// From the end of reception (store and forward), or of the header (cut-through), to the output queue.
    pub latency: Span,
    /// Whether a packet may leave before it has come in whole.
    pub is_cut_through: bool,
}

/// Where packets wait in a switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Queueing {
    /// At the output, each port with its own memory.
    #[default]
    Output,
    /// At the output, all ports with one memory; each port also within its own `port_queue`.
    SharedMemory {
        /// Bytes of all ports together.
        bytes: Bytes,
    },
    /// At the input, in front of a crossbar: one queue for each port, so that the head of the line blocks.
    InputFifo,
    /// At the input, a queue for every output (virtual output queues).
    InputVirtual {
        /// How inputs and outputs are matched.
        matching: Matching,
    },
}

/// How a crossbar with virtual output queues matches inputs and outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// The longest queues first, greedily (an approximation of the maximum-weight matching).
    #[default]
    LongestFirst,
    /// Iterative round-robin with slip (McKeown 1999).
    Islip,
}
