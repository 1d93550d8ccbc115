//! Results made of what our threads learned, and accounts made of what the other end tells.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::flood::report::{Measured, Sent};
use incast_core::iperf3::{Results, StreamResults, TestPlan, stream_id};
use incast_core::load::Transport;
use incast_core::record::Cpu;
use incast_core::time::Span;

use super::receive::Told;
use crate::traffic::SentStream;

/// Totals beyond this are no count: 2^40 messages, as of [`incast_core::sequence`].
const MESSAGES_MAX: u64 = 1 << 40;

/// Results of the end that received.
pub(super) fn results_of_receiver(
    plan: &TestPlan,
    told: &[Arc<Told>],
    duration: Span,
    cpu: Option<&Cpu>,
) -> Results {
    let datagrams = plan.transport == Transport::Udp;
    let stream = |(index, told): (u64, &Arc<Told>)| StreamResults {
        id: Some(stream_id(index)),
        bytes: Some(told.bytes.load(Relaxed)),
        retransmits: Some(-1.0),
        jitter: Some(float(told.jitter_ns.load(Relaxed)) / 1e9),
        errors: Some(float(told.lost.load(Relaxed))),
        packets: Some(if datagrams { told.highest.load(Relaxed) } else { 0 }),
        start_time: Some(0.0),
        end_time: Some(duration.as_s_f64()),
    };
    Results { streams: (0..).zip(told).map(stream).collect(), ..of_process(duration, cpu, -1.0) }
}

/// Results of the end that sent.
pub(super) fn results_of_sender(
    plan: &TestPlan,
    sent: &[StreamSent],
    duration: Span,
    cpu: Option<&Cpu>,
) -> Results {
    let datagrams = plan.transport == Transport::Udp;
    let stream = |(index, sent): (u64, &StreamSent)| StreamResults {
        id: Some(stream_id(index)),
        bytes: Some(sent.messages * u64::from(plan.message_bytes)),
        retransmits: Some(sent.retransmits.map_or(-1.0, float)),
        jitter: Some(0.0),
        errors: Some(0.0),
        packets: Some(if datagrams { sent.messages } else { 0 }),
        start_time: Some(0.0),
        end_time: Some(duration.as_s_f64()),
    };
    let told = if sent.iter().all(|sent| sent.retransmits.is_some()) { 1.0 } else { 0.0 };
    Results { streams: (0..).zip(sent).map(stream).collect(), ..of_process(duration, cpu, told) }
}

fn of_process(duration: Span, cpu: Option<&Cpu>, sender_has_retransmits: f64) -> Results {
    let percent = |seconds: f64| 100.0 * seconds / duration.as_s_f64().max(1e-3);
    let cpu = cpu.cloned().unwrap_or_default();
    Results {
        cpu_util_total: Some(percent(cpu.user_s + cpu.system_s)),
        cpu_util_user: Some(percent(cpu.user_s)),
        cpu_util_system: Some(percent(cpu.system_s)),
        sender_has_retransmits: Some(sender_has_retransmits),
        streams: Vec::new(),
    }
}

/// What a stream of ours sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StreamSent {
    pub(super) messages: u64,
    pub(super) retransmits: Option<u64>,
}

impl StreamSent {
    pub(super) fn of(account: &SentStream) -> Self {
        let retransmits = account.tcp.as_ref().and_then(|tcp| tcp.retransmits);
        Self { messages: account.sender.messages(), retransmits }
    }
}

/// What the other end tells, matched to our streams.
pub(super) struct Foreign {
    /// Messages of each stream: sent, or for a receiver of datagrams those that came.
    pub(super) messages: Vec<u64>,
    /// Sums over the streams.
    pub(super) bytes: u64,
    pub(super) packets: Option<u64>,
    errors: Option<f64>,
    jitter_max_s: Option<f64>,
    duration_ns: u64,
    /// CPU that it says it spent.
    pub(super) cpu: Option<Cpu>,
}

impl Foreign {
    /// The account of a sender whose streams are `plan`'s; `None` if it is not one, or cannot be.
    pub(super) fn of_sender(plan: &TestPlan, results: &Results, duration: Span) -> Option<Self> {
        let all = Self::read(plan, results, duration)?;
        let messages = match plan.transport {
            Transport::Tcp => all.messages,
            _ => {
                let streams = results.in_order(plan.streams)?;
                streams
                    .iter()
                    .map(|stream| stream.packets.filter(|packets| *packets <= MESSAGES_MAX))
                    .collect::<Option<_>>()?
            }
        };
        Some(Self { messages, ..all })
    }

    /// The account of a receiver.
    pub(super) fn of_receiver(plan: &TestPlan, results: &Results, duration: Span) -> Option<Self> {
        Self::read(plan, results, duration)
    }

    fn read(plan: &TestPlan, results: &Results, duration: Span) -> Option<Self> {
        let streams = results.in_order(plan.streams)?;
        let size = u64::from(plan.message_bytes);
        let bytes: Vec<u64> = streams.iter().map(|stream| stream.bytes).collect::<Option<_>>()?;
        let messages: Vec<u64> = bytes.iter().map(|bytes| bytes / size).collect();
        if messages.iter().any(|messages| *messages > MESSAGES_MAX) {
            return None;
        }
        let seconds = streams.iter().filter_map(|stream| stream.end_time).fold(0.0, f64::max);
        let seconds = if (1e-6..=90_000.0).contains(&seconds) { seconds } else { duration.as_s_f64() };
        let part = |percent: Option<f64>| {
            percent.filter(|part| (0.0..=1e6).contains(part)).map(|part| part / 100.0 * seconds)
        };
        let cpu = part(results.cpu_util_user).zip(part(results.cpu_util_system));
        Some(Self {
            bytes: bytes.iter().sum(),
            packets: streams
                .iter()
                .map(|stream| stream.packets.filter(|packets| *packets <= MESSAGES_MAX))
                .sum(),
            errors: streams.iter().map(|stream| stream.errors).sum(),
            jitter_max_s: streams.iter().filter_map(|stream| stream.jitter).reduce(f64::max),
            messages,
            duration_ns: std::time::Duration::from_secs_f64(seconds).as_nanos().try_into().unwrap_or(0),
            cpu: cpu.map(|(user_s, system_s)| Cpu { user_s, system_s, ..Cpu::default() }),
        })
    }

    /// As the sender's side of a flow.
    pub(super) fn sent(&self, plan: &TestPlan, name: &str) -> Sent {
        let mut caveats = Vec::new();
        let numbered: u64 = self.messages.iter().sum();
        let given = self.bytes / u64::from(plan.message_bytes);
        if plan.transport == Transport::Udp && numbered != given {
            let text = format!(
                "{name}: the sender numbered {numbered} datagrams and says that it sent {given}; numbers that were never sent count as lost"
            );
            caveats.push(foreign(text));
        }
        Sent {
            stream_messages: self.messages.clone(),
            duration_ns: self.duration_ns,
            caveats,
            complete: true,
            foreign: true,
            ..Sent::default()
        }
    }

    /// As the receiver's side of a flow of which we sent `sent` messages.
    pub(super) fn measured(&self, plan: &TestPlan, name: &str, sent: u64) -> Measured {
        let received: u64 = self.messages.iter().sum();
        let text = match plan.transport {
            Transport::Tcp => (received != sent).then(|| {
                let (bytes, ours) = (self.bytes, sent * u64::from(plan.message_bytes));
                format!(
                    "{name}: iperf3 counted {bytes} of the {ours} B sent: it stops counting at the end of the test, and what was still on its way is not lost"
                )
            }),
            _ => {
                let lost = self.errors.unwrap_or(0.0);
                let highest = self.packets.unwrap_or(0);
                let known = received == sent && highest == sent && lost == 0.0;
                (!known).then(|| {
                    let jitter = self.jitter_max_s.unwrap_or(0.0) * 1e3;
                    format!(
                        "{name}: iperf3 says {lost:.0} lost of {highest} datagrams, jitter {jitter:.3} ms, and {received} received; we sent {sent}. What was sent after its highest counter it does not see, a duplicate takes a loss off, and what came after the end it does not count"
                    )
                })
            }
        };
        Measured {
            uncounted: received,
            first_ns: Some(0),
            last_ns: Some(self.duration_ns),
            caveats: text.map(foreign).into_iter().collect(),
            complete: true,
            foreign: true,
            ..Measured::default()
        }
    }
}

/// A doubt about an account that iperf3 gave, or could not give.
pub(super) fn foreign(text: String) -> Caveat {
    Caveat::new(CaveatKind::ForeignAccount, text, "use incast at both ends for the whole account")
}

#[expect(clippy::cast_precision_loss, reason = "iperf3 sends every number as a double")]
fn float(count: u64) -> f64 {
    count as f64
}
