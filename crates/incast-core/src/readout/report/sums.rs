//! Sums over all roles at one moment of a run.

use crate::readout::role::RoleCounts;
use crate::record::ReadoutInterval;
use crate::stats::LogHistogram;

/// Sums over all roles. What roles that died had counted is not in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Events with a number.
    pub triggered: u64,
    /// Packets that builders shipped.
    pub built: u64,
    /// Their payload bytes.
    pub built_bytes: u64,
    /// Packets that nodes decided.
    pub decided: u64,
    /// Events on disk.
    pub stored: u64,
    /// Events lost.
    pub lost: u64,
    /// Events in flight.
    pub in_flight: u64,
    /// Events that miss fragments.
    pub open: u64,
    /// Packets that builders hold after they are built.
    pub held: u64,
    /// Bytes that builders hold, open ones included.
    pub held_bytes: u64,
    /// Credits that policies hold.
    pub credits: u64,
    /// Time for which the trigger was stopped, in nanoseconds: paused, throttled, nobody ready.
    pub stopped_ns: [u64; 3],
    /// From trigger to end, in nanoseconds.
    pub latency_ns: LogHistogram,
}

impl Sums {
    /// The sums of what roles tell.
    pub fn of<'a>(roles: impl Iterator<Item = &'a RoleCounts>) -> Self {
        let mut sums = Self::default();
        roles.for_each(|counts| sums.add(counts));
        sums
    }

    fn add(&mut self, counts: &RoleCounts) {
        match counts {
            RoleCounts::Trigger(trigger) => {
                self.triggered = trigger.events.triggered;
                self.stored = trigger.events.stored;
                self.lost = trigger.events.lost_events();
                self.in_flight = trigger.events.in_flight;
                self.credits += trigger.credits.held;
                self.stopped_ns =
                    [&trigger.pause, &trigger.throttle, &trigger.nobody].map(|dead| dead.stopped_ns);
                self.latency_ns.add(&trigger.latency_ns);
            }
            RoleCounts::Builder(builder) => {
                for level in &builder.levels {
                    let counts = &level.builder;
                    self.built += counts.complete + counts.timed_out + counts.crowded + counts.ended;
                    self.built_bytes += level.by_source.iter().map(|(_, source)| source.bytes).sum::<u64>();
                    self.decided += level.dispatcher.decided;
                    self.open += level.open_events.filled;
                    self.held += level.dispatcher_events.filled;
                    self.held_bytes += level.open_bytes.filled + level.dispatcher_bytes.filled;
                    self.credits += level.credits.held;
                }
                self.held += builder.held_events.filled;
                self.held_bytes += builder.held_bytes.filled;
            }
            RoleCounts::Source(_) | RoleCounts::Node(_) | RoleCounts::Sink(_) => {}
        }
    }

    /// Why the trigger was stopped at some time since `before`, if it was.
    #[must_use]
    pub fn dead_since(&self, before: &Self) -> Option<&'static str> {
        let reasons = ["paused", "throttled by a builder", "no builder is ready"];
        let mut grown = self.stopped_ns.iter().zip(&before.stopped_ns).zip(reasons);
        grown.find(|((now, then), _)| now > then).map(|(_, reason)| reason)
    }

    /// What happened since `before`. A role that died takes its counts along: what is less counts as none.
    pub(super) fn since(&self, before: &Self, start_s: f64, end_s: f64) -> ReadoutInterval {
        let bytes = self.built_bytes.saturating_sub(before.built_bytes);
        let length_s = (end_s - start_s).max(1e-9);
        #[expect(clippy::cast_precision_loss, reason = "for a rate")]
        let built_bytes_per_s = bytes as f64 / length_s;
        ReadoutInterval {
            start_s,
            end_s,
            triggered: self.triggered.saturating_sub(before.triggered),
            built: self.built.saturating_sub(before.built),
            decided: self.decided.saturating_sub(before.decided),
            stored: self.stored.saturating_sub(before.stored),
            built_bytes_per_s,
            in_flight: self.in_flight,
            held: self.held,
            held_bytes: self.held_bytes,
            credits: self.credits,
            dead: self.dead_since(before).is_some(),
        }
    }
}

/// Joins `more`, which follows, to `slice`.
pub(super) fn merge(slice: &mut ReadoutInterval, more: &ReadoutInterval) {
    let [length, other] = [&*slice, more].map(|slice| slice.end_s - slice.start_s);
    let bytes = slice.built_bytes_per_s * length + more.built_bytes_per_s * other;
    slice.triggered += more.triggered;
    slice.built += more.built;
    slice.decided += more.decided;
    slice.stored += more.stored;
    slice.end_s = more.end_s;
    slice.built_bytes_per_s = bytes / (length + other).max(1e-9);
    slice.in_flight = more.in_flight;
    slice.held = more.held;
    slice.held_bytes = more.held_bytes;
    slice.credits = more.credits;
    slice.dead = more.dead;
}
