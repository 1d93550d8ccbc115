//! Sums over the flows of a run, and the doubts that concern the run as a whole.

use super::assemble::cores_at_200_gbit;
use crate::caveat::{Caveat, CaveatKind};
use crate::record::{Cpu, Flow, Messages, Totals};
use crate::stats::{fairness_jain, ratio};

/// Flows that shared less than this part of the time cannot be compared.
const OVERLAP_MIN: f64 = 0.9;

/// Sums over `flows`; `cpu` is what all processes of the run spent, `socket_drops` what the kernel
/// dropped at full receiving sockets.
#[must_use]
pub fn totals(flows: &[Flow], cpu: Option<Cpu>, socket_drops: Option<u64>) -> Totals {
    let messages = messages(flows);
    let span = span(flows);
    let delivered =
        sum(flows, |flow| Some(flow.messages.unique?.saturating_mul(u64::from(flow.message_bytes))));
    let goodput = delivered.zip(span).filter(|(_, (start, end))| end > start).map(|(bytes, (start, end))| {
        #[expect(clippy::cast_precision_loss, reason = "for printing")]
        let bits = bytes as f64 * 8.0;
        bits / (end - start)
    });
    let wire = goodput.and_then(|goodput| {
        let weight = |flow: &Flow| flow.wire_rate_bits_per_s;
        let (wire, plain) = (sum_f64(flows, weight)?, sum_f64(flows, |flow| flow.goodput_bits_per_s)?);
        (plain > 0.0).then(|| goodput * wire / plain)
    });
    let rates: Option<Vec<f64>> = flows.iter().map(|flow| flow.goodput_bits_per_s).collect();
    #[expect(clippy::cast_precision_loss, reason = "for printing")]
    let per_gigabyte = cpu
        .as_ref()
        .zip(delivered.filter(|bytes| *bytes > 0))
        .map(|(cpu, bytes)| cpu.total_s() / (bytes as f64 / 1e9));
    Totals {
        lost_fraction: messages.lost.and_then(|lost| {
            ratio(lost, messages.sent.or_else(|| Some(messages.unique?.saturating_add(lost)))?)
        }),
        messages,
        intended_load_bits_per_s: sum_f64(flows, |flow| flow.intended_load_bits_per_s),
        offered_load_bits_per_s: sum_f64(flows, |flow| flow.offered_load_bits_per_s),
        goodput_bits_per_s: goodput,
        wire_rate_bits_per_s: wire,
        duration_s: span.map(|(start, end)| end - start),
        delivered_bytes: delivered,
        fairness_jain: rates.and_then(|rates| fairness_jain(&rates)),
        overlap_fraction: overlap(flows),
        cpu,
        cpu_seconds_per_gigabyte: per_gigabyte,
        cores_at_200_gbit_per_s: per_gigabyte.map(cores_at_200_gbit),
        throughput_bits_per_s: None,
        throughput_fraction: None,
        receiver_socket_drops: socket_drops,
    }
}

/// The doubts about the run as a whole.
#[must_use]
pub fn caveats(totals: &Totals) -> Vec<Caveat> {
    let mut out = Vec::new();
    if let Some(overlap) = totals.overlap_fraction.filter(|overlap| *overlap < OVERLAP_MIN) {
        let text = format!("all senders were active together for {:.0} % of the time only", overlap * 100.0);
        let advice =
            "start them together (`--barrier N`, or start = \"together\") and give them the same duration";
        out.push(Caveat::new(CaveatKind::PartialOverlap, text, advice));
    }
    if let Some(drops) = totals.receiver_socket_drops.filter(|drops| *drops > 0) {
        let text = format!(
            "the receiving host dropped {drops} datagrams at its own full socket buffer (one of them may carry many messages); this loss is not the network's"
        );
        out.push(Caveat::new(
            CaveatKind::ReceiverSocketOverflow,
            text,
            "ask for a larger receive buffer, or for less load",
        ));
    }
    out
}

fn messages(flows: &[Flow]) -> Messages {
    let column = |read: fn(&Messages) -> Option<u64>| sum(flows, |flow| read(&flow.messages));
    let unexplained: Option<Vec<i64>> = flows.iter().map(|flow| flow.messages.unexplained).collect();
    Messages {
        sent: column(|messages| messages.sent),
        received: column(|messages| messages.received),
        unique: column(|messages| messages.unique),
        duplicate: column(|messages| messages.duplicate),
        reordered: column(|messages| messages.reordered),
        late: column(|messages| messages.late),
        stale: column(|messages| messages.stale),
        lost: column(|messages| messages.lost),
        unexplained: unexplained
            .filter(|all| !all.is_empty())
            .map(|all| all.iter().fold(0, |sum: i64, next| sum.saturating_add(*next))),
    }
}

/// The sum over all flows; unknown if one is unknown, or if there is none.
fn sum(flows: &[Flow], read: impl Fn(&Flow) -> Option<u64>) -> Option<u64> {
    flows.iter().map(read).reduce(|sum, next| Some(sum?.saturating_add(next?))).flatten()
}

fn sum_f64(flows: &[Flow], read: impl Fn(&Flow) -> Option<f64>) -> Option<f64> {
    flows.iter().map(read).reduce(|sum, next| Some(sum? + next?)).flatten()
}

/// First start and last end over all flows, in seconds of the run.
fn span(flows: &[Flow]) -> Option<(f64, f64)> {
    times(flows)?.into_iter().reduce(|(start, end), (from, to)| (start.min(from), end.max(to)))
}

fn overlap(flows: &[Flow]) -> Option<f64> {
    if flows.len() < 2 {
        return None;
    }
    let (start, end) = span(flows).filter(|(start, end)| end > start)?;
    let (from, to) = times(flows)?.into_iter().reduce(|(a, b), (from, to)| (a.max(from), b.min(to)))?;
    Some(((to - from) / (end - start)).max(0.0))
}

fn times(flows: &[Flow]) -> Option<Vec<(f64, f64)>> {
    flows.iter().map(|flow| Some((flow.start_s?, flow.start_s? + flow.duration_s?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Transport;

    fn flow(start: f64, duration: f64, unique: u64) -> Flow {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let goodput = unique as f64 * 8000.0 / duration;
        Flow {
            transport: Some(Transport::Udp),
            message_bytes: 1000,
            start_s: Some(start),
            duration_s: Some(duration),
            goodput_bits_per_s: Some(goodput),
            messages: Messages {
                sent: Some(unique + 1),
                unique: Some(unique),
                lost: Some(1),
                unexplained: Some(0),
                ..Messages::default()
            },
            ..Flow::default()
        }
    }

    #[test]
    fn totals_sum_and_unknown_stays_unknown() {
        let sums = totals(&[flow(0.0, 1.0, 10), flow(0.5, 1.0, 30)], None, None);
        assert_eq!(
            (sums.messages.sent, sums.messages.lost, sums.messages.unexplained),
            (Some(42), Some(2), Some(0))
        );
        assert_eq!(sums.messages.received, None);
        assert_eq!(sums.delivered_bytes, Some(40_000));
        assert_eq!((sums.duration_s, sums.goodput_bits_per_s), (Some(1.5), Some(320_000.0 / 1.5)));
        assert!((sums.overlap_fraction.unwrap() - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(caveats(&sums).len(), 1);
        assert_eq!(totals(&[], None, None), Totals::default());
    }
}
