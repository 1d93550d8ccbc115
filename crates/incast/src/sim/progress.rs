//! The line of progress of a simulation.

use std::time::Duration;

use incast_core::scenario::Scenario;
use incast_core::time::Time;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::observe::REDRAW;

/// A line that says how far virtual time has come.
pub(super) struct Line {
    bar: ProgressBar,
    expected_s: Option<f64>,
    drawn: Duration,
}

impl Line {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let ends: Option<Vec<_>> =
            scenario.flows.iter().map(|flow| Some(flow.start_after + flow.stop.after?)).collect();
        let of_flows = ends.and_then(|ends| ends.into_iter().max());
        let expected = of_flows.or_else(|| scenario.readout.as_ref().map(|readout| readout.duration));
        Self { bar: bar(), expected_s: expected.map(|span| span.as_s_f64()), drawn: Duration::ZERO }
    }

    /// Draws it, if its time has come.
    pub(super) fn draw(&mut self, now: Time, elapsed: Duration) {
        if elapsed < self.drawn + REDRAW {
            return;
        }
        self.drawn = elapsed;
        let virtual_s = now.since(Time::ZERO).as_s_f64();
        let took_s = elapsed.as_secs_f64();
        let left =
            self.expected_s.filter(|expected| *expected > virtual_s && virtual_s > 0.0).map(|expected| {
                format!(
                    " of {expected:.3} s, about {:.0} s left",
                    (expected - virtual_s) / virtual_s * took_s
                )
            });
        let left = left.unwrap_or_default();
        self.bar.set_message(format!("virtual time {virtual_s:.3} s{left}"));
        self.bar.tick();
    }
}

/// A spinner on a terminal, nothing elsewhere.
pub(crate) fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_draw_target(ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
