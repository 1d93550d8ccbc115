//! Times of STAMP: two formats of 64 bits, and the error estimate that says which one it is.
//!
//! ```text
//!  NTP (Z = 0)   seconds since 1900, u32 | fraction of 2^-32 s, u32      RFC 5905 §6
//!  PTP (Z = 1)   seconds since 1970, u32 | nanoseconds, u32              IEEE 1588, cut short; RFC 8877 §4.3
//!
//!  error estimate   S | Z | scale, 6 bits | multiplier, 8 bits, not 0    RFC 4656 §4.1.2
//! ```
//! The error is multiplier x 2^(scale - 32) s. Seconds of NTP whose first bit is not set are of the era that begins in
//! 2036 (RFC 4330 §3). Leap seconds and the offset of TAI are not corrected: both ends count as their hosts do.

/// Which format timestamps have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As NTP has them: the default of RFC 8762.
    #[default]
    Ntp,
    /// As PTP has them, cut to 64 bits.
    Ptp,
}

/// A timestamp as it is on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp(pub u64);

/// How far a clock can be trusted, as its owner says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorEstimate(pub u16);

/// Seconds from 1900 to 1970.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;
const NS_PER_S: u64 = 1_000_000_000;
const SYNCHRONISED: u16 = 1 << 15;
const PTP: u16 = 1 << 14;

impl Stamp {
    /// The moment so many nanoseconds after 1970; moments before are told as 1970. NTP's repeat after 136 years:
    /// up to 2104 they are read as they were written.
    #[must_use]
    pub fn from_unix_ns(ns: i64, format: Format) -> Self {
        let ns = u64::try_from(ns).unwrap_or(0);
        let (seconds, below) = (ns / NS_PER_S, ns % NS_PER_S);
        let (seconds, low) = match format {
            // Rounded, so that reading it gives the same nanosecond.
            Format::Ntp => (seconds + NTP_TO_UNIX_S, ((below << 32) + NS_PER_S / 2) / NS_PER_S),
            Format::Ptp => (seconds, below),
        };
        // Whole seconds wrap with the era. The moment in 2036 at which they do is told a quarter of a nanosecond late, for
        // zero says nothing.
        Self(((seconds << 32) | low).max(u64::from(ns > 0)))
    }

    /// Nanoseconds since 1970; `None` of the zero stamp, and of one with 10^9 nanoseconds or more.
    #[must_use]
    pub fn unix_ns(self, format: Format) -> Option<i64> {
        let (seconds, low) = (self.0 >> 32, self.0 & u64::from(u32::MAX));
        if self.0 == 0 {
            return None;
        }
        let (seconds, below) = match format {
            Format::Ntp => {
                let era = if seconds >> 31 == 0 { 1 << 32 } else { 0 };
                (i64::try_from(seconds + era).ok()? - i64::try_from(NTP_TO_UNIX_S).ok()?, rounded(low))
            }
            Format::Ptp if low >= NS_PER_S => return None,
            Format::Ptp => (i64::try_from(seconds).ok()?, low),
        };
        Some(seconds * i64::try_from(NS_PER_S).ok()? + i64::try_from(below).ok()?)
    }
}

/// A fraction of 2^-32 s in nanoseconds, to the nearest.
fn rounded(fraction: u64) -> u64 {
    (fraction * NS_PER_S + (1 << 31)) >> 32
}

impl ErrorEstimate {
    /// For timestamps in `format`. Whoever knows how far the clock is from UTC at most says so; the others have
    /// the S bit clear and an error of a unit.
    #[must_use]
    pub fn new(format: Format, synchronised_ns: Option<u64>) -> Self {
        let z = if format == Format::Ptp { PTP } else { 0 };
        let Some(ns) = synchronised_ns else { return Self(z | 1) };
        // Units of 2^-32 s, rounded up; halved until eight bits hold them.
        let units = (u128::from(ns) << 32).div_ceil(u128::from(NS_PER_S)).max(1);
        let scale = (128 - units.leading_zeros()).saturating_sub(8).min(63);
        let multiplier = (units.div_ceil(1 << scale)).min(255);
        // 256 after rounding up is 128 of the next scale; with 255 of the last scale nothing more can be said.
        let (scale, multiplier) = if units.div_ceil(1 << scale) == 256 && scale < 63 {
            (scale + 1, 128)
        } else {
            (scale, multiplier)
        };
        let scale = u16::try_from(scale).unwrap_or(63);
        Self(SYNCHRONISED | z | (scale << 8) | u16::try_from(multiplier).unwrap_or(255))
    }

    /// Format of the timestamps beside it.
    #[must_use]
    pub const fn format(self) -> Format {
        if self.0 & PTP == 0 { Format::Ntp } else { Format::Ptp }
    }

    /// Whether the clock's owner says that it is synchronised to UTC from outside.
    #[must_use]
    pub const fn is_synchronised(self) -> bool {
        self.0 & SYNCHRONISED != 0
    }

    /// The error that is claimed, in nanoseconds, rounded up; `None` if the multiplier is zero, which says nothing.
    #[must_use]
    pub fn error_ns(self) -> Option<u64> {
        let (scale, multiplier) = (u32::from(self.0 >> 8 & 63), u128::from(self.0 & 255));
        let ns = ((multiplier << scale) * u128::from(NS_PER_S)).div_ceil(1 << 32);
        (multiplier > 0).then(|| u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_back_to_the_nanosecond_in_both_formats() {
        for ns in [
            1,
            999_999_999,
            1_000_000_000,
            1_795_000_000_123_456_789,
            2_085_978_495_999_999_999,
            2_085_978_496_000_000_000,
            2_085_978_496_000_000_001,
            4_000_000_000_000_000_001,
        ] {
            for format in [Format::Ntp, Format::Ptp] {
                assert_eq!(Stamp::from_unix_ns(ns, format).unix_ns(format), Some(ns), "{format:?}");
            }
        }
    }

    #[test]
    fn the_formats_are_those_of_their_standards() {
        // RFC 5905 §A.4 and figure 4: 1 January 1970 is 2 208 988 800 s of NTP; half a second is 2^31.
        assert_eq!(Stamp::from_unix_ns(500_000_000, Format::Ntp).0, 2_208_988_800 << 32 | 1 << 31);
        assert_eq!(Stamp::from_unix_ns(1_500_000_000, Format::Ptp).0, 1 << 32 | 500_000_000);
        // The second of era 1, in 2036.
        assert_eq!(
            Stamp(1 << 32).unix_ns(Format::Ntp),
            Some((4_294_967_297 - 2_208_988_800) * 1_000_000_000)
        );
        assert_eq!((Stamp(0).unix_ns(Format::Ntp), Stamp(1_000_000_000).unix_ns(Format::Ptp)), (None, None));
        assert_eq!(Stamp::from_unix_ns(-1, Format::Ptp), Stamp(0));
    }

    #[test]
    fn an_error_estimate_never_claims_less_than_the_error() {
        for ns in [0, 1, 59, 60, 1_000, 15_000, 1_000_000, 999_999_999, 86_400_000_000_000] {
            let estimate = ErrorEstimate::new(Format::Ptp, Some(ns));
            let claimed = estimate.error_ns().expect("the multiplier is not zero");
            assert!(claimed >= ns && claimed <= ns + ns / 100 + 2, "{ns}: {claimed}");
            assert!(estimate.is_synchronised() && estimate.format() == Format::Ptp);
        }
        let unknown = ErrorEstimate::new(Format::Ntp, None);
        assert_eq!(
            (unknown, unknown.is_synchronised(), unknown.format()),
            (ErrorEstimate(1), false, Format::Ntp)
        );
        assert_eq!(ErrorEstimate(0x8000).error_ns(), None);
        // All there is to claim: 255 x 2^31 s.
        assert_eq!(ErrorEstimate(0xbfff).error_ns(), Some(u64::MAX));
    }
}
