//! What can be seen of a run while it lasts: a few lines on a terminal, one a second elsewhere, and the
//! slices of the record.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use incast_core::readout::report::{Slices, Sums, distribution};
use incast_core::record::ReadoutInterval;
use incast_core::time::Span;
use incast_view::live::{ReadoutLive, block, line};

use super::state::States;
use super::troupe::Troupe;

/// How often the figures are looked at and drawn anew on a terminal; and written elsewhere.
const REDRAW: Duration = Duration::from_millis(250);
const REWRITE: Duration = Duration::from_secs(2);

/// The sums of a run, as they are and as they were.
pub(super) struct Live {
    started: Option<Instant>,
    interval: Duration,
    expected: Duration,
    sums: Sums,
    before: (Instant, Sums),
    slices: Slices,
    sliced: Instant,
    shown: ReadoutLive<'static>,
    /// When a line was last written elsewhere.
    written: Instant,
    /// Lines that are on the terminal, to be written over.
    lines: usize,
    is_terminal: bool,
}

impl Live {
    pub(super) fn new(interval: Span, expected: Span) -> Self {
        let now = Instant::now();
        Self {
            started: None,
            interval: interval.to_std(),
            expected: expected.to_std(),
            sums: Sums::default(),
            before: (now, Sums::default()),
            slices: Slices::default(),
            sliced: now,
            shown: ReadoutLive::default(),
            written: now,
            lines: 0,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// The run begins to run.
    pub(super) fn start(&mut self) {
        let now = Instant::now();
        (self.started, self.sliced) = (Some(now), now);
    }

    /// A role has told what it counted.
    pub(super) fn handle_told(&mut self, troupe: &Troupe) {
        let told = troupe.members.iter().filter_map(|member| member.told.as_ref());
        self.sums = Sums::of(told.map(|told| &told.counts));
    }

    /// Cuts a slice, and draws, if their time has come.
    pub(super) fn draw(&mut self, states: &States, troupe: &Troupe) {
        let Some(started) = self.started else { return };
        let now = Instant::now();
        if now.duration_since(self.sliced) >= self.interval {
            self.sliced = now;
            self.slices.record(now.duration_since(started).as_secs_f64(), self.sums.clone());
        }
        if now.duration_since(self.before.0) < REDRAW {
            return;
        }
        self.look(now, started, states, troupe);
        if self.is_terminal {
            self.write_over(&block(&self.shown, columns()));
        } else if now.duration_since(self.written) >= REWRITE {
            self.written = now;
            crate::output::note(&line(&self.shown));
        }
    }

    /// The last slice ends; what is on the terminal stays.
    pub(super) fn end(&mut self) {
        if let Some(started) = self.started {
            self.slices.record(started.elapsed().as_secs_f64(), self.sums.clone());
        }
        self.lines = 0;
    }

    /// What is seen, in one line.
    pub(super) fn line(&self) -> String {
        line(&self.shown)
    }

    pub(super) fn slices(&self) -> &[ReadoutInterval] {
        self.slices.slices()
    }

    #[expect(clippy::cast_precision_loss, reason = "for the eye")]
    fn look(&mut self, now: Instant, started: Instant, states: &States, troupe: &Troupe) {
        let (then, before) = std::mem::replace(&mut self.before, (now, self.sums.clone()));
        let length_s = now.duration_since(then).as_secs_f64().max(1e-3);
        let sums = &self.sums;
        let per_s = |now: u64, then: u64| now.saturating_sub(then) as f64 / length_s;
        let latency = distribution("", &sums.latency_ns);
        let alive = troupe.members.iter().filter(|member| member.is_alive() && !member.is_silent);
        self.shown = ReadoutLive {
            elapsed_s: now.duration_since(started).as_secs_f64(),
            expected_s: Some(self.expected.as_secs_f64()),
            state: states.now().name(),
            triggered: sums.triggered,
            built: sums.built,
            decided: sums.decided,
            stored: sums.stored,
            in_flight: sums.in_flight,
            lost: sums.lost,
            trigger_rate: Some(per_s(sums.triggered, before.triggered)),
            built_bytes_per_s: Some(per_s(sums.built_bytes, before.built_bytes)),
            held_events: sums.held,
            held_bytes: sums.held_bytes,
            open_events: sums.open,
            credits: sums.credits,
            dead: sums.dead_since(&before),
            latency_us_p50: latency.us_p50,
            latency_us_p99: latency.us_p99,
            roles_alive: alive.count(),
            roles: troupe.members.len(),
            last: troupe.members.iter().find_map(|member| member.told.as_ref()?.trouble.clone()),
        };
    }

    fn write_over(&mut self, block: &[String]) {
        let mut text = String::new();
        if self.lines > 0 {
            // Up to the first of our lines, and all below it away.
            text += &format!("\u{1b}[{}A\u{1b}[J", self.lines);
        }
        for line in block {
            text += line;
            text.push('\n');
        }
        self.lines = block.len();
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
    }
}

/// Columns of the terminal.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(80)
}
