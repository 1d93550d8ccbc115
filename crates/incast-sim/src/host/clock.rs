//! A host's own clock: ahead of, or behind, true time, and fast or slow.

use incast_core::time::Time;

/// A clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// It is ahead of true time by so much at the start of the run, nanoseconds; may be negative.
    pub offset_ns: i64,
    /// It is fast by so much, parts per billion; may be negative.
    pub drift_ppb: i64,
}

impl Clock {
    /// What it shows at a true time. A clock that is behind shows 0 until its time begins.
    #[must_use]
    pub fn show(self, at: Time) -> Time {
        let drift = i128::from(at.0) * i128::from(self.drift_ppb) / 1_000_000_000;
        let shown = i128::from(at.0) + i128::from(self.offset_ns) * 1_000 + drift;
        Time(u64::try_from(shown.max(0)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_its_offset_and_its_drift() {
        let second = Time::from_ns(1_000_000_000);
        let show = |offset_ns, drift_ppb, at| Clock { offset_ns, drift_ppb }.show(at).as_ns();
        assert_eq!(show(0, 0, second), 1_000_000_000);
        // 20 parts per million of a second are 20 us.
        assert_eq!(show(500, 20_000, second), 1_000_020_500);
        assert_eq!(show(-500, -20_000, second), 999_979_500);
        assert_eq!(show(-500, 0, Time::ZERO), 0);
        assert_eq!(show(0, i64::MAX, Time(u64::MAX)), u64::MAX / 1_000);
    }
}
