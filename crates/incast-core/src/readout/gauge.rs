//! How full something is: its bound, and with hysteresis whether the bound is near.
//!
//! One threshold for both directions would make a throttle chatter at every event. It comes on at
//! three quarters, which leaves a quarter for what is already on its way when the trigger is told, and
//! goes off at a half, so that each spell of throttling does some good.

/// A level with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    filled: u64,
    max: u64,
    most: u64,
    is_near: bool,
}

impl Gauge {
    /// Empty, with a bound.
    #[must_use]
    pub const fn new(max: u64) -> Self {
        Self { filled: 0, max, most: 0, is_near: false }
    }

    /// How much is in it.
    #[must_use]
    pub const fn filled(&self) -> u64 {
        self.filled
    }

    /// The bound.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The most that was ever in it.
    #[must_use]
    pub const fn most(&self) -> u64 {
        self.most
    }

    /// Whether the bound is reached.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.filled >= self.max
    }

    /// Whether `more` fits.
    #[must_use]
    pub const fn has_room(&self, more: u64) -> bool {
        self.filled.saturating_add(more) <= self.max
    }

    /// Whether three quarters were reached, and half has not been since.
    #[must_use]
    pub const fn is_near(&self) -> bool {
        self.is_near
    }

    /// Puts `more` in.
    #[inline]
    pub(super) fn add(&mut self, more: u64) {
        self.filled += more;
        self.most = self.most.max(self.filled);
        self.is_near |= self.filled >= self.max - self.max / 4;
    }

    /// Takes `less` out.
    ///
    /// # Panics
    ///
    /// When that much is not in it: our mistake.
    #[inline]
    pub(super) fn sub(&mut self, less: u64) {
        assert!(less <= self.filled, "{less} of {} taken out", self.filled);
        self.filled -= less;
        self.is_near &= self.filled > self.max / 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_near_from_three_quarters_until_a_half() {
        let mut gauge = Gauge::new(100);
        let mut near = |change: i64| {
            if change > 0 {
                gauge.add(change.unsigned_abs())
            } else {
                gauge.sub(change.unsigned_abs())
            }
            gauge.is_near()
        };
        assert_eq!([74, 1, -1, -23, -1, 24, 1].map(&mut near), [false, true, true, true, false, false, true]);
        assert_eq!(
            (gauge.most(), gauge.is_full(), gauge.has_room(25), gauge.has_room(26)),
            (75, false, true, false)
        );
    }

    #[test]
    fn a_bound_of_one_is_near_when_it_is_reached() {
        let mut gauge = Gauge::new(1);
        gauge.add(1);
        assert!(gauge.is_near() && gauge.is_full());
        gauge.sub(1);
        assert!(!gauge.is_near() && gauge.has_room(1));
    }
}
