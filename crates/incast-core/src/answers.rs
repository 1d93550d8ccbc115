//! The scenario's questions, answered in words from the numbers of the record.
//!
//! A question is answered with what was measured and nothing else. What is not known is said to be
//! unknown.

use crate::record::{Answer, Flow, FlowCpu, Record};
use crate::scenario::{AnswerKind, AskPlan};

/// The answer to one question.
#[must_use]
pub fn answer(ask: &AskPlan, record: &Record) -> Answer {
    let answer = match ask.answer {
        AnswerKind::Shares => shares(record),
        AnswerKind::Loss => loss(record),
        AnswerKind::Where => places(record),
        AnswerKind::Cpu => cpu(record),
        AnswerKind::CpuAt200 => cpu_at_200(record),
    };
    Answer { question: ask.question.clone(), answer }
}

fn shares(record: &Record) -> Vec<String> {
    let rates: Vec<f64> = record.flows.iter().filter_map(|flow| flow.goodput_bits_per_s).collect();
    let sum: f64 = rates.iter().sum();
    let mut lines: Vec<String> = of_flows(&record.flows, |flow| {
        let Some(rate) = flow.goodput_bits_per_s else { return "unknown".into() };
        let share = if sum > 0.0 { rate / sum * 100.0 } else { 0.0 };
        format!("{} ({share:.1} % of what arrived)", megabits(rate))
    });
    if let Some(total) = record.totals.goodput_bits_per_s {
        lines.push(format!("together {}", megabits(total)));
    }
    if let Some(fairness) = record.totals.fairness_jain {
        #[expect(clippy::cast_precision_loss, reason = "a number of flows")]
        let worst = 1.0 / record.flows.len().max(1) as f64;
        lines.push(format!(
            "Jain's fairness index {fairness:.3}: 1 is equal shares, {worst:.3} is everything to one"
        ));
    }
    lines
}

fn loss(record: &Record) -> Vec<String> {
    let mut lines = of_flows(&record.flows, |flow| {
        let (Some(lost), Some(sent)) = (flow.messages.lost, flow.messages.sent) else {
            return "unknown".into();
        };
        let percent = flow.lost_fraction.unwrap_or(0.0) * 100.0;
        let runs = flow
            .loss_runs
            .as_ref()
            .filter(|runs| runs.runs > 0)
            .map(|runs| format!(", in {} runs, the longest of {} messages", runs.runs, runs.longest));
        let again = flow.tcp.as_ref().and_then(|tcp| tcp.retransmits).filter(|again| *again > 0);
        let again = again.map(|again| format!("; TCP sent {again} segments again"));
        format!(
            "lost {lost} of {sent} messages ({percent:.3} %){}{}",
            runs.unwrap_or_default(),
            again.unwrap_or_default()
        )
    });
    if let Some(percent) = record.totals.lost_fraction.filter(|_| record.flows.len() > 1) {
        lines.push(format!("together {:.3} %", percent * 100.0));
    }
    lines
}

fn places(record: &Record) -> Vec<String> {
    let Some(ledger) = &record.ledger else {
        return vec!["unknown: no counters of the network were read".into()];
    };
    // Queues count a train of packets as one, so what they dropped is known in trains only.
    let trains = ledger.unexplained_packets.is_none();
    let mut lines: Vec<String> = ledger
        .stages
        .iter()
        .filter(|stage| stage.messages > 0 || stage.packets > 0)
        .map(|stage| {
            let name = stage.stage.replace('_', " ");
            if trains {
                return format!("{name}: {} packets or trains of them, {}", stage.packets, stage.place);
            }
            let packets = match stage.packets == stage.messages {
                true => String::new(),
                false => format!(" ({} packets of every kind)", stage.packets),
            };
            format!("{name}: {} messages{packets}, {}", stage.messages, stage.place)
        })
        .collect();
    if lines.is_empty() {
        lines.push("nowhere: no counter on the way moved".into());
    }
    match ledger.unexplained {
        _ if trains => {
            lines.push("how many messages each dropped is unknown: packets travelled in trains".into());
        }
        Some(0) => lines.push("nothing is left unexplained".into()),
        Some(left) => lines.push(format!("{left} messages are left unexplained")),
        None => {}
    }
    lines
}

fn cpu(record: &Record) -> Vec<String> {
    let is_known = |flow: &Flow| flow.cpu.sender.is_some() || flow.cpu.receiver.is_some();
    if is_simulated(record) && !record.flows.iter().any(is_known) {
        return vec![NO_CPU.into()];
    }
    let cores = |cpu: Option<&crate::record::Cpu>, flow: &Flow| {
        let fraction = cpu.zip(flow.duration_s.filter(|duration| *duration > 0.0));
        fraction.map_or_else(
            || "unknown".into(),
            |(cpu, duration)| format!("{:.0} %", cpu.total_s() / duration * 100.0),
        )
    };
    of_flows(&record.flows, |flow| {
        let FlowCpu { sender, receiver, .. } = &flow.cpu;
        let (sender, receiver) = (cores(sender.as_ref(), flow), cores(receiver.as_ref(), flow));
        format!("sender {sender} of a core, receiver {receiver}; soft interrupts are with the host's cores")
    })
}

fn cpu_at_200(record: &Record) -> Vec<String> {
    let is_known = |flow: &Flow| flow.cpu.cores_at_200_gbit_per_s.is_some();
    if is_simulated(record) && !record.flows.iter().any(is_known) {
        return vec![NO_CPU.into()];
    }
    let mut lines = of_flows(&record.flows, |flow| {
        flow.cpu.cores_at_200_gbit_per_s.map_or_else(
            || "unknown".into(),
            |cores| format!("{cores:.1} cores for both ends, if every byte cost what it cost here"),
        )
    });
    if let Some(cores) = record.totals.cores_at_200_gbit_per_s.filter(|_| record.flows.len() > 1) {
        lines.push(format!("all flows together: {cores:.1} cores"));
    }
    lines
}

/// Whether its numbers were computed and not measured.
fn is_simulated(record: &Record) -> bool {
    record.simulation.is_some()
}

/// A line for each flow, while they are few; the first and the last otherwise.
fn of_flows(flows: &[Flow], say: impl Fn(&Flow) -> String) -> Vec<String> {
    let line = |flow: &Flow| format!("{}: {}", flow.name, say(flow));
    if flows.len() <= SHOWN_MAX {
        return flows.iter().map(line).collect();
    }
    let mut sorted: Vec<&Flow> = flows.iter().collect();
    let rate = |flow: &Flow| flow.goodput_bits_per_s.unwrap_or(0.0);
    sorted.sort_by(|one, other| rate(one).total_cmp(&rate(other)));
    let (slowest, fastest) = (sorted[0], sorted[sorted.len() - 1]);
    vec![
        format!("slowest of {}: {}", flows.len(), line(slowest)),
        format!("median: {}", line(sorted[sorted.len() / 2])),
        format!("fastest: {}", line(fastest)),
    ]
}

fn megabits(bits_per_s: f64) -> String {
    format!("{:.1} Mbit/s", bits_per_s / 1e6)
}

/// What there is to say of CPU where no model of a host told it.
const NO_CPU: &str = "a simulator spends no CPU of the scenario's hosts";
/// Most flows of which each has a line.
const SHOWN_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Cpu, Simulation};

    fn asked(answer: AnswerKind, record: &Record) -> Vec<String> {
        super::answer(&AskPlan { question: "?".into(), answer }, record).answer
    }

    #[test]
    fn a_simulator_says_once_that_it_spends_no_cpu() {
        let flow = Flow { name: "y".into(), duration_s: Some(2.0), ..Flow::default() };
        let mut record = Record { flows: vec![flow.clone(), flow], ..Record::default() };
        assert!(asked(AnswerKind::Cpu, &record)[0].contains("sender unknown"), "a measured one is unknown");
        record.simulation = Some(Simulation::default());
        assert_eq!(asked(AnswerKind::Cpu, &record), [NO_CPU]);
        assert_eq!(asked(AnswerKind::CpuAt200, &record), [NO_CPU]);
        // A model of the receiving host knows.
        record.flows[0].cpu.receiver = Some(Cpu { system_s: 1.0, ..Cpu::default() });
        assert!(asked(AnswerKind::Cpu, &record)[0].contains("receiver 50 %"));
    }
}
