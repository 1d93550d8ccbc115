//! What is said of a readout in the same words everywhere: on a terminal, on a page, and in a line of a log.

use incast_core::record::{CreditBook, EventBook, NamedCount, Readout, TimeDistribution};

use crate::text::{clean, cut};
use crate::units::{UNKNOWN, bytes, count, difference};

/// What ran, in parts: the run, how fragments travelled, who was given what by whom.
pub(crate) fn ran(readout: &Readout) -> Vec<String> {
    let packing = match readout.packing_events {
        1 => "an event per packet".to_owned(),
        events => format!("{events} events per packet"),
    };
    let mut parts = vec![
        format!("run {}", readout.run),
        format!("{} over {}", shown(&readout.protocol), shown(&readout.carrier)),
        packing,
        format!("builders by {}", shown(&readout.builder_policy)),
        format!("nodes by {}", shown(&readout.node_policy)),
    ];
    if let Some(file) = &readout.replay {
        parts.push(format!("replay of {}", shown(file)));
    }
    parts
}

/// A word of the record, clean; `-` for none.
pub(crate) fn shown(word: &str) -> String {
    let word = clean(word);
    if word.trim().is_empty() { UNKNOWN.to_owned() } else { word }
}

/// A name of the record as words: `builder_died` is `builder died`.
pub(crate) fn words(name: &str) -> String {
    shown(name).replace('_', " ")
}

/// What a distribution is of.
pub(crate) fn time(name: &str) -> String {
    let known = match name {
        "trigger_to_end" => "from trigger to end",
        "build" => "building an event",
        "decision" => "decision of a node",
        "first_request" => "first request of a node",
        "request" => "later requests",
        "ask" => "asking a sink for room",
        "store" => "storing an event",
        other => return words(other),
    };
    known.to_owned()
}

/// The times from trigger to end, by which runs are compared.
pub(crate) fn latency(readout: &Readout) -> Option<&TimeDistribution> {
    readout.times.iter().find(|time| time.name == "trigger_to_end")
}

/// Law 2 as the tokens of a sum.
pub(crate) fn events(events: &EventBook) -> Vec<String> {
    let plus = [
        ("+ rejected", events.rejected),
        ("+ incomplete", events.incomplete),
        ("+ lost", events.lost),
        ("+ in flight", events.in_flight),
    ];
    let mut sum = vec![
        format!("triggered {}", count(Some(events.triggered))),
        format!("= stored {}", count(Some(events.stored))),
    ];
    sum.extend(plus.map(|(name, events)| format!("{name} {}", count(Some(events)))));
    sum.push(format!("+ residual {}", difference(Some(events.residual))));
    sum
}

/// Law 3 as the tokens of a sum.
pub(crate) fn credits(credits: &CreditBook) -> Vec<String> {
    vec![
        format!("granted {}", count(Some(credits.granted))),
        format!("= spent {}", count(Some(credits.spent))),
        format!("+ held {}", count(Some(credits.held))),
        format!("+ expired {}", count(Some(credits.expired))),
        format!("+ residual {}", difference(Some(credits.residual))),
    ]
}

/// What contradicts itself in an account of events and was ignored or put right, if there is any.
pub(crate) fn oddities(events: &EventBook) -> Vec<String> {
    let odd = [
        ("taken for lost and found on disk", events.revised),
        ("ended twice", events.ended_twice),
        ("ended but never triggered", events.never_triggered),
    ];
    let seen = odd.into_iter().filter(|(_, times)| *times > 0);
    seen.map(|(name, times)| format!("{name} {}", count(Some(times)))).collect()
}

/// A count with its name: `built 10 000`; what is counted in bytes as such: `built 81.92 MB`.
pub(crate) fn counted(named: &NamedCount, name_cells: usize) -> String {
    let name = |name: &str| cut(&words(name), name_cells);
    match named.name.strip_suffix("_bytes") {
        Some(what) => format!("{} {}", name(what), bytes(Some(named.count))),
        None => format!("{} {}", name(&named.name), count(Some(named.count))),
    }
}

/// The counts that are not 0, most first, with `tell` for their names; of many the first `most`, and how
/// many there are beyond.
pub(crate) fn counts(counts: &[NamedCount], tell: fn(&str) -> String, most: usize) -> Vec<String> {
    let mut seen: Vec<&NamedCount> = counts.iter().filter(|named| named.count > 0).collect();
    seen.sort_by_key(|named| std::cmp::Reverse(named.count));
    let beyond = seen.len().saturating_sub(most);
    let told = seen.into_iter().take(most);
    let mut told: Vec<String> =
        told.map(|named| format!("{} {}", tell(&named.name), count(Some(named.count)))).collect();
    if beyond > 0 {
        told.push(format!("{beyond} more in the record"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, count: u64) -> NamedCount {
        NamedCount { name: name.into(), count }
    }

    #[test]
    fn what_ran_is_said_in_order() {
        let readout = Readout {
            run: 7,
            protocol: "push".into(),
            carrier: "mep-udp".into(),
            packing_events: 32,
            builder_policy: "round-robin".into(),
            replay: Some("a.mdf".into()),
            ..Readout::default()
        };
        let said = "run 7, push over mep-udp, 32 events per packet, builders by round-robin, nodes by -, replay of a.mdf";
        assert_eq!(ran(&readout).join(", "), said);
    }

    #[test]
    fn the_most_frequent_comes_first_and_what_is_left_out_is_counted() {
        let all = [named("late", 1), named("never", 0), named("builder_died", 7), named("x", 3)];
        assert_eq!(counts(&all, words, 2), ["builder died 7", "x 3", "1 more in the record"]);
        assert_eq!(counts(&all, words, 3).len(), 3);
        assert_eq!(counts(&[], words, 3), [""; 0]);
    }

    #[test]
    fn what_is_counted_in_bytes_is_said_in_bytes() {
        let said = |name, count| counted(&named(name, count), 12);
        assert_eq!(
            [said("built_bytes", 81_920_000), said("built", 10_000)],
            ["built 81.92 MB", "built 10 000"]
        );
        assert_eq!(said("tokens_of_another_life", 3), "tokens o…ife 3");
    }

    #[test]
    fn a_time_of_a_newer_incast_is_called_by_its_name() {
        assert_eq!([time("build"), time("tea_break"), time("")], ["building an event", "tea break", "-"]);
    }
}
