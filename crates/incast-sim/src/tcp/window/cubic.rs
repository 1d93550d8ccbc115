//! CUBIC (RFC 9438): the window as a cube of the time since the last loss. Integers only, so that every platform
//! computes the same; time in units of 2^-10 s and C = 410/1024, as Linux `net/ipv4/tcp_cubic.c` has them.

use incast_core::time::{Span, Time};

/// What CUBIC remembers. Windows in segments.
#[derive(Clone, Debug)]
pub(super) struct Cubic {
    /// The window at the last loss, less a part if the one before was larger (fast convergence); 0: none.
    max: u64,
    epoch: Option<Epoch>,
}

/// Since the first acknowledgement after a loss.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    begin: Time,
    /// Where the cube is flat.
    origin: u64,
    /// When it gets there, 2^-10 s after `begin`.
    k: u64,
    /// The window that Reno would have (RFC 9438 section 4.3).
    friendly: u64,
    /// Acknowledged bytes that have not made that one grow yet.
    friendly_credit: u64,
}

/// An acknowledgement in congestion avoidance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acked {
    pub(super) now: Time,
    /// The window, bytes.
    pub(super) cwnd: u64,
    pub(super) bytes: u64,
    pub(super) mss: u64,
    /// The shortest round trip known.
    pub(super) least: Option<Span>,
}

impl Cubic {
    pub(super) const fn new() -> Self {
        Self { max: 0, epoch: None }
    }

    /// How many acknowledged bytes are worth one segment more.
    pub(super) fn bytes_per_segment(&mut self, acked: Acked) -> u64 {
        let Acked { now, mss, .. } = acked;
        let cwnd = (acked.cwnd / mss).max(1);
        let max = self.max;
        let epoch = self.epoch.get_or_insert_with(|| Epoch::new(now, cwnd, max));
        let at = ticks(now.since(epoch.begin) + acked.least.unwrap_or(Span::ZERO));
        let target = epoch.target(at);
        let mut segments = if target > cwnd { cwnd / (target - cwnd) } else { 100 * cwnd };
        if max == 0 {
            // Nothing was lost yet, or a timer fired: at least 5 % in a round trip.
            segments = segments.min(20);
        }
        let friendly = epoch.handle_friendly(acked.bytes, cwnd, mss);
        if friendly > cwnd {
            segments = segments.min(cwnd / (friendly - cwnd));
        }
        // No faster than one segment for two: 1.5 times in a round trip.
        segments.max(2) * mss
    }

    /// Duplicates said that something is lost; gives the slow start threshold, bytes.
    pub(super) fn handle_loss(&mut self, _now: Time, used: u64, mss: u64) -> u64 {
        let window = used / mss;
        self.epoch = None;
        self.max = if window < self.max { window * (ONE + BETA) / (2 * ONE) } else { window };
        window * BETA / ONE * mss
    }

    /// The timer fired: the path is as good as new.
    pub(super) fn handle_timeout(&mut self) {
        *self = Self::new();
    }

    /// Nothing was sent for so long: the cube stood still (RFC 9438 section 5.8).
    pub(super) fn handle_idle(&mut self, silence: Span) {
        if let Some(epoch) = &mut self.epoch {
            epoch.begin += silence;
        }
    }
}

impl Epoch {
    fn new(begin: Time, cwnd: u64, max: u64) -> Self {
        let rise = max.saturating_sub(cwnd);
        // RFC 9438 section 4.2: K is the cube root of (W_max - cwnd) / C.
        let k = cube_root((u128::from(rise) << (3 * TICK_PLACES)) * u128::from(ONE) / u128::from(C));
        Self { begin, origin: max.max(cwnd), k, friendly: cwnd, friendly_credit: 0 }
    }

    /// RFC 9438 section 4.2: `W_cubic(t) = C * (t - K)^3 + W_max`.
    fn target(&self, at: u64) -> u64 {
        let off = u128::from(at.abs_diff(self.k)).min(OFF_MAX);
        let delta =
            u64::try_from((off * off * off * u128::from(C)) >> (3 * TICK_PLACES + 10)).unwrap_or(u64::MAX);
        if at < self.k { self.origin.saturating_sub(delta) } else { self.origin.saturating_add(delta) }
    }

    /// What Reno with CUBIC's beta would have: 3 (1 - 0.7) / (1 + 0.7) segments in a round trip.
    fn handle_friendly(&mut self, bytes: u64, cwnd: u64, mss: u64) -> u64 {
        let price = (cwnd * mss * (ONE + BETA) / (3 * (ONE - BETA))).max(1);
        self.friendly_credit += bytes;
        self.friendly += self.friendly_credit / price;
        self.friendly_credit %= price;
        self.friendly
    }
}

/// A span in units of 2^-10 s.
fn ticks(span: Span) -> u64 {
    let exact = (u128::from(span.0) << TICK_PLACES) / u128::from(Span::from_s(1).0);
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// The largest integer whose cube is not larger.
fn cube_root(of: u128) -> u64 {
    let (mut root, mut bit) = (0_u128, 1_u128 << 41);
    while bit > 0 {
        let more = root | bit;
        if more * more * more <= of {
            root = more;
        }
        bit >>= 1;
    }
    u64::try_from(root).unwrap_or(u64::MAX)
}

/// Binary places of a second.
const TICK_PLACES: u32 = 10;
/// What 1.0 is below.
const ONE: u64 = 1024;
/// 0.4 (RFC 9438 section 5.1).
const C: u64 = 410;
/// 0.7 (RFC 9438 section 4.6).
const BETA: u64 = 717;
/// Beyond it, 34 years, the cube would not fit.
const OFF_MAX: u128 = 1 << 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cube_root_is_the_floor() {
        for of in (0..2_000).chain([u128::from(u64::MAX), (1 << 100) - 1, 1 << 99]) {
            let root = u128::from(cube_root(of));
            assert!(root.pow(3) <= of && (root + 1).pow(3) > of, "{of}: {root}");
        }
    }

    #[test]
    fn the_cube_is_that_of_rfc_9438() {
        // W_max = 1000, cwnd = 700: K = cbrt(300 / 0.4) = 9.0856 s; W(0) = 700, W(K) = 1000, W(2 K) = 1300.
        let epoch = Epoch::new(Time::ZERO, 700, 1000);
        assert!(epoch.k.abs_diff(ticks(Span::from_ms(9_086))) < 10, "{}", epoch.k);
        for (at_ms, expected) in [(0, 700), (4_000, 947), (9_086, 1000), (18_171, 1300)] {
            let target = epoch.target(ticks(Span::from_ms(at_ms)));
            assert!(target.abs_diff(expected) <= 1, "{at_ms}: {target}");
        }
    }
}
