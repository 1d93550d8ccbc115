//! What is said of a record in the same words everywhere: on a terminal and on a page.

pub(crate) mod agreement;
pub(crate) mod campaign;
pub(crate) mod exchanges;
pub(crate) mod ladder;
pub(crate) mod probe;
pub(crate) mod readout;
pub(crate) mod simulation;
pub(crate) mod stamp;
pub(crate) mod transport;

use incast_core::record::{Build, Expectation, Host, Record, Verdict};
use incast_core::scenario::Metric;

use crate::text::counted;
use crate::units::{UNKNOWN, bytes, number, rate_fine, seconds};

/// A verdict as one word, and what it means for this record.
pub(crate) fn verdict(record: &Record) -> (&'static str, String) {
    let expectations = &record.expectations;
    let in_state = |met| expectations.iter().filter(|expectation| expectation.met == met).count();
    let (missed, unknown) = (in_state(Some(false)), in_state(None));
    match record.verdict {
        Verdict::Good if expectations.is_empty() => {
            ("good", "it ran to its end; nothing was expected".to_owned())
        }
        Verdict::Good if unknown > 0 => {
            ("good", format!("no expectation was missed, {unknown} could not be measured"))
        }
        Verdict::Good => ("good", "every expectation was met".to_owned()),
        Verdict::Missed if missed == 0 => ("missed", "an expectation was missed".to_owned()),
        Verdict::Missed => {
            ("missed", format!("{missed} of {}", counted(expectations.len(), "expectation", "expectations")))
        }
        Verdict::Tainted => ("tainted", "it ran to its end, but a doubt below voids its numbers".to_owned()),
        Verdict::Incomplete => {
            ("incomplete", "a process died, a peer vanished, or nobody answered".to_owned())
        }
        Verdict::Interrupted => ("interrupted", "it was ended early".to_owned()),
    }
}

/// The measured value in the unit of its metric, with which the expected text begins.
pub(crate) fn measured(expectation: &Expectation) -> String {
    let name = expectation.expected.split(' ').next().unwrap_or_default();
    metric(Metric::ALL.into_iter().find(|metric| metric.name() == name), expectation.measured)
}

/// A value in the unit of its metric; without a unit where that has none, or is not known.
pub(crate) fn metric(metric: Option<Metric>, value: Option<f64>) -> String {
    match metric {
        Some(Metric::Goodput | Metric::OfferedLoad | Metric::WireRate | Metric::Throughput) => {
            rate_fine(value)
        }
        Some(Metric::Duration) => seconds(value),
        _ => number(value),
    }
}

/// Whether what CPU the run took has a meaning: a simulator spends none of the scenario's hosts, unless a model says so.
pub(crate) fn has_cost(record: &Record) -> bool {
    let totals = &record.totals;
    record.simulation.is_none() || totals.cpu_seconds_per_gigabyte.is_some() || totals.cpu.is_some()
}

/// Whether the host of a record is worth a line: a simulation is the same on every host, so its record names none.
pub(crate) fn has_host(record: &Record) -> bool {
    record.simulation.is_none() || host(&record.host) != UNKNOWN
}

/// The program that wrote a record.
pub(crate) fn build(build: &Build) -> String {
    let version = if build.version.is_empty() { UNKNOWN } else { &build.version };
    let commit = build.commit.as_ref().map(|commit| format!(" ({commit})")).unwrap_or_default();
    format!("incast {version}{commit}")
}

/// A host in one line.
pub(crate) fn host(host: &Host) -> String {
    let cores = host.cores_usable.map(|cores| format!("{cores} usable cores"));
    let memory = host.memory_bytes.map(|memory| format!("{} of memory", bytes(Some(memory))));
    let known = [Some(host.name.clone()), host.kernel.clone(), host.processor.clone(), cores, memory];
    let text = listed(known.into_iter().flatten());
    if text.is_empty() { UNKNOWN.to_owned() } else { text }
}

/// The parts that say something, with commas.
pub(crate) fn listed(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}
