//! What happened to the messages of all flows together, and what that cost.
//!
//! The account (law 1) is always printed, above all when nothing is unexplained: that is the proof
//! that nothing was forgotten. In it an unknown number is `?`.

use incast_core::record::{Messages, Record, Totals};

use crate::page::{BAD, Label, PLAIN, Page};
use crate::units::{about, bytes, count, difference, percent, rate, seconds};

/// Loads, deliveries, the account and the cost of all flows.
pub(super) fn show(page: &mut Page, record: &Record) {
    let totals = &record.totals;
    page.line("");
    loads(page, totals);
    fairness(page, totals);
    account(page, &totals.messages);
    // A simulator spends no CPU of the scenario's hosts: an unknown cost says nothing there.
    if record.simulation.is_none() || totals.cpu_seconds_per_gigabyte.is_some() || totals.cpu.is_some() {
        cost(page, totals);
    }
}

fn loads(page: &mut Page, totals: &Totals) {
    let intended = match totals.intended_load_bits_per_s {
        None => String::new(),
        intended => format!(" (intended {})", rate(intended)),
    };
    page.items(
        &Label::new("all flows"),
        &[
            format!("offered load {}{intended}", rate(totals.offered_load_bits_per_s)),
            format!("goodput {}", rate(totals.goodput_bits_per_s)),
            format!("wire rate {}", rate(totals.wire_rate_bits_per_s)),
        ],
    );
    page.items(
        &Label::new(""),
        &[
            format!("{} delivered in {}", bytes(totals.delivered_bytes), seconds(totals.duration_s)),
            format!("loss {}", percent(totals.lost_fraction)),
            format!("dropped at full receiving sockets {}", count(totals.receiver_socket_drops)),
        ],
    );
}

/// How the flows shared; a single flow has nothing to share with.
fn fairness(page: &mut Page, totals: &Totals) {
    let jain =
        totals.fairness_jain.map(|index| format!("Jain's index {} (1 is equal shares)", about(Some(index))));
    let overlap =
        totals.overlap_fraction.map(|part| format!("all active for {} of the time", percent(Some(part))));
    let known: Vec<String> = jain.into_iter().chain(overlap).collect();
    if !known.is_empty() {
        page.items(&Label::new("fairness"), &known);
    }
}

/// Law 1, at the whole and at the receiver.
fn account(page: &mut Page, messages: &Messages) {
    let known = |value: Option<u64>| value.map_or_else(|| "?".to_owned(), |value| count(Some(value)));
    let unexplained = messages.unexplained.map_or_else(|| "?".to_owned(), |value| difference(Some(value)));
    let closes = messages.unexplained.is_none_or(|unexplained| unexplained == 0);
    page.tokens(
        &Label::new("account").body(if closes { PLAIN } else { BAD }),
        &[
            format!("sent {}", known(messages.sent)),
            format!("= received once {}", known(messages.unique)),
            format!("+ lost {}", known(messages.lost)),
            format!("+ unexplained {unexplained}"),
        ],
    );
    page.tokens(
        &Label::new(""),
        &[
            format!("received {}", known(messages.received)),
            format!("= once {}", known(messages.unique)),
            format!("+ duplicate {}", known(messages.duplicate)),
            format!("+ stale {};", known(messages.stale)),
            format!("reordered {}, late {}", known(messages.reordered), known(messages.late)),
        ],
    );
}

fn cost(page: &mut Page, totals: &Totals) {
    page.items(
        &Label::new("cost"),
        &[
            format!("{} CPU seconds per GB", about(totals.cpu_seconds_per_gigabyte)),
            format!("at 200 Gbit/s this would take {} cores", about(totals.cores_at_200_gbit_per_s)),
        ],
    );
    if let Some(cpu) = &totals.cpu {
        page.items(
            &Label::new(""),
            &[
                format!("user {}", seconds(Some(cpu.user_s))),
                format!("system {}", seconds(Some(cpu.system_s))),
                format!("voluntary switches {}", count(Some(cpu.switches_voluntary))),
                format!("involuntary {}", count(Some(cpu.switches_involuntary))),
            ],
        );
    }
}
