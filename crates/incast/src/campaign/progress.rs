//! How far a campaign has come: a line on a terminal, and now and then a line for a log.

use std::time::{Duration, Instant};

use incast_core::stats::ratio;
use incast_view::units::number;
use indicatif::ProgressBar;

use super::schedule::{Schedule, Task};
use crate::output::note;
use crate::sim::bar;

/// How often a log is told.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// What the eye sees.
pub(super) struct Progress {
    bar: ProgressBar,
    started: Instant,
    told: Instant,
    /// Finished when this process began.
    before: u64,
}

impl Progress {
    pub(super) fn new(schedule: &Schedule) -> Self {
        let now = Instant::now();
        Self { bar: bar(), started: now, told: now, before: schedule.progress().0 }
    }

    /// What stands before the line of a run.
    pub(super) fn ahead(&self, schedule: &Schedule, task: Task) -> String {
        // The run has a line of its own, and two would be in each other's way.
        self.bar.finish_and_clear();
        format!("run {}: {} | ", task.number, self.said(schedule))
    }

    /// A run ended.
    pub(super) fn draw(&mut self, schedule: &Schedule) {
        if self.bar.is_hidden() && self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            note(&format!("{}{}", self.said(schedule), losses(schedule)));
        }
        self.bar.set_message(format!("{}{}", self.said(schedule), losses(schedule)));
        self.bar.tick();
    }

    /// `37 of 200 runs, about 5 min left`.
    fn said(&self, schedule: &Schedule) -> String {
        let (done, all) = schedule.progress();
        let here = done.saturating_sub(self.before);
        let left =
            ratio(all.saturating_sub(done), here).map(|parts| self.started.elapsed().as_secs_f64() * parts);
        let left = left.map_or_else(String::new, |left_s| match left_s {
            ..100.0 => format!(", about {left_s:.0} s left"),
            ..6_000.0 => format!(", about {:.0} min left", left_s / 60.0),
            _ => format!(", about {:.1} h left", left_s / 3_600.0),
        });
        format!("{done} of {all} runs{left}")
    }
}

/// What each of the first variants has lost.
fn losses(schedule: &Schedule) -> String {
    let said = |variant| match schedule.losses(variant) {
        (0, sent) => format!("none of {sent}"),
        (lost, sent) => number(ratio(lost, sent)),
    };
    let shown: Vec<String> = (0..schedule.variants().min(SHOWN_MAX)).map(said).collect();
    format!("; lost: {}", shown.join(", "))
}

/// A line holds no more.
const SHOWN_MAX: usize = 4;

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
