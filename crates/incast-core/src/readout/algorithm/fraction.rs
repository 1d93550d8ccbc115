//! A fraction from 0 to 1, in billionths: so that plans can be compared, and cannot be wrong.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A fraction from 0 to 1, to a billionth. In a record and in JSON it is a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fraction {
    billionths: u32,
}

const WHOLE: u32 = 1_000_000_000;

impl Fraction {
    /// Nothing.
    pub const ZERO: Self = Self { billionths: 0 };
    /// The whole.
    pub const ONE: Self = Self { billionths: WHOLE };

    /// The nearest fraction; `None` if it is not from 0 to 1.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10^9")]
    pub fn from_f64(fraction: f64) -> Option<Self> {
        let billionths = (fraction * f64::from(WHOLE)).round();
        (0.0..=1.0).contains(&fraction).then_some(Self { billionths: billionths as u32 })
    }

    /// From 0 to 1.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.billionths) / f64::from(WHOLE)
    }
}

impl Serialize for Fraction {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.as_f64().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fraction = f64::deserialize(from)?;
        let wrong = || serde::de::Error::custom(format!("{fraction} is no fraction: 0 to 1"));
        Self::from_f64(fraction).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fraction_comes_back_from_text() {
        for billionths in [0, 1, 2, 333_333_333, 999_999_999, WHOLE] {
            let fraction = Fraction { billionths };
            assert_eq!(Fraction::from_f64(fraction.as_f64()), Some(fraction));
            let text = serde_json::to_string(&fraction).unwrap();
            assert_eq!(serde_json::from_str::<Fraction>(&text).unwrap(), fraction, "{text}");
        }
    }

    #[test]
    fn what_is_no_fraction_is_refused() {
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Fraction::from_f64(wrong), None, "{wrong}");
        }
        assert!(serde_json::from_str::<Fraction>("2").is_err());
    }
}
