//! The values that one axis of a sweep takes, as people write them.
//!
//! ```text
//!  64B,512B,1472B      these
//!  64B..1472B          eight, evenly spaced, both ends among them
//!  64B..1472B+256B     from the first, so far apart, up to the last
//!  1us..1ms*2          each twice the one before, up to the last, which is the end
//! ```
//! Parts can be mixed, separated by commas. A bare `0` needs no unit.

use std::fmt;
use std::str::FromStr;

use crate::units::UnitError;

/// Most values of one axis.
pub const VALUES_MAX: usize = 256;
/// Values of a range that says nothing of its steps.
const EVEN: u64 = 8;

/// Values of a quantity whose smallest part is a whole number: rising in each part, without repetition in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values<T>(pub Vec<T>);

/// A quantity that can be an axis.
pub trait Axis: FromStr<Err = UnitError> + Copy + fmt::Display {
    /// What one writes, for messages.
    const EXAMPLES: &'static str;
    /// In the smallest part: bytes, picoseconds.
    fn whole(self) -> u64;
    /// Back again.
    fn of(whole: u64) -> Self;
}

impl Axis for crate::units::Bytes {
    const EXAMPLES: &'static str = "64B,1472B or 64B..1472B or 64B..1472B+128B or 64B..1024B*2";
    fn whole(self) -> u64 {
        self.0
    }
    fn of(whole: u64) -> Self {
        Self(whole)
    }
}

impl Axis for crate::time::Span {
    const EXAMPLES: &'static str = "0,10us or 0..100us or 10us..100us+10us or 1us..1ms*2";
    fn whole(self) -> u64 {
        self.0
    }
    fn of(whole: u64) -> Self {
        Self(whole)
    }
}

impl<T: Axis> FromStr for Values<T> {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let mut all: Vec<u64> = Vec::new();
        for part in text.split(',') {
            for value in values_of::<T>(part, text)? {
                if !all.contains(&value) {
                    all.push(value);
                }
            }
            if all.len() > VALUES_MAX {
                return Err(UnitError::new(text, "is more than 256 values", T::EXAMPLES));
            }
        }
        Ok(Self(all.into_iter().map(T::of).collect()))
    }
}

impl<T: Axis> fmt::Display for Values<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            write!(out, "{}{value}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// The values of one part: a quantity or a range.
fn values_of<T: Axis>(part: &str, text: &str) -> Result<Vec<u64>, UnitError> {
    let bad = |what| UnitError::new(text, what, T::EXAMPLES);
    let Some((from, rest)) = part.split_once("..") else { return Ok(vec![quantity::<T>(part)?]) };
    let (to, step) = match rest.find(['+', '*']) {
        None => (rest, None),
        Some(at) => (&rest[..at], Some((rest.as_bytes()[at], &rest[at + 1..]))),
    };
    let (from, to) = (quantity::<T>(from)?, quantity::<T>(to)?);
    if from >= to {
        return Err(bad("ends before it begins"));
    }
    match step {
        None => Ok(evenly(from, to)),
        Some((b'+', step)) => {
            let step = quantity::<T>(step)?;
            if step == 0 {
                return Err(bad("has steps of nothing"));
            }
            if (to - from) / step >= VALUES_MAX as u64 {
                return Err(bad("is more than 256 values"));
            }
            Ok((0..=(to - from) / step).map(|index| from + index * step).collect())
        }
        Some((_, factor)) => {
            let factor: f64 = factor.trim().parse().map_err(|_| bad("has a factor that is no number"))?;
            if !(1.01..=1e6).contains(&factor) || from == 0 {
                return Err(bad("cannot be multiplied: begin above 0, with a factor of at least 1.01"));
            }
            geometric(from, to, factor).ok_or_else(|| bad("is more than 256 values"))
        }
    }
}

fn quantity<T: Axis>(text: &str) -> Result<u64, UnitError> {
    if text.trim() == "0" { Ok(0) } else { text.parse::<T>().map(T::whole) }
}

/// Both ends, and others between them.
fn evenly(from: u64, to: u64) -> Vec<u64> {
    let length = u128::from(to - from);
    let at =
        |index: u64| from + u64::try_from(length * u128::from(index) / u128::from(EVEN - 1)).unwrap_or(0);
    let mut values: Vec<u64> = (0..EVEN).map(at).collect();
    values.dedup();
    values
}

/// Each so many times the one before; the last is `to`.
fn geometric(from: u64, to: u64, factor: f64) -> Option<Vec<u64>> {
    let mut values = vec![from];
    #[expect(clippy::cast_precision_loss, reason = "rounded to whole parts anyway")]
    let mut next = from as f64 * factor;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and below `to`"
    )]
    // What is within rounding of the end is the end.
    while next < to as f64 * (1.0 - 1e-9) {
        values.push((next.round() as u64).min(to));
        if values.len() > VALUES_MAX {
            return None;
        }
        next *= factor;
    }
    values.push(to);
    values.dedup();
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;
    use crate::units::Bytes;

    fn bytes(text: &str) -> Result<Vec<u64>, String> {
        text.parse::<Values<Bytes>>()
            .map(|values| values.0.into_iter().map(|bytes| bytes.0).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn lists_ranges_steps_and_factors_are_read() {
        let cases: &[(&str, &[u64])] = &[
            ("64B", &[64]),
            ("64B, 512B,64B", &[64, 512]),
            ("64B..1472B", &[64, 265, 466, 667, 868, 1069, 1270, 1472]),
            ("64B..320B+128B", &[64, 192, 320]),
            ("64B..330B+128B", &[64, 192, 320]),
            ("64B..1472B*2", &[64, 128, 256, 512, 1024, 1472]),
            ("64B..1024B*2", &[64, 128, 256, 512, 1024]),
            ("1kB..2kB+1kB,64B", &[1_000, 2_000, 64]),
            ("0..3B", &[0, 1, 2, 3]),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text).as_deref(), Ok(*expected), "{text}");
        }
        let gaps: Values<Span> = "0,10us..20us+5us".parse().unwrap();
        assert_eq!(gaps.0, [0, 10, 15, 20].map(Span::from_us));
        assert_eq!(gaps.to_string(), "0s,10us,15us,20us");
    }

    #[test]
    fn nonsense_is_refused_with_advice() {
        for text in [
            "",
            ",",
            "64",
            "64B..",
            "..64B",
            "64B..64B",
            "2B..1B",
            "1B..9B+0B",
            "1B..9B+",
            "0..9B*2",
            "1B..9B*1",
            "1B..9B*x",
            "1B..9B*inf",
            "1B..9B*NaN",
            "1us",
            "1B..100000B+1B",
            "1B..9B*2*2",
            "-1B..5B",
        ] {
            let refusal = bytes(text).expect_err(text);
            assert!(refusal.contains("write for example"), "{text}: {refusal}");
        }
    }
}
