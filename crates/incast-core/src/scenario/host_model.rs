//! The `[[model]]` tables: how hosts work inside, for the simulator.
//!
//! Each is of some hosts, or of all. What a later one says takes the place of what an earlier one said, key
//! by key; what none says is as assumed ([`HostModel::default`]).

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::findings::Findings;
use super::hosts::Hosts;
use super::model_sim::{HostModel, ReceivePath, StallHolds, StatedModel, WhenBacklogFull};
use super::reader::Reader;
use crate::time::Span;
use crate::units::{BYTES_EXAMPLES, Bytes, SPAN_EXAMPLES};

/// The models of all hosts, and what was stated of them.
pub(super) struct HostModels {
    /// By the index of the host.
    pub(super) models: Vec<Option<HostModel>>,
    /// For the record, in the order of the file.
    pub(super) stated: Vec<StatedModel>,
}

impl HostModels {
    /// Nothing is stated yet.
    pub(super) fn new(hosts: usize) -> Self {
        Self { models: vec![None; hosts], stated: Vec::new() }
    }

    /// Reads one `[[model]]`.
    pub(super) fn read<'t>(
        &mut self,
        table: &DeTable<'t>,
        header: Range<usize>,
        hosts: &Hosts,
        findings: &mut Findings<'t>,
    ) {
        let mut reader = Reader::open(table, "[[model]]", header, KEYS, findings);
        // Settings from outside mean a table by its name; nothing else does.
        reader.name("name");
        let stated = Stated::read(&mut reader);
        let names = reader.names("hosts");
        let of = names.as_ref().map_or_else(
            || "all".to_owned(),
            |names| names.iter().map(|name| *name.get_ref()).collect::<Vec<_>>().join(", "),
        );
        let mut meant: Vec<Range<usize>> = Vec::new();
        match &names {
            None => meant.push(0..self.models.len()),
            Some(names) => {
                for name in names {
                    meant.extend(hosts.meant_by(name.get_ref(), &name.span(), reader.findings));
                }
            }
        }
        for host in meant.into_iter().flatten() {
            // A host whose table could not be read has no place here.
            let Some(place) = self.models.get_mut(host) else { continue };
            stated.give(place.get_or_insert_default());
        }
        for key in KEYS.iter().filter(|key| !["hosts", "name"].contains(*key)) {
            if let Some(value) = table.get(*key).map(|value| written(value.get_ref())) {
                self.stated.push(StatedModel { of: of.clone(), name: (*key).to_owned(), value });
            }
        }
    }
}

/// A value as the file writes it.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.split_whitespace().collect(),
        DeValue::Integer(integer) => integer.as_str().to_owned(),
        DeValue::Float(float) => float.as_str().to_owned(),
        _ => String::new(),
    }
}

/// What one table says.
struct Stated {
    receive: Option<ReceivePath>,
    ring: Option<u32>,
    coalesce: Option<Span>,
    coalesce_packets: Option<u32>,
    backlog: Option<u32>,
    when_backlog_full: Option<WhenBacklogFull>,
    budget: Option<u32>,
    weight: Option<u32>,
    interrupt_cost: Option<Span>,
    interrupt_packet_cost: Option<Span>,
    packet_cost: Option<Span>,
    byte_cost: Option<Span>,
    softirq_share_milli: Option<u32>,
    stall_every: Option<Span>,
    stall_time: Option<Span>,
    stall_speed_milli: Option<u32>,
    stall_holds: Option<StallHolds>,
    read_cost: Option<Span>,
    read_every: Option<Span>,
    send_cost: Option<Span>,
    socket_buffer: Option<Bytes>,
    clock_offset_ns: Option<i64>,
    clock_drift_ppb: Option<i64>,
}

impl Stated {
    fn read(reader: &mut Reader<'_, '_>) -> Self {
        let receive = [
            ("ideal", ReceivePath::Ideal),
            ("interrupt", ReceivePath::Interrupt),
            ("softnet", ReceivePath::Softnet),
            ("napi", ReceivePath::Napi),
        ];
        let when_backlog_full = [
            ("drop-until-empty", WhenBacklogFull::DropUntilEmpty),
            ("drop-tail", WhenBacklogFull::DropTail),
            ("purge", WhenBacklogFull::Purge),
        ];
        let stall_holds = [("softirqs", StallHolds::Softirqs), ("interrupts", StallHolds::Interrupts)];
        let mut span = |key: &str, most: Span| reader.quantity_within(key, SPAN_EXAMPLES, [Span::ZERO, most]);
        Self {
            coalesce: span("coalesce", Span::from_ms(10)),
            interrupt_cost: span("interrupt_cost", COST_MAX),
            interrupt_packet_cost: span("interrupt_packet_cost", COST_MAX),
            packet_cost: span("packet_cost", COST_MAX),
            byte_cost: span("byte_cost", BYTE_COST_MAX),
            stall_every: span("stall_every", Span::from_s(86_400)),
            stall_time: span("stall_time", Span::from_s(10)),
            read_cost: span("read_cost", Span::from_s(1)),
            read_every: span("read_every", Span::from_s(1)),
            send_cost: span("send_cost", Span::from_s(1)),
            receive: reader.word("receive", "receive path", &receive),
            when_backlog_full: reader.word("when_backlog_full", "answer", &when_backlog_full),
            ring: reader.small("ring", 8..=65_536),
            coalesce_packets: reader.small("coalesce_packets", 1..=65_536),
            backlog: reader.small("backlog", 1..=PACKETS_MAX),
            budget: reader.small("budget", 1..=PACKETS_MAX),
            weight: reader.small("weight", 1..=PACKETS_MAX),
            softirq_share_milli: thousandths(reader, "softirq_share", 0.01),
            stall_speed_milli: thousandths(reader, "stall_speed", 0.0),
            stall_holds: reader.word("stall_holds", "kind of work", &stall_holds),
            socket_buffer: reader.quantity_within("socket_buffer", BYTES_EXAMPLES, SOCKET_BUFFERS),
            clock_offset_ns: offset_ns(reader),
            clock_drift_ppb: drift_ppb(reader),
        }
    }

    /// Puts what is stated into a model.
    fn give(&self, model: &mut HostModel) {
        fn put<T: Copy>(place: &mut T, stated: Option<T>) {
            *place = stated.unwrap_or(*place);
        }
        put(&mut model.receive, self.receive);
        put(&mut model.ring_packets, self.ring);
        put(&mut model.coalesce_time, self.coalesce);
        put(&mut model.coalesce_packets, self.coalesce_packets);
        put(&mut model.backlog_packets, self.backlog);
        put(&mut model.when_backlog_full, self.when_backlog_full);
        put(&mut model.budget_packets, self.budget);
        put(&mut model.weight_packets, self.weight);
        put(&mut model.interrupt_cost, self.interrupt_cost);
        put(&mut model.interrupt_packet_cost, self.interrupt_packet_cost);
        put(&mut model.packet_cost, self.packet_cost);
        put(&mut model.byte_cost_ps, self.byte_cost.map(|cost| cost.0));
        put(&mut model.softirq_share_milli, self.softirq_share_milli);
        put(&mut model.stall_every, self.stall_every);
        put(&mut model.stall_time, self.stall_time);
        put(&mut model.stall_speed_milli, self.stall_speed_milli);
        put(&mut model.stall_holds, self.stall_holds);
        put(&mut model.read_cost, self.read_cost);
        put(&mut model.read_every, self.read_every);
        put(&mut model.send_cost, self.send_cost);
        put(&mut model.socket_buffer, self.socket_buffer);
        put(&mut model.clock_offset_ns, self.clock_offset_ns);
        put(&mut model.clock_drift_ppb, self.clock_drift_ppb);
    }
}

/// A fraction from `least` to 1, in thousandths.
fn thousandths(reader: &mut Reader<'_, '_>, key: &str, least: f64) -> Option<u32> {
    let share = reader.number(key, &format!("a number from {least} to 1, for example 0.5"), |_| None)?;
    if !(least..=1.0).contains(&share) {
        reader.fault(key, format!("`{key}` is {share}; allowed: {least} to 1, a fraction"));
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 1000")]
    Some((share * 1e3).round() as u32)
}

/// `clock_offset`: a span that may be negative.
fn offset_ns(reader: &mut Reader<'_, '_>) -> Option<i64> {
    let text = reader.text("clock_offset")?.into_inner();
    let (sign, size) = text.trim().strip_prefix('-').map_or((1, text), |size| (-1, size));
    match size.parse::<Span>() {
        Ok(span) if span <= CLOCK_OFFSET_MAX => Some(sign * i64::try_from(span.0 / 1_000).unwrap_or(0)),
        Ok(_) => {
            let found = super::findings::quoted(text);
            reader.fault(
                "clock_offset",
                format!("`clock_offset` is {found}; allowed: -{CLOCK_OFFSET_MAX} to {CLOCK_OFFSET_MAX}"),
            );
            None
        }
        Err(error) => {
            reader.fault("clock_offset", format!("`clock_offset`: {error}"));
            None
        }
    }
}

/// `clock_drift_ppm`, in parts per billion.
fn drift_ppb(reader: &mut Reader<'_, '_>) -> Option<i64> {
    let drift = reader.number("clock_drift_ppm", "a number, for example 20 or -3.5", |_| None)?;
    if !(-DRIFT_PPM_MAX..=DRIFT_PPM_MAX).contains(&drift) {
        reader.fault(
            "clock_drift_ppm",
            format!("`clock_drift_ppm` is {drift}; allowed: -{DRIFT_PPM_MAX} to {DRIFT_PPM_MAX}"),
        );
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most a million")]
    Some((drift * 1e3).round() as i64)
}

pub(super) const KEYS: &[&str] = &[
    "backlog",
    "budget",
    "byte_cost",
    "clock_drift_ppm",
    "clock_offset",
    "coalesce",
    "coalesce_packets",
    "hosts",
    "interrupt_cost",
    "interrupt_packet_cost",
    "name",
    "packet_cost",
    "read_cost",
    "read_every",
    "receive",
    "ring",
    "send_cost",
    "socket_buffer",
    "softirq_share",
    "stall_every",
    "stall_holds",
    "stall_speed",
    "stall_time",
    "weight",
    "when_backlog_full",
];
/// Most `[[model]]` tables: each may be of one host.
pub(super) const MODELS_MAX: usize = 4_096;
/// Longest that a packet or an interrupt may take: a thousand times what it does.
const COST_MAX: Span = Span::from_ms(1);
/// A byte at 8 Mbit/s.
const BYTE_COST_MAX: Span = Span::from_us(1);
/// Most packets of a backlog, a budget or a weight: a million wait for seconds.
const PACKETS_MAX: u64 = 1_000_000;
/// From the least that Linux grants (`SOCK_MIN_RCVBUF`) on.
const SOCKET_BUFFERS: [Bytes; 2] = [Bytes(2_304), Bytes(1 << 30)];
/// A clock that is a day wrong belongs to another run.
const CLOCK_OFFSET_MAX: Span = Span::from_s(86_400);
/// Quartz is good for 100; NTP takes no clock beyond 500.
const DRIFT_PPM_MAX: f64 = 1_000.0;
