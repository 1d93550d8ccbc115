//! A scenario with `[search]`: its flows are played at many loads, as the core's search wants.

use anyhow::Context as _;
use incast_core::record::Record;
use incast_core::scenario::Scenario;
use incast_core::switch_test::{Outcome, Purpose, Search, SearchPlan};

use crate::measured::{Measured, judge_again};
use crate::output::note;
use crate::signals::Stops;

/// Makes every trial; the record of the one at the throughput, with all of them in it.
///
/// `play` plays a scenario once; tagged messages are sent beside its flows if it is told so.
pub(crate) fn trials(
    scenario: &Scenario,
    plan: &SearchPlan,
    stops: &Stops,
    mut play: impl FnMut(&Scenario, bool) -> anyhow::Result<Measured>,
) -> anyhow::Result<Record> {
    let mut search = Search::new(*plan);
    let mut best: Option<Record> = None;
    let mut last: Option<Record> = None;
    while let Some(trial) = search.poll_trial() {
        let loaded = scenario.at_load(plan, trial.fraction).with_context(|| {
            format!(
                "{:.2} % of the full load cannot be sent: give the senders' cables a `rate`, or write \
                 most = \"1Gbit/s\" in [search], or search more coarsely",
                trial.fraction * 100.0
            )
        })?;
        let record = play(&loaded, trial.purpose == Purpose::Latency)?.record();
        let totals = &record.totals;
        let outcome = Outcome {
            sent: totals.messages.sent.unwrap_or(0),
            lost: totals.messages.lost.unwrap_or(0),
            intended_bits_per_s: totals.intended_load_bits_per_s,
            offered_bits_per_s: totals.offered_load_bits_per_s,
            round_trip: record.flows.iter().find_map(|flow| flow.round_trip.clone()),
        };
        let (sent, lost) = (outcome.sent, outcome.lost);
        let passed = search.handle_outcome(trial, outcome);
        note(&format!(
            "{} at {:.1} %: lost {lost} of {sent}, {}",
            trial.purpose.name().replace('_', " "),
            trial.fraction * 100.0,
            if passed { "passed" } else { "did not pass" }
        ));
        let is_best = match trial.purpose {
            Purpose::Throughput => passed,
            Purpose::Latency => true,
            Purpose::LossRate => false,
        };
        *(if is_best { &mut best } else { &mut last }) = Some(record);
        if stops.count() > 0 {
            break;
        }
    }
    let mut record = best.or(last).context("no trial was made")?;
    let test = search.report();
    record.totals.throughput_fraction = test.throughput_fraction;
    record.totals.throughput_bits_per_s = test.throughput_bits_per_s;
    record.switch_test = Some(test);
    judge_again(&mut record, &scenario.expectations, stops.count() > 0);
    Ok(record)
}
