//! Law 1, asserted of every record that a test makes a message move for.
//!
//! `received = unique + duplicate + stale` and `sent = unique + lost + unexplained`, in every flow
//! and in the totals; the totals are the sums of the flows; the columns of the intervals and the
//! runs of losses sum to the whole, exactly. What is unknown (null) is held to nothing.
#![allow(dead_code, reason = "every test file uses its own part")]

use incast_core::caveat::CaveatKind;
use incast_core::record::{Flow, Interval, Messages, Record};

/// Asserts everything above of every flow of `record`.
pub(crate) fn assert_law_1(record: &Record) {
    for flow in &record.flows {
        assert_closed(&flow.name, &flow.messages);
        assert_intervals_sum(flow);
        assert_loss_runs_sum(flow);
    }
    assert_closed("totals", &record.totals.messages);
    assert_totals_sum(record);
}

/// Asserts law 1, and that nothing at all is left unexplained in flows whose both ends are known.
pub(crate) fn assert_all_explained(record: &Record) {
    assert_law_1(record);
    for flow in &record.flows {
        assert_eq!(flow.messages.unexplained, Some(0), "{}: {:?}", flow.name, flow.messages);
        assert!(flow.complete, "{} is not complete: {:?}", flow.name, record.caveats);
    }
    assert_eq!(record.totals.messages.unexplained, Some(0), "{:?}", record.totals);
}

/// The flow of this name; there must be exactly one.
pub(crate) fn flow<'a>(record: &'a Record, name: &str) -> &'a Flow {
    let named: Vec<&Flow> = record.flows.iter().filter(|flow| flow.name == name).collect();
    let names: Vec<&str> = record.flows.iter().map(|flow| flow.name.as_str()).collect();
    assert_eq!(named.len(), 1, "flows named {name} among {names:?}");
    named[0]
}

/// The only flow.
pub(crate) fn only_flow(record: &Record) -> &Flow {
    assert_eq!(record.flows.len(), 1, "{:?}", record.flows);
    &record.flows[0]
}

/// Whether a doubt of this kind is in the record; if so it has its text and its advice.
pub(crate) fn has_caveat(record: &Record, kind: CaveatKind) -> bool {
    let told: Vec<_> = record.caveats.iter().filter(|caveat| caveat.kind == kind).collect();
    assert!(told.iter().all(|caveat| !caveat.text.is_empty() && !caveat.advice.is_empty()), "{told:?}");
    !told.is_empty()
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).expect("a count of a test fits")
}

/// Asserts law 1 of one account, as far as it is known.
pub(crate) fn assert_closed(name: &str, messages: &Messages) {
    if let (Some(received), Some(unique)) = (messages.received, messages.unique) {
        let (duplicate, stale) = (messages.duplicate.expect("known"), messages.stale.expect("known"));
        assert_eq!(received, unique + duplicate + stale, "{name}: law 1 at the receiver: {messages:?}");
    }
    if let (Some(sent), Some(unique), Some(lost)) = (messages.sent, messages.unique, messages.lost) {
        let unexplained = messages.unexplained.expect("both sides are known");
        assert_eq!(signed(sent), signed(unique) + signed(lost) + unexplained, "{name}: law 1: {messages:?}");
    } else {
        assert_eq!(messages.unexplained, None, "{name}: unknown is null: {messages:?}");
    }
}

fn assert_intervals_sum(flow: &Flow) {
    let Messages { sent, received, unique, duplicate, reordered, late, stale, lost, .. } = flow.messages;
    // A stream without counters has no intervals to sum: what came in which is unknown.
    let counted = unique.is_some();
    let sum =
        |column: fn(&Interval) -> Option<u64>| -> Option<u64> { flow.intervals.iter().map(column).sum() };
    let columns = [
        // A program that is not incast tells nothing over time.
        (
            "sent",
            sum(|slice| slice.sent),
            sent.filter(|_| flow.intervals.iter().all(|one| one.sent.is_some())),
        ),
        ("received", sum(|slice| slice.received), received.filter(|_| counted)),
        ("unique", sum(|slice| slice.unique), unique),
        ("duplicate", sum(|slice| slice.duplicate), duplicate),
        ("reordered", sum(|slice| slice.reordered), reordered),
        ("late", sum(|slice| slice.late), late),
        ("stale", sum(|slice| slice.stale), stale),
    ];
    for (name, sum, whole) in columns.into_iter().filter(|(_, _, whole)| whole.is_some()) {
        assert_eq!(sum, whole, "{}: the intervals of `{name}` sum to the whole", flow.name);
    }
    if lost.is_some() {
        let sum: Option<i64> = flow.intervals.iter().map(|slice| slice.lost).sum();
        assert_eq!(sum, lost.map(signed), "{}: the intervals of `lost` sum to the whole", flow.name);
    }
    for pair in flow.intervals.windows(2) {
        assert!((pair[0].end_s - pair[1].start_s).abs() < 1e-9, "{}: intervals follow each other", flow.name);
    }
}

fn assert_loss_runs_sum(flow: &Flow) {
    let (Some(lost), Some(runs)) = (flow.messages.lost, &flow.loss_runs) else {
        assert_eq!(flow.loss_runs, None, "{}: runs without a count", flow.name);
        return;
    };
    let least: u64 = runs.lengths.iter().map(|length| length.from * length.runs).sum();
    let most: u64 = runs.lengths.iter().map(|length| length.to * length.runs).sum();
    assert!((least..=most).contains(&lost), "{}: {lost} lost in runs {runs:?}", flow.name);
    assert_eq!(
        runs.lengths.iter().map(|length| length.runs).sum::<u64>(),
        runs.runs,
        "{}: {runs:?}",
        flow.name
    );
    assert!(runs.longest <= lost, "{}: {runs:?}", flow.name);
}

fn assert_totals_sum(record: &Record) {
    let total = &record.totals.messages;
    type Column = fn(&Messages) -> Option<u64>;
    let columns: [(&str, Column); 8] = [
        ("sent", |messages| messages.sent),
        ("received", |messages| messages.received),
        ("unique", |messages| messages.unique),
        ("duplicate", |messages| messages.duplicate),
        ("reordered", |messages| messages.reordered),
        ("late", |messages| messages.late),
        ("stale", |messages| messages.stale),
        ("lost", |messages| messages.lost),
    ];
    for (name, column) in columns {
        // One unknown makes the sum unknown, and so does no flow at all.
        let sum: Option<u64> = record.flows.iter().map(|flow| column(&flow.messages)).sum();
        let sum = sum.filter(|_| !record.flows.is_empty());
        assert_eq!(column(total), sum, "totals of `{name}` are the sum of the flows");
    }
}
