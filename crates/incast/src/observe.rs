//! Watches flows while they run: shows one line of progress and keeps what they came to.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use incast_core::flood::assemble::FlowIdentity;
use incast_net::conversation::{FlowNotice, FlowOutcome};
use incast_net::live::{LiveCounts, LiveFlow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the line is drawn anew.
pub(crate) const REDRAW: Duration = Duration::from_millis(250);

/// The line of progress on a terminal; nothing elsewhere.
pub(crate) struct ProgressLine {
    bar: ProgressBar,
    started: Instant,
    drawn: Instant,
    expected_s: Option<f64>,
    before: (Instant, u64),
    /// What stands before everything else.
    ahead: String,
}

impl ProgressLine {
    /// A line for a run of about `expected_s` seconds.
    pub(crate) fn new(expected_s: Option<f64>) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self { bar, started: now, drawn: now, expected_s, before: (now, 0), ahead: String::new() }
    }

    /// The same line behind this text.
    pub(crate) fn behind(mut self, ahead: &str) -> Self {
        ahead.clone_into(&mut self.ahead);
        self
    }

    /// Draws the line, if its time has come.
    pub(crate) fn draw(&mut self, running: usize, done: usize, counts: LiveCounts, delivered_bytes: u64) {
        let now = Instant::now();
        if now.duration_since(self.drawn) < REDRAW {
            return;
        }
        self.drawn = now;
        let (then, bytes) = std::mem::replace(&mut self.before, (now, delivered_bytes));
        #[expect(clippy::cast_precision_loss, reason = "for the eye")]
        let goodput =
            delivered_bytes.saturating_sub(bytes) as f64 * 8.0 / now.duration_since(then).as_secs_f64();
        let elapsed = self.started.elapsed().as_secs_f64();
        // A side from which nothing has been heard is not on this end, or has not begun.
        let heard = |here: u64, value: u64| (here > 0).then_some(value);
        let line = incast_view::progress::line(
            elapsed,
            self.expected_s,
            running,
            done,
            heard(counts.sent, counts.sent),
            heard(counts.received, counts.received),
            heard(counts.received, counts.lost),
            (counts.received > 0).then_some(goodput),
        );
        self.bar.set_message(format!("{}{line}", self.ahead));
        self.bar.tick();
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Flows of this process: running and done.
pub(crate) struct Watch {
    running: BTreeMap<u64, (FlowIdentity, LiveFlow)>,
    done: Vec<FlowOutcome>,
    done_counts: LiveCounts,
    done_bytes: u64,
    sessions_over: usize,
    line: ProgressLine,
}

impl Watch {
    /// Nothing runs yet.
    pub(crate) fn new(expected_s: Option<f64>) -> Self {
        Self {
            running: BTreeMap::new(),
            done: Vec::new(),
            done_counts: LiveCounts::default(),
            done_bytes: 0,
            sessions_over: 0,
            line: ProgressLine::new(expected_s),
        }
    }

    /// Takes what a server or client tells; hands back an outcome that has just become known.
    pub(crate) fn handle(&mut self, notice: FlowNotice) -> Option<FlowOutcome> {
        match notice {
            FlowNotice::Armed => None,
            FlowNotice::Started { id, identity, live } => {
                self.running.insert(id, (identity, live));
                None
            }
            FlowNotice::Done { id, outcome } => {
                if let Some((identity, live)) = self.running.remove(&id) {
                    let counts = live.read();
                    add(&mut self.done_counts, counts);
                    self.done_bytes += counts.unique * u64::from(identity.message_bytes);
                }
                self.done.push(*outcome.clone());
                Some(*outcome)
            }
            FlowNotice::SessionOver { flows, .. } => {
                self.sessions_over += usize::from(flows > 0);
                None
            }
        }
    }

    /// Draws the line of progress.
    pub(crate) fn draw(&mut self) {
        let (mut counts, mut bytes) = (self.done_counts, self.done_bytes);
        for (identity, live) in self.running.values() {
            let now = live.read();
            add(&mut counts, now);
            bytes += now.unique * u64::from(identity.message_bytes);
        }
        self.line.draw(self.running.len(), self.done.len(), counts, bytes);
    }

    /// Sessions that had flows and have ended, well or not.
    pub(crate) fn sessions_over(&self) -> usize {
        self.sessions_over
    }

    /// What became of the flows.
    pub(crate) fn into_outcomes(self) -> Vec<FlowOutcome> {
        self.done
    }
}

fn add(sum: &mut LiveCounts, more: LiveCounts) {
    sum.sent += more.sent;
    sum.received += more.received;
    sum.unique += more.unique;
    sum.duplicate += more.duplicate;
    sum.lost += more.lost;
}
