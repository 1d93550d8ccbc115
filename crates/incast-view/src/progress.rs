//! One line about a run of flows that is going on, for people who wait.
//!
//! The caller decides how often it is written and how the last one is wiped away. No escape codes.

use crate::text::counted;
use crate::units::{count, rate, seconds};

/// The live status in one line: time, flows, messages so far, and the goodput of the last moment.
///
/// `sent`, `received` and `lost` count messages over all flows; `None` where this process does not
/// see that side. Without `expected_s` the run ends when its senders do.
#[must_use]
#[expect(clippy::too_many_arguments, reason = "each is one field of the line, and there is one caller")]
pub fn line(
    elapsed_s: f64,
    expected_s: Option<f64>,
    flows_running: usize,
    flows_done: usize,
    sent: Option<u64>,
    received: Option<u64>,
    lost: Option<u64>,
    goodput_bits_per_s: Option<f64>,
) -> String {
    let of = expected_s.map(|expected| format!(" of {}", tenths(expected))).unwrap_or_default();
    let time = format!("{}{of}", tenths(elapsed_s));
    let done = if flows_done == 0 { String::new() } else { format!(" ({flows_done} done)") };
    let flows = format!("{}{done}", counted(flows_running, "flow", "flows"));
    let messages = format!("sent {}, received {}, lost {}", count(sent), count(received), count(lost));
    format!("{time} | {flows} | {messages} | {}", rate(goodput_bits_per_s))
}

/// A time with one decimal, so that the line does not tremble.
pub(crate) fn tenths(time_s: f64) -> String {
    if time_s.abs() < 1e9 { format!("{time_s:.1} s") } else { seconds(Some(time_s)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_flood_in_one_line() {
        let text = line(12.34, Some(30.0), 8, 0, Some(1_234_567), Some(1_234_000), Some(3), Some(941.2e6));
        assert_eq!(
            text,
            "12.3 s of 30.0 s | 8 flows | sent 1 234 567, received 1 234 000, lost 3 | 941.2 Mbit/s"
        );
    }

    #[test]
    fn what_this_side_does_not_see_is_a_dash() {
        let text = line(f64::NAN, None, 1, 2, None, Some(5), None, None);
        assert_eq!(text, "- | 1 flow (2 done) | sent -, received 5, lost - | -");
    }
}
