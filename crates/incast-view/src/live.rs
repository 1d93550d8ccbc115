//! A readout that is going on, for people who wait: a few short lines for a terminal, one for a log.
//!
//! The caller decides how often it is drawn and how the last one is wiped away. No escape codes. No line
//! is wider than the terminal: what there is no room for is left out whole, from the end of its line, so
//! that a number is never cut.

use crate::progress::tenths;
use crate::said::readout::{shown, words};
use crate::text::{clean, cut, width};
use crate::units::{byte_rate, bytes, count, frequency, microseconds};

/// What is known of a readout at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadoutLive<'a> {
    /// Since the run began, in seconds.
    pub elapsed_s: f64,
    /// How long it will take, in seconds, if that is known.
    pub expected_s: Option<f64>,
    /// State of run control.
    pub state: &'a str,
    /// Events triggered so far.
    pub triggered: u64,
    /// Events, or packets, built so far.
    pub built: u64,
    /// Events decided so far.
    pub decided: u64,
    /// Events stored so far.
    pub stored: u64,
    /// Events that have not ended.
    pub in_flight: u64,
    /// Events that are gone.
    pub lost: u64,
    /// Events triggered per second in the last moment.
    pub trigger_rate: Option<f64>,
    /// Payload bytes per second built in the last moment.
    pub built_bytes_per_s: Option<f64>,
    /// Built events that wait for a node or a sink.
    pub held_events: u64,
    /// Their bytes.
    pub held_bytes: u64,
    /// Events of which fragments are missing yet.
    pub open_events: u64,
    /// Credits that policies hold.
    pub credits: u64,
    /// Why the trigger is stopped, if it is.
    pub dead: Option<&'a str>,
    /// Median time from trigger to end so far, in microseconds.
    pub latency_us_p50: Option<f64>,
    /// 99th percentile of it.
    pub latency_us_p99: Option<f64>,
    /// Roles that answer.
    pub roles_alive: usize,
    /// All roles.
    pub roles: usize,
    /// The last thing that happened and that a person should know.
    pub last: Option<String>,
}

/// A block of four lines of at most `columns` cells (40 at least), and a fifth for what happened last.
#[must_use]
pub fn block(live: &ReadoutLive<'_>, columns: usize) -> Vec<String> {
    let columns = columns.max(COLUMNS_MIN);
    let mut now = vec![time(live), format!("{} of {} roles", live.roles_alive, live.roles)];
    now.extend(stopped(live));
    let buffers = vec![
        format!("held {} ({})", count(Some(live.held_events)), bytes(Some(live.held_bytes))),
        format!("open {}", count(Some(live.open_events))),
        format!("credits {}", count(Some(live.credits))),
    ];
    let mut rates = rates(live);
    rates.extend(latency(live));
    let mut lines = vec![
        row(&cut(&shown(live.state), LABEL_CELLS), &now, columns),
        row("events", &events(live), columns),
        row("rates", &rates, columns),
        row("buffers", &buffers, columns),
    ];
    if let Some(last) = &live.last {
        lines.push(cut(&format!("{:LABEL_CELLS$}  {}", "last", clean(last)), columns));
    }
    lines
}

/// The same in one line, for logs and for pipes.
#[must_use]
pub fn line(live: &ReadoutLive<'_>) -> String {
    let held = format!("held {} ({})", count(Some(live.held_events)), bytes(Some(live.held_bytes)));
    let buffers = vec![held, format!("credits {}", count(Some(live.credits)))];
    let state = vec![cut(&shown(live.state), LABEL_CELLS)];
    let mut parts = vec![vec![time(live)], state, events(live), rates(live), buffers, latency(live)];
    parts.extend(stopped(live).map(|stopped| vec![stopped]));
    if live.roles_alive < live.roles {
        parts.push(vec![format!("{} of {} roles", live.roles_alive, live.roles)]);
    }
    parts.iter().map(|items| items.join(", ")).collect::<Vec<_>>().join(" | ")
}

fn time(live: &ReadoutLive<'_>) -> String {
    let of = live.expected_s.map(|expected| format!(" of {}", tenths(expected))).unwrap_or_default();
    format!("{}{of}", tenths(live.elapsed_s))
}

/// What matters most comes first: it stays on a narrow terminal.
fn events(live: &ReadoutLive<'_>) -> Vec<String> {
    let counts = [
        ("triggered", live.triggered),
        ("stored", live.stored),
        ("lost", live.lost),
        ("in flight", live.in_flight),
        ("built", live.built),
        ("decided", live.decided),
    ];
    counts.map(|(name, events)| format!("{name} {}", count(Some(events)))).into()
}

fn rates(live: &ReadoutLive<'_>) -> Vec<String> {
    vec![
        format!("{} events/s", frequency(live.trigger_rate)),
        format!("built {}", byte_rate(live.built_bytes_per_s)),
    ]
}

fn latency(live: &ReadoutLive<'_>) -> Vec<String> {
    let (half, most) = (microseconds(live.latency_us_p50), microseconds(live.latency_us_p99));
    vec![format!("latency p50 {half}"), format!("p99 {most}")]
}

fn stopped(live: &ReadoutLive<'_>) -> Option<String> {
    live.dead.map(|why| format!("trigger stopped: {}", cut(&words(why), WHY_CELLS_MAX)))
}

/// A label and as many items, with commas between them, as there is room for.
fn row(label: &str, items: &[String], columns: usize) -> String {
    let mut row = format!("{label}{}", " ".repeat((LABEL_CELLS + 2).saturating_sub(width(label))));
    for (index, item) in items.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        if width(&row) + comma.len() + width(item) > columns {
            break;
        }
        row = row + comma + item;
    }
    row
}

/// The longest state is `configured`.
const LABEL_CELLS: usize = 10;
const COLUMNS_MIN: usize = 40;
const WHY_CELLS_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> ReadoutLive<'static> {
        ReadoutLive {
            elapsed_s: 12.34,
            expected_s: Some(60.0),
            state: "running",
            triggered: 24_680,
            built: 24_672,
            decided: 24_660,
            stored: 6_165,
            in_flight: 20,
            lost: 0,
            trigger_rate: Some(1_999.4),
            built_bytes_per_s: Some(16.38e6),
            held_events: 8,
            held_bytes: 65_536,
            open_events: 4,
            credits: 32,
            latency_us_p50: Some(1_480.0),
            latency_us_p99: Some(6_912.0),
            roles_alive: 15,
            roles: 15,
            ..ReadoutLive::default()
        }
    }

    #[test]
    fn a_running_readout_in_four_lines() {
        let expected = [
            "running     12.3 s of 60.0 s, 15 of 15 roles",
            "events      triggered 24 680, stored 6 165, lost 0, in flight 20, built 24 672, decided 24 660",
            "rates       1 999 events/s, built 16.38 MB/s, latency p50 1.480 ms, p99 6.912 ms",
            "buffers     held 8 (65 536 B), open 4, credits 32",
        ];
        assert_eq!(block(&live(), 100), expected);
        let narrow = block(&live(), 0);
        assert_eq!(narrow[1], "events      triggered 24 680");
        assert_eq!(narrow[2], "rates       1 999 events/s");
    }

    #[test]
    fn what_happened_last_and_why_nothing_is_triggered_are_said() {
        let mut live = live();
        (live.dead, live.last) =
            (Some("nobody_free"), Some("farm-2 was killed, \u{1b}[2Jand is back".into()));
        let lines = block(&live, 80);
        assert_eq!(lines[0], "running     12.3 s of 60.0 s, 15 of 15 roles, trigger stopped: nobody free");
        assert_eq!(lines[4], "last        farm-2 was killed, ?[2Jand is back");
        assert!(line(&live).ends_with("| latency p50 1.480 ms, p99 6.912 ms | trigger stopped: nobody free"));
    }

    #[test]
    fn a_running_readout_in_one_line() {
        assert_eq!(
            line(&live()),
            "12.3 s of 60.0 s | running | triggered 24 680, stored 6 165, lost 0, in flight 20, built 24 672, \
             decided 24 660 | 1 999 events/s, built 16.38 MB/s | held 8 (65 536 B), credits 32 | latency p50 \
             1.480 ms, p99 6.912 ms"
        );
        let gone = ReadoutLive { roles: 15, roles_alive: 14, ..ReadoutLive::default() };
        assert!(
            line(&gone).starts_with("0.0 s | - | triggered 0, ") && line(&gone).ends_with("| 14 of 15 roles")
        );
        assert!(line(&gone).contains("- events/s, built -"), "{}", line(&gone));
    }

    #[test]
    fn nothing_in_it_is_wider_than_the_terminal_or_obeyed_by_it() {
        let why = "\u{1b}]0;x\u{7}".repeat(50);
        let live = ReadoutLive {
            elapsed_s: f64::NAN,
            expected_s: Some(f64::MAX),
            state: &why,
            triggered: u64::MAX,
            held_bytes: u64::MAX,
            held_events: u64::MAX,
            credits: u64::MAX,
            trigger_rate: Some(f64::MIN_POSITIVE),
            dead: Some(&why),
            last: Some("東京\n".repeat(100)),
            ..live()
        };
        for columns in [0, 40, 41, 80, 200] {
            let lines = block(&live, columns);
            assert_eq!(lines.len(), 5);
            for line in lines.iter().chain([&line(&live)]) {
                assert!(!line.contains(char::is_control), "{line:?}");
            }
            assert!(lines.iter().all(|line| width(line) <= columns.max(40)), "{lines:#?}");
        }
    }
}
